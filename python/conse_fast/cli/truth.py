"""What images show: true labels from a text file or an array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conse_fast import ConseIndex
from conse_fast._array_files import open_npy
from conse_fast._arrays import Array
from conse_fast.cli.errors import CliError
from conse_fast.cli.inputs import RowsFile, read_lines


@dataclass(frozen=True)
class Truth:
    """True labels in the order of the images.

    Attributes:
        path: Where they come from.
        n_images: How many images they are of.
        is_multi_label: Whether an image may show several labels.
        read: What images ``first`` to ``last - 1`` show: label ids (-1: none that the index holds), or (n, L) of +1, -1
            and 0.
    """

    path: str
    n_images: int
    is_multi_label: bool
    read: Callable[[int, int], Array]


def open_truth(path: str, column: str | None, index: ConseIndex) -> Truth:
    """Opens a file of true labels: an ``.npy`` array, or text with an id or a name per line.

    Args:
        path: The file.
        column: Of a table with tabs, the column with this name in the first line; None: lines are labels.
        index: Where labels are looked up.

    Raises:
        CliError: The file holds no true labels, or none that the index knows.
        OSError: The file is missing or cannot be read.
    """
    if not path.endswith(".npy"):
        return _single(path, _ids_of(path, *_texts(path, column), index))
    if column is not None:
        raise CliError(f"{path} is an array, which has no column {column!r}; leave --truth-column out")
    array = open_npy(path)
    if array.dtype.kind not in "iu":
        raise CliError(f"{path} holds {array.dtype}; expected integers: label ids, or +1, -1 and 0 for each label")
    if array.ndim == 2:
        if array.shape[1] != index.n_labels:
            raise CliError(f"{path} has {array.shape[1]:,} columns; expected {index.n_labels:,}, one per label")
        return Truth(path, len(array), True, RowsFile(path).read)
    if array.ndim != 1:
        raise CliError(f"{path} has shape {array.shape}; expected (images,) or (images, labels)")
    if array.size and not -1 <= array.min() <= array.max() < index.n_labels:
        raise CliError(
            f"{path} holds {array.min()} to {array.max()}; expected label ids from 0 to {index.n_labels - 1}, "
            "or -1 where none is known"
        )
    return _single(path, array.astype(np.int64))


def _single(path: str, ids: npt.NDArray[np.int64]) -> Truth:
    return Truth(path, len(ids), False, lambda first, last: ids[first:last])


def _texts(path: str, column: str | None) -> tuple[list[str], int]:
    """A label for each image, and the number of the line with the first one."""
    lines = read_lines(path)
    header = lines[0].split("\t") if lines else []
    if column is None:
        if len(header) > 1:
            raise CliError(f"{path} has columns; name the one with the labels: --truth-column {header[-1]}")
        return lines, 1
    if column not in header:
        raise CliError(f"{path} has no column {column!r}; its first line has {', '.join(map(repr, header))}")
    rows = [line.split("\t") for line in lines[1:]]
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise CliError(f"{path}: line {number} has {len(row)} columns where line 1 has {len(header)}")
    return [row[header.index(column)] for row in rows], 2


def _ids_of(path: str, texts: Sequence[str], first_line: int, index: ConseIndex) -> npt.NDArray[np.int64]:
    if index.label_ids is None and index.label_names is None:
        raise CliError(f"{path} holds text, but the index has no label names or ids; give an .npy of label ids")
    known = index._label_texts()
    ids = np.full(len(texts), -1, dtype=np.int64)
    for i, text in enumerate(texts):
        if text in known:
            try:
                ids[i] = known.find(text, f"{path}: line {first_line + i}")[0]
            except ValueError as error:
                raise CliError(f"{error} (numbers: in an .npy)") from error
    if len(ids) and (ids < 0).all():
        raise CliError(
            f"{path}: no label of the index is called {texts[0]!r}, or as any other line says (numbers: in an .npy)"
        )
    return ids
