"""Which labels a ranking may return: masks, ids, names, or a set that was prepared once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from conse_fast import _arrays, _core

if TYPE_CHECKING:
    from conse_fast._facts import IndexFacts

Mask = npt.NDArray[np.bool_]
Options = tuple[Union[None, _core.CandidateSet, Mask], float, bool]

_FORMS = {"cosine": False, "dot": True}
_SHOWN = 5


class Candidates:
    """Labels of one index that a ranking may return, prepared for any number of calls.

    `ConseIndex.candidates` makes them. They are to be used with that index; ``len()`` is their number, iterating gives
    their ids in ascending order.
    """

    __slots__ = ("_mask", "_prepared")

    def __init__(self, mask: Mask, prepared: _core.CandidateSet) -> None:
        self._mask = mask
        self._prepared = prepared

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

    def __repr__(self) -> str:
        return f"<{len(self):,} candidates of {len(self._mask):,} labels>"


def prepare(index: IndexFacts, include: object, exclude: object) -> Candidates:
    """The labels of ``include`` (all for None) but those of ``exclude``."""
    mask = np.ones(index.n_labels, dtype=np.bool_) if include is None else _one_mask(index, include, "include")
    if exclude is not None:
        mask = mask & ~_one_mask(index, exclude, "exclude")
    mask = mask.copy()
    mask.flags.writeable = False
    return Candidates(mask, index._handle.prepare(mask))


def options(
    index: IndexFacts, candidates: object, seen_penalty: float, form: str, n_rows: int, single: bool
) -> Options:
    """What the core wants to know for ``n_rows`` rows."""
    if form not in _FORMS:
        raise ValueError(f"form must be 'cosine' or 'dot', got {form!r}")
    penalty = _arrays.real(seen_penalty, "seen_penalty")
    if not math.isfinite(penalty):
        raise ValueError(f"seen_penalty must be a finite number, got {penalty}")
    if candidates is None or isinstance(candidates, Candidates):
        return (None if candidates is None else candidates._prepared, penalty, _FORMS[form])
    masks = _masks(index, candidates, "candidates")
    if masks.ndim == 2 and (single or len(masks) != n_rows):
        rows = "one image" if single else f"{n_rows} images"
        raise ValueError(f"candidates has {len(masks)} rows for {rows}; expected one row for all, or one for each")
    return (np.ascontiguousarray(masks), penalty, _FORMS[form])


def find(index: IndexFacts, texts: object, argument: str) -> npt.NDArray[np.int64]:
    """The label ids of id strings or unique names; ids go before names.

    Raises:
        TypeError: Not str, nor a sequence of str.
        ValueError: Neither an id nor a name, or a name of several labels.
    """
    wanted = [texts] if isinstance(texts, str) else list(texts) if isinstance(texts, Sequence) else None
    if wanted is None or not all(isinstance(text, str) for text in wanted):
        raise TypeError(f"{argument} must be a str or a sequence of str, got {type(texts).__name__}")
    by_id, by_name = index._label_places()
    found = np.empty(len(wanted), dtype=np.int64)
    for i, text in enumerate(wanted):
        places = by_id.get(text) or by_name.get(text)
        if places is None:
            raise ValueError(f"{argument}: no label has the id or the name {text!r}")
        if len(places) > 1:
            raise ValueError(
                f"{argument}: {len(places)} labels have the {'id' if text in by_id else 'name'} {text!r}; "
                f"give one of them by its {_listed(index, places)}"
            )
        found[i] = places[0]
    return found


def _listed(index: IndexFacts, places: Sequence[int]) -> str:
    ids = index.label_ids
    shown = [str(place) if ids is None else f"{place} ({ids[place]})" for place in places[:_SHOWN]]
    return f"label id: {', '.join(shown)}{', ...' if len(places) > _SHOWN else ''}"


def _one_mask(index: IndexFacts, labels: object, argument: str) -> Mask:
    mask = labels.mask if isinstance(labels, Candidates) else _masks(index, labels, argument)
    if mask.ndim != 1:
        raise ValueError(f"{argument} must have one dimension, got shape {mask.shape}; rows of masks belong to rank")
    if len(mask) != index.n_labels:
        raise ValueError(f"{argument} has {len(mask)} candidates' places; expected {index.n_labels}, one per label")
    return mask


def _masks(index: IndexFacts, labels: object, argument: str) -> Mask:
    """(L,) or (N, L) bool from a mask, label ids, or names."""
    if isinstance(labels, str) or (isinstance(labels, Sequence) and any(isinstance(one, str) for one in labels)):
        return _mask_of_ids(find(index, labels, argument), index.n_labels, argument)
    array = _arrays.as_array(labels, argument)
    if array.ndim not in (1, 2):
        raise ValueError(f"{argument} must be (L,) or (N, L) bool, or (M,) or (N, M) label ids, got {array.shape}")
    if array.dtype == np.bool_:
        if array.shape[-1] != index.n_labels:
            raise ValueError(
                f"{argument} is a mask of {array.shape[-1]} labels; expected {index.n_labels}, one bool per label"
            )
        return array
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.int64)  # what NumPy makes of an empty list
    if array.dtype.kind not in "iu":
        raise TypeError(f"{argument} must hold bool, label ids or names, got {array.dtype}")
    return _mask_of_ids(array, index.n_labels, argument)


def _mask_of_ids(ids: npt.NDArray[Any], n_labels: int, argument: str) -> Mask:
    """-1 stands for no label, so that lists of several lengths fit one array."""
    outside = (ids < -1) | (ids >= n_labels) if ids.dtype.kind == "i" else ids >= n_labels
    if outside.any():
        raise ValueError(f"{argument} holds {ids[outside][0]}; expected label ids from 0 to {n_labels - 1}, or -1")
    masks = np.zeros((*ids.shape[:-1], n_labels + 1), dtype=np.bool_)  # -1 falls into the last place
    np.put_along_axis(masks, ids.astype(np.int64), True, axis=-1)
    return masks[..., :n_labels]
