"""Sums, means, extrema, products, norms over axes, and running sums and products."""

from __future__ import annotations

import builtins
import math

import numpy as np

from adcompile.rules.registry import alias, at_compile_time, linear, tangent, zero


@at_compile_time
def place(rank, *axes):
    """Where the axes stand that left `rank` others when they were summed over."""
    full = rank + len(axes)
    places = sorted(k % full for k in axes)
    if places == list(range(len(axes))):
        return "front"
    behind = places == list(range(rank, full)) and len(axes) <= 2
    return f"back {len(axes)}" if behind else "between"


def spread(y, axis, keepdims):
    """The result of a reduction with its axes put back, so that it broadcasts to the input."""
    if axis is None or keepdims or np.ndim(y) == 0:
        return y
    where = place(y.ndim, axis) if isinstance(axis, int) else place(y.ndim, *axis)
    if where == "front":
        return y
    if where == "back 1":
        return y[:, None] if y.ndim == 1 else y[..., None]
    if where == "back 2":
        return y[..., None, None]
    return np.expand_dims(y, axis)


def count(a, axis):
    """How many elements a reduction over `axis` takes together."""
    if np.ndim(a) == 0:
        return 1
    if axis is None:
        return a.size
    if isinstance(axis, int):
        return a.shape[axis]
    if len(axis) == a.ndim:
        return a.size
    n = 1
    for k in axis:
        n = n * a.shape[k]
    return n


def total(x, axis, keepdims):
    """`np.sum` over `axis`, written without the arguments that it does not need."""
    if keepdims:
        return np.sum(x, axis=axis, keepdims=True)
    return np.sum(x) if axis is None else np.sum(x, axis=axis)


def centred(a, axis):
    """Deviations from the mean."""
    return a - (np.mean(a) if axis is None else np.mean(a, axis=axis, keepdims=True))


# --- sums and means -----------------------------------------------------------------------------


@linear(np.sum, shape="reduces")
def _(d_y, a, axis=None, dtype=None, out=None, keepdims=False, *, where=None):
    d = spread(d_y, axis, keepdims)
    return d if where is None else np.where(where, d, 0)


@linear(np.mean, shape="reduces")
def _(d_y, a, axis=None, dtype=None, out=None, keepdims=False):
    return spread(d_y / count(a, axis), axis, keepdims)


@linear(builtins.sum, arg=(0, 1))
def _(d_y, iterable, start=0):
    if np.ndim(d_y) > np.ndim(iterable[0]):  # numbers are added to an array
        return NotImplemented
    return [d_y for _ in iterable] if isinstance(iterable, (list, tuple)) else d_y, d_y


def as_before(d, a):
    return d if d.ndim == a.ndim else np.reshape(d, a.shape)


@linear(np.cumsum)
def _(d_y, a, axis=None, dtype=None, out=None):
    if axis is None:
        return as_before(np.cumsum(d_y[::-1])[::-1], a)
    return np.flip(np.cumsum(np.flip(d_y, axis), axis), axis)


@linear(np.cumulative_sum)
def _(d_y, x, *, axis=None, dtype=None, out=None):
    k = -1 if axis is None else axis
    return np.flip(np.cumsum(np.flip(d_y, k), k), k)


@tangent(np.var)
def _(d_a, y, a, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    return total(centred(a, axis) * d_a, axis, keepdims) * (2 / (count(a, axis) - ddof))


@tangent(np.std)  # 0 where all are equal
def _(d_a, y, a, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    scale = (count(a, axis) - ddof) * (y + (y == 0))
    return total(centred(a, axis) * d_a, axis, keepdims) / scale


# --- extrema: ties share evenly -----------------------------------------------------------------


def at_ties(d_a, m, a, axis, keepdims):
    """The mean of `d_a` over the elements of `a` that are equal to `m`."""
    ties = a == m
    return total(d_a * ties, axis, keepdims) / total(ties, axis, keepdims)


def extremum(f, a, axis):
    return f(a) if axis is None else f(a, axis=axis, keepdims=True)


@tangent(np.max)
def _(d_a, y, a, axis=None, out=None, keepdims=False):
    return at_ties(d_a, spread(y, axis, keepdims), a, axis, keepdims)


@tangent(np.ptp)
def _(d_a, y, a, axis=None, out=None, keepdims=False):
    high = at_ties(d_a, extremum(np.max, a, axis), a, axis, keepdims)
    return high - at_ties(d_a, extremum(np.min, a, axis), a, axis, keepdims)


zero(np.argmax, np.argmin, np.argsort, np.nanargmax, np.nanargmin, np.count_nonzero, np.any, np.all)
zero(builtins.any, builtins.all, np.searchsorted, np.nonzero, np.flatnonzero, np.argwhere)


# --- products: by the products of all the others, so that zeros do no harm ----------------------


def others(x):
    """The product of all but each of the elements along the last axis."""
    if x.ndim == 1:
        one = np.ones(1)
        before = np.cumprod(np.concatenate([one, x])[:-1])
        return before * np.cumprod(np.concatenate([one, x[::-1]])[:-1])[::-1]
    one = np.ones((*x.shape[:-1], 1))
    before = np.cumprod(np.concatenate([one, x], -1)[..., :-1], -1)
    after = np.cumprod(np.concatenate([one, x[..., ::-1]], -1)[..., :-1], -1)
    return before * after[..., ::-1]


@tangent(np.prod)
def _(d_a, y, a, axis=None, dtype=None, out=None, keepdims=False):
    if axis is None:
        rest = others(a) if a.ndim == 1 else np.reshape(others(np.ravel(a)), a.shape)
    elif isinstance(axis, int):
        last = axis == -1 or axis == a.ndim - 1
        rest = others(a) if last else np.moveaxis(others(np.moveaxis(a, axis, -1)), -1, axis)
    else:
        last = tuple(range(-len(axis), 0))
        moved = np.moveaxis(a, axis, last)
        flat = np.reshape(moved, (*moved.shape[: a.ndim - len(axis)], count(a, axis)))
        rest = np.moveaxis(np.reshape(others(flat), moved.shape), last, axis)
    return total(d_a * rest, axis, keepdims)


def without_each(a):
    """How the running products of `a` along its last axis grow with each of the elements.

    Row j of each matrix: the running products without a[j], from the j-th on.
    """
    n = a.shape[-1]
    but_one = np.where(np.eye(n, dtype=bool), 1, a[..., None, :])
    return np.triu(np.cumprod(but_one, -1))


@tangent(np.cumprod)
def _(d_a, y, a, axis=None, dtype=None, out=None):
    """By quotients, unless there is a zero: then by a matrix for each row."""
    if axis is None:
        a, d_a, axis = np.ravel(a), np.ravel(d_a), 0
    if np.all(a):
        return y * np.cumsum(d_a / a, axis)
    rows, d_rows = np.moveaxis(a, axis, -1), np.moveaxis(d_a, axis, -1)
    d_y = (d_rows[..., None, :] @ without_each(rows))[..., 0, :]
    return np.moveaxis(d_y, -1, axis)


# --- norms: 0 at 0 ------------------------------------------------------------------------------


@tangent(np.linalg.norm)
def _(d_x, y, x, ord=None, axis=None, keepdims=False):
    if ord is None or ord == "fro" or (ord == 2 and (x.ndim == 1 or isinstance(axis, int))):
        return total(x * d_x, axis, keepdims) / (y + (y == 0))
    if not (x.ndim == 1 or isinstance(axis, int)) or ord == 0:
        return NotImplemented  # matrix norms
    if ord == 1:
        return total(np.sign(x) * d_x, axis, keepdims)
    if ord == float("inf") or ord == -float("inf"):
        return at_ties(np.sign(x) * d_x, spread(y, axis, keepdims), abs(x), axis, keepdims)
    unit = x / spread(y + (y == 0), axis, keepdims)
    return total(np.sign(unit) * abs(unit) ** (ord - 1) * d_x, axis, keepdims)


alias(np.max, np.min, np.amax, np.amin)
alias(builtins.sum, math.fsum)
