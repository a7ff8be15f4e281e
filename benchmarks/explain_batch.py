"""Times explanations of 1,000 images beside ranking them, and beside the same computed by NumPy.

python benchmarks/explain_batch.py [IMAGES]
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any, Callable

import numpy as np
import numpy.typing as npt
from problem import Problem, glosses_300, glosses_path, glove_50

import conse_fast as cf

TOP_T, REPEATS = 10, 15


def milliseconds(call: Callable[..., Any], *arguments: Any, **options: Any) -> float:
    """The median of some calls, after one that fills the caches."""
    call(*arguments, **options)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call(*arguments, **options)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def by_numpy(
    problem: Problem, probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Contributions (N, M, T) from the embeddings, in float64."""
    kept = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP_T]
    shares = np.take_along_axis(probabilities, kept, axis=1).astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    classes = problem.classes[kept].astype(np.float64)
    lengths = np.linalg.norm(np.einsum("nt,ntd->nd", shares, classes), axis=1)
    similarities = np.einsum("ntd,nmd->nmt", classes, problem.labels[labels])
    return similarities * (shares / lengths[:, None])[:, None]


def main() -> None:
    n_images = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    problem = glosses_300() if glosses_path().exists() else glove_50()
    probabilities = problem.rows(n_images)
    n_classes, n_labels = len(problem.classes), len(problem.labels)
    print(f"{n_images:,} images, {n_classes:,} classes, {n_labels:,} labels x {problem.labels.shape[1]}, T = {TOP_T}")
    print("form     labels  threads  explain ms  rank ms  NumPy ms")
    for compact in (False, True):
        index = cf.ConseIndex.build(problem.classes, problem.labels, compact=compact)
        for per_image in (1, 5):
            labels = index.rank(probabilities, per_image).indices
            there = labels[:, -1] >= 0
            explanation = index.explain(probabilities, labels, TOP_T)
            expected = by_numpy(problem, probabilities, labels)
            np.testing.assert_allclose(explanation.contributions[there], expected[there], atol=2e-6)
            numpy_time = milliseconds(by_numpy, problem, probabilities, labels)
            for n_threads in (1, cf.max_threads()):
                explaining = milliseconds(index.explain, probabilities, labels, TOP_T, n_threads=n_threads)
                ranking = milliseconds(index.rank, probabilities, per_image, TOP_T, n_threads=n_threads)
                form = "compact" if compact else "full"
                times = f"{explaining:10.2f}  {ranking:7.2f}  {numpy_time:8.1f}"
                print(f"{form:<7}  {per_image:6}  {n_threads:7}  {times}")


if __name__ == "__main__":
    main()
