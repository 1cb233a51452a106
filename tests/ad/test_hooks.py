"""What the block of a `with gradient_of` does in a backward sweep, and how its text reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from adcompile import (
    NotDifferentiable,
    check_grads,
    clip_gradient,
    grad,
    gradient_of,
    jacobian,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
)
from adcompile.ir import interpreter
from adcompile.ir.verifier import verify
from adcompile.trees import leaves
from tests.ad import hooked
from tests.ad.hooked import TEXTS, W, x

programs = pytest.mark.parametrize("f", TEXTS, ids=lambda f: f.__name__)


def differences(f, x, step=1e-6):
    """The derivative of `f`, whose values may be arrays, by each element of `x`."""
    rows = [(f(x + step * e) - f(x - step * e)) / (2 * step) for e in np.eye(len(x))]
    return np.array(rows)


@programs
def test_text(f):
    args, _, expected = TEXTS[f]
    text = grad(f).lower(*args).source
    assert text.removeprefix("import numpy as np\n\n\n") == expected.lstrip("\n"), text


@programs
def test_the_block_runs_once_each_time_the_sweep_comes_past(f, capsys):
    args, printed, _ = TEXTS[f]
    gradient = grad(f)
    gradient(*args)
    assert capsys.readouterr().out == printed
    gradient(*args)
    assert capsys.readouterr().out == printed


@programs
def test_the_ssa_says_the_same(f, capsys):
    args, printed, _ = TEXTS[f]
    spec = grad(f).lower(*args)
    verify(spec.program)
    found, expected = interpreter.run(spec.program, *args), spec.function(*args)
    assert capsys.readouterr().out == 2 * printed
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-15)


@programs
def test_values_are_those_of_the_program(f, capsys):
    """Run as it is, the block sees zeros and changes nothing."""
    args = TEXTS[f][0]
    value = value_and_grad(f)(*args)[0]  # type: ignore[index]
    np.testing.assert_allclose(value, f(*args), rtol=1e-15)


# --- the gradients, by hand ---------------------------------------------------------------------


def test_clipped_in_a_loop():
    hs = [x]
    for _ in range(3):
        hs.append(np.tanh(W @ hs[-1]))
    d = 2.0 * hs[-1]
    d_W = np.zeros_like(W)
    for h_in, h in zip(hs[-2::-1], hs[:0:-1], strict=True):
        d_z = np.clip(d, -0.3, 0.3) * (1 - h * h)
        d_W += np.outer(d_z, h_in)
        d = W.T @ d_z
    d_x, found = grad(hooked.clipped, wrt=("x", "W"))(x, W)
    np.testing.assert_allclose(d_x, d, rtol=1e-14)
    np.testing.assert_allclose(found, d_W, rtol=1e-14)
    assert d_x.shape == x.shape and found.shape == W.shape


def test_written_in_place():
    expected = np.sin(x)
    expected[expected > 0.3] = 0.3
    np.testing.assert_allclose(grad(hooked.in_place)(x), expected * np.cos(x), rtol=1e-15)


def test_in_every_call_of_a_helper(capsys):
    # f = sum(9 x * x), and the path through z loses a factor of 10 in each of the two calls
    np.testing.assert_allclose(grad(hooked.inlined)(x), (9 * x * 0.1 + 3 * 3 * x) * 0.1, rtol=1e-15)


def test_in_every_call_of_a_function_that_calls_itself(capsys):
    d = np.ones(3)
    for h in (np.sin(x), x):
        d = np.minimum(d, 0.9) * np.cos(h)
    np.testing.assert_allclose(grad(hooked.recursive)(x), np.minimum(d, 0.9), rtol=1e-15)


def test_of_an_array_that_is_written_into(capsys):
    u = np.arange(5.0) ** 2
    A = np.eye(5)
    for i in range(1, 4):
        A[i, i - 1 : i + 2] += [0.1, -0.2, 0.1]
    d = 2.0 * (A @ A @ u)
    for _ in range(2):
        d = A.T @ np.clip(d, -1.0, 1.0)
    np.testing.assert_allclose(grad(hooked.heat)(u), d, rtol=1e-14)


def test_under_a_condition_on_the_gradient(capsys):
    d = 2 * x * x
    d *= 10.0 / np.linalg.norm(d)
    np.testing.assert_allclose(grad(hooked.normalised)(x, 10.0), d * 2 * x, rtol=1e-15)
    np.testing.assert_allclose(grad(hooked.normalised)(x, 1e3), 4 * x**3, rtol=1e-15)
    assert capsys.readouterr().out == "too large: 19.798990 at 1.0\n"


def test_in_the_branch_that_is_taken(capsys):
    assert grad(hooked.early)(1.0) == -4.0
    assert grad(hooked.early)(2.0) == 8.0
    assert capsys.readouterr().out == "z 1.0\ny -2.0\ny 2.0\n"


@pytest.mark.parametrize("f", [hooked.printed, hooked.squared, hooked.shared])
def test_a_block_that_only_looks_changes_nothing(f, capsys):
    args = TEXTS[f][0]
    check_grads(f, args)


# --- what the gradient is -----------------------------------------------------------------------


def test_it_has_the_shape_and_dtype_of_the_variable(capsys):
    def f(x, y, n):
        a = x * 2.0
        with gradient_of(a) as g:
            print(type(g).__name__, g.dtype, g.shape)
        b = np.mean(a * y)
        with gradient_of(b) as g:
            print(type(g).__name__, g)
        c = n * n
        with gradient_of(c) as g:
            print(isinstance(g, float), g)
        return b * c

    d_x, d_n = grad(f, wrt=("x", "n"))(np.ones((2, 3), np.float32), np.ones(3, np.float32), 2.0)
    expected = "True 2.0\nfloat32 4.0\nndarray float32 (2, 3)\n"
    assert capsys.readouterr().out == expected
    assert d_x.dtype == np.float32 and d_x.shape == (2, 3)
    assert np.all(d_x == np.float32(8 / 6)) and d_n == 8.0


def test_another_dtype_is_converted_and_a_number_fills_it():
    def wide(x):
        y = np.sin(x)
        with gradient_of(y) as g:
            g = g * np.float64(2.0) + np.zeros(3)
        return np.sum(y)

    def one(x):
        y = np.sin(x)
        with gradient_of(y) as g:
            g = 0 if np.max(g) > 0.5 else g[0]
        return np.sum(y)

    d = grad(wide)(x.astype(np.float32))
    assert d.dtype == np.float32
    np.testing.assert_allclose(d, 2 * np.cos(x), rtol=1e-6)
    d = grad(one)(x)
    assert d.shape == (3,) and np.all(d == 0.0)


def test_a_shape_that_cannot_be_told_is_checked_when_it_runs():
    def f(x):
        y = x * 2.0
        with gradient_of(y) as g:
            g = g[g > 2.5]
        return np.sum(y * x)

    assert np.all(grad(f)(x + 2) == 4 * (x + 2))
    with pytest.raises(AssertionError, match="`g` must keep the shape of `y`"):
        grad(f)(x)


def test_it_is_asked_for_whatever_is_differentiated(capsys):
    def f(x, w):
        h = np.sin(w)
        with gradient_of(h) as g:
            print(g)
            g = g * 100.0
        return np.sum(h * x)

    np.testing.assert_array_equal(grad(f)(x, x), np.sin(x))
    assert capsys.readouterr().out == "[1. 2. 3.]\n"


def test_it_is_asked_for_in_calls_that_are_kept(capsys):
    def f(x, w):
        return np.sum(x) * hooked.falling(w, 1)

    grad(f)(x, x)
    assert capsys.readouterr().out == "at 0 [6. 6. 6.]\nat 1 [ 0.49 -0.37 -0.89]\n"


def test_arguments_and_values_of_the_program_are_not_written():
    def f(x, y):
        with gradient_of(x) as g:
            g *= 0.5
        return np.sum(x * y)

    y = np.array([1.0, 2.0, 3.0])
    assert np.all(grad(f)(x, y) == y / 2)
    assert np.all(y == [1.0, 2.0, 3.0]) and np.all(x == [1.0, 2.0, 3.0])


def test_other_names_of_an_array_are_hooked_with_it():
    def f(x):
        h = np.sin(x)
        a = h
        v = h[1:]
        with gradient_of(h) as g:
            g = g * 10.0
        return np.sum(h * a) + np.sum(v)

    expected = 10.0 * np.cos(x) * (2 * np.sin(x) + np.array([0.0, 1.0, 1.0]))
    np.testing.assert_allclose(grad(f)(x), expected, rtol=1e-14)


def test_a_view_is_hooked_alone():
    def f(x):
        h = np.sin(x)
        v = h[1:]
        with gradient_of(v) as g:
            g = g * 10.0
        return np.sum(h) + np.sum(v)

    expected = np.cos(x) * np.array([1.0, 11.0, 11.0])
    np.testing.assert_allclose(grad(f)(x), expected, rtol=1e-14)


# --- lists from outside -------------------------------------------------------------------------

seen = []


def collecting(x):
    h = np.sin(x)
    for i in range(2):
        h = h * x
        with gradient_of(h) as g:
            seen.append((i, np.linalg.norm(g), g))
            g *= 2.0
    return np.sum(h)


def test_gradients_are_collected():
    seen.clear()
    gradient = grad(collecting)
    gradient(x)
    assert [i for i, _, _ in seen] == [1, 0]
    np.testing.assert_array_equal(seen[0][2], np.ones(3))
    np.testing.assert_array_equal(seen[1][2], 2.0 * x)
    assert seen[1][1] == np.linalg.norm(2.0 * x)
    gradient(x)
    assert len(seen) == 4  # and nothing was compiled again
    assert len(gradient._specialisations.found) == 1


# --- further differentiation --------------------------------------------------------------------


def cubes(x):
    h = np.sin(x)
    with gradient_of(h) as g:
        g = np.clip(g, -1.0, 1.0)
    return np.sum(h**3)


def cubes_by_call(x):
    h = clip_gradient(np.sin(x), -1.0, 1.0)
    return np.sum(h**3)


def chained(x):
    h = x
    for _ in range(3):
        h = np.tanh(h) + 0.1 * h
        with gradient_of(h) as g:
            n = np.linalg.norm(g)
            if n > 1.0:
                g = g / n
    return np.sum(h * h)


def falling_cubes(h, n):
    with gradient_of(h) as g:
        g = np.clip(g, -0.8, 0.8)
    return np.sum(h**3) if n == 0 else falling_cubes(np.sin(h), n - 1)


def called(x):
    return falling_cubes(x, 2)


@pytest.mark.parametrize("f", [cubes, cubes_by_call, chained, called], ids=lambda f: f.__name__)
def test_the_second_derivative_is_that_of_the_first(f):
    x, v = np.array([0.3, 1.2, 2.0]), np.array([1.0, -2.0, 3.0])

    def along(x):
        return np.sum(grad(f)(x) * v)

    expected = differences(lambda x: np.sum(grad(f)(x) * v), x)
    np.testing.assert_allclose(grad(along)(x), expected, rtol=1e-6)


@pytest.mark.parametrize("f", [cubes, cubes_by_call, chained, called], ids=lambda f: f.__name__)
def test_a_tangent_of_the_gradient(f):
    x, v = np.array([0.3, 1.2, 2.0]), np.array([1.0, -2.0, 3.0])
    _, hv = jvp(grad(f))((x,), (v,))
    np.testing.assert_allclose(hv, differences(grad(f), x).T @ v, rtol=1e-6)


def test_forward_mode_passes_by(capsys):
    value, tangent = jvp(hooked.printed)((x, W), (x, W))
    assert capsys.readouterr().out == ""
    assert "gradient_of" not in jvp(hooked.printed).lower((x, W), (x, W)).source
    plain = (hooked.printed(x + 1e-6 * x, W * (1 + 1e-6)) - value) / 1e-6
    np.testing.assert_allclose(tangent, plain, rtol=1e-4)


def test_a_pullback_runs_the_block(capsys):
    def f(x):
        h = np.sin(x)
        with gradient_of(h) as g:
            print(g)
        return h * h

    value, pullback = vjp(f)(x)
    assert capsys.readouterr().out == ""
    np.testing.assert_allclose(value, np.sin(x) ** 2, rtol=1e-15)
    pullback(np.array([0.0, 1.0, 0.0]))
    assert capsys.readouterr().out == "[0.         1.81859485 0.        ]\n"


def test_a_jacobian_runs_the_block_for_each_row(capsys):
    def f(x):
        h = np.sin(x)
        with gradient_of(h) as g:
            print(np.flatnonzero(g))
            n = np.linalg.norm(g)
            if n > 1.0:
                g = g / n
        return 3.0 * h * h

    rows = jacobian(f, mode="reverse")(x)
    assert capsys.readouterr().out == "[0]\n[1]\n[2]\n"
    np.testing.assert_allclose(rows, np.diag(np.minimum(6 * np.sin(x), 1.0) * np.cos(x)))
    np.testing.assert_allclose(
        jacobian(f, mode="forward")(x), np.diag(6 * np.sin(x) * np.cos(x)), rtol=1e-14
    )
    assert capsys.readouterr().out == ""


# --- clip_gradient ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lo", "hi"), [(-0.1, 0.1), (None, 0.1), (-0.1, None), (None, None), (-x, x), (-1, 0)]
)
def test_clip(lo, hi):
    def f(x, lo, hi):
        return np.sum(clip_gradient(np.sin(x), lo, hi) ** 2)

    d = 2 * np.sin(x)
    expected = (d if lo is None and hi is None else np.clip(d, lo, hi)) * np.cos(x)
    np.testing.assert_allclose(grad(f)(x, lo, hi), expected, rtol=1e-15)
    value, tangent = jvp(lambda x: f(x, lo, hi))((x,), (x,))
    assert value == f(x, None, None)
    np.testing.assert_allclose(tangent, np.sum(d * np.cos(x) * x), rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clip_keeps_dtypes_and_takes_trees(dtype):
    def f(p, lo):
        p = clip_gradient(p, lo, 1.0)
        W, b = p["layers"][0]
        return np.sum((W @ b) * p["scale"])

    p = {"layers": [(W.astype(dtype), x.astype(dtype))], "scale": 3.0}
    d = grad(f)(p, -1.0)
    (d_W, d_b), *_ = d["layers"]
    assert d_W.dtype == d_b.dtype == dtype
    np.testing.assert_array_equal(d_W, np.ones((3, 3)))
    np.testing.assert_allclose(d_b, np.minimum(3 * W.sum(axis=0), 1.0), rtol=1e-6)
    assert d["scale"] == 1.0


# --- stop_gradient ------------------------------------------------------------------------------


@dataclass
class Pair:
    a: np.ndarray
    b: float


def held(x):
    c = stop_gradient(x)
    return np.sum(c * x * x)


def test_stop_gradient_counts_as_a_constant_in_every_mode():
    v = np.array([1.0, -2.0, 3.0])
    np.testing.assert_array_equal(grad(held)(x), 2 * x * x)
    value, tangent = jvp(held)((x,), (v,))
    assert value == np.sum(x**3) and tangent == np.sum(2 * x * x * v)
    np.testing.assert_array_equal(grad(lambda x: np.sum(grad(held)(x) * v))(x), 2 * x * v)
    np.testing.assert_array_equal(jvp(grad(held))((x,), (v,))[1], 2 * x * v)
    np.testing.assert_array_equal(grad(lambda x: jvp(held)((x,), (v,))[1])(x), 2 * x * v)
    assert "stop_gradient" not in grad(held).lower(x).source
    assert "stop_gradient" not in jvp(held).lower((x,), (v,)).source


def test_stop_gradient_of_objects_and_numbers():
    def f(p):
        q = stop_gradient(p)
        return np.sum(q.a * p.a) * p.b * q.b

    d = grad(f)(Pair(x, 2.0))
    np.testing.assert_array_equal(d.a, 4.0 * x)
    assert d.b == 2.0 * np.sum(x * x)
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3.0


def test_stop_gradient_in_a_call_that_is_kept():
    def f(x, n):
        return np.sum(x * stop_gradient(x)) if n == 0 else f(x * 2.0, n - 1)

    gradient = grad(f)
    np.testing.assert_array_equal(gradient(x, 2), 16.0 * x)
    code = [line for line in gradient.source.splitlines() if "# " not in line]
    assert "stop_gradient" not in "\n".join(code)


def test_a_hook_that_no_gradient_reaches_is_refused():
    def late(x):
        h = np.sin(x)
        s = np.sum(h)
        with gradient_of(h) as g:
            print(g)
        return s

    def stopped(x):
        h = np.sin(x)
        with gradient_of(h) as g:
            print(g)
        return np.sum(x * stop_gradient(h))

    def shape_only(x):
        h = np.sin(x)
        with gradient_of(h) as g:
            print(g)
        return np.sum(x * np.full_like(h, 2.0))

    for f in (late, stopped, shape_only):
        with pytest.raises(NotDifferentiable, match="no gradient flows through `h` here"):
            grad(f)(x)
