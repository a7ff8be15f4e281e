"""Timing calls of several kinds in turn, so that whatever disturbs the machine meets all of them."""

from __future__ import annotations

import itertools
import math
import os
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from conse_fast._arrays import Array

_TARGET = "CONSE_FAST_TARGET"

# A turn is so long, or one call: long enough to warm up again after the others.
_TURN_SECONDS = 0.02
_LEAST_TURNS = 10


@dataclass(frozen=True)
class Case:
    """A kind of call.

    Attributes:
        batch: Images per call.
        n_threads: At most so many threads.
        target: The kernels, one of `conse_fast.targets`.
    """

    batch: int
    n_threads: int
    target: str


@dataclass(frozen=True)
class Timing:
    """How long calls of a kind took.

    Attributes:
        case: The kind.
        n_calls: How many calls were timed.
        quartiles: Seconds per call: a quarter of the calls, half and three quarters took no longer.
    """

    case: Case
    n_calls: int
    quartiles: tuple[float, float, float]

    @property
    def seconds_per_call(self) -> float:
        """The median."""
        return self.quartiles[1]

    @property
    def seconds_per_image(self) -> float:
        """The median, shared by the images of a call."""
        return self.quartiles[1] / self.case.batch


def time_calls(
    call: Callable[[Array, int], object],
    rows: Array,
    cases: Sequence[Case],
    seconds: float,
    progress: Callable[[float], None],
) -> list[Timing]:
    """Times calls of every kind, in turns, until the time is up.

    Args:
        call: What is timed; takes images, (batch, classes), and the number of threads.
        rows: (N, classes): each call takes the next rows of them, so that no call finds its own in the nearest cache.
        cases: The kinds, small batches first. A kind of which a single call would not end in time, as the calls before
            it suggest, is left out; the first is always there.
        seconds: How long it may take.
        progress: Called with the share of the time that has passed, 0 to 1.

    Returns:
        Timings in the order of ``cases``.
    """
    started = time.perf_counter()
    turn = min(_TURN_SECONDS, seconds / (_LEAST_TURNS * len(cases)))
    courses = [_Course(case, rows) for case in cases]
    courses[0].take_turn(call, turn)
    for course in itertools.cycle(courses):
        passed = time.perf_counter() - started
        if passed >= seconds:
            break
        progress(passed / seconds)
        if passed + _expected_call(course, courses) <= seconds:
            course.take_turn(call, turn)
    return [course.timing() for course in courses if course.calls]


class _Course:
    """The calls of one kind.

    Attributes:
        case: The kind.
        calls: Seconds of each call.
        shortest_call: The least of them.
    """

    def __init__(self, case: Case, rows: Array) -> None:
        self.case = case
        self.calls = array("d")
        self.shortest_call = math.inf
        starts = range(0, len(rows) - case.batch + 1, case.batch)
        self._batches = itertools.cycle([rows[start : start + case.batch] for start in starts])

    def take_turn(self, call: Callable[[Array, int], object], seconds: float) -> None:
        """Times calls for so long, and at least one."""
        with _kernels(self.case.target):
            now = time.perf_counter()
            end = now + seconds
            while True:
                batch = next(self._batches)
                started = time.perf_counter()
                call(batch, self.case.n_threads)
                now = time.perf_counter()
                self.calls.append(now - started)
                self.shortest_call = min(self.shortest_call, now - started)
                if now >= end:
                    return

    def timing(self) -> Timing:
        first, median, third = np.percentile(self.calls, [25, 50, 75]).tolist()
        return Timing(self.case, len(self.calls), (first, median, third))


def _expected_call(course: _Course, courses: Sequence[_Course]) -> float:
    """Seconds of the next call, judged by calls of the same kind, or of other batches on as many threads."""
    if course.calls:
        return course.shortest_call
    alike = [other for other in courses if other.calls and other.case.n_threads == course.case.n_threads]
    return course.case.batch * min(other.shortest_call / other.case.batch for other in alike or courses[:1])


@contextmanager
def _kernels(target: str) -> Iterator[None]:
    """Has all calls use these kernels, and then again what was asked for before."""
    before = os.environ.get(_TARGET)
    os.environ[_TARGET] = target
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TARGET]
        else:
            os.environ[_TARGET] = before
