"""Programs that other tools are known to get wrong, silently or not."""

import types

import numpy as np
import pytest

from adcompile import check_grads, grad, value_and_grad
from tests.ad.programs import load

X = np.sin(np.arange(1.0, 12.0))


def test_strided_range_is_reversed_from_its_last_element():
    """The iterations of `range(0, 11, 3)` are 0, 3, 6, 9: backward that is 9, 6, 3, 0, not 8, 5, 2.

    Tangent's `for` over a range with a step that does not divide it visited others.
    """

    def f(x):
        s = 1.0
        for i in range(0, 11, 3):
            s = s * x[i] + i
        return s

    def down(x):
        s = 1.0
        for i in range(10, -1, -4):
            s = s * x[i] + i
        return s

    for g in (f, down):
        check_grads(g, (X,))
    assert set(np.flatnonzero(grad(f)(X))) == {0, 3, 6, 9}
    assert set(np.flatnonzero(grad(down)(X))) == {2, 6, 10}


def test_branch_that_differs_per_iteration():
    """Which branch was taken is kept for each iteration, not for the last one alone."""

    def f(x):
        s = 0.0
        for i in range(len(x)):
            if x[i] > 0:
                s = s + x[i] * x[i]
            elif i % 2:
                s = s * x[i]
            else:
                s = np.sin(s) - x[i]
        return s

    check_grads(f, (X,))


def test_augmented_write_into_an_element():
    """`x[0] += e`: the adjoint of `x[0]` goes to `e` and stays with `x[0]`, once each."""

    def f(x):
        x[0] += x[1] * x[2]
        x[0] += x[0] * x[0]
        return x.sum() + x[0] * x[1]

    check_grads(f, (X,))


@pytest.mark.parametrize(
    "shapes", [((3, 1), (4,)), ((2, 3, 4), (3, 1)), ((1,), (3, 1)), ((), (3,))]
)
def test_broadcasting_in_division_power_and_maximum(shapes):
    """The gradient has the shape of its argument: what was broadcast is summed, in any function."""

    def f(x, y):
        z = x / y + x**y + np.maximum(x, y) + np.minimum(y, 2 * x) + np.arctan2(x, y)
        z += np.hypot(y, x) - np.where(x > y, x, y)
        return (z * z).sum()

    x, y = (1.5 + 0.4 * np.sin(np.arange(1.0, 1 + np.prod(s))).reshape(s) for s in shapes)
    y = 1.07 * y + 0.01
    check_grads(f, (x, y))
    check_grads(f, (y, x))


def test_broadcasting_in_augmented_writes():
    """The same where the result is written into an array."""

    def f(x, v, a):
        x /= v
        x **= 2 + v * v
        x += a
        np.maximum(x, v, out=x)
        return (x * x).sum()

    check_grads(f, (2 + X[:6].reshape(2, 3), 2 + X[:3] ** 2, 0.3))


def test_repeated_fancy_indices_add_up():
    """A read of an element by two indices gives it two contributions: `d_x[i] += d` is too few."""

    def f(x):
        y = x[np.array([0, 2, 0, 0, -11])] * np.arange(1.0, 6.0)
        return (y * y).sum() + (x[[[1, 1], [1, 2]]] ** 3).sum()

    check_grads(f, (X,))


def test_repeated_fancy_writes():
    """Of several writes to one element the last one counts; `np.add.at` adds them all."""

    def f(x, v):
        x[[0, 2, 0]] = v
        x[[1, 1, 3]] += v
        np.add.at(x, [4, 4, 0], v * v)
        return (x * x).sum()

    v = X[3:6].copy()
    check_grads(f, (X, v))
    d_v = grad(f, wrt=1)(X, v)
    assert d_v.shape == (3,)


def test_alias_is_seen():
    """`y = x; y[0] = 3.0` changes x."""

    def f(x):
        y = x
        y[0] = 3.0
        return (x * x).sum()

    value, d_x = value_and_grad(f)(X)
    assert d_x[0] == 0.0 and value == f(X.copy())
    check_grads(f, (X,))


def test_copy_is_no_alias():
    def f(x):
        y = x.copy()
        y[0] = 3.0
        return (x * x).sum() + y[0] * y[1]

    check_grads(f, (X,))


def test_two_callees_with_one_name():
    """Functions are told apart by what they are, not by their names."""

    def square():
        def inner(x):
            return x * x

        return inner

    def cube():
        def inner(x):
            return x * x * x

        return inner

    first, second = square(), cube()

    def f(x):
        return first(x).sum() + second(x).sum()

    check_grads(f, (X,))

    def loops():
        def inner(x, n):  # large enough to be kept as a call
            s = x * 0.0
            for i in range(n):
                s = s * x + i
                if s[0] > 100:
                    break
            return s

        return inner

    def recursive():
        def inner(x, n):
            return x if n == 0 else np.sin(inner(x, n - 1))

        return inner

    third, fourth = loops(), recursive()

    def g(x):
        return third(x, 3).sum() + fourth(x, 2).sum() + third(fourth(x, 1), 2).sum()

    check_grads(g, (X,))


def test_two_modules_with_the_same_global():
    """A callee reads the globals of its own module."""
    modules = []
    for rate in (2.0, 5.0):
        f = load("RATE = %r\ndef f(x):\n    return RATE * x * x\n" % rate)
        module = types.ModuleType("module")
        module.f = f
        modules.append(module)
    one, two = modules

    def both(x):
        return (one.f(x) + two.f(x)).sum()

    assert np.allclose(grad(both)(X), 14.0 * X)
    check_grads(both, (X,))


def test_global_of_two_modules_that_is_an_array():
    """Also where the two go into the generated text under their names."""
    f, g = (
        load("W = np.arange(3.0) * %r\ndef f(x):\n    W2 = W * x\n    return W2 @ W\n" % k)
        for k in (1.0, 3.0)
    )

    def both(x):
        W = x * 2
        return f(x) * g(W)

    check_grads(both, (X[:3],))


@pytest.mark.parametrize("x", [X, -X, np.array([0.4, -0.2, 0.1])])
def test_loop_that_is_not_reached(x):
    """A loop after an early return: what it would have saved is not there, and is not read."""

    def f(x):
        y = x * 2.0
        if x[0] > 0.5:
            return (y * y).sum()
        s = 1.0
        for v in y:
            s = s * v + np.sin(s)
            if s > 10:
                return s * y[0]
        return s

    check_grads(f, (x,))


def test_loop_without_iterations():
    def f(x, n):
        y = x * x
        for i in range(n):
            y = y * x
            y[i] = 2.0
        return y.sum()

    for n in (0, 1, 3):
        check_grads(f, (X, n))


def test_values_assigned_inside_with():
    """`with` is no scope: what is assigned inside is seen, and differentiated, after it."""

    def f(x):
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.log(x * x)
            z = y
            y[1] = x[0] / x[2]
            s = 0.0
            for v in y:
                s += v * v
        z[0] *= 2
        return s * y.sum()

    check_grads(f, (X,))


def test_the_callers_arrays_stay():
    """Inputs, and what closures and globals hold, are as before; no gradient is one of them."""
    scale = np.ones(11)
    x = X.copy()

    def f(x):
        x *= scale
        x[0] = 2.0
        return (x * scale).sum()

    d_x = grad(f)(x)
    assert np.array_equal(x, X) and np.array_equal(scale, np.ones(11))
    assert not np.shares_memory(d_x, x) and not np.shares_memory(d_x, scale)


def test_a_branch_in_a_loop_whose_result_nobody_asked_for():
    """The primal loop is gone, so that there is no iteration to be left out of a tape."""

    def f(x, c):
        s = 0.0
        for _ in range(3):
            s = s + (x * x if c else 1.0)
        return s

    assert grad(f)(2.0, True) == 12.0
    assert grad(f)(2.0, False) == 0.0
    assert value_and_grad(f)(2.0, True) == (12.0, 12.0)
