"""What every peer shares: its form, and batches cut into chunks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable, ClassVar

import numpy as np
import numpy.typing as npt
from problem import Problem

Floats = npt.NDArray[np.float32]
Answer = tuple[Floats, npt.NDArray[np.int64]]


class Peer(ABC):
    """One way to do one task. The constructor prepares whatever does not depend on the images; ``run`` is timed.

    ``rows`` are probabilities, or queries in the task "dense". ``run`` answers (values, columns), best first, or the
    convex combinations in the task "combine"; ``top_t`` and ``k`` are 0 where they mean nothing.
    """

    package: ClassVar[str]  # the distribution whose version is reported
    exact: ClassVar[bool] = True
    chunks: ClassVar[bool] = True  # may gain from smaller batches; ours cuts them itself
    serial_parts: ClassVar[bool] = False  # part of the work has one thread unless the caller brings more

    def __init__(self, problem: Problem, n_threads: int) -> None:
        self.problem, self.n_threads = problem, n_threads

    @abstractmethod
    def run(self, rows: Floats, top_t: int, k: int) -> Any: ...


@dataclass(frozen=True)
class Plan:
    """How a batch is cut: ``chunk`` rows at a time, by so many threads of the caller."""

    chunk: int
    workers: int = 1

    def __str__(self) -> str:
        return f"chunks of {self.chunk:,}" + (f", {self.workers} Python threads" if self.workers > 1 else "")


def in_chunks(call: Callable[[Floats], Any], rows: Floats, plan: Plan) -> Any:
    """``call`` on pieces of ``rows``; its results, arrays or tuples of them, put together again."""
    if len(rows) <= plan.chunk:
        return call(rows)
    pieces = [rows[at : at + plan.chunk] for at in range(0, len(rows), plan.chunk)]
    if plan.workers > 1:
        with ThreadPoolExecutor(plan.workers) as pool:
            results = list(pool.map(call, pieces))
    else:
        results = list(map(call, pieces))
    if isinstance(results[0], tuple):
        return tuple(np.concatenate(part) for part in zip(*results))
    return np.concatenate(results)
