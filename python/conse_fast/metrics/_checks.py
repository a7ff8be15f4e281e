"""What the metrics' arguments must look like, and the words for when they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, Union

import numpy as np
import numpy.typing as npt

from conse_fast._arrays import as_array, count, integers

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Cutoffs = Union[int, Sequence[int], IntArray]

_Name = TypeVar("_Name", bound=str)


def cutoffs(k: Cutoffs) -> IntArray:
    """One k or several, as (K,) int64 in the given order."""
    several = k.tolist() if isinstance(k, np.ndarray) else k
    if not isinstance(several, Sequence):
        return np.array([count(several, "k")], dtype=np.int64)
    if isinstance(several, str):
        raise TypeError(f"k must be an integer or a sequence of them, got {several!r}")
    if not len(several):
        raise ValueError("k must name at least one cut-off, got an empty sequence")
    return np.array([count(each, "k") for each in several], dtype=np.int64)


def is_single(k: Cutoffs) -> bool:
    """Whether one figure was asked for, not an array of them."""
    return not isinstance(k, Sequence) and np.ndim(k) == 0


def ranked_labels(indices: object, width: int = 1, argument: str = "indices") -> IntArray:
    """(N, M) label ids, best first, -1 where there is none; at least ``width`` columns."""
    array = integers(indices, argument)
    if array.ndim != 2:
        cure = f"; a single image is one row: {argument}[np.newaxis]" if array.ndim == 1 else ""
        raise ValueError(f"{argument} must have shape (N, M), got {array.shape}{cure}")
    if array.shape[1] < width:
        raise ValueError(
            f"{argument} must have at least {width} columns for k={width}, got {array.shape[1]}; rank {width} labels"
        )
    array = array.astype(np.int64, copy=False)
    if array.size and array.min() < -1:
        raise ValueError(f"{argument} must hold label ids, or -1 where there is none, got {array.min()}")
    return array


def no_repeats(indices: IntArray, argument: str = "indices") -> None:
    """Refuses a label that stands twice in a row, since its places would be counted twice."""
    ordered = np.sort(indices, axis=1)
    repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if repeated.any():
        row, column = np.argwhere(repeated)[0]
        raise ValueError(f"{argument} must name a label once per image, got {ordered[row, column]} twice in row {row}")


def true_labels(truth: object, n_images: int, argument: str = "truth") -> IntArray:
    """(N,) ids of the true labels; a missing one is an error, since silence would change the share."""
    array = integers(truth, argument)
    if array.shape != (n_images,):
        raise ValueError(f"{argument} must have shape ({n_images},), one label per image, got {array.shape}")
    array = array.astype(np.int64, copy=False)
    if array.size and array.min() < 0:
        image = int(np.argmax(array < 0))
        raise ValueError(
            f"{argument} must name the true label of every image, got {array[image]} for image {image}; "
            f"leave such images out: keep = {argument} >= 0"
        )
    return array


def truth_below(truth: IntArray, n_labels: int, argument: str = "truth") -> None:
    """Refuses a true label that is no label at all."""
    if truth.size and truth.max() >= n_labels:
        image = int(np.argmax(truth >= n_labels))
        raise ValueError(f"{argument} must hold ids below {n_labels}, got {truth[image]} for image {image}")


def scores_of(scores: object, argument: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Scores of this shape, float32 or float64; -inf stands for "never ranked", NaN and +inf are errors."""
    array = as_array(scores, argument)
    if array.dtype.kind != "f":
        raise TypeError(f"{argument} must hold floats, got {array.dtype}; convert it: {argument}.astype(np.float32)")
    if array.shape != shape:
        raise ValueError(f"{argument} must have shape {shape}, got {array.shape}")
    if np.isnan(array).any() or np.isposinf(array).any():
        raise ValueError(f"{argument} must hold finite numbers, or -inf for a label that never ranks, got NaN or inf")
    return array.astype(np.float32) if array.dtype == np.float16 else array


def descending(scores: npt.NDArray[Any], argument: str = "scores") -> None:
    """Refuses rows that do not descend: their columns are not places."""
    if (scores[:, 1:] > scores[:, :-1]).any():
        raise ValueError(f"{argument} must descend along each row, best first; got scores in another order")


def flags(x: object, argument: str, n_images: int) -> npt.NDArray[np.bool_]:
    """(N,) booleans."""
    array = as_array(x, argument)
    if array.dtype != np.bool_:
        raise TypeError(f"{argument} must be bool, got {array.dtype}; convert it: {argument}.astype(bool)")
    if array.shape != (n_images,):
        raise ValueError(f"{argument} must have shape ({n_images},), one per image, got {array.shape}")
    return array


def verified_labels(labels: object, argument: str = "labels") -> npt.NDArray[np.int8]:
    """(N, L) of +1 (present), -1 (absent), 0 (nobody looked)."""
    array = as_array(labels, argument)
    cure = f"where 0 means absent: np.where({argument}, 1, -1)"
    if array.dtype.kind not in "iu":
        raise TypeError(f"{argument} must hold the integers +1, -1 and 0 (unverified), got {array.dtype}; {cure}")
    if array.ndim != 2:
        raise ValueError(f"{argument} must have shape (N, L), got {array.shape}")
    if array.size and (array.min() < -1 or array.max() > 1):
        raise ValueError(
            f"{argument} must hold +1, -1 and 0 (unverified), got values from {array.min()} to {array.max()}"
        )
    return array.astype(np.int8, copy=False)


def one_of(value: object, argument: str, names: Sequence[_Name]) -> _Name:
    """One of these words."""
    for name in names:
        if value == name:
            return name
    raise ValueError(f"{argument} must be one of {', '.join(map(repr, names))}, got {value!r}")


def some_images(n_images: int) -> int:
    """The number of images, which a share of them needs."""
    if n_images < 1:
        raise ValueError("there are no images, so their share is undefined; expected at least one")
    return n_images
