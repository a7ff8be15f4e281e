"""``conse-fast explain``: why an image got its labels and not another one, and which labels can be reached at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import click
import numpy as np

from conse_fast import ConseIndex, Difference, Explanation, Ranking, Reachability
from conse_fast._arrays import Array
from conse_fast.cli.errors import CliError
from conse_fast.cli.inputs import RowsFile
from conse_fast.cli.options import (
    is_given,
    logits_option,
    n_threads_option,
    refuse_usage,
    temperature_of,
    temperature_option,
    top_t_option,
)
from conse_fast.cli.ranking import Ranker, error_of_rows
from conse_fast.cli.terminal import console

_N_EXPLAINED = 3  # best labels
_N_LISTED = 10  # classes near a label, labels of a class
_N_SUGGESTED = 5


@click.command(
    epilog="""\b
Examples:
  conse-fast explain index.safetensors probabilities.npy --row 7
  conse-fast explain index.safetensors probabilities.npy --versus wolf
  conse-fast explain index.safetensors --label wolf
  conse-fast explain index.safetensors --reachability"""
)
@click.argument("index")
@click.argument("probabilities", required=False)
@click.option(
    "--row",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="Explain this image, counted from 0.  [default: 0]",
)
@click.option("--label", "labels", multiple=True, metavar="LABEL", help="Explain this label; may be given repeatedly.")
@click.option("--versus", metavar="LABEL", help="Say why not this one instead.")
@click.option("--reachability", is_flag=True, help="Say which labels the classes reach, each taken alone.")
@click.option(
    "--k",
    type=click.IntRange(min=1),
    metavar="COUNT",
    help="Explain so many of the best labels [default: 3]; list so many classes near a label, or let each class reach "
    "so many labels [default: 10].",
)
@top_t_option
@logits_option
@temperature_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of tables.")
@n_threads_option
def explain(
    index: str,
    probabilities: str | None,
    row: int | None,
    labels: tuple[str, ...],
    versus: str | None,
    reachability: bool,
    k: int | None,
    top_t: int | None,
    logits: bool,
    temperature: float | None,
    as_json: bool,
    n_threads: int | None,
) -> None:
    """Show why an image of PROBABILITIES gets the labels of INDEX that it gets.

    A score is a sum: each of the image's most probable classes adds its share, times the similarity of class and label.
    Explains the best labels, or those given by --label. Without PROBABILITIES, shows the classes that are nearest to
    the given labels. A LABEL is an id string, a name that only one label has, or a label's number.
    """
    heat = temperature_of(logits, temperature)
    if probabilities is None:
        _refuse_those_of_images(row, versus, logits, is_given("top_t"), reachability or bool(labels))
    if reachability and (probabilities is not None or labels):
        refuse_usage("--reachability is about all labels: give neither PROBABILITIES nor --label")
    if probabilities is not None and labels and k is not None:
        refuse_usage("--k is for the best labels, and --label names others: give one of them")
    with ConseIndex.open(index) as opened:
        found: Reachability | NearestClasses | ExplainedImage
        if reachability:
            found = opened.reachability(k or _N_LISTED, n_threads=n_threads)
        elif probabilities is None:
            chosen = np.array([_label_id(opened, label) for label in labels])
            found = NearestClasses(chosen, opened.nearest_classes(chosen, min(k or _N_LISTED, opened.n_classes)))
        else:
            chosen = np.array([_label_id(opened, label) for label in labels], dtype=np.int64)
            other = None if versus is None else _label_id(opened, versus)
            most = k or (_N_EXPLAINED if other is None else 1)
            ranker = Ranker(opened, min(most, opened.n_labels), top_t, heat, n_threads)
            found = _explain_image(ranker, RowsFile(probabilities), row or 0, chosen, other)
        _print(found, opened, as_json)


@dataclass(frozen=True)
class NearestClasses:
    """(M,) labels and the (M, k) classes that are nearest to them."""

    labels: Array
    ranking: Ranking


@dataclass(frozen=True)
class ExplainedImage:
    """Labels of one image, or why it got each of them and not another one.

    Attributes:
        path: The file that the image's row is in.
        row: Its number there.
        explanation: Of all labels, the last of which is the other one if there is one.
        differences: The labels, each against the other one; none without it.
    """

    path: str
    row: int
    explanation: Explanation
    differences: list[Difference]


def _refuse_those_of_images(row: int | None, versus: str | None, logits: bool, top_t: bool, enough: bool) -> None:
    those = {"--row": row is not None, "--versus": versus is not None, "--logits": logits, "--top-t": top_t}
    for option, given in those.items():
        if given:
            refuse_usage(f"{option} goes with PROBABILITIES")
    if not enough:
        refuse_usage("nothing to explain: give PROBABILITIES, --label or --reachability")


def _label_id(index: ConseIndex, text: str) -> int:
    texts = [strings for strings in (index.label_ids, index.label_names) if strings is not None]
    if text.isdecimal() and not any(text in strings for strings in texts):
        if int(text) >= index.n_labels:
            raise CliError(f"there is no label {text}: they are numbered from 0 to {index.n_labels - 1}")
        return int(text)
    try:
        return int(index.find(text)[0])
    except ValueError as error:
        alike = [name for name in index.label_names or () if text.casefold() in name.casefold()]
        if not alike or text in alike:
            raise
        shown = ", ".join(repr(name) for name in sorted(alike, key=len)[:_N_SUGGESTED])
        more = ", ..." if len(alike) > _N_SUGGESTED else ""
        raise CliError(f"{error}; names that contain it: {shown}{more}") from None


def _explain_image(ranker: Ranker, rows: RowsFile, row: int, labels: Array, versus: int | None) -> ExplainedImage:
    if row >= rows.n_rows:
        raise CliError(f"{rows.path} has {rows.n_rows:,} rows, counted from 0; there is no row {row}")
    image = rows.read(row, row + 1)
    one_more = replace(ranker, k=min(ranker.k + 1, ranker.index.n_labels))  # the other one may be among the best
    try:
        best = one_more.rank(image).indices[0]
    except (TypeError, ValueError) as error:
        raise error_of_rows(error, rows.path, row) from error
    if not labels.size:
        labels = best[(best >= 0) & (best != (-1 if versus is None else versus))][: ranker.k]
        if not labels.size:
            raise CliError(f"{rows.path}: row {row} ranks no label: its classes have no weight, or no vectors")
    if versus is not None:
        labels = np.append(labels, versus)
    weights = image[0]
    if ranker.temperature is not None:
        logits = weights.astype(np.float64)
        weights = np.exp((logits - logits.max()) / ranker.temperature)
    explanation = ranker.index.explain(weights, labels, ranker.top_t, n_threads=ranker.n_threads)
    others = range(len(labels) - 1) if versus is not None else ()
    return ExplainedImage(rows.path, row, explanation, [explanation.difference(i, -1) for i in others])


def _print(found: Reachability | NearestClasses | ExplainedImage, index: ConseIndex, as_json: bool) -> None:
    from conse_fast.cli import explain_json, explain_report

    if as_json:
        facts: dict[str, Any] = explain_json.facts_of(found, index)
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        explain_report.print_report(console(), found, index)
