"""Options of the suite, its cases, and what its JSON says beside the timings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cases
import machine
import problem
import pytest
from workbench import Workbench

import conse_fast as cf

BENCH = pytest.StashKey[Workbench]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conse_fast")
    group.addoption("--full", action="store_true", help="every point of the star, and a million labels: 40 minutes")
    group.addoption("--threads", type=int, default=cf.max_threads(), help="of everything that is timed")
    group.addoption("--data", type=Path, default=problem.DATA, help="the data folder; the demo's data if it is absent")


def pytest_configure(config: pytest.Config) -> None:
    problem.DATA = config.option.data
    config.stash[BENCH] = Workbench(config.option.threads, config.option.full)


@pytest.fixture(scope="session")
def bench(pytestconfig: pytest.Config) -> Workbench:
    return pytestconfig.stash[BENCH]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module with a ``TASK`` is run for each case of that task; only asserting takes one sweep of small batches."""
    if "case" not in metafunc.fixturenames:
        return
    option = metafunc.config.option
    found = cases.of(metafunc.module.TASK, option.full)
    if option.benchmark_disable:
        found = [case for case in found if case.batch <= 32 and case.sweep == 0]
    metafunc.parametrize("case", found, ids=str)


def pytest_benchmark_update_json(config: pytest.Config, benchmarks: Any, output_json: dict[str, Any]) -> None:
    bench = config.stash[BENCH]
    output_json["machine_info"].pop("node", None)  # a report is no place for a host's name
    output_json["conse_fast"] = {
        "threads": bench.n_threads,
        "full": bench.full,
        "missing": bench.missing,
        **machine.describe(),
    }
