"""Names of classes and labels, read from the index only when they are asked for."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from conse_fast import _core


class Names(Sequence[str]):
    """A read-only sequence of strings that lie in an index.

    ``names[3]`` is a str, ``names[2:5]`` a list, and ``names[ids]`` with an integer array of any shape an object
    array of the same shape. -1, which stands for "no label" in results, gives ``""``; other ids outside
    ``range(len(names))`` raise IndexError.
    """

    __slots__ = ("_index", "_length", "_which")

    def __init__(self, index: _core.Index, which: str, length: int) -> None:
        self._index = index
        self._which = which
        self._length = length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    @overload
    def __getitem__(self, key: npt.ArrayLike) -> npt.NDArray[np.object_]: ...
    def __getitem__(self, key: int | slice | npt.ArrayLike) -> str | list[str] | npt.NDArray[np.object_]:
        """The name or names of ``key``."""
        if isinstance(key, slice):
            return [self._one(i) for i in range(*key.indices(self._length))]
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            return self._one(operator.index(key))
        ids = np.asarray(key)
        if ids.dtype.kind not in "iu" and ids.size > 0:
            raise TypeError(f"names are indexed by integers, slices or integer arrays, got {ids.dtype}")
        names = np.empty(ids.shape, dtype=object)
        names.flat[:] = [self._one(int(i)) for i in ids.flat]
        return names

    def __iter__(self) -> Iterator[str]:
        return (self._one(i) for i in range(self._length))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Names, list, tuple)):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(repr(name) for name in self[:3])
        return f"<{self._length:,} names: {shown}{', ...' if self._length > 3 else ''}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)  # the index stays where it is

    def __copy__(self) -> Names:
        return self

    def __deepcopy__(self, memo: object) -> Names:
        return self

    def _one(self, i: int) -> str:
        if i == -1:
            return ""
        if not 0 <= i < self._length:
            raise IndexError(f"id {i} is outside the {self._length} names")
        return self._index.text(self._which, i)


def encode(names: Sequence[str] | None, argument: str) -> tuple[bytes, npt.NDArray[np.int64]] | None:
    """Strings as one UTF-8 text and the offsets of its parts, or None.

    Raises:
        TypeError: Not a sequence of str.
        ValueError: A string that UTF-8 cannot hold (a lone surrogate).
    """
    if names is None:
        return None
    if isinstance(names, (str, bytes)):
        raise TypeError(f"{argument} must be a sequence of str, got one {type(names).__name__}")
    parts = []
    for i, name in enumerate(_iterate(names, argument)):
        if not isinstance(name, str):
            raise TypeError(f"{argument}[{i}] must be a str, got {name!r}")
        try:
            parts.append(name.encode())
        except UnicodeEncodeError as error:
            raise ValueError(f"{argument}[{i}] cannot be stored as UTF-8: {error}") from None
    offsets = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return b"".join(parts), offsets


def _iterate(names: Sequence[Any], argument: str) -> Iterator[Any]:
    try:
        if not isinstance(names, (set, frozenset, Mapping)) and hasattr(names, "__len__"):  # in an order, and kept
            return iter(names)
    except TypeError:
        pass
    raise TypeError(f"{argument} must be a sequence of str, got {type(names).__name__}; make it a list")
