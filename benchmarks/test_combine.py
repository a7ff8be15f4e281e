from cases import Case
from pytest_benchmark.fixture import BenchmarkFixture
from workbench import Workbench

TASK = "combine"


def test_combine(benchmark: BenchmarkFixture, bench: Workbench, case: Case) -> None:
    bench.time(benchmark, case)
