"""Bootstrap intervals: against SciPy's, against loops that draw image by image, and what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from test_metrics_generalised import BY_HAND, accuracies
from test_metrics_hierarchical import IS_A, LABELS

from conse_fast import metrics

N = 120


def drawn_by_hand(figure, n_images, n_resamples=2000):
    """The 2.5 % and 97.5 % quantiles of a figure of image numbers, drawn with another generator."""
    rng = np.random.default_rng(99)
    return np.quantile([figure(rng.integers(n_images, size=n_images)) for _ in range(n_resamples)], [0.025, 0.975])


@pytest.fixture(scope="module")
def hits():
    return np.random.default_rng(0).random(N) < 0.3


def one_label(hits):
    """A ranking of one label that hits where `hits` says, and its truth."""
    return np.where(hits, 3, 4)[:, None], np.full(len(hits), 3)


# ------------------------------------------------------------------------------------------------ the bootstrap


def test_against_scipy(independent):
    values = np.random.default_rng(1).lognormal(size=N)
    low, high = metrics.bootstrap(lambda drawn: drawn @ values / N, N, n_resamples=4000)
    other = independent("scipy.stats").bootstrap(
        (values,), np.mean, method="percentile", n_resamples=4000, random_state=5, vectorized=True
    )
    spread = high - low
    assert (low, high) == pytest.approx(tuple(other.confidence_interval), abs=0.06 * spread)


def test_images_that_count_alike_may_be_one_group():
    values = np.array([0.0, 1.0, 5.0])
    sizes = np.array([60, 40, 20])
    each = np.repeat(values, sizes)
    grouped = metrics.bootstrap(lambda drawn: drawn @ values / N, sizes, n_resamples=4000)
    single = metrics.bootstrap(lambda drawn: drawn @ each / N, N, n_resamples=4000)
    assert grouped == pytest.approx(single, abs=0.06 * (single.high - single.low))


def test_every_resample_has_as_many_images():
    def check(drawn, grouped):
        assert drawn.dtype == grouped.dtype == np.int64
        assert (drawn.shape[1], grouped.shape[1]) == (N, 2)
        assert len(drawn) == len(grouped)
        assert (drawn.sum(axis=1) == N).all()
        assert (grouped.sum(axis=1) == 7).all()
        assert (drawn >= 0).all()
        return np.zeros(len(drawn))

    assert metrics.bootstrap(check, N, np.array([3, 4])) == (0, 0)


def test_it_covers_the_truth_as_often_as_it_says():
    # 300 samples of 200 coins: the mean is inside about 90 % of the intervals (standard error 1.7 points).
    rng = np.random.default_rng(3)
    inside = 0
    for heads in rng.binomial(200, 0.3, size=300).tolist():
        low, high = metrics.bootstrap(
            lambda drawn: drawn[:, 1] / 200, np.array([200 - heads, heads]), confidence=0.9, n_resamples=500
        )
        inside += low <= 0.3 <= high
    assert 0.84 < inside / 300 < 0.96


def test_the_same_seed_gives_the_same_interval(hits):
    counter = metrics.HitAtK([1])
    counter.add(*one_label(hits))
    first, again = counter.interval(seed=1), counter.interval(seed=1)
    assert (first.low.tolist(), first.high.tolist()) == (again.low.tolist(), again.high.tolist())
    other = counter.interval(seed=2, n_resamples=999)
    assert (first.low.tolist(), first.high.tolist()) != (other.low.tolist(), other.high.tolist())


def test_more_confidence_is_wider_and_nested(hits):
    figures = [metrics.bootstrap(lambda drawn: drawn @ hits / N, N, confidence=c) for c in (0.5, 0.9, 0.99)]
    for inner, outer in zip(figures, figures[1:]):
        assert outer.low < inner.low < inner.high < outer.high


def test_several_figures_at_once(hits):
    values = np.stack([hits, ~hits], axis=1)
    low, high = metrics.bootstrap(lambda drawn: drawn @ values / N, N)
    assert low.shape == high.shape == (2,)
    assert (low[0], high[0]) == pytest.approx((1 - high[1], 1 - low[1]), abs=1e-12)


def test_the_difference_of_two_rankings():
    # Of 120 images, one ranking hits 30 that the other misses, and misses 5 that the other hits.
    a, b = np.zeros(N, int), np.zeros(N, int)
    a[:30], b[30:35] = 1, 1
    low, high = metrics.bootstrap(lambda drawn: drawn @ (a - b) / len(a), len(a))
    assert 0 < low < 25 / N < high


@pytest.mark.parametrize(
    ("counts", "options", "kind", "words"),
    [
        ((0,), {}, ValueError, "there are no images"),
        ((np.zeros(3, int),), {}, ValueError, "there are no images"),
        ((np.array([3, -1]),), {}, ValueError, "counts must not be negative, got -1"),
        ((np.ones(3),), {}, TypeError, "counts must hold integers, got float64"),
        ((np.ones((3, 1), int),), {}, ValueError, "counts must be a number of images or have shape"),
        ((), {}, ValueError, "counts must hold at least one set of images"),
        ((5,), {"confidence": 95}, ValueError, "confidence must be above 0 and below 1, got 95; 95 % is 0.95"),
        ((5,), {"confidence": "95"}, TypeError, "confidence must be a number, got '95'"),
        ((5,), {"n_resamples": 0}, ValueError, "n_resamples must be at least 1, got 0"),
    ],
)
def test_bad_input(counts, options, kind, words):
    with pytest.raises(kind, match=words):
        metrics.bootstrap(lambda *drawn: drawn[0].sum(axis=1), *counts, **options)


def test_a_statistic_that_is_no_number():
    with pytest.raises(ValueError, match="statistic must give finite numbers"):
        metrics.bootstrap(lambda drawn: np.full(len(drawn), np.nan), 5)


# ------------------------------------------------------------------------------------------------ every metric


def near(interval, expected):
    """Two bootstraps of a few thousand resamples agree within a tenth of their width."""
    low, high = (float(np.ravel(end)[0]) for end in interval)
    return (low, high) == pytest.approx(tuple(expected), abs=max(0.1 * (expected[1] - expected[0]), 1e-9))


def test_hits(hits):
    counter = metrics.HitAtK([1])
    counter.add(*one_label(hits))
    assert near(counter.interval(n_resamples=4000), drawn_by_hand(lambda some: hits[some].mean(), N))


def test_without_a_hit_the_interval_has_no_width():
    counter = metrics.HitAtK([1])
    counter.add(*one_label(np.zeros(N, bool)))
    assert [end.tolist() for end in counter.interval()] == [[0], [0]]


@pytest.mark.parametrize("n_classes", [3, 60])  # of 60 classes a resample misses many
def test_per_class(hits, n_classes):
    truth = np.random.default_rng(2).integers(n_classes, size=N)
    counter = metrics.PerClassHitAtK()
    counter.add(np.where(hits, truth, 99)[:, None], truth)

    def macro(some):
        return np.mean([hits[some][truth[some] == label].mean() for label in np.unique(truth[some])])

    assert near(counter.interval(n_resamples=4000), drawn_by_hand(macro, N))


def test_hierarchical_precision():
    rng = np.random.default_rng(4)
    truth = rng.integers(5, size=N)
    indices = np.array([rng.permutation(6)[:3] for _ in range(N)])
    hierarchy = metrics.Hierarchy(IS_A, LABELS)
    counter = metrics.HierarchicalPrecisionAtK(hierarchy, [3, 2])
    counter.add(indices, truth)
    each = [metrics.hierarchical_precision_at_k(indices[[i]], truth[[i]], 3, hierarchy) for i in range(N)]
    assert near(counter.interval(n_resamples=4000), drawn_by_hand(lambda some: np.mean(np.array(each)[some]), N))
    assert counter.interval().low.shape == (2,)


def multi_label_problem():
    rng = np.random.default_rng(5)
    labels = rng.choice([-1, 0, 1], size=(N, 4), p=[0.5, 0.2, 0.3])
    return rng.standard_normal((N, 4)) + labels, labels


def test_precision_recall_f1():
    scores, labels = multi_label_problem()
    indices = np.argsort(-scores, axis=1)[:, :2]
    counter = metrics.PrecisionRecallAtK([2])
    counter.add(indices, labels)
    interval = counter.interval(n_resamples=4000)
    for name in ("precision", "recall", "f1"):

        def figure(some, name=name):
            return getattr(metrics.precision_recall_f1_at_k(indices[some], labels[some], 2), name)

        assert near((getattr(interval.low, name), getattr(interval.high, name)), drawn_by_hand(figure, N))


@pytest.mark.parametrize("protocol", ["lesa", "biam"])
def test_mean_average_precision(protocol):
    scores, labels = multi_label_problem()
    collected = metrics.AveragePrecision(protocol)
    collected.add(scores, labels)
    interval = collected.interval(n_resamples=2000)
    kept = np.flatnonzero((labels == 1).any(axis=1)) if protocol == "biam" else np.arange(N)
    for name in ("mean", "weighted_mean"):

        def figure(some, name=name):
            return getattr(metrics.average_precision(scores[kept[some]], labels[kept[some]], protocol), name)

        expected = drawn_by_hand(figure, len(kept), n_resamples=1000)
        assert near((getattr(interval.low, name), getattr(interval.high, name)), expected)


def test_resampled_average_precisions_weigh_images(independent):
    scores, labels = multi_label_problem()
    collected = metrics.AveragePrecision()
    collected.add(scores, labels)
    weights = np.random.default_rng(6).integers(0, 4, size=N)
    per_label, _, _ = collected._pairs().average_precisions(weights)
    for column in range(labels.shape[1]):
        known = labels[:, column] != 0
        expected = independent("sklearn.metrics").average_precision_score(
            labels[known, column] == 1, scores[known, column], sample_weight=weights[known]
        )
        assert per_label[column] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("average", ["class", "image"])
def test_the_seen_unseen_curve(average):
    rng = np.random.default_rng(7)
    truth = rng.integers(3, size=N)
    images = {"truth": truth, "is_seen": rng.random(N) < 0.6}
    for kind in ("seen", "unseen"):
        images[f"{kind}_scores"] = rng.random(N)
        images[f"{kind}_labels"] = np.where(rng.random(N) < 0.7, truth, 5)
    collected = metrics.SeenUnseen(average)
    collected.add(**images)
    interval = collected.interval(n_resamples=2000)
    groups = [np.flatnonzero(images["is_seen"]), np.flatnonzero(~images["is_seen"])]
    figures = {"area": [], "harmonic_mean": []}
    for _ in range(1000):
        some = np.concatenate([rng.choice(group, len(group)) for group in groups])
        curve = metrics.seen_unseen_curve(**{name: array[some] for name, array in images.items()}, average=average)
        figures["area"].append(curve.area)
        figures["harmonic_mean"].append(curve.best.harmonic_mean)
    for name, values in figures.items():
        expected = np.quantile(values, [0.025, 0.975])
        assert near((getattr(interval.low, name), getattr(interval.high, name)), expected)


def test_a_resample_is_the_curve_of_images_that_count_several_times():
    collected = metrics.SeenUnseen()
    collected.add(**BY_HAND)
    steps = collected._steps()
    # Images 0 and 2 twice, image 1 not at all; of the unseen ones, image 4 twice.
    seen, unseen = steps.accuracies(np.array([[2, 0, 2]]), np.array([[0, 2]]))
    some = np.array([0, 0, 2, 2, 4, 4])
    images = {name: array[some] for name, array in BY_HAND.items()}
    for gamma, *found in zip(steps.gamma.tolist(), seen[0].tolist(), unseen[0].tolist()):
        assert tuple(found) == pytest.approx(accuracies(images, gamma, "class"), abs=1e-12)


def test_intervals_hold_the_figure():
    scores, labels = multi_label_problem()
    collected = metrics.AveragePrecision()
    collected.add(scores, labels)
    low, high = collected.interval(n_resamples=200)
    assert low.mean < collected.result().mean < high.mean
    curve = metrics.SeenUnseen()
    curve.add(**BY_HAND)
    low, high = curve.interval()
    assert low.area <= curve.curve().area <= high.area


def test_nothing_counted_has_no_interval():
    hierarchy = metrics.Hierarchy(IS_A, LABELS)
    for counter in (
        metrics.HitAtK(1),
        metrics.PerClassHitAtK(),
        metrics.HierarchicalPrecisionAtK(hierarchy, 1),
        metrics.PrecisionRecallAtK(1),
        metrics.AveragePrecision(),
        metrics.SeenUnseen(),
    ):
        with pytest.raises(ValueError, match="there are no images"):
            counter.interval()
