"""ConseIndex: building, ranking in its four ways, saving and opening, names, several rows per label."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import reference
from reference import assert_ranking, assert_same_bits, random_problem

import conse_fast as cf

FORMS = ["full", "compact"]


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


def assert_ranks_like_the_oracle(index, problem, k=10, top_t=10, **options):
    oracle = reference.conse_scores(*problem, top_t, **options)
    allowed = reference.tolerance(*problem[:2], top_t, options.get("normalize_classes", True))
    assert_ranking(*index.rank(problem.probabilities, k, top_t), oracle, k, allowed)


# ------------------------------------------------------------------------------------------------------ build


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_build_takes_each_float_dtype(make_index, form, dtype):
    problem = reference.Problem(*(array.astype(dtype) for array in random_problem()))
    assert_ranks_like_the_oracle(make_index(*problem[1:], form=form), problem)


@pytest.mark.parametrize("dtypes", [(np.float16, np.float64), (np.float64, np.float16), (np.float32, np.float16)])
def test_build_takes_classes_and_labels_of_different_dtypes(make_index, form, dtypes):
    probabilities, classes, labels = random_problem()
    problem = reference.Problem(probabilities, classes.astype(dtypes[0]), labels.astype(dtypes[1]))
    assert_ranks_like_the_oracle(make_index(*problem[1:], form=form), problem)


def test_build_takes_rows_that_are_not_contiguous(make_index, form):
    probabilities, classes, labels = random_problem()
    expected = make_index(classes, labels, form=form).rank(probabilities)
    index = make_index(np.asfortranarray(classes), np.asfortranarray(labels), form=form)
    assert_same_bits(index.rank(probabilities), expected)
    index = make_index(np.repeat(classes, 2, axis=1)[:, ::2], labels[::-1].copy()[::-1], form=form)
    assert_same_bits(index.rank(probabilities), expected)


def test_build_leaves_its_input_alone_and_keeps_no_view_of_it(make_index, form):
    probabilities, classes, labels = random_problem()
    copies = classes.copy(), labels.copy()
    index = make_index(classes, labels, form=form)
    assert np.array_equal(classes, copies[0])
    assert np.array_equal(labels, copies[1])
    expected = index.rank(probabilities)
    classes[:] = labels[:] = 0
    assert_same_bits(index.rank(probabilities), expected)


def test_build_can_keep_the_classes_lengths(make_index, form):
    problem = random_problem()
    index = make_index(*problem[1:], form=form, normalize_classes=False)
    assert_ranks_like_the_oracle(index, problem, normalize_classes=False)
    assert index.info()["normalize_classes"] is False
    assert make_index(*problem[1:], form=form).info()["normalize_classes"] is True


@pytest.mark.parametrize("n_labels", [1, 2, 31, 32, 33, 1023, 1024, 1025])
def test_build_takes_any_number_of_labels(make_index, form, n_labels):
    problem = random_problem(n_labels, n_labels=n_labels)
    index = make_index(*problem[1:], form=form)
    assert index.n_labels == index.n_rows == n_labels
    assert_ranks_like_the_oracle(index, problem, k=n_labels + 2)


@pytest.mark.parametrize("n_classes", [1, 2, 63, 64, 65])
def test_build_takes_any_number_of_classes(make_index, form, n_classes):
    problem = random_problem(n_classes, n_classes=n_classes)
    for top_t in (1, 10, None):
        assert_ranks_like_the_oracle(make_index(*problem[1:], form=form), problem, top_t=top_t)


def test_build_with_a_zero_class_embedding(make_index, form):
    # It counts in Z and adds nothing to f.
    problem = random_problem()
    problem.class_embeddings[problem.probabilities[0].argmax()] = 0
    index = make_index(*problem[1:], form=form)
    assert_ranks_like_the_oracle(index, problem)
    f = reference.convex_combination(*problem[:2])
    np.testing.assert_allclose(index.embed(problem.probabilities), f, rtol=0, atol=2e-6)


def test_build_where_every_label_is_the_same(make_index, form):
    probabilities, classes, labels = random_problem()
    index = make_index(classes, np.tile(labels[:1], (500, 1)), form=form)
    scores, indices = index.rank(probabilities, 20)
    assert indices.tolist() == [[*range(20)]] * len(probabilities)
    assert (scores == scores[:, :1]).all()


def test_build_where_every_label_is_zero(make_index, form):
    probabilities, classes, labels = random_problem()
    scores, indices = make_index(classes, 0 * labels, form=form).rank(probabilities, 3)
    assert (indices == -1).all()
    assert (scores == -np.inf).all()


def test_build_reports_progress():
    _, classes, labels = random_problem()
    seen = []
    cf.ConseIndex.build(classes, labels, progress=seen.append)
    assert seen
    assert all(isinstance(fraction, float) for fraction in seen)
    assert seen == sorted(seen)
    assert 0 <= seen[0] <= seen[-1] <= 1


def test_progress_ascends_to_one_over_all_steps_of_a_build():
    rng = np.random.default_rng(7)
    classes, labels = rng.standard_normal((500, 128), np.float32), rng.standard_normal((6000, 128), np.float32)
    shares = []
    label_class = np.where(np.arange(6000) < 500, np.arange(6000), -1)
    cf.ConseIndex.build(classes, labels, label_class=label_class, progress=shares.append, n_threads=1)
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_build_passes_on_an_exception_of_progress_and_leaves_no_file(tmp_path):
    class StopError(Exception):
        pass

    def progress(fraction):
        raise StopError

    _, classes, labels = random_problem()
    with pytest.raises(StopError):
        cf.ConseIndex.build(classes, labels, progress=progress)
    with pytest.raises(StopError):
        cf.ConseIndex.build(classes, labels, progress=progress, path=tmp_path / "index.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_build_streams_to_a_file(tmp_path, form):
    probabilities, classes, labels = random_problem()
    options = {"compact": form == "compact", "label_names": [f"label {i}" for i in range(300)]}
    path = tmp_path / "streamed.safetensors"
    index = cf.ConseIndex.build(classes, labels, path=path, **options)
    assert index.path == str(path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    index.verify()

    in_memory = cf.ConseIndex.build(classes, labels, **options)
    assert_same_bits(index.rank(probabilities), in_memory.rank(probabilities))
    in_memory.save(tmp_path / "saved.safetensors")
    assert (tmp_path / "saved.safetensors").read_bytes() == path.read_bytes()


# ------------------------------------------------------------------------------------------------------- rank


def test_rank_returns_a_ranking(make_index):
    problem = random_problem()
    ranking = make_index(*problem[1:], label_names=[f"label {i}" for i in range(300)]).rank(problem.probabilities)
    assert isinstance(ranking, cf.Ranking)
    assert isinstance(ranking, tuple)
    scores, indices = ranking
    assert scores is ranking.scores
    assert indices is ranking.indices
    assert scores.shape == indices.shape == (8, 10)
    assert ranking.names.dtype == object
    assert ranking.names.tolist() == [[f"label {i}" for i in row] for row in indices]


def test_names_of_a_ranking_are_empty_where_nothing_ranks(make_index):
    index = make_index(np.eye(2), np.eye(2), label_names=["one", "two"])
    ranking = index.rank(np.array([0.75, 0.25]), 3)
    assert ranking.names.tolist() == ["one", "two", ""]


def test_names_of_a_ranking_need_names(make_index):
    ranking = make_index(np.eye(2), np.eye(2)).rank(np.array([0.75, 0.25]), 3)
    with pytest.raises(ValueError, match="names"):
        _ = ranking.names


def test_rank_keeps_ten_of_ten_by_default(make_index):
    problem = random_problem()
    index = make_index(*problem[1:])
    assert_same_bits(index.rank(problem.probabilities), index.rank(problem.probabilities, k=10, top_t=10))


def test_rank_writes_into_out(make_index, form):
    problem = random_problem()
    index = make_index(*problem[1:], form=form)
    out = np.empty((8, 5), np.float32), np.empty((8, 5), np.int64)
    ranking = index.rank(problem.probabilities, 5, out=out)
    assert ranking.scores is out[0]
    assert ranking.indices is out[1]
    assert_same_bits(out, index.rank(problem.probabilities, 5))
    one = np.empty(5, np.float32), np.empty(5, np.int64)
    index.rank(problem.probabilities[2], 5, out=one)
    assert_same_bits(one, (out[0][2], out[1][2]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_many_rows_are_ranked_as_few_are(make_index, dtype, n_threads):
    # So many that a thread takes several groups of rows at a time, and asks for one while it searches for another.
    problem = random_problem(n=5003)
    index = make_index(*problem[1:])
    rows = problem.probabilities.astype(dtype)
    few = [index.rank(rows[at : at + 7], 5, n_threads=1) for at in range(0, len(rows), 7)]
    expected = [np.concatenate(part) for part in zip(*few)]
    for layout in (rows, np.asfortranarray(rows), np.repeat(rows, 2, axis=0)[::2]):
        assert_same_bits(index.rank(layout, 5, n_threads=n_threads), expected)
    backwards = index.rank(rows[::-1], 5, n_threads=n_threads)
    assert_same_bits([part[::-1] for part in backwards], expected)


def test_rank_writes_into_an_earlier_ranking(make_index, form):
    problem = random_problem()
    index = make_index(*problem[1:], form=form)
    earlier = index.rank(problem.probabilities[:1], 5)
    ranking = index.rank(problem.probabilities[1:2], 5, out=earlier)
    assert ranking.scores is earlier.scores
    assert_same_bits(earlier, index.rank(problem.probabilities[1:2], 5))
    # Straight away, without a second look at the arguments, which took four times as long.
    assert index._rank_plain(problem.probabilities[:1], 5, 10, earlier, None) is not None
    with pytest.raises(TypeError, match="5 arguments, got 1"):
        index._rank_plain(problem.probabilities)


def test_rank_fills_every_place_of_a_reused_out(make_index, form):
    index = make_index(np.eye(2), np.eye(2), form=form)
    out = np.full((1, 4), 7, np.float32), np.full((1, 4), 7, np.int64)
    index.rank(np.array([[0.75, 0.25]]), 4, out=out)
    assert out[1].tolist() == [[0, 1, -1, -1]]
    index.rank(np.array([[0.0, 0.0]]), 4, out=out)
    assert out[1].tolist() == [[-1] * 4]
    assert out[0].tolist() == [[-np.inf] * 4]


def test_rank_takes_anything_with_dunder_array(make_index):
    class Tensor:
        def __init__(self, values):
            self.values = values

        def __array__(self, dtype=None, copy=None):
            return self.values if dtype is None else self.values.astype(dtype)

    problem = random_problem()
    index = make_index(*problem[1:])
    assert_same_bits(index.rank(Tensor(problem.probabilities)), index.rank(problem.probabilities))


def test_rank_many_rows(make_index, form):
    problem = random_problem(n=3000, n_labels=100)
    assert_ranks_like_the_oracle(make_index(*problem[1:], form=form), problem, k=3)


# ----------------------------------------------------------------------------- rank_logits, rank_pairs, embed


@pytest.mark.parametrize("top_t", [1, 10, 40, None])
@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
def test_rank_logits_equals_the_oracle(make_index, form, top_t, temperature):
    _, classes, labels = random_problem()
    logits = 4 * np.random.default_rng(1).standard_normal((8, 40))
    for dtype in (np.float16, np.float32, np.float64):
        typed = logits.astype(dtype)
        probabilities = reference.logits_to_probabilities(typed, top_t, temperature)
        oracle = reference.conse_scores(probabilities, classes, labels, None)
        ranking = make_index(classes, labels, form=form).rank_logits(typed, 10, top_t, temperature=temperature)
        assert_ranking(*ranking, oracle, 10, reference.tolerance(probabilities, classes, None))


def test_rank_logits_agrees_with_rank_of_the_softmax(make_index):
    problem = random_problem()
    index = make_index(*problem[1:])
    logits = np.log(problem.probabilities.astype(np.float64)) + 5
    oracle = reference.conse_scores(*problem)
    assert_ranking(*index.rank_logits(logits), oracle, 10, reference.tolerance(*problem[:2]))


@pytest.mark.parametrize("offset", [-1e4, 1e4])
def test_rank_logits_of_any_level(make_index, offset):
    # exp(1e4) overflows: only differences to the largest logit may be exponentiated.
    _, classes, labels = random_problem()
    logits = np.random.default_rng(1).integers(-8, 8, (4, 40)).astype(np.float64)
    index = make_index(classes, labels)
    probabilities = reference.logits_to_probabilities(logits, 10)
    oracle = reference.conse_scores(probabilities, classes, labels)
    allowed = reference.tolerance(probabilities, classes)
    assert_ranking(*index.rank_logits(logits + offset), oracle, 10, allowed)


def test_rank_logits_at_a_very_low_temperature_is_the_best_class_alone(make_index):
    _, classes, labels = random_problem()
    logits = np.arange(40, dtype=np.float32)[::-1].copy()
    index = make_index(classes, labels)
    expected = index.rank_pairs(np.arange(10), np.array([1.0] + [0.0] * 9))
    for temperature in (1e-6, 5e-324):  # the smallest number of float64, whose half is 0
        assert_same_bits(index.rank_logits(logits, temperature=temperature), expected)


def test_rank_logits_at_a_very_high_temperature_is_the_mean(make_index):
    _, classes, labels = random_problem()
    logits = np.arange(40, dtype=np.float64)[::-1].copy()
    uniform = np.zeros(40)
    uniform[:10] = 1
    oracle = reference.conse_scores(uniform, classes, labels)
    ranking = make_index(classes, labels).rank_logits(logits, temperature=1e12)
    assert_ranking(*ranking, oracle, 10, reference.tolerance(uniform, classes))


@pytest.mark.parametrize("index_dtype", [np.int16, np.int32, np.int64, np.uint8])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rank_pairs_equals_the_oracle(make_index, form, index_dtype, dtype):
    rng = np.random.default_rng(3)
    _, classes, labels = random_problem()
    indices = np.array([rng.permutation(40)[:6] for _ in range(8)]).astype(index_dtype)
    weights = rng.random((8, 6)).astype(dtype)
    dense = reference.pairs_to_probabilities(indices, weights, 40)
    oracle = reference.conse_scores(dense, classes, labels, None)
    ranking = make_index(classes, labels, form=form).rank_pairs(indices, weights)
    assert_ranking(*ranking, oracle, 10, reference.tolerance(dense, classes, None))


def test_rank_pairs_of_one_row_of_all_classes_and_of_none(make_index, form):
    problem = random_problem()
    index = make_index(*problem[1:], form=form)
    everything = np.arange(40)
    scores, indices = index.rank(problem.probabilities, top_t=None)
    ranking = index.rank_pairs(np.tile(everything, (8, 1)), problem.probabilities)
    assert_same_bits(ranking, (scores, indices))
    assert_same_bits(index.rank_pairs(everything, problem.probabilities[5]), (scores[5], indices[5]))
    empty = index.rank_pairs(np.zeros((0, 4), np.int64), np.zeros((0, 4), np.float32))
    assert empty.scores.shape == empty.indices.shape == (0, 10)


def test_rank_pairs_with_zero_weights(make_index, form):
    index = make_index(np.eye(3), np.eye(3), form=form)
    scores, indices = index.rank_pairs(np.array([[2, 0], [1, 2]]), np.array([[0.0, 2.0], [0.0, 0.0]]), 2)
    assert indices.tolist() == [[0, 1], [-1, -1]]
    assert scores.tolist() == [[1.0, 0.0], [-np.inf, -np.inf]]


@pytest.mark.parametrize("normalize_classes", [True, False])
@pytest.mark.parametrize("top_t", [1, 10, 40, 41, None])
def test_embed_equals_the_oracle(make_index, form, top_t, normalize_classes):
    problem = random_problem()
    index = make_index(*problem[1:], form=form, normalize_classes=normalize_classes)
    f = index.embed(problem.probabilities, top_t)
    expected = reference.convex_combination(*problem[:2], top_t, normalize_classes)
    assert f.dtype == np.float32
    assert f.shape == (8, 24)
    # Without normalisation the elements are some ten times as large.
    np.testing.assert_allclose(f, expected, rtol=0, atol=2e-6 if normalize_classes else 2e-5)
    assert np.array_equal(index.embed(problem.probabilities[3], top_t), f[3])


def test_embed_writes_into_out_and_knows_empty_rows(make_index):
    problem = random_problem()
    index = make_index(*problem[1:])
    problem.probabilities[2] = 0
    out = np.full((8, 24), 7, np.float32)
    assert index.embed(problem.probabilities, out=out) is out
    assert np.array_equal(out, index.embed(problem.probabilities))
    assert not out[2].any()
    assert index.embed(problem.probabilities[:0]).shape == (0, 24)


# ------------------------------------------------------------------------------------- several rows per label


@pytest.mark.parametrize("mapped", [False, True])
def test_a_label_scores_with_the_best_of_its_rows(make_index, form, mapped):
    problem = random_problem(n_labels=1000)
    row_label = np.random.default_rng(0).integers(0, 120, 1000)
    index = make_index(*problem[1:], form=form, mapped=mapped, row_label=row_label, label_names=["x"] * 120)
    assert (index.n_rows, index.n_labels) == (1000, 120)
    for k in (1, 7, 120, 125):
        assert_ranks_like_the_oracle(index, problem, k=k, row_label=row_label, n_labels=120)


def test_k_counts_labels_when_one_label_owns_the_best_rows(make_index, form):
    # 400 rows of label 7 surround the query; the others must still be found behind them.
    probabilities, classes, labels = random_problem(n=1)
    f = reference.convex_combination(probabilities, classes)
    rng = np.random.default_rng(0)
    close = f + 0.01 * rng.standard_normal((400, 24))
    problem = reference.Problem(probabilities, classes, np.concatenate([labels, close]).astype(np.float32))
    row_label = np.concatenate([np.arange(300), np.full(400, 7)])
    index = make_index(*problem[1:], form=form, row_label=row_label)
    assert index.rank(probabilities).indices[0, 0] == 7
    assert_ranks_like_the_oracle(index, problem, k=20, row_label=row_label)


def test_labels_without_rows_never_rank(make_index, form):
    problem = random_problem(n_labels=50)
    row_label = 2 * np.arange(50)
    index = make_index(*problem[1:], form=form, row_label=row_label, label_names=["x"] * 110)
    assert index.n_labels == 110
    assert_ranks_like_the_oracle(index, problem, k=110, row_label=row_label, n_labels=110)


def test_a_zero_row_beside_another_row_does_no_harm(make_index, form):
    problem = random_problem(n_labels=60)
    problem.label_embeddings[[0, 3, 4, 5]] = 0
    row_label = np.arange(60) // 2  # label 0 and 1 keep one row, label 2 has none but zeros
    index = make_index(*problem[1:], form=form, row_label=row_label)
    assert_ranks_like_the_oracle(index, problem, k=30, row_label=row_label)
    assert 2 not in index.rank(problem.probabilities, 30).indices


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_row_label_and_label_class_take_any_integers(make_index, dtype):
    problem = random_problem(n_labels=60)
    row_label = np.arange(60) // 2
    label_class = np.arange(30) % 7 - 1
    expected = make_index(*problem[1:], row_label=row_label, label_class=label_class)
    index = make_index(*problem[1:], row_label=row_label.astype(dtype), label_class=label_class.astype(dtype))
    assert_same_bits(index.rank(problem.probabilities), expected.rank(problem.probabilities))
    assert np.array_equal(index.label_class, label_class)
    listed = make_index(*problem[1:], row_label=row_label.tolist(), label_class=label_class.tolist())
    assert_same_bits(listed.rank(problem.probabilities), expected.rank(problem.probabilities))


# ------------------------------------------------------------------------------------------------ label_class


@pytest.mark.parametrize("mapped", [False, True])
def test_label_class_is_kept_and_changes_no_score(make_index, form, mapped):
    problem = random_problem()
    label_class = np.full(300, -1)
    label_class[::3] = np.arange(100) % 40
    index = make_index(*problem[1:], form=form, mapped=mapped, label_class=label_class)
    assert index.label_class.dtype == np.int32
    assert index.label_class.tolist() == label_class.tolist()
    assert_ranks_like_the_oracle(index, problem, k=300)
    if form == "full":
        # The order of the blocks is another one, the arithmetic of a score is not.
        plain = make_index(*problem[1:], form=form)
        assert_same_bits(index.rank(problem.probabilities, 300), plain.rank(problem.probabilities, 300))


def test_label_class_is_minus_one_by_default_and_read_only(make_index):
    index = make_index(np.eye(2), np.eye(2))
    assert index.label_class.tolist() == [-1, -1]
    with pytest.raises(ValueError, match="read-only"):
        index.label_class[0] = 1


# --------------------------------------------------------------------------------------- facts about an index


@pytest.mark.parametrize("mapped", [False, True])
def test_attributes(make_index, form, mapped):
    _, classes, labels = random_problem()
    index = make_index(classes, labels, form=form, mapped=mapped)
    assert (index.n_classes, index.n_labels, index.n_rows, index.dimension) == (40, 300, 300, 24)
    assert index.compact is (form == "compact")
    assert (index.path is None) is not mapped
    assert index.nbytes >= labels.nbytes


def test_nbytes_is_the_size_of_the_file(make_index, form):
    _, classes, labels = random_problem()
    index = make_index(classes, labels, form=form, mapped=True)
    assert index.nbytes == Path(index.path).stat().st_size


def test_a_compact_index_is_much_smaller(make_index):
    _, classes, labels = random_problem(n_classes=400, n_labels=5000, dimension=24)
    sizes = {form: make_index(classes, labels, form=form).nbytes for form in FORMS}
    assert sizes["compact"] < sizes["full"] / 3


@pytest.mark.parametrize("mapped", [False, True])
def test_info(make_index, form, mapped):
    _, classes, labels = random_problem()
    index = make_index(classes, labels, form=form, mapped=mapped, label_names=["x"] * 300)
    info = index.info()
    assert info["form"] == form
    assert info["format_version"]
    assert "conse" in info["producer"]
    assert [info[name] for name in ("n_classes", "n_labels", "n_rows", "dimension")] == [40, 300, 300, 24]
    assert info["n_blocks"] * info["block_rows"] >= 300
    assert info["n_distinct_blocks"] == info["n_blocks"]
    assert info["n_twins"] == 0
    assert isinstance(info["scored_fraction"], float)
    assert 0 <= info["scored_fraction"] <= 1
    assert isinstance(info["checksum"], str)
    assert info["nbytes"] == index.nbytes
    assert info["path"] == index.path


def test_repr_tells_sizes_form_and_target(make_index, form, target):
    text = repr(make_index(*random_problem()[1:], form=form))
    for fact in ("ConseIndex", "300", "40", "24", form, target):
        assert fact in text


# ---------------------------------------------------------------------------------- save, open, close, pickle


@pytest.mark.parametrize("as_path", [str, os.fspath, lambda path: path])
def test_save_and_open_take_str_and_path(tmp_path, form, as_path):
    probabilities, classes, labels = random_problem()
    path = as_path(tmp_path / "Zürich 東京.safetensors")
    index = cf.ConseIndex.build(classes, labels, compact=form == "compact")
    index.save(path)
    opened = cf.ConseIndex.open(path)
    assert opened.path == os.fspath(path)
    assert index.path is None
    assert_same_bits(opened.rank(probabilities), index.rank(probabilities))
    opened.verify()


def test_save_of_an_opened_index_copies_the_file(make_index, tmp_path, form):
    index = make_index(*random_problem()[1:], form=form, mapped=True)
    index.save(tmp_path / "copy.safetensors")
    assert (tmp_path / "copy.safetensors").read_bytes() == Path(index.path).read_bytes()


def test_save_over_the_file_that_is_open(make_index):
    probabilities, classes, labels = random_problem()
    index = make_index(classes, labels, mapped=True)
    expected = index.rank(probabilities)
    index.save(index.path)
    assert_same_bits(index.rank(probabilities), expected)
    assert_same_bits(cf.ConseIndex.open(index.path).rank(probabilities), expected)


def test_an_open_index_survives_another_one_saved_over_it(make_index):
    probabilities, classes, labels = random_problem()
    index = make_index(classes, labels, mapped=True)
    expected = index.rank(probabilities)
    other = make_index(classes, labels[:20])
    other.save(index.path)
    assert_same_bits(index.rank(probabilities), expected)
    assert_same_bits(cf.ConseIndex.open(index.path).rank(probabilities), other.rank(probabilities))


def test_a_saved_file_has_ordinary_permissions(make_index, tmp_path):
    # A file written aside is often private (0600); others must be able to map an index.
    index = make_index(*random_problem()[1:], mapped=True)
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert Path(index.path).stat().st_mode == ordinary.stat().st_mode


@pytest.mark.parametrize("mapped", [False, True])
def test_a_closed_index_refuses_to_work(make_index, mapped):
    probabilities, classes, labels = random_problem()
    index = make_index(classes, labels, mapped=mapped)
    index.close()
    index.close()
    with pytest.raises(ValueError, match="the index is closed"):
        index.rank(probabilities)
    assert "ConseIndex" in repr(index)


def test_with_closes_the_index(make_index):
    probabilities, classes, labels = random_problem()
    with make_index(classes, labels, mapped=True) as index:
        index.rank(probabilities)
    with pytest.raises(ValueError, match="the index is closed"):
        index.rank(probabilities)


def test_with_closes_the_index_after_an_error(make_index):
    index = make_index(*random_problem()[1:], mapped=True)
    with pytest.raises(KeyError), index:
        raise KeyError
    with pytest.raises(ValueError, match="the index is closed"):
        index.embed(np.zeros(40))


def test_what_an_index_gave_away_stays_safe_after_closing(run_python):
    # Views of an unmapped file would end the process; in a process of its own that shows as a failure.
    run_python("""
import gc
import numpy as np
import conse_fast as cf

names = [f"label {i}" for i in range(300)]
eye = np.eye(300, dtype=np.float32)
cf.ConseIndex.build(eye, eye, label_names=names, label_class=np.arange(300)).save("index.safetensors")
index = cf.ConseIndex.open("index.safetensors")
label_names, label_class, ranking = index.label_names, index.label_class, index.rank(eye, 1)
index.close()
del index
gc.collect()
assert label_class.tolist() == list(range(300))
assert ranking.indices.ravel().tolist() == list(range(300))
for give in (lambda: list(label_names), lambda: ranking.names.ravel().tolist()):
    try:
        assert give() == names
    except ValueError as error:
        assert "closed" in str(error)
""")


def test_pickling_an_opened_index_goes_by_its_path(make_index):
    probabilities, classes, labels = random_problem(n_labels=5000)
    index = make_index(classes, labels, mapped=True)
    pickled = pickle.dumps(index)
    assert len(pickled) < 2000
    again = pickle.loads(pickled)
    assert again.path == index.path
    assert_same_bits(again.rank(probabilities), index.rank(probabilities))
    cf.ConseIndex.build(classes, -labels).save(index.path)
    with pytest.raises(ValueError, match=r"index-0.* is not the index that was pickled"):
        pickle.loads(pickled)
    Path(index.path).unlink()
    with pytest.raises(FileNotFoundError, match="index-0"):
        pickle.loads(pickled)


def test_a_copy_of_an_index_is_the_same_index_whatever_becomes_of_its_file(make_index):
    probabilities, classes, labels = random_problem(n_labels=500)
    index = make_index(classes, labels, mapped=True, label_names=["x"] * 500)
    Path(index.path).unlink()
    for one in (copy.copy(index), copy.deepcopy(index)):
        assert_same_bits(one.rank(probabilities), index.rank(probabilities))
        one.close()
    ranking = index.rank(probabilities)
    for one in (copy.copy(ranking), copy.deepcopy(ranking)):
        assert one.names.tolist() == ranking.names.tolist()
    assert pickle.loads(pickle.dumps(index.label_names)) == ["x"] * 500


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_an_index_in_memory_goes_by_value(make_index, form, protocol):
    probabilities, classes, labels = random_problem()
    index = make_index(classes, labels, form=form, label_names=["x"] * 300)
    copy = pickle.loads(pickle.dumps(index, protocol))
    assert copy.path is None
    assert_same_bits(copy.rank(probabilities), index.rank(probabilities))
    assert copy.label_names[299] == "x"
    copy.verify()


def test_pickling_a_closed_index_is_refused(make_index):
    for mapped in (False, True):
        index = make_index(*random_problem()[1:], mapped=mapped)
        index.close()
        with pytest.raises(ValueError, match="closed"):
            pickle.dumps(index)


def test_a_ranking_can_be_pickled(make_index):
    problem = random_problem()
    ranking = make_index(*problem[1:], label_names=["x"] * 300).rank(problem.probabilities)
    pickled = pickle.dumps(ranking)
    copy = pickle.loads(pickled)
    assert isinstance(copy, cf.Ranking)
    assert_same_bits(copy, ranking)
    assert_same_bits((copy.scores, copy.indices), ranking)
    assert len(pickled) < 2000, "the index does not come along"


# ------------------------------------------------------------------------------------------------------ names

NAMES = [
    "Zürich",
    "",
    "crane",
    "crane",
    "人工知能",
    "two words, and a comma",
    "🦩",
    "tab\tnul\0end",
    "x" * 5000,
]


@pytest.fixture(params=[False, True], ids=["in memory", "mapped"])
def named(request, make_index):
    vectors = np.eye(len(NAMES))
    return make_index(
        vectors,
        vectors,
        mapped=request.param,
        class_names=[name.upper() for name in NAMES],
        label_names=NAMES,
        class_ids=[f"c{i}" for i in range(len(NAMES))],
        label_ids=[f"l{i}" for i in range(len(NAMES))],
    )


def test_names_and_ids_are_kept(named):
    assert list(named.label_names) == NAMES
    assert list(named.class_names) == [name.upper() for name in NAMES]
    assert list(named.class_ids) == [f"c{i}" for i in range(9)]
    assert list(named.label_ids) == [f"l{i}" for i in range(9)]


def test_names_are_none_when_there_are_none(make_index):
    index = make_index(np.eye(2), np.eye(2), label_ids=["a", "b"])
    assert index.class_names is index.label_names is index.class_ids is None
    assert list(index.label_ids) == ["a", "b"]


def test_names_by_position(named):
    names = named.label_names
    assert len(names) == 9
    assert names[0] == "Zürich"
    assert names[np.int32(8)] == NAMES[8]
    assert names[-1] == ""
    for wrong in (9, -2, 10**30):
        with pytest.raises(IndexError):
            names[wrong]


def test_names_by_array(named):
    names = named.label_names
    positions = np.array([[4, -1, 0], [8, 8, 2]])
    result = names[positions]
    assert result.dtype == object
    assert result.tolist() == [[NAMES[4], "", NAMES[0]], [NAMES[8], NAMES[8], NAMES[2]]]
    assert names[positions.astype(np.int8)].tolist() == result.tolist()
    assert names[np.array([], dtype=np.int64)].shape == (0,)
    assert names[np.zeros((2, 0, 3), dtype=np.int64)].shape == (2, 0, 3)
    for wrong in (9, -2):
        with pytest.raises(IndexError, match=str(wrong)):
            names[np.array([0, wrong])]


@pytest.mark.parametrize(
    "cut", [slice(None), slice(2, 5), slice(None, None, -1), slice(-3, None), slice(5, 2), slice(0, 99, 4)]
)
def test_names_by_slice(named, cut):
    assert named.label_names[cut] == NAMES[cut]


def test_names_iterate_and_contain(named):
    names = named.label_names
    assert [name for name in names] == NAMES  # noqa: C416 - the iteration itself is tested
    assert "crane" in names
    assert "heron" not in names
    assert 3 not in names


@pytest.mark.parametrize("position", ["0", 1.5, None, np.array([0.5]), np.array(["0"])])
def test_names_refuse_other_positions(named, position):
    with pytest.raises(TypeError):
        named.label_names[position]


def test_names_have_a_short_repr(make_index):
    index = make_index(np.eye(2), np.eye(2000)[:, :2] + 1, label_names=[f"label {i}" for i in range(2000)])
    text = repr(index.label_names)
    assert "2000" in text.replace(",", "").replace("_", "")
    assert len(text) < 200


@pytest.mark.parametrize("length", [1e-12, 1e-8, 1e3, 1e10])
@pytest.mark.parametrize("form", ["full", "compact"])
def test_kept_lengths_far_from_one_that_nearly_cancel(make_index, form, length):
    rng = np.random.default_rng(5)
    half = rng.standard_normal((10, 24))
    classes = length * np.concatenate([half, -half + 1e-3 * rng.standard_normal((10, 24))])
    labels, probabilities = rng.standard_normal((200, 24)), np.full((4, 20), 0.05) + 1e-3 * rng.random((4, 20))
    index = make_index(classes, labels, form=form, normalize_classes=False)
    scores, indices = index.rank(probabilities, 10, None)
    options = {"top_t": None, "normalize_classes": False}
    expected = reference.conse_scores(probabilities, classes, labels, **options)
    assert (indices >= 0).all()
    assert_ranking(scores, indices, expected, 10, reference.tolerance(probabilities, classes, **options))


def test_logits_whose_difference_leaves_float64():
    index = cf.ConseIndex.build(np.eye(3), np.eye(3))
    scores, indices = index.rank_logits([1e308, -1e308, 0.0], 3, temperature=1e308)
    expected = np.exp([1.0, 0.0, -1.0])
    np.testing.assert_allclose(scores, expected / np.linalg.norm(expected), rtol=1e-6)
    assert indices.tolist() == [0, 2, 1]


def test_results_may_not_overlap_an_argument():
    rows = np.random.default_rng(0).random((5, 10), np.float32)
    ids = np.empty((5, 10), np.int64)
    with pytest.raises(ValueError, match=r"out\[0\] \(values\) shares memory"):
        cf.top_k(rows, 10, out=(rows, ids))
    index = cf.ConseIndex.build(np.eye(10), np.eye(10))
    with pytest.raises(ValueError, match="shares memory"):
        index.rank(rows, 10, out=(rows, ids))
    with pytest.raises(ValueError, match="shares memory"):
        index.embed(rows, out=rows)


def test_results_may_not_overlap_what_says_which_labels():
    rng = np.random.default_rng(0)
    index = cf.ConseIndex.build(rng.normal(size=(10, 8)), rng.normal(size=(40, 8)))
    rows, scores = rng.random((30, 10), np.float32), np.empty((30, 4), np.float32)
    store = rng.integers(0, 10, 30 * 4 + 3)
    given, shifted = store[:-3].reshape(30, 4), store[3:].reshape(30, 4)
    flags = np.zeros((30, 40), np.bool_)
    for call in (
        lambda: index.rank(rows, 4, candidates=given, out=(scores, shifted)),
        lambda: index.rank(rows, 4, exclude=given, out=(scores, given)),
        lambda: index.rank(rows, 4, candidates=flags, out=(flags[:12].view(np.float32).reshape(30, 4), shifted)),
        lambda: index.rank_pairs(given, np.ones((30, 4), np.float32), 4, out=(scores, shifted)),
    ):
        with pytest.raises(ValueError, match="shares memory"):
            call()
    lengths = np.ones(30)
    with pytest.raises(ValueError, match="shares memory"):
        cf.cosine_rank(rows, rows, 1, query_lengths=lengths, out=(np.empty((30, 1), "f4"), lengths.view("i8")[:, None]))


def test_results_go_into_any_kind_of_int64():
    index = cf.ConseIndex.build(np.eye(10), np.eye(10))
    rows = np.random.default_rng(0).random((5, 10), np.float32)
    scores, indices = np.empty((5, 3), np.float32), np.empty((5, 3), np.longlong)
    index.rank(rows, 3, out=(scores, indices))
    assert_same_bits((scores, indices.astype(np.int64)), index.rank(rows, 3))


def test_masked_arrays_are_refused():
    masked = np.ma.masked_array([0.9, 0.1, 0.0], mask=[True, False, False])
    with pytest.raises(TypeError, match=r"masked array.*probabilities\.filled\(0\)"):
        cf.ConseIndex.build(np.eye(3), np.eye(3)).rank(masked)


def test_info_of_a_closed_index_still_knows_its_names():
    index = cf.ConseIndex.build(np.eye(3), np.eye(3), label_names=["a", "b", "c"])
    index.close()
    assert index.info()["has_label_names"]
