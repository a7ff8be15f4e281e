"""The data of ``conse-fast demo``: real photos of classes that their classifier was not trained on.

Made by ``tools/make_demo_data.py`` and shipped with the package; NOTICE holds the sources and their terms.
The labels are 21,842 ImageNet synsets: the 1,000 *seen* classes of the classifier in its own order, then
20,842 *unseen* labels.

    from conse_fast import demo

    data = demo.load()
    embeddings = data.embed_labels()
    class_embeddings = embeddings.vectors[demo.SEEN]     # (1000, 50)
    label_embeddings = embeddings.vectors[demo.UNSEEN]   # (20842, 50)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conse_fast.vocabulary import LabelEmbeddings, NameRules, embed_labels
from conse_fast.word_vectors import WordVectors

__all__ = ["DATA_DIR", "RULES", "SEEN", "UNSEEN", "DemoData", "load"]

DATA_DIR = Path(__file__).parent / "data"
SEEN = slice(0, 1000)
UNSEEN = slice(1000, None)

# The plainest rules: a lemma is the mean of its lower-case words, cut at white space and at hyphens. Nothing else is
# cut or removed: "mother's" and "St." stay words with their punctuation.
RULES = NameRules(spaces="", phrases=False, case="lower", hyphens="split")


@dataclass(frozen=True, eq=False)
class DemoData:
    """Labels, word vectors, hierarchy and classified photos; ``SEEN`` and ``UNSEEN`` cut the labels in two.

    Attributes:
        wnids: 21,842 WordNet identifiers of the labels, such as ``"n01440764"``.
        names: their 21,842 names, each a comma-separated list of lemmas, such as ``"tench, Tinca tinca"``.
        words: the words that occur in the names and have a vector, lower case.
        word_vectors: (W, 50) float32, their vectors.
        is_a: (parent, child) pairs of wnids: every way up from each label without a known word.
        photos: file names of 250 photos of unseen classes (the photos themselves are not shipped).
        probabilities: (250, 1000) float32, a classifier's softmax of each photo over the seen classes.
        truth: (250,) int64, the photo's true class as an id among the *unseen* labels, 0..20841.
    """

    wnids: tuple[str, ...]
    names: tuple[str, ...]
    words: tuple[str, ...]
    word_vectors: NDArray[np.float32]
    is_a: tuple[tuple[str, str], ...]
    photos: tuple[str, ...]
    probabilities: NDArray[np.float32]
    truth: NDArray[np.int64]

    @property
    def truth_wnids(self) -> tuple[str, ...]:
        """The photos' true classes as wnids."""
        unseen = self.wnids[UNSEEN]
        return tuple(unseen[label] for label in self.truth)

    def embed_labels(self) -> LabelEmbeddings:
        """Embed all 21,842 labels by `RULES` and the hierarchy: vectors are (21842, 50) float32."""
        vectors = WordVectors(self.words, self.word_vectors, "the demo")
        return embed_labels(self.names, vectors, ids=self.wnids, hierarchy=self.is_a, rules=RULES)


def load() -> DemoData:
    """Read the data that the package ships."""
    wnids, names = _read_columns("labels.tsv")
    photos, truth_wnids = _read_columns("photos.tsv")
    unseen_label = {wnid: label for label, wnid in enumerate(wnids[UNSEEN])}
    return DemoData(
        wnids=wnids,
        names=names,
        words=tuple(_read_lines("words.txt")),
        word_vectors=_read_word_vectors(),
        is_a=tuple((parent, child) for parent, child in map(str.split, _read_lines("is_a.txt"))),
        photos=photos,
        probabilities=np.load(DATA_DIR / "softmax_float32.npy"),
        truth=np.array([unseen_label[wnid] for wnid in truth_wnids], dtype=np.int64),
    )


def _read_lines(file_name: str) -> list[str]:
    return (DATA_DIR / file_name).read_text(encoding="utf-8").splitlines()


def _read_columns(file_name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Both columns of a two-column file, without its header."""
    first, second = zip(*(line.split("\t") for line in _read_lines(file_name)[1:]))
    return first, second


def _read_word_vectors() -> NDArray[np.float32]:
    """(W, 50) word vectors from 8-bit codes; rounding restores the four decimals of their source."""
    codes = np.load(DATA_DIR / "word_codes_int8.npy")
    steps = np.load(DATA_DIR / "word_steps_float64.npy")
    vectors: NDArray[np.float32] = np.round(codes * steps, 4).astype(np.float32)
    return vectors
