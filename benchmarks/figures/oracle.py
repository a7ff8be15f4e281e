"""The same figures once more: every score in float64 by `tests/reference.py`, counted in plain NumPy.

Nothing of an index is used, nor a counter of `conse_fast.metrics`. Labels with the same embedding get the same score:
scores are computed once for each distinct embedding, since a matrix product may round equal columns differently.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conse_fast import evaluation

from .photos import KS, N_SEEN, TOP_T, Labels, Photos

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
import reference

ROWS = 200
NEAR = 2e-6


@dataclass
class Comparison:
    """How many figures were compared, and which differ.

    Attributes:
        n_figures: hit@k and hp@k, as counts.
        differing: those whose counts are not equal.
        n_images: images and rankings: one for each image, label set and T.
        n_near: of these, where another label scores within 2e-6 of the true one without being equal.
        n_curves: seen-unseen curves.
        area: the largest difference of an AUSUC; margins of images that are nearly equal may change places.
        at_zero: the largest difference of an accuracy without calibration.
    """

    n_figures: int
    differing: list[evaluation.Figure]
    n_images: int
    n_near: int
    n_curves: int
    area: float
    at_zero: float


def scores_by_chunk(labels: Labels, embedding: str, photos: Photos, top_t: int) -> Iterator[tuple[slice, np.ndarray]]:
    """(n, L) float64 scores of a few photos at a time."""
    vectors = labels.embeddings[embedding]
    distinct, which = np.unique(vectors.astype(np.float64), axis=0, return_inverse=True)
    for first in range(0, len(photos.truth), ROWS):
        rows = slice(first, first + ROWS)
        found = reference.conse_scores(photos.probabilities[rows], vectors[:N_SEEN], distinct, top_t)
        yield rows, found[:, which.ravel()]


def steps_between(labels: Labels, sources: np.ndarray) -> np.ndarray:
    """(S, L) steps through the hierarchy from each source to each label, inf where there is no way."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import shortest_path

    place: dict[str, int] = {wnid: i for i, wnid in enumerate(labels.wnids)}
    ends = np.array([place.setdefault(node, len(place)) for pair in labels.is_a for node in pair]).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(ends)), ends.T), shape=(len(place), len(place)))
    return shortest_path(graph, directed=False, unweighted=True, indices=sources)[:, : len(labels.wnids)]


def best_of(row: np.ndarray, k: int) -> np.ndarray:
    """The ids of the k largest scores, equal ones by id; a label that never ranks is none."""
    least = np.partition(row, -k)[-k]
    ids = np.flatnonzero((row >= least) & (row > -np.inf))
    return ids[np.argsort(-row[ids], kind="stable")][:k]


class Counts:
    """Hits, and correct labels of hp@k, by label set, T and k."""

    def __init__(self, labels: Labels, photos: Photos) -> None:
        self.photos = photos
        self.sources, self.source_of = np.unique(photos.truth, return_inverse=True)
        self.steps = steps_between(labels, self.sources)
        self.hits: dict[tuple[str, int, int], int] = {}
        self.near: dict[tuple[str, int, int], int] = {}
        self.n_images = self.n_near = 0

    def add(self, name: str, top_t: int, ranked: np.ndarray, images: np.ndarray, scores: np.ndarray) -> None:
        """Counts ``images``, of which ``scores`` are the rows, among the labels of the mask ``ranked``."""
        its = scores[np.arange(len(images)), self.photos.truth[images]][:, np.newaxis]
        among = np.where(ranked, scores, -np.inf)
        better = (among > its).sum(axis=1)
        tied = ((among == its) & ranked).sum(axis=1) - 1
        self.n_images += len(images)
        self.n_near += int(((np.abs(among - its) < NEAR) & (among != its)).any(axis=1).sum())
        of_source = np.sort(np.where(ranked, self.steps, np.inf), axis=1)[:, np.array(KS) - 1]
        best = [best_of(row, KS[-1]) for row in among]
        for i, k in enumerate(KS):
            key = name, top_t, k
            self.hits[key] = self.hits.get(key, 0) + int((better + tied / 2 < k).sum())
            correct = sum(
                int((self.steps[source, ids[:k]] <= of_source[source, i]).sum())
                for source, ids in zip(self.source_of[images], best)
            )
            self.near[key] = self.near.get(key, 0) + correct

    def of(self, figure: evaluation.Figure) -> int:
        """The count behind a figure."""
        counts = self.hits if figure.metric == "hit" else self.near
        return counts[figure.label_set, figure.top_t, figure.k]


class Margins:
    """The best seen and unseen label of each image, by label set and T."""

    def __init__(self, photos: Photos) -> None:
        self.photos = photos
        self.best: dict[tuple[str, int], list[tuple[np.ndarray, ...]]] = {}

    def add(self, name: str, top_t: int, unseen: np.ndarray, images: np.ndarray, scores: np.ndarray) -> None:
        """``unseen`` is the mask of the set's unseen labels; the seen ones are all in it."""
        truth = self.photos.truth[images]
        others = np.where(unseen, scores, -np.inf)
        margin = scores[:, :N_SEEN].max(axis=1) - others.max(axis=1)
        hit = np.where(truth < N_SEEN, scores[:, :N_SEEN].argmax(axis=1), others.argmax(axis=1)) == truth
        self.best.setdefault((name, top_t), []).append((margin, hit, truth))

    def area_and_accuracies(self, key: tuple[str, int]) -> tuple[float, float, float]:
        """AUSUC by the trapezoid rule over every gamma, and both accuracies at gamma 0, averaged over the classes."""
        margin, hit, truth = (np.concatenate(parts) for parts in zip(*self.best[key]))
        is_seen = truth < N_SEEN
        n_images = np.bincount(truth)

        def accuracies(gamma: float) -> tuple[float, float]:
            right = np.bincount(truth[hit & (is_seen == (margin > gamma))], minlength=len(n_images))
            shares = right / np.maximum(n_images, 1)
            seen, unseen = (np.arange(len(n_images)) < N_SEEN) & (n_images > 0), n_images[N_SEEN:] > 0
            return float(shares[seen].mean()), float(shares[N_SEEN:][unseen].mean())

        points = np.array([accuracies(gamma) for gamma in (-np.inf, *np.unique(margin[hit]))])
        area = (np.diff(points[:, 1]) * (points[1:, 0] + points[:-1, 0]) / 2).sum()
        return (float(area), *accuracies(0.0))


def compare(labels: Labels, embedding: str, photos: Photos, found: evaluation.Evaluation) -> Comparison:
    """Every hit@k and hp@k of an evaluation with counts of our own, and every seen-unseen curve."""
    counts, margins = Counts(labels, photos), Margins(photos)
    is_seen = np.arange(len(labels.wnids)) < N_SEEN
    for top_t in TOP_T:
        for rows, scores in scores_by_chunk(labels, embedding, photos, top_t):
            every = np.arange(len(photos.truth))[rows]
            for name, mask in labels.sets.items():
                both = name + evaluation.PLUS_SEEN
                keep = mask[photos.truth[rows]]
                counts.add(name, top_t, mask, every[keep], scores[keep])
                counts.add(both, top_t, mask | is_seen, every[keep], scores[keep])
                keep |= is_seen[photos.truth[rows]]
                margins.add(both, top_t, mask, every[keep], scores[keep])
    curves = np.array([_curve_differences(key, margins, found) for key in margins.best])
    figures = [figure for figure in found.figures if figure.metric in ("hit", "hierarchical_precision")]
    differing = [figure for figure in figures if _count(figure) != counts.of(figure)]
    return Comparison(
        len(figures), differing, counts.n_images, counts.n_near, len(curves), curves[:, 0].max(), curves[:, 1].max()
    )


def _count(figure: evaluation.Figure) -> int:
    """Hits, or correct labels among the best k of all images."""
    places = figure.k if figure.metric == "hierarchical_precision" else 1
    return round(figure.value * figure.n_images * places)


def _curve_differences(key: tuple[str, int], margins: Margins, found: evaluation.Evaluation) -> tuple[float, float]:
    area, *at_zero = margins.area_and_accuracies(key)
    names = ("ausuc", "seen_accuracy", "unseen_accuracy")
    ours = [found.figure(key[0], metric, key[1]).value for metric in names]
    return abs(ours[0] - area), max(abs(one - other) for one, other in zip(ours[1:], at_zero))
