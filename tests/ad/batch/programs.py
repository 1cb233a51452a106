"""Programs whose Jacobians are taken, a family of operations each."""

from __future__ import annotations

import numpy as np

N = np.random.default_rng(5).standard_normal
A = N((3, 3)) + 3 * np.eye(3)
M = N((3, 4))
ROWS = np.array([2, 0, 1])


def P(*shape):
    return np.abs(N(shape)) + 0.5


# --- elementwise --------------------------------------------------------------------------------


def arithmetic(x, y):
    return x * y - x / y + (-x) ** 2 + 2.0 * y - 1.0


def scalars_and_arrays(a, x):
    return a * x + a * a - x / a


def ranks(x, m):
    return m * x + x * x


def column(x, m):
    return m * x[:, None] + x.sum()


def waves(x):
    return np.sin(x) * np.exp(-x * x) + np.tanh(x) + np.sqrt(np.abs(x) + 1.0)


def masked(x):
    return np.where(x > 0, x * x, -x) + np.maximum(x, 0.2) + np.clip(x, -0.5, 0.5)


def casts(x):
    return x.astype(np.float64) * 2.0 + float(x[0])


def constants(x):
    return np.ones_like(x) * 3.0


def partly_constant(x):
    return x[0] * 2.0, np.zeros(3), x


# --- reductions ---------------------------------------------------------------------------------


def sums(m):
    return np.sum(m), m.sum(axis=0), np.sum(m, axis=1, keepdims=True), np.sum(m, axis=(0, 1))


def means(m):
    return np.mean(m), m.mean(axis=-1), np.mean(m * m, axis=0, keepdims=True)


def extremes(m):
    return np.max(m), np.min(m, axis=1), m.max(axis=0)


def products(m):
    return np.prod(m, axis=1), np.prod(m[0])


def spreads(m):
    return np.var(m), np.std(m, axis=0), np.linalg.norm(m)


def running(m):
    return np.cumsum(m), np.cumsum(m, axis=1), np.cumprod(m[0])


def sorted_values(m):
    return np.sort(m, axis=0), np.sort(m[0])


def python_sums(x):
    return sum(x), sum([x[0], 2.0 * x[1], 1.0]), sum([x, x * x])


# --- shapes -------------------------------------------------------------------------------------


def reshapes(m):
    return (
        m.reshape(4, 3),
        m.reshape(-1),
        m.ravel() * 2.0,
        m.reshape(2, -1, 3),
        np.reshape(m, (12,)),
    )


def transposes(m):
    t = np.stack([m, 2.0 * m])
    return m.T, np.transpose(t, (2, 0, 1)), np.swapaxes(t, 0, 2), np.moveaxis(t, 0, -1)


def new_axes(x):
    return np.expand_dims(x, 0), np.expand_dims(x, -1), x[None, :, None], np.squeeze(x[None], 0)


def orders(m):
    return (
        np.flip(m),
        np.flip(m, 1),
        np.flipud(m),
        np.fliplr(m),
        np.roll(m, 2),
        np.roll(m, 1, axis=1),
    )


def turned(m):
    return np.rot90(m), np.rot90(m, 2), np.roll(m[0], -1)


def triangles(a):
    return np.tril(a), np.triu(a, 1), np.trace(a), np.diag(a), np.diag(a[0]), np.diagonal(a, 1)


def widened(m):
    return np.pad(m, 1), np.pad(m[0], (1, 2)), np.pad(m, ((0, 1), (2, 0)))


def repeated(x):
    return np.tile(x, 2), np.tile(x, (2, 1)), np.repeat(x, 3), np.broadcast_to(x, (2, x.size))


def as_shape(x):
    return np.zeros(x.shape) + x.size * x[0] + len(x), np.full_like(x, x[0]), np.full((2, 2), x[1])


# --- products -----------------------------------------------------------------------------------


def matrix_vector(m, x):
    return m @ x, x @ m.T, x @ x


def matrix_matrix(a, b):
    return a @ b, a.T @ a, (a @ b).sum(axis=0)


def stacked(t, a):
    return t @ a, a @ t, t @ a[0], a[0] @ t, a @ t[0, 0], t @ t


def dots(x, y, m):
    return np.dot(x, y), np.inner(x, y), np.vdot(x, y), np.outer(x, y), np.dot(m, x), np.inner(m, x)


def tensors(t, a):
    return np.tensordot(t, a, 1), np.tensordot(a, t, ([0], [1])), np.einsum("kij,jl->ikl", t, a)


def einsums(a, x):
    return np.einsum("ij,j", a, x), np.einsum("ij->ji", a), np.einsum("i,ij,j->", x, a, x)


def systems(a, x):
    return np.linalg.solve(a, x), np.linalg.inv(a), np.linalg.det(a), np.linalg.solve(a, a.T)


# --- joins --------------------------------------------------------------------------------------


def joined(x, y):
    return np.concatenate([x, y, x]), np.concatenate((x[None], y[None]), axis=0)


def stacks(x, y):
    return np.stack([x, y]), np.stack([x, y], axis=1), np.vstack([x, y]), np.hstack([x, y])


def columns(x, y):
    return (
        np.column_stack([x, y]),
        np.array([x[0], y[1], 3.0]),
        np.array([[x[0], 1.0], [2.0, y[0]]]),
    )


def pieces(x):
    a, b, c = np.split(x, 3)
    return a * b + c, np.split(x, [2])[1]


# --- elements -----------------------------------------------------------------------------------


def slices(m):
    return m[1], m[:, 2], m[1:, ::2], m[..., -1], m[0, 1], m[::-1], m[-1:]


def fancy(m):
    return m[ROWS], m[:, ROWS], m[ROWS, ROWS], m[ROWS[:, None], ROWS], m[m > 0]


def apart(t):
    return t[ROWS, :, ROWS[::-1]], t[0, :, ROWS], t[:, ROWS, ROWS], t[ROWS, None, :, 1]


def taken(m):
    at = np.argsort(m, axis=1)
    return np.take(m, ROWS), np.take(m, ROWS, axis=1), np.take_along_axis(m, at, axis=1)


def written(x):
    y = np.zeros((3, x.size))
    y[0] = x
    y[1:] += x * x
    y[2, 1:-1] -= x[2:]
    y[:, 0] = 1.0
    return y


def written_apart(t):
    u = t.copy()
    u[ROWS, :, ROWS] = t[0, 0]
    u[0, :, ROWS] += 1.0
    u[1, :, ROWS] += t[ROWS, 0, 0][:, None]
    return u


def accumulated(x):
    y = np.zeros(3)
    np.add.at(y, [0, 1, 1, 2], x)
    z = np.zeros((3, 2))
    np.add.at(z, ROWS, x[:2])
    return y, z


def through_views(x):
    y = np.zeros((x.size, 3))
    y.T[1] = x
    y[1:].T[2] += x[1:] * 2.0
    y[:, 0][1:-1] = x[2:]
    return y


def copied(x):
    y = x.copy()
    y[1:] *= y[:-1]
    y[0] = y[-1]
    return y


# --- control flow ---------------------------------------------------------------------------------


def recurrent(W, h, xs):
    states = []
    for x in xs:
        h = np.tanh(W @ h + x)
        states.append(h)
    return h, states[0] * states[-1]


def heat(u, k):
    v = u.copy()
    for _ in range(3):
        v[1:-1] += k * (v[2:] - 2 * v[1:-1] + v[:-2])
    return v


def newton(a):
    x = a
    while np.abs(x * x - a).max() > 1e-6:
        x = 0.5 * (x + a / x)
    return x, x.sum()


def branches(x, limit):
    if x.sum() > limit:
        return x * x
    y = x
    for k in range(4):
        y = y * 1.5 + k
        if y[0] > limit:
            break
    return np.sin(y) * x


def double_buffer(a, b):
    for i in range(-3, 4, 2):
        a, b = b, a * i + b
    return a, b


def settings(p):
    scale = p["scale"] if p["use"] else 1.0
    return np.sum(p["w"] * scale) / p["n"], {"w": p["w"] * p["w"]}


def quiet(x):
    with np.errstate(all="ignore"):
        y = np.log(x)
    return np.where(y > 0, y, 0.0), y[::2], y[None, 1:]


def power(x, n):
    return np.ones_like(x) if n == 0 else x * power(x, n - 1)


def elements(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(i):
            y[i] += x[j] * x[i]
        if y[i] > 0:
            y[i] = np.sqrt(y[i])
    return y


def tape(x):
    for k in range(3):
        if k == 1:
            x = x * np.exp(-x)
        else:
            x = x[::-1] * x
    return x


SAMPLES = [
    (recurrent, (N((3, 3)), N(3), N((4, 3))), (0, 1, 2)),
    (heat, (N(6), 0.1), (0, 1)),
    (newton, (P(3),), (0,)),
    (branches, (P(3), 1.0), (0,)),
    (branches, (-P(3), 1.0), (0,)),
    (double_buffer, (N(2), 0.5), (0, 1)),
    (settings, ({"scale": 2.0, "use": True, "w": N(3), "n": 3},), (0,)),
    (quiet, (P(4),), (0,)),
    (power, (N(3), 3), (0,)),
    (elements, (N(4),), (0,)),
    (tape, (N(4),), (0,)),
    (arithmetic, (P(4), P(4)), (0, 1)),
    (arithmetic, (1.5, 0.5), (0, 1)),
    (scalars_and_arrays, (1.5, N(3)), (0, 1)),
    (scalars_and_arrays, (np.float64(1.5), N((2, 2))), (0, 1)),
    (ranks, (N(4), M), (0, 1)),
    (ranks, (2.0, M), (0, 1)),
    (column, (N(3), M), (0, 1)),
    (waves, (N((2, 3)),), (0,)),
    (waves, (0.7,), (0,)),
    (masked, (N(6),), (0,)),
    (casts, (N(3),), (0,)),
    (constants, (N(3),), (0,)),
    (partly_constant, (N(4),), (0,)),
    (sums, (M,), (0,)),
    (means, (M,), (0,)),
    (extremes, (M,), (0,)),
    (products, (M,), (0,)),
    (spreads, (M,), (0,)),
    (running, (M,), (0,)),
    (sorted_values, (M,), (0,)),
    (python_sums, (N(3),), (0,)),
    (reshapes, (M,), (0,)),
    (transposes, (M,), (0,)),
    (new_axes, (N(3),), (0,)),
    (orders, (M,), (0,)),
    (turned, (M,), (0,)),
    (triangles, (A,), (0,)),
    (widened, (M,), (0,)),
    (repeated, (N(3),), (0,)),
    (as_shape, (N(3),), (0,)),
    (matrix_vector, (M, N(4)), (0, 1)),
    (matrix_matrix, (A, M), (0, 1)),
    (stacked, (N((2, 3, 3)), A), (0, 1)),
    (dots, (N(3), N(3), A), (0, 1, 2)),
    (tensors, (N((2, 3, 3)), A), (0, 1)),
    (einsums, (A, N(3)), (0, 1)),
    (systems, (A, N(3)), (0, 1)),
    (joined, (N(3), N(3)), (0, 1)),
    (stacks, (N(3), N(3)), (0, 1)),
    (columns, (N(3), N(3)), (0, 1)),
    (pieces, (N(6),), (0,)),
    (slices, (M,), (0,)),
    (fancy, (M,), (0,)),
    (apart, (N((3, 3, 3)),), (0,)),
    (taken, (M,), (0,)),
    (written, (N(4),), (0,)),
    (written_apart, (N((3, 3, 3)),), (0,)),
    (accumulated, (N(4),), (0,)),
    (through_views, (N(4),), (0,)),
    (copied, (N(4),), (0,)),
]
