"""What ranking returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from conse_fast._arrays import Array
    from conse_fast._names import Names

    _Arrays = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
else:
    _Arrays = tuple


class Ranking(_Arrays):
    """Scores and label ids, best first: ``scores, indices = ranking``.

    Attributes:
        scores: (k,) or (N, k) float32, descending; -inf where fewer than k labels qualify.
        indices: int64 label ids of the same shape, ascending among equal scores; -1 where there is none.
    """

    _label_names: Names | None = None

    def __new__(cls, scores: Array, indices: Array, label_names: Names | None = None) -> Ranking:
        """A ranking of these arrays; ``label_names`` is what `names` reads from."""
        self = tuple.__new__(cls, (scores, indices))
        self._label_names = label_names
        return self

    @property
    def scores(self) -> npt.NDArray[np.float32]:
        """(k,) or (N, k) float32, descending."""
        return self[0]

    @property
    def indices(self) -> npt.NDArray[np.int64]:
        """(k,) or (N, k) int64 label ids."""
        return self[1]

    @property
    def names(self) -> npt.NDArray[np.object_]:
        """Label names in the shape of `indices`, ``""`` for -1.

        Raises:
            ValueError: The labels have no names.
        """
        if self._label_names is None:
            raise ValueError(
                "this ranking carries no names: its index has none (give label_names, or class_names for nearest "
                "classes, to ConseIndex.build), or it was pickled"
            )
        return self._label_names[self.indices]

    def __repr__(self) -> str:
        return f"Ranking(scores={self.scores!r}, indices={self.indices!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Ranking, (self.scores, self.indices)

    def __copy__(self) -> Ranking:
        return Ranking(self.scores, self.indices, self._label_names)

    def __deepcopy__(self, memo: object) -> Ranking:
        return Ranking(self.scores.copy(), self.indices.copy(), self._label_names)


class BestSeenAndUnseen(NamedTuple):
    """The best label of either kind for each image, as `conse_fast.metrics.seen_unseen_curve` takes them.

    Attributes:
        seen_scores: float32, the best score among the seen labels; -inf where none ranks.
        seen_labels: int64, the label that has it; -1 where none ranks.
        unseen_scores: float32, the best score among the unseen labels; -inf where none ranks.
        unseen_labels: int64, the label that has it; -1 where none ranks.
    """

    seen_scores: npt.NDArray[np.float32]
    seen_labels: npt.NDArray[np.int64]
    unseen_scores: npt.NDArray[np.float32]
    unseen_labels: npt.NDArray[np.int64]
