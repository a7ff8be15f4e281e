"""`evaluate` of images with several labels: both protocols, against scikit-learn and loops in float64."""

from __future__ import annotations

import numpy as np
import pytest
import reference

import conse_fast as cf
from conse_fast import _chunks
from conse_fast.evaluation import multi_label

N_SEEN, N_LABELS, N_IMAGES = 30, 50, 90
KS = [3, 5]
UNSEEN, BOTH = "unseen labels", "all labels"


@pytest.fixture(scope="module")
def problem():
    """Weights of the classes that do not sum to 1, and labels of which the first 30 are the classes."""
    problem = reference.random_problem(8, n=N_IMAGES, n_classes=N_SEEN, n_labels=N_LABELS - N_SEEN)
    labels = np.concatenate([problem.class_embeddings, problem.label_embeddings])
    weights = problem.probabilities * np.random.default_rng(2).uniform(0.5, 3, (N_IMAGES, 1)).astype(np.float32)
    return problem._replace(probabilities=weights, label_embeddings=labels)


@pytest.fixture(scope="module")
def index(problem):
    label_class = np.where(np.arange(N_LABELS) < N_SEEN, np.arange(N_LABELS), -1)
    return cf.ConseIndex.build(problem.class_embeddings, problem.label_embeddings, label_class=label_class)


@pytest.fixture(scope="module")
def dot_scores(problem):
    f = reference.convex_combination(problem.probabilities, problem.class_embeddings, 10)
    return f @ reference.unit_rows(problem.label_embeddings).T


def marks(dot_scores, verified):
    """Labels that score well are more often there; only a share of the pairs is verified."""
    rng = np.random.default_rng(4)
    there = np.where(rng.random(dot_scores.shape) < 1 / (1 + np.exp(3 - 5 * dot_scores)), 1, -1)
    there[rng.random(dot_scores.shape) > verified] = 0
    there[::9][there[::9] == 1] = 0
    return there.astype(np.int8)


@pytest.mark.parametrize("verified", [1.0, 0.3])
def test_map_is_that_of_scikit_learn(index, problem, dot_scores, verified, independent, monkeypatch):
    average_precision_score = independent("sklearn.metrics").average_precision_score
    monkeypatch.setattr(_chunks, "_CHUNK_RESULTS", 7 * N_LABELS)
    truth = marks(dot_scores, verified)
    found = cf.evaluate(index, problem.probabilities, truth, n_resamples=0)
    assert found.settings["form"] == "dot"
    for name, labels in ((UNSEEN, np.arange(N_SEEN, N_LABELS)), (BOTH, np.arange(N_LABELS))):
        for protocol in ("lesa", "biam"):
            keep = np.ones(N_IMAGES, bool) if protocol == "lesa" else (truth[:, labels] == 1).any(axis=1)
            precisions = []
            for label in labels:
                seen = keep & (truth[:, label] != 0)
                if protocol == "biam" and not seen.any():
                    continue
                positive = truth[seen, label] == 1
                precisions.append(average_precision_score(positive, dot_scores[seen, label]) if positive.any() else 0.0)
            figure = found.figure(name, f"{protocol}_map", 10)
            assert figure.value == pytest.approx(np.mean(precisions), abs=1e-12)
            assert figure.n_images == keep.sum()


def test_precision_recall_and_f1_are_those_of_a_loop(index, problem, dot_scores):
    truth = marks(dot_scores, 0.5)
    found = cf.evaluate(index, problem.probabilities, truth, k=KS, n_resamples=40)
    for name, first in ((UNSEEN, N_SEEN), (BOTH, 0)):
        for protocol in ("lesa", "biam"):
            for k in KS:
                right = places = positives = 0
                for scores, labels in zip(dot_scores[:, first:], truth[:, first:]):
                    if protocol == "biam" and not (labels == 1).any():
                        continue
                    right += (labels[np.argsort(-scores)[:k]] == 1).sum()
                    places, positives = places + k, positives + (labels == 1).sum()
                precision, recall = right / places, right / positives
                expected = {"precision": precision, "recall": recall, "f1": 2 * right / (places + positives)}
                for metric, share in expected.items():
                    figure = found.figure(name, f"{protocol}_{metric}", 10, k)
                    assert figure.value == pytest.approx(share, abs=1e-12)
                    assert figure.low <= figure.value <= figure.high


def test_several_t_and_chunks(index, problem, dot_scores, monkeypatch):
    truth = marks(dot_scores, 0.5)
    whole = cf.evaluate(index, problem.probabilities, truth, top_t=[1, 10, None], n_resamples=0)
    monkeypatch.setattr(_chunks, "_CHUNK_RESULTS", 1)
    assert cf.evaluate(index, problem.probabilities, truth, top_t=[1, 10, None], n_resamples=0).as_dict() == (
        whole.as_dict()
    )
    alone = cf.evaluate(index, problem.probabilities, truth, top_t=None, n_resamples=0)
    assert alone.figure(BOTH, "lesa_map", None) == whole.figure(BOTH, "lesa_map", None)


def test_map_needs_labels_that_are_absent(index, problem, dot_scores):
    truth = np.maximum(marks(dot_scores, 1.0), 0)
    found = cf.evaluate(index, problem.probabilities, truth, n_resamples=0)
    assert {figure.metric.split("_")[1] for figure in found.figures} == {"precision", "recall", "f1"}
    assert "mAP needs labels that are verified as absent (-1); where 0 means absent, write -1." in found.notes


def test_a_set_without_positives_is_named(index, problem, dot_scores):
    truth = marks(dot_scores, 1.0)
    truth[:, N_SEEN:] = -1
    with pytest.raises(ValueError, match=r"label set .unseen labels.: .*positive"):
        cf.evaluate(index, problem.probabilities, truth)


def test_intervals_of_map_take_as_many_resamples_as_there_is_time_for(index, problem, dot_scores, monkeypatch):
    truth = marks(dot_scores, 1.0)
    n_pairs = int((truth != 0).sum())
    monkeypatch.setattr(multi_label, "_PAIRS_RESAMPLED", 150 * n_pairs)
    found = cf.evaluate(index, problem.probabilities, truth, label_sets={BOTH: None}, n_resamples=1000)
    assert any("intervals of mAP are of 150 resamples" in note for note in found.notes)
    few = cf.evaluate(index, problem.probabilities, truth, label_sets={BOTH: None}, n_resamples=150)
    assert found.figure(BOTH, "lesa_map", 10) == few.figure(BOTH, "lesa_map", 10)
    monkeypatch.setattr(multi_label, "_PAIRS_RESAMPLED", 99 * n_pairs)
    none = cf.evaluate(index, problem.probabilities, truth, label_sets={BOTH: None}, n_resamples=1000)
    assert none.figure(BOTH, "lesa_map", 10).low is None
    assert any("intervals of mAP are left out" in note for note in none.notes)


def test_intervals_that_do_not_hold_their_figure_are_left_out(index, problem, dot_scores):
    # One positive image for each label: a resample has lost it, or has it more than once, ahead of fewer others.
    truth = np.full((N_IMAGES, N_LABELS), -1, np.int8)
    truth[np.argmax(dot_scores, axis=0), np.arange(N_LABELS)] = 1
    found = cf.evaluate(index, problem.probabilities, truth, label_sets={BOTH: None}, n_resamples=100)
    figure = found.figure(BOTH, "lesa_map", 10)
    assert figure.value == 1
    assert figure.low is figure.high is None
    assert any(note.startswith("Intervals of mAP that do not hold mAP are left out") for note in found.notes)
