"""Which labels a ranking may return: masks, ids, names, or a set that was prepared once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from conse_fast import _arrays, _core
from conse_fast._label_texts import strings_of

if TYPE_CHECKING:
    from conse_fast._index_labels import IndexLabels

    AnyCandidates = Union["Candidates", npt.ArrayLike, str, Sequence[str], None]

Mask = npt.NDArray[np.bool_]
Options = tuple[Union[None, _core.CandidateSet, npt.NDArray[Any]], Union[None, npt.NDArray[Any]], float, bool]

_FORMS = {"cosine": False, "dot": True}


class Candidates:
    """Labels of one index that a ranking may return, prepared for any number of calls.

    `ConseIndex.candidates` makes them, and `ConseIndex.label_sets` holds those that are kept in the file. They are to
    be used with that index; ``len()`` is their number, iterating gives their ids in ascending order. ``a | b``,
    ``a & b`` and ``a - b`` are new candidates of the same index. They do not pickle: their `ids` do.
    """

    __slots__ = ("_index", "_mask", "_prepared")

    def __init__(self, index: _core.Index, mask: Mask) -> None:
        self._index = index
        self._mask = mask.copy()
        self._mask.flags.writeable = False
        self._prepared = index.prepare(self._mask)

    @property
    def mask(self) -> Mask:
        """(L,) bool, read-only: whether the label is a candidate."""
        return self._mask

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """(M,) int64 label ids of the candidates, ascending."""
        return np.flatnonzero(self._mask)

    def __len__(self) -> int:
        return int(np.count_nonzero(self._mask))

    def __iter__(self) -> Iterator[int]:
        return iter(self.ids.tolist())

    def __contains__(self, label: object) -> bool:
        if isinstance(label, bool) or not isinstance(label, (int, np.integer)):
            return False
        return bool(0 <= label < len(self._mask) and self._mask[label])

    def __or__(self, other: Candidates) -> Candidates:
        """Labels of either."""
        return self._combined(other, np.logical_or)

    def __and__(self, other: Candidates) -> Candidates:
        """Labels of both."""
        return self._combined(other, np.logical_and)

    def __sub__(self, other: Candidates) -> Candidates:
        """Labels of these that the others lack."""
        return self._combined(other, np.greater)  # True only where the first is True and the second is not

    def __repr__(self) -> str:
        return f"<{len(self):,} candidates of {len(self._mask):,} labels>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("candidates belong to an index in memory; pickle their ids, and give them to its candidates()")

    def _combined(self, other: Candidates, operation: np.ufunc) -> Candidates:
        if not isinstance(other, Candidates):
            return NotImplemented
        if other._index is not self._index:
            raise ValueError("candidates of two indexes cannot be combined; prepare both with the same one")
        return Candidates(self._index, operation(self._mask, other._mask))


def prepare(index: IndexLabels, include: object, exclude: object, argument: str = "candidates") -> Candidates:
    """The labels of ``include``, the caller's ``argument`` (all for None), but those of ``exclude``."""
    mask = np.ones(index.n_labels, dtype=np.bool_) if include is None else _one_mask(index, include, argument)
    if exclude is not None:
        mask = mask & ~_one_mask(index, exclude, "exclude")
    return Candidates(index._handle, mask)


def options(
    index: IndexLabels,
    candidates: object,
    exclude: object,
    seen_penalty: float,
    form: str,
    n_rows: int,
    single: bool,
) -> Options:
    """What the core wants to know for ``n_rows`` rows."""
    if not isinstance(form, str) or form not in _FORMS:
        raise ValueError(f"form must be 'cosine' or 'dot', got {form!r}")
    penalty = _arrays.real(seen_penalty, "seen_penalty")
    images = None if single else n_rows
    allowed = None if candidates is None else _labels_of_rows(index, candidates, "candidates", images)
    denied = None if exclude is None else _labels_of_rows(index, exclude, "exclude", images)
    if denied is not None:
        allowed, denied = _without(index, allowed, denied)
    which = allowed._prepared if isinstance(allowed, Candidates) else allowed
    return (which, denied, penalty, _FORMS[form])


def _labels_of_rows(
    index: IndexLabels, given: object, argument: str, images: int | None
) -> Candidates | npt.NDArray[Any]:
    """Labels for all images, or a row for each of so many; None: there is one image, without a row of its own."""
    labels = _labels(index, given, argument)
    if isinstance(labels, Candidates):
        return labels
    if labels.ndim == 2:
        _arrays.require_row_for_each(labels, argument, images)
    return np.ascontiguousarray(labels)


def _without(
    index: IndexLabels, allowed: Candidates | npt.NDArray[Any] | None, denied: Candidates | npt.NDArray[Any]
) -> tuple[Candidates | npt.NDArray[Any] | None, npt.NDArray[Any] | None]:
    """Labels that may be returned, and label ids that the core takes away from them, for all images or for each."""
    if isinstance(denied, Candidates) or denied.ndim == 1:
        if not isinstance(allowed, np.ndarray) or allowed.ndim == 1:
            return prepare(index, allowed, denied), None
        return allowed, np.flatnonzero(_one_mask(index, denied, "exclude"))
    if denied.dtype != np.bool_:
        return allowed, denied
    if allowed is None:
        return ~denied, None
    if isinstance(allowed, Candidates) or allowed.ndim == 1:
        return _one_mask(index, allowed, "candidates") & ~denied, None
    if allowed.dtype != np.bool_:
        masks = [mask_of_ids(row, index.n_labels, "candidates") for row in allowed]
        allowed = np.array(masks, dtype=np.bool_).reshape(denied.shape)  # of no images, too
    return allowed & ~denied, None


def mask_of_ids(ids: npt.NDArray[Any], n_labels: int, argument: str) -> Mask:
    """(L,) bool from (M,) label ids; -1 stands for no label."""
    outside = (ids < -1) | (ids >= n_labels)
    if outside.any():
        raise ValueError(f"{argument} holds {ids[outside][0]}; expected label ids from 0 to {n_labels - 1}, or -1")
    mask = np.zeros(n_labels + 1, dtype=np.bool_)
    mask[ids] = True  # -1 falls into the last place
    return mask[:n_labels]


def _one_mask(index: IndexLabels, given: object, argument: str) -> Mask:
    labels = _labels(index, given, argument)
    if isinstance(labels, Candidates):
        labels = labels.mask
    if labels.ndim != 1:
        raise ValueError(f"{argument} must have one dimension, got shape {labels.shape}; rows of masks belong to rank")
    return labels if labels.dtype == np.bool_ else mask_of_ids(labels, index.n_labels, argument)


def _labels(index: IndexLabels, labels: object, argument: str) -> Candidates | npt.NDArray[Any]:
    """Candidates, or (L,) or (N, L) bool, or (M,) or (N, M) int64 label ids, of whatever says which labels."""
    if isinstance(labels, Candidates):
        if labels._index is not index._handle:
            raise ValueError(f"the set in {argument} was prepared by another index; prepare it with this one")
        return labels
    if isinstance(labels, str):
        return index._named(labels, argument)
    if strings_of(labels) is not None:
        return index._label_texts().find(labels, argument)
    array = _arrays.as_array(labels, argument)
    if array.ndim not in (1, 2):
        expected = f"{argument} must be (L,) or (N, L) bool, or (M,) or (N, M) label ids"
        if array.ndim == 0:
            raise TypeError(f"{expected}, got {type(labels).__name__}; give a list or an array")
        raise ValueError(f"{expected}, got shape {array.shape}")
    if array.dtype == np.bool_:
        if array.shape[-1] != index.n_labels:
            raise ValueError(
                f"{argument} is a mask of {array.shape[-1]} labels; expected {index.n_labels}, one bool per label"
            )
        return array
    if array.dtype.kind not in "iu" and array.size > 0:
        raise TypeError(f"{argument} must hold bool, label ids or names, got {array.dtype}")
    return _arrays.ids(array, argument, array.shape)
