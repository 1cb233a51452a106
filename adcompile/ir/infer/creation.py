"""Functions that make arrays: zeros, full, arange, array and their kin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adcompile.ir.core import Value
from adcompile.ir.infer import sizes, values
from adcompile.ir.infer.samples import Exact, dtype_of, run, sample
from adcompile.ir.infer.table import Arr, Known, entry, normal_axis
from adcompile.ir.types import Array, Dim, Scalar, Size, TypeClash

FLOAT = np.dtype(float)


def named(dtype: Any, default: np.dtype) -> np.dtype:
    """The dtype that an argument `dtype=` asks for."""
    if dtype is None:
        return default
    try:
        found = np.dtype(dtype)
    except TypeError as e:
        raise TypeClash(str(e)) from None
    if found.kind not in values.NUMERIC:
        raise TypeClash(f"arrays of dtype {found} are not handled")
    return found


# --- of a shape ---------------------------------------------------------------------------------


@entry(np.zeros, np.ones, np.empty)
def _(shape: Value, dtype: Known = None, order: Known = "C") -> Array:
    return Array(named(dtype, FLOAT), values.lengths([shape]))


@entry(np.full)
def _(shape: Value, fill_value: Value, dtype: Known = None, order: Known = "C") -> Array:
    target = values.lengths([shape])
    sizes.broadcast(target, values.array_of(fill_value).shape)
    return Array(dtype_of(fill_value.type) if dtype is None else named(dtype, FLOAT), target)


@entry(np.zeros_like, np.ones_like, np.empty_like)
def _(
    a: Arr, dtype: Known = None, order: Known = "K", subok: Known = True, shape: Value | None = None
) -> Array:
    return _like(a, dtype, shape)


@entry(np.full_like)
def _(
    a: Arr,
    fill_value: Value,
    dtype: Known = None,
    order: Known = "K",
    subok: Known = True,
    shape: Value | None = None,
) -> Array:
    return _like(a, dtype, shape)


def _like(a: Array, dtype: Any, shape: Value | None) -> Array:
    given = shape is not None and values.known(shape, 0) is not None
    return Array(named(dtype, a.dtype), values.lengths([shape]) if shape and given else a.shape)


@entry(np.eye, np.tri)
def _(
    N: Value,
    M: Value | None = None,
    k: Value | None = None,
    dtype: Known = None,
    order: Known = "C",
) -> Array:
    (rows,) = values.lengths([N])
    columns = rows if M is None or values.known(M, 0) is None else values.lengths([M])[0]
    return Array(named(dtype, FLOAT), (rows, columns))


@entry(np.identity)
def _(n: Value, dtype: Known = None) -> Array:
    (size,) = values.lengths([n])
    return Array(named(dtype, FLOAT), (size, size))


# --- of a range ---------------------------------------------------------------------------------


@entry(np.arange)
def _(
    start: Value,
    stop: Value | None = None,
    step: Value | None = None,
    dtype: Known = None,
    *,
    device: Known = None,
) -> Array:
    if stop is not None and values.known(stop, 0) is None:
        stop = None
    given = [v for v in (start, stop, step) if v is not None]
    if dtype is None:
        outcome = run(np.arange, tuple([_unit(v) for v in given]))
        assert isinstance(outcome, Array)
        dtype = outcome.dtype
    first, last = (None, start) if stop is None else (start, stop)
    return Array(named(dtype, FLOAT), (_range_length(first, last, step),))


def _unit(v: Value):
    """A sample of the kind of `v`, whatever its value: a range of a million takes no longer."""
    return v.type if isinstance(v.type, Scalar) else sample(v)


def _range_length(start: Value | None, stop: Value, step: Value | None) -> Size:
    given = [v for v in (start, stop, step) if v is not None]
    numbers = [values.known(v) for v in given]
    if all(isinstance(n, int | float | np.number) for n in numbers):
        first = values.known(start) if start is not None else 0
        stride = values.known(step) if step is not None else 1
        if stride == 0:
            raise TypeClash("Maximum allowed size exceeded")
        return max(0, math.ceil((values.known(stop) - first) / stride))
    if all(v.type == Scalar("int") for v in given):
        span = values.size_of(stop)
        span = span if start is None else sizes.add(span, values.size_of(start), -1)
        stride = 1 if step is None else values.size_of(step)
        return sizes.as_length(span) if stride == 1 else sizes.derived("range", span, stride)
    return sizes.derived(
        "arange", *(None if v is None else values.identity(v) for v in (start, stop, step))
    )


@entry(np.linspace, np.logspace, np.geomspace)
def _(
    start: Value,
    stop: Value,
    num: Value | None = None,
    endpoint: Known = True,
    retstep: Known = False,
    base: Known = 10.0,
    dtype: Known = None,
    axis: Known = 0,
) -> Any:
    size = 50 if num is None else values.lengths([num])[0]
    shape = sizes.broadcast(values.array_of(start).shape, values.array_of(stop).shape)
    axis = normal_axis(axis, len(shape) + 1)
    outcome = run(np.linspace, (sample(start, True), sample(stop, True), Exact(int, 2)))
    assert isinstance(outcome, Array)
    result = Array(named(dtype, outcome.dtype), (*shape[:axis], size, *shape[axis:]))
    return [result, Array(outcome.dtype, shape)] if retstep else result


# --- of what is there ---------------------------------------------------------------------------


@entry(np.array)
def _(
    object: Value,
    dtype: Known = None,
    *,
    copy: Known = True,
    order: Known = "K",
    subok: Known = False,
    ndmin: Known = 0,
) -> Array:
    a = values.array_of(object)
    shape = (*(1,) * (ndmin - a.rank), *a.shape)
    return Array(dtype_of(object.type) if dtype is None else named(dtype, FLOAT), shape)


@entry(np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray)
def _(a: Value, dtype: Known = None, order: Known = None, *, copy: Known = None) -> Array:
    return Array(
        dtype_of(a.type) if dtype is None else named(dtype, FLOAT), values.array_of(a).shape
    )


@entry(np.copy, np.ndarray.copy)
def _(a: Value, order: Known = "K", subok: Known = False) -> Array:
    return Array(dtype_of(a.type), values.array_of(a).shape)


@entry(np.astype, np.ndarray.astype)
def _(
    x: Arr,
    dtype: Known,
    order: Known = "K",
    casting: Known = "unsafe",
    subok: Known = True,
    copy: Known = True,
    device: Known = None,
) -> Array:
    return Array(named(dtype, FLOAT), x.shape)


@entry(np.meshgrid)
def _(*xi: Arr, copy: Known = True, sparse: Known = False, indexing: Known = "xy") -> Any:
    lengths = [sizes.product(x.shape) for x in xi]
    order = [1, 0, *range(2, len(xi))] if indexing == "xy" and len(xi) > 1 else list(range(len(xi)))
    found = []
    for i, x in enumerate(xi):
        shape = [n if not sparse or j == i else 1 for j, n in enumerate(lengths)]
        found.append(Array(x.dtype, tuple([shape[j] for j in order])))
    return found


@entry(np.ix_)
def _(*args: Arr) -> Any:
    rank = len(args)
    found = []
    for k, x in enumerate(args):
        if x.rank != 1:
            raise TypeClash("Cross index must be 1 dimensional")
        size = Dim.fresh() if x.dtype.kind == "b" else x.shape[0]
        dtype = np.dtype(np.intp) if x.dtype.kind == "b" else x.dtype
        found.append(Array(dtype, (*[1] * k, size, *[1] * (rank - k - 1))))
    return found


@entry(np.indices)
def _(dimensions: Value, dtype: Known = int, sparse: Known = False) -> Any:
    shape = values.lengths([dimensions])
    if sparse:
        ones = [1] * len(shape)
        return [
            Array(named(dtype, FLOAT), (*ones[:i], n, *ones[i + 1 :])) for i, n in enumerate(shape)
        ]
    return Array(named(dtype, FLOAT), (len(shape), *shape))
