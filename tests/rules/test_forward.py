"""Forward mode over control flow, lists and trees, against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcompile.ad.forward import jvp
from adcompile.frontend.lower import lower_function
from adcompile.frontend.scopes import data_type
from adcompile.ir.interpreter import run
from adcompile.ir.verifier import verify
from tests.rules.harness import close, direction


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


def settings(p):
    scale = p["scale"] if p["use"] else 1.0
    return np.sum(p["w"] * scale) / p["n"], {"w": p["w"] * p["w"]}


def clipped(x):
    with np.errstate(all="ignore"):
        y = np.log(x)
    return np.where(y > 0, y, 0.0), y[::2], y[None, 1:]


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
    (settings, ({"scale": 2.0, "use": True, "w": N(3), "n": 3},)),
    (clipped, (v([0.5, 1.5, 2.5, 0.9]),)),
]


def flat(y: Any) -> list[Any]:
    if isinstance(y, dict):
        y = list(y.values())
    return [leaf for part in y for leaf in flat(part)] if isinstance(y, list | tuple) else [y]


def along(x: Any) -> Any:
    if isinstance(x, dict):
        return {k: along(item) for k, item in x.items()}
    return direction(x) if data_type(x) is not None else None


def masked(x: Any, t: Any) -> Any:
    """A direction as a tangent: None where there is no derivative."""
    if isinstance(x, dict):
        return {k: masked(item, t[k]) for k, item in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(map(masked, x, t))
    return t if np.asarray(x).dtype.kind == "f" else None


@pytest.mark.parametrize(("fn", "args"), PROGRAMS, ids=[f.__name__ for f, _ in PROGRAMS])
def test_program(fn: Any, args: tuple[Any, ...]) -> None:
    types = [data_type(a) for a in args]
    made = lower_function(fn, types)  # type: ignore[arg-type]
    for k, x in enumerate(args):
        if isinstance(x, int):
            continue
        derivative = jvp(made, [k])
        verify(derivative)
        t = along(x)
        value, dot = run(derivative, *args, masked(x, t))
        h = 1e-5
        up, down = (
            flat(fn(*[shifted(a, t, s * h) if i == k else a for i, a in enumerate(args)]))
            for s in (1, -1)
        )
        for y, d, a, b in zip(flat(fn(*args)), flat(dot), up, down, strict=True):
            assert np.shape(d) == np.shape(y)
            close(d, (a - b) / (2 * h), 1e-7)
        for got, want in zip(flat(value), flat(fn(*args)), strict=True):
            close(got, want, 1e-14)


def shifted(x: Any, t: Any, h: float) -> Any:
    if isinstance(x, dict):
        return {k: shifted(item, t[k], h) for k, item in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(shifted(a, b, h) for a, b in zip(x, t, strict=True))
    return x + h * t if np.asarray(x).dtype.kind == "f" else x


def test_several_parameters_at_once() -> None:
    made = lower_function(swapped, [data_type(1.5), data_type(0.5)])  # type: ignore[list-item]
    _, both = run(jvp(made, [0, 1]), 1.5, 0.5, 1.0, 1.0)
    parts = [run(jvp(made, [k]), 1.5, 0.5, 1.0)[1] for k in (0, 1)]
    close(both, sum(parts), 1e-14)


def test_inputs_are_left_alone() -> None:
    x = N(4)
    kept = x.copy()
    made = lower_function(list_of_losses, [data_type(x)])  # type: ignore[list-item]
    first = run(jvp(made, [0]), x, np.ones(4))
    again = run(jvp(made, [0]), x, np.ones(4))
    assert np.array_equal(x, kept) and first == again


def test_the_tangent_of_what_does_not_depend_on_the_input_is_zero() -> None:
    def steps(x):
        return np.floor(x) * 2.0

    made = lower_function(steps, [data_type(N(3))])  # type: ignore[list-item]
    _, dot = run(jvp(made, [0]), N(3), np.ones(3))
    assert np.array_equal(dot, np.zeros(3))
