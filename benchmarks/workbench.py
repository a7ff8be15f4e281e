"""Prepares peers, finds their best chunk, asserts their answers, times them."""

from __future__ import annotations

import time
from functools import partial
from itertools import cycle
from typing import Any, Callable

import agreement
import problem
import pytest
from cases import Case
from peers import OURS, Floats, Peer, Plan, in_chunks, load
from pytest_benchmark.fixture import BenchmarkFixture
from threadpoolctl import threadpool_limits

import conse_fast as cf

CHUNKS = {32: (8, 32), 1024: (16, 64, 256, 1024)}  # tried for batches of at least so many rows
LARGEST_PRODUCT = 1 << 28  # elements of a peer's N x L scores: 1 GB
PIECES = 64  # different batches that a timing goes through, so that no cache learns a single image
ROUND = 20e-6  # seconds at least, far above the clock's own cost


class Workbench:
    """Holds the peers of one task and problem at a time; ``missing`` says what could not be timed, and why."""

    def __init__(self, n_threads: int, full: bool) -> None:
        self.n_threads, self.full = n_threads, full
        self.budget, self.longest = (0.25, 20.0) if full else (0.1, 1.0)  # seconds: of a timing, of one call
        self.missing: dict[str, str] = {}
        self.subject: tuple[str, str] | None = None
        self.peers: dict[str, Peer] = {}
        self.plans: dict[tuple, tuple[Plan, float]] = {}
        self.reference: tuple[str, Any] = ("", None)

    def time(self, benchmark: BenchmarkFixture, case: Case) -> None:
        """One sweep of one peer, its answer asserted in the first."""
        peer, pieces = self.peer(case), self.pieces(case)
        plan, seconds = self.plan(case, peer, pieces[0])
        if seconds > self.longest and not benchmark.disabled:
            self.leave_out(case, f"more than {self.longest:.0f} s a call")
        describe(benchmark, case.group, **vars(case), exact=peer.exact, plan=str(plan))
        run = partial(in_chunks, lambda rows: peer.run(rows, case.top_t, case.k), plan=plan)
        with threadpool_limits(self.n_threads // plan.workers):
            if case.sweep == 0:
                quality = self.check(case, peer, pieces[0], run(pieces[0]))
                benchmark.extra_info.update(quality)
            if not benchmark.disabled:
                seconds = clock(lambda: run(pieces[0]))
            time_call(benchmark, run, pieces, seconds, self.budget)

    def peer(self, case: Case) -> Peer:
        """The case's peer, prepared; skips the test where that is impossible."""
        if self.subject != (case.task, case.problem):
            self.subject, self.peers, self.reference = (case.task, case.problem), {}, ("", None)
        if case.peer not in self.peers:
            try:
                self.peers[case.peer] = load(case.task, case.peer)(problem.make(case.problem), self.n_threads)
            except (ImportError, MemoryError, RuntimeError) as error:
                self.leave_out(case, str(error).splitlines()[0])
        return self.peers[case.peer]

    def leave_out(self, case: Case, reason: str) -> None:
        self.missing[f"{case.peer} ({case.task}, {case.problem}, batch {case.batch})"] = reason
        pytest.skip(f"{case.peer}: {reason}")

    def pieces(self, case: Case) -> list[Floats]:
        """Batches to go through: rows of probabilities, or the queries that they make."""
        subject = problem.make(case.problem)
        n = max(case.batch, len(subject.probabilities) // case.batch * case.batch)
        rows = subject.rows(min(n, PIECES * case.batch))
        if case.task == "dense":
            rows = cf.convex_combination(rows, subject.classes, normalize_classes=False)
        return [rows[at : at + case.batch] for at in range(0, len(rows), case.batch)]

    def plan(self, case: Case, peer: Peer, rows: Floats) -> tuple[Plan, float]:
        """The peer's fastest plan, and the seconds that the whole batch takes with it (0: not known)."""
        if not peer.chunks or case.batch == 1:
            return Plan(case.batch), 0.0
        sample = rows[: max(CHUNKS)]
        key = case.task, case.problem, case.top_t, case.k, case.peer, len(sample)
        if key not in self.plans:
            self.plans[key] = min(self.try_plans(case, peer, sample), key=lambda tried: tried[1])
        plan, seconds = self.plans[key]
        return plan, seconds * case.batch / len(sample)

    def try_plans(self, case: Case, peer: Peer, rows: Floats) -> list[tuple[Plan, float]]:
        sizes = CHUNKS[max(least for least in CHUNKS if least <= len(rows))]
        sizes = tuple(size for size in sizes if size * len(peer.problem.labels) <= LARGEST_PRODUCT)
        workers = (1, self.n_threads) if peer.serial_parts and self.n_threads > 1 else (1,)
        plans = [Plan(size, n) for size in sizes for n in workers if n == 1 or size < len(rows)]
        peer.run(rows[: min(sizes)], case.top_t, case.k)  # what is made at the first call
        tried = []
        for plan in plans:
            with threadpool_limits(self.n_threads // plan.workers):
                run = partial(in_chunks, lambda part: peer.run(part, case.top_t, case.k), rows, plan)
                seconds = clock(run)
                tried.append((plan, seconds if seconds > self.longest / 4 else min(seconds, clock(run))))
        return tried

    def check(self, case: Case, peer: Peer, rows: Floats, answer: Any) -> dict[str, float]:
        """Asserts the answer, or says how much of it a peer that is not exact has found."""
        subject = problem.make(case.problem)
        if case.peer == OURS:
            agreement.assert_ours(subject, case, rows, answer)
            self.reference = case.group, answer
            return {}
        if self.reference[0] != case.group:
            ours = load(case.task, OURS)(subject, self.n_threads)
            self.reference = case.group, ours.run(rows, case.top_t, case.k)
        if not peer.exact:
            return {"recall": agreement.recall(answer, self.reference[1])}
        agreement.assert_same(subject, case, rows, answer, self.reference[1])
        return {}


def clock(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def time_call(
    benchmark: BenchmarkFixture, run: Callable[[Floats], Any], pieces: list[Floats], seconds: float, budget: float
) -> None:
    """As many rounds as the budget of seconds allows, over all pieces in turn."""
    supply = cycle(pieces)
    iterations = max(1, round(ROUND / seconds)) if seconds else 1
    rounds = max(3 if seconds < budget else 1, min(1000, int(budget / (seconds * iterations)))) if seconds else 1
    time.sleep(0 if benchmark.disabled else 0.01)  # the previous peer's threads spin on for some milliseconds
    benchmark.pedantic(lambda: run(next(supply)), rounds=rounds, iterations=iterations, warmup_rounds=1)


def describe(benchmark: BenchmarkFixture, group: str, **facts: Any) -> None:
    """What the report has to know of a timing; the group is read when the timing starts."""
    benchmark.group = group
    benchmark.extra_info.update(facts)
