"""How good rankings are: the metrics of zero-shot learning, each as the paper that introduced it defines it.

    from conse_fast import metrics

    metrics.hit_at_k(ranking.indices, truth, k=(1, 5, 10))

NumPy arrays in, numbers and arrays out. Each metric's module names its source, what the source leaves open, and what is
done here. Where there are more images than memory, every metric has a counter that takes them chunk by chunk and gives
bootstrap intervals too:

| one call | chunk by chunk | keeps |
|---|---|---|
| `hit_at_k` | `HitAtK` | one count for each k |
| `per_class_hit_at_k` | `PerClassHitAtK` | two counts for each class |
| `hierarchical_precision_at_k` | `HierarchicalPrecisionAtK` | k counts, and the correct sets of the true labels |
| `precision_recall_f1_at_k` | `PrecisionRecallAtK` | a count for each pair of hits and positives |
| `seen_unseen_curve` | `SeenUnseen` | two numbers for each image |
| `average_precision` | `AveragePrecision` | every verified score: it cannot be had for less |

`bootstrap` gives the interval of any other figure, such as the difference of two rankings.
"""

from __future__ import annotations

from conse_fast.metrics.flat import HitAtK, Places, Ties, find_places, hit_at_k
from conse_fast.metrics.generalised import BestGamma, SeenUnseen, SeenUnseenCurve, harmonic_mean, seen_unseen_curve
from conse_fast.metrics.hierarchical import HierarchicalPrecisionAtK, Hierarchy, hierarchical_precision_at_k
from conse_fast.metrics.intervals import Interval, bootstrap
from conse_fast.metrics.mean_average_precision import (
    AveragePrecision,
    AveragePrecisions,
    MeanAveragePrecision,
    average_precision,
    scores_by_label,
)
from conse_fast.metrics.multi_label import PrecisionRecallAtK, PrecisionRecallF1, precision_recall_f1_at_k
from conse_fast.metrics.per_class import PerClassHitAtK, per_class_hit_at_k

__all__ = [
    "AveragePrecision",
    "AveragePrecisions",
    "BestGamma",
    "HierarchicalPrecisionAtK",
    "Hierarchy",
    "HitAtK",
    "Interval",
    "MeanAveragePrecision",
    "PerClassHitAtK",
    "Places",
    "PrecisionRecallAtK",
    "PrecisionRecallF1",
    "SeenUnseen",
    "SeenUnseenCurve",
    "Ties",
    "average_precision",
    "bootstrap",
    "find_places",
    "harmonic_mean",
    "hierarchical_precision_at_k",
    "hit_at_k",
    "per_class_hit_at_k",
    "precision_recall_f1_at_k",
    "scores_by_label",
    "seen_unseen_curve",
]
