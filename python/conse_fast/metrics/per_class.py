"""Per-class (macro) hit@k: every class counts the same, however many images it has.

Source: Xian et al. 2017 (*Zero-Shot Learning - The Good, the Bad and the Ugly*, CVPR) and 2018 (*A Comprehensive
Evaluation*, TPAMI), "Evaluation criteria": the hits of each class are divided by its images, then averaged over the
classes ("average per-class top-1 accuracy"). Their ImageNet figures average over images instead, as `hit_at_k` does.
Classes without a test image have no accuracy and are left out; published code that divides by all listed classes
counts them as 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from conse_fast.metrics._checks import (
    Cutoffs,
    FloatArray,
    IntArray,
    cutoffs,
    is_single,
    ranked_labels,
    some_images,
    true_labels,
)
from conse_fast.metrics.intervals import Interval, bootstrap


class PerClassHitAtK:
    """Counts hits and images of each class chunk by chunk; memory grows with the largest label id only.

    Attributes:
        k: (K,) int64, the cut-offs in the given order.
    """

    def __init__(self, k: Cutoffs = 1) -> None:
        """Nothing counted yet; the argument is that of `per_class_hit_at_k`."""
        self.k = cutoffs(k)
        self._images = np.zeros(0, dtype=np.int64)
        self._hits = np.zeros((len(self.k), 0), dtype=np.int64)

    def add(self, indices: npt.ArrayLike, truth: npt.ArrayLike) -> None:
        """Counts more images; the arguments are those of `per_class_hit_at_k`."""
        labels = ranked_labels(indices, int(self.k.max()))
        true = true_labels(truth, len(labels))
        size = max(len(self._images), int(true.max(initial=-1)) + 1)
        grow = size - len(self._images)
        self._images = np.pad(self._images, (0, grow)) + np.bincount(true, minlength=size)
        found = labels == true[:, np.newaxis]
        hits = [np.bincount(true[found[:, :k].any(axis=1)], minlength=size) for k in self.k]
        self._hits = np.pad(self._hits, ((0, 0), (0, grow))) + np.array(hits)

    @property
    def n_images(self) -> int:
        """Images counted so far."""
        return int(self._images.sum())

    @property
    def classes(self) -> IntArray:
        """(C,) int64, the labels that have images, ascending."""
        return np.flatnonzero(self._images)

    def per_class(self) -> FloatArray:
        """The share of hits of each class: (K, C) float64, columns as `classes`."""
        return self._hits[:, self.classes] / self._images[self.classes]

    def result(self) -> FloatArray:
        """The mean over the classes for each k: (K,) float64, from 0 to 1."""
        some_images(self.n_images)
        mean: FloatArray = self.per_class().mean(axis=1)
        return mean

    def interval(self, confidence: float = 0.95, n_resamples: int = 1000, seed: int = 0) -> Interval:
        """Bootstrap intervals of `result` over the images: two (K,) arrays; see `bootstrap`.

        A resample that holds no image of a class leaves the class out. A class of one image is missing from 37 % of
        the resamples, one of two from 14 %: read the intervals of such data with care.
        """
        some_images(self.n_images)
        options = {"confidence": confidence, "n_resamples": n_resamples, "seed": seed}
        ends = []
        for hits in self._hits[:, self.classes]:
            groups = np.concatenate([hits, self._images[self.classes] - hits])
            ends.append(bootstrap(_mean_of_classes, groups, **options))  # type: ignore[arg-type]
        return Interval(np.array([end.low for end in ends]), np.array([end.high for end in ends]))


def _mean_of_classes(drawn: IntArray) -> FloatArray:
    """(B,) from (B, 2 C): hits of each class, then misses of each class."""
    hits, misses = np.hsplit(drawn, 2)
    images = hits + misses
    shares = hits / np.maximum(images, 1)
    mean: FloatArray = shares.sum(axis=1) / (images > 0).sum(axis=1)
    return mean


@overload
def per_class_hit_at_k(indices: npt.ArrayLike, truth: npt.ArrayLike, k: int = 1) -> float: ...


@overload
def per_class_hit_at_k(indices: npt.ArrayLike, truth: npt.ArrayLike, k: Sequence[int] | IntArray) -> FloatArray: ...


def per_class_hit_at_k(indices: npt.ArrayLike, truth: npt.ArrayLike, k: Cutoffs = 1) -> Any:
    """The share of hits of each class, averaged over the classes; k=1 is the per-class top-1 accuracy.

    Source and ambiguities: see `conse_fast.metrics.per_class`. Equal scores are ordered by label id.

    Args:
        indices: (N, M) integers, label ids, best first; -1 where there is none. M >= k.
        truth: (N,) integers, the true label of each image.
        k: one cut-off or several, each >= 1.

    Returns:
        A float from 0 to 1 for one k; a (K,) float64 array for several.

    Raises:
        TypeError: An argument has another type.
        ValueError: Shapes do not fit, a true label is missing (-1), or there are no images.
    """
    counter = PerClassHitAtK(k)
    counter.add(indices, truth)
    return float(counter.result()[0]) if is_single(k) else counter.result()
