"""Programs that write into arrays as people do: stencils, factorisations, tables, simulations.

The first half are whole programs of numerical work; the second half has one of everything that a
write can be. `CASES` gives each its arguments.
"""

from __future__ import annotations

import numpy as np


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
    return np.sum(np.log(np.abs(np.diag(A))))


def lu_rows(A):
    A = A.copy()
    for k in range(len(A)):
        A[k + 1 :, k] /= A[k, k]
        A[k + 1 :, k + 1 :] -= A[k + 1 :, k][:, None] * A[k, k + 1 :]
    return np.sum(A * A)


def cholesky(A):
    n = len(A)
    L = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            s = A[i, j]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:
                L[i, i] = np.sqrt(s)
            else:
                L[i, j] = s / L[j, j]
    return np.sum(L * L * L)


def back_substitution(U, b):
    x = np.zeros_like(b)
    for i in range(len(b) - 1, -1, -1):
        x[i] = (b[i] - U[i, i + 1 :] @ x[i + 1 :]) / U[i, i]
    return np.sum(x * x)


def soft_edit_distance(x, y, softness):
    n, m = len(x), len(y)
    D = np.zeros((n + 1, m + 1))
    for i in range(1, n + 1):
        D[i, 0] = i
    for j in range(1, m + 1):
        D[0, j] = j
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            a = D[i - 1, j] + 1.0
            b = D[i, j - 1] + 1.0
            c = D[i - 1, j - 1] + (x[i - 1] - y[j - 1]) ** 2
            total = np.exp(-a / softness) + np.exp(-b / softness) + np.exp(-c / softness)
            D[i, j] = -softness * np.log(total)
    return D[n, m]


def fdtd(E, H, eps, steps):
    E = E.copy()
    H = H.copy()
    for t in range(steps):
        H[:-1] += 0.5 * (E[1:] - E[:-1])
        E[1:-1] += 0.5 / eps[1:-1] * (H[1:-1] - H[:-2])
        E[1] += np.sin(0.3 * t)
    return np.sum(E * E) + np.sum(H * H)


def leapfrog(position, velocity, mass, steps):
    position, velocity = position.copy(), velocity.copy()
    for _ in range(steps):
        force = np.zeros_like(position)
        for i in range(len(mass)):
            for j in range(len(mass)):
                if i != j:
                    d = position[j] - position[i]
                    force[i] += mass[j] * d / (d @ d + 0.1) ** 1.5
        velocity += 0.1 * force
        position += 0.1 * velocity
    return np.sum(position * position)


def adam(w, x, y, steps):
    w = w.copy()
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        g = x.T @ (x @ w - y)
        m *= 0.9
        m += 0.1 * g
        v *= 0.99
        v += 0.01 * g**2
        w -= 0.1 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.99**t)) + 1e-3)
    return np.sum((x @ w - y) ** 2)


def running_window(x, width):
    ring = np.zeros(width)
    total = 0.0
    for i in range(len(x)):
        total -= ring[i % width] ** 2
        ring[i % width] = x[i]
        total += x[i] ** 2
    return total + np.sum(ring)


def histogram(x, weights, bins):
    counts = np.zeros(bins)
    for i in range(len(x)):
        k = int(x[i] * bins) % bins
        counts[k] += weights[i]
    return np.sum(counts**2)


# --- one of everything --------------------------------------------------------------------------


def heat(u0, k, steps):
    u = u0.copy()
    for t in range(steps):
        u[1:-1] += k * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u * u)


def param(x):
    x[1:] *= x[:-1]
    x += 1.0
    return (x**3).sum()


def row_view(A):
    B = A.copy()
    for i in range(1, len(B)):
        row = B[i]
        row[1:] = row[:-1] * B[i - 1][1:]
    return np.sum(B * A)


def transposed(A, v):
    B = A.copy()
    B.T[1:][0] = v * 2.0
    B.T[0] *= v
    return np.sum(B**2)


def chain(A, s):
    B = np.sin(A)
    B[1][0] = s * B[0][1]
    B[0][1:] += B[1][1:] * s
    return np.sum(B * B)


def fancy_set(x, v):
    y = x * 2.0
    idx = np.array([0, 2, 0, 3])
    y[idx] = v
    return np.sum(y * y * x)


def fancy_scalar(x, s):
    y = x * 2.0
    y[np.array([0, 2, 0])] = s * s
    return np.sum(y**3)


def fancy_aug(x, v):
    y = x * 1.0
    idx = np.array([0, 2, 0, 3])
    y[idx] += v
    return np.sum(y**3)


def fancy_mul(x, v):
    y = x * 1.0
    idx = np.array([0, 2, 0, 3])
    y[idx] *= v
    return np.sum(y**3)


def add_at(x, v):
    y = x * 1.0
    idx = np.array([0, 2, 0, 3])
    np.add.at(y, idx, v)
    return np.sum(y**3)


def sub_at(x, v):
    y = x * 1.0
    np.subtract.at(y, np.array([0, 2, 0, 3]), v * v)
    return np.sum(y**3)


def mask(x, v):
    y = x * 1.0
    y[x > 0] = v[0]
    y[x < -0.5] *= v[1]
    return np.sum(y * x)


def mask_vec(x, v):
    y = x * 1.0
    m = x > 0
    y[m] = v[m] * y[m]
    y[~m] -= v[~m]
    return np.sum(y * y)


def fancy2(A, v):
    B = A * 1.0
    i = np.array([0, 1, 0])
    j = np.array([1, 0, 1])
    B[i, j] = v
    B[:, i] *= 2.0
    B[i] = v[0] * B[i]
    return np.sum(B**2)


def minus(x, v):
    y = np.exp(x)
    y[1:] -= v * y[:-1]
    y -= v[0]
    return np.sum(y**3)


def broadcast_v(A, v, s):
    B = A * A
    B[1:, :] = v
    B[:, 0] += s
    B[0] = s * v
    return np.sum(B**3)


def swap(x):
    y = x.copy()
    y[0], y[2] = y[2] * 2.0, y[0]
    return np.sum(y * np.arange(1.0, len(y) + 1) * x)


def prefix(x0, a, b):
    x = np.zeros(len(b))
    x[0] = x0
    for i in range(1, len(b)):
        x[i] = x[i - 1] * a + b[i]
    return np.sum(x * x)


def whole(x, v):
    y = np.sin(x)
    y[...] = y * v
    y[:] = np.cos(y)
    return np.sum(y)


def iadd_all(x, v):
    y = np.sin(x)
    y += v
    y *= y
    y /= v
    y **= 2
    return np.sum(y)


def out_arg(x, v):
    y = np.empty_like(x)
    np.multiply(x, v, out=y)
    np.sin(y, out=y)
    return np.sum(y * y)


def fill(x, s):
    y = x * 2
    y.fill(s)
    y[0] = x[1]
    return np.sum(y * x)


def branch(x, s):
    y = x.copy()
    for i in range(len(y)):
        if y[i] > 0:
            y[i] *= s
        else:
            y[i] = s * s
    return np.sum(y * y)


def whileloop(x, s):
    y = x.copy()
    i = 0
    while i < len(y) - 1:
        y[i + 1] += s * y[i] * y[i]
        i += 1
        if y[i] > 3:
            break
    return np.sum(y)


def nested(A, s):
    B = A.copy()
    n, m = B.shape
    for i in range(1, n):
        for j in range(1, m):
            B[i, j] = s * B[i - 1, j] + B[i, j - 1] * B[i, j]
    return B[-1, -1] + B.sum()


def nested2(A, s):
    B = A.copy()
    for i in range(1, len(B)):
        for j in range(1, len(B[0])):
            B[i][j] = s * B[i - 1][j] + B[i][j - 1] * B[i][j]
    return B[-1][-1] + B.sum()


def double_buffer(u0, k):
    u = u0.copy()
    w = np.empty_like(u)
    for t in range(3):
        w[:] = u
        w[1:-1] += k * (u[2:] - u[:-2]) * u[1:-1]
        u, w = w, u
    return np.sum(u * u)


def saved_view(x):
    y = x.copy()
    s = 0.0
    for i in range(3):
        t = y[1:]
        s += np.sum(t * t * t)
        y[0:2] = y[1:3] * y[0:2]
    return s + y[0]


def strides(x):
    y = x.copy()
    y[::2] = y[::-2] * 2.0
    y[::-1][:2] += x[0]
    return np.sum(y**3)


def overlap(x):
    y = x * 1.0
    y[1:] = y[:-1]
    y[:-1] += y[1:]
    y[:] = y[::-1]
    return np.sum(y * x * np.arange(len(x)))


def newaxis(A, v):
    B = A * 1.0
    B[:, None, :][0, 0] = v
    return np.sum(B * B)


def float_in_list(x):
    rows = [x * 1.0, x * 2.0]
    rows[0][1] = x[0] * x[1]
    rows[1][:2] += rows[0][1:3]
    return np.sum(rows[0] * rows[1])


def maximum_at(x, v):
    y = x.copy()
    y[y < v] = v
    return np.sum(y * y)


def tree(p, x):
    s = 0.0
    for i in range(3):
        s += p["w"][i] * x[i] * p["w"][0]
    return s


def diag(A, v):
    B = A * 1.0
    np.fill_diagonal(B, v)
    return np.sum(B * A)


def take_put(A, v):
    B = A * 1.0
    np.put(B, np.array([0, 3]), v[:2])
    np.copyto(B, A * 2, where=A > 0.5)
    return np.sum(B * A)


def ravel(A, v):
    B = np.zeros((3, 3))
    B.ravel()[2:5] = v[:3]
    B.reshape(-1)[0] = v[0] * v[1]
    return np.sum(B * A[:3, :3])


def two_names(x):
    y = x * 1.0
    z = y
    z[0] = x[1] * x[2]
    y[1] = z[0] * 2
    return np.sum(z * y)


def column_loop(A):
    B = A.copy()
    for c in B.T:
        c[1:] += c[:-1] ** 2
    return np.sum(B)


def row_loop(A):
    B = A.copy()
    for i, r in enumerate(B):
        r *= i + 1.0
        r[0] = np.sin(r[1])
    return np.sum(B * A)


def lastaxis(A):
    B = A.copy()
    B[..., -1] = B[..., 0] * B[..., 1]
    return np.sum(B[..., -1] * A[0, 1:])


def early(x, s):
    y = x.copy()
    for i in range(len(y)):
        y[i] = y[i] * s
        if y[i] > 1.5:
            return np.sum(y * y)
    return y[0] * s


def helper(a, i, v):
    a[i] = v * a[i]


def calls(x, s):
    y = x.copy()
    for i in range(len(y)):
        helper(y, i, s)
    return np.sum(y * y)


def mergesort_swap(x):
    y = x.copy()
    n = len(y)
    for i in range(n):
        for j in range(n - 1 - i):
            if y[j] > y[j + 1]:
                y[j], y[j + 1] = y[j + 1], y[j]
    return np.sum(y * np.arange(n))


_rng = np.random.default_rng(0)
x4, v4 = _rng.normal(size=4), _rng.normal(size=4)
A, B = _rng.normal(size=(3, 4)), _rng.normal(size=(4, 4))
positive = B @ B.T + 4.0 * np.eye(4)

CASES = {
    gauss_seidel: (B, B.T.copy(), 2),
    lu: (positive,),
    lu_rows: (positive,),
    cholesky: (positive,),
    back_substitution: (positive, v4),
    soft_edit_distance: (x4, v4[:3], 0.7),
    fdtd: (x4, v4, np.abs(v4) + 1.0, 3),
    leapfrog: (A[:, :2].copy(), A[:, 2:].copy(), np.array([1.0, 0.5, 2.0]), 3),
    adam: (v4, B, x4, 3),
    running_window: (x4, 3),
    histogram: (np.abs(x4), v4, 3),
    heat: (np.sin(np.arange(8.0)), 0.1, 4),
    param: (x4,),
    row_view: (A,),
    transposed: (A, v4[:3]),
    chain: (A, 0.7),
    fancy_set: (x4, v4),
    fancy_scalar: (x4, 0.7),
    fancy_aug: (x4, v4),
    fancy_mul: (x4, v4),
    add_at: (x4, v4),
    sub_at: (x4, v4),
    mask: (x4, v4),
    mask_vec: (x4, v4),
    fancy2: (A, v4[:3]),
    minus: (x4, v4[:3]),
    broadcast_v: (A, v4, 0.6),
    swap: (x4,),
    prefix: (0.5, 0.8, v4),
    whole: (x4, v4),
    iadd_all: (x4, np.abs(v4) + 1),
    out_arg: (x4, v4),
    fill: (x4, 0.4),
    branch: (x4, 0.6),
    whileloop: (x4, 0.5),
    nested: (A, 0.5),
    nested2: (A, 0.5),
    double_buffer: (x4, 0.3),
    saved_view: (x4,),
    strides: (x4,),
    overlap: (x4,),
    newaxis: (A, v4),
    float_in_list: (x4,),
    maximum_at: (x4, 0.1),
    tree: ({"w": x4, "b": 1.0}, v4),
    diag: (A[:, :3].copy(), v4[:3]),
    take_put: (A, v4),
    ravel: (A, v4),
    two_names: (x4,),
    column_loop: (A,),
    row_loop: (A,),
    lastaxis: (A,),
    early: (np.abs(x4), 1.3),
    calls: (x4, 0.4),
    mergesort_swap: (x4,),
}
