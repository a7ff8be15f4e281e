"""What ``conse-fast evaluate`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

import conse_fast
from conse_fast.cli.tables import new_table, print_section
from conse_fast.cli.terminal import version_text
from conse_fast.evaluation import PLUS_SEEN, Evaluation, Figure, SetFacts

_AT_K = {"hit": "hit", "class_hit": "by class", "hierarchical_precision": "hp"}
_OF_CURVES = {
    "ausuc": "AUSUC",
    "best_harmonic_mean": "best H",
    "best_gamma": "at gamma",
    "best_seen_accuracy": "seen",
    "best_unseen_accuracy": "unseen",
    "harmonic_mean": "H at 0",
    "seen_accuracy": "seen",
    "unseen_accuracy": "unseen",
}
_OF_ALL_SCORES = {}
for _protocol, _name in (("lesa", "LESA"), ("biam", "BiAM")):
    _AT_K.update((f"{_protocol}_{_metric}", f"{_name} {_metric}") for _metric in ("precision", "recall", "f1"))
    _OF_ALL_SCORES.update({f"{_protocol}_map": f"{_name} mAP", f"{_protocol}_weighted_map": "weighted"})
_TIES = {
    "label_id": "Equal scores are ordered by label id.",
    "half": "Of the labels that score like the true one, half stand before it in hit@k; by label id elsewhere.",
    "pessimistic": "Labels that score like the true one stand before it in hit@k; by label id elsewhere.",
}
_AVERAGES = {"class": "classes", "image": "images"}


def as_dict(found: Evaluation, index: str, probabilities: str, truth: str) -> dict[str, Any]:
    """All of it as plain values, for JSON."""
    return {
        "version": conse_fast.__version__,
        "target": conse_fast.target(),
        "index": index,
        "probabilities": probabilities,
        **found.as_dict(),
        "truth": {"path": truth, "kind": found.truth},
    }


def print_report(screen: Console, found: Evaluation) -> None:
    """Prints a section for each label set, and how the figures came to be."""
    for facts in found.label_sets:
        figures = [figure for figure in found.figures if figure.label_set == facts.name]
        tables = [_at_k(figures), _without_k(figures, _OF_CURVES), _without_k(figures, _OF_ALL_SCORES)]
        print_section(screen, _title(facts, found), *(table for table in tables if table.row_count))
    print_section(screen, version_text(), " ".join(_remarks(found)))


def _title(facts: SetFacts, found: Evaluation) -> str:
    seen = f", {facts.n_seen_labels:,} of them seen" if facts.n_seen_labels else ""
    images = f"{facts.n_images:,} of {found.n_images:,} images" if facts.n_left_out else f"{facts.n_images:,} images"
    return f"{facts.name}: {facts.n_labels:,} labels{seen}; {images}"


def _at_k(figures: Sequence[Figure]) -> Table:
    """A line for each T and metric, a column for each k."""
    lines: dict[tuple[int | None, str], list[Figure]] = {}
    for figure in figures:
        if figure.metric in _AT_K:
            lines.setdefault((figure.top_t, figure.metric), []).append(figure)
    table = new_table()
    table.add_column("T", justify="right")
    table.add_column("%")
    for figure in next(iter(lines.values()), []):
        table.add_column(f"@{figure.k}", justify="right")
    last_t: int | None = 0
    for (top_t, metric), line in lines.items():
        table.add_row(_kept(top_t) if top_t != last_t else "", _AT_K[metric], *map(_percent, line))
        last_t = top_t
    return table


def _without_k(figures: Sequence[Figure], titles: Mapping[str, str]) -> Table:
    """A line for each T, a column for each metric."""
    lines: dict[int | None, list[Figure]] = {}
    for figure in figures:
        if figure.metric in titles:
            lines.setdefault(figure.top_t, []).append(figure)
    table = new_table()
    table.add_column("T", justify="right")
    for title in titles.values():
        table.add_column(title, justify="right")
    for top_t, line in lines.items():
        table.add_row(_kept(top_t), *map(_percent, line))
    return table


def _kept(top_t: int | None) -> str:
    return "all" if top_t is None else f"{top_t:,}"


def _percent(figure: Figure) -> Text:
    """Per cent, and the interval below it; a gamma as it is."""
    if figure.metric == "best_gamma":
        return Text(f"{figure.value:.3f}")
    value = Text(_share(figure.value))
    if figure.low is not None and figure.high is not None:
        value.append(f"\n{_share(figure.low)}-{_share(figure.high)}", style="dim")
    return value


def _share(value: float) -> str:
    """In per cent; 100 without a decimal, so that five intervals fit a line of 80 characters."""
    text = f"{100 * value:.1f}"
    return "100" if text == "100.0" else text


def _remarks(found: Evaluation) -> Iterator[str]:
    settings = found.settings
    if settings["n_resamples"]:
        yield (
            f"Shares are in %; below them {settings['confidence']:.0%} intervals ({settings['n_resamples']:,} "
            "bootstrap resamples): what other images would change."
        )
    else:
        yield "Shares are in %."
    if found.truth == "single-label":
        yield _TIES[settings["ties"]]
        if any(facts.n_left_out for facts in found.label_sets):
            yield "Images whose true label is not in a label set are left out there."
    if any(facts.name.endswith(PLUS_SEEN) for facts in found.label_sets):
        yield "Where the seen labels are added, the images are those of the set without them; a curve's are all."
    if found.curves:
        yield f"Accuracies of seen and unseen images are averages over the {_AVERAGES[settings['average']]}."
    yield from found.notes
