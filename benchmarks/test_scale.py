"""From 20,000 to 1,000,000 labels in a mapped file: the real ones, then copies of them with noise."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import agreement
import numpy as np
import problem
import pytest
from cases import SWEEPS, Case
from peers import OURS
from pytest_benchmark.fixture import BenchmarkFixture
from workbench import Workbench, describe, time_call

import conse_fast as cf

COSINES = (0.9, 0.7)
SIZES = (20_000, 100_000, 1_000_000)
TOP_T = K = 10


class Series:
    """Indexes of every size at one cosine, all open at the same time, so that their queries can take turns."""

    def __init__(self, cosine: float, sizes: tuple[int, ...], folder: Path, n_threads: int) -> None:
        self.subject = problem.make(problem.real()[0])
        self.cosine, self.folder, self.n_threads = cosine, folder, n_threads
        np.save(folder / "classes.npy", self.subject.classes)
        self.built = {size: self.build(size) for size in sizes}
        self.indexes = {size: cf.ConseIndex.open(folder / f"{size}.safetensors") for size in sizes}

    def labels(self, size: int, mode: str = "r") -> Any:
        shape = size, self.subject.labels.shape[1]
        return np.lib.format.open_memmap(self.folder / f"{size}.npy", mode, np.float32, shape)

    def build(self, size: int) -> dict[str, float]:
        """Builds in a process of its own, whose peak memory is the build's."""
        problem.fill_with_copies(self.labels(size, "w+"), self.subject.labels, self.cosine)
        files = [str(self.folder / name) for name in ("classes.npy", f"{size}.npy", f"{size}.safetensors")]
        script = Path(__file__).parent / "build_streamed.py"
        command = [sys.executable, str(script), *files, str(self.n_threads)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def close(self) -> None:
        for index in self.indexes.values():
            index.close()
        for path in self.folder.iterdir():
            path.unlink()


@pytest.fixture(scope="module")
def series(request: pytest.FixtureRequest, bench: Workbench, tmp_path_factory: Any) -> Iterator[Series]:
    small = request.config.option.benchmark_disable
    sizes = SIZES[:1] if small else SIZES[:2] if not bench.full else SIZES
    series = Series(request.param, sizes, tmp_path_factory.mktemp("scale"), bench.n_threads)
    yield series
    series.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sweep", range(SWEEPS))
@pytest.mark.parametrize("batch", [1, 1024])
@pytest.mark.parametrize("series", COSINES, indirect=True)
def test_scale(
    benchmark: BenchmarkFixture, bench: Workbench, series: Series, batch: int, sweep: int, size: int
) -> None:
    if size not in series.indexes:
        pytest.skip("only with --full")
    rows = series.subject.rows(max(batch, len(series.subject.probabilities) // batch * batch))
    rank = partial(series.indexes[size].rank, k=K, top_t=TOP_T, n_threads=bench.n_threads)
    if sweep == 0:
        labelled = problem.Problem("scale", series.subject.classes, series.labels(size), rows)
        case = Case("index", "scale", batch, TOP_T, K, OURS, sweep)
        agreement.assert_ours(labelled, case, rows, rank(rows[: agreement.CHECKED_ROWS]))
    facts = {"problem": series.subject.name, "cosine": series.cosine, "batch": batch, "labels": size}
    describe(
        benchmark, f"scale, cosine {series.cosine}, {batch}", task="scale", sweep=sweep, **facts, **series.built[size]
    )
    time_call(benchmark, rank, [rows[at : at + batch] for at in range(0, len(rows), batch)], bench.budget)
