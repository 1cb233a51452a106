"""Functions in containers, as arguments and in caches; functions that NumPy calls."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from adcompile import AdcompileError, check_grads, grad


def vector(n: int = 4) -> Any:
    return np.random.default_rng(3).normal(size=n)


def matrix() -> Any:
    return np.random.default_rng(4).normal(size=(3, 4))


def cube() -> Any:
    return np.random.default_rng(5).normal(size=(2, 3, 4))


def twice(f: Any) -> Any:
    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return f(*args, **kwargs) * 2

    return wrapper


@twice
def scaled(x: Any, k: float = 2.0) -> Any:
    return np.sum(np.sin(x) * k)


class Affine:
    def __init__(self, a: Any, b: Any) -> None:
        self.a, self.b = a, b

    def __call__(self, x: Any) -> Any:
        return self.a * x + self.b


def test_functions_in_containers() -> None:
    steps = {"sin": np.sin, "twice": lambda v: 2 * v}

    def f(x: Any, acts: Any, layers: Any) -> Any:
        for act, layer in zip(acts, layers, strict=False):
            x = act(layer(x))
        for layer in layers[::-1]:
            x = layer(x)
        chain = [np.tanh, steps["sin"], scaled]
        return chain[2](chain[0](steps["twice"](x)), k=3.0)

    layers = [Affine(vector(), 0.5), Affine(1.5, vector())]
    check_grads(f, (vector(), (np.tanh, lambda v: v * v), layers), wrt=(0,))
    check_grads(lambda layers, x: f(x, [np.sin], layers), (layers, vector()))


def test_a_wrapper_is_part_of_the_program() -> None:
    check_grads(lambda x: scaled(x) + scaled(x, k=0.5), (vector(),))


def test_partial() -> None:
    g = functools.partial(scaled, k=3.0)

    def f(x: Any) -> Any:
        h = functools.partial(np.power, x)
        return g(x) + np.sum(h(2))

    check_grads(f, (vector(),))


@functools.lru_cache
def table(n: int, kind: str) -> Any:
    return np.arange(n) * 1.0 if kind == "range" else np.ones(n)


@functools.cache
def squared(v: Any) -> Any:
    return v * v


def test_caches() -> None:
    def f(x: Any, y: Any) -> Any:
        return np.sum(x * table(4, "range")) * squared(y)

    table.cache_clear()
    g = grad(f, wrt=(0, 1))
    for _ in range(3):
        d_x, d_y = g(vector(), 1.5)
    assert table.cache_info().misses == 1
    np.testing.assert_allclose(d_x, np.arange(4) * 2.25)
    np.testing.assert_allclose(d_y, 3.0 * np.sum(vector() * np.arange(4)))
    check_grads(f, (vector(), 1.5))


class Memo:
    """A decorator that is a class, with state."""

    def __init__(self, f: Any) -> None:
        functools.update_wrapper(self, f)
        self.f = f
        self.count = 0

    def __call__(self, x: Any) -> Any:
        self.count += 1
        return self.f(x) * self.count


def test_a_callable_with_state() -> None:
    memo = Memo(np.sin)

    def f(x: Any, memo: Any) -> Any:
        return np.sum(memo(x)) + np.sum(memo(x))

    np.testing.assert_allclose(grad(f)(vector(), memo), 3 * np.cos(vector()))
    assert memo.count == 0
    with pytest.raises(AdcompileError, match="a write into it outlasts the call"):
        grad(lambda x: np.sum(memo(x)))(vector())


# --- functions that NumPy calls -------------------------------------------------------------------


@np.vectorize
def softplus(v: Any) -> Any:
    if v < 0:
        return np.log1p(np.exp(v))
    return v + np.log1p(np.exp(-v))


def _pair(a: Any, b: Any) -> Any:
    return a * np.sin(b) if a > 0 else a * b


VECTORIZED = {
    "vector": (lambda x: np.sum(softplus(x) * x), vector()),
    "matrix": (lambda x: np.sum(softplus(x) ** 2), matrix()),
    "number": (lambda x: softplus(x) * x, 1.5),
    "float32": (lambda x: np.sum(softplus(x) * x), matrix().astype(np.float32)),
    "with a number": (lambda x: np.sum(np.vectorize(_pair)(x, 2.0)), matrix()),
    "number first": (lambda x: np.sum(np.vectorize(_pair)(2.0, x)), matrix()),
    "broadcast": (lambda x: np.sum(np.vectorize(_pair)(x, x[0]) ** 2), matrix()),
    "three": (lambda x: np.sum(np.vectorize(lambda a, b, c: a * b + c)(x, x[0], 2)), matrix()),
    "otypes": (lambda x: np.sum(np.vectorize(_pair, otypes=[float])(x, x)), vector()),
}


@pytest.mark.parametrize("name", VECTORIZED)
def test_vectorize(name: str) -> None:
    f, x = VECTORIZED[name]
    check_grads(f, (x,))


ALONG = {
    "sum": lambda x: np.sum(np.apply_along_axis(np.sum, 1, x) ** 2),
    "lambda": lambda x: np.sum(np.apply_along_axis(lambda r: np.sum(r**2) * r[1:], 0, x) ** 2),
    "negative": lambda x: np.sum(np.apply_along_axis(lambda r: r[::-1] * r, -1, x) ** 3),
    "more": lambda x: np.sum(np.apply_along_axis(lambda r, k, p: k * r**p, 1, x, 2.0, p=2)),
    "vector": lambda x: np.sum(np.apply_along_axis(np.cumsum, 0, np.ravel(x)) ** 2),
    "over axes": lambda x: np.sum(np.apply_over_axes(np.sum, x**2, (0, 1)) ** 2),
}


@pytest.mark.parametrize("name", ALONG)
@pytest.mark.parametrize("x", [matrix(), cube()], ids=["matrix", "cube"])
def test_apply_along_axis(name: str, x: Any) -> None:
    check_grads(ALONG[name], (x,))


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
@pytest.mark.parametrize("fn", [lambda r: np.sum(r**2), lambda r: r[1:] * r[:-1]])
def test_shapes_are_those_of_numpy(fn: Any, axis: int) -> None:
    def f(x: Any) -> Any:
        made = np.apply_along_axis(fn, axis, x)
        return np.sum(made * weights)

    weights = np.random.default_rng(1).normal(size=np.apply_along_axis(fn, axis, cube()).shape)
    check_grads(f, (cube(),))


def test_refused() -> None:
    with pytest.raises(AdcompileError, match="`signature`"):
        grad(lambda x: np.sum(np.vectorize(np.sum, signature="(n)->()")(x)))(matrix())
    with pytest.raises(AdcompileError, match="does not give one number"):
        grad(lambda x: np.sum(np.vectorize(lambda v: (v, v))(x)[0]))(vector())
