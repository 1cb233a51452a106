"""Functions that put several arrays together, or take one apart."""

from __future__ import annotations

import numpy as np

from adcompile.rules.registry import adjoint, linear, tangent
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
    parts = []
    for i, _ in enumerate(arrays):
        parts.append(slab(d_y, axis, i))
    return parts


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


def filled(d_y, y):
    """The cotangents of several results, zeros filled in."""
    parts = []
    for d, part in zip(d_y, y):
        parts.append(np.zeros_like(part) if d is None else d)
    return parts


@tangent(np.split)
def _(d_ary, y, ary, indices_or_sections, axis=0):
    return np.split(d_ary, indices_or_sections, axis)


@adjoint(np.split)
def _(d_y, y, ary, indices_or_sections, axis=0):
    return np.concatenate(filled(d_y, y), axis)


@tangent(np.array_split)
def _(d_ary, y, ary, indices_or_sections, axis=0):
    return np.array_split(d_ary, indices_or_sections, axis)


@adjoint(np.array_split)
def _(d_y, y, ary, indices_or_sections, axis=0):
    return np.concatenate(filled(d_y, y), axis)


@tangent(np.vsplit)
def _(d_ary, y, ary, indices_or_sections):
    return np.vsplit(d_ary, indices_or_sections)


@adjoint(np.vsplit)
def _(d_y, y, ary, indices_or_sections):
    return np.concatenate(filled(d_y, y), 0)


@tangent(np.hsplit)
def _(d_ary, y, ary, indices_or_sections):
    return np.hsplit(d_ary, indices_or_sections)


@adjoint(np.hsplit)
def _(d_y, y, ary, indices_or_sections):
    return np.concatenate(filled(d_y, y), 0 if ary.ndim == 1 else 1)
