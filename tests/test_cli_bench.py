"""The command `bench`: limits, calls taken in turns, and figures that agree with each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

import conse_fast as cf

pytest.importorskip("click", reason="the command line needs the extra [cli]")
pytest.importorskip("rich", reason="the command line needs the extra [cli]")

from test_cli import N_CLASSES, N_LABELS, assert_fails, make_files, run, visit
from test_cli_rank import make_probabilities

from conse_fast.cli import bench as bench_module
from conse_fast.cli import bench_input, bench_report, timing

BATCHES = [1, 32, 1024, 4096]
QUICK = ["--seconds", 0.4]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = make_files(tmp_path_factory.mktemp("files"))
    probabilities = make_probabilities()
    np.save(folder / "probabilities.npy", probabilities)
    np.save(folder / "one_row.npy", probabilities[3].astype(np.float16))
    np.save(folder / "many.npy", np.tile(probabilities, (200, 1)))
    np.save(folder / "no_rows.npy", probabilities[:0])
    np.save(folder / "uint8.npy", (probabilities * 255).astype(np.uint8))
    np.save(folder / "background.npy", np.zeros((3, N_CLASSES + 1), np.float32))
    np.save(folder / "logits.npy", probabilities - 0.5)
    probabilities[31, 2] = np.nan
    np.save(folder / "nan.npy", probabilities)
    return folder


@pytest.fixture
def here(files, monkeypatch):
    # Large buffers take long, and what they measure is tested elsewhere.
    monkeypatch.setattr(bench_module, "measure_limits", lambda n_threads: cf.measure_limits(n_threads, megabytes=5))
    yield from visit(files, monkeypatch)


def bench(*arguments):
    result = run("bench", *arguments, *QUICK, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


# ---------------------------------------------------------------------------------------------------- figures


def test_json(here):
    found = bench("index.safetensors", "--probabilities", "probabilities.npy", "--n-threads", 2)
    assert (found["version"], found["target"]) == (cf.__version__, cf.target())
    assert found["targets"] == list(cf.targets())
    assert found["cpu"] == bench_report.cpu_name() != ""
    assert found["n_cpus"] >= 1
    assert found["load"] >= 0
    assert found["images"] == "the 40 of probabilities.npy"
    assert (found["k"], found["top_t"]) == (10, 10)
    assert found["index"].pop("nbytes") > 1000
    assert found["index"] == {
        **{"path": str(here / "index.safetensors"), "form": "full"},
        **{"n_classes": N_CLASSES, "n_labels": N_LABELS, "dimension": 8},
    }
    for limits in found["limits"]:
        assert list(limits) == list(cf.Limits._fields)
        assert all(value > 0 for value in list(limits.values())[:4])
    assert found["left_out"] == []


def test_calls_of_every_kind_are_timed(here):
    found = bench("index.safetensors")
    threads = [limits["n_threads"] for limits in found["limits"]]
    assert threads == sorted({1, *threads})
    kinds = [(timing["batch"], timing["n_threads"]) for timing in found["timings"]]
    assert kinds == [(batch, n) for batch in BATCHES for n in threads]
    assert {timing["target"] for timing in found["timings"]} == {cf.target()}
    kinds = [(timing["batch"], timing["n_threads"], timing["target"]) for timing in found["target_timings"]]
    assert kinds == [(1024, 1, name) for name in cf.targets()]


def test_figures_agree_with_each_other(here):
    found = bench("index.safetensors", "--probabilities", "one_row.npy")
    once = {limits["n_threads"]: limits["read_once_bytes_per_second"] for limits in found["limits"]}
    for of_kind in found["timings"] + found["target_timings"]:
        first, median, third = of_kind["quartiles_microseconds_per_call"]
        assert 0 < first <= median <= third
        assert of_kind["n_calls"] >= 1
        per_image = of_kind["microseconds_per_image"]
        assert per_image * of_kind["batch"] == pytest.approx(median)
        assert per_image * of_kind["images_per_second"] == pytest.approx(1e6)
        reading = 2 * N_CLASSES / once[1 if of_kind["batch"] == 1 else of_kind["n_threads"]]
        assert of_kind["times_reading_the_input"] == pytest.approx(per_image / 1e6 / reading)


def test_one_thread(here):
    found = bench("index.safetensors", "--n-threads", 1)
    assert [limits["n_threads"] for limits in found["limits"]] == [1]
    assert [timing["batch"] for timing in found["timings"]] == BATCHES


@pytest.mark.parametrize(("flags", "k", "top_t"), [
    (["--k", 3, "--top-t", 2], 3, 2),
    (["--k", 10**9, "--top-t", "all"], N_LABELS, None),
])  # fmt: skip
def test_k_and_top_t_are_those_of_the_calls(here, monkeypatch, flags, k, top_t):
    asked = set()
    rank = cf.ConseIndex.rank

    def spy(self, images, k, top_t, **options):
        asked.add((k, top_t))
        return rank(self, images, k, top_t, **options)

    monkeypatch.setattr(cf.ConseIndex, "rank", spy)
    found = bench("index.safetensors", *flags)
    assert (found["k"], found["top_t"]) == (k, top_t)
    assert asked == {(k, top_t)}


@pytest.mark.parametrize("before", [None, "generic"])
def test_the_target_is_what_it_was_before(here, monkeypatch, before):
    monkeypatch.delenv("CONSE_FAST_TARGET", raising=False)
    if before is not None:
        monkeypatch.setenv("CONSE_FAST_TARGET", before)
    found = bench("index.safetensors")
    assert os.environ.get("CONSE_FAST_TARGET") == before
    assert found["target"] == found["limits"][0]["target"] == (before or cf.targets()[0])
    assert [timing["target"] for timing in found["target_timings"]] == list(cf.targets())


# ---------------------------------------------------------------------------------------------------- screen


def test_tables_of_the_demo(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    result = run("bench", "--seconds", 2)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\N{HORIZONTAL ELLIPSIS}" not in result.stdout
    assert "\x1b" not in result.stdout
    assert lines[0].startswith(f"conse-fast {cf.__version__}, target {cf.target()}, ")
    text = " ".join(result.stdout.split())
    for fragment in (
        *("targets " + ", ".join(cf.targets()), "index the labels of the demo", "20,842 labels of 50 dimensions"),
        *("images 250 photos of the demo", "the best 10 labels, from the 10 most probable classes"),
        *("reading what was just written, once", "(20,380 x 50 multiply-adds)", "reading the image's 4.0 kB once"),
    ):
        assert fragment in text
    for batch in BATCHES:
        assert any(line.split()[:2] == [f"{batch:,}", "1"] for line in lines), batch
    for name in cf.targets():
        assert any(line.startswith(name) for line in lines), name
    assert f"{cf.target()} (in use)" in text


def test_made_up_images_are_called_so(here):
    result = run("bench", "index.safetensors", *QUICK)
    assert result.exit_code == 0, result.stderr
    assert "made up, like the demo's photos; --probabilities FILE takes yours" in " ".join(result.stdout.split())
    assert "index.safetensors" in result.stdout


@pytest.mark.parametrize(("share", "told"), [(0.1, False), (2.0, True)])
def test_a_busy_machine_is_told(here, monkeypatch, share, told):
    load = share * bench_report.n_cpus()
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    result = run("bench", "index.safetensors", *QUICK)
    assert result.exit_code == 0, result.stderr
    assert f"load {load:.1f} before it began" in " ".join(result.stdout.split())
    assert ("other programs are at work" in result.stdout) == told


def test_calls_that_take_too_long_are_told(here, monkeypatch):
    def slow(self, images, *arguments, **options):
        time.sleep(len(images) / 1000)

    monkeypatch.setattr(cf.ConseIndex, "rank", slow)
    result = run("bench", "index.safetensors", "--n-threads", 1, *QUICK)
    assert result.exit_code == 0, result.stderr
    n_left_out = 1 + len(cf.targets())
    assert f"{n_left_out} kinds of calls take too long" in " ".join(result.stdout.split())
    assert "with each target" not in result.stdout


# ---------------------------------------------------------------------------------------------------- inputs


@pytest.mark.parametrize(("name", "about"), [
    ("probabilities.npy", "the 40 of probabilities.npy"),
    ("many.npy", "the first 4,096 of many.npy"),
    ("one_row.npy", "the 1 of one_row.npy"),
])  # fmt: skip
def test_images_of_a_file(here, name, about):
    with bench_input.open_subject("index.safetensors", name, None) as subject:
        rows = np.atleast_2d(np.load(name))
        assert subject.about_images == about
        assert type(subject.images) is np.ndarray
        assert subject.images.dtype == rows.dtype
        assert np.array_equal(subject.images, np.resize(rows, (4096, N_CLASSES)))


def test_fewer_images_of_very_many_classes(here, monkeypatch):
    monkeypatch.setattr(bench_input, "_MOST_BYTES", 100 * 4 * N_CLASSES)
    found = bench("index.safetensors", "--n-threads", 1)
    assert [timing["batch"] for timing in found["timings"]] == [1, 32]
    assert {timing["batch"] for timing in found["target_timings"]} == {32}


@pytest.mark.parametrize("n_classes", [1, 2, 12, 300])
def test_made_up_images(n_classes):
    rng = np.random.default_rng(n_classes)
    classes = rng.standard_normal((n_classes, 6))
    classes[: n_classes // 5] = 0
    index = cf.ConseIndex.build(classes, rng.standard_normal((40, 6)))
    images = bench_input.made_up_images(index, 500)
    assert (images.shape, images.dtype) == ((500, n_classes), np.float32)
    assert (images >= 0).all()
    np.testing.assert_allclose(images.sum(axis=1), 1, rtol=1e-5)
    assert images.max(axis=1).min() > 0.2
    assert np.array_equal(images, bench_input.made_up_images(index, 500))
    assert n_classes == 1 or len(np.unique(images, axis=0)) > 100


ERRORS = {
    "missing index": (["none.safetensors"], 1, ["none.safetensors: No such file"]),
    "not an index": (["probabilities.npy"], 1, ["probabilities.npy", "not a whole safetensors file"]),
    "missing images": (["index.safetensors", "--probabilities", "none.npy"], 1, ["none.npy: No such file"]),
    "no images": (["index.safetensors", "--probabilities", "no_rows.npy"], 1, ["no_rows.npy holds no images"]),
    "quantised": (["index.safetensors", "--probabilities", "uint8.npy"], 1, ["uint8.npy must be float16", "uint8"]),
    "background": (["index.safetensors", "--probabilities", "background.npy"], 1, ["has 13 columns; expected 12"]),
    "NaN": (["index.safetensors", "--probabilities", "nan.npy"], 1, ["nan.npy: row 31 holds NaN at column 2"]),
    "logits": (["index.safetensors", "--probabilities", "logits.npy"], 1, ["row 0 holds a negative", "softmax first"]),
    "demo's classes": (["--probabilities", "probabilities.npy"], 1, ["has 12 columns; expected 1000"]),
    "no time": (["--seconds", "0"], 2, ["--seconds", "from 0.1 to 600, got 0", "conse-fast bench --help"]),
    "no number": (["--seconds", "nan"], 2, ["--seconds", "got nan"]),
    "for ever": (["--seconds", "inf"], 2, ["--seconds", "got inf"]),
    "words": (["--seconds", "long"], 2, ["--seconds", "'long'"]),
    "k": (["--k", "0"], 2, ["--k"]),
    "threads": (["--n-threads", "0"], 2, ["--n-threads"]),
}


@pytest.mark.parametrize(("arguments", "status", "fragments"), ERRORS.values(), ids=ERRORS)
def test_errors(here, arguments, status, fragments):
    assert_fails(run("bench", *arguments), status, *fragments)


def test_an_unknown_target_is_told_before_any_work(here, monkeypatch):
    monkeypatch.setenv("CONSE_FAST_TARGET", "z80")
    assert_fails(run("bench", "none.safetensors"), 1, "CONSE_FAST_TARGET", "z80", "generic")


# ---------------------------------------------------------------------------------------------- interruptions


def test_ctrl_c(here):
    code = """
import os, signal
import conse_fast as cf
from conse_fast.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
rank, calls = cf.ConseIndex.rank, []
def interrupted(*arguments, **options):
    calls.append(1)
    if len(calls) == 50:
        os.kill(os.getpid(), signal.SIGINT)
    return rank(*arguments, **options)
cf.ConseIndex.rank = interrupted
main(["bench", "index.safetensors", "--seconds", "600"])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (130, b"", b"conse-fast: interrupted\n")


def test_an_interrupted_call_leaves_the_target_as_it_was(here, monkeypatch):
    monkeypatch.setenv("CONSE_FAST_TARGET", cf.targets()[0])

    def interrupt(self, images, *arguments, **options):
        if cf.target() == "generic":
            raise KeyboardInterrupt

    monkeypatch.setattr(cf.ConseIndex, "rank", interrupt)
    if len(cf.targets()) > 1:
        result = run("bench", "index.safetensors", *QUICK)
        assert (result.exit_code, result.stderr) == (130, "conse-fast: interrupted\n")
    assert os.environ["CONSE_FAST_TARGET"] == cf.targets()[0]


# ----------------------------------------------------------------------------------------------------- timing


def cases(*batches):
    return [timing.Case(batch, 1, cf.target()) for batch in batches]


def test_kinds_take_turns():
    order = []
    rows = np.zeros((8, 3), np.float32)
    found = timing.time_calls(lambda images, n: order.append(len(images)), rows, cases(1, 4), 0.2, lambda share: None)
    turns = [order[0], *(b for a, b in zip(order, order[1:]) if a != b)]
    assert len(turns) > 5
    assert [of_kind.case.batch for of_kind in found] == [1, 4]
    assert [of_kind.n_calls for of_kind in found] == [order.count(1), order.count(4)]


def test_calls_take_the_next_images():
    seen = []
    rows = np.arange(10, dtype=np.float32)[:, None]
    timing.time_calls(lambda images, n: seen.append(images.ravel().tolist()), rows, cases(4), 0.01, lambda share: None)
    assert seen[:4] == [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7]]


def test_the_median_is_that_of_the_calls():
    rows = np.zeros((4, 1), np.float32)
    (found,) = timing.time_calls(lambda images, n: time.sleep(0.01), rows, cases(4), 0.3, lambda share: None)
    assert 0.01 <= found.quartiles[0] <= found.seconds_per_call <= found.quartiles[2]
    assert found.seconds_per_image == found.seconds_per_call / 4
    assert found.n_calls <= 30


def test_calls_that_would_not_end_in_time_are_left_out():
    rows = np.zeros((1000, 1), np.float32)
    started = time.monotonic()
    found = timing.time_calls(
        lambda images, n: time.sleep(0.005 * len(images)), rows, cases(1, 8, 1000), 0.3, lambda share: None
    )
    assert time.monotonic() - started < 2
    assert [of_kind.case.batch for of_kind in found] == [1, 8]
    # The first kind is timed once, however long it takes.
    (found,) = timing.time_calls(lambda images, n: time.sleep(0.2), rows, cases(1, 8), 0.1, lambda share: None)
    assert (found.case.batch, found.n_calls) == (1, 1)


def test_progress_ascends():
    shares = []
    timing.time_calls(lambda images, n: None, np.zeros((4, 1)), cases(1, 4), 0.1, shares.append)
    assert len(shares) > 5
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
