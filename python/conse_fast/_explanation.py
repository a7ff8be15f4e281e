"""What explaining returns: scores taken apart, and why one label and not another."""

from __future__ import annotations

import operator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from conse_fast._names import Names

_N_SHOWN = 10  # classes in a text


@dataclass(frozen=True)
class Texts:
    """The names of an index, as far as it has any."""

    class_names: Names | None = None
    label_names: Names | None = None

    def of_class(self, class_id: int) -> str:
        """The name of a class, or its id in words."""
        return f"class {class_id}" if self.class_names is None else self.class_names[class_id]

    def of_label(self, label: int) -> str:
        """The name and id of a label."""
        if label < 0:
            return "no label"
        return f"label {label}" if self.label_names is None else f"{self.label_names[label]} (label {label})"


def _named(names: Names | None, ids: npt.NDArray[np.int64], whose: str) -> npt.NDArray[np.object_]:
    if names is None:
        raise ValueError(
            f"there are no {whose} names: the index has none (give {whose}_names to ConseIndex.build), "
            "or this was pickled"
        )
    return names[ids]


@dataclass(frozen=True, eq=False, repr=False)
class Named:
    """A result with the names of its index, which do not go into a pickle."""

    texts: Texts

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "texts": Texts()}


@dataclass(frozen=True, eq=False, repr=False)
class _OfClasses(Named):
    """Numbers that belong to labels and to the kept classes of an image."""

    labels: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]
    similarities: npt.NDArray[np.float64]

    @property
    def label_names(self) -> npt.NDArray[np.object_]:
        """Names in the shape of `labels`, ``""`` for -1. ValueError: the labels have none."""
        return _named(self.texts.label_names, self.labels, "label")

    @property
    def class_names(self) -> npt.NDArray[np.object_]:
        """Names in the shape of `classes`. ValueError: the classes have none."""
        return _named(self.texts.class_names, self.classes, "class")

    def __getitem__(self, image: int) -> Any:
        """What belongs to one image of a batch."""
        if self.classes.ndim == 1:
            raise TypeError(f"this {type(self).__name__} is of one image")  # an IndexError would end an iteration
        of_image = {part.name: getattr(self, part.name)[operator.index(image)] for part in fields(self)[1:]}
        return type(self)(self.texts, **{name: np.asarray(values) for name, values in of_image.items()})

    def __repr__(self) -> str:
        *images, n_terms = self.classes.shape
        labels = f"{self.labels.shape[-1]} labels" if self.labels.ndim > len(images) else "1 label"
        batch = f"{images[0]:,} images, " if images else ""
        return f"<{type(self).__name__}: {batch}{labels}, {n_terms:,} classes>"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(_OfClasses):
    """The scores of labels, taken apart.

    ``contributions.sum(-1) - penalties`` is the score, within the accuracy of float32 scores (``docs/determinism.md``).
    For N images, M labels and T kept classes the shapes are those below; without (N) for a single image, and without
    (M) for a single label. An image without direction and a label without a vector have the score -inf, and zeros for
    the rest. ``explanation[i]`` is the part of image i; ``print`` shows that of a single image.

    Attributes:
        labels: (N, M) int64 label ids.
        scores: (N, M) float32, to the bits of `ConseIndex.rank`.
        classes: (N, T) int64, the kept classes, ordered by (probability descending, class id ascending).
        shares: (N, T) float64 p_t / Z.
        similarities: (N, M, T) float64: class embedding . label embedding, the label's of length 1 and the class's as
            the index holds it: a cosine unless ``normalize_classes=False``. Of several vectors of a label, the one
            that scores best.
        contributions: (N, M, T) float64: share * similarity / ||f||, without ||f|| where the form is ``"dot"``.
        penalties: (N, M) float64, the seen_penalty where the label is a seen class.
        texts: Names, for `label_names` and `class_names`.
    """

    contributions: npt.NDArray[np.float64]
    penalties: npt.NDArray[np.float64]

    def difference(self, a: int = 0, b: int = 1) -> Difference:
        """Why label a scores what label b does not.

        Args:
            a: Which of an image's labels, counted from 0 as they were given; negative from the end.
            b: Likewise.

        Raises:
            TypeError: a or b is no integer.
            ValueError: There are no two labels per image, or not that many.
        """
        if self.labels.ndim < self.classes.ndim:
            raise ValueError("a difference needs several labels per image: explain a list of labels")
        pair = [self._place(a, "a"), self._place(b, "b")]
        effects = self.contributions[..., pair[0], :] - self.contributions[..., pair[1], :]
        order = np.argsort(-np.abs(effects), axis=-1, kind="stable")
        penalties = self.penalties[..., pair]
        return Difference(
            self.texts,
            self.labels[..., pair],
            self.scores[..., pair],
            np.take_along_axis(self.classes, order, -1),
            np.take_along_axis(self.shares, order, -1),
            np.take_along_axis(self.similarities[..., pair, :], order[..., np.newaxis, :], -1),
            np.take_along_axis(effects, order, -1),
            penalties[..., 1] - penalties[..., 0],
        )

    def _place(self, place: int, argument: str) -> int:
        n_labels = self.labels.shape[-1]
        if isinstance(place, (bool, np.bool_)) or not isinstance(place, (int, np.integer)):
            raise TypeError(f"{argument} must be an integer, got {place!r}")
        if not -n_labels <= place < n_labels:
            raise ValueError(f"{argument} must say which of the {n_labels} labels of an image, got {place}")
        return int(place)

    def __str__(self) -> str:
        if self.classes.ndim > 1:
            return repr(self)
        labels: list[int] = self.labels.reshape(-1).tolist()
        scores, penalties = (x.reshape(-1).tolist() for x in (self.scores, self.penalties))
        similarities, contributions = (
            x.reshape(len(labels), self.classes.size) for x in (self.similarities, self.contributions)
        )
        return "\n".join(
            _text(
                f"{score:.4f}  {self.texts.of_label(label)}",
                {"part": contributions[m], "share": self.shares, "similarity": similarities[m]},
                [self.texts.of_class(c) for c in self.classes.tolist()],
                -penalties[m],
            )
            for m, (label, score) in enumerate(zip(labels, scores))
        )


@dataclass(frozen=True, eq=False, repr=False)
class Difference(_OfClasses):
    """Why a label scores what another does not: ``effects.sum(-1) + penalty`` is the difference of the scores.

    Where a score is -inf there is nothing to compare. Shapes as in `Explanation`; classes come by the size of their
    effects.

    Attributes:
        labels: (N, 2) int64 label ids, a and b.
        scores: (N, 2) float32.
        classes: (N, T) int64, the kept classes, the largest effect (of either sign) first.
        shares: (N, T) float64 p_t / Z.
        similarities: (N, 2, T) float64 of both labels with the classes.
        effects: (N, T) float64, the contribution to a's score less the one to b's.
        penalty: (N,) float64, what penalties of seen labels add to the difference.
        texts: Names, for `label_names` and `class_names`.
    """

    effects: npt.NDArray[np.float64]
    penalty: npt.NDArray[np.float64]

    def __str__(self) -> str:
        if self.classes.ndim > 1:
            return repr(self)
        a, b = (self.texts.of_label(label) for label in self.labels.tolist())
        return _text(
            f"{self.scores[0] - self.scores[1]:+.4f}  {a} {self.scores[0]:.4f}, not {b} {self.scores[1]:.4f}",
            {"effect": self.effects, "share": self.shares, "with a": self.similarities[0], "b": self.similarities[1]},
            [self.texts.of_class(c) for c in self.classes.tolist()],
            float(self.penalty),
        )


def _text(title: str, columns: dict[str, npt.NDArray[np.float64]], names: list[str], penalty: float) -> str:
    """A title, a line per class with the largest first, and what is not shown."""
    parts = next(iter(columns.values()))
    shown = np.argsort(-np.abs(parts), kind="stable")[:_N_SHOWN].tolist()
    lines = [title, "  " + "".join(f"{head:>12}" for head in columns) + "  class"]
    lines += [
        "  " + "".join(f"{x[t]:>12.1%}" if head == "share" else f"{x[t]:>12.4f}" for head, x in columns.items())
        + "  " + names[t]
        for t in shown
    ]  # fmt: skip
    if len(parts) > len(shown):
        lines.append(f"  {parts.sum() - parts[shown].sum():>12.4f}  {len(parts) - len(shown):,} other classes")
    if penalty:
        lines.append(f"  {penalty:>12.4f}  penalty of seen labels")
    return "\n".join(lines)
