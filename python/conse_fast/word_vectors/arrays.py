"""Arrays with a word list: ``.npy`` or ``.safetensors``, and a text file of one word a line in the order of the rows.

A safetensors file may hold the words itself, as an index holds its names: ``words`` (U8, UTF-8 text) and
``words.offsets`` (I64, where each one begins and the last one ends).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from conse_fast._array_files import choose_tensor, open_npy, open_tensors
from conse_fast.word_vectors.collection import WordVectors
from conse_fast.word_vectors.collector import Collector

if TYPE_CHECKING:
    from conse_fast._arrays import Array

_WORDS, _OFFSETS = "words", "words.offsets"
_PIECE_BYTES = 2**22

Progress = Callable[[float], object]


def read_npy(path: str, word_list: str | None, collector: Collector, progress: Progress | None) -> WordVectors:
    """Reads the wanted rows of an ``.npy`` file.

    Raises:
        ValueError: No matrix of floats, or not one word per row.
        OSError: A file is missing or cannot be read.
    """
    shape, dtype = open_npy(path).shape, open_npy(path).dtype
    rows = _Rows(path, shape, dtype, _listed_words(path, word_list), collector)
    # Mapped anew for each piece: what was read before does not stay in memory.
    return rows.read(lambda first, last: open_npy(path)[first:last], progress)


def read_safetensors(
    path: str, tensor: str | None, word_list: str | None, collector: Collector, progress: Progress | None
) -> WordVectors:
    """Reads the wanted rows of a tensor.

    Raises:
        ImportError: The safetensors package is missing.
        ValueError: No such matrix of floats, or not one word per row.
        OSError: A file is missing or cannot be read.
    """
    with open_tensors(path) as file:
        chosen = choose_tensor(file, path, tensor, (_WORDS, _OFFSETS))
        if word_list is None and {_WORDS, _OFFSETS} <= set(file.keys()):
            words = _stored_words(path, file)
        else:
            words = _listed_words(path, word_list)
        part = file.get_slice(chosen)
        rows = _Rows(path, tuple(part.get_shape()), part[:0].dtype, words, collector)
        return rows.read(lambda first, last: part[first:last], progress)


class _Rows:
    """A matrix with words for its rows."""

    def __init__(
        self, path: str, shape: tuple[int, ...], dtype: np.dtype[Any], words: list[bytes], collector: Collector
    ) -> None:
        if len(shape) != 2 or shape[1] < 1:
            raise collector.broken(f"has shape {shape}; expected (words, dimensions)")
        if dtype.kind != "f":
            raise collector.broken(f"holds {dtype}; expected floats: save array.astype(np.float32)")
        if len(words) != shape[0]:
            raise collector.broken(f"{shape[0]:,} rows, but {len(words):,} words in the word list; expected one a row")
        self._shape = shape
        self._row_bytes = shape[1] * dtype.itemsize
        self._words = words
        self._collector = collector
        collector.dimension = shape[1]

    def read(self, piece: Callable[[int, int], Array], progress: Progress | None) -> WordVectors:
        """Adds the wanted rows, piece by piece."""
        for first, last in self._pieces():
            wanted = [row for row in range(first, last) if self._words[row] in self._collector.wanted]
            if wanted:
                with np.errstate(over="ignore"):
                    vectors = piece(first, last)[np.array(wanted) - first].astype(np.float32)
                for row, vector in zip(wanted, vectors):
                    self._collector.add(self._words[row], vector, f"row {row:,}")
            if progress is not None:
                progress(last / self._shape[0])
        return self._collector.finish(self._shape[0])

    def _pieces(self) -> Iterator[tuple[int, int]]:
        n_rows = self._shape[0]
        step = max(1, _PIECE_BYTES // self._row_bytes)
        return ((first, min(first + step, n_rows)) for first in range(0, n_rows, step))


def _listed_words(path: str, word_list: str | None) -> list[bytes]:
    """The lines of the word list, or of the file beside the array that is named like it."""
    chosen = word_list if word_list is not None else f"{os.path.splitext(path)[0]}.txt"  # noqa: PTH122 - keeps the text
    if word_list is None and not Path(chosen).exists():
        raise ValueError(f"{path} needs a word list, one word a line: give word_list, or put it beside, as {chosen}")
    data = Path(chosen).read_bytes().replace(b"\r\n", b"\n")
    lines = data.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def _stored_words(path: str, file: Any) -> list[bytes]:
    text, offsets = bytes(file.get_tensor(_WORDS)), file.get_tensor(_OFFSETS)
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or not len(offsets):
        raise ValueError(f"{path}: {_OFFSETS} must hold integers, one more than there are words")
    bounds = offsets.tolist()
    if bounds[0] < 0 or bounds[-1] > len(text) or bounds != sorted(bounds):
        raise ValueError(f"{path}: {_OFFSETS} must ascend, from 0 to at most {len(text):,}")
    return [text[begin:end] for begin, end in zip(bounds, bounds[1:])]
