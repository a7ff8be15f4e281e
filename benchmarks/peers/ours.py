"""conse_fast itself, in the form of its peers."""

from __future__ import annotations

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
    """`ConseIndex.embed`: `convex_combination` reads and checks all class embeddings at every call."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        labels = problem.labels[:1]
        self.index = cf.ConseIndex.build(problem.classes, labels, normalize_classes=False, compact=True)

    def run(self, rows: Floats, top_t: int, k: int) -> Floats:
        return self.index.embed(rows, top_t, n_threads=self.n_threads)


class Dense(Ours):
    """Computes the labels' lengths in every call; the peers' labels have been brought to length 1 beforehand."""

    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        return cf.cosine_rank(rows, self.problem.labels, k, n_threads=self.n_threads)


class Index(Ours):
    compact = False

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.index = cf.ConseIndex.build(problem.classes, problem.labels, compact=self.compact, n_threads=n_threads)

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
