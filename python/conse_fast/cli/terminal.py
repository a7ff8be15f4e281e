"""What the terminal shows: tables, sizes, times, and a bar for work that takes long."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import conse_fast

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

# rich is imported where it is used: it takes longer to import than most rankings take.

_PATIENCE = 1.0  # seconds without a bar


def console() -> Console:
    """A console for standard output."""
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would exit with 1

    return Screen(highlight=False)


def version_text(n_threads: int | None = None) -> str:
    """The version, the kernels in use and the threads: ``"conse-fast 0.1.0, target x86-64-v4, 2 threads"``."""
    threads = conse_fast.max_threads() if n_threads is None else n_threads
    plural = "" if threads == 1 else "s"
    return f"conse-fast {conse_fast.__version__}, target {conse_fast.target()}, {threads} thread{plural}"


def bytes_text(count: int) -> str:
    """A size for people: ``"89.7 MB"``."""
    if count < 1000:
        return f"{count} bytes"
    power = next((power for power in (1, 2, 3) if count < 999.95 * 1000**power), 4)
    return f"{count / 1000**power:.1f} {('kB', 'MB', 'GB', 'TB')[power - 1]}"


def seconds_text(seconds: float) -> str:
    """A time for people: ``"7.2 us"``, ``"26 ms"``, ``"1.4 s"``."""
    for factor, unit in ((1e6, "us"), (1e3, "ms")):
        if seconds * factor < 1000:
            value = seconds * factor
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{seconds:.1f} s"


class ProgressBar:
    """A bar on standard error that appears once the work has lasted a second, and only on a terminal.

    Call it with the share that is done, 0 to 1.
    """

    def __init__(self, title: str, *, wanted: bool = True) -> None:
        self._title = title
        self._wanted = wanted and sys.stderr.isatty()
        self._started = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> ProgressBar:
        return self

    def __call__(self, fraction: float) -> None:
        """Shows that this share of the work is done."""
        if not self._wanted or (self._bar is None and time.monotonic() - self._started < _PATIENCE):
            return
        if self._bar is None:
            self._bar = self._show()
        self._bar.update(self._bar.task_ids[0], completed=fraction)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _show(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        bar.add_task(self._title, total=1.0)
        bar.start()
        return bar
