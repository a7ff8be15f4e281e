"""Images with one true label each: hit@k, by class, in the hierarchy, and the seen-unseen curve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from conse_fast._arrays import Array, Pair
from conse_fast._candidates import Candidates
from conse_fast._chunks import chunk_rows
from conse_fast._index import ConseIndex
from conse_fast.evaluation.label_sets import LabelSet
from conse_fast.evaluation.results import Curve, Evaluation, Figure, SetFacts
from conse_fast.evaluation.settings import Progress, Settings, ends
from conse_fast.metrics import (
    HierarchicalPrecisionAtK,
    Hierarchy,
    HitAtK,
    PerClassHitAtK,
    SeenUnseen,
    harmonic_mean,
)

IntArray = npt.NDArray[np.int64]


class _Cell:
    """The counters of one label set at one T."""

    def __init__(self, label_set: LabelSet, top_t: int | None, settings: Settings, hierarchy: Hierarchy | None) -> None:
        self.label_set, self.top_t, self.settings = label_set, top_t, settings
        self.hits = HitAtK(settings.k, settings.ties, len(label_set.labels))
        self.by_class = PerClassHitAtK(settings.k)
        self.near = None
        if hierarchy is not None:
            self.near = HierarchicalPrecisionAtK(hierarchy, settings.k, label_set.labels.ids)
        self.seen_unseen = SeenUnseen(settings.average)

    def add(self, scores: Array, indices: Array, truth: IntArray) -> None:
        """Counts (N, M) rankings of images that count."""
        self.hits.add(indices, truth, scores)
        self.by_class.add(indices, truth)
        if self.near is not None:
            self.near.add(indices, truth)

    def figures(self) -> Iterator[Figure]:
        """The figures at the cut-offs."""
        for metric, counter in (
            ("hit", self.hits),
            ("class_hit", self.by_class),
            ("hierarchical_precision", self.near),
        ):
            if counter is None or not counter.n_images:
                continue
            interval = self.settings.interval(counter)
            for i, (k, value) in enumerate(zip(self.settings.k, counter.result().tolist())):
                yield Figure(self.label_set.name, self.top_t, metric, k, value, *ends(interval, i), counter.n_images)

    def curve_figures(self, curve: Curve) -> Iterator[Figure]:
        """What a curve is summed up in."""
        interval = self.settings.interval(self.seen_unseen)
        best, at_zero = curve.points.best, curve.points.at(0)
        for metric, value, bounds in (
            ("ausuc", curve.points.area, ends(interval, "area")),
            ("best_harmonic_mean", best.harmonic_mean, ends(interval, "harmonic_mean")),
            ("best_gamma", best.gamma, ends(None)),
            ("best_seen_accuracy", best.seen, ends(None)),
            ("best_unseen_accuracy", best.unseen, ends(None)),
            ("harmonic_mean", harmonic_mean(*at_zero), ends(None)),
            ("seen_accuracy", at_zero[0], ends(None)),
            ("unseen_accuracy", at_zero[1], ends(None)),
        ):
            yield Figure(curve.label_set, curve.top_t, metric, None, value, *bounds, self.seen_unseen.n_images)


class SingleLabelEvaluator:
    """Ranks and counts chunk by chunk; memory grows by 18 bytes an image for each curve, and by nothing else."""

    def __init__(
        self, index: ConseIndex, label_sets: Sequence[LabelSet], settings: Settings, hierarchy: Hierarchy | None
    ) -> None:
        """Nothing counted yet; `conse_fast.evaluate` describes the arguments."""
        if hierarchy is not None and hierarchy.n_labels != index.n_labels:
            raise ValueError(
                f"hierarchy knows {hierarchy.n_labels} labels, the index holds {index.n_labels}; "
                "make it of the index's: metrics.Hierarchy(is_a, list(index.label_ids))"
            )
        self._index, self._settings = index, settings
        self._has_hierarchy = hierarchy is not None
        self._is_seen = index.seen_labels.mask
        self._cells = {each: [_Cell(each, t, settings, hierarchy) for t in settings.top_t] for each in label_sets}
        self._n_of_label = np.zeros(index.n_labels + 1, dtype=np.int64)  # the last place: images of no known label

    def rows_at_once(self, row_bytes: int) -> int:
        """Rows for a call of `add`, so that memory does not depend on their number."""
        return chunk_rows(row_bytes, self._settings.depth)

    def add(self, rows: Array, truth: IntArray) -> None:
        """Ranks (N, C) rows and counts what the (N,) ids of their true labels say; -1 for one that is not known."""
        if truth.shape != (len(rows),):
            raise ValueError(f"truth must have shape ({len(rows)},), one label per image, got {truth.shape}")
        if truth.size and not -1 <= truth.min() <= truth.max() < self._index.n_labels:
            raise ValueError(
                f"truth must hold label ids below {self._index.n_labels}, or -1 where it is not known, "
                f"got {truth.min()} to {truth.max()}"
            )
        truth = truth.astype(np.int64, copy=False)
        rankings: dict[int, Pair] = {}

        def ranking(labels: Candidates) -> Pair:
            if id(labels) not in rankings:  # sets share their parts
                rankings[id(labels)] = self._settings.rank(self._index, rows, self._settings.depth, labels)
            return rankings[id(labels)]

        for label_set, cells in self._cells.items():
            keep = np.append(label_set.counted, False)[truth]
            for cell, scores, indices in zip(cells, *ranking(label_set.labels)):
                cell.add(scores[keep], indices[keep], truth[keep])
            if label_set.seen is not None and label_set.unseen is not None:
                self._add_best(label_set, ranking(label_set.seen), ranking(label_set.unseen), truth)
        self._n_of_label += np.bincount(truth % len(self._n_of_label), minlength=len(self._n_of_label))

    def _add_best(self, label_set: LabelSet, seen: Pair, unseen: Pair, truth: IntArray) -> None:
        keep = np.append(label_set.labels.mask, False)[truth]
        for i, cell in enumerate(self._cells[label_set]):
            cell.seen_unseen.add(
                seen_scores=seen[0][i, keep, 0],
                seen_labels=seen[1][i, keep, 0],
                unseen_scores=unseen[0][i, keep, 0],
                unseen_labels=unseen[1][i, keep, 0],
                truth=truth[keep],
                is_seen=self._is_seen[truth[keep]],
            )

    def result(self, progress: Progress = None) -> Evaluation:
        """The figures of all images so far; intervals take most of the time.

        Raises:
            ValueError: No image has a true label in any of the sets.
        """
        sets = [self._facts(each) for each in self._cells]
        if not any(facts.n_images for facts in sets):
            raise ValueError(f"none of the {self._n_of_label.sum():,} images has a true label in any label set")
        figures: list[Figure] = []
        curves: list[Curve] = []
        cells = [cell for each in self._cells.values() for cell in each]
        for number, cell in enumerate(cells, 1):
            figures += cell.figures()
            if self._has_curve(cell.label_set):
                curves.append(self._curve(cell))
                figures += cell.curve_figures(curves[-1])
            if progress is not None:
                progress(number / len(cells))
        return Evaluation(
            truth="single-label",
            n_images=int(self._n_of_label.sum()),
            label_sets=tuple(sets),
            figures=tuple(figures),
            curves=tuple(curves),
            notes=tuple(self._notes(bool(curves))),
            settings=self._settings.as_dict(),
        )

    def _facts(self, label_set: LabelSet) -> SetFacts:
        n_images = int(self._n_of_label[:-1][label_set.counted].sum())
        n_seen_labels = int(self._is_seen[label_set.labels.mask].sum())
        n_left_out = int(self._n_of_label.sum()) - n_images
        return SetFacts(label_set.name, len(label_set.labels), n_seen_labels, n_images, n_left_out)

    def _n_images(self, labels: Candidates) -> int:
        return int(self._n_of_label[:-1][labels.mask].sum())

    def _has_curve(self, label_set: LabelSet) -> bool:
        parts = label_set.seen, label_set.unseen
        return all(part is not None and self._n_images(part) for part in parts)

    def _curve(self, cell: _Cell) -> Curve:
        seen, unseen = (self._n_images(part) for part in (cell.label_set.seen, cell.label_set.unseen) if part)
        return Curve(cell.label_set.name, cell.top_t, cell.seen_unseen.curve(), seen, unseen)

    def _notes(self, has_curves: bool) -> Iterator[str]:
        n_unknown = int(self._n_of_label[-1])
        if n_unknown:
            yield f"{n_unknown:,} images have a true label that the index does not hold, or none."
        if not self._has_hierarchy:
            yield "Hierarchical precision needs a hierarchy."
        if not has_curves:
            yield "The seen-unseen curve needs a label set with seen and unseen labels, and images of both."
