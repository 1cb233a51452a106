"""Random programs that write: Python, the SSA, the generated code and differences agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adcompile import AliasError, value_and_grad
from adcompile.frontend import writes
from adcompile.frontend.operands import Known
from adcompile.frontend.wanted import LAYOUTS
from adcompile.ir.interpreter import run
from adcompile.ir.verifier import verify
from tests.ad.aliasing import Writes
from tests.ad.programs import load
from tests.frontend.lowered import lower

SHARE_OF_REFUSALS = 0.2  # of those programs that may be refused at all


def arguments(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=4), rng.normal(size=(2, 2)), float(rng.normal())


def lowered(f, *args):
    """The SSA of the primal, for a matrix that is contiguous."""
    token = LAYOUTS.set({("m",): True})
    try:
        return lower(f, *args)
    finally:
        LAYOUTS.reset(token)


def copies(x, m, a):
    return x.copy(), m.copy(), a


def differences(f, x, m, a, h=1e-5):
    """Central differences of fourth order with respect to each element of x, m and a."""

    def slope(at):
        return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)

    units = np.eye(4)
    d_x = [slope(lambda e: f(x + e * u, m.copy(), a)) for u in units]
    d_m = [slope(lambda e: f(x.copy(), m + e * u.reshape(2, 2), a)) for u in units]
    return np.array(d_x), np.reshape(d_m, (2, 2)), slope(lambda e: f(x.copy(), m.copy(), a + e))


def check(seed, size):
    """Whether the program was compiled: one whose sharing depends on the path may be refused."""
    writer = Writes(seed, size)
    text = writer.text()
    f, args = load(text, seed), arguments(seed)
    try:
        want = f(*copies(*args))
    except IndexError:  # of a list that a `return` or `break` left short
        return True
    try:
        primal = lowered(f, *args)
        g = value_and_grad(f, wrt=(0, 1, 2))
        compiled = g.lower(*args)
    except AliasError:
        assert writer.by_path, text
        return False
    verify(compiled.program)
    np.testing.assert_allclose(run(primal, *copies(*args)), want, rtol=1e-13, err_msg=text)
    before = copies(*args)
    value, grads = g(*args)
    np.testing.assert_allclose(value, want, rtol=1e-13, atol=1e-14, err_msg=text)
    again, same = g(*args)
    assert again == value and all(map(np.array_equal, grads, same)), text
    assert all(map(np.array_equal, args, before)), text
    _, interpreted = run(compiled.program, *copies(*args))
    expected = differences(f, *args)
    scale = 1 + abs(want) + max(np.max(np.abs(n)) for n in expected)
    for x, d, e, n in zip(args, grads, interpreted, expected):
        assert np.shape(d) == np.shape(x) and np.asarray(d).dtype == np.float64
        np.testing.assert_allclose(d, e, rtol=1e-11, atol=1e-13, err_msg=text)
        np.testing.assert_allclose(d, n, rtol=1e-5, atol=1e-7 * scale, err_msg=text)
    return True


def owner(x):
    while x.base is not None:
        x = x.base
    return x


def check_sharing(seed, size):
    """What the compiler says of every two names of a program is what NumPy says when it runs.

    It never says "distinct" of what shares memory; and "the same array" only of views of one.
    """
    found, said = [], []

    def probe(*arrays):
        found.append(
            [[(np.shares_memory(a, b), owner(a) is owner(b)) for b in arrays] for a in arrays]
        )

    def ask(cx, node, xs, kwargs):
        heap = cx.heap
        said.append([[(heap.share(a, b), heap.root(a) == heap.root(b)) for b in xs] for a in xs])
        return Known(None)

    text = Writes(seed, size).straight()
    f, args = load(text, seed, probe=probe), arguments(seed)
    writes.FUNCTIONS[probe] = ask
    try:
        lowered(f, *args)
    finally:
        del writes.FUNCTIONS[probe]
    f(*copies(*args))
    assert len(found) == len(said) > 0
    for rows, answers in zip(found, said):
        for row, answer in zip(rows, answers, strict=True):
            for (shares, one), (may_share, same) in zip(row, answer, strict=True):
                assert may_share or not shares, text
                assert one == same == may_share, text


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(4, 16))
def test_random_programs(seed, size):
    check(seed, size)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(2, 12))
def test_sharing(seed, size):
    check_sharing(seed, size)


def test_few_are_refused():
    seeds = [seed for seed in range(400) if by_path(seed, 12)][:40]
    refused = [seed for seed in seeds if not check(seed, 12)]
    assert len(refused) < SHARE_OF_REFUSALS * len(seeds), refused


def by_path(seed, size):
    writer = Writes(seed, size)
    writer.text()
    return writer.by_path


@pytest.mark.nightly
@settings(max_examples=3000, deadline=None)
@given(st.integers(0, 10_000_000), st.integers(4, 40))
def test_many_random_programs(seed, size):
    check(seed, size)


@pytest.mark.nightly
@settings(max_examples=2000, deadline=None)
@given(st.integers(0, 10_000_000), st.integers(2, 30))
def test_sharing_of_many(seed, size):
    check_sharing(seed, size)
