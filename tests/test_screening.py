"""One query alone is screened: labels are passed over by what their scores are near to. No bit may depend on it.

In a batch every label is scored, so that the row of a batch is what the query alone has to give.
"""

from __future__ import annotations

import numpy as np
import pytest
from reference import assert_same_bits

import conse_fast as cf

N_LABELS = 3001  # many chunks of labels, and a last one that is no whole number of tiles

pytestmark = pytest.mark.usefixtures("target")


def assert_alone_as_in_a_batch(queries, labels, k, query_lengths=None, **options):
    batch = cf.cosine_rank(queries, labels, k, query_lengths=query_lengths, **options)
    for row, query in enumerate(queries):
        lengths = None if query_lengths is None else query_lengths[row : row + 1]
        alone = cf.cosine_rank(query[None], labels, k, query_lengths=lengths, **options)
        assert_same_bits(alone, (batch[0][row : row + 1], batch[1][row : row + 1]))


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def by_score(labels, query):
    """Returns the labels of the lowest scores first."""
    return labels[np.argsort(labels @ query / np.linalg.norm(labels, axis=1))]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("dimension", [15, 16, 17, 31, 32, 33, 50, 300, 1025])
def test_any_dimension_and_number_of_results(dtype, dimension):
    labels = normal(dimension, N_LABELS, dimension).astype(dtype)
    for k in (1, 2, 10, 33, 64, 65, 500, N_LABELS // 4, N_LABELS // 4 + 1, N_LABELS):
        assert_alone_as_in_a_batch(normal(1, 3, dimension), labels, k)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("n_labels", [1, 15, 16, 17, 39, 40, 41, 527, 528, 529, 1023, 1025, 20_001, 32_768, 32_769])
def test_any_number_of_labels(n_labels, n_threads):
    assert_alone_as_in_a_batch(normal(1, 4, 24), normal(n_labels, n_labels, 24), 10, n_threads=n_threads)


@pytest.mark.parametrize("k", [1, 64, 100, 3000, 20_000])
@pytest.mark.parametrize("n_labels", [65_537, 131_101])
def test_labels_that_are_screened_by_what_came_before(n_labels, k):
    labels = normal(n_labels, n_labels, 16)
    labels[:: n_labels // 7] = 0
    labels[5 :: n_labels // 7] *= np.float32(1e-20)
    assert_alone_as_in_a_batch(normal(1, 2, 16), labels, k)


@pytest.mark.parametrize("n_labels", [N_LABELS, 70_000])
@pytest.mark.parametrize("k", [20, 700])
def test_labels_in_order_of_their_scores(n_labels, k):
    labels, query = normal(0, n_labels, 33), normal(1, 33)
    ascending = by_score(labels, query)
    for ordered in (ascending, np.ascontiguousarray(ascending[::-1])):
        assert_alone_as_in_a_batch(np.stack([query, -query]), ordered, k)


def test_a_sample_that_misleads():
    # Of the best labels every one lies where the sample for k = 100 looks: tiles of sixteen, four of them apart.
    labels, query = normal(0, N_LABELS, 33), normal(1, 33)
    ranked = by_score(labels, query)[::-1]
    places = np.argsort(np.arange(N_LABELS) // 16 % 4 != 0, kind="stable")
    labels[places] = ranked
    assert_alone_as_in_a_batch(query[None], labels, 100)


def test_scores_that_float32_cannot_tell_apart():
    # All within a few units of the last place, far inside the margin of the screen: each has to be scored.
    labels = np.tile(normal(0, 1, 40), (N_LABELS, 1)) * (1 + 1e-7 * normal(1, N_LABELS, 40))
    assert_alone_as_in_a_batch(normal(2, 3, 40), labels.astype(np.float32), 10)


def test_equal_labels():
    labels = normal(0, 7, 40)[np.random.default_rng(0).integers(7, size=N_LABELS)]
    assert_alone_as_in_a_batch(normal(2, 3, 40), labels, 100)


def test_scores_below_zero():
    labels = np.abs(normal(0, N_LABELS, 50))
    assert_alone_as_in_a_batch(-np.abs(normal(1, 3, 50)), labels, 10)


def test_labels_without_direction_and_labels_beyond_float32():
    labels = normal(0, N_LABELS, 50)
    places = np.random.default_rng(1).permutation(N_LABELS)[:280].reshape(7, 40)
    for rows, scale in zip(places, (0, 1e-38, 1e-30, 1e-9, 1e9, 1e18, 1e30)):
        labels[rows] *= np.float32(scale)
    assert_alone_as_in_a_batch(normal(2, 5, 50), labels, 100)


def test_lengths_that_are_given():
    labels, queries, rng = normal(0, N_LABELS, 50), normal(1, 4, 50), np.random.default_rng(0)
    label_lengths = np.linalg.norm(labels, axis=1) * rng.uniform(0.5, 2, N_LABELS)
    assert_alone_as_in_a_batch(queries, labels, 10, label_lengths=label_lengths)
    label_lengths[rng.integers(N_LABELS, size=60)] = 0
    label_lengths[rng.integers(N_LABELS, size=60)] = 1e-12
    label_lengths[rng.integers(N_LABELS, size=60)] = 1e12
    for scale in (1e-20, 1e-6, 1.0, 1e6):
        query_lengths = np.full(4, scale)
        assert_alone_as_in_a_batch(queries, labels, 10, query_lengths, label_lengths=label_lengths)


@pytest.mark.parametrize("n_labels", [N_LABELS, 70_000])
def test_a_length_that_no_score_bears_is_found_wherever_it_is(n_labels):
    labels, lengths = normal(0, n_labels, 50), np.ones(n_labels)
    lengths[:100] = 0
    lengths[[n_labels - 1, n_labels - 5, 2900]] = 1e-50  # 0 in float32
    with pytest.raises(ValueError, match=r"label_lengths\[2900\] is 1e-50"):
        cf.cosine_rank(normal(1, 1, 50), labels, label_lengths=lengths)


def test_rows_at_any_distance():
    labels, queries = normal(0, N_LABELS, 50), normal(1, 3, 50)
    expected = cf.cosine_rank(queries, labels)
    wide = np.full((2 * N_LABELS, 70), np.nan, np.float32)
    wide[::2, 11:61] = labels
    for view in (wide[::2, 11:61], labels[::-1].copy()[::-1]):
        for row, query in enumerate(queries):
            assert_same_bits(cf.cosine_rank(query, view), (expected[0][row], expected[1][row]))
    assert_alone_as_in_a_batch(queries, np.broadcast_to(labels[0], (N_LABELS, 50)), 10)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_label_that_is_no_number_is_found_wherever_it_is(value):
    for place in (0, 1500, N_LABELS - 1):
        labels = normal(0, N_LABELS, 50)
        labels[place, 7] = value
        with pytest.raises(ValueError, match=rf"label_matrix\[{place}\]"):
            cf.cosine_rank(normal(1, 1, 50), labels)
