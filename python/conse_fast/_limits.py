"""What this machine can do at most."""

from __future__ import annotations

from typing import NamedTuple

from conse_fast import _arrays, _core


class Limits(NamedTuple):
    """What all threads together reached, the best of several passes: something to compare a measured time with.

    Attributes:
        read_once_bytes_per_second: The first pass over a buffer that was just written, as an image's probabilities are
            when they are ranked.
        bandwidth_bytes_per_second: The fastest pass of all, those that read the same buffer again included. Where the
            last-level cache is larger than the buffer, this is the speed of that cache.
        multiply_adds_per_second: Of float32 in registers: a product and a sum, fused where the kernels can.
        n_threads: How many threads measured.
        target: The kernels that measured, as in `conse_fast.target`.
    """

    read_once_bytes_per_second: float
    bandwidth_bytes_per_second: float
    multiply_adds_per_second: float
    n_threads: int
    target: str


def measure_limits(n_threads: int | None = None, *, megabytes: int = 256) -> Limits:
    """Measures how fast this machine reads memory and multiplies, in about half a second.

    Other programs that run meanwhile make it slower. A buffer of gigabytes takes several seconds; Ctrl-C stops it.

    Args:
        n_threads: At most so many threads; None: `conse_fast.max_threads`.
        megabytes: Size of the buffer that is read, in 1,000,000 bytes, 1 to 16384. One that fits into the caches
            measures them, and a few megabytes are too few for many threads.

    Returns:
        `Limits`, in bytes and multiply-adds per second.

    Raises:
        TypeError: An argument is no integer.
        ValueError: ``n_threads`` < 1, or ``megabytes`` out of range.
        MemoryError: There is no room for the buffer.
    """
    n = _arrays.threads(n_threads)
    return Limits(*_core.measure_limits(_arrays.count(megabytes, "megabytes"), n))
