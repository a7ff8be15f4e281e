"""Hierarchical precision@k: how near the best k labels are to the true one in an is-a hierarchy.

Source: Frome et al. 2013 (*DeViSE*, NeurIPS), section 4 and appendix ("hierarchical precision-at-k"). For a true label
the *correct set* is built of rings: ring 0 is the label itself, ring r all candidates r steps away. Whole rings are
added until at least k labels stand, so the set may be larger than k. hp@k is the share of the best k labels that are
in the set of k; hp@1 is hit@1.

What the paper leaves open, and what is done here:

- Steps are counted over the whole is-a graph, in both directions, with all parents of a label, through nodes that are
  no candidates. Only the labels that are counted are restricted to the candidates.
- A label that the hierarchy does not know is alone in its set, and in nobody else's.
- Where fewer than k candidates can be reached, the set is all of them.
- The share is of k, also for an image with fewer answers than k.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from conse_fast._arrays import count, integers, pair
from conse_fast.metrics._checks import (
    Cutoffs,
    FloatArray,
    IntArray,
    cutoffs,
    is_single,
    no_repeats,
    ranked_labels,
    some_images,
    true_labels,
    truth_below,
)
from conse_fast.metrics.intervals import Interval, interval_of_shares

_SOURCES_AT_ONCE = 64  # breadth-first searches side by side: 64 x 75,000 flags stay in the cache


class Hierarchy:
    """An is-a graph and the labels in it.

    Attributes:
        n_labels: number of labels L; label ids are 0..L-1, in the order they were given.
        n_nodes: number of nodes: the labels and everything else that the hierarchy names.
        missing: int64 ids of the labels that occur in no pair.
    """

    def __init__(self, is_a: Iterable[tuple[Hashable, Hashable]], labels: Sequence[Hashable]) -> None:
        """Reads a hierarchy; 75,850 pairs take a tenth of a second.

        Args:
            is_a: (parent, child) pairs of names, such as WordNet identifiers; their direction does not matter.
            labels: the names of the labels in the order of their ids, each once.

        Raises:
            TypeError: A pair is not two names.
            ValueError: A label is there twice, there is none, or no pair names any of them.
        """
        names, pairs = _iterable(labels, "labels"), _iterable(is_a, "is_a")
        node_of: dict[Hashable, int] = {}
        for name in names:
            if name in node_of:
                raise ValueError(f"labels must name every label once, got {name!r} twice")
            node_of[name] = len(node_of)
        if not node_of:
            raise ValueError("labels must name at least one label, got none")
        self.n_labels = len(node_of)
        edges = [node_of.setdefault(node, len(node_of)) for edge in pairs for node in pair(edge, "is_a")]
        self.n_nodes = len(node_of)
        self._first, self._neighbours = _adjacency(np.array(edges, dtype=np.int64).reshape(-1, 2), self.n_nodes)
        self.missing: IntArray = np.flatnonzero(np.diff(self._first[: self.n_labels + 1]) == 0)
        if len(self.missing) == self.n_labels:
            first = next(iter(node_of))
            raise ValueError(
                f"is_a must name at least one of the {self.n_labels} labels, but knows none, such as {first!r}; "
                "are both written alike?"
            )

    def rings(self, sources: IntArray, n_wanted: int, counted: npt.NDArray[np.bool_]) -> tuple[IntArray, ...]:
        """Grows rings around several labels at once until each has found enough.

        Args:
            sources: (S,) int64 distinct label ids.
            n_wanted: a source stops after the ring that brings its labels to this number.
            counted: (L,) bool: the labels that are found; all others are passed through.

        Returns:
            (source, label, before), (F,) int64 each, ring by ring: label is found from sources[source], and ``before``
            labels were found in the rings inside its own.
        """
        found: list[tuple[IntArray, IntArray, IntArray]] = []
        n_found = np.zeros(len(sources), dtype=np.int64)
        visited = np.zeros(len(sources) * self.n_nodes, dtype=bool)
        ring = np.arange(len(sources)) * self.n_nodes + sources  # (source, node) as one number
        while len(ring):
            visited[ring] = True
            source, node = np.divmod(ring, self.n_nodes)
            is_label = node < self.n_labels
            is_label[is_label] = counted[node[is_label]]
            found.append((source[is_label], node[is_label], n_found[source[is_label]]))
            n_found = n_found + np.bincount(source[is_label], minlength=len(sources))
            goes_on = n_found[source] < n_wanted
            ring = self._next_ring(source[goes_on], node[goes_on])
            ring = ring[~visited[ring]]
        return tuple(np.concatenate(parts) for parts in zip(*found))

    def _next_ring(self, source: IntArray, node: IntArray) -> IntArray:
        """All neighbours of these nodes, each once per source, as (source, node) numbers."""
        degree = self._first[node + 1] - self._first[node]
        # Where each node's neighbours begin, and how far into them each result is.
        begin = np.repeat(self._first[node] - (np.cumsum(degree) - degree), degree)
        neighbours = self._neighbours[begin + np.arange(degree.sum())]
        return np.unique(np.repeat(source, degree) * self.n_nodes + neighbours)


def _iterable(given: Any, argument: str) -> Iterable[Any]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{argument} must be a sequence, got {type(given).__name__}")
    return given


def require_hierarchy(hierarchy: object) -> None:
    """Refuses what is no `Hierarchy`, such as the pairs of which one is made."""
    if not isinstance(hierarchy, Hierarchy):
        kind = type(hierarchy).__name__
        raise TypeError(
            f"hierarchy must be a metrics.Hierarchy, got {kind}; make one of (parent, child) pairs and labels"
        )


def _adjacency(edges: IntArray, n_nodes: int) -> tuple[IntArray, IntArray]:
    """Neighbours in both directions: those of node n are neighbours[first[n]:first[n + 1]]."""
    ends = np.concatenate([edges, edges[:, ::-1]])
    first = np.concatenate([[0], np.cumsum(np.bincount(ends[:, 0], minlength=n_nodes))])
    return first.astype(np.int64), ends[np.argsort(ends[:, 0], kind="stable"), 1]


class HierarchicalPrecisionAtK:
    """Counts chunk by chunk; memory grows with the distinct true labels (their correct sets are kept), not images.

    Attributes:
        k: (K,) int64, the cut-offs in the given order.
        n_images: images counted so far.
    """

    def __init__(self, hierarchy: Hierarchy, k: Cutoffs, candidates: npt.ArrayLike | None = None) -> None:
        """Nothing counted yet; the arguments are those of `hierarchical_precision_at_k`."""
        self.k = cutoffs(k)
        self.n_images = 0
        require_hierarchy(hierarchy)
        self._hierarchy = hierarchy
        self._levels = np.unique(self.k)  # a label's level: for the how manieth k it begins to be correct
        self._is_candidate = _candidates(candidates, hierarchy.n_labels)
        self._slot = np.full(hierarchy.n_labels, -1, dtype=np.int64)  # of a true label whose correct sets are known
        self._n_slots = 0
        self._known = np.zeros(0, dtype=np.int64)  # slot * n_labels + label, ascending
        self._level = np.zeros(0, dtype=np.int16)  # of each of these
        self._histograms = [np.zeros(size + 1, dtype=np.int64) for size in self._levels.tolist()]

    def correct_set(self, label: int, k: int) -> IntArray:
        """The correct set of one of this object's k for a true label: its ids, ascending.

        Raises:
            ValueError: The label is no candidate, or k none of those given.
        """
        if k not in self._levels:
            raise ValueError(f"k must be one of {self.k.tolist()}, got {k}")
        self._learn(self._truth(np.array([label]), 1))
        n_labels = self._hierarchy.n_labels
        mine = slice(*np.searchsorted(self._known, (self._slot[label] + np.array([0, 1])) * n_labels))
        within = self._level[mine] <= np.searchsorted(self._levels, k)
        ids: IntArray = self._known[mine][within] % n_labels
        return ids

    def add(self, indices: npt.ArrayLike, truth: npt.ArrayLike) -> None:
        """Counts more images; the arguments are those of `hierarchical_precision_at_k`."""
        width = int(self._levels[-1])
        labels = ranked_labels(indices, width)[:, :width]
        no_repeats(labels)
        listed = labels[labels >= 0]
        strangers = listed[(listed >= len(self._slot)) | ~self._is_candidate[np.minimum(listed, len(self._slot) - 1)]]
        if len(strangers):
            raise ValueError(f"indices must hold candidates only, got {strangers[0]}; rank among the same candidates")
        true = self._truth(truth, len(labels))
        self._learn(true)
        level = self._level_of(labels, true)
        for i, (k, histogram) in enumerate(zip(self._levels.tolist(), self._histograms)):
            histogram += np.bincount((level[:, :k] <= i).sum(axis=1), minlength=k + 1)
        self.n_images += len(labels)

    def result(self) -> FloatArray:
        """hp@k for each k: (K,) float64, shares from 0 to 1."""
        n_images = some_images(self.n_images)
        correct = [histogram @ np.arange(len(histogram)) for histogram in self._histograms]
        return np.array(correct)[np.searchsorted(self._levels, self.k)] / (self.k * n_images)

    def interval(self, confidence: float = 0.95, n_resamples: int = 1000, seed: int = 0) -> Interval:
        """Bootstrap intervals of `result` over the images: two (K,) arrays; see `bootstrap`."""
        some_images(self.n_images)
        which = np.searchsorted(self._levels, self.k).tolist()
        histograms = (self._histograms[i] for i in which)
        values = (np.arange(k + 1) / k for k in self.k.tolist())
        return interval_of_shares(histograms, values, confidence=confidence, n_resamples=n_resamples, seed=seed)

    def _truth(self, truth: npt.ArrayLike, n_images: int) -> IntArray:
        true = true_labels(truth, n_images)
        truth_below(true, self._hierarchy.n_labels)
        outside = ~self._is_candidate[true]
        if outside.any():
            image = int(np.argmax(outside))
            raise ValueError(
                f"truth must be among the candidates, got {true[image]} for image {image}; "
                "leave such images out: keep = np.isin(truth, candidates)"
            )
        return true

    def _learn(self, true: IntArray) -> None:
        """Finds the correct sets of true labels that were not met before."""
        distinct = np.unique(true)
        new = distinct[self._slot[distinct] < 0]
        known, levels = [self._known], [self._level]
        for first in range(0, len(new), _SOURCES_AT_ONCE):
            sources = new[first : first + _SOURCES_AT_ONCE]
            source, label, before = self._hierarchy.rings(sources, int(self._levels[-1]), self._is_candidate)
            keys = (self._n_slots + source) * self._hierarchy.n_labels + label
            order = np.argsort(keys)
            known.append(keys[order])
            # A ring belongs to the set of k as long as the rings inside it hold fewer than k.
            levels.append(np.searchsorted(self._levels, before, side="right")[order].astype(np.int16))
            self._slot[sources] = self._n_slots + np.arange(len(sources))
            self._n_slots += len(sources)
        self._known, self._level = np.concatenate(known), np.concatenate(levels)

    def _level_of(self, labels: IntArray, true: IntArray) -> IntArray:
        """(N, M): from the how manieth k on a listed label is correct; past all where it never is."""
        keys = self._slot[true][:, np.newaxis] * self._hierarchy.n_labels + labels
        at = np.minimum(np.searchsorted(self._known, keys), max(len(self._known) - 1, 0))
        level = np.full(labels.shape, len(self._levels), dtype=np.int64)
        is_known = (labels >= 0) & (self._known[at] == keys) if len(self._known) else np.zeros(labels.shape, dtype=bool)
        level[is_known] = self._level[at[is_known]]
        return level


def _candidates(candidates: npt.ArrayLike | None, n_labels: int) -> npt.NDArray[np.bool_]:
    """(L,) bool."""
    if candidates is None:
        return np.ones(n_labels, dtype=bool)
    ids = integers(candidates, "candidates")
    if ids.ndim != 1 or not len(ids):
        raise ValueError(f"candidates must hold at least one label id in one dimension, got shape {ids.shape}")
    if ids.min() < 0 or ids.max() >= count(n_labels, "n_labels"):
        raise ValueError(f"candidates must hold label ids below {n_labels}, got {ids.min()} to {ids.max()}")
    chosen = np.zeros(n_labels, dtype=bool)
    chosen[ids] = True
    return chosen


@overload
def hierarchical_precision_at_k(
    indices: npt.ArrayLike,
    truth: npt.ArrayLike,
    k: int,
    hierarchy: Hierarchy,
    candidates: npt.ArrayLike | None = None,
) -> float: ...


@overload
def hierarchical_precision_at_k(
    indices: npt.ArrayLike,
    truth: npt.ArrayLike,
    k: Sequence[int] | IntArray,
    hierarchy: Hierarchy,
    candidates: npt.ArrayLike | None = None,
) -> FloatArray: ...


def hierarchical_precision_at_k(
    indices: npt.ArrayLike,
    truth: npt.ArrayLike,
    k: Cutoffs,
    hierarchy: Hierarchy,
    candidates: npt.ArrayLike | None = None,
) -> Any:
    """The share of the best k labels that are near the true one (hp@k, Frome et al. 2013, appendix).

    Source and ambiguities: see `conse_fast.metrics.hierarchical`.

    Args:
        indices: (N, M) integers, label ids, best first, each once; -1 where there is none. M >= k.
        truth: (N,) integers, the true label of each image, among the candidates.
        k: one cut-off or several, each >= 1.
        hierarchy: the is-a graph; ids in ``indices``, ``truth`` and ``candidates`` are those of its labels.
        candidates: label ids that were ranked; None for all labels of the hierarchy.

    Returns:
        A float from 0 to 1 for one k; a (K,) float64 array for several.

    Raises:
        TypeError: An argument has another type.
        ValueError: Shapes do not fit, a true label is missing (-1) or no candidate, a label is listed twice for an
            image or is no candidate, or there are no images.
    """
    counter = HierarchicalPrecisionAtK(hierarchy, k, candidates)
    counter.add(indices, truth)
    return float(counter.result()[0]) if is_single(k) else counter.result()
