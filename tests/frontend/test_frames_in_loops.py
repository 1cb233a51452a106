"""A loop is lowered until nothing changes: the frames of calls in it are the same in each try."""

from __future__ import annotations

import pytest

from adcompile import errors, grad


def with_lambda(s):
    k = lambda a: a * s  # noqa: E731
    return k(s) if k(s) > 3 else 0.5 * k(s)


def made(a):
    return lambda v: v * a


def called(x, n):
    s = x
    for _ in range(n):
        s = with_lambda(s)
    return s


def several(x, n):
    s = x
    for _ in range(n):
        ks = [made(s * j) for j in range(1, 4)]
        s = 0.1 * (ks[0](s) + ks[1](s) + ks[2](x))
    return s


def nested(x, n):
    s = x
    for _ in range(n):
        for j in range(n):
            s = 0.3 * made(s + j)(s)
        s = made(s)(x)
    return s


@pytest.mark.parametrize("f", [called, several, nested], ids=lambda f: f.__name__)
def test_closures_of_calls(f):
    expected = (f(0.9 + 1e-6, 3) - f(0.9 - 1e-6, 3)) / 2e-6
    assert grad(f)(0.9, 3) == pytest.approx(expected, rel=1e-6)


def test_a_closure_of_the_iteration_before():
    """It sees the variables of its own call, not those of the next one: that is refused."""

    def f(x, n):
        s = x
        for i in range(n):
            if i > 0:
                before = k  # noqa: F821
            k = made(s)
            if i > 0:
                s = before(s) + k(s)
        return s

    with pytest.raises(errors.TypeMismatch, match="which function this is must be known"):
        grad(f)(0.9, 3)
