"""The derivative is that of the branch taken, whatever was computed before it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from adcompile import grad, hvp, jvp, vjp


def root_or_itself(x):
    y = np.sqrt(x)
    if x > 0:
        return y
    return x


def power_or_itself(x):
    y = x**0.5
    if x > 0:
        return y
    return x


def unit(x):
    n = np.sqrt(x @ x)
    if n == 0:
        return np.sum(x)
    return np.sum(x / n)


def skipped(x):
    s = 0.0
    for v in x:
        y = np.sqrt(v)
        if v <= 0:
            continue
        s += y
    return s


def picked(x):
    y = np.log(x)
    s = 0.0
    for i in range(len(x)):
        if x[i] > 0:
            s += y[i]
    return s


def chosen(x):
    s = 0.0
    for i in range(len(x)):
        y = np.sqrt(x[i])
        s += y if x[i] > 0 else 0.0
    return s


def nested(x):
    y = np.sqrt(x[0])
    z = 1.0 / x[1]
    if x[0] > 0:
        if x[1] > 0:
            return y * z
        return y * 3.0
    return x[0] + x[1]


def written(x):
    y = np.sqrt(x)
    out = np.zeros(len(x))
    for i in range(len(x)):
        if x[i] > 0:
            out[i] = y[i] * x[i]
        else:
            out[i] = x[i] * 2.0
    return np.sum(out)


# The program, where it is differentiated, its gradient there, and its Hessian times ones.
CASES = [
    (root_or_itself, 0.0, 1.0, 0.0),
    (root_or_itself, 4.0, 0.25, -1 / 32),
    (power_or_itself, 0.0, 1.0, 0.0),
    (unit, [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]),
    (unit, [3.0, 4.0], [0.032, -0.024], None),
    (skipped, [4.0, 0.0], [0.25, 0.0], [-1 / 32, 0.0]),
    (picked, [2.0, 0.0], [0.5, 0.0], [-0.25, 0.0]),
    (chosen, [4.0, 0.0], [0.25, 0.0], [-1 / 32, 0.0]),
    (nested, [4.0, 0.0], [0.75, 0.0], [-3 / 32, 0.0]),
    (nested, [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]),
    (written, [4.0, 0.0], [3.0, 2.0], [3 / 8, 0.0]),
]


@pytest.mark.parametrize(("f", "at", "want", "second"), CASES)
def test_of_the_branch_taken(f, at, want, second):
    x = np.float64(at) if np.ndim(at) == 0 else np.array(at)
    ones = np.ones_like(x)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(grad(f)(x), want, rtol=1e-13)
        np.testing.assert_allclose(vjp(f)(x)[1](1.0), want, rtol=1e-13)
        np.testing.assert_allclose(jvp(f)((x,), (ones,))[1], np.sum(want), rtol=1e-12)
        if second is not None:
            for d in (hvp(f)((x,), ones), jvp(grad(f))((x,), (ones,))[1]):
                np.testing.assert_allclose(d, second, rtol=1e-13, atol=0)
            twice = grad(lambda x: np.sum(grad(f)(x)))(x)
            np.testing.assert_allclose(twice, second, rtol=1e-13, atol=0)


def test_python_numbers():
    """What would divide by zero is not computed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert grad(power_or_itself)(0.0) == 1.0
        assert grad(power_or_itself)(4.0) == 0.25


def test_a_branch_that_reads_nothing_steep_stays_as_it_is():
    def f(x):
        y = np.sin(x) * x
        if x > 0:
            return y
        return x

    g = grad(f)
    g(1.0)
    assert "!= 0" not in g.source and "where" not in g.source
