"""Candidates, the penalty of seen labels and the form of scores, beside the oracle and beside the ranking of all."""

from __future__ import annotations

import json

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_ranking, assert_same_bits, random_problem, seal

import conse_fast as cf

N_CLASSES, N_LABELS = 90, 2500
LABEL_CLASS = np.where(np.arange(N_LABELS) % 7 == 3, np.arange(N_LABELS) % N_CLASSES, -1)


@pytest.fixture(scope="module")
def problem():
    found = random_problem(n=20, n_classes=N_CLASSES, n_labels=N_LABELS, dimension=64, sharpness=4)
    found.probabilities[3] = 0
    return found


@pytest.fixture(scope="module", params=["full", "compact"])
def index(request, problem):
    names = [f"label {i % 2000}" for i in range(N_LABELS)]
    return cf.ConseIndex.build(
        *problem[1:],
        label_class=LABEL_CLASS,
        label_names=names,
        label_ids=[f"n{i:08}" for i in range(N_LABELS)],
        compact=request.param == "compact",
    )


def oracle_of(problem, mask=True, penalty=0.0, top_t=10, form="cosine"):
    scores = reference.conse_scores(*problem, top_t)
    if form == "dot":
        lengths = reference.row_lengths(reference.convex_combination(*problem[:2], top_t))[:, None]
        scores = np.multiply(scores, lengths, out=scores, where=np.isfinite(scores))
    return np.where(mask, scores - penalty * (LABEL_CLASS >= 0), -np.inf)


def masks_of(share, n_rows=None, seed=1):
    shape = N_LABELS if n_rows is None else (n_rows, N_LABELS)
    return np.random.default_rng(seed).random(shape) < share


@pytest.mark.parametrize("top_t", [1, 10, 40, None])
@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.3, 1])
def test_a_mask_leaves_the_ranking_of_its_labels(index, problem, target, share, top_t):
    mask = masks_of(share)
    oracle = oracle_of(problem, mask, top_t=top_t or N_CLASSES)
    allowed = reference.tolerance(*problem[:2], top_t or N_CLASSES)
    for k in (1, 10, 300, N_LABELS):
        for candidates in (mask, index.candidates(mask)):
            ranking = index.rank(problem.probabilities, k, top_t, candidates=candidates)
            assert_ranking(*ranking, oracle, k, allowed)


@pytest.mark.parametrize("top_t", [10, None])
def test_each_row_has_its_own_candidates(index, problem, target, top_t):
    masks = masks_of(0.1, len(problem.probabilities))
    masks[5], masks[6] = False, True
    oracle = oracle_of(problem, masks, top_t=top_t or N_CLASSES)
    for k in (1, 10, 400):
        ranking = index.rank(problem.probabilities, k, top_t, candidates=masks)
        assert_ranking(*ranking, oracle, k, reference.tolerance(*problem[:2], top_t or N_CLASSES))
        one = index.rank(problem.probabilities[7], k, top_t, candidates=masks[7])
        assert_same_bits(one, (ranking.scores[7], ranking.indices[7]))


@pytest.mark.parametrize("top_t", [10, None])
@pytest.mark.parametrize("penalty", [-3.0, -0.2, 0.05, 0.3, 5.0])
def test_seen_labels_are_set_back(index, problem, target, penalty, top_t):
    mask = masks_of(0.5)
    allowed = reference.tolerance(*problem[:2], top_t or N_CLASSES) + 1e-6 * abs(penalty)
    for k in (1, 10, 300):
        for candidates, of in ((None, True), (mask, mask), (index.candidates(mask), mask)):
            ranking = index.rank(problem.probabilities, k, top_t, candidates=candidates, seen_penalty=penalty)
            assert_ranking(*ranking, oracle_of(problem, of, penalty, top_t or N_CLASSES), k, allowed)


def test_seen_labels_that_are_brought_forward_are_found_among_others(index, problem):
    # A tile of both kinds has no bound of its own for the seen ones.
    for penalty in (-0.1, -0.01):
        for top_t in (1, 10):
            oracle = oracle_of(problem, penalty=penalty, top_t=top_t)
            ranking = index.rank(problem.probabilities, 1, top_t, seen_penalty=penalty)
            assert_ranking(*ranking, oracle, 1, reference.tolerance(*problem[:2], top_t))


@pytest.mark.parametrize("top_t", [1, 10, 40, None])
def test_dot_products_are_comparable_between_images(index, problem, target, top_t):
    t = top_t or N_CLASSES
    oracle = oracle_of(problem, top_t=t, form="dot")
    for k in (1, 10, N_LABELS):
        ranking = index.rank(problem.probabilities, k, top_t, form="dot")
        assert_ranking(*ranking, oracle, k, 4 * reference.ACCURACY)
    f = index.embed(problem.probabilities, top_t).astype(np.float64)
    labels = reference.unit_rows(problem.label_embeddings)
    best = ranking.indices[0, 0]
    assert ranking.scores[0, 0] == pytest.approx(f[0] @ labels[best], abs=1e-6)


@given(
    seed=st.integers(0, 1000),
    share=st.sampled_from([0.002, 0.05, 0.5, 1]),
    penalty=st.sampled_from([0.0, 0.1, -0.1]),
    form=st.sampled_from(["cosine", "dot"]),
    k=st.sampled_from([1, 7, 50, 600]),
    top_t=st.sampled_from([1, 10, 90]),
)
def test_candidates_change_no_bit(index, problem, seed, share, penalty, form, k, top_t):
    mask = masks_of(share, seed=seed)
    every = index.rank(problem.probabilities, N_LABELS, top_t, form=form)
    penalised = every.scores - np.float32(penalty) * (LABEL_CLASS[every.indices] >= 0)
    scores = np.where(mask[every.indices] & (every.indices >= 0), penalised, -np.inf).astype(np.float32)
    order = np.lexsort((every.indices, -scores))[:, :k]
    expected = np.take_along_axis(scores, order, 1), np.take_along_axis(every.indices, order, 1)
    expected[1][np.isinf(expected[0])] = -1
    ranking = index.rank(problem.probabilities, k, top_t, candidates=mask, seen_penalty=penalty, form=form)
    assert_same_bits(ranking, expected)


def test_labels_with_several_rows(make_index, problem):
    row_label = np.arange(N_LABELS) // 3
    index = make_index(*problem[1:], form="full", row_label=row_label)
    mask = np.arange(index.n_labels) % 5 == 0
    oracle = reference.conse_scores(*problem, 10, row_label=row_label)
    ranking = index.rank(problem.probabilities, 20, candidates=mask)
    assert_ranking(*ranking, np.where(mask, oracle, -np.inf), 20, reference.tolerance(*problem[:2], 10))


def test_logits_and_pairs_take_candidates_too(index, problem):
    mask = masks_of(0.05)
    what = {"candidates": mask, "seen_penalty": 0.1, "form": "dot"}
    expected = index.rank(problem.probabilities, 30, **what)
    values, kept = cf.top_k(problem.probabilities, 10)
    assert_same_bits(index.rank_pairs(kept, values, 30, **what), expected)
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(problem.probabilities[:3]), -700)
    near = index.rank_logits(logits, 30, **what)
    assert np.array_equal(near.indices[:, 0], expected.indices[:3, 0])
    np.testing.assert_allclose(near.scores, expected.scores[:3], atol=1e-6)


def test_threads_and_batches_change_no_bit(index, problem):
    probabilities = np.resize(problem.probabilities, (400, N_CLASSES))
    masks = np.resize(masks_of(0.05, 20), (400, N_LABELS))
    expected = index.rank(problem.probabilities, 25, candidates=masks[:20], seen_penalty=0.1)
    for n_threads in (1, 2, 5):
        scores, indices = index.rank(probabilities, 25, candidates=masks, seen_penalty=0.1, n_threads=n_threads)
        assert_same_bits((scores[380:], indices[380:]), expected)


def test_candidates_by_ids_and_names(index, problem):
    ids = np.array([5, 1777, 2300, 5])
    mask = np.isin(np.arange(N_LABELS), ids)
    expected = index.rank(problem.probabilities, 5, candidates=mask)
    texts = ["n00000005", "label 1777", "n00002300"]
    for candidates in (ids, ids.tolist(), texts, tuple(texts), index.candidates(texts), index.candidates(ids)):
        assert_same_bits(index.rank(problem.probabilities, 5, candidates=candidates), expected)
    assert index.find("n00000005").tolist() == [5]
    rows = np.array([[5, -1], [1777, 3]])
    by_row = index.rank(problem.probabilities[:2], 2, candidates=rows)
    assert by_row.indices[0].tolist() == [5, -1]
    assert sorted(by_row.indices[1]) == [3, 1777]
    assert (index.rank(problem.probabilities, 3, candidates=[]).indices == -1).all()


def test_prepared_candidates(index):
    some = index.candidates(["label 1777", "n00000005"], exclude=[1777])
    assert len(some) == 1
    assert list(some) == some.ids.tolist() == [5]
    assert some.mask.sum() == 1
    assert repr(some) == "<1 candidates of 2,500 labels>"
    assert len(index.candidates()) == N_LABELS
    assert len(index.candidates(exclude=some)) == N_LABELS - 1
    assert 5 not in index.candidates(index.candidates([5, 6]), exclude=some)
    with pytest.raises(ValueError, match="read-only"):
        some.mask[0] = True


@pytest.mark.parametrize("share", [0.001, 0.02, 0.2])
@pytest.mark.parametrize("row_label", [None, np.arange(N_LABELS) // 3], ids=["", "rows of several"])
def test_sparse_candidates_become_an_index_of_their_own(make_index, problem, target, share, row_label):
    # Which pays from a few hundred images on; rows of masks are never packed.
    label_class = LABEL_CLASS if row_label is None else LABEL_CLASS[: row_label[-1] + 1]
    rows = np.resize(problem.probabilities, (700, N_CLASSES))
    for form in ("full", "compact"):
        index = make_index(*problem[1:], form=form, row_label=row_label, label_class=label_class)
        mask = np.random.default_rng(8).random(index.n_labels) < share
        masks = np.broadcast_to(mask, (20, index.n_labels))
        prepared = index.candidates(mask)
        for what in (
            {},
            {"seen_penalty": 0.1, "form": "dot"},
            {"seen_penalty": -0.1},
            {"exclude": np.flatnonzero(mask)[:9]},
        ):
            for k, top_t in ((1, 10), (10, [1, 40, None]), (300, 10)):
                expected = index.rank(problem.probabilities, k, top_t, candidates=masks, **what)
                for candidates in (prepared, mask, np.flatnonzero(mask)):
                    for n_threads in (1, 3):
                        ranking = index.rank(rows, k, top_t, candidates=candidates, n_threads=n_threads, **what)
                        assert_same_bits((ranking.scores[..., 680:, :], ranking.indices[..., 680:, :]), expected)
        excluded = np.resize(np.flatnonzero(mask), (20, 5))
        expected = index.rank(problem.probabilities, 10, candidates=masks, exclude=excluded)
        ranking = index.rank(rows, 10, candidates=prepared, exclude=np.resize(excluded, (700, 5)))
        assert_same_bits((ranking.scores[680:], ranking.indices[680:]), expected)


def test_seen_blocks_may_stand_anywhere_in_a_file(problem, tmp_path):
    path = tmp_path / "index.safetensors"
    labels, is_seen = problem.label_embeddings[:32], np.arange(32) < 16
    index = cf.ConseIndex.build(problem[1], labels, label_class=np.where(is_seen, 0, -1), path=path)
    content = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(content[:8], "little")
    for name, tensor in json.loads(content[8:begin]).items():
        if name in ("row_label", "label_embeddings", "table"):  # whose two blocks change places
            first, end = tensor["data_offsets"]
            array = np.frombuffer(content, f"{tensor['dtype'][0].lower()}4", (end - first) // 4, begin + first)
            array = array.reshape(tensor["shape"])
            blocks = array.swapaxes(0, 1) if name == "table" else array
            blocks[[0, 1]] = blocks[[1, 0]]
    (tmp_path / "swapped.safetensors").write_bytes(seal(bytes(content)))
    swapped = cf.ConseIndex.open(tmp_path / "swapped.safetensors")
    swapped.verify()
    rows = np.resize(problem.probabilities, (700, N_CLASSES))  # so many that candidates are packed
    for opened in (index, swapped):
        ranking = opened.rank(rows, 8, candidates=range(0, 32, 4), seen_penalty=0.3)
        scores = index.rank(rows, 32, seen_penalty=0.3)
        assert_same_bits(ranking, ranking_of(scores, np.arange(0, 32, 4)))


def ranking_of(ranking, labels):
    """What a ranking of all labels says of some, whose rows without direction hold -1."""
    chosen = np.isin(ranking.indices, [*labels, -1])
    order = np.argsort(~chosen, axis=1, kind="stable")[:, : len(labels)]
    return tuple(np.take_along_axis(array, order, axis=1) for array in ranking)


EXCLUDED = {
    "ids": np.array([5, 1777, 5, -1]),
    "names": ["label 1777", "n00000005"],
    "mask": masks_of(0.3, seed=2),
    "ids of each": np.random.default_rng(5).integers(-1, N_LABELS, (20, 60)),
    "mask of each": masks_of(0.5, 20, seed=3),
}
ALLOWED = {
    "all": None,
    "ids": np.arange(0, N_LABELS, 3),
    "mask": masks_of(0.2, seed=4),
    "ids of each": np.random.default_rng(6).integers(-1, N_LABELS, (20, 300)),
    "mask of each": masks_of(0.2, 20, seed=7),
}


def as_masks(index, labels):
    """(20, L) bool of whatever says which labels, without the code that is tested."""
    masks = np.zeros((20, N_LABELS), bool)
    if labels is None:
        return ~masks
    if isinstance(labels, list):
        labels = index.find(labels)
    if labels.dtype == bool:
        return np.broadcast_to(labels, masks.shape)
    for mask, ids in zip(masks, np.broadcast_to(labels, (20, labels.shape[-1]))):
        mask[ids[ids >= 0]] = True
    return masks


@pytest.mark.parametrize("allowed", ALLOWED)
@pytest.mark.parametrize("excluded", EXCLUDED)
def test_excluded_labels(index, problem, allowed, excluded):
    allowed, excluded = ALLOWED[allowed], EXCLUDED[excluded]
    masks = as_masks(index, allowed) & ~as_masks(index, excluded)
    for what in ({}, {"seen_penalty": 0.1}, {"seen_penalty": -0.1, "form": "dot"}):
        for k, top_t in ((1, 10), (10, [1, None]), (400, 10)):
            ranking = index.rank(problem.probabilities, k, top_t, candidates=allowed, exclude=excluded, **what)
            assert_same_bits(ranking, index.rank(problem.probabilities, k, top_t, candidates=masks, **what))
    prepared = index.candidates(allowed) if np.ndim(allowed) < 2 else None
    if prepared is not None:
        ranking = index.rank(problem.probabilities, 10, candidates=prepared, exclude=excluded)
        assert_same_bits(ranking, index.rank(problem.probabilities, 10, candidates=masks))


def test_logits_and_pairs_exclude_too(index, problem):
    values, kept = cf.top_k(problem.probabilities, 10)
    seen = index.rank(problem.probabilities, 5).indices
    expected = index.rank(problem.probabilities, 5, exclude=seen)
    assert not np.isin(expected.indices[0], seen[0]).any()
    assert_same_bits(index.rank_pairs(kept, values, 5, exclude=seen), expected)
    assert index.rank_logits(problem.probabilities, 5, exclude=EXCLUDED["names"]).indices.min() >= 0
    one = index.rank(problem.probabilities[2], 5, exclude=seen[2])
    assert_same_bits(one, (expected.scores[2], expected.indices[2]))


def test_what_was_seen_so_far_is_excluded_page_by_page(index, problem):
    every = index.rank(problem.probabilities, 30)
    pages = [index.rank(problem.probabilities, 10, exclude=every.indices[:, :seen]).indices for seen in (0, 10, 20)]
    assert np.array_equal(np.concatenate(pages, axis=1), every.indices)


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ({"exclude": [N_LABELS]}, ValueError, "exclude holds 2500; expected label ids from 0 to 2499, or -1"),
        ({"exclude": np.full((20, 1), -2)}, ValueError, r"exclude\[0\] holds -2"),
        ({"candidates": np.eye(20, 2, -3, int) * 9999}, ValueError, r"candidates\[3\] holds 9999"),  # no direction
        ({"candidates": [N_LABELS], "exclude": [1]}, ValueError, "candidates holds 2500"),
        ({"candidates": {1, 2}}, TypeError, "label ids, got set; give a list or an array"),
        ({"candidates": 3}, TypeError, "label ids, got int; give a list or an array"),
        ({"exclude": np.array(["n1"])}, ValueError, "no label has the id or the name 'n1'"),
        ({"exclude": np.zeros((3, N_LABELS), bool)}, ValueError, "exclude has 3 rows for 20 images"),
        ({"exclude": "label 3"}, ValueError, "exclude: 2 labels have the name 'label 3'"),
        ({"candidates": "label 3"}, ValueError, r"2 labels have the name 'label 3'; .*3 \(n00000003\), 2003"),
        ({"candidates": ["n1"]}, ValueError, "no label has the id or the name 'n1'"),
        ({"candidates": ["n00000001", 2]}, TypeError, "sequence of str, got 2 among them"),
        ({"candidates": np.zeros(7, bool)}, ValueError, "mask of 7 labels; expected 2500"),
        ({"candidates": np.zeros((3, N_LABELS), bool)}, ValueError, "3 rows for 20 images"),
        ({"candidates": [1, N_LABELS]}, ValueError, "holds 2500; expected label ids from 0 to 2499"),
        ({"candidates": [-2]}, ValueError, "holds -2"),
        ({"candidates": [0.5]}, TypeError, "bool, label ids or names, got float64"),
        ({"candidates": np.zeros((1, 1, 1), int)}, ValueError, "candidates must be"),
        ({"seen_penalty": np.nan}, ValueError, "seen_penalty must be a finite number within float32, got NaN"),
        ({"seen_penalty": -1e39}, ValueError, "seen_penalty must be a finite number within float32"),
        ({"seen_penalty": "much"}, TypeError, "seen_penalty must be a number"),
        ({"seen_penalty": None}, TypeError, "seen_penalty must be a number, got None"),
        ({"seen_penalty": np.array([0.1, 0.2])}, TypeError, "seen_penalty must be a number"),
        ({"form": "euclid"}, ValueError, "form must be 'cosine' or 'dot', got 'euclid'"),
        ({"form": ["dot"]}, ValueError, "form must be 'cosine' or 'dot'"),
        ({"form": np.array(["dot", "dot"])}, ValueError, "form must be 'cosine' or 'dot'"),
    ],
)
def test_wrong_arguments(index, problem, what, error, message):
    with pytest.raises(error, match=message):
        index.rank(problem.probabilities, **what)


def test_rows_of_candidates_for_a_single_image(index, problem):
    with pytest.raises(ValueError, match=r"candidates has shape \(1, 3\) for a single image.*: candidates\[0\]"):
        index.rank(problem.probabilities[0], candidates=[[1, 2, 3]])


def test_candidates_of_another_index(index, problem):
    other = cf.ConseIndex.build(*problem[1:])
    foreign = other.candidates([1])
    for what in (
        {"candidates": foreign},
        {"exclude": foreign},
        {"candidates": foreign, "exclude": [2]},
        {"candidates": masks_of(0.5, 20), "exclude": foreign},
    ):
        with pytest.raises(ValueError, match="prepared by another index"):
            index.rank(problem.probabilities, **what)
    for call in (index.candidates, index.reachability, index.plan):
        with pytest.raises(ValueError, match="prepared by another index"):
            call(**{"include" if call == index.candidates else "candidates": foreign})


def test_rows_of_masks_where_one_set_is_due(index, problem):
    for call in (index.reachability, index.plan, lambda **what: index.best_seen_and_unseen(problem[0], **what)):
        with pytest.raises(ValueError, match="candidates must have one dimension"):
            call(candidates=masks_of(0.5, N_CLASSES))
    with pytest.raises(ValueError, match="include must have one dimension"):
        index.candidates(masks_of(0.5, 2))


def test_names_where_labels_have_none(problem):
    with pytest.raises(ValueError, match="labels have neither ids nor names to find 'dog' by; give label ids"):
        cf.ConseIndex.build(*problem[1:]).find("dog")


def test_no_images(index, problem):
    nothing = problem.probabilities[:0]
    for allowed in (None, np.zeros((0, 3), int), np.zeros((0, N_LABELS), bool)):
        for excluded in (None, np.zeros((0, 3), int), np.zeros((0, N_LABELS), bool)):
            assert index.rank(nothing, 4, candidates=allowed, exclude=excluded).scores.shape == (0, 4)


def test_arrays_of_names(index, problem):
    names = np.array(["n00000007", "label 1777"])
    expected = index.rank(problem.probabilities, 5, candidates=[7, 1777])
    for labels in (names, names.astype(object), tuple(names)):
        assert_same_bits(index.rank(problem.probabilities, 5, candidates=labels), expected)
        assert list(index.find(labels)) == [7, 1777]
