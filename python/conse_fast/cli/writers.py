"""Rankings as CSV, JSON lines or ``.npz``, written a few rows at a time."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from conse_fast import ConseIndex, Names, Ranking
from conse_fast.cli.outputs import whole_file

FORMATS = ("csv", "jsonl", "npz")
STANDARD_OUTPUT = "-"

_COPY_BYTES = 2**20


class _Plain(csv.excel):
    lineterminator = "\n"


class _Quoted(_Plain):
    quoting = csv.QUOTE_NONNUMERIC


class Writer(Protocol):
    """Takes rankings in the order of their rows."""

    def write(self, ranking: Ranking) -> None:
        """Writes the next rows, (N, k)."""


class CsvWriter:
    """A line per label: ``row,rank,label,score``, then ``name`` and ``id`` if the index holds them.

    ``row`` counts images from 0, ``rank`` labels from 1, ``label`` is the label's id. Places that stay empty have no
    line.
    """

    def __init__(self, stream: BinaryIO, index: ConseIndex) -> None:
        self._stream = stream
        self._texts = {
            column: texts
            for column, texts in (("name", index.label_names), ("id", index.label_ids))
            if texts is not None
        }
        self._head: list[list[Any]] = [["row", "rank", "label", "score", *self._texts]]
        self._row = 0

    def write(self, ranking: Ranking) -> None:
        """Writes the next rows, (N, k)."""
        rows, places = np.nonzero(ranking.indices >= 0)
        labels = ranking.indices[rows, places]
        columns: list[list[Any]] = [
            (rows + self._row).tolist(),
            (places + 1).tolist(),
            labels.tolist(),
            _shortest(ranking.scores[rows, places]),
            *(_texts_of(texts, labels) for texts in self._texts.values()),
        ]
        text = io.StringIO(newline="")
        # Before Python 3.13 a return in a name is no reason to quote it.
        returns = any("\r" in one for texts in columns[4:] for one in texts)
        csv.writer(text, _Quoted if returns else _Plain).writerows(itertools.chain(self._head, zip(*columns)))
        self._stream.write(text.getvalue().encode())
        self._head = []
        self._row += len(ranking.indices)


class JsonLinesWriter:
    """An object per image: ``row``, and the lists ``labels``, ``scores``, ``names`` and ``ids``, best first.

    The last two are there if the index holds them. Places that stay empty are left out, so that lists can be short.
    """

    def __init__(self, stream: BinaryIO, index: ConseIndex) -> None:
        self._stream = stream
        self._texts = {
            key: texts for key, texts in (("names", index.label_names), ("ids", index.label_ids)) if texts is not None
        }
        self._row = 0

    def write(self, ranking: Ranking) -> None:
        """Writes the next rows, (N, k)."""
        found = ranking.indices >= 0
        labels = ranking.indices[found]
        columns: dict[str, list[Any]] = {"labels": labels.tolist(), "scores": _shortest(ranking.scores[found])}
        columns.update((key, _texts_of(texts, labels)) for key, texts in self._texts.items())
        lines = []
        last = 0
        for count in found.sum(axis=1).tolist():
            first, last = last, last + count
            line = {"row": self._row, **{key: values[first:last] for key, values in columns.items()}}
            lines.append(json.dumps(line, ensure_ascii=False))
            self._row += 1
        self._stream.write("".join(line + "\n" for line in lines).encode())


class NpzWriter:
    """What ``numpy.load`` opens: ``scores`` (N, k) float32 and ``indices`` (N, k) int64.

    Places that stay empty hold -inf and -1. An archive takes one array after the other, and rankings come in rows: both
    arrays wait in nameless files until they are whole.
    """

    def __init__(self, scores: IO[bytes], indices: IO[bytes]) -> None:
        """A writer that uses these files while rankings come in."""
        self._scores = scores
        self._indices = indices

    def write(self, ranking: Ranking) -> None:
        """Writes the next rows, (N, k)."""
        self._scores.write(np.ascontiguousarray(ranking.scores, dtype="<f4").tobytes())
        self._indices.write(np.ascontiguousarray(ranking.indices, dtype="<i8").tobytes())

    def finish(self, stream: BinaryIO, shape: tuple[int, int]) -> None:
        """Writes the archive, of arrays of this shape."""
        with zipfile.ZipFile(stream, "w") as archive:
            for name, dtype, file in (("scores", "<f4", self._scores), ("indices", "<i8", self._indices)):
                file.seek(0)
                entry = zipfile.ZipInfo(f"{name}.npy")  # without the time of day: the same input gives the same file
                entry.external_attr = 0o644 << 16
                with archive.open(entry, "w", force_zip64=True) as member:
                    header = {"descr": dtype, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(member, header)
                    shutil.copyfileobj(file, member, _COPY_BYTES)


_OF_LINES: dict[str, Callable[[BinaryIO, ConseIndex], Writer]] = {"csv": CsvWriter, "jsonl": JsonLinesWriter}


@contextmanager
def open_writer(form: str, output: str, index: ConseIndex, shape: tuple[int, int]) -> Iterator[Writer]:
    """A writer to a file that appears when it is whole, or to standard output.

    Args:
        form: One of `FORMATS`; ``"npz"`` goes to files only.
        output: The file, or `STANDARD_OUTPUT`.
        index: Where names and ids come from.
        shape: (N, k) of all rankings together.
    """
    if form == "npz":
        folder = Path(os.path.realpath(output)).parent
        with whole_file(output) as stream, TemporaryFile(dir=folder) as scores, TemporaryFile(dir=folder) as indices:
            writer = NpzWriter(scores, indices)
            yield writer
            writer.finish(stream, shape)
        return
    if output == STANDARD_OUTPUT:
        yield _OF_LINES[form](sys.stdout.buffer, index)
    else:
        with whole_file(output) as stream:
            yield _OF_LINES[form](stream, index)


def _shortest(scores: npt.NDArray[np.float32]) -> list[float]:
    """Numbers that print with the fewest digits that still give the same float32."""
    return [float(text) for text in scores.astype(str).tolist()]


def _texts_of(texts: Names, labels: npt.NDArray[np.int64]) -> list[str]:
    """The names of labels, decoding each of them once."""
    distinct, which = np.unique(labels, return_inverse=True)
    decoded: list[str] = texts[distinct][which].tolist()
    return decoded
