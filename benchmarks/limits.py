"""What this machine can do at most, as the package measures it: the one place that asks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

import conse_fast as cf

MEGABYTES = 256


@dataclass(frozen=True)
class Limits:
    read_once_bytes_per_second: float  # the first pass over 256 MB that were just written
    bandwidth_bytes_per_second: float  # any pass over them, repeated ones included
    multiply_adds_per_second: float  # of float32


def measure(n_threads: int) -> Limits:
    """The limits on so many threads; about a second."""
    if hasattr(cf, "measure_limits"):
        found = cf.measure_limits(n_threads, megabytes=MEGABYTES)
        names = Limits.__dataclass_fields__
        return Limits(**{name: getattr(found, name) for name in names})
    return with_numpy(n_threads)


def with_numpy(n_threads: int) -> Limits:
    buffer = np.ones(MEGABYTES * 10**6 // 4, np.float32)
    parts = np.array_split(buffer, n_threads)
    square = np.ones((2048, 2048), np.float32)
    with threadpool_limits(1), ThreadPoolExecutor(n_threads) as pool:
        passes = [seconds(lambda: list(pool.map(np.dot, parts, parts))) for _ in range(5)]
    with threadpool_limits(n_threads):
        product = min(seconds(lambda: square @ square) for _ in range(3))
    return Limits(buffer.nbytes / passes[0], buffer.nbytes / min(passes), 2048**3 / product)


def seconds(call) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start
