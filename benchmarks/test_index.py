"""Ranking with an index beside the NumPy pipeline, in one group for each problem and batch.

    pytest benchmarks --benchmark-group-by=group --benchmark-columns=median,iqr,rounds

Every peer's answer is asserted before it is timed, and the least ratio that the project promises is asserted at the
end from the medians of this very run.
"""

from __future__ import annotations

import statistics
from typing import Callable

import numpy as np
import pytest
from peers import NumpyPipeline
from problem import Problem, problems
from pytest_benchmark.fixture import BenchmarkFixture

import conse_fast as cf

TOP_T, K = 10, 10
BATCHES = (1, 1024)
LEAST_RATIO = 20
MEDIANS: dict[tuple[str, int, str], float] = {}


@pytest.fixture(scope="module", params=problems(), ids=lambda problem: problem.name)
def problem(request: pytest.FixtureRequest) -> Problem:
    return request.param


@pytest.fixture(scope="module")
def rankers(problem: Problem) -> dict[str, Callable]:
    embeddings = problem.class_embeddings, problem.label_embeddings
    full, compact = cf.ConseIndex.build(*embeddings), cf.ConseIndex.build(*embeddings, compact=True)
    return {
        "full": lambda p: full.rank(p, K, TOP_T),
        "compact": lambda p: compact.rank(p, K, TOP_T),
        "numpy": NumpyPipeline(problem, TOP_T, K).rank,
    }


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("ranker", ["full", "compact", "numpy"])
def test_rank(benchmark: BenchmarkFixture, problem: Problem, rankers: dict, batch: int, ranker: str) -> None:
    benchmark.group = f"{problem.name}, batch {batch}"
    probabilities = problem.batch(batch)
    scores, _ = rankers[ranker](probabilities)
    # Equal scores may be ordered otherwise by NumPy, so the scores are compared, not the ids.
    np.testing.assert_allclose(scores, rankers["full"](probabilities).scores, atol=4e-6)
    benchmark(rankers[ranker], probabilities)
    if benchmark.disabled:
        return
    median = statistics.median(benchmark.stats.stats.data)
    benchmark.extra_info["microseconds_per_image"] = 1e6 * median / batch
    MEDIANS[problem.name, batch, ranker] = median


@pytest.mark.parametrize("batch", BATCHES)
def test_ratio(problem: Problem, batch: int) -> None:
    ours, peer = (MEDIANS.get((problem.name, batch, ranker)) for ranker in ("full", "numpy"))
    if ours is None or peer is None:
        pytest.skip("nothing was timed")
    print(f"\n{problem.name}, batch {batch}: {peer / ours:.0f} times faster than the NumPy pipeline")
    if problem.label_embeddings.shape[1] >= 300:
        assert peer / ours >= LEAST_RATIO
