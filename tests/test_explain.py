"""Explanations beside the oracle: the parts of a score, differences, and the shapes and errors of both."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from reference import ACCURACY, memory_layouts, random_problem

import conse_fast as cf

N_CLASSES, N_LABELS, VECTORLESS, DIRECTIONLESS = 90, 700, 17, 3
LABEL_CLASS = np.where(np.arange(N_LABELS) % 7 == 3, np.arange(N_LABELS) % N_CLASSES, -1)
EVERY = np.arange(N_LABELS)
FORMS = {"full": False, "compact": True}


@pytest.fixture(scope="module")
def problem():
    found = random_problem(n=20, n_classes=N_CLASSES, n_labels=N_LABELS, dimension=64, sharpness=4)
    found.probabilities[DIRECTIONLESS] = 0
    found.label_embeddings[VECTORLESS] = 0
    return found


@pytest.fixture(scope="module", params=FORMS)
def index(request, problem):
    return cf.ConseIndex.build(
        *problem[1:],
        class_names=[f"class <{i}>" for i in range(N_CLASSES)],
        label_names=[f"label <{i % 600}>" for i in range(N_LABELS)],
        label_ids=[f"n{i:08}" for i in range(N_LABELS)],
        label_class=LABEL_CLASS,
        compact=FORMS[request.param],
    )


def parts_of(problem, top_t, *, form="cosine", normalize=True, labels=None):
    """The definition in float64: kept classes, shares, similarities (N, L, T) and contributions."""
    probabilities, classes, all_labels = problem
    weights = reference.kept_weights(probabilities, top_t)
    _, kept = reference.top_k(probabilities, min(top_t or N_CLASSES, N_CLASSES))
    shares = np.take_along_axis(weights, kept, axis=1)
    classes = reference.unit_rows(classes) if normalize else classes.astype(np.float64)
    unit_labels = reference.unit_rows(all_labels if labels is None else labels)
    similarities = np.einsum("ntd,ld->nlt", classes[kept], unit_labels)
    lengths = reference.row_lengths(weights @ classes) if form == "cosine" else np.ones(len(kept))
    with np.errstate(divide="ignore", invalid="ignore"):
        contributions = similarities * (shares / lengths[:, np.newaxis])[:, np.newaxis]
    return kept, shares, similarities, contributions


def scores_of_every_label(index, probabilities, top_t, **options):
    """(N, L) by label, from a ranking of all of them."""
    ranking = index.rank(probabilities, N_LABELS, top_t, **options)
    scores = np.full((len(probabilities), index.n_labels + 1), -np.inf, np.float32)
    np.put_along_axis(scores, ranking.indices, ranking.scores, axis=1)
    return scores[:, :-1]


def assert_adds_up(explanation, allowed=ACCURACY):
    """The parts add up to each score that there is."""
    finite = np.isfinite(explanation.scores)
    total = explanation.contributions.sum(-1) - explanation.penalties
    error = np.abs(np.where(finite, explanation.scores, 0) - total)
    assert (np.asarray(allowed) >= error.T).all(), error.max()
    assert (total[~finite] == 0).all()


# --------------------------------------------------------------------------------------------------- the parts


@pytest.mark.parametrize("form", ["cosine", "dot"])
@pytest.mark.parametrize("top_t", [1, 10, 40, None])
def test_parts_are_those_of_the_definition(index, problem, target, top_t, form):
    t = top_t or N_CLASSES
    kept, shares, similarities, contributions = parts_of(problem, t, form=form)
    explanation = index.explain(problem.probabilities, EVERY, top_t, form=form)
    assert explanation.classes.dtype == explanation.labels.dtype == np.int64
    assert explanation.scores.dtype == np.float32
    np.testing.assert_array_equal(explanation.classes, kept)
    np.testing.assert_allclose(explanation.shares, shares, rtol=1e-14)
    there = np.isfinite(explanation.scores)
    assert not there[DIRECTIONLESS].any()
    assert not there[:, VECTORLESS].any()
    assert there.sum() == (len(there) - 1) * (N_LABELS - 1)
    np.testing.assert_allclose(explanation.similarities[there], similarities[there], atol=1.5e-7)
    allowed = reference.tolerance(*problem[:2], t)
    error = np.abs(explanation.contributions - contributions).max(axis=-1, where=there[..., None], initial=0)
    assert (error.max(axis=1) <= allowed).all()
    assert not explanation.similarities[~there].any()
    assert_adds_up(explanation, allowed)


@pytest.mark.parametrize("form", ["cosine", "dot"])
@pytest.mark.parametrize("penalty", [0.0, 0.25, -0.1])
@pytest.mark.parametrize("top_t", [1, 10, 40, None])
def test_scores_have_the_bits_of_rankings(index, problem, target, top_t, penalty, form):
    options = {"form": form, "seen_penalty": penalty}
    explanation = index.explain(problem.probabilities, EVERY, top_t, **options)
    expected = scores_of_every_label(index, problem.probabilities, top_t, **options)
    np.testing.assert_array_equal(explanation.scores, expected)
    set_back = np.isfinite(expected) & (LABEL_CLASS >= 0)
    np.testing.assert_array_equal(explanation.penalties, np.where(set_back, penalty, 0))
    assert_adds_up(explanation, reference.tolerance(*problem[:2], top_t or N_CLASSES) + 1e-7)


@given(seed=st.integers(0, 2**32 - 1), top_t=st.integers(1, 95), n_labels=st.integers(0, 9))
def test_any_labels_of_any_ranking(index, problem, seed, top_t, n_labels):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, N_LABELS, (20, n_labels))
    probabilities = rng.permutation(problem.probabilities).astype(rng.choice(["f2", "f4", "f8"]))
    explanation = index.explain(probabilities, labels, top_t)
    every = np.pad(scores_of_every_label(index, probabilities, top_t), ((0, 0), (0, 1)), constant_values=-np.inf)
    np.testing.assert_array_equal(explanation.scores, np.take_along_axis(every, labels, axis=1))
    assert_adds_up(explanation, reference.tolerance(probabilities, problem.class_embeddings, top_t))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("top_t", [1, 10, None])
def test_labels_with_several_vectors_and_classes_of_any_length(make_index, problem, target, form, normalize, top_t):
    row_label = np.arange(N_LABELS) // 3 + 1  # label 0 owns none
    index = make_index(*problem[1:], form=form, row_label=row_label, normalize_classes=normalize)
    explanation = index.explain(problem.probabilities, np.arange(index.n_labels), top_t)
    expected = scores_of_every_label(index, problem.probabilities, top_t)
    np.testing.assert_array_equal(explanation.scores, expected)
    assert np.isinf(expected[:, 0]).all()
    assert_adds_up(explanation, reference.tolerance(*problem[:2], top_t or N_CLASSES, normalize))
    _, _, similarities, contributions = parts_of(problem, top_t, normalize=normalize)
    best = contributions[0, :, :].sum(-1)[3:6].argmax() + 3
    np.testing.assert_allclose(explanation.similarities[0, 2], similarities[0, best], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("missing", ["skip", "refill"])
@pytest.mark.parametrize("top_t", [3, 10, None])
def test_classes_without_a_vector(make_index, problem, form, missing, top_t):
    without = np.argsort(-problem.probabilities[0])[[0, 2]]
    classes = problem.class_embeddings.copy()
    classes[without] = 0
    index = make_index(classes, problem.label_embeddings, form=form, missing_classes=missing)
    explanation = index.explain(problem.probabilities, EVERY, top_t)
    expected = scores_of_every_label(index, problem.probabilities, top_t)
    np.testing.assert_array_equal(explanation.scores, expected)
    rows = problem.probabilities.copy()
    if missing == "refill":
        rows[:, without] = 0
    _, kept = reference.top_k(rows, explanation.classes.shape[1])
    np.testing.assert_array_equal(explanation.classes, kept)
    assert_adds_up(explanation, reference.tolerance(rows, classes, top_t))
    is_without = np.isin(explanation.classes[0], without)
    assert is_without.any() == (missing == "skip" or top_t is None)
    assert not explanation.contributions[0][:, is_without].any()


def test_ties_zeros_and_extreme_weights(make_index, problem):
    index = make_index(*problem[1:])
    row = np.zeros(N_CLASSES)
    row[[7, 70, 30]] = 0.2, 0.2, 0.6
    explanation = index.explain(row, 5)
    assert explanation.classes.tolist() == [30, 7, 70, *range(7)]
    np.testing.assert_allclose(explanation.shares, [0.6, 0.2, 0.2, *[0] * 7])
    assert not explanation.contributions[3:].any()
    for factor, precision in ((1e-320, 2e-3), (1e-30, 1e-12), (1e30, 1e-12), (1.7e308, 1e-12)):
        scaled = index.explain(row * factor, 5)
        np.testing.assert_array_equal(scaled.classes, explanation.classes)
        np.testing.assert_allclose(scaled.shares, explanation.shares, rtol=precision)
        assert_adds_up(scaled)


def test_memory_layouts_threads_and_batches_change_no_bit(index, problem):
    expected = index.explain(problem.probabilities, [5, 6])
    for name, probabilities in memory_layouts(problem.probabilities).items():
        explanation = index.explain(probabilities, [5, 6])
        np.testing.assert_array_equal(explanation.contributions, expected.contributions, err_msg=name)
    many = np.resize(problem.probabilities, (2000, N_CLASSES))
    for n_threads in (1, 2, 5):
        explanation = index.explain(many, [5, 6], n_threads=n_threads)
        for part in ("scores", "classes", "shares", "similarities", "contributions"):
            np.testing.assert_array_equal(getattr(explanation, part)[1980:], getattr(expected, part))


# ------------------------------------------------------------------------------------------------- the shapes


def test_labels_are_given_in_several_ways(index, problem):
    n, t = len(problem.probabilities), 10
    row = problem.probabilities[0]
    expected = index.explain(problem.probabilities, np.tile([5, 610], (n, 1)))
    for labels in ([5, 610], np.array([5, 610], np.uint16), ["n00000005", "n00000610"]):
        explanation = index.explain(problem.probabilities, labels)
        assert explanation.scores.shape == explanation.labels.shape == explanation.penalties.shape == (n, 2)
        assert explanation.classes.shape == explanation.shares.shape == (n, t)
        assert explanation.similarities.shape == (n, 2, t)
        np.testing.assert_array_equal(explanation.contributions, expected.contributions)
        one_image = index.explain(row, labels)
        assert one_image.scores.shape == (2,)
        assert one_image.contributions.shape == (2, t)
        np.testing.assert_array_equal(one_image.contributions, expected.contributions[0])
    for label in (5, np.int64(5), np.array(5), "n00000005"):
        explanation = index.explain(problem.probabilities, label)
        assert explanation.scores.shape == explanation.labels.shape == (n,)
        np.testing.assert_array_equal(explanation.contributions, expected.contributions[:, 0])
        explanation = index.explain(row, label)
        assert explanation.scores.shape == ()
        assert explanation.contributions.shape == (t,)
        assert float(explanation.scores) == expected.scores[0, 0]
    assert index.explain(row, "label <599>").labels == 599
    assert index.explain(problem.probabilities, []).contributions.shape == (n, 0, t)
    assert index.explain(problem.probabilities[:0], [5]).contributions.shape == (0, 1, t)


def test_a_ranking_with_empty_places_is_explained(index, problem):
    ranking = index.rank(problem.probabilities, 3, candidates=[5, 6])
    explanation = index.explain(problem.probabilities, ranking.indices)
    np.testing.assert_array_equal(explanation.scores, ranking.scores)
    assert explanation.label_names[0, 2] == ""
    assert "no label" in str(explanation[0])


def test_one_image_of_a_batch(index, problem):
    batch = index.explain(problem.probabilities, [3, 6], seen_penalty=0.1)
    single = index.explain(problem.probabilities[4], [3, 6], seen_penalty=0.1)
    assert str(batch[4]) == str(single) == str(list(batch)[4])
    assert str(batch.difference()[4]) == str(single.difference())
    with pytest.raises(IndexError):
        batch[len(problem.probabilities)]
    with pytest.raises(TypeError, match="Explanation is of one image"):
        single[0]
    with pytest.raises(TypeError, match="Explanation is of one image"):
        list(single)


# --------------------------------------------------------------------------------------------------- the texts


def test_what_a_single_image_shows(index, problem):
    row = problem.probabilities[0]
    explanation = index.explain(row, [3, 6], 20, seen_penalty=0.1)
    lines = str(explanation).splitlines()
    assert lines[0] == f"{explanation.scores[0]:.4f}  label <3> (label 3)"
    largest = np.abs(explanation.contributions[0]).argmax()
    assert lines[2].split()[:3] == [
        f"{explanation.contributions[0, largest]:.4f}",
        f"{explanation.shares[largest]:.1%}",
        f"{explanation.similarities[0, largest]:.4f}",
    ]
    assert lines[2].endswith(f"  class <{explanation.classes[largest]}>")
    assert lines[12].endswith("10 other classes")
    assert lines[13].split() == ["-0.1000", "penalty", "of", "seen", "labels"]
    assert lines[14].endswith("label <6> (label 6)")
    assert repr(explanation) == "<Explanation: 2 labels, 20 classes>"
    assert repr(index.explain(row, 3)) == "<Explanation: 1 label, 10 classes>"
    batch = index.explain(problem.probabilities, [3, 6])
    assert str(batch) == repr(batch) == "<Explanation: 20 images, 2 labels, 10 classes>"
    assert "class 4" in str(cf.ConseIndex.build(*problem[1:]).explain(np.eye(N_CLASSES, dtype=np.float32)[4], 3, 1))


def test_names_stay_behind_when_it_is_pickled(index, problem):
    explanation = index.explain(problem.probabilities, [3, 6])
    assert explanation.label_names[0].tolist() == ["label <3>", "label <6>"]
    assert explanation.class_names[0, 0] == f"class <{explanation.classes[0, 0]}>"
    copy = pickle.loads(pickle.dumps(explanation))
    np.testing.assert_array_equal(copy.contributions, explanation.contributions)
    with pytest.raises(ValueError, match=r"no class names.*pickled"):
        _ = copy.class_names
    with pytest.raises(ValueError, match="no label names"):
        _ = copy.difference().label_names


# ------------------------------------------------------------------------------------------------- differences


def test_a_difference_adds_up_and_begins_with_the_largest_effect(index, problem):
    explanation = index.explain(problem.probabilities, [3, 6, VECTORLESS], seen_penalty=0.1)
    for a, b in ((0, 1), (1, 0), (-3, 1)):
        difference = explanation.difference(a, b)
        finite = np.isfinite(difference.scores).all(axis=-1)
        assert not finite[DIRECTIONLESS]
        gap = difference.scores[finite, 0].astype(np.float64) - difference.scores[finite, 1]
        total = (difference.effects.sum(-1) + difference.penalty)[finite]
        np.testing.assert_allclose(total, gap, atol=2 * reference.tolerance(*problem[:2])[finite].max())
        assert (np.diff(np.abs(difference.effects), axis=-1) <= 0).all()
        np.testing.assert_array_equal(difference.labels, explanation.labels[:, [a, b]])
        np.testing.assert_array_equal(np.sort(difference.classes), np.sort(explanation.classes))
    weight_of = np.zeros((20, N_CLASSES))
    np.put_along_axis(weight_of, explanation.classes, explanation.shares, axis=1)
    np.testing.assert_array_equal(difference.shares, np.take_along_axis(weight_of, difference.classes, 1))
    lengths = reference.row_lengths(reference.convex_combination(*problem[:2]))[0]
    expected = difference.shares[0] / lengths * (difference.similarities[0, 0] - difference.similarities[0, 1])
    np.testing.assert_allclose(difference.effects[0], expected, atol=1e-7)
    text = str(difference[0]).splitlines()
    a, b = difference.scores[0]
    assert text[0] == f"{a - b:+.4f}  label <3> (label 3) {a:.4f}, not label <6> (label 6) {b:.4f}"
    assert text[2].endswith(f"class <{difference.classes[0, 0]}>")
    assert "-0.1000  penalty of seen labels" in text[-1]


# ---------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ({"labels": N_LABELS}, ValueError, "labels holds 700; expected label ids from 0 to 699, or -1"),
        ({"labels": [3, -2]}, ValueError, "labels holds -2"),
        ({"labels": [0.5]}, TypeError, "labels must hold integers, got float64"),
        ({"labels": True}, TypeError, "labels must hold integers, got bool"),
        ({"labels": None}, TypeError, "labels must hold integers"),
        ({"labels": ["n00000001", 2]}, TypeError, "labels must be a str or a sequence of str"),
        ({"labels": "nowhere"}, ValueError, "no label has the id or the name 'nowhere'"),
        ({"labels": "label <5>"}, ValueError, "2 labels have the name"),
        ({"labels": np.zeros((3, 2), int)}, ValueError, "labels has 3 rows for 20 images"),
        ({"labels": np.zeros((1, 1, 1), int)}, ValueError, r"\(M,\) or \(N, M\), got shape \(1, 1, 1\)"),
        ({"probabilities": np.zeros((2, 5), np.float32)}, ValueError, "probabilities has 5 columns; expected 90"),
        ({"probabilities": np.zeros((2, N_CLASSES), int)}, TypeError, "probabilities must be float16"),
        ({"probabilities": np.full(N_CLASSES, np.nan)}, ValueError, r"probabilities\[0\] holds NaN at column 0"),
        ({"top_t": 0}, ValueError, "top_t must be at least 1"),
        ({"form": "euclid"}, ValueError, "form must be 'cosine' or 'dot'"),
        ({"seen_penalty": np.inf}, ValueError, "seen_penalty must be a finite number"),
        ({"n_threads": 0}, ValueError, "n_threads must be at least 1"),
    ],
)
def test_errors_name_the_argument(index, problem, what, error, message):
    with pytest.raises(error, match=message):
        index.explain(**{"probabilities": problem.probabilities, "labels": [5], **what})


def test_errors_of_differences(index, problem):
    with pytest.raises(ValueError, match="a single image"):
        index.explain(problem.probabilities[0], [[1, 2]])
    with pytest.raises(ValueError, match="explain a list of labels"):
        index.explain(problem.probabilities, 5).difference()
    explanation = index.explain(problem.probabilities, [5, 6])
    with pytest.raises(ValueError, match="b must say which of the 2 labels of an image, got 2"):
        explanation.difference(0, 2)
    with pytest.raises(TypeError, match="a must be an integer, got 'n5'"):
        explanation.difference("n5", 1)


def test_a_closed_index_explains_nothing(problem):
    index = cf.ConseIndex.build(*problem[1:])
    index.close()
    for call in (lambda: index.explain(problem.probabilities, 1), lambda: index.nearest_classes(1), index.reachability):
        with pytest.raises(ValueError, match="closed"):
            call()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("top_t", [1, 10, 1000])
def test_explanations_of_real_photos(real, make_index, form, top_t):
    index = make_index(real.class_embeddings, real.label_embeddings, form=form)
    ranking = index.rank(real.photos, 3, top_t)
    explanation = index.explain(real.photos, ranking.indices, top_t)
    np.testing.assert_array_equal(explanation.scores, ranking.scores)
    oracle = reference.conse_scores(real.photos, real.class_embeddings, real.label_embeddings, top_t)
    amplification = reference.tolerance(real.photos, real.class_embeddings, top_t) / ACCURACY
    error = np.abs(explanation.contributions.sum(-1) - np.take_along_axis(oracle, ranking.indices, axis=1)).max(axis=1)
    assert (error <= 1e-7 * amplification).all()
    assert_adds_up(explanation, 1e-6 * amplification)
