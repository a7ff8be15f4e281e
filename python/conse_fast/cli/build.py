"""``conse-fast build``: embeddings, or names and word vectors, in; an index file out."""

from __future__ import annotations

import os
import time
from typing import Any

import click
import numpy as np

from conse_fast import ConseIndex, WordVectors
from conse_fast._array_files import split_source
from conse_fast._label_texts import LabelTexts
from conse_fast.cli.errors import CliError, naming
from conse_fast.cli.label_lists import label_set_files, read_label_sets, skip_unknown_option
from conse_fast.cli.options import n_threads_option
from conse_fast.cli.outputs import check_outputs, is_special
from conse_fast.cli.sides import Side, embed_names, match_classes, open_side
from conse_fast.cli.terminal import ProgressBar, bytes_text, console, seconds_text
from conse_fast.cli.vocabulary import Vocabulary, per_synonym_option, report_option, vocabulary_options

_WITHOUT = {True: "are all zeros", False: "own no vector"}


@click.command(
    epilog="""\b
Examples:
  conse-fast build classes.npy labels.npy -o index.safetensors
  conse-fast build classes.txt labels.txt --vectors glove.6B.300d.txt \\
      -o index.safetensors
  conse-fast build model.safetensors:classes labels.npy --compact \\
      --label-names labels.txt -o index.safetensors"""
)
@click.argument("classes")
@click.argument("labels")
@click.option("-o", "--output", required=True, metavar="INDEX", help="The index file to write.")
@click.option("--class-names", metavar="FILE", help="Names of the classes, where CLASSES are embeddings.")
@click.option("--label-names", metavar="FILE", help="Names of the labels, where LABELS are embeddings.")
@click.option("--skip-header", is_flag=True, help="Leave out the first line of each names file.")
@click.option(
    "--row-label", metavar="FILE.npy", help="The label that owns each row of LABELS, where labels own several."
)
@click.option(
    "--label-class",
    metavar="id|name|FILE.npy",
    help="Which labels are seen classes: those whose id or name is that of a class, or the class id (or -1) of each "
    "label in a file. [default: none]",
)
@click.option(
    "--label-set",
    "label_sets",
    multiple=True,
    metavar="NAME=FILE",
    help="Keep a named set of labels, for --candidates: FILE lists an id or a unique name per line. Repeatable.",
)
@skip_unknown_option
@click.option(
    "--missing-classes",
    type=click.Choice(("skip", "refill", "raise")),
    default="skip",
    show_default=True,
    help="A class without a vector loses its weight, or gives its place to the next class, or is an error.",
)
@click.option(
    "--compact", is_flag=True, help="Leave the table of class x label scores out: smaller, and slower to rank."
)
@click.option(
    "--keep-class-lengths",
    is_flag=True,
    help="Let longer class embeddings weigh more. [default: bring all to length 1]",
)
@n_threads_option
@per_synonym_option
@report_option
@vocabulary_options
def build(
    classes: str,
    labels: str,
    output: str,
    class_names: str | None,
    label_names: str | None,
    skip_header: bool,
    row_label: str | None,
    label_class: str | None,
    label_sets: tuple[str, ...],
    skip_unknown: bool,
    missing_classes: str,
    compact: bool,
    keep_class_lengths: bool,
    n_threads: int | None,
    per_synonym: bool,
    report: str | None,
    **options: Any,
) -> None:
    """Build an index file from the embeddings of classes and labels, or from their names.

    CLASSES holds a row per class, in the order of the classifier's outputs; LABELS a row per label to rank, of the same
    length. Each is an .npy file, or FILE.safetensors[:TENSOR], float16, float32 or float64. With --vectors, each may
    be a names file instead, and its embeddings are made as by 'conse-fast embed'. A label of zeros never ranks.

    A names file is UTF-8 text in the order of the rows: a name per line, or an id, a tab and a name per line.

    INDEX appears when it is whole: an error or Ctrl-C leaves no file, or the old one as it was.
    """
    vocabulary = Vocabulary(**options)
    vocabulary.require_vectors(click.get_current_context())
    named = (class_names, label_names, row_label)
    inputs = [split_source(classes)[0], split_source(labels)[0], *(name for name in named if name), *vocabulary.files]
    inputs += label_set_files(label_sets)
    check_outputs([output, report], inputs)
    if is_special(output):
        raise CliError(f"{output} is no regular file; an index cannot be written to it")
    started = time.monotonic()
    of_classes = open_side(classes, "class", class_names, None, skip_header, vocabulary)
    of_labels = open_side(labels, "label", label_names, row_label, skip_header, vocabulary)
    of_classes, of_labels, vectors = embed_names(of_classes, of_labels, vocabulary, per_synonym)
    texts = LabelTexts(of_labels.names.ids, of_labels.names.names)
    sets = read_label_sets(label_sets, texts, skip_unknown=skip_unknown)
    files = {
        "class_embeddings": classes,
        "label_embeddings": labels,
        "row_label": row_label,
        "label_class": label_class,
    }
    with ProgressBar("building") as progress, naming(files):
        index = ConseIndex.build(
            of_classes.complete(),
            of_labels.complete(),
            class_names=of_classes.names.names,
            class_ids=of_classes.names.ids,
            label_names=of_labels.names.names,
            label_ids=of_labels.names.ids,
            row_label=of_labels.row_label,
            label_class=None if label_class is None else match_classes(label_class, of_classes, of_labels),
            label_sets=sets,
            normalize_classes=not keep_class_lengths,
            compact=compact,
            missing_classes=missing_classes,
            path=os.path.realpath(output),
            n_threads=n_threads,
            progress=progress,
        )
    click.echo(_summary(index, of_labels, output, time.monotonic() - started))
    if vectors is not None:
        _tell_coverage((of_classes, of_labels), vectors, vocabulary, report)


def _tell_coverage(sides: tuple[Side, Side], vectors: WordVectors, vocabulary: Vocabulary, report: str | None) -> None:
    from conse_fast.cli.coverage_report import print_coverage

    titles = {"class": "classes", "label": "labels"}
    parts = {titles[side.of]: side.coverage for side in sides if side.coverage is not None}
    if report is not None:
        vocabulary.write_report(report, vectors, parts)
    click.echo()
    print_coverage(console(), parts, vectors)


def _summary(index: ConseIndex, labels: Side, output: str, seconds: float) -> str:
    owners = index.n_rows if labels.row_label is None else len(np.unique(labels.row_label))
    without = index.n_labels - owners
    return (
        f"{output}: {index.n_classes:,} classes, {index.n_labels:,} labels of {index.dimension} dimensions, "
        f"{bytes_text(index.nbytes)}, built in {seconds_text(seconds)}"
        + (f"; {without:,} labels {_WITHOUT[labels.row_label is None]} and never rank" if without else "")
    )
