"""Ranking a file that may be larger than the memory, a chunk of rows at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from conse_fast import Candidates, ConseIndex, Ranking
from conse_fast._arrays import Array
from conse_fast._chunks import chunk_rows
from conse_fast.cli.errors import CliError
from conse_fast.cli.inputs import RowsFile
from conse_fast.cli.writers import Writer


@dataclass(frozen=True)
class Ranker:
    """An index and how to rank with it.

    Attributes:
        index: The labels.
        k: Labels per row.
        top_t: Kept classes per row; None: all.
        temperature: What logits are divided by; None: the rows hold probabilities.
        n_threads: At most so many threads; None: what the CPU has.
        candidates: The labels that may be ranked; None: all.
        seen_penalty: What the scores of seen labels are reduced by.
        form: ``"cosine"`` or ``"dot"``.
    """

    index: ConseIndex
    k: int
    top_t: int | None
    temperature: float | None
    n_threads: int | None
    candidates: Candidates | None = None
    seen_penalty: float = 0.0
    form: Literal["cosine", "dot"] = "cosine"

    def rank(self, rows: Array) -> Ranking:
        """The best labels of these rows."""
        which: dict[str, Any] = {
            "candidates": self.candidates,
            "seen_penalty": self.seen_penalty,
            "form": self.form,
            "n_threads": self.n_threads,
        }
        if self.temperature is None:
            return self.index.rank(rows, self.k, self.top_t, **which)
        return self.index.rank_logits(rows, self.k, self.top_t, temperature=self.temperature, **which)


def rank_rows(ranker: Ranker, rows: RowsFile, writer: Writer, progress: Callable[[float], None]) -> None:
    """Ranks all rows of a file.

    Args:
        ranker: How to rank.
        rows: The file.
        writer: Takes the rankings, chunk by chunk.
        progress: Called with the share that is done, 0 to 1.

    Raises:
        CliError: The file holds what cannot be ranked; the message names the file and the row in it.
    """
    step = chunk_rows(rows.row_bytes, ranker.k)
    # A file without rows is one empty chunk: its type and number of columns are checked all the same.
    for first in range(0, max(rows.n_rows, 1), step):
        last = min(first + step, rows.n_rows)
        chunk = rows.read(first, last)
        try:
            ranking = ranker.rank(chunk)
        except (TypeError, ValueError) as error:
            raise error_of_rows(error, rows.path, first) from error
        writer.write(ranking)
        progress(last / max(rows.n_rows, 1))


def error_of_rows(error: Exception, path: str, first: int) -> CliError:
    """What a chunk that begins at row ``first`` holds that cannot be ranked."""
    message = str(error).replace("logits belong to rank_logits", "if these are logits, give --logits")
    return CliError(explain(message, path, first))


def explain(message: str, path: str, first: int) -> str:
    """A message about a chunk that begins at row ``first``, in the words of the command line."""
    of_row = re.fullmatch(r"(?:probabilities|logits)\[(\d+)\] (.*)", message, re.DOTALL)
    if of_row:
        return f"{path}: row {first + int(of_row[1])} {of_row[2]}"
    of_file = re.fullmatch(r"(?:probabilities|logits) ((?:has|must) .*)", message, re.DOTALL)
    if of_file:
        return f"{path} {of_file[1]}"
    about_rows = message.startswith(("probabilities", "logits"))
    return f"{path}, from row {first} on: {message}" if about_rows else message
