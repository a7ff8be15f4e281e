"""Seen classes without a vector: skipped, refilled or refused, and what the index remembers of it."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_ranking, assert_same_bits, random_problem

import conse_fast as cf


def problem_with_missing(seed, share, **sizes):
    """A Problem in which this share of the classes has no vector, and which those are."""
    problem = random_problem(seed, **sizes)
    missing = np.random.default_rng(seed).random(len(problem.class_embeddings)) < share
    problem.class_embeddings[missing] = 0
    return problem, missing


def without(rows, missing):
    """The rows without any weight on the missing classes, so that the next ones are among the largest."""
    rows = np.array(rows)
    rows[:, missing] = 0
    return rows


# -------------------------------------------------------------------------------------------------- the oracle


@pytest.mark.parametrize("form", ["full", "compact"])
@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.0, 0.1, 0.5, 0.95, 1.0]),
    top_t=st.sampled_from([1, 3, 10, 39, 40, 41, None]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    layout=st.sampled_from(["plain", "strided", "fortran", "read-only", "swapped bytes", "negative column stride"]),
    mapped=st.booleans(),
)
def test_refill_against_the_oracle(make_index, target, form, seed, share, top_t, dtype, layout, mapped):
    problem, missing = problem_with_missing(seed, share)
    rows = problem.probabilities.astype(dtype)
    expected = without(rows, missing), problem.class_embeddings, problem.label_embeddings
    given_rows = rows if layout == "plain" else reference.memory_layouts(rows)[layout]
    index = make_index(*problem[1:], form=form, mapped=mapped, missing_classes="refill")
    oracle = reference.conse_scores(*expected, top_t)
    allowed = reference.tolerance(*expected[:2], top_t)
    ranking = index.rank(given_rows, 10, top_t)
    assert_ranking(*ranking, oracle, 10, allowed)
    assert_same_bits(index.rank(given_rows[3], 10, top_t), (ranking.scores[3], ranking.indices[3]))
    f = reference.convex_combination(*expected[:2], top_t)
    np.testing.assert_allclose(index.embed(given_rows, top_t), f, rtol=0, atol=2e-6)


@pytest.mark.parametrize("form", ["full", "compact"])
@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    top_t=st.sampled_from([1, 3, 10, 40, None]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    temperature=st.sampled_from([0.1, 1.0, 1e6]),
)
def test_refill_of_logits_against_the_oracle(make_index, target, form, seed, share, top_t, dtype, temperature):
    problem, missing = problem_with_missing(seed, share)
    logits = (np.log(problem.probabilities) + 5).astype(dtype)
    index = make_index(*problem[1:], form=form, missing_classes="refill")
    ranking = index.rank_logits(logits, 10, top_t, temperature=temperature)
    if missing.all():
        assert (ranking.indices == -1).all()
        return
    present = reference.logits_to_probabilities(logits[:, ~missing], top_t, temperature)
    classes = problem.class_embeddings[~missing]
    oracle = reference.conse_scores(present, classes, problem.label_embeddings, None)
    assert_ranking(*ranking, oracle, 10, reference.tolerance(present, classes, None))


def test_refill_ranks_like_zero_probability_and_skip_does_not(make_index):
    problem, missing = problem_with_missing(1, 0.5)
    refill = make_index(*problem[1:], missing_classes="refill")
    skip = make_index(*problem[1:], missing_classes="skip")
    masked = without(problem.probabilities, missing)
    assert_same_bits(refill.rank(problem.probabilities, 20), skip.rank(masked, 20))
    assert not np.array_equal(refill.rank(problem.probabilities).scores, skip.rank(problem.probabilities).scores)


@pytest.mark.parametrize("share", [1e-25, 1e-38, 1e-42])
@pytest.mark.parametrize("form", ["full", "compact"])
def test_next_to_all_weight_on_missing_classes(make_index, form, share):
    # f is that short: ranked by the others, or too short for any call to rank it.
    rng = np.random.default_rng(0)
    labels = rng.standard_normal((3000, 60))
    classes = labels[:40].copy()
    classes[0] = 0
    index = make_index(classes, labels, form=form, normalize_classes=False)
    rows = np.zeros((64, 40))
    rows[:, 1:] = share * rng.random((64, 39))
    others = index.rank(rows, 3, 12)
    rows[:, 0] = 1
    empty = share < 1e-30
    for k in (3, 3000):
        found = index.rank(rows, k, 13)
        one = index.rank(rows[5], k, 13)
        assert_same_bits(one, (found.scores[5], found.indices[5]))
        if empty:
            assert (found.indices == -1).all()
        else:
            assert np.array_equal(found.indices[:, :3], others.indices)
            np.testing.assert_allclose(found.scores[:, :3], others.scores, rtol=2e-6)
    scores = index.score_of(rows[:1], [[0, 7]], 13)
    assert np.isneginf(scores).all() == empty


def test_skip_loses_the_weight(make_index):
    # Class 0 is among the two kept ones and has no vector: class 1 alone decides, and class 2 has no part in it.
    index = make_index(np.array([[0.0, 0], [1, 0], [0, 1]]), np.eye(2), missing_classes="skip")
    scores, labels = index.rank(np.array([0.5, 0.3, 0.2]), k=2, top_t=2)
    assert labels.tolist() == [0, 1]
    assert scores.tolist() == [1, 0]
    index = make_index(np.array([[0.0, 0], [1, 0], [0, 1]]), np.eye(2), missing_classes="refill")
    scores, labels = index.rank(np.array([0.5, 0.3, 0.2]), k=2, top_t=2)
    np.testing.assert_allclose(scores, np.array([3, 2]) / np.sqrt(13), atol=1e-6)


def test_without_a_missing_class_all_ways_are_the_same(make_index):
    problem = random_problem()
    rankings = [
        make_index(*problem[1:], missing_classes=way).rank(problem.probabilities, 20)
        for way in ("skip", "refill", "raise")
    ]
    assert_same_bits(rankings[1], rankings[0])
    assert_same_bits(rankings[2], rankings[0])


# -------------------------------------------------------------------------------------------------- bad values


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_bad_values_of_missing_classes_are_told_like_any_other(make_index, dtype, value):
    problem, missing = problem_with_missing(2, 0.5)
    column = int(np.flatnonzero(missing)[3])
    rows = problem.probabilities.astype(dtype)
    rows[5, column] = value
    index = make_index(*problem[1:], missing_classes="refill")
    for call in (index.rank, index.embed):
        with pytest.raises(ValueError, match=rf"probabilities\[5\] holds .* at column {column}"):
            call(rows)
    if not np.isfinite(value):
        with pytest.raises(ValueError, match=rf"logits\[5\] holds .* at column {column}"):
            index.rank_logits(rows)
    with pytest.raises(ValueError, match="39"):
        index.rank(rows[:, :39])


# -------------------------------------------------------------------------------------------------- the record


def test_the_index_remembers(make_index, tmp_path):
    problem, _ = problem_with_missing(3, 0.3)
    index = make_index(*problem[1:], missing_classes="refill")
    expected = index.rank(problem.probabilities)
    index.save(tmp_path / "x.safetensors")
    with cf.ConseIndex.open(tmp_path / "x.safetensors") as opened:
        opened.verify()
        for again in (index, opened, pickle.loads(pickle.dumps(index))):
            assert again.info()["missing_classes"] == "refill"
            assert_same_bits(again.rank(problem.probabilities), expected)
    assert make_index(*problem[1:]).info()["missing_classes"] == "skip"


def test_a_file_that_says_nothing_skips_and_one_that_says_something_else_is_refused(make_index, tmp_path):
    problem, _ = problem_with_missing(4, 0.3)
    path = tmp_path / "x.safetensors"
    make_index(*problem[1:]).save(path)
    assert b"missing_classes" not in path.read_bytes()
    make_index(*problem[1:], missing_classes="refill").save(path)
    content = path.read_bytes()
    path.write_bytes(reference.seal(content.replace(b'"missing_classes":"refill"', b'"missing_classes":"skip"  ')))
    with cf.ConseIndex.open(path) as index:
        index.verify()
        assert index.info()["missing_classes"] == "skip"
    path.write_bytes(content.replace(b'"missing_classes":"refill"', b'"missing_classes":"borrow"'))
    with pytest.raises(ValueError, match="metadata 'missing_classes' is 'borrow'; expected skip or refill"):
        cf.ConseIndex.open(path)


def test_raise(make_index, tmp_path):
    problem, missing = problem_with_missing(5, 0.3)
    first, count = int(np.flatnonzero(missing)[0]), int(missing.sum())
    message = rf"class_embeddings\[{first}\] is all zeros, the first of {count} classes without a vector"
    with pytest.raises(ValueError, match=message):
        make_index(*problem[1:], missing_classes="raise")
    with pytest.raises(ValueError, match=message):
        cf.ConseIndex.build(*problem[1:], missing_classes="raise", path=tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


def test_another_word(make_index):
    with pytest.raises(ValueError, match="missing_classes must be one of skip, refill, raise, got 'drop'"):
        make_index(np.eye(2), np.eye(2), missing_classes="drop")


# ---------------------------------------------------------------------------------------------------- the cost


def test_refill_costs_little(make_index):
    problem, _ = problem_with_missing(6, 0.05, n=2000, n_classes=1000, n_labels=2000, dimension=50)
    indexes = [make_index(*problem[1:], missing_classes=way) for way in ("skip", "refill")]

    def seconds(index):
        begin = time.perf_counter()
        index.rank(problem.probabilities, n_threads=1)
        return time.perf_counter() - begin

    times = np.array([[seconds(index) for index in indexes] for _ in range(15)]).min(axis=0)
    assert times[1] < 1.5 * times[0], f"{times[1] / times[0]:.2f} times as long"
