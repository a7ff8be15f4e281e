"""The known facts of the real data, and whole rankings of real photos against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from reference import Problem, assert_ranking, assert_same_bits

import conse_fast as cf

# Plain float64 NumPy, T = 10, unit-norm class embeddings, ties counted half, 20,842 candidates, 250 photos.
HITS = {1: 0.032, 2: 0.060, 5: 0.124, 10: 0.252, 20: 0.400}
N_LABELS = 20_842


@pytest.fixture(scope="module")
def problem(real):
    return Problem(real.photos, real.class_embeddings, real.label_embeddings)


@pytest.fixture(scope="module")
def oracle(problem):
    """Computes the oracle's scores once per T."""
    known = {}

    def oracle(top_t):
        if top_t not in known:
            known[top_t] = reference.conse_scores(*problem, top_t)
        return known[top_t]

    return oracle


@pytest.fixture(scope="module", params=["full", "compact"])
def index(request, real, tmp_path_factory):
    path = tmp_path_factory.mktemp("real") / "imagenet.safetensors"
    return cf.ConseIndex.build(
        real.class_embeddings,
        real.label_embeddings,
        class_names=real.class_names,
        label_names=real.label_names,
        compact=request.param == "compact",
        path=path,
    )


def scores_by_label(ranking, n_labels=N_LABELS):
    """Returns (N, L) scores in the order of the label ids; -inf for a label that is not in the ranking."""
    scores = np.full((len(ranking.scores), n_labels), -np.inf)
    np.put_along_axis(scores, ranking.indices, ranking.scores.astype(np.float64), axis=1)
    return scores


def test_the_data_is_what_its_readme_says(real):
    assert real.class_embeddings.shape == (1000, 300)
    assert real.label_embeddings.shape == (N_LABELS, 300)
    assert len(real.photos) == len(real.truth) == 250
    assert len(real.animals) == len(real.animal_truth) == 1399


def test_the_oracle_knows_the_hits(oracle, real):
    for k, expected in HITS.items():
        assert reference.hit_at_k(oracle(10), real.truth, k) == pytest.approx(expected, abs=1e-9)


def test_the_index_knows_the_hits(index, real):
    scores = scores_by_label(index.rank(real.photos, N_LABELS))
    for k, expected in HITS.items():
        assert reference.hit_at_k(scores, real.truth, k) == pytest.approx(expected, abs=1e-9)


def test_twenty_results_are_enough_for_the_hits(index, real):
    indices = index.rank(real.photos, 20).indices
    for k, expected in HITS.items():
        assert np.mean((indices[:, :k] == real.truth[:, None]).any(axis=1)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("top_t", [1, 10, 1000])
def test_the_whole_ranking_of_every_photo(index, problem, oracle, top_t):
    allowed = reference.tolerance(*problem[:2], top_t)
    ranking = index.rank(problem.probabilities, N_LABELS, top_t)
    assert_ranking(*ranking, oracle(top_t), N_LABELS, allowed)
    for k in (1, 10, 1000):
        first = ranking.scores[:, :k], ranking.indices[:, :k]
        assert_same_bits(index.rank(problem.probabilities, k, top_t), first)


def test_every_target(index, problem, oracle, target):
    allowed = reference.tolerance(*problem[:2])
    assert_ranking(*index.rank(problem.probabilities, 100), oracle(10), 100, allowed)
    rows = slice(0, 20)
    ranking = cf.conse(problem.probabilities[rows], *problem[1:], k=100)
    assert_ranking(*ranking, oracle(10)[rows], 100, allowed[rows])


def test_threads_splits_and_single_calls(index, problem):
    whole = index.rank(problem.probabilities, n_threads=1)
    for n_threads in (2, 3, 7):
        assert_same_bits(index.rank(problem.probabilities, n_threads=n_threads), whole)
    for row in range(0, 250, 7):
        assert_same_bits(index.rank(problem.probabilities[row]), (whole.scores[row], whole.indices[row]))


def test_flattened_probabilities(index, problem):
    # At a temperature of 5 nearly all classes count: hard for pruning, and still exact.
    rows = problem.probabilities[:50].astype(np.float64) ** 0.2
    oracle = reference.conse_scores(rows, *problem[1:], None)
    allowed = reference.tolerance(rows, problem.class_embeddings, None)
    assert_ranking(*index.rank(rows, 100, None), oracle, 100, allowed)
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(problem.probabilities[:50].astype(np.float64)), -1e4)
    ranking = index.rank_logits(logits, 100, None, temperature=5.0)
    assert_ranking(*ranking, oracle, 100, allowed)


def test_photos_of_animals(index, real):
    rows = slice(0, 1399, 7)
    problem = Problem(real.animals[rows], real.class_embeddings, real.label_embeddings)
    expected = reference.conse_scores(*problem)
    ranking = index.rank(problem.probabilities, 200)
    assert_ranking(*ranking, expected, 200, reference.tolerance(*problem[:2]))
    for k in (1, 10, 100):
        hits = np.mean((ranking.indices[:, :k] == real.animal_truth[rows, None]).any(axis=1))
        assert hits == pytest.approx(reference.hit_at_k(expected, real.animal_truth[rows], k), abs=0.01)


def test_seen_and_unseen_labels_together(real, problem):
    # All 21,842 labels; the 1,000 seen ones own their class, and now compete.
    labels = np.concatenate([real.class_embeddings, real.label_embeddings])
    label_class = np.concatenate([np.arange(1000), np.full(N_LABELS, -1)])
    index = cf.ConseIndex.build(real.class_embeddings, labels, label_class=label_class)
    rows = problem.probabilities[:100]
    expected = reference.conse_scores(rows, real.class_embeddings, labels)
    ranking = index.rank(rows, 50)
    assert_ranking(*ranking, expected, 50, reference.tolerance(rows, real.class_embeddings))
    assert (ranking.indices[:, 0] < 1000).any(), "some photos look most like a seen class"


def test_names_of_the_best_labels(index, real):
    ranking = index.rank(real.photos[:5], 3)
    assert ranking.names.tolist() == [[real.label_names[label] for label in row] for row in ranking.indices]
    assert index.label_names[real.truth].tolist() == [real.label_names[label] for label in real.truth]


def test_pruning_pays_on_real_data(index):
    # Measured in an experiment: 0.5-1.0 % of the blocks survive at T = k = 10.
    assert 0 < index.info()["scored_fraction"] < 0.05


def test_a_whole_index_verifies(index):
    index.verify()
