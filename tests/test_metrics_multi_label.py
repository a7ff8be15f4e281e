"""Micro precision, recall, F1 and both protocols of mean average precision, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from conse_fast import metrics

# Three images, four labels: +1 shown, -1 not, 0 nobody looked. The third image shows nothing.
LABELS = np.array([[1, 1, -1, 0], [-1, 1, 0, -1], [-1, 0, -1, -1]])
INDICES = np.array([[0, 2, 1], [3, 0, 1], [1, 2, -1]])
SCORES = np.array([[0.9, 0.3, 0.5, 0.1], [0.4, 0.2, 0.1, 0.7], [0.4, 0.6, 0.5, 0.0]])


@st.composite
def problems(draw):
    """Scores of few values or many, and labels of which few or most are verified, at least one as absent."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, n_labels = draw(st.integers(1, 25)), draw(st.integers(1, 6))
    scores = rng.integers(-3, 4, (n, n_labels)) if draw(st.booleans()) else rng.standard_normal((n, n_labels))
    odds = draw(st.sampled_from([[0.1, 0.8, 0.1], [0.4, 0.2, 0.4], [0.5, 0, 0.5]]))
    labels = rng.choice([-1, 0, 1], size=(n, n_labels), p=odds)
    labels[0, 0] = -1
    labels[-1, -1] = 1
    if n == n_labels == 1:
        scores, labels = np.repeat(scores, 2, axis=0), np.array([[1], [-1]])
    return scores.astype(draw(st.sampled_from([np.float32, np.float64]))), labels


# -------------------------------------------------------------------------------------- precision, recall, F1


def test_precision_and_recall_by_hand():
    # At 1: label 0 of image 0 is right, 1 of 3 places, 1 of 3 positives. At 2: nothing more, 1 of 6 places.
    # At 3: label 1 of images 0 and 1 as well, 3 of 9 places, 3 of 3 positives. Without image 2: 2, 4 and 6 places.
    result = metrics.precision_recall_f1_at_k(INDICES, LABELS, [1, 2, 3])
    assert result.precision.tolist() == [1 / 3, 1 / 6, 1 / 3]
    assert result.recall.tolist() == [1 / 3, 1 / 3, 1]
    assert result.f1 == pytest.approx([1 / 3, 2 / 9, 1 / 2], abs=1e-15)
    result = metrics.precision_recall_f1_at_k(INDICES, LABELS, [1, 2, 3], images="positive")
    assert result.precision.tolist() == [1 / 2, 1 / 4, 1 / 2]
    assert result.recall.tolist() == [1 / 3, 1 / 3, 1]
    single = metrics.precision_recall_f1_at_k(INDICES, LABELS, 2, images="positive")
    assert (single.precision, single.recall) == (1 / 4, 1 / 3)
    assert single.f1 == pytest.approx(2 / 7, abs=1e-15)


@pytest.mark.parametrize("images", ["all", "positive"])
@given(problem=problems())
def test_precision_and_recall_against_scikit_learn(independent, images, problem):
    scores, labels = problem
    kept = np.ones(len(labels), bool) if images == "all" else (labels == 1).any(axis=1)
    for k in range(1, labels.shape[1] + 1):
        _, indices = reference.top_k(scores, k)
        given_labels = np.zeros(labels.shape, bool)
        np.put_along_axis(given_labels, indices, True, axis=1)
        # Flat, since scikit-learn takes one column for a single class.
        truth, answer = (labels == 1)[kept].ravel(), given_labels[kept].ravel()
        *expected, _ = independent("sklearn.metrics").precision_recall_fscore_support(
            truth, answer, average="binary", pos_label=True, zero_division=0
        )
        result = metrics.precision_recall_f1_at_k(indices, labels, k, images)
        assert result == pytest.approx(tuple(expected), abs=1e-12)


@given(problem=problems(), cuts=st.lists(st.integers(0, 25), max_size=3))
def test_chunks_count_like_the_whole(problem, cuts):
    scores, labels = problem
    _, indices = reference.top_k(scores, labels.shape[1])
    ks = [labels.shape[1], 1]
    for images in ("all", "positive"):
        counter = metrics.PrecisionRecallAtK(ks, images)
        for rows in np.split(np.arange(len(labels)), sorted(cuts)):
            counter.add(indices[rows], labels[rows])
        whole = metrics.precision_recall_f1_at_k(indices, labels, ks, images)
        assert [figure.tolist() for figure in counter.result()] == [figure.tolist() for figure in whole]


def test_nothing_right_is_zero_not_nan():
    result = metrics.precision_recall_f1_at_k(np.array([[1, -1]]), np.array([[1, 0]]), 2)
    assert result == (0, 0, 0)


@pytest.mark.parametrize(
    ("indices", "labels", "k", "kind", "words"),
    [
        (INDICES, LABELS, 4, ValueError, "indices must have at least 4 columns for k=4, got 3"),
        (INDICES[:2], LABELS, 1, ValueError, "labels must have 2 rows, one per image, got 3"),
        (INDICES, LABELS[:, :3], 3, ValueError, "indices must hold ids of the 3 columns of labels, got 3"),
        (np.zeros((3, 2), int), LABELS, 2, ValueError, "indices must name a label once per image, got 0 twice"),
        (INDICES, LABELS == 1, 1, TypeError, r"labels must hold the integers \+1, -1 and 0 .*got bool; .*np.where"),
        (INDICES, LABELS * 2, 1, ValueError, "labels must hold .*got values from -2 to 2"),
        (INDICES, LABELS[0], 1, ValueError, r"labels must have shape \(N, L\), got \(4,\)"),
        (INDICES, np.minimum(LABELS, 0), 1, ValueError, "labels must hold a positive"),
        (INDICES[:0], LABELS[:0], 1, ValueError, "there are no images"),
    ],
)
def test_bad_input(indices, labels, k, kind, words):
    with pytest.raises(kind, match=words):
        metrics.precision_recall_f1_at_k(indices, labels, k)


def test_bad_choices():
    with pytest.raises(ValueError, match="images must be one of 'all', 'positive', got 'some'"):
        metrics.precision_recall_f1_at_k(INDICES, LABELS, 1, images="some")
    with pytest.raises(ValueError, match="protocol must be one of 'lesa', 'biam', got 'voc'"):
        metrics.average_precision(SCORES, LABELS, protocol="voc")


# ------------------------------------------------------------------------------------ mean average precision


def test_average_precision_by_hand():
    # lesa. Label 0: + at 0.9, then - at 0.4 twice: 1. Label 1: both verified are +: 1. Labels 2 and 3 have no +: 0.
    # Mean 2/4; weighted by 1 and 2 positives: 1.
    result = metrics.average_precision(SCORES, LABELS)
    assert result.per_label.tolist() == [1, 1, 0, 0]
    assert (result.mean, result.weighted_mean) == (1 / 2, 1)
    assert (result.n_positive.tolist(), result.n_verified.tolist()) == ([1, 2, 0, 0], [3, 2, 2, 2])
    # biam: image 2 shows nothing and is left out; labels 2 and 3 are still verified on one image each.
    result = metrics.average_precision(SCORES, LABELS, "biam")
    assert result.n_verified.tolist() == [2, 2, 1, 1]
    assert (result.mean, result.weighted_mean, result.n_images) == (1 / 2, 1, 2)


def test_what_biam_leaves_out():
    # Image 2 shows nothing and scores best everywhere; label 2 was verified on it alone.
    labels = np.array([[1, 0, 0], [-1, 1, 0], [-1, -1, -1]])
    scores = np.array([[0.8, 0.0, 0.0], [0.1, 0.5, 0.0], [0.9, 0.7, 0.0]])
    # lesa: the one positive of labels 0 and 1 comes second, label 2 has none: (1/2 + 1/2 + 0) / 3.
    lesa = metrics.average_precision(scores, labels)
    assert lesa.per_label.tolist() == [1 / 2, 1 / 2, 0]
    assert (lesa.mean, lesa.weighted_mean) == (1 / 3, 1 / 2)
    # biam: without image 2 both come first, and label 2 is gone.
    biam = metrics.average_precision(scores, labels, "biam")
    np.testing.assert_array_equal(biam.per_label, [1, 1, np.nan])
    assert (biam.mean, biam.weighted_mean) == (1, 1)
    # Nothing absent is left to be told from: no average precision.
    with pytest.raises(ValueError, match="labels must hold -1"):
        metrics.average_precision(scores[[0, 2]], labels[[0, 2]], "biam")


def test_equal_scores_are_one_step():
    # All four score the same: the precision of the only step is 2 / 4, in whatever order they come.
    for order in ([1, 1, -1, -1], [-1, 1, -1, 1], [-1, -1, 1, 1]):
        assert metrics.average_precision(np.zeros((4, 1)), np.array(order)[:, None]).mean == 1 / 2


@given(problems())
def test_average_precision_against_scikit_learn(independent, problem):
    scores, labels = problem
    result = metrics.average_precision(scores, labels)
    expected = []
    for score, label in zip(scores.T, labels.T):
        known = label != 0
        some = (label == 1).any()
        sklearn = independent("sklearn.metrics")
        expected.append(sklearn.average_precision_score(label[known] == 1, score[known]) if some else 0.0)
    assert result.per_label == pytest.approx(expected, abs=1e-12)
    assert result.mean == pytest.approx(np.mean(expected), abs=1e-12)
    weights = (labels == 1).sum(axis=0)
    assert result.weighted_mean == pytest.approx(np.average(expected, weights=weights), abs=1e-12)


@given(problems())
def test_the_protocol_of_biam_step_by_step(independent, problem):
    scores, labels = problem
    images = (labels == 1).any(axis=1)
    scores, labels = scores[images], labels[images]
    if not (labels == -1).any():
        return
    kept = (labels != 0).any(axis=0)
    sklearn = independent("sklearn.metrics")
    expected = np.full(labels.shape[1], np.nan)
    for column in np.flatnonzero(kept):
        known = labels[:, column] != 0
        some = (labels[:, column] == 1).any()
        target = labels[known, column] == 1
        expected[column] = sklearn.average_precision_score(target, scores[known, column]) if some else 0
    result = metrics.average_precision(*problem, "biam")
    np.testing.assert_allclose(result.per_label, expected, rtol=0, atol=1e-12)
    assert result.mean == pytest.approx(np.nanmean(expected), abs=1e-12)
    weights = (labels == 1).sum(axis=0)
    assert result.weighted_mean == pytest.approx(np.average(expected[kept], weights=weights[kept]), abs=1e-12)
    assert result.n_images == len(labels)


@given(problem=problems(), cuts=st.lists(st.integers(0, 25), max_size=3))
def test_chunks_give_the_same_precisions(problem, cuts):
    scores, labels = problem
    collected = metrics.AveragePrecision()
    for rows in np.split(np.arange(len(labels)), sorted(cuts)):
        collected.add(scores[rows], labels[rows])
    whole, result = metrics.average_precision(scores, labels), collected.result()
    assert result.per_label.tolist() == whole.per_label.tolist()
    assert (result.mean, result.weighted_mean, result.n_images) == (whole.mean, whole.weighted_mean, whole.n_images)


def test_labels_that_never_rank_come_last():
    scores = np.array([[0.5], [-np.inf], [-0.5]])
    assert metrics.average_precision(scores, np.array([[1], [1], [-1]])).mean == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(
    ("scores", "labels", "kind", "words"),
    [
        (SCORES[:, :3], LABELS, ValueError, r"scores must have shape \(3, 4\), got \(3, 3\)"),
        (np.where(SCORES > 0.8, np.nan, SCORES), LABELS, ValueError, "scores must hold finite numbers"),
        (np.where(SCORES > 0.8, np.inf, SCORES), LABELS, ValueError, "scores must hold finite numbers"),
        (SCORES.astype(int), LABELS, TypeError, "scores must hold floats, got int64"),
        (SCORES, LABELS > 0, TypeError, r"labels must hold .*np.where\(labels, 1, -1\)"),
        (SCORES, np.maximum(LABELS, 0), ValueError, r"labels must hold -1 .*np.where\(labels == 1, 1, -1\)"),
        (SCORES[:0], LABELS[:0], ValueError, "there are no images"),
    ],
)
def test_bad_scores(scores, labels, kind, words):
    with pytest.raises(kind, match=words):
        metrics.average_precision(scores, labels)


def test_chunks_of_different_widths():
    collected = metrics.AveragePrecision()
    collected.add(SCORES, LABELS)
    with pytest.raises(ValueError, match="labels must have 4 columns as before, got 3"):
        collected.add(SCORES[:, :3], LABELS[:, :3])


# ------------------------------------------------------------------------------------------ scores by label


@given(problems())
def test_scores_by_label_undo_a_ranking(problem):
    scores, labels = problem
    n_labels = labels.shape[1]
    values, indices = reference.top_k(scores, n_labels)
    by_label = metrics.scores_by_label(values, indices, n_labels)
    assert by_label.dtype == scores.dtype
    np.testing.assert_array_equal(by_label, scores)


def test_scores_by_label_without_some():
    by_label = metrics.scores_by_label(np.array([[3.0, 2, -np.inf]]), np.array([[2, 0, -1]]), 4)
    assert by_label.tolist() == [[2, -np.inf, 3, -np.inf]]
    with pytest.raises(ValueError, match="indices must hold ids below n_labels = 2, got 2"):
        metrics.scores_by_label(np.array([[3.0]]), np.array([[2]]), 2)
    with pytest.raises(ValueError, match=r"scores must have shape \(1, 1\), got \(1, 2\)"):
        metrics.scores_by_label(np.array([[3.0, 1]]), np.array([[2]]), 3)
