"""Tables and sections of longer reports. Needs rich at once, so reports are imported where they are printed."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

_WIDTH = 100  # longer lines are hard to read


def new_table(*, header: bool = True) -> Table:
    """A table with a line under its header and none around it."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, show_header=header, pad_edge=False, padding=(0, 2, 0, 0))


def print_section(screen: Console, title: str, *parts: str | Table) -> None:
    """Prints a title and, apart from each other, what belongs to it."""
    screen.print(title, style="bold", markup=False)
    for part in parts:
        screen.print()
        screen.print(part, width=min(screen.width, _WIDTH), markup=False)
    screen.print()
