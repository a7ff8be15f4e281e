"""The data that the demo ships, and the label embeddings made from it."""

from __future__ import annotations

import filecmp
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from conse_fast import demo, embed_labels
from conse_fast.vocabulary import LabelEmbeddings
from conse_fast.word_vectors import WordVectors

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def data() -> demo.DemoData:
    return demo.load()


@pytest.fixture(scope="module")
def embeddings(data: demo.DemoData) -> LabelEmbeddings:
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
    assert set(data.words) <= demo.RULES.lookups(data.names)


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


def test_known_counts_of_labels_without_a_word(embeddings: LabelEmbeddings) -> None:
    assert np.count_nonzero(~embeddings.has_word[demo.SEEN]) == 303
    assert np.count_nonzero(~embeddings.has_word[demo.UNSEEN]) == 7_285


def test_known_counts_of_labels_without_a_vector(embeddings: LabelEmbeddings) -> None:
    assert np.count_nonzero(~embeddings.has_vector[demo.SEEN]) == 1
    assert np.count_nonzero(~embeddings.has_vector[demo.UNSEEN]) == 462


def test_label_embeddings(embeddings: LabelEmbeddings) -> None:
    assert embeddings.vectors.shape == (21_842, 50)
    assert embeddings.vectors.dtype == np.float32
    assert np.isfinite(embeddings.vectors).all()
    np.testing.assert_array_equal(embeddings.vectors.any(axis=1), embeddings.has_vector)


def test_the_bits_are_those_of_the_first_release(embeddings: LabelEmbeddings) -> None:
    """The figures in documents and benchmarks were measured with these vectors."""
    assert hashlib.sha256(embeddings.vectors.tobytes()).hexdigest().startswith("cee1a57c027dc8d3")
    assert hashlib.sha256(embeddings.levels.tobytes()).hexdigest().startswith("9af7a4a8633d80cc")


def test_plain_average_of_a_real_name(data: demo.DemoData, embeddings: LabelEmbeddings) -> None:
    """The third class, word by word: what a reader of the rule would do by hand."""
    name = "great white shark, white shark, man-eater, man-eating shark, Carcharodon carcharias"
    assert data.names[2] == name

    def mean(*words: str) -> NDArray[np.float64]:
        return data.word_vectors[[data.words.index(word) for word in words]].mean(axis=0, dtype=np.float64)

    assert not {"eater", "carcharodon", "carcharias"} & set(data.words)
    sharks = [mean("great", "white", "shark"), mean("white", "shark"), mean("man", "eating", "shark")]
    np.testing.assert_allclose(embeddings.vectors[2], np.mean([*sharks, mean("man")], axis=0), rtol=1e-6)


def test_order_of_pairs_agnosticism(data: demo.DemoData, embeddings: LabelEmbeddings) -> None:
    vectors = WordVectors(data.words, data.word_vectors)
    again = embed_labels(data.names, vectors, ids=data.wnids, hierarchy=data.is_a[::-1], rules=demo.RULES)
    np.testing.assert_array_equal(again.vectors, embeddings.vectors)
    np.testing.assert_array_equal(again.levels, embeddings.levels)


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the data's source, ../shared/data, is absent")
def test_the_script_reproduces_the_shipped_files(tmp_path: Path) -> None:
    script = ROOT / "tools" / "make_demo_data.py"
    subprocess.run([sys.executable, script, SHARED_DATA, tmp_path], check=True, stdout=subprocess.DEVNULL)
    shipped = sorted(path.name for path in demo.DATA_DIR.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == shipped
    assert filecmp.cmpfiles(demo.DATA_DIR, tmp_path, shipped, shallow=False) == (shipped, [], [])
