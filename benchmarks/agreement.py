"""Is an answer right? Asserted before anything is timed; equal scores may be ordered otherwise by another library."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from cases import Case
from peers import Answer, Floats
from problem import Problem

OUR_TOLERANCE = 4e-6  # against float64: 2e-6 times the amplification by cancellation
TOLERANCE = 1e-5  # of peers: float32 sums of 1,000 terms err by up to 5.5e-6 on the real data
CHECKED_ROWS = 32  # of ours, against float64
BLOCK = 65536


def directions(problem: Problem, case: Case, rows: Floats) -> npt.NDArray[np.float64]:
    """What the labels are compared with, of unit length, in float64."""
    f = rows.astype(np.float64)
    if case.task != "dense":
        if case.top_t < rows.shape[1]:
            kept = np.argsort(-rows, axis=1, kind="stable")[:, case.top_t :]
            np.put_along_axis(f, kept, 0, 1)
        f = f @ problem.classes.astype(np.float64)
    return f / np.linalg.norm(f, axis=1, keepdims=True)


def float64_scores(problem: Problem, f: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.float64]:
    """The ``k`` best scores of every row; a label without a vector never ranks."""
    best = np.empty((len(f), 0))
    for at in range(0, len(problem.labels), BLOCK):
        labels = problem.labels[at : at + BLOCK].astype(np.float64)
        scores = np.where(labels.any(axis=1), f @ labels.T, -np.inf)
        scores = np.concatenate([best, scores], axis=1)
        best = -np.partition(-scores, min(k, scores.shape[1]) - 1, axis=1)[:, :k]
    return -np.sort(-best, axis=1)


def assert_ours(problem: Problem, case: Case, rows: Floats, answer: Any) -> None:
    """Our own answer, against float64 in NumPy."""
    rows = rows[:CHECKED_ROWS]
    if case.task == "select":
        columns = np.argsort(-rows, axis=1, kind="stable")[:, : case.top_t]
        np.testing.assert_array_equal(answer[1][:CHECKED_ROWS], columns)
        return
    f = directions(problem, case, rows)
    if case.task == "combine":
        ours = answer[:CHECKED_ROWS].astype(np.float64)
        np.testing.assert_allclose(ours / np.linalg.norm(ours, axis=1, keepdims=True), f, atol=OUR_TOLERANCE)
        return
    np.testing.assert_allclose(answer[0][:CHECKED_ROWS], float64_scores(problem, f, case.k), atol=OUR_TOLERANCE)


def assert_same(problem: Problem, case: Case, rows: Floats, answer: Any, ours: Any) -> None:
    """A peer's answer, against ours."""
    if case.task == "combine":
        np.testing.assert_allclose(answer, ours, atol=TOLERANCE)
        return
    scores, columns = answer
    np.testing.assert_allclose(scores, ours[0], atol=0 if case.task == "select" else TOLERANCE)
    if case.task == "select":
        np.testing.assert_array_equal(np.take_along_axis(rows, columns, 1), scores)
        return
    differing = np.flatnonzero((columns != ours[1]).any(axis=1))
    for row, direction in zip(differing, directions(problem, case, rows[differing])):
        found = columns[row][columns[row] >= 0]
        assert len(set(found)) == len(found), "a label came twice"
        np.testing.assert_allclose(scores[row][: len(found)], problem.labels[found] @ direction, atol=TOLERANCE)


def recall(answer: Answer, ours: Answer) -> float:
    """The share of the true k best that the answer holds; a label as good as the last of them counts."""
    least = ours[0][:, -1:] - TOLERANCE
    return float(np.mean(answer[0] >= least))
