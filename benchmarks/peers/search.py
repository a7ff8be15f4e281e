"""What the nearest-neighbour libraries share: they search the unit labels for unit queries, and know no classifier."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from problem import Problem

from .common import Answer, Floats, Peer
from .ours import Combine


class Search(Peer):
    @abstractmethod
    def search(self, queries: Floats, k: int) -> Answer: ...


def to_unit(queries: Floats) -> Floats:
    return queries / np.sqrt(np.einsum("nd,nd->n", queries, queries))[:, None]


class DenseSearch(Search):
    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        return self.search(to_unit(rows), k)


class IndexSearch(Search):
    """Our own `ConseIndex.embed` hands over f: of all pipelines this one leaves most of the time to the search."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.combine = Combine(problem, n_threads)

    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        return self.search(to_unit(self.combine.run(rows, top_t, k)), k)
