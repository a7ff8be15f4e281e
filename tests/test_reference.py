"""Tests of the oracle and the tie-aware assertion: examples by hand, and wrong answers that must fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from reference import assert_ranking, assert_same_bits

INF = float("inf")


def ranking(scores, indices):
    return np.array(scores, dtype=np.float32), np.array(indices, dtype=np.int64)


# ------------------------------------------------------------------------------------------------- the oracle


def test_top_k_by_hand():
    values, indices = reference.top_k(np.array([0.2, 0.5, 0.2, 0.5, 0.1], dtype=np.float32), 3)
    assert values.tolist() == np.array([0.5, 0.5, 0.2], dtype=np.float32).tolist()
    assert indices.tolist() == [1, 3, 0]


def test_top_k_fills_beyond_the_last_column():
    values, indices = reference.top_k(np.array([[3.0, 7.0]]), 4)
    assert values.tolist() == [[7.0, 3.0, -INF, -INF]]
    assert indices.tolist() == [[1, 0, -1, -1]]


def test_convex_combination_by_hand():
    # The two kept classes have unit vectors (1, 0) and (0, 1) and weights 3/4 and 1/4; the third is not kept.
    classes = np.array([[2.0, 0.0], [0.0, 5.0], [1.0, 1.0]])
    f = reference.convex_combination(np.array([0.6, 0.2, 0.1]), classes, top_t=2)
    np.testing.assert_allclose(f, [0.75, 0.25])
    f = reference.convex_combination(np.array([0.6, 0.2, 0.1]), classes, top_t=2, normalize_classes=False)
    np.testing.assert_allclose(f, [1.5, 1.25])


def test_convex_combination_of_nothing_is_zero():
    assert reference.convex_combination(np.zeros((1, 2)), np.eye(2)).tolist() == [[0.0, 0.0]]


def test_conse_scores_by_hand():
    # f = (3/4, 1/4): its cosine with the axes is 3/sqrt(10) and 1/sqrt(10), with the diagonal 4/sqrt(20).
    labels = np.array([[9.0, 0.0], [0.0, 0.5], [1.0, 1.0], [0.0, 0.0], [-1.0, 0.0]])
    scores = reference.conse_scores(np.array([0.75, 0.25]), np.eye(2), labels)
    expected = [3 / math.sqrt(10), 1 / math.sqrt(10), 4 / math.sqrt(20), -INF, -3 / math.sqrt(10)]
    np.testing.assert_allclose(scores, expected)


def test_conse_scores_of_a_label_with_several_rows_are_the_maximum():
    labels = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, 0.0]])
    rows = np.array([1.0, 0.0])
    scores = reference.conse_scores(rows, np.eye(2), labels, row_label=[2, 0, 0, 2], n_labels=4)
    np.testing.assert_allclose(scores, [0.0, -INF, 1.0, -INF])


def test_conse_scores_without_direction_are_minus_infinity():
    classes = np.array([[1.0, 0.0], [-1.0, 0.0]])
    scores = reference.conse_scores(np.array([[0.5, 0.5], [0.0, 0.0], [0.6, 0.4]]), classes, np.eye(2))
    assert scores[:2].tolist() == [[-INF, -INF]] * 2
    np.testing.assert_allclose(scores[2], [1.0, 0.0], atol=1e-12)


def test_tolerance_grows_with_cancellation():
    classes = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    rows = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.0], [0.0, 0.0, 1e-30]])
    np.testing.assert_allclose(reference.tolerance(rows, classes), [2e-6, 2e-6 * 0.8 / 0.2, 2e-6])
    assert reference.tolerance(np.array([0.5, 0.5, 0.0]), classes) == INF


def test_logits_to_probabilities_by_hand():
    logits = np.array([0.0, math.log(3.0), -50.0])
    np.testing.assert_allclose(reference.logits_to_probabilities(logits, 2), [0.25, 0.75, 0.0])
    np.testing.assert_allclose(reference.logits_to_probabilities(logits, 2, temperature=0.5), [0.1, 0.9, 0.0])


def test_pairs_to_probabilities_by_hand():
    dense = reference.pairs_to_probabilities([[2, 0]], [[0.5, 0.25]], 4)
    assert dense.tolist() == [[0.25, 0.0, 0.5, 0.0]]


def test_hit_at_k_counts_ties_half():
    scores = np.array([[0.9, 0.5, 0.1], [0.5, 0.5, 0.1], [0.5, 0.5, 0.5]])
    # Places before the truth: 1, then half of one tie, then half of two ties.
    assert reference.hit_at_k(scores, [1, 0, 2], 1) == pytest.approx(1 / 3)
    assert reference.hit_at_k(scores, [1, 0, 2], 2) == 1.0


def test_memory_layouts_hold_the_same_values():
    matrix = np.random.default_rng(0).random((3, 5)).astype(np.float32)
    layouts = reference.memory_layouts(matrix)
    for name, layout in layouts.items():
        assert np.array_equal(layout, matrix), name
    assert not layouts["read-only"].flags.writeable
    assert not layouts["unaligned"].flags.aligned
    assert not layouts["swapped bytes"].dtype.isnative
    assert layouts["negative column stride"].strides[1] < 0


# ------------------------------------------------------------------------------- the assertion, right answers

ORACLE = np.array([0.5, -INF, 0.9, 0.5, -0.3])
RIGHT = ranking([0.9, 0.5, 0.5], [2, 0, 3])


def test_a_right_answer_passes():
    assert_ranking(*RIGHT, ORACLE, 3, 1e-6)


def test_a_right_batch_passes_with_a_tolerance_per_row():
    scores, indices = ranking([[0.9, 0.5], [0.6, 0.5]], [[2, 0], [2, 0]])
    assert_ranking(scores, indices, np.array([ORACLE, ORACLE]), 2, np.array([1e-6, 0.4]))
    with pytest.raises(AssertionError, match="row 1"):
        assert_ranking(scores, indices, np.array([ORACLE, ORACLE]), 2, np.array([0.4, 1e-6]))


def test_near_ties_may_come_either_way_round():
    oracle = np.array([0.5, 0.5 + 1e-7])
    assert_ranking(*ranking([0.5], [0]), oracle, 1, 1e-6)
    assert_ranking(*ranking([0.5], [1]), oracle, 1, 1e-6)
    assert_ranking(*ranking([0.5000001, 0.5], [0, 1]), oracle, 2, 1e-6)


def test_fewer_qualifying_labels_than_k_pass_with_fill():
    assert_ranking(*ranking([0.9, 0.5, 0.5, -0.3, -INF, -INF], [2, 0, 3, 4, -1, -1]), ORACLE, 6, 1e-6)


def test_an_empty_batch_passes():
    assert_ranking(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.int64), np.zeros((0, 5)), 2, 1e-6)


# ------------------------------------------------------------------------------- the assertion, wrong answers


@pytest.mark.parametrize(
    ("scores", "indices", "message"),
    [
        pytest.param([0.5, 0.9, 0.5], [0, 2, 3], "not ordered", id="wrong order"),
        pytest.param([0.9, 0.5, 0.5], [2, 3, 0], "not ordered", id="tie in wrong id order"),
        pytest.param([0.9, 0.5 + 3e-6, 0.5], [2, 0, 3], "off by", id="score three tolerances off"),
        pytest.param([0.9, 0.5, -0.3], [2, 0, 4], "left out", id="better label left out"),
        pytest.param([0.9, 0.5, 0.5], [2, 0, 0], "comes twice", id="label comes twice"),
        pytest.param([0.9, 0.5, np.nan], [2, 0, 3], "not finite", id="NaN"),
        pytest.param([INF, 0.5, 0.5], [2, 0, 3], "not finite", id="infinite score"),
        pytest.param([0.9, 0.5, -INF], [2, 0, -1], "not finite", id="fill where a label qualifies"),
        pytest.param([0.9, 0.5, -INF], [2, 0, 3], "not finite", id="minus infinity with a label id"),
        pytest.param([0.9, 0.5, 0.5], [2, 0, -1], "not a label id", id="index -1 with a score"),
        pytest.param([0.9, 0.5, 0.5], [2, 0, 5], "not a label id", id="index beyond the last label"),
        pytest.param([0.9, 0.5, 0.5], [2, 0, 1], "must not", id="label with a zero vector"),
    ],
)
def test_a_wrong_answer_fails(scores, indices, message):
    with pytest.raises(AssertionError, match=message):
        assert_ranking(*ranking(scores, indices), ORACLE, 3, 1e-6)


@pytest.mark.parametrize(
    ("scores", "indices"),
    [
        pytest.param([0.9, 0.5, 0.5, -0.3, -INF], [2, 0, 3, 4, 1], id="zero label instead of fill"),
        pytest.param([0.9, 0.5, 0.5, -0.3, -0.4], [2, 0, 3, 4, -1], id="score with index -1"),
        pytest.param([-INF, 0.9, 0.5, 0.5, -0.3], [-1, 2, 0, 3, 4], id="fill at the front"),
    ],
)
def test_fill_in_the_wrong_place_fails(scores, indices):
    with pytest.raises(AssertionError, match="only 4 labels qualify"):
        assert_ranking(*ranking(scores, indices), ORACLE, 5, 1e-6)


def test_results_where_no_label_qualifies_fail():
    with pytest.raises(AssertionError, match="only 0 labels qualify"):
        assert_ranking(*ranking([0.0], [0]), np.array([-INF, -INF]), 1, 1e-6)


def test_wrong_types_and_shapes_fail():
    scores, indices = RIGHT
    for bad, message in [
        ((scores.astype(np.float64), indices), "scores have dtype"),
        ((scores, indices.astype(np.int32)), "indices have dtype"),
        ((scores[None], indices[None]), "scores have shape"),
        ((scores[:2], indices[:2]), "scores have shape"),
        ((scores, indices[:2]), "indices have shape"),
        ((scores.tolist(), indices), "scores are a list"),
        ((scores, indices.tolist()), "indices are a list"),
    ]:
        with pytest.raises(AssertionError, match=message):
            assert_ranking(*bad, ORACLE, 3, 1e-6)


def test_the_order_is_judged_on_the_returned_score_not_on_the_oracle():
    # The oracle says 1 before 0, the returned scores are equal: then the lower id must come first.
    oracle = np.array([0.5, 0.5 + 1e-7])
    assert_ranking(*ranking([0.5, 0.5], [0, 1]), oracle, 2, 1e-6)
    with pytest.raises(AssertionError, match="not ordered"):
        assert_ranking(*ranking([0.5, 0.5], [1, 0]), oracle, 2, 1e-6)


def test_same_bits_sees_the_last_bit():
    scores, indices = RIGHT
    assert_same_bits((scores, indices), (scores.copy(), indices.copy()))
    other = scores.copy()
    other[0] = np.nextafter(other[0], np.float32(2))
    with pytest.raises(AssertionError, match="1 of 3 differ"):
        assert_same_bits((other, indices), (scores, indices))


# ----------------------------------------------------------------------------------------------- the checksum


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0xEF46DB3751D8E999),
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
    ],
)
def test_xxh64_has_the_published_values(data, expected):
    assert reference.xxh64(data) == expected


def test_seal_replaces_the_digits_and_depends_on_the_rest():
    content = b'{"checksum.xxh64":"ffffffffffffffff"} and data'
    sealed = reference.seal(content)
    assert reference.seal(sealed) == sealed
    assert sealed[19:35] == b"%016x" % reference.xxh64(content.replace(b"f" * 16, b"0" * 16))
    assert reference.seal(content + b"!")[:35] != sealed[:35]
