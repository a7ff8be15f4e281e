"""Labels by what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_SHOWN = 5


def strings_of(labels: object) -> list[Any] | None:
    """What is said in words, as a list: a str, or a flat sequence or array that holds one; None for anything else."""
    if isinstance(labels, str):
        return [labels]
    if isinstance(labels, np.ndarray) and labels.ndim == 1 and labels.dtype.kind in "UO":
        labels = labels.tolist()
    if isinstance(labels, Sequence) and any(isinstance(one, str) for one in labels):
        return list(labels)
    return None


class LabelTexts:
    """Where each id string and each name of a label stands; read once."""

    def __init__(self, ids: Sequence[str] | None, names: Sequence[str] | None) -> None:
        self._ids = ids
        self._by_id = _places(ids)
        self._by_name = _places(names)

    def find(self, texts: object, argument: str) -> npt.NDArray[np.int64]:
        """The label ids of id strings or unique names, (M,); ids go before names.

        Raises:
            TypeError: Not str, nor a sequence or array of str.
            ValueError: Neither an id nor a name, or one of several labels.
        """
        wanted = strings_of(texts)
        if wanted is None and not (isinstance(texts, Sequence) and len(texts) == 0):
            raise TypeError(f"{argument} must be a str or a sequence of str, got {type(texts).__name__}")
        wanted = wanted or []
        strange = next((text for text in wanted if not isinstance(text, str)), None)
        if strange is not None:
            raise TypeError(f"{argument} must be a str or a sequence of str, got {strange!r} among them")
        return np.array([self._find_one(text, argument) for text in wanted], dtype=np.int64)

    def __len__(self) -> int:
        """How many strings there are to be found: 0 where the labels have neither ids nor names."""
        return len(self._by_id) + len(self._by_name)

    def __contains__(self, text: str) -> bool:
        return text in self._by_id or text in self._by_name

    def _find_one(self, text: str, argument: str) -> int:
        places = self._by_id.get(text) or self._by_name.get(text)
        if places is None and len(self) == 0:
            raise ValueError(f"{argument}: the labels have neither ids nor names to find {text!r} by; give label ids")
        if places is None:
            raise ValueError(f"{argument}: no label has the id or the name {text!r}")
        if len(places) > 1:
            raise ValueError(
                f"{argument}: {len(places)} labels have the {'id' if text in self._by_id else 'name'} {text!r}; "
                f"give one of them by its {self._listed(places)}"
            )
        return places[0]

    def _listed(self, places: Sequence[int]) -> str:
        ids = self._ids
        shown = [str(place) if ids is None else f"{place} ({ids[place]})" for place in places[:_SHOWN]]
        return f"label id: {', '.join(shown)}{', ...' if len(places) > _SHOWN else ''}"


def _places(texts: Sequence[str] | None) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for label, text in enumerate(() if texts is None else texts):
        places.setdefault(text, []).append(label)
    return places
