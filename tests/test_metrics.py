"""Flat and per-class hit@k, hit by hit against a count over all scores, and what every metric refuses."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

import conse_fast
from conse_fast import metrics

SEEDS = st.integers(0, 2**32 - 1)

# Three images of labels 0..4. The true labels stand at places 0, 2 and nowhere (the row ends with -1).
INDICES = np.array([[3, 1, 0, 2], [4, 0, 1, 3], [2, 4, -1, -1]])
TRUTH = np.array([3, 1, 0])


def ranking(scores, width):
    """(scores, indices) of the best `width` labels by (score descending, id ascending); -inf does not rank."""
    values, indices = reference.top_k(scores, width)
    return values, np.where(np.isneginf(values), -1, indices)


def count_hits(scores, truth, k, ties):
    """hit@k from all scores, an image at a time."""
    hits = 0
    for row, label in zip(scores.tolist(), truth.tolist()):
        if row[label] == -np.inf:
            continue
        better = sum(score > row[label] for score in row)
        equal = [other for other, score in enumerate(row) if score == row[label] and other != label]
        before = {"label_id": sum(other < label for other in equal), "half": len(equal) / 2, "pessimistic": len(equal)}
        hits += better + before[ties] < k
    return hits / len(scores)


@st.composite
def problems(draw):
    """Scores of few values, so that ties abound, and labels that never rank; true labels."""
    rng = np.random.default_rng(draw(SEEDS))
    n, n_labels = draw(st.integers(1, 12)), draw(st.integers(1, 9))
    scores = rng.integers(-2, 3, (n, n_labels)).astype(np.float32)
    scores[rng.random(scores.shape) < draw(st.sampled_from([0, 0.3]))] = -np.inf
    return scores, rng.integers(n_labels, size=n)


# ------------------------------------------------------------------------------------------------- flat hit@k


def test_hits_by_hand():
    # Hits at k = 1, 2, 3, 4: image 0 at once, image 1 from 3 on, image 2 never.
    assert metrics.hit_at_k(INDICES, TRUTH, [1, 2, 3, 4]).tolist() == [1 / 3, 1 / 3, 2 / 3, 2 / 3]
    assert metrics.hit_at_k(INDICES, TRUTH, 3) == 2 / 3
    assert isinstance(metrics.hit_at_k(INDICES, TRUTH, 3), float)


def test_ties_by_hand():
    # Labels 1, 2 and 3 score the same, label 0 better; the true label is 2: one better, one of two equals before it.
    scores, indices = np.array([[5.0, 4, 4, 4]]), np.array([[0, 1, 2, 3]])
    places = metrics.find_places(scores, indices, np.array([2]), n_labels=4)
    assert (places.better.tolist(), places.tied.tolist(), places.by_id.tolist()) == ([1], [2], [2])
    first_hit = {"label_id": 3, "half": 3, "pessimistic": 4}
    for ties, first in first_hit.items():
        hits = metrics.hit_at_k(indices, np.array([2]), [1, 2, 3, 4], scores=scores, ties=ties, n_labels=4)
        assert hits.tolist() == [0.0] * (first - 1) + [1.0] * (5 - first)
    # Of the equals, label 1 is the first by id, and still has half of the others, or all, before it.
    first_hit = {"label_id": 2, "half": 3, "pessimistic": 4}
    for ties, first in first_hit.items():
        hits = metrics.hit_at_k(indices, np.array([1]), [1, 2, 3, 4], scores=scores, ties=ties, n_labels=4)
        assert hits.tolist() == [0.0] * (first - 1) + [1.0] * (5 - first)


@given(problems())
def test_whole_rankings_against_a_count_over_all_scores(problem):
    scores, truth = problem
    n_labels = scores.shape[1]
    values, indices = ranking(scores, n_labels)
    for ties in ("label_id", "half", "pessimistic"):
        ks = list(range(1, n_labels + 1))
        hits = metrics.hit_at_k(indices, truth, ks, scores=values, ties=ties, n_labels=n_labels)
        assert hits.tolist() == [count_hits(scores, truth, k, ties) for k in ks]


@given(problems(), st.integers(1, 9))
def test_short_rankings_give_the_same_or_say_that_they_are_too_short(problem, width):
    scores, truth = problem
    width = min(width, scores.shape[1])
    values, indices = ranking(scores, width)
    for ties in ("label_id", "half", "pessimistic"):
        for k in range(1, width + 1):
            expected = count_hits(scores, truth, k, ties)
            try:
                assert metrics.hit_at_k(indices, truth, k, scores=values, ties=ties) == expected
            except ValueError as error:
                assert "which always suffice" in str(error)  # noqa: PT017
                assert width <= {"label_id": 0, "half": 2 * k, "pessimistic": k}[ties]


def test_half_of_the_ties_is_what_the_oracle_counts():
    rng = np.random.default_rng(1)
    scores, truth = rng.integers(0, 6, (40, 30)).astype(np.float64), rng.integers(30, size=40)
    values, indices = ranking(scores, 30)
    for k in (1, 2, 5, 10, 30):
        expected = reference.hit_at_k(scores, truth, k)
        assert metrics.hit_at_k(indices, truth, k, scores=values, ties="half", n_labels=30) == expected


def test_a_row_without_an_answer_never_hits():
    nothing = np.full((2, 3), -1)
    for ties in ("label_id", "half", "pessimistic"):
        assert metrics.hit_at_k(nothing, [0, 1], 3, scores=np.full((2, 3), -np.inf), ties=ties) == 0


@given(problems(), st.lists(st.integers(0, 12), max_size=3))
def test_chunks_count_like_the_whole(problem, cuts):
    scores, truth = problem
    values, indices = ranking(scores, scores.shape[1])
    n_labels, ks = scores.shape[1], [scores.shape[1], 1]
    for ties in ("label_id", "pessimistic"):
        counter = metrics.HitAtK(ks, ties, n_labels)
        for rows in np.split(np.arange(len(truth)), sorted(cuts)):
            counter.add(indices[rows], truth[rows], values[rows])
        whole = metrics.hit_at_k(indices, truth, ks, scores=values, ties=ties, n_labels=n_labels)
        assert counter.result().tolist() == whole.tolist()
        assert counter.n_images == len(truth)


def test_dtypes_and_layouts_that_are_taken():
    expected = metrics.hit_at_k(INDICES, TRUTH, [1, 3])
    for dtype in (np.int8, np.int32, np.int64, ">i4"):
        assert metrics.hit_at_k(INDICES.astype(dtype), TRUTH.astype(dtype), (1, 3)).tolist() == expected.tolist()
    assert metrics.hit_at_k(np.asfortranarray(INDICES), TRUTH.tolist(), np.array([1, 3])).tolist() == expected.tolist()


# -------------------------------------------------------------------------------------------------- per class


def test_per_class_by_hand():
    # Class 0: hit, miss, miss; class 2: hit. Means over images 1/2, over classes (1/3 + 1) / 2.
    indices = np.array([[0, 2], [2, 0], [1, 2], [2, 1]])
    truth = np.array([0, 0, 0, 2])
    assert metrics.hit_at_k(indices, truth, 1) == 1 / 2
    assert metrics.per_class_hit_at_k(indices, truth) == pytest.approx(2 / 3, abs=1e-15)
    # Within the best two: class 0 in two of three, class 2 still.
    assert metrics.per_class_hit_at_k(indices, truth, [1, 2]) == pytest.approx([2 / 3, 5 / 6], abs=1e-15)
    counter = metrics.PerClassHitAtK()
    counter.add(indices, truth)
    assert counter.classes.tolist() == [0, 2]
    assert counter.per_class().tolist() == [[1 / 3, 1.0]]


@given(problems())
def test_per_class_against_balanced_accuracy(independent, problem):
    scores, truth = problem
    _, indices = ranking(scores, 1)
    sklearn = independent("sklearn.metrics")
    expected = sklearn.recall_score(truth, indices[:, 0], labels=np.unique(truth), average="macro", zero_division=0)
    assert metrics.per_class_hit_at_k(indices, truth) == pytest.approx(expected, abs=1e-12)


@given(problems(), st.lists(st.integers(0, 12), max_size=3))
def test_per_class_chunks_count_like_the_whole(problem, cuts):
    scores, truth = problem
    _, indices = ranking(scores, scores.shape[1])
    counter = metrics.PerClassHitAtK([1, scores.shape[1]])
    for rows in np.split(np.arange(len(truth)), sorted(cuts)):
        counter.add(indices[rows], truth[rows])
    whole = metrics.per_class_hit_at_k(indices, truth, [1, scores.shape[1]])
    assert counter.result().tolist() == whole.tolist()
    assert counter.n_images == len(truth)


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("function", [metrics.hit_at_k, metrics.per_class_hit_at_k])
@pytest.mark.parametrize(
    ("indices", "truth", "k", "kind", "words"),
    [
        (INDICES.astype(float), TRUTH, 1, TypeError, "indices must hold integers, got float64"),
        (INDICES[0], TRUTH, 1, ValueError, r"indices must have shape \(N, M\).*np.newaxis"),
        (INDICES, TRUTH, 5, ValueError, "indices must have at least 5 columns for k=5, got 4; rank 5 labels"),
        (INDICES - 1, TRUTH, 1, ValueError, "indices must hold label ids, or -1.*got -2"),
        (INDICES, TRUTH.astype(float), 1, TypeError, "truth must hold integers, got float64"),
        (INDICES, TRUTH[:2], 1, ValueError, r"truth must have shape \(3,\), one label per image, got \(2,\)"),
        (INDICES, [3, -1, 0], 1, ValueError, "truth must name .* got -1 for image 1; leave such images out"),
        (INDICES, TRUTH, 0, ValueError, "k must be at least 1, got 0"),
        (INDICES, TRUTH, [1, -2], ValueError, "k must be at least 1, got -2"),
        (INDICES, TRUTH, [], ValueError, "k must name at least one cut-off"),
        (INDICES, TRUTH, 1.5, TypeError, "k must be an integer, got 1.5"),
        (INDICES, TRUTH, True, TypeError, "k must be an integer, got True"),
        (INDICES, TRUTH, "10", TypeError, "k must be an integer or a sequence of them"),
        (INDICES[:0], TRUTH[:0], 1, ValueError, "there are no images"),
        (np.ma.masked_equal(INDICES, 0), TRUTH, 1, TypeError, "masked array"),
    ],
)
def test_bad_input(function, indices, truth, k, kind, words):
    with pytest.raises(kind, match=words):
        function(indices, truth, k)


SCORES = np.array([[4.0, 3, 2, 1], [4, 3, 2, 1], [4, 3, -np.inf, -np.inf]])


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"ties": "optimistic"}, ValueError, "ties must be one of 'label_id', 'half', 'pessimistic', got 'optimistic'"),
        ({"ties": "half"}, ValueError, "scores must be given with ties='half'"),
        ({"ties": "half", "scores": SCORES[:, :3]}, ValueError, r"scores must have shape \(3, 4\), got \(3, 3\)"),
        ({"ties": "half", "scores": SCORES[:, ::-1]}, ValueError, "scores must descend"),
        ({"ties": "half", "scores": SCORES * np.nan}, ValueError, "scores must hold finite numbers.*got NaN"),
        ({"ties": "half", "scores": SCORES > 2}, TypeError, "scores must hold floats, got bool"),
        ({"ties": "half", "scores": SCORES, "n_labels": 0}, ValueError, "n_labels must be at least 1"),
    ],
)
def test_bad_scores(options, kind, words):
    with pytest.raises(kind, match=words):
        metrics.hit_at_k(INDICES, TRUTH, 1, **options)


def test_a_ranking_that_ends_among_equal_scores_is_too_short():
    scores, indices = np.array([[2.0, 1, 1]]), np.array([[0, 1, 2]])
    with pytest.raises(ValueError, match="image 0 ends among them; rank 4 labels for k=3"):
        metrics.hit_at_k(indices, [1], 3, scores=scores, ties="pessimistic")
    assert metrics.hit_at_k(indices, [1], 2, scores=scores, ties="pessimistic") == 0
    assert metrics.hit_at_k(indices, [1], 3, scores=scores, ties="pessimistic", n_labels=3) == 1


def test_the_package_has_it_as_an_attribute(run_python):
    # Not imported with the package, and no optional library with it.
    print_it = "import sys, conse_fast; print('conse_fast.metrics' in sys.modules, 'metrics' in dir(conse_fast)); "
    assert run_python(print_it).split() == ["False", "True"]
    use_it = (
        "print(conse_fast.metrics.harmonic_mean(1, 1), {m.split('.')[0] for m in sys.modules} & {'scipy', 'sklearn'})"
    )
    assert run_python(print_it + use_it).split()[2:] == ["1.0", "set()"]
    with pytest.raises(AttributeError, match="has no attribute 'metric'"):
        _ = conse_fast.metric


def test_what_it_offers_is_documented():
    for name in metrics.__all__:
        assert (getattr(metrics, name).__doc__ or "").strip() or name == "Ties", name
