"""The three steps of ConSE, and all of them in one call: NumPy in, NumPy out, no index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conse_fast import _arrays, _core
from conse_fast._ranking import Ranking

if TYPE_CHECKING:
    import numpy.typing as npt

    from conse_fast._arrays import Pair


def top_k(x: npt.ArrayLike, k: int, *, n_threads: int | None = None, out: Pair | None = None) -> Pair:
    """The ``k`` largest values of each row and their columns.

    Args:
        x: (C,) or (N, C) float16, float32 or float64, any strides. Infinities are allowed.
        k: How many; places beyond C are filled with -inf and -1.
        n_threads: At most so many threads; None: `conse_fast.max_threads`.
        out: (values, indices) to fill, C-contiguous.

    Returns:
        ``values`` (k,) or (N, k) in the dtype of ``x`` and ``indices`` int64 of the same shape, ordered by (value
        descending, column ascending).

    Raises:
        TypeError: A wrong dtype or type.
        ValueError: A wrong shape, ``k`` < 1, or NaN.
    """
    rows, single = _arrays.rows(x, "x")
    k = _arrays.count(k, "k")
    values, indices = _arrays.result_pair(
        out, ("values", "indices"), _arrays.shape_of(rows, single, k), rows.dtype, (rows,)
    )
    n = _arrays.threads(n_threads)
    _core.top_k(rows, k, _arrays.as_rows(values, single), _arrays.as_rows(indices, single), n)
    return values, indices


def convex_combination(
    probabilities: npt.ArrayLike,
    class_embeddings: npt.ArrayLike,
    top_t: int | None = 10,
    *,
    normalize_classes: bool = True,
    n_threads: int | None = None,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Where the image lies among the embeddings: ``f = sum_t p_t s_t / sum_t p_t`` over its ``top_t`` classes.

    Equation 3 of Norouzi et al. 2013, computed in float64 and rounded once.

    Args:
        probabilities: (C,) or (N, C), non-negative and finite; float16, float32 or float64. Any weights will do.
        class_embeddings: (C, D) float16, float32 or float64: ``s``.
        top_t: Kept classes per row; None: all.
        normalize_classes: Bring each ``s_t`` to unit length first.
        n_threads: At most so many threads; None: `conse_fast.max_threads`.
        out: (D,) or (N, D) float32 to fill, C-contiguous.

    Returns:
        (D,) or (N, D) float32, not normalised. A row of zeros gives zeros.

    Raises:
        TypeError: A wrong dtype or type.
        ValueError: A wrong shape, NaN, infinity or negative values, ``top_t`` < 1.
    """
    rows, single = _arrays.rows(probabilities, "probabilities")
    classes = _arrays.matrix(class_embeddings, "class_embeddings")
    f = _arrays.result(out, "out", _arrays.shape_of(rows, single, classes.shape[1]), np.float32, (rows, classes))
    t, n = _arrays.terms(top_t, rows.shape[1]), _arrays.threads(n_threads)
    unit = _arrays.flag(normalize_classes, "normalize_classes")
    _core.convex_combination(rows, classes, t, unit, _arrays.as_rows(f, single), n)
    return f


def cosine_rank(
    queries: npt.ArrayLike,
    label_matrix: npt.ArrayLike,
    k: int = 10,
    *,
    query_lengths: npt.ArrayLike | None = None,
    label_lengths: npt.ArrayLike | None = None,
    n_threads: int | None = None,
    out: Pair | None = None,
) -> Ranking:
    """The ``k`` labels of largest cosine for each query, by scoring every label.

    Args:
        queries: (D,) or (N, D) float16, float32 or float64.
        label_matrix: (L, D) float32 or float16 with contiguous rows, ``np.memmap`` included; it is never copied.
        k: How many; places beyond L are filled with -inf and -1.
        query_lengths: (N,), used instead of the queries' own lengths. With lengths of 1 the score is the dot product.
        label_lengths: (L,), likewise for the labels.
        n_threads: At most so many threads; None: `conse_fast.max_threads`.
        out: (scores, indices) to fill, C-contiguous.

    Returns:
        `Ranking` of float32 scores and int64 indices, (k,) or (N, k), ordered by (score descending, label id
        ascending). A label or query of length zero never ranks.

    Raises:
        TypeError: A wrong dtype or type.
        ValueError: A wrong shape, ``k`` < 1, NaN or infinity.
    """
    if query_lengths is None and label_lengths is None:
        ranking = _core.cosine_rank_plain(queries, label_matrix, k, out, n_threads)
        if ranking is not None:
            return ranking
    rows, single = _arrays.rows(queries, "queries")
    labels = _arrays.label_matrix(label_matrix, "label_matrix")
    k = _arrays.count(k, "k")
    of_queries = _arrays.lengths(query_lengths, "query_lengths", len(rows))
    of_labels = _arrays.lengths(label_lengths, "label_lengths", len(labels))
    scores, indices = _arrays.result_pair(
        out,
        ("scores", "indices"),
        _arrays.shape_of(rows, single, k),
        np.float32,
        tuple(x for x in (rows, labels, of_queries, of_labels) if x is not None),
    )
    _core.cosine_rank(
        rows,
        labels,
        of_queries,
        of_labels,
        _arrays.as_rows(scores, single),
        _arrays.as_rows(indices, single),
        _arrays.threads(n_threads),
    )
    return Ranking(scores, indices)


def conse(
    probabilities: npt.ArrayLike,
    class_embeddings: npt.ArrayLike,
    label_embeddings: npt.ArrayLike,
    k: int = 10,
    top_t: int | None = 10,
    *,
    normalize_classes: bool = True,
    n_threads: int | None = None,
    out: Pair | None = None,
) -> Ranking:
    """ConSE in one call, without an index: `convex_combination`, then `cosine_rank`.

    To rank more than a few images against the same labels, `ConseIndex` is many times faster.

    Args:
        probabilities: (C,) or (N, C), non-negative and finite; float16, float32 or float64. Any weights will do.
        class_embeddings: (C, D) float16, float32 or float64.
        label_embeddings: (L, D) float32 or float16 with contiguous rows, ``np.memmap`` included; never copied.
        k: How many labels per image; places that stay empty hold -inf and -1.
        top_t: Kept classes per row; None: all.
        normalize_classes: Bring the class embeddings to unit length first.
        n_threads: At most so many threads; None: `conse_fast.max_threads`.
        out: (scores, indices) to fill, C-contiguous.

    Returns:
        `Ranking` of float32 cosines and int64 label ids, (k,) or (N, k), ordered by (score descending, label id
        ascending).

    Raises:
        TypeError: A wrong dtype or type.
        ValueError: A wrong shape, NaN, infinity or negative probabilities, ``k`` or ``top_t`` < 1.
    """
    rows, single = _arrays.rows(probabilities, "probabilities")
    classes = _arrays.matrix(class_embeddings, "class_embeddings")
    labels = _arrays.label_matrix(label_embeddings, "label_embeddings")
    k = _arrays.count(k, "k")
    t = _arrays.terms(top_t, rows.shape[1])
    scores, indices = _arrays.result_pair(
        out, ("scores", "indices"), _arrays.shape_of(rows, single, k), np.float32, (rows, classes, labels)
    )
    _core.conse(
        rows,
        classes,
        labels,
        t,
        _arrays.flag(normalize_classes, "normalize_classes"),
        _arrays.as_rows(scores, single),
        _arrays.as_rows(indices, single),
        _arrays.threads(n_threads),
    )
    return Ranking(scores, indices)
