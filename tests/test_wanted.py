"""Values that decide types: they join the signature, or the guard where they are globals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from adcompile import TypeMismatch, check_grads, grad

M = np.arange(1.0, 7.0).reshape(2, 3) / 5
AXIS, KEEP, AXES, SHAPE = 0, True, (0, 1), (3, 2)
SETTINGS = {"axis": 1, "scale": 2.0}


def count(g):
    return len(g._specialisations.found)


# --- parameters ---------------------------------------------------------------------------------


def minus(x, k):
    return (x.sum(axis=k - 2) ** 2).sum()


def modulo(x, k):
    return (x.sum(axis=k % x.ndim) ** 2).sum()


def smallest(x, k):
    return (x.sum(axis=min(k, 5) - abs(-1)) ** 2).sum()


def chosen(x, k):
    axis = 0 if k > 2 else 1
    return (x.sum(axis=axis) ** 2).sum()


def assigned(x, k):
    axis = 0
    if k > 2:
        axis = axis + 1
    return (x.sum(axis=axis) ** 2).sum()


def counted(x, k):
    total = 0.0
    for axis in range(k - 1):
        total = total + (x.sum(axis=axis) ** 2).sum()
    return total


def in_a_tree(x, p):
    return (x.sum(axis=p["axes"][1] - 2) ** 2).sum()


def in_a_call(x, k):
    def total(v, axis):
        return (v.sum(axis=axis - 1) ** 2).sum()

    return total(x, k - 1)


@pytest.mark.parametrize(
    "f, given, other",
    [
        (minus, 2, 3),
        (modulo, 2, 3),
        (modulo, np.int64(2), np.int64(3)),
        (smallest, 1, 2),
        (chosen, 2, 3),
        (assigned, 2, 3),
        (counted, 3, 2),
        (in_a_tree, {"axes": (7, 2)}, {"axes": (7, 3)}),
        (in_a_call, 2, 3),
    ],
)
def test_arithmetic_on_a_parameter(f, given, other):
    g = grad(f)
    for value in (given, other, given):
        assert np.array_equal(g(M, value), grad(f)(M, value))
        check_grads(f, (M, value), wrt=0)
    assert count(g) == 2


def test_only_what_decides_is_fixed():
    def f(x, k, a):
        return a * x.sum(axis=k - 1).sum()

    g = grad(f)
    assert g(M, 1, 2.0)[0, 0] == 2.0 and g(M, 1, 3.0)[0, 0] == 3.0
    assert count(g) == 1


def test_an_opaque_number_cannot_decide():
    def f(x, w):
        return x.sum(axis=int(w[0])).sum()

    with pytest.raises(TypeMismatch, match="must be known at compile time"):
        grad(f)(M, np.ones(2))


# --- globals ------------------------------------------------------------------------------------


def test_a_global_that_decides_a_type(monkeypatch):
    def f(x):
        return (x.sum(axis=AXIS) ** 2).sum()

    g = grad(f)
    for axis in (0, 1, 0, np.int64(1), (0, 1)):
        monkeypatch.setitem(globals(), "AXIS", axis)
        assert np.array_equal(g(M), 2 * M.sum(axis=axis, keepdims=True) + 0 * M)
    assert count(g) == 4


def test_globals_of_other_kinds(monkeypatch):
    def f(x):
        y = x.sum(axis=SETTINGS["axis"], keepdims=KEEP) * SETTINGS["scale"]
        z = np.reshape(x, SHAPE).sum(axis=AXES)
        return (y * y).sum() * z

    g = grad(f)
    g(M)
    check_grads(f, (M,))
    monkeypatch.setitem(SETTINGS, "scale", 3.0)  # decides nothing
    check_grads(f, (M,))
    assert np.allclose(g(M), grad(f)(M)) and count(g) == 1
    monkeypatch.setitem(SETTINGS, "axis", 0)
    assert np.allclose(g(M), grad(f)(M)) and count(g) == 2
    monkeypatch.setitem(globals(), "KEEP", False)
    assert np.allclose(g(M), grad(f)(M)) and count(g) == 3


def test_a_variable_of_a_closure_that_decides_a_type():
    axis = 0

    def f(x):
        return (x.sum(axis=axis + 1 - 1) ** 2).sum()

    g = grad(f)
    assert np.array_equal(g(M), 2 * M.sum(axis=0, keepdims=True) + 0 * M)
    axis = 1
    assert np.array_equal(g(M), 2 * M.sum(axis=1, keepdims=True) + 0 * M)


@dataclasses.dataclass
class Model:
    axis: int
    scale: float

    def loss(self, x):
        return (x.sum(axis=self.axis) ** 2).sum() * self.scale


def test_an_attribute_of_an_object_that_decides_a_type():
    model = Model(0, 2.0)

    def f(x):
        return model.loss(x)

    g = grad(f)
    assert np.array_equal(g(M), 4 * M.sum(axis=0, keepdims=True) + 0 * M)
    model.axis = 1
    assert np.array_equal(g(M), 4 * M.sum(axis=1, keepdims=True) + 0 * M)
    model.scale = 1.0
    assert np.array_equal(g(M), 2 * M.sum(axis=1, keepdims=True) + 0 * M)
    assert count(g) == 2


def test_a_global_that_decides_in_a_callee():
    def total(v, n):
        return (v.sum(axis=AXIS) ** 2).sum() if n <= 0 else total(v * 1.5, n - 1)

    check_grads(lambda x, n: total(x, n), (M, 2), wrt=0)


# --- loops --------------------------------------------------------------------------------------


def rank_falls(x):
    y = x
    for _ in range(2):
        y = np.sum(y * y, axis=0)
    return y


def rank_grows(x):
    y = x.sum()
    for k in range(3):
        y = np.ones((2,) * k) * x[0, 0]
    return y.sum()


def rank_falls_inside(x):
    total = 0.0
    for i in range(2):
        y = x
        for _ in range(2):
            y = np.sum(y, axis=0)
        total = total + y * y * i
    return total


def functions_in_a_list(x):
    fs = []
    for i in range(1, 4):
        fs.append(lambda v, i=i: v**i)
    for f in fs:
        x = f(x)
    return x.sum()


def late_binding(x):
    fs = []
    for i in range(3):
        fs.append(lambda v: v * i)
    return fs[0](x).sum()


@pytest.mark.parametrize(
    "f", [rank_falls, rank_grows, rank_falls_inside, functions_in_a_list, late_binding]
)
def test_loops_are_unrolled_where_they_must_be(f):
    check_grads(f, (M,))


def test_other_loops_stay():
    def f(x):
        for _ in range(3):
            x = x * 2.0
        return x.sum()

    g = grad(f)
    g(M)
    assert "for" in g.lower(M).ssa or g(M)[0, 0] == 8.0
