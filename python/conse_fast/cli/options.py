"""Options and argument types that several commands share."""

from __future__ import annotations

import click


def _count_or_all(ctx: click.Context, parameter: click.Parameter, value: str) -> int | None:
    """A number from 1 on, or None for ``all``."""
    if value == "all":
        return None
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1:
        raise click.BadParameter(f"expected a number from 1 on, or 'all', got {value!r}")
    return number


top_t_option = click.option(
    "--top-t",
    callback=_count_or_all,
    default="10",
    show_default=True,
    metavar="COUNT|all",
    help="Keep so many of an image's most probable classes.",
)

n_threads_option = click.option(
    "--n-threads",
    type=click.IntRange(min=1),
    metavar="COUNT",
    show_default="the CPUs that this process may use",
    help="Use at most so many threads.",
)
