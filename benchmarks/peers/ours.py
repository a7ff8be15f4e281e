"""conse_fast itself, in the form of its peers."""

from __future__ import annotations

import numpy as np
from problem import Problem

import conse_fast as cf

from .common import Answer, Floats, Peer


class Ours(Peer):
    package = "conse_fast"
    chunks = False


class Select(Ours):
    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        return cf.top_k(rows, top_t, n_threads=self.n_threads)


class Combine(Ours):
    def run(self, rows: Floats, top_t: int, k: int) -> Floats:
        classes = self.problem.classes
        return cf.convex_combination(rows, classes, top_t, normalize_classes=False, n_threads=self.n_threads)


class Dense(Ours):
    """The labels' lengths are given, as the peers' labels are of unit length beforehand."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.lengths = np.sqrt(np.einsum("ld,ld->l", problem.labels, problem.labels, dtype=np.float64))

    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        return cf.cosine_rank(rows, self.problem.labels, k, label_lengths=self.lengths, n_threads=self.n_threads)


class Index(Ours):
    compact = False

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.index = cf.ConseIndex.build(
            problem.classes, problem.labels, normalize_classes=False, compact=self.compact, n_threads=n_threads
        )

    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        return self.index.rank(rows, k, top_t, n_threads=self.n_threads)


class CompactIndex(Index):
    compact = True


class Direct(Ours):
    """Every label scored, none skipped: the convex combination, then its cosine with each label."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.combine, self.dense = Combine(problem, n_threads), Dense(problem, n_threads)

    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        return self.dense.run(self.combine.run(rows, top_t, k), top_t, k)
