"""The command `demo`: what it prints is what the files that it keeps say."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

import conse_fast as cf
from conse_fast import demo

pytest.importorskip("click", reason="the command line needs the extra [cli]")
pytest.importorskip("rich", reason="the command line needs the extra [cli]")

from test_cli import assert_fails, run

from conse_fast.cli import demo as demo_module

N_PHOTOS, N_LABELS = 250, 20_842


def run_demo(*arguments, **environment):
    """What the demo prints, without colours, 80 columns wide."""
    environment = {**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **environment}
    command = [sys.executable, "-m", "conse_fast", "demo", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    return result.stdout.decode()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "new" / "kept"


@pytest.fixture(scope="module")
def printed(kept):
    return run_demo("--output", kept)


@pytest.fixture(scope="module")
def truth(kept, printed):
    return np.load(kept / "truth.npy")


@pytest.fixture(scope="module")
def ranking(kept, printed):
    with np.load(kept / "ranking.npz") as archive:
        return archive["scores"], archive["indices"]


@pytest.fixture(scope="module")
def index(kept, printed):
    with cf.ConseIndex.open(kept / "index.safetensors") as index:
        yield index


def hits_line(printed, title):
    line = next(line for line in printed.splitlines() if line.startswith(title))
    return [float(figure) for figure in re.findall(r"([\d.]+)%", line)]


def percent(hits):
    return float(f"{hits.mean():.1%}"[:-1])


# ------------------------------------------------------------------------------------------------------ files


def test_what_it_keeps(kept, truth, ranking, index):
    assert sorted(path.name for path in kept.iterdir()) == [
        *("index.safetensors", "probabilities.npy", "ranking.npz", "truth.npy")
    ]
    assert (truth.shape, truth.dtype) == ((N_PHOTOS,), np.int64)
    assert np.array_equal(truth, demo.load().truth)
    assert np.array_equal(np.load(kept / "probabilities.npy"), demo.load().probabilities)
    assert [(array.shape, array.dtype) for array in ranking] == [
        ((N_PHOTOS, 20), np.float32),
        ((N_PHOTOS, 20), np.int64),
    ]
    index.verify()


def test_the_kept_index_holds_names_and_ids(index):
    data = demo.load()
    for seen, unseen, expected in (
        (index.class_names, index.label_names, data.names),
        (index.class_ids, index.label_ids, data.wnids),
    ):
        assert (*seen, *unseen) == expected


def test_it_tells_how_to_rank_once_more(kept, printed):
    command = printed.splitlines()[-1].strip()
    assert command == f"conse-fast rank {kept}/index.safetensors {kept}/probabilities.npy | head"


def test_the_kept_ranking_comes_from_the_kept_index(kept, index, ranking):
    again = index.rank(np.load(kept / "probabilities.npy"), k=20)
    for array, same in zip(again, ranking):
        np.testing.assert_array_equal(array, same)


def test_the_kept_files_rank_from_the_command_line(kept, ranking):
    output = kept.parent / "again.npz"
    result = run("rank", kept / "index.safetensors", kept / "probabilities.npy", "--k", 20, "-o", output)
    assert result.exit_code == 0, result.stderr
    with np.load(output) as archive:
        np.testing.assert_array_equal(archive["indices"], ranking[1])


# ---------------------------------------------------------------------------------------------------- figures


def test_hits_are_those_of_the_kept_ranking(printed, truth, ranking):
    found = ranking[1] == truth[:, None]
    expected = [percent(found[:, :k].any(axis=1)) for k in (1, 5, 10, 20)]
    assert hits_line(printed, "equal scores by label id") == expected
    assert expected == sorted(expected)
    assert expected[-1] > 20, "the demo shows that it works"


def test_hits_with_ties_counted_half(kept, printed, truth, index):
    ranked, labels = index.rank(np.load(kept / "probabilities.npy"), k=N_LABELS)
    scores = np.full((N_PHOTOS, N_LABELS + 1), -np.inf, np.float32)
    np.put_along_axis(scores, labels, ranked, axis=1)  # the empty places, -1, end in the last column
    scores = scores[:, :N_LABELS]
    true_score = scores[np.arange(N_PHOTOS), truth, None]
    assert np.isfinite(true_score).all()
    rank = (scores > true_score).sum(axis=1) + ((scores == true_score).sum(axis=1) - 1) / 2
    expected = [percent(rank < k) for k in (1, 5, 10, 20)]
    assert hits_line(printed, "equal scores counted half") == expected
    assert expected != hits_line(printed, "equal scores by label id")


def test_labels_without_a_vector_never_rank(index):
    without = ~demo.load().embed_labels().has_vector[demo.UNSEEN]
    assert without.sum() == 462
    _, labels = index.rank(demo.load().probabilities[:3], k=N_LABELS)
    assert not np.isin(np.flatnonzero(without), labels).any()
    assert (labels[:, -462:] == -1).all()


def test_it_says_how_many_labels_borrow_or_stay_without(printed):
    text = " ".join(printed.split())
    assert "303 seen and 7,285 unseen labels have no known word" in text
    assert "1 and 462 stay without a vector" in text
    assert "among 20,842 labels" in text
    vectors = demo.load().embed_labels().vectors[demo.UNSEEN]
    counts: dict[bytes, int] = {}
    for vector in vectors[vectors.any(axis=1)]:
        counts[vector.tobytes()] = counts.get(vector.tobytes(), 0) + 1
    shared = sum(count for count in counts.values() if count > 1)
    assert f"{shared:,} of the {len(vectors) - 462:,} ranked labels share their vector" in text


def test_it_says_how_long_each_step_took(printed):
    times = printed[printed.index("How long it took") :]
    for step in ("load", "label embeddings", "build", "rank", "rank again"):
        assert re.search(rf"^{step} +[\d.]+ (us|ms|s) ", times, re.MULTILINE), step
    assert len(re.findall(r"[\d.]+ (?:us|ms) a photo", times)) == 2


# ---------------------------------------------------------------------------------------------------- photos


def shown_photos(count):
    return [(2 * i + 1) * N_PHOTOS // (2 * count) for i in range(count)]


def first_lemma(name):
    return name.split(",")[0]


@pytest.mark.parametrize("count", [8, 250])
def test_photos_in_the_table(kept, truth, ranking, index, count):
    printed = run_demo("--photos", count, COLUMNS="140")
    table = printed[printed.index("true label, place") : printed.index("All 250 photos")]
    blocks = [block.splitlines() for block in re.split(r"\n\s*\n", table.split("\n", 2)[2].rstrip())]
    assert len(blocks) == count
    best_classes = np.load(kept / "probabilities.npy").argmax(axis=1)
    hits = 0
    for photo, block in zip(shown_photos(count), blocks):
        labels = ranking[1][photo, :5]
        assert block[0].split("  ")[0] == first_lemma(index.label_names[truth[photo]])
        assert f"% {first_lemma(index.class_names[best_classes[photo]])} " in block[0]
        for line, label in zip(block, labels):
            assert line.rstrip().endswith(" " + first_lemma(index.label_names[label]))
            assert ("\N{CHECK MARK}" in line) == (label == truth[photo])
        place = int(re.match(r"place ([\d,]+)", block[1])[1].replace(",", ""))
        assert (place <= 5) == (truth[photo] in labels)
        if place <= 20:
            assert ranking[1][photo, place - 1] == truth[photo]
        hits += place <= 5
    assert hits > 0


def test_no_photos():
    printed = run_demo("--photos", 0)
    assert "true label, place" not in printed
    assert "hit@20" in printed


# ---------------------------------------------------------------------------------------------------- options


def test_it_fits_the_terminal(printed):
    assert max(map(len, printed[: printed.index("Kept in")].splitlines())) <= 80
    assert "\x1b" not in printed


def test_a_terminal_without_unicode():
    printed = run_demo("--photos", 3, PYTHONIOENCODING="ascii")
    assert printed.isascii()
    assert " * " in printed


def test_k_and_top_t(tmp_path):
    printed = run_demo("--k", 7, "--top-t", "all", "--n-threads", 1, "--output", tmp_path, "--photos", 1)
    assert ", 1 thread\n" in printed
    assert re.findall(r"hit@\d+", printed) == ["hit@1", "hit@5", "hit@7"]
    with np.load(tmp_path / "ranking.npz") as archive, cf.ConseIndex.open(tmp_path / "index.safetensors") as index:
        expected = index.rank(np.load(tmp_path / "probabilities.npy"), k=7, top_t=None)
        np.testing.assert_array_equal(archive["indices"], expected.indices)
        found = archive["indices"] == np.load(tmp_path / "truth.npy")[:, None]
    assert hits_line(printed, "equal scores by label id")[-1] == percent(found.any(axis=1))


def test_places_of_true_labels(monkeypatch):
    # Labels 0 and 2 tie, label 1 is better for class 1, label 3 has no direction and never ranks.
    monkeypatch.setattr(demo_module, "_PHOTOS_AT_ONCE", 2)
    labels = np.array([[1, 0], [0, 1], [2, 0], [0, 0]])
    index = cf.ConseIndex.build(np.eye(2), labels.astype(float))
    probabilities = np.array([[1, 0], [1, 0], [0, 1], [1, 0], [1, 0]])
    places = demo_module.find_places(index, probabilities.astype(float), np.array([0, 2, 2, 1, 3]), 10, None)
    assert places.better.tolist() == [0, 0, 1, 2, 4]
    assert places.tied.tolist() == [1, 1, 1, 0, 0]
    assert places.by_id.tolist() == [0, 1, 2, 2, 4]
    assert [places.hit_at_k(k, "half") for k in (1, 2, 3, 4)] == [0.4, 0.6, 0.8, 0.8]


def test_an_output_that_is_a_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    assert_fails(run("demo", "--output", path), 1, f"{path} is a file; expected a folder")
    assert_fails(run("demo", "--output", path / "sub"), 1, "Not a directory")
    assert path.read_text() == "mine"
