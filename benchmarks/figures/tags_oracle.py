"""The multi-label figures once more, in float64 and plain NumPy."""

from __future__ import annotations

import numpy as np

from conse_fast import evaluation

from .oracle import reference
from .tags import BOTH, TOP_T, UNSEEN


def dot_scores(probabilities: np.ndarray, vectors: np.ndarray, n_seen: int, top_t: int) -> np.ndarray:
    """(N, L): f . label, f not normalised."""
    f = reference.convex_combination(probabilities, vectors[:n_seen], top_t)
    return f @ reference.unit_rows(vectors).T


def average_precision(scores: np.ndarray, marks: np.ndarray) -> float:
    """The sum of gain in recall times precision over the distinct scores of the verified images."""
    # Images with the same f score the same, but a matrix product may round equal rows differently.
    scores, positive = scores[marks != 0].round(12), marks[marks != 0] == 1
    area = 0.0
    for score in np.unique(scores[positive]):
        gain = np.count_nonzero(positive & (scores == score))
        area += gain * positive[scores >= score].mean()
    return area / max(np.count_nonzero(positive), 1)


def figures(scores: np.ndarray, marks: np.ndarray, protocol: str, k: list[int]) -> dict[tuple[str, int | None], float]:
    """Precision, recall and F1 at each k, and mAP, of (N, L) scores."""
    if protocol == "biam":
        keep = (marks == 1).any(axis=1)
        scores, marks = scores[keep], marks[keep]
    found: dict[tuple[str, int | None], float] = {}
    best = np.argsort(-scores, axis=1, kind="stable")
    for each in k:
        right = int((np.take_along_axis(marks, best[:, :each], axis=1) == 1).sum())
        precision, recall = right / (each * len(marks)), right / int((marks == 1).sum())
        f1 = 2 * precision * recall / (precision + recall) if right else 0.0
        found.update({("precision", each): precision, ("recall", each): recall, ("f1", each): f1})
    counted = [label for label in range(marks.shape[1]) if protocol == "lesa" or (marks[:, label] != 0).any()]
    found["map", None] = float(np.mean([average_precision(scores[:, label], marks[:, label]) for label in counted]))
    return found


def largest_difference(
    found: evaluation.Evaluation, probabilities: np.ndarray, vectors: np.ndarray, n_seen: int, truth: np.ndarray
) -> float:
    """Between the figures of an evaluation and those computed here."""
    differences = []
    for top_t in TOP_T:
        scores = dot_scores(probabilities, vectors, n_seen, top_t)
        for name, first in ((UNSEEN, n_seen), (BOTH, 0)):
            for protocol in ("lesa", "biam"):
                expected = figures(scores[:, first:], truth[:, first:], protocol, found.settings["k"])
                for (metric, k), value in expected.items():
                    differences.append(abs(found.figure(name, f"{protocol}_{metric}", top_t, k).value - value))
    return max(differences)
