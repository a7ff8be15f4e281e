"""Paths as the operating system takes them."""

from __future__ import annotations

import os
from typing import Union

PathLike = Union[str, "os.PathLike[str]"]


def encode(path: PathLike) -> bytes:
    """The bytes of a path.

    Raises:
        TypeError: No path.
        ValueError: An empty path, or one with a null character.
    """
    try:
        encoded = os.fsencode(path)
    except TypeError:
        raise TypeError(f"path must be str or os.PathLike, got {type(path).__name__}") from None
    if not encoded:
        raise ValueError("path is empty")
    if b"\0" in encoded:
        raise ValueError(f"path holds a null character: {path!r}")
    return encoded
