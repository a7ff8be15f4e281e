"""`evaluate`: the same figures as the metrics one by one, in chunks, and as a separate float64 computation."""

from __future__ import annotations

import numpy as np
import pytest
import reference

import conse_fast as cf
from conse_fast import _chunks, demo, evaluation, metrics
from conse_fast.evaluation import PLUS_SEEN

N_CLASSES, N_LABELS, N_IMAGES = 40, 340, 60
KS = (1, 3, 10)
TOP_T = (1, 5, None)
ALL = "all labels"


@pytest.fixture(scope="module")
def problem():
    return reference.random_problem(3, n=N_IMAGES, n_classes=N_CLASSES, n_labels=N_LABELS - N_CLASSES)


@pytest.fixture(scope="module")
def index(problem):
    """The seen classes are labels 0 to 39."""
    labels = np.concatenate([problem.class_embeddings, problem.label_embeddings])
    label_class = np.where(np.arange(N_LABELS) < N_CLASSES, np.arange(N_LABELS), -1)
    return cf.ConseIndex.build(problem.class_embeddings, labels, label_class=label_class)


@pytest.fixture(scope="module")
def truth(index, problem):
    """Labels from all over the ranking, every fifth image of a seen class."""
    ranking = index.rank(problem.probabilities, N_LABELS)
    places = np.random.default_rng(1).integers(0, 60, N_IMAGES)
    chosen = ranking.indices[np.arange(N_IMAGES), places]
    chosen[::5] = problem.probabilities.argmax(axis=1)[::5]
    return chosen


@pytest.fixture
def small_chunks(monkeypatch):
    """Images are counted seven at a time."""
    monkeypatch.setattr(_chunks, "_CHUNK_BYTES", 7 * 4 * N_CLASSES)


def sets_of(index):
    return {"even": np.arange(0, N_LABELS, 2), "unseen": index.unseen_labels, ALL: None}


def hierarchy_of(n_labels=N_LABELS):
    return metrics.Hierarchy([(str(i // 3), str(i)) for i in range(1, n_labels)], [str(i) for i in range(n_labels)])


# ------------------------------------------------------------------------------------------------ single labels


@pytest.mark.parametrize("ties", ["label_id", "half", "pessimistic"])
def test_figures_are_those_of_the_metrics(index, problem, truth, ties, small_chunks):
    hierarchy = hierarchy_of()
    found = cf.evaluate(
        index,
        problem.probabilities,
        truth,
        label_sets=sets_of(index),
        k=KS,
        top_t=TOP_T,
        hierarchy=hierarchy,
        ties=ties,
        n_resamples=50,
    )
    assert [facts.name for facts in found.label_sets] == ["even", "unseen", ALL]
    for facts in found.label_sets:
        candidates = index.candidates(sets_of(index)[facts.name])
        keep = candidates.mask[truth]
        assert facts[1:] == (
            len(candidates),
            int(candidates.mask[:N_CLASSES].sum()),
            int(keep.sum()),
            int((~keep).sum()),
        )
        for top_t in TOP_T:
            ranking = index.rank(problem.probabilities[keep], N_LABELS, top_t, candidates=candidates)
            true = truth[keep]
            expected = {
                "hit": metrics.hit_at_k(ranking.indices, true, KS, scores=ranking.scores, ties=ties, n_labels=N_LABELS),
                "class_hit": metrics.per_class_hit_at_k(ranking.indices, true, KS),
                "hierarchical_precision": metrics.hierarchical_precision_at_k(
                    ranking.indices, true, KS, hierarchy, candidates.ids
                ),
            }
            for metric, shares in expected.items():
                for k, share in zip(KS, shares):
                    figure = found.figure(facts.name, metric, top_t, k)
                    assert figure.value == pytest.approx(share, abs=1e-12)
                    assert figure.low <= figure.value <= figure.high
                    assert figure.n_images == keep.sum()


@pytest.mark.parametrize("average", ["class", "image"])
def test_curves_are_those_of_the_best_of_either_kind(index, problem, truth, average, small_chunks):
    found = cf.evaluate(
        index, problem.probabilities, truth, label_sets=sets_of(index), plus_seen=True, average=average, n_resamples=20
    )
    assert [curve.label_set for curve in found.curves] == ["even", "even" + PLUS_SEEN, "unseen" + PLUS_SEEN, ALL]
    masks = {"even": np.arange(N_LABELS) % 2 == 0, ALL: np.ones(N_LABELS, bool)}
    masks["even" + PLUS_SEEN] = masks["even"] | (np.arange(N_LABELS) < N_CLASSES)
    masks["unseen" + PLUS_SEEN] = masks[ALL]
    for curve in found.curves:
        keep = masks[curve.label_set][truth]
        best = index.best_seen_and_unseen(problem.probabilities[keep], candidates=masks[curve.label_set])
        is_seen = truth[keep] < N_CLASSES
        expected = metrics.seen_unseen_curve(**best._asdict(), truth=truth[keep], is_seen=is_seen, average=average)
        np.testing.assert_array_equal(curve.points.gamma, expected.gamma)
        np.testing.assert_array_equal(curve.points.seen, expected.seen)
        assert (curve.n_seen_images, curve.n_unseen_images) == (is_seen.sum(), (~is_seen).sum())
        summary = found.figure(curve.label_set, "ausuc", 10)
        assert summary.value == expected.area
        assert summary.low <= summary.value <= summary.high
        seen, unseen = expected.at(0)
        assert found.figure(curve.label_set, "seen_accuracy", 10).value == seen
        assert found.figure(curve.label_set, "unseen_accuracy", 10).value == unseen
        assert found.figure(curve.label_set, "harmonic_mean", 10).value == metrics.harmonic_mean(seen, unseen)
        assert found.figure(curve.label_set, "best_gamma", 10).value == expected.best.gamma


def test_seen_labels_are_added_as_competitors_of_the_same_images(index, problem, truth):
    unseen = {"unseen": index.unseen_labels}
    found = cf.evaluate(index, problem.probabilities, truth, label_sets=unseen, plus_seen=True, n_resamples=0)
    alone, plus = found.label_sets
    assert (plus.name, plus.n_labels, plus.n_seen_labels) == ("unseen + seen", N_LABELS, N_CLASSES)
    assert plus[3:] == alone[3:] == ((truth >= N_CLASSES).sum(), (truth < N_CLASSES).sum())
    keep = truth >= N_CLASSES
    expected = metrics.hit_at_k(index.rank(problem.probabilities[keep], 5).indices, truth[keep], 5)
    assert found.figure("unseen + seen", "hit", 10, 5).value == expected
    assert expected < found.figure("unseen", "hit", 10, 5).value


def test_sets_that_hold_the_seen_labels_are_not_evaluated_twice(index, problem, truth):
    found = cf.evaluate(index, problem.probabilities, truth, plus_seen=True, n_resamples=0)
    assert [facts.name for facts in found.label_sets] == ["unseen labels", "unseen labels + seen", ALL]


def test_sets_of_the_index_are_the_default(problem):
    sets = {"first": np.arange(5), "last": np.arange(290, 300)}
    index = cf.ConseIndex.build(problem.class_embeddings, problem.label_embeddings, label_sets=sets)
    found = cf.evaluate(index, problem.probabilities, np.arange(N_IMAGES) % 5, n_resamples=0)
    assert [(facts.name, facts.n_labels, facts.n_images) for facts in found.label_sets] == [
        ("first", 5, N_IMAGES),
        ("last", 10, 0),
    ]
    assert {figure.label_set for figure in found.figures} == {"first"}, "a set without images has no figures"


def test_images_of_unknown_labels_are_left_out_and_told(index, problem, truth):
    known = truth.copy()
    known[[3, 8]] = -1
    found = cf.evaluate(index, problem.probabilities, known, label_sets={ALL: None}, n_resamples=0)
    assert found.label_sets[0][3:] == (N_IMAGES - 2, 2)
    assert any(note.startswith("2 images have a true label that the index does not hold") for note in found.notes)
    rest = np.delete(np.arange(N_IMAGES), [3, 8])
    expected = cf.evaluate(index, problem.probabilities[rest], truth[rest], label_sets={ALL: None}, n_resamples=0)
    assert [figure.value for figure in found.figures] == [figure.value for figure in expected.figures]


def test_truth_of_any_integers(index, problem, truth):
    whole = cf.evaluate(index, problem.probabilities, truth, n_resamples=0)
    for dtype in (np.uint16, np.int32, np.uint64, ">i4"):
        found = cf.evaluate(index, problem.probabilities, truth.astype(dtype), n_resamples=0)
        assert found.as_dict() == whole.as_dict()


def test_logits(index, problem, truth):
    logits = np.log(problem.probabilities.astype(np.float64))
    found = cf.evaluate(index, logits, truth, label_sets={ALL: None}, temperature=2.0, n_resamples=0)
    ranking = index.rank_logits(logits, 20, temperature=2.0)
    assert found.figure(ALL, "hit", 10, 20).value == metrics.hit_at_k(ranking.indices, truth, 20)


def test_chunks_and_threads_change_nothing(index, problem, truth, monkeypatch):
    options = {"plus_seen": True, "hierarchy": hierarchy_of(), "top_t": [1, 10], "n_resamples": 30}
    whole = cf.evaluate(index, problem.probabilities, truth, **options)
    for rows in (1, 13):
        monkeypatch.setattr(_chunks, "_CHUNK_BYTES", rows * 4 * N_CLASSES)
        done = []
        parts = cf.evaluate(index, problem.probabilities, truth, n_threads=1, progress=done.append, **options)
        assert parts.as_dict() == whole.as_dict()
        assert len(done) == -(-N_IMAGES // rows)
        assert done[-1] == 1


def test_what_is_missing_is_told(index, problem, truth):
    seen = truth < N_CLASSES
    found = cf.evaluate(index, problem.probabilities[~seen], truth[~seen], n_resamples=0)
    assert not found.curves
    assert {note.split(" needs ")[0] for note in found.notes} == {"Hierarchical precision", "The seen-unseen curve"}
    assert {figure.metric for figure in found.figures} == {"hit", "class_hit"}
    assert all(figure.low is figure.high is None for figure in found.figures)
    with pytest.raises(KeyError, match="no figure 'ausuc' of 'all labels'"):
        found.figure(ALL, "ausuc", 10)


# ------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("error", "match", "options"),
    [
        (ValueError, "k must be at least 1, got 0", {"k": [1, 0]}),
        (ValueError, "top_t must name at least one", {"top_t": []}),
        (TypeError, "top_t must be an integer", {"top_t": [1.5]}),
        (ValueError, "ties must be one of", {"ties": "none"}),
        (ValueError, "average must be one of", {"average": "photo"}),
        (ValueError, "form must be one of", {"form": "euclid"}),
        (ValueError, "n_resamples must be at least 0, got -1", {"n_resamples": -1}),
        (ValueError, "confidence must be above 0", {"confidence": 1.0}),
        (ValueError, "confidence must be above 0", {"confidence": 95, "progress": pytest.fail}),  # before any image
        (ValueError, "seed must be at least 0, got -1", {"seed": -1, "progress": pytest.fail}),
        (TypeError, "seed must be an integer", {"seed": "x", "progress": pytest.fail}),
        (ValueError, "'a \\+ seen', which is what", {"label_sets": {"a": [95], "a + seen": [96]}, "plus_seen": True}),
        (TypeError, "label_sets must be a mapping", {"label_sets": ["even"]}),
        (TypeError, "label_sets must map names to labels, got 1 as a name", {"label_sets": {1: [0]}}),
        (ValueError, "label_sets must hold at least one set", {"label_sets": {}}),
        (ValueError, "label_sets\\['none'\\] holds no label", {"label_sets": {"none": []}}),
        (ValueError, "label_sets\\['far'\\] holds 340; expected label ids", {"label_sets": {"far": [340]}}),
        (TypeError, "label_sets\\['odd'\\] must be .* got set", {"label_sets": {"odd": {1, 2}}}),
        (ValueError, "hierarchy knows 5 labels, the index holds 340", {"hierarchy": hierarchy_of(5)}),
        (TypeError, "hierarchy must be a metrics.Hierarchy, got list", {"hierarchy": [(0, 1)]}),
        (TypeError, "progress must be callable, got int", {"progress": 5}),
    ],
)
def test_wrong_options(index, problem, truth, error, match, options):
    with pytest.raises(error, match=match):
        cf.evaluate(index, problem.probabilities, truth, **options)


def test_wrong_truth(index, problem, truth):
    for wrong, error, match in (
        (truth.astype(np.float32), TypeError, "truth must hold integers, got float32; index.find"),
        (np.zeros((N_IMAGES, N_LABELS), bool), TypeError, r"got bool; \+1 and -1: np.where\(truth, 1, -1\)"),
        (truth[:-1], ValueError, r"truth must have shape \(60,\) or \(60, 340\), got \(59,\)"),
        (truth + N_LABELS, ValueError, "truth must hold label ids below 340"),
        (np.full(N_IMAGES, -1), ValueError, "none of the 60 images has a true label in any label set"),
        (np.zeros((N_IMAGES, 7), np.int8), ValueError, r"truth must have shape \(60, 340\)"),
    ):
        with pytest.raises(error, match=match):
            cf.evaluate(index, problem.probabilities, wrong)


def test_a_path_in_place_of_an_index(problem, truth):
    with pytest.raises(TypeError, match=r"index must be a ConseIndex, got str; a file: ConseIndex\.open\(path\)"):
        cf.evaluate("index.safetensors", problem.probabilities, truth)


def test_nothing_to_add(problem):
    index = cf.ConseIndex.build(problem.class_embeddings, problem.label_embeddings)
    with pytest.raises(ValueError, match="plus_seen adds seen labels, but the index has none"):
        cf.evaluate(index, problem.probabilities, np.zeros(N_IMAGES, int), plus_seen=True)


# ------------------------------------------------------------------------------- to the last image, in float64


@pytest.mark.parametrize("top_t", [1, 10, None])
def test_hits_of_the_demo_are_those_of_float64(top_t):
    data = demo.load()
    vectors = data.embed_labels().vectors
    index = cf.ConseIndex.build(vectors[demo.SEEN], vectors[demo.UNSEEN])
    # Labels with the same vector have one score, however a matrix product rounds equal columns.
    distinct, which = np.unique(vectors[demo.UNSEEN], axis=0, return_inverse=True)
    scores = reference.conse_scores(data.probabilities, vectors[demo.SEEN], distinct, top_t)[:, which.ravel()]
    its = scores[np.arange(250), data.truth][:, np.newaxis]
    better, same = (scores > its).sum(axis=1), scores == its
    before = {
        "half": (same.sum(axis=1) - 1) / 2,
        "pessimistic": same.sum(axis=1) - 1,
        "label_id": (same & (np.arange(len(which)) < data.truth[:, np.newaxis])).sum(axis=1),
    }
    for ties, places in before.items():
        found = cf.evaluate(index, data.probabilities, data.truth, top_t=top_t, ties=ties, n_resamples=0)
        for k in (1, 2, 5, 10, 20):
            figure = found.figure(ALL, "hit", top_t, k)
            assert round(250 * figure.value) == (better + places < k).sum(), (ties, k)


def test_all_is_exported():
    for name in evaluation.__all__:
        assert getattr(evaluation, name) is not None
