"""What a mask keeps away contributes exactly zero to the second and third derivative, in all modes.

Forward mode over forward mode meets none of the places where a zero may be multiplied by an
infinity; every other order of the modes has to agree with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adcompile import grad, hessian, hvp, jacobian, jvp
from tests.ad.masked_programs import programs
from tests.ad.masks import (
    Program,
    Steep,
    for_arrays,
    for_numbers,
    for_vectors,
    selections,
)
from tests.ad.test_masks import differences, pairs, quietly, some, vector  # noqa: F401
from tests.registered import forgotten

VECTORS = pairs(selections, for_arrays, for_vectors)
NUMBERS = pairs(selections, for_numbers)
MODES = ("forward", "reverse")
THIRD = {"log"}


def forward(f: Callable, u: Any) -> Callable:
    return lambda x: jvp(f)((x,), (u,))[1]


def reverse(f: Callable, u: Any) -> Callable:
    return lambda x: np.sum(grad(f)(x) * u)


def check(program: Program, x: Any, c: Any, order: int) -> None:
    """The derivatives in one direction, modes in any order; and the last gradient is zero there."""
    u = np.linspace(0.3, 1.0, np.size(x)).reshape(np.shape(x))
    want = None
    for modes in itertools.product((forward, reverse), repeat=order - 1):
        f = lambda x: program(x, c)  # noqa: E731
        for mode in modes:
            f = mode(f, u)
        along = forward(f, u)(x)
        want = along if want is None else want
        d = grad(f)(x)
        assert np.isfinite(want) and np.shape(d) == np.shape(x) and d.dtype == np.float64
        assert np.all(d[np.logical_not(c)] == 0.0) if np.ndim(d) else c or d == 0.0
        np.testing.assert_allclose([along, np.sum(d * u)], want, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("steep", "program"), some(VECTORS))
def test_second_derivative(steep: Steep, program: Program) -> None:
    x, c = vector(steep)
    check(program, x, c, 2)
    want = differences(lambda x, c: jvp(lambda x: program(x, c))((x,), (np.ones(6),))[1], x, c)
    d = grad(lambda x: np.sum(grad(program)(x, c)))(x)
    np.testing.assert_allclose(d, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("steep", "program"), some(NUMBERS))
def test_second_derivative_of_a_number(steep: Steep, program: Program) -> None:
    for value, c in ((steep.good[0], True), (steep.bad[0], False), (steep.bad[-1], False)):
        check(program, np.float64(value), c, 2)


def third(found: list[Any]) -> list[Any]:
    later = pytest.mark.nightly
    return [
        p if p.id.rsplit("-", 1)[0] in THIRD else pytest.param(*p.values, id=p.id, marks=later)
        for p in found
    ]


@pytest.mark.parametrize(("steep", "program"), third(VECTORS))
def test_third_derivative(steep: Steep, program: Program) -> None:
    check(program, *vector(steep), 3)


@pytest.mark.parametrize(("steep", "program"), third(NUMBERS))
def test_third_derivative_of_a_number(steep: Steep, program: Program) -> None:
    """At the first good number log is zero by accident: its derivatives are not."""
    for value in steep.good[:3]:
        check(program, np.float64(value), True, 3)
    check(program, np.float64(steep.bad[0]), False, 3)


# --- through calls ------------------------------------------------------------------------------


def rooted(x, n):
    return x if n == 0 else np.sqrt(x) + rooted(x, n - 1)


def passed_on(x, n):
    return np.sum(x) if n == 0 else passed_on(np.where(x > 0, np.sqrt(x), 0.0), n - 1)


def test_third_derivative_of_a_recursion() -> None:
    """What one way alone has saved has no derivative on the other way: not even zeros."""
    x = np.array([1.0, 2.0])
    for modes in itertools.product((forward, reverse), repeat=2):
        f: Callable = lambda x: np.sum(rooted(x, 1))  # noqa: E731
        for mode in modes:
            f = mode(f, np.ones(2))
        d = grad(f)(x)
        assert d.dtype == np.float64
        np.testing.assert_allclose(d, 0.375 * x**-2.5, rtol=1e-13)


def test_masked_recursion() -> None:
    x, ones = np.array([4.0, 0.0, -1.0]), np.ones(3)
    d = grad(reverse(lambda x: passed_on(x, 2), ones))(x)
    np.testing.assert_allclose(d, [-3 / 16 * 4**-1.75, 0.0, 0.0], rtol=1e-13)


@pytest.mark.parametrize("fn", [np.nonzero, np.flatnonzero])
def test_taken_by_position(fn: Callable) -> None:
    def f(x):
        at = fn(x > 0)
        return np.sum(np.take(np.log(x), at) ** 2)

    x = np.array([4.0, 0.0, -1.0])
    np.testing.assert_allclose(grad(f)(x), [np.log(4.0) / 2, 0.0, 0.0], rtol=1e-13)


def test_a_masked_number_of_float32_stays_one() -> None:
    def f(x):
        z = np.where(x > 0, np.log(x), -5.0)
        return np.min(z) * np.max(z)

    x = np.array([4.0, 0.0, 1.5, -1.0], np.float32)
    assert hvp(f)((x,), np.ones_like(x)).dtype == np.float32


def entropy(x):
    e = np.exp(np.reshape(x, (2, 2)))
    p = e / np.sum(e, axis=1, keepdims=True)
    return -np.mean(np.log(p[np.arange(2), np.array([0, 1])]))


def shortened(x):
    p = x
    for _ in range(2):
        p = p[:-1] * p[1:] / x[0]
    return p[0] ** 2


@pytest.mark.parametrize("f", [entropy, shortened])
def test_without_a_mask_nothing_is_selected(f: Callable) -> None:
    x = np.array([1.0, 2.0, 0.5, 0.7])
    assert "!= 0" not in hvp(f).lower((x,), x).source
    assert "!= 0" not in grad(reverse(f, x)).lower(x).source


# --- all directions at once -----------------------------------------------------------------------


def sums(x):
    return np.sum(np.sum(np.where(x > 0, np.log(x), 0.0), axis=1) ** 2)


def variances(x):
    return np.sum(np.var(np.where(x > 0, np.log(x), 0.0), axis=0) ** 2)


def stacked(x):
    return np.sum(np.where(x > 0, np.stack([np.sqrt(x) * x, x]), 0.0))


def padded(x):
    return np.sum(np.where(np.pad(x, 1) > 0, np.pad(np.log(x), 1), 0.0) ** 2)


def rows(x):
    w = x * np.array([[1.0, 1.0], [0.0, 0.0]])
    r = np.sqrt(np.sum(w * w, axis=1, keepdims=True))
    return np.sum(np.where(r > 0, w / r, 0.0))


def called(x, n=1):
    y = np.where(x > 0, np.sqrt(x), 0.0)
    return np.sum(y) if n == 0 else called(x, n - 1)


@pytest.mark.parametrize("f", [sums, variances, stacked, padded, rows, called])
def test_jacobians_of_jacobians(f: Callable) -> None:
    x = np.array([[2.0, 0.0], [1.0, 3.0]])
    ones = np.ones((2, 2))
    second = [
        jacobian(grad(f), mode="reverse"),
        *(jacobian(jacobian(f, mode=a), mode=b) for a in MODES for b in MODES),
    ]
    want = [hessian(f)(x), jvp(forward(f, ones))((x,), (ones,))[1]]
    assert np.isclose(np.sum(want[0]), want[1], rtol=1e-10, atol=1e-12)
    third = grad(lambda x: np.sum(grad(lambda x: np.sum(grad(f)(x)))(x)))(x)
    for h in second:
        np.testing.assert_allclose(h(x), want[0], rtol=1e-10, atol=1e-12)
        d = grad(lambda x, h=h: np.sum(h(x)))(x)
        np.testing.assert_allclose(d, third, rtol=1e-10, atol=1e-12)
        assert np.all(np.isfinite(third))


def test_written_by_positions() -> None:
    """Of several writes into one place the last one stays: that is no mask of the program."""
    at = np.array([2, 0, 1])

    def f(x):
        y, given = np.zeros(3), np.zeros(3)
        y[at], given[at] = np.log(x), x
        return np.sum(np.where(given > 0, y, 0.0) ** 2)

    d = grad(f)(np.array([4.0, 0.0, 2.0]))
    np.testing.assert_allclose(d, [np.log(4.0) / 2, 0.0, np.log(2.0)], rtol=1e-13)


# --- rules of users -------------------------------------------------------------------------------


def divided(d, y, x):
    return d * 0.5 / y


def in_a_branch(d, y, x):
    if d.ndim == 1:
        return 0.5 * (d / y)
    return d / (2 * y)


def in_a_loop(d, y, x):
    d = 0.5 * d
    for _ in range(2):
        d = d / np.sqrt(y)
    return d


@pytest.mark.parametrize("body", [divided, in_a_branch, in_a_loop])
@pytest.mark.parametrize("word", ["adjoint", "tangent", "both"])
def test_a_rule_behind_a_mask(body: Callable, word: str) -> None:
    from adcompile import rules

    def root(x):
        return np.sqrt(x)

    def f(x):
        return np.sum(np.where(x > 0, root(x) ** 3, 0.0))

    x, ones = np.array([4.0, 0.0, 1.0]), np.ones(3)
    second = np.array([0.375, 0.0, 0.75])
    with forgotten():
        if word != "tangent":
            rules.adjoint(root)(body)
        if word != "adjoint":
            rules.tangent(root)(body)
        np.testing.assert_allclose(grad(f)(x), [3.0, 0.0, 1.5], rtol=1e-14)
        np.testing.assert_allclose(grad(lambda x: np.sum(grad(f)(x)))(x), second, rtol=1e-14)
        if word != "adjoint":
            np.testing.assert_allclose(jvp(f)((x,), (ones,))[1], 4.5, rtol=1e-14)
            np.testing.assert_allclose(hvp(f)((x,), ones), second, rtol=1e-14)


# --- random programs ------------------------------------------------------------------------------


def check_random(seed: int, size: int) -> None:
    """All orders of modes, against forward mode over the same program with a double where."""
    program, safe, text = programs(seed, size)
    x, u = np.array([0.5, 0.0, 1.0, -1.0]), np.array([0.9, 0.4, -0.6, 0.7])
    assume(np.isfinite(safe(x)) and abs(safe(x)) < 1e6)
    for order in (2, 3):
        want: Callable = safe
        for _ in range(order):
            want = forward(want, u)
        scale = 1 + abs(want(x))
        assume(scale < 1e8)
        for modes in itertools.product((forward, reverse), repeat=order):
            f: Callable = program
            for mode in modes:
                f = mode(f, u)
            names = [mode.__name__ for mode in modes]
            np.testing.assert_allclose(
                f(x), want(x), rtol=1e-7, atol=1e-7 * scale, err_msg=f"{names}\n{text}"
            )


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(1, 4))
def test_random_programs(seed: int, size: int) -> None:
    check_random(seed, size)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(8))  # several tests, so that all cores share them
@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000_000), st.integers(1, 7))
def test_many_random_programs(part: int, seed: int, size: int) -> None:
    check_random(seed, size)
