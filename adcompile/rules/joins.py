"""Functions that put several arrays together, or take one apart."""

from __future__ import annotations

import numpy as np

from adcompile.rules.registry import alias, linear
from adcompile.rules.shapes import like, window


def parts_of(d_y, arrays, axis, rank=0):
    """The parts of `d_y` that belong to arrays which were concatenated along `axis`.

    Arrays of a rank below `rank` were of length 1 along it.
    """
    parts = []
    start = 0
    for a in arrays:
        stop = start + (1 if np.ndim(a) < rank else a.shape[axis])
        part = window(d_y, axis, start, stop)
        parts.append(part if np.ndim(a) == part.ndim else like(part, a))
        start = stop
    return parts


@linear(np.concatenate, shape="rearranges")
def _(d_y, arrays, axis=0, out=None, *, dtype=None, casting=None):
    if axis is not None:
        return parts_of(d_y, arrays, axis)
    parts = []
    start = 0
    for a in arrays:
        parts.append(like(d_y[start : start + np.size(a)], a))
        start = start + np.size(a)
    return parts


@linear(np.stack, shape="rearranges")
def _(d_y, arrays, axis=0, out=None, *, dtype=None, casting=None):
    return [slab(d_y, axis, i) for i, _ in enumerate(arrays)]


def slab(x, axis, i):
    """`x[i]` along an axis."""
    if axis == 0:
        return x[i]
    if axis == 1:
        return x[:, i]
    if axis == -1 or axis == x.ndim - 1:
        return x[..., i]
    return np.moveaxis(x, axis, 0)[i]


@linear(np.vstack, shape="rearranges")
def _(d_y, tup, *, dtype=None, casting=None):
    return parts_of(d_y, tup, 0, 2)


@linear(np.hstack, shape="rearranges")
def _(d_y, tup, *, dtype=None, casting=None):
    return parts_of(d_y, tup, 0, 1) if d_y.ndim == 1 else parts_of(d_y, tup, 1)


@linear(np.column_stack, shape="rearranges")
def _(d_y, tup):
    return parts_of(d_y, tup, 1, 2)


@linear(np.dstack, shape="rearranges")
def _(d_y, tup):
    return parts_of(d_y, tup, 2, 3)


# --- taking apart -------------------------------------------------------------------------------


@linear(np.split)
def _(d_y, ary, indices_or_sections, axis=0):
    return np.concatenate(d_y, axis)


@linear(np.vsplit)
def _(d_y, ary, indices_or_sections):
    return np.concatenate(d_y, 0)


@linear(np.hsplit)
def _(d_y, ary, indices_or_sections):
    return np.concatenate(d_y, 0 if ary.ndim == 1 else 1)


alias(np.split, np.array_split)
