"""Rules of users, for functions of Python and of C."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest
from scipy import special
from scipy.special import cython_special

from adcompile import (
    AdcompileError,
    MissingRule,
    check_grads,
    check_rule,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    vjp,
)
from adcompile.testing import example

X = np.array([[0.3, 1.2, -0.7], [2.0, 0.4, 1.1]])


def compiled(text: str) -> Any:
    """A function without source, as one of C is for the compiler."""
    namespace: dict[str, Any] = {"np": np}
    exec(text, namespace)
    return namespace[text.split("(")[0].removeprefix("def ")]


def test_a_ufunc(rules: Any) -> None:
    rules.elementwise(special.spence, lambda y, x: np.log(x) / (1 - x))
    check_rule(special.spence, (abs(X),), (0.7,), (abs(X).astype(np.float32),))


def test_a_function_of_c(rules: Any) -> None:
    rules.elementwise(cython_special.j0, lambda y, x: -special.j1(x))
    check_rule(cython_special.j0, (0.7,), (2.5,))


def test_a_function_of_ctypes(rules: Any) -> None:
    """It cannot be hashed: one of Python around it takes the rule."""
    j0_of_c = ctypes.CDLL(ctypes.util.find_library("m")).j0
    j0_of_c.argtypes, j0_of_c.restype = [ctypes.c_double], ctypes.c_double
    with pytest.raises(TypeError, match="wrap it in a function"):
        rules.elementwise(j0_of_c, lambda y, x: -special.j1(x))

    def j0(x):
        return j0_of_c(x)

    rules.returns(j0, lambda x: x)
    rules.elementwise(j0, lambda y, x: -special.j1(x))
    check_rule(j0, (0.7,), (2.5,))
    check_grads(lambda x: j0(x) * j0(2 * x), (0.7,), modes=("reverse", "forward"), order=3)


def test_a_function_of_the_standard_library(rules: Any) -> None:
    rules.elementwise(math.lgamma, lambda y, x: special.digamma(x))
    check_rule(math.lgamma, (0.7,), (2.5,))


def test_an_elementwise_function_without_source(rules: Any) -> None:
    squared = compiled("def squared(x, scale=1.0): return scale * x * x")
    rules.elementwise(squared, lambda y, x, scale=1.0: (2 * scale * x, x * x))
    rules.returns(squared, lambda x, scale=1.0: x * scale)
    check_rule(squared, (X,), (0.7, 2.0), (X.astype(np.float32), 2.0), example(X, scale=X[0]))


def test_what_a_function_returns_has_to_be_known(rules: Any) -> None:
    smooth = compiled("""def smooth(x, width):
        return np.convolve(x, np.ones(width) / width, "same").astype(x.dtype)""")

    @rules.linear(smooth)
    def _(d_y, x, width):
        return smooth(d_y, width)

    loss = lambda x: np.sum(smooth(x, 3) ** 2)
    with pytest.raises(AdcompileError, match=r"rules\.returns"):
        grad(loss)(X[0])
    rules.returns(smooth, lambda x, width: x)
    check_rule(smooth, (X[0], 3), (np.arange(6.0), 3), (X[0].astype(np.float32), 1))
    check_grads(loss, (X[0],), modes=("reverse", "forward"), order=2)


def test_several_results_of_other_shapes(rules: Any) -> None:
    fn = compiled("""def parts(a, axis):
        return np.sum(a, axis=axis), np.outer(a[0], a[1]), a.shape[0]""")

    @rules.returns(fn)
    def _(a, axis):
        return np.max(a, axis), np.empty((a.shape[1], a.shape[1]), a.dtype), 1

    @rules.tangent(fn)
    def _(d_a, y, a, axis):
        return np.sum(d_a, axis=axis), np.outer(d_a[0], a[1]) + np.outer(a[0], d_a[1]), None

    check_rule(fn, (X, 0), (X, 1), (X.astype(np.float32), 1))


def test_a_function_of_python_is_not_looked_into(rules: Any) -> None:
    """Its own source gives the type of what it returns, and its rule the derivative."""
    calls = []

    def double(x):
        if np.ndim(x) > 99:
            raise ValueError
        return 2.0 * x

    rules.linear(double)(lambda d_y, x: 2.0 * d_y)
    check_rule(double, (X,), (0.7,))
    backward = grad(lambda x: np.sum(np.sin(double(x))))
    backward(X)
    assert "double(x)" in backward.source


def test_linear_in_two_arguments_together(rules: Any) -> None:
    blend = compiled("def blend(c, x, y): return np.where(c, x + y, x - y)")
    rules.returns(blend, lambda c, x, y: np.where(c, x, y))

    @rules.linear(blend, arg=(1, 2))
    def _(d_z, c, x, y):
        return d_z, np.where(c, d_z, -d_z)

    c = X > 0
    check_rule(blend, (c, X, X[::-1]), example(c, X, X[::-1], wrt=2), example(c, X, X, wrt=1))


def test_a_form_that_is_refused(rules: Any) -> None:
    power = compiled("def power(x, p, how): return x**p if how == 'plain' else abs(x) ** p")
    rules.returns(power, lambda x, p, how: x)

    @rules.linear(power)
    def _(d_y, x, p, how):
        return d_y if how == "plain" and p == 1 else NotImplemented

    check_rule(power, (X, 1, "plain"))
    for mode in ("reverse", "forward"):
        with pytest.raises(MissingRule, match="no derivative in this form"):
            check_grads(lambda x: np.sum(power(x, 1, "absolute")), (X,), modes=(mode,))


def test_an_argument_that_has_no_derivative_is_refused(rules: Any) -> None:
    order = compiled("def order(v, x): return v * x")
    rules.returns(order, lambda v, x: v * x)
    rules.elementwise(order, lambda y, v, x: (NotImplemented, v))
    check_rule(order, example(2.0, X, wrt=1))
    for mode in ("reverse", "forward"):
        with pytest.raises(MissingRule, match="with respect to argument 0"):
            check_grads(lambda v: np.sum(order(v, X)), (2.0,), modes=(mode,))


def test_loops_and_branches_in_a_tangent_rule_are_transposed(rules: Any) -> None:
    """What a loop reads of the tangent counts, also where it is no operand of the loop."""

    fn = compiled("def horner(x, coefficients): return np.polyval(coefficients, x)")
    rules.returns(fn, lambda x, coefficients: coefficients[0] * x)

    @rules.tangent(fn, arg=0)
    def _(d_x, y, x, coefficients):
        y, slope = 0.0, 0.0
        for c in coefficients:
            y, slope = y * x + c, slope * x + y
        return slope * d_x if x > 0 else d_x * slope

    @rules.tangent(fn, arg=1)
    def _(d_c, y, x, coefficients):
        total = 0.0
        for d in d_c:
            total = total * x + d
        return total

    check_rule(fn, (0.7, np.array([1.0, -2.0, 0.5, 3.0])), (-0.7, np.array([1.0, -2.0])))


def test_a_rule_takes_the_place_of_another(rules: Any) -> None:
    x = X[0]
    gradient = lambda: grad(lambda x: np.sum(np.exp(x)))(x)
    rules.elementwise(np.exp, lambda y, x: 2 * y)
    assert np.array_equal(gradient(), 2 * np.exp(x))
    rules.tangent(np.exp)(lambda d_x, y, x: 3 * y * d_x)
    assert np.array_equal(gradient(), 3 * np.exp(x))
    rules.zero(np.exp)
    assert np.array_equal(gradient(), np.zeros(3))
    rules.elementwise(np.exp, lambda y, x: y)
    assert np.array_equal(gradient(), np.exp(x))


def test_the_words_for_one_argument_exclude_each_other(rules: Any) -> None:
    x = X[0]
    gradient = lambda: grad(lambda x: np.sum(np.where(x > 1, np.cumsum(x), 0.0)))(x)
    before = gradient()
    rules.tangent(np.cumsum)(lambda d_x, y, a: 2 * np.cumsum(d_x[::-1])[::-1] + 0 * d_x)
    with pytest.raises(MissingRule, match="written with `cumsum` itself"):
        gradient()
    rules.linear(np.cumsum)(lambda d_y, a: np.cumsum(d_y[::-1])[::-1])
    assert np.array_equal(gradient(), before)
    rules.tangent(np.where, arg=1)(lambda d_x, z, c, x, y: 5 * d_x)
    assert np.array_equal(gradient(), [15.0, 10.0, 5.0])


def test_own_rules_come_after_those_of_the_library() -> None:
    """Whenever the files of the library are read."""
    code = """
        import numpy as np, sys
        from adcompile import rules
        rules.elementwise(np.exp, lambda y, x: 2 * y)
        from adcompile.rules.registry import lookup
        lookup(np.sin)
        assert lookup(np.exp).partials(3.0, 1.0) == 6.0
        """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_an_argument_without_a_partial_is_refused(rules: Any) -> None:
    """One partial for two arguments does not say that the other's is zero: None does."""

    def product(x: Any, y: Any) -> Any:
        return x * y

    rules.elementwise(product, lambda z, x, y: y)
    x = X[0]
    assert np.array_equal(grad(lambda x: np.sum(product(x, 2.0)))(x), [2.0, 2.0, 2.0])
    for mode in (grad, jacobian):
        with pytest.raises(MissingRule, match="argument 1"):
            mode(lambda x: np.sum(product(2.0, x)))(x)
    with pytest.raises(MissingRule, match="argument 1"):
        jvp(lambda x: product(2.0, x))((x,), (x,))


def test_the_rule_of_the_function_that_is_differentiated(rules: Any) -> None:
    """Its source is not looked at, whether it is called or differentiated itself."""

    def straight(x: Any, scale: Any = 2.0, *rest: Any, power: Any = 1) -> Any:
        return np.round(x) * scale

    rules.tangent(straight)(lambda d, y, x, scale=2.0, *rest, power=1: d * scale)
    x = X[0]
    assert grad(straight)(0.4) == 2.0 and grad(straight)(0.4, 3.0) == 3.0
    assert grad(straight)(0.4, 3.0, 1.0, power=2) == 3.0
    for mode in ("forward", "reverse"):
        assert np.array_equal(jacobian(straight, mode=mode)(x), 2.0 * np.eye(3))
    y, y_dot = jvp(straight, wrt=0)((x,), x)
    assert np.array_equal(y, straight(x)) and np.array_equal(y_dot, 2.0 * x)
    assert np.array_equal(vjp(straight)(x)[1](x), 2.0 * x)
    assert grad(lambda t: grad(straight)(t) * t)(0.4) == 2.0
    assert hessian(straight)(0.4) == 0.0 and hvp(straight)((0.4,), 1.0) == 0.0


def test_nonsense_is_refused_at_once(rules: Any) -> None:
    def square(x: Any) -> Any:
        return x * x

    def cube(x: Any) -> Any:
        return x * x * x

    with pytest.raises(ValueError, match="square has no argument 3"):
        rules.tangent(square, arg=3)
    with pytest.raises(TypeError, match="3 is no function"):
        rules.returns(3)
    with pytest.raises(TypeError, match="3 is no function"):
        rules.elementwise(3, lambda y, x: y)
    rules.elementwise(square, lambda y, x: 2 * x)
    with pytest.raises(ValueError, match="square has a rule already"):
        rules.alias(cube, square)


def test_a_cotangent_of_another_shape_is_reported(rules: Any) -> None:
    def norm(x: Any) -> Any:
        return np.sum(x**2)

    rules.tangent(norm)(lambda d, y, x: np.sum(2 * x * d))
    rules.adjoint(norm)(lambda d, y, x: d * 2 * x[:-1])
    with pytest.raises(AssertionError, match=r"norm\(float64\[3\]\)\nreverse mode"):
        check_rule(norm, (X[0],))
