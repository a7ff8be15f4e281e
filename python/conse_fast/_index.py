"""Labels prepared for ranking."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Literal, Union

import numpy as np

from conse_fast import _arrays, _candidates, _core, _paths
from conse_fast._explanations import IndexExplanations
from conse_fast._index_labels import encode_label_sets
from conse_fast._names import encode
from conse_fast._ranking import BestSeenAndUnseen, Ranking

if TYPE_CHECKING:
    import numpy.typing as npt

    from conse_fast._arrays import Array, Pair
    from conse_fast._candidates import AnyCandidates
    from conse_fast._paths import PathLike

    TopT = Union[int, None, Sequence[Union[int, None]]]

_MOST_IDS = 2**31 - 1
# What `rank` asks by identity, which takes no longer whatever was given.
_NO_PENALTY = 0.0
_COSINE: Literal["cosine"] = "cosine"
_MISSING_CLASSES = ("skip", "refill", "raise")


class ConseIndex(IndexExplanations):
    """Label embeddings with everything that can be known before an image arrives.

    Made by `build` or `open`; safe to use from several threads. The file (safetensors, ``docs/format.md``) is mapped,
    so that opening costs no reading and processes share one copy. Pickles by path when it was opened from a file (the
    same file must be there when it is unpickled), by value when it was built in memory. Copies share what is mapped.
    """

    def __init__(self) -> None:
        raise TypeError("use ConseIndex.build(...) or ConseIndex.open(path)")

    @classmethod
    def build(
        cls,
        class_embeddings: npt.ArrayLike,
        label_embeddings: npt.ArrayLike,
        *,
        class_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        class_ids: Sequence[str] | None = None,
        label_ids: Sequence[str] | None = None,
        row_label: npt.ArrayLike | None = None,
        label_class: npt.ArrayLike | None = None,
        label_sets: Mapping[str, npt.ArrayLike | Sequence[str]] | None = None,
        normalize_classes: bool = True,
        compact: bool = False,
        missing_classes: str = "skip",
        path: PathLike | None = None,
        n_threads: int | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> ConseIndex:
        """Builds an index in memory, or streams it to a file.

        Args:
            class_embeddings: (C, D) float16, float32 or float64, in the classifier's order.
            label_embeddings: (R, D) likewise. A row of zeros has no direction and never ranks.
            class_names: C strings; need not be unique.
            label_names: L strings; need not be unique.
            class_ids: C strings that identify the classes, such as wnids.
            label_ids: L strings that identify the labels.
            row_label: (R,) integers, the label that owns each row: a label may own several, and its score is the
                largest of theirs, or none, and then it never ranks. None: row r is label r.
            label_class: (L,) integers, the class that a label is, or -1 for an unseen label. None: all unseen.
            label_sets: Sets of labels to choose candidates by: from a name to (L,) bool, (M,) label ids, or M strings
                (ids or unique names).
            normalize_classes: Bring class embeddings to unit length (in float64); otherwise their lengths weigh.
            compact: Leave the table of class x label scores out (4 bytes x C x L); somewhat slower.
            missing_classes: What becomes of a class without a vector, a row of zeros, when it is among the ``top_t`` of
                an image. ``"skip"``: its weight is lost; ``"refill"``: the next class takes its place; ``"raise"``:
                such a class is an error. The index remembers it.
            path: Stream to this file (written aside, then renamed) and open it; None: build in memory.
            n_threads: At most so many threads; None: `conse_fast.max_threads`.
            progress: Called from this thread with the share that is done, 0 to 1. An exception in it stops the
                build, as Ctrl-C does, and leaves no file.

        Returns:
            The index.

        Raises:
            TypeError: A wrong dtype or type.
            ValueError: A wrong shape, NaN or infinity, ids out of range, a class that is all zeros and must not be.
            OSError: The file cannot be written.
        """
        classes = _arrays.matrix(class_embeddings, "class_embeddings")
        labels = _arrays.matrix(label_embeddings, "label_embeddings")
        given = {"class_names": class_names, "class_ids": class_ids, "label_names": label_names, "label_ids": label_ids}
        texts = {which: encode(strings, which) for which, strings in given.items()}
        owners = None if row_label is None else _arrays.ids(row_label, "row_label", (len(labels),))
        if owners is not None and owners.size and not 0 <= owners.min() <= owners.max() < _MOST_IDS:
            row = int(np.argmax((owners < 0) | (owners >= _MOST_IDS)))
            raise ValueError(f"row_label[{row}] is {owners[row]}; expected a label id from 0 to {_MOST_IDS - 1}")
        counts = [len(text[1]) - 1 for which, text in texts.items() if which.startswith("label") and text]
        if label_class is not None:
            counts.append(np.size(_arrays.as_array(label_class, "label_class")))
        if owners is not None and owners.size:
            counts.append(max(int(owners.max()) + 1, 1))
        n_labels = counts[0] if counts else len(labels)
        of_labels = None if label_class is None else _arrays.ids(label_class, "label_class", (n_labels,))
        if missing_classes not in _MISSING_CLASSES:
            expected = ", ".join(_MISSING_CLASSES)
            raise ValueError(f"missing_classes must be one of {expected}, got {missing_classes!r}")
        _arrays.require_callback(progress)
        core = _core.Index.build(
            class_embeddings=classes,
            label_embeddings=labels,
            n_labels=n_labels,
            row_label=owners,
            label_class=of_labels,
            label_sets=None if label_sets is None else encode_label_sets(label_sets, label_ids, label_names, n_labels),
            normalize_classes=_arrays.flag(normalize_classes, "normalize_classes"),
            compact=_arrays.flag(compact, "compact"),
            missing_classes=missing_classes,
            path=b"" if path is None else _paths.encode(path),
            n_threads=_arrays.threads(n_threads),
            progress=progress,
            **texts,
        )
        return cls._of(core, None if path is None else os.path.abspath(os.fsdecode(path)))  # noqa: PTH100 - keeps links

    @classmethod
    def open(cls, path: PathLike) -> ConseIndex:
        """Maps an index file. Checks its structure only; `verify` reads everything.

        Raises:
            OSError: The file is missing or cannot be read.
            ValueError: The file is no whole index, or of another format version.
        """
        return cls._of(_core.Index.open(_paths.encode(path)), os.path.abspath(os.fsdecode(path)))  # noqa: PTH100

    def save(self, path: PathLike) -> None:
        """Writes the index to a file: aside in the same folder, flushed, then renamed.

        Raises:
            OSError: The file cannot be written; one of that name stays as it was.
        """
        self._handle.save(_paths.encode(path))

    def verify(self, *, n_threads: int | None = None) -> None:
        """Reads everything: checksum, ids, finite values, maxima.

        Raises:
            ValueError: Something is wrong; the message names the file and the fact.
        """
        self._handle.verify(_arrays.threads(n_threads))

    def rank(
        self,
        probabilities: npt.ArrayLike,
        k: int = 10,
        top_t: TopT = 10,
        *,
        candidates: AnyCandidates = None,
        exclude: AnyCandidates = None,
        seen_penalty: float = _NO_PENALTY,
        form: Literal["cosine", "dot"] = _COSINE,
        n_threads: int | None = None,
        out: Pair | None = None,
    ) -> Ranking:
        """The ``k`` best labels of each image.

        Args:
            probabilities: (C,) or (N, C) float16, float32 or float64, non-negative and finite; any strides and byte
                order, read-only, or anything with ``__array__``. Any weights will do: rows need not sum to 1.
            k: Labels per image; places that stay empty hold -inf and -1.
            top_t: Kept classes per image; None: all. A list of them is selected for once: the results, with the bits of
                separate calls, stand one after the other.
            candidates: The labels that may be returned, for all images or for each: `Candidates`, the name of one of
                `label_sets`, (L,) or (N, L) bool, (M,) or (N, M) label ids with -1 in unused places, or a str or
                sequence of str (ids or unique names).
            exclude: The labels that may not be returned, said in the same ways.
            seen_penalty: Calibrated stacking (Chao et al. 2016, arXiv 1605.04253): what the score of a label that is a
                seen class (`label_class`) is reduced by before scores are compared.
            form: ``"cosine"``, or ``"dot"``: f . label with f as `embed` gives it and the label's embedding of length
                1, which is comparable between images.
            n_threads: At most so many threads; None: `conse_fast.max_threads`.
            out: (scores, indices) to fill, float32 and int64, C-contiguous.

        Returns:
            `Ranking` of scores and label ids, (k,) or (N, k), ordered by (score descending, label id ascending);
            (T, k) or (T, N, k) for a list of T. A row without direction (all zeros) ranks nothing.

        Raises:
            TypeError: A wrong dtype or type.
            ValueError: A wrong shape or value, which is named with its row and column.
        """
        # The usual call of a single row, whose every step counts: neither a property nor Ranking's own constructor.
        plain = self._rank_plain
        usual = candidates is None and exclude is None and seen_penalty is _NO_PENALTY and form is _COSINE
        if usual and plain is not None:
            ranking = plain(probabilities, k, top_t, out, n_threads)
            if ranking is not None:
                if self._label_names is not None:
                    ranking._label_names = self._label_names
                return ranking
        rows, single = _arrays.rows(probabilities, "probabilities")
        top_ts, lists = _arrays.term_lists(top_t, self._info["n_classes"])
        what = _candidates.options(self, candidates, exclude, seen_penalty, form, len(rows), single)
        return self._ranked(self._handle.rank, rows, (rows, top_ts), single, k, n_threads, out, what, lists)

    def rank_logits(
        self,
        logits: npt.ArrayLike,
        k: int = 10,
        top_t: TopT = 10,
        *,
        temperature: float = 1.0,
        candidates: AnyCandidates = None,
        exclude: AnyCandidates = None,
        seen_penalty: float = 0.0,
        form: Literal["cosine", "dot"] = "cosine",
        n_threads: int | None = None,
        out: Pair | None = None,
    ) -> Ranking:
        """`rank` for ``softmax(logits / temperature)``; only the kept logits are exponentiated.

        Args:
            logits: (C,) or (N, C) float16, float32 or float64, finite.
            k: Labels per image.
            top_t: Kept classes per image, or a list, as in `rank`; None: all.
            temperature: Larger is flatter; > 0.
            candidates: As in `rank`, as are the three that follow.
            exclude: The labels that may not be returned.
            seen_penalty: What seen labels are set back by.
            form: ``"cosine"`` or ``"dot"``.
            n_threads: At most so many threads; None: `conse_fast.max_threads`.
            out: (scores, indices) to fill.

        Returns:
            As `rank`, and the same errors.
        """
        rows, single = _arrays.rows(logits, "logits")
        top_ts, lists = _arrays.term_lists(top_t, self._info["n_classes"])
        heat = _arrays.real(temperature, "temperature")
        what = _candidates.options(self, candidates, exclude, seen_penalty, form, len(rows), single)
        call = self._handle.rank_logits
        return self._ranked(call, rows, (rows, top_ts, heat), single, k, n_threads, out, what, lists)

    def rank_pairs(
        self,
        indices: npt.ArrayLike,
        weights: npt.ArrayLike,
        k: int = 10,
        *,
        candidates: AnyCandidates = None,
        exclude: AnyCandidates = None,
        seen_penalty: float = 0.0,
        form: Literal["cosine", "dot"] = "cosine",
        n_threads: int | None = None,
        out: Pair | None = None,
    ) -> Ranking:
        """`rank` for (class id, weight) pairs, when the model has its own top-k.

        Args:
            indices: (T,) or (N, T) class ids, in any order, each at most once per row.
            weights: (T,) or (N, T) float16, float32 or float64, non-negative and finite.
            k: Labels per image.
            candidates: As in `rank`, as are the three that follow.
            exclude: The labels that may not be returned.
            seen_penalty: What seen labels are set back by.
            form: ``"cosine"`` or ``"dot"``.
            n_threads: At most so many threads; None: `conse_fast.max_threads`.
            out: (scores, indices) to fill.

        Returns:
            As `rank` with ``top_t = T``; the same bits for the same kept classes. No class can take the place of a
            missing one: only the given ones are known.

        Raises:
            TypeError: A wrong dtype or type.
            ValueError: A wrong shape or value, a class id out of range or repeated.
        """
        rows, single = _arrays.rows(weights, "weights")
        if rows.shape[1] == 0:
            raise ValueError("weights is empty; expected at least one class id and weight for each image")
        shape = rows.shape[1:] if single else rows.shape
        classes = _arrays.as_rows(_arrays.ids(indices, "indices", shape), single)
        what = _candidates.options(self, candidates, exclude, seen_penalty, form, len(rows), single)
        return self._ranked(self._handle.rank_pairs, rows, (classes, rows), single, k, n_threads, out, what)

    def _ranked(
        self,
        call: Callable[..., None],
        rows: Array,
        arguments: tuple[Any, ...],
        single: bool,
        k: int,
        n_threads: int | None,
        out: Pair | None,
        what: _candidates.Options,
        lists: tuple[int, ...] = (),
    ) -> Ranking:
        """Calls the core; results stand in so many lists one after the other, or in one."""
        label_names = self._label_names  # another thread may close the index meanwhile
        shape, n = _arrays.shape_of(rows, single, _arrays.count(k, "k")), _arrays.threads(n_threads)
        inputs = tuple(x for x in (*arguments, *what) if isinstance(x, np.ndarray))
        scores, indices = _arrays.result_pair(out, ("scores", "indices"), (*lists, *shape), np.float32, inputs)
        call(*arguments, _arrays.as_rows(scores, single), _arrays.as_rows(indices, single), n, what)
        return Ranking(scores, indices, label_names)

    def best_seen_and_unseen(
        self,
        probabilities: npt.ArrayLike,
        top_t: TopT = 10,
        *,
        candidates: AnyCandidates = None,
        form: Literal["cosine", "dot"] = "cosine",
        n_threads: int | None = None,
    ) -> BestSeenAndUnseen:
        """The best label of either kind: the two numbers per image from which the seen-unseen curve follows.

        ``metrics.seen_unseen_curve(**best._asdict(), truth=..., is_seen=...)`` has the accuracies at every penalty.

        Args:
            probabilities: As in `rank`, as are the others.
            top_t: Kept classes per image, or a list.
            candidates: The labels that may be returned, the same for all images.
            form: ``"cosine"`` or ``"dot"``.
            n_threads: At most so many threads; None: `conse_fast.max_threads`.

        Returns:
            `BestSeenAndUnseen` of four arrays, () or (N,) each; (T,) or (T, N) for a list of T.

        Raises:
            TypeError: As `rank`.
            ValueError: As `rank`; no label is a seen class, or all are.
        """
        kinds = {"seen": self.seen_labels, "unseen": self.unseen_labels}
        missing = next((kind for kind, labels in kinds.items() if not len(labels)), None)
        if missing is not None:
            raise ValueError(f"the index has no {missing} labels; give label_class to ConseIndex.build")
        allowed = None if candidates is None else _candidates.prepare(self, candidates, None)
        best: list[Any] = []
        for labels in kinds.values():
            chosen = labels if allowed is None else labels & allowed
            ranking = self.rank(probabilities, 1, top_t, candidates=chosen, form=form, n_threads=n_threads)
            best += [ranking.scores[..., 0], ranking.indices[..., 0]]
        return BestSeenAndUnseen(*best)

    def embed(
        self,
        probabilities: npt.ArrayLike,
        top_t: int | None = 10,
        *,
        n_threads: int | None = None,
        out: npt.NDArray[np.float32] | None = None,
    ) -> npt.NDArray[np.float32]:
        """``f`` of each image, as `conse_fast.convex_combination` with the class embeddings of this index.

        Args:
            probabilities: As in `rank`.
            top_t: Kept classes per image; None: all.
            n_threads: At most so many threads; None: `conse_fast.max_threads`.
            out: (D,) or (N, D) float32 to fill, C-contiguous.

        Returns:
            (D,) or (N, D) float32, not normalised.

        Raises:
            TypeError, ValueError: As `rank`.
        """
        rows, single = _arrays.rows(probabilities, "probabilities")
        t, n = _arrays.terms(top_t, self.n_classes), _arrays.threads(n_threads)
        f = _arrays.result(out, "out", _arrays.shape_of(rows, single, self.dimension), np.float32, (rows,))
        self._handle.embed(rows, t, _arrays.as_rows(f, single), n)
        return f

    def __reduce__(self) -> tuple[Callable[..., ConseIndex], tuple[Any, ...]]:
        core = self._handle
        return (_reopen, (self._path, self._info["checksum"])) if self._path else (_from_bytes, (core.to_bytes(),))

    def __copy__(self) -> ConseIndex:
        return ConseIndex._of(self._handle, self._path)

    def __deepcopy__(self, memo: object) -> ConseIndex:
        return ConseIndex._of(self._handle, self._path)  # what is mapped never changes


def _reopen(path: str, checksum: str) -> ConseIndex:
    index = ConseIndex.open(path)
    if index.info()["checksum"] != checksum:
        raise ValueError(f"{path} is not the index that was pickled: the file has been replaced; open it anew")
    return index


def _from_bytes(data: bytes) -> ConseIndex:
    return ConseIndex._of(_core.Index.from_bytes(data), None)
