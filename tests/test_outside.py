"""Names from outside of a program: whatever they mean when a derivative is called counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcompile import grad, hessian, jvp, value_and_grad
from tests.ad.programs import load

X = np.array([1.0, 2.0, 3.0])


class Model:
    def __init__(self):
        self.b: Any = None
        self.kind = "square"
        self.act: Any = np.sin

    def loss(self, x):
        y = self.act(x)
        if self.kind == "cube":
            y = y * x
        if self.b is not None:
            y = y + self.b * x
        return np.sum(y)


class Net:
    def __init__(self):
        self.w: Any = np.ones(3)
        self.kind = "a"

    def __call__(self, x):
        return np.sum(self.w * x) if self.kind == "a" else np.sum(x * x)


def square(v):
    return v * v


def cube(v):
    return v**3


def of_a_net(attribute: str, value: Any) -> Net:
    net = Net()
    setattr(net, attribute, value)
    return net


def of_a_model(attribute: str, value: Any) -> Model:
    model = Model()
    setattr(model, attribute, value)
    return model


# Name: an expression of x and the variable g, and what g is, one thing after the other.
CASES: dict[str, tuple[str, list[Any]]] = {
    "None, then a number": ("np.sum(x * x) * (1.0 if g is None else g)", [None, 10.0, None, 3]),
    "a string": ("np.sum(x) if g == 'a' else np.sum(x * x)", ["a", "b", "".join("a")]),
    "a string in a dict": (
        "np.sum(x) if g['mode'] == 'a' else np.sum(x * x) * g['k']",
        [{"mode": "a", "k": 2.0}, {"mode": "b", "k": 2.0}, {"mode": "b", "k": 4.0}],
    ),
    "a key": ("np.sum(x) if 'b' not in g else np.sum(x * x)", [{"a": 1}, {"a": 1, "b": 2}, {}]),
    "None in a dict": ("np.sum(x * (x if g['a'] is None else g['a']))", [{"a": None}, {"a": 3.0}]),
    "a tuple": ("np.sum(x * g[0]) if g[1] == 'a' else np.sum(x * x)", [(2.0, "a"), (2.0, "b")]),
    "a slice": ("np.sum(x[g] ** 2)", [slice(0, 1), slice(0, 2)]),
    "a function": ("np.sum(g(x))", [square, cube, np.exp, lambda v: v * 7, square]),
    "a class": ("np.sum(x) if isinstance(x, g) else np.sum(x * x)", [np.ndarray, float]),
    "an object": (
        "g(x)",
        [Net(), of_a_net("kind", "b"), of_a_net("w", 2.0), of_a_net("w", 3 * np.ones(3))],
    ),
    "an object's method": (
        "g.loss(x)",
        [
            Model(),
            of_a_model("kind", "cube"),
            of_a_model("act", np.cos),
            of_a_model("b", np.ones(3)),
            of_a_model("act", lambda v: v * 7),
        ],
    ),
}
MODES = {
    "gradient": (value_and_grad, lambda d, x: d(x)),
    "tangent": (jvp, lambda d, x: d((x,), (x,))),
    "Hessian": (hessian, lambda d, x: d(x)),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_a_change_is_seen(name, mode):
    expression, values = CASES[name]
    derive, call = MODES[mode]
    as_global = load(f"def f(x):\n    return {expression}", g=None)
    in_closure = load(
        "def make(g):\n    def inner(x):\n"
        f"        return {expression}\n    def change(v):\n        nonlocal g\n        g = v\n"
        "    return inner, change\nf = make(None)"
    )
    inner, change = in_closure
    kept, kept_inner = derive(as_global), derive(inner)
    for g in [*values, *values]:
        as_global.__globals__["g"] = g
        change(g)
        want = call(derive(as_global), X)
        for d in (kept, kept_inner):
            for one, other in zip(call(d, X), want, strict=True):
                np.testing.assert_array_equal(one, other)
    assert len(kept._specialisations.found) <= len(values)


def test_a_function_that_is_called_is_defined_anew():
    f = load("def helper(v):\n    return v * v\n\n\ndef f(x):\n    return np.sum(helper(x))")
    g = grad(f)
    np.testing.assert_array_equal(g(X), 2 * X)
    f.__globals__["helper"] = load("def f(v):\n    return v * 5.0")
    np.testing.assert_array_equal(g(X), [5.0, 5.0, 5.0])


def test_an_object_that_is_changed():
    net = Net()
    f = load("def f(x):\n    return g(x)", g=net)
    d = grad(f)
    np.testing.assert_array_equal(d(X), [1.0, 1.0, 1.0])
    net.w = 2.0
    np.testing.assert_array_equal(d(X), [2.0, 2.0, 2.0])
    net.kind = "b"
    np.testing.assert_array_equal(d(X), 2 * X)
    del net.w
    np.testing.assert_array_equal(d(X), 2 * X)
