"""The plan, and the ways of ranking that it chooses between: bounds, or every label by the table or in batches."""

from __future__ import annotations

import time

import numpy as np
import pytest
import reference
from reference import assert_ranking, assert_same_bits, random_problem

import conse_fast as cf

N_LABELS = 3000  # 188 blocks: a search may give up after 16


def gaussian_problem(n=24, n_classes=90, dimension=64):
    """Nothing is alike, so that no bound excludes anything; half of the rows are flat."""
    rng = np.random.default_rng(5)
    probabilities = rng.random((n, n_classes)) ** np.where(np.arange(n) % 2, 1, 12)[:, None]
    probabilities[3] = 0
    embeddings = rng.standard_normal((n_classes + N_LABELS, dimension))
    return reference.Problem(*(x.astype(np.float32) for x in (probabilities, embeddings[:90], embeddings[90:])))


@pytest.fixture(params=["full", "compact"])
def form(request):
    return request.param


@pytest.fixture(scope="module")
def hard():
    return gaussian_problem()


@pytest.fixture(scope="module")
def clustered():
    problem = random_problem(n=24, n_classes=90, n_labels=N_LABELS, dimension=64, sharpness=4)
    flat = np.full((1, 90), 1 / 90, np.float32)
    return problem._replace(probabilities=np.concatenate([problem.probabilities, np.repeat(flat, 9, axis=0)]))


def test_scores_come_from_the_table_while_that_is_shorter(clustered):
    full, compact = (cf.ConseIndex.build(*clustered[1:], compact=compact) for compact in (False, True))
    assert full.plan(top_t=10).arithmetic == "table"
    assert full.plan(top_t=11).arithmetic == "embeddings"
    assert full.plan(top_t=None).arithmetic == "embeddings"
    assert compact.plan(top_t=1).arithmetic == "embeddings"
    assert "compact" in compact.plan().reason
    for k in (1, 10, 3000):
        assert full.plan(top_t=10, k=k).arithmetic == "table"
        assert full.plan(top_t=90, k=k).arithmetic == "embeddings"


def test_bounds_are_used_where_they_pay(clustered, hard):
    easy, difficult = (cf.ConseIndex.build(*problem[1:]) for problem in (clustered, hard))
    assert easy.plan(k=10).bounded
    assert not easy.plan(k=N_LABELS).bounded
    assert not difficult.plan(k=10).bounded
    assert difficult.info()["scored_fraction"] > 0.2
    assert easy.plan(k=300, top_t=None, n_images=1).bounded
    assert not easy.plan(k=300, top_t=None, n_images=1024).bounded
    assert easy.plan(k=1).expected_fraction <= easy.plan(k=100).expected_fraction <= 1


def test_a_plan_is_a_tuple_with_a_reason(clustered):
    plan = cf.ConseIndex.build(*clustered[1:]).plan()
    assert isinstance(plan, cf.Plan)
    arithmetic, bounded, expected_fraction, reason = plan
    assert (arithmetic, bounded) == ("table", True)
    assert 0 < expected_fraction < 1
    assert f"{N_LABELS} label vectors" in reason


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"k": 0}, ValueError),
        ({"top_t": 0}, ValueError),
        ({"n_images": 0}, ValueError),
        ({"k": 1.0}, TypeError),
        ({"top_t": "all"}, TypeError),
    ],
)
def test_a_plan_for_nothing_is_refused(clustered, arguments, error):
    with pytest.raises(error, match=next(iter(arguments))):
        cf.ConseIndex.build(*clustered[1:]).plan(**arguments)


@pytest.mark.parametrize("top_t", [1, 10, 33, 64, 65, 80, None])
@pytest.mark.parametrize("name", ["hard", "clustered"])
def test_every_way_equals_the_oracle(request, make_index, form, target, name, top_t):
    problem = request.getfixturevalue(name)
    index = make_index(*problem[1:], form=form)
    t = 90 if top_t is None else top_t
    oracle = reference.conse_scores(*problem, t)
    allowed = reference.tolerance(*problem[:2], t)
    for k in (1, 10, 700, N_LABELS):
        assert_ranking(*index.rank(problem.probabilities, k, top_t), oracle, k, allowed)


@pytest.mark.parametrize("top_t", [10, None])
@pytest.mark.parametrize("name", ["hard", "clustered"])
def test_the_way_changes_no_bit(request, make_index, form, target, name, top_t):
    problem = request.getfixturevalue(name)
    index = make_index(*problem[1:], form=form)
    probabilities = problem.probabilities
    every = index.rank(probabilities, N_LABELS, top_t)
    for k in (1, 10, 333):
        assert_same_bits(index.rank(probabilities, k, top_t), (every.scores[:, :k], every.indices[:, :k]))
        for row in (0, 3, len(probabilities) - 1):
            one = index.rank(probabilities[row], k, top_t, n_threads=2)
            assert_same_bits(one, (every.scores[row, :k], every.indices[row, :k]))


def test_labels_with_several_rows_are_found_once_in_every_way(make_index, hard, form, target):
    row_label = np.arange(N_LABELS) // 3
    index = make_index(*hard[1:], form=form, row_label=row_label)
    oracle = reference.conse_scores(*hard, 90, row_label=row_label)
    for k in (10, 1000):
        ranking = index.rank(hard.probabilities, k, None)
        assert_ranking(*ranking, oracle, k, reference.tolerance(*hard[:2], 90))


def test_pairs_and_logits_go_the_same_ways(make_index, clustered, form):
    index = make_index(*clustered[1:], form=form)
    for top_t in (10, 70, 90):
        weights, kept = reference.top_k(clustered.probabilities, top_t)
        expected = index.rank(clustered.probabilities, 500, top_t)
        assert_same_bits(index.rank_pairs(kept, weights, 500), expected)
        logits = np.log(clustered.probabilities.astype(np.float64))
        assert_ranking(
            *index.rank_logits(logits, 500, top_t),
            reference.conse_scores(reference.logits_to_probabilities(logits, top_t), *clustered[1:], top_t),
            500,
            reference.tolerance(*clustered[:2], top_t),
        )


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_first_wrong_row_is_named_where_searches_are_no_longer_tried(make_index, form, n_threads):
    # Most searches give up, the others are not begun, and their rows not read until all labels are scored.
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((300, 50))
    labels = centres[rng.integers(300, size=20000)] + 0.4 * rng.standard_normal((20000, 50))
    classes = centres[rng.integers(300, size=100)] + 0.4 * rng.standard_normal((100, 50))
    index = make_index(classes, labels, form=form)
    rows = (1 + 0.01 * rng.random((4000, 100))).astype(np.float32)
    rows[[1900, 1990], 3] = np.nan
    for _ in range(8):
        time.sleep(0.03)  # a thread that has waited for others in vain works alone for a while
        with pytest.raises(ValueError, match=r"probabilities\[1900\] holds NaN at column 3"):
            index.rank(rows, 200, n_threads=n_threads)


def test_more_rows_than_are_ranked_at_once(hard):
    index = cf.ConseIndex.build(*hard[1:], compact=True)
    probabilities = np.resize(hard.probabilities, (8300, 90))
    expected = index.rank(hard.probabilities, 3, None)
    scores, indices = index.rank(probabilities, 3, None)
    assert_same_bits((scores[8280:8300], indices[8280:8300]), (expected.scores[:20], expected.indices[:20]))
    probabilities[8299, 7] = np.nan
    with pytest.raises(ValueError, match=r"probabilities\[8299\] holds NaN at column 7"):
        index.rank(probabilities, 3, None)
