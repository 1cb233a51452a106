"""`jacobian` and `hessian` as users call them, on programs where indices, factors or sizes meet."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adcompile import grad, hessian, jacobian, jvp, trees
from tests.ad.batch.harness import by_differences, dense_blocks

ONES = np.ones(3)
X = np.array([0.3, -0.7, 1.2])
MASK = np.array([True, False, True])


def agree(f: Callable[..., Any], args: tuple[Any, ...], wrt: tuple[int, ...]) -> None:
    """All modes against differences; blocks are arrays of their own."""
    want, y, xs = by_differences(f, args, wrt), f(*args), [args[k] for k in wrt]
    for mode in ("auto", "forward", "reverse"):
        blocks = jacobian(f, wrt=wrt, mode=mode)(*args)
        got = dense_blocks(blocks, y, xs, as_tuple=True)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6, err_msg=mode)
        for block in trees.leaves(blocks):
            assert np.ndim(block) == 0 or block.flags.writeable
            assert 0 not in getattr(block, "strides", ())


# --- terms that meet ------------------------------------------------------------------------------


def trapezoid(m):
    return 0.5 * (m[1:] + m[:-1]).sum(axis=0)


def differences(m):
    return m[:-1].sum(axis=0) - m[1:].mean(axis=0)


def biased(b, x):
    y = x * 1.0
    y[1:] += b
    y[2:] += b
    return y * y


def table(x):
    out = np.zeros((3, x.size))
    out[:] = x
    out[2:] += x
    return out


def slots(x):
    y = np.zeros(3)
    y[0:] += x * 3
    y[:] += x[2:3]
    return y


def tails(x):
    return x[1:].sum(keepdims=True) + x[2:].sum(keepdims=True)


def stencil(x):
    y = np.zeros_like(x)
    y[1:] += x[:-1]
    y[:-1] += x[1:] * x[1:]
    y[1:-1] -= 2 * x[1:-1]
    return y


MEETING = [
    (trapezoid, (np.ones((3, 1)),)),
    (trapezoid, (np.ones((3, 2)),)),
    (differences, (np.ones((3, 1)),)),
    (differences, (np.ones((2, 1)),)),
    (biased, (np.ones(1), X)),
    (biased, (2.0, X)),
    (table, (np.ones(1),)),
    (table, (X,)),
    (slots, (X,)),
    (tails, (X,)),
    (stencil, (X,)),
    (stencil, (X[:2],)),
]


@pytest.mark.parametrize(("f", "args"), MEETING)
def test_terms_that_meet(f, args):
    agree(f, args, (0,))
    x, *rest = args
    forward = jvp(jacobian(f))((x, *rest), (x, *[None] * len(rest)))[1]
    weights = np.cos(np.arange(np.size(f(*args)))).reshape(np.shape(f(*args)))

    def total(x, *rest):
        return np.sum(f(x, *rest) * weights)

    found = hessian(total)(*args)
    np.testing.assert_allclose(found, jacobian(grad(total), mode="reverse")(*args), atol=1e-12)
    h = 1e-5
    j = jacobian(f, mode="reverse")
    want = (np.asarray(j(x + h * x, *rest)) - j(x - h * x, *rest)) / (2 * h)
    np.testing.assert_allclose(forward, want, rtol=1e-6, atol=1e-6)


# --- factors that are no floats -------------------------------------------------------------------

A8, A32 = np.array([100, 200, 50], np.uint8), np.array([100000, 2, 3], np.int32)
FACTORS = {
    "bytes": (lambda x, a: x * a * a, (X, A8)),
    "ints": (lambda x, a: x * a * a, (X, A32)),
    "ints, first": (lambda x, a: a * x * a, (X, A32)),
    "scalars": (lambda x, a: x * np.int8(100) * np.int8(2) * a, (X, 1.0)),
    "negative ints": (lambda x, a: -(x * a) - a * x, (X, A8)),
    "mask": (lambda x, k: x - x * k, (X, MASK)),
    "relu": (lambda x, k: np.maximum(1.0 - x, 0) * k, (X, 2.0)),
    "minus relu": (lambda x, k: -np.maximum(x, 0) * x, (X, 2.0)),
    "leaky": (lambda x, k: np.maximum(x, 0) - np.maximum(x, k * x), (X, 0.2)),
    "clip": (lambda x, k: np.clip(-x, -k, k), (X, 0.5)),
    "minimum": (lambda x, k: np.minimum(-x, k), (X, 0.5)),
    "soft": (lambda x, k: x - np.maximum(x - k, 0) + np.minimum(x + k, 0), (X, 0.5)),
    "single": (lambda x, a: x * a * a, (X, np.float32([1.1, 0.3, 16777217.0]))),
}


@pytest.mark.parametrize("name", FACTORS)
def test_factors_that_are_no_floats(name):
    f, args = FACTORS[name]
    agree(f, args, (0,))

    def loss(x, *rest):
        return np.log(1.0 + np.sum(f(x, *rest) ** 2))

    found = hessian(loss)(*args)
    np.testing.assert_allclose(found, jacobian(grad(loss), mode="reverse")(*args), rtol=1e-9)
    want = by_differences(grad(loss), args, (0,))
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())


# --- sizes of one ---------------------------------------------------------------------------------

OPERATIONS = {
    "mul": lambda x, b: x * b,
    "div": lambda x, b: x / b,
    "sub": lambda x, b: x - b * b,
    "maximum": lambda x, b: np.maximum(x, b),
    "where": lambda x, b: np.where(x > 0.5, x, b),
    "sin": lambda x, b: np.sin(x * b),
}
SHAPES = [(), (1,), (3,), (1, 1), (2, 1), (1, 3), (2, 3), (1, 1, 1), (2, 1, 3)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_broadcasting(name):
    """One specialisation after the other, of one Jacobian."""
    rng = np.random.default_rng(3)
    for s, t in itertools.product(SHAPES, SHAPES):
        args = rng.uniform(0.3, 1.3, s), rng.uniform(0.3, 1.3, t)
        try:
            np.broadcast_shapes(s, t)
        except ValueError:
            continue
        agree(OPERATIONS[name], args, (0, 1))


def affine(p, x):
    return np.sum((x @ p["w"] * p["s"]) ** 2)


def test_a_scale_beside_weights():
    p, x = {"w": X, "s": np.ones(1)}, np.arange(6.0).reshape(2, 3)
    found = hessian(affine)(p, x)
    want = by_differences(lambda p, x: grad(affine)(p, x), (p, x), (0,))
    got = dense_blocks(found, p, [p])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


METHODS = {
    "reshape": lambda x: x.reshape(1) * 2,
    "item": lambda x: x.item() * 2,
    "sum": lambda x: x.sum() * x,
    "copy": lambda x: x.copy() * x,
    "astype": lambda x: x.astype(float) * x,
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_one_number(name):
    agree(METHODS[name], (np.array(1.5),), (0,))
    agree(METHODS[name], (np.float64(1.5),), (0,))


# --- blocks that are arrays of their own ----------------------------------------------------------

OWN = {
    "sum": lambda m: m.sum(axis=0),
    "new axis": lambda m: m[:, 0][:, None] + np.zeros((2, 3)),
    "mask": lambda m: m[m[:, 0] > 0],
    "stacked": lambda m: np.stack([m * k for k in range(3)]),
    "turned": lambda m: m[::-1].T,
    "the same": lambda m: (m, m, m[0]),
    "diagonal": lambda m: np.diag(m),
    "spread": lambda m: np.broadcast_to(m[0], (2, 3)),
}


@pytest.mark.parametrize("name", OWN)
def test_own(name):
    f, m = OWN[name], np.array([[1.0, 2.0, 0.5], [3.0, 4.0, -1.0]])
    agree(f, (m,), (0,))
    blocks = trees.leaves(jacobian(f)(m))
    for k, a in enumerate(blocks):
        a += 1.0
        assert not any(np.shares_memory(a, b) for b in (m, *blocks[:k]))
