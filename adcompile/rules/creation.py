"""Functions that make arrays: most have no derivative, some are filled with what may have one."""

from __future__ import annotations

import numpy as np

from adcompile.rules.registry import linear, tangent, zero
from adcompile.runtime import last_writes, unbroadcast, zeros_like

zero(np.zeros, np.ones, np.empty, np.zeros_like, np.ones_like, np.empty_like)
zero(np.eye, np.identity, np.tri, np.indices, np.tril_indices, np.triu_indices, np.diag_indices)
zero(np.result_type, np.finfo, np.iinfo, np.dtype, np.broadcast_shapes)
zero(zeros_like, last_writes)  # of generated code


@linear(np.full, arg=1, shape="broadcasts")
def _(d_y, shape, fill_value, dtype=None):
    return d_y


@linear(np.full_like, arg=1, shape="broadcasts")
def _(d_y, a, fill_value, dtype=None):
    return d_y


zero(np.full_like, arg=0)


@linear(np.linspace, arg=(0, 1))
def _(d_y, start, stop, num=50, endpoint=True):
    return weighed(steps(1.0, 0.0, num, endpoint), d_y), weighed(
        steps(0.0, 1.0, num, endpoint), d_y
    )


def steps(start, stop, num, endpoint):
    """What `start` and `stop` weigh in each of the elements of a linspace."""
    return np.linspace(start, stop, num) if endpoint else np.linspace(start, stop, num, False)


def weighed(weights, d_y):
    return weights @ d_y if d_y.ndim < 3 else np.tensordot(weights, d_y, 1)


# arange(start, stop, step): its length is a step function of all three, and its elements move with
# start and step.


@tangent(np.arange, arg=0)
def _(d_start, y, start, stop=None, step=1):
    return None if stop is None else d_start * np.ones_like(y)


zero(np.arange, arg=1)


@tangent(np.arange, arg=2)
def _(d_step, y, start, stop=None, step=1):
    return d_step * np.arange(y.size)


# --- what generated code calls ------------------------------------------------------------------


@linear(unbroadcast)
def _(d_y, d, shape, other=()):
    """Its transpose is of its kind; a number that stayed one was but multiplied."""
    return unbroadcast(d_y, np.shape(d), other) if np.ndim(d) else unbroadcast(d_y, shape, other)
