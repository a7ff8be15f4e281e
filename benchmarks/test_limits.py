"""The limits of the machine, on the threads that everything else is timed on."""

import limits
import pytest
from cases import SWEEPS
from pytest_benchmark.fixture import BenchmarkFixture
from workbench import Workbench, describe


@pytest.mark.parametrize("sweep", range(SWEEPS))
def test_limits(benchmark: BenchmarkFixture, bench: Workbench, sweep: int) -> None:
    found = benchmark.pedantic(limits.measure, [bench.n_threads])
    describe(benchmark, "limits", task="limits", sweep=sweep, **vars(found))
    assert min(vars(found).values()) > 0
