"""The limits of the machine: plausible on every target, errors, and a measurement that can be stopped."""

from __future__ import annotations

import math
import os

import pytest
from test_process import COUNTING_THREAD, INTERRUPTED

import conse_fast as cf

FEW = 10  # megabytes: quick, and enough for these tests


def assert_plausible(limits):
    for per_second in limits[:3]:
        assert isinstance(per_second, float)
        assert 1e6 < per_second < math.inf
    assert limits.bandwidth_bytes_per_second >= limits.read_once_bytes_per_second


def test_every_target(target):
    limits = cf.measure_limits(1, megabytes=FEW)
    assert_plausible(limits)
    assert (limits.n_threads, limits.target) == (1, target)


def test_all_threads():
    limits = cf.measure_limits(megabytes=FEW)
    assert_plausible(limits)
    assert 1 <= limits.n_threads <= cf.max_threads()
    assert limits.target == cf.target()


def test_two_measurements_agree():
    # By a wide margin: other processes may be busy.
    for first, second in zip(cf.measure_limits(1, megabytes=FEW)[:3], cf.measure_limits(1, megabytes=FEW)[:3]):
        assert 1 / 20 < first / second < 20


def test_wider_registers_multiply_more(monkeypatch):
    per_second = []
    for name in cf.targets():
        monkeypatch.setenv("CONSE_FAST_TARGET", name)
        per_second.append(cf.measure_limits(1, megabytes=FEW).multiply_adds_per_second)
    if len(per_second) > 2:  # such as AVX-512 or AVX2, beside SSE and plain C++
        assert per_second[0] > per_second[-1]


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"megabytes": 0}, ValueError, "megabytes must be at least 1, got 0"),
    ({"megabytes": -3}, ValueError, "megabytes must be at least 1, got -3"),
    ({"megabytes": 16_385}, ValueError, "megabytes must be between 1 and 16384, got 16385"),
    ({"megabytes": 10**15}, ValueError, "megabytes must be between 1 and 16384"),
    ({"megabytes": 10**30}, ValueError, "megabytes must be at most"),
    ({"megabytes": 2.5}, TypeError, "megabytes must be an integer, got 2.5"),
    ({"megabytes": True}, TypeError, "megabytes must be an integer, got True"),
    ({"megabytes": None}, TypeError, "megabytes must be an integer, got None"),
    ({"n_threads": 0}, ValueError, "n_threads must be at least 1, got 0"),
    ({"n_threads": "all"}, TypeError, "n_threads must be an integer, got 'all'"),
])  # fmt: skip
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        cf.measure_limits(**arguments)


def test_an_unknown_target(monkeypatch):
    monkeypatch.setenv("CONSE_FAST_TARGET", "z80")
    with pytest.raises(ValueError, match=r"CONSE_FAST_TARGET is 'z80'.*generic"):
        cf.measure_limits(megabytes=FEW)


def test_ctrl_c_stops_a_measurement(run_python):
    run_python(INTERRUPTED + "interrupted(lambda: cf.measure_limits(megabytes=1000))")


def test_other_threads_run_meanwhile(run_python):
    run_python(
        "import conse_fast as cf\n"
        + COUNTING_THREAD
        + """
begin = time.perf_counter()
cf.measure_limits(1, megabytes=10)
end = time.perf_counter()
done.set()
thread.join()
assert sum(begin < tick < end for tick in ticks) > 10
"""
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_measures_on_one_thread(run_python):
    run_python(
        """
import os, signal
import conse_fast as cf
cf.measure_limits(megabytes=10)
child = os.fork()
if child == 0:
    signal.alarm(20)  # a child that hangs ends with SIGALRM
    os._exit(0 if cf.measure_limits(2, megabytes=10).n_threads == 1 else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    )
