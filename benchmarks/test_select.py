from cases import Case
from pytest_benchmark.fixture import BenchmarkFixture
from workbench import Workbench

TASK = "select"


def test_select(benchmark: BenchmarkFixture, bench: Workbench, case: Case) -> None:
    bench.time(benchmark, case)
