"""The limits of the machine, on the threads that everything else is timed on."""

import pytest
from cases import SWEEPS
from pytest_benchmark.fixture import BenchmarkFixture
from workbench import Workbench, describe

import conse_fast as cf


@pytest.mark.parametrize("sweep", range(SWEEPS))
def test_limits(benchmark: BenchmarkFixture, bench: Workbench, sweep: int) -> None:
    found = benchmark.pedantic(cf.measure_limits, [bench.n_threads])
    describe(benchmark, "limits", task="limits", sweep=sweep, **found._asdict())
    assert found.read_once_bytes_per_second > 0
    assert found.multiply_adds_per_second > 0
