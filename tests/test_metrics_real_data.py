"""The metrics on the real photos: the known facts, and brute force for what nobody has published."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import REAL_DATA
from test_metrics_generalised import accuracies
from test_metrics_hierarchical import hp_at_k
from test_real_data import HITS

import conse_fast as cf
from conse_fast import metrics


def lines(name):
    return (REAL_DATA / "imagenet" / name).read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def index(real):
    return cf.ConseIndex.build(real.class_embeddings, real.label_embeddings)


@pytest.fixture(scope="module")
def wnids(real):
    return [line.split("\t")[0] for line in lines("labels_21842.tsv")[1:]]


@pytest.fixture(scope="module")
def is_a(real):
    return [tuple(line.split()) for line in lines("is_a.txt")]


def test_the_known_hits(index, real):
    # Ties counted half, as the known facts are; they are the same by label id.
    ranking = index.rank(real.photos, 50)
    for ties in ("half", "label_id", "pessimistic"):
        hits = metrics.hit_at_k(ranking.indices, real.truth, list(HITS), scores=ranking.scores, ties=ties)
        assert hits == pytest.approx(list(HITS.values()), abs=1e-12)


def test_hits_of_chunks_and_their_intervals(index, real):
    counter = metrics.HitAtK(list(HITS))
    for first in range(0, 250, 64):
        rows = slice(first, first + 64)
        counter.add(index.rank(real.photos[rows], 20).indices, real.truth[rows])
    assert counter.result() == pytest.approx(list(HITS.values()), abs=1e-12)
    low, high = counter.interval(n_resamples=4000)
    # The normal approximation of a share, where it holds: 63 and 100 hits of 250.
    for i, share in ((3, 0.252), (4, 0.4)):
        width = 1.96 * np.sqrt(share * (1 - share) / 250)
        assert (low[i], high[i]) == pytest.approx((share - width, share + width), abs=0.01)


def test_hits_by_class_are_those_of_a_loop(index, real):
    ranking = index.rank(real.animals, 5)
    found = (ranking.indices == real.animal_truth[:, None]).any(axis=1)
    expected = np.mean([found[real.animal_truth == label].mean() for label in np.unique(real.animal_truth)])
    assert metrics.per_class_hit_at_k(ranking.indices, real.animal_truth, 5) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("label_set", ["hops_2", "hops_3", "hops_all"])
def test_hierarchical_precision_against_a_walk_through_the_graph(real, wnids, is_a, label_set):
    id_of = {wnid: label for label, wnid in enumerate(wnids[1000:])}
    candidates = np.array([id_of[wnid] for wnid in lines(f"{label_set}.txt") if wnid in id_of])
    photos = np.flatnonzero(np.isin(real.truth, candidates))[::50]
    assert len(photos) >= 1
    index = cf.ConseIndex.build(real.class_embeddings, real.label_embeddings[candidates])
    indices = candidates[index.rank(real.photos[photos], 20).indices]
    hierarchy = metrics.Hierarchy(is_a, wnids[1000:])
    ks = [1, 2, 5, 10, 20]
    found = metrics.hierarchical_precision_at_k(indices, real.truth[photos], ks, hierarchy, candidates)
    expected = [hp_at_k(indices, real.truth[photos], k, is_a, wnids[1000:], candidates) for k in ks]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert found[0] == metrics.hit_at_k(indices, real.truth[photos], 1)


def test_hierarchical_precision_of_all_photos(index, real, wnids, is_a):
    hierarchy = metrics.Hierarchy(is_a, wnids[1000:])
    # Four labels are in no pair, as shared/data has them.
    assert [wnids[1000 + label] for label in hierarchy.missing] == ["n09450163", "n10994097", "n11196627", "n11318824"]
    ranking = index.rank(real.photos, 20)
    whole = metrics.hierarchical_precision_at_k(ranking.indices, real.truth, [1, 20], hierarchy)
    assert whole[0] == pytest.approx(HITS[1], abs=1e-12)
    counter = metrics.HierarchicalPrecisionAtK(hierarchy, [20, 1])
    for first in range(0, 250, 100):
        counter.add(ranking.indices[first : first + 100], real.truth[first : first + 100])
    assert counter.result().tolist() == whole[::-1].tolist()


def test_the_seen_unseen_curve_of_all_photos(real, wnids):
    photos = [line.split("\t") for line in lines("photos_imagen.tsv")[1:]]
    row_of = {wnid: row for row, wnid in enumerate(wnids)}
    truth = np.array([row_of[wnid] for _, wnid, _ in photos])
    is_seen = np.array([seen == "1" for _, _, seen in photos])
    probabilities = np.load(REAL_DATA / "imagenet" / "softmax_imagen_float32.npy")
    images = {"truth": truth, "is_seen": is_seen}
    embeddings = np.concatenate([real.class_embeddings, real.label_embeddings])
    scores = reference.conse_scores(probabilities, real.class_embeddings, embeddings)
    for kind, labels in (("seen", slice(0, 1000)), ("unseen", slice(1000, None))):
        images[f"{kind}_scores"] = scores[:, labels].max(axis=1)
        images[f"{kind}_labels"] = scores[:, labels].argmax(axis=1) + labels.start
    curve = metrics.seen_unseen_curve(**images)
    for gamma in (-1, 0, 0.05, 0.1, 0.2, 0.5, curve.best.gamma):
        assert curve.at(gamma) == pytest.approx(accuracies(images, gamma, "class"), abs=1e-12)
    # The same from an index of each kind: float32 scores move no photo by more than a step or two.
    for kind, labels in (("seen", slice(0, 1000)), ("unseen", slice(1000, None))):
        best, ids = cf.ConseIndex.build(real.class_embeddings, embeddings[labels]).rank(probabilities, 1)
        images[f"{kind}_scores"], images[f"{kind}_labels"] = best[:, 0], ids[:, 0] + labels.start
    ranked = metrics.seen_unseen_curve(**images)
    assert ranked.area == pytest.approx(curve.area, abs=1e-4)
    assert ranked.best.harmonic_mean == pytest.approx(curve.best.harmonic_mean, abs=1e-3)
