"""The real photos: what a classifier said about them, what they show, and the labels to rank."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import conse_fast as cf
from conse_fast import demo, evaluation, metrics

HOPS = {"2-hops": "hops_2.txt", "3-hops": "hops_3.txt", "all": "hops_all.txt"}
KS = [1, 2, 5, 10, 20]
TOP_T = [1, 10, 1000]
PHOTOS = ("imagen", "animals")
N_SEEN = 1000


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@dataclass(frozen=True, eq=False)
class Labels:
    """21,842 ImageNet labels, the seen ones first.

    Attributes:
        wnids: their ids.
        embeddings: (21842, D) by the name that the page gives them.
        sets: (21842,) bool masks of the label sets of the literature.
        is_a: the hierarchy, (parent, child) pairs.
    """

    wnids: list[str]
    embeddings: dict[str, np.ndarray]
    sets: dict[str, np.ndarray]
    is_a: list[tuple[str, str]]

    def index(self, embedding: str) -> cf.ConseIndex:
        """An index in which the seen classes are labels too."""
        vectors = self.embeddings[embedding]
        label_class = np.where(np.arange(len(vectors)) < N_SEEN, np.arange(len(vectors)), -1)
        return cf.ConseIndex.build(vectors[:N_SEEN], vectors, label_class=label_class)


@dataclass(frozen=True, eq=False)
class Photos:
    """Softmax rows (N, 1000), and the true label (N,) of each."""

    probabilities: np.ndarray
    truth: np.ndarray


def read_labels(data: Path) -> Labels:
    folder = data / "imagenet"
    rows = [line.split("\t") for line in lines(folder / "labels_21842.tsv")[1:]]
    wnids, names = [row[0] for row in rows], [row[1] for row in rows]
    is_a = cf.read_hierarchy(folder / "is_a.txt")
    words = cf.read_word_vectors(data / "word_vectors" / "glove_50d_20k.txt")
    embeddings = {
        "WordNet glosses, 300-d": np.ascontiguousarray(np.load(folder / "wordnet_svd300_float16.npy")),
        "GloVe, 50-d": cf.embed_labels(names, words, ids=wnids, hierarchy=is_a, rules=demo.RULES).vectors,
    }
    # Four wnids of "all" are no labels here.
    sets = {name: np.isin(wnids, lines(folder / file)) for name, file in HOPS.items()}
    return Labels(wnids, embeddings, sets, is_a)


def read_photos(data: Path, name: str, wnids: list[str]) -> Photos:
    row_of = {wnid: row for row, wnid in enumerate(wnids)}
    rows = [line.split("\t") for line in lines(data / "imagenet" / f"photos_{name}.tsv")[1:]]
    truth = np.array([row_of[wnid] for _, wnid, _ in rows])
    return Photos(np.load(data / "imagenet" / f"softmax_{name}_float32.npy"), truth)


def evaluate(
    labels: Labels, index: cf.ConseIndex, photos: Photos, hierarchy: metrics.Hierarchy
) -> evaluation.Evaluation:
    """All figures of some photos; equal scores counted half, as the known facts are."""
    return cf.evaluate(
        index,
        photos.probabilities,
        photos.truth,
        label_sets=labels.sets,
        plus_seen=True,
        k=KS,
        top_t=TOP_T,
        hierarchy=hierarchy,
        ties="half",
    )
