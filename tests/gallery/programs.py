"""User programs whose gradients are known as an expert would write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


def out(a):
    b = a + 3
    c = b * b * 3
    return c.mean()


def loss(params, x, y):
    (W1, b1), (W2, b2) = params
    h = np.tanh(x @ W1 + b1)
    err = h @ W2 + b2 - y
    return np.mean(err * err)


def weighted(x, w):
    s = 0.0
    for i in range(len(x) - 1):
        s += x[i] * x[i + 1] * w[i]
    return s


def newton_sqrt(a):
    x = a
    while abs(x * x - a) > 1e-12:
        x = 0.5 * (x + a / x)
    return x


def heat(u0, k, steps):
    u = u0.copy()
    for _ in range(steps):
        u[1:-1] += k * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u * u)


def ramp(x, limit):
    total = 0.0
    for v in x:
        if v < 0:
            continue
        if total > limit:
            break
        if v < 1:
            total += v * v
        else:
            total += np.log(v) + 1.0
    return total


def rnn(Wx, Wh, b, xs, y):
    h = np.zeros((xs.shape[1], b.shape[0]))
    for x in xs:
        h = np.tanh(x @ Wx + h @ Wh + b)
    err = h - y
    return np.sum(err * err)


@dataclass(frozen=True, slots=True)
class Pair:
    """A program, what is differentiated, and how much work and memory the expert needs.

    `operations` and `saved` are counted in the expert's text, as `counting.py` does it.
    """

    program: Callable[..., Any]
    args: tuple[Any, ...]
    wrt: tuple[int, ...]
    operations: int
    saved: int
    with_value: bool = False

    @property
    def name(self) -> str:
        return self.program.__name__ + ("_value_and_grad" if self.with_value else "_grad")


def pairs() -> list[Pair]:
    rng = np.random.default_rng(0)
    normal = rng.standard_normal
    network = ((normal((2, 4)), normal(4)), (normal((4, 3)), normal(3)))
    recurrent = (normal((3, 4)), normal((4, 4)) / 2, normal(4), normal((5, 2, 3)), normal((2, 4)))
    # Some are left out, some are below 1 and some above, and the limit ends the loop early.
    mixed = np.array([0.5, -0.3, 2.0, 0.7, -1.0, 3.0, 4.0, 0.2, 5.0])
    return [
        Pair(out, (np.array([2.0, 3.0]),), (0,), 4, 0),
        Pair(loss, (network, normal((5, 2)), normal((5, 3))), (0,), 18, 0, with_value=True),
        Pair(weighted, (normal(6), normal(5)), (0, 1), 12, 0),
        Pair(newton_sqrt, (2.0,), (0,), 15, 1),
        Pair(heat, (np.sin(np.arange(8.0)), 0.1, 4), (0, 1), 15, 1),
        Pair(ramp, (mixed, 4.5), (0,), 14, 1),
        Pair(rnn, recurrent, (0, 1, 2), 21, 3),
    ]
