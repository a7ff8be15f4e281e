"""The data that the demo ships, and the label embeddings made from it."""

from __future__ import annotations

import filecmp
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from conse_fast import demo

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def data() -> demo.DemoData:
    return demo.load()


@pytest.fixture(scope="module")
def embeddings(data: demo.DemoData) -> demo.LabelEmbeddings:
    return data.embed_labels()


def test_shipped_size() -> None:
    assert sum(path.stat().st_size for path in demo.DATA_DIR.iterdir()) <= 4 * 1024**2


def test_labels(data: demo.DemoData) -> None:
    assert len(data.names) == len(data.wnids) == len(set(data.wnids)) == 21_842
    assert len(data.names[demo.SEEN]) == 1_000
    assert len(data.names[demo.UNSEEN]) == 20_842
    assert data.names[0] == "tench, Tinca tinca"
    assert data.names[999] == "toilet tissue, toilet paper, bathroom tissue"
    assert all(data.names)


def test_word_vectors_are_the_sources_four_decimals(data: demo.DemoData) -> None:
    assert data.word_vectors.shape == (len(data.words), 50)
    assert data.word_vectors.dtype == np.float32
    assert len(set(data.words)) == len(data.words)
    first_values = data.word_vectors[data.words.index("the"), :4]  # copied from the source file
    np.testing.assert_array_equal(first_values, np.array([0.4165, 0.2496, -0.4238, 0.1093], np.float32))


def test_every_word_occurs_in_a_name(data: demo.DemoData) -> None:
    used = {word for name in data.names for lemma in name.split(",") for word in demo.split_words(lemma)}
    assert set(data.words) <= used


def test_photos_are_of_unseen_classes(data: demo.DemoData) -> None:
    assert data.truth.shape == (250,)
    assert data.truth.dtype == np.int64
    assert data.truth.min() >= 0
    assert data.truth.max() < 20_842
    assert len(data.photos) == len(set(data.photos)) == 250
    assert all(photo.startswith(f"{wnid}_") for photo, wnid in zip(data.photos, data.truth_wnids))
    assert not set(data.truth_wnids) & set(data.wnids[demo.SEEN])


def test_probabilities_are_softmax_rows(data: demo.DemoData) -> None:
    assert data.probabilities.shape == (250, 1_000)
    assert data.probabilities.dtype == np.float32
    assert data.probabilities.min() >= 0
    np.testing.assert_allclose(data.probabilities.sum(axis=1, dtype=np.float64), 1, atol=1e-5)


def test_known_counts_of_labels_without_a_word(embeddings: demo.LabelEmbeddings) -> None:
    assert np.count_nonzero(~embeddings.has_word[demo.SEEN]) == 303
    assert np.count_nonzero(~embeddings.has_word[demo.UNSEEN]) == 7_285


def test_known_counts_of_labels_without_a_vector(embeddings: demo.LabelEmbeddings) -> None:
    assert np.count_nonzero(~embeddings.has_vector[demo.SEEN]) == 1
    assert np.count_nonzero(~embeddings.has_vector[demo.UNSEEN]) == 462


def test_label_embeddings(embeddings: demo.LabelEmbeddings) -> None:
    assert embeddings.vectors.shape == (21_842, 50)
    assert embeddings.vectors.dtype == np.float32
    assert np.isfinite(embeddings.vectors).all()
    np.testing.assert_array_equal(embeddings.vectors.any(axis=1), embeddings.has_vector)


def test_plain_average_of_a_real_name(data: demo.DemoData, embeddings: demo.LabelEmbeddings) -> None:
    """The third class, word by word: what a reader of the rule would do by hand."""
    name = "great white shark, white shark, man-eater, man-eating shark, Carcharodon carcharias"
    assert data.names[2] == name

    def mean(*words: str) -> NDArray[np.float64]:
        return data.word_vectors[[data.words.index(word) for word in words]].mean(axis=0, dtype=np.float64)

    assert not {"eater", "carcharodon", "carcharias"} & set(data.words)
    sharks = [mean("great", "white", "shark"), mean("white", "shark"), mean("man", "eating", "shark")]
    np.testing.assert_allclose(embeddings.vectors[2], np.mean([*sharks, mean("man")], axis=0), rtol=1e-6)


@pytest.mark.parametrize(
    ("lemma", "words"),
    [
        ("Tinca tinca", ["tinca", "tinca"]),
        (" man-eating  shark", ["man", "eating", "shark"]),
        ("mother's boy", ["mother's", "boy"]),
        ("St. John's-wort", ["st.", "john's", "wort"]),
        ("on/off switch", ["on/off", "switch"]),
        ("", []),
    ],
)
def test_split_words(lemma: str, words: list[str]) -> None:
    assert demo.split_words(lemma) == words


# Hierarchies by hand. The name "?" is no known word; "x" is an ancestor but no label.
WORDS = ["fish", "cat", "dog", "big"]
WORD_VECTORS = np.array([[8, 0], [0, 4], [0, 8], [2, 2]], dtype=np.float32)


def embed(names: dict[str, str], is_a: list[tuple[str, str]]) -> demo.LabelEmbeddings:
    return demo.embed_labels(list(names.values()), list(names), WORDS, WORD_VECTORS, is_a)


def test_a_lemma_counts_once_however_many_words_it_has() -> None:
    embeddings = embed({"a": "Big-cat, fish, unheard of", "b": "cat cat dog"}, [])
    np.testing.assert_array_equal(embeddings.vectors, np.array([[4.5, 1.5], [0, 16 / 3]], np.float32))
    assert embeddings.levels.tolist() == [0, 0]


def test_parents_come_before_grandparents() -> None:
    embeddings = embed({"a": "?", "b": "cat", "c": "fish"}, [("b", "a"), ("c", "b")])
    assert embeddings.vectors[0].tolist() == [0, 4]
    assert embeddings.levels.tolist() == [1, 0, 0]


def test_ancestors_of_the_nearest_level_are_averaged() -> None:
    embeddings = embed({"a": "?", "b": "cat", "c": "fish", "d": "?"}, [("b", "a"), ("c", "a"), ("d", "a")])
    assert embeddings.vectors[0].tolist() == [4, 2]


def test_an_ancestor_counts_once_however_many_ways_lead_to_it() -> None:
    names = {"a": "?", "p": "?", "q": "?", "b": "cat", "c": "dog"}
    embeddings = embed(names, [("p", "a"), ("q", "a"), ("b", "p"), ("b", "q"), ("c", "q")])
    assert embeddings.vectors[0].tolist() == [0, 6]
    assert embeddings.levels.tolist() == [2, 1, 1, 0, 0]


def test_an_ancestor_stands_at_its_shortest_distance() -> None:
    embeddings = embed({"a": "?", "p": "cat", "f": "fish"}, [("p", "a"), ("f", "a"), ("f", "p")])
    assert embeddings.vectors[0].tolist() == [4, 2]


def test_borrowed_vectors_are_not_lent_on() -> None:
    # Lent on, p's mean of two and q's one would weigh the same in a; its three grandparents weigh the same.
    names = {"a": "?", "p": "?", "q": "?", "b": "cat", "c": "fish", "d": "dog"}
    embeddings = embed(names, [("p", "a"), ("q", "a"), ("b", "p"), ("c", "p"), ("d", "q")])
    np.testing.assert_array_equal(embeddings.vectors[0], np.array([8 / 3, 4], np.float32))
    assert embeddings.vectors[1].tolist() == [4, 2]


def test_the_search_passes_through_ancestors_that_are_no_label() -> None:
    embeddings = embed({"a": "?", "b": "cat"}, [("x", "a"), ("b", "x")])
    assert embeddings.vectors[0].tolist() == [0, 4]
    assert embeddings.levels[0] == 2


def test_a_cycle_ends_the_search() -> None:
    assert embed({"a": "?", "b": "?"}, [("b", "a"), ("a", "b")]).levels.tolist() == [-1, -1]


def test_a_label_without_any_way_to_a_word_has_zeros() -> None:
    embeddings = embed({"a": "?", "b": "?", "c": "cat"}, [("x", "a"), ("a", "c")])
    assert embeddings.vectors[:2].tolist() == [[0, 0], [0, 0]]
    assert embeddings.levels.tolist() == [-1, -1, 0]
    assert embeddings.has_vector.tolist() == [False, False, True]
    assert embeddings.has_word.tolist() == [False, False, True]


def test_no_known_word_at_all() -> None:
    embeddings = embed({"a": "?", "b": "?"}, [("b", "a")])
    assert not embeddings.vectors.any()
    assert embeddings.levels.tolist() == [-1, -1]


def test_order_of_pairs_agnosticism(data: demo.DemoData, embeddings: demo.LabelEmbeddings) -> None:
    again = demo.embed_labels(data.names, data.wnids, data.words, data.word_vectors, data.is_a[::-1])
    np.testing.assert_array_equal(again.vectors, embeddings.vectors)
    np.testing.assert_array_equal(again.levels, embeddings.levels)


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the data's source, ../shared/data, is absent")
def test_the_script_reproduces_the_shipped_files(tmp_path: Path) -> None:
    script = ROOT / "tools" / "make_demo_data.py"
    subprocess.run([sys.executable, script, SHARED_DATA, tmp_path], check=True, stdout=subprocess.DEVNULL)
    shipped = sorted(path.name for path in demo.DATA_DIR.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == shipped
    assert filecmp.cmpfiles(demo.DATA_DIR, tmp_path, shipped, shallow=False) == (shipped, [], [])
