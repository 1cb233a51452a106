"""Elementwise functions: the operands broadcast together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.ir.core import Value
from adcompile.ir.infer.samples import run, sample
from adcompile.ir.infer.sizes import broadcast
from adcompile.ir.infer.table import Arr, Known, Result, Shape, entry, make_entry, typed
from adcompile.ir.infer.values import array_of
from adcompile.ir.types import Scalar, TypeClash


def _broadcast(
    *xs: Arr, where: Arr | None = None, dtype: Known = None, casting: Known = None
) -> Shape:
    shapes = [x.shape for x in xs if x is not None]
    return broadcast(*shapes) if where is None else broadcast(*shapes, where.shape)


_with_keywords = make_entry(_broadcast)


def elementwise(fn: Callable[..., Any], args: list[Value], kwargs: dict[str, Value]) -> Result:
    """The table's way (`Entry`), by a shorter road: most calls of most programs come along here."""
    if kwargs:
        return _with_keywords(fn, args, kwargs)
    shape = broadcast(*[array_of(v).shape for v in args])
    return typed(shape, run(fn, tuple([sample(v, True) for v in args])))


def ufunc(fn: np.ufunc, args: list[Value], kwargs: dict[str, Value]) -> Result:
    """Any ufunc without a signature, NumPy's own or another library's."""
    if len(args) != fn.nin:
        raise TypeClash(f"{fn.__name__}() takes {fn.nin} arguments but {len(args)} were given")
    return elementwise(fn, args, kwargs)


def by_samples(fn: Callable[..., Any], args: list[Value], kwargs: dict[str, Value]) -> Result:
    """A function of another library that is said to work element by element."""
    if all(isinstance(v.type, Scalar) for v in (*args, *kwargs.values())):
        named = tuple([(k, sample(v)) for k, v in kwargs.items()])
        return run(fn, tuple([sample(v) for v in args]), named, scalar=True)
    return elementwise(fn, args, kwargs)


def conversion(fn: type, args: list[Value], kwargs: dict[str, Value]) -> Result:
    """`np.float32(x)` and its kin."""
    return elementwise(fn, args, kwargs)


@entry(np.clip)
def _(
    a: Arr,
    a_min: Arr | None = None,
    a_max: Arr | None = None,
    min: Arr | None = None,
    max: Arr | None = None,
    dtype: Known = None,
) -> Shape:
    return broadcast(*[x.shape for x in (a, a_min, a_max, min, max) if x is not None])


@entry(np.real, np.imag, np.isreal, np.iscomplex, np.sinc, np.i0, np.fix, np.unwrap)
@entry(np.isposinf, np.isneginf, np.real_if_close)
def _(x: Arr) -> Shape:
    return x.shape


@entry(np.angle)
def _(z: Arr, deg: Known = False) -> Shape:
    return z.shape


@entry(np.nan_to_num)
def _(
    x: Arr,
    copy: Known = True,
    nan: Value | None = None,
    posinf: Value | None = None,
    neginf: Value | None = None,
) -> Shape:
    return x.shape


@entry(np.round, np.around)
def _(a: Arr, decimals: Value | None = None) -> Shape:
    return a.shape


@entry(np.isclose)
def _(
    a: Arr, b: Arr, rtol: Arr | None = None, atol: Arr | None = None, equal_nan: Known = False
) -> Shape:
    return broadcast(a.shape, b.shape)


@entry(np.interp)
def _(
    x: Arr,
    xp: Arr,
    fp: Arr,
    left: Value | None = None,
    right: Value | None = None,
    period: Value | None = None,
) -> Shape:
    return x.shape


@entry(np.isin)
def _(
    element: Arr, test_elements: Arr, assume_unique: Known = False, invert: Known = False
) -> Shape:
    return element.shape


@entry(np.searchsorted)
def _(a: Arr, v: Arr, side: Known = "left", sorter: Arr | None = None) -> Shape:
    return v.shape


@entry(np.digitize)
def _(x: Arr, bins: Arr, right: Known = False) -> Shape:
    return x.shape


@entry(np.polyval)
def _(p: Arr, x: Arr) -> Shape:
    return x.shape
