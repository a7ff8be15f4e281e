"""The command `embed`, and `build` from names and word vectors: the same as Python makes, reports and errors."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

import conse_fast as cf
from conse_fast import demo

pytest.importorskip("click", reason="the command line needs the extra [cli]")
pytest.importorskip("rich", reason="the command line needs the extra [cli]")

from test_cli import assert_fails, run, start

GLOVE = "fish 8 0\ncat 0 4\nDog 0 8\nbird 1 1\nbig 2 2\npolar_bear 5 -1\n"
CLASSES = "n1\tcat, big cat\nn2\tdog\nn3\tunicorn\n"
LABELS = "n4\tPolar Bear\nn5\tbig dog, bird\nn6\tmoose\nn7\tfish\nn8\tbig moose\n"
VECTORS = ("--vectors", "glove.txt")
EMBED = ("embed", "labels.tsv", *VECTORS, "-o", "new.npy")
BUILD = ("build", "classes.tsv", "labels.tsv", *VECTORS, "-o", "new.safetensors")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {"glove.txt": GLOVE, "classes.tsv": CLASSES, "labels.tsv": LABELS, "is_a.txt": "n2 n6\n"}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def listed(text):
    ids, names = zip(*(line.split("\t") for line in text.splitlines()))
    return list(ids), list(names)


def embeddings_of(text, **options):
    ids, names = listed(text)
    return cf.embed_labels(names, "glove.txt", ids=ids, **options)


def same_file(path, expected):
    expected.save("expected.safetensors")
    return path.read_bytes() == path.with_name("expected.safetensors").read_bytes()


# ------------------------------------------------------------------------------------------------------- embed


def test_embed_makes_what_python_makes(here):
    result = run(*EMBED)
    assert result.exit_code == 0, result.stderr
    vectors = np.load("new.npy")
    np.testing.assert_array_equal(vectors, embeddings_of(LABELS).vectors)
    np.testing.assert_array_equal(vectors, np.array([[5, -1], [1, 3], [0, 0], [8, 0], [2, 2]], np.float32))
    assert result.stdout.startswith("new.npy: 5 labels, 2 dimensions, from 5 of 6 word vectors, in ")


def test_embed_prints_a_table(here):
    lines = run(*EMBED).stdout.splitlines()
    table = {line[:18].strip(): line[18:].strip().split(maxsplit=2) for line in lines[6:11]}
    assert table == {
        "as one word": ["3", "60.0%", "Polar Bear: polar_bear"],
        "mean of all words": ["0", "0.0%"],
        "mean of some words": ["1", "20.0%", "big moose: big (not moose)"],
        "from ancestors": ["0", "0.0%"],
        "no vector": ["1", "20.0%", "moose"],
    }
    text = " ".join(lines)
    assert "Labels without a vector: moose" in text
    assert "Unknown words, the most frequent of 1: moose" in text


def test_embed_reports_as_json(here):
    assert run(*EMBED, "--report", "coverage.json", "--hierarchy", "is_a.txt", "--case", "lower").exit_code == 0
    report = json.loads((here / "coverage.json").read_text(encoding="utf-8"))
    assert report["word_vectors"]["file"] == "glove.txt"
    assert (report["word_vectors"]["n_words"], report["word_vectors"]["dimension"]) == (6, 2)
    assert report["rules"]["case"] == "lower"
    assert report["hierarchy"] == "is_a.txt"
    rules = cf.NameRules(case="lower")
    expected = embeddings_of(LABELS, hierarchy=[("n2", "n6")], rules=rules).coverage.to_dict()
    assert report["labels"] == json.loads(json.dumps(expected))


@pytest.mark.parametrize(
    ("flags", "rules"),
    [
        (["--no-phrases"], {"phrases": False}),
        (["--case", "exact"], {"case": "exact"}),
        (["--hyphens", "keep"], {"hyphens": "keep"}),
        (["--all-words"], {"some_words": False}),
        (["--separator", ";"], {"separator": ";"}),
        (["--separator", ""], {"separator": ""}),
        (["--spaces", "+"], {"spaces": "+"}),
    ],
)
def test_embed_options(here, flags, rules):
    names = ["Polar Bear; cat", "big moose, fish-x", "polar_bear", "big+cat", "Cat", "big, big cat", "x-fish"]
    (here / "labels.tsv").write_text("".join(f"n{i}\t{name}\n" for i, name in enumerate(names)))
    assert run(*EMBED, *flags).exit_code == 0
    expected = embeddings_of((here / "labels.tsv").read_text(), rules=cf.NameRules(**rules)).vectors
    np.testing.assert_array_equal(np.load("new.npy"), expected)
    default = embeddings_of((here / "labels.tsv").read_text()).vectors
    assert not np.array_equal(expected, default)


def test_embed_with_a_vector_per_synonym_and_build_with_its_rows(here):
    result = run(*EMBED, "--per-synonym", "--row-label", "rows.npy")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("new.npy: 5 vectors of 5 labels, 2 dimensions")
    expected = embeddings_of(LABELS, per_synonym=True)
    np.testing.assert_array_equal(np.load("rows.npy"), expected.row_label)
    np.testing.assert_array_equal(np.load("new.npy"), expected.vectors)
    np.save("classes.npy", embeddings_of(CLASSES).vectors)
    command = ("build", "classes.npy", "new.npy", "--row-label", "rows.npy", "--label-names", "labels.tsv")
    result = run(*command, "-o", "new.safetensors")
    assert result.exit_code == 0, result.stderr
    assert "; 1 labels own no vector and never rank" in result.stdout
    with cf.ConseIndex.open("new.safetensors") as index:
        assert (index.n_labels, index.n_rows) == (5, 5)
        assert list(index.label_names) == listed(LABELS)[1]


def test_other_files_of_word_vectors(here):
    expected = embeddings_of(LABELS).vectors
    (here / "packed").write_bytes(gzip.compress(GLOVE.encode()))
    words = cf.read_word_vectors("glove.txt")
    np.save("array.npy", words.vectors)
    (here / "words").write_text("\n".join(words.words))
    (here / "broken").write_text(GLOVE + "moose 1\n")
    for flags in (
        ["--vectors", "packed"],
        ["--vectors", "array.npy", "--word-list", "words"],
        ["--vectors", "glove.txt", "--format", "glove"],
        ["--vectors", "broken", "--skip-bad-lines"],
    ):
        result = run("embed", "labels.tsv", *flags, "-o", "new.npy")
        assert result.exit_code == 0, result.stderr
        np.testing.assert_array_equal(np.load("new.npy"), expected)
    told = "1 bad lines of broken were left out: line 7 ('moose') has 1 numbers; expected 2"
    assert told in " ".join(result.stdout.split())


def test_ancestors_that_are_no_label_lend_where_they_have_names(here):
    (here / "is_a.txt").write_text("x n6\ny x\nz y\n")
    (here / "names.txt").write_text("y\tbig cat\nz\tfish\nn4\tdog\n")
    names = ["--hierarchy-names", "names.txt"]
    assert run(*EMBED, "--hierarchy", "is_a.txt", *names, "--report", "coverage.json").exit_code == 0
    np.testing.assert_array_equal(np.load("new.npy")[2], [1, 3])
    np.testing.assert_array_equal(np.load("new.npy")[0], [5, -1])
    report = json.loads((here / "coverage.json").read_text(encoding="utf-8"))
    assert report["labels"]["n_labels"] == 5
    assert report["labels"]["labels"][2]["ancestors"] == ["y"]
    assert run(*BUILD, "--hierarchy", "is_a.txt", *names, "--per-synonym").exit_code == 0
    with cf.ConseIndex.open("new.safetensors") as index:
        assert (index.n_classes, index.n_labels, index.n_rows) == (3, 5, 6)
    assert_fails(run(*EMBED, *names), 1, "--hierarchy-names goes with --hierarchy")
    (here / "names.txt").write_text("big cat\n")
    assert_fails(run(*EMBED, "--hierarchy", "is_a.txt", *names), 1, "names.txt holds names without ids")


# ------------------------------------------------------------------------------------------------------- build


@pytest.mark.parametrize("missing", ["skip", "refill"])
@pytest.mark.parametrize("per_synonym", [False, True])
def test_build_from_names_makes_the_file_that_python_makes(here, missing, per_synonym):
    flags = ["--hierarchy", "is_a.txt", "--missing-classes", missing, *(["--per-synonym"] if per_synonym else [])]
    result = run(*BUILD, *flags, "--report", "coverage.json")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("new.safetensors: 3 classes, 5 labels of 2 dimensions, ")
    classes, labels = (
        embeddings_of(CLASSES + LABELS, hierarchy=[("n2", "n6")], per_synonym=several)[part]
        for several, part in ((False, slice(3)), (per_synonym, slice(3, None)))
    )
    assert labels.levels.tolist() == [0, 0, 1, 0, 0]  # the moose borrows from a class
    (class_ids, class_names), (label_ids, label_names) = listed(CLASSES), listed(LABELS)
    index = cf.ConseIndex.build(
        classes.vectors,
        labels.vectors,
        class_names=class_names,
        class_ids=class_ids,
        label_names=label_names,
        label_ids=label_ids,
        row_label=labels.row_label,
        missing_classes=missing,
    )
    assert same_file(here / "new.safetensors", index)
    report = json.loads((here / "coverage.json").read_text(encoding="utf-8"))
    assert report["classes"] == json.loads(json.dumps(classes.coverage.to_dict()))
    assert report["labels"] == json.loads(json.dumps(labels.coverage.to_dict()))
    assert "Classes without a vector: unicorn" in result.stdout
    assert "How labels came to their vectors" in result.stdout
    assert f" missing {missing}: " in " ".join(run("info", "new.safetensors").stdout.split())


def test_build_from_names_and_embeddings(here):
    np.save("classes.npy", embeddings_of(CLASSES).vectors)
    result = run(
        "build", "classes.npy", "labels.tsv", *VECTORS, "-o", "new.safetensors", "--class-names", "classes.tsv"
    )
    assert result.exit_code == 0, result.stderr
    ids, names = listed(CLASSES)
    expected = {
        "class_names": names,
        "class_ids": ids,
        "label_names": listed(LABELS)[1],
        "label_ids": listed(LABELS)[0],
    }
    index = cf.ConseIndex.build(embeddings_of(CLASSES).vectors, embeddings_of(LABELS).vectors, **expected)
    assert same_file(here / "new.safetensors", index)
    assert "How classes" not in result.stdout


def test_build_makes_the_demos_index_of_the_demos_names(here):
    data = demo.load()
    np.save("words.npy", data.word_vectors)
    (here / "words.txt").write_text("\n".join(data.words), encoding="utf-8")
    lines = [f"{wnid}\t{name}" for wnid, name in zip(data.wnids, data.names)]
    for name, part in (("seen.tsv", demo.SEEN), ("unseen.tsv", demo.UNSEEN)):
        (here / name).write_text("\n".join(["wnid\tlemmas", *lines[part]]), encoding="utf-8")
    (here / "is_a.txt").write_text("".join(f"{parent} {child}\n" for parent, child in data.is_a))
    rules = ["--spaces", "", "--no-phrases", "--case", "lower", "--hyphens", "split"]
    command = ["build", "seen.tsv", "unseen.tsv", "--skip-header", "--vectors", "words.npy", "--hierarchy", "is_a.txt"]
    result = run(*command, *rules, "-o", "new.safetensors")
    assert result.exit_code == 0, result.stderr
    assert run("demo", "--output", "kept", "--photos", 0).exit_code == 0
    assert (here / "new.safetensors").read_bytes() == (here / "kept" / "index.safetensors").read_bytes()


# ------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["embed", "labels.tsv", "-o", "x.npy"], ["Missing option '--vectors'"]),
        ([*EMBED, "--per-synonym"], ["--per-synonym and --row-label go together"]),
        ([*EMBED, "--row-label", "x.npy"], ["--per-synonym and --row-label go together"]),
        (["build", "a.npy", "b.npy", "-o", "x", "--hierarchy", "is_a.txt"], ["--hierarchy goes with --vectors"]),
        (["build", "a.npy", "b.npy", "-o", "x", "--per-synonym"], ["--per-synonym goes with --vectors"]),
        (["build", "a.npy", "b.npy", "-o", "x", "--report", "y"], ["--report goes with --vectors"]),
        ([*EMBED, "--case", "none"], ["'none' is not one of"]),
    ],
)
def test_wrong_usage(here, arguments, fragments):
    assert_fails(run(*arguments), 2, *fragments)


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["embed", "labels.tsv", *VECTORS, "-o", "new.txt"], ["new.txt does not end in .npy"]),
        (["embed", "none.tsv", *VECTORS, "-o", "new.npy"], ["none.tsv: No such file"]),
        (["embed", "labels.tsv", "--vectors", "none", "-o", "new.npy"], ["none: No such file"]),
        (
            ["embed", "labels.tsv", "--vectors", "bad.txt", "-o", "new.npy"],
            ["bad.txt: line 2", "--skip-bad-lines reads"],
        ),
        (
            ["embed", "labels.tsv", "--vectors", "a.npy", "-o", "new.npy"],
            ["a.npy needs a word list", "give --word-list"],
        ),
        ([*EMBED, "--word-list", "labels.tsv"], ["--word-list goes with arrays"]),
        ([*EMBED, "--hierarchy", "glove.txt"], ["glove.txt: line 1 is", "expected 'parent child'"]),
        ([*EMBED, "--hierarchy", "none"], ["none: No such file"]),
        ([*EMBED, "--report", "glove.txt"], ["glove.txt is also an input"]),
        ([*EMBED, "--report", "new.npy"], ["new.npy is the name of two outputs"]),
        (["embed", "empty", *VECTORS, "-o", "new.npy"], ["empty holds no names"]),
        (["build", "classes.tsv", "labels.tsv", "-o", "x"], ["classes.tsv is no .npy file", "give --vectors FILE"]),
        (["build", "a.npy", "a.npy", *VECTORS, "-o", "x"], ["--vectors goes with names; both files hold embeddings"]),
        ([*BUILD, "--report", "./new.safetensors"], ["./new.safetensors is the name of two outputs"]),
        ([*BUILD, "--class-names", "classes.tsv"], ["classes.tsv holds names", "--class-names goes with embeddings"]),
        ([*BUILD, "--row-label", "a.npy"], ["labels.tsv holds names", "--row-label goes with embeddings"]),
        (
            ["build", "classes.tsv", "a.npy", *VECTORS, "--per-synonym", "-o", "x"],
            ["--per-synonym goes with the names"],
        ),
        (["build", "strange", "labels.tsv", *VECTORS, "-o", "x"], ["none of the 1 class names has a vector in glove"]),
        ([*BUILD, "--missing-classes", "raise"], ["class_embeddings[2] is all zeros, the first of 1"]),
        (["build", "classes.tsv", "labels.tsv", *VECTORS, "-o", "glove.txt"], ["glove.txt is also an input"]),
        (["build", "a.npy", "b.npy", "--row-label", "a.npy", "-o", "x"], ["row_label must hold integers"]),
    ],
)
def test_errors_leave_no_file(here, arguments, fragments):
    (here / "bad.txt").write_text("fish 1 2\ncat 1\n" + GLOVE)
    (here / "empty").write_text("")
    (here / "strange").write_text("unicorn\n")
    np.save("a.npy", np.ones((3, 2)))
    np.save("b.npy", np.ones((3, 2)))
    before = {path: path.read_bytes() for path in here.iterdir()}
    assert_fails(run(*arguments), 1, *fragments)
    assert {path: path.read_bytes() for path in here.iterdir()} == before


def test_a_terminal_that_knows_no_accents(here):
    (here / "labels.tsv").write_text("na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve\ncat\n", encoding="utf-8")
    process = start(*EMBED, environment={"PYTHONIOENCODING": "ascii"}, cwd=here)
    stdout, stderr = process.communicate()
    assert (process.returncode, stderr) == (0, b"")
    assert b"Labels without a vector: na?ve" in stdout
