"""Reductions and what runs along one axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from adcompile import runtime
from adcompile.ir.core import Value
from adcompile.ir.infer import sizes, values
from adcompile.ir.infer.table import (
    Arr,
    Entry,
    Known,
    Shape,
    entry,
    make_entry,
    normal_axes,
    normal_axis,
)
from adcompile.ir.types import Array, Scalar, Size, Tree, Type


def reduced(shape: Shape, axis: Any, keepdims: Any = False) -> Shape:
    if not shape:
        return ()  # NumPy lets some reductions have an axis here; the sample tells
    axes = normal_axes(axis, len(shape))
    if keepdims:
        return tuple([1 if i in axes else size for i, size in enumerate(shape)])
    return tuple([size for i, size in enumerate(shape) if i not in axes])


@entry(np.sum, np.prod, np.nansum, np.nanprod)
def _(
    a: Arr,
    axis: Known = None,
    dtype: Known = None,
    out: Known = None,
    keepdims: Known = False,
    initial: Value | None = None,
    where: Value | None = None,
) -> Shape:
    return reduced(a.shape, axis, keepdims)


@entry(np.max, np.min, np.amax, np.amin, np.nanmax, np.nanmin, np.any, np.all)
def _(
    a: Arr,
    axis: Known = None,
    out: Known = None,
    keepdims: Known = False,
    initial: Value | None = None,
    where: Value | None = None,
) -> Shape:
    return reduced(a.shape, axis, keepdims)


@entry(np.mean, np.nanmean)
def _(
    a: Arr,
    axis: Known = None,
    dtype: Known = None,
    out: Known = None,
    keepdims: Known = False,
    *,
    where: Value | None = None,
) -> Shape:
    return reduced(a.shape, axis, keepdims)


@entry(np.std, np.var, np.nanstd, np.nanvar)
def _(
    a: Arr,
    axis: Known = None,
    dtype: Known = None,
    out: Known = None,
    ddof: Value | None = None,
    keepdims: Known = False,
    *,
    where: Value | None = None,
    mean: Arr | None = None,
    correction: Value | None = None,
) -> Shape:
    return reduced(a.shape, axis, keepdims)


@entry(np.median, np.nanmedian)
def _(
    a: Arr,
    axis: Known = None,
    out: Known = None,
    overwrite_input: Known = False,
    keepdims: Known = False,
) -> Shape:
    return reduced(a.shape, axis, keepdims)


@entry(np.quantile, np.percentile, np.nanquantile, np.nanpercentile)
def _(
    a: Arr,
    q: Arr,
    axis: Known = None,
    out: Known = None,
    overwrite_input: Known = False,
    method: Known = "linear",
    keepdims: Known = False,
) -> Shape:
    return (*q.shape, *reduced(a.shape, axis, keepdims))


@entry(np.ptp, np.count_nonzero)
def _(a: Arr, axis: Known = None, *, keepdims: Known = False) -> Shape:
    return reduced(a.shape, axis, keepdims)


@entry(np.argmax, np.argmin, np.nanargmax, np.nanargmin)
def _(a: Arr, axis: Known = None, out: Known = None, *, keepdims: Known = False) -> Shape:
    return reduced(a.shape, axis, keepdims)


@entry(np.average)
def _(
    a: Arr,
    axis: Known = None,
    weights: Arr | None = None,
    returned: Known = False,
    *,
    keepdims: Known = False,
) -> Shape:
    return reduced(a.shape, axis, keepdims)


@entry(np.trapezoid)
def _(y: Arr, x: Arr | None = None, dx: Value | None = None, axis: Known = -1) -> Shape:
    return reduced(y.shape, normal_axis(axis, len(y.shape)))


@entry(np.allclose)
def _(
    a: Arr, b: Arr, rtol: Arr | None = None, atol: Arr | None = None, equal_nan: Known = False
) -> Shape:
    sizes.broadcast(a.shape, b.shape)
    return ()


@entry(np.isrealobj, np.iscomplexobj)
def _(x: Arr) -> Shape:
    return ()


@entry(np.array_equal, np.array_equiv)
def _(a1: Arr, a2: Arr, equal_nan: Known = False) -> Shape:
    return ()


# --- along one axis -----------------------------------------------------------------------------


def along(shape: Shape, axis: Any, size: Size) -> Shape:
    """`shape` with another size along `axis`."""
    axis = normal_axis(axis, len(shape))
    return (*shape[:axis], size, *shape[axis + 1 :])


def _running(shape: Shape, axis: Any) -> Shape:
    """The shape of what runs along `axis`: the array's, or one axis for None."""
    if not shape and axis is not None and axis in (0, -1):
        axis = None  # NumPy takes a scalar for an array of one
    if axis is None:
        return (sizes.product(shape),)
    normal_axis(axis, len(shape))
    return shape


@entry(np.cumsum, np.cumprod, np.nancumsum, np.nancumprod)
def _(a: Arr, axis: Known = None, dtype: Known = None, out: Known = None) -> Shape:
    return _running(a.shape, axis)


@entry(np.cumulative_sum, np.cumulative_prod)
def _(
    x: Arr, /, *, axis: Known = None, dtype: Known = None, include_initial: Known = False
) -> Shape:
    if axis is None:
        axis = 0
    size = x.shape[normal_axis(axis, x.rank)]
    return along(x.shape, axis, sizes.add(size, 1)) if include_initial else x.shape


@entry(np.sort, np.argsort)
def _(
    a: Arr, axis: Known = -1, kind: Known = None, order: Known = None, *, stable: Known = None
) -> Shape:
    return _running(a.shape, axis)


@entry(np.partition)
def _(a: Arr, kth: Value, axis: Known = -1, kind: Known = None, order: Known = None) -> Type:
    return Array(a.dtype, _running(a.shape, axis))


@entry(np.argpartition)
def _(a: Arr, kth: Value, axis: Known = -1, kind: Known = None, order: Known = None) -> Type:
    return Array(np.dtype(np.intp), _running(a.shape, axis))


@entry(np.gradient)
def _(f: Arr, *varargs: Value, axis: Known = None, edge_order: Known = 1) -> Any:
    axes = normal_axes(axis, f.rank)
    result = Array(f.dtype if f.dtype.kind in "fc" else np.dtype(float), f.shape)
    return result if len(axes) == 1 else [result] * len(axes)


@entry(np.diff)
def _(
    a: Arr, n: Known = 1, axis: Known = -1, prepend: Arr | None = None, append: Arr | None = None
) -> Any:
    axis = normal_axis(axis, a.rank)
    size = a.shape[axis]
    for more in (prepend, append):
        if more is not None:
            size = sizes.add(size, 1 if more.rank == 0 else more.shape[axis])
    dtype = (
        np.dtype(bool)
        if a.dtype == bool
        else np.result_type(*[x.dtype for x in (a, prepend, append) if x is not None])
    )
    return Array(dtype, along(a.shape, axis, sizes.offset(size, -n)))


# --- methods of ufuncs --------------------------------------------------------------------------


def _reduce(
    array: Arr,
    axis: Known = 0,
    dtype: Known = None,
    keepdims: Known = False,
    initial: Value | None = None,
    where: Value | None = None,
) -> Shape:
    return reduced(array.shape, axis, keepdims)


def _accumulate(array: Arr, axis: Known = 0, dtype: Known = None) -> Shape:
    return _running(array.shape, axis)


def _outer(A: Arr, B: Arr, /, *, dtype: Known = None) -> Shape:
    return A.shape + B.shape


UFUNC_METHODS = {
    "reduce": make_entry(_reduce),
    "accumulate": make_entry(_accumulate),
    "outer": make_entry(_outer),
}


# --- sizes --------------------------------------------------------------------------------------


@entry(np.shape)
def _(a: Arr) -> Type:
    return Tree(tuple, tuple(range(a.rank)), tuple([Scalar("int", size) for size in a.shape]))


@entry(np.size)
def _(a: Arr, axis: Known = None) -> Type:
    axes = normal_axes(axis, a.rank)
    return Scalar("int", sizes.product([a.shape[i] for i in axes]))


@entry(np.ndim)
def _(a: Arr) -> Type:
    return Scalar("int", a.rank)


@entry(np.broadcast_shapes)
def _(*args: Value) -> Type:
    shape = sizes.broadcast(*[values.lengths([v]) for v in args])
    return Tree(tuple, tuple(range(len(shape))), tuple([Scalar("int", n) for n in shape]))


@entry(runtime.unbroadcast)
def _(d: Value, shape: Value, other: Value | None = None) -> Type:
    if not isinstance(d.type, Array) or not d.type.rank:  # one number stays one
        return d.type
    return Array(d.type.dtype, values.lengths([shape]))


# --- scipy.special, which is never imported from here -------------------------------------------


def _logsumexp(
    a: Arr,
    axis: Known = None,
    b: Arr | None = None,
    keepdims: Known = False,
    return_sign: Known = False,
):
    shape = a.shape if b is None else sizes.broadcast(a.shape, b.shape)
    result = reduced(shape, axis, keepdims)
    return [result, result] if return_sign else result


def _softmax(x: Arr, axis: Known = None) -> Shape:
    normal_axes(axis, x.rank)
    return x.shape


def _pairs(x: Arr, y: Arr) -> Shape:
    return sizes.broadcast(x.shape, y.shape)


SPECIAL: dict[str, Entry] = {
    "polygamma": make_entry(_pairs),
    "zeta": make_entry(_pairs),
    "logsumexp": make_entry(_logsumexp),
    "softmax": make_entry(_softmax),
    "log_softmax": make_entry(_softmax),
}
