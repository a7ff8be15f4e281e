"""NumPy: argpartition and matrix products, all float32."""

from __future__ import annotations

import numpy as np

from .common import Answer, Floats, Peer


def largest(scores: Floats, k: int) -> Answer:
    """The ``k`` largest of each row in descending order, and their columns."""
    columns = scores.shape[1]
    if k >= columns:
        order = np.argsort(-scores, axis=1)
        return np.take_along_axis(scores, order, 1), order
    kept = np.argpartition(scores, columns - k, axis=1)[:, columns - k :]
    values = np.take_along_axis(scores, kept, 1)
    order = np.argsort(-values, axis=1)
    return np.take_along_axis(values, order, 1), np.take_along_axis(kept, order, 1)


def weighted_sum(probabilities: Floats, classes: Floats, top_t: int) -> tuple[Floats, Floats]:
    """The sum of the kept classes' embeddings, and the sum of their probabilities."""
    if top_t >= len(classes):
        return probabilities @ classes, probabilities.sum(1)
    kept = np.argpartition(probabilities, -top_t, axis=1)[:, -top_t:]
    weights = np.take_along_axis(probabilities, kept, 1)
    return np.matmul(weights[:, None], classes[kept])[:, 0], weights.sum(1)


def cosine_rank(queries: Floats, labels: Floats, k: int) -> Answer:
    """The length of a query divides its best scores only, since it cannot change their order."""
    scores, columns = largest(queries @ labels.T, k)
    return scores / np.linalg.norm(queries, axis=1, keepdims=True), columns


class NumpyPeer(Peer):
    package = "numpy"
    serial_parts = True


class Select(NumpyPeer):
    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        return largest(rows, top_t)


class Combine(NumpyPeer):
    def run(self, rows: Floats, top_t: int, k: int) -> Floats:
        f, total = weighted_sum(rows, self.problem.classes, top_t)
        return f / total[:, None]


class Dense(NumpyPeer):
    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        return cosine_rank(rows, self.problem.labels, k)


class Index(NumpyPeer):
    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        return cosine_rank(weighted_sum(rows, self.problem.classes, top_t)[0], self.problem.labels, k)
