"""Gradients of programs that write into arrays: against finite differences, text against SSA."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adcompile import check_grads, errors, trees
from adcompile.ad.forward import jvp
from adcompile.api import grad
from adcompile.ir.interpreter import run
from adcompile.ir.verifier import verify
from tests.ad import inplace
from tests.ad.test_everyday import floats
from tests.ad.writing import program
from tests.frontend.lowered import lower

every_case = pytest.mark.parametrize("f", inplace.CASES, ids=lambda f: f.__name__)


@every_case
def test_gradient(f):
    check_grads(f, inplace.CASES[f])


@every_case
def test_text_does_what_the_ssa_does(f):
    args = inplace.CASES[f]
    compiled = grad(f, wrt=floats(args)).lower(*args)
    verify(compiled.program)
    expected = run(compiled.program, *args)
    got = compiled.call(*args)
    for x, y in zip(trees.leaves(got), trees.leaves(expected), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtypes", [(np.float32, np.float64), (np.float64, np.float32)])
def test_dtypes_that_differ(dtypes):
    def f(x, w):
        y = np.zeros(3, dtype=np.float32)
        y[:] = x * w
        y[1] *= w[0]
        y -= w
        y[0] = 0.5 * y[1]
        return np.sum(y * y)

    x, w = (np.arange(1.0, 4.0).astype(t) for t in dtypes)
    for arg, d in zip((x, w), grad(f, wrt=(0, 1))(x, w), strict=True):
        assert d.dtype == arg.dtype and d.shape == arg.shape
    expected = grad(f, wrt=(0, 1))(x.astype(float), w.astype(float))
    for d, e in zip(grad(f, wrt=(0, 1))(x, w), expected, strict=True):
        np.testing.assert_allclose(d, e, rtol=1e-5)


def test_a_derivative_cut_off_by_integers():
    def f(x):
        y = np.zeros(3, dtype=int)
        y[0] = x[0] * 2.0
        return np.sum(y * x)

    with pytest.raises(errors.NotDifferentiable, match="array of integers") as caught:
        grad(f)(np.ones(3))
    loc = caught.value.loc
    assert loc is not None and loc.stmt.text == "y[0] = x[0] * 2.0"


def test_integers_that_only_index():
    def f(x):
        k = np.zeros(3, dtype=int)
        for i in range(3):
            k[i] = x[i]
        return np.sum(x[k] * x)

    check_grads(f, (np.array([0.5, 1.5, 2.5]),))


# --- random programs ----------------------------------------------------------------------------


def differences(f, x, A, h=1e-5):
    def slope(at):
        return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)

    d_x = [slope(lambda e, u=u: f(x + e * u, A.copy())) for u in np.eye(4)]
    units = np.eye(12).reshape(12, 3, 4)
    d_A = [slope(lambda e, u=u: f(x.copy(), A + e * u)) for u in units]
    return np.array(d_x), np.array(d_A).reshape(3, 4)


def check(seed, size):
    f, text = program(seed, size)
    rng = np.random.default_rng(seed)
    x, A = rng.normal(size=4), rng.normal(size=(3, 4))
    before = x.copy(), A.copy()
    with np.errstate(all="ignore"):
        value = f(x.copy(), A.copy())
        if not abs(value) < 1e6:  # it grew too fast for finite differences
            return
        expected = differences(f, x, A)
        others = [differences(f, x, A, h) for h in (2e-5, 1e-7)]  # a step may cross a branch
    compiled = grad(f, wrt=(0, 1)).lower(x, A)
    verify(compiled.program)
    got = compiled.call(x, A)
    scale = 1 + abs(value) + max(np.max(np.abs(e)) for e in expected)
    oracle = run(compiled.program, x, A)
    noise = max(
        np.max(np.abs(e - c)) for other in others for e, c in zip(expected, other, strict=True)
    )
    for d, e, o, again in zip(got, expected, oracle, compiled.call(x, A), strict=True):
        np.testing.assert_allclose(d, o, rtol=1e-11, atol=1e-12, err_msg=text)
        np.testing.assert_allclose(d, e, rtol=1e-5, atol=1e-6 * scale + noise, err_msg=text)
        np.testing.assert_array_equal(d, again)
    assert np.array_equal(x, before[0]) and np.array_equal(A, before[1]), text
    tangents = rng.normal(size=4), rng.normal(size=(3, 4))
    forward = jvp(lower(f, x, A), [0, 1])
    verify(forward)
    primal, dot = run(forward, x, A, *tangents)
    np.testing.assert_allclose(primal, value, rtol=1e-12)
    backward = sum(np.sum(d * t) for d, t in zip(got, tangents, strict=True))
    np.testing.assert_allclose(dot, backward, rtol=1e-9, atol=1e-10 * scale, err_msg=text)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(4, 16))
def test_random_programs(seed, size):
    check(seed, size)


@pytest.mark.nightly
@settings(max_examples=2000, deadline=None)
@given(st.integers(0, 10_000_000), st.integers(4, 30))
def test_many_random_programs(seed, size):
    check(seed, size)
