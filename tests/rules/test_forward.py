"""Forward mode over control flow, lists and trees: against differences and reverse mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcompile import check_grads, jvp


def mean_example(a):
    b = a + 3
    c = b * b * 3
    return c.mean()


def network(params, x, y):
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


def list_of_losses(x):
    losses = []
    for i in range(len(x)):
        losses.append(x[i] * x[i])
    total = 0.0
    for loss in losses:
        total = total + np.sqrt(loss + 1.0)
    return total * losses[1]


def early_return(x, limit):
    if x > limit:
        return x * x
    y = x
    for k in range(5):
        y = y * 1.5
        if y > limit:
            return y * x
    return np.sin(y)


def swapped(a, b):
    for i in range(-3, 4, 2):
        a, b = b, a * i + b
    return a * b


def power(x, n):
    return 1.0 if n == 0 else x * power(x, n - 1)


v = np.array
rng = np.random.default_rng(3)
N = rng.standard_normal
PARAMS = ((N((3, 4)), N(4)), (N((4, 2)), N(2)))

PROGRAMS: list[tuple[Any, tuple[Any, ...]]] = [
    (mean_example, (v([2.0, 3.0]),)),
    (network, (PARAMS, N((5, 3)), N((5, 2)))),
    (weighted, (N(4), N(3))),
    (newton_sqrt, (2.0,)),
    (ramp, (v([0.5, -1.0, 2.0, 0.2, 3.0, 0.1]), 1.9)),
    (ramp, (v([0.5, -1.0, 2.0, 0.2, 3.0, 0.1]), 100.0)),
    (rnn, (N((3, 2)), N((2, 2)), N(2), N((4, 5, 3)), N((5, 2)))),
    (list_of_losses, (N(4),)),
    (early_return, (3.0, 2.0)),
    (early_return, (0.9, 2.0)),
    (early_return, (0.1, 2.0)),
    (swapped, (1.5, 0.5)),
    (power, (1.3, 4)),
]


@pytest.mark.parametrize(("fn", "args"), PROGRAMS, ids=[f.__name__ for f, _ in PROGRAMS])
def test_program(fn: Any, args: tuple[Any, ...]) -> None:
    check_grads(fn, args, modes=("forward", "reverse"), order=2)


def test_trees() -> None:
    """What carries no derivative has the tangent None."""

    def settings(p, q):
        scale = p["scale"] if q["use"] else 1.0
        return np.sum(p["w"] * scale) / q["n"], {"w": p["w"] * p["w"], "n": q["n"]}

    w, d_w = N(3), N(3)
    p, q = {"scale": 2.0, "w": w}, {"use": True, "n": 3}
    d_p = {"scale": 0.5, "w": d_w}
    (total, squares), (d_total, d_squares) = jvp(settings)((p, q), (d_p, None))
    assert total == np.sum(w * 2.0) / 3 and np.array_equal(squares["w"], w * w)
    assert np.isclose(d_total, np.sum(w * 0.5 + d_w * 2.0) / 3, rtol=1e-14)
    assert np.allclose(d_squares["w"], 2 * w * d_w, rtol=1e-14) and d_squares["n"] is None


def test_several_results() -> None:
    def clipped(x):
        with np.errstate(all="ignore"):
            y = np.log(x)
        return np.where(y > 0, y, 0.0), y[::2], y[None, 1:]

    x, d_x = v([0.5, 1.5, 2.5, 0.9]), N(4)
    _, dots = jvp(clipped)((x,), (d_x,))
    d_y = d_x / x
    for got, want in zip(dots, (np.where(x > 1, d_y, 0.0), d_y[::2], d_y[None, 1:]), strict=True):
        assert got.shape == want.shape and np.allclose(got, want, rtol=1e-14)


def test_several_parameters_at_once() -> None:
    _, both = jvp(swapped)((1.5, 0.5), (1.0, 1.0))
    parts = [jvp(swapped, wrt=k)((1.5, 0.5), 1.0)[1] for k in (0, 1)]
    assert np.isclose(both, sum(parts), rtol=1e-14)


def test_the_tangent_of_what_does_not_depend_on_the_input_is_zero() -> None:
    dot = jvp(lambda x: np.floor(x) * 2.0)((N(3),), (np.ones(3),))[1]
    assert dot.shape == (3,) and np.array_equal(dot, np.zeros(3))
