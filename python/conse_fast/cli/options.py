"""Options and argument types that several commands share."""

from __future__ import annotations

import math
from typing import NoReturn

import click
from click.core import ParameterSource


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

logits_option = click.option("--logits", is_flag=True, help="The file holds logits, what comes before the softmax.")

temperature_option = click.option(
    "--temperature",
    type=float,
    metavar="NUMBER",
    help="Divide the logits by this number; larger is flatter. [default: 1]",
)


def refuse_usage(message: str) -> NoReturn:
    """Ends the command: its arguments do not go together."""
    raise click.UsageError(message, click.get_current_context())


def is_given(option: str) -> bool:
    """Whether the command line holds the option with this parameter name."""
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE


def temperature_of(logits: bool, temperature: float | None) -> float | None:
    """What logits are divided by, or None for probabilities."""
    if temperature is None:
        return 1.0 if logits else None
    if not logits:
        refuse_usage("--temperature goes with --logits")
    if not (temperature > 0 and math.isfinite(temperature)):
        refuse_usage(f"--temperature must be a number above 0, got {temperature:g}")
    return temperature
