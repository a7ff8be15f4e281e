"""``conse-fast build``: embeddings and names in, an index file out."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from conse_fast import ConseIndex
from conse_fast._arrays import Array
from conse_fast.cli.errors import CliError
from conse_fast.cli.inputs import NameList, open_embeddings, read_names
from conse_fast.cli.options import n_threads_option
from conse_fast.cli.outputs import check_output, is_special
from conse_fast.cli.terminal import ProgressBar, bytes_text, seconds_text

_NO_NAMES = NameList(None, None)


@click.command(
    epilog="""\b
Examples:
  conse-fast build classes.npy labels.npy -o index.safetensors
  conse-fast build model.safetensors:classes labels.npy --compact \\
      --label-names labels.txt -o index.safetensors"""
)
@click.argument("class_embeddings")
@click.argument("label_embeddings")
@click.option("-o", "--output", required=True, metavar="INDEX", help="The index file to write.")
@click.option("--class-names", metavar="FILE", help="Names of the classes.")
@click.option("--label-names", metavar="FILE", help="Names of the labels.")
@click.option("--skip-header", is_flag=True, help="Leave out the first line of each names file.")
@click.option(
    "--compact", is_flag=True, help="Leave the table of class x label scores out: smaller, and slower to rank."
)
@click.option(
    "--keep-class-lengths",
    is_flag=True,
    help="Let longer class embeddings weigh more. [default: bring all to length 1]",
)
@n_threads_option
def build(
    class_embeddings: str,
    label_embeddings: str,
    output: str,
    class_names: str | None,
    label_names: str | None,
    skip_header: bool,
    compact: bool,
    keep_class_lengths: bool,
    n_threads: int | None,
) -> None:
    """Build an index file from the embeddings of classes and labels.

    CLASS_EMBEDDINGS holds a row per class, in the order of the classifier's outputs; LABEL_EMBEDDINGS a row per label
    to rank, of the same length. Both are .npy files, or FILE.safetensors[:TENSOR], float16, float32 or float64. A label
    of zeros never ranks.

    A names file is UTF-8 text in the order of the rows: a name per line, or an id, a tab and a name per line.

    INDEX appears when it is whole: an error or Ctrl-C leaves no file, or the old one as it was.
    """
    files = [name for name in (class_names, label_names) if name is not None]
    check_output(output, [_file_of(class_embeddings), _file_of(label_embeddings), *files])
    if is_special(output):
        raise CliError(f"{output} is no regular file; an index cannot be written to it")
    started = time.monotonic()
    classes, labels = open_embeddings(class_embeddings), open_embeddings(label_embeddings)
    of_classes = _names(class_names, classes, "class", skip_header)
    of_labels = _names(label_names, labels, "label", skip_header)
    with ProgressBar("building") as progress:
        index = ConseIndex.build(
            classes,
            labels,
            class_names=of_classes.names,
            class_ids=of_classes.ids,
            label_names=of_labels.names,
            label_ids=of_labels.ids,
            normalize_classes=not keep_class_lengths,
            compact=compact,
            path=os.path.realpath(output),
            n_threads=n_threads,
            progress=progress,
        )
    click.echo(_summary(index, output, time.monotonic() - started))


def _file_of(source: str) -> str:
    """The file of ``FILE.safetensors:TENSOR``."""
    return source if Path(source).exists() else source.partition(".safetensors:")[0] + ".safetensors"


def _names(path: str | None, embeddings: Array, of: str, skip_header: bool) -> NameList:
    return _NO_NAMES if path is None else read_names(path, len(embeddings), of, skip_header=skip_header)


def _summary(index: ConseIndex, output: str, seconds: float) -> str:
    without = index.n_labels - index.n_rows
    return (
        f"{output}: {index.n_classes:,} classes, {index.n_labels:,} labels of {index.dimension} dimensions, "
        f"{bytes_text(index.nbytes)}, built in {seconds_text(seconds)}"
        + (f"; {without:,} labels are all zeros and never rank" if without else "")
    )
