"""How the public modes are called: `wrt`, keyword arguments, `has_aux`, None, what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcompile import (
    NotDifferentiable,
    SignatureError,
    SourceUnavailable,
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

# --- wrt ----------------------------------------------------------------------------------------

D_X, D_Y = 2 * V * Y, V * V  # of the elements of `bilinear`, and of `loss`
FORMS = [
    (0, D_X),
    ("x", D_X),
    (1, D_Y),
    ("y", D_Y),
    (("x",), (D_X,)),
    ([1], (D_Y,)),
    ((0, 1), (D_X, D_Y)),
    (("y", 0), (D_Y, D_X)),
]
each_form = pytest.mark.parametrize(("wrt", "expected"), FORMS, ids=lambda w: repr(w)[:12])


@each_form
def test_wrt_of_gradients(wrt, expected):
    same(grad(loss, wrt)(V, Y), expected)
    same(value_and_grad(loss, wrt)(V, Y), (loss(V, Y), expected))
    same(elementwise_grad(bilinear, wrt)(V, Y), expected)
    value, pullback = vjp(bilinear, wrt)(V, Y)
    same(value, bilinear(V, Y))
    same(pullback(ONES), expected)


@each_form
def test_wrt_of_jacobians(wrt, expected):
    full = tuple(map(np.diag, expected)) if isinstance(expected, tuple) else np.diag(expected)
    for mode in ("auto", "forward", "reverse"):
        same(jacobian(bilinear, mode, wrt)(V, Y), full)


@each_form
def test_wrt_of_tangents(wrt, expected):
    several = isinstance(expected, tuple)
    tangents = tuple(V for _ in expected) if several else V
    product = sum(d * V for d in expected) if several else expected * V
    same(jvp(bilinear, wrt)((V, Y), tangents), (bilinear(V, Y), product))


@each_form
def test_wrt_of_second_derivatives(wrt, expected):
    blocks = {("x", "x"): 2 * Y, ("x", "y"): 2 * V, ("y", "x"): 2 * V, ("y", "y"): 0 * V}
    names = [("x", "y")[w] if isinstance(w, int) else w for w in np.atleast_1d(wrt).tolist()]
    names = [{"0": "x", "1": "y"}.get(n, n) for n in names]
    full = tuple(tuple(np.diag(blocks[a, b]) for b in names) for a in names)
    products = tuple(sum(blocks[a, b] * V for b in names) for a in names)
    several = isinstance(expected, tuple)
    same(hessian(loss, wrt)(V, Y), full if several else full[0][0])
    v = tuple(V for _ in names) if several else V
    same(hvp(loss, wrt)((V, Y), v), products if several else products[0])


def test_tangents_of_all_arguments():
    same(jvp(bilinear)((V, Y), (V, Y)), (bilinear(V, Y), D_X * V + D_Y * Y))
    same(jvp(bilinear)((V, Y), (None, Y)), (bilinear(V, Y), D_Y * Y))
    same(jvp(bilinear)((V, Y), (None, None)), (bilinear(V, Y), 0 * V))
    same(jvp(bilinear)([V, Y], [V, Y]), (bilinear(V, Y), D_X * V + D_Y * Y))
    same(jvp(bilinear)(primals=(V, Y), tangents=(V, None)), (bilinear(V, Y), D_X * V))


MODES = [grad, value_and_grad, elementwise_grad, jvp, vjp, hvp, jacobian, hessian]
each_mode = pytest.mark.parametrize("mode", MODES, ids=lambda m: m.__name__)


@each_mode
@pytest.mark.parametrize("wrt", ["z", 2, -1, True, 1.5, (0, "x"), (), V, (V,)], ids=str)
def test_wrong_wrt(mode, wrt):
    with pytest.raises(SignatureError, match="wrt|`wrt`"):
        mode(loss, wrt=wrt)


# --- arguments ----------------------------------------------------------------------------------


def by_keyword(x, *, scale, power=2.0):
    return np.sum(scale * x**power)


def with_default(x, scale=3.0):
    return np.sum(scale * x * x)


def of_any_number(*xs):
    total = 0.0
    for x in xs:
        total = total + np.sum(x * x * x)
    return total


def with_options(x, **options):
    return np.sum(options["scale"] * x * x)


def by_position(x, /, y):
    return np.sum(x * x * y)


def test_keyword_arguments():
    d = 6.0 * V
    for f in (by_keyword, with_default, with_options):
        same(grad(f)(V, scale=3.0), d)
        same(vjp(f)(V, scale=3.0)[1](1.0), d)
        same(jvp(f)((V,), (V,), scale=3.0), (3.0 * np.sum(V * V), np.sum(d * V)))
        same(hvp(f)((V,), V, scale=3.0), d)
        same(jacobian(f)(V, scale=3.0), d)
        same(hessian(f)(V, scale=3.0), np.diag(6.0 * ONES))
    same(jvp(by_position)((V,), (V,), y=Y)[1], np.sum(D_X * V))
    same(jvp(by_keyword, wrt=("x", "scale"))((V,), (V, 1.0), scale=3.0)[1], np.sum(7.0 * V * V))
    same(hvp(with_default, wrt=("x", "scale"))((V, 3.0), (V, 0.0))[1], np.sum(2.0 * V * V))


def test_defaults():
    same(jvp(with_default)((V,), (V,))[1], np.sum(6.0 * V * V))
    same(jvp(with_default)((V, 4.0), (V, None))[1], np.sum(8.0 * V * V))
    same(hvp(with_default)((V,), V), 6.0 * V)
    same(grad(with_default, wrt="scale")(V), np.sum(V * V))
    with pytest.raises(SignatureError, match="`scale` has a tangent, but no value"):
        hvp(with_default, wrt="scale")((V,), 1.0)


def test_any_number_of_arguments():
    value = of_any_number(V, Y)
    same(jvp(of_any_number)((V, Y), (V, None)), (value, np.sum(3 * V**3)))
    same(jvp(of_any_number)((V, Y), (V, Y)), (value, np.sum(3 * V**3) + np.sum(3 * Y**3)))
    same(jvp(of_any_number)((), ()), (0.0, 0.0))
    same(vjp(of_any_number)(V, Y)[1](1.0), (3 * V**2, 3 * Y**2))
    same(hvp(of_any_number)((V, Y), (V, Y)), (6 * V**2, 6 * Y**2))
    with pytest.raises((SignatureError, ValueError), match="another shape"):
        jvp(of_any_number)((V, Y), (V, Y[:2]))


def test_parameters_that_are_called_like_those_of_the_derivative():
    def f(args, v, primals, tangents):
        return np.sum(args * v * primals * tangents)

    same(jvp(f)((V, Y, V, Y), (None, V, None, None))[1], np.sum(V * V * V * Y))
    same(hvp(f, wrt="v")((V, Y, V, Y), V), 0 * V)
    directions = grad(lambda ps, ts: jvp(f)(ps, ts)[1], wrt="ts")
    same(directions((V, Y, V, Y), (V, None, None, None))[0], Y * V * Y)


# --- has_aux ------------------------------------------------------------------------------------


def test_has_aux():
    def f(x):
        return x * x, {"twice": 2 * x, "name": "aux", "n": 3}

    def g(x):
        return np.sum(x * x * x), 2 * x

    aux = {"twice": 2 * V, "name": "aux", "n": 3}
    same(jvp(f, has_aux=True)((V,), (V,)), (V * V, 2 * V * V, aux))
    value, pullback, found = vjp(f, has_aux=True)(V)
    same((value, found), (V * V, aux))
    same(pullback(V), 2 * V * V)
    for mode in ("auto", "forward", "reverse"):
        same(jacobian(f, mode, has_aux=True)(V), (np.diag(2 * V), aux))
    same(elementwise_grad(f, has_aux=True)(V), (2 * V, aux))
    same(grad(g, has_aux=True)(V), (3 * V * V, 2 * V))
    same(value_and_grad(g, has_aux=True)(V), ((np.sum(V**3), 2 * V), 3 * V * V))
    same(hessian(g, has_aux=True)(V), (np.diag(6 * V), 2 * V))
    same(hvp(g, has_aux=True)((V,), V), (6 * V * V, 2 * V))


@each_mode
def test_no_aux(mode):
    calls = {jvp: lambda d: d((V, Y), (V, Y)), hvp: lambda d: d((V, Y), V)}
    with pytest.raises(NotDifferentiable, match=r"\(value, anything\)"):
        calls.get(mode, lambda d: d(V, Y))(mode(loss, has_aux=True))


# --- what has no derivative ---------------------------------------------------------------------


def mixed(p):
    return {"y": p["x"] * p["n"], "n": p["n"], "name": "out", "none": None}


def test_what_has_no_derivative_is_none():
    p = {"x": V, "n": 3, "name": "in", "none": None}
    value = {"y": 3 * V, "n": 3, "name": "out", "none": None}
    tangent = {"y": 3 * V, "n": None, "name": None, "none": None}
    dot = {"x": V, "n": None, "name": None, "none": None}
    f = jvp(lambda x, n: mixed({"x": x, "n": n, "name": "in", "none": None}))
    same(f((V, 3), (V, None)), (value, tangent))

    def wrapped(o):
        return mixed({"x": o.x, "n": o.n, "name": o.name, "none": None})

    o = Holder(**{k: p[k] for k in ("x", "n", "name")})
    d = Holder(**{k: dot[k] for k in ("x", "n", "name")})
    same(jvp(wrapped)((o,), (d,)), (value, tangent))
    found, pullback = vjp(wrapped)(o)
    same(found, value)
    back = pullback(tangent)
    same((back.x, back.n, back.name), (9 * V, None, None))
    blocks = jacobian(wrapped)(o)
    same((blocks["y"].x, blocks["y"].n, blocks["n"]), (3 * np.eye(3), None, None))
    with pytest.raises(SignatureError, match=r"`o\.n` is a Python int, but that has no derivative"):
        jvp(wrapped)((o,), (Holder(V, 1, None),))
    with pytest.raises(ValueError, match=r'cotangent\["name"\]: .* has no derivative: pass None'):
        pullback({**tangent, "name": "x"})


class Holder:
    def __init__(self, x: Any, n: Any, name: Any):
        self.x, self.n, self.name = x, n, name


def test_none_is_zero():
    def f(p):
        return {"a": p["x"] * p["y"], "b": (2 * p["x"], p["y"] * 3.0)}

    p = {"x": V, "y": 2.0}
    same(jvp(f)((p,), ({"x": V, "y": None},)), jvp(f)((p,), ({"x": V, "y": 0.0},)))
    product = hvp(lambda p: np.sum(f(p)["a"]))((p,), {"x": None, "y": 1.0})
    same(product, {"x": ONES, "y": np.float64(0.0)})
    pullback = vjp(f)(p)[1]
    zero = {"a": 0 * V, "b": (V, 0.0)}
    same(pullback({"a": None, "b": (V, None)}), pullback(zero))
    same(pullback({"a": V, "b": None}), pullback({"a": V, "b": (0 * V, 0.0)}))
    same(pullback(None), pullback({"a": 0 * V, "b": (0 * V, 0.0)}))


def test_numbers_are_converted():
    x = np.float32(2.0)
    same(jvp(lambda x: x * x)((x,), (1,)), (np.float32(4.0), np.float32(4.0)))
    same(vjp(lambda x: x * x)(x)[1](1), np.float32(4.0))
    same(jvp(lambda x: x * x)((2.0,), (1,)), (4.0, 4.0))
    same(jvp(lambda x: x * x)((2.0,), (np.float64(1.0),)), (4.0, 4.0))
    same(vjp(lambda x: x * x)(2.0)[1](np.array(1.0)), 4.0)
    zero = vjp(lambda x: x * 2.0 if x > 0 else 0)(-1.0)  # its value is an int
    same((zero[0], zero[1](1.0)), (0, 0.0))


def test_keys_of_dicts_come_in_any_order():
    def f(p):
        return {"a": p["x"] * p["y"], "b": p["x"]}

    p = {"x": V, "y": 2.0}
    same(jvp(f)((p,), ({"y": 1.0, "x": V},)), jvp(f)((p,), ({"x": V, "y": 1.0},)))
    pullback = vjp(f)(p)[1]
    same(pullback({"b": V, "a": Y}), pullback({"a": Y, "b": V}))
    with pytest.raises(SignatureError, match="shape"):
        jvp(f)((p,), ({"y": 1.0, "x": V[:2]},))


# --- what does not fit --------------------------------------------------------------------------

WRONG_TANGENTS = [
    V[:2],
    V[None],
    V[:1],
    V.astype(np.float32),
    np.array([1, 0, 0]),
    1.0,
    [1.0, 0.0, 0.0],
    (V,),
    {"x": V},
    "v",
    V * 1j,
]


@pytest.mark.parametrize("bad", WRONG_TANGENTS, ids=lambda b: type(b).__name__)
def test_a_tangent_that_does_not_fit(bad):
    for call in (
        lambda: jvp(bilinear)((V, Y), (bad, None)),
        lambda: jvp(bilinear, wrt=0)((V, Y), bad),
        lambda: hvp(loss)((V, Y), bad),
        lambda: jvp(grad(loss))((V, Y), (bad, None)),
    ):
        with pytest.raises(SignatureError, match="tangent|shape"):
            call()


@pytest.mark.parametrize("bad", WRONG_TANGENTS, ids=lambda b: type(b).__name__)
def test_a_cotangent_that_does_not_fit(bad):
    pullback = vjp(bilinear)(V, Y)[1]
    with pytest.raises(ValueError, match="cotangent: expected a float64 array of shape"):
        pullback(bad)


def test_sizes_are_compared_at_each_call():
    f = hvp(loss)
    same(f((V, Y), V), 2 * Y * V)
    with pytest.raises(SignatureError, match=r"`v` has shape \(2,\), and `args\[0\]` has shape"):
        f((V, Y), V[:2])
    same(f((V[:2], Y[:2]), V[:2]), 2 * Y[:2] * V[:2])


@pytest.mark.parametrize("bad", [V, 1.0, {"x": V}, None, "xy"], ids=lambda b: type(b).__name__)
def test_arguments_are_a_tuple(bad):
    with pytest.raises(SignatureError, match="`primals` is the tuple"):
        jvp(bilinear)(bad, (V, V))
    with pytest.raises(SignatureError, match="`args` is the tuple"):
        hvp(loss)(bad, V)
    if not isinstance(bad, tuple):
        with pytest.raises(SignatureError, match="`tangents` is a tuple of 2"):
            jvp(bilinear)((V, Y), bad)


@pytest.mark.parametrize("bad", [np.array([1, 2, 3]), 2, 1j, V * 1j, "x"], ids=str)
def test_arguments_without_derivatives(bad):
    with pytest.raises(NotDifferentiable, match="tangent of what is constant is None"):
        jvp(lambda x, y: y)((bad, V), (V, V))
    for mode in (vjp, jacobian, hessian, elementwise_grad):
        with pytest.raises(NotDifferentiable, match="with respect to `x` is not defined"):
            mode(lambda x, y: np.sum(y))(bad, V)
    same(jvp(lambda x, y: 2 * y)((bad, V), (None, V)), (2 * V, 2 * V))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * 1j,
        lambda x: np.abs(x * 1j),
        lambda x: (x * 1j).imag,
        lambda x: np.sum(np.exp(1j * x)).real,
    ],
)
def test_complex_numbers_are_refused(f):
    """Their rules are not those of real numbers: no result would be right."""
    calls = [
        lambda: jvp(f)((V,), (V,)),
        lambda: vjp(f)(V),
        lambda: jacobian(f, "forward")(V),
        lambda: jacobian(f, "reverse")(V),
        lambda: grad(lambda x: np.sum(np.real(f(x))))(V),
    ]
    for call in calls:
        with pytest.raises(NotDifferentiable, match="complex numbers cannot be differentiated"):
            call()


def test_lists_of_unknown_length():
    xs = [float(k) for k in range(20)]

    def squares(xs):
        return [x * x for x in xs]

    value, tangent = jvp(squares)((xs,), (xs,))
    same((value, tangent), ([x * x for x in xs], [2 * x * x for x in xs]))
    same(vjp(squares)(xs)[1](xs), [2 * x * x for x in xs])
    for mode in ("forward", "reverse"):
        with pytest.raises(NotDifferentiable, match="how many there are is not known"):
            jacobian(squares, mode)(xs)
    with pytest.raises(NotDifferentiable, match="how many there are is not known"):
        hessian(lambda xs: sum([x * x for x in xs]))(xs)
    with pytest.raises(ValueError, match="another length"):
        jvp(squares)((xs,), (xs + [1.0],))
    with pytest.raises(ValueError, match="expected a list of length 20"):
        vjp(squares)(xs)[1](xs[:-1])


def test_modes_of_jacobians():
    wrong: list[Any] = ["fwd", 1, None, V]
    for bad in wrong:
        with pytest.raises(SignatureError, match="mode"):
            jacobian(bilinear, bad)


def test_no_python_source():
    for mode in MODES:
        for f in (np.sin, len, 3, "f"):
            with pytest.raises(SourceUnavailable):
                mode(f)


# --- pullbacks ----------------------------------------------------------------------------------


def test_a_pullback_does_not_depend_on_what_became_of_the_value():
    value, pullback = vjp(lambda x: np.exp(x))(V)
    expected = value * Y
    value *= 100.0
    same(pullback(Y), expected)


def test_several_pullbacks_at_a_time():
    f = vjp(lambda x: np.sin(x) * x)
    pullbacks = [f(k * V)[1] for k in (1.0, 2.0, 3.0)]
    for k, pullback in zip((1.0, 2.0, 3.0), pullbacks, strict=True):
        same(pullback(Y), Y * (np.cos(k * V) * k * V + np.sin(k * V)))


def test_a_pullback_through_writes_is_called_twice():
    def f(x):
        y = x * 1.0
        for i in range(1, 3):
            y[i] = y[i - 1] * y[i]
        return y

    value, pullback = vjp(f)(V)
    first, second = pullback(Y), pullback(Y)
    same(second, first)
    same(first, Y @ jacobian(f)(V))
    same(value, np.cumprod(V))


def test_the_text_of_a_vjp():
    f = vjp(lambda x, y: np.tanh(x) * y)
    f(V, Y)
    assert f.source == (
        "import numpy as np\n"
        "from functools import partial\n\n\n"
        "def lambda_backward(d_lambda, saved):\n"
        "    y, z = saved\n"
        "    # lambda x, y: np.tanh(x) * y\n"
        "    d_x = d_lambda * y * (1 - z * z)\n"
        "    return d_x\n\n\n"
        "def lambda_vjp(x, y):\n"
        "    z = np.tanh(x)\n"
        "    value = z * y\n"
        "    return value, partial(lambda_backward, saved=(y, z))\n"
    )
    assert repr(f(V, Y)[1]).startswith("<pullback of ")
