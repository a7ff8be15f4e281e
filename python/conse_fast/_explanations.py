"""What an index tells about single scores and labels: how high, why, what is near, what is reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from conse_fast import _arrays, _candidates
from conse_fast._explanation import Explanation, Texts
from conse_fast._index_labels import IndexLabels
from conse_fast._label_texts import strings_of
from conse_fast._primitives import top_k
from conse_fast._ranking import Ranking
from conse_fast._reachability import Reachability

if TYPE_CHECKING:
    from typing import Union

    from conse_fast._candidates import AnyCandidates

    AnyLabels = Union[npt.ArrayLike, str, Sequence[str]]

_LABELS_AT_ONCE = 4096  # whose cosines with all classes are held


class IndexExplanations(IndexLabels):
    """Scores of given labels, and what they come from."""

    def score_of(
        self,
        probabilities: npt.ArrayLike,
        pairs: npt.ArrayLike,
        top_t: int | None = 10,
        *,
        seen_penalty: float = 0.0,
        form: Literal["cosine", "dot"] = "cosine",
        n_threads: int | None = None,
    ) -> npt.NDArray[np.float32]:
        """The scores of given labels for given images, with the bits that `rank` gives them.

        Args:
            probabilities: As in `rank`, as are the arguments behind ``pairs``.
            pairs: (M, 2) integers, an image and a label each, in any order; (M,) label ids for a single image (C,).
            top_t: Kept classes per image; None: all.
            seen_penalty: What seen labels are set back by.
            form: ``"cosine"`` or ``"dot"``.
            n_threads: At most so many threads; None: `conse_fast.max_threads`.

        Returns:
            (M,) float32; -inf where `rank` would leave the label out: it has no vector, or the image no direction.

        Raises:
            TypeError: A wrong dtype or type.
            ValueError: A wrong shape or value, an image or a label that is not there.
        """
        rows, single = _arrays.rows(probabilities, "probabilities")
        t, n = _arrays.terms(top_t, self._info["n_classes"]), _arrays.threads(n_threads)
        places = _arrays.pairs(pairs, "pairs", single)
        scores = np.empty(len(places), np.float32)
        what = _candidates.options(self, None, None, seen_penalty, form, len(rows), single)
        self._handle.score_of(rows, t, places, scores, n, what)
        return scores

    def explain(
        self,
        probabilities: npt.ArrayLike,
        labels: AnyLabels,
        top_t: int | None = 10,
        *,
        form: Literal["cosine", "dot"] = "cosine",
        seen_penalty: float = 0.0,
        n_threads: int | None = None,
    ) -> Explanation:
        """Takes the scores of some labels apart, class by class: they are sums over the kept classes.

        Args:
            probabilities: (C,) or (N, C), as in `ConseIndex.rank`; for logits, their softmax.
            labels: One label, by its id, id string or unique name; (M,) of them for all images; or (N, M) ids for each,
                such as the indices of a ranking. -1, no label, has no score.
            top_t: Kept classes per image; None: all.
            form: As in `ConseIndex.rank`, as is the next one.
            seen_penalty: What seen labels are set back by.
            n_threads: At most so many threads; None: `conse_fast.max_threads`.

        Returns:
            `Explanation`: 16 bytes for each image, label and kept class.

        Raises:
            TypeError: A wrong dtype or type.
            ValueError: A wrong shape or value, a label that there is not, a name of several labels.
        """
        core = self._handle
        rows, single = _arrays.rows(probabilities, "probabilities")
        t = _arrays.terms(top_t, self.n_classes)
        _, _, penalty, dot = _candidates.options(self, None, None, seen_penalty, form, len(rows), single)
        ids = _labels_of_rows(_label_ids(self, labels).copy(), len(rows), single)  # the explanation's own
        of_images, kept = ids.shape[: 0 if single else 1], min(t, self.n_classes)
        classes, shares = np.empty((*of_images, kept), np.int64), np.empty((*of_images, kept), np.float64)
        scores = np.empty(ids.shape, np.float32)
        similarities, contributions = (np.empty((*ids.shape, kept), np.float64) for _ in range(2))
        by_row = ids.reshape(len(rows), ids.shape[-1] if ids.ndim > len(of_images) else 1)
        results = (classes, shares, scores, similarities, contributions)
        core.explain(rows, t, by_row, results, _arrays.threads(n_threads), penalty, dot)
        is_set_back = (self.label_class[ids] >= 0) & (ids >= 0) & (scores != -np.inf)
        penalties = np.where(is_set_back, penalty, 0.0)
        return Explanation(self._all_texts(), ids, scores, classes, shares, similarities, contributions, penalties)

    def nearest_classes(self, labels: AnyLabels, k: int = 10, *, n_threads: int | None = None) -> Ranking:
        """The seen classes that are nearest to some labels, by the cosine of their embeddings.

        Args:
            labels: One label, by its id, id string or unique name; (M,) of these; or an array of ids of any shape.
            k: Classes per label.
            n_threads: At most so many threads; None: `conse_fast.max_threads`.

        Returns:
            `Ranking` of cosines and class ids, of the shape of ``labels`` and (k,), ordered by (cosine descending,
            class id ascending); of several vectors of a label the nearest counts. A class or label without a vector is
            near nothing: -inf and -1. Its names are those of the classes.

        Raises:
            TypeError: A wrong type.
            ValueError: A label that there is not, a name of several labels, k below 1.
        """
        core = self._handle
        ids = _label_ids(self, labels)
        k, n = _arrays.count(k, "k"), _arrays.threads(n_threads)
        scores, indices = np.empty((ids.size, k), np.float32), np.empty((ids.size, k), np.int64)
        flat = ids.reshape(-1)
        for first in range(0, ids.size, _LABELS_AT_ONCE):
            part = flat[first : first + _LABELS_AT_ONCE]
            cosines = np.empty((len(part), self.n_classes), np.float32)
            core.class_cosines(part, cosines, n)
            found = slice(first, first + len(part))
            top_k(cosines, k, n_threads=n_threads, out=(scores[found], indices[found]))
        indices[scores == -np.inf] = -1
        shape = (*ids.shape, k)
        return Ranking(scores.reshape(shape), indices.reshape(shape), self.class_names)

    def reachability(
        self, k: int = 10, candidates: AnyCandidates = None, *, n_threads: int | None = None
    ) -> Reachability:
        """Which labels the seen classes reach, before any image arrives: each class alone ranks its k best labels.

        Args:
            k: Labels per class.
            candidates: The labels that may be ranked, as in `ConseIndex.rank` for all images; None: all.
            n_threads: At most so many threads; None: `conse_fast.max_threads`.

        Returns:
            `Reachability`: how many classes rank each label, those that none ranks, those that crowd.

        Raises:
            TypeError, ValueError: As `ConseIndex.rank`.
        """
        core = self._handle
        what = _candidates.options(self, candidates, None, 0.0, "cosine", self.n_classes, False)
        chosen = _candidates.prepare(self, candidates, None)
        k = _arrays.count(k, "k")
        shape = (self.n_classes, min(k, self.n_labels))
        scores, indices = np.empty(shape, np.float32), np.empty(shape, np.int64)
        classes, weights = np.arange(self.n_classes)[:, np.newaxis], np.ones((self.n_classes, 1), np.float32)
        core.rank_pairs(classes, weights, scores, indices, _arrays.threads(n_threads), what)
        counts = np.bincount(indices[indices >= 0], minlength=self.n_labels)
        has_vector = core.rows_per_label() > 0
        crowding = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
        unreached = np.flatnonzero(chosen.mask & has_vector & (counts == 0))
        without_vector = np.flatnonzero(chosen.mask & ~has_vector)
        n_ranking = int(np.count_nonzero(indices[:, 0] >= 0))
        return Reachability(self._all_texts(), k, n_ranking, counts, crowding, unreached, without_vector)

    def _all_texts(self) -> Texts:
        return Texts(self.class_names, self.label_names)


def _label_ids(index: IndexLabels, labels: object) -> npt.NDArray[np.int64]:
    """Label ids in the shape of what was given: an id or string, or arrays or sequences of them."""
    if isinstance(labels, str):
        return index.find(labels).reshape(())
    if strings_of(labels) is not None:
        return index._label_texts().find(labels, "labels")
    array = _arrays.as_array(labels, "labels")
    return _arrays.ids(array, "labels", array.shape).reshape(array.shape)


def _labels_of_rows(ids: npt.NDArray[np.int64], n_rows: int, single: bool) -> npt.NDArray[np.int64]:
    """The labels of each image, in the shape of their scores."""
    if ids.ndim == 2:
        _arrays.require_row_for_each(ids, "labels", None if single else n_rows)
        return ids
    if ids.ndim > 2:
        raise ValueError(f"labels must be one label, (M,) or (N, M), got shape {ids.shape}")
    shape = ids.shape if single else (n_rows, *ids.shape)
    return np.ascontiguousarray(np.broadcast_to(ids, shape)).reshape(shape)
