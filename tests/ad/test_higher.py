"""Second and third derivatives: every way gives the same, for every kind of program."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adcompile import AliasError, grad
from tests.ad import everyday, higher, inplace, test_random, test_random_writes, writes
from tests.ad.aliasing import Writes
from tests.ad.programs import load, program
from tests.gallery.programs import pairs

CASES = {
    **{f"gallery {p.program.__name__}": (p.program, p.args) for p in pairs()},
    **{
        f"{module.__name__.rpartition('.')[2]} {f.__name__}": (f, args)
        for module in (everyday, writes, inplace)
        for f, args in module.CASES.items()
    },
}


@pytest.mark.parametrize("name", CASES)
def test_hessian_times_vector(name):
    f, args = CASES[name]
    higher.check(f, copy.deepcopy(args))


@pytest.mark.parametrize("name", CASES)
def test_third_derivative(name):
    f, args = CASES[name]
    higher.check_third(f, copy.deepcopy(args))


@pytest.mark.parametrize("singular", [np.zeros((2, 2)), np.ones((2, 2)) + np.eye(2)])
def test_what_one_arm_does_not_define(singular):
    """A backward sweep reads the inverse where there is one, and nowhere else."""

    def f(x, matrix):
        try:
            inverse = np.linalg.inv(matrix * x)
            y = np.sum(inverse) * x * x * x
        except np.linalg.LinAlgError:
            y = x * x
        return y * y

    def g(x, matrix):
        if x > 0:
            tangent = np.tanh(matrix * x)
            y = np.sum(tangent * tangent) * x
        else:
            y = x * x
        return y * y

    second = grad(grad(f))(0.7, singular)
    scale = np.sum(np.linalg.inv(singular)) if singular.any() else 1.0
    assert type(second) is np.float64 or type(second) is float
    np.testing.assert_allclose(second, 12 * scale**2 * 0.7**2, rtol=1e-12)
    np.testing.assert_allclose(grad(grad(g))(-0.7, singular), 12 * 0.7**2, rtol=1e-12)
    assert "zeros_like" not in grad(grad(g)).lower(-0.7, singular).source


def test_a_number_that_may_be_an_array_of_rank_0_on_the_other_arm():
    """It is still read when something is added to it: not in place."""

    def f(x, a):
        s = a * 0.5
        t = np.sum(x)
        s += a * 0.5
        if x[0] < 0:
            s -= x[1] * 0.5
        else:
            s = s * 0.9 + t * t
        return s * a

    for x in (np.array([-0.4, 1.3]), np.array([0.4, 1.3])):
        agree(f, (x, 0.7), "")


def agree(f, args, text):
    """H v is the same in all ways."""
    wrt = higher.floats(args)
    found = higher.products(f, args, wrt, higher.direction(args, wrt, 0))
    first = found["forward over reverse"]
    scale = 1 + max(float(np.max(np.abs(x))) for x in first)
    for way, other in found.items():
        for x, y in zip(first, other, strict=True):
            assert np.shape(x) == np.shape(y)
            message = f"{way}\n{text}"
            np.testing.assert_allclose(y, x, rtol=1e-9, atol=1e-10 * scale, err_msg=message)


def check_random(seed, size):
    f, text = program(seed, size)
    agree(f, test_random.arguments(seed), text)


def check_writing(seed, size):
    text = Writes(seed, size).text()
    f, args = load(text, seed), test_random_writes.arguments(seed)
    try:
        f(*test_random_writes.copies(*args))
        agree(f, args, text)
    except (IndexError, AliasError):  # as `test_random_writes` has it
        return


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(2, 8))
def test_random_programs(seed, size):
    check_random(seed, size)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(2, 8))
def test_random_programs_that_write(seed, size):
    check_writing(seed, size)


@pytest.mark.nightly
@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 10_000_000), st.integers(2, 12))
def test_many_random_programs(seed, size):
    check_random(seed, size)


@pytest.mark.nightly
@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 10_000_000), st.integers(2, 12))
def test_many_random_programs_that_write(seed, size):
    check_writing(seed, size)
