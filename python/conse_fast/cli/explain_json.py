"""What ``conse-fast explain --json`` prints."""

from __future__ import annotations

import math
from typing import Any

from conse_fast import ConseIndex, Difference, Reachability
from conse_fast._arrays import Array
from conse_fast.cli.explain import ExplainedImage, NearestClasses

Facts = dict[str, Any]


def facts_of(found: Reachability | NearestClasses | ExplainedImage, index: ConseIndex) -> Facts:
    """The facts as plain values, with the names and ids that the index has."""
    if isinstance(found, Reachability):
        return _reachability(found, index)
    if isinstance(found, NearestClasses):
        return {"labels": [_nearest(found, i, index) for i in range(len(found.labels))]}
    facts: Facts = {"row": found.row}
    if found.differences:
        return {**facts, "differences": [_difference(difference, index) for difference in found.differences]}
    return {**facts, "labels": [_label_parts(found, i, index) for i in range(len(found.explanation.labels))]}


def _label(label: int, index: ConseIndex) -> Facts:
    return {"label": label, **_texts("name", index.label_names, label), **_texts("id", index.label_ids, label)}


def _class(class_id: int, index: ConseIndex) -> Facts:
    return {"class": class_id, **_texts("name", index.class_names, class_id), **_texts("id", index.class_ids, class_id)}


def _texts(key: str, texts: Any, i: int) -> Facts:
    return {} if texts is None else {key: texts[i]}


def _number(value: float) -> float | None:
    """The number, or None for a score that there is not."""
    return float(value) if math.isfinite(value) else None


def _of_classes(index: ConseIndex, classes: Array, **columns: Array) -> list[Facts]:
    """An object per class with a number of each column."""
    return [
        {**_class(class_id, index), **{key: float(values[t]) for key, values in columns.items()}}
        for t, class_id in enumerate(classes.tolist())
    ]


def _label_parts(found: ExplainedImage, i: int, index: ConseIndex) -> Facts:
    parts = found.explanation
    of_label = {"similarity": parts.similarities[i], "contribution": parts.contributions[i]}
    return {
        **_label(int(parts.labels[i]), index),
        "score": _number(parts.scores[i]),
        "parts": _of_classes(index, parts.classes, share=parts.shares, **of_label),
    }


def _difference(difference: Difference, index: ConseIndex) -> Facts:
    a, b = difference.similarities
    return {
        **_label(int(difference.labels[0]), index),
        "score": _number(difference.scores[0]),
        "versus": {**_label(int(difference.labels[1]), index), "score": _number(difference.scores[1])},
        "parts": _of_classes(
            index,
            difference.classes,
            share=difference.shares,
            similarity=a,
            similarity_versus=b,
            effect=difference.effects,
        ),
    }


def _nearest(found: NearestClasses, i: int, index: ConseIndex) -> Facts:
    scores, classes = found.ranking.scores[i], found.ranking.indices[i]
    there = classes >= 0
    return {
        **_label(int(found.labels[i]), index),
        "classes": _of_classes(index, classes[there], cosine=scores[there]),
    }


def _reachability(found: Reachability, index: ConseIndex) -> Facts:
    return {
        "k": found.k,
        "n_classes": found.n_classes,
        "n_labels": index.n_labels,
        "skewness": _number(found.skewness),
        "crowding": [
            {**_label(label, index), "count": count, "share": share}
            for label, count, share in found.most_reached(len(found.crowding))
        ],
        "unreached": found.unreached.tolist(),
        "without_vector": found.without_vector.tolist(),
    }
