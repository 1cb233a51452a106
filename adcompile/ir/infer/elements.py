"""Functions that choose, count and place single elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from adcompile import runtime
from adcompile.ir.core import Value
from adcompile.ir.infer import sizes, values
from adcompile.ir.infer.reductions import along
from adcompile.ir.infer.samples import dtype_of
from adcompile.ir.infer.table import Arr, Known, entry, normal_axis
from adcompile.ir.types import Array, Dim, Scalar, TypeClash

INDEX = np.dtype(np.intp)


@entry(np.where)
def _(condition: Value, x: Value | None = None, y: Value | None = None) -> Any:
    if x is None and y is None:
        return _nonzero(condition)
    if x is None or y is None:
        raise TypeClash("either both or neither of x and y should be given")
    return sizes.broadcast(*(values.array_of(v).shape for v in (condition, x, y)))


@entry(*runtime.MASKED)
def _(d: Value, p: Value) -> Any:
    return sizes.broadcast(*(values.array_of(v).shape for v in (d, p)))


@entry(np.nonzero)
def _(a: Value) -> Any:
    return _nonzero(a)


def _nonzero(mask: Value) -> list[Array]:
    """One index array for each dimension, as long as `x[mask]` is."""
    rank = values.array_of(mask).rank
    if rank == 0:
        raise TypeClash("Calling nonzero on 0d arrays is not allowed")
    return [Array(INDEX, (values.count_true(mask),))] * rank


@entry(np.flatnonzero)
def _(a: Value) -> Array:
    return Array(INDEX, (values.count_true(a),))


@entry(np.argwhere)
def _(a: Value) -> Array:
    return Array(INDEX, (values.count_true(a), values.array_of(a).rank))


@entry(np.unravel_index)
def _(indices: Arr, shape: Value, order: Known = "C") -> Any:
    return [Array(INDEX, indices.shape)] * len(values.shape_of([shape]))


@entry(np.ravel_multi_index)
def _(multi_index: Value, dims: Value, mode: Known = "raise", order: Known = "C") -> Array:
    inner = values.parts(multi_index)
    shapes = (
        [values.array_of(multi_index).shape[1:]]
        if inner is None
        else [values.array_of(v).shape for v in inner]
    )
    return Array(INDEX, sizes.broadcast(*shapes))


@entry(np.tril_indices, np.triu_indices)
def _(n: Value, k: Value | None = None, m: Value | None = None) -> Any:
    count = Dim.fresh()
    return [Array(INDEX, (count,))] * 2


@entry(np.diag_indices)
def _(n: Value, ndim: Known = 2) -> Any:
    return [Array(INDEX, values.lengths([n]))] * ndim


@entry(np.unique)
def _(
    ar: Arr,
    return_index: Known = False,
    return_inverse: Known = False,
    return_counts: Known = False,
    axis: Known = None,
    *,
    equal_nan: Known = True,
    sorted: Known = True,
) -> Any:
    found = Dim.fresh()
    if axis is not None:
        axis = normal_axis(axis, ar.rank)
    unique = Array(ar.dtype, (found,) if axis is None else along(ar.shape, axis, found))
    more = [Array(INDEX, (found,))] if return_index else []
    if return_inverse:
        more.append(
            Array(INDEX, ar.shape if axis is None else along((1,) * ar.rank, axis, ar.shape[axis]))
        )
    more += [Array(INDEX, (found,))] if return_counts else []
    return [unique, *more] if more else unique


@entry(np.bincount)
def _(x: Arr, /, weights: Arr | None = None, minlength: Value | None = None) -> Array:
    if x.rank != 1:
        raise TypeClash(
            "object too deep for desired array"
            if x.rank
            else "object of too small depth for desired array"
        )
    return Array(INDEX if weights is None else np.dtype(float), (Dim.fresh(),))


@entry(np.compress)
def _(condition: Arr, a: Arr, axis: Known = None, out: Known = None) -> Array:
    shape = (sizes.product(a.shape),) if axis is None else a.shape
    return Array(a.dtype, along(shape, 0 if axis is None else axis, Dim.fresh()))


@entry(np.extract)
def _(condition: Arr, arr: Arr) -> Array:
    return Array(arr.dtype, (Dim.fresh(),))


@entry(np.delete)
def _(arr: Arr, obj: Value, axis: Known = None) -> Array:
    shape = (sizes.product(arr.shape),) if axis is None else arr.shape
    axis = normal_axis(0 if axis is None else axis, len(shape))
    t = obj.type  # one index, or a slice, list or mask
    one = (isinstance(t, Scalar) and t.kind == "int") or (isinstance(t, Array) and t.rank == 0)
    return Array(
        arr.dtype, along(shape, axis, sizes.offset(shape[axis], -1) if one else Dim.fresh())
    )


@entry(np.insert)
def _(arr: Arr, obj: Value, values: Arr, axis: Known = None) -> Array:
    shape = (sizes.product(arr.shape),) if axis is None else arr.shape
    axis = normal_axis(0 if axis is None else axis, len(shape))
    return Array(arr.dtype, along(shape, axis, Dim.fresh()))


@entry(np.select)
def _(condlist: Value, choicelist: Value, default: Value | None = None) -> Array:
    given = [*(values.parts(condlist) or ()), *(values.parts(choicelist) or ())]
    if not given:
        raise TypeClash("select with an empty condition list is not possible")
    choices = values.parts(choicelist) or []
    dtypes = [dtype_of(v.type) for v in choices]
    return Array(
        np.result_type(*dtypes), sizes.broadcast(*(values.array_of(v).shape for v in given))
    )


@entry(np.lexsort)
def _(keys: Value, axis: Known = -1) -> Array:
    return Array(INDEX, values.array_of(keys).shape[1:])


@entry(np.convolve, np.correlate)
def _(a: Arr, v: Arr, mode: Known = "full") -> Array:
    m, n = a.shape[0], v.shape[0]
    dtype = np.result_type(a.dtype, v.dtype)
    if mode == "full":
        return Array(dtype, (sizes.offset(sizes.add(m, n), -1),))
    if isinstance(m, int) and isinstance(n, int):
        return Array(dtype, (max(m, n) if mode == "same" else abs(m - n) + 1,))
    return Array(dtype, (sizes.derived("convolved", mode, m, n),))


@entry(np.cov, np.corrcoef)
def _(
    m: Arr,
    *,
    rowvar: Known = True,
    bias: Known = False,
    ddof: Value | None = None,
    dtype: Known = None,
):
    if m.rank < 2:
        return ()
    n = m.shape[0] if rowvar else m.shape[1]
    return () if n == 1 else (n, n)


@entry(np.vander)
def _(x: Arr, N: Value | None = None, increasing: Known = False) -> Array:
    columns = x.shape[0] if N is None else values.lengths([N])[0]
    return Array(np.result_type(x.dtype, np.int64), (x.shape[0], columns))
