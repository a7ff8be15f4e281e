"""The bytes of a file, unpacked if it is gzipped, in large pieces."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Callable, TypeVar, cast

if TYPE_CHECKING:
    from typing_extensions import Self

_T = TypeVar("_T")

_GZIP = b"\x1f\x8b"
_PIECE_BYTES = 2**20


class Stream:
    """A file that is read once from beginning to end; progress is called after every piece.

    Attributes:
        path: The file.
        size: Its size in bytes if it is not packed, else None.
    """

    def __init__(self, path: str, progress: Callable[[float], object] | None = None) -> None:
        """Opens the file at ``path``.

        Raises:
            ValueError: It is no regular file.
            OSError: The file is missing or cannot be read.
        """
        if not stat.S_ISREG(os.stat(path).st_mode) and not Path(path).is_dir():  # noqa: PTH116 - keeps the path
            raise ValueError(f"{path} is no regular file; word vectors are looked at before they are read")
        self.path = path
        self._file = Path(path).open("rb")  # noqa: SIM115 - closed by __exit__
        self._n_bytes = os.fstat(self._file.fileno()).st_size
        self._progress = progress
        packed = self._file.read(len(_GZIP)) == _GZIP
        self._file.seek(0)
        self.size = None if packed else self._n_bytes
        unpacked = cast("BinaryIO", gzip.GzipFile(fileobj=self._file)) if packed else self._file
        self._lines = io.BufferedReader(cast("io.RawIOBase", unpacked), _PIECE_BYTES) if packed else unpacked

    def read(self, n_bytes: int = _PIECE_BYTES) -> bytes:
        """So many bytes, fewer at the end of the file."""
        piece = self._safely(lambda: self._lines.read(n_bytes))
        self._report()
        return piece

    def read_line(self) -> bytes:
        """The next line with its end."""
        return self._safely(self._lines.readline)

    def line_batches(self) -> Iterator[list[bytes]]:
        """All further lines with their ends, about a megabyte at a time."""
        while True:
            lines = self._safely(lambda: self._lines.readlines(_PIECE_BYTES))
            self._report()
            if not lines:
                return
            yield lines

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self._file.tell() / self._n_bytes if self._n_bytes else 1.0)

    def _safely(self, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except EOFError:
            raise ValueError(f"{self.path} is cut off: its gzip data ends too early; fetch the file again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{self.path}: its gzip data is damaged ({error}); fetch the file again") from error
