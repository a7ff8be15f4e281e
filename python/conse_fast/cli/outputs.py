"""Files that commands write: whole, or not at all."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from conse_fast.cli.errors import CliError


def check_output(path: str, inputs: Iterable[str]) -> None:
    """Finds out before the work begins whether its result can be written.

    Args:
        path: The file to write.
        inputs: Files that must not be overwritten.

    Raises:
        CliError: The folder is missing, or ``path`` is a folder or one of the inputs.
    """
    target = Path(path)
    if target.is_dir():
        raise CliError(f"{path} is a folder; expected a file name")
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise CliError(f"cannot write {path}: there is no folder {folder}")
    for source in inputs:
        if target.exists() and Path(source).exists() and target.samefile(source):
            raise CliError(f"{path} is also an input, which would be lost; choose another name")


def is_special(path: str) -> bool:
    """Whether ``path`` is a device or pipe, which must never be replaced by a file."""
    return Path(path).exists() and not Path(path).is_file()


@contextmanager
def whole_file(path: str) -> Iterator[BinaryIO]:
    """Opens a file for writing that appears under its name when it is whole, and not at all after an error.

    It is written in the same folder and renamed at the end; links are followed, devices and pipes written as they
    are. Its permissions are those of any new file.

    Raises:
        OSError: The file cannot be written; it names ``path``.
    """
    try:
        if is_special(path):
            with Path(path).open("wb") as file:
                yield file
        else:
            with _renamed_when_whole(os.path.realpath(path)) as file:
                yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is not None and not _is_aside(error.filename, path):
            raise
        raise OSError(error.errno, error.strerror, path) from error


_NUMBERS = itertools.count()


@contextmanager
def _renamed_when_whole(path: str) -> Iterator[BinaryIO]:
    aside = f"{path}.tmp-{os.getpid()}-{next(_NUMBERS)}"
    try:
        with open(aside, "xb") as file:  # noqa: PTH123 - Path.open of a str says no more
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)  # noqa: PTH105
    except BaseException:  # Ctrl-C too
        with suppress(OSError):
            os.unlink(aside)  # noqa: PTH108
        raise


def _is_aside(file_name: object, path: str) -> bool:
    return isinstance(file_name, str) and file_name.startswith(f"{os.path.realpath(path)}.tmp-")
