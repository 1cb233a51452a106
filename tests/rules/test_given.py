"""Rules of users: what they may be given for, and that none is passed over."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from adcompile import check_rule, grad, jvp, vjp

X = np.array([1.0, 2.0, 3.0])


def make() -> Any:
    def square(x):
        return x * x

    return square


MODES = {
    "grad": lambda f: (grad(f), lambda d: d(X)),
    "jvp": lambda f: (jvp(f), lambda d: d((X,), (np.ones(3),))[1]),
    "vjp": lambda f: (vjp(f), lambda d: d(X)[1](1.0)),
    "grad of a sum of grad": lambda f: (
        grad(lambda x: np.sum(grad(f)(x) * x)),
        lambda d: d(X),
    ),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_rule_that_comes_later_counts(rules, mode):
    square = make()

    def f(x):
        return np.sum(square(x))

    kept, call = MODES[mode](f)
    first = call(kept)
    rules.elementwise(square, lambda y, x: 7.0 * x)
    second = call(kept)
    np.testing.assert_array_equal(second, call(MODES[mode](f)[0]))
    assert not np.array_equal(first, second)
    rules.zero(square)
    np.testing.assert_array_equal(call(kept), 0.0 * first)


class Net:
    def act(self, x):
        return x * x

    def __call__(self, x):
        return x * x

    @classmethod
    def made(cls, x):
        return x * x

    @staticmethod
    def plain(x):
        return x * x


def test_methods(rules):
    net = Net()
    rules.elementwise(Net.act, lambda y, self, x: (None, 100.0 * x))
    np.testing.assert_array_equal(grad(lambda x: np.sum(net.act(x)))(X), 100 * X)
    np.testing.assert_array_equal(grad(lambda x: np.sum(Net.act(net, x)))(X), 100 * X)
    rules.elementwise(Net.plain, lambda y, x: 100.0 * x)
    np.testing.assert_array_equal(grad(lambda x: np.sum(net.plain(x)))(X), 100 * X)


def test_cached_functions(rules):
    cached = functools.lru_cache(lambda a: a * a)
    rules.elementwise(cached, lambda y, a: 100.0 * a)
    assert grad(lambda a: cached(a))(3.0) == 300.0
    with pytest.raises(AssertionError, match="against differences"):
        check_rule(cached, (3.0,))


@pytest.mark.parametrize(
    "fn",
    [Net(), Net().act, Net.made, np.vectorize(abs), functools.partial(pow, 2.0)],
    ids=["object", "bound method", "class method", "vectorized", "partial"],
)
def test_what_would_be_passed_over(rules, fn):
    for word in (rules.elementwise, rules.linear, rules.tangent, rules.adjoint):
        with pytest.raises(TypeError, match="a rule cannot be given for .*: give the rule to"):
            word(fn)(lambda d, x: d)
    with pytest.raises(TypeError, match="a rule cannot be given for"):
        rules.zero(fn)


def scaled(a, b, power=2.0):
    return a * b**power


def test_names_in_another_order(rules):
    message = r"calls argument 0 of .*scaled `b`, which is the name of its argument 1"
    with pytest.raises(ValueError, match=message):
        rules.elementwise(scaled, lambda y, b, a: (a, b))
    with pytest.raises(ValueError, match="argument 2 of .*scaled `a`"):
        rules.tangent(scaled)(lambda d, y, x, b, a=1.0: d)
    rules.elementwise(scaled, lambda y, x, z: (z**2.0, 2.0 * x * z))  # names of its own
    np.testing.assert_array_equal(grad(lambda x: np.sum(scaled(x, 3.0)))(X), [9.0, 9.0, 9.0])
    rules.linear(scaled)(lambda d, a, b, *, power=2.0: d * b**power)
    d = grad(lambda x: np.sum(scaled(x, 3.0, power=1.0)))(X)
    np.testing.assert_array_equal(d, [3.0, 3.0, 3.0])


def test_arguments_go_by_position(rules):
    with pytest.raises(TypeError, match="by its position"):
        rules.linear(make(), arg="x")
