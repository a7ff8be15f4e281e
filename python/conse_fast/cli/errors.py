"""From exceptions to one readable line and an exit status."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NoReturn

import click

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130
CLOSED_PIPE = 141


class CliError(Exception):
    """What the user can read and mend; its text is the whole message."""


class ClosedPipe(Exception):  # noqa: N818 - no error, the reader has had enough
    """Whoever read the output has closed it."""


def describe(error: BaseException) -> str:
    """The text for an exception: what is wrong and, where it is known, with which file."""
    if isinstance(error, click.UsageError):
        where = f" (see '{error.ctx.command_path} --help')" if error.ctx else ""
        return error.format_message().rstrip(".") + where
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError) and error.strerror:
        name = None if error.filename is None else os.fsdecode(error.filename) or "an empty file name"
        return error.strerror if name is None else f"{name}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}" if str(error) else "not enough memory"
    if isinstance(error, (CliError, ValueError, TypeError, ImportError)):
        return str(error)
    return f"unexpected {type(error).__name__}: {error}; CONSE_FAST_DEBUG=1 shows where it happened"


@contextmanager
def naming(files: Mapping[str, str | None]) -> Iterator[None]:
    """Says which file an error is about that begins with the name of an argument."""
    try:
        yield
    except (TypeError, ValueError) as error:
        for argument, path in files.items():
            if path is not None and str(error).startswith(argument):
                raise CliError(f"{path}: {error}") from error
        raise


def run_and_exit(command: Callable[[], object]) -> NoReturn:
    """Runs a command to its end, says in one line what went wrong, and exits.

    Args:
        command: A click command in the mode that raises its errors and returns an asked-for exit status.
    """
    try:
        result = command()
        _flush()
    except (click.Abort, KeyboardInterrupt):
        if sys.stderr is not None and sys.stderr.isatty():
            click.echo(err=True)  # the terminal has written "^C" where the line would begin
        _say("interrupted")
        _drop_standard_output()
        sys.exit(INTERRUPTED)
    except (ClosedPipe, BrokenPipeError):
        _drop_standard_output()
        sys.exit(CLOSED_PIPE)
    except Exception as error:
        _say(f"error: {describe(error)}")
        _drop_standard_output()
        sys.exit(WRONG_USAGE if isinstance(error, click.UsageError) else FAILED)
    sys.exit(result if isinstance(result, int) else 0)


def _say(message: str) -> None:
    line = re.sub(r"[\s\x00-\x1f]+", " ", message).strip()
    with suppress(OSError):
        click.echo(f"conse-fast: {line}", err=True)


def _flush() -> None:
    """Brings errors of standard output to light while they can still be told."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _drop_standard_output() -> None:
    """Sends to nowhere what standard output still holds and cannot write: Python would fail once more at its exit."""
    try:
        _flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
