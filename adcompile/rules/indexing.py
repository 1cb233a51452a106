"""Elements picked by index arrays; what `x[...]` itself does is known to the compiler."""

from __future__ import annotations

import numpy as np

from adcompile.rules.registry import tangent


def inside(indices, n, mode):
    """Indices as an array, as `mode` maps them into 0 … n - 1."""
    if isinstance(indices, (list, tuple)):
        indices = np.array(indices)
    if mode == "wrap":
        return np.remainder(indices, n)
    return np.clip(indices, 0, n - 1) if mode == "clip" else indices


@tangent(np.take)
def _(d_a, y, a, indices, axis=None, out=None, mode="raise"):
    if axis is None:
        return np.ravel(d_a)[inside(indices, a.size, mode)]
    at = inside(indices, a.shape[axis], mode)
    if axis == 0 or axis == -a.ndim:
        return d_a[at]
    if axis == -1 or axis == a.ndim - 1:
        return d_a[..., at]
    if axis == 1:
        return d_a[:, at]
    return d_a[(slice(None),) * (axis % a.ndim) + (at,)]


@tangent(np.take_along_axis)
def _(d_arr, y, arr, indices, axis=-1):
    if axis is None:
        return np.ravel(d_arr)[indices]
    if arr.ndim == 1:
        return d_arr[indices]
    at = []
    for k, n in enumerate(arr.shape):
        along = (1,) * k + (n,) + (1,) * (arr.ndim - k - 1)
        at.append(indices if k == axis % arr.ndim else np.reshape(np.arange(n), along))
    return d_arr[tuple(at)]


@tangent(np.sort)
def _(d_a, y, a, axis=-1):
    if axis is None:
        return np.ravel(d_a)[np.argsort(np.ravel(a))]
    return np.take_along_axis(d_a, np.argsort(a, axis), axis)
