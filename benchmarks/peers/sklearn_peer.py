"""scikit-learn's brute force: Euclidean, since its cosine takes a slower way; unit vectors have the same order."""

from __future__ import annotations

from problem import Problem
from sklearn.neighbors import NearestNeighbors

from .common import Answer, Floats
from .search import DenseSearch, IndexSearch, Search


class Brute(Search):
    package = "scikit-learn"

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.neighbours = NearestNeighbors(algorithm="brute", metric="sqeuclidean", n_jobs=n_threads)
        self.neighbours.fit(problem.labels)

    def search(self, queries: Floats, k: int) -> Answer:
        squares, labels = self.neighbours.kneighbors(queries, k)
        return 1 - squares / 2, labels


class BruteDense(DenseSearch, Brute):
    pass


class BruteIndex(IndexSearch, Brute):
    pass
