"""Prepares peers, finds their best chunk, asserts their answers, times them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from typing import Any, Callable

import agreement
import problem
import pytest
from cases import Case
from peers import OURS, Floats, Peer, Plan, in_chunks, load
from pytest_benchmark.fixture import BenchmarkFixture
from threadpoolctl import ThreadpoolController

import conse_fast as cf

CHUNKS = {4: (1, 4), 32: (8, 32), 1024: (16, 64, 256, 1024)}  # tried for batches of at least so many rows
LARGEST_PRODUCT = 1 << 28  # elements of a peer's N x L scores: 1 GB
NOT_WORTH = 1.3  # a larger chunk so much slower than the best one ends the trying
# What a timing goes through, so that no cache learns single images: different batches, and images. What 64 of them read
# does stay in a cache, where one at a time takes two thirds of the time.
PIECES, PHOTOS = 64, 3072
ROUND = 20e-6  # seconds at least, far above the clock's own cost
PAUSE = 0.1  # seconds; the threads of the previous peer spin on, and who notices that works alone for a while


class Workbench:
    """Holds the peers of one task and problem at a time; ``missing`` says what could not be timed, and why."""

    def __init__(self, n_threads: int, full: bool) -> None:
        self.n_threads, self.full = n_threads, full
        self.budget = 0.15 if full else 0.1  # seconds of a timing
        self.missing: dict[str, str] = {}
        self.subject: tuple[str, str] | None = None
        self.peers: dict[str, Peer] = {}
        self.plans: dict[tuple[Any, ...], tuple[Plan, float]] = {}
        self.reference: tuple[str, Any] = ("", None)
        self.libraries = ThreadpoolController()

    def time(self, benchmark: BenchmarkFixture, case: Case) -> None:
        """One sweep of one peer, its answer asserted in the first."""
        peer, pieces = self.peer(case), self.pieces(case)
        plan, seconds = self.plan(case, peer, pieces[0])
        longest = self.longest(case)
        if seconds > longest and not benchmark.disabled:
            self.leave_out(case, f"more than {longest:g} s a call")
        labels, dimension = peer.problem.labels.shape
        sizes = {"columns": len(peer.problem.classes), "label_count": labels, "dimension": dimension}
        describe(
            benchmark,
            case.group,
            **vars(case),
            **sizes,
            exact=peer.exact,
            plan=str(plan) if plan.chunk < case.batch else "",
        )
        run = partial(peer.run, top_t=case.top_t, k=case.k)
        if plan.chunk < case.batch:  # else nothing of ours stands between: it took a tenth of a row's call
            run = partial(in_chunks, run, plan=plan)
        with self.libraries.limit(limits=self.n_threads // plan.workers):
            if case.sweep == 0:
                benchmark.extra_info.update(self.check(case, peer, pieces[0], run(pieces[0])))
            time_call(benchmark, run, pieces, self.budget)

    def peer(self, case: Case) -> Peer:
        """The case's peer, prepared; skips the test where that is impossible."""
        if self.subject != (case.task, case.problem):
            self.subject, self.peers, self.reference = (case.task, case.problem), {}, ("", None)
        if case.peer not in self.peers:
            try:
                self.peers[case.peer] = load(case.task, case.peer)(problem.make(case.problem), self.n_threads)
            except (ImportError, MemoryError, RuntimeError) as error:
                self.leave_out(case, str(error).splitlines()[0])
            self.libraries = ThreadpoolController()  # the peer may have loaded a new one
        return self.peers[case.peer]

    def longest(self, case: Case) -> float:
        """Seconds that one call may take, so that a run ends in time."""
        if case.problem.endswith("-1M"):
            return 20
        return 2 if self.full else 1

    def leave_out(self, case: Case, reason: str) -> None:
        self.missing[f"{case.peer}: {case.group}"] = reason
        pytest.skip(f"{case.peer}: {reason}")

    def pieces(self, case: Case) -> list[Floats]:
        """Batches to go through: rows of probabilities, or the queries that they make."""
        subject = problem.make(case.problem)
        n = max(case.batch, len(subject.probabilities) // case.batch * case.batch)
        rows = subject.rows(min(n, max(PHOTOS, PIECES * case.batch)))
        if case.task == "dense":
            rows = cf.convex_combination(rows, subject.classes, normalize_classes=False)
        return [rows[at : at + case.batch] for at in range(0, len(rows), case.batch)]

    def plan(self, case: Case, peer: Peer, rows: Floats) -> tuple[Plan, float]:
        """The peer's fastest plan, and the seconds that the batch takes with it (0: not known)."""
        if not peer.chunks or case.batch == 1:
            return Plan(case.batch), 0.0
        largest = max(least for least in CHUNKS if least <= case.batch)
        key = case.task, case.problem, case.top_t, case.k, case.peer, largest
        if key not in self.plans:
            self.plans[key] = min(self.try_plans(case, peer, rows, CHUNKS[largest]), key=lambda tried: tried[1])
        plan, seconds_per_row = self.plans[key]
        return plan, seconds_per_row * case.batch

    def try_plans(self, case: Case, peer: Peer, rows: Floats, sizes: tuple[int, ...]) -> Iterator[tuple[Plan, float]]:
        """Plans with their seconds per row, from one chunk of each worker."""
        call = lambda part: peer.run(part, case.top_t, case.k)  # noqa: E731
        call(rows[: sizes[0]])  # what is made at the first call
        for workers in (1, self.n_threads) if peer.serial_parts and self.n_threads > 1 else (1,):
            best = float("inf")
            for plan in (Plan(size, workers) for size in sizes if size * workers <= len(rows)):
                if plan.chunk * len(peer.problem.labels) > LARGEST_PRODUCT:
                    break
                part = rows[: plan.chunk * workers]
                with self.libraries.limit(limits=self.n_threads // workers):
                    seconds = shortest(partial(in_chunks, call, part, plan)) / len(part)
                yield plan, seconds
                if seconds > NOT_WORTH * best:
                    break
                best = min(best, seconds)

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


def shortest(call: Callable[[], Any], budget: float = 0.02) -> float:
    """Seconds of the fastest of at least two calls, or of one that is ten times as long as the budget."""
    seconds = [clock(call)]
    while sum(seconds) < budget or (len(seconds) == 1 and seconds[0] < 10 * budget):
        seconds.append(clock(call))
    return min(seconds)


def time_call(benchmark: BenchmarkFixture, run: Callable[[Floats], Any], pieces: list[Floats], budget: float) -> None:
    """As many rounds as the budget of seconds allows, over all pieces in turn; one call where only answers count.

    A few where they take a second: one call of a tenth of a second once took 177 ms beside 100, by a neighbour's doing.
    """
    supply = cycle(pieces)
    rounds = iterations = 1
    if not benchmark.disabled:
        time.sleep(PAUSE)
        seconds = shortest(lambda: run(next(supply)), budget / 50)
        iterations = max(1, round(ROUND / seconds))
        fewest = max(1, min(3, int(1 / seconds)))
        rounds = max(fewest, min(1000, int(budget / (seconds * iterations))))
    benchmark.pedantic(lambda: run(next(supply)), rounds=rounds, iterations=iterations)


def describe(benchmark: BenchmarkFixture, group: str, **facts: Any) -> None:
    """What the report has to know of a timing; the group is read when the timing starts."""
    benchmark.group = group
    benchmark.extra_info.update(facts)
