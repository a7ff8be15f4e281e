"""What an index tells of labels before any image arrives: the nearest classes, and who is reached."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import reference
from reference import ACCURACY, random_problem

import conse_fast as cf

N_CLASSES, N_LABELS = 70, 500
WITHOUT_VECTOR, CLASSES_WITHOUT = [17, 400], [5, 33]


@pytest.fixture(scope="module")
def problem():
    found = random_problem(n_classes=N_CLASSES, n_labels=N_LABELS, dimension=20, seed=3)
    found.label_embeddings[WITHOUT_VECTOR] = 0
    found.class_embeddings[CLASSES_WITHOUT] = 0
    return found


def cosines_of(problem):
    """(L, C) in float64, -inf where one has no vector."""
    cosines = reference.cosine_scores(problem.label_embeddings, problem.class_embeddings)
    return np.where(np.isfinite(cosines), cosines, -np.inf)


@pytest.fixture(params=["full", "compact"])
def build(request, make_index, problem):
    return lambda **options: make_index(*problem[1:], form=request.param, **options)


# -------------------------------------------------------------------------------------------- nearest classes


@pytest.mark.parametrize("normalize", [True, False])
def test_nearest_classes_are_those_of_the_oracle(build, problem, normalize):
    index = build(normalize_classes=normalize, class_names=[f"class <{i}>" for i in range(N_CLASSES)])
    for k in (1, 10, N_CLASSES + 3):
        ranking = index.nearest_classes(np.arange(N_LABELS), k)
        reference.assert_ranking(*ranking, cosines_of(problem), k, ACCURACY)
    assert ranking.names[0, 0] == f"class <{ranking.indices[0, 0]}>"
    assert (ranking.indices[WITHOUT_VECTOR] == -1).all()
    assert not np.isin(ranking.indices, CLASSES_WITHOUT).any()


def test_of_several_vectors_the_nearest_counts(build, problem):
    index = build(row_label=np.arange(N_LABELS) // 4 + 1)
    oracle = cosines_of(problem).reshape(-1, 4, N_CLASSES).max(axis=1)
    ranking = index.nearest_classes(np.arange(index.n_labels), 7)
    reference.assert_ranking(ranking.scores[1:], ranking.indices[1:], oracle, 7, ACCURACY)
    assert (ranking.indices[0] == -1).all(), "label 0 owns no vector"


def test_shapes_chunks_and_names(build, monkeypatch):
    index = build(label_ids=[f"n{i}" for i in range(N_LABELS)], label_names=["same"] * N_LABELS)
    expected = index.nearest_classes(np.arange(N_LABELS), 4)
    monkeypatch.setattr("conse_fast._explanations._LABELS_AT_ONCE", 64)
    reference.assert_same_bits(index.nearest_classes(np.arange(N_LABELS), 4), expected)
    for label in (7, "n7"):
        assert index.nearest_classes(label, 4).indices.tolist() == expected.indices[7].tolist()
    assert index.nearest_classes(["n7", "n9"], 4).scores.tolist() == expected.scores[[7, 9]].tolist()
    some = np.array([[1, 2, -1], [3, 4, 5]])
    by_table = index.nearest_classes(some, 4)
    assert by_table.indices.shape == (2, 3, 4)
    np.testing.assert_array_equal(by_table.indices[1, 2], expected.indices[5])
    assert by_table.indices[0, 2].tolist() == [-1] * 4
    assert index.nearest_classes([], 4).scores.shape == (0, 4)
    with pytest.raises(ValueError, match="labels holds 500; expected label ids from 0 to 499"):
        index.nearest_classes([1, 500])
    with pytest.raises(ValueError, match="k must be at least 1"):
        index.nearest_classes(1, 0)
    with pytest.raises(ValueError, match="500 labels have the name 'same'"):
        index.nearest_classes("same")


# ----------------------------------------------------------------------------------------------- reachability


@pytest.mark.parametrize("k", [1, 10, N_LABELS + 9])
def test_each_class_alone_ranks_its_labels(build, problem, target, k):
    index = build()
    reach = index.reachability(k)
    one_hot = np.eye(N_CLASSES, dtype=np.float32)
    indices = index.rank(one_hot, k, 1).indices
    counts = np.bincount(indices[indices >= 0], minlength=N_LABELS)
    np.testing.assert_array_equal(reach.counts, counts)
    assert reach.counts.dtype == reach.unreached.dtype == np.int64
    assert reach.counts.sum() == reach.n_classes * min(k, N_LABELS - len(WITHOUT_VECTOR))
    assert reach.n_classes == N_CLASSES - len(CLASSES_WITHOUT)
    np.testing.assert_allclose(reach.shares, counts / reach.n_classes)
    # The oracle: whoever is clearly among the k nearest labels of a class is counted, whoever clearly is not is not.
    cosines = np.delete(cosines_of(problem).T, CLASSES_WITHOUT, axis=0)
    last = np.sort(cosines, axis=1)[:, -min(k, N_LABELS - len(WITHOUT_VECTOR))][:, None]
    assert (reach.counts >= (cosines > last + ACCURACY).sum(axis=0)).all()
    assert (reach.counts <= (cosines >= last - ACCURACY).sum(axis=0)).all()


def test_reached_unreached_and_without_a_vector_are_all_labels(build):
    reach = build().reachability(3)
    everyone = np.concatenate([reach.crowding, reach.unreached, reach.without_vector])
    assert sorted(everyone.tolist()) == list(range(N_LABELS))
    assert reach.without_vector.tolist() == WITHOUT_VECTOR
    assert (reach.counts[reach.unreached] == 0).all()
    order = list(zip((-reach.counts[reach.crowding]).tolist(), reach.crowding.tolist()))
    assert order == sorted(order)
    counts = np.delete(reach.counts, WITHOUT_VECTOR).astype(float)
    expected = ((counts - counts.mean()) ** 3).mean() / counts.std() ** 3
    assert reach.skewness == pytest.approx(expected)


def test_candidates_crowd_each_other_only(build):
    index = build(label_names=[f"label <{i}>" for i in range(N_LABELS)])
    some = [3, 17, 40, 41, 399]
    for candidates in (some, index.candidates(some), np.isin(np.arange(N_LABELS), some)):
        reach = index.reachability(2, candidates)
        assert set(reach.crowding) | set(reach.unreached) == {3, 40, 41, 399}
        assert reach.without_vector.tolist() == [17]
        assert reach.counts.sum() == 2 * reach.n_classes
    title, first_line, *_ = str(reach).splitlines()
    assert title == repr(reach)
    assert (
        title
        == f"<Reachability: 4 labels reached, 0 unreached, 1 without a vector, by {reach.n_classes} classes with k=2>"
    )
    first = reach.crowding[0]
    assert first_line.split("  ")[-1] == f"label <{first}> (label {first})"
    assert first_line.split()[:2] == [str(reach.counts[first]), f"{reach.shares[first]:.1%}"]
    copy = pickle.loads(pickle.dumps(reach))
    assert f"label {first}" in str(copy)
    with pytest.raises(ValueError, match="candidates: no label has"):
        index.reachability(2, "unknown")
    with pytest.raises(ValueError, match="k must be at least 1"):
        index.reachability(0)


def test_nobody_is_reached_without_classes(make_index):
    labels = np.eye(3, dtype=np.float32)
    labels[1] = 0
    reach = make_index(np.zeros((2, 3), np.float32), labels).reachability(2)
    assert reach.n_classes == 0
    assert reach.unreached.tolist() == [0, 2]
    assert reach.without_vector.tolist() == [1]
    assert reach.shares.tolist() == [0, 0, 0]
    assert np.isnan(reach.skewness)


def test_hubs_of_a_lopsided_vocabulary(make_index):
    # All classes but one surround label 0; label 2 is nobody's.
    classes = np.array([[1, 0.1], [1, -0.1], [1, 0.05], [0, 1]], np.float32)
    labels = np.array([[1, 0], [0, 1], [-1, -1]], np.float32)
    reach = make_index(classes, labels).reachability(1)
    assert reach.counts.tolist() == [3, 1, 0]
    assert reach.crowding.tolist() == [0, 1]
    assert reach.unreached.tolist() == [2]
    assert reach.shares.tolist() == [0.75, 0.25, 0]


def test_the_real_vocabulary(real):
    index = cf.ConseIndex.build(real.class_embeddings, real.label_embeddings)
    reach = index.reachability()
    assert reach.counts.sum() == 10 * 1000
    assert len(reach.crowding) + len(reach.unreached) + len(reach.without_vector) == len(real.label_embeddings)
    nearest = index.nearest_classes(reach.crowding[:20], 1)
    own = index.rank_pairs(nearest.indices, np.ones((20, 1), np.float32), 10)
    cosines = reference.cosine_scores(
        real.label_embeddings[reach.crowding[:20]].astype(np.float64), real.class_embeddings.astype(np.float64)
    )
    np.testing.assert_allclose(nearest.scores[:, 0], cosines.max(axis=1), atol=ACCURACY)
    assert (own.scores[:, 0] >= nearest.scores[:, 0] - ACCURACY).all()
