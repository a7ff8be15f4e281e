"""Lists of T: one selection, and the bits of separate calls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_same_bits, memory_layouts, random_problem

N_CLASSES, N_LABELS = 150, 700
LISTS = [[1], [10, 1], [1, 10, 100], [None, 40, 33, 32, 31], [149, 150, 151, 10_000], [70, 70]]


@pytest.fixture(scope="module")
def problem():
    found = random_problem(n=30, n_classes=N_CLASSES, n_labels=N_LABELS, dimension=40, sharpness=2)
    found.probabilities[3] = 0
    found.probabilities[4, 20:] = 0  # fewer classes than some of the T
    found.probabilities[5] = 0.01  # ties at every place
    return found


def assert_lists(call, rows, k, top_ts, **what):
    together = call(rows, k, top_ts, **what)
    assert together.scores.shape == (len(top_ts), *np.shape(rows)[:-1], k)
    for i, top_t in enumerate(top_ts):
        assert_same_bits((together.scores[i], together.indices[i]), call(rows, k, top_t, **what))


@pytest.mark.parametrize("form", ["full", "compact"])
@pytest.mark.parametrize("top_ts", LISTS, ids=str)
def test_each_t_has_the_bits_of_its_own_call(make_index, problem, target, form, top_ts):
    index = make_index(*problem[1:], form=form)
    for k in (1, 10, N_LABELS):
        assert_lists(index.rank, problem.probabilities, k, top_ts)
    assert_lists(index.rank, problem.probabilities[0], 5, top_ts)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("top_ts", LISTS, ids=str)
def test_logits(make_index, problem, top_ts, temperature):
    index = make_index(*problem[1:])
    logits = np.random.default_rng(2).normal(size=(30, N_CLASSES)) * 3
    for rows in (logits, logits.astype(np.float32), logits.astype(np.float16)):
        assert_lists(index.rank_logits, rows, 10, top_ts, temperature=temperature)


@pytest.mark.parametrize("top_ts", LISTS, ids=str)
def test_classes_without_a_vector_are_refilled_for_each_t(make_index, problem, top_ts):
    classes = problem.class_embeddings.copy()
    classes[::4] = 0
    index = make_index(classes, problem.label_embeddings, missing_classes="refill")
    assert_lists(index.rank, problem.probabilities, 10, top_ts)
    assert_lists(index.rank_logits, problem.probabilities, 10, top_ts)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_dtype_and_layout(make_index, problem, dtype):
    index = make_index(*problem[1:])
    rows = problem.probabilities.astype(dtype)
    expected = index.rank(rows, 7, [1, 40, None])
    for layout in memory_layouts(rows).values():
        assert_same_bits(index.rank(layout, 7, [1, 40, None]), expected)


@given(
    top_ts=st.lists(st.one_of(st.none(), st.integers(1, 160)), min_size=1, max_size=5),
    k=st.sampled_from([1, 9, 60]),
    share=st.sampled_from([None, 0.01, 0.5]),
    form=st.sampled_from(["cosine", "dot"]),
)
def test_with_candidates_penalty_and_form(make_index, problem, top_ts, k, share, form):
    label_class = np.where(np.arange(N_LABELS) % 3 == 0, np.arange(N_LABELS) % N_CLASSES, -1)
    index = make_index(*problem[1:], label_class=label_class)
    mask = None if share is None else np.random.default_rng(1).random((30, N_LABELS)) < share
    assert_lists(index.rank, problem.probabilities, k, top_ts, candidates=mask, seen_penalty=0.1, form=form)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_many_rows_take_turns_in_the_memory_for_kept_classes(make_index, problem, n_threads):
    # 2,500 rows of 100 kept classes do not fit at once.
    index = make_index(*problem[1:])
    rows = np.random.default_rng(3).dirichlet(np.ones(N_CLASSES), 2500).astype(np.float32)
    assert_lists(index.rank, rows, 3, [1, 100], n_threads=n_threads)


def test_out_takes_the_lists(make_index, problem):
    index = make_index(*problem[1:])
    scores, indices = np.empty((2, 30, 4), np.float32), np.empty((2, 30, 4), np.int64)
    ranking = index.rank(problem.probabilities, 4, (1, 10), out=(scores, indices))
    assert ranking.scores is scores
    assert_same_bits((scores, indices), index.rank(problem.probabilities, 4, np.array([1, 10])))
    with pytest.raises(ValueError, match=r"scores\) must have shape \(2, 30, 4\), got \(30, 4\)"):
        index.rank(problem.probabilities, 4, [1, 10], out=(scores[0], indices[0]))


def test_names_of_lists(make_index, problem):
    index = make_index(*problem[1:], label_names=[f"label {i}" for i in range(N_LABELS)])
    ranking = index.rank(problem.probabilities, 3, [1, 10])
    assert ranking.names.shape == (2, 30, 3)
    assert ranking.names[1, 0, 0] == f"label {ranking.indices[1, 0, 0]}"


@pytest.mark.parametrize(
    ("top_t", "error", "message"),
    [
        ([], ValueError, "top_t is an empty list"),
        ([10, 0], ValueError, "top_t must be at least 1, got 0"),
        ([10, 1.5], TypeError, r"top_t must be an integer, got 1\.5"),
        ([[1, 2]], TypeError, "top_t must be an integer"),
        ("10", TypeError, "top_t must be an integer, got '10'"),
        ({1, 10}, TypeError, "top_t must be a number, None or a list of them, got set"),
        (np.float64(3), TypeError, "top_t must be an integer"),
    ],
)
def test_wrong_lists(make_index, problem, top_t, error, message):
    index = make_index(*problem[1:])
    for call in (index.rank, index.rank_logits):
        with pytest.raises(error, match=message):
            call(problem.probabilities, 5, top_t)


def test_arrays_of_numbers(make_index, problem):
    index = make_index(*problem[1:])
    assert_lists(index.rank, problem.probabilities, 5, np.array([1, 10]))
    assert index.rank(problem.probabilities, 5, np.array(10)).scores.shape == (30, 5)


def test_a_bad_row_is_named(make_index, problem):
    index = make_index(*problem[1:])
    rows = problem.probabilities.copy()
    rows[17, 3] = np.nan
    with pytest.raises(ValueError, match=r"probabilities\[17\] holds NaN at column 3"):
        index.rank(rows, 5, [1, 10])
