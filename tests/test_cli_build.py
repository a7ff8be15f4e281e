"""The commands `build`, `info` and `verify`."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import conse_fast as cf

pytest.importorskip("click", reason="the command line needs the extra [cli]")
pytest.importorskip("rich", reason="the command line needs the extra [cli]")

from test_cli import BUILD, assert_fails, make_embeddings, make_files, make_names, run, start, visit

from conse_fast.cli import inputs, terminal


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture
def here(files, monkeypatch):
    yield from visit(files, monkeypatch)


# ------------------------------------------------------------------------------------------------------ build


def test_build_makes_the_file_that_python_makes(here):
    result = run(*BUILD, "--class-names", "class_names.txt", "--label-names", "label_names.tsv")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("new.safetensors: 12 classes, 90 labels of 8 dimensions, ")
    assert result.stdout.endswith("; 1 labels are all zeros and never rank\n")
    assert (here / "new.safetensors").read_bytes() == (here / "index.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ([], {}),
        (["--compact"], {"compact": True}),
        (["--keep-class-lengths"], {"normalize_classes": False}),
        (["--n-threads", 1], {"n_threads": 1}),
    ],
)
def test_build_options(here, flags, options):
    assert run(*BUILD, *flags).exit_code == 0
    cf.ConseIndex.build(*make_embeddings(), **options).save("expected.safetensors")
    assert (here / "new.safetensors").read_bytes() == (here / "expected.safetensors").read_bytes()


def test_build_reads_safetensors(here):
    numpy = pytest.importorskip("safetensors.numpy", reason="the safetensors package is missing")
    classes, labels = make_embeddings()
    numpy.save_file({"vectors": classes}, "one.safetensors")
    numpy.save_file({"seen:1": classes, "unseen": labels}, "two.safetensors")
    cf.ConseIndex.build(classes, labels).save("expected.safetensors")
    for sources in (["one.safetensors", "two.safetensors:unseen"], ["two.safetensors:seen:1", "labels.npy"]):
        result = run("build", *sources, "-o", "new.safetensors")
        assert result.exit_code == 0, result.stderr
        assert (here / "new.safetensors").read_bytes() == (here / "expected.safetensors").read_bytes()
    several = run("build", "two.safetensors", "labels.npy", "-o", "x.safetensors")
    assert_fails(several, 1, "two.safetensors holds several tensors", "two.safetensors:NAME", "seen:1, unseen")
    unknown = run("build", "two.safetensors:none", "labels.npy", "-o", "x.safetensors")
    assert_fails(unknown, 1, "no tensor 'none'", "seen:1, unseen")
    broken = run("build", "truncated.safetensors:x", "labels.npy", "-o", "x.safetensors")
    assert_fails(broken, 1, "truncated.safetensors cannot be read")
    missing = run("build", "none.safetensors:x", "labels.npy", "-o", "x.safetensors")
    assert_fails(missing, 1, "none.safetensors: No such file")
    own_input = run("build", "two.safetensors:unseen", "labels.npy", "-o", "two.safetensors")
    assert_fails(own_input, 1, "two.safetensors is also an input")


def test_build_says_what_bfloat16_needs(here):
    pytest.importorskip("safetensors", reason="the safetensors package is missing")
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2, 8], "data_offsets": [0, 32]}}).encode()
    (here / "half.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(32))
    assert_fails(run("build", "half.safetensors", "labels.npy", "-o", "x"), 1, "half.safetensors cannot be read")


def test_build_without_the_safetensors_package(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    result = run("build", "index.safetensors:label_embeddings", "labels.npy", "-o", "x.safetensors")
    assert_fails(result, 1, "index.safetensors", "pip install safetensors")


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["classes.npy", "wide.npy"], "wide.npy: label_embeddings has 9 columns; expected 8"),
        (["classes.npy", "integers.npy"], "integers.npy: label_embeddings must be float16"),
        (["nan.npy", "labels.npy"], "nan.npy: class_embeddings[3] holds NaN at column 1"),
        (["classes.npy", "labels.npy", "--row-label", "wide.npy"], "wide.npy: row_label must hold integers"),
    ],
)
def test_errors_of_the_core_name_the_file(here, arguments, fragment):
    classes, labels = make_embeddings()
    np.save("wide.npy", np.ones((len(labels), 9)))
    np.save("integers.npy", np.ones(labels.shape, int))
    classes = classes.copy()
    classes[3, 1] = np.nan
    np.save("nan.npy", classes)
    assert_fails(run("build", *arguments, "-o", "x.safetensors"), 1, fragment)


def test_build_that_is_interrupted_leaves_no_file(here, monkeypatch):
    rng = np.random.default_rng(6)
    np.save("many_classes.npy", rng.standard_normal((200, 32)))
    np.save("many_labels.npy", rng.standard_normal((20_000, 32)))
    asides = []

    def interrupt(self, share):
        asides.extend(path.name for path in here.iterdir() if path.name.startswith("new.safetensors"))
        raise KeyboardInterrupt

    monkeypatch.setattr(terminal.ProgressBar, "__call__", interrupt)
    before = sorted(here.iterdir())
    result = run("build", "many_classes.npy", "many_labels.npy", "-o", "new.safetensors")
    assert (result.exit_code, result.stderr) == (130, "conse-fast: interrupted\n")
    assert "new.safetensors" not in asides
    assert sorted(here.iterdir()) == before


def test_build_follows_a_link_and_replaces_what_it_points_to(here):
    (here / "target").write_text("old")
    (here / "link").symlink_to("target")
    assert run(*BUILD[:3], "-o", "link").exit_code == 0
    assert (here / "link").is_symlink()
    with cf.ConseIndex.open("target") as index:
        index.verify()


def test_names_files(tmp_path):
    path = tmp_path / "names"
    for text, expected in {
        "a\nb\n": (["a", "b"], None),
        "a\nb": (["a", "b"], None),
        "\ufeffa\r\nb\r\n": (["a", "b"], None),
        "a\x0b, b\n\n": (["a\x0b, b", ""], None),
        "1\ta\n2\tb, c": (["a", "b, c"], ["1", "2"]),
    }.items():
        path.write_bytes(text.encode())
        names = inputs.read_names(str(path), 2, "label", skip_header=False)
        assert (names.names, names.ids) == expected, text
    path.write_text("id\tname\n1\ta\n")
    names = inputs.read_names(str(path), 1, "label", skip_header=True)
    assert (names.names, names.ids) == (["a"], ["1"])


# ---------------------------------------------------------------------------------------------- info, verify


def test_info_as_json_is_what_python_says(here):
    result = run("info", "--json", "index.safetensors")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == cf.ConseIndex.open("index.safetensors").info()


def test_info_as_a_table(here):
    result = run("info", "index.safetensors")
    assert result.exit_code == 0
    facts = dict(line.split(maxsplit=1) for line in result.stdout.splitlines()[1:])
    assert result.stdout.splitlines()[0] == "index.safetensors"
    assert facts["form"].startswith("full")
    assert facts["classes"].strip() == "12, with names"
    assert facts["labels"].strip() == "90, with names and ids"
    assert facts["label"].startswith("vectors  89 of 8 dimensions")
    assert facts["equal"].strip() == "vectors  0 labels have that of an earlier one"
    assert facts["first"].strip() == f"label    n000  {make_names('label', 1)[0]}"
    assert facts["checksum"].strip() == cf.ConseIndex.open("index.safetensors").info()["checksum"]


def test_info_of_an_index_without_names(here):
    assert run(*BUILD, "--compact").exit_code == 0
    result = run("info", "new.safetensors")
    assert "compact, embeddings only" in result.stdout
    assert result.stdout.count("without names") == 2
    assert "first label" not in result.stdout


def test_info_where_the_terminal_knows_no_accents(here):
    process = start("info", "index.safetensors", environment={"PYTHONIOENCODING": "ascii"})
    stdout, stderr = process.communicate()
    assert (process.returncode, stderr) == (0, b"")
    assert b'label "0", the 0th ?' in stdout


def test_verify(here):
    result = run("verify", "index.safetensors")
    assert result.exit_code == 0
    assert result.stdout.startswith("ok: index.safetensors is whole (")
