"""Files that commands read: arrays, and names of classes and labels."""

from __future__ import annotations

import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from conse_fast.cli.errors import CliError

Array = npt.NDArray[Any]

_NPY = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"
_SAFETENSORS = ".safetensors"


def open_npy(path: str) -> Array:
    """Maps an ``.npy`` file into memory; nothing of it is read, and nothing is ever unpickled.

    Raises:
        CliError: The file holds no array that can be mapped.
        OSError: The file is missing or cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode) and not Path(path).is_dir():  # noqa: PTH116 - keeps the path in errors
        raise CliError(f"{path} is no regular file; it cannot be mapped into memory")
    with Path(path).open("rb") as file:
        start = file.read(len(_NPY))
    if start.startswith(_ZIP):
        raise CliError(f"{path} is an .npz archive; save the one array of it with numpy.save")
    if start != _NPY:
        raise CliError(f"{path} is no .npy file; save the array with numpy.save")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a shape that overflows warns before it fails
            return np.lib.format.open_memmap(path, mode="r")
    except (OSError, MemoryError):
        raise
    except Exception as error:  # the header is text that anyone may have written
        why = "it is shorter than its header says" if "mmap length is greater" in str(error) else error
        raise CliError(f"{path} cannot be read as an .npy array: {why}") from error


class RowsFile:
    """An ``.npy`` file with one row per image, of which only the rows at hand take memory.

    Attributes:
        path: The file.
        n_rows: Rows; a one-dimensional array is one row.
        n_columns: Numbers in a row.
        row_bytes: Bytes of a row.
    """

    def __init__(self, path: str) -> None:
        """Opens the file at ``path``.

        Raises:
            CliError: The file holds no array of one or two dimensions.
            OSError: The file is missing or cannot be read.
        """
        array = open_npy(path)
        if array.ndim not in (1, 2):
            raise CliError(f"{path} has shape {array.shape}; expected (images, classes)")
        self.path = path
        self._shape = array.shape
        self._dtype = array.dtype
        self.n_rows, self.n_columns = np.atleast_2d(array).shape
        self.row_bytes = self.n_columns * array.dtype.itemsize

    def read(self, first: int, last: int) -> Array:
        """Rows ``first`` to ``last - 1``, mapped anew: what was read before does not stay in memory."""
        array = open_npy(self.path)
        if (array.shape, array.dtype) != (self._shape, self._dtype):
            raise CliError(f"{self.path} has changed while it was read")
        return np.atleast_2d(array)[first:last]


def open_embeddings(source: str) -> Array:
    """A matrix from an ``.npy`` file (mapped), or from ``file.safetensors`` or ``file.safetensors:tensor``.

    Raises:
        CliError: There is no such tensor or no matrix, or the safetensors package is missing.
        OSError: The file is missing or cannot be read.
    """
    path, mark, tensor = source.partition(_SAFETENSORS + ":")
    if mark and not Path(source).exists():
        array = _read_safetensors(path + _SAFETENSORS, tensor)
    elif source.endswith(_SAFETENSORS):
        array = _read_safetensors(source, None)
    else:
        array = open_npy(source)
    if array.ndim != 2:
        raise CliError(f"{source} has shape {array.shape}; expected (rows, dimensions)")
    return array


def _read_safetensors(path: str, tensor: str | None) -> Array:
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError:
        raise CliError(f"reading {path} needs the safetensors package: pip install safetensors") from None
    with Path(path).open("rb"):
        pass  # a missing file is told like any other
    try:
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
            chosen = tensor if tensor is not None else names[0] if len(names) == 1 else None
            if chosen not in names:
                missing = "several tensors" if tensor is None else f"no tensor '{tensor}'"
                listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
                raise CliError(f"{path} holds {missing}; name one as {path}:NAME, from: {listed}")
            array: Array = file.get_tensor(chosen)
    except (SafetensorError, TypeError, ValueError, AttributeError) as error:
        # NumPy has no bfloat16 or float8: the package fails in its own ways.
        raise CliError(f"{path} cannot be read as float arrays: {error}") from error
    return array


@dataclass(frozen=True)
class NameList:
    """Names in the order of the rows they belong to, and their ids if the file has them."""

    names: list[str] | None
    ids: list[str] | None


def read_names(path: str, n_rows: int, of: str, *, skip_header: bool) -> NameList:
    """Reads a file of one name a line, or of ``id<TAB>name`` lines; which of them, its first line tells.

    Args:
        path: A UTF-8 text file.
        n_rows: How many names there must be.
        of: Whose names they are, for messages: ``"class"``.
        skip_header: Leave the first line out.

    Raises:
        CliError: Not UTF-8, not ``n_rows`` lines, or lines of both kinds.
        OSError: The file is missing or cannot be read.
    """
    lines = _read_lines(path)
    first = 1 if skip_header else 0
    rows = [line.split("\t") for line in lines[first:]]
    if len(rows) != n_rows:
        hint = "; if its first line is a header, give --skip-header" if len(rows) == n_rows + 1 else ""
        raise CliError(f"{path} holds {len(rows):,} names; expected {n_rows:,}, one per {of} embedding{hint}")
    n_columns = len(rows[0]) if rows else 1
    if n_columns > 2:
        raise CliError(f"{path}: line {first + 1} has {n_columns} columns; expected name, or id<TAB>name")
    for number, row in enumerate(rows, first + 1):
        if len(row) != n_columns:
            raise CliError(f"{path}: line {number} has {len(row)} columns where line {first + 1} has {n_columns}")
    names = [row[-1] for row in rows]
    return NameList(names, [row[0] for row in rows] if n_columns == 2 else None)


def _read_lines(path: str) -> list[str]:
    data = Path(path).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CliError(f"{path}: line {line} is not UTF-8 ({error.reason} {data[error.start]:#04x})") from None
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines
