"""Mean average precision (mAP) in the two published protocols of multi-label zero-shot learning.

Images are verified label by label: +1 present, -1 absent, 0 nobody looked. The average precision of a label ranks the
images on which it was verified by its score: AP = sum over the distinct scores of (gain in recall) x (precision down to
there), without interpolation. Equal scores are one step, so their order does not matter.

- ``"lesa"``: Huynh and Elhamifar 2020 (*A Shared Multi-Attention Framework for Multi-Label Zero-Shot Learning*, CVPR),
  section 4, and their program (scikit-learn's ``average_precision_score`` of each label). mAP is the mean over *all*
  labels; one without a positive image counts 0.
- ``"biam"``: Narayan et al. 2021 (*Discriminative Region-based Multi-Label Zero-Shot Learning*, ICCV, arXiv
  2108.09301), their program for Open Images. First, images without a positive label are left out; then labels that
  were verified on none of the remaining images. Of those left, one without a positive counts 0. Besides the mean it
  gives the mean weighted by the labels' numbers of positive images.

Where program and paper differ, or programs from each other: BiAM's sorts equal scores in no defined order, and here
they are grouped in both protocols. It leaves labels out for seen and for all classes, but not for the 400 unseen ones;
that is the same if each of them was verified somewhere. On NUS-WIDE it leaves nothing out: that is ``"lesa"``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from conse_fast._arrays import count
from conse_fast.metrics._checks import (
    FloatArray,
    IntArray,
    one_of,
    ranked_labels,
    scores_of,
    some_images,
    verified_labels,
)
from conse_fast.metrics.intervals import Interval, bootstrap

Protocol = Literal["lesa", "biam"]
PROTOCOLS: tuple[Protocol, ...] = ("lesa", "biam")


class MeanAveragePrecision(NamedTuple):
    """Two means of the labels' average precisions, from 0 to 1.

    Attributes:
        mean: every label counts the same; this is what papers call mAP.
        weighted_mean: every label counts as many times as it has positive images.
    """

    mean: float
    weighted_mean: float


@dataclass(frozen=True)
class AveragePrecisions:
    """The average precision of each label, and their means.

    Attributes:
        mean: mAP: the mean over the labels that count.
        weighted_mean: the mean weighted by ``n_positive``.
        per_label: (L,) float64: 0 for a label without a positive image, NaN for one that is left out.
        n_positive: (L,) int64, images that show the label, among those that count.
        n_verified: (L,) int64, images on which it was verified.
        n_images: images that count.
    """

    mean: float
    weighted_mean: float
    per_label: FloatArray
    n_positive: IntArray
    n_verified: IntArray
    n_images: int


class AveragePrecision:
    """Collects verified scores chunk by chunk, since an average precision needs all of a label's at once.

    Memory is 13 bytes for each verified pair of image and label (17 for float64 scores), and nothing for the others:
    on Open Images few pairs are verified, on NUS-WIDE all of them.

    Attributes:
        protocol: which labels and images count.
        n_images: images that count so far.
    """

    def __init__(self, protocol: Protocol = "lesa") -> None:
        """Nothing collected yet; the argument is that of `average_precision`."""
        self.protocol: Protocol = one_of(protocol, "protocol", PROTOCOLS)
        self.n_images = 0
        self._n_labels: int | None = None
        self._chunks: list[tuple[Any, ...]] = []

    def add(self, scores: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Collects more images; the arguments are those of `average_precision`."""
        marks = verified_labels(labels)
        values = scores_of(scores, "scores", marks.shape)
        if self._n_labels not in (None, marks.shape[1]):
            raise ValueError(f"labels must have {self._n_labels} columns as before, got {marks.shape[1]}")
        self._n_labels = marks.shape[1]
        if self.protocol == "biam":
            keep = (marks == 1).any(axis=1)
            marks, values = marks[keep], values[keep]
        image, label = np.nonzero(marks)
        self._chunks.append(
            (
                values[image, label],
                (image + self.n_images).astype(np.int32),
                label.astype(np.int32),
                marks[image, label],
            )
        )
        self.n_images += len(marks)

    def result(self) -> AveragePrecisions:
        """Average precisions of all images collected so far.

        Raises:
            ValueError: There are no images that count, or no pair is verified as absent (-1).
        """
        pairs = self._pairs()
        ones = np.ones(self.n_images, dtype=np.int64)
        per_label, n_positive, n_verified = pairs.average_precisions(ones)
        means = _means(per_label, n_positive, n_verified, self.protocol)
        left_out = (n_verified == 0) & (self.protocol == "biam")
        return AveragePrecisions(
            *means, np.where(left_out, np.nan, per_label), n_positive, n_verified, n_images=self.n_images
        )

    def interval(self, confidence: float = 0.95, n_resamples: int = 1000, seed: int = 0) -> Interval:
        """Bootstrap intervals of both means over the images: two `MeanAveragePrecision`; see `bootstrap`.

        Each resample goes once over all verified pairs: 0.06 s for a million of them.
        """
        pairs = self._pairs()

        def means(drawn: IntArray) -> list[MeanAveragePrecision]:
            return [_means(*pairs.average_precisions(weights), self.protocol) for weights in drawn]

        low, high = bootstrap(means, self.n_images, confidence=confidence, n_resamples=n_resamples, seed=seed)
        return Interval(MeanAveragePrecision(*low.tolist()), MeanAveragePrecision(*high.tolist()))

    def _pairs(self) -> _Pairs:
        some_images(self.n_images)
        score, image, label, mark = (np.concatenate(parts) for parts in zip(*self._chunks))
        if not (mark == -1).any():
            raise ValueError(
                "labels must hold -1 where a label is absent, got only +1 and 0 (unverified), with which every average "
                "precision is 1 or 0; where 0 means absent: np.where(labels == 1, 1, -1)"
            )
        return _Pairs(score, image, label, mark == 1, self._n_labels or 0)


class _Pairs:
    """Verified pairs of image and label, sorted by label, then by score from the largest."""

    def __init__(
        self,
        score: npt.NDArray[Any],
        image: npt.NDArray[Any],
        label: npt.NDArray[Any],
        positive: npt.NDArray[np.bool_],
        n_labels: int,
    ) -> None:
        order = np.lexsort((-score, label))
        score, label = score[order], label[order]
        self.n_labels, self.image, self.positive = n_labels, image[order], positive[order]
        # The last pair of each run of equal scores of one label: where a step of its recall ends.
        is_last = np.append((label[1:] != label[:-1]) | (score[1:] != score[:-1]), True)
        self.ends = np.flatnonzero(is_last)
        self.label = label[self.ends]
        self.begins_label = np.insert(self.label[1:] != self.label[:-1], 0, True)

    def average_precisions(self, weights: IntArray) -> tuple[FloatArray, IntArray, IntArray]:
        """(L,) average precisions, positive and verified images, where image i counts weights[i] times."""
        weight = weights[self.image]
        positive = self._by_step(np.where(self.positive, weight, 0))
        verified = self._by_step(weight)
        n_positive = np.bincount(self.label, weights=positive, minlength=self.n_labels)
        n_verified = np.bincount(self.label, weights=verified, minlength=self.n_labels)
        hits, seen = self._within_label(positive), self._within_label(verified)
        gains = positive * hits / np.maximum(seen, 1)
        total = np.bincount(self.label, weights=gains, minlength=self.n_labels)
        return total / np.maximum(n_positive, 1), n_positive.astype(np.int64), n_verified.astype(np.int64)

    def _by_step(self, of_pairs: IntArray) -> IntArray:
        """Sums over runs of equal scores."""
        return np.diff(np.cumsum(of_pairs)[self.ends], prepend=0)

    def _within_label(self, of_steps: IntArray) -> IntArray:
        """Running sums that begin anew with each label."""
        running = np.cumsum(of_steps)
        begins = np.flatnonzero(self.begins_label)
        before = running[begins] - of_steps[begins]
        result: IntArray = running - before[np.cumsum(self.begins_label) - 1]
        return result


def _means(
    per_label: FloatArray, n_positive: IntArray, n_verified: IntArray, protocol: Protocol
) -> MeanAveragePrecision:
    n_counted = len(per_label) if protocol == "lesa" else np.count_nonzero(n_verified)
    weighted = (per_label * n_positive).sum() / max(n_positive.sum(), 1)
    # A label that does not count has no positive image, and so adds 0 to the sum.
    return MeanAveragePrecision(float(per_label.sum() / max(n_counted, 1)), float(weighted))


def average_precision(scores: npt.ArrayLike, labels: npt.ArrayLike, protocol: Protocol = "lesa") -> AveragePrecisions:
    """The average precision of each label over the images on which it was verified, and its mean (mAP).

    Sources and ambiguities: see `conse_fast.metrics.mean_average_precision`. All scores of a label are needed at
    once; for chunks of images see `AveragePrecision`, for scores in the order of a ranking `scores_by_label`.

    Args:
        scores: (N, L) floats, the score of each label for each image; -inf where it does not rank.
        labels: (N, L) integers: +1 the image shows the label, -1 it does not, 0 nobody looked.
        protocol: ``"lesa"`` (Huynh and Elhamifar 2020) or ``"biam"`` (Narayan et al. 2021, Open Images).

    Returns:
        `AveragePrecisions`: ``mean`` is the mAP, ``weighted_mean`` the mean weighted by positive images.

    Raises:
        TypeError: An argument has another type.
        ValueError: Shapes or values do not fit, a score is NaN, no image counts, or no label is verified as absent.
    """
    collected = AveragePrecision(protocol)
    collected.add(scores, labels)
    return collected.result()


def scores_by_label(scores: npt.ArrayLike, indices: npt.ArrayLike, n_labels: int) -> npt.NDArray[Any]:
    """Puts the scores of rankings into the order of the label ids.

    Args:
        scores: (N, M) floats, as `Ranking.scores`.
        indices: (N, M) integers, the label ids they belong to; -1 where there is none.
        n_labels: number of labels L, of which some may not be ranked.

    Returns:
        (N, L), float32 for float32 scores, else float64: -inf for a label that is not in an image's ranking. Rank all
        labels (k = L) if their scores are to be compared between images.

    Raises:
        TypeError: An argument has another type.
        ValueError: Shapes do not fit, or an id is no label.
    """
    ids = ranked_labels(indices)
    n_labels = count(n_labels, "n_labels")
    values = scores_of(scores, "scores", ids.shape)
    if ids.size and ids.max() >= n_labels:
        raise ValueError(f"indices must hold ids below n_labels = {n_labels}, got {ids.max()}")
    # One column more than there are labels takes the empty places, whose id is -1.
    by_label = np.full((len(ids), n_labels + 1), -np.inf, dtype=values.dtype)
    np.put_along_axis(by_label, ids, values, axis=1)
    return by_label[:, :n_labels]
