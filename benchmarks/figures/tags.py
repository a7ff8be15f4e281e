"""Multi-label images with NUS-WIDE's labels. None of its images are at hand: these are generated.

An image shows one to three of the 81 concepts (the unseen labels) and two to eight of the 925 tags (the seen ones) that
lie near them. A classifier of the tags says what sigmoids say: high for the tags shown, lower for their neighbours, and
noise. Figures of such images say nothing about accuracy; they show that the protocol runs, and its numbers are checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import conse_fast as cf
from conse_fast import evaluation

from .photos import lines

N_IMAGES = 2000
N_VERIFIED = 20
TOP_T = [1, 10, 100]
UNSEEN, BOTH = "81 concepts", "81 concepts + 925 tags"


@dataclass(frozen=True, eq=False)
class Images:
    """Generated images.

    Attributes:
        probabilities: (N, 925) float32, each from 0 to 1; rows do not sum to 1.
        truth: (N, 1006) int8: +1 or -1, the tags first.
        verified: the same with 0 for all but a few labels of each image, as on Open Images.
    """

    probabilities: np.ndarray
    truth: np.ndarray
    verified: np.ndarray


def read_vectors(data: Path) -> tuple[np.ndarray, int]:
    """(1006, 300) vectors of the tags that are no concept, then of the concepts; and how many tags they are."""
    folder = data / "nus_wide"
    tags, concepts = (lines(folder / f"{name}.txt") for name in ("tags", "concepts"))
    seen = np.array([tag not in concepts for tag in tags])
    vectors = [np.load(folder / "tags_1000x300_float32.npy")[seen], np.load(folder / "concepts_81x300_float32.npy")]
    return np.concatenate(vectors), int(seen.sum())


def build(vectors: np.ndarray, n_seen: int) -> cf.ConseIndex:
    """An index of all labels, in which the tags are seen."""
    label_class = np.where(np.arange(len(vectors)) < n_seen, np.arange(len(vectors)), -1)
    return cf.ConseIndex.build(vectors[:n_seen], vectors, label_class=label_class)


def generate(vectors: np.ndarray, n_seen: int, seed: int = 0) -> Images:
    rng = np.random.default_rng(seed)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    truth = np.full((N_IMAGES, len(vectors)), -1, dtype=np.int8)
    logits = np.empty((N_IMAGES, n_seen))
    for image in range(N_IMAGES):
        concepts = n_seen + rng.choice(len(vectors) - n_seen, rng.integers(1, 4), replace=False)
        nearness = unit[:n_seen] @ unit[concepts].sum(axis=0)
        share = np.exp(8 * nearness)
        tags = rng.choice(n_seen, rng.integers(2, 9), replace=False, p=share / share.sum())
        truth[image, concepts] = truth[image, tags] = 1
        logits[image] = 4 * unit[:n_seen] @ unit[tags].sum(axis=0) - 6 + rng.standard_normal(n_seen)
        logits[image, tags] += 2
    # Most of what is shown is verified, and a few of the labels that are not; of every tenth image no shown one.
    shown = rng.random(truth.shape) < 0.8
    shown[::10] = False
    looked_at = np.where(truth == 1, shown, rng.random(truth.shape) < N_VERIFIED / truth.shape[1])
    verified = np.where(looked_at, truth, 0).astype(np.int8)
    return Images((1 / (1 + np.exp(-logits))).astype(np.float32), truth, verified)


def evaluate(index: cf.ConseIndex, probabilities: np.ndarray, truth: np.ndarray, k: list[int]) -> evaluation.Evaluation:
    """Both protocols, among the concepts alone (zero-shot) and among all labels (generalised)."""
    sets = {UNSEEN: index.unseen_labels, BOTH: None}
    return cf.evaluate(index, probabilities, truth, label_sets=sets, k=k, top_t=TOP_T, n_resamples=0)
