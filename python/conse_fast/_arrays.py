"""What arguments must look like, and the words for when they do not.

Values and sizes are checked by the core, which C++ programs use too; this module checks types.
"""

from __future__ import annotations

import numbers
import operator
import sys
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Pair = tuple[Array, Array]

_LABEL_FLOATS = (np.dtype(np.float32), np.dtype(np.float16))
_FLOATS = (*_LABEL_FLOATS, np.dtype(np.float64))


def count(value: object, argument: str, least: int = 1) -> int:
    """A whole number from 1, or what is the least, on."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{argument} must be an integer, got {value!r}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{argument} must be an integer, got {value!r}") from None
    if number < least:
        raise ValueError(f"{argument} must be at least {least}, got {number}")
    if number > sys.maxsize:
        raise ValueError(f"{argument} must be at most {sys.maxsize}, got {number}")
    return number


def real(value: object, argument: str) -> float:
    """A number; the core checks which."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{argument} must be a number, got {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{argument} must be a finite number, got one beyond float64") from None


def flag(value: object, argument: str) -> bool:
    """True or False, no string or number that would pass for either."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{argument} must be True or False, got {value!r}")
    return bool(value)


def require_callback(progress: object) -> None:
    """Refuses a ``progress`` that cannot be called, before there is any."""
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, got {type(progress).__name__}")


def pair(value: Any, argument: str) -> tuple[Any, Any]:
    """Parent and child, in an order; ``argument`` holds such pairs."""
    is_sequence = isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim == 1)
    if isinstance(value, (str, bytes)) or not is_sequence or len(value) != 2:
        raise TypeError(f"{argument} must hold (parent, child) pairs, got {value!r}; split each line of a file")
    return value[0], value[1]


def threads(n_threads: int | None) -> int:
    """The core's word for ``n_threads``: 0 when it may choose."""
    return 0 if n_threads is None else min(count(n_threads, "n_threads"), 1024)


def terms(top_t: int | None, n_classes: int) -> int:
    """The core's word for ``top_t``: all classes for None."""
    return max(n_classes, 1) if top_t is None else count(top_t, "top_t")


def term_lists(top_t: int | None | Sequence[int | None], n_classes: int) -> tuple[list[int], tuple[int, ...]]:
    """The core's words for ``top_t``, and the first part of the results' shape: (T,) for a list of T."""
    if isinstance(top_t, (Set, Mapping)):
        raise TypeError(f"top_t must be a number, None or a list of them, got {type(top_t).__name__}")
    no_list = not hasattr(top_t, "__len__") or getattr(top_t, "ndim", 1) == 0
    if top_t is None or isinstance(top_t, (int, str, bytes)) or no_list:
        return [terms(top_t, n_classes)], ()  # type: ignore[arg-type]
    if len(top_t) == 0:
        raise ValueError("top_t is an empty list; expected at least one number or None")
    return [terms(t, n_classes) for t in top_t], (len(top_t),)


def as_array(x: object, argument: str) -> Array:
    """``x`` or what its ``__array__`` gives; no copy of an array."""
    if type(x) is np.ndarray:
        return x
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{argument} is a masked array, whose mask would be ignored; fill it: {argument}.filled(0)")
    if hasattr(x, "is_cuda") and getattr(x, "requires_grad", False):
        x = x.detach()  # type: ignore[attr-defined]
    try:
        return np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:
        cure = f"; convert it: {argument}.float()" if "bfloat16" in str(getattr(x, "dtype", "")) else ""
        raise TypeError(f"{argument} must be an array, got {type(x).__name__}: {error}{cure}") from None


def floats(x: object, argument: str) -> Array:
    """A float16, float32 or float64 array in native byte order and aligned; others of these types are copied."""
    array = as_array(x, argument)
    dtype = array.dtype
    if dtype == np.object_ and array.ndim == 0:
        raise TypeError(f"{argument} must be an array of float16, float32 or float64, got {type(x).__name__}")
    if dtype not in _FLOATS:
        if dtype.newbyteorder("=") not in _FLOATS:
            raise TypeError(f"{argument} must be float16, float32 or float64, got {dtype}{_cure_for(dtype, argument)}")
        array = array.astype(dtype.newbyteorder("="))
    return array if array.flags.aligned else array.copy()


def _cure_for(dtype: np.dtype[Any], argument: str) -> str:
    if dtype.kind in "iu":
        scale = " * scale" if dtype.itemsize == 1 else ""
        return f"; quantised or integer values: {argument}.astype(np.float32){scale}"
    if dtype.kind == "O":
        return "; is it an array whose rows all have the same length?"
    return f"; convert it: {argument}.astype(np.float32)"


def rows(x: object, argument: str) -> tuple[Array, bool]:
    """Floats as (N, C), and whether ``x`` was a single row (C,)."""
    array = floats(x, argument)
    if array.ndim == 2:
        return array, False
    if array.ndim != 1:
        raise ValueError(f"{argument} must have shape (C,) or (N, C), got {array.shape}")
    return array[np.newaxis], True


def matrix(x: object, argument: str) -> Array:
    """Floats as (rows, columns), any strides."""
    array = floats(x, argument)
    if array.ndim != 2:
        raise ValueError(f"{argument} must have shape (rows, columns), got {array.shape}")
    return array


def has_contiguous_rows(array: Array) -> bool:
    """Whether the elements of each row of a 2-D array lie side by side."""
    return array.size == 0 or array.shape[1] == 1 or array.strides[1] == array.itemsize


def label_matrix(x: object, argument: str) -> Array:
    """A label matrix that is read where it lies: (L, D) float32 or float16, never copied."""
    array = as_array(x, argument)
    if array.dtype not in _LABEL_FLOATS:
        raise TypeError(
            f"{argument} must be float32 or float16 in native byte order, got {array.dtype}; "
            f"it is never copied, so convert it once: {argument}.astype(np.float32)"
        )
    if array.ndim != 2:
        raise ValueError(f"{argument} must have shape (L, D), got {array.shape}")
    if not has_contiguous_rows(array):
        raise ValueError(
            f"{argument} must have contiguous rows, got strides {array.strides}; "
            f"it is never copied, so convert it once: np.ascontiguousarray({argument})"
        )
    if not array.flags.aligned:
        raise ValueError(f"{argument} must be aligned; it is never copied, so copy it once: {argument}.copy()")
    return array


def integers(x: object, argument: str) -> Array:
    """An array of integers, of any shape."""
    array = as_array(x, argument)
    if array.size == 0 and array.dtype.kind == "f":
        return array.astype(np.int64)  # what NumPy makes of an empty list
    if array.dtype.kind not in "iu":
        raise TypeError(f"{argument} must hold integers, got {array.dtype}; convert it: {argument}.astype(np.int64)")
    return array


def ids(x: object, argument: str, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Integers of this shape as C-contiguous int64."""
    array = integers(x, argument)
    if array.shape != shape:
        raise ValueError(f"{argument} must have shape {shape}, got {array.shape}")
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"{argument} holds {array.max()}, which is no id")
    return np.ascontiguousarray(array, dtype=np.int64)


def pairs(x: object, argument: str, single: bool) -> npt.NDArray[np.int64]:
    """(M, 2) pairs of an image and a label; of a ``single`` image from (M,) labels."""
    array = as_array(x, argument)
    if array.ndim != (1 if single else 2) or (not single and array.shape[1] != 2):
        expected = "(M,), label ids of one image" if single else "(M, 2), an image and a label each"
        raise ValueError(f"{argument} must have shape {expected}, got {array.shape}")
    given = ids(array, argument, array.shape)
    return np.stack([np.zeros_like(given), given], axis=1) if single else given


def require_row_for_each(labels: Array, argument: str, images: int | None) -> None:
    """Labels in rows are for as many images; None: there is one image, without a row of its own."""
    if images is None:
        raise ValueError(f"{argument} has shape {labels.shape} for a single image, which takes one row: {argument}[0]")
    if len(labels) != images:
        raise ValueError(
            f"{argument} has {len(labels)} rows for {images} images; expected one row for all, or one for each"
        )


def lengths(x: object, argument: str, size: int) -> npt.NDArray[np.float64] | None:
    """Known lengths of rows as float64, or None."""
    if x is None:
        return None
    array = floats(x, argument)
    if array.shape != (size,):
        raise ValueError(f"{argument} must have shape ({size},), got {array.shape}")
    return np.ascontiguousarray(array, dtype=np.float64)


def result(
    out: object, argument: str, shape: tuple[int, ...], dtype: npt.DTypeLike, inputs: tuple[Array, ...]
) -> Array:
    """A new array for results, or ``out`` if it can take them and shares no memory with ``inputs``."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{argument} must be a NumPy array, got {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"{argument} must be {np.dtype(dtype)}, got {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"{argument} must have shape {shape}, got {out.shape}")
    if not out.flags.carray:
        raise ValueError(f"{argument} must be C-contiguous, aligned and writeable")
    if any(_may_overlap(out, array) for array in inputs):
        raise ValueError(f"{argument} shares memory with another argument; expected an array of its own")
    return out if out.dtype.num == np.dtype(dtype).num else out.view(dtype)  # np.longlong is another int64


def _may_overlap(a: Array, b: Array) -> bool:
    """Whether two arrays may share memory; NumPy's own answer takes half a microsecond."""
    each_owns = a is not b and a.flags.owndata and b.flags.owndata
    return not each_owns and bool(np.may_share_memory(a, b))


def result_pair(
    out: object, names: tuple[str, str], shape: tuple[int, ...], dtype: npt.DTypeLike, inputs: tuple[Array, ...]
) -> Pair:
    """Arrays for two results of a shape; the second one is int64."""
    if out is None:
        try:
            return np.empty(shape, dtype), np.empty(shape, np.int64)
        except MemoryError:
            raise MemoryError(f"results of shape {shape} do not fit; lower k, or hand over fewer rows") from None
    if not isinstance(out, tuple) or len(out) != 2:
        size = f" of {len(out)}" if isinstance(out, tuple) else ""
        raise TypeError(f"out must be a tuple ({names[0]}, {names[1]}), got {type(out).__name__}{size}")
    first = result(out[0], f"out[0] ({names[0]})", shape, dtype, inputs)
    return first, result(out[1], f"out[1] ({names[1]})", shape, np.int64, (first, *inputs))


def shape_of(rows: Array, single: bool, k: int) -> tuple[int, ...]:
    """Shape of a result with k numbers per row."""
    if k > sys.maxsize // (8 * max(1, len(rows))):
        raise ValueError(f"k is {k}, which is more results than any memory holds")
    return (k,) if single else (len(rows), k)


def as_rows(array: Array, single: bool) -> Array:
    """The (N, ...) view of a result that the core fills."""
    return array[np.newaxis] if single else array
