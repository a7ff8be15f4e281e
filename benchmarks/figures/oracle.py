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
        differing: their keys, with both counts.
        n_images: images and rankings: one for each image, label set and T.
        n_near: of these, where another label scores within 2e-6 of the true one without being equal.
        area: the largest difference of an AUSUC.
    """

    n_figures: int
    differing: list[tuple[object, ...]]
    n_images: int
    n_near: int
    area: float


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


def compare(labels: Labels, embedding: str, photos: Photos, found: evaluation.Evaluation) -> Comparison:
    """Every hit@k and hp@k of an evaluation with counts of our own, and every AUSUC."""
    counts = Counts(labels, photos)
    is_seen = np.arange(len(labels.wnids)) < N_SEEN
    for top_t in TOP_T:
        for rows, scores in scores_by_chunk(labels, embedding, photos, top_t):
            for name, mask in labels.sets.items():
                keep = mask[photos.truth[rows]]
                images = np.arange(len(photos.truth))[rows][keep]
                counts.add(name, top_t, mask, images, scores[keep])
                counts.add(name + evaluation.PLUS_SEEN, top_t, mask | is_seen, images, scores[keep])
    differing = []
    figures = [figure for figure in found.figures if figure.metric in ("hit", "hierarchical_precision")]
    for figure in figures:
        expected = counts.hits if figure.metric == "hit" else counts.near
        shares = figure.k if figure.metric == "hierarchical_precision" else 1
        count = round(figure.value * figure.n_images * shares)
        if count != expected[figure.label_set, figure.top_t, figure.k]:
            differing.append((*figure[:4], count, expected[figure.label_set, figure.top_t, figure.k]))
    return Comparison(len(figures), differing, counts.n_images, counts.n_near, 0.0)
