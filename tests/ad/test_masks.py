"""What a mask keeps away contributes exactly zero: in reverse, in forward mode, in second order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from adcompile import grad, hessian, hvp, jacobian, jvp, value_and_grad
from tests.ad.masks import FUNCTIONS, Program, Steep, for_arrays, for_numbers, selections

STEEPEST = ("sqrt", "log", "divide", "power", "arcsin")  # in all modes and shapes every time


@pytest.fixture(autouse=True)
def quietly() -> Iterator[None]:
    """What is masked is computed all the same, as NumPy does, and warned of."""
    with np.errstate(all="ignore"):
        yield


def pairs(*groups: Any) -> list[Any]:
    """(function, program made of it) for all functions."""
    return [
        pytest.param(steep, program, id=f"{name}-{idiom}")
        for name, steep in FUNCTIONS.items()
        for group in groups
        for idiom, program in group(steep.fn).items()
    ]


def some(found: list[Any]) -> list[Any]:
    """Those of a few functions, and those of all others in the nightly run alone."""
    later = pytest.mark.nightly
    return [
        p if p.id.rsplit("-", 1)[0] in STEEPEST else pytest.param(*p.values, id=p.id, marks=later)
        for p in found
    ]


ARRAYS, NUMBERS = pairs(selections, for_arrays), pairs(selections, for_numbers)
BROADCAST = pairs(selections)


def vector(steep: Steep) -> tuple[Any, Any]:
    """Good and bad numbers in turn, and where they are good."""
    good, bad = steep.good, steep.bad
    x = np.array([good[0], bad[0], good[1], bad[-1], good[2], bad[len(bad) // 2]])
    return x, np.array([True, False] * 3)


def differences(program: Program, x: Any, c: Any) -> Any:
    """Central differences in float64 with respect to what is good, zeros elsewhere."""
    x = np.array(x, float)
    d = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        if np.broadcast_to(c, x.shape)[at]:
            e = np.zeros_like(x)
            e[at] = 1e-5
            d[at] = (program(x + e, c) - program(x - e, c)) / 2e-5
    return d


def check(program: Program, x: Any, c: Any) -> None:
    d = grad(program)(x, c)
    single = np.asarray(x).dtype == np.float32
    if isinstance(x, float) and not isinstance(x, np.floating):
        assert type(d) is float or type(d) is np.float64
    else:
        assert np.shape(d) == np.shape(x) and d.dtype == x.dtype
    assert not np.any(np.where(c, 0.0, d) != 0.0)
    rtol, atol = (2e-3, 1e-5) if single else (1e-6, 1e-8)
    np.testing.assert_allclose(d, differences(program, x, c), rtol=rtol, atol=atol)


@pytest.mark.parametrize(("steep", "program"), ARRAYS)
def test_vector(steep: Steep, program: Program) -> None:
    check(program, *vector(steep))


@pytest.mark.parametrize(("steep", "program"), some(ARRAYS))
def test_vector_of_float32(steep: Steep, program: Program) -> None:
    x, c = vector(steep)
    check(program, x.astype(np.float32), c)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("steep", "program"), some(BROADCAST))
def test_matrix_and_mask_that_broadcasts(steep: Steep, program: Program, dtype: Any) -> None:
    (a, p, b, q, d, r), _ = vector(steep)
    x = np.array([[a, p, b, q], [b, q, d, r], [d, r, a, p]], dtype)
    check(program, x, np.array([True, False, True, False]))
    check(program, x.T.copy(), np.array([[True], [False], [True], [False]]))


@pytest.mark.parametrize(("steep", "program"), some(NUMBERS))
def test_number(steep: Steep, program: Program) -> None:
    for value, c in ((steep.good[0], True), (steep.bad[0], False), (steep.bad[-1], False)):
        for x in (np.float64(value), np.float32(value), np.array(value)):
            check(program, x, c)


@pytest.mark.parametrize("fn", [np.sqrt, np.log, np.arctanh])
def test_python_number(fn: Any) -> None:
    """What divides by zero is not computed: Python would raise an error."""
    programs = selections(fn) | for_numbers(fn)
    for name in ("where", "swapped", "chain", "after", *for_numbers(fn)):
        check(programs[name], 0.5, True)
        check(programs[name], 1.0 if fn is np.arctanh else 0.0, False)


def modes_agree(program: Program, x: Any, c: Any) -> None:
    """Forward mode gives what reverse mode does, to second order."""
    u = np.linspace(0.3, 1.0, x.size).reshape(x.shape)
    d = grad(program)(x, c)
    _, dot = jvp(lambda x: program(x, c))((x,), (u,))
    np.testing.assert_allclose(dot, np.sum(d * u), rtol=1e-12, atol=1e-12)
    forward_over_reverse = hvp(lambda x: program(x, c))((x,), u)
    reverse_over_reverse = grad(lambda x: np.sum(grad(program)(x, c) * u))(x)
    e = 1e-5 * np.where(c, u, 0.0)
    want = (grad(program)(x + e, c) - grad(program)(x - e, c)) / 2e-5
    for got in (forward_over_reverse, reverse_over_reverse):
        assert np.all(got[np.logical_not(c)] == 0.0)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("steep", "program"), some(ARRAYS))
def test_modes_agree(steep: Steep, program: Program) -> None:
    modes_agree(program, *vector(steep))


# --- masks that are no np.where ------------------------------------------------------------------


def normalized(x):
    r = np.sqrt(np.sum(x * x, axis=1, keepdims=True))
    y = np.where(r > 0, x / r, 0.0)
    return np.sum(np.sin(y) * np.arange(1.0, 4.0))


def clipped(x):
    return np.sum(np.sqrt(np.maximum(x, 0.0)) + np.log(np.clip(x, 0.5, 3.0)))


def rectified(x):
    return np.sum(np.sqrt(np.fmax(x, 0.0)) + np.sqrt(-np.minimum(x, 0.0)))


def cleaned(x):
    return np.sum(np.nan_to_num(np.log(x), nan=0.0, neginf=0.0) ** 2)


def weighted(x):
    return np.sum(np.sqrt(x * x) * (x > 0)) + np.sum(np.log1p(x * x) ** 0.5 * (x > 0))


def largest(x):
    return np.max(np.sqrt(np.where(x > 0, x, 0.0)))


def lower(x):
    return np.sum(np.tril(np.log(x)) ** 2)


def divided(x):
    return np.sum(np.divide(np.sin(x), x, out=np.ones_like(x), where=x != 0) ** 2)


def repeated(x):
    h = np.sqrt(x)
    for _ in range(3):
        h = np.where(h > 0, np.sqrt(h) + h, 0.0)
    return np.sum(h)


def halves(x, n):
    return x if n == 0 else 0.5 * halves(np.sqrt(x), n - 1)


def recursive(x):
    return np.sum(np.where(x > 0, halves(x, 3), 0.0))


def recursive_maximum(x):
    return np.sum(np.sqrt(np.maximum(halves(np.maximum(x, 0.0), 2), 0.0)))


X = np.array([1.5, 0.0, 2.0, -1.0])
LOWER = np.tril(np.full((3, 3), 2.0) + np.eye(3))
ROWS = np.array([[3.0, -4.0, 1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 2.0]])


@pytest.mark.parametrize(
    ("program", "x", "good"),
    [
        (normalized, ROWS, ROWS != 0),
        (rectified, np.array([1.5, -2.0, 3.0]), np.ones(3, bool)),
        (lower, LOWER, LOWER > 0),
        (divided, X, X != 0),
        *((f, X, X > 0) for f in (clipped, cleaned, weighted, largest)),
        *((f, X, X > 0) for f in (repeated, recursive, recursive_maximum)),
    ],
)
def test_program(program: Any, x: Any, good: Any) -> None:
    d = grad(program)(x)
    assert d.shape == x.shape and d.dtype == np.float64
    assert np.all(d[np.logical_not(good)] == 0.0)
    modes_agree(lambda x, c: program(x), x, good)
    want = differences(lambda x, c: program(x), x, good)
    np.testing.assert_allclose(d, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_jacobian(mode: str) -> None:
    """All directions at once keep to the masks as one does."""

    def units(x):
        r = np.sqrt(np.sum(x * x, axis=1, keepdims=True))
        return np.where(r > 0, x / r, 0.0)

    found = jacobian(units, mode=mode)(ROWS)
    assert found.shape == (3, 3, 3, 3) and found.dtype == np.float64
    want = np.zeros_like(found)
    for k in (0, 2):
        r = np.linalg.norm(ROWS[k])
        want[k, :, k, :] = (np.eye(3) - np.outer(ROWS[k], ROWS[k]) / r**2) / r
    np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-15)


def test_hessian() -> None:
    def f(x):
        return np.sum(np.where(x > 0, np.sqrt(x), 0.0)) ** 2

    d = np.where(X > 0, 0.5 / np.sqrt(X), 0.0)
    curved = np.where(X > 0, -0.25 * X**-1.5, 0.0)
    total = np.sum(np.sqrt(X[X > 0]))
    want = 2 * (np.outer(d, d) + total * np.diag(curved))
    np.testing.assert_allclose(hessian(f)(X), want, rtol=1e-12, atol=1e-15)


def test_zero_by_accident_is_no_mask() -> None:
    """At x = 1 the gradient of log(x)**2 is zero, its second derivative is not."""

    def f(x):
        y = np.reshape(np.log(x), (-1, 1))
        return np.sum(np.where(np.reshape(x > 0, (-1, 1)), y * y, 0.0))

    x = np.array([1.0, 0.0, 2.0])
    assert list(grad(f)(x)) == [0.0, 0.0, np.log(2.0)]
    for second in (hvp(f)((x,), np.ones(3)), grad(lambda x: np.sum(grad(f)(x)))(x)):
        np.testing.assert_allclose(second, [2.0, 0.0, 0.5 * (1 - np.log(2.0))], rtol=1e-14)


def test_what_is_not_masked_stays_infinite() -> None:
    def f(x):
        return np.sum(np.where(x < 1, np.sqrt(x), 0.0))

    assert list(grad(f)(np.array([0.0, 4.0]))) == [np.inf, 0.0]

    def g(x):
        y = np.sqrt(x)
        return np.sum(np.where(x > 0, y, 0.0)) + np.sum(y)

    assert list(grad(g)(np.array([0.0, 4.0]))) == [np.inf, 0.5]


def test_nan_goes_through() -> None:
    def f(x, w):
        return np.sum(np.reshape(np.where(x > 0, np.sqrt(x), 0.0), (-1, 1)) * w)

    d = grad(f)(np.array([4.0, 0.0]), np.array([np.nan]))
    assert np.isnan(d[0]) and d[1] == 0.0


def test_value_is_what_it_was() -> None:
    for name in STEEPEST:
        x, c = vector(FUNCTIONS[name])
        for program in (selections(FUNCTIONS[name].fn) | for_arrays(FUNCTIONS[name].fn)).values():
            assert value_and_grad(program)(x, c)[0] == program(x, c)


# --- the text ------------------------------------------------------------------------------------


def lines_of(f: Any, *args: Any) -> list[str]:
    text = grad(f).lower(*args).source
    return [line.strip() for line in text.splitlines()]


def test_the_mask_stays_outside() -> None:
    def f(x):
        return np.sum(np.where(x > 0, np.sqrt(x), 0.0))

    assert "d_x = np.where(mask, 0.5 / z, 0)" in lines_of(f, X)


def test_contributions_under_one_mask_are_added_under_it() -> None:
    def f(x):
        return np.sum(np.where(x > 0, x * np.sqrt(x), 0.0))

    assert "d_x = np.where(mask, z + 0.5 * (x / z), 0)" in lines_of(f, X)


def test_a_mask_out_of_sight() -> None:
    lines = lines_of(normalized, ROWS)
    assert any("np.where(d_r != 0, d_r * (0.5 / r), 0)" in line for line in lines)


def test_a_number_is_chosen() -> None:
    def f(x):
        y = np.sqrt(x)
        return y if x > 0 else 0.0

    assert "d_x = d_y * (0.5 / y) if d_y != 0 else 0.0" in lines_of(f, 4.0)


def test_what_is_finite_is_multiplied() -> None:
    """One selection for two operands, and masks that are factors, as without any of this."""

    def f(x, w):
        h = np.maximum(np.tanh(x @ w), 0.0)
        y = np.where(h > 0.5, np.sin(x[:, :2]) * h, 0.0)
        return np.sum(y * y)

    lines = lines_of(f, np.ones((3, 4)), np.ones((4, 2)))
    assert "d_z = np.where(mask, d_y, 0)" in lines
    assert "d_z = d_h * (z > 0.0) * (1 - z * z)" in lines
    assert not any("!= 0" in line for line in lines)


def test_what_is_in_a_tree_is_not_masked() -> None:
    def f(params):
        s = np.maximum(params["b"], 0.0)
        return np.sum(params["a"] * np.exp(params["b"]) * s)

    params = {"a": np.array([0.1, 0.4, -0.3]), "b": np.array([0.2, -0.5, 0.7])}
    assert "!= 0" not in hvp(f).lower((params,), params).source


def test_a_mask_selects_where_the_cotangent_may_be_infinite() -> None:
    def f(x):
        return np.sum(np.sqrt(np.maximum(x, 0.0)))

    assert "d_x = np.where(x > 0.0, 0.5 / z, 0)" in lines_of(f, X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_float64_in_a_float32_program(dtype: Any) -> None:
    def f(x):
        y = np.where(x > 0, np.sqrt(x) / x, 0.0)
        return np.mean(np.sqrt(np.maximum(y, 0.0))) + np.sum(np.where(x > 0, np.log(x), 0.0))

    d = grad(f)(X.astype(dtype))
    assert d.dtype == dtype and np.all(np.isfinite(d))
