"""Bootstrap confidence intervals: how far a figure could have been off with other images of the same kind.

The percentile interval (Efron 1979, *Annals of Statistics* 7; Efron and Tibshirani 1993, *An Introduction to the
Bootstrap*, section 13.3): draw as many images as there are, with replacement, compute the figure of each such
resample, and report the quantiles of those figures. It says what other *images* would change; it says nothing about
other classifiers, embeddings or labels. At a share of exactly 0 or 1 all resamples agree and the interval has no
width, which is too narrow: with 0 hits of N the share is below 3 / N at 95 %.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from conse_fast._arrays import count, integers, real
from conse_fast.metrics._checks import FloatArray, IntArray, some_images

_CELLS_AT_ONCE = 1 << 21  # 16 MB of counts; the draws do not depend on it


class Interval(NamedTuple):
    """A confidence interval.

    Attributes:
        low: the lower end: a float, an array or a tuple of them, as the figure is.
        high: the upper end.
    """

    low: Any
    high: Any


def bootstrap(
    statistic: Callable[..., Any],
    *counts: int | IntArray,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """The percentile bootstrap of any figure that can be computed from how often each image is drawn.

    Images that count alike may be given as one group: drawing n images that fall into groups is a multinomial draw,
    so that 100,000 images that are hits or misses cost two cells a resample. The same seed gives the same interval.

    Two rankings of the same images, ``a`` and ``b`` of 0 or 1 each, differ if this interval leaves out 0:

        bootstrap(lambda drawn: drawn @ (a - b) / len(a), len(a))

    Args:
        statistic: is given one (B, R) int64 array for each of ``counts``: how often each image, or group of images,
            is in each of B resamples. Returns (B,) or (B, M) numbers.
        counts: one for each set of images that is drawn by itself (most figures need one; seen and unseen images are
            two): its number of images (R is that number), or (R,) integers, how many images each group holds.
        confidence: share of the distribution between both ends, above 0 and below 1.
        n_resamples: how many times the images are drawn.
        seed: where the random numbers begin.

    Returns:
        An `Interval` of two floats, or of two (M,) float64 arrays.

    Raises:
        TypeError: An argument has another type.
        ValueError: There are no images, a value is out of range, or the statistic is not a number somewhere.
    """
    share = confidence_level(confidence)
    groups = [_group_sizes(each) for each in counts]
    if not groups:
        raise ValueError("counts must hold at least one set of images, got none")
    n_resamples = count(n_resamples, "n_resamples")
    rng = np.random.default_rng(whole_seed(seed))
    chunk = max(1, _CELLS_AT_ONCE // max(_n_groups(each) for each in groups))
    figures = []
    for first in range(0, n_resamples, chunk):
        size = min(chunk, n_resamples - first)
        figures.append(np.asarray(statistic(*(_draw(each, size, rng) for each in groups)), dtype=np.float64))
    every = np.concatenate(figures)
    if not np.isfinite(every).all():
        raise ValueError("statistic must give finite numbers for every resample, got NaN or inf; say what 0 / 0 means")
    low, high = np.quantile(every, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return Interval(low, high) if every.ndim > 1 else Interval(float(low), float(high))


def interval_of_shares(histograms: Iterator[IntArray], values: Iterator[FloatArray], **options: Any) -> Interval:
    """The intervals of several means, each known by how many images have which value: (K,) lows and highs."""
    ends = [
        bootstrap(lambda drawn, value=value: drawn @ value / drawn.sum(axis=1), histogram, **options)
        for histogram, value in zip(histograms, values)
    ]
    return Interval(np.array([end.low for end in ends]), np.array([end.high for end in ends]))


def confidence_level(value: object) -> float:
    """The share of an interval, above 0 and below 1."""
    share = real(value, "confidence")
    if not 0 < share < 1:
        raise ValueError(f"confidence must be above 0 and below 1, got {value}; 95 % is 0.95")
    return share


def whole_seed(value: object) -> int:
    """A seed, which is a whole number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"seed must be an integer, got {value!r}")
    if value < 0:
        raise ValueError(f"seed must be at least 0, got {value}")
    return int(value)


def _group_sizes(counts: object) -> int | IntArray:
    if isinstance(counts, numbers.Integral):
        return some_images(int(counts))
    sizes = integers(counts, "counts")
    if sizes.ndim != 1:
        raise ValueError(f"counts must be a number of images or have shape (R,), got {sizes.shape}")
    if sizes.size and sizes.min() < 0:
        raise ValueError(f"counts must not be negative, got {sizes.min()}")
    some_images(int(sizes.sum()))
    return sizes.astype(np.int64)


def _n_groups(counts: int | IntArray) -> int:
    return counts if isinstance(counts, int) else len(counts)


def _draw(counts: int | IntArray, size: int, rng: np.random.Generator) -> IntArray:
    """(size, R) int64: how often each image or group is in each resample."""
    if not isinstance(counts, int):
        total = counts.sum()
        return rng.multinomial(total, counts / total, size=size).astype(np.int64, copy=False)
    drawn = rng.integers(counts, size=(size, counts)) + counts * np.arange(size)[:, np.newaxis]
    return np.bincount(drawn.ravel(), minlength=size * counts).reshape(size, counts).astype(np.int64, copy=False)
