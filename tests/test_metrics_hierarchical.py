"""Hierarchical precision@k against a search that walks the graph one node at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conse_fast import metrics

# A hierarchy by hand; capitals are no labels. "mule" has two parents.
#
#        Animal                     labels: 0 horse  1 donkey  2 mule  3 cat  4 dog  5 stone
#        /     |                    (the stone is in no pair)
#     Equid   Carnivore
#     /  |      |    |
#  horse donkey cat  dog
#      |  |
#      mule
IS_A = [
    ("Animal", "Equid"),
    ("Animal", "Carnivore"),
    ("Equid", "horse"),
    ("Equid", "donkey"),
    ("Carnivore", "cat"),
    ("Carnivore", "dog"),
    ("horse", "mule"),
    ("donkey", "mule"),
]
LABELS = ["horse", "donkey", "mule", "cat", "dog", "stone"]


def distances(is_a, start):
    """Steps from one node to every other that can be reached."""
    neighbours = {}
    for parent, child in is_a:
        neighbours.setdefault(parent, set()).add(child)
        neighbours.setdefault(child, set()).add(parent)
    steps, waiting = {start: 0}, [start]
    for node in waiting:
        for other in neighbours.get(node, ()):
            if other not in steps:
                steps[other] = steps[node] + 1
                waiting.append(other)
    return steps


def correct_set(is_a, labels, candidates, label, k):
    """Whole rings around a label until at least k candidates stand."""
    steps = distances(is_a, labels[label])
    ring_of = {other: steps[labels[other]] for other in candidates if labels[other] in steps}
    inside = set()
    for radius in range(len(steps) + 1):
        if len(inside) >= k:
            break
        inside |= {other for other, ring in ring_of.items() if ring == radius}
    return inside


def hp_at_k(indices, truth, k, is_a, labels, candidates):
    shares = []
    for row, label in zip(indices.tolist(), truth.tolist()):
        right = correct_set(is_a, labels, candidates, label, k)
        shares.append(sum(other in right for other in row[:k]) / k)
    return np.mean(shares)


@st.composite
def problems(draw):
    """A random graph with several parents, parts that hang together with nothing, and labels in no pair."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_nodes = draw(st.integers(2, 30))
    is_a = [(int(rng.integers(child)), child) for child in range(1, n_nodes) if rng.random() < 0.8]
    is_a += [tuple(rng.choice(n_nodes, 2, replace=False).tolist()) for _ in range(draw(st.integers(0, 4)))]
    labels = rng.permutation(n_nodes)[: draw(st.integers(1, n_nodes))].tolist()
    if not {node for pair in is_a for node in pair} & set(labels):
        is_a.append((labels[0], -1))
    n_candidates = draw(st.integers(1, len(labels)))
    candidates = np.sort(rng.permutation(len(labels))[:n_candidates])
    n = draw(st.integers(1, 8))
    truth = rng.choice(candidates, n)
    indices = np.full((n, len(labels) + 2), -1)
    for row in indices:
        listed = rng.permutation(candidates)[: rng.integers(n_candidates + 1)]
        row[: len(listed)] = listed
    return is_a, labels, candidates, indices, truth


def test_rings_by_hand():
    hierarchy = metrics.Hierarchy(IS_A, LABELS)
    assert (hierarchy.n_labels, hierarchy.n_nodes, hierarchy.missing.tolist()) == (6, 9, [5])
    counter = metrics.HierarchicalPrecisionAtK(hierarchy, [1, 2, 3, 4, 6])
    # Around the horse: itself; the mule 1 step away; the donkey 2; cat and dog 4 (over Equid, Animal, Carnivore).
    expected = {1: {0}, 2: {0, 2}, 3: {0, 1, 2}, 4: {0, 1, 2, 3, 4}, 6: {0, 1, 2, 3, 4}}
    for k, ids in expected.items():
        assert counter.correct_set(0, k).tolist() == sorted(ids)
    # Around the mule: both parents come at once, so the set of 2 holds 3.
    assert counter.correct_set(2, 2).tolist() == [0, 1, 2]
    # Without the mule as a candidate it is still walked through.
    without = metrics.HierarchicalPrecisionAtK(hierarchy, 2, candidates=[0, 1, 3])
    assert without.correct_set(0, 2).tolist() == [0, 1]
    # The stone is alone.
    assert counter.correct_set(5, 4).tolist() == [5]


def test_precision_by_hand():
    hierarchy = metrics.Hierarchy(IS_A, LABELS)
    # Horse: mule, dog, horse, donkey. At 1 no hit; at 2 {horse, mule}: 1 of 2; at 3 {horse, donkey, mule}: 2 of 3;
    # at 4 everything but the stone: 4 of 4. Stone, right at once: 1, then 1 of 2, 1 of 3, 1 of 4.
    indices = np.array([[2, 4, 0, 1], [5, 0, 1, 2]])
    hp = metrics.hierarchical_precision_at_k(indices, [0, 5], [1, 2, 3, 4], hierarchy)
    assert hp == pytest.approx([(0 + 1) / 2, (1 / 2 + 1 / 2) / 2, (2 / 3 + 1 / 3) / 2, (1 + 1 / 4) / 2], abs=1e-15)
    assert metrics.hierarchical_precision_at_k(indices, [0, 5], 4, hierarchy) == hp[3]


@given(problems())
def test_against_a_walk_through_the_graph(problem):
    is_a, labels, candidates, indices, truth = problem
    hierarchy = metrics.Hierarchy(is_a, labels)
    ks = [3, 1, indices.shape[1], 2, 2]
    ks = [min(k, indices.shape[1]) for k in ks]
    counter = metrics.HierarchicalPrecisionAtK(hierarchy, ks, candidates)
    for row in range(len(truth)):
        counter.add(indices[row : row + 1], truth[row : row + 1])
    expected = [hp_at_k(indices, truth, k, is_a, labels, candidates) for k in ks]
    np.testing.assert_allclose(counter.result(), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        metrics.hierarchical_precision_at_k(indices, truth, ks, hierarchy, candidates), expected, rtol=0, atol=1e-12
    )
    for k in ks:
        for label in candidates.tolist():
            assert set(counter.correct_set(label, k).tolist()) == correct_set(is_a, labels, candidates, label, k)


@given(problems())
def test_at_1_it_is_the_hit(problem):
    is_a, labels, candidates, indices, truth = problem
    hierarchy = metrics.Hierarchy(is_a, labels)
    hp = metrics.hierarchical_precision_at_k(indices, truth, 1, hierarchy, candidates)
    assert hp == metrics.hit_at_k(indices, truth, 1)


@given(problems())
def test_the_direction_of_pairs_and_their_number_do_not_matter(problem):
    is_a, labels, candidates, indices, truth = problem
    other = [(child, parent) for parent, child in reversed(is_a)] + is_a
    figures = [
        metrics.hierarchical_precision_at_k(indices, truth, [2, 3], metrics.Hierarchy(pairs, labels), candidates)
        for pairs in (is_a, other)
        if indices.shape[1] >= 3
    ]
    assert all(figure.tolist() == figures[0].tolist() for figure in figures)


def test_more_true_labels_than_searches_at_once():
    # A chain of 300 labels: the correct set of k = 4 is the label and two on either side, less at the ends.
    n = 300
    hierarchy = metrics.Hierarchy([(i, i + 1) for i in range(n - 1)], range(n))
    counter = metrics.HierarchicalPrecisionAtK(hierarchy, 4)
    indices = np.arange(n)[:, None] + np.array([0, 2, 3, -1])
    indices[indices >= n] = -1
    counter.add(indices[::-1], np.arange(n)[::-1])
    expected = [hp_at_k(indices, np.arange(n), 4, [(i, i + 1) for i in range(n - 1)], range(n), range(n))]
    np.testing.assert_allclose(counter.result(), expected, rtol=0, atol=1e-12)
    assert counter.correct_set(150, 4).tolist() == [148, 149, 150, 151, 152]
    assert counter.correct_set(0, 4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("is_a", "labels", "kind", "words"),
    [
        (["Equid horse"], LABELS, TypeError, "is_a must hold .* pairs, got 'Equid horse'; split"),
        ([("a", "b", "c")], LABELS, TypeError, "is_a must hold .* pairs"),
        ([3], LABELS, TypeError, "is_a must hold .* pairs, got 3"),
        (IS_A, ["horse", "cat", "horse"], ValueError, "labels must name every label once, got 'horse' twice"),
        (IS_A, ["n1", "n2"], ValueError, "is_a must name at least one of the 2 labels.*'n1'"),
        ([], LABELS, ValueError, "is_a must name at least one of the 6 labels"),
        (IS_A, [], ValueError, "labels must name at least one label"),
    ],
)
def test_bad_hierarchies(is_a, labels, kind, words):
    with pytest.raises(kind, match=words):
        metrics.Hierarchy(is_a, labels)


@pytest.mark.parametrize(
    ("is_a", "labels", "words"),
    [
        (None, ["a"], "is_a must be a sequence, got NoneType"),
        ([("a", "b")], None, "labels must be a sequence, got NoneType"),
        ([{"a", "b"}], ["a"], r"is_a must hold \(parent, child\) pairs, got"),
        (["ab"], ["a"], r"is_a must hold \(parent, child\) pairs, got 'ab'"),
    ],
)
def test_what_is_no_hierarchy(is_a, labels, words):
    with pytest.raises(TypeError, match=words):
        metrics.Hierarchy(is_a, labels)


def test_pairs_may_be_rows_of_an_array():
    assert metrics.Hierarchy(np.array([["a", "b"], ["b", "c"]]), ["a", "b", "c"]).n_nodes == 3


@pytest.mark.parametrize(
    ("indices", "truth", "k", "candidates", "kind", "words"),
    [
        ([[0, 1]], [0], 3, None, ValueError, "indices must have at least 3 columns for k=3, got 2"),
        ([[0, 0]], [0], 2, None, ValueError, "indices must name a label once per image, got 0 twice in row 0"),
        ([[0, 6]], [0], 2, None, ValueError, "indices must hold candidates only, got 6"),
        ([[0, 4]], [0], 2, [0, 1], ValueError, "indices must hold candidates only, got 4"),
        ([[0, 1]], [6], 2, None, ValueError, "truth must hold ids below 6, got 6 for image 0"),
        ([[0, 1]], [4], 2, [0, 1], ValueError, "truth must be among the candidates, got 4 for image 0; leave"),
        ([[0, 1]], [-1], 2, None, ValueError, "truth must name the true label"),
        ([[0, 1]], [0], 2, [], ValueError, "candidates must hold at least one label id"),
        ([[0, 1]], [0], 2, np.zeros(0, int), ValueError, "candidates must hold at least one"),
        ([[0, 1]], [0], 2, [0, 6], ValueError, "candidates must hold label ids below 6, got 0 to 6"),
        ([[0, 1]], [0], 2, [True, False], TypeError, "candidates must hold integers, got bool"),
        (np.zeros((0, 2), int), np.zeros(0, int), 2, None, ValueError, "there are no images"),
    ],
)
def test_bad_input(indices, truth, k, candidates, kind, words):
    with pytest.raises(kind, match=words):
        metrics.hierarchical_precision_at_k(np.array(indices), truth, k, metrics.Hierarchy(IS_A, LABELS), candidates)


def test_a_correct_set_of_another_k():
    counter = metrics.HierarchicalPrecisionAtK(metrics.Hierarchy(IS_A, LABELS), [2, 5], candidates=[0, 1])
    with pytest.raises(ValueError, match=r"k must be one of \[2, 5\], got 3"):
        counter.correct_set(0, 3)
    with pytest.raises(ValueError, match="truth must be among the candidates, got 3"):
        counter.correct_set(3, 2)
