"""What is timed: real data where the project's data folder is there, else the demo's, and Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from conse_fast import demo

DATA = Path(__file__).parents[2] / "shared" / "data"
Floats = npt.NDArray[np.float32]
BLOCK = 65536


def unit(rows: npt.NDArray[Any]) -> Floats:
    """Rows of unit length, C-contiguous; zero rows stay zero."""
    lengths = np.sqrt(np.einsum("rd,rd->r", rows, rows, dtype=np.float64))
    return np.ascontiguousarray(rows / np.where(lengths == 0, 1, lengths)[:, None], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Problem:
    """Unit class and label embeddings, and probabilities; ``name`` says where they come from."""

    name: str
    classes: Floats
    labels: Floats
    probabilities: Floats = field(repr=False)

    def rows(self, n: int) -> Floats:
        """``n`` rows of probabilities, those that there are over and over."""
        return np.ascontiguousarray(np.resize(self.probabilities, (n, self.probabilities.shape[1])))


@cache
def softmax() -> Floats:
    """3,667 real rows, or the 250 that the package ships."""
    paths = [DATA / "imagenet" / f"softmax_{photos}_float32.npy" for photos in ("imagen", "animals")]
    if not all(path.exists() for path in paths):
        return demo.load().probabilities
    return np.concatenate([np.load(path) for path in paths])


def glosses_path() -> Path:
    return DATA / "imagenet" / "wordnet_svd300_float16.npy"


def glosses_300() -> Problem:
    """1,000 seen and 20,842 unseen ImageNet labels x 300, computed from WordNet's glosses."""
    vectors = unit(np.load(glosses_path()).astype(np.float32))
    return Problem("glosses-300", vectors[:1000], vectors[1000:], softmax())


def glove_50() -> Problem:
    """The same labels x 50 from GloVe, as the package's demo has them."""
    vectors = unit(demo.load().embed_labels().vectors)
    return Problem("glove-50", vectors[demo.SEEN], vectors[demo.UNSEEN], softmax())


def gaussian(dimension: int) -> Problem:
    """As many labels without any likeness among them, and probabilities that favour no class: nothing to prune by."""
    rng = np.random.default_rng(dimension)
    classes, labels = (unit(rng.standard_normal((n, dimension), np.float32)) for n in (1000, 20842))
    flat = rng.uniform(0.5, 1.5, (256, 1000)).astype(np.float32)
    return Problem(f"gaussian-{dimension}", classes, labels, flat / flat.sum(1, keepdims=True))


def fill_with_copies(labels: Floats, originals: Floats, cosine: float) -> None:
    """Fills ``labels`` with the originals and then with copies of them, each at this cosine to its original."""
    rng = np.random.default_rng(0)
    n = min(len(originals), len(labels))
    labels[:n] = originals[:n]
    for at in range(n, len(labels), BLOCK):
        copies = originals[np.arange(at, min(at + BLOCK, len(labels))) % len(originals)]
        noise = rng.standard_normal(copies.shape, np.float32)
        noise -= np.einsum("nd,nd->n", noise, copies)[:, None] * copies
        noise *= np.sqrt(1 - cosine**2) / np.linalg.norm(noise, axis=1, keepdims=True)
        labels[at : at + BLOCK] = unit(cosine * copies + noise)


def million(problem: Problem) -> Problem:
    """The same with 1,000,000 labels: copies at cosine 0.9."""
    labels = np.empty((1_000_000, problem.labels.shape[1]), np.float32)
    fill_with_copies(labels, problem.labels, 0.9)
    return Problem(f"{problem.name}-1M", problem.classes, labels, problem.probabilities)


MAKERS: dict[str, Callable[[], Problem]] = {
    "glosses-300": glosses_300,
    "glove-50": glove_50,
    "gaussian-50": lambda: gaussian(50),
    "gaussian-300": lambda: gaussian(300),
    "gaussian-768": lambda: gaussian(768),
}


def real() -> list[str]:
    """Names of the real problems that this checkout can time, the larger one first."""
    return ["glosses-300", "glove-50"] if glosses_path().exists() else ["glove-50"]


@lru_cache(maxsize=2)
def make(name: str) -> Problem:
    """The problem of this name; ``-1M`` at its end asks for a million labels."""
    if name.endswith("-1M"):
        return million(make(name[: -len("-1M")]))
    return MAKERS[name]()
