"""The page docs/accuracy.md was written by `benchmarks/accuracy.py`: its cells are what it finds, and float64 too."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import REAL_DATA, REPOSITORY

import conse_fast as cf
from conse_fast import demo, metrics

pytest.importorskip("matplotlib", reason="the page's plots need the extra [test]")
pytest.importorskip("scipy", reason="the page's comparison needs the extra [test]")

PAGE = (REPOSITORY / "docs" / "accuracy.md").read_text(encoding="utf-8")
KS = (1, 2, 5, 10, 20)


@pytest.fixture(scope="module")
def figures():
    """The generator's modules."""
    sys.path.insert(0, str(REPOSITORY / "benchmarks"))
    from figures import oracle, page, photos, plots, tags, tags_oracle, texts

    sys.path.remove(str(REPOSITORY / "benchmarks"))
    return {module.__name__.split(".")[1]: module for module in (oracle, page, photos, plots, tags, tags_oracle, texts)}


def section(heading):
    """The text from a heading to the next one."""
    return re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)[1]


def row(heading, begins):
    """The cells of a table's line."""
    line = next(line for line in section(heading).splitlines() if line.startswith(f"| {begins} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_the_text_is_that_of_the_generator(figures):
    texts = figures["texts"]
    assert PAGE.startswith(texts.HEAD)
    for text in (texts.PHOTOS, texts.HITS, texts.BESIDE, texts.NEAR, texts.CURVES, texts.FLOAT64, texts.CHOICES):
        assert text.strip() in PAGE
    for name, paper in texts.PAPER.items():
        assert row("Beside the paper", f"{name}: ConSE(10) of the paper") == [f"{figure:.1f}" for figure in paper]


def test_every_figure_was_equal_in_float64():
    rows = re.findall(r"^\| .*? \| (\d+) of (\d+) \|", section("The same in float64"), re.MULTILINE)
    assert rows == [("180", "180")] * 4


def test_the_plots_are_there():
    plots = re.findall(r"\]\((accuracy/[^)]+\.svg)\)", PAGE)
    assert len(plots) == 4
    for plot in plots:
        assert "AUSUC" in (REPOSITORY / "docs" / plot).read_text(encoding="utf-8")
    assert {path.name for path in (REPOSITORY / "docs" / "accuracy").iterdir()} == {Path(plot).name for plot in plots}


@pytest.mark.parametrize("top_t", [1, 10, 1000])
def test_what_the_package_ships_gives_the_same_cells(top_t):
    # The 250 photos of the demo are those of imagen; among the unseen labels alone no other data is needed.
    data = demo.load()
    vectors = data.embed_labels().vectors
    index = cf.ConseIndex.build(vectors[demo.SEEN], vectors[demo.UNSEEN])
    found = cf.evaluate(index, data.probabilities, data.truth, top_t=top_t, ties="half")
    cells = row("hit@k: imagen, GloVe, 50-d", f"all, T = {top_t:,}")
    line = [found.figure("all labels", "hit", top_t, k) for k in KS]
    assert cells[0] == "20,842"
    assert cells[1:] == [f"{100 * f.value:.1f} ({100 * f.low:.1f}-{100 * f.high:.1f})" for f in line]


@pytest.mark.parametrize("embedding", ["WordNet glosses, 300-d", "GloVe, 50-d"])
def test_cells_of_the_real_photos(figures, embedding, monkeypatch, tmp_path):
    if not REAL_DATA.is_dir():
        pytest.skip("the real data is not there: ../shared/data")
    for module in ("photos", "oracle", "page"):
        monkeypatch.setattr(figures[module], "TOP_T", [10])
    labels = figures["photos"].read_labels(REAL_DATA)
    photos = figures["photos"].read_photos(REAL_DATA, "imagen", labels.wnids)
    hierarchy = metrics.Hierarchy(labels.is_a, labels.wnids)
    found = figures["photos"].evaluate(labels, labels.index(embedding), photos, hierarchy)
    compared = figures["oracle"].compare(labels, embedding, photos, found)
    assert (compared.n_figures, compared.differing, compared.n_curves) == (60, [], 3)
    assert compared.area < 1e-5
    assert compared.at_zero < 1e-12
    result = figures["page"].OfPhotos(embedding, "imagen", found, compared)
    for metric, name in (("hit", "hit@k"), ("hierarchical_precision", "hp@k")):
        made = figures["page"].at_k(result, metric).splitlines()[2:]
        assert len(made) == 6
        assert set(made) <= set(section(f"{name}: imagen, {embedding}").splitlines())
    made = figures["page"].curves(result).splitlines()[2:]
    assert set(made) <= set(section(f"imagen, {embedding}").splitlines())
    figures["plots"].seen_unseen(found, result.title, tmp_path / "plot.svg")
    assert "AUSUC" in (tmp_path / "plot.svg").read_text(encoding="utf-8")


def test_a_figure_that_differs_is_found(figures, monkeypatch):
    # The comparison can fail: one hit more.
    if not REAL_DATA.is_dir():
        pytest.skip("the real data is not there: ../shared/data")
    monkeypatch.setattr(figures["oracle"], "TOP_T", [10])
    monkeypatch.setattr(figures["photos"], "TOP_T", [10])
    labels = figures["photos"].read_labels(REAL_DATA)
    labels.sets.clear()
    labels.sets["all"] = np.arange(21842) >= 1000
    some = figures["photos"].read_photos(REAL_DATA, "imagen", labels.wnids)
    some = figures["photos"].Photos(some.probabilities[:40], some.truth[:40])
    hierarchy = metrics.Hierarchy(labels.is_a, labels.wnids)
    index = labels.index("GloVe, 50-d")
    found = figures["photos"].evaluate(labels, index, some, hierarchy)
    hit = next(figure for figure in found.figures if figure.metric == "hit")
    altered = hit._replace(value=hit.value + 1 / hit.n_images)
    found = type(found)(**{**vars(found), "figures": (altered, *found.figures[1:])})
    compared = figures["oracle"].compare(labels, "GloVe, 50-d", some, found)
    assert compared.differing == [altered]


def test_several_labels(figures):
    if not REAL_DATA.is_dir():
        pytest.skip("the real data is not there: ../shared/data")
    vectors, n_seen = figures["tags"].read_vectors(REAL_DATA)
    assert (vectors.shape, n_seen) == ((1006, 300), 925)
    images, index = figures["tags"].generate(vectors, n_seen), figures["tags"].build(vectors, n_seen)
    found = figures["tags"].evaluate(index, images.probabilities, images.verified, [10, 20])
    assert figures["tags_oracle"].largest_difference(found, images.probabilities, vectors, n_seen, images.verified) < (
        1e-12
    )
    made = figures["page"].of_tags(figures["page"].OfTags(found, 0, 0.0), {"biam": "", "lesa": ", LESA's"})
    assert made.strip() in PAGE
    assert f"of which {int((images.verified != 0).sum()):,} pairs are verified" in PAGE
