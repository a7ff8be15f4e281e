"""The float64 oracle of every test: plain NumPy, slow on purpose, and nothing of conse_fast in it.

Sizes: N rows (images), C seen classes, L labels, R stored label rows (R = L unless a label owns several),
D dimensions. Besides the oracle itself this file holds the tie-aware assertion, the metric, and the random
data that several test files share. The assertion is tested in its own right (`test_reference.py`): a check
that cannot fail proves nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# The accuracy line of the numerical contract: 2e-6, growing with the cancellation in sum_t p_t s_t.
ACCURACY = 2e-6
# A row has no direction when ||sum_t p_t s_t|| <= 1e-6 sum_t p_t (times ||s_t|| where lengths are kept).
NO_DIRECTION = 1e-6


# ------------------------------------------------------------------------------------------------- the oracle


def top_k(x, k):
    """Returns the k largest of each row, ties by the lower column, in x's own dtype; (-inf, -1) beyond C."""
    x = np.asarray(x)
    rows = np.atleast_2d(x)
    count = min(k, rows.shape[1])
    order = np.argsort(-rows, axis=1, kind="stable")[:, :count]
    values = np.full((len(rows), k), -np.inf, dtype=x.dtype.newbyteorder("="))
    indices = np.full((len(rows), k), -1, dtype=np.int64)
    values[:, :count] = np.take_along_axis(rows, order, axis=1)
    indices[:, :count] = order
    shape = (*x.shape[:-1], k)
    return values.reshape(shape), indices.reshape(shape)


def row_lengths(matrix):
    """Returns the Euclidean length of each row in float64."""
    matrix = np.asarray(matrix).astype(np.float64)
    return np.sqrt((matrix * matrix).sum(axis=-1))


def unit_rows(matrix):
    """Returns the rows in float64, scaled to unit length; a row of zeros stays."""
    matrix = np.asarray(matrix).astype(np.float64)
    lengths = row_lengths(matrix)[:, None]
    return np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)


def kept_weights(probabilities, top_t):
    """Returns (N, C) float64: p_t / Z of the T most probable classes, zero elsewhere (and for Z = 0)."""
    probabilities = np.atleast_2d(probabilities)
    n_classes = probabilities.shape[1]
    top_t = n_classes if top_t is None else min(top_t, n_classes)
    _, kept = top_k(probabilities, top_t)
    weights = np.zeros(probabilities.shape, dtype=np.float64)
    chosen = np.take_along_axis(probabilities, kept, axis=1).astype(np.float64)
    np.put_along_axis(weights, kept, chosen, axis=1)
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def convex_combination(probabilities, class_embeddings, top_t=10, normalize_classes=True):
    """Returns f = sum_t p_t s_t / Z in float64, (N, D) or (D,)."""
    classes = np.asarray(class_embeddings).astype(np.float64)
    if normalize_classes:
        classes = unit_rows(classes)
    f = kept_weights(probabilities, top_t) @ classes
    return f[0] if np.ndim(probabilities) == 1 else f


def label_maximum(row_scores, row_label=None, n_labels=None):
    """Returns (N, L): the best score among the rows that each label owns, -inf for a label that owns none."""
    if row_label is None:
        row_label = np.arange(row_scores.shape[1])
    if n_labels is None:
        n_labels = int(np.max(row_label)) + 1 if len(row_label) else 0
    scores = np.full((len(row_scores), n_labels), -np.inf)
    for row, label in enumerate(row_label):
        scores[:, label] = np.maximum(scores[:, label], row_scores[:, row])
    return scores


def cosine_scores(queries, label_matrix, query_lengths=None, label_lengths=None):
    """Returns every cosine in float64, (N, L) or (L,); -inf for a label or a query of length zero."""
    rows = np.atleast_2d(queries).astype(np.float64)
    labels = np.asarray(label_matrix).astype(np.float64)
    query_lengths = row_lengths(rows) if query_lengths is None else np.asarray(query_lengths)
    label_lengths = row_lengths(labels) if label_lengths is None else np.asarray(label_lengths)
    lengths = np.outer(query_lengths.astype(np.float64), label_lengths.astype(np.float64))
    scores = np.divide(rows @ labels.T, lengths, out=np.full(lengths.shape, -np.inf), where=lengths > 0)
    return scores[0] if np.ndim(queries) == 1 else scores


def conse_scores(
    probabilities,
    class_embeddings,
    label_embeddings,
    top_t=10,
    *,
    normalize_classes=True,
    row_label=None,
    n_labels=None,
):
    """Returns the ConSE score of every label in float64, (N, L) or (L,); -inf where one cannot rank."""
    f = np.atleast_2d(convex_combination(probabilities, class_embeddings, top_t, normalize_classes))
    row_scores = cosine_scores(f, label_embeddings)
    reach = np.atleast_1d(reach_of(probabilities, class_embeddings, top_t, normalize_classes))
    row_scores[row_lengths(f) <= NO_DIRECTION * reach] = -np.inf
    scores = label_maximum(row_scores, row_label, n_labels)
    return scores[0] if np.ndim(probabilities) == 1 else scores


def reach_of(probabilities, class_embeddings, top_t, normalize_classes):
    """Returns the length that f would have if nothing cancelled: 1 for unit embeddings, else sum_t p_t ||s_t|| / Z."""
    lengths = row_lengths(np.asarray(class_embeddings).astype(np.float64))[:, np.newaxis]
    f = convex_combination(probabilities, np.ones_like(lengths) if normalize_classes else lengths, top_t, False)
    return f[..., 0]


def tolerance(probabilities, class_embeddings, top_t=10, normalize_classes=True):
    """Returns each row's allowed error, 2e-6 * max(1, sum_t p_t ||s_t|| / ||sum_t p_t s_t||), (N,) or a scalar."""
    f = convex_combination(probabilities, class_embeddings, top_t, normalize_classes)
    reach = reach_of(probabilities, class_embeddings, top_t, normalize_classes)
    with np.errstate(divide="ignore", invalid="ignore"):
        return ACCURACY * np.fmax(1.0, reach / row_lengths(f))


def pairs_to_probabilities(indices, weights, n_classes):
    """Returns the dense float64 row that means the same as (indices, weights), (N, C) or (C,)."""
    indices = np.asarray(indices).astype(np.int64)
    dense = np.zeros((*indices.shape[:-1], n_classes), dtype=np.float64)
    np.put_along_axis(dense, indices, np.asarray(weights).astype(np.float64), axis=-1)
    return dense


def logits_to_probabilities(logits, top_t, temperature=1.0):
    """Returns the float64 softmax over the T largest logits of each row, zero elsewhere, (N, C) or (C,)."""
    logits = np.asarray(logits)
    top_t = logits.shape[-1] if top_t is None else min(top_t, logits.shape[-1])
    values, kept = top_k(logits, top_t)
    values = values.astype(np.float64)
    weights = np.exp((values - values[..., :1]) / temperature)
    return pairs_to_probabilities(kept, weights / weights.sum(axis=-1, keepdims=True), logits.shape[-1])


# --------------------------------------------------------------------------------------------- the assertions


def assert_ranking(scores, indices, oracle_scores, k, tolerance):
    """Asserts that (scores, indices) is a right answer, whichever way rounding has broken near ties.

    Args:
      scores: what is judged, float32, (N, k) or (k,).
      indices: what is judged, int64, of the same shape.
      oracle_scores: the float64 score of every label, (N, L) or (L,); -inf for a label that must not rank.
      k: the number of results that was asked for.
      tolerance: the allowed error of a score, a number or one per row.
    """
    oracle_scores = np.asarray(oracle_scores, dtype=np.float64)
    assert isinstance(scores, np.ndarray), f"scores are a {type(scores).__name__}"
    assert isinstance(indices, np.ndarray), f"indices are a {type(indices).__name__}"
    assert scores.dtype == np.float32, f"scores have dtype {scores.dtype}"
    assert indices.dtype == np.int64, f"indices have dtype {indices.dtype}"
    expected_shape = (*oracle_scores.shape[:-1], k)
    assert scores.shape == expected_shape, f"scores have shape {scores.shape}, not {expected_shape}"
    assert indices.shape == expected_shape, f"indices have shape {indices.shape}, not {expected_shape}"

    oracle = np.atleast_2d(oracle_scores)
    scores = scores.reshape(-1, k).astype(np.float64)
    indices = indices.reshape(-1, k)
    allowed = np.broadcast_to(np.asarray(tolerance, dtype=np.float64).reshape(-1), (len(oracle),))
    for row in range(len(oracle)):
        _assert_row(scores[row], indices[row], oracle[row], allowed[row], f"row {row}: ")


def _assert_row(scores, indices, oracle, allowed, where):
    expected = min(len(scores), int(np.isfinite(oracle).sum()))
    assert (indices[expected:] == -1).all(), where + f"only {expected} labels qualify; the rest must be -1"
    assert (scores[expected:] == -np.inf).all(), where + f"only {expected} labels qualify; the rest must be -inf"
    scores, indices = scores[:expected], indices[:expected]
    assert np.isfinite(scores).all(), where + "a score is not finite"
    assert ((indices >= 0) & (indices < len(oracle))).all(), where + "an index is not a label id"
    assert len(np.unique(indices)) == expected, where + "a label comes twice"
    assert np.isfinite(oracle[indices]).all(), where + "a label ranks that must not"

    error = np.abs(scores - oracle[indices])
    assert (error <= allowed).all(), where + f"a score is off by {error.max():.3g}, allowed are {allowed:.3g}"

    falls = scores[:-1] > scores[1:]
    ties_by_id = (scores[:-1] == scores[1:]) & (indices[:-1] < indices[1:])
    assert (falls | ties_by_id).all(), where + "not ordered by (score descending, label id ascending)"

    if expected:
        left_out = np.delete(oracle, indices)
        best = left_out.max(initial=-np.inf)
        assert best <= scores[-1] + allowed, where + f"left out is {best:.9g}, the last is {scores[-1]:.9g}"


def assert_same_bits(actual, expected):
    """Asserts that two (scores, indices) pairs are equal to the last bit."""
    for one, other in zip(actual, expected):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert np.array_equal(one, other), f"{np.sum(one != other)} of {one.size} differ"


# ------------------------------------------------------------------------------------------------- the metric


def hit_at_k(scores, truth, k):
    """Returns the share of rows with the true label among the k best; a tie is half a place before it."""
    true_scores = np.take_along_axis(scores, np.asarray(truth)[:, None], axis=1)
    better = (scores > true_scores).sum(axis=1)
    tied = (scores == true_scores).sum(axis=1) - 1
    return float(np.mean(better + tied / 2 < k))


# ------------------------------------------------------------------------------------------------ shared data


class Problem(NamedTuple):
    """What one ranking needs: probabilities (N, C), class_embeddings (C, D), label_embeddings (L, D)."""

    probabilities: np.ndarray
    class_embeddings: np.ndarray
    label_embeddings: np.ndarray


def random_problem(seed=0, *, n=8, n_classes=40, n_labels=300, dimension=24, sharpness=2.0):
    """Returns a float32 Problem: softmax rows, and clustered embeddings, so that blocks can be skipped."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.standard_normal((n, n_classes))
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    centres = rng.standard_normal((12, dimension))
    classes = centres[rng.integers(12, size=n_classes)] + 0.5 * rng.standard_normal((n_classes, dimension))
    labels = centres[rng.integers(12, size=n_labels)] + 0.5 * rng.standard_normal((n_labels, dimension))
    return Problem(*(array.astype(np.float32) for array in (probabilities, classes, labels)))


def memory_layouts(matrix):
    """Returns {name: array}: the same 2-D values in the memory layouts that NumPy users come along with."""
    n, columns = matrix.shape
    spread = np.zeros((2 * n, 3 * columns), dtype=matrix.dtype)
    spread[::2, 1::3] = matrix
    read_only = matrix.copy()
    read_only.flags.writeable = False
    swapped = matrix.dtype.newbyteorder("S")
    unaligned = np.zeros(matrix.nbytes + 1, dtype=np.uint8)[1:].view(matrix.dtype).reshape(matrix.shape)
    unaligned[...] = matrix
    return {
        "strided": spread[::2, 1::3],
        "fortran": np.asfortranarray(matrix),
        "read-only": read_only,
        "swapped bytes": matrix.astype(swapped),
        "swapped and fortran": np.asfortranarray(matrix.astype(swapped)),
        "negative row stride": matrix[::-1].copy()[::-1],
        "negative column stride": matrix[:, ::-1].copy()[:, ::-1],
        "unaligned": unaligned,
    }


# ----------------------------------------------------------------------------------------------- the checksum


def xxh64(data):
    """Returns the XXH64 of bytes (seed 0), from https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md."""
    p1, p2, p3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
    p4, p5, mask = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5, 2**64 - 1

    def rotate(x, bits):
        return (x << bits | x >> (64 - bits)) & mask

    def mix(accumulator, lane):
        return rotate((accumulator + lane * p2) & mask, 31) * p1 & mask

    def number(at, size):
        return int.from_bytes(data[at : at + size], "little")

    at, n = 0, len(data)
    result = p5
    if n >= 32:
        lanes = [(p1 + p2) & mask, p2, 0, -p1 & mask]
        while at + 32 <= n:
            lanes = [mix(lane, number(at + 8 * i, 8)) for i, lane in enumerate(lanes)]
            at += 32
        result = sum(rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18))) & mask
        for lane in lanes:
            result = ((result ^ mix(0, lane)) * p1 + p4) & mask
    result = (result + n) & mask
    while at + 8 <= n:
        result = (rotate(result ^ mix(0, number(at, 8)), 27) * p1 + p4) & mask
        at += 8
    if at + 4 <= n:
        result = (rotate(result ^ number(at, 4) * p1 & mask, 23) * p2 + p3) & mask
        at += 4
    for byte in data[at:]:
        result = rotate(result ^ byte * p5 & mask, 11) * p1 & mask
    for shift, prime in ((33, p2), (29, p3)):
        result = (result ^ result >> shift) * prime & mask
    return result ^ result >> 32


def seal(content):
    """Returns the bytes of an index file with the checksum that fits them."""
    key = b'"checksum.xxh64":"'
    begin = content.index(key) + len(key)
    content = content[:begin] + b"0" * 16 + content[begin + 16 :]
    return content[:begin] + b"%016x" % xxh64(content) + content[begin + 16 :]
