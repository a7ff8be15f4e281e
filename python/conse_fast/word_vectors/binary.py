"""word2vec's binary format: a line of two counts, then for each word its bytes, a space, and its float32 numbers.

word2vec writes a line end after each vector, other tools do not; readers strip it from the next word.
"""

from __future__ import annotations

import numpy as np

from conse_fast.word_vectors.collection import WordVectors
from conse_fast.word_vectors.collector import Collector, show
from conse_fast.word_vectors.stream import Stream
from conse_fast.word_vectors.text import parse_header

_LONGEST_WORD = 10_000  # bytes; word2vec's own limit is 100
_CURE = "is the file whole, and does its first line tell the right counts? Fetch it again"


def read_binary(stream: Stream, collector: Collector) -> WordVectors:
    """Reads all words, and the vectors of the wanted ones.

    Raises:
        ValueError: The file is cut off or goes on after its last word, or a byte sequence cannot be a word.
    """
    line = stream.read_line()
    header = parse_header(line)
    if header is None or header.dimension < 1:
        raise collector.broken("line 1 is no header; expected two counts, words and dimensions, as '400000 300'")
    collector.dimension = header.dimension
    n_bytes = 4 * header.dimension
    if stream.size is not None and stream.size < len(line) + header.n_words * (n_bytes + 1):
        raise collector.broken(
            f"{stream.size:,} bytes; {header.n_words:,} words of {header.dimension:,} numbers, which line 1 "
            f"promises, need at least {len(line) + header.n_words * (n_bytes + 1):,}; {_CURE}"
        )
    window = _Window(stream, len(line))
    for i in range(header.n_words):
        word, vector = window.next_word(i, n_bytes, collector)
        if word in collector.wanted:
            at = f"byte {window.position - n_bytes:,}"
            collector.add(word, np.frombuffer(vector, dtype="<f4").astype(np.float32, copy=False), at)
    window.expect_end(header.n_words, collector)
    return collector.finish(header.n_words)


class _Window:
    """The part of the file at hand."""

    def __init__(self, stream: Stream, position: int) -> None:
        self._stream = stream
        self._bytes = b""
        self._at = 0
        self._before = position  # bytes of the file before self._bytes

    @property
    def position(self) -> int:
        """Bytes of the file so far."""
        return self._before + self._at

    def next_word(self, i: int, n_bytes: int, collector: Collector) -> tuple[bytes, bytes]:
        """Word number i and the bytes of its vector."""
        while True:
            space = self._bytes.find(b" ", self._at, self._at + _LONGEST_WORD)
            end = space + 1 + n_bytes
            if space >= 0 and end <= len(self._bytes):
                break
            if space < 0 and len(self._bytes) - self._at >= _LONGEST_WORD:
                raise collector.broken(
                    f"no word ends within {_LONGEST_WORD:,} bytes of byte {self.position:,}; {_CURE}"
                )
            if not self._read_on():
                total = self._before + len(self._bytes)
                raise collector.broken(f"ends at byte {total:,}, within word {i + 1:,}; {_CURE}")
        word = self._bytes[self._at : space].lstrip(b"\n")
        if b"\0" in word:
            raise collector.broken(f"byte {self.position:,}: {show(word)} is no word; {_CURE}")
        vector = self._bytes[space + 1 : end]
        self._at = end
        return word, vector

    def expect_end(self, n_words: int, collector: Collector) -> None:
        """Only an end of line may follow."""
        while self._bytes[self._at :].strip(b"\n") == b"":
            self._at = len(self._bytes)
            if not self._read_on():
                return
        collector.bad(f"goes on at byte {self.position:,}, after the {n_words:,} words that line 1 promises; {_CURE}")

    def _read_on(self) -> bool:
        more = self._stream.read()
        self._before += self._at
        self._bytes = self._bytes[self._at :] + more
        self._at = 0
        return bool(more)
