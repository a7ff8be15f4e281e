"""Files that commands write: whole, or not at all."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
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
    if not path:
        raise CliError("the name of an output is empty; expected a file name")
    if target.is_dir() or path.endswith(os.sep):
        raise CliError(f"{path} is a folder; expected a file name")
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise CliError(f"cannot write {path}: there is no folder {folder}")
    for source in inputs:
        if target.exists() and Path(source).exists() and target.samefile(source):
            raise CliError(f"{path} is also an input, which would be lost; choose another name")


def check_outputs(paths: Sequence[str | None], inputs: Sequence[str]) -> None:
    """`check_output` for several files, those that are no None, which must not be the same either.

    Raises:
        CliError: One cannot be written, or two have the same name.
    """
    met: set[str] = set()
    for path in paths:
        if path is None:
            continue
        check_output(path, inputs)
        if os.path.realpath(path) in met:
            raise CliError(f"{path} is the name of two outputs; choose another one")
        met.add(os.path.realpath(path))


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
            with _renamed_when_whole(Path(os.path.realpath(path))) as file:
                yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is not None and _ASIDE not in str(error.filename):
            raise
        raise OSError(error.errno, error.strerror, path) from error


_ASIDE = ".conse-fast-"
_NUMBERS = itertools.count()


def _create_aside(folder: Path) -> BinaryIO:
    # A name that is taken was left by a process that was killed.
    while True:
        with suppress(FileExistsError):
            return (folder / f"{_ASIDE}{os.getpid()}-{next(_NUMBERS)}.tmp").open("xb")


@contextmanager
def _renamed_when_whole(path: Path) -> Iterator[BinaryIO]:
    with _create_aside(path.parent) as file:
        aside = Path(file.name)
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:  # Ctrl-C too
            with suppress(OSError):
                aside.unlink()
            raise
