"""``conse-fast rank``: probabilities from a file, rankings to a file or to standard output."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Literal

import click

from conse_fast import ConseIndex
from conse_fast.cli.errors import CliError
from conse_fast.cli.inputs import RowsFile
from conse_fast.cli.label_lists import candidate_options, chosen_candidates
from conse_fast.cli.options import (
    logits_option,
    n_threads_option,
    refuse_usage,
    temperature_of,
    temperature_option,
    top_t_option,
)
from conse_fast.cli.outputs import check_output, is_special
from conse_fast.cli.ranking import Ranker, rank_rows
from conse_fast.cli.terminal import ProgressBar, seconds_text
from conse_fast.cli.writers import FORMATS, STANDARD_OUTPUT, open_writer

_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".npz": "npz"}


@click.command(
    epilog="""\b
Formats:
  csv    a line per label: row,rank,label,score[,name][,id]
         row counts images from 0, rank counts labels from 1
  jsonl  a line per image: {"row", "labels", "scores"[, "names"][, "ids"]}
  npz    for numpy.load: scores and indices, each (images, k)
  Names and ids are there if the index holds them.

\b
Examples:
  conse-fast rank index.safetensors probabilities.npy | head
  conse-fast rank index.safetensors probabilities.npy -o ranking.npz --k 100
  conse-fast rank index.safetensors logits.npy --logits -o ranking.jsonl
  conse-fast rank index.safetensors probabilities.npy --candidates birds.txt"""
)
@click.argument("index")
@click.argument("probabilities")
@click.option(
    "-o",
    "--output",
    default=STANDARD_OUTPUT,
    metavar="FILE",
    show_default="standard output",
    help="Write to this file.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    show_default="what the end of FILE says, csv on standard output",
    help="How to write the rankings.",
)
@click.option(
    "--k", type=click.IntRange(min=1), default=10, show_default=True, metavar="COUNT", help="Labels to rank per image."
)
@top_t_option
@logits_option
@temperature_option
@candidate_options
@n_threads_option
def rank(
    index: str,
    probabilities: str,
    output: str,
    format_: str | None,
    k: int,
    top_t: int | None,
    logits: bool,
    temperature: float | None,
    candidates: tuple[str, ...],
    exclude: tuple[str, ...],
    skip_unknown: bool,
    seen_penalty: float,
    score_form: Literal["cosine", "dot"],
    n_threads: int | None,
) -> None:
    """Rank the labels of INDEX for each image in PROBABILITIES.

    PROBABILITIES is an .npy file of shape (images, classes): what a classifier said, in float16, float32 or float64.
    It is read piece by piece and may be larger than the memory. At most as many labels are ranked as there are, and
    none for an image of zeros. FILE appears when it is whole: an error or Ctrl-C leaves no file, or the old one as it
    was.
    """
    heat = temperature_of(logits, temperature)
    form = _form(format_, output)
    to_file = output != STANDARD_OUTPUT
    if to_file:
        check_output(output, (index, probabilities, *candidates, *exclude))
    elif sys.stdout is None:
        raise CliError("standard output is closed; give -o FILE")
    started = time.monotonic()
    rows = RowsFile(probabilities)
    with ConseIndex.open(index) as opened:
        allowed = chosen_candidates(opened, candidates, exclude, skip_unknown=skip_unknown)
        most = opened.n_labels if allowed is None else len(allowed)
        ranker = Ranker(opened, min(k, most), top_t, heat, n_threads, allowed, seen_penalty, score_form)
        shape = (rows.n_rows, ranker.k)
        # A bar between the lines of a terminal would disturb them.
        wanted = to_file or not sys.stdout.isatty()
        with open_writer(form, output, opened, shape) as writer, ProgressBar("ranking", wanted=wanted) as progress:
            rank_rows(ranker, rows, writer, progress)
    if to_file and not is_special(output):
        took = seconds_text(time.monotonic() - started)
        click.echo(f"{output}: the best {ranker.k:,} labels for each of {rows.n_rows:,} images, in {took}")


def _form(given: str | None, output: str) -> str:
    """The format that was asked for, or that the name of the output tells."""
    form = given or ("csv" if output == STANDARD_OUTPUT else _SUFFIXES.get(Path(output).suffix.lower()))
    if form is None:
        refuse_usage(f"cannot tell the format from '{output}': give --format, or a name ending in .csv, .jsonl or .npz")
    if form == "npz" and (output == STANDARD_OUTPUT or is_special(output)):
        refuse_usage("npz goes to a file: give -o FILE.npz")
    return form
