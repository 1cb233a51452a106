"""`np.vectorize`, `np.apply_along_axis` and `np.apply_over_axes` as the loops that they are.

Each is compiled where it is called, for the function that it is given.
"""

from __future__ import annotations

import numpy as np


def elementwise(function, dtype, x):
    flat = np.ravel(x) if np.ndim(x) != 1 else x
    out = np.empty(len(flat), dtype)
    for i in range(len(flat)):
        out[i] = function(flat[i])
    return np.reshape(out, np.shape(x)) if np.ndim(x) != 1 else out


def elementwise_of_several(function, dtype, shape, *arrays):
    flat = [np.ravel(np.broadcast_to(x, shape)) for x in arrays]
    out = np.empty(len(flat[0]), dtype)
    for i in range(len(flat[0])):
        out[i] = function(*[x[i] for x in flat])
    return np.reshape(out, shape) if len(shape) != 1 else out


def along_axis(function, axis, x):
    last = np.moveaxis(x, axis, -1)
    rows = np.reshape(last, (-1, x.shape[axis])) if np.ndim(x) != 2 else last
    first = np.asarray(function(rows[0]))
    if np.ndim(first) > 1:
        raise ValueError("np.apply_along_axis of a function that gives matrices is not supported")
    out = np.empty((len(rows), *first.shape), first.dtype)
    out[0] = first
    for i in range(1, len(rows)):
        out[i] = function(rows[i])
    if np.ndim(first) == 0:
        return np.reshape(out, last.shape[:-1]) if np.ndim(x) != 2 else out
    made = np.reshape(out, last.shape[:-1] + first.shape) if np.ndim(x) != 2 else out
    return np.moveaxis(made, -1, axis)


def along_only_axis(function, x):
    return np.asarray(function(x))


def over_axes(function, x, axes):
    for axis in axes:
        made = function(x, axis)
        x = made if np.ndim(made) == np.ndim(x) else np.expand_dims(made, axis)
    return x
