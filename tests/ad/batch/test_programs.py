"""Jacobians and Hessians of whole programs: loops, tapes, writes in place, trees, recursion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adcompile import grad, hessian, jacobian, trees
from adcompile.ad.batch.walk import HANDLERS
from adcompile.ir import core
from tests.ad import everyday, inplace, writes
from tests.ad.batch.harness import check, check_fanned, check_hessian, is_float
from tests.gallery.programs import pairs

CASES = everyday.CASES | inplace.CASES | writes.CASES
every_case = pytest.mark.parametrize("f", CASES, ids=lambda f: f.__name__)


def floats(args: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(k for k, a in enumerate(args) if any(map(is_float, trees.leaves(a))))


@every_case
def test_forward(f: Callable[..., Any]) -> None:
    args = CASES[f]
    check(f, *args, wrt=floats(args), modes=[True], differences=None, tol=1e-10)


@every_case
def test_reverse(f: Callable[..., Any]) -> None:
    check_fanned(f, CASES[f], floats(CASES[f]))


@every_case
def test_hessian(f: Callable[..., Any]) -> None:
    args = CASES[f]
    single = any(np.asarray(x).dtype == np.float32 for x in trees.leaves(args))
    check_hessian(f, args, floats(args), tol=1e-6 if single or f is writes.single else 1e-10)


@pytest.mark.parametrize("pair", pairs(), ids=lambda p: p.name)
def test_gallery(pair: Any) -> None:
    check(pair.program, *pair.args, wrt=pair.wrt, modes=[True], tol=1e-11, differences=1e-6)
    check_fanned(pair.program, pair.args, pair.wrt)
    check_hessian(pair.program, pair.args, pair.wrt)


def halved(x, n):
    return x if n == 0 else halved(np.sin(x) * x, n - 1) + x * 0.1


@pytest.mark.parametrize("shape", [(3,), (2, 2)])
def test_reverse_over_a_recursive_gradient(shape):
    """What a call has saved is None where it went another way, and has no size."""

    def f(x):
        return np.sum(halved(x, 3))

    x = np.sin(np.arange(1.0, 1 + np.prod(shape))).reshape(shape)
    h = jacobian(grad(f), mode="reverse")(x)
    assert h.shape == shape + shape and h.dtype == np.float64
    np.testing.assert_allclose(h, hessian(f)(x), rtol=1e-12, atol=1e-12)


# --- lists that depend on the direction -----------------------------------------------------------


def stacked_list(x):
    rows = []
    for i in range(len(x)):
        rows.append(x * x[i])
    return np.stack(rows), np.concatenate(rows), np.array(rows).sum(axis=0), sum(rows)


def list_of_numbers(x):
    parts = []
    for i in range(len(x)):
        parts.append(x[i] * x[i])
    return np.array(parts), sum(parts), np.stack(parts)


def lists_put_together(x):
    first, second = [1.0], []
    for i in range(len(x)):
        second.append(x[i] * x[i])
    both = first + second
    return np.array(both + second) * 2.0


def pairs_of_values(x):
    pairs_ = []
    for i in range(len(x)):
        pairs_.append((x[i], i, x * 2.0))
    total = np.zeros(3)
    for a, k, v in pairs_:
        total = total + a * k * v
    return total


def popped(x):
    stack = [x[0]]
    for i in range(1, len(x)):
        stack.append(x[i] * stack[-1])
    y = 0.0
    while len(stack) > 1:
        y = y * 0.5 + stack.pop()
    return y * x


def list_written(x):
    cells = [x[0], x[1] * 2.0, 3.0]
    rows = [x, x * x]
    for i in range(3):
        cells[i] = cells[i - 1] * 0.5 + x[0]
        rows[i % 2] = rows[i % 2] + cells[i]
    return cells[0] * cells[1] + cells[2], rows[0] * rows[1]


LISTS = [stacked_list, list_of_numbers, lists_put_together, pairs_of_values, popped, list_written]


@pytest.mark.parametrize("forward", [True, False], ids=["forward", "reverse"])
@pytest.mark.parametrize("f", LISTS, ids=lambda f: f.__name__)
def test_lists(f: Callable[..., Any], forward: bool) -> None:
    check(f, np.array([0.7, -1.2, 1.9]), modes=[forward])


# --- exceptions ---------------------------------------------------------------------------------


def attempted(x):
    try:
        y = x * np.linalg.inv(np.zeros((2, 2)))[0, 0]
    except np.linalg.LinAlgError:
        y = x * x
    return y


def test_exceptions() -> None:
    check(attempted, np.array([0.7, -1.2, 1.9]), modes=[True])


# --- trees ----------------------------------------------------------------------------------------


def network(params, x):
    for layer in params["layers"]:
        x = np.tanh(x @ layer["W"] + layer["b"])
    return {"out": x * params["scale"], "sizes": (x.shape[0], x.sum())}


def test_trees() -> None:
    normal = np.random.default_rng(0).standard_normal
    layers = [{"W": normal((3, 2)), "b": normal(2)}, {"W": normal((2, 2)), "b": normal(2)}]
    params = {"layers": layers, "scale": 1.5, "name": 3}
    check(network, params, normal((4, 3)), wrt=(0,))
    check(network, params, normal((4, 3)), wrt=(0, 1))


# --- ops ------------------------------------------------------------------------------------------


def subclasses(cls: type) -> set[type]:
    return {c for direct in cls.__subclasses__() for c in (direct, *subclasses(direct))}


def test_every_kind_of_op_is_handled() -> None:
    plain = {core.Const, core.Global, core.Undef}  # have no operands
    ends = {core.Yield, core.Return}
    kinds = {c for c in subclasses(core.Op) if c.__module__.startswith("adcompile.ir.")}
    assert kinds - set(HANDLERS) == plain | ends
