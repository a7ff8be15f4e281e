"""What all readers share: the wanted words, their vectors, and what to do about a bad line."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

import numpy as np

from conse_fast.word_vectors.collection import WordVectors

if TYPE_CHECKING:
    import numpy.typing as npt

_N_PROBLEMS_TOLD = 5
_SKIP = 'on_bad_line="skip" reads the rest'


class _Everything:
    """Contains every word."""

    def __contains__(self, word: object) -> bool:
        return True


class Collector:
    """Takes the words that a reader finds, keeps the wanted ones.

    Words are bytes, as they stand in the file: what is no UTF-8 equals no wanted word, and disturbs nobody.

    Attributes:
        path: The file, for messages.
        wanted: The words to keep.
        dimension: Numbers in a vector; a reader sets it before it adds the first one.
    """

    def __init__(self, path: str, words: Iterable[str] | None, on_bad_line: str) -> None:
        """Takes words (all for None) of this file.

        Raises:
            TypeError: ``words`` is one string, or holds something else.
            ValueError: ``on_bad_line`` is neither "raise" nor "skip".
        """
        if on_bad_line not in ("raise", "skip"):
            raise ValueError(f'on_bad_line must be "raise" or "skip", got {on_bad_line!r}')
        if isinstance(words, (str, bytes)):
            raise TypeError(f"words must be strings, got one {type(words).__name__}")
        self.path = path
        self.wanted: Container[bytes] = _Everything() if words is None else {_encode(word) for word in words}
        self.dimension = 0
        self._skip = on_bad_line == "skip"
        self._met: dict[bytes, None] = {}
        self._numbers = bytearray()
        self._n_repeated = 0
        self._n_skipped = 0
        self._problems: list[str] = []

    def add(self, word: bytes, vector: npt.NDArray[np.float32], where: str) -> None:
        """Keeps a wanted word with its (D,) vector unless it was met before; ``where`` it stands is for messages."""
        if word in self._met:
            self._n_repeated += 1
        elif not np.isfinite(vector).all():
            self.bad(f"{where} ({show(word)}) holds NaN, infinity or a number beyond float32; expected finite numbers")
        else:
            self._met[word] = None
            self._numbers += vector.tobytes()

    def bad(self, problem: str) -> None:
        """Says what is wrong with a line or row of the file, or counts it.

        Raises:
            ValueError: Bad lines are not to be skipped.
        """
        if not self._skip:
            raise ValueError(f"{self.path}: {problem}; {_SKIP}")
        self._n_skipped += 1
        if len(self._problems) < _N_PROBLEMS_TOLD:
            self._problems.append(problem)

    def broken(self, problem: str) -> ValueError:
        """The error for a file of which no part can be trusted."""
        return ValueError(f"{self.path}: {problem}")

    def finish(self, n_read: int) -> WordVectors:
        """The words that were kept; ``n_read`` is the number of all."""
        if n_read == 0:
            raise self.broken("holds no word vectors; expected a word and its numbers on every line")
        vectors = np.frombuffer(self._numbers, dtype=np.float32).reshape(len(self._met), self.dimension)
        words = tuple(word.decode(errors="replace") for word in self._met)
        return WordVectors(words, vectors, self.path, n_read, self._n_repeated, self._n_skipped, tuple(self._problems))


def show(word: bytes) -> str:
    """A word for messages, shortened."""
    text = word[:40].decode(errors="replace")
    return repr(text + "..." if len(word) > 40 else text)


def _encode(word: object) -> bytes:
    if not isinstance(word, str):
        raise TypeError(f"words must hold str, got {word!r}")
    return word.encode(errors="surrogatepass")
