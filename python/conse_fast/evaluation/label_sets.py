"""Sets of labels among which images are ranked, and the images that count there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from conse_fast import _candidates

if TYPE_CHECKING:
    from conse_fast._candidates import Candidates
    from conse_fast._index import ConseIndex

Mask = npt.NDArray[np.bool_]

PLUS_SEEN = " + seen"
"""What is added to the name of a set that has the seen labels added."""


@dataclass(frozen=True, eq=False)
class LabelSet:
    """One set of labels.

    Attributes:
        name: as the caller calls it; with `PLUS_SEEN` where the seen labels were added.
        labels: those that are ranked.
        counted: (L,) bool: images of these labels count. Where the seen labels were added it is the set without them:
            "2-hops (+1K)" of the literature ranks more labels for the same images.
        seen: its seen labels, and
        unseen: its others; None for both where it has not both.
    """

    name: str
    labels: Candidates
    counted: Mask
    seen: Candidates | None
    unseen: Candidates | None


def choose(index: ConseIndex, wanted: Mapping[str, Any] | None, plus_seen: bool) -> list[LabelSet]:
    """The sets to evaluate.

    Args:
        index: where the labels are.
        wanted: labels by name, each as `ConseIndex.candidates` takes them; None for all that the index keeps, or else
            its unseen and all of its labels.
        plus_seen: each set once more with the seen labels added.

    Raises:
        TypeError: Labels of another type.
        ValueError: No set, labels that the index does not know, or nothing to add.
    """
    if wanted is not None and not isinstance(wanted, Mapping):
        raise TypeError(f"label_sets must be a mapping from names to labels, got {type(wanted).__name__}")
    is_seen = index.seen_labels.mask
    if plus_seen and not is_seen.any():
        raise ValueError("plus_seen adds seen labels, but the index has none; give label_class to ConseIndex.build")
    prepared = _Prepared(index)
    sets = []
    for name, labels in (_default(index) if wanted is None else wanted).items():
        if not isinstance(name, str):
            raise TypeError(f"label_sets must map names to labels, got {name!r} as a name")
        mask = _candidates.prepare(index, labels, None, f"label_sets[{name!r}]").mask
        if not mask.any():
            raise ValueError(f"label_sets[{name!r}] holds no label; expected at least one")
        sets.append(_label_set(name, mask, mask, is_seen, prepared))
        if plus_seen and not mask[is_seen].all():
            sets.append(_label_set(name + PLUS_SEEN, mask | is_seen, mask, is_seen, prepared))
    names = [each.name for each in sets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"label_sets holds {twice!r}, which is what plus_seen calls another set; rename one")
    if not sets:
        raise ValueError("label_sets must hold at least one set, got none")
    return sets


class _Prepared:
    """Candidates of an index by what they hold, so that equal sets are ranked once."""

    def __init__(self, index: ConseIndex) -> None:
        self._index = index
        self._known: dict[bytes, Candidates] = {}

    def __call__(self, mask: Mask) -> Candidates:
        key = np.packbits(mask).tobytes()
        if key not in self._known:
            self._known[key] = self._index.candidates(mask)
        return self._known[key]


def _default(index: ConseIndex) -> Mapping[str, Any]:
    if index.label_sets:
        return index.label_sets
    n_seen = len(index.seen_labels)
    unseen = {"unseen labels": index.unseen_labels} if 0 < n_seen < index.n_labels else {}
    return {**unseen, "all labels": None}


def _label_set(name: str, mask: Mask, counted: Mask, is_seen: Mask, prepared: _Prepared) -> LabelSet:
    parts = mask & is_seen, mask & ~is_seen
    has_both = parts[0].any() and parts[1].any()
    seen, unseen = (prepared(part) if has_both else None for part in parts)
    return LabelSet(name, prepared(mask), counted, seen, unseen)
