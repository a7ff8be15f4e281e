"""Label embeddings from label names, word vectors and a hierarchy of labels.

A label's name is a list of synonyms (the lemmas of a WordNet synset), such as ``"great white shark, white
shark, man-eater"``. Its vector is the mean of its lemmas' vectors, and a lemma's vector is the mean of its
words' vectors, so that a synonym counts once however many words it takes to say it. A label of which no word
is known borrows from its nearest ancestors; :func:`embed_labels` states both rules exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OWN_WORDS = 0
_NO_VECTOR = -1


@dataclass(frozen=True, eq=False)
class LabelEmbeddings:
    """Label embeddings, and where each of them comes from.

    Attributes:
        vectors: (L, D) float32, not normalised; a label without a vector has a row of zeros.
        levels: (L,) int64: 0 where the vector comes from the label's own words, d >= 1 where it comes from
            ancestors d steps up, -1 where there is none.
    """

    vectors: NDArray[np.float32]
    levels: NDArray[np.int64]

    @property
    def has_word(self) -> NDArray[np.bool_]:
        """(L,) bool: at least one word of the label's name has a word vector."""
        return np.asarray(self.levels == _OWN_WORDS)

    @property
    def has_vector(self) -> NDArray[np.bool_]:
        """(L,) bool: the label has a vector, of its own words or of its ancestors'."""
        return np.asarray(self.levels != _NO_VECTOR)


def split_words(lemma: str) -> list[str]:
    """Split a lemma into the words that are looked up: lower case, cut at white space and at hyphens.

    Nothing else is cut or removed: ``"mother's"`` and ``"St."`` stay words with their punctuation, which word
    vectors trained without it do not know, rather than being taken for ``"mother"`` and ``"st"``.
    """
    return lemma.lower().replace("-", " ").split()


def embed_labels(
    names: Sequence[str],
    wnids: Sequence[str],
    words: Sequence[str],
    word_vectors: NDArray[Any],
    is_a: Iterable[tuple[str, str]],
) -> LabelEmbeddings:
    """Make one embedding per label from its name and, failing that, from its ancestors' names.

    1. The name is cut at commas into lemmas, a lemma into words by :func:`split_words`. A lemma's vector is
       the mean over its known words, a label's vector the mean over its lemmas with a known word.
    2. A label without any known word looks upward, breadth first: at its parents, then at their parents, and
       so on, each ancestor standing at the length of the shortest way up to it. The first level that holds
       labels with a known word ends the search, and the mean over all those labels is the vector. Only
       vectors of step 1 are averaged, never borrowed ones, so that the order of the labels plays no part.
    3. A label that reaches the roots without finding any keeps a vector of zeros.

    All means are computed in float64 and rounded to float32 once.

    Args:
        names: L label names, each a comma-separated list of lemmas.
        wnids: L identifiers, the labels' names in the hierarchy, all different.
        words: W lower-case words, all different.
        word_vectors: (W, D) floating point, the words' vectors.
        is_a: (parent, child) pairs of identifiers. They may name ancestors that are no label: such an
            ancestor has no vector, but its own parents are looked at.

    Returns:
        The (L, D) vectors and the level each of them comes from.
    """
    vectors, has_word = _embed_names(names, words, np.asarray(word_vectors, dtype=np.float64))
    label_with_word = {wnids[label]: label for label in np.flatnonzero(has_word).tolist()}
    parents: dict[str, set[str]] = defaultdict(set)
    for parent, child in is_a:
        parents[child].add(parent)

    levels = np.full(len(names), _OWN_WORDS, dtype=np.int64)
    for label in np.flatnonzero(~has_word).tolist():
        # Rows with words are only read here and rows without are only written: no borrowing from borrowers.
        ancestors, levels[label] = _nearest_ancestors(wnids[label], parents, label_with_word)
        if ancestors:
            vectors[label] = vectors[ancestors].mean(axis=0)
    return LabelEmbeddings(vectors.astype(np.float32), levels)


def _embed_names(
    names: Sequence[str], words: Sequence[str], word_vectors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean over lemmas of the mean over known words: (L, D) vectors, and (L,) whether there was any."""
    row_of_word = {word: row for row, word in enumerate(words)}
    rows: list[int] = []
    lemma_of_row: list[int] = []
    label_of_lemma: list[int] = []
    for label, name in enumerate(names):
        for lemma in name.split(","):
            known = [row_of_word[word] for word in split_words(lemma) if word in row_of_word]
            if known:
                rows += known
                lemma_of_row += [len(label_of_lemma)] * len(known)
                label_of_lemma.append(label)

    lemma_vectors = _group_means(word_vectors[_ids(rows)], _ids(lemma_of_row), len(label_of_lemma))
    vectors = _group_means(lemma_vectors, _ids(label_of_lemma), len(names))
    has_word = np.zeros(len(names), dtype=np.bool_)
    has_word[_ids(label_of_lemma)] = True
    return vectors, has_word


def _ids(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)  # the dtype is for the empty list, which NumPy takes for floats


def _group_means(vectors: NDArray[np.float64], groups: NDArray[np.int64], n_groups: int) -> NDArray[np.float64]:
    """Mean over the rows of each group, (n_groups, D); ``groups`` ascends, an absent group gets zeros."""
    means = np.zeros((n_groups, vectors.shape[1]))
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    sizes = np.diff(starts, append=len(groups))
    means[groups[starts]] = np.add.reduceat(vectors, starts, axis=0) / sizes[:, np.newaxis]
    return means


def _nearest_ancestors(
    wnid: str, parents: Mapping[str, AbstractSet[str]], label_with_word: Mapping[str, int]
) -> tuple[list[int], int]:
    """Labels with a known word on the nearest level above ``wnid`` that holds any, and that level."""
    visited = {wnid}
    frontier = {wnid}
    level = 0
    while frontier:
        level += 1
        frontier = {parent for node in frontier for parent in parents.get(node, ())} - visited
        visited |= frontier  # also ends the search should the pairs hold a cycle
        # Sets of strings iterate in a new order in every process; sorting keeps the sum, hence its last bit.
        ancestors = sorted(label_with_word[node] for node in frontier if node in label_with_word)
        if ancestors:
            return ancestors, level
    return [], _NO_VECTOR
