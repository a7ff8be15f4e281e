"""The seen-unseen curve against predictions made anew for every gamma."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conse_fast import metrics

NAMES = ("seen_scores", "seen_labels", "unseen_scores", "unseen_labels", "truth", "is_seen")


def accuracies(images, gamma, average):
    """(seen, unseen) at one gamma: label every image, then count."""
    shares = []
    for kind in (True, False):
        hits_of = {}
        for seen, seen_label, unseen, unseen_label, label, is_seen in zip(*(images[name].tolist() for name in NAMES)):
            if is_seen != kind:
                continue
            answer = None
            if seen > -np.inf or unseen > -np.inf:
                # The difference first, as in the definition of a step: seen - gamma may round to unseen or not.
                answer = (True, seen_label) if seen - unseen > gamma else (False, unseen_label)
            hits_of.setdefault(label if average == "class" else 0, []).append(answer == (kind, label))
        shares.append(np.mean([np.mean(hits) for hits in hits_of.values()]))
    return tuple(shares)


@st.composite
def problems(draw):
    """Images of both kinds; labels of few classes, numbered from 0 each; scores of few values, some absent."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 30))
    is_seen = rng.random(n) < 0.5
    is_seen[:2] = [True, False]
    images = {"truth": rng.integers(4, size=n), "is_seen": is_seen}
    steps = draw(st.sampled_from([3, 1000]))
    for kind in ("seen", "unseen"):
        absent = rng.random(n) < draw(st.sampled_from([0, 0.2]))
        scores = rng.integers(-steps, steps, n) / steps
        images[f"{kind}_scores"] = np.where(absent, -np.inf, scores)
        right = np.where(rng.random(n) < 0.5, images["truth"], rng.integers(4, size=n))
        # Where nothing ranks the label is -1, or whatever an argmax over -inf leaves, the true one by chance.
        images[f"{kind}_labels"] = np.where(absent & (rng.random(n) < 0.5), -1, right)
    return images


# One image a class; the third is a miss wherever it stands. Margins: 0.2, -0.1, 0.5; 0.3, 0.1.
BY_HAND = {
    "seen_scores": np.array([0.7, 0.4, 0.9, 0.8, 0.6]),
    "seen_labels": np.array([0, 1, 0, 0, 0]),
    "unseen_scores": np.array([0.5, 0.5, 0.4, 0.5, 0.5]),
    "unseen_labels": np.array([5, 5, 5, 5, 6]),
    "truth": np.array([0, 1, 2, 5, 6]),
    "is_seen": np.array([True, True, True, False, False]),
}


def test_the_best_gamma_where_no_gamma_helps():
    curve = metrics.seen_unseen_curve(
        seen_scores=np.array([0.5, 0.9]),
        seen_labels=np.array([0, 0]),
        unseen_scores=np.array([0.6, 0.1]),
        unseen_labels=np.array([5, 5]),
        truth=np.array([0, 6]),
        is_seen=np.array([True, False]),
    )
    assert curve.best == (0, 0, *curve.at(0)) == (0, 0, 0, 0)


def test_a_curve_by_hand():
    # Of the seen ones, image 1 is lost at gamma -0.1 and image 0 at 0.2; of the unseen, 4 is won at 0.1 and 3 at 0.3.
    #   gamma   -inf  -0.1  0.1  0.2  0.3
    #   seen     2/3   1/3  1/3    0    0
    #   unseen     0     0  1/2  1/2    1
    curve = metrics.seen_unseen_curve(**BY_HAND)
    np.testing.assert_allclose(curve.gamma, [-np.inf, -0.1, 0.1, 0.2, 0.3], rtol=0, atol=1e-12)
    assert curve.seen == pytest.approx([2 / 3, 1 / 3, 1 / 3, 0, 0], abs=1e-15)
    assert curve.unseen.tolist() == [0, 0, 1 / 2, 1 / 2, 1]
    # One step to the right while both corners have 1/3, one at 0: area 1/2 x 1/3.
    assert curve.area == pytest.approx(1 / 6, abs=1e-15)
    # The harmonic mean is 2 (1/3) (1/2) / (5/6) = 2/5 from 0.1 to 0.2.
    assert curve.best == pytest.approx((0.15, 0.4, 1 / 3, 1 / 2), abs=1e-12)
    assert curve.at(0) == pytest.approx((1 / 3, 0), abs=1e-15)
    assert curve.at(0.15) == (curve.best.seen, curve.best.unseen)
    assert curve.at(-np.inf) == (curve.seen[0], 0)
    assert curve.at(np.inf) == (0, 1)


def test_classes_count_the_same_whatever_their_images():
    # Three seen images of class 0 (hit, hit, miss) and one of class 1 (hit): 5/6 by class, 3/4 by image.
    images = {
        "seen_scores": np.ones(5),
        "seen_labels": np.array([0, 0, 9, 1, 0]),
        "unseen_scores": np.zeros(5),
        "unseen_labels": np.array([7, 7, 7, 7, 7]),
        "truth": np.array([0, 0, 0, 1, 7]),
        "is_seen": np.array([True, True, True, True, False]),
    }
    assert metrics.seen_unseen_curve(**images).at(0)[0] == pytest.approx(5 / 6, abs=1e-15)
    assert metrics.seen_unseen_curve(**images, average="image").at(0)[0] == 3 / 4


@pytest.mark.parametrize("average", ["class", "image"])
@given(images=problems())
def test_every_gamma_against_predictions_made_anew(average, images):
    curve = metrics.seen_unseen_curve(**images, average=average)
    gammas = np.concatenate([curve.gamma[1:], (curve.gamma[1:] + 1e-6), (curve.gamma[1:] - 1e-6), [-9.0, 0.0, 9.0]])
    for gamma in gammas.tolist():
        assert curve.at(gamma) == pytest.approx(accuracies(images, gamma, average), abs=1e-12)
    assert (np.diff(curve.gamma) > 0).all()
    assert (np.diff(curve.seen) <= 1e-15).all()
    assert (np.diff(curve.unseen) >= -1e-15).all()


@pytest.mark.parametrize("average", ["class", "image"])
@given(images=problems())
def test_area_and_best_gamma_against_a_scan(independent, average, images):
    curve = metrics.seen_unseen_curve(**images, average=average)
    scan = np.array([accuracies(images, gamma, average) for gamma in [-9.0, *curve.gamma[1:].tolist()]])
    if len(scan) > 1:
        assert curve.area == pytest.approx(independent("sklearn.metrics").auc(scan[:, 1], scan[:, 0]), abs=1e-12)
    else:
        assert curve.area == 0
    means = [0 if s + u == 0 else 2 * s * u / (s + u) for s, u in scan.tolist()]
    assert curve.best.harmonic_mean == pytest.approx(max(means), abs=1e-12)
    at_best = accuracies(images, curve.best.gamma, average)
    assert metrics.harmonic_mean(*at_best) == pytest.approx(curve.best.harmonic_mean, abs=1e-12)


@given(images=problems(), cuts=st.lists(st.integers(0, 30), max_size=3))
def test_chunks_give_the_same_curve(images, cuts):
    collected = metrics.SeenUnseen()
    for rows in np.split(np.arange(len(images["truth"])), sorted(cuts)):
        collected.add(**{name: array[rows] for name, array in images.items()})
    whole, curve = metrics.seen_unseen_curve(**images), collected.curve()
    assert collected.n_images == len(images["truth"])
    for name in ("gamma", "seen", "unseen"):
        assert getattr(curve, name).tolist() == getattr(whole, name).tolist()


def test_the_ends_are_exact():
    # Sums of sevenths and elevenths; at the ends nothing may be left over.
    rng = np.random.default_rng(0)
    n = 500
    images = {
        "seen_scores": rng.random(n),
        "seen_labels": rng.integers(7, size=n),
        "unseen_scores": rng.random(n),
        "unseen_labels": rng.integers(11, size=n),
        "truth": rng.integers(7, size=n),
        "is_seen": rng.random(n) < 0.5,
    }
    curve = metrics.seen_unseen_curve(**images)
    assert (curve.seen[-1], curve.unseen[0]) == (0, 0)


def test_harmonic_mean():
    assert metrics.harmonic_mean(0.5, 0.25) == pytest.approx(1 / 3)
    assert metrics.harmonic_mean(0, 0) == 0
    assert metrics.harmonic_mean(np.array([0, 1.0]), np.array([1, 1.0])).tolist() == [0, 1]
    for bad in (-0.1, np.nan):
        with pytest.raises(ValueError, match="seen and unseen must be accuracies"):
            metrics.harmonic_mean(bad, 0.5)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"seen_scores": np.array([0.7, np.nan, 0.9, 0.8, 0.6])}, ValueError, "seen_scores must hold finite numbers"),
        ({"unseen_scores": np.ones(4)}, ValueError, r"unseen_scores must have shape \(5,\), got \(4,\)"),
        ({"unseen_scores": np.ones(5, int)}, TypeError, "unseen_scores must hold floats, got int64"),
        ({"seen_labels": np.ones(5)}, TypeError, "seen_labels must hold integers, got float64"),
        ({"seen_labels": np.ones(4, int)}, ValueError, r"seen_labels must have shape \(5,\), one per image"),
        ({"truth": np.array([0, 1, -1, 5, 6])}, ValueError, "truth must name .* got -1 for image 2"),
        ({"truth": np.zeros((5, 1), int)}, ValueError, r"truth must have shape \(N,\), got \(5, 1\)"),
        ({"is_seen": np.array([1, 1, 1, 0, 0])}, TypeError, r"is_seen must be bool, got int64.*astype\(bool\)"),
        ({"is_seen": np.ones(4, bool)}, ValueError, r"is_seen must have shape \(5,\)"),
        ({"is_seen": np.ones(5, bool)}, ValueError, "is_seen must hold images of both kinds, got none of unseen"),
        ({"is_seen": np.zeros(5, bool)}, ValueError, "is_seen must hold images of both kinds, got none of seen"),
        ({"average": "macro"}, ValueError, "average must be one of 'class', 'image', got 'macro'"),
    ],
)
def test_bad_input(changes, kind, words):
    with pytest.raises(kind, match=words):
        metrics.seen_unseen_curve(**{**BY_HAND, **changes})


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="there are no images, so there is no curve"):
        metrics.SeenUnseen().curve()
    with pytest.raises(ValueError, match="gamma must be a number, got NaN"):
        metrics.seen_unseen_curve(**BY_HAND).at(np.nan)
