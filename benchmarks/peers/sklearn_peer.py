"""scikit-learn's brute force: Euclidean, since its cosine takes a slower way.

Among unit vectors the order is the same; labels without a vector stay out, since they are near everything.
"""

from __future__ import annotations

import numpy as np
from problem import Problem
from sklearn.neighbors import NearestNeighbors

from .common import Answer, Floats
from .search import DenseSearch, IndexSearch, Search


class Brute(Search):
    package = "scikit-learn"

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.neighbours = NearestNeighbors(algorithm="brute", metric="sqeuclidean", n_jobs=n_threads)
        self.present = np.flatnonzero(problem.labels.any(axis=1))
        self.neighbours.fit(problem.labels[self.present])

    def search(self, queries: Floats, k: int) -> Answer:
        squares, labels = self.neighbours.kneighbors(queries, k)
        return 1 - squares / 2, self.present[labels]


class BruteDense(DenseSearch, Brute):
    pass


class BruteIndex(IndexSearch, Brute):
    pass
