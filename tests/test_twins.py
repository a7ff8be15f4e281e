"""Labels whose vectors are equal: a search scores the first of each, and the others have its score."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_ranking, assert_same_bits, random_problem
from safetensors.numpy import load_file
from test_index_file import content_of, header_of, with_header, with_tensor

import conse_fast as cf

SIZES = {"n_classes": 40, "n_labels": 1500}


def with_twins(problem, share, n_groups, seed=0):
    """About this share of the labels get the vectors of so many others."""
    rng = np.random.default_rng(seed)
    labels = problem.label_embeddings.copy()
    originals = labels[rng.choice(len(labels), n_groups, replace=False)]
    chosen = np.flatnonzero(rng.random(len(labels)) < share)
    labels[chosen] = originals[rng.integers(n_groups, size=len(chosen))]
    return problem._replace(label_embeddings=labels)


def excluded_of(chosen):
    """The ids of all others, padded with -1."""
    return np.where(chosen, -1, np.arange(chosen.shape[1]))


@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.01, 0.3, 0.95, 1.0]),
    n_groups=st.sampled_from([1, 2, 20, 300]),
    top_t=st.sampled_from([1, 3, 10, 40]),
    k=st.sampled_from([1, 2, 10, 16, 17, 100, 1499, 1500, 1600]),
    dimension=st.sampled_from([5, 24, 160]),
    options=st.sampled_from([{}, {"compact": True}, {"normalize_classes": False}]),
)
def test_rankings_are_those_of_every_label(target, seed, share, n_groups, top_t, k, dimension, options):
    """With a penalty every row is searched, twins and all; here it is one of no label."""
    problem = with_twins(random_problem(seed, dimension=dimension, **SIZES), share, n_groups, seed)
    index = cf.ConseIndex.build(*problem[1:], **options)
    ranking = index.rank(problem.probabilities, k, top_t)
    assert_same_bits(ranking, index.rank(problem.probabilities, k, top_t, seen_penalty=0.1))
    assert_same_bits(ranking, index.rank(problem.probabilities, k, top_t, candidates=np.ones(1500, bool)))
    chosen = np.random.default_rng(seed).random((len(problem.probabilities), 1500)) < 0.5
    ranking_of_chosen = index.rank(problem.probabilities, k, top_t, candidates=chosen)
    assert_same_bits(
        ranking_of_chosen, index.rank(problem.probabilities, k, top_t, candidates=chosen, seen_penalty=0.1)
    )
    assert_same_bits(ranking_of_chosen, index.rank(problem.probabilities, k, top_t, exclude=excluded_of(chosen)))
    for i, row in enumerate(problem.probabilities[:3]):
        assert_same_bits(index.rank(row, k, top_t), (ranking.scores[i], ranking.indices[i]))
    normalize = options.get("normalize_classes", True)
    oracle = reference.conse_scores(*problem, top_t, normalize_classes=normalize)
    allowed = reference.tolerance(*problem[:2], top_t, normalize_classes=normalize)
    assert_ranking(*ranking, oracle, k, allowed)


@pytest.mark.parametrize("k", [10, 30])
def test_candidates_exclusions_and_penalties_are_of_single_labels(k):
    problem = with_twins(random_problem(4, **SIZES), 0.9, 60)
    seen = np.where(np.arange(1500) % 7 == 0, np.arange(1500) % 40, -1)
    index = cf.ConseIndex.build(*problem[1:], label_class=seen)
    exact = reference.conse_scores(*problem, 10)
    allowed = reference.tolerance(*problem[:2], 10)
    chosen = np.random.default_rng(1).random(1500) < 0.4
    out = np.arange(0, 1500, 3)
    ranking = index.rank(problem.probabilities, k, candidates=chosen)
    assert_ranking(*ranking, np.where(chosen, exact, -np.inf), k, allowed)
    ranking = index.rank(problem.probabilities, k, exclude=out)
    assert_ranking(*ranking, np.where(np.isin(np.arange(1500), out), -np.inf, exact), k, allowed)
    for penalty in (0.2, -0.2):
        ranking = index.rank(problem.probabilities, k, seen_penalty=penalty)
        assert_ranking(*ranking, exact - np.where(seen >= 0, penalty, 0), k, allowed + 1e-7)


@pytest.mark.parametrize("k", [1, 10, 16, 17, 1500])
def test_of_equal_labels_the_lowest_ids_win(k):
    problem = random_problem(**SIZES)
    problem.label_embeddings[:] = problem.label_embeddings[7]
    ranking = cf.ConseIndex.build(*problem[1:]).rank(problem.probabilities, k)
    np.testing.assert_array_equal(ranking.indices, np.tile(np.arange(k), (len(problem.probabilities), 1)))
    assert (ranking.scores == ranking.scores[:, :1]).all()


def test_the_file_lists_them_and_lets_them_follow_the_others(tmp_path):
    problem = with_twins(random_problem(**SIZES), 0.5, 100)
    path = tmp_path / "index.safetensors"
    cf.ConseIndex.build(*problem[1:], path=path).verify()
    tensors, info = load_file(path), cf.ConseIndex.open(path).info()
    next_twin, row_label, n_distinct = tensors["next_twin"], tensors["row_label"], info["n_distinct_blocks"]
    _, group = np.unique(problem.label_embeddings, axis=0, return_inverse=True)
    group = group.ravel()
    assert info["n_twins"] == 1500 - len(np.unique(group))
    for label, twin in enumerate(next_twin):
        later = np.flatnonzero(group[label + 1 :] == group[label])
        assert twin == (label + 1 + later[0] if len(later) else -1)
    first = row_label[:n_distinct][row_label[:n_distinct] >= 0]
    assert len(first) == len(np.unique(group)) == len(np.unique(group[first]))
    np.testing.assert_array_equal(np.sort(row_label[row_label >= 0]), np.arange(1500))
    lanes = tensors["twin_lanes"][:, None] >> np.arange(16) & 1
    np.testing.assert_array_equal(lanes == 1, (row_label >= 0) & (next_twin[row_label] >= 0))


@pytest.mark.parametrize("how", ["distinct", "several rows"])
def test_without_any_nothing_is_listed(tmp_path, how):
    problem = random_problem(n_labels=100)
    options = {}
    if how == "several rows":
        problem = problem._replace(label_embeddings=np.repeat(problem.label_embeddings, 2, axis=0))
        options["row_label"] = np.arange(200) % 100
    index = cf.ConseIndex.build(*problem[1:], **options)
    index.save(tmp_path / "index.safetensors")
    assert "next_twin" not in load_file(tmp_path / "index.safetensors")
    info = index.info()
    assert info["n_distinct_blocks"] == info["n_blocks"]
    assert info["n_twins"] == 0


def test_rows_may_come_in_another_order_than_labels(tmp_path):
    problem = with_twins(random_problem(**SIZES), 0.7, 50)
    owners = np.random.default_rng(2).permutation(1500)
    shuffled = cf.ConseIndex.build(problem.class_embeddings, problem.label_embeddings[owners], row_label=owners)
    shuffled.save(tmp_path / "index.safetensors")
    shuffled.verify()
    plain = cf.ConseIndex.build(*problem[1:])
    assert_same_bits(shuffled.rank(problem.probabilities, 20), plain.rank(problem.probabilities, 20))


@pytest.mark.parametrize(
    ("name", "value"),
    [("next_twin", value) for value in (-(2**31), -2, 0, 7, 1499, 1500, 2**31 - 1)]
    + [("twin_lanes", value) for value in (0, 0xFFFF)],
)
def test_damage_does_no_harm_and_fails_verify(target, tmp_path, name, value):
    problem = with_twins(random_problem(**SIZES), 0.5, 100)
    content = content_of(cf.ConseIndex.build(*problem[1:]), tmp_path / "index.safetensors")
    array = np.full_like(load_file(tmp_path / "index.safetensors")[name], value)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(with_tensor(content, name, array))
    index = cf.ConseIndex.open(damaged)
    for k in (10, 100):
        for options in ({}, {"exclude": [3, 5, 1400]}, {"candidates": np.arange(0, 1500, 2)}, {"seen_penalty": 0.5}):
            indices = index.rank(problem.probabilities, k, **options).indices
            assert ((indices >= -1) & (indices < index.n_labels)).all()
    with pytest.raises(ValueError, match=r"damaged\.safetensors.*twin"):
        index.verify()


@pytest.mark.parametrize("key", ["distinct_blocks", "n_twins"])
@pytest.mark.parametrize("count", ["0", "1", "99", "100000", "", "-1", "many"])
def test_wrong_counts_are_refused_or_fail_verify(tmp_path, key, count):
    problem = with_twins(random_problem(**SIZES), 0.5, 100)
    content = content_of(cf.ConseIndex.build(*problem[1:]), tmp_path / "index.safetensors")
    header = header_of(content)[0]
    header["__metadata__"][key] = count
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(reference.seal(with_header(content, header)))
    with pytest.raises(ValueError, match=r"damaged\.safetensors"):
        cf.ConseIndex.open(damaged).verify()


def test_a_file_of_version_2_ranks_the_same(tmp_path):
    problem = random_problem(**SIZES)
    newest = cf.ConseIndex.build(*problem[1:])
    content = content_of(newest, tmp_path / "index.safetensors")
    header = header_of(content)[0]
    header["__metadata__"]["format_version"] = "2"
    del header["__metadata__"]["n_twins"], header["__metadata__"]["distinct_blocks"]
    (tmp_path / "before.safetensors").write_bytes(reference.seal(with_header(content, header)))
    before = cf.ConseIndex.open(tmp_path / "before.safetensors")
    before.verify()
    assert before.info()["n_twins"] == 0
    assert_same_bits(before.rank(problem.probabilities, 10), newest.rank(problem.probabilities, 10))
