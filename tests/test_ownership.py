"""What is returned is the caller's own: writing into it changes nothing else."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from adcompile import grad, jvp, train_step, trees, value_and_grad, vjp
from adcompile.optim import SGD

A = np.array([0.5, 1.2, -0.7])
B = np.array([1.1, -0.4, 0.9])
M = np.array([[0.3, -0.8], [1.5, 0.2]])


class Pair(NamedTuple):
    x: Any
    y: Any


@dataclass
class Model:
    w: Any
    history: list


def grown(x):
    h = []
    for _ in range(3):
        x = np.tanh(x * 1.3)
        h.append(x)
    return h


def grown_with_its_last(x):
    h = [x]
    for _ in range(2):
        x = np.sin(x)
        h.append(x)
    return h, x


def rows(m):
    return [r for r in m]


def rows_of_rows(m):
    return [[np.exp(r * k) for k in range(2)] for r in m]


def passed_on(xs):
    return np.sum(xs[0] * xs[1]), xs


def part_passed_on(d):
    return np.sum(d["a"] ** 2), d["b"]


def changed_in_part(model):
    model.w = model.w * 2
    return np.sum(model.w * model.history[0]), model


def number(x):
    return x, x**2


def twice(x):
    y = np.sin(x)
    return y, [y, (y, x)]


CASES = {
    "a list that grows": (grown, A),
    "a list and its last item": (grown_with_its_last, A),
    "rows": (rows, M),
    "lists of lists": (rows_of_rows, M),
    "a list passed on": (passed_on, [A, B]),
    "a tuple passed on": (passed_on, (A, B)),
    "a named tuple passed on": (passed_on, Pair(A, B)),
    "a part passed on": (part_passed_on, {"a": A, "b": [B, np.array(2.0)]}),
    "a list in a dict": (lambda d: (d["x"] * 2, d), {"x": A, "more": [B]}),
    "an object changed in part": (changed_in_part, Model(B, [A])),
    "a 0-d array": (number, np.array(2.0)),
    "one array in two places": (twice, A),
}


def arrays(tree: Any) -> list[np.ndarray]:
    return [x for x in trees.leaves(tree) if isinstance(x, np.ndarray)]


def overwrite(tree: Any) -> None:
    """Write into each array; that none shares memory with another one is seen."""
    found = arrays(tree)
    for k, x in enumerate(found):
        assert not any(np.shares_memory(x, y) for y in found[:k])
        x[...] = 123.0


def same(a: Any, b: Any) -> None:
    assert trees.flatten(a)[1] == trees.flatten(b)[1]
    for x, y in zip(trees.leaves(a), trees.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", CASES)
def test_of_a_vjp(name):
    f, x = CASES[name]
    given = copy.deepcopy(x)
    value, pullback = vjp(f)(given)
    cotangent = trees.map_leaves(np.ones_like, value)
    same(value, f(copy.deepcopy(x)))
    before, first = copy.deepcopy(cotangent), pullback(cotangent)
    want = copy.deepcopy(first)
    overwrite([value, first])
    same(cotangent, before)
    same(given, x)
    same(pullback(cotangent), want)


@pytest.mark.parametrize("name", CASES)
def test_of_a_jvp(name):
    f, x = CASES[name]
    given, tangent = copy.deepcopy(x), trees.map_leaves(np.ones_like, x)
    before, found = copy.deepcopy(tangent), jvp(f)((given,), (tangent,))
    overwrite(found)
    same(given, x)
    same(tangent, before)


def test_of_a_gradient():
    def with_aux(p, c):
        return np.sum(p["w"] * c) + p["b"], (p, c)

    p, c = {"w": A.copy(), "b": np.array(2.0)}, B.copy()
    (value, aux), d = value_and_grad(with_aux, has_aux=True)(p, c)
    assert value == np.sum(A * B) + 2.0
    overwrite([aux, d])
    same([p, c], [{"w": A, "b": np.array(2.0)}, B])
    z = np.array(2.0)
    assert not np.shares_memory(grad(lambda x, c: x * c)(z, z), z)


STEPS = {
    "the value is a parameter": (lambda p: p["b"], False),
    "a parameter": (lambda p: (p["b"] ** 2, p["w"]), True),
    "all of them": (lambda p: (p["b"] ** 2 + np.sum(p["w"]), p), True),
    "views": (lambda p: (p["b"] ** 2, [p["w"][::2], p["w"].reshape(3, 1), p["w"][0]]), True),
}


@pytest.mark.parametrize("name", STEPS)
def test_of_a_training_step(name):
    """What it returns is as it was before the update."""
    f, has_aux = STEPS[name]
    p = {"b": np.array(2.0), "w": np.array([1.0, 2.0, 3.0])}
    want = copy.deepcopy(f(p))
    step = train_step(f, SGD(p, lr=0.1), has_aux=has_aux)
    found = step()
    same(found, want)
    after = copy.deepcopy(p)
    assert after["b"] != 2.0
    overwrite([x for x in trees.leaves(found) if isinstance(x, np.ndarray)])
    same(p, after)


def test_a_training_step_within_a_program():
    def two_steps(w):
        p = {"b": w.copy()}
        step = train_step(lambda p: (np.sum(p["b"] ** 2), p["b"]), SGD(p, lr=0.1), has_aux=True)
        _, first = step()
        value, second = step()
        return np.sum(first * second) + value

    assert two_steps(A) == pytest.approx(value_and_grad(two_steps)(A)[0], rel=1e-15)


U = np.array(0.3)


def test_an_array_of_rank_0_that_a_loop_starts_with():
    """Where it is carried on, `d *= 2.0` would write into it."""

    def f(x, good):
        h = x
        for _ in range(2):
            h = np.where(good, x + 0.01 * np.arcsin(h), 0.0)
        return np.sum(h * h)

    x = np.float64(0.5)
    along = grad(lambda x: jvp(lambda x: f(x, True))((x,), (U,))[1])
    third = grad(lambda x: np.sum(along(x) * U))
    want = jvp(along)((x,), (U,))[1]
    assert third(x) == pytest.approx(want, rel=1e-12)
    assert third(x) == pytest.approx(want, rel=1e-12)
    assert U == 0.3
