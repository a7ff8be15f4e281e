"""Every line of the numerical contract as a test named after it, on every target, full and compact."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from reference import Problem, assert_ranking, assert_same_bits, random_problem

import conse_fast as cf

# Fused multiply-add rounds once: the same bits on each of these, whatever the width of their registers.
FUSED = {"x86-64-v3", "x86-64-v4", "armv8-a"}
INF = float("inf")


@pytest.fixture(params=["full", "compact"])
def form(request):
    return request.param


@pytest.fixture(scope="module")
def problem():
    return random_problem(7, n=70, n_classes=100, n_labels=3000, dimension=40)


@pytest.fixture
def index(make_index, problem, form):
    return make_index(*problem[1:], form=form)


def prefix(ranking, k):
    return ranking.scores[..., :k], ranking.indices[..., :k]


# -------------------------------------------------------------------------------------------------- selection


def test_kept_classes_are_the_most_probable_ties_by_the_lower_id(index, target):
    rng = np.random.default_rng(0)
    probabilities = rng.integers(0, 4, (40, 100)).astype(np.float32)  # ties within and at the T-th place
    for top_t in (1, 5, 10, 64, 99):
        weights, kept = reference.top_k(probabilities, top_t)
        assert_same_bits(index.rank(probabilities, 10, top_t), index.rank_pairs(kept, weights, 10))


@pytest.mark.parametrize(("dtype", "step"), [(np.float64, 2**-40), (np.float32, 2**-20), (np.float16, 2**-10)])
def test_selection_compares_in_the_inputs_own_dtype(make_index, form, target, dtype, step):
    # The larger value stands last; after rounding to a smaller dtype it would tie, and lose to the lower id.
    probabilities = np.array([0.5, 0.5, 0.5 + step], dtype=dtype)
    assert probabilities[2] > probabilities[0]
    index = make_index(np.eye(3), np.eye(3), form=form)
    assert index.rank(probabilities, 1, top_t=1).indices.tolist() == [2]
    assert cf.conse(probabilities, np.eye(3), np.eye(3, dtype=np.float32), 1, 1).indices.tolist() == [2]


def test_pairs_are_put_into_the_same_order(index, problem, target):
    rng = np.random.default_rng(1)
    weights, kept = reference.top_k(problem.probabilities, 12)
    weights[::2] = np.round(weights[::2], 2)  # with ties, which go to the lower id
    expected = index.rank_pairs(kept, weights)
    for _ in range(3):
        order = np.array([rng.permutation(12) for _ in kept])
        shuffled = [np.take_along_axis(array, order, axis=1) for array in (kept, weights)]
        assert_same_bits(index.rank_pairs(*shuffled), expected)


def test_a_repeated_class_in_pairs_is_an_error(index):
    with pytest.raises(ValueError, match="indices"):
        index.rank_pairs(np.array([3, 1, 3]), np.array([0.5, 0.25, 0.25]))


# ------------------------------------------------------------------------------------------------------ order


def test_results_are_ordered_by_the_returned_score_then_the_lower_label_id(make_index, problem, form, target):
    # Each label twice, the second copy under a random id: every score ties.
    rng = np.random.default_rng(0)
    labels = np.repeat(problem.label_embeddings[:500], 2, axis=0)[rng.permutation(1000)]
    scores, indices = make_index(problem.class_embeddings, labels, form=form).rank(problem.probabilities, 999)
    assert (scores[:, :-1] >= scores[:, 1:]).all()
    tied = scores[:, :-1] == scores[:, 1:]
    assert tied.sum(axis=1).min() >= 499
    assert (indices[:, :-1] < indices[:, 1:])[tied].all()


def test_scores_are_not_clamped(make_index, form, target):
    # Each label is the direction of one row: rounding takes some cosines above 1; clamping would tie them.
    probabilities, classes, _ = random_problem(0, n=256)
    labels = reference.unit_rows(reference.convex_combination(probabilities, classes))
    best = make_index(classes, labels, form=form).rank(probabilities, 1).scores
    assert best.max() > 1
    assert best.max() <= 1 + reference.tolerance(probabilities, classes).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [-100, -96, 90, 96])
def test_the_scale_of_the_weights_changes_no_bits(index, problem, target, dtype, exponent):
    # Weights are p_t / Z, computed in float64: a power of two cancels exactly. 2^-100 is about 1e-30.
    probabilities = problem.probabilities.astype(dtype)
    probabilities[probabilities < 2**-20] = 0  # so that no scaled float32 becomes subnormal
    scaled = probabilities * dtype(2.0**exponent)
    assert_same_bits(index.rank(scaled), index.rank(probabilities))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_weights_of_1e_minus_30_and_1e30_work(index, problem, target, dtype, scale):
    scaled = (problem.probabilities * dtype(scale)).astype(dtype)
    oracle = reference.conse_scores(scaled, *problem[1:])
    allowed = reference.tolerance(scaled, problem.class_embeddings)
    assert_ranking(*index.rank(scaled), oracle, 10, allowed)
    assert_ranking(*cf.conse(scaled, *problem[1:]), oracle, 10, allowed)


# --------------------------------------------------------------------------------------------------- accuracy


@pytest.mark.parametrize("sharpness", [0.05, 1, 8])
@pytest.mark.parametrize("top_t", [1, 10, None])
def test_accuracy(make_index, form, target, sharpness, top_t):
    problem = random_problem(5, n=20, n_classes=1000, n_labels=2000, dimension=50, sharpness=sharpness)
    oracle = reference.conse_scores(*problem, top_t)
    allowed = reference.tolerance(*problem[:2], top_t)
    ranking = make_index(*problem[1:], form=form).rank(problem.probabilities, 2000, top_t)
    assert_ranking(*ranking, oracle, 2000, allowed)


def test_accuracy_of_long_sums(make_index, form, target):
    # 1,000 equal terms are the worst case of a sequential float32 sum: each addition errs the same way. There
    # are more dimensions than classes, so that the full form sums over classes and the compact over dimensions.
    rng = np.random.default_rng(0)
    labels = 1 + 0.1 * rng.standard_normal((100, 1001))
    labels[0] = 1
    problem = Problem(np.full((1, 1000), 1 / 1000), np.ones((1000, 1001)), labels.astype(np.float32))
    oracle = reference.conse_scores(*problem, None)
    ranking = make_index(*problem[1:], form=form).rank(problem.probabilities, 100, None)
    assert_ranking(*ranking, oracle, 100, reference.ACCURACY)
    assert_ranking(*cf.conse(*problem, 100, None), oracle, 100, reference.ACCURACY)


def test_accuracy_of_long_dot_products(target):
    rng = np.random.default_rng(0)
    labels = (1 + 0.1 * rng.standard_normal((50, 10_000))).astype(np.float32)
    queries = np.ones((2, 10_000), np.float32)
    for typed in (labels, labels.astype(np.float16)):
        oracle = reference.cosine_scores(queries, typed)
        assert_ranking(*cf.cosine_rank(queries, typed, 50), oracle, 50, reference.ACCURACY)


def test_accuracy_of_a_hundred_thousand_equal_components(target):
    # Every addition errs the same way: one run after the other, without runs of runs, errs by 2.1e-6.
    values = np.concatenate([[1, 1 / 3, 0.1], np.random.default_rng(0).uniform(1, 2, 20)])
    labels = np.repeat(values[:, None], 100_000, axis=1).astype(np.float32)
    scores, _ = cf.cosine_rank(labels[:2], labels, len(labels))
    assert np.abs(scores.astype(np.float64) - 1).max() <= reference.ACCURACY


@pytest.mark.parametrize("remainder", [0.5, 1e-2, 1e-4])
def test_accuracy_under_cancellation(make_index, form, target, remainder):
    # Opposite classes: what is left of f is a small share of the weights, and the accuracy grows with it.
    rng = np.random.default_rng(0)
    half = rng.standard_normal((10, 30))
    classes = np.concatenate([half, -half])
    weights = rng.random((20, 10))
    problem = Problem(np.hstack([weights, weights * (1 - remainder)]), classes, rng.standard_normal((500, 30)))
    allowed = reference.tolerance(*problem[:2], None)
    assert allowed.min() > reference.ACCURACY / remainder
    oracle = reference.conse_scores(*problem, None)
    ranking = make_index(*problem[1:], form=form).rank(problem.probabilities, 20, None)
    assert_ranking(*ranking, oracle, 20, allowed)


# -------------------------------------------------------------------------------------------------- same bits


def every_ranking(index, problem, **options):
    """Returns what each ranking function says about the problem, one after the other."""
    weights, kept = reference.top_k(problem.probabilities, 10)
    logits = np.log(problem.probabilities)
    return [
        index.rank(problem.probabilities, 10, **options),
        index.rank(problem.probabilities, 10, None, **options),
        index.rank_logits(logits, 10, **options),
        index.rank_pairs(kept, weights, 10, **options),
        (index.embed(problem.probabilities, **options),),
        cf.conse(*problem, 10, **options),
        cf.cosine_rank(problem.class_embeddings, problem.label_embeddings, 10, **options),
        (cf.convex_combination(*problem[:2], **options),),
        cf.top_k(problem.probabilities, 10, **options),
    ]


def test_n_threads_agnosticism(index, problem, target):
    expected = every_ranking(index, problem, n_threads=1)
    for n_threads in (2, 3, 7, None):
        for actual, one_thread in zip(every_ranking(index, problem, n_threads=n_threads), expected):
            assert_same_bits(actual, one_thread)


@pytest.mark.parametrize("n", [1, 70])
def test_n_threads_agnosticism_with_many_labels(make_index, form, n):
    # Enough labels that one image alone is worth splitting over threads.
    problem = random_problem(3, n=n, n_labels=60_000, dimension=16)
    index = make_index(*problem[1:], form=form)
    expected = index.rank(problem.probabilities, 100, n_threads=1)
    dense = cf.conse(*problem, 100, n_threads=1)
    for n_threads in (2, 3, 7):
        assert_same_bits(index.rank(problem.probabilities, 100, n_threads=n_threads), expected)
        assert_same_bits(cf.conse(*problem, 100, n_threads=n_threads), dense)


def test_build_n_threads_agnosticism(make_index, problem, form, tmp_path):
    files = []
    for n_threads in (1, 2, 3, 7):
        path = tmp_path / f"{n_threads}.safetensors"
        make_index(*problem[1:], form=form, n_threads=n_threads).save(path)
        files.append(path.read_bytes())
    assert files[1:] == files[:1] * 3


def test_batch_split_agnosticism(index, problem, target):
    whole = index.rank(problem.probabilities)
    dense = cf.conse(*problem)
    for size in (1, 3, 32, 69):
        for begin in range(0, 70, size):
            part = slice(begin, begin + size)
            expected = whole.scores[part], whole.indices[part]
            assert_same_bits(index.rank(problem.probabilities[part]), expected)
            expected = dense.scores[part], dense.indices[part]
            assert_same_bits(cf.conse(problem.probabilities[part], *problem[1:]), expected)


def test_a_row_alone_equals_the_row_in_a_batch(index, problem, target):
    whole = index.rank(problem.probabilities)
    queries = problem.class_embeddings
    dense = cf.cosine_rank(queries, problem.label_embeddings)
    for row in range(70):
        alone = index.rank(problem.probabilities[row])
        assert_same_bits(alone, (whole.scores[row], whole.indices[row]))
        alone = cf.cosine_rank(queries[row], problem.label_embeddings)
        assert_same_bits(alone, (dense[0][row], dense[1][row]))


@pytest.mark.parametrize("dimension", [1, 15, 16, 17, 31, 32, 33, 50, 300, 1024, 1025, 2049])
def test_dense_batch_split_agnosticism(target, dimension):
    # One query alone, few and many go different ways through the kernels, and so do whole and broken tiles of labels.
    rng = np.random.default_rng(dimension)
    queries = rng.standard_normal((40, dimension)).astype(np.float32)
    labels = rng.standard_normal((611, dimension)).astype(np.float32)
    scores, indices = cf.cosine_rank(queries, labels, 611)
    for size in range(1, 41) if dimension == 33 else (1, 2, 3, 7, 8, 13, 39):
        begin = int(rng.integers(41 - size))
        part = slice(begin, begin + size)
        assert_same_bits(cf.cosine_rank(queries[part], labels, 611), (scores[part], indices[part]))
    by_label = np.take_along_axis(scores, np.argsort(indices, axis=1), axis=1)
    for first, last in ((0, 1), (5, 22), (100, 116), (301, 611)):
        some, where = cf.cosine_rank(queries, labels[first:last], last - first)
        assert np.array_equal(some, np.take_along_axis(by_label[:, first:last], where, axis=1))


def test_dense_scores_do_not_depend_on_extreme_neighbours(target):
    # Labels of zeros and labels that only float64 can score lie in the same tiles as the others.
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((20, 21)).astype(np.float32)
    labels = rng.standard_normal((100, 21)).astype(np.float32)
    strange = labels.copy()
    strange[3::16] = 0
    strange[5::16] *= np.float32(1e-35)
    strange[6::16] *= np.float32(1e35)
    untouched = np.setdiff1d(np.arange(100), [*range(3, 100, 16), *range(5, 100, 16), *range(6, 100, 16)])
    for rows in (queries, queries[:1]):
        ranking = cf.cosine_rank(rows, strange, 100)
        assert_ranking(*ranking, reference.cosine_scores(rows, strange), 100, reference.ACCURACY)
        usual = dict(zip(*(part[0].tolist() for part in cf.cosine_rank(rows, labels, 100)[::-1])))
        scores = dict(zip(*(part[0].tolist() for part in ranking[::-1])))
        assert [scores[label] for label in untouched] == [usual[label] for label in untouched]


def test_dense_same_bits_on_every_target_with_fma(monkeypatch):
    if len(FUSED.intersection(cf.targets())) < 2:
        pytest.skip(f"needs two targets with FMA, this CPU has {cf.targets()}")
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((17, 1100)).astype(np.float32)
    labels = (rng.standard_normal((203, 1100)) * rng.lognormal(sigma=9, size=(203, 1))).astype(np.float32)
    half = rng.standard_normal((203, 1100)).astype(np.float16)

    def compute():
        return [cf.cosine_rank(rows, x, 203) for rows in (queries, queries[0]) for x in (labels, half)]

    answers = on_each_target(monkeypatch, compute)
    first, *others = (answers[name] for name in answers if name in FUSED)
    for other in others:
        for actual, expected in zip(other, first):
            assert_same_bits(actual, expected)


@pytest.mark.parametrize("top_t", [1, 10, 33, None])
def test_top10_are_first_10_of_top100(index, problem, target, top_t):
    hundred = index.rank(problem.probabilities, 100, top_t)
    assert_same_bits(index.rank(problem.probabilities, 10, top_t), prefix(hundred, 10))


@pytest.mark.parametrize("top_t", [1, 10, 33, None])
def test_every_k_is_a_prefix_of_k_equal_to_the_number_of_labels(index, problem, target, top_t):
    everything = index.rank(problem.probabilities, 3000, top_t)
    for k in (1, 2, 31, 32, 33, 1000, 2999):
        assert_same_bits(index.rank(problem.probabilities, k, top_t), prefix(everything, k))


def test_every_k_is_a_prefix_without_an_index(problem, target):
    everything = cf.conse(*problem, 3000)
    for k in (1, 10, 2999):
        assert_same_bits(cf.conse(*problem, k), prefix(everything, k))


def test_data_agnosticism(problem, target, make_index):
    # The other labels decide what is skipped, never a score.
    probabilities, classes, labels = problem
    few = make_index(classes, labels[:100]).rank(probabilities, 100)
    many = make_index(classes, labels).rank(probabilities, 3000)
    position = np.argsort(many.indices, axis=1)
    scores_by_id = np.take_along_axis(many.scores, position, axis=1)
    assert np.array_equal(np.take_along_axis(scores_by_id, few.indices, axis=1), few.scores)


def test_rank_and_rank_pairs_agree_to_the_last_bit(index, problem, target):
    for dtype in (np.float16, np.float32, np.float64):
        probabilities = problem.probabilities.astype(dtype)
        for top_t in (1, 10, 33, 100):
            weights, kept = reference.top_k(probabilities, top_t)
            assert_same_bits(index.rank(probabilities, 10, top_t), index.rank_pairs(kept, weights, 10))


def test_dtype_agnosticism(index, problem, target):
    # Weights are computed in float64: values that a smaller dtype can hold give the same bits in each.
    half = problem.probabilities.astype(np.float16)
    expected = index.rank(half)
    assert_same_bits(index.rank(half.astype(np.float32)), expected)
    assert_same_bits(index.rank(half.astype(np.float64)), expected)


def test_memory_layout_agnosticism(index, problem, target):
    for dtype in (np.float16, np.float32, np.float64):
        probabilities = problem.probabilities.astype(dtype)
        expected = index.rank(probabilities)
        for layout in reference.memory_layouts(probabilities).values():
            assert_same_bits(index.rank(layout), expected)


def test_mapped_or_in_memory_agnosticism(make_index, problem, form, target):
    in_memory = make_index(*problem[1:], form=form)
    mapped = make_index(*problem[1:], form=form, mapped=True)
    for actual, expected in zip(every_ranking(mapped, problem), every_ranking(in_memory, problem)):
        assert_same_bits(actual, expected)


def on_each_target(monkeypatch, compute):
    answers = {}
    for name in cf.targets():
        monkeypatch.setenv("CONSE_FAST_TARGET", name)
        assert cf.target() == name
        answers[name] = compute()
    return answers


def test_same_bits_on_every_target_with_fma(make_index, problem, form, monkeypatch):
    if len(FUSED.intersection(cf.targets())) < 2:
        pytest.skip(f"needs two targets with FMA, this CPU has {cf.targets()}")
    index = make_index(*problem[1:], form=form, mapped=True)
    weights, kept = reference.top_k(problem.probabilities, 10)

    def compute():
        return [
            index.rank(problem.probabilities, 3000),
            index.rank(problem.probabilities, 100, None),
            index.rank(problem.probabilities[0], 100, 7),
            index.rank_pairs(kept, weights, 100),
        ]

    answers = on_each_target(monkeypatch, compute)
    first, *others = (answers[name] for name in answers if name in FUSED)
    for other in others:
        for actual, expected in zip(other, first):
            assert_same_bits(actual, expected)


def test_targets_without_fma_stay_within_the_accuracy(make_index, problem, form, monkeypatch):
    index = make_index(*problem[1:], form=form, mapped=True)
    oracle = reference.conse_scores(*problem)
    allowed = reference.tolerance(*problem[:2])
    answers = on_each_target(monkeypatch, lambda: index.rank(problem.probabilities, 500))
    assert set(answers) - FUSED, "generic is always there"
    for name in set(answers) - FUSED:
        assert_ranking(*answers[name], oracle, 500, allowed)


def test_an_index_built_on_one_target_ranks_right_on_another(make_index, problem, form, monkeypatch):
    oracle = reference.conse_scores(*problem)
    allowed = reference.tolerance(*problem[:2])
    indexes = on_each_target(monkeypatch, lambda: make_index(*problem[1:], form=form))
    for index in indexes.values():
        for ranking in on_each_target(monkeypatch, lambda index=index: index.rank(problem.probabilities)).values():
            assert_ranking(*ranking, oracle, 10, allowed)


# ------------------------------------------------------------------------------------ skipping blocks is safe


def adversarial_problems():
    """Yields problems with many exact ties and tight bounds, where one unsafe skip changes the answer."""
    rng = np.random.default_rng(0)
    small = [-1.0, 0.0, 1.0]
    labels = rng.choice(small, (2000, 4))
    yield "few distinct vectors", Problem(rng.random((20, 9)), rng.choice(small, (9, 4)), labels)
    basis = np.eye(16)
    yield "one axis per label", Problem(rng.random((20, 16)), basis, basis[rng.integers(16, size=2000)])
    yield "all scores negative", Problem(rng.random((20, 16)), basis, -basis[rng.integers(16, size=2000)])
    base = rng.standard_normal((10, 20))
    near = base[rng.integers(10, size=2000)] * (1 + 1e-7 * rng.standard_normal((2000, 20)))
    yield "differences of one rounding", Problem(rng.random((20, 30)), rng.standard_normal((30, 20)), near)
    sorted_labels = np.sort(rng.standard_normal((2000, 1)), axis=0) * [[1.0, 0.5]] + [[1.0, 0.0]]
    yield "ids along a curve", Problem(rng.random((20, 6)), rng.standard_normal((6, 2)), sorted_labels)
    equal = np.tile(rng.standard_normal((1, 8)), (2000, 1))
    yield "one vector", Problem(rng.random((20, 12)), rng.standard_normal((12, 8)), equal)


ADVERSARIAL = dict(adversarial_problems())


@pytest.mark.parametrize("name", list(ADVERSARIAL))
def test_no_block_is_skipped_that_matters(make_index, form, target, name):
    problem = ADVERSARIAL[name]
    index = make_index(*problem[1:], form=form)
    for top_t in (1, 3, None):
        everything = index.rank(problem.probabilities, 2000, top_t)
        oracle = reference.conse_scores(*problem, top_t)
        assert_ranking(*everything, oracle, 2000, reference.tolerance(*problem[:2], top_t))
        for k in (1, 5, 32, 700):
            assert_same_bits(index.rank(problem.probabilities, k, top_t), prefix(everything, k))


@pytest.mark.parametrize("n_labels", [1, 31, 33, 65])
def test_padding_never_ranks(make_index, form, target, n_labels):
    # All scores are negative, and one weight is zero: padding that scored 0 or NaN would come first.
    labels = -np.ones((n_labels, 3))
    index = make_index(np.eye(3), labels, form=form)
    scores, indices = index.rank(np.array([0.5, 0.5, 0.0]), n_labels + 5)
    assert indices.tolist() == [*range(n_labels), *[-1] * 5]
    np.testing.assert_allclose(scores[:n_labels], -np.sqrt(2 / 3), rtol=1e-6)


# ----------------------------------------------------------------------------------------------------- shapes


def test_results_are_n_by_k_and_a_row_gives_k(index, problem):
    for k in (1, 10, 2999, 3000, 3001, 5000):
        scores, indices = index.rank(problem.probabilities[:2], k)
        assert scores.shape == indices.shape == (2, k)
        scores, indices = index.rank(problem.probabilities[0], k)
        assert scores.shape == indices.shape == (k,)
        scores, indices = index.rank(problem.probabilities[:0], k)
        assert scores.shape == indices.shape == (0, k)


def test_results_of_an_empty_batch_have_k_columns_whatever_k(index, problem):
    for k in (2**31 - 1, 2**31):
        scores, indices = index.rank(problem.probabilities[:0], k)
        assert scores.shape == indices.shape == (0, k)


def test_places_beyond_the_labels_hold_minus_one_and_minus_infinity(index, problem, target):
    scores, indices = index.rank(problem.probabilities, 3004)
    assert (indices[:, 3000:] == -1).all()
    assert (scores[:, 3000:] == -INF).all()
    assert np.array_equal(np.sort(indices[:, :3000], axis=1), np.tile(np.arange(3000), (70, 1)))


@pytest.mark.parametrize("scale", [1, 1e-30, 1e30])
def test_rows_without_direction_rank_nothing(make_index, form, target, scale):
    classes = np.array([[3.0, 4.0], [-3.0, -4.0], [4.0, -3.0]])
    rows = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.25, 0.25, 1e-7], [0.25, 0.25, 1e-3], [0, 0, 1e-7]]) * scale
    index = make_index(classes, np.eye(2), form=form)
    # ||f|| is 0, 0, 2e-7 Z: no direction; then 2e-3 Z and Z: a direction, however small the weights are.
    expected = [[-1, -1]] * 3 + [[0, 1]] * 2
    assert index.rank(rows, 2).indices.tolist() == expected
    assert cf.conse(rows, classes, np.eye(2, dtype=np.float32), 2).indices.tolist() == expected
    assert (index.rank(rows, 2).scores[:3] == -INF).all()
    # The kept classes decide: with T = 1 the second and third row do point somewhere.
    assert index.rank(rows, 1, top_t=1).indices.ravel().tolist() == [-1, 1, 1, 1, 0]


def test_a_label_with_a_zero_vector_never_ranks(make_index, problem, form, target):
    labels = problem.label_embeddings.copy()
    zero = np.random.default_rng(0).random(3000) < 0.3
    labels[zero] = 0
    oracle = reference.conse_scores(*problem[:2], labels)
    ranking = make_index(problem.class_embeddings, labels, form=form).rank(problem.probabilities, 3000)
    assert_ranking(*ranking, oracle, 3000, reference.tolerance(*problem[:2]))
    assert not zero[ranking.indices[ranking.indices >= 0]].any()


def test_top_t_of_none_or_more_than_the_classes_means_all(index, problem, target):
    everything = index.rank(problem.probabilities, top_t=100)
    for top_t in (None, 101, 10**6):
        assert_same_bits(index.rank(problem.probabilities, top_t=top_t), everything)
        f = index.embed(problem.probabilities, top_t)
        assert np.array_equal(f, index.embed(problem.probabilities, 100))


# ---------------------------------------------------------------------------------------------------- lengths


@pytest.mark.parametrize("exponent", [-30, 30])
def test_build_normalises_classes_and_labels(make_index, problem, form, exponent):
    # In float64 a power of two cancels exactly: the same index, to the last bit.
    probabilities, classes, labels = problem
    scale = np.float32(2.0**exponent)
    expected = make_index(classes, labels, form=form).rank(probabilities)
    assert_same_bits(make_index(classes * scale, labels, form=form).rank(probabilities), expected)
    assert_same_bits(make_index(classes, labels * scale, form=form).rank(probabilities), expected)


def test_build_normalises_each_row_by_itself(make_index, problem, form):
    lengths = np.random.default_rng(0).lognormal(sigma=2, size=(3100, 1))
    probabilities, classes, labels = problem
    ranking = make_index(classes * lengths[:100], labels * lengths[100:], form=form).rank(probabilities)
    assert_ranking(*ranking, reference.conse_scores(*problem), 10, reference.tolerance(*problem[:2]))


def test_normalize_classes_false_keeps_the_lengths_of_the_classes(make_index, problem, form, target):
    # Lengths between 1/2 and 2 count; those of the labels never do.
    rng = np.random.default_rng(0)
    classes = reference.unit_rows(problem.class_embeddings) * 2.0 ** rng.uniform(-1, 1, (100, 1))
    oracle = reference.conse_scores(problem.probabilities, classes, problem.label_embeddings, normalize_classes=False)
    allowed = reference.tolerance(problem.probabilities, classes, normalize_classes=False)
    index = make_index(classes, problem.label_embeddings, form=form, normalize_classes=False)
    assert_ranking(*index.rank(problem.probabilities), oracle, 10, allowed)
    ranking = cf.conse(problem.probabilities, classes, problem.label_embeddings, normalize_classes=False)
    assert_ranking(*ranking, oracle, 10, allowed)


def test_convex_combination_and_embed_are_not_normalised(index, problem, target):
    expected = reference.convex_combination(*problem[:2])
    assert reference.row_lengths(expected).max() < 0.99
    np.testing.assert_allclose(cf.convex_combination(*problem[:2]), expected, rtol=0, atol=2e-6)
    np.testing.assert_allclose(index.embed(problem.probabilities), expected, rtol=0, atol=2e-6)
