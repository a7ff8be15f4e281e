"""Files that commands read: arrays, and names of classes and labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conse_fast._array_files import choose_tensor, open_npy, open_tensors, split_source
from conse_fast._arrays import Array
from conse_fast.cli.errors import CliError


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
        ImportError: The safetensors package is needed and missing.
        ValueError: There is no such tensor or no matrix.
        OSError: The file is missing or cannot be read.
    """
    path, tensor = split_source(source)
    if path.endswith(".safetensors"):
        with open_tensors(path) as file:
            array: Array = file.get_tensor(choose_tensor(file, path, tensor))
    else:
        array = open_npy(path)
    if array.ndim != 2:
        raise CliError(f"{source} has shape {array.shape}; expected (rows, dimensions)")
    return array


@dataclass(frozen=True)
class NameList:
    """Names in the order of the rows they belong to, and their ids if the file has them."""

    names: list[str] | None
    ids: list[str] | None


def read_names(path: str, n_rows: int | None, of: str, *, skip_header: bool) -> NameList:
    """Reads a file of one name a line, or of ``id<TAB>name`` lines; which of them, its first line tells.

    Args:
        path: A UTF-8 text file.
        n_rows: How many names there must be; None: any number, but one at least.
        of: Whose names they are, for messages: ``"class"``.
        skip_header: Leave the first line out.

    Raises:
        CliError: Not UTF-8, not ``n_rows`` lines or none, or lines of both kinds.
        OSError: The file is missing or cannot be read.
    """
    lines = read_lines(path)
    first = 1 if skip_header else 0
    rows = [line.split("\t") for line in lines[first:]]
    if n_rows is None and not rows:
        raise CliError(f"{path} holds no names; expected a name, or id<TAB>name, per line")
    if n_rows is not None and len(rows) != n_rows:
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


def join_names(lists: list[NameList]) -> NameList:
    """Lists as one; names stand for ids where a list has none."""
    names = [name for listed in lists for name in listed.names or []]
    ids = [label_id for listed in lists for label_id in listed.ids or listed.names or []]
    return NameList(names, ids if any(listed.ids is not None for listed in lists) else None)


def read_lines(path: str) -> list[str]:
    """The lines of a UTF-8 text file, with or without a byte-order mark.

    Raises:
        CliError: Not UTF-8; the message names the line.
        OSError: The file is missing or cannot be read.
    """
    data = Path(path).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CliError(f"{path}: line {line} is not UTF-8 ({error.reason} {data[error.start]:#04x})") from None
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines
