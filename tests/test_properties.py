"""Hypothesis: whatever the sizes, values, dtypes and memory layouts, the answer is the oracle's."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from reference import Problem, assert_ranking, assert_same_bits

import conse_fast as cf

# Around the edges of lanes (16), tiles and runs (32), surveys (64) and blocks of blocks (1,024).
DIMENSIONS = st.sampled_from([1, 2, 15, 16, 17, 31, 32, 33])
LABELS = st.sampled_from([1, 2, 31, 32, 33, 64, 65, 300, 1023, 1024, 1025])
CLASSES = st.sampled_from([1, 2, 10, 31, 33, 63, 64, 65, 130])
ROWS = st.sampled_from([0, 1, 2, 5])
DTYPES = st.sampled_from([np.float16, np.float32, np.float64])
SEEDS = st.integers(0, 2**32 - 1)
FORMS = st.sampled_from(["full", "compact"])
EMBEDDINGS = st.sampled_from(["normal", "few values", "few vectors", "zero rows", "negative", "uneven lengths"])
PROBABILITIES = st.sampled_from(["softmax", "peaked", "flat", "few values", "mostly zero", "zero rows"])
LAYOUTS = st.sampled_from(["plain", *reference.memory_layouts(np.zeros((2, 2)))])
SCALES = st.sampled_from([1.0, 1e-30, 1e30])


def embeddings(rng, kind, n, dimension):
    """Returns (n, dimension) float32 of one kind; several of them make many exact ties."""
    values = rng.standard_normal((n, dimension))
    if kind == "few values":
        values = np.round(values)
    elif kind == "few vectors":
        values = values[rng.integers(0, 1 + n // 10, n)]
    elif kind == "zero rows":
        values[rng.random(n) < 0.3] = 0
    elif kind == "negative":
        values = -np.abs(values)
    elif kind == "uneven lengths":
        values *= rng.lognormal(sigma=5, size=(n, 1))
    return values.astype(np.float32)


def some_probabilities(rng, kind, n, n_classes):
    """Returns (n, n_classes) float64, not negative."""
    values = np.exp(rng.standard_normal((n, n_classes)) * {"peaked": 8, "flat": 0.01}.get(kind, 2))
    values /= values.sum(axis=1, keepdims=True)
    if kind == "few values":
        values = np.ceil(3 * values / values.max(axis=1, keepdims=True)) / 4
    elif kind == "mostly zero":
        values[rng.random(values.shape) < 0.9] = 0
    elif kind == "zero rows":
        values[::2] = 0
    return values


@st.composite
def problems(draw):
    """Draws (Problem, top_t): float32 embeddings, and probabilities of any float dtype and memory layout."""
    rng = np.random.default_rng(draw(SEEDS))
    n, n_classes, n_labels, dimension = draw(ROWS), draw(CLASSES), draw(LABELS), draw(DIMENSIONS)
    classes = embeddings(rng, draw(EMBEDDINGS), n_classes, dimension)
    labels = embeddings(rng, draw(EMBEDDINGS), n_labels, dimension)
    dtype, layout = draw(DTYPES), draw(LAYOUTS)
    scale = 1.0 if dtype is np.float16 else draw(SCALES)
    probabilities = (some_probabilities(rng, draw(PROBABILITIES), n, n_classes) * scale).astype(dtype)
    if layout != "plain":
        probabilities = reference.memory_layouts(probabilities)[layout]
    top_t = draw(st.sampled_from([1, 2, 10, max(1, n_classes - 1), n_classes, n_classes + 1, None]))
    return Problem(probabilities, classes, labels), top_t


def some_k(n_labels):
    return st.sampled_from(sorted({1, min(10, n_labels), n_labels, n_labels + 1, n_labels + 40}))


@given(data=st.data(), case=problems(), form=FORMS, mapped=st.booleans())
def test_rank(make_index, target, data, case, form, mapped):
    problem, top_t = case
    k = data.draw(some_k(len(problem.label_embeddings)))
    index = make_index(*problem[1:], form=form, mapped=mapped)
    oracle = reference.conse_scores(*problem, top_t)
    ranking = index.rank(problem.probabilities, k, top_t)
    assert_ranking(*ranking, oracle, k, reference.tolerance(*problem[:2], top_t))


@given(case=problems(), form=FORMS)
def test_rank_is_the_same_for_every_k_split_and_number_of_threads(make_index, target, case, form):
    (probabilities, classes, labels), top_t = case
    index = make_index(classes, labels, form=form)
    whole = index.rank(probabilities, len(labels), top_t, n_threads=1)
    for k in (1, 5, 33):
        ranking = index.rank(probabilities, k, top_t, n_threads=2)
        count = min(k, len(labels))
        first = whole.scores[:, :count], whole.indices[:, :count]
        assert_same_bits((ranking.scores[:, :count], ranking.indices[:, :count]), first)
    for row in range(len(probabilities)):
        alone = index.rank(probabilities[row], len(labels), top_t)
        assert_same_bits(alone, (whole.scores[row], whole.indices[row]))


@given(case=problems(), form=FORMS)
def test_rank_pairs_is_rank(make_index, target, case, form):
    (probabilities, classes, labels), _ = case
    index = make_index(classes, labels, form=form)
    top_t = min(10, len(classes))
    weights, kept = reference.top_k(probabilities, top_t)
    assert_same_bits(index.rank_pairs(kept, weights, 10), index.rank(probabilities, 10, top_t))


@given(case=problems(), form=FORMS, seed=SEEDS)
def test_rank_with_several_rows_per_label(make_index, target, case, form, seed):
    problem, top_t = case
    rng = np.random.default_rng(seed)
    n_rows = len(problem.label_embeddings)
    n_labels = int(rng.integers(1, n_rows + 3))  # some labels own no row, and some own many
    row_label = rng.integers(0, n_labels, n_rows)
    label_class = rng.integers(-1, len(problem.class_embeddings), n_labels)
    index = make_index(*problem[1:], form=form, row_label=row_label, label_class=label_class)
    oracle = reference.conse_scores(*problem, top_t, row_label=row_label, n_labels=n_labels)
    allowed = reference.tolerance(*problem[:2], top_t)
    for k in (1, 10, n_labels + 1):
        assert_ranking(*index.rank(problem.probabilities, k, top_t), oracle, k, allowed)


@given(data=st.data(), case=problems(), form=FORMS)
def test_rank_with_the_classes_lengths_kept(make_index, target, data, case, form):
    problem, top_t = case
    # Lengths of at most 2: the accuracy line speaks of weights alone, and is off by no more than that.
    lengths = data.draw(st.sampled_from([1.0, 1.5, 2.0]))
    problem = problem._replace(class_embeddings=lengths * reference.unit_rows(problem.class_embeddings))
    index = make_index(*problem[1:], form=form, normalize_classes=False)
    oracle = reference.conse_scores(*problem, top_t, normalize_classes=False)
    allowed = 2 * reference.tolerance(*problem[:2], top_t, normalize_classes=False)
    assert_ranking(*index.rank(problem.probabilities, 10, top_t), oracle, 10, allowed)


@given(case=problems(), form=FORMS, temperature=st.sampled_from([0.01, 1.0, 100.0]), offset=st.floats(-100, 100))
def test_rank_logits(make_index, target, case, form, temperature, offset):
    problem, top_t = case
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(problem.probabilities.astype(np.float64)), -50) + offset
    logits = logits.astype(problem.probabilities.dtype)
    probabilities = reference.logits_to_probabilities(logits, top_t, temperature)
    index = make_index(*problem[1:], form=form)
    oracle = reference.conse_scores(probabilities, *problem[1:], None)
    allowed = reference.tolerance(probabilities, problem.class_embeddings, None)
    assert_ranking(*index.rank_logits(logits, 10, top_t, temperature=temperature), oracle, 10, allowed)


@given(data=st.data(), case=problems())
def test_conse(target, data, case):
    problem, top_t = case
    k = data.draw(some_k(len(problem.label_embeddings)))
    oracle = reference.conse_scores(*problem, top_t)
    assert_ranking(*cf.conse(*problem, k, top_t), oracle, k, reference.tolerance(*problem[:2], top_t))


@given(case=problems())
def test_convex_combination_and_embed(make_index, target, case):
    problem, top_t = case
    expected = reference.convex_combination(*problem[:2], top_t)
    f = cf.convex_combination(*problem[:2], top_t)
    np.testing.assert_allclose(f, expected, rtol=0, atol=2e-6)
    f = make_index(*problem[1:]).embed(problem.probabilities, top_t)
    np.testing.assert_allclose(f, expected, rtol=0, atol=2e-6)


@given(
    seed=SEEDS,
    kinds=st.tuples(EMBEDDINGS, EMBEDDINGS),
    n=ROWS,
    n_labels=LABELS,
    dimension=DIMENSIONS,
    dtype=st.sampled_from([np.float16, np.float32]),
    data=st.data(),
)
def test_cosine_rank(target, seed, kinds, n, n_labels, dimension, dtype, data):
    rng = np.random.default_rng(seed)
    queries = embeddings(rng, kinds[0], n, dimension)
    labels = embeddings(rng, kinds[1], n_labels, dimension)
    if dtype is np.float16:
        labels = np.clip(labels, -6e4, 6e4).astype(np.float16)
    k = data.draw(some_k(n_labels))
    oracle = reference.cosine_scores(queries, labels)
    ranking = cf.cosine_rank(queries, labels, k)
    assert_ranking(*ranking, oracle, k, reference.ACCURACY)
    count = min(10, k)
    shorter = cf.cosine_rank(queries, labels, count, n_threads=2)
    assert_same_bits(shorter, (ranking[0][:, :count], ranking[1][:, :count]))


@given(
    seed=SEEDS,
    n=ROWS,
    n_columns=CLASSES,
    dtype=DTYPES,
    layout=LAYOUTS,
    levels=st.sampled_from([1, 2, 5, 1000]),
    infinite=st.booleans(),
    data=st.data(),
)
def test_top_k(target, seed, n, n_columns, dtype, layout, levels, infinite, data):
    rng = np.random.default_rng(seed)
    x = (rng.integers(0, levels, (n, n_columns)) - levels // 2).astype(dtype)
    if infinite:
        x[rng.random(x.shape) < 0.2] = np.inf
        x[rng.random(x.shape) < 0.2] = -np.inf
    if layout != "plain":
        x = reference.memory_layouts(x)[layout]
    k = data.draw(some_k(n_columns))
    values, indices = cf.top_k(x, k)
    assert_same_bits((values, indices), reference.top_k(x, k))


@given(
    seed=SEEDS,
    n=st.integers(1, 40),
    kind=st.sampled_from(["names", "ids"]),
    mapped=st.booleans(),
    data=st.data(),
)
def test_names_come_back_as_they_went_in(make_index, seed, n, kind, mapped, data):
    texts = data.draw(st.lists(st.text(max_size=20), min_size=n, max_size=n))
    options = {f"class_{kind}": texts, f"label_{kind}": texts[::-1]}
    index = make_index(np.eye(n), np.eye(n), mapped=mapped, **options)
    assert list(getattr(index, f"class_{kind}")) == texts
    assert list(getattr(index, f"label_{kind}")) == texts[::-1]
    positions = np.random.default_rng(seed).integers(-1, n, (3, 2))
    expected = [["" if i < 0 else texts[::-1][i] for i in row] for row in positions]
    assert getattr(index, f"label_{kind}")[positions].tolist() == expected


@pytest.mark.parametrize("form", ["full", "compact"])
@given(seed=SEEDS, scale=SCALES)
def test_the_order_of_the_classes_does_not_matter(make_index, form, seed, scale):
    # A permutation of the classes changes ties and the order of sums, nothing else.
    rng = np.random.default_rng(seed)
    probabilities = some_probabilities(rng, "softmax", 3, 20) * scale
    classes, labels = embeddings(rng, "normal", 20, 7), embeddings(rng, "normal", 200, 7)
    order = rng.permutation(20)
    oracle = reference.conse_scores(probabilities, classes, labels)
    index = make_index(classes[order], labels, form=form)
    ranking = index.rank(probabilities[:, order])
    assert_ranking(*ranking, oracle, 10, reference.tolerance(probabilities, classes))
