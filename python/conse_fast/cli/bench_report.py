"""What ``conse-fast bench`` prints."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

import conse_fast
from conse_fast.cli.bench import Result
from conse_fast.cli.tables import new_table, print_section
from conse_fast.cli.terminal import bytes_text, version_text
from conse_fast.cli.timing import Case, Timing

_BUSY_SHARE = 0.5  # of the CPUs


def print_report(screen: Console, result: Result) -> None:
    """Prints the machine, its limits and the times."""
    target = result.limits[1].target
    print_section(screen, version_text(max(result.limits)), _facts(result))
    print_section(screen, "Limits of this machine", _limits(result), _about_limits(result))
    print_section(screen, f"Calls with {target}", _timings(result), _about_timings(result))
    if result.target_timings:
        batch = result.target_timings[0].case.batch
        title = f"Calls with each target that this CPU supports, {batch:,} images on one thread"
        print_section(screen, title, _targets(result.target_timings, target))


def as_dict(result: Result) -> dict[str, Any]:
    """All of it as plain values, for JSON."""
    index = result.subject.index
    return {
        "version": conse_fast.__version__,
        "cpu": cpu_name(),
        "n_cpus": n_cpus(),
        "load": result.load,
        "target": result.limits[1].target,
        "targets": list(conse_fast.targets()),
        "index": {
            "path": index.path,
            "form": _form(result),
            "n_classes": index.n_classes,
            "n_labels": index.n_labels,
            "dimension": index.dimension,
            "nbytes": index.nbytes,
        },
        "images": result.subject.about_images,
        "k": result.k,
        "top_t": result.top_t,
        "limits": [limits._asdict() for limits in result.limits.values()],
        "timings": [_timing_dict(result, timing) for timing in result.timings],
        "target_timings": [_timing_dict(result, timing) for timing in result.target_timings],
        "left_out": [_case_dict(case) for case in result.left_out],
    }


def cpu_name() -> str:
    """The CPU's name as the system tells it, or else its architecture."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def n_cpus() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _form(result: Result) -> str:
    return "compact" if result.subject.index.compact else "full"


def _case_dict(case: Case) -> dict[str, Any]:
    return {"batch": case.batch, "n_threads": case.n_threads, "target": case.target}


def _timing_dict(result: Result, timing: Timing) -> dict[str, Any]:
    return {
        **_case_dict(timing.case),
        "n_calls": timing.n_calls,
        "quartiles_microseconds_per_call": [1e6 * seconds for seconds in timing.quartiles],
        "microseconds_per_image": 1e6 * timing.seconds_per_image,
        "images_per_second": 1 / timing.seconds_per_image,
        "times_reading_the_input": _times_reading(result, timing),
    }


def _image_bytes(result: Result) -> int:
    images = result.subject.images
    return int(images.shape[1]) * images.itemsize


def _times_reading(result: Result, timing: Timing) -> float:
    """How many times an image's probabilities could have been read meanwhile, each time for the first time."""
    # One image is ranked by one thread.
    limits = result.limits[1 if timing.case.batch == 1 else timing.case.n_threads]
    return timing.seconds_per_image * limits.read_once_bytes_per_second / _image_bytes(result)


# ----------------------------------------------------------------------------------------------------- tables


def _facts(result: Result) -> Table:
    index = result.subject.index
    kept = "all classes" if result.top_t is None else f"the {result.top_t} most probable classes"
    table = new_table(header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in (
        ("CPU", f"{cpu_name()}, {_count(n_cpus(), 'CPU')} for this process"),
        ("load", _load(result)),
        ("targets", ", ".join(conse_fast.targets())),
        ("index", "the labels of the demo" if index.path is None else index.path),
        ("", f"{index.n_classes:,} classes, {index.n_labels:,} labels of {index.dimension} dimensions"),
        ("", f"{_form(result)}, {bytes_text(index.nbytes)}"),
        ("images", result.subject.about_images),
        ("ranking", f"the best {result.k:,} labels, from {kept}"),
    ):
        table.add_row(name, Text(value))
    return table


def _load(result: Result) -> str:
    text = f"{result.load:.1f} before it began"
    is_busy = result.load > _BUSY_SHARE * n_cpus()
    return f"{text}: other programs are at work and make all of this slower" if is_busy else text


def _limits(result: Result) -> Table:
    table = new_table()
    table.add_column("")
    for n_threads in result.limits:
        table.add_column(_count(n_threads, "thread"), justify="right", no_wrap=True)
    limits = list(result.limits.values())
    table.add_row("reading what was just written, once", *(_speed(of.read_once_bytes_per_second) for of in limits))
    table.add_row("reading at its fastest", *(_speed(of.bandwidth_bytes_per_second) for of in limits))
    table.add_row("multiply-adds", *(f"{of.multiply_adds_per_second / 1e9:.1f} G/s" for of in limits))
    return table


def _about_limits(result: Result) -> str:
    index, limits = result.subject.index, result.limits[max(result.limits)]
    count = index.n_rows * index.dimension
    least = _microseconds(count / limits.multiply_adds_per_second)
    return (
        f"256 MB, float32, the best of several passes. At its fastest it may be read from a cache that holds it. A "
        f"matrix product with all label embeddings ({index.n_rows:,} x {index.dimension} multiply-adds) would take at "
        f"least {least} us an image with {_count(limits.n_threads, 'thread')}."
    )


def _timings(result: Result) -> Table:
    table = new_table()
    for title in ("images", "threads", "us/call", "middle half", "us/image", "images/s", "x reading"):
        table.add_column(title, justify="right", no_wrap=True)
    for timing in result.timings:
        table.add_row(
            f"{timing.case.batch:,}",
            str(timing.case.n_threads),
            *_call_columns(timing),
            f"{1 / timing.seconds_per_image:,.0f}",
            f"{_times_reading(result, timing):,.1f}",
        )
    return table


def _about_timings(result: Result) -> str:
    n_calls = [timing.n_calls for timing in (*result.timings, *result.target_timings)]
    text = (
        f"Medians of {min(n_calls):,} to {max(n_calls):,} calls, and the times between which the middle half of them "
        f"lies. x reading: how many times as long as reading the image's {bytes_text(_image_bytes(result))} once."
    )
    if result.left_out:
        text += f" {len(result.left_out)} kinds of calls take too long for the time given: see --seconds."
    return text


def _targets(timings: Iterable[Timing], in_use: str) -> Table:
    table = new_table()
    table.add_column("target", no_wrap=True)
    for title in ("us/call", "middle half", "us/image"):
        table.add_column(title, justify="right", no_wrap=True)
    for timing in timings:
        name = timing.case.target
        table.add_row(f"{name} (in use)" if name == in_use else name, *_call_columns(timing))
    return table


def _call_columns(timing: Timing) -> tuple[str, str, str]:
    first, median, third = map(_microseconds, timing.quartiles)
    return median, f"{first} - {third}", _microseconds(timing.seconds_per_image)


def _microseconds(seconds: float) -> str:
    value = seconds * 1e6
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _speed(bytes_per_second: float) -> str:
    return f"{bytes_text(round(bytes_per_second))}/s"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
