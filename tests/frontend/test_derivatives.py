"""Derivatives inside programs: `grad(f)(x)`, and its kin, where they are called."""

import functools

import numpy as np
import pytest

from adcompile import (
    AdcompileError,
    AliasError,
    NotDifferentiable,
    SignatureError,
    TypeMismatch,
    UnsupportedSyntax,
    check_grads,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)

X = np.array([0.3, -0.5, 0.8])


def energy(x):
    return np.sum(np.tanh(x) * x**2)


def scaled(x, scale, power=2):
    return np.sum(scale * x**power)


def with_aux(x):
    return np.sum(x**3), x * 2


slope = grad(energy)


@grad
def decorated(x):
    return np.sum(x**3)


class Model:
    def __init__(self, weight):
        self.weight = weight

    def loss(self, x):
        return np.sum(np.sin(self.weight * x))

    def stiffness(self, x):
        return np.sum(grad(self.loss)(x) ** 2)


# --- programs -----------------------------------------------------------------------------------


def penalty(x):
    g = grad(energy)(x)
    return np.sum(g * g)


def made_outside(x):
    return np.sum(slope(x) * x)


def made_by_decorator(x):
    return np.sum(decorated(x) * x)


def decorated_inside(x):
    @grad
    def inner(z):
        return np.sum(z**3 * x)

    return np.sum(inner(x))


def decorator_with_options(x):
    @value_and_grad(wrt="z")
    def inner(y, z):
        return np.sum(y * z**2)

    value, d_z = inner(x, x + 1.0)
    return value + np.sum(d_z)


def closure_of_a_loop(x):
    s = 0.0
    for k in range(3):
        s += np.sum(grad(lambda z: np.sum(z**2 * (k + 1) * x))(x))
    return s


def unrolled_descent(x):
    w = np.zeros_like(x)
    for _ in range(5):
        w = w - 0.1 * grad(lambda w: np.sum((w - np.sin(x)) ** 2 + w**4))(w)
    return np.sum(w * x)


def descent_until(x):
    w = x
    count = 0
    while np.sum(slope(w) ** 2) > 0.05 and count < 20:
        w = w - 0.2 * slope(w)
        count += 1
    return np.sum(w**2)


def in_a_branch(x):
    if x[0] > 0:
        return np.sum(grad(energy)(x))
    return np.sum(grad(decorated_primal)(x))


def decorated_primal(x):
    return np.sum(x**3)


def by_name(x):
    d = grad(scaled, wrt="scale")(x, 2.0, power=3)
    e = grad(scaled, wrt=("x", "scale"))(x, scale=x)
    return d + np.sum(e[0] * e[1])


def static_arguments(x):
    def norm(z, order, axis):
        return np.sum(np.linalg.norm(z, ord=order, axis=axis))

    return np.sum(grad(norm)(np.stack([x, x**2]), None, 1) ** 2)


def auxiliary(x):
    d, aux = grad(with_aux, has_aux=True)(x)
    return np.sum(d * aux)


def both(x):
    value, d = value_and_grad(energy)(x)
    return value * np.sum(d)


def pulled_back(x):
    y, pullback = vjp(lambda z: np.tanh(z) * z[0])(x)
    return np.sum(pullback(y * y)) + np.sum(pullback(np.ones_like(y)))


def pulled_back_to_two(x):
    y, pullback = vjp(lambda a, b: {"p": a @ b, "q": a * b}, wrt=(0, 1))(x, x**2)
    d_a, d_b = pullback({"p": 2.0, "q": y["q"]})
    return np.sum(d_a * d_b)


def pushed_forward(x):
    value, tangent = jvp(lambda a, b: a * np.sum(b**2))((x, x + 1.0), (x * x, None))
    return np.sum(value * tangent)


def pushed_through_a_tree(x):
    def f(p):
        return p["a"] * p["b"][0]

    p = {"a": x, "b": [x**2, 3.0]}
    value, tangent = jvp(f)((p,), ({"a": x * 0.5, "b": [x, 1.0]},))
    return np.sum(value * tangent)


def curvature(x):
    return np.sum(hvp(energy)((x,), x**2))


def whole_jacobian(x):
    return np.sum(jacobian(lambda z: np.outer(z, z[:2]))(x) ** 2)


def whole_hessian(x):
    return np.sum(np.linalg.inv(hessian(energy)(x) + 5.0 * np.eye(3)))


def by_elements(x):
    return np.sum(elementwise_grad(lambda z: np.tanh(z) ** 3)(x) * x)


def third_order(x):
    return np.sum(grad(lambda z: np.sum(grad(energy)(z) ** 2))(x) * x)


def of_a_recursive_function(x):
    def power(z, n):
        return z if n == 0 else np.sin(z) * power(z, n - 1)

    return np.sum(grad(lambda z: np.sum(power(z, 3)))(x))


def inside_a_recursive_function(x):
    def descend(z, n):
        return z if n == 0 else descend(z - 0.1 * slope(z), n - 1)

    return np.sum(descend(x, 4) ** 2)


def writes_inside(x):
    def inner(z):
        y = np.zeros_like(z)
        for i in range(len(z)):
            y[i] = z[i] ** 2 * x[i]
        y[1:] *= y[:-1]
        return y.sum()

    return np.sum(grad(inner)(x) ** 2)


def arguments_stay(x):
    def inner(z):
        z *= z
        return np.sum(z * x)

    y = x.copy()
    d = grad(inner)(y)
    return np.sum(d * y)


def result_is_written(x):
    d = grad(lambda a, b: np.sum(a * b))(x, x)  # which is x itself, as a number
    d[0] = 5.0
    return np.sum(d * x)


def of_a_tree(x):
    params = {"w": x, "layers": [(x[:2], 0.5), (x[1:], -0.5)]}

    def loss(p):
        s = np.sum(p["w"] ** 3)
        for w, b in p["layers"]:
            s = s + np.sum(np.tanh(w * b + b))
        return s

    g = grad(loss)(params)
    return np.sum(g["w"] ** 2) + g["layers"][0][1] * np.sum(g["layers"][1][0])


PROGRAMS = [
    penalty,
    made_outside,
    made_by_decorator,
    decorated_inside,
    decorator_with_options,
    closure_of_a_loop,
    unrolled_descent,
    descent_until,
    in_a_branch,
    by_name,
    static_arguments,
    auxiliary,
    both,
    pulled_back,
    pulled_back_to_two,
    pushed_forward,
    pushed_through_a_tree,
    curvature,
    whole_jacobian,
    whole_hessian,
    by_elements,
    third_order,
    of_a_recursive_function,
    inside_a_recursive_function,
    writes_inside,
    arguments_stay,
    result_is_written,
    of_a_tree,
    Model(1.5).stiffness,
]


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_program(f):
    """Run by Python, the derivatives inside are called as such; so they are in differences."""
    check_grads(f, (X,), rtol=1e-5)


# --- what is refused ----------------------------------------------------------------------------


def writes_what_is_captured(x):
    total = np.zeros(3)

    def inner(z):
        total[0] = z[0]
        return np.sum(z * total)

    return np.sum(grad(inner)(x))


def appends_to_what_is_captured(x):
    seen = []

    def inner(z):
        seen.append(z)
        return np.sum(z * z)

    return np.sum(grad(inner)(x)) + len(seen)


def writes_into_one_of_two_names(x):
    def inner(a, b):
        a[0] = 1.0
        return np.sum(a * b)

    y = x.copy()
    return np.sum(grad(inner)(y, y[:]))


def tangent_of_another_rank(x):
    return jvp(energy)((x,), (1.0,))[1]


def cotangent_of_another_rank(x):
    _, pullback = vjp(lambda z: np.tanh(z))(x)
    return np.sum(pullback(1.0))


def no_number(x):
    return np.sum(grad(lambda z: z * 2.0)(x))


def unknown_parameter(x):
    return np.sum(grad(energy, wrt="w")(x))


def a_partial(x):
    return np.sum(grad(functools.partial(scaled, power=3))(x, 2.0))


def of_a_library_function(x):
    return np.sum(grad(np.sum)(x))


def of_a_vjp(x):
    return np.sum(grad(lambda z: vjp(energy)(z))(x))


REFUSED = [
    (writes_what_is_captured, UnsupportedSyntax, "without side effects"),
    (appends_to_what_is_captured, UnsupportedSyntax, "without side effects"),
    (writes_into_one_of_two_names, AliasError, "may share memory"),
    (tangent_of_another_rank, SignatureError, "the tangent of `x` is a Python float"),
    (cotangent_of_another_rank, SignatureError, "the cotangent of `value` is a Python float"),
    (no_number, NotDifferentiable, "must return one real number"),
    (unknown_parameter, SignatureError, "no parameter 'w'"),
    (a_partial, TypeMismatch, "functools.partial"),
    (of_a_library_function, AdcompileError, "differentiated"),
    (of_a_vjp, AdcompileError, "a pullback cannot be a value here"),
]


@pytest.mark.parametrize(
    ("f", "error", "message"), REFUSED, ids=lambda x: getattr(x, "__name__", "")
)
def test_refused(f, error, message):
    with pytest.raises(error, match=message) as info:
        grad(f)(X)
    assert "test_derivatives.py" in str(info.value)


def test_sizes_of_tangents_are_compared_when_it_runs():
    g = grad(lambda x, v: jvp(energy)((x,), (v,))[1])
    assert g(X, X).shape == (3,)
    with pytest.raises(ValueError, match="another shape"):
        g(X, np.ones(4))


def test_loops_stay_loops():
    text = grad(unrolled_descent).lower(X).source
    assert text.count("    for ") == 2 and "range(5)" in text
