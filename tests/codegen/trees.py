"""Trees to print."""

from __future__ import annotations

import warnings
from typing import Any

import gast as _gast

gast: Any = _gast  # makes its classes when it is imported
Node = Any


def parse(text: str) -> Node:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return gast.parse(text)


def expression(text: str) -> Node:
    return parse(f"({text}\n)").body[0].value


def name(id_: str, ctx: Any = gast.Load) -> Node:
    return gast.Name(id_, ctx(), None, None)


def constant(value: object) -> Node:
    return gast.Constant(value, None)


GENERATED = """
def out_grad(a):
    b = a + 3
    d_c = 1.0 / b.size
    d_a = 6.0 * d_c * b
    return d_a
---
def loss_value_and_grad(params, x, y):
    (W1, b1), (W2, b2) = params
    h = np.tanh(x @ W1 + b1)
    err = h @ W2 + b2 - y
    value = np.mean(err * err)
    d_err = 2.0 / err.size * err
    d_b2 = d_err.sum(axis=0)
    d_W2 = h.T @ d_err
    d_h = d_err @ W2.T
    d_z = d_h * (1 - h * h)
    d_b1 = d_z.sum(axis=0)
    d_W1 = x.T @ d_z
    return value, ((d_W1, d_b1), (d_W2, d_b2))
---
def weighted_grad(x, w):
    d_x = np.zeros_like(x)
    d_w = np.zeros_like(w)
    for i in reversed(range(len(x) - 1)):
        d_x[i] += x[i + 1] * w[i]
        d_x[i + 1] += x[i] * w[i]
        d_w[i] += x[i] * x[i + 1]
    return d_x, d_w
---
def newton_sqrt_grad(a):
    x = a
    saved_x = []
    while abs(x * x - a) > 1e-12:
        saved_x.append(x)
        x = 0.5 * (x + a / x)
    d_x = 1.0
    d_a = 0.0
    for x in reversed(saved_x):
        d_t = 0.5 * d_x
        d_a += d_t / x
        d_x = d_t - d_t * a / (x * x)
    d_a += d_x
    return d_a
---
def heat_grad(u0, k, steps):
    u = u0.copy()
    saved_lap = []
    for t in range(steps):
        lap = u[2:] - 2 * u[1:-1] + u[:-2]
        saved_lap.append(lap)
        u[1:-1] += k * lap
    d_u = 2.0 * u
    d_k = 0.0
    for lap in reversed(saved_lap):
        d_k += np.sum(d_u[1:-1] * lap)
        d_lap = k * d_u[1:-1]
        d_u[2:] += d_lap
        d_u[1:-1] -= 2 * d_lap
        d_u[:-2] += d_lap
    return d_u, d_k
---
def ramp_grad(x, limit):
    total = 0.0
    saved_i = []
    for i, v in enumerate(x):
        if v < 0:
            continue
        if total > limit:
            break
        saved_i.append(i)
        if v < 1:
            total += v * v
        else:
            total += np.log(v) + 1.0
    d_x = np.zeros_like(x)
    for i in reversed(saved_i):
        v = x[i]
        if v < 1:
            d_x[i] += 2.0 * v
        else:
            d_x[i] += 1.0 / v
    return d_x
---
def rnn_grad(Wx, Wh, b, xs, y):
    h = np.zeros((xs.shape[1], b.shape[0]))
    saved = []
    for x in xs:
        h_in = h
        h = np.tanh(x @ Wx + h_in @ Wh + b)
        saved.append((x, h_in, h))
    err = h - y
    d_h = 2.0 * err
    for x, h_in, h in reversed(saved):
        d_z = d_h * (1 - h * h)
        d_b += d_z.sum(axis=0)
        d_Wh += h_in.T @ d_z
        d_Wx += x.T @ d_z
        d_h = d_z @ Wh.T
    return d_Wx, d_Wh, d_b
"""


def table(text: str) -> list[str]:
    return text.strip("\n").split("\n---\n")
