"""The command `rank`: formats, files larger than a chunk, errors, interruptions."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import conse_fast as cf

pytest.importorskip("click", reason="the command line needs the extra [cli]")
pytest.importorskip("rich", reason="the command line needs the extra [cli]")

from test_cli import N_CLASSES, N_LABELS, assert_fails, make_files, run, start, visit

from conse_fast.cli import ranking as ranking_module

N_IMAGES = 40
RANK = ["rank", "index.safetensors"]
SUFFIXES = ("csv", "jsonl", "npz")


def make_probabilities():
    logits = np.random.default_rng(8).standard_normal((N_IMAGES, N_CLASSES)) * 3
    weights = np.exp(logits)
    probabilities = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    probabilities[5] = 0
    return probabilities


def header_of(shape, dtype="<f4"):
    """The first bytes of an `.npy` file, written by hand."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def save_zeros(path, n_rows, n_columns=N_CLASSES):
    """A file of zeros that takes hardly any room on the disk."""
    header = header_of((n_rows, n_columns))
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 4 * n_rows * n_columns)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = make_files(tmp_path_factory.mktemp("files"))
    probabilities = make_probabilities()
    np.save(folder / "probabilities.npy", probabilities)
    np.save(folder / "float64.npy", probabilities.astype(np.float64))
    np.save(folder / "float16.npy", probabilities.astype(np.float16))
    np.save(folder / "big_endian.npy", probabilities.astype(">f4"))
    np.save(folder / "fortran.npy", np.asfortranarray(probabilities))
    np.save(folder / "one_row.npy", probabilities[3])
    np.save(folder / "no_rows.npy", probabilities[:0])
    np.save(folder / "uint8.npy", (probabilities * 255).astype(np.uint8))
    np.save(folder / "background.npy", np.zeros((3, N_CLASSES + 1), np.float32))
    np.save(folder / "cube.npy", probabilities[np.newaxis])
    np.save(folder / "records.npy", np.zeros(3, [("p", "f4")]))
    np.save(folder / "logits.npy", np.random.default_rng(9).standard_normal((N_IMAGES, N_CLASSES)) * 5)
    for name, value, row in (("nan", np.nan, 31), ("negative", -1, 17), ("infinite", np.inf, 0)):
        wrong = probabilities.copy()
        wrong[row, 2] = value
        np.save(folder / f"{name}.npy", wrong)
    whole = (folder / "probabilities.npy").read_bytes()
    (folder / "cut.npy").write_bytes(whole[:-1])
    (folder / "overflow.npy").write_bytes(header_of((2**40, 2**40)))
    (folder / "negative_shape.npy").write_bytes(header_of((-1, N_CLASSES)) + bytes(4096))
    (folder / "bad_dtype.npy").write_bytes(header_of((1, N_CLASSES), "<q9") + bytes(4096))
    (folder / "long_header.npy").write_bytes(header_of((1,), "x" * 20_000))
    (folder / "empty.npy").write_bytes(b"")
    return folder


@pytest.fixture
def here(files, monkeypatch):
    yield from visit(files, monkeypatch)


@pytest.fixture
def small_chunks(monkeypatch):
    """Files are read seven rows at a time."""
    monkeypatch.setattr(ranking_module, "chunk_rows", lambda row_bytes, k: 7)


def expected(k=10, top_t=10, probabilities=None):
    probabilities = make_probabilities() if probabilities is None else probabilities
    return cf.ConseIndex.open("index.safetensors").rank(probabilities, k, top_t)


def rank_to_npz(*arguments):
    result = run(*RANK, *arguments, "-o", "ranking.npz")
    assert result.exit_code == 0, result.stderr
    with np.load("ranking.npz") as archive:
        assert archive.files == ["scores", "indices"]
        return archive["scores"], archive["indices"]


def assert_same(ranking, other):
    for array, same in zip(ranking, other):
        assert array.dtype == same.dtype
        np.testing.assert_array_equal(array, same)


# ---------------------------------------------------------------------------------------------------- formats


def test_npz(here):
    assert_same(rank_to_npz("probabilities.npy"), expected())
    assert (expected().indices[5] == -1).all(), "one image ranks nothing"


def test_csv(here):
    result = run(*RANK, "probabilities.npy")
    assert result.exit_code == 0
    assert result.stdout.startswith("row,rank,label,score,name,id\n0,1,")
    ranking = expected()
    index = cf.ConseIndex.open("index.safetensors")
    lines = list(csv.DictReader(result.stdout.splitlines()))
    places = np.argwhere(ranking.indices >= 0)
    assert len(lines) == len(places) == (N_IMAGES - 1) * 10
    for line, (row, place) in zip(lines, places.tolist()):
        label = int(line["label"])
        assert (int(line["row"]), int(line["rank"])) == (row, place + 1)
        assert label == ranking.indices[row, place]
        assert np.float32(line["score"]) == ranking.scores[row, place]
        assert (line["name"], line["id"]) == (index.label_names[label], index.label_ids[label])


def test_csv_of_names_with_a_return(here):
    index = cf.ConseIndex.build(np.eye(2), np.eye(2), label_names=["b\rc", "d"])
    index.save(here / "returns.safetensors")
    np.save(here / "two.npy", np.eye(2))
    assert run("rank", "returns.safetensors", "two.npy", "--k", "1", "-o", "two.csv").exit_code == 0
    with (here / "two.csv").open(newline="", encoding="utf-8") as file:
        assert [line[4] for line in csv.reader(file)] == ["name", "b\rc", "d"]


def test_json_lines(here):
    assert run(*RANK, "probabilities.npy", "-o", "ranking.jsonl").exit_code == 0
    ranking = expected()
    index = cf.ConseIndex.open("index.safetensors")
    lines = (here / "ranking.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == N_IMAGES
    for row, line in enumerate(map(json.loads, lines)):
        labels = ranking.indices[row][ranking.indices[row] >= 0]
        assert list(line) == ["row", "labels", "scores", "names", "ids"]
        assert line["row"] == row
        assert line["labels"] == labels.tolist()
        assert np.array_equal(np.float32(line["scores"]), ranking.scores[row, : len(labels)])
        assert line["names"] == index.label_names[labels].tolist()
        assert line["ids"] == index.label_ids[labels].tolist()
    assert json.loads(lines[5])["labels"] == []


def test_without_names(here):
    cf.ConseIndex.build(np.eye(N_CLASSES), np.eye(N_CLASSES)).save("plain.safetensors")
    lines = run("rank", "plain.safetensors", "probabilities.npy").stdout.splitlines()
    assert lines[0] == "row,rank,label,score"
    assert lines[1].count(",") == 3
    line = run("rank", "plain.safetensors", "probabilities.npy", "--format", "jsonl").stdout.splitlines()[0]
    assert list(json.loads(line)) == ["row", "labels", "scores"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_suffix_tells_the_format_and_the_option_overrules_it(here, suffix):
    for output in (f"by_suffix.{suffix}", "by_option.txt"):
        result = run(*RANK, "probabilities.npy", "-o", output, "--format", suffix)
        assert result.exit_code == 0
        assert result.stdout.startswith(f"{output}: the best 10 labels for each of 40 images, in ")
    assert run(*RANK, "probabilities.npy", "-o", f"plain.{suffix.upper()}").exit_code == 0
    contents = [(here / name).read_bytes() for name in (f"by_suffix.{suffix}", "by_option.txt")]
    assert contents[0] == contents[1]
    assert len(contents[0]) == (here / f"plain.{suffix.upper()}").stat().st_size


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_standard_output_is_what_a_file_holds(here, form):
    assert run(*RANK, "probabilities.npy", "-o", f"file.{form}").exit_code == 0
    environment = {"PYTHONIOENCODING": "ascii"}
    process = start(*RANK, "probabilities.npy", "--format", form, environment=environment)
    stdout, stderr = process.communicate()
    assert (process.returncode, stderr) == (0, b"")
    assert stdout == (here / f"file.{form}").read_bytes()
    assert run(*RANK, "probabilities.npy", "--format", form, "-o", "-").stdout_bytes == stdout


def test_a_device_is_written_and_not_replaced(here):
    result = run(*RANK, "probabilities.npy", "-o", os.devnull, "--format", "csv")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert not os.path.isfile(os.devnull)  # noqa: PTH113


@pytest.mark.parametrize("name", [b"caf\xc3\xa9.csv", b"latin1\xe9.csv", b"two words.csv"])
def test_file_names_that_the_terminal_cannot_show(here, name):
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"}
    process = start(*RANK, "probabilities.npy", "-o", os.fsdecode(name), environment=environment)
    stdout, stderr = process.communicate()
    assert (process.returncode, stderr) == (0, b"")
    assert b".csv: the best 10 labels for each of 40 images" in stdout
    assert (here / os.fsdecode(name)).stat().st_size > 1000


# ------------------------------------------------------------------------------------------- inputs, options


@pytest.mark.parametrize("name", ["probabilities", "float64", "big_endian", "fortran"])
def test_layouts_of_the_input(here, small_chunks, name):
    assert_same(rank_to_npz(f"{name}.npy"), expected())


def test_float16(here):
    assert_same(rank_to_npz("float16.npy"), expected(probabilities=make_probabilities().astype(np.float16)))


def test_one_row(here):
    assert_same(rank_to_npz("one_row.npy"), expected(probabilities=make_probabilities()[3:4]))


def test_no_rows(here):
    scores, indices = rank_to_npz("no_rows.npy")
    assert scores.shape == indices.shape == (0, 10)
    assert run(*RANK, "no_rows.npy").stdout == "row,rank,label,score,name,id\n"
    assert run(*RANK, "no_rows.npy", "--format", "jsonl").stdout == ""


@pytest.mark.parametrize(("flags", "options"), [
    (["--k", 3], {"k": 3}),
    (["--k", N_LABELS], {"k": N_LABELS}),
    (["--top-t", 1], {"top_t": 1}),
    (["--top-t", "all"], {"top_t": None}),
    (["--n-threads", 1], {}),
])  # fmt: skip
def test_options(here, flags, options):
    assert_same(rank_to_npz("probabilities.npy", *flags), expected(**options))


def test_k_is_cut_to_the_number_of_labels(here):
    assert_same(rank_to_npz("probabilities.npy", "--k", 10**12), expected(k=N_LABELS))


@pytest.mark.parametrize(("flags", "temperature"), [([], 1.0), (["--temperature", 2.5], 2.5)])
def test_logits(here, small_chunks, flags, temperature):
    with cf.ConseIndex.open("index.safetensors") as index:
        ranking = index.rank_logits(np.load("logits.npy"), temperature=temperature)
    assert_same(rank_to_npz("logits.npy", "--logits", *flags), ranking)


# ----------------------------------------------------------------------------------------------------- chunks


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_chunks_do_not_show(here, monkeypatch, suffix):
    contents = []
    for rows in (1, 7, N_IMAGES - 1, N_IMAGES, 1000):
        monkeypatch.setattr(ranking_module, "chunk_rows", lambda row_bytes, k, rows=rows: rows)
        assert run(*RANK, "probabilities.npy", "-o", f"chunks.{suffix}").exit_code == 0
        contents.append((here / f"chunks.{suffix}").read_bytes())
    assert all(content == contents[0] for content in contents)


def test_chunks_are_bounded_whatever_the_shape():
    for row_bytes, k in ((4000, 10), (8, 1), (10**9, 10), (4, 20_842), (0, 1), (4000, 10**6)):
        rows = ranking_module.chunk_rows(row_bytes, k)
        assert rows >= 1
        assert rows == 1 or (rows * row_bytes <= 2**24 and rows * k <= 2**17)


def test_memory_stays_flat(here):
    def peak(name):
        code = (
            "import resource, sys\nfrom conse_fast.cli import main\n"
            "try: main(sys.argv[1:])\n"
            "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        arguments = ["rank", "index.safetensors", name, "-o", "ranking.npz", "--k", "1"]
        result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        return int(result.stderr) * (1 if sys.platform == "darwin" else 1024)

    save_zeros(here / "large.npy", 6_000_000)
    size = (here / "large.npy").stat().st_size
    assert size > 250 * 2**20
    assert peak("large.npy") - peak("probabilities.npy") < 60 * 2**20


# ----------------------------------------------------------------------------------------------------- errors

ERRORS = {
    "missing index": (["rank", "none.safetensors", "probabilities.npy"], 1, ["none.safetensors: No such file"]),
    "missing input": ([*RANK, "none.npy"], 1, ["none.npy: No such file"]),
    "input is a folder": ([*RANK, "."], 1, ["Is a directory"]),
    "k": ([*RANK, "probabilities.npy", "--k", "0"], 2, ["--k", "conse-fast rank --help"]),
    "top_t": ([*RANK, "probabilities.npy", "--top-t", "many"], 2, ["--top-t", "'all'", "'many'"]),
    "top_t of 0": ([*RANK, "probabilities.npy", "--top-t", "0"], 2, ["--top-t", "'0'"]),
    "temperature": ([*RANK, "logits.npy", "--temperature", "2"], 2, ["--temperature goes with --logits"]),
    "cold": ([*RANK, "logits.npy", "--logits", "--temperature", "0"], 2, ["above 0, got 0"]),
    "no temperature": ([*RANK, "logits.npy", "--logits", "--temperature", "nan"], 2, ["above 0, got nan"]),
    "suffix": ([*RANK, "probabilities.npy", "-o", "ranking.txt"], 2, ["format", "'ranking.txt'", "--format"]),
    "format": ([*RANK, "probabilities.npy", "--format", "xml"], 2, ["--format", "'xml'"]),
    "npz to a pipe": ([*RANK, "probabilities.npy", "--format", "npz"], 2, ["-o FILE.npz"]),
    "npz to a device": ([*RANK, "probabilities.npy", "--format", "npz", "-o", os.devnull], 2, ["-o FILE.npz"]),
    "no folder": ([*RANK, "probabilities.npy", "-o", "none/x.csv"], 1, ["cannot write none/x.csv", "no folder"]),
    "output is the index": ([*RANK, "probabilities.npy", "-o", "index.safetensors", "--format", "csv"], 1, ["input"]),
    "output is the input": ([*RANK, "nan.npy", "-o", "./nan.npy", "--format", "csv"], 1, ["./nan.npy is also"]),
    "NaN": ([*RANK, "nan.npy"], 1, ["nan.npy: row 31 holds NaN at column 2"]),
    "negative": ([*RANK, "negative.npy"], 1, ["row 17 holds a negative value at column 2", "give --logits"]),
    "infinite": ([*RANK, "infinite.npy"], 1, ["infinite.npy: row 0 holds inf at column 2"]),
    "NaN in logits": ([*RANK, "nan.npy", "--logits"], 1, ["nan.npy: row 31 holds NaN at column 2"]),
    "quantised": ([*RANK, "uint8.npy"], 1, ["uint8.npy must be float16, float32 or float64, got uint8", "astype"]),
    "background": ([*RANK, "background.npy"], 1, ["background.npy has 13 columns; expected 12", "background class"]),
    "cube": ([*RANK, "cube.npy"], 1, ["cube.npy has shape (1, 40, 12); expected (images, classes)"]),
    "records": ([*RANK, "records.npy"], 1, ["records.npy"]),
    "pickled": ([*RANK, "objects.npy"], 1, ["objects.npy", "Python objects"]),
    "empty file": ([*RANK, "empty.npy"], 1, ["empty.npy is no .npy file"]),
    "no header": ([*RANK, "no_header.npy"], 1, ["no_header.npy cannot be read as an .npy array"]),
    "cut": ([*RANK, "cut.npy"], 1, ["cut.npy", "shorter than its header says"]),
    "overflow": ([*RANK, "overflow.npy"], 1, ["overflow.npy cannot be read"]),
    "negative shape": ([*RANK, "negative_shape.npy"], 1, ["negative_shape.npy cannot be read"]),
    "no such dtype": ([*RANK, "bad_dtype.npy"], 1, ["bad_dtype.npy cannot be read"]),
    "long header": ([*RANK, "long_header.npy"], 1, ["long_header.npy cannot be read"]),
    "archive": ([*RANK, "archive.npz"], 1, ["archive.npz is an .npz archive"]),
    "index as input": ([*RANK, "index.safetensors"], 1, ["index.safetensors is no .npy file"]),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "status", "fragments"), ERRORS.values(), ids=ERRORS)
def test_errors(here, small_chunks, arguments, status, fragments):
    before = sorted(path.name for path in here.iterdir())
    assert_fails(run(*arguments), status, *fragments)
    assert sorted(path.name for path in here.iterdir()) == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failed_run_leaves_the_old_file_as_it_was(here, small_chunks, suffix):
    output = here / f"old.{suffix}"
    output.write_bytes(b"old")
    before = sorted(here.iterdir())
    assert_fails(run(*RANK, "nan.npy", "-o", output), 1, "row 31")
    assert output.read_bytes() == b"old"
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize("name", ["uint8", "background"])
def test_an_input_that_does_not_fit_writes_no_header(here, name):
    assert run(*RANK, f"{name}.npy").stdout == ""


def test_an_input_that_changes_while_it_is_read(here, monkeypatch):
    (here / "changing.npy").write_bytes((here / "probabilities.npy").read_bytes())

    def shrink(row_bytes, k):
        np.save("changing.npy", make_probabilities()[:20])
        return 7

    monkeypatch.setattr(ranking_module, "chunk_rows", shrink)
    assert_fails(run(*RANK, "changing.npy", "-o", "x.csv"), 1, "changing.npy has changed while it was read")
    assert not (here / "x.csv").exists()
