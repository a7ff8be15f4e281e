"""What an evaluation found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from conse_fast.metrics import SeenUnseenCurve


class Figure(NamedTuple):
    """One number.

    Attributes:
        label_set: the set of labels that were ranked.
        top_t: classes that were kept; None: all.
        metric: its name, see `conse_fast.evaluation`.
        k: the cut-off; None for a metric without one.
        value: a share from 0 to 1; for ``"best_gamma"`` a difference of scores.
        low: the lower end of its confidence interval; None where there is none.
        high: the upper end.
        n_images: the images it is a figure of.
    """

    label_set: str
    top_t: int | None
    metric: str
    k: int | None
    value: float
    low: float | None
    high: float | None
    n_images: int


class SetFacts(NamedTuple):
    """A set of labels and its images.

    Attributes:
        name: as the caller calls it.
        n_labels: labels that are ranked.
        n_seen_labels: of these, labels that are seen classes.
        n_images: images that count.
        n_left_out: images that do not, their true label being none of the set.
    """

    name: str
    n_labels: int
    n_seen_labels: int
    n_images: int
    n_left_out: int


class Curve(NamedTuple):
    """The seen-unseen curve of a set of labels with both kinds.

    Attributes:
        label_set: the set of labels.
        top_t: classes that were kept; None: all.
        points: both accuracies for every gamma.
        n_seen_images: images of seen classes.
        n_unseen_images: images of unseen classes in the set.
    """

    label_set: str
    top_t: int | None
    points: SeenUnseenCurve
    n_seen_images: int
    n_unseen_images: int


@dataclass(frozen=True)
class Evaluation:
    """All figures of one pass over the images.

    Attributes:
        truth: ``"single-label"`` or ``"multi-label"``.
        n_images: images that were ranked.
        label_sets: what was ranked, in the order of the caller.
        figures: every number, by label set, T, metric and k.
        curves: the seen-unseen curves; none for multi-label truth.
        notes: which metrics are missing, and what they would need.
        settings: how it was done, as plain values.
    """

    truth: str
    n_images: int
    label_sets: tuple[SetFacts, ...]
    figures: tuple[Figure, ...]
    curves: tuple[Curve, ...]
    notes: tuple[str, ...]
    settings: dict[str, Any]

    def figure(self, label_set: str, metric: str, top_t: int | None, k: int | None = None) -> Figure:
        """One figure.

        Raises:
            KeyError: There is no such figure.
        """
        for figure in self.figures:
            if (figure.label_set, figure.metric, figure.top_t, figure.k) == (label_set, metric, top_t, k):
                return figure
        raise KeyError(f"no figure {metric!r} of {label_set!r} with top_t={top_t}, k={k}")

    def as_dict(self) -> dict[str, Any]:
        """All but the points of the curves, as plain values for JSON; ``top_t`` is null where all classes are kept."""
        return {
            "truth": self.truth,
            "n_images": self.n_images,
            "settings": dict(self.settings),
            "label_sets": [facts._asdict() for facts in self.label_sets],
            "figures": [figure._asdict() for figure in self.figures],
            "notes": list(self.notes),
        }
