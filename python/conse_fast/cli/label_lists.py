"""Sets of labels on the command line: the names of sets in an index, and files that list labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from conse_fast import Candidates, ConseIndex
from conse_fast._array_files import is_array_file, open_npy
from conse_fast._candidates import prepare
from conse_fast._label_texts import LabelTexts
from conse_fast.cli.errors import CliError
from conse_fast.cli.inputs import read_lines
from conse_fast.cli.options import refuse_usage

skip_unknown_option = click.option(
    "--skip-unknown", is_flag=True, help="Leave out what a list names that is no label, instead of an error."
)


def read_labels(path: str, texts: LabelTexts, *, skip_unknown: bool) -> npt.NDArray[Any]:
    """Labels that a file lists: an id or a unique name per line, or an ``.npy`` of label ids or of one bool per label.

    Raises:
        CliError: A line names no label or several, and unknown ones are not left out.
        OSError: The file is missing or cannot be read.
    """
    if is_array_file(path):
        return np.asarray(open_npy(path))
    if len(texts) == 0:
        raise CliError(
            f"{path}: the labels have neither ids nor names to be listed by; "
            "give them to 'conse-fast build' (--label-names), or an .npy of label ids"
        )
    lines = {number: line.split("\t")[0] for number, line in enumerate(read_lines(path), 1) if line.strip()}
    unknown = [number for number, line in lines.items() if line not in texts]
    if unknown and not skip_unknown:
        raise CliError(
            f"{path}: {len(unknown):,} of {len(lines):,} lines name no label, the first is line {unknown[0]}, "
            f"{lines[unknown[0]]!r}; give --skip-unknown to leave them out"
        )
    try:
        return texts.find([line for line in lines.values() if line in texts], path)
    except ValueError as error:
        raise CliError(f"{error} (numbers: in an .npy)") from error


def read_label_sets(
    named: tuple[str, ...], texts: LabelTexts, *, skip_unknown: bool
) -> dict[str, npt.NDArray[Any]] | None:
    """The sets of ``NAME=FILE`` options, or None without any."""
    sets = {}
    for text in named:
        name, equals, path = text.partition("=")
        if not (equals and name and path):
            refuse_usage(f"--label-set must be NAME=FILE, got {text!r}")
        if name in sets:
            refuse_usage(f"--label-set {name!r} is given twice")
        sets[name] = read_labels(path, texts, skip_unknown=skip_unknown)
    return sets or None


def label_set_files(named: tuple[str, ...]) -> list[str]:
    """The files of ``NAME=FILE`` options."""
    return [path for _, equals, path in (text.partition("=") for text in named) if equals]


def candidate_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say which labels may be ranked and how they are scored."""
    for option in reversed(
        (
            click.option(
                "--candidates",
                multiple=True,
                metavar="SET|FILE",
                help="Rank only the labels of this set of INDEX, or that this file lists (an id or a unique name per "
                "line, or .npy of label ids or bools). Repeat it for the labels of several.",
            ),
            click.option("--exclude", multiple=True, metavar="SET|FILE", help="Do not rank these labels."),
            skip_unknown_option,
            click.option(
                "--seen-penalty",
                type=float,
                default=0.0,
                metavar="NUMBER",
                help="Reduce the scores of labels that are seen classes by this (calibrated stacking). [default: 0]",
            ),
            click.option(
                "--form",
                "score_form",
                type=click.Choice(("cosine", "dot")),
                default="cosine",
                show_default=True,
                help="Score by cosine, or by a dot product that is comparable between images.",
            ),
        )
    ):
        command = option(command)
    return command


def chosen_candidates(
    index: ConseIndex, include: tuple[str, ...], exclude: tuple[str, ...], *, skip_unknown: bool
) -> Candidates | None:
    """The labels of the options, or None for all.

    Raises:
        CliError: A list names no set of the index and no readable file, or its labels are not there.
    """
    if not include and not exclude:
        return None
    allowed, denied = (_union(index, lists, skip_unknown) for lists in (include, exclude))
    found = index.candidates(allowed, exclude=denied)
    if not len(found):
        raise CliError("no label is left to be ranked by --candidates and --exclude")
    return found


def _union(index: ConseIndex, lists: tuple[str, ...], skip_unknown: bool) -> Candidates | None:
    union: Candidates | None = None
    for name in lists:
        labels = _candidates(index, name, skip_unknown)
        union = labels if union is None else union | labels
    return union


def _candidates(index: ConseIndex, name: str, skip_unknown: bool) -> Candidates:
    if name in index.label_sets:
        return index.label_sets[name]
    try:
        labels = read_labels(name, index._label_texts(), skip_unknown=skip_unknown)
    except FileNotFoundError:
        held = ", ".join(index.label_sets) or "none"
        raise CliError(f"{name} is neither a label set of the index (it holds {held}) nor a file") from None
    try:
        return prepare(index, labels, None, name)
    except (TypeError, ValueError) as error:
        raise CliError(str(error)) from error
