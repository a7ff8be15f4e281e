"""Label embeddings from names, word vectors and a hierarchy of labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from conse_fast.vocabulary.coverage import ANCESTORS, HOW, NONE, Coverage, LabelCoverage, SynonymCoverage
from conse_fast.vocabulary.hierarchy import Ancestors
from conse_fast.vocabulary.lookup import Lookup
from conse_fast.vocabulary.names import NameRules
from conse_fast.word_vectors import WordVectors, read_word_vectors

if TYPE_CHECKING:
    import numpy.typing as npt

    from conse_fast._paths import PathLike


@dataclass(frozen=True, eq=False)
class LabelEmbeddings:
    """Label embeddings, and where each of them comes from.

    Cut it with a slice of labels, as in ``embeddings[:1000]``.

    Attributes:
        vectors: (L, D) float32, not normalised; a label without a vector has a row of zeros. With a vector per synonym
            (R, D), and such a label has no row.
        row_label: (R,) int64, the label that owns each row, or None where row r is label r: as `ConseIndex.build`
            takes it.
        levels: (L,) int64: 0 where the vector comes from the label's own words, d >= 1 where it comes from
            ancestors d steps up, -1 where there is none.
        coverage: How each label came to its vector.
    """

    vectors: npt.NDArray[np.float32]
    row_label: npt.NDArray[np.int64] | None
    levels: npt.NDArray[np.int64]
    coverage: Coverage

    @property
    def has_word(self) -> npt.NDArray[np.bool_]:
        """(L,) bool: at least one synonym of the label's name has a vector."""
        return np.asarray(self.levels == 0)

    @property
    def has_vector(self) -> npt.NDArray[np.bool_]:
        """(L,) bool: the label has a vector, of its own words or of its ancestors'."""
        return np.asarray(self.levels >= 0)

    def __len__(self) -> int:
        """The number of labels."""
        return len(self.levels)

    def __getitem__(self, labels: slice) -> LabelEmbeddings:
        """The embeddings of some of the labels, with ids from 0 on.

        Raises:
            TypeError: No slice.
        """
        if not isinstance(labels, slice):
            raise TypeError(
                f"label embeddings are cut with a slice, got {type(labels).__name__}; see vectors, row_label"
            )
        levels, coverage = self.levels[labels], self.coverage[labels]
        if self.row_label is None:
            return LabelEmbeddings(self.vectors[labels], None, levels, coverage)
        new_label = np.full(len(self), -1, dtype=np.int64)
        new_label[labels] = np.arange(len(levels))
        owners = new_label[self.row_label]
        rows = np.flatnonzero(owners >= 0)
        rows = rows[np.argsort(owners[rows], kind="stable")]
        return LabelEmbeddings(self.vectors[rows], owners[rows], levels, coverage)


def embed_labels(
    names: Sequence[str],
    word_vectors: WordVectors | PathLike | Any,
    *,
    ids: Sequence[str] | None = None,
    hierarchy: Iterable[tuple[str, str]] = (),
    rules: NameRules | None = None,
    per_synonym: bool = False,
    progress: Callable[[float], object] | None = None,
) -> LabelEmbeddings:
    """Makes embeddings of labels from their names and, failing that, from their ancestors' names.

    1. A name is cut into synonyms, and these are looked up by the `NameRules`. A synonym's vector is the mean over its
       words, a label's vector the mean over its synonyms with a vector: a synonym counts once, however many words it
       takes to say it. With ``per_synonym`` each of them is a vector of the label's own, and the label's score is the
       largest of theirs.
    2. A label without any known synonym looks upward, breadth first: at its parents, then at their parents, and so on,
       each ancestor standing at the length of the shortest way up to it. The first level that holds labels with a
       vector of step 1 ends the search, and the mean over all those labels is the vector. Borrowed vectors are not
       lent on, so that the order of the labels plays no part.
    3. A label that reaches the roots without finding any has no vector, and never ranks.

    All means are computed in float64 and rounded to float32 once. Norouzi et al. 2013 take the mean of a phrase's
    words where it is no word itself, and leave out what has no vector; the order of spellings and the rest is ours.

    Classes and labels that are to be ranked together are embedded together, so that they can borrow from each other:
    ``both = embed_labels([*class_names, *label_names], ...)``, then ``both[:len(class_names)]``.

    Args:
        names: L names, each a list of synonyms, such as ``"great white shark, white shark, man-eater"``.
        word_vectors: `WordVectors`; a file for `read_word_vectors`, of which what may be looked up is read; gensim's
            ``KeyedVectors``, or anything that `WordVectors.from_keyed_vectors` takes.
        ids: L ids, the labels' names in the hierarchy; None: their names. Of labels with the same id the first one
            with a vector stands for it.
        hierarchy: (parent, child) pairs of ids, as `read_hierarchy` returns them. They may name ancestors that are no
            label: such an ancestor has no vector, but its own parents are looked at.
        rules: How names are looked up; None: ``NameRules()``.
        per_synonym: Give each label a vector per known synonym instead of their mean.
        progress: Called with the share of a file that is read, 0 to 1.

    Returns:
        The embeddings of L labels, with a report.

    Raises:
        TypeError: A wrong type.
        ValueError: A wrong number of ids, or a file that `read_word_vectors` refuses.
    """
    if isinstance(names, (str, bytes)):
        raise TypeError(f"names must be a sequence of str, got one {type(names).__name__}")
    if isinstance(names, Mapping) or not hasattr(names, "__getitem__"):
        raise TypeError(f"names must be a sequence of str, got {type(names).__name__}; make it a list")
    for i, name in enumerate(names):
        if not isinstance(name, str):
            raise TypeError(f"names[{i}] must be a str, got {name!r}")
    if ids is not None and len(ids) != len(names):
        raise ValueError(f"ids has {len(ids):,} entries; expected {len(names):,}, one per name")
    rules = NameRules() if rules is None else rules
    if not isinstance(rules, NameRules):
        raise TypeError(f"rules must be NameRules, got {type(rules).__name__}")
    vectors = _word_vectors(word_vectors, lambda: rules.lookups(names), progress)
    found = _Synonyms(names, Lookup(vectors, rules))
    return _with_ancestors(found, names, names if ids is None else ids, hierarchy, per_synonym)


def _word_vectors(
    source: Any, lookups: Callable[[], set[str]], progress: Callable[[float], object] | None
) -> WordVectors:
    if isinstance(source, WordVectors):
        return source
    if isinstance(source, (str, os.PathLike)):
        return read_word_vectors(source, lookups(), progress=progress)
    return WordVectors.from_keyed_vectors(source, lookups())


class _Synonyms:
    """The synonyms of all labels that have a vector.

    Attributes:
        coverage: Of each label, what became of its synonyms.
        vectors: (S, D) float64, of the known synonyms.
        labels: (S,) int64, ascending: whose they are.
    """

    def __init__(self, names: Sequence[str], lookup: Lookup) -> None:
        self.coverage: list[list[SynonymCoverage]] = []
        rows: list[int] = []
        synonym_of_row: list[int] = []
        labels: list[int] = []
        for label, name in enumerate(names):
            met = []
            for synonym in lookup.rules.synonyms(name):
                coverage, found = lookup.find(synonym)
                met.append(coverage)
                if found:
                    rows += found
                    synonym_of_row += [len(labels)] * len(found)
                    labels.append(label)
            self.coverage.append(met)
        words = lookup.vectors.vectors.astype(np.float64)
        self.vectors = _group_means(words[_ids(rows)], _ids(synonym_of_row), len(labels))
        self.labels = _ids(labels)


def _with_ancestors(
    found: _Synonyms,
    names: Sequence[str],
    ids: Sequence[str],
    hierarchy: Iterable[tuple[str, str]],
    per_synonym: bool,
) -> LabelEmbeddings:
    n_labels = len(names)
    vectors = _group_means(found.vectors, found.labels, n_labels)
    levels = np.full(n_labels, -1, dtype=np.int64)
    levels[found.labels] = 0
    known: dict[str, int] = {}
    for label in np.flatnonzero(levels == 0).tolist():
        known.setdefault(ids[label], label)
    ancestors = Ancestors(hierarchy)
    coverage = []
    for label, synonyms in enumerate(found.coverage):
        how = min((synonym.how for synonym in synonyms), key=HOW.index, default=NONE)
        lenders: list[int] = []
        if how == NONE:
            # Rows with words are only read here and rows without are only written: no borrowing from borrowers.
            lenders, levels[label] = ancestors.nearest(ids[label], known)
            if lenders:
                how = ANCESTORS
                vectors[label] = vectors[lenders].mean(axis=0)
        lender_ids = tuple(ids[lender] for lender in lenders)
        coverage.append(LabelCoverage(names[label], ids[label], how, int(levels[label]), tuple(synonyms), lender_ids))
    report = Coverage(tuple(coverage))
    if not per_synonym:
        return LabelEmbeddings(vectors.astype(np.float32), None, levels, report)
    borrowers = np.flatnonzero(levels > 0)
    owners = np.concatenate([found.labels, borrowers])
    rows = np.concatenate([found.vectors, vectors[borrowers]])
    order = np.argsort(owners, kind="stable")
    return LabelEmbeddings(rows[order].astype(np.float32), owners[order], levels, report)


def _ids(values: list[int]) -> npt.NDArray[np.int64]:
    return np.array(values, dtype=np.int64)  # the dtype is for the empty list, which NumPy takes for floats


def _group_means(
    vectors: npt.NDArray[np.float64], groups: npt.NDArray[np.int64], n_groups: int
) -> npt.NDArray[np.float64]:
    """Mean over the rows of each group, (n_groups, D); ``groups`` ascends, an absent group gets zeros."""
    means = np.zeros((n_groups, vectors.shape[1]))
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    sizes = np.diff(starts, append=len(groups))
    means[groups[starts]] = np.add.reduceat(vectors, starts, axis=0) / sizes[:, np.newaxis]
    return means
