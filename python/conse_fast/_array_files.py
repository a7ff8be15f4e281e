"""Arrays in files: ``.npy``, mapped, and tensors of ``.safetensors``."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from conse_fast._arrays import Array

_NPY = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"
_SAFETENSORS = ".safetensors"


def open_npy(path: str) -> Array:
    """Maps an ``.npy`` file into memory; nothing of it is read, and nothing is ever unpickled.

    Raises:
        ValueError: The file holds no array that can be mapped.
        OSError: The file is missing or cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode) and not Path(path).is_dir():  # noqa: PTH116 - keeps the path in errors
        raise ValueError(f"{path} is no regular file; it cannot be mapped into memory")
    with Path(path).open("rb") as file:
        start = file.read(len(_NPY))
    if start.startswith(_ZIP):
        raise ValueError(f"{path} is an .npz archive; save the one array of it with numpy.save")
    if start != _NPY:
        raise ValueError(f"{path} is no .npy file; save the array with numpy.save")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a shape that overflows warns before it fails
            return np.lib.format.open_memmap(path, mode="r")
    except (OSError, MemoryError):
        raise
    except Exception as error:  # the header is text that anyone may have written
        why = "it is shorter than its header says" if "mmap length is greater" in str(error) else str(error)
        if "Python objects" in why:
            why = "it holds Python objects; save array.astype(np.float32) or the like"
        raise ValueError(f"{path} cannot be read as an .npy array: {why}") from error


def split_source(source: str) -> tuple[str, str | None]:
    """``FILE.safetensors:TENSOR`` as file and tensor; any other source as itself and None."""
    path, mark, tensor = source.partition(_SAFETENSORS + ":")
    return (path + _SAFETENSORS, tensor) if mark and not Path(source).exists() else (source, None)


def is_array_file(source: str) -> bool:
    """Whether the name is that of an array: ``.npy``, ``.npz`` or ``.safetensors[:TENSOR]``."""
    return split_source(source)[0].endswith((".npy", ".npz", _SAFETENSORS))


@contextmanager
def open_tensors(path: str) -> Iterator[Any]:
    """A safetensors file, by the safetensors package.

    Raises:
        ImportError: The package is missing.
        ValueError: The file, or what is read of it in this context, holds no float arrays.
        OSError: The file is missing or cannot be read.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError:
        raise ImportError(f"reading {path} needs the safetensors package: pip install safetensors") from None
    with Path(path).open("rb"):
        pass  # a missing file is told like any other
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except (SafetensorError, TypeError, AttributeError) as error:
        # NumPy has no bfloat16 or float8: the package fails in its own ways.
        raise ValueError(f"{path} cannot be read as float arrays: {error}") from error


def choose_tensor(file: Any, path: str, tensor: str | None, ignored: tuple[str, ...] = ()) -> str:
    """The tensor of this name, or the only one that is not ignored.

    Raises:
        ValueError: There is no such tensor, or several.
    """
    names = list(file.keys())
    others = [name for name in names if name not in ignored]
    chosen = tensor if tensor is not None else others[0] if len(others) == 1 else None
    if chosen in names:
        return str(chosen)
    missing = "several tensors" if tensor is None else f"no tensor '{tensor}'"
    listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    raise ValueError(f"{path} holds {missing}; name one as {path}:NAME, from: {listed}")
