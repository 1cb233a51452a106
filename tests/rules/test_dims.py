"""Arrays out of the ordinary: empty, 0-d, strided, read-only, large, float16 and long double."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adcompile import grad, runtime, value_and_grad
from tests.rules.harness import close

rng = np.random.default_rng(8)


def mixed(x, y):
    z = np.tanh(x) * y + np.maximum(x, y)
    top = np.max(z, axis=-1, keepdims=True)
    return np.sum(np.exp(z - top)) + np.mean(x * x) + np.sum(x[..., ::2])


def product_of_rows(x, y):
    return np.sum(np.sin(x @ y.T)) + np.sum(np.cumsum(x, axis=0) * y) + np.sum(x.T[1:] ** 2)


def scalars(x, y):
    return np.sin(x) * np.maximum(x, y) + np.hypot(x, y) ** 2


def sums(x, y):
    return np.sum(x * y) + np.sum(np.where(x > 0, x, y)) + np.prod(x)


A, B = rng.standard_normal((4, 6)), rng.standard_normal((4, 6))


def differences(fn: Callable[..., Any], x: Any, y: Any, d_x: Any) -> None:
    v = rng.standard_normal(np.shape(x))
    h = 1e-6
    want = (fn(x + h * v, y) - fn(x - h * v, y)) / (2 * h)
    close(np.sum(d_x * v), want, 1e-6)


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "transposed": lambda x: np.array(x.T).T,
    "Fortran order": np.asfortranarray,
    "every second": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: np.array(x[::-1])[::-1],
    "columns": lambda x: np.repeat(x, 3, axis=1)[:, ::3],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fn", [mixed, product_of_rows])
def test_layouts(fn: Any, layout: str) -> None:
    x, y = LAYOUTS[layout](A), LAYOUTS[layout](B)
    kept = x.copy(), y.copy()
    got = grad(fn, wrt=(0, 1))(x, y)
    want = grad(fn, wrt=(0, 1))(A, B)
    for g, w in zip(got, want, strict=True):
        close(g, w, 1e-13)
        assert g.shape == w.shape and g.dtype == w.dtype
    assert np.array_equal(x, kept[0]) and np.array_equal(y, kept[1])
    differences(fn, x, y, got[0])


@pytest.mark.parametrize("fn", [mixed, product_of_rows, sums])
def test_read_only_inputs(fn: Any) -> None:
    row = rng.standard_normal(6)
    x = np.broadcast_to(row, (4, 6))
    y = B.copy()
    y.setflags(write=False)
    d_x, d_y = grad(fn, wrt=(0, 1))(x, y)
    want = grad(fn, wrt=(0, 1))(x.copy(), B)
    close(d_x, want[0], 1e-13)
    close(d_y, want[1], 1e-13)
    assert d_x.flags.writeable and d_y.flags.writeable


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_empty(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape)
    value, grads = value_and_grad(sums, wrt=(0, 1))(x, x)
    assert value == 1.0
    assert all(g.shape == shape and g.dtype == np.float64 for g in grads)


@pytest.mark.parametrize("make", [float, np.float64, np.float32, np.array])
def test_scalars(make: Any) -> None:
    d_x, d_y = grad(scalars, wrt=(0, 1))(make(0.7), make(0.4))
    close(d_x, np.cos(0.7) * 0.7 + np.sin(0.7) + 1.4, 1e-6)
    close(d_y, 0.8, 1e-6)
    assert np.ndim(d_x) == 0
    if make is not float:
        assert d_x.dtype == make(0.7).dtype


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
@pytest.mark.parametrize("fn", [mixed, sums])
def test_dtypes_are_kept(fn: Any, dtype: Any) -> None:
    x, y = 0.5 * A, 0.5 * B
    got = grad(fn, wrt=(0, 1))(x.astype(dtype), y.astype(dtype))
    want = grad(fn, wrt=(0, 1))(x, y)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == dtype
        close(g, w, max(2e-13, 20 * float(np.finfo(dtype).eps)))


def test_large() -> None:
    x, y = rng.standard_normal((2, 300_000))
    d_x, _ = grad(mixed, wrt=(0, 1))(x, y)
    assert d_x.shape == x.shape and np.all(np.isfinite(d_x))
    differences(mixed, x, y, d_x)


@pytest.mark.parametrize(
    ("shape", "other"),
    [((1,), (4,)), ((4,), (4,)), ((4,), (1,)), ((3, 1), (3, 4)), ((4,), (3, 4)), ((1, 4), (3, 1))],
)
def test_unbroadcast(shape: Any, other: Any) -> None:
    """From the full cotangent, one number for it, and what has the shape of the other operand."""
    full = np.broadcast_shapes(shape, other)

    def by_hand(d: Any) -> Any:
        d = np.broadcast_to(d, full)
        d = d.sum(axis=tuple(range(len(full) - len(shape))))
        axes = tuple(k for k, n in enumerate(shape) if n == 1 and d.shape[k] != 1)
        return d.sum(axis=axes, keepdims=True)

    for d in (rng.standard_normal(full), rng.standard_normal(other), 0.5):
        got = runtime.unbroadcast(d, shape, other)
        close(got, by_hand(d), 1e-13)
        assert np.ndim(d) == 0 or got.shape == shape
    d = rng.standard_normal(full)
    assert np.array_equal(runtime.unbroadcast(d, shape), runtime.unbroadcast(d, shape, other))


def halves(x, y):
    return np.sum(x[::2] * y[1::2]) + np.mean(x[::2] + y[1::2])


def test_sizes_that_turn_out_to_be_one() -> None:
    """What is broadcast is known at the call only."""
    for n, m in [(8, 8), (8, 3), (2, 8), (1, 2)]:
        x, y = rng.standard_normal(n), rng.standard_normal(m)
        d_x, d_y = grad(halves, wrt=(0, 1))(x, y)
        differences(halves, x, y, d_x)
        differences(lambda b, a: halves(a, b), y, x, d_y)
