"""What the nearest-neighbour libraries share: they search the unit labels for unit queries, and know no classifier."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

import conse_fast as cf

from .common import Answer, Floats, Peer


class Search(Peer):
    @abstractmethod
    def search(self, queries: Floats, k: int) -> Answer: ...


def to_unit(queries: Floats) -> Floats:
    return queries / np.sqrt(np.einsum("nd,nd->n", queries, queries))[:, None]


class DenseSearch(Search):
    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        return self.search(to_unit(rows), k)


class IndexSearch(Search):
    """Our own `convex_combination` hands over f: of all pipelines this one leaves most of the time to the search."""

    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        classes = self.problem.classes
        f = cf.convex_combination(rows, classes, top_t, normalize_classes=False, n_threads=self.n_threads)
        return self.search(to_unit(f), k)
