"""Inverses, solutions and determinants of (stacks of) matrices.

After Giles, "An extended collection of matrix derivative results for forward and reverse mode
algorithmic differentiation", 2008.
"""

from __future__ import annotations

import numpy as np

from adcompile.rules.contractions import flipped
from adcompile.rules.registry import linear, tangent


@tangent(np.linalg.inv)
def _(d_a, y, a):
    return y @ -d_a @ y


@tangent(np.linalg.solve, arg=0)
def _(d_a, x, a, b):
    if b.ndim == 1 and a.ndim > 2:
        return np.linalg.solve(a, -(d_a @ x[..., None]))[..., 0]
    return np.linalg.solve(a, -(d_a @ x))  # backwards it shares its solution with that of `b`


@linear(np.linalg.solve, arg=1)
def _(d_x, a, b):
    if b.ndim == 1 and a.ndim > 2:
        return np.linalg.solve(flipped(a), d_x[..., None])[..., 0]
    return np.linalg.solve(flipped(a), d_x)


@tangent(np.linalg.det)  # of singular matrices NumPy raises LinAlgError
def _(d_a, y, a):
    return y * along_inverse(d_a, a)


@tangent(np.linalg.slogdet)
def _(d_a, y, a):
    return None, along_inverse(d_a, a)


def along_inverse(d_a, a):
    """The trace of inv(a) @ d_a."""
    t = flipped(np.linalg.inv(a)) * d_a
    return np.sum(t) if t.ndim == 2 else np.sum(t, (-2, -1))
