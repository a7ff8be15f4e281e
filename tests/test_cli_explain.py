"""The command `explain`: images, differences, labels and vocabularies, as tables and as JSON, and errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

import conse_fast as cf

pytest.importorskip("click", reason="the command line needs the extra [cli]")
pytest.importorskip("rich", reason="the command line needs the extra [cli]")

from test_cli import N_CLASSES, N_LABELS, assert_fails, make_embeddings, make_files, make_names, run, visit
from test_cli_rank import N_IMAGES, make_probabilities

EXPLAIN = ["explain", "index.safetensors"]
IMAGES = [*EXPLAIN, "probabilities.npy"]
NAMES = make_names("label", N_LABELS)
CLASS_NAMES = make_names("class", N_CLASSES)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = make_files(tmp_path_factory.mktemp("files"))
    probabilities = make_probabilities()
    np.save(folder / "probabilities.npy", probabilities)
    np.save(folder / "logits.npy", np.log(probabilities + 1e-30))
    probabilities[31, 2] = np.nan
    np.save(folder / "nan.npy", probabilities)
    classes, labels = make_embeddings()
    names = [str(i + 1) for i in range(N_LABELS - 2)] + ["[bold]twin[/bold]"] * 2
    cf.ConseIndex.build(classes, labels, label_names=names).save(folder / "numbers.safetensors")
    cf.ConseIndex.build(classes, labels).save(folder / "nameless.safetensors")
    return folder


@pytest.fixture
def here(files, monkeypatch):
    yield from visit(files, monkeypatch)


@pytest.fixture
def index(here):
    return cf.ConseIndex.open("index.safetensors")


def text_of(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def json_of(*arguments):
    return json.loads(text_of(*arguments, "--json"))


# ------------------------------------------------------------------------------------------------- one image


def test_the_best_labels_of_an_image(index):
    ranking = index.rank(make_probabilities()[7], 3)
    text = text_of(*IMAGES, "--row", 7)
    assert text.startswith("Row 7 of probabilities.npy: the 10 most probable of 12 classes\n")
    for score, name in zip(ranking.scores, ranking.names):
        assert f"{score:.4f}  {name} (n{NAMES.index(name):03})" in text
    explanation = index.explain(make_probabilities()[7], ranking.indices)
    largest = np.abs(explanation.contributions[0]).argmax()
    first = text.splitlines()[6].split()
    assert first[:3] == [
        f"{explanation.contributions[0, largest]:.4f}",
        f"{explanation.shares[largest]:.1%}",
        f"{explanation.similarities[0, largest]:.4f}",
    ]
    assert " ".join(first[3:]) == CLASS_NAMES[explanation.classes[largest]]


@pytest.mark.parametrize(("flags", "row", "options"), [
    ([], 0, {}),
    (["--row", 12, "--k", 5, "--top-t", 4], 12, {"k": 5, "top_t": 4}),
    (["--top-t", "all", "--n-threads", 1], 0, {"top_t": None}),
])  # fmt: skip
def test_json_of_an_image(index, flags, row, options):
    found = json_of(*IMAGES, *flags)
    probabilities, top_t = make_probabilities()[row], options.get("top_t", 10)
    ranking = index.rank(probabilities, options.get("k", 3), top_t)
    explanation = index.explain(probabilities, ranking.indices, top_t)
    assert found["row"] == row
    assert [label["label"] for label in found["labels"]] == ranking.indices.tolist()
    assert [label["name"] for label in found["labels"]] == ranking.names.tolist()
    assert [label["id"] for label in found["labels"]] == [f"n{label:03}" for label in ranking.indices]
    assert [label["score"] for label in found["labels"]] == ranking.scores.tolist()
    for m, label in enumerate(found["labels"]):
        assert [part["class"] for part in label["parts"]] == explanation.classes.tolist()
        assert [part["contribution"] for part in label["parts"]] == explanation.contributions[m].tolist()
        assert [part["similarity"] for part in label["parts"]] == explanation.similarities[m].tolist()
        assert [part["share"] for part in label["parts"]] == explanation.shares.tolist()
        assert label["parts"][0]["name"] == CLASS_NAMES[explanation.classes[0]]
        assert sum(part["contribution"] for part in label["parts"]) == pytest.approx(label["score"], abs=1e-6)


def test_given_labels(here):
    found = json_of(*IMAGES, "--label", "n005", "--label", NAMES[3], "--label", 17)
    assert [label["label"] for label in found["labels"]] == [5, 3, 17]
    assert NAMES[17] in text_of(*IMAGES, "--label", 17)


def test_logits(index):
    hot = json_of(*EXPLAIN, "logits.npy", "--logits", "--row", 3)
    expected = json_of(*IMAGES, "--row", 3)
    for label, same in zip(hot["labels"], expected["labels"]):
        assert label["label"] == same["label"]
        assert label["score"] == pytest.approx(same["score"], abs=1e-5)
    flat = json_of(*EXPLAIN, "logits.npy", "--logits", "--temperature", 4, "--row", 3)
    logits = np.load("logits.npy")[3]
    ranking = index.rank_logits(logits, 3, temperature=4)
    assert [label["label"] for label in flat["labels"]] == ranking.indices.tolist()
    assert [label["score"] for label in flat["labels"]] == pytest.approx(ranking.scores.tolist(), abs=1e-6)


def test_many_classes_are_added_up(here, monkeypatch):
    from conse_fast.cli import explain_report

    monkeypatch.setattr(explain_report, "_N_SHOWN", 4)
    text = text_of(*IMAGES, "--top-t", "all", "--k", 1)
    assert "the other 8 classes together" in text
    parts = [float(line.split()[0]) for line in text.splitlines() if line[:1] in "-0123456789 " and "%" in line]
    assert len(parts) == 5
    assert sum(parts) == pytest.approx(json_of(*IMAGES, "--top-t", "all", "--k", 1)["labels"][0]["score"], abs=4e-4)


# ------------------------------------------------------------------------------------------------ differences


def test_why_not_another_label(index):
    best = index.rank(make_probabilities()[0], 1)
    text = text_of(*IMAGES, "--versus", "n005")
    explanation = index.explain(make_probabilities()[0], [best.indices[0], 5])
    a, b = explanation.scores
    title = f"Why {best.names[0]} (n{best.indices[0]:03}), {a:.4f}, and not {NAMES[5]} (n005), {b:.4f}"
    assert title in " ".join(text.split())
    assert text.count("Why ") == 1
    found = json_of(*IMAGES, "--versus", "n005")
    (difference,) = found["differences"]
    assert (difference["label"], difference["versus"]["label"]) == (best.indices[0], 5)
    effects = [part["effect"] for part in difference["parts"]]
    assert sum(effects) == pytest.approx(difference["score"] - difference["versus"]["score"], abs=1e-6)
    assert np.all(np.diff(np.abs(effects)) <= 0)
    for part in difference["parts"]:
        kept = explanation.classes.tolist().index(part["class"])
        assert part["similarity"] == explanation.similarities[0, kept]
        assert part["similarity_versus"] == explanation.similarities[1, kept]


def test_the_other_label_may_be_among_the_best(index):
    best = index.rank(make_probabilities()[0], 3).indices.tolist()
    found = json_of(*IMAGES, "--versus", best[0], "--k", 2)
    assert [one["label"] for one in found["differences"]] == best[1:]
    found = json_of(*IMAGES, "--label", 4, "--label", 7, "--versus", 9)
    assert [(one["label"], one["versus"]["label"]) for one in found["differences"]] == [(4, 9), (7, 9)]


def test_a_label_without_a_vector(here):
    text = text_of(*IMAGES, "--label", N_LABELS - 1)
    assert "no score" in text
    assert "There is nothing to add up" in text
    assert json_of(*IMAGES, "--label", N_LABELS - 1)["labels"][0]["score"] is None
    assert "There is nothing to add up" in text_of(*IMAGES, "--versus", N_LABELS - 1)
    assert "None: the label has no vector" in text_of(*EXPLAIN, "--label", N_LABELS - 1)


# -------------------------------------------------------------------------------------------- the vocabulary


def test_nearest_classes(index):
    ranking = index.nearest_classes([5, 8], 4)
    found = json_of(*EXPLAIN, "--label", "n005", "--label", "n008", "--k", 4)
    for i, label in enumerate(found["labels"]):
        assert [near["class"] for near in label["classes"]] == ranking.indices[i].tolist()
        assert [near["cosine"] for near in label["classes"]] == pytest.approx(ranking.scores[i].tolist())
        assert [near["name"] for near in label["classes"]] == ranking.names[i].tolist()
    text = text_of(*EXPLAIN, "--label", "n005")
    assert text.startswith(f"{NAMES[5]} (n005): the nearest classes\n")
    assert f"{ranking.scores[0, 0]:.4f}   {ranking.names[0, 0]}" in text
    assert sum(name in text for name in CLASS_NAMES) == 10


def test_reachability(index):
    reach = index.reachability(2)
    found = json_of(*EXPLAIN, "--reachability", "--k", 2)
    assert (found["k"], found["n_classes"], found["n_labels"]) == (2, N_CLASSES, N_LABELS)
    assert found["unreached"] == reach.unreached.tolist()
    assert found["without_vector"] == [N_LABELS - 1]
    assert [one["label"] for one in found["crowding"]] == reach.crowding.tolist()
    assert [one["count"] for one in found["crowding"]] == reach.counts[reach.crowding].tolist()
    assert found["crowding"][0]["name"] == NAMES[reach.crowding[0]]
    assert found["skewness"] == pytest.approx(reach.skewness)
    text = text_of(*EXPLAIN, "--reachability", "--k", 2)
    assert text.startswith("Which of 90 labels are among the best 2 of any class\n")
    shown = " ".join(text.split())
    assert f"{len(reach.crowding)} labels ({len(reach.crowding) / 90:.1%}) are reached" in shown
    assert f"{len(reach.unreached)} ({len(reach.unreached) / 90:.1%}) by none" in shown
    assert "1 have no vector" in shown


# ------------------------------------------------------------------------------------------ names and numbers


def test_names_that_are_numbers_go_before_numbers(here):
    found = json_of("explain", "numbers.safetensors", "--label", "7", "--label", "0")
    assert [label["label"] for label in found["labels"]] == [6, 0]
    assert found["labels"][0]["name"] == "7"
    assert "id" not in found["labels"][0]
    assert "name" not in found["labels"][0]["classes"][0]


def test_names_are_shown_as_they_are(here):
    assert "[bold]twin[/bold]" in text_of("explain", "numbers.safetensors", "--label", N_LABELS - 1)
    text = text_of("explain", "nameless.safetensors", "probabilities.npy", "--k", 1)
    best = cf.ConseIndex.open("nameless.safetensors").rank(make_probabilities()[0], 1)
    assert f"  label {best.indices[0]}\n" in text
    assert "   class " in text


# ---------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "status", "fragments"),
    [
        (EXPLAIN, 2, ["nothing to explain: give PROBABILITIES, --label or --reachability"]),
        ([*EXPLAIN, "--label", 1, "--row", 0], 2, ["--row goes with PROBABILITIES"]),
        ([*EXPLAIN, "--label", 1, "--versus", 0], 2, ["--versus goes with PROBABILITIES"]),
        ([*EXPLAIN, "--label", 1, "--top-t", 10], 2, ["--top-t goes with PROBABILITIES"]),
        ([*EXPLAIN, "--label", 1, "--logits"], 2, ["--logits goes with PROBABILITIES"]),
        ([*EXPLAIN, "--reachability", "--label", 1], 2, ["--reachability is about all labels"]),
        ([*IMAGES, "--reachability"], 2, ["--reachability is about all labels"]),
        ([*IMAGES, "--k", 2, "--label", 1], 2, ["--k is for the best labels"]),
        ([*IMAGES, "--temperature", 2], 2, ["--temperature goes with --logits"]),
        ([*IMAGES, "--k", 0], 2, ["--k"]),
        ([*IMAGES, "--row", N_IMAGES], 1, ["probabilities.npy has 40 rows, counted from 0; there is no row 40"]),
        ([*IMAGES, "--row", 5], 1, ["probabilities.npy: row 5 ranks no label"]),
        ([*EXPLAIN, "nan.npy", "--row", 31], 1, ["nan.npy: row 31 holds NaN at column 2"]),
        ([*EXPLAIN, "logits.npy"], 1, ["logits.npy: row 0 holds", "give --logits"]),
        ([*EXPLAIN, "labels.npy"], 1, ["labels.npy has 8 columns; expected 12"]),
        ([*EXPLAIN, "missing.npy"], 1, ["missing.npy: No such file"]),
        (["explain", "missing.safetensors", "--reachability"], 1, ["missing.safetensors: No such file"]),
        ([*IMAGES, "--label", N_LABELS], 1, ["there is no label 90: they are numbered from 0 to 89"]),
        ([*IMAGES, "--label", "elsewhere"], 1, ["no label has the id or the name 'elsewhere'"]),
        ([*IMAGES, "--versus", "the 7th"], 1, ["no label has", 'names that contain it: \'label "7", the 7th']),
        ([*IMAGES, "--label", "LABEL"], 1, ["names that contain it", ", ..."]),
        (["explain", "numbers.safetensors", "--label", "[bold]twin[/bold]"], 1, ["2 labels have the name"]),
    ],
)
def test_errors_are_one_line(here, arguments, status, fragments):
    assert_fails(run(*arguments), status, *fragments)


def test_only_the_row_that_is_explained_is_read(here):
    assert json_of(*EXPLAIN, "nan.npy", "--row", 30) == json_of(*IMAGES, "--row", 30)
