"""Programs that adcompile, autograd and JAX can all run: `np` is NumPy or one of its doubles.

The peers run a program with their own `np` in the place of NumPy's, so what is written here is
the part of NumPy that all of them know. Some of them are timed, too: those are in `bench.programs`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from bench.programs import gmm, layer, rosenbrock, rosenbrock_loop, two_layers

rng = np.random.default_rng(11)
N = rng.standard_normal


def mlp(params, x, y):
    for W, b in params[:-1]:
        x = np.tanh(x @ W + b)
    W, b = params[-1]
    err = x @ W + b - y
    return np.mean(err * err)


def relu_network(params, x, y):
    h = np.maximum(x @ params["W1"] + params["b1"], 0.0)
    logits = h @ params["W2"] + params["b2"]
    top = np.max(logits, axis=1, keepdims=True)
    log_z = np.log(np.sum(np.exp(logits - top), axis=1, keepdims=True)) + top
    return -np.mean(np.sum(y * (logits - log_z), axis=1))


def rnn(params, xs, y):
    Wx, Wh, b = params
    h = np.zeros((xs.shape[1], b.shape[0]))
    for t in range(xs.shape[0]):
        h = np.tanh(xs[t] @ Wx + h @ Wh + b)
    return np.sum((h - y) ** 2)


def gru(params, xs):
    Wz, Wr, Wh = params
    h = np.zeros(Wz.shape[1])
    for t in range(xs.shape[0]):
        both = np.concatenate([xs[t], h])
        z = 1 / (1 + np.exp(-(both @ Wz)))
        r = 1 / (1 + np.exp(-(both @ Wr)))
        h = (1 - z) * h + z * np.tanh(np.concatenate([xs[t], r * h]) @ Wh)
    return np.sum(h * h)


def logistic_regression(w, b, x, y):
    z = x @ w + b
    return np.mean(np.logaddexp(0.0, z) - y * z) + 0.01 * np.dot(w, w)


def cross_entropy(s, y):
    z = s - np.max(s, axis=1, keepdims=True)
    log_p = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    return -np.mean(np.sum(y * log_p, axis=1))


def diagonal_gmm(log_weights, means, log_scales, x):
    diff = (x[:, None, :] - means) * np.exp(-log_scales)
    log_w = log_weights - np.log(np.sum(np.exp(log_weights)))
    parts = log_w - 0.5 * np.sum(diff * diff, axis=2) - np.sum(log_scales, axis=1)
    top = np.max(parts, axis=1)
    return np.sum(top + np.log(np.sum(np.exp(parts - top[:, None]), axis=1)))


def convolution(image, kernel, bias):
    rows = image.shape[0] - kernel.shape[0] + 1
    columns = image.shape[1] - kernel.shape[1] + 1
    out = bias + np.zeros((rows, columns))
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            out = out + kernel[i, j] * image[i : i + rows, j : j + columns]
    return np.sum(np.tanh(out) ** 2)


def kernel_regression(log_length, log_noise, x, y):
    scaled = x / np.exp(log_length)
    distance = np.sum((scaled[:, None] - scaled[None]) ** 2, axis=2)
    K = np.exp(-0.5 * distance) + np.exp(log_noise) * np.eye(x.shape[0])
    return 0.5 * y @ np.linalg.solve(K, y) + 0.5 * np.linalg.slogdet(K)[1]


def matrix_functions(a, b):
    c = np.linalg.inv(a) @ b
    return np.linalg.det(a) + np.sum(c * c) + np.trace(a @ b.T) + np.linalg.norm(b)


def tree(model):
    total = 0.0
    for part in model["layers"]:
        total = total + np.sum(np.sin(part["W"]) @ part["b"]) * model["scale"]
    left, (right, last) = model["pair"]
    return total + left * np.sum(right) + last**2


def scan(decay, gain, xs):
    state, total = np.zeros(3), 0.0
    for x in xs:
        state = decay * state + gain * np.sin(x)
        total = total + np.sum(state * state)
    return total


def masks(x, y):
    z = np.where(x > 0, x * y, np.exp(x))
    return np.sum(np.where(np.abs(z) < 1, z**3, z)) + np.sum(np.clip(x, -0.5, 0.5) * y)


def repeated_indices(table, x):
    rows = table[np.array([0, 2, 2, 1, 0])]
    return np.sum(rows * x) + np.sum(table[1] * table[:, 0][1]) + np.sum(table[::2, 1:] ** 2)


def broadcasting(a, b, c, s):
    z = a * b + c / (1.5 + b * b)
    z = z - s * a[:, :1] ** 2
    z = np.arctan2(z, 2.0 + np.minimum(z, c)) * np.hypot(z, 1.0 + s)
    return np.sum(np.power(1.5 + z * z, 0.3 * c)) + np.mean(np.maximum(a, b))


def reductions(x):
    a = np.sum(x, axis=0) * np.mean(x, axis=(0, 2))[:, None] + np.var(x, axis=2)[0, 0]
    b = np.std(x, axis=(0, 1)) * np.max(x, axis=1)[:, :2] - np.min(x)
    c = np.prod(x[0], axis=1) + np.cumsum(x, axis=1)[0, :, 1] + np.mean(x)
    return np.sum(a * a) + np.sum(np.sin(b)) + np.sum(c**3)


def shapes(x):
    a = np.reshape(x, (4, 3)).T + np.transpose(np.fliplr(x)).T[:, :]
    b = np.concatenate([a, x[:1]], axis=0)
    c = np.stack([b[0], b[-1]], axis=1) @ np.array([[1.0, 2.0], [0.5, -1.0]])
    d = np.pad(c, ((1, 0), (0, 2)), "constant") * np.repeat(np.tile(x[0], 1)[:1], 4)
    e = np.roll(np.swapaxes(np.expand_dims(d, 0), 0, 2), 2)
    return (
        np.sum(np.tril(e[:, :, 0]) ** 2) + np.sum(np.squeeze(e) * 0.3) + np.sum(np.diag(a[:, 1:]))
    )


def products(a, b, v):
    c = np.einsum("ij,kj->ik", a, b) + np.tensordot(a, b, axes=(1, 1)) * 0.5
    d = np.outer(v, v) @ a + np.dot(c, a) + np.inner(b, c.T).T
    return np.sum(np.sin(d)) + v @ c @ v + np.sum(a @ v)


def newton(a):
    x = 0.5 * a + 1.0
    for _ in range(6):
        x = 0.5 * (x + a / x)
    return np.sum(x)


def one_hot(n, k):
    return np.eye(k)[rng.integers(0, k, n)]


SIZES = [3, 5, 4, 2]
LAYERS = [(N((m, n)), N(n)) for m, n in zip(SIZES, SIZES[1:])]
SPREAD = 0.2 * N((3, 3)) + 2 * np.eye(3)

# (program, its arguments, which of them to differentiate)
PROGRAMS: list[tuple[Any, tuple[Any, ...], tuple[int, ...]]] = [
    (mlp, (LAYERS, N((7, 3)), N((7, 2))), (0, 1)),
    (
        relu_network,
        (
            {"W1": N((4, 6)), "b1": N(6), "W2": N((6, 3)), "b2": N(3)},
            N((5, 4)),
            one_hot(5, 3),
        ),
        (0, 1),
    ),
    (rnn, ((N((3, 4)), N((4, 4)), N(4)), N((6, 2, 3)), N((2, 4))), (0, 1)),
    (gru, (tuple(N((5, 3)) for _ in range(3)), N((4, 2))), (0, 1)),
    (logistic_regression, (N(4), 0.3, N((9, 4)), (N(9) > 0) * 1.0), (0, 1, 2)),
    (cross_entropy, (N((6, 4)), one_hot(6, 4)), (0,)),
    (diagonal_gmm, (N(3), N((3, 2)), 0.3 * N((3, 2)), N((8, 2))), (0, 1, 2, 3)),
    (rosenbrock, (N(12),), (0,)),
    (convolution, (N((6, 7)), N((3, 2)), 0.1), (0, 1, 2)),
    (kernel_regression, (0.3 * N(2), -1.0, N((6, 2)), N(6)), (0, 1, 2, 3)),
    (matrix_functions, (SPREAD, N((3, 3))), (0, 1)),
    (
        tree,
        (
            {
                "layers": [{"W": N((2, 3)), "b": N(3)}, {"W": N((4, 2)), "b": N(2)}],
                "scale": 0.7,
                "pair": (1.3, (N(3), 0.4)),
            },
        ),
        (0,),
    ),
    (scan, (0.8, N(3), N((5, 3))), (0, 1, 2)),
    (masks, (N((3, 4)), N(4)), (0, 1)),
    (repeated_indices, (N((3, 4)), N((5, 4))), (0, 1)),
    (broadcasting, (N((3, 4)), N((3, 1)), N(4), 0.6), (0, 1, 2, 3)),
    (reductions, (N((2, 3, 2)),), (0,)),
    (shapes, (N((3, 4)),), (0,)),
    (products, (N((3, 3)), N((3, 3)), N(3)), (0, 1, 2)),
    (newton, (np.array([2.0, 3.0, 0.5]),), (0,)),
    (
        gmm,
        (N(3), N((3, 2)), 0.3 * N((3, 2)), 0.3 * N((3, 2, 2)), N((8, 2)), 1.3, 0.4),
        (0, 1, 2, 3, 4),
    ),
    (rosenbrock_loop, (N(12),), (0,)),
]


def polar(x):
    """A vector of another length than `x`."""
    radius = np.sqrt(np.sum(x * x))
    return np.concatenate([x / radius, np.cos(x[1:]) * radius])


# Those whose value is an array.
ARRAYS: list[tuple[Any, tuple[Any, ...], tuple[int, ...]]] = [
    (layer, (N(4), N((3, 4)), N(3)), (0, 1, 2)),
    (two_layers, (N(4), N((5, 4)), N(5), N((3, 5))), (0, 1, 3)),
    (polar, (N(5),), (0,)),
]
