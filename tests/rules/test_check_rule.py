"""check_rule finds what is wrong with a rule, and says where; good ones pass (`tests/rules`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcompile import check_rule, stop_gradient
from adcompile.testing import example

X, Y = np.array([[0.3, 1.2, -0.7], [2.0, 0.4, 1.1]]), np.array([0.5, 1.5, -2.0])


def product(x, y):
    return x * y


def total(x, axis=None):
    return np.sum(x, axis=axis)


def halves(x):
    return x[:1] * 2.0, x[1:] * x[1:]


def fails(match: str, fn: Any, *examples: Any) -> None:
    with pytest.raises(AssertionError, match=match):
        check_rule(fn, *examples)


def test_good_rules(rules: Any) -> None:
    rules.elementwise(product, lambda z, x, y: (y, x))
    check_rule(product, (X, Y), (0.3, X), (X.astype(np.float32), 2.0), example(X, Y, wrt=1))
    check_rule(product, example(X, y=Y), example(X, y=2, wrt=0))
    rules.tangent(halves)(lambda d_x, y, x: (2.0 * d_x[:1], 2 * x[1:] * d_x[1:]))
    check_rule(halves, (Y,), (np.ones(1),))


def test_a_wrong_partial(rules: Any) -> None:
    rules.elementwise(product, lambda z, x, y: (y, x + 1e-4))
    where = r"product\(float64\[2, 3\], float64\[3\]\)\nforward mode against differences, "
    element = r"item \[0\], expected .* at \[\d, \d\], got .* \(6 of 6 elements\)"
    fails(where + r"argument 1 \(`y`\): " + element, product, (X, Y))


def test_a_wrong_partial_of_a_keyword(rules: Any) -> None:
    rules.elementwise(product, lambda z, x, y: (y, 2 * x))
    fails("forward mode against differences, argument `y`", product, example(X, y=Y))


def test_a_partial_that_is_forgotten(rules: Any) -> None:
    rules.elementwise(product, lambda z, x, y: (y, None))
    fails("forward mode against differences, argument 1", product, (X, Y))


def test_an_adjoint_that_does_not_belong_to_the_tangent(rules: Any) -> None:
    rules.tangent(total)(lambda d_x, y, x, axis=None: np.sum(d_x, axis=axis))
    rules.adjoint(total)(lambda d_y, y, x, axis=None: np.ones_like(x) * (1 + 1e-9) * d_y)
    fails(r"\(dot test\), argument 0 \(`x`\): -?\d+\.\d+ is not -?\d+\.\d+", total, (X,))


def test_a_body_that_takes_no_number(rules: Any) -> None:
    """It says that it takes one that stands for an array of it."""
    rules.tangent(product)(lambda d_x, z, x, y: d_x * y)
    rules.adjoint(product, shape="reduces")(lambda d_z, z, x, y: d_z * y * z.size / np.size(d_z))
    fails("a number as cotangent, argument 0", product, example(X, Y, wrt=0))


def test_a_result_that_is_forgotten(rules: Any) -> None:
    rules.tangent(halves)(lambda d_x, y, x: (None, 2 * x[1:] * d_x[1:]))
    fails(r"forward mode against differences.*: item \[0\]", halves, (Y,))


def test_a_wrong_shape_of_a_tangent(rules: Any) -> None:
    rules.tangent(total)(lambda d_x, y, x, axis=None: np.sum(d_x))
    fails("forward mode against differences", total, example(X, axis=0))


def test_a_second_derivative_that_is_cut_off(rules: Any) -> None:
    rules.elementwise(product, lambda z, x, y: (stop_gradient(y), x))
    check_rule(product, (X, Y), order=1)
    fails("the derivative of the gradient against differences", product, (X, Y))


def test_a_function_that_changes_its_arguments(rules: Any) -> None:
    text = "def spoils(x):\n    y = 2.0 * x\n    x += 1.0\n    return y\n"
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    spoils = namespace["spoils"]
    rules.returns(spoils, lambda x: x)
    rules.elementwise(spoils, lambda y, x: 2.0)
    fails("a call has changed its arguments", spoils, (X.copy(),))


def test_a_function_that_remembers(rules: Any) -> None:
    calls = []

    def counts(x):
        calls.append(1)
        return len(calls) * x

    rules.returns(counts, lambda x: x)
    rules.elementwise(counts, lambda y, x: y / x)
    fails("a second call gives another result|the value", counts, (X,))


def test_examples_of_a_wrong_form(rules: Any) -> None:
    with pytest.raises(ValueError, match="needs an example"):
        check_rule(product)
    with pytest.raises(TypeError, match="an example is a tuple of arguments"):
        check_rule(product, X)
    with pytest.raises(ValueError, match=r"product\(2, 3\): no argument is a float"):
        check_rule(product, (2, 3))
