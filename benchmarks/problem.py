"""What is timed: the real data where the repository's data folder is beside it, else the demo's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from conse_fast import demo

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "imagenet"


@dataclass(frozen=True)
class Problem:
    """Embeddings and softmax rows; ``name`` says where they come from."""

    name: str
    class_embeddings: npt.NDArray[np.float32]
    label_embeddings: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]

    def batch(self, n: int) -> npt.NDArray[np.float32]:
        """``n`` rows, the real ones over and over."""
        return np.ascontiguousarray(np.resize(self.probabilities, (n, self.probabilities.shape[1])))


def glosses_300() -> Problem | None:
    """1,000 seen and 20,842 unseen ImageNet labels x 300 from WordNet's glosses, 3,667 real softmax rows."""
    path = DATA / "wordnet_svd300_float16.npy"
    if not path.exists():
        return None
    embeddings = np.load(path).astype(np.float32)
    softmax = [np.load(DATA / f"softmax_{which}_float32.npy") for which in ("imagen", "animals")]
    return Problem("glosses, 300 dimensions", embeddings[:1000], embeddings[1000:], np.concatenate(softmax))


def glove_50() -> Problem:
    """The same labels x 50 from GloVe and the 250 softmax rows that the package ships."""
    data = demo.load()
    vectors = data.embed_labels().vectors
    name = "demo, 50 dimensions"
    return Problem(name, vectors[demo.SEEN], vectors[demo.UNSEEN], data.probabilities)


def problems() -> list[Problem]:
    """All that this checkout can time."""
    return [problem for problem in (glosses_300(), glove_50()) if problem is not None]
