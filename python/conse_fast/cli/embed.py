"""``conse-fast embed``: names and word vectors in, label embeddings and a coverage report out."""

from __future__ import annotations

import time
from typing import Any

import click
import numpy as np

from conse_fast.cli.errors import CliError
from conse_fast.cli.inputs import read_names
from conse_fast.cli.outputs import check_outputs, whole_file
from conse_fast.cli.terminal import console, seconds_text
from conse_fast.cli.vocabulary import Vocabulary, per_synonym_option, report_option, vocabulary_options


@click.command(
    short_help="Make embeddings of names from word vectors.",
    epilog="""\b
Examples:
  conse-fast embed labels.txt --vectors glove.6B.300d.txt -o labels.npy
  conse-fast embed labels.tsv --vectors vectors.bin.gz --hierarchy is_a.txt \\
      -o labels.npy --report coverage.json""",
)
@click.argument("names")
@click.option("-o", "--output", required=True, metavar="FILE.npy", help="The embeddings to write.")
@click.option(
    "--row-label", metavar="FILE.npy", help="With --per-synonym: the label of each row to write; build takes it."
)
@click.option("--skip-header", is_flag=True, help="Leave out the first line of the names file.")
@per_synonym_option
@report_option
@vocabulary_options
def embed(
    names: str,
    output: str,
    row_label: str | None,
    skip_header: bool,
    per_synonym: bool,
    report: str | None,
    **options: Any,
) -> None:
    """Make label embeddings of NAMES from word vectors, and tell where each of them comes from.

    NAMES is UTF-8 text: a name per line, or an id, a tab and a name per line. A name may list synonyms: 'polar bear,
    Ursus maritimus'. Each of them is looked up as a whole (polar_bear, Polar_Bear, polar-bear, polarbear, ...), then as
    the mean of its words. A label of which nothing is known gets a row of zeros, which never ranks.

    The word vectors are read in one pass, and only what is looked up is kept.
    """
    vocabulary = Vocabulary(**options)
    ctx = click.get_current_context()
    if vocabulary.vectors is None:
        raise click.UsageError("Missing option '--vectors'.", ctx)
    if not output.endswith(".npy"):
        raise CliError(f"{output} does not end in .npy, the format of embeddings")
    if per_synonym != (row_label is not None):
        raise click.UsageError("--per-synonym and --row-label go together: rows and the labels that own them", ctx)
    check_outputs([output, row_label, report], [names, *vocabulary.files])
    started = time.monotonic()
    listed = read_names(names, None, "label", skip_header=skip_header)
    vectors = vocabulary.read(listed.names or [])
    embeddings = vocabulary.embed(listed, vectors, per_synonym)
    parts = {"labels": embeddings.coverage}
    with whole_file(output) as file:
        np.save(file, embeddings.vectors)
    if row_label is not None and embeddings.row_label is not None:
        with whole_file(row_label) as file:
            np.save(file, embeddings.row_label)
    if report is not None:
        vocabulary.write_report(report, vectors, parts)
    from conse_fast.cli.coverage_report import print_coverage

    rows = f"{len(embeddings.vectors):,} vectors of " if per_synonym else ""
    click.echo(
        f"{output}: {rows}{len(embeddings):,} labels, {vectors.dimension} dimensions, from {len(vectors):,} of "
        f"{vectors.n_read:,} word vectors, in {seconds_text(time.monotonic() - started)}\n"
    )
    print_coverage(console(), parts, vectors)
