"""Random programs: SSA, generated code and finite differences agree."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adcompile import grad
from adcompile.ir.interpreter import run
from adcompile.ir.verifier import verify
from tests.ad.programs import program


def arguments(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=4), float(rng.normal())


def differences(f, x, a, h=1e-5):
    """Central differences of fourth order with respect to each of x and a."""

    def slope(at):
        return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)

    unit = np.eye(len(x))
    return np.array([slope(lambda e: f(x + e * u, a)) for u in unit]), slope(lambda e: f(x, a + e))


def check(seed, size, make=program):
    f, text = make(seed, size)
    x, a = arguments(seed)
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            assume(abs(f(x, a)) < 1e100)  # a few programs square a number in a loop
        except UnboundLocalError:  # or read what no iteration has set
            assume(False)
    compiled = grad(f, wrt=(0, 1)).lower(x, a)
    verify(compiled.program)
    d_x, d_a = compiled.call(x, a)
    assert d_x.shape == x.shape and d_x.dtype == x.dtype
    e_x, e_a = run(compiled.program, x, a)
    np.testing.assert_allclose(d_x, e_x, rtol=1e-12, atol=1e-14, err_msg=text)
    np.testing.assert_allclose(d_a, e_a, rtol=1e-12, atol=1e-14, err_msg=text)
    n_x, n_a = differences(f, x, a)
    scale = 1 + abs(f(x, a)) + np.max(np.abs(n_x)) + abs(n_a)
    np.testing.assert_allclose(d_x, n_x, rtol=1e-5, atol=1e-7 * scale, err_msg=text)
    np.testing.assert_allclose(d_a, n_a, rtol=1e-5, atol=1e-7 * scale, err_msg=text)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(4, 16))
def test_random_programs(seed, size):
    check(seed, size)


@pytest.mark.nightly
@settings(max_examples=3000, deadline=None)
@given(st.integers(0, 10_000_000), st.integers(4, 30))
def test_many_random_programs(seed, size):
    check(seed, size)
