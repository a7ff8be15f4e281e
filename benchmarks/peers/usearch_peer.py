"""USearch's exact search over a plain matrix."""

from __future__ import annotations

import numpy as np
from usearch.index import MetricKind, search

from .common import Answer, Floats
from .search import DenseSearch, IndexSearch, Search


class Exact(Search):
    package = "usearch"

    def search(self, queries: Floats, k: int) -> Answer:
        labels = self.problem.labels
        found = search(labels, queries, min(k, len(labels)), MetricKind.IP, exact=True, threads=self.n_threads)
        shape = len(queries), -1
        return 1 - found.distances.reshape(shape), found.keys.reshape(shape).astype(np.int64)


class ExactDense(DenseSearch, Exact):
    pass


class ExactIndex(IndexSearch, Exact):
    pass
