"""The command `evaluate`: its tables and JSON are what `conse_fast.evaluate` finds; truth, label sets, errors."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest

import conse_fast as cf
from conse_fast import _chunks, demo, metrics

pytest.importorskip("click", reason="the command line needs the extra [cli]")
pytest.importorskip("rich", reason="the command line needs the extra [cli]")

from test_cli import N_CLASSES, N_LABELS, assert_fails, make_embeddings, make_names, run, visit
from test_cli_rank import make_probabilities, save_zeros

N_IMAGES = 40
EVALUATE = ["evaluate", "index.safetensors", "probabilities.npy"]
SETS = {"even": range(0, N_LABELS, 2), "first": range(60)}


def make_truth():
    return np.random.default_rng(3).integers(0, N_LABELS - 1, N_IMAGES)


def make_marks():
    marks = np.where(np.random.default_rng(6).random((N_IMAGES, N_LABELS)) < 0.2, 1, -1)
    marks[np.random.default_rng(7).random(marks.shape) < 0.5] = 0
    return marks.astype(np.int8)


def lines(texts):
    return "".join(f"{text}\n" for text in texts)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An index whose first labels are the classes, with ids, names and two label sets; one without names; truths."""
    folder = tmp_path_factory.mktemp("files")
    classes, labels = make_embeddings()
    labels[:N_CLASSES] = classes
    label_class = np.where(np.arange(N_LABELS) < N_CLASSES, np.arange(N_LABELS), -1)
    ids, names = [f"n{i:03}" for i in range(N_LABELS)], make_names("label", N_LABELS)
    absent = int(np.setdiff1d(np.arange(N_LABELS), make_truth())[0])
    names[absent] = names[N_LABELS - 1]  # two labels of one name, which no image shows
    named = {"label_ids": ids, "label_names": names, "label_sets": {n: np.array(s) for n, s in SETS.items()}}
    cf.ConseIndex.build(classes, labels, label_class=label_class, **named).save(folder / "index.safetensors")
    cf.ConseIndex.build(classes, labels).save(folder / "nameless.safetensors")
    probabilities, truth = make_probabilities(), make_truth()
    np.save(folder / "probabilities.npy", probabilities)
    np.save(folder / "logits.npy", np.log(probabilities.astype(np.float64) + 1e-9))
    wrong = probabilities.copy()
    wrong[31, 2] = np.nan
    np.save(folder / "nan.npy", wrong)
    np.save(folder / "truth.npy", truth)
    np.save(folder / "marks.npy", make_marks())
    np.save(folder / "few.npy", truth[:-1])
    np.save(folder / "floats.npy", truth.astype(np.float32))
    np.save(folder / "large.npy", truth + N_LABELS)
    np.save(folder / "narrow.npy", make_marks()[:, :5])
    np.save(folder / "cube.npy", make_marks()[np.newaxis])
    (folder / "truth.txt").write_text(lines(ids[label] for label in truth))
    rows = [f"{i}.jpg\t{names[label] if i % 2 else ids[label]}\t1" for i, label in enumerate(truth)]
    (folder / "photos.tsv").write_text(lines(["photo\tlabel\tseen", *rows]), encoding="utf-8")
    (folder / "short.tsv").write_text(lines(["photo\tlabel\tseen", *rows[:5], "5.jpg\tn001"]), encoding="utf-8")
    (folder / "strange.txt").write_text(lines(f"x{label}" for label in truth))
    (folder / "ambiguous.txt").write_text(lines(["n001", names[absent]]), encoding="utf-8")
    (folder / "last.txt").write_text(lines(ids[40:]))
    (folder / "unknown.txt").write_text(lines([*ids[:9], "n999"]))
    (folder / "is_a.txt").write_text(lines(f"{ids[i // 3]} {ids[i]}" for i in range(1, N_LABELS)))
    (folder / "is_a_wrong.txt").write_text("cat dog\n")
    (folder / "is_a_three.txt").write_text("cat dog bird\n")
    return folder


@pytest.fixture
def here(files, monkeypatch):
    yield from visit(files, monkeypatch)


def evaluated(*arguments):
    result = run(*EVALUATE, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def expected(truth=None, **options):
    with cf.ConseIndex.open("index.safetensors") as index:
        true = make_truth() if truth is None else truth
        return cf.evaluate(index, make_probabilities(), true, **options).as_dict()


def assert_same(found, expected):
    """The same figures; the truth is described otherwise."""
    for key in ("n_images", "settings", "label_sets", "figures", "notes"):
        assert found[key] == json.loads(json.dumps(expected[key])), key


# ------------------------------------------------------------------------------------------------------- JSON


def test_json_is_what_python_finds(here):
    found = evaluated("truth.npy")
    assert_same(found, expected())
    assert list(found) == [
        *("version", "target", "index", "probabilities", "truth"),
        *("n_images", "settings", "label_sets", "figures", "notes"),
    ]
    assert found["truth"] == {"path": "truth.npy", "kind": "single-label"}
    assert [facts["name"] for facts in found["label_sets"]] == list(SETS)
    assert {figure["metric"] for figure in found["figures"]} >= {"hit", "class_hit", "ausuc", "best_gamma"}
    assert evaluated("truth.npy") == found


def test_all_options(here):
    with cf.ConseIndex.open("index.safetensors") as index:
        hierarchy = metrics.Hierarchy(cf.read_hierarchy("is_a.txt"), list(index.label_ids))
    arguments = ["--k", "1,4", "--top-t", "1,all", "--hierarchy", "is_a.txt", "--ties", "half", "--average", "image"]
    found = evaluated(*["truth.npy", "--plus-seen", "--resamples", "30", "--confidence", "0.8"], *arguments)
    options = {"hierarchy": hierarchy, "ties": "half", "average": "image", "n_resamples": 30, "confidence": 0.8}
    assert_same(found, expected(k=[1, 4], top_t=[1, None], plus_seen=True, **options))
    assert "hierarchical_precision" in {figure["metric"] for figure in found["figures"]}


def test_label_sets_by_name_and_from_files(here):
    sets = ["--label-set", "first", "--label-set", "rest=last.txt", "--label-set", "few=unknown.txt"]
    found = evaluated("truth.npy", *sets, "--skip-unknown", "--resamples", "0")
    chosen = {"first": range(60), "rest": range(40, N_LABELS), "few": range(9)}
    assert_same(found, expected(label_sets={n: np.array(s) for n, s in chosen.items()}, n_resamples=0))


@pytest.mark.parametrize("arguments", [["truth.txt"], ["photos.tsv", "--truth-column", "label"]])
def test_truth_as_text(here, arguments):
    assert_same(evaluated(*arguments), expected())


def test_logits(here):
    found = run("evaluate", "index.safetensors", "logits.npy", "truth.npy", "--logits", "--temperature", 2, "--json")
    with cf.ConseIndex.open("index.safetensors") as index:
        same = cf.evaluate(index, np.load("logits.npy"), make_truth(), temperature=2.0)
    assert_same(json.loads(found.stdout), same.as_dict())


def test_several_labels(here):
    found = evaluated("marks.npy", "--resamples", "40", "--top-t", "5,all", "--k", "3")
    assert_same(found, expected(make_marks(), n_resamples=40, top_t=[5, None], k=3))
    assert found["truth"]["kind"] == "multi-label"
    assert found["settings"]["form"] == "dot"
    assert "lesa_map" in {figure["metric"] for figure in found["figures"]}
    assert evaluated("marks.npy", "--resamples", "0", "--form", "cosine")["settings"]["form"] == "cosine"


def test_chunks_change_nothing(here, monkeypatch):
    whole = [evaluated(truth, "--resamples", "20") for truth in ("truth.npy", "marks.npy")]
    monkeypatch.setattr(_chunks, "_CHUNK_BYTES", 7 * 4 * N_CLASSES)
    assert [evaluated(truth, "--resamples", "20") for truth in ("truth.npy", "marks.npy")] == whole


def test_a_true_label_that_the_index_does_not_hold(here):
    (here / "some.txt").write_text(lines(["strange", *(f"n{label:03}" for label in make_truth()[1:])]))
    found = evaluated("some.txt")
    assert "1 images have a true label that the index does not hold, or none." in found["notes"]
    truth = make_truth()
    truth[0] = -1
    assert_same(found, expected(truth))


# ------------------------------------------------------------------------------------------------------ tables


def cells(printed, title):
    """The numbers of the line that begins with these words."""
    line = next(line for line in printed.splitlines() if line.strip().startswith(title))
    return [float(number) for number in re.findall(r"-?\d+\.\d+", line)]


def test_tables(here):
    arguments = ["--plus-seen", "--hierarchy", "is_a.txt", "--label-set", "even", "--resamples", "50"]
    result = run(*EVALUATE, "truth.npy", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    found = evaluated("truth.npy", *arguments)
    kept = sum(label % 2 == 0 for label in make_truth())
    assert f"even: 45 labels, 6 of them seen; {kept} of 40 images" in result.stdout
    assert f"even + seen: 51 labels, 12 of them seen; {kept} of 40 images" in result.stdout
    for title, metric in (("10   hit", "hit"), ("by class", "class_hit"), ("hp", "hierarchical_precision")):
        figures = [f["value"] for f in found["figures"] if (f["label_set"], f["metric"]) == ("even", metric)]
        assert cells(result.stdout, title) == [float(f"{100 * value:.1f}") for value in figures]
    assert "AUSUC" in result.stdout
    words = " ".join(result.stdout.split())
    assert "95% intervals (50 bootstrap resamples)" in words
    assert "Images whose true label is not in a label set are left out there." in words


def test_tables_of_several_labels(here):
    result = run(*EVALUATE, "marks.npy", "--resamples", "0")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "even: 45 labels, 6 of them seen; 40 images" in result.stdout
    found = evaluated("marks.npy", "--resamples", "0")
    figures = {f["metric"]: f["value"] for f in found["figures"] if f["label_set"] == "even" and f["k"] in (None, 3)}
    assert cells(result.stdout, "10   LESA precision")[0] == float(f"{100 * figures['lesa_precision']:.1f}")
    maps = ["lesa_map", "lesa_weighted_map", "biam_map", "biam_weighted_map"]
    row = result.stdout.splitlines()[next(i for i, line in enumerate(result.stdout.splitlines()) if "mAP" in line) + 2]
    assert [float(n) for n in row.split()[1:]] == [float(f"{100 * figures[name]:.1f}") for name in maps]


def test_the_demo_is_evaluated_as_its_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("demo", "--output", "kept").exit_code == 0
    files = [f"kept/{name}" for name in ("index.safetensors", "probabilities.npy", "truth.npy")]
    result = run("evaluate", *files, "--ties", "half", "--json")
    data = demo.load()
    with cf.ConseIndex.open("kept/index.safetensors") as index:
        ranking = index.rank(data.probabilities, 41)
    hits = metrics.hit_at_k(ranking.indices, data.truth, [1, 2, 5, 10, 20], scores=ranking.scores, ties="half")
    assert [f["value"] for f in json.loads(result.stdout)["figures"] if f["metric"] == "hit"] == hits.tolist()


# ------------------------------------------------------------------------------------------------------ memory


def test_memory_stays_flat(here):
    def peak(n_images):
        save_zeros(here / "zeros.npy", n_images)
        np.save(here / "zero_truth.npy", np.zeros(n_images, np.int64))
        code = (
            "import resource, sys\nfrom conse_fast.cli import main\n"
            "try: main(sys.argv[1:])\n"
            "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        command = ["evaluate", "nameless.safetensors", "zeros.npy", "zero_truth.npy", "--k", "1", "--resamples", "0"]
        result = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
        return int(result.stderr) * (1 if sys.platform == "darwin" else 1024)

    n_images = 3_000_000
    # The truth itself, 8 bytes an image, is read whole.
    assert peak(n_images) - peak(1000) < 8 * n_images + 40 * 2**20 < 4 * N_CLASSES * n_images


# ------------------------------------------------------------------------------------------------------ errors

ERRORS = {
    "missing truth": ([*EVALUATE, "none.npy"], 1, ["none.npy: No such file"]),
    "too few": ([*EVALUATE, "few.npy"], 1, ["few.npy holds the truth of 39 images, probabilities.npy has 40 rows"]),
    "floats": ([*EVALUATE, "floats.npy"], 1, ["floats.npy holds float32; expected integers"]),
    "large ids": ([*EVALUATE, "large.npy"], 1, ["large.npy holds", "expected label ids from 0 to 89"]),
    "narrow": ([*EVALUATE, "narrow.npy"], 1, ["narrow.npy has 5 columns; expected 90, one per label"]),
    "cube": ([*EVALUATE, "cube.npy"], 1, ["cube.npy has shape (1, 40, 90); expected (images,) or (images, labels)"]),
    "columns": ([*EVALUATE, "photos.tsv"], 1, ["photos.tsv has columns", "--truth-column"]),
    "no such column": (
        [*EVALUATE, "photos.tsv", "--truth-column", "wnid"],
        1,
        ["photos.tsv has no column 'wnid'; its first line has 'photo', 'label', 'seen'"],
    ),
    "short line": ([*EVALUATE, "short.tsv", "--truth-column", "label"], 1, ["short.tsv: line 7 has 2 columns"]),
    "column of an array": ([*EVALUATE, "truth.npy", "--truth-column", "x"], 1, ["truth.npy is an array"]),
    "strange": ([*EVALUATE, "strange.txt"], 1, ["strange.txt: no label of the index is called 'x"]),
    "ambiguous": (
        [*EVALUATE, "ambiguous.txt"],
        1,
        ["ambiguous.txt: line 2: 2 labels have the name", "(numbers: in an .npy)"],
    ),
    "nameless": (
        ["evaluate", "nameless.safetensors", "probabilities.npy", "truth.txt"],
        1,
        ["truth.txt holds text, but the index has no label names or ids"],
    ),
    "no seen labels": (
        ["evaluate", "nameless.safetensors", "probabilities.npy", "truth.npy", "--plus-seen"],
        1,
        ["--plus-seen adds seen labels, but the index has none; build it with --label-class"],
    ),
    "hierarchy without names": (
        ["evaluate", "nameless.safetensors", "probabilities.npy", "truth.npy", "--hierarchy", "is_a.txt"],
        1,
        ["is_a.txt names labels, but the index has no label ids or names"],
    ),
    "hierarchy of others": (
        [*EVALUATE, "truth.npy", "--hierarchy", "is_a_wrong.txt"],
        1,
        ["is_a_wrong.txt: is_a must"],
    ),
    "hierarchy of three": (
        [*EVALUATE, "truth.npy", "--hierarchy", "is_a_three.txt"],
        1,
        ["error: is_a_three.txt: line 1 is 'cat dog bird'"],
    ),
    "NaN": (["evaluate", "index.safetensors", "nan.npy", "truth.npy"], 1, ["nan.npy: row 31"]),
    "logits": (
        ["evaluate", "index.safetensors", "logits.npy", "truth.npy"],
        1,
        ["logits.npy: row 0", "if these are logits, give --logits"],
    ),
    "temperature": ([*EVALUATE, "truth.npy", "--temperature", "2"], 2, ["--temperature goes with --logits"]),
    "unknown set": (
        [*EVALUATE, "truth.npy", "--label-set", "odd"],
        1,
        ["the index has no label set 'odd' (it holds even, first)", "NAME=FILE"],
    ),
    "set of no name": ([*EVALUATE, "truth.npy", "--label-set", "=even.txt"], 2, ["SET or NAME=FILE, got '=even.txt'"]),
    "set twice": ([*EVALUATE, "truth.npy", *["--label-set", "even"] * 2], 2, ["--label-set 'even' is given twice"]),
    "unknown label": ([*EVALUATE, "truth.npy", "--label-set", "a=unknown.txt"], 1, ["'n999'", "--skip-unknown"]),
    "k": ([*EVALUATE, "truth.npy", "--k", "1,0"], 2, ["--k", "numbers from 1 on with commas between, got '1,0'"]),
    "top_t": ([*EVALUATE, "truth.npy", "--top-t", "1,many"], 2, ["--top-t", "or 'all', with commas", "'1,many'"]),
    "ties": ([*EVALUATE, "truth.npy", "--ties", "none"], 2, ["--ties", "label-id"]),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(here, case):
    arguments, status, fragments = ERRORS[case]
    assert_fails(run(*arguments), status, *fragments)
