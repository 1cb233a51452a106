"""Where no mask is, or no mask matters, no product is selected; and where one does, it still is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from adcompile import check_grads, grad, hvp, jvp
from tests.ad import higher, inplace

rng = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def quietly() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def newton_while(a):
    x = 2.0
    while True:
        f = x**3 + a * x - 5.0
        if abs(f) < 1e-12:
            break
        x = x - f / (3 * x * x + a)
    return x


def newton_for(a):
    x = 2.0
    for _ in range(50):
        f = x**3 + a * x - 5.0
        if abs(f) < 1e-12:
            break
        x = x - f / (3 * x * x + a)
    return x


def read_on_both_sides(x):
    r = np.sqrt(x)
    if x[0] > 1.0:
        s = np.sum(r) / r[1]
    else:
        s = np.sum(r * r)
    return s


def warping(x, y):
    D = np.full((len(x) + 1, len(y) + 1), 1e9)
    D[0, 0] = 0.0
    for i in range(len(x)):
        for j in range(len(y)):
            D[i + 1, j + 1] = (x[i] - y[j]) ** 2 + min(D[i, j], D[i, j + 1], D[i + 1, j])
    return D[len(x), len(y)]


def soft_maximum_of_the_last_row(x):
    a = np.log(x)
    top = a[-1].max()
    return top + np.log(np.sum(np.exp(a[-1] - top)))


def maximum_over_rows(x):
    return np.sum(np.log(np.max(np.exp(x) / x, axis=1)))


X = rng.uniform(0.5, 2.0, (3, 4))
PLAIN = {
    newton_while: (1.3,),
    newton_for: (1.3,),
    read_on_both_sides: (X[0],),
    warping: (X[0], X[1]),
    soft_maximum_of_the_last_row: (X,),
    maximum_over_rows: (X,),
}


@pytest.mark.parametrize("program", PLAIN)
def test_gradient(program: Callable[..., Any]) -> None:
    args = PLAIN[program]
    wrt = higher.floats(args)
    check_grads(program, args, wrt=wrt, order=2)
    assert "!= 0" not in grad(program, wrt=wrt).lower(*args).source


def test_what_a_backward_sweep_takes_away_is_no_mask() -> None:
    """`d_L[i, j] = 0.0` follows from a write of something, and not of a constant."""
    (a,) = inplace.CASES[inplace.cholesky]
    second = hvp(inplace.cholesky).lower((a,), np.ones_like(a))
    assert "d_L[i, j] = 0.0" in second.source
    assert "{taken}" in second.ssa
    assert "!= 0" not in second.source


def test_the_product_of_a_number_is_no_selection() -> None:
    assert " 1.0 != 0" not in grad(grad(newton_while)).lower(1.3).source


# --- masks that matter ----------------------------------------------------------------------------


def masked_on_one_side(x, c):
    r = np.sqrt(x)
    if c:
        s = np.sum(np.where(x > 0, r, 0.0))
    else:
        s = np.sum(r)
    return s


def masked_by_the_side(x, c):
    r = np.sqrt(x)
    s = np.sum(x)
    if c:
        s += np.sum(r)
    return s


def inner_sides(x, c):
    r = np.sqrt(x)
    if c:
        s = np.sum(np.where(x > 0, r, 0.0)) if x[1] > 0 else np.sum(r) * 0.5
    else:
        s = np.sum(r)
    return s


def least_of_what_is_there(x, c):
    r = np.sqrt(x)
    return np.sum(np.where(x > 0, r, 0.0)) + np.min(np.where(x > 0, r, 9.0)) * (1.0 + c)


def the_same_twice(x, c):
    s = np.sum((1 / x)[x > 0] ** 2)
    return s + np.sum((1 / x)[x > 0] ** 2)


def highest_or_not(x, c):
    w = (x == np.max(x)) + 0
    return np.sum(np.where(w > 0, np.sqrt(x) / w, 0.0))


@pytest.mark.parametrize(
    ("program", "c", "good"),
    [
        (masked_on_one_side, True, [0.25, 0.0]),
        (masked_on_one_side, False, [0.25, np.inf]),
        (masked_by_the_side, True, [1.25, np.inf]),
        (masked_by_the_side, False, [1.0, 1.0]),
        (inner_sides, True, [0.125, np.inf]),
        (inner_sides, False, [0.25, np.inf]),
        (least_of_what_is_there, True, [0.75, 0.0]),
        (the_same_twice, True, [-0.0625, 0.0]),
        (highest_or_not, True, [0.25, 0.0]),
    ],
)
def test_mask(program: Callable[..., Any], c: bool, good: list[float]) -> None:
    np.testing.assert_array_equal(grad(program)(np.array([4.0, 0.0]), c), good)


def test_an_extremum_that_is_nan_and_masked() -> None:
    def f(x):
        m = np.max(np.log(x), axis=1)
        return np.sum(np.where(x[:, 0] > 0, m, 0.0) ** 2)

    x = np.array([[4.0, 2.0], [-1.0, -2.0]])
    want = [[2 * np.log(4.0) / 4.0, 0.0], [0.0, 0.0]]
    np.testing.assert_allclose(grad(f)(x), want, rtol=1e-15)
    np.testing.assert_allclose(jvp(f)((x,), (np.ones_like(x),))[1], want[0][0], rtol=1e-15)
    assert np.all(np.isfinite(hvp(f)((x,), np.ones_like(x))))


def root_by_side(x):
    y = x**0.5
    return y if x > 0 else 0.0


def quotient_by_side(x, a):
    y = (x * x) ** 0.5
    return a / y if y > 0 else a * a


def test_python_numbers() -> None:
    """They raise an error at a pole, but for what is masked."""
    assert grad(root_by_side)(0.0) == 0.0
    assert grad(root_by_side)(4.0) == 0.25
    assert grad(quotient_by_side)(0.0, 3.0) == 0.0
    assert grad(quotient_by_side)(2.0, 3.0) == -0.75


def test_a_mask_that_is_written_twice_is_the_same_mask() -> None:
    def f(x, y):
        r = x - y
        out = np.empty_like(r)
        out[r > 1.0] = r[r > 1.0] ** 2
        out[~(r > 1.0)] = np.abs(r[~(r > 1.0)])
        return np.mean(out)

    args = X[0] * 2, X[1]
    check_grads(f, args, wrt=(0, 1), order=2)
    for text in (grad(f).lower(*args).source, hvp(f).lower(args, args[0]).source):
        assert "unbroadcast" not in text and "full_like(z" not in text


def test_a_mask_of_other_numbers_is_another_one() -> None:
    def f(x):
        y = x * 1.0
        y[x > 1.0] *= np.sum(x[x >= 1.0])
        x = x * x
        z = x[x > 1.0]
        return np.sum(y) * np.sum(z * z[:1])

    check_grads(f, (np.array([0.5, 1.5, 3.0]),), order=2)
    y = np.array([0.2, 0.4, 3.0])  # one element is true
    check_grads(f, (y,), order=2)
