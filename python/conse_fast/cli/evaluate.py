"""``conse-fast evaluate``: how good the rankings of images with known labels are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from conse_fast import ConseIndex, read_hierarchy
from conse_fast.cli.errors import CliError
from conse_fast.cli.inputs import RowsFile
from conse_fast.cli.label_lists import read_labels, skip_unknown_option
from conse_fast.cli.options import logits_option, n_threads_option, refuse_usage, temperature_of, temperature_option
from conse_fast.cli.ranking import error_of_rows
from conse_fast.cli.terminal import ProgressBar, console
from conse_fast.cli.truth import Truth, open_truth
from conse_fast.evaluation import Evaluation, new_evaluator
from conse_fast.metrics import Hierarchy

_TIES = {"label-id": "label_id", "half": "half", "pessimistic": "pessimistic"}
_SHARE_OF_IMAGES = 0.7  # of the time, where intervals are wanted; what is left goes to them


def _counts(allow_all: bool) -> Callable[[click.Context, click.Parameter, str | None], list[int | None] | None]:
    """A callback that reads ``1,10,100``, each from 1 on; also ``all``, as None, where that makes sense."""

    def read(ctx: click.Context, parameter: click.Parameter, value: str | None) -> list[int | None] | None:
        if value is None:
            return None
        texts = [text.strip() for text in value.split(",")]
        if all((text.isdecimal() and int(text) >= 1) or (allow_all and text == "all") for text in texts):
            return [None if text == "all" else int(text) for text in texts]
        also = ", or 'all'," if allow_all else ""
        raise click.BadParameter(f"expected numbers from 1 on{also} with commas between, got {value!r}")

    return read


@click.command(
    short_help="Measure how good rankings are.",
    epilog="""\b
Examples:
  conse-fast evaluate index.safetensors probabilities.npy truth.npy
  conse-fast evaluate index.safetensors probabilities.npy photos.tsv \\
    --truth-column wnid --label-set 2-hops=hops_2.txt --top-t 1,10,all
  conse-fast evaluate index.safetensors logits.npy truth.npy --logits --json""",
)
@click.argument("index")
@click.argument("probabilities")
@click.argument("truth")
@click.option("--truth-column", metavar="NAME", help="TRUTH is a table with tabs and a header: the column of labels.")
@click.option(
    "--label-set",
    "label_sets",
    multiple=True,
    metavar="NAME[=FILE]",
    show_default="all sets of INDEX; if it has none, its unseen and all labels",
    help="Rank the labels of this set of INDEX, or of FILE, an id or a unique name per line. Repeatable.",
)
@skip_unknown_option
@click.option("--plus-seen", is_flag=True, help="Each label set once more with the seen labels added.")
@click.option(
    "--k",
    callback=_counts(allow_all=False),
    metavar="COUNTS",
    show_default="1,2,5,10,20, or 3,5 where images have several labels",
    help="Cut-offs: count the best so many labels.",
)
@click.option(
    "--top-t",
    callback=_counts(allow_all=True),
    default="10",
    show_default=True,
    metavar="COUNTS",
    help="Keep so many of an image's most probable classes: 1,10,all.",
)
@click.option("--hierarchy", metavar="FILE", help="'parent child' lines of label ids (or names), for hp@k.")
@click.option(
    "--ties",
    type=click.Choice(tuple(_TIES)),
    default="label-id",
    show_default=True,
    help="What labels count that score like the true one: by id, half of them before it, or all.",
)
@click.option(
    "--average",
    type=click.Choice(("class", "image")),
    default="class",
    show_default=True,
    help="What accuracies of the seen-unseen curve average over.",
)
@logits_option
@temperature_option
@click.option(
    "--form",
    type=click.Choice(("cosine", "dot")),
    show_default="cosine, or dot where images have several labels",
    help="Which scores: dot is comparable between images.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    metavar="SHARE",
    help="Of the intervals.",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    metavar="COUNT",
    help="Draw the images so many times for the intervals (bootstrap); 0: no intervals.",
)
@n_threads_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of tables.")
def evaluate(
    index: str,
    probabilities: str,
    truth: str,
    truth_column: str | None,
    label_sets: tuple[str, ...],
    skip_unknown: bool,
    plus_seen: bool,
    hierarchy: str | None,
    ties: str,
    logits: bool,
    temperature: float | None,
    resamples: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure how good INDEX's rankings of PROBABILITIES are, given the TRUTH.

    PROBABILITIES is an .npy file of shape (images, classes); it is read piece by piece and may be larger than the
    memory. TRUTH says what each image shows: a text file with a label's id or unique name per line, an .npy file of
    label ids (-1: not known), or, for images with several labels, one of shape (images, labels) with +1 (present), -1
    (absent) and 0 (nobody looked).

    Every metric is computed that the truth allows, with confidence intervals. Images whose true label is not in a
    label set are left out there, and counted.
    """
    from conse_fast.cli.evaluate_report import as_dict, print_report

    heat = temperature_of(logits, temperature)
    rows = RowsFile(probabilities)
    with ConseIndex.open(index) as opened:
        if plus_seen and not len(opened.seen_labels):
            raise CliError("--plus-seen adds seen labels, but the index has none; build it with --label-class")
        true = open_truth(truth, truth_column, opened)
        evaluator = new_evaluator(
            opened,
            true.is_multi_label,
            label_sets=_read_sets(label_sets, opened, skip_unknown),
            plus_seen=plus_seen,
            hierarchy=None if hierarchy is None else _read_hierarchy(hierarchy, opened),
            ties=_TIES[ties],
            temperature=heat,
            n_resamples=resamples,
            seed=0,
            **options,
        )
        found = run(evaluator, rows, true, resamples > 0)
    if as_json:
        import json

        click.echo(json.dumps(as_dict(found, index, probabilities, truth), indent=2))
    else:
        print_report(console(), found)


def run(evaluator: Any, rows: RowsFile, truth: Truth, has_intervals: bool) -> Evaluation:
    """Ranks and counts the file, a chunk of rows at a time.

    Raises:
        CliError: The files do not fit, or hold what cannot be ranked.
    """
    if rows.n_rows != truth.n_images:
        raise CliError(
            f"{truth.path} holds the truth of {truth.n_images:,} images, {rows.path} has {rows.n_rows:,} rows; "
            "expected as many"
        )
    share = _SHARE_OF_IMAGES if has_intervals else 1.0
    step = evaluator.rows_at_once(rows.row_bytes)
    with ProgressBar("evaluating") as progress:
        for first in range(0, rows.n_rows, step):
            last = min(first + step, rows.n_rows)
            try:
                evaluator.add(rows.read(first, last), truth.read(first, last))
            except (TypeError, ValueError) as error:
                raise error_of_rows(error, rows.path, first) from error
            progress(share * last / rows.n_rows)
        found: Evaluation = evaluator.result(lambda done: progress(share + (1 - share) * done))
    return found


def _read_sets(given: Sequence[str], index: ConseIndex, skip_unknown: bool) -> dict[str, Any] | None:
    sets: dict[str, Any] = {}
    for each in given:
        name, equals, path = each.partition("=")
        if equals and not (name and path):
            refuse_usage(f"--label-set must be SET or NAME=FILE, got {each!r}")
        if name in sets:
            refuse_usage(f"--label-set {name!r} is given twice")
        if equals:
            sets[name] = read_labels(path, index._label_texts(), skip_unknown=skip_unknown)
        elif name in index.label_sets:
            sets[name] = index.label_sets[name]
        else:
            held = ", ".join(index.label_sets) or "none"
            raise CliError(f"the index has no label set {name!r} (it holds {held}); give --label-set NAME=FILE")
    return sets or None


def _read_hierarchy(path: str, index: ConseIndex) -> Hierarchy:
    labels = index.label_ids or index.label_names
    if labels is None:
        raise CliError(f"{path} names labels, but the index has no label ids or names")
    pairs = read_hierarchy(path)
    try:
        return Hierarchy(pairs, list(labels))
    except ValueError as error:
        raise CliError(f"{path}: {error}") from error
