"""Scores of given pairs, and the best seen and unseen label of each image: the bits of rankings."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from reference import assert_same_bits, random_problem

from conse_fast import metrics

N_CLASSES, N_LABELS = 120, 900
LABEL_CLASS = np.where(np.arange(N_LABELS) % 4 == 1, np.arange(N_LABELS) % N_CLASSES, -1)


@pytest.fixture(scope="module")
def problem():
    found = random_problem(n=25, n_classes=N_CLASSES, n_labels=N_LABELS, dimension=30, sharpness=3)
    found.probabilities[3] = 0
    found.label_embeddings[::50] = 0
    return found


def every_score(index, rows, top_t, **what):
    """(N, L) scores by label id from a ranking of all labels."""
    scores = np.full((len(rows), index.n_labels), -np.inf, np.float32)
    ranking = index.rank(rows, index.n_labels, top_t, **what)
    image, place = np.nonzero(ranking.indices >= 0)
    scores[image, ranking.indices[image, place]] = ranking.scores[image, place]
    return scores


def random_pairs(n_rows, n_labels, count, seed=1):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, n_rows, count), rng.integers(0, n_labels, count)], axis=1)


@pytest.mark.parametrize("form", ["full", "compact"])
@pytest.mark.parametrize("top_t", [1, 10, 40, None])
@pytest.mark.parametrize("what", [{}, {"seen_penalty": 0.2}, {"form": "dot", "seen_penalty": -0.1}], ids=str)
def test_the_bits_of_rankings(make_index, problem, target, form, top_t, what):
    index = make_index(*problem[1:], form=form, label_class=LABEL_CLASS)
    expected = every_score(index, problem.probabilities, top_t, **what)
    pairs = random_pairs(25, N_LABELS, 4000)
    scores = index.score_of(problem.probabilities, pairs, top_t, **what)
    assert_same_bits((scores, pairs), (expected[tuple(pairs.T)], pairs))
    one = index.score_of(problem.probabilities[7], [5, 5, 0, 899], top_t, **what)
    assert np.array_equal(one, expected[7, [5, 5, 0, 899]])


def test_the_oracle(make_index, problem, target):
    index = make_index(*problem[1:])
    pairs = random_pairs(25, N_LABELS, 500)
    scores = index.score_of(problem.probabilities, pairs)
    oracle = reference.conse_scores(*problem, 10)[tuple(pairs.T)]
    allowed = reference.tolerance(*problem[:2], 10)[pairs[:, 0]]
    assert np.array_equal(np.isinf(scores), np.isinf(oracle))
    known = np.isfinite(oracle)
    assert (np.abs(scores[known] - oracle[known]) <= np.broadcast_to(allowed, scores.shape)[known]).all()
    assert (scores[pairs[:, 0] == 3] == -np.inf).all()


def test_labels_with_several_rows(make_index, problem):
    index = make_index(*problem[1:], row_label=np.arange(N_LABELS) // 3)
    pairs = random_pairs(25, index.n_labels, 2000)
    expected = every_score(index, problem.probabilities, 10)
    assert np.array_equal(index.score_of(problem.probabilities, pairs), expected[tuple(pairs.T)])


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_dtypes_threads_and_order_change_no_bit(make_index, problem, dtype):
    index = make_index(*problem[1:])
    rows = np.resize(problem.probabilities, (500, N_CLASSES)).astype(dtype)
    pairs = random_pairs(500, N_LABELS, 3000)
    expected = index.score_of(rows, pairs, n_threads=1)
    shuffled = np.random.default_rng(4).permutation(len(pairs))
    for n_threads in (2, 5):
        assert np.array_equal(index.score_of(rows, pairs[shuffled], n_threads=n_threads), expected[shuffled])


def test_no_pairs(make_index, problem):
    index = make_index(*problem[1:])
    assert index.score_of(problem.probabilities, np.empty((0, 2), int)).shape == (0,)
    assert index.score_of(problem.probabilities[:0], np.empty((0, 2), int)).shape == (0,)


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        ([[0, 900]], ValueError, r"pairs\[0\] holds label 900; expected 0 to 899"),
        ([[0, 1], [25, 1]], ValueError, r"pairs\[1\] holds row 25; expected 0 to 24"),
        ([[0, -1]], ValueError, "holds label -1"),
        ([1, 2], ValueError, r"\(M, 2\), an image and a label each, got \(2,\)"),
        ([[1, 2, 3]], ValueError, r"got \(1, 3\)"),
        ([[0.5, 1]], TypeError, "pairs must hold integers"),
    ],
)
def test_wrong_pairs(make_index, problem, pairs, error, message):
    index = make_index(*problem[1:])
    with pytest.raises(error, match=message):
        index.score_of(problem.probabilities, pairs)
    with pytest.raises(ValueError, match=r"\(M,\), label ids of one image"):
        index.score_of(problem.probabilities[0], [[0, 1]])


# ---------------------------------------------------------------------------------------- best seen and unseen


@pytest.mark.parametrize("top_t", [1, 10, [1, 10, None]], ids=str)
@pytest.mark.parametrize("form", ["cosine", "dot"])
def test_the_best_of_either_kind(make_index, problem, top_t, form):
    index = make_index(*problem[1:], label_class=LABEL_CLASS)
    best = index.best_seen_and_unseen(problem.probabilities, top_t, form=form)
    for kind, wanted in (("seen", LABEL_CLASS >= 0), ("unseen", LABEL_CLASS < 0)):
        ranking = index.rank(problem.probabilities, 1, top_t, candidates=wanted, form=form)
        of_kind = best._asdict()
        assert_same_bits(
            (of_kind[f"{kind}_scores"], of_kind[f"{kind}_labels"]), (ranking.scores[..., 0], ranking.indices[..., 0])
        )
    allowed = np.arange(N_LABELS) % 5 > 0
    some = index.best_seen_and_unseen(problem.probabilities, top_t, candidates=allowed, form=form)
    ranking = index.rank(problem.probabilities, 1, top_t, candidates=allowed & (LABEL_CLASS < 0), form=form)
    assert np.array_equal(some.unseen_labels, ranking.indices[..., 0])


def test_the_curve_follows_from_them(make_index, problem):
    index = make_index(*problem[1:], label_class=LABEL_CLASS)
    truth = index.rank(problem.probabilities, 1, 3).indices[:, 0]
    truth[3] = 0
    is_seen = LABEL_CLASS[truth] >= 0
    best = index.best_seen_and_unseen(problem.probabilities)
    curve = metrics.seen_unseen_curve(**best._asdict(), truth=truth, is_seen=is_seen, average="image")
    for gamma in (-0.1, 0.0, 0.05, 0.3):
        ranked = index.rank(problem.probabilities, 1, seen_penalty=gamma).indices[:, 0]
        assert curve.at(gamma) == pytest.approx(
            (np.mean((ranked == truth)[is_seen]), np.mean((ranked == truth)[~is_seen]))
        )


def test_a_single_image(make_index, problem):
    index = make_index(*problem[1:], label_class=LABEL_CLASS)
    best = index.best_seen_and_unseen(problem.probabilities[0])
    assert best.seen_scores.shape == best.unseen_labels.shape == ()


def test_both_kinds_are_needed(make_index, problem):
    index = make_index(*problem[1:])
    with pytest.raises(ValueError, match="the index has no seen labels; give label_class"):
        index.best_seen_and_unseen(problem.probabilities)
    assert len(index.seen_labels) == 0
    assert len(index.unseen_labels) == N_LABELS
