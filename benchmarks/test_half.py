"""Labels in half precision beside the same in single: a ranking that reads all of them."""

from __future__ import annotations

from functools import partial

import numpy as np
import problem
import pytest
from cases import SWEEPS
from pytest_benchmark.fixture import BenchmarkFixture
from workbench import Workbench, describe, time_call

import conse_fast as cf

K = 10
PHOTOS = 3072


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("sweep", range(SWEEPS))
@pytest.mark.parametrize("batch", [1, 32, 1024])
@pytest.mark.parametrize("name", [*problem.real(), "gaussian-768"])
def test_half(benchmark: BenchmarkFixture, bench: Workbench, name: str, batch: int, sweep: int, dtype: str) -> None:
    subject = problem.make(name)
    halves = subject.labels.astype(np.float16)
    labels = halves.astype(dtype)
    rows = cf.convex_combination(subject.rows(PHOTOS), subject.classes, normalize_classes=False)
    pieces = [rows[at : at + batch] for at in range(0, PHOTOS if batch > 1 else 64, batch)]
    facts = {"problem": name, "batch": batch, "dtype": dtype, "k": K}
    describe(benchmark, f"half, {name}, {batch}", task="half", sweep=sweep, **facts)
    rank = partial(cf.cosine_rank, label_matrix=labels, k=K, n_threads=bench.n_threads)
    time_call(benchmark, rank, pieces, bench.budget)
    ours, expected = rank(pieces[0]), cf.cosine_rank(pieces[0], halves.astype(np.float32), K)
    np.testing.assert_array_equal(ours.indices, expected.indices)
    np.testing.assert_array_equal(ours.scores, expected.scores)
