"""The public modes on methods, and inside of programs."""

from __future__ import annotations

import functools
import inspect
import pickle

import numpy as np
import pytest

from adcompile import (
    NotDifferentiable,
    SignatureError,
    TypeMismatch,
    UnsupportedSyntax,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)
from tests.modes import ONES, V, Y, bilinear, loss, same

# --- methods ------------------------------------------------------------------------------------


class Model:
    def __init__(self, weight: float):
        self.weight = weight

    def loss(self, x, power=2.0):
        return np.sum((self.weight * x) ** power)

    @grad(wrt="x")
    def slope(self, x):
        """The slope."""
        return np.sum((self.weight * x) ** 2)

    @hvp(wrt="x")
    def bend(self, x):
        return np.sum((self.weight * x) ** 2)

    @jvp
    def push(self, x):
        return np.sum((self.weight * x) ** 2)

    def slopes(self, x):
        return np.sum(self.slope(x) ** 2) + np.sum(self.bend((x,), x)) + self.push((x,), (x,))[1]


def test_methods():
    model = Model(3.0)
    value, d, h = np.sum(9 * V * V), 18 * V, 18 * np.eye(3)
    calls = [
        (grad(model.loss), (V,), d),
        (value_and_grad(model.loss), (V,), (value, d)),
        (elementwise_grad(model.loss, wrt="x"), (V,), d),
        (jvp(model.loss), ((V,), (V,)), (value, np.sum(d * V))),
        (jvp(model.loss, wrt=0), ((V,), V), (value, np.sum(d * V))),
        (jvp(model.loss), ((V, 2.0), (V, None)), (value, np.sum(d * V))),
        (hvp(model.loss), ((V,), V), d),
        (jacobian(model.loss), (V,), d),
        (hessian(model.loss), (V,), h),
        (jvp(grad(model.loss)), ((V,), (V,)), (d, d)),
        (jacobian(grad(model.loss)), (V,), h),
        (model.slope, (V,), d),
        (model.bend, ((V,), V), d),
        (model.push, ((V,), (V,)), (value, np.sum(d * V))),
        (hvp(model.slope.primal), ((V,), V), d),
    ]
    for f, args, expected in calls:
        same(f(*args), expected)
        same(pickle.loads(pickle.dumps(f))(*args), expected)
        assert f.source == f.lower(*args).source
    same(vjp(model.loss)(V)[1](2.0), 2 * d)
    same(jvp(model.loss)((V,), tangents=(V,)), (value, np.sum(d * V)))
    same(jvp(model.loss)((V,), (V,), power=2.0), (value, np.sum(d * V)))
    model.weight = 1.0  # what it holds is read at each call
    same(calls[0][0](V), 2 * V)
    same(calls[6][0]((V,), V), 2 * V)


def test_what_methods_look_like():
    model = Model(3.0)
    assert str(inspect.signature(model.slope)) == "(x)"
    assert str(inspect.signature(hvp(model.loss))) == "(args, v, **kwargs)"
    assert model.slope.__doc__ == "The slope." and model.slope.__name__ == "slope"
    assert repr(model.slope).startswith("<gradient of Model.slope with respect to x, of <")
    same(model.slope.primal(V), np.sum(9 * V * V))
    assert model.slope == model.slope and hash(model.slope) == hash(model.slope)
    assert model.slope != Model(3.0).slope and model.slope != 3
    with pytest.raises(SignatureError, match="has no parameter 'self'"):
        grad(model.loss, wrt="self")
    with pytest.raises(SignatureError, match="write a function that calls it"):
        grad(jvp(model.loss))
    with pytest.raises(SignatureError, match="`primals` is the tuple"):
        jvp(model.loss)(V, V)
    same(Model.bend((model, V), V), 18 * V)


def test_derivatives_of_methods_in_programs():
    model = Model(3.0)
    slope, bend, push = grad(model.loss), hvp(model.loss), jvp(model.loss)
    same(grad(model.slopes)(V), 684 * V + 18)
    same(grad(lambda x: np.sum(slope(x) ** 2))(V), 648 * V)
    same(grad(lambda x: np.sum(bend((x,), x)))(V), 18 * ONES)
    same(grad(lambda x: push((x,), (x,))[1])(V), 36 * V)
    same(grad(lambda x: np.sum(hessian(model.loss)(x) * x))(V), 18 * ONES)
    of_a_method = grad(lambda g, x: np.sum(g(x) ** 2), wrt="x")
    same(of_a_method(model.slope, V), 648 * V)
    assert of_a_method.lower(model.slope, V) is of_a_method.lower(model.slope, V)


# --- in programs --------------------------------------------------------------------------------


def test_options_in_programs():
    def f(x):
        d_x, d_y = grad(loss, wrt=("x", "y"))(x, Y)
        value, pullback = vjp(bilinear, wrt=[0, 1])(x, Y)
        u_x, u_y = pullback(value)
        rows = jacobian(bilinear, mode="reverse", wrt=(1,))(x, Y)[0]
        return np.sum(d_x * d_y) + np.sum(u_x * u_y) + np.sum(rows)

    x = V
    rest = x * x * Y
    expected = grad(lambda x: np.sum(2 * x**3 * Y) + np.sum(2 * x**7 * Y**3) + np.sum(x * x))(x)
    same(grad(f)(x), expected)
    same(f(x), np.sum(2 * x * rest) + np.sum(2 * x**7 * Y**3) + np.sum(x * x))


@functools.lru_cache
def cached_cube(x):
    return x * x * x


def test_caches_are_looked_through_in_programs():
    same(grad(lambda x: grad(cached_cube)(x))(2.0), 12.0)


def calls_itself_in_its_derivative(x, n):
    if n == 0:
        return x
    return grad(lambda z: calls_itself_in_its_derivative(z, n - 1) ** 2)(x)


def test_recursion_through_a_derivative_alone_is_refused():
    with pytest.raises(UnsupportedSyntax, match="only through its own derivative"):
        grad(calls_itself_in_its_derivative)(2.0, 2)


def test_what_a_pullback_returns_in_a_program_is_its_own():
    def f(x):
        _, pullback = vjp(lambda a, b: a + b, wrt=(0, 1))(x, x)
        c = x * x
        d_a, d_b = pullback(c)
        d_a[0] = 5.0
        return np.sum(d_a * d_b * c)

    same(f(V), 5 * V[0] ** 4 + np.sum(V[1:] ** 6))
    same(grad(f)(V), np.array([20 * V[0] ** 3, *(6 * V[1:] ** 5)]))


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x: grad(loss, wrt="z")(x, x), SignatureError, "the parameters are: x, y"),
        (lambda x: jacobian(bilinear, mode="rev")(x, x), SignatureError, "there is no mode 'rev'"),
        (lambda x: vjp(loss, x), TypeMismatch, "decides a type, but it is an array"),
        (lambda x: elementwise_grad(np.sin)(x), TypeMismatch, "lambda x: f"),
        (lambda x: vjp(loss)(x, x)[1], TypeMismatch, "a pullback cannot be a value here"),
        (lambda x: hvp(loss)(x, x), SignatureError, "`args` is the tuple of the function's arg"),
        (lambda x: jvp(loss)((x, x)), TypeMismatch, "a call takes `primals` and `tangents`"),
        (lambda x: x * grad(lambda n: n)(3), NotDifferentiable, "it is a Python int"),
        (lambda x: grad(lambda p: p["x"][0])({"x": x, "n": 3}), NotDifferentiable, "a Python int"),
        (lambda x: jvp(loss)((x, x), (x,)), SignatureError, "`tangents` is a tuple of 2"),
        (lambda x: vjp(loss, rows=3)(x, x), TypeMismatch, "vjp: got an unexpected keyword"),
    ],
)
def test_errors_in_programs_say_where(f, error, message):
    with pytest.raises(error, match=message) as info:
        grad(f)(V)
    assert "in function <lambda>\n" in str(info.value) and "^^^" in str(info.value)
