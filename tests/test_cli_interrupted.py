"""What `rank` leaves behind when it cannot end: Ctrl-C, closed pipes, full disks."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

pytest.importorskip("click", reason="the command line needs the extra [cli]")
pytest.importorskip("rich", reason="the command line needs the extra [cli]")

from test_cli import N_CLASSES, assert_fails, make_files, run, start, visit
from test_cli_rank import RANK, SUFFIXES, make_probabilities, save_zeros

from conse_fast.cli import terminal


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = make_files(tmp_path_factory.mktemp("files"))
    np.save(folder / "probabilities.npy", make_probabilities())
    return folder


@pytest.fixture
def here(files, monkeypatch):
    yield from visit(files, monkeypatch)


# ---------------------------------------------------------------------------------------------- interruptions


@pytest.fixture
def endless(here):
    """An input that takes many seconds to rank to JSON lines."""
    save_zeros(here / "endless.npy", 40_000_000)
    return "endless.npy"


def started_writing(folder):
    """Waits for the file that is written aside; returns whether it came."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if any(path.name.startswith(".conse-fast-") and path.stat().st_size for path in folder.iterdir()):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [(signal.SIGINT, 130, b"conse-fast: interrupted\n"), (signal.SIGTERM, 143, b""), (signal.SIGHUP, 129, b"")],
)
def test_an_interrupted_run_leaves_no_file(here, endless, number, status, message):
    before = sorted(here.iterdir())
    # A shell that runs the tests in the background has it ignore Ctrl-C.
    process = start(
        *RANK, endless, "-o", "x.jsonl", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    )
    assert started_writing(here)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (status, b"", message)
    assert sorted(here.iterdir()) == before


def test_interrupted_in_this_process(here, monkeypatch):
    def interrupt(self, share):
        raise KeyboardInterrupt

    monkeypatch.setattr(terminal.ProgressBar, "__call__", interrupt)
    before = sorted(here.iterdir())
    for suffix in SUFFIXES:
        result = run(*RANK, "probabilities.npy", "-o", f"x.{suffix}")
        assert (result.exit_code, result.stderr) == (130, "conse-fast: interrupted\n")
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_closed_pipe_ends_quietly(here, form):
    np.save("many.npy", np.tile(make_probabilities(), (1000, 1)))
    process = start(*RANK, "many.npy", "--format", form)
    first = process.stdout.readline()
    process.stdout.close()
    assert first.startswith(b"row,rank" if form == "csv" else b'{"row": 0')
    assert process.wait(timeout=30) == 141
    assert process.stderr.read() == b""


@pytest.mark.parametrize("command", [[*RANK, "probabilities.npy"], ["info", "index.safetensors"], ["--version"]])
def test_a_pipe_that_is_closed_from_the_start(here, command):
    reader, writer = os.pipe()
    os.close(reader)
    process = start(*command, stdout=writer)
    os.close(writer)
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 141


# ------------------------------------------------------------------------------- output that cannot be written


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
def test_full_disks(here):
    result = run(*RANK, "probabilities.npy", "--format", "csv", "-o", "/dev/full")
    assert_fails(result, 1, "/dev/full: No space left on device")
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        process = start(*RANK, "probabilities.npy", stdout=full)
        _, stderr = process.communicate()
    assert (process.returncode, stderr) == (1, b"conse-fast: error: No space left on device\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
def test_an_error_after_output_that_cannot_be_written(here):
    # The first chunk leaves a header in a buffer, which must not fail once more when Python exits.
    rows = np.zeros((20_000, N_CLASSES), np.float32)
    rows[-1] = np.nan
    np.save("late.npy", rows)
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        process = start(*RANK, "late.npy", stdout=full)
        _, stderr = process.communicate()
    assert process.returncode == 1
    assert stderr.startswith(b"conse-fast: error: late.npy: row 19999 holds NaN at column 0")
    assert len(stderr.splitlines()) == 1


def test_standard_output_that_is_closed(here):
    process = start(*RANK, "probabilities.npy", stdout=None, preexec_fn=lambda: os.close(1))
    _, stderr = process.communicate()
    assert (process.returncode, stderr) == (1, b"conse-fast: error: standard output is closed; give -o FILE\n")
