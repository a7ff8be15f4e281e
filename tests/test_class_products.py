"""The products of the class embeddings, from which an index with a table knows how long f is."""

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

DIMENSION = 160  # the first at which they pay for ten classes
SIZES = {"n_classes": 40, "dimension": DIMENSION}


def cancelling_problem(seed, distance):
    """Pairs of classes whose embeddings are this far from being opposite, and half of them likely together."""
    problem = random_problem(seed, **SIZES)
    rng = np.random.default_rng(seed)
    classes, rows = problem.class_embeddings, problem.probabilities
    noise = rng.standard_normal((20, DIMENSION)).astype(np.float32)
    classes[20:] = distance * noise - classes[:20]
    rows[:4, 20:] = rows[:4, :20]
    return problem


@given(
    seed=st.integers(0, 2**32 - 1),
    distance=st.sampled_from([0.0, 1e-5, 1e-3, 0.1, 1.0]),
    top_t=st.sampled_from([1, 2, 5, 9, 10, 11]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
)
def test_scores_against_the_oracle_whatever_cancels(target, seed, distance, top_t, dtype):
    problem = cancelling_problem(seed, distance)
    problem.class_embeddings[7] = 0
    rows = problem.probabilities.astype(dtype)
    index = cf.ConseIndex.build(*problem[1:])
    ranking = index.rank(rows, 10, top_t)
    oracle = reference.conse_scores(rows, *problem[1:], top_t)
    assert_ranking(*ranking, oracle, 10, reference.tolerance(rows, problem.class_embeddings, top_t))
    for i in range(len(rows)):
        assert_same_bits(index.rank(rows[i], 10, top_t), (ranking.scores[i], ranking.indices[i]))
    assert_same_bits(index.rank(rows[::-1], 10, [top_t]), (ranking.scores[None, ::-1], ranking.indices[None, ::-1]))
    found = ranking.indices >= 0
    scores = index.score_of(rows, np.column_stack([np.argwhere(found)[:, 0], ranking.indices[found]]), top_t=top_t)
    assert_same_bits((scores, scores), (ranking.scores[found], ranking.scores[found]))


def test_they_hold_the_products_of_all_pairs(tmp_path):
    problem = random_problem(**{**SIZES, "n_classes": 37})
    path = tmp_path / "index.safetensors"
    cf.ConseIndex.build(*problem[1:], path=path).verify()
    unit = reference.unit_rows(reference.unit_rows(problem.class_embeddings).astype(np.float32))
    products = load_file(path)["class_products"]
    np.testing.assert_allclose(products, (unit @ unit.T)[np.tril_indices(37)], rtol=0, atol=2e-7)


@pytest.mark.parametrize(
    ("there", "dimension", "options"),
    [
        (True, DIMENSION, {}),
        (False, DIMENSION - 1, {}),
        (False, DIMENSION, {"compact": True}),
        (False, DIMENSION, {"normalize_classes": False}),
    ],
)
def test_where_they_are_kept(tmp_path, there, dimension, options):
    index = cf.ConseIndex.build(*random_problem(n_classes=12, dimension=dimension)[1:], **options)
    assert ("class_products" in header_of(content_of(index, tmp_path / "index.safetensors"))[0]) == there


def test_thousands_of_classes_are_too_many(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.standard_normal((20, DIMENSION)).astype(np.float32)
    for there, n in ((True, 4096), (False, 4097)):
        path = tmp_path / f"{n}.safetensors"
        cf.ConseIndex.build(rng.standard_normal((n, DIMENSION)).astype(np.float32), labels, path=path)
        assert ("class_products" in header_of(path.read_bytes())[0]) == there


def test_a_file_without_them_ranks_as_well(tmp_path):
    """As files were before: the length of f comes from f."""
    problem = cancelling_problem(1, 0.1)
    path = tmp_path / "index.safetensors"
    content = content_of(cf.ConseIndex.build(*problem[1:]), path)
    (tmp_path / "before.safetensors").write_bytes(reference.seal(without_tensors(content, "class_products")))
    before = cf.ConseIndex.open(tmp_path / "before.safetensors")
    before.verify()
    ranking = before.rank(problem.probabilities, 10)
    oracle = reference.conse_scores(*problem)
    allowed = reference.tolerance(*problem[:2])
    assert_ranking(*ranking, oracle, 10, allowed)
    np.testing.assert_allclose(
        ranking.scores, cf.ConseIndex.open(path).rank(problem.probabilities, 10).scores, rtol=0, atol=2 * allowed.max()
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1, 0, 1e30])
def test_damage_does_no_harm_and_fails_verify(target, tmp_path, value):
    problem = random_problem(**SIZES)
    path = tmp_path / "index.safetensors"
    content = content_of(cf.ConseIndex.build(*problem[1:]), path)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(with_tensor(content, "class_products", np.full(40 * 41 // 2, value, np.float32)))
    index = cf.ConseIndex.open(damaged)
    indices = index.rank(problem.probabilities, 10).indices
    assert ((indices >= -1) & (indices < index.n_labels)).all()
    with pytest.raises(ValueError, match=r"damaged\.safetensors.*class_products"):
        index.verify()
