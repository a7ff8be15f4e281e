"""Sets of labels on the command line: `build --label-set`, `rank --candidates`, and what `info` says of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import conse_fast as cf

pytest.importorskip("click", reason="the command line needs the extra [cli]")
pytest.importorskip("rich", reason="the command line needs the extra [cli]")

from test_cli import BUILD, N_CLASSES, N_LABELS, assert_fails, make_files, make_names, run, visit

NAMED = [*BUILD, "--class-names", "class_names.txt", "--label-names", "label_names.tsv"]
RANK = ["rank", "sets.safetensors", "probabilities.npy", "--k", "4", "-o", "ranking.npz"]
LABELS = make_names("label", N_LABELS)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = make_files(tmp_path_factory.mktemp("files"))
    np.save(folder / "probabilities.npy", np.random.default_rng(1).dirichlet(np.ones(N_CLASSES), 9))
    (folder / "some.txt").write_text("n003\n\nn004\nn089\n", encoding="utf-8")
    (folder / "by_name.tsv").write_text(f"{LABELS[5]}\tanything\n{LABELS[7]}\n", encoding="utf-8")
    (folder / "unknown.txt").write_text("n003\nnobody\nn004\nno one\n", encoding="utf-8")
    (folder / "nobody.txt").write_text("nobody\n", encoding="utf-8")
    np.save(folder / "ids.npy", np.array([8, 9, 3]))
    np.save(folder / "mask.npy", np.arange(N_LABELS) % 2 == 0)
    np.save(folder / "wrong_mask.npy", np.zeros(7, bool))
    np.save(folder / "label_class.npy", np.where(np.arange(N_LABELS) < 6, np.arange(N_LABELS), -1))
    return folder


@pytest.fixture
def here(files, monkeypatch):
    yield from visit(files, monkeypatch)


@pytest.fixture
def index(here):
    sets = ["--label-set", "some=some.txt", "--label-set", "two words=by_name.tsv"]
    result = run(*NAMED, *sets, "--label-class", "label_class.npy")
    assert result.exit_code == 0, result.stderr
    (here / "new.safetensors").rename("sets.safetensors")
    return cf.ConseIndex.open("sets.safetensors")


def assert_ranked(index, candidates, *options, **what):
    result = run(*RANK, *options)
    assert result.exit_code == 0, result.stderr
    with np.load("ranking.npz") as written:
        k = min(4, N_LABELS if candidates is None else len(index.candidates(candidates)))
        expected = index.rank(np.load("probabilities.npy"), k, candidates=candidates, **what)
        assert np.array_equal(written["indices"], expected.indices)
        assert np.array_equal(written["scores"], expected.scores)


def test_build_keeps_label_sets(index):
    assert {name: list(labels) for name, labels in index.label_sets.items()} == {
        "some": [3, 4, 89],
        "two words": [5, 7],
    }
    assert list(index.seen_labels) == list(range(6))


def test_info_tells_of_them(index):
    facts = json.loads(run("info", "--json", "sets.safetensors").stdout)
    assert facts["label_sets"] == {"some": 3, "two words": 2}
    assert facts["n_seen_labels"] == 6
    table = run("info", "sets.safetensors").stdout
    assert "some (3), two words (2)" in table
    assert "6 labels are seen classes" in table


@pytest.mark.parametrize(
    ("options", "candidates"),
    [
        (["--candidates", "some"], [3, 4, 89]),
        (["--candidates", "some", "--candidates", "two words"], [3, 4, 89, 5, 7]),
        (["--candidates", "by_name.tsv"], [5, 7]),
        (["--candidates", "ids.npy", "--exclude", "some.txt"], [8, 9]),
        (["--candidates", "mask.npy"], list(range(0, N_LABELS, 2))),
        (["--exclude", "some"], [i for i in range(N_LABELS) if i not in (3, 4, 89)]),
        (["--candidates", "unknown.txt", "--skip-unknown"], [3, 4]),
    ],
    ids=lambda value: " ".join(map(str, value[:4])),
)
def test_rank_among_candidates(index, options, candidates):
    assert_ranked(index, candidates, *options)


def test_rank_with_a_penalty_and_dot_products(index):
    assert_ranked(index, None, "--seen-penalty", "0.25", seen_penalty=0.25)
    assert_ranked(index, "some", "--form", "dot", "--candidates", "some", form="dot")


@pytest.mark.parametrize(
    ("how", "expected"), [("id", []), ("name", [2, 3])], ids=["ids that no class has", "names that classes have"]
)
def test_labels_that_are_classes_by_their_texts(here, how, expected):
    classes = [f"c{i}\t{name}" for i, name in enumerate([*LABELS[2:4], *make_names("class", N_CLASSES - 2)])]
    (here / "classes.tsv").write_text("\n".join(classes), encoding="utf-8")
    options = ["--class-names", "classes.tsv", "--label-names", "label_names.tsv", "--label-class", how]
    result = run(*BUILD, *options)
    assert result.exit_code == 0, result.stderr
    index = cf.ConseIndex.open("new.safetensors")
    assert list(index.seen_labels) == expected
    assert index.label_class[expected].tolist() == list(range(len(expected)))


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        (["--candidates", "missing.txt"], ["missing.txt is neither a label set", "some, two words"]),
        (
            ["--candidates", "unknown.txt"],
            ["unknown.txt: 2 of 4 lines name no label", "line 2, 'nobody'", "--skip"],
        ),
        (["--candidates", "nobody.txt", "--skip-unknown"], ["no label is left"]),
        (["--candidates", "some", "--exclude", "some.txt"], ["no label is left"]),
        (["--candidates", "wrong_mask.npy"], ["wrong_mask.npy is a mask of 7 labels; expected 90"]),
        (["--candidates", "latin1.txt"], ["latin1.txt: line 1 is not UTF-8"]),
        (["--seen-penalty", "nan"], ["seen_penalty must be a finite number"]),
    ],
    ids=lambda value: " ".join(value[:4]),
)
def test_wrong_candidates(index, options, fragments):
    assert_fails(run(*RANK, *options), 1, *fragments)


@pytest.mark.parametrize(
    ("options", "status", "fragments"),
    [
        (["--label-set", "some.txt"], 2, ["--label-set must be NAME=FILE, got 'some.txt'"]),
        (["--label-set", "a=some.txt", "--label-set", "a=some.txt"], 2, ["'a' is given twice"]),
        (["--label-set", "a=unknown.txt"], 1, ["2 of 4 lines name no label"]),
        (["--label-set", "a=nobody.txt", "--skip-unknown"], 1, ["'a' holds no label"]),
        (["--label-set", "a=missing.txt"], 1, ["missing.txt", "No such file"]),
        (["--label-class", "id"], 1, ["--label-class id needs ids of both sides; the class ids are not given"]),
        (["--label-class", "missing.npy"], 1, ["missing.npy", "No such file"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_wrong_sets(here, options, status, fragments):
    assert_fails(run(*NAMED, *options), status, *fragments)
    assert not (here / "new.safetensors").exists()


def test_a_list_where_labels_have_no_texts(here):
    assert_fails(run(*BUILD, "--label-set", "a=some.txt"), 1, "some.txt: the labels have neither ids nor names")
