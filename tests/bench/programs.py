"""The programs whose derivatives are timed, as a user writes them, and inputs for them."""

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


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_loop(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return total


def gmm(alphas, means, log_scales, lower, x, gamma, m):
    """The log-likelihood of a mixture of Gaussians, up to a constant, with a Wishart prior.

    Component k has a weight in proportion to exp(alphas[k]) and an inverse covariance q.T @ q, for
    a lower triangular q: its diagonal is exp(log_scales[k]), the rest is that of lower[k].
    """
    q = np.tril(lower, -1) + np.exp(log_scales)[:, :, None] * np.eye(x.shape[1])
    scaled = (x - means[:, None]) @ np.swapaxes(q, 1, 2)
    log_det = np.sum(log_scales, axis=1)
    parts = (alphas + log_det)[:, None] - 0.5 * np.sum(scaled * scaled, axis=2)
    top = np.max(parts, axis=0)
    fit = np.sum(np.log(np.sum(np.exp(parts - top), axis=0)) + top)
    top = np.max(alphas)
    log_sum = np.log(np.sum(np.exp(alphas - top))) + top
    prior = 0.5 * gamma**2 * np.sum(q * q) - m * np.sum(log_det)
    return fit - len(x) * log_sum - prior


def layer(x, W, b):
    return np.tanh(W @ x + b)


def two_layers(x, W1, b, W2):
    return np.tanh(W2 @ np.tanh(W1 @ x + b))


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


def rosenbrock_case(n: int) -> Case:
    return Case(f"rosenbrock {n}", rosenbrock, (_normal(np.float64)(n),), (0,), with_value=False)


def rosenbrock_loop_case(n: int) -> Case:
    args = (_normal(np.float64)(n),)
    return Case(f"rosenbrock {n}, in a loop", rosenbrock_loop, args, (0,), with_value=False)


def gmm_case(points: int, dimensions: int, components: int) -> Case:
    normal, d, k = _normal(np.float64), dimensions, components
    args = (normal(k), normal(k, d), 0.1 * normal(k, d), 0.1 * normal(k, d, d), normal(points, d))
    name = f"gmm {points} x {d}, {k} components"
    return Case(name, gmm, (*args, 1.0, 0.5), (0, 1, 2, 3), with_value=False)


def layer_case(n: int) -> Case:
    normal = _normal(np.float64)
    args = (normal(n), normal(n, n) / n**0.5, normal(n))
    return Case(f"layer {n} to {n}", layer, args, (0,), with_value=False)


def two_layers_case(n: int) -> Case:
    normal = _normal(np.float64)
    args = (normal(n), normal(n, n) / n**0.5, normal(n), normal(n, n) / n**0.5)
    return Case(f"two layers {n} to {n}", two_layers, args, (0,), with_value=False)


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


def second_order_cases() -> list[Case]:
    """Whose products of Hessian and vector are timed."""
    return [
        mlp_case(32, 2, 16, 1, np.float64),
        mlp_case(128, 784, 256, 10, np.float32),
        rnn_case(50, 16, 8, 32),
        gmm_case(1000, 10, 5),
        rosenbrock_case(1000),
        rosenbrock_loop_case(1000),
        chain_case(100),
        chain_case(10**4),
        chain_case(10**6),
    ]


def hessian_cases() -> list[Case]:
    return [rosenbrock_case(200), mlp_case(32, 2, 16, 1, np.float64)]


def jacobian_cases() -> list[Case]:
    return [layer_case(100), two_layers_case(100)]


def small_cases() -> list[Case]:
    """The first programs at sizes where every element can be checked."""
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
