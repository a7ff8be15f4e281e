"""Precision, recall and F1 at k where an image may show several labels: micro averages over all images.

Sources: Huynh and Elhamifar 2020 (*A Shared Multi-Attention Framework for Multi-Label Zero-Shot Learning*, CVPR; the
method is LESA), section 4, with their program; Narayan et al. 2021 (*Discriminative Region-based Multi-Label Zero-Shot
Learning*, ICCV, arXiv 2108.09301; the method is BiAM), likewise. The best k labels of every image are taken for
present; with TP of them truly so among N images,

    precision = TP / (N k),   recall = TP / (all positives of the images),   F1 = 2 precision recall / (both added).

What the papers leave open, and what is done here:

- A label nobody verified (0) counts as wrong where it is among the best k: so do both programs.
- ``images="all"`` counts images without a positive, as Huynh and Elhamifar do by default; ``"positive"`` leaves them
  out, as BiAM does on Open Images (not on NUS-WIDE).
- Where nothing is right, both programs divide 0 by 0; F1 is 0 here.
- An image with fewer than k answers counts k places all the same.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from conse_fast.metrics._checks import (
    Cutoffs,
    FloatArray,
    IntArray,
    cutoffs,
    is_single,
    no_repeats,
    one_of,
    ranked_labels,
    some_images,
    verified_labels,
)
from conse_fast.metrics.intervals import Interval, bootstrap

Images = Literal["all", "positive"]
IMAGES: tuple[Images, ...] = ("all", "positive")


class PrecisionRecallF1(NamedTuple):
    """Three shares from 0 to 1: floats for one k, (K,) float64 arrays for several.

    Attributes:
        precision: of the k labels given to each image, the share that is right.
        recall: of the positive labels of all images, the share that is given.
        f1: the harmonic mean of both, 0 where nothing is right.
    """

    precision: Any
    recall: Any
    f1: Any


class PrecisionRecallAtK:
    """Counts chunk by chunk; memory grows with the distinct numbers of positives and hits, not with the images.

    Attributes:
        k: (K,) int64, the cut-offs in the given order.
        images: which images count.
        n_images: images counted so far.
    """

    def __init__(self, k: Cutoffs, images: Images = "all") -> None:
        """Nothing counted yet; the arguments are those of `precision_recall_f1_at_k`."""
        self.k = cutoffs(k)
        self.images: Images = one_of(images, "images", IMAGES)
        self.n_images = 0
        # How many images have so many right labels among the best k, and so many positives: all that resampling needs.
        self._alike: list[Counter[tuple[int, int]]] = [Counter() for _ in self.k]

    def add(self, indices: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Counts more images; the arguments are those of `precision_recall_f1_at_k`."""
        width = int(self.k.max())
        given = ranked_labels(indices, width)[:, :width]
        no_repeats(given)
        positive = verified_labels(labels) == 1
        if len(positive) != len(given):
            raise ValueError(f"labels must have {len(given)} rows, one per image, got {len(positive)}")
        if given.size and given.max() >= positive.shape[1]:
            raise ValueError(f"indices must hold ids of the {positive.shape[1]} columns of labels, got {given.max()}")
        n_positive = positive.sum(axis=1)
        right = np.zeros(given.shape, dtype=bool)
        if positive.shape[1]:
            right = np.take_along_axis(positive, np.maximum(given, 0), axis=1) & (given >= 0)
        counted = np.ones(len(given), dtype=bool) if self.images == "all" else n_positive > 0
        for k, alike in zip(self.k, self._alike):
            alike.update(zip(right[counted, :k].sum(axis=1).tolist(), n_positive[counted].tolist()))
        self.n_images += int(counted.sum())

    def result(self) -> PrecisionRecallF1:
        """Precision, recall and F1 for each k: three (K,) float64 arrays.

        Raises:
            ValueError: There are no images, or no image has a positive label.
        """
        some_images(self.n_images)
        every = []
        for k, alike in zip(self.k.tolist(), self._alike):
            groups, sizes = _groups(alike)
            if not groups[:, 1].any():
                raise ValueError("labels must hold a positive (+1), since recall is a share of them; got none")
            every.append(_figures(sizes[np.newaxis], groups, k)[0])
        return PrecisionRecallF1(*np.array(every).T)

    def interval(self, confidence: float = 0.95, n_resamples: int = 1000, seed: int = 0) -> Interval:
        """Bootstrap intervals of `result` over the images: two `PrecisionRecallF1` of (K,) arrays; see `bootstrap`."""
        self.result()
        lows, highs = [], []
        for k, alike in zip(self.k.tolist(), self._alike):
            groups, sizes = _groups(alike)

            def figures(drawn: IntArray, groups: IntArray = groups, k: int = k) -> FloatArray:
                return _figures(drawn, groups, k)

            low, high = bootstrap(figures, sizes, confidence=confidence, n_resamples=n_resamples, seed=seed)
            lows.append(low)
            highs.append(high)
        return Interval(PrecisionRecallF1(*np.array(lows).T), PrecisionRecallF1(*np.array(highs).T))


def _groups(alike: Counter[tuple[int, int]]) -> tuple[IntArray, IntArray]:
    """(R, 2) of right labels and positives, and (R,) of how many images have them; in an order of its own."""
    groups = sorted(alike)
    return np.array(groups, dtype=np.int64), np.array([alike[group] for group in groups], dtype=np.int64)


def _figures(drawn: IntArray, groups: IntArray, k: int) -> FloatArray:
    """(B, 3): precision, recall and F1 of each resample."""
    right, positive = (drawn @ groups).T
    places = k * drawn.sum(axis=1)
    # 2 P R / (P + R) with both written out, so that nothing is divided by zero.
    return np.stack([right / places, right / np.maximum(positive, 1), 2 * right / (places + positive)], axis=1)


def precision_recall_f1_at_k(
    indices: npt.ArrayLike, labels: npt.ArrayLike, k: Cutoffs, images: Images = "all"
) -> PrecisionRecallF1:
    """Micro precision, recall and F1 of the best k labels of every image (Huynh and Elhamifar 2020; BiAM 2021).

    Sources and ambiguities: see `conse_fast.metrics.multi_label`.

    Args:
        indices: (N, M) integers, label ids, best first, each once; -1 where there is none. M >= k.
        labels: (N, L) integers: +1 the image shows the label, -1 it does not, 0 nobody looked.
        k: one cut-off or several, each >= 1.
        images: ``"all"``, or ``"positive"`` to leave out images without a positive label.

    Returns:
        `PrecisionRecallF1` of floats for one k, of (K,) float64 arrays for several.

    Raises:
        TypeError: An argument has another type.
        ValueError: Shapes or values do not fit, or there is no image or no positive label.
    """
    counter = PrecisionRecallAtK(k, images)
    counter.add(indices, labels)
    result = counter.result()
    return PrecisionRecallF1(*(float(figure[0]) for figure in result)) if is_single(k) else result
