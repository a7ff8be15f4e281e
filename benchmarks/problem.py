"""What is timed: the real data where the repository's data folder is beside it, else the demo's."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from conse_fast import demo

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "imagenet"
Floats = npt.NDArray[np.float32]


def unit(rows: npt.NDArray[Any]) -> Floats:
    """Rows of unit length; zero rows stay zero."""
    lengths = np.sqrt(np.einsum("rd,rd->r", rows, rows, dtype=np.float64))
    return np.ascontiguousarray(rows / np.where(lengths == 0, 1, lengths)[:, None], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Problem:
    """Unit class and label embeddings, and softmax rows; ``name`` says where they come from."""

    name: str
    classes: Floats
    labels: Floats
    probabilities: Floats = field(repr=False)

    def batch(self, n: int) -> Floats:
        """``n`` rows, the real ones over and over."""
        return np.ascontiguousarray(np.resize(self.probabilities, (n, self.probabilities.shape[1])))


@lru_cache(maxsize=None)
def glosses_300() -> Problem | None:
    """1,000 seen and 20,842 unseen ImageNet labels x 300 from WordNet's glosses, 3,667 real softmax rows."""
    path = DATA / "wordnet_svd300_float16.npy"
    if not path.exists():
        return None
    embeddings = unit(np.load(path).astype(np.float32))
    return Problem("glosses, 300 dimensions", embeddings[:1000], embeddings[1000:], softmax())


def softmax() -> Floats:
    """3,667 real rows, or the 250 that the package ships."""
    paths = [DATA / f"softmax_{which}_float32.npy" for which in ("imagen", "animals")]
    if not all(path.exists() for path in paths):
        return demo.load().probabilities
    return np.concatenate([np.load(path) for path in paths])


@lru_cache(maxsize=None)
def glove_50() -> Problem:
    """The same labels x 50 from GloVe, the demo's."""
    vectors = unit(demo.load().embed_labels().vectors)
    return Problem("GloVe, 50 dimensions", vectors[demo.SEEN], vectors[demo.UNSEEN], softmax())


def problems() -> list[Problem]:
    """All that this checkout can time."""
    return [problem for problem in (glosses_300(), glove_50()) if problem is not None]
