"""The four functions that need no index, on every target: top_k, convex_combination, cosine_rank, conse."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from reference import assert_ranking, assert_same_bits, random_problem

import conse_fast as cf
from conse_fast import _core

INF = float("inf")
DTYPES = [np.float16, np.float32, np.float64]

pytestmark = pytest.mark.usefixtures("target")


# ------------------------------------------------------------------------------------------------------ top_k


def test_top_k_by_hand():
    values, indices = cf.top_k(np.array([0.2, 0.5, 0.2, 0.5, 0.1], dtype=np.float32), 3)
    assert values.tolist() == np.array([0.5, 0.5, 0.2], dtype=np.float32).tolist()
    assert indices.tolist() == [1, 3, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_columns", [1, 2, 15, 16, 17, 63, 64, 65, 1000])
def test_top_k_equals_the_oracle(dtype, n_columns):
    rng = np.random.default_rng(n_columns)
    rows = np.concatenate(
        [
            rng.standard_normal((4, n_columns)),
            rng.integers(-2, 3, (4, n_columns)),  # ties, negative values, and zeros
            np.full((1, n_columns), 0.25),
            np.arange(n_columns)[None] / 8,  # ascending: each value beats all before it
            -np.arange(n_columns)[None] / 8,
        ]
    ).astype(dtype)
    for k in {1, 2, 10, n_columns - 1, n_columns, n_columns + 3} - {0}:
        values, indices = cf.top_k(rows, k)
        assert values.dtype == dtype
        assert indices.dtype == np.int64
        assert_same_bits((values, indices), reference.top_k(rows, k))


def test_top_k_of_many_ties_takes_the_lower_columns():
    # More ties than any buffer a selection could keep, and the one larger value at the very end.
    row = np.zeros(100_000, dtype=np.float32)
    row[-1] = 1
    _, indices = cf.top_k(row, 50)
    assert indices.tolist() == [99_999, *range(49)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_top_k_knows_infinities_and_extremes(dtype):
    limits = np.finfo(dtype)
    row = np.array([0, -INF, limits.max, limits.smallest_subnormal, INF, -limits.max, -0.0], dtype=dtype)
    values, indices = cf.top_k(row, 9)
    # 0 and -0 are equal: the lower column comes first. -inf in the data keeps its column, the fill is -1.
    assert indices.tolist() == [4, 2, 3, 0, 6, 5, 1, -1, -1]
    assert values.tolist() == [*row[indices[:7]].tolist(), -INF, -INF]


def test_top_k_of_infinite_rows():
    rows = np.full((2, 70), -INF, dtype=np.float32)
    rows[1] = INF
    values, indices = cf.top_k(rows, 3)
    assert values.tolist() == [[-INF] * 3, [INF] * 3]
    assert indices.tolist() == [[0, 1, 2]] * 2


def test_top_k_of_one_row_gives_one_row():
    row = np.random.default_rng(0).random(20)
    values, indices = cf.top_k(row, 5)
    assert values.shape == indices.shape == (5,)
    assert_same_bits((values[None], indices[None]), cf.top_k(row[None], 5))


def test_top_k_of_an_empty_batch():
    values, indices = cf.top_k(np.zeros((0, 7), dtype=np.float64), 3)
    assert values.shape == indices.shape == (0, 3)
    assert values.dtype == np.float64


def test_top_k_of_no_columns(run_python):
    # In a process of its own: an empty selection is where an index of -1 goes astray.
    run_python("""
import numpy as np
import conse_fast as cf
for dtype in (np.float16, np.float32, np.float64):
    values, indices = cf.top_k(np.zeros((2, 0), dtype), 3)
    assert indices.tolist() == [[-1] * 3] * 2
    assert values.tolist() == [[-np.inf] * 3] * 2
""")


def test_top_k_takes_any_memory_layout():
    matrix = np.random.default_rng(0).integers(0, 9, (6, 33)).astype(np.float32)
    expected = reference.top_k(matrix, 5)
    for name, layout in reference.memory_layouts(matrix).items():
        values, indices = cf.top_k(layout, 5)
        assert values.dtype == np.float32, name
        assert_same_bits((values, indices), expected)


def test_top_k_writes_into_out():
    rows = np.random.default_rng(0).random((4, 9)).astype(np.float32)
    out = np.empty((4, 3), np.float32), np.empty((4, 3), np.int64)
    values, indices = cf.top_k(rows, 3, out=out)
    assert values is out[0]
    assert indices is out[1]
    assert_same_bits(out, reference.top_k(rows, 3))


def test_top_k_leaves_its_input_alone():
    rows = np.random.default_rng(0).random((4, 9)).astype(np.float32)
    before = rows.copy()
    cf.top_k(rows, 3)
    assert np.array_equal(rows, before)


# ----------------------------------------------------------------------------------------- convex_combination


def assert_combination(f, probabilities, classes, top_t, **options):
    expected = reference.convex_combination(probabilities, classes, top_t, **options)
    assert f.dtype == np.float32
    assert f.shape == expected.shape
    np.testing.assert_allclose(f, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("top_t", [1, 2, 10, 39, 40, 41, None])
@pytest.mark.parametrize("dimension", [1, 15, 16, 17, 33])
def test_convex_combination_equals_the_oracle(top_t, dimension):
    probabilities, classes, _ = random_problem(dimension, dimension=dimension)
    assert_combination(cf.convex_combination(probabilities, classes, top_t), probabilities, classes, top_t)


def test_convex_combination_keeps_ten_classes_by_default():
    probabilities, classes, _ = random_problem()
    assert_combination(cf.convex_combination(probabilities, classes), probabilities, classes, 10)


def test_convex_combination_is_not_normalised():
    f = cf.convex_combination(np.array([0.3, 0.1], dtype=np.float32), 7 * np.eye(2, dtype=np.float32))
    np.testing.assert_allclose(f, [0.75, 0.25], rtol=1e-6)


def test_convex_combination_can_keep_the_classes_lengths():
    probabilities, classes, _ = random_problem()
    f = cf.convex_combination(probabilities, classes, 5, normalize_classes=False)
    expected = reference.convex_combination(probabilities, classes, 5, normalize_classes=False)
    np.testing.assert_allclose(f, expected, rtol=0, atol=1e-5)
    assert np.abs(expected - reference.convex_combination(probabilities, classes, 5)).max() > 0.1


def test_convex_combination_breaks_ties_by_the_lower_class():
    probabilities = np.array([0.25, 0.5, 0.25, 0.25], dtype=np.float32)
    f = cf.convex_combination(probabilities, np.eye(4, dtype=np.float32), 2)
    np.testing.assert_allclose(f, [1 / 3, 2 / 3, 0, 0], rtol=1e-6)


def test_convex_combination_of_a_row_of_zeros_is_zero():
    f = cf.convex_combination(np.zeros((2, 3), dtype=np.float32), np.eye(3, dtype=np.float32))
    assert f.tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_convex_combination_of_tiny_and_huge_weights(dtype, scale):
    probabilities, classes, _ = random_problem()
    scaled = (probabilities * dtype(scale)).astype(dtype)
    assert_combination(cf.convex_combination(scaled, classes, 10), scaled, classes, 10)


@pytest.mark.parametrize("dtype", DTYPES)
def test_convex_combination_takes_each_float_dtype(dtype):
    probabilities, classes, _ = random_problem()
    probabilities, classes = probabilities.astype(dtype), classes.astype(dtype)
    assert_combination(cf.convex_combination(probabilities, classes, 10), probabilities, classes, 10)


def test_convex_combination_takes_any_memory_layout():
    probabilities, classes, _ = random_problem()
    expected = cf.convex_combination(probabilities, classes, 7)
    for name, layout in reference.memory_layouts(probabilities).items():
        assert np.array_equal(cf.convex_combination(layout, classes, 7), expected), name


def test_convex_combination_of_one_row_and_of_none():
    probabilities, classes, _ = random_problem()
    batch = cf.convex_combination(probabilities, classes)
    assert np.array_equal(cf.convex_combination(probabilities[3], classes), batch[3])
    assert cf.convex_combination(probabilities[:0], classes).shape == (0, classes.shape[1])


def test_convex_combination_writes_into_out():
    probabilities, classes, _ = random_problem()
    out = np.empty((len(probabilities), classes.shape[1]), np.float32)
    assert cf.convex_combination(probabilities, classes, out=out) is out
    assert np.array_equal(out, cf.convex_combination(probabilities, classes))


# ------------------------------------------------------------------------------------------------ cosine_rank


def assert_cosine_ranking(queries, labels, k):
    oracle = reference.cosine_scores(queries, labels)
    assert_ranking(*cf.cosine_rank(queries, labels, k), oracle, k, reference.ACCURACY)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("dimension", [1, 2, 15, 16, 17, 31, 32, 33, 300])
def test_cosine_rank_equals_the_oracle(dtype, dimension):
    rng = np.random.default_rng(dimension)
    queries = rng.standard_normal((9, dimension)).astype(np.float32)
    labels = (rng.standard_normal((257, dimension)) * rng.lognormal(size=(257, 1))).astype(dtype)
    for k in (1, 10, 257, 260):
        assert_cosine_ranking(queries, labels, k)


@pytest.mark.parametrize("n_labels", [1, 2, 31, 32, 33, 1023, 1024, 1025])
def test_cosine_rank_of_any_number_of_labels(n_labels):
    rng = np.random.default_rng(n_labels)
    queries = rng.standard_normal((5, 20)).astype(np.float32)
    assert_cosine_ranking(queries, rng.standard_normal((n_labels, 20)).astype(np.float32), 10)


def test_cosine_rank_returns_ten_by_default():
    _, classes, labels = random_problem()
    scores, indices = cf.cosine_rank(classes, labels)
    assert scores.shape == indices.shape == (40, 10)


def test_cosine_rank_orders_ties_by_the_lower_label():
    labels = np.tile(np.array([[0.6, 0.8], [1.0, 0.0]], dtype=np.float32), (50, 1))
    _, indices = cf.cosine_rank(np.array([[1.0, 0.0], [-1.0, 0.0]], dtype=np.float32), labels, 60)
    assert indices[0].tolist() == [*range(1, 100, 2), *range(0, 20, 2)]
    assert indices[1].tolist() == [*range(0, 100, 2), *range(1, 21, 2)]


def test_cosine_rank_never_ranks_a_zero_vector():
    labels = np.array([[0, 0], [-1, 0], [0, 0], [0, -2]], dtype=np.float32)
    queries = np.array([[1, 1], [0, 0]], dtype=np.float32)
    scores, indices = cf.cosine_rank(queries, labels, 3)
    assert indices.tolist() == [[1, 3, -1], [-1, -1, -1]]
    np.testing.assert_allclose(scores[0], [-np.sqrt(0.5), -np.sqrt(0.5), -INF], rtol=1e-6)
    assert scores[1].tolist() == [-INF] * 3


@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1e15, 1e30])
def test_cosine_rank_does_not_depend_on_lengths(scale):
    _, classes, labels = random_problem()
    assert_cosine_ranking(classes * np.float32(scale), labels, 10)
    assert_cosine_ranking(classes, labels * np.float32(scale), 10)


def test_cosine_rank_reads_rows_at_any_distance():
    _, queries, labels = random_problem()
    expected = cf.cosine_rank(queries, labels)
    wide = np.full((len(labels), labels.shape[1] + 5), np.nan, dtype=np.float32)
    wide[:, 2:-3] = labels
    assert_same_bits(cf.cosine_rank(queries, wide[:, 2:-3]), expected)
    sparse = np.full((3 * len(labels), labels.shape[1]), np.nan, dtype=np.float32)
    sparse[::3] = labels
    assert_same_bits(cf.cosine_rank(queries, sparse[::3]), expected)
    assert_same_bits(cf.cosine_rank(queries, labels[::-1].copy()[::-1]), expected)
    read_only = labels.copy()
    read_only.flags.writeable = False
    assert_same_bits(cf.cosine_rank(queries, read_only), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_cosine_rank_reads_a_memory_mapped_matrix(tmp_path, dtype):
    _, queries, labels = random_problem()
    np.save(tmp_path / "labels.npy", labels.astype(dtype))
    mapped = np.load(tmp_path / "labels.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    assert_same_bits(cf.cosine_rank(queries, mapped), cf.cosine_rank(queries, labels.astype(dtype)))


def test_cosine_rank_takes_queries_in_any_memory_layout():
    _, queries, labels = random_problem()
    expected = cf.cosine_rank(queries, labels)
    for layout in reference.memory_layouts(queries).values():
        assert_same_bits(cf.cosine_rank(layout, labels), expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_cosine_rank_uses_the_given_lengths(dtype):
    _, queries, labels = random_problem()
    query_lengths = (3 * reference.row_lengths(queries)).astype(dtype)
    label_lengths = np.linspace(1, 2, len(labels)).astype(dtype)
    for lengths in (
        {"query_lengths": query_lengths},
        {"label_lengths": label_lengths},
        {"query_lengths": query_lengths, "label_lengths": label_lengths},
    ):
        oracle = reference.cosine_scores(queries, labels, **lengths)
        ranking = cf.cosine_rank(queries, labels, 10, **lengths)
        # Scores grow with ||s|| / length: a few units here, and the accuracy with them.
        assert_ranking(*ranking, oracle, 10, 1e-5)


def test_cosine_rank_with_the_true_lengths_given():
    _, queries, labels = random_problem()
    lengths = {
        "query_lengths": reference.row_lengths(queries),
        "label_lengths": reference.row_lengths(labels),
    }
    oracle = reference.cosine_scores(queries, labels)
    assert_ranking(*cf.cosine_rank(queries, labels, 10, **lengths), oracle, 10, reference.ACCURACY)


@pytest.mark.parametrize("length", [1e-300, 1e300])
def test_cosine_rank_with_absurd_lengths_gives_no_nan(length):
    # Scores that float32 cannot hold may be refused or be infinite; NaN has no place in an order.
    _, queries, labels = random_problem()
    for lengths in ({"query_lengths": np.full(40, length)}, {"label_lengths": np.full(300, length)}):
        try:
            scores, _ = cf.cosine_rank(queries, labels, **lengths)
        except ValueError as error:
            assert "lengths" in str(error)  # noqa: PT017 - one of two right answers
        else:
            assert not np.isnan(scores).any()
            assert (scores[:, :-1] >= scores[:, 1:]).all()


def test_cosine_rank_takes_lengths_whose_sum_is_beyond_float64():
    _, queries, labels = random_problem()
    lengths = np.full(300, 1e308)
    lengths[17] = 1
    query = np.sign(labels[17] @ queries[0]) * queries[0]
    assert cf.cosine_rank(query, labels, 1, label_lengths=lengths).indices[0] == 17


def test_cosine_rank_of_one_query_and_of_none():
    _, queries, labels = random_problem()
    scores, indices = cf.cosine_rank(queries, labels, 4)
    assert_same_bits(cf.cosine_rank(queries[7], labels, 4), (scores[7], indices[7]))
    scores, indices = cf.cosine_rank(queries[:0], labels, 4)
    assert scores.shape == indices.shape == (0, 4)


def test_cosine_rank_writes_into_out():
    _, queries, labels = random_problem()
    out = np.empty((40, 4), np.float32), np.empty((40, 4), np.int64)
    scores, indices = cf.cosine_rank(queries, labels, 4, out=out)
    assert scores is out[0]
    assert indices is out[1]
    assert_same_bits(out, cf.cosine_rank(queries, labels, 4))


@pytest.mark.parametrize("label_dtype", [np.float16, np.float32])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_cosine_rank_needs_no_second_look_at_plain_arguments(dtype, label_dtype):
    _, queries, labels = random_problem()
    queries, labels = queries.astype(dtype), labels.astype(label_dtype)
    looked_at = np.int64(4)  # not Python's own
    assert _core.cosine_rank_plain(queries, labels, looked_at, None, None) is None
    for rows in (queries, queries[3], queries[:0]):
        straight = _core.cosine_rank_plain(rows, labels, 4, None, 2)
        assert type(straight) is cf.Ranking
        assert straight.scores.shape == (*rows.shape[:-1], 4)
        assert_same_bits(straight, cf.cosine_rank(rows, labels, looked_at))
        assert_same_bits(_core.cosine_rank_plain(rows, labels, 4, straight, None), straight)


def test_results_of_cosine_rank_may_not_overlap_an_argument():
    memory = np.random.default_rng(0).random((12, 8), np.float32)
    queries, labels = memory[:4], memory[4:]
    ids = np.empty((4, 8), np.int64)
    for scores in (queries, labels[:4], memory[2:6]):
        with pytest.raises(ValueError, match=r"out\[0\] \(scores\) shares memory"):
            cf.cosine_rank(queries, labels, 8, out=(scores, ids))
    with pytest.raises(ValueError, match=r"out\[1\] \(indices\) shares memory"):
        cf.cosine_rank(queries, labels, 8, out=(ids.view(np.float32).reshape(8, 8)[:4], ids))


# ------------------------------------------------------------------------------------------------------ conse


@pytest.mark.parametrize("top_t", [1, 10, 100, None])
def test_conse_equals_the_oracle(top_t):
    problem = random_problem(n_labels=1000)
    ranking = cf.conse(*problem, k=20, top_t=top_t)
    oracle = reference.conse_scores(*problem, top_t)
    assert_ranking(*ranking, oracle, 20, reference.tolerance(*problem[:2], top_t))


def test_conse_can_keep_the_classes_lengths():
    problem = random_problem()
    ranking = cf.conse(*problem, normalize_classes=False)
    oracle = reference.conse_scores(*problem, normalize_classes=False)
    assert_ranking(*ranking, oracle, 10, reference.ACCURACY)
    assert np.abs(oracle - reference.conse_scores(*problem)).max() > 0.01


@pytest.mark.parametrize("dtype", DTYPES)
def test_conse_takes_each_float_dtype(dtype):
    probabilities, classes, labels = random_problem()
    # Labels are never copied, so they are float32 or float16 (the error table has the rest).
    labels = labels.astype(np.float16 if dtype == np.float16 else np.float32)
    problem = reference.Problem(probabilities.astype(dtype), classes.astype(dtype), labels)
    oracle = reference.conse_scores(*problem)
    assert_ranking(*cf.conse(*problem), oracle, 10, reference.tolerance(*problem[:2]))


def test_conse_fills_rows_without_direction():
    classes = np.array([[1, 2], [-1, -2]], dtype=np.float32)
    probabilities = np.array([[0.5, 0.5], [0, 0], [1, 0]], dtype=np.float32)
    scores, indices = cf.conse(probabilities, classes, classes, 3)
    assert indices.tolist() == [[-1] * 3, [-1] * 3, [0, 1, -1]]
    assert scores[:2].tolist() == [[-INF] * 3] * 2


def test_nothing_to_rank_or_to_rank_by():
    # No labels: nothing ranks. No classes or dimensions: refused, or nothing ranks; never a crash.
    problem = random_problem()
    scores, indices = cf.cosine_rank(problem.class_embeddings, problem.label_embeddings[:0], 3)
    assert (indices == -1).all()
    assert (scores == -INF).all()
    for probabilities, classes, labels in (
        (problem.probabilities, problem.class_embeddings, problem.label_embeddings[:0]),
        (problem.probabilities[:, :0], problem.class_embeddings[:0], problem.label_embeddings),
        (problem.probabilities, problem.class_embeddings[:, :0], problem.label_embeddings[:, :0]),
    ):
        try:
            scores, indices = cf.conse(probabilities, classes, labels, 3)
        except ValueError:
            continue
        assert (indices == -1).all()
        assert (scores == -INF).all()


def test_conse_returns_a_ranking_without_names():
    problem = random_problem()
    ranking = cf.conse(*problem)
    assert isinstance(ranking, cf.Ranking)
    assert ranking.scores is ranking[0]
    assert ranking.indices is ranking[1]
    with pytest.raises(ValueError, match="names"):
        _ = ranking.names


def test_dense_ranking_among_no_labels():
    problem = random_problem()
    for nothing in (np.zeros((0, 8), np.float32), problem.label_embeddings[:0].astype(np.float16)):
        classes = problem.class_embeddings[:, : nothing.shape[1]]
        for scores, indices in (
            cf.conse(problem.probabilities, classes, nothing, k=2),
            cf.cosine_rank(classes, nothing, 2),
            cf.cosine_rank(classes, nothing, 2, query_lengths=np.ones(len(classes))),
        ):
            assert np.isneginf(scores).all()
            assert (indices == -1).all()


def test_conse_of_one_row_and_into_out():
    problem = random_problem()
    scores, indices = cf.conse(*problem, k=4)
    assert_same_bits(cf.conse(problem.probabilities[2], *problem[1:], k=4), (scores[2], indices[2]))
    out = np.empty((8, 4), np.float32), np.empty((8, 4), np.int64)
    assert cf.conse(*problem, k=4, out=out).scores is out[0]
    assert_same_bits(out, (scores, indices))
