"""``conse-fast info`` and ``conse-fast verify``: what an index file holds, and whether it is whole."""

from __future__ import annotations

import json
import math
import os
import time
from typing import Any

import click

from conse_fast import ConseIndex
from conse_fast.cli.options import n_threads_option
from conse_fast.cli.terminal import bytes_text, console, seconds_text


@click.command(
    epilog="""\b
Examples:
  conse-fast info index.safetensors
  conse-fast info --json index.safetensors"""
)
@click.argument("index")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of a table.")
def info(index: str, as_json: bool) -> None:
    """Show what the file INDEX holds."""
    with ConseIndex.open(index) as opened:
        facts = opened.info()
        if as_json:
            plain = {key: _finite(value) for key, value in facts.items()}
            click.echo(json.dumps(plain, indent=2))
        else:
            _print_table(index, facts, opened)


def _finite(value: Any) -> Any:
    """The value, or None for a number that JSON cannot say."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_table(path: str, facts: dict[str, Any], index: ConseIndex) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(facts, index):
        table.add_row(name, Text(value))
    screen = console()
    screen.print(Text(path, style="bold"), soft_wrap=True)
    screen.print(table)


def _facts(facts: dict[str, Any], index: ConseIndex) -> list[tuple[str, str]]:
    full = facts["form"] == "full"
    lengths = "all of length 1" if facts["normalize_classes"] else "of their own lengths"
    return [
        ("size", bytes_text(facts["nbytes"])),
        ("form", "full, with the scores of every class and label" if full else "compact, embeddings only"),
        ("classes", f"{facts['n_classes']:,}{_texts(facts, 'class')}"),
        ("class vectors", f"{facts['n_classes']:,} of {facts['dimension']} dimensions, {lengths}"),
        ("missing", _MISSING_CLASSES[facts["missing_classes"]]),
        ("labels", f"{facts['n_labels']:,}{_texts(facts, 'label')}"),
        ("seen labels", f"{facts['n_seen_labels']:,} labels are seen classes"),
        ("label sets", ", ".join(f"{name} ({size:,})" for name, size in facts["label_sets"].items()) or "none"),
        ("label vectors", f"{facts['n_rows']:,} of {facts['dimension']} dimensions; labels without one never rank"),
        ("equal vectors", f"{facts['n_twins']:,} labels have that of an earlier one"),
        ("blocks", f"{facts['n_blocks']:,} of {facts['block_rows']} label vectors"),
        ("scored blocks", f"{facts['scored_fraction']:.1%} for the ten best labels, as measured when it was built"),
        ("ranking", _plan(index)),
        *_examples(index),
        ("format", f"version {facts['format_version']}, safetensors"),
        ("made by", facts["producer"]),
        ("checksum", facts["checksum"]),
    ]


_MISSING_CLASSES = {
    "skip": "skip: a class without a vector loses its weight",
    "refill": "refill: the next class takes the place of one without a vector",
}


def _plan(index: ConseIndex) -> str:
    plan = index.plan()
    how = "bounds, then" if plan.bounded else "every label,"
    return f"{how} {plan.arithmetic}, for the 10 best labels of 10 classes: {plan.reason}"


def _texts(facts: dict[str, Any], of: str) -> str:
    held = [what for what in ("names", "ids") if facts[f"has_{of}_{what}"]]
    return f", with {' and '.join(held)}" if held else ", without names"


def _examples(index: ConseIndex) -> list[tuple[str, str]]:
    names, ids = index.label_names, index.label_ids
    if names is None:
        return []
    name = names[0] or "(an empty name)"
    return [("first label", f"{ids[0]}  {name}" if ids is not None else name)]


@click.command(
    epilog="""\b
Example:
  conse-fast verify index.safetensors && echo safe to use"""
)
@click.argument("index")
@n_threads_option
def verify(index: str, n_threads: int | None) -> None:
    """Read all of the file INDEX and check that it is whole.

    Checks its checksum, ids, finite values and bounds. A damaged file ends with exit status 1 and one line that tells
    what is wrong.
    """
    started = time.monotonic()
    with ConseIndex.open(index) as opened:
        opened.verify(n_threads=n_threads)
        size = bytes_text(opened.nbytes)
    click.echo(f"ok: {os.fspath(index)} is whole ({size} read in {seconds_text(time.monotonic() - started)})")
