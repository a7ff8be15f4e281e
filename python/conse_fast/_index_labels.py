"""The labels of an index as those who rank speak of them: by name, in sets, seen and unseen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from conse_fast import _arrays, _candidates, _core
from conse_fast._candidates import Candidates
from conse_fast._facts import IndexFacts, Plan
from conse_fast._label_texts import LabelTexts, strings_of
from conse_fast._names import encode

if TYPE_CHECKING:
    from conse_fast._candidates import AnyCandidates


class LabelSets(Mapping[str, Candidates]):
    """The named sets of labels that an index holds, in the order in which they were given.

    A set is prepared when it is first asked for, and kept.
    """

    def __init__(self, index: _core.Index, names: Sequence[str], n_labels: int) -> None:
        self._index = index
        self._n_labels = n_labels
        self._places = {name: place for place, name in enumerate(names)}
        self._prepared: dict[str, Candidates] = {}

    def __getitem__(self, name: str) -> Candidates:
        """The labels of a set; KeyError when there is none of this name."""
        if name not in self._prepared:
            labels = self._index.label_set(self._places[name])
            argument = f"the label set {name!r}"
            self._prepared[name] = Candidates(self._index, _candidates.mask_of_ids(labels, self._n_labels, argument))
        return self._prepared[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("label sets belong to an index in memory; pickle the index, or the ids of its sets")

    def __repr__(self) -> str:
        return f"<label sets: {', '.join(map(repr, self)) or 'none'}>"


class IndexLabels(IndexFacts):
    """An index whose labels can be called by name and gathered in sets."""

    _sets: LabelSets | None = None
    _seen: Candidates | None = None
    _unseen: Candidates | None = None

    @property
    def label_sets(self) -> LabelSets:
        """The named sets of labels that the index holds: a mapping from name to `Candidates`."""
        if self._sets is None:
            self._sets = LabelSets(self._handle, tuple(self._info["label_sets"]), self.n_labels)
        return self._sets

    @property
    def seen_labels(self) -> Candidates:
        """The labels that are seen classes, by `label_class`."""
        if self._seen is None:
            self._seen = Candidates(self._handle, self.label_class >= 0)
        return self._seen

    @property
    def unseen_labels(self) -> Candidates:
        """The labels that are no seen classes, by `label_class`."""
        if self._unseen is None:
            self._unseen = Candidates(self._handle, self.label_class < 0)
        return self._unseen

    def candidates(self, include: AnyCandidates = None, *, exclude: AnyCandidates = None) -> Candidates:
        """Labels that rankings may return, prepared once: a call with them looks at none of the others.

        A quarter of the labels or fewer are copied, with their part of the table, once so many images have been ranked
        among them that it pays: at most a quarter of the index's size for each set, until it is gone.

        Args:
            include: (L,) bool, (M,) label ids, a sequence of str (ids or unique names), a str (of a label, or the name
                of one of `label_sets`), or other `Candidates`; None: all labels.
            exclude: The same; None: no label.

        Raises:
            TypeError: Something else.
            ValueError: A wrong shape, an id out of range, an unknown name or one of several labels.
        """
        return _candidates.prepare(self, include, exclude, "include")

    def find(self, labels: str | Sequence[str]) -> npt.NDArray[np.int64]:
        """The ids of labels by their id strings or their unique names, (M,) int64; one for a str.

        Raises:
            TypeError: No str.
            ValueError: No label is called so, or several are; the message lists them.
        """
        return self._label_texts().find(labels, "labels")

    def plan(
        self, top_t: int | None = 10, k: int = 10, n_images: int = 1024, *, candidates: AnyCandidates = None
    ) -> Plan:
        """How `rank` would go about it. The scores depend on `Plan.arithmetic` alone, which k does not change.

        Args:
            top_t: Classes that are kept of each row, or None for all.
            k: Labels to return.
            n_images: Rows of a call: many together score all labels at less cost than one by one.
            candidates: The labels that may be returned, the same for all rows; as in `candidates`.

        Raises:
            TypeError: top_t, k or n_images is no whole number, or candidates something else.
            ValueError: top_t, k or n_images is less than 1, or candidates do not fit.
        """
        terms = _arrays.terms(top_t, self.n_classes)
        counts = _arrays.count(k, "k"), _arrays.count(n_images, "n_images")
        prepared = None if candidates is None else _candidates.prepare(self, candidates, None)._prepared
        return Plan(*self._handle.plan(terms, *counts, prepared))

    def info(self) -> dict[str, Any]:
        """What the index holds, as a dictionary of plain values.

        ``n_seen_labels`` is counted when it is first asked for, and None if the index was closed before.
        """
        if self._opened is not None and "n_seen_labels" not in self._info:
            self._info["n_seen_labels"] = int(np.count_nonzero(self.label_class >= 0))
        return {"n_seen_labels": None, **super().info()}

    def close(self) -> None:
        """Lets go of the file or memory; it is unmapped when the last array, name sequence and set of it are gone."""
        super().close()
        self._sets = self._seen = self._unseen = None

    def _named(self, text: str, argument: str) -> Candidates | npt.NDArray[np.int64]:
        """The label set, or the one label, of this name."""
        if text not in self.label_sets:
            return self._label_texts().find(text, argument)
        if text in self._label_texts():
            raise ValueError(
                f"{argument}: {text!r} is the name of a label set and of a label; "
                f"give index.label_sets[{text!r}] or index.find({text!r})"
            )
        return self.label_sets[text]


def encode_label_sets(
    label_sets: object, ids: Sequence[str] | None, names: Sequence[str] | None, n_labels: int
) -> tuple[Any, npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """The core's word for named sets of labels: names, offsets and ids; None without any.

    Raises:
        TypeError: No mapping from str to labels.
        ValueError: Labels that are not there.
    """
    if not isinstance(label_sets, Mapping):
        raise TypeError(f"label_sets must map names to labels, got {type(label_sets).__name__}")
    if not label_sets:
        return None
    texts = LabelTexts(ids, names)
    parts = [_ids_of_set(labels, texts, n_labels, f"label_sets[{name!r}]") for name, labels in label_sets.items()]
    offsets = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return encode(list(label_sets), "label_sets"), offsets, np.concatenate(parts)


def _ids_of_set(labels: object, texts: LabelTexts, n_labels: int, argument: str) -> npt.NDArray[np.int64]:
    if strings_of(labels) is not None:
        return texts.find(labels, argument)
    array = _arrays.as_array(labels.ids if isinstance(labels, Candidates) else labels, argument)
    if array.dtype != np.bool_:
        if array.ndim != 1:
            raise ValueError(f"{argument} must have one dimension, got shape {array.shape}")
        return _arrays.ids(array, argument, array.shape)
    if array.shape != (n_labels,):
        raise ValueError(f"{argument} must have shape ({n_labels},), one bool per label, got {array.shape}")
    return np.flatnonzero(array)
