"""Generalised zero-shot learning: images of seen and of unseen classes, ranked among both.

A classifier knows seen classes better, so their labels score higher. *Calibrated stacking* (Chao et al. 2016, *An
Empirical Study and Analysis of Generalized Zero-Shot Learning for Object Recognition in the Wild*, ECCV, arXiv
1605.04253) subtracts gamma from their scores: the label is the best seen one while its score less gamma is above the
best unseen score. Every gamma gives one accuracy on images of seen and one on images of unseen classes; all gammas
together are the seen-unseen curve, and the area under it (AUSUC) rates a method without choosing a gamma. The
*harmonic mean* of both accuracies (Xian et al. 2017, CVPR) rates it at one gamma.

What the papers leave open, and what is done here:

- At equality, score less gamma = best unseen score, the unseen label wins: the curve is defined at each of its steps.
  Chao et al.'s program decides likewise. (An index with a penalty orders equal scores by label id.)
- Accuracies are averages over the classes, as in both papers' programs, or over the images, as hit@k on ImageNet is
  usually given. A class without images is left out.
- The curve holds the point of every gamma and is joined by straight lines (the trapezoid rule), as in Chao et al.'s
  program; it ends where one of the accuracies can change no more, and is not prolonged to the axes. Programs that add
  (0, y) and (x, 0) differ from it only if some image has no seen or no unseen answer at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from conse_fast._arrays import integers
from conse_fast.metrics._checks import FloatArray, IntArray, flags, one_of, scores_of, true_labels
from conse_fast.metrics.intervals import Interval, bootstrap

Average = Literal["class", "image"]
AVERAGES: tuple[Average, ...] = ("class", "image")


def harmonic_mean(seen: npt.ArrayLike, unseen: npt.ArrayLike) -> Any:
    """The harmonic mean of two accuracies, 2 s u / (s + u), and 0 where both are 0 (Xian et al. 2017).

    Args:
        seen: accuracy on images of seen classes, >= 0: a number, or an array of them.
        unseen: accuracy on images of unseen classes, likewise.

    Returns:
        A float, or a float64 array for arrays.

    Raises:
        ValueError: An accuracy is negative or no number.
    """
    s, u = np.asarray(seen, dtype=np.float64), np.asarray(unseen, dtype=np.float64)
    if not ((s >= 0).all() and (u >= 0).all()):
        raise ValueError("seen and unseen must be accuracies, 0 or more, got a negative number or NaN")
    total = s + u
    mean = 2 * s * u / np.where(total > 0, total, 1)
    return mean if mean.ndim else float(mean)


class BestGamma(NamedTuple):
    """Where the harmonic mean is largest.

    Attributes:
        gamma: the middle of the gammas that give it (of the lowest stretch, if there are several); 0 if it is 0.
        harmonic_mean: of the two accuracies there.
        seen: accuracy on images of seen classes.
        unseen: accuracy on images of unseen classes.
    """

    gamma: float
    harmonic_mean: float
    seen: float
    unseen: float


class CurveSummary(NamedTuple):
    """The figures of a curve that get an interval.

    Attributes:
        area: AUSUC.
        harmonic_mean: the largest harmonic mean over all gammas.
    """

    area: float
    harmonic_mean: float


@dataclass(frozen=True)
class SeenUnseenCurve:
    """Both accuracies for every gamma, as a staircase: point i holds from gamma[i] on, up to gamma[i + 1].

    Attributes:
        gamma: (P,) float64 ascending, in the unit of the scores; the first is -inf.
        seen: (P,) float64, accuracy on images of seen classes; falls with gamma.
        unseen: (P,) float64, accuracy on images of unseen classes; grows with gamma.
    """

    gamma: FloatArray
    seen: FloatArray
    unseen: FloatArray

    @property
    def area(self) -> float:
        """AUSUC: the area under ``seen`` as a function of ``unseen``, by the trapezoid rule; from 0 to 1."""
        return float(_area(self.seen, self.unseen))

    @property
    def best(self) -> BestGamma:
        """Where the harmonic mean is largest; at gamma = 0 where it is 0 everywhere.

        Chosen on the images it is measured on, it flatters a little.
        """
        means = harmonic_mean(self.seen, self.unseen)
        i = int(np.argmax(means))
        if not means[i] > 0:
            return BestGamma(0.0, 0.0, *self.at(0.0))
        return BestGamma(self._middle(i), float(means[i]), float(self.seen[i]), float(self.unseen[i]))

    def at(self, gamma: float) -> tuple[float, float]:
        """The accuracies (seen, unseen) at one gamma; ``at(0)`` is that without calibration.

        Raises:
            ValueError: gamma is no number.
        """
        if np.isnan(gamma):
            raise ValueError("gamma must be a number, got NaN")
        i = int(np.searchsorted(self.gamma[1:], gamma, side="right"))
        return float(self.seen[i]), float(self.unseen[i])

    def _middle(self, i: int) -> float:
        """A gamma well inside stretch i, so that rounding a score does not leave it."""
        if len(self.gamma) == 1:
            return 0.0
        if i == 0:
            return float(np.nextafter(self.gamma[1], -np.inf))
        if i == len(self.gamma) - 1:
            return float(self.gamma[i])
        middle = self.gamma[i] + (self.gamma[i + 1] - self.gamma[i]) / 2
        return float(middle if middle < self.gamma[i + 1] else self.gamma[i])


class SeenUnseen:
    """Collects what the curve needs, chunk by chunk: 18 bytes an image, since every image is a step of the curve.

    Attributes:
        average: what accuracies average over.
    """

    def __init__(self, average: Average = "class") -> None:
        """Nothing collected yet; the argument is that of `seen_unseen_curve`."""
        self.average: Average = one_of(average, "average", AVERAGES)
        self._chunks: list[tuple[Any, ...]] = []

    @property
    def n_images(self) -> int:
        """Images collected so far."""
        return sum(len(chunk[0]) for chunk in self._chunks)

    def add(
        self,
        *,
        seen_scores: npt.ArrayLike,
        seen_labels: npt.ArrayLike,
        unseen_scores: npt.ArrayLike,
        unseen_labels: npt.ArrayLike,
        truth: npt.ArrayLike,
        is_seen: npt.ArrayLike,
    ) -> None:
        """Collects more images; the arguments are those of `seen_unseen_curve`."""
        true = integers(truth, "truth")
        if true.ndim != 1:
            raise ValueError(f"truth must have shape (N,), got {true.shape}")
        true = true_labels(truth, len(true))
        of_seen = flags(is_seen, "is_seen", len(true))
        best, answers = [], []
        for name, scores, labels in (("seen", seen_scores, seen_labels), ("unseen", unseen_scores, unseen_labels)):
            ids = integers(labels, f"{name}_labels")
            if ids.shape != true.shape:
                raise ValueError(f"{name}_labels must have shape {true.shape}, one per image, got {ids.shape}")
            best.append(scores_of(scores, f"{name}_scores", true.shape).astype(np.float64))
            answers.append(ids)
        hit = np.where(of_seen, answers[0], answers[1]) == true
        # An image without any answer is a miss wherever it stands; -inf less -inf would be no number.
        nowhere = np.isneginf(best[0]) & np.isneginf(best[1])
        margin = best[0] - np.where(nowhere, 0, best[1])
        self._chunks.append((margin, true, of_seen.copy(), hit & ~nowhere))

    def curve(self) -> SeenUnseenCurve:
        """The curve of all images collected so far.

        Raises:
            ValueError: There are no images of seen, or none of unseen classes.
        """
        steps = self._steps()
        ones = (np.ones((1, group.n_images), dtype=np.int64) for group in steps.groups)
        seen, unseen = steps.accuracies(*ones)
        return SeenUnseenCurve(steps.gamma, seen[0], unseen[0])

    def interval(self, confidence: float = 0.95, n_resamples: int = 1000, seed: int = 0) -> Interval:
        """Bootstrap intervals of area and best harmonic mean: two `CurveSummary`; see `bootstrap`.

        Images of seen and of unseen classes are drawn by themselves; each resample has its own best gamma. 1,000
        resamples of 3,000 images take 0.15 s, of 100,000 images 5 s.
        """
        steps = self._steps()

        def summary(seen_drawn: IntArray, unseen_drawn: IntArray) -> FloatArray:
            seen, unseen = steps.accuracies(seen_drawn, unseen_drawn)
            return np.stack([_area(seen, unseen), harmonic_mean(seen, unseen).max(axis=1)], axis=1)

        sizes = (group.n_images for group in steps.groups)
        low, high = bootstrap(summary, *sizes, confidence=confidence, n_resamples=n_resamples, seed=seed)
        return Interval(CurveSummary(*low.tolist()), CurveSummary(*high.tolist()))

    def _steps(self) -> _Steps:
        if not self._chunks:
            raise ValueError("there are no images, so there is no curve; add some first")
        margin, true, of_seen, hit = (np.concatenate(parts) for parts in zip(*self._chunks))
        for name, some in (("seen", of_seen), ("unseen", ~of_seen)):
            if not some.any():
                raise ValueError(f"is_seen must hold images of both kinds, got none of {name} classes")
        return _Steps(margin, true, of_seen, hit, self.average)


class _Group:
    """The images of seen or of unseen classes, in the order of their classes."""

    def __init__(self, margin: FloatArray, true: IntArray, hit: npt.NDArray[np.bool_], by_class: bool) -> None:
        self.order = np.argsort(true, kind="stable")
        self.n_images = len(true)
        self.margin, self.hit = margin[self.order], hit[self.order]
        _, self.first, self.class_of = np.unique(true[self.order], return_index=True, return_inverse=True)
        self.by_class = by_class

    def prepare(self, gamma: FloatArray) -> None:
        """Orders the hits by the stretch of gammas that ends them: where the unseen label wins for the first time."""
        stretch = np.searchsorted(gamma, self.margin[self.hit], side="left")
        self.hits = np.flatnonzero(self.hit)[np.argsort(stretch, kind="stable")]
        self.n_below = np.searchsorted(np.sort(stretch), np.arange(len(gamma)), side="right")

    def sums(self, drawn: IntArray) -> tuple[Any, Any]:
        """(B, H + 1) sums of the first hits' weights, and (B, 1) what to divide them by."""
        drawn = drawn[:, self.order]
        weights: npt.NDArray[Any] = drawn[:, self.hits]
        divisor = drawn.sum(axis=1)
        if self.by_class:
            images = np.add.reduceat(drawn, self.first, axis=1)
            weights = weights / np.maximum(images, 1)[:, self.class_of[self.hits]]
            divisor = (images > 0).sum(axis=1)
        start = np.zeros((len(drawn), 1), dtype=weights.dtype)
        return np.concatenate([start, weights], axis=1), divisor[:, np.newaxis]


class _Steps:
    """The gammas at which the curve steps, and the accuracies there for images that count several times."""

    def __init__(
        self,
        margin: FloatArray,
        true: IntArray,
        of_seen: npt.NDArray[np.bool_],
        hit: npt.NDArray[np.bool_],
        average: Average,
    ) -> None:
        finite = np.isfinite(margin) & hit
        self.gamma = np.concatenate([[-np.inf], np.unique(margin[finite])])
        by_class = average == "class"
        self.groups = tuple(_Group(margin[some], true[some], hit[some], by_class) for some in (of_seen, ~of_seen))
        for group in self.groups:
            group.prepare(self.gamma)

    def accuracies(self, seen_drawn: IntArray, unseen_drawn: IntArray) -> tuple[FloatArray, FloatArray]:
        """(B, P) each: the accuracy on images of seen and of unseen classes from each gamma on."""
        seen, unseen = self.groups
        # A seen image is hit before the gamma of its margin, an unseen one from there on. Both sums run from the end
        # where they are zero, so that they are exactly zero there.
        weights, divisor = seen.sums(seen_drawn)
        from_the_end = np.cumsum(weights[:, :0:-1], axis=1)
        from_the_end = np.concatenate([weights[:, :1], from_the_end], axis=1)
        seen_accuracy = from_the_end[:, len(seen.hits) - seen.n_below] / divisor
        weights, divisor = unseen.sums(unseen_drawn)
        return seen_accuracy, np.cumsum(weights, axis=1)[:, unseen.n_below] / divisor


def _area(seen: FloatArray, unseen: FloatArray) -> FloatArray:
    """The trapezoid rule along the last axis."""
    area: FloatArray = (np.diff(unseen) * (seen[..., 1:] + seen[..., :-1]) / 2).sum(axis=-1)
    return area


def seen_unseen_curve(
    *,
    seen_scores: npt.ArrayLike,
    seen_labels: npt.ArrayLike,
    unseen_scores: npt.ArrayLike,
    unseen_labels: npt.ArrayLike,
    truth: npt.ArrayLike,
    is_seen: npt.ArrayLike,
    average: Average = "class",
) -> SeenUnseenCurve:
    """Both accuracies for every gamma, from the best seen and the best unseen label of each image.

    Source and ambiguities: see `conse_fast.metrics.generalised`. Sorting the images' margins gives all gammas at once.

    Args:
        seen_scores: (N,) floats, the best score among the seen labels; -inf where none ranks.
        seen_labels: (N,) integers, the label that has it; -1 where none ranks.
        unseen_scores: (N,) floats, the best score among the unseen labels; -inf where none ranks.
        unseen_labels: (N,) integers, the label that has it; -1 where none ranks.
        truth: (N,) integers, the true label: an id as in ``seen_labels`` or as in ``unseen_labels``, whichever
            ``is_seen`` says. The two may be numbered together or each from 0.
        is_seen: (N,) bool, whether the true label is a seen one.
        average: ``"class"``: the mean over classes of the share of hits; ``"image"``: the share of hits.

    Returns:
        A `SeenUnseenCurve`: ``area`` is AUSUC, ``best`` the best harmonic mean with its gamma.

    Raises:
        TypeError: An argument has another type.
        ValueError: Shapes do not fit, a true label is missing (-1), a score is NaN, or one kind of images is absent.
    """
    collected = SeenUnseen(average)
    collected.add(
        seen_scores=seen_scores,
        seen_labels=seen_labels,
        unseen_scores=unseen_scores,
        unseen_labels=unseen_labels,
        truth=truth,
        is_seen=is_seen,
    )
    return collected.curve()
