"""Text: a word and its numbers on a line, separated by spaces. GloVe's files, word2vec's and fastText's ``.vec``.

The last two begin with a line of two counts, words and dimensions, and end every line with a space. A word may hold
spaces itself (GloVe 840B has ``. . .``): the numbers are the last ones of the line.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from conse_fast.word_vectors.collection import WordVectors
from conse_fast.word_vectors.collector import Collector, show
from conse_fast.word_vectors.stream import Stream

_END = b" \r\n"


@dataclass(frozen=True)
class Header:
    """The first line of a word2vec file.

    Attributes:
        n_words: How many words it promises.
        dimension: How many numbers each.
    """

    n_words: int
    dimension: int


def parse_header(line: bytes) -> Header | None:
    """Two whole numbers, or None."""
    fields = line.split()
    if len(fields) != 2 or not all(field.isdigit() and len(field) < 16 for field in fields):
        return None
    return Header(int(fields[0]), int(fields[1]))


@dataclass(frozen=True)
class Layout:
    """How the lines of a file look.

    Attributes:
        header: Its first line, if that is no word.
        dimension: Numbers on a line.
        n_spaces: Spaces on a line, the one at the end included.
    """

    header: Header | None
    dimension: int
    n_spaces: int


def find_layout(path: str, lines: list[bytes], has_header: bool | None) -> Layout:
    """The layout that most of the first lines have.

    The first line is a header if it holds two whole numbers and nothing else, unless the lines after it do not hold
    more than that either: then it is a header if the second number says so, a 1.

    Args:
        path: The file, for messages.
        lines: Its first lines, whole.
        has_header: Whether the first one is a header; None: find out.

    Raises:
        ValueError: The header is missing, or says another dimension than the lines have.
    """
    header = parse_header(lines[0]) if lines and has_header is not False else None
    if header is None and has_header:
        raise ValueError(f"{path}: line 1 is no header; expected two counts, words and dimensions, as '400000 300'")
    counted = Counter(_spaces_of(line) for line in lines[1:] if line.strip())
    if header is not None and not counted:
        raise ValueError(f"{path} holds no word vectors: nothing follows line 1, its header; fetch the file again")
    if header is None:
        counted.update(_spaces_of(line) for line in lines[:1])
    (dimension, n_spaces), _ = max(counted.items(), key=lambda item: (item[1], -item[0][0]), default=((0, 0), 0))
    if header is not None and dimension != header.dimension:
        if dimension == 1 and has_header is None:
            return find_layout(path, lines, False)
        raise ValueError(
            f"{path}: line 1 says {header.dimension:,} dimensions, but its lines hold {dimension:,} numbers; "
            f"correct the line"
        )
    if dimension < 1:
        raise ValueError(
            f"{path} holds no word vectors; expected a word and its numbers, separated by spaces, per line"
        )
    return Layout(header, dimension, n_spaces)


def _spaces_of(line: bytes) -> tuple[int, int]:
    return line.rstrip(_END).count(b" "), line.count(b" ")


def read_text(stream: Stream, layout: Layout, collector: Collector) -> WordVectors:
    """Reads all lines, and the numbers of the wanted words.

    Raises:
        ValueError: A line has not its numbers (unless bad lines are skipped), or the header promises another count.
    """
    collector.dimension = layout.dimension
    lines = _Lines(layout, collector)
    if layout.header is not None:
        stream.read_line()
    for batch in stream.line_batches():
        lines.take(batch)
    lines.check_count()
    return collector.finish(lines.n_words)


class _Lines:
    """Lines as they come.

    Attributes:
        n_words: Lines so far that hold a word.
    """

    def __init__(self, layout: Layout, collector: Collector) -> None:
        self.n_words = 0
        self._layout = layout
        self._collector = collector
        self._n_lines = 0 if layout.header is None else 1

    def take(self, lines: list[bytes]) -> None:
        """The hot loop: most lines are not wanted, and have as many spaces as all."""
        wanted, n_spaces = self._collector.wanted, self._layout.n_spaces
        self.n_words += len(lines)
        for number, line in enumerate(lines, self._n_lines + 1):
            if line.count(b" ") != n_spaces or line[: line.find(b" ")] in wanted:
                self._look_at(line, number)
        self._n_lines += len(lines)

    def check_count(self) -> None:
        """Compares the number of lines with what the header says."""
        header = self._layout.header
        if header is None or header.n_words == self.n_words:
            return
        why = "is it cut off?" if self.n_words < header.n_words else "is it two files in one?"
        self._collector.bad(
            f"line 1 says {header.n_words:,} words, but the file holds {self.n_words:,}; {why} If it is whole, correct "
            "line 1"
        )

    def _look_at(self, line: bytes, number: int) -> None:
        dimension, collector = self._layout.dimension, self._collector
        text = line.rstrip(_END)
        if not text:
            self.n_words -= 1
            return
        word, *fields = text.rsplit(b" ", dimension)
        first, *more = word.split(b" ")
        if len(fields) < dimension or (more and all(map(is_number, more))):
            cut_off = "" if line.endswith(b"\n") else " (the file ends in the middle of it)"
            n_fields = text.count(b" ")
            collector.bad(f"line {number:,} ({show(first)}) has {n_fields:,} numbers; expected {dimension:,}{cut_off}")
        elif word in collector.wanted:
            self._keep(word, fields, f"line {number:,}")

    def _keep(self, word: bytes, fields: list[bytes], where: str) -> None:
        try:
            numbers = np.array(list(map(float, fields)))
        except ValueError:
            wrong = next((field for field in fields if not is_number(field)), b"")
            self._collector.bad(f"{where} ({show(word)}) holds {show(wrong)}; expected {len(fields):,} numbers")
            return
        with np.errstate(over="ignore"):
            self._collector.add(word, numbers.astype(np.float32), where)


def is_number(field: bytes) -> bool:
    """Whether a field is a number, NaN and infinity included."""
    try:
        float(field)
    except ValueError:
        return False
    return True
