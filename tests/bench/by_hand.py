"""Derivatives by hand: what an expert writes for the programs of `programs.py`.

Forward values are reused, temporaries are updated in place, nothing is copied to be kept. The
programs themselves are left as they are: the terms of a sum are added in the order of the user.
"""

from __future__ import annotations

import numpy as np


def mlp(params, x, y):
    (W1, b1), (W2, b2) = params
    h = x @ W1
    h += b1
    np.tanh(h, out=h)
    err = h @ W2
    err += b2
    err -= y
    value = np.mean(err * err)

    d_err = err
    d_err *= 2.0 / err.size
    d_b2 = d_err.sum(axis=0)
    d_W2 = h.T @ d_err
    d_z = d_err @ W2.T
    h *= h
    d_z *= np.subtract(1, h, out=h)
    d_b1 = d_z.sum(axis=0)
    d_W1 = x.T @ d_z
    return value, ((d_W1, d_b1), (d_W2, d_b2))


def logistic(w, b, x, y):
    z = x @ w
    z += b
    softplus = np.logaddexp(0.0, z)
    value = np.mean(softplus - y * z)

    # The derivative of log(1 + exp(z)) is exp(z) / (1 + exp(z)) = exp(z - log(1 + exp(z))).
    z -= softplus
    d_z = np.exp(z, out=z)
    d_z -= y
    d_z /= len(z)
    return value, (x.T @ d_z, d_z.sum())


def rnn(Wx, Wh, b, xs, y):
    h = np.zeros((xs.shape[1], b.shape[0]))
    hs = [h]
    for x in xs:
        h = h @ Wh
        h += x @ Wx
        h += b
        np.tanh(h, out=h)
        hs.append(h)

    d_h = h - y
    d_h *= 2.0
    d_Wx, d_Wh, d_b = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for i in reversed(range(len(xs))):
        h = hs[i + 1]
        d_z = h * h
        np.subtract(1, d_z, out=d_z)
        d_z *= d_h
        d_b += d_z.sum(axis=0)
        d_Wh += hs[i].T @ d_z
        d_Wx += xs[i].T @ d_z
        d_h = d_z @ Wh.T
    return d_Wx, d_Wh, d_b


def chain(x, w, b):
    t = x * w
    t += b
    np.tanh(t, out=t)
    g = -x * x
    np.exp(g, out=g)

    g *= t  # t * exp(-x * x)
    d_x = t * g
    d_x *= x
    t *= t
    d_b = np.subtract(1, t, out=t)
    d_b *= g
    d_b *= 2.0
    d_w = d_b * x
    d_x *= -2.0
    d_x += d_b * w
    return d_x, d_w, d_b


def heat(u0, k, steps):
    u = u0.copy()
    laps = []
    for _ in range(steps):
        lap = u[2:] - 2 * u[1:-1] + u[:-2]
        laps.append(lap)
        u[1:-1] += k * lap

    d_u = 2.0 * u
    d_k = 0.0
    for lap in reversed(laps):
        inner = d_u[1:-1]
        d_k += np.sum(inner * lap)
        d_lap = k * inner
        d_u[2:] += d_lap
        d_u[1:-1] -= 2 * d_lap
        d_u[:-2] += d_lap
    return d_u, d_k


def gauss_seidel(u, f, sweeps):
    u = u.copy()
    n, m = u.shape
    for _ in range(sweeps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] - f[i, j])

    d_u = 2.0 * u
    d_f = np.zeros_like(f)
    for _ in range(sweeps):
        for i in reversed(range(1, n - 1)):
            for j in reversed(range(1, m - 1)):
                d = 0.25 * d_u[i, j]
                d_u[i, j] = 0.0
                d_u[i - 1, j] += d
                d_u[i + 1, j] += d
                d_u[i, j - 1] += d
                d_u[i, j + 1] += d
                d_f[i, j] -= d
    return d_u, d_f


def lu(A):
    A = A.copy()
    n = len(A)
    for k in range(n):
        for i in range(k + 1, n):
            A[i, k] /= A[k, k]
            for j in range(k + 1, n):
                A[i, j] -= A[i, k] * A[k, j]

    d_A = 2.0 * A
    for k in reversed(range(n)):  # what step k has read is final: nothing need be kept
        for i in reversed(range(k + 1, n)):
            for j in reversed(range(k + 1, n)):
                d = d_A[i, j]
                d_A[i, k] -= d * A[k, j]
                d_A[k, j] -= d * A[i, k]
            d = d_A[i, k] / A[k, k]
            d_A[i, k] = d
            d_A[k, k] -= d * A[i, k]
    return d_A


def recurrence(x0, a, b):
    x = np.zeros(len(b))
    x[0] = x0
    for i in range(1, len(b)):
        x[i] = x[i - 1] * a + b[i]

    d_x = 2.0 * x
    d_b = np.zeros_like(b)
    d_a = 0.0
    for i in reversed(range(1, len(b))):
        d = d_x[i]
        d_b[i] = d
        d_a += d * x[i - 1]
        d_x[i - 1] += d * a
    return d_x[0], d_a, d_b


# --- products of Hessian and vector -------------------------------------------------------------


def mlp_hvp(params, x, y, v):
    (W1, b1), (W2, b2) = params
    (W1_dot, b1_dot), (W2_dot, b2_dot) = v
    h = x @ W1
    h += b1
    np.tanh(h, out=h)
    slope = h * h
    np.subtract(1, slope, out=slope)
    h_dot = x @ W1_dot
    h_dot += b1_dot
    h_dot *= slope
    d_err = h @ W2
    d_err += b2
    d_err -= y
    d_err *= 2.0 / y.size
    d_err_dot = h_dot @ W2
    d_err_dot += h @ W2_dot
    d_err_dot += b2_dot
    d_err_dot *= 2.0 / y.size

    d_b2 = d_err_dot.sum(axis=0)
    d_W2 = h_dot.T @ d_err
    d_W2 += h.T @ d_err_dot
    d_z = d_err_dot @ W2.T
    d_z += d_err @ W2_dot.T
    d_z *= slope
    h_dot *= h
    h_dot *= d_err @ W2.T
    h_dot *= 2.0
    d_z -= h_dot
    return (x.T @ d_z, d_z.sum(axis=0)), (d_W2, d_b2)


def chain_hvp(x, w, b, v):
    x_dot, w_dot, b_dot = v
    t = x * w
    t += b
    np.tanh(t, out=t)
    g = -x * x
    np.exp(g, out=g)
    square = t * t
    slope = 1 - square
    z_dot = x_dot * w
    z_dot += w_dot * x
    z_dot += b_dot
    g_rate = x * x_dot  # the tangent of g over g
    g_rate *= -2.0

    t *= slope
    t *= g
    t *= 2.0
    d_b = t
    d_b_dot = -3.0 * square  # the derivative of t * slope is (1 - 3 * t * t) * slope
    d_b_dot += 1.0
    d_b_dot *= slope
    d_b_dot *= z_dot
    d_b_dot *= g
    d_b_dot *= 2.0
    d_b_dot += d_b * g_rate
    d_w_dot = d_b_dot * x
    d_w_dot += d_b * x_dot
    g_rate *= x
    g_rate += x_dot
    g_rate *= square
    g_rate *= g
    z_dot *= d_b
    z_dot *= x
    z_dot += g_rate
    d_x_dot = d_b_dot * w
    d_x_dot += d_b * w_dot
    z_dot *= 2.0
    d_x_dot -= z_dot
    return d_x_dot, d_w_dot, d_b_dot


def rosenbrock_hvp(x, v):
    a, a_dot = x[:-1], v[:-1]
    d = v[1:] - 2 * a * a_dot
    d *= 200.0
    d_x_dot = np.empty_like(x)
    d_x_dot[0] = 0.0
    d_x_dot[1:] = d
    d *= a
    d -= a_dot
    e = x[1:] - a * a
    e *= a_dot
    e *= 200.0
    d += e
    d *= 2
    d_x_dot[:-1] -= d
    return d_x_dot
