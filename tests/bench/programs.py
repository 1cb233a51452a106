"""The programs whose gradients are timed, as a user writes them, and inputs for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


def mlp(params, x, y):
    (W1, b1), (W2, b2) = params
    h = np.tanh(x @ W1 + b1)
    err = h @ W2 + b2 - y
    return np.mean(err * err)


def logistic(w, b, x, y):
    z = x @ w + b
    return np.mean(np.logaddexp(0.0, z) - y * z)


def rnn(Wx, Wh, b, xs, y):
    h = np.zeros((xs.shape[1], b.shape[0]))
    for x in xs:
        h = np.tanh(x @ Wx + h @ Wh + b)
    err = h - y
    return np.sum(err * err)


def chain(x, w, b):
    return np.sum(np.tanh(x * w + b) ** 2 * np.exp(-x * x))


def heat(u0, k, steps):
    u = u0.copy()
    for _ in range(steps):
        u[1:-1] += k * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u * u)


def gauss_seidel(u, f, sweeps):
    u = u.copy()
    n, m = u.shape
    for _ in range(sweeps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] - f[i, j])
    return np.sum(u * u)


def lu(A):
    A = A.copy()
    n = len(A)
    for k in range(n):
        for i in range(k + 1, n):
            A[i, k] /= A[k, k]
            for j in range(k + 1, n):
                A[i, j] -= A[i, k] * A[k, j]
    return np.sum(A * A)


def recurrence(x0, a, b):
    x = np.zeros(len(b))
    x[0] = x0
    for i in range(1, len(b)):
        x[i] = x[i - 1] * a + b[i]
    return np.sum(x * x)


@dataclass(frozen=True, slots=True)
class Case:
    """One program at one size: what is differentiated, with respect to what."""

    name: str
    program: Callable[..., Any]
    args: tuple[Any, ...]
    wrt: tuple[int, ...]  # positions of parameters
    with_value: bool  # as in training, or the gradient alone


def mlp_case(batch: int, inputs: int, hidden: int, outputs: int, dtype: type) -> Case:
    normal = _normal(dtype)
    layers = (
        (normal(inputs, hidden) / inputs**0.5, normal(hidden)),
        (normal(hidden, outputs) / hidden**0.5, normal(outputs)),
    )
    args = (layers, normal(batch, inputs), normal(batch, outputs))
    name = f"mlp {batch} x {inputs}-{hidden}-{outputs} {np.dtype(dtype)}"
    return Case(name, mlp, args, (0,), with_value=True)


def logistic_case(rows: int, features: int) -> Case:
    normal = _normal(np.float64)
    y = (normal(rows) > 0).astype(float)
    args = (normal(features) / features**0.5, normal(), normal(rows, features), y)
    return Case(f"logistic {rows} x {features}", logistic, args, (0, 1), with_value=True)


def rnn_case(steps: int, batch: int, inputs: int, hidden: int) -> Case:
    normal = _normal(np.float64)
    Wx, Wh = normal(inputs, hidden) / inputs**0.5, normal(hidden, hidden) / hidden**0.5
    args = (Wx, Wh, normal(hidden), normal(steps, batch, inputs), normal(batch, hidden))
    name = f"rnn {steps} steps, {batch} x {inputs}-{hidden}"
    return Case(name, rnn, args, (0, 1, 2), with_value=False)


def chain_case(n: int) -> Case:
    normal = _normal(np.float64)
    return Case(f"chain {n}", chain, (normal(n), normal(n), normal(n)), (0, 1, 2), with_value=False)


def heat_case(cells: int, steps: int) -> Case:
    args = (_normal(np.float64)(cells), 0.2, steps)
    return Case(f"heat {cells} x {steps} steps", heat, args, (0, 1), with_value=False)


def gauss_seidel_case(n: int, sweeps: int) -> Case:
    normal = _normal(np.float64)
    name = f"gauss-seidel {n} x {n}, {sweeps} sweeps"
    return Case(name, gauss_seidel, (normal(n, n), normal(n, n), sweeps), (0, 1), with_value=False)


def lu_case(n: int) -> Case:
    args = (_normal(np.float64)(n, n) + n * np.eye(n),)
    return Case(f"lu {n} x {n}", lu, args, (0,), with_value=False)


def recurrence_case(n: int) -> Case:
    args = (0.5, 0.9, _normal(np.float64)(n))
    return Case(f"recurrence {n}", recurrence, args, (0, 1, 2), with_value=False)


def _normal(dtype: type) -> Callable[..., Any]:
    rng = np.random.default_rng(0)
    return lambda *shape: np.asarray(rng.standard_normal(shape), dtype)


def cases() -> list[Case]:
    """The rows of the table."""
    return [
        mlp_case(32, 2, 16, 1, np.float64),
        mlp_case(128, 784, 256, 10, np.float32),
        rnn_case(50, 16, 8, 32),
        logistic_case(1000, 50),
        chain_case(100),
        chain_case(10**4),
        chain_case(10**6),
    ]


def writing_cases() -> list[Case]:
    """Programs that write into arrays: slices, elements in loops."""
    return [
        heat_case(100, 1000),
        gauss_seidel_case(40, 5),
        lu_case(60),
        recurrence_case(10**4),
    ]


def small_cases() -> list[Case]:
    """The same programs at sizes where every element can be checked."""
    return [
        heat_case(8, 3),
        gauss_seidel_case(5, 2),
        lu_case(5),
        recurrence_case(6),
        mlp_case(5, 2, 4, 3, np.float64),
        rnn_case(4, 2, 3, 5),
        logistic_case(7, 3),
        chain_case(6),
    ]
