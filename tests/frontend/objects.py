"""What the tests of objects share: classes, and a program against Python and finite differences."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from adcompile import check_grads, value_and_grad


def vector(seed: int = 0, n: int = 4) -> Any:
    return np.random.default_rng(seed).normal(size=n)


def checked(f: Any, *args: Any, **kwargs: Any) -> str:
    """Finite differences, values and inputs as Python has them, the same a second time."""
    before = copy.deepcopy(args)
    want = f(*copy.deepcopy(args))
    g = value_and_grad(f)
    for _ in range(2):
        got, _ = g(*args)
        np.testing.assert_allclose(got, want, rtol=1e-12)
    same(args, before)
    check_grads(f, args, wrt=0, **kwargs)
    return g.source


def same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, tuple | list):
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b)
    elif hasattr(a, "__dict__") and not callable(a):
        assert list(vars(a)) == list(vars(b))
        same(list(vars(a).values()), list(vars(b).values()))


class Linear:
    def __init__(self, n: int, m: int, rng: Any) -> None:
        self.n = n
        self.weight = rng.normal(size=(n, m)) / np.sqrt(n)
        self.bias = np.zeros(m)

    def __call__(self, x: Any) -> Any:
        return x @ self.weight + self.bias


class MLP:
    decay = 1e-2

    def __init__(self, sizes: Any = (3, 5, 1)) -> None:
        rng = np.random.default_rng(1)
        self.layers = [Linear(n, m, rng) for n, m in zip(sizes, sizes[1:], strict=False)]
        self.act = np.tanh
        self.name = "mlp"
        self.rng = rng
        self.options = {"scale": np.array([1.5]), "twice": True}

    def forward(self, x: Any) -> Any:
        for layer in self.layers[:-1]:
            x = self.act(layer(x))
        return self.layers[-1](x) * self.options["scale"]

    @property
    def penalty(self) -> Any:
        return sum(np.sum(layer.weight**2) for layer in self.layers)

    def loss(self, x: Any, y: Any) -> Any:
        error = np.mean((self.forward(x)[:, 0] - y) ** 2)
        return (2 if self.options["twice"] else 1) * error + self.decay * self.penalty


def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(2)
    return rng.normal(size=(7, 3)), rng.normal(size=7)


class Cell:
    def __init__(self, h: Any) -> None:
        self.h = h
        self.steps = 0
        self.history: list[Any] = []

    def step(self, w: Any) -> Cell:
        self.h = np.tanh(self.h * w)
        self.steps += 1
        return self


@dataclass(frozen=True)
class Frozen:
    x: Any
    y: Any = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "y", self.y * 3)


class Point(NamedTuple):
    x: Any
    y: Any = 1.0

    def norm(self) -> Any:
        return np.sum(self.x**2) * self.y
