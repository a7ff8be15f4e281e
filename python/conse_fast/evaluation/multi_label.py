"""Images that may show several labels: precision, recall, F1 and mean average precision, in both published protocols.

`metrics.multi_label` and `metrics.mean_average_precision` say what the papers define and leave open. Here a protocol is
both together: ``"lesa"`` (NUS-WIDE) counts all images and labels, ``"biam"`` (Open Images) leaves out images without a
positive label and labels that were never verified.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from conse_fast._arrays import Array
from conse_fast._chunks import chunk_rows
from conse_fast._index import ConseIndex
from conse_fast.evaluation.label_sets import LabelSet
from conse_fast.evaluation.results import Evaluation, Figure, SetFacts
from conse_fast.evaluation.settings import Progress, Settings, ends
from conse_fast.metrics import AveragePrecision, PrecisionRecallAtK, scores_by_label
from conse_fast.metrics.mean_average_precision import PROTOCOLS, Protocol

_PAIRS_RESAMPLED = 200_000_000
"""Verified pairs of image and label that the intervals of one mAP go over at most: 12 seconds' worth."""
_LEAST_RESAMPLES = 100
_IMAGES = {"lesa": "all", "biam": "positive"}

Marks = npt.NDArray[np.int8]


class _Cell:
    """The counters of one label set at one T in one protocol."""

    def __init__(self, label_set: LabelSet, top_t: int | None, settings: Settings, protocol: Protocol) -> None:
        self.label_set, self.top_t, self.settings, self.protocol = label_set, top_t, settings, protocol
        self.at_k = PrecisionRecallAtK(settings.k, _IMAGES[protocol])  # type: ignore[arg-type]
        self.all_scores = AveragePrecision(protocol)
        self.n_pairs = 0
        self.has_absent = False
        self.is_biased = False

    def add(self, scores: Array, places: Array, marks: Marks) -> None:
        """Counts rankings of the whole set; ``places`` and the columns of ``marks`` number its labels from 0."""
        self.at_k.add(places, marks)
        self.all_scores.add(scores_by_label(scores, places, marks.shape[1]), marks)
        self.n_pairs += int(np.count_nonzero(marks))
        self.has_absent = self.has_absent or bool((marks < 0).any())

    def figures(self) -> Iterator[Figure]:
        """The figures at the cut-offs, then mAP."""
        name, interval = self.label_set.name, self.settings.interval(self.at_k)
        for metric, values in self.at_k.result()._asdict().items():
            for i, (k, value) in enumerate(zip(self.settings.k, values.tolist())):
                bounds = ends(interval, metric, i)
                yield Figure(name, self.top_t, f"{self.protocol}_{metric}", k, value, *bounds, self.at_k.n_images)
        if self.has_absent:
            found, n_resamples = self.all_scores.result(), self.n_resamples
            interval = self.settings.interval(self.all_scores, n_resamples) if n_resamples else None
            for metric, attribute in (("map", "mean"), ("weighted_map", "weighted_mean")):
                value, bounds = getattr(found, attribute), ends(interval, attribute)
                if bounds[0] is not None and bounds[1] is not None and not bounds[0] <= value <= bounds[1]:
                    bounds, self.is_biased = (None, None), True
                yield Figure(name, self.top_t, f"{self.protocol}_{metric}", None, value, *bounds, found.n_images)

    @property
    def n_resamples(self) -> int:
        """Of mAP: as many as were asked for if they can be had in time, else fewer, or none."""
        most = _PAIRS_RESAMPLED // max(self.n_pairs, 1)
        n_resamples = min(self.settings.n_resamples, most)
        return n_resamples if n_resamples >= min(_LEAST_RESAMPLES, self.settings.n_resamples) else 0


class MultiLabelEvaluator:
    """Ranks and counts chunk by chunk.

    An average precision needs all scores of a label: memory grows by 13 bytes for each verified pair of image and
    label, in each set, for each T and protocol.
    """

    def __init__(self, index: ConseIndex, label_sets: Sequence[LabelSet], settings: Settings) -> None:
        """Nothing counted yet; `conse_fast.evaluate` describes the arguments."""
        self._index, self._settings = index, settings
        self._is_seen = index.seen_labels.mask
        self._n_images = 0
        self._cells = {
            each: [[_Cell(each, t, settings, protocol) for protocol in PROTOCOLS] for t in settings.top_t]
            for each in label_sets
        }

    def rows_at_once(self, row_bytes: int) -> int:
        """Rows for a call of `add`, so that memory does not depend on their number."""
        return chunk_rows(row_bytes, max(len(each.labels) for each in self._cells))

    def add(self, rows: Array, truth: Marks) -> None:
        """Ranks (N, C) rows and counts what (N, L) says about them: +1 present, -1 absent, 0 not verified."""
        if truth.shape != (len(rows), self._index.n_labels):
            raise ValueError(
                f"truth must have shape ({len(rows)}, {self._index.n_labels}), a row per image and a column per label "
                f"of the index, got {truth.shape}"
            )
        for label_set, by_t in self._cells.items():
            ids = label_set.labels.ids
            depth = max(len(ids), self._settings.k[-1])
            place_of = np.full(self._index.n_labels + 1, -1)
            place_of[ids] = np.arange(len(ids))
            for cells, scores, indices in zip(by_t, *self._settings.rank(self._index, rows, depth, label_set.labels)):
                for cell in cells:
                    cell.add(scores, place_of[indices], truth[:, ids])
        self._n_images += len(rows)

    def result(self, progress: Progress = None) -> Evaluation:
        """The figures of all images so far; intervals take most of the time.

        Raises:
            ValueError: There are no images, or a label set has no positive image.
        """
        figures: list[Figure] = []
        cells = [cell for by_t in self._cells.values() for protocols in by_t for cell in protocols]
        for number, cell in enumerate(cells, 1):
            try:
                figures += cell.figures()
            except ValueError as error:
                raise ValueError(f"label set {cell.label_set.name!r}: {error}") from error
            if progress is not None:
                progress(number / len(cells))
        return Evaluation(
            truth="multi-label",
            n_images=self._n_images,
            label_sets=tuple(self._facts(each) for each in self._cells),
            figures=tuple(figures),
            curves=(),
            notes=tuple(self._notes(cells)),
            settings=self._settings.as_dict(),
        )

    def _facts(self, label_set: LabelSet) -> SetFacts:
        n_seen_labels = int(self._is_seen[label_set.labels.mask].sum())
        return SetFacts(label_set.name, len(label_set.labels), n_seen_labels, self._n_images, 0)

    def _notes(self, cells: Sequence[_Cell]) -> Iterator[str]:
        if not all(cell.has_absent for cell in cells):
            yield "mAP needs labels that are verified as absent (-1); where 0 means absent, write -1."
        if any(cell.is_biased for cell in cells):
            yield (
                "Intervals of mAP that do not hold mAP are left out: labels have so few positive images that "
                "resamples, which lose some and repeat others, are of another kind."
            )
        # By name: the cells of a label set have the same pairs.
        resampled = {cell.label_set.name: cell.n_resamples for cell in cells if cell.has_absent}
        for name, n_resamples in resampled.items():
            if n_resamples < self._settings.n_resamples:
                used = f"are of {n_resamples:,} resamples" if n_resamples else "are left out"
                yield f"{name}: intervals of mAP {used}, since each resample goes over all verified pairs."
