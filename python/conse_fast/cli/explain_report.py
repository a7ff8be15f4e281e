"""What ``conse-fast explain`` prints for people."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from conse_fast import ConseIndex, Difference, Reachability
from conse_fast._arrays import Array
from conse_fast.cli.explain import ExplainedImage, NearestClasses
from conse_fast.cli.tables import new_table, print_section

_N_SHOWN = 10  # classes of a label, labels of a vocabulary


def print_report(screen: Console, found: Reachability | NearestClasses | ExplainedImage, index: ConseIndex) -> None:
    """Prints a section per label, or one about all labels."""
    if isinstance(found, Reachability):
        print_section(screen, *_reachability(found, index))
    elif isinstance(found, NearestClasses):
        for i, label in enumerate(found.labels.tolist()):
            print_section(screen, f"{_label(label, index)}: the nearest classes", _nearest(found, i, index))
    else:
        _print_image(screen, found, index)


def _print_image(screen: Console, found: ExplainedImage, index: ConseIndex) -> None:
    parts = found.explanation
    kept = f"the {len(parts.classes):,} most probable of {index.n_classes:,} classes"
    print_section(screen, f"Row {found.row} of {found.path}: {kept}")
    for difference in found.differences:
        print_section(screen, *_difference(difference, index))
    for i in range(0 if found.differences else len(parts.labels)):
        title = f"{_score(parts.scores[i])}  {_label(int(parts.labels[i]), index)}"
        columns = {"part": parts.contributions[i], "share": parts.shares, "similarity": parts.similarities[i]}
        print_section(screen, title, _parts(columns, parts.classes, [parts.scores[i]], index))


def _label(label: int, index: ConseIndex) -> str:
    name = f"label {label}" if index.label_names is None else index.label_names[label]
    return name if index.label_ids is None else f"{name} ({index.label_ids[label]})"


def _class(class_id: int, index: ConseIndex) -> str:
    return f"class {class_id}" if index.class_names is None else index.class_names[class_id]


def _score(score: float) -> str:
    return f"{score:.4f}" if np.isfinite(score) else "no score"


def _table(heads: list[str], last: str) -> Table:
    table = new_table()
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column(last)
    return table


def _parts(columns: dict[str, Array], classes: Array, scores: list[float], index: ConseIndex) -> Table | str:
    """Numbers of classes, those with the largest of the first column first; of many, the sum of the others."""
    if not np.isfinite(scores).all():
        return "There is nothing to add up: the label has no vector, or the image no direction."
    first = next(iter(columns.values()))
    order = np.argsort(-np.abs(first), kind="stable")
    table = _table(list(columns), "class")
    for t in order[:_N_SHOWN].tolist():
        numbers = [f"{x[t]:.1%}" if head == "share" else f"{x[t]:.4f}" for head, x in columns.items()]
        table.add_row(*numbers, _class(int(classes[t]), index))
    others = order[_N_SHOWN:]
    if others.size:
        sums = [f"{first[others].sum():.4f}", f"{columns['share'][others].sum():.1%}"]
        table.add_row(*sums, *[""] * (len(columns) - 2), f"the other {others.size:,} classes together", style="dim")
    return table


def _difference(difference: Difference, index: ConseIndex) -> tuple[str, Table | str]:
    a, b = difference.scores.tolist()
    this, other = (_label(label, index) for label in difference.labels.tolist())
    title = f"Why {this}, {_score(a)}, and not {other}, {_score(b)}"
    columns = {
        "effect": difference.effects,
        "share": difference.shares,
        "similarity": difference.similarities[0],
        "other's": difference.similarities[1],
    }
    return title, _parts(columns, difference.classes, [a, b], index)


def _nearest(found: NearestClasses, i: int, index: ConseIndex) -> Table | str:
    table = _table(["cosine"], "class")
    for cosine, class_id in zip(found.ranking.scores[i].tolist(), found.ranking.indices[i].tolist()):
        if class_id >= 0:
            table.add_row(f"{cosine:.4f}", _class(class_id, index))
    return table if table.row_count else "None: the label has no vector, or no class has one."


def _reachability(found: Reachability, index: ConseIndex) -> tuple[str, str, Table]:
    n_reached, n_unreached, n_without = (len(x) for x in (found.crowding, found.unreached, found.without_vector))
    n_labels = n_reached + n_unreached + n_without
    title = f"Which of {n_labels:,} labels are among the best {found.k:,} of any class"
    text = (
        f"{n_reached:,} labels ({n_reached / n_labels:.1%}) are reached by at least one of {found.n_classes:,} classes "
        f"taken alone, {n_unreached:,} ({n_unreached / n_labels:.1%}) by none: only a mixture of classes can lead to "
        f"them. {n_without:,} have no vector and never rank. Those that crowd most:"
    )
    table = _table(["classes", "share"], "label")
    for label, count, share in found.most_reached(_N_SHOWN):
        table.add_row(f"{count:,}", f"{share:.1%}", _label(label, index))
    return title, text, table
