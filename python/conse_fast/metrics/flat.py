"""Flat hit@k: is the true label among the best k?

Source: Frome et al. 2013 (*DeViSE*, NeurIPS), section 4: the share of test images for which the one true label is among
the model's top k predictions; Norouzi et al. 2013 (ConSE, arXiv 1312.5650) report the same in their experiments.
Neither says what equal scores mean, and with word vectors they are common: labels without a word of their own borrow
one. Published programs mostly take the order that a sort happens to leave. Here the caller says it, see `Ties`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from conse_fast._arrays import count
from conse_fast.metrics._checks import (
    Cutoffs,
    FloatArray,
    IntArray,
    cutoffs,
    descending,
    is_single,
    one_of,
    ranked_labels,
    scores_of,
    some_images,
    true_labels,
)
from conse_fast.metrics.intervals import Interval, interval_of_shares

Ties = Literal["label_id", "half", "pessimistic"]
"""What labels count that have the same score as the true one.

- ``"label_id"``: those with a lower id stand before it: the order in which an index returns them.
- ``"half"``: half of them stand before it.
- ``"pessimistic"``: all of them stand before it.
"""

TIES: tuple[Ties, ...] = ("label_id", "half", "pessimistic")


@dataclass(frozen=True)
class Places:
    """Where each image's true label stands among the labels; place 0 is the best.

    Attributes:
        better: (N,) int64 labels with a larger score; the number of columns for a true label that never ranks.
        tied: (N,) int64 other labels with the same score.
        by_id: (N,) int64 labels before it when equal scores are ordered by label id, as rankings are; the number of
            columns where it is not in the ranking.
        is_open: (N,) bool: the ranking ends within or before the scores equal to the true label's, so that there may be
            more of them than ``tied``.
    """

    better: IntArray
    tied: IntArray
    by_id: IntArray
    is_open: npt.NDArray[np.bool_]

    def hits(self, k: int, ties: Ties = "label_id") -> npt.NDArray[np.bool_]:
        """Whether each true label is among the best k: (N,) bool.

        Raises:
            ValueError: The ranking is too short to tell, since equal scores may go on behind its end.
        """
        k = count(k, "k")
        if one_of(ties, "ties", TIES) == "label_id":
            return self.by_id < k
        place = self.better + self.tied / (2 if ties == "half" else 1)
        hits: npt.NDArray[np.bool_] = place < k
        if (hits & self.is_open).any():
            image = int(np.argmax(hits & self.is_open))
            enough = 2 * k + 1 if ties == "half" else k + 1
            raise ValueError(
                f"indices must reach behind the labels that score like the true one for ties={ties!r}, but the row of "
                f"image {image} ends among them; rank {enough} labels for k={k}, which always suffice (or, if all "
                "labels are ranked already, say so with n_labels)"
            )
        return hits

    def hit_at_k(self, k: int, ties: Ties = "label_id") -> float:
        """The share of images whose true label is among the best k."""
        some_images(len(self.better))
        return float(np.mean(self.hits(k, ties)))

    @staticmethod
    def joined(parts: Sequence[Places]) -> Places:
        """The places of several chunks of images, one after the other."""
        names = ("better", "tied", "by_id", "is_open")
        return Places(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def find_places(
    scores: npt.ArrayLike, indices: npt.ArrayLike, truth: npt.ArrayLike, n_labels: int | None = None
) -> Places:
    """Finds each image's true label in its ranking, with the labels that score better and the same.

    Args:
        scores: (N, M) floats, descending along each row, as `Ranking.scores`; -inf where ``indices`` is -1.
        indices: (N, M) integers, label ids of these scores, -1 where there is none.
        truth: (N,) integers, the true label of each image.
        n_labels: number of labels that were ranked, if known: a ranking of all of them hides no equal scores.

    Returns:
        `Places`; 25 bytes an image.

    Raises:
        TypeError: An argument has another type.
        ValueError: Shapes do not fit, a true label is missing (-1), or scores do not descend.
    """
    labels = ranked_labels(indices)
    values = scores_of(scores, "scores", labels.shape)
    descending(values)
    true = true_labels(truth, len(labels))[:, np.newaxis]
    n_columns = labels.shape[1]
    is_true = labels == true
    listed = is_true.any(axis=1)
    full = labels[:, -1] >= 0
    # A true label behind the end of a full row scores like the last one at best: that is where it is looked for.
    place = np.where(listed, is_true.argmax(axis=1), n_columns - 1)
    its_score = np.take_along_axis(values, place[:, np.newaxis], axis=1)
    same = (values == its_score) & (labels >= 0)
    better = (values > its_score).sum(axis=1)
    tied = same.sum(axis=1) - listed
    complete = n_labels is not None and n_columns >= count(n_labels, "n_labels")
    is_open = (same[:, -1] | ~listed) & full & (not complete)
    never = ~listed & ~is_open
    better[never], tied[never] = n_columns, 0
    return Places(better, tied, np.where(listed, place, n_columns), is_open)


class HitAtK:
    """Counts hits chunk by chunk: memory does not grow with the images.

    Attributes:
        k: (K,) int64, the cut-offs in the given order.
        ties: what equal scores count.
        n_images: images counted so far.
    """

    def __init__(self, k: Cutoffs, ties: Ties = "label_id", n_labels: int | None = None) -> None:
        """Nothing counted yet; the arguments are those of `hit_at_k`."""
        self.k = cutoffs(k)
        self.ties: Ties = one_of(ties, "ties", TIES)
        self.n_images = 0
        self._n_labels = n_labels
        self._hits = np.zeros(len(self.k), dtype=np.int64)

    def add(self, indices: npt.ArrayLike, truth: npt.ArrayLike, scores: npt.ArrayLike | None = None) -> None:
        """Counts the hits of more images; the arguments are those of `hit_at_k`."""
        labels = ranked_labels(indices, int(self.k.max()))
        if self.ties == "label_id":
            found = labels == true_labels(truth, len(labels))[:, np.newaxis]
            hits = [found[:, :k].any(axis=1).sum() for k in self.k]
        elif scores is None:
            raise ValueError(f"scores must be given with ties={self.ties!r}: equal scores are not seen in indices")
        else:
            places = find_places(scores, labels, truth, self._n_labels)
            hits = [places.hits(k, self.ties).sum() for k in self.k.tolist()]
        self._hits += hits
        self.n_images += len(labels)

    def result(self) -> FloatArray:
        """hit@k for each k: (K,) float64, shares from 0 to 1."""
        return self._hits / some_images(self.n_images)

    def interval(self, confidence: float = 0.95, n_resamples: int = 1000, seed: int = 0) -> Interval:
        """Bootstrap intervals of `result` over the images: two (K,) arrays; see `bootstrap`."""
        histograms = (np.array([some_images(self.n_images) - hits, hits]) for hits in self._hits)
        values = (np.array([0.0, 1.0]) for _ in self.k)
        return interval_of_shares(histograms, values, confidence=confidence, n_resamples=n_resamples, seed=seed)


@overload
def hit_at_k(
    indices: npt.ArrayLike,
    truth: npt.ArrayLike,
    k: int,
    *,
    scores: npt.ArrayLike | None = None,
    ties: Ties = "label_id",
    n_labels: int | None = None,
) -> float: ...


@overload
def hit_at_k(
    indices: npt.ArrayLike,
    truth: npt.ArrayLike,
    k: Sequence[int] | IntArray,
    *,
    scores: npt.ArrayLike | None = None,
    ties: Ties = "label_id",
    n_labels: int | None = None,
) -> FloatArray: ...


def hit_at_k(
    indices: npt.ArrayLike,
    truth: npt.ArrayLike,
    k: Cutoffs,
    *,
    scores: npt.ArrayLike | None = None,
    ties: Ties = "label_id",
    n_labels: int | None = None,
) -> Any:
    """The share of images whose true label is among the best k (flat hit@k, Frome et al. 2013, section 4).

    Source and ambiguities: see `conse_fast.metrics.flat`. An image without an answer (a row of -1) is a miss, and
    so is one whose true label is no candidate: a caller who wants such images left out leaves them out.

    Args:
        indices: (N, M) integers, label ids, best first, as `Ranking.indices`; -1 where there is none. M >= k.
        truth: (N,) integers, the true label of each image.
        k: one cut-off or several, each >= 1.
        scores: (N, M) floats, the labels' scores; only for ``ties`` other than ``"label_id"``.
        ties: what labels count that have the same score as the true one, see `Ties`. For ``"half"`` and
            ``"pessimistic"`` the ranking must reach behind equal scores wherever that decides: M > 2 k for
            ``"half"`` and M > k for ``"pessimistic"`` always do.
        n_labels: number of labels that were ranked; tells that a ranking of all of them hides no equal scores.

    Returns:
        A float from 0 to 1 for one k; a (K,) float64 array for several.

    Raises:
        TypeError: An argument has another type.
        ValueError: Shapes do not fit, a true label is missing (-1), there are no images, or the ranking is too short.
    """
    counter = HitAtK(k, ties, n_labels)
    counter.add(indices, truth, scores)
    return float(counter.result()[0]) if is_single(k) else counter.result()
