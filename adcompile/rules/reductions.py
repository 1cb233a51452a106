"""Sums, means, extrema, products, norms over axes, and running sums and products."""

from __future__ import annotations

import builtins
import math

import numpy as np

from adcompile.rules.registry import alias, linear, tangent, zero


def spread(y, axis, keepdims):
    """The result of a reduction with its axes put back, so that it broadcasts to the input."""
    return y if axis is None or keepdims else np.expand_dims(y, axis)


def count(a, axis):
    """How many elements a reduction over `axis` takes together."""
    if axis is None:
        return a.size
    if isinstance(axis, int):
        return a.shape[axis]
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


@linear(np.sum)
def _(d_y, a, axis=None, dtype=None, out=None, keepdims=False, *, where=None):
    d = spread(d_y, axis, keepdims)
    return d if where is None else np.where(where, d, 0)


@linear(np.mean)
def _(d_y, a, axis=None, dtype=None, out=None, keepdims=False):
    return spread(d_y / count(a, axis), axis, keepdims)


def for_each(d, items):
    """`d` for each of the items of a list; an array's share it."""
    if not isinstance(items, (list, tuple)):
        return d
    parts = []
    for _ in items:
        parts.append(d)
    return parts


@linear(builtins.sum)
def _(d_y, iterable):
    return for_each(d_y, iterable)


@linear(math.fsum)
def _(d_y, seq):
    return for_each(d_y, seq)


@linear(np.cumsum)
def _(d_y, a, axis=None, dtype=None, out=None):
    if axis is None:
        return np.reshape(np.cumsum(d_y[::-1])[::-1], a.shape)
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
    d_var = total(centred(a, axis) * d_a, axis, keepdims)
    return d_var / ((count(a, axis) - ddof) * (y + (y == 0)))


# --- extrema: ties share evenly -----------------------------------------------------------------


def at_ties(d_a, m, a, axis, keepdims):
    """The mean of `d_a` over the elements of `a` that are equal to `m`."""
    ties = a == m
    return total(d_a * ties, axis, keepdims) / total(ties, axis, keepdims)


@tangent(np.max)
def _(d_a, y, a, axis=None, out=None, keepdims=False):
    return at_ties(d_a, spread(y, axis, keepdims), a, axis, keepdims)


@tangent(np.min)
def _(d_a, y, a, axis=None, out=None, keepdims=False):
    return at_ties(d_a, spread(y, axis, keepdims), a, axis, keepdims)


@tangent(np.ptp)
def _(d_a, y, a, axis=None, out=None, keepdims=False):
    high = at_ties(d_a, np.max(a, axis, keepdims=True), a, axis, keepdims)
    return high - at_ties(d_a, np.min(a, axis, keepdims=True), a, axis, keepdims)


zero(np.argmax, np.argmin, np.argsort, np.nanargmax, np.nanargmin, np.count_nonzero, np.any, np.all)
zero(builtins.any, builtins.all, np.searchsorted, np.nonzero, np.flatnonzero, np.argwhere)


# --- products: by the products of all the others, so that zeros do no harm ----------------------


def others(x):
    """The product of all but each of the elements along the last axis."""
    one = np.ones_like(x[..., :1])
    before = np.cumprod(np.concatenate([one, x[..., :-1]], -1), -1)
    after = np.flip(np.cumprod(np.concatenate([one, np.flip(x[..., 1:], -1)], -1), -1), -1)
    return before * after


@tangent(np.prod)
def _(d_a, y, a, axis=None, dtype=None, out=None, keepdims=False):
    if axis is None:
        rest = others(a) if a.ndim == 1 else np.reshape(others(np.ravel(a)), a.shape)
    elif isinstance(axis, int):
        rest = np.moveaxis(others(np.moveaxis(a, axis, -1)), -1, axis)
    else:
        last = tuple(range(-len(axis), 0))
        moved = np.moveaxis(a, axis, last)
        flat = np.reshape(moved, (*moved.shape[: a.ndim - len(axis)], count(a, axis)))
        rest = np.moveaxis(np.reshape(others(flat), moved.shape), last, axis)
    return total(d_a * rest, axis, keepdims)


@tangent(np.cumprod)
def _(d_a, y, a, axis=None, dtype=None, out=None):
    """Up to the first zero by quotients; from there on only that zero's own tangent counts.

    (A second derivative with respect to two zeros of one row comes out as zero.)
    """
    if axis is None:
        a, d_a, axis = np.ravel(a), np.ravel(d_a), 0
    is_zero = a == 0
    first = is_zero & (np.cumsum(is_zero, axis) == 1)
    by_quotients = y * np.cumsum(np.where(is_zero, 0, d_a) / (a + is_zero), axis)
    return by_quotients + np.cumprod(np.where(first, 1, a), axis) * np.cumsum(d_a * first, axis)


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


alias(np.max, np.amax)
alias(np.min, np.amin)
