"""For each class the blocks of its own best labels, which settle most rows that are ranked alone."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_ranking, assert_same_bits, random_problem
from safetensors.numpy import load_file
from test_index_file import content_of, header_of, with_tensor, without_tensors

import conse_fast as cf

NEAREST = 16
SIZES = {"n_classes": 40, "n_labels": 1500}


def peaked(problem, share):
    """Rows whose first class has about this share of all."""
    rng = np.random.default_rng(0)
    rows = (1 - share) * problem.probabilities
    rows[np.arange(len(rows)), rng.integers(rows.shape[1], size=len(rows))] += share
    return problem._replace(probabilities=rows.astype(np.float32))


@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.9999, 1.0]),
    top_t=st.sampled_from([1, 2, 10, 32, 40]),
    k=st.sampled_from([1, 2, 10, 16, 17]),
    dimension=st.sampled_from([5, 24, 160]),
    options=st.sampled_from([{}, {"compact": True}, {"normalize_classes": False}]),
    copies=st.booleans(),
)
def test_a_row_alone_has_the_bits_of_a_batch(target, seed, share, top_t, k, dimension, options, copies):
    """In a batch no search begins with them, and many equal labels make many bounds that are equal to the floor."""
    problem = peaked(random_problem(seed, dimension=dimension, **SIZES), share)
    problem.class_embeddings[::3] *= 3
    problem.class_embeddings[5] = 0
    if copies:
        problem.label_embeddings[:700] = problem.label_embeddings[np.arange(700) % 9]
        problem.label_embeddings[700:740] = np.where(problem.class_embeddings == 0, 1, problem.class_embeddings)
    index = cf.ConseIndex.build(*problem[1:], **options)
    ranking = index.rank(problem.probabilities, k, top_t)
    for i, row in enumerate(problem.probabilities):
        assert_same_bits(index.rank(row, k, top_t), (ranking.scores[i], ranking.indices[i]))
    normalize = options.get("normalize_classes", True)
    oracle = reference.conse_scores(*problem, top_t, normalize_classes=normalize)
    allowed = reference.tolerance(*problem[:2], top_t, normalize_classes=normalize)
    assert_ranking(*ranking, oracle, k, allowed)


def test_candidates_of_a_row_alone_have_the_bits_of_a_batch():
    problem = peaked(random_problem(3, **SIZES), 0.95)
    index = cf.ConseIndex.build(*problem[1:])
    rng = np.random.default_rng(0)
    for share in (0.9, 0.5, 0.1, 0.01):
        chosen = rng.random(1500) < share
        for how in ({"candidates": chosen}, {"candidates": chosen, "form": "dot"}):
            ranking = index.rank(problem.probabilities, 10, **how)
            for i, row in enumerate(problem.probabilities):
                assert_same_bits(index.rank(row, 10, **how), (ranking.scores[i], ranking.indices[i]))


@pytest.mark.parametrize("compact", [False, True])
def test_they_are_the_blocks_with_the_highest_maxima(tmp_path, compact):
    problem = random_problem(**SIZES)
    path = tmp_path / "index.safetensors"
    cf.ConseIndex.build(*problem[1:], path=path, compact=compact).verify()
    tensors = load_file(path)
    n_blocks = len(tensors["row_label"])
    maxima = tensors["maxima.1"].reshape(40, -1)[:, :n_blocks]
    order = np.argsort(-maxima.astype(np.int32), axis=1, kind="stable")[:, :NEAREST]
    np.testing.assert_array_equal(tensors["nearest_blocks"], order)
    np.testing.assert_array_equal(tensors["nearest_maxima"], np.take_along_axis(maxima, order, axis=1))


@pytest.mark.parametrize(("n_labels", "there"), [(16 * NEAREST, False), (16 * NEAREST + 1, True)])
def test_few_blocks_are_not_listed(tmp_path, n_labels, there):
    index = cf.ConseIndex.build(*random_problem(n_labels=n_labels)[1:])
    header = header_of(content_of(index, tmp_path / "index.safetensors"))[0]
    assert ("nearest_blocks" in header) == ("nearest_maxima" in header) == there


def test_a_file_without_them_ranks_the_same(tmp_path):
    """As files were before."""
    problem = peaked(random_problem(**SIZES), 0.9)
    index = cf.ConseIndex.build(*problem[1:])
    content = content_of(index, tmp_path / "index.safetensors")
    content = without_tensors(content, "nearest_blocks", "nearest_maxima")
    (tmp_path / "before.safetensors").write_bytes(reference.seal(content))
    before = cf.ConseIndex.open(tmp_path / "before.safetensors")
    before.verify()
    for row in problem.probabilities:
        assert_same_bits(before.rank(row, 10), index.rank(row, 10))


@pytest.mark.parametrize(
    ("name", "value"),
    [("nearest_blocks", value) for value in (-1, 0, 88, 94, 95, 2**31 - 1)]
    + [("nearest_maxima", value) for value in (-32768, 0, 32767)],
)
def test_damage_does_no_harm_and_fails_verify(target, tmp_path, name, value):
    problem = peaked(random_problem(**SIZES), 0.9)
    problem.label_embeddings[1400:] = problem.label_embeddings[:100]  # blocks of twins follow
    content = content_of(cf.ConseIndex.build(*problem[1:]), tmp_path / "index.safetensors")
    dtype = np.int32 if name == "nearest_blocks" else np.int16
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(with_tensor(content, name, np.full((40, NEAREST), value, dtype)))
    index = cf.ConseIndex.open(damaged)
    for row in problem.probabilities:
        for options in ({}, {"candidates": np.arange(0, 1500, 2)}):
            indices = index.rank(row, 10, **options).indices
            assert ((indices >= -1) & (indices < index.n_labels)).all()
    with pytest.raises(ValueError, match=r"damaged\.safetensors.*nearest_blocks"):
        index.verify()
