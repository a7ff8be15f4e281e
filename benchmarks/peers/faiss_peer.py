"""FAISS: the flat index (exact) and HNSW (not exact)."""

from __future__ import annotations

import faiss
from problem import Problem

from .common import Answer, Floats
from .search import DenseSearch, IndexSearch, Search


class Flat(Search):
    package = "faiss-cpu"

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.index = faiss.IndexFlatIP(problem.labels.shape[1])
        self.index.add(problem.labels)

    def search(self, queries: Floats, k: int) -> Answer:
        faiss.omp_set_num_threads(self.n_threads)
        scores, labels = self.index.search(queries, k)
        return scores, labels


class Hnsw(Search):
    """32 links, 200 candidates while it is built, 128 while it is searched (or k, if that is more)."""

    package = "faiss-cpu"
    exact = False

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        faiss.omp_set_num_threads(n_threads)
        self.index = faiss.IndexHNSWFlat(problem.labels.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = 200
        self.index.add(problem.labels)

    def search(self, queries: Floats, k: int) -> Answer:
        faiss.omp_set_num_threads(self.n_threads)
        self.index.hnsw.efSearch = max(128, k)
        scores, labels = self.index.search(queries, k)
        return scores, labels


class FlatDense(DenseSearch, Flat):
    pass


class FlatIndex(IndexSearch, Flat):
    pass


class HnswIndex(IndexSearch, Hnsw):
    pass
