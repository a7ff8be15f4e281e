"""Words and their vectors."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words and their vectors, and what was met where they were read.

    ``"horse" in word_vectors`` and ``word_vectors["horse"]`` look words up exactly as they are spelled; of a repeated
    word the first vector counts, as in gensim.

    Attributes:
        words: W words.
        vectors: (W, D) float32, finite.
        source: Where they come from, for messages.
        n_read: Words that the source holds.
        n_repeated: Kept words that came again.
        n_skipped: Bad lines that were left out.
        problems: What was wrong with the first few of them.
    """

    words: tuple[str, ...]
    vectors: npt.NDArray[np.float32]
    source: str = "word vectors"
    n_read: int = 0
    n_repeated: int = 0
    n_skipped: int = 0
    problems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        vectors = np.asarray(self.vectors)
        if vectors.dtype.kind != "f":
            raise TypeError(f"vectors must be floats, got {vectors.dtype}; convert them: vectors.astype(np.float32)")
        if vectors.ndim != 2 or len(vectors) != len(self.words):
            raise ValueError(f"vectors must have shape ({len(self.words)}, D), one row per word, got {vectors.shape}")
        with np.errstate(over="ignore"):
            vectors = vectors.astype(np.float32, copy=False)
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if bad.size:
            raise ValueError(
                f"vectors[{bad[0]}] ({self.words[bad[0]]!r}) holds NaN or infinity; expected finite numbers"
            )
        object.__setattr__(self, "words", tuple(self.words))
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "n_read", self.n_read or len(self.words))

    @classmethod
    def from_keyed_vectors(cls, keyed_vectors: Any, words: Iterable[str] | None = None) -> WordVectors:
        """Vectors of gensim's ``KeyedVectors``, or of anything that has ``in`` and ``[word]``, such as a dictionary.

        Where there is a ``key_to_index``, only its words count: fastText models of gensim would make vectors up for
        all others.

        Args:
            keyed_vectors: The object.
            words: The words to keep, if it has them; None: all, which needs ``key_to_index`` or ``keys()``.

        Raises:
            TypeError: It is no such object.
            ValueError: Vectors of different lengths, or not finite.
        """
        known = getattr(keyed_vectors, "key_to_index", keyed_vectors)
        is_list = isinstance(keyed_vectors, (Sequence, np.ndarray))
        if is_list or not (hasattr(known, "__contains__") and hasattr(keyed_vectors, "__getitem__")):
            kind = type(keyed_vectors).__name__
            raise TypeError(f"word vectors must have 'in' and [word], got {kind}; KeyedVectors and dictionaries do")
        if words is None:
            if not hasattr(known, "keys"):
                raise TypeError("keyed_vectors has no key_to_index, so words must be given")
            words = known.keys()
        kept = tuple(word for word in dict.fromkeys(words) if word in known)
        rows = [_vector(keyed_vectors, word) for word in kept]
        if not rows and hasattr(known, "keys"):  # whose length they all have
            rows = [_vector(keyed_vectors, word) for word in itertools.islice(known.keys(), 1)]
        dimension = int(getattr(keyed_vectors, "vector_size", 0)) or (rows[0].size if rows else 0)
        for word, row in zip(kept, rows):
            if row.shape != (dimension,):
                raise ValueError(f"the vector of {word!r} has shape {row.shape}; expected ({dimension},)")
        vectors = np.stack(rows) if kept else np.empty((0, dimension), np.float32)
        n_read = len(known) if hasattr(known, "__len__") else 0
        return cls(kept, vectors, type(keyed_vectors).__name__, n_read)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each word."""
        rows: dict[str, int] = {}
        for row, word in enumerate(self.words):
            rows.setdefault(word, row)
        return rows

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.row_of

    def __getitem__(self, word: str) -> npt.NDArray[np.float32]:
        """The (D,) vector of a word; KeyError when it has none."""
        vector: npt.NDArray[np.float32] = self.vectors[self.row_of[word]]
        return vector

    def __repr__(self) -> str:
        return f"<{len(self):,} word vectors x {self.dimension}, of {self.n_read:,} in {self.source}>"


def _vector(keyed_vectors: Any, word: str) -> npt.NDArray[np.float32]:
    try:
        return np.asarray(keyed_vectors[word], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the vector of {word!r} must be numbers: {error}") from None
