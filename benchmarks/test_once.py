"""An input of more than 256 MB, every row used once: how near ranking comes to reading it."""

import numpy as np
import problem
import pytest
from cases import SWEEPS
from pytest_benchmark.fixture import BenchmarkFixture
from workbench import Workbench, describe

import conse_fast as cf

ROWS = 67_109  # x 1,000 x 4 bytes


@pytest.fixture(scope="module")
def index(request: pytest.FixtureRequest, bench: Workbench) -> cf.ConseIndex:
    subject = problem.make(request.param)
    return cf.ConseIndex.build(subject.classes, subject.labels, n_threads=bench.n_threads)


@pytest.mark.parametrize("sweep", range(SWEEPS))
@pytest.mark.parametrize("index", problem.real(), indirect=True)
def test_once(benchmark: BenchmarkFixture, bench: Workbench, index: cf.ConseIndex, sweep: int) -> None:
    source = problem.softmax()
    rows = np.empty((32 if benchmark.disabled else ROWS, source.shape[1]), np.float32)

    def write() -> None:
        # As the limit has it: the first pass over what was just written.
        for at in range(0, len(rows), len(source)):
            rows[at : at + len(source)] = source[: len(rows) - at]

    read = 0.0 if benchmark.disabled else rows.nbytes / cf.measure_limits(bench.n_threads).read_once_bytes_per_second
    facts = {"problem": f"{index.dimension} dimensions", "batch": len(rows), "read_seconds": read, "bytes": rows.nbytes}
    describe(benchmark, f"once, {index.dimension} dimensions", task="once", sweep=sweep, **facts)
    ranking = benchmark.pedantic(lambda: index.rank(rows, 10, 10, n_threads=bench.n_threads), setup=write, rounds=3)
    np.testing.assert_array_equal(ranking.indices[-1], index.rank(rows[-1], 10, 10).indices)
