"""``conse-fast bench``: what this machine can do, and how near to it an index comes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import click

import conse_fast
from conse_fast import Limits, measure_limits
from conse_fast._arrays import Array
from conse_fast.cli.bench_input import Subject, open_subject
from conse_fast.cli.options import n_threads_option, top_t_option
from conse_fast.cli.terminal import ProgressBar, console
from conse_fast.cli.timing import Case, Timing, time_calls

BATCHES = (1, 32, 1024, 4096)
_BATCH_OF_TARGETS = 1024
_LEAST_SECONDS, _MOST_SECONDS = 0.1, 600.0


@dataclass(frozen=True)
class Result:
    """All that was found out.

    Attributes:
        subject: What was ranked.
        k: Labels per image.
        top_t: Kept classes per image; None: all.
        limits: By number of threads: 1, and as many as may be used.
        timings: Calls with the kernels in use, by batch and threads.
        target_timings: Calls on one thread with each set of kernels, best first.
        left_out: Kinds of calls of which not even one would have ended in time.
        load: Processes that wanted a CPU in the minute before, on average.
    """

    subject: Subject
    k: int
    top_t: int | None
    limits: dict[int, Limits]
    timings: list[Timing]
    target_timings: list[Timing]
    left_out: list[Case]
    load: float


def _seconds(ctx: click.Context, parameter: click.Parameter, value: float) -> float:
    if not _LEAST_SECONDS <= value <= _MOST_SECONDS:  # NaN too
        raise click.BadParameter(f"expected a number from {_LEAST_SECONDS:g} to {_MOST_SECONDS:g}, got {value:g}")
    return value


@click.command(
    short_help="Measure this machine, and an index on it.",
    epilog="""\b
Examples:
  conse-fast bench
  conse-fast bench index.safetensors --probabilities probabilities.npy
  conse-fast bench index.safetensors --seconds 60 --json > bench.json""",
)
@click.argument("index", required=False)
@click.option(
    "--probabilities",
    metavar="FILE",
    show_default="the demo's photos, or made-up images for INDEX",
    help="Rank these images: an .npy file of shape (images, classes). The first 4,096 are used.",
)
@click.option(
    "--k", type=click.IntRange(min=1), default=10, show_default=True, metavar="COUNT", help="Labels to rank per image."
)
@top_t_option
@n_threads_option
@click.option(
    "--seconds",
    type=float,
    callback=_seconds,
    default=20,
    show_default=True,
    metavar="NUMBER",
    help="Time calls for so long. The limits take one or two more.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of tables.")
def bench(
    index: str | None,
    probabilities: str | None,
    k: int,
    top_t: int | None,
    n_threads: int | None,
    seconds: float,
    as_json: bool,
) -> None:
    """Measure what this machine can do, and how long ranking takes on it.

    First the limits: how fast memory is read and numbers are multiplied. Then calls of `rank`, for one image and for
    many at once, on one thread and on all, and with each set of kernels that this CPU supports: the median of many
    calls, taken in turns. INDEX is the file to rank with, otherwise the labels of the demo. Other programs that run
    meanwhile make all of it slower.
    """
    from conse_fast.cli.bench_report import as_dict, print_report

    result = run(index, probabilities, k, top_t, n_threads, seconds)
    if as_json:
        import json

        click.echo(json.dumps(as_dict(result), indent=2))
    else:
        print_report(console(), result)


def run(
    index: str | None, probabilities: str | None, k: int, top_t: int | None, n_threads: int | None, seconds: float
) -> Result:
    """Does the measuring."""
    target = conse_fast.target()  # an unknown one is told before any work
    load = os.getloadavg()[0]
    with open_subject(index, probabilities, n_threads) as subject, ProgressBar("measuring") as progress:
        k = min(k, subject.index.n_labels)
        limits = _limits(n_threads)
        cases, of_targets = _cases(len(subject.images), sorted(limits), target)
        wanted = sorted(dict.fromkeys([*cases, *of_targets]), key=lambda case: case.batch)

        def rank(images: Array, n_threads: int) -> None:
            subject.index.rank(images, k, top_t, n_threads=n_threads)

        timings = {timing.case: timing for timing in time_calls(rank, subject.images, wanted, seconds, progress)}
    return Result(
        subject,
        k,
        top_t,
        limits,
        [timings[case] for case in cases if case in timings],
        [timings[case] for case in of_targets if case in timings],
        [case for case in wanted if case not in timings],
        load,
    )


def _limits(n_threads: int | None) -> dict[int, Limits]:
    of_all = measure_limits(n_threads)
    return {1: of_all if of_all.n_threads == 1 else measure_limits(1), of_all.n_threads: of_all}


def _cases(n_images: int, threads: Sequence[int], target: str) -> tuple[list[Case], list[Case]]:
    """Calls with the kernels in use, and calls with each set of them."""
    batches = [batch for batch in BATCHES if batch <= n_images]
    middle = max(batch for batch in batches if batch <= _BATCH_OF_TARGETS)
    return (
        [Case(batch, n_threads, target) for batch in batches for n_threads in threads],
        [Case(middle, 1, name) for name in conse_fast.targets()],
    )
