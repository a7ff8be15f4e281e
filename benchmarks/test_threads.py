"""What threads give, and what they cost while another process keeps one core busy."""

from __future__ import annotations

from functools import partial

import numpy as np
import problem
import pytest
from cases import SWEEPS
from neighbour import busy_core
from pytest_benchmark.fixture import BenchmarkFixture
from workbench import Workbench, describe, time_call

import conse_fast as cf

TOP_T = K = 10
SETTINGS = [(4096, False), (32, False), (32, True), (1024, False), (1024, True)]


@pytest.fixture(scope="module")
def index(request: pytest.FixtureRequest) -> cf.ConseIndex:
    subject = problem.make(request.param)
    return cf.ConseIndex.build(subject.classes, subject.labels)


@pytest.mark.parametrize("threads", ["one", "all"])
@pytest.mark.parametrize("sweep", range(SWEEPS))
@pytest.mark.parametrize(("batch", "busy"), SETTINGS)
@pytest.mark.parametrize("index", problem.real(), indirect=True)
def test_threads(
    benchmark: BenchmarkFixture,
    bench: Workbench,
    index: cf.ConseIndex,
    batch: int,
    busy: bool,
    sweep: int,
    threads: str,
) -> None:
    n_threads = bench.n_threads if threads == "all" else 1
    if threads == "all" and n_threads == 1:
        pytest.skip("one thread is all there are")
    rows = np.resize(problem.softmax(), (max(batch, 3 * 1024), problem.softmax().shape[1]))
    pieces = [rows[at : at + batch] for at in range(0, len(rows), batch)]
    facts = {"problem": f"{index.dimension} dimensions", "batch": batch, "busy": busy, "n_threads": n_threads}
    describe(benchmark, f"threads, {index.dimension} dimensions, {batch}", task="threads", sweep=sweep, **facts)
    rank = partial(index.rank, k=K, top_t=TOP_T, n_threads=n_threads)
    with busy_core(busy and not benchmark.disabled):
        time_call(benchmark, rank, pieces, bench.budget)
    np.testing.assert_array_equal(rank(pieces[0]).indices, index.rank(pieces[0], K, TOP_T, n_threads=1).indices)
