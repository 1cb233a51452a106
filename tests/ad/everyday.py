"""Programs whose gradients are checked: one or two of everything the language has.

`CASES` gives each its arguments; all are differentiated with respect to every float argument.
"""

import math

import numpy as np
from scipy import special

from tests.ad import everyday_branches, everyday_lists
from tests.ad.everyday_lists import arrays


def nested(x, n):
    s = 0.0
    for i in range(len(x)):
        t = x[i]
        for j in range(n):
            t = np.sin(t) * x[i] + j
            if t > 1.0:
                t = t * 0.5
        s = s + t
    return s


def early(x):
    if x[0] > 0:
        return np.sum(x * x)
    y = x * 3.0
    if x[1] > 0:
        return np.sum(np.exp(y))
    return np.sum(np.sin(y))


def loopreturn(x):
    s = 0.0
    for i in range(len(x)):
        s = s + x[i] * x[i]
        if s > 2.0:
            return s * x[i]
    return s


def whilebreak(x):
    y = x
    k = 0
    while True:
        y = np.tanh(y) + 0.1 * x
        k += 1
        if np.sum(y) < 0.5 or k > 5:
            break
    return np.sum(y * y)


def fact(x, n):
    if n <= 0:
        return x * 0.0 + 1.0
    return x * fact(x, n - 1) + np.sin(x)


def recur(x):
    return fact(x[0], 3) * fact(x[1], 2)


def fib(x, n):
    if n < 2:
        return x * n
    return fib(x, n - 1) * 1.5 + fib(x, n - 2) * x


def recur2(x):
    s = 0.0
    for v in x:
        s += fib(v, 4)
    return s


def appendy(x):
    out = []
    h = x[0]
    for i in range(len(x)):
        h = np.tanh(h + x[i])
        out.append(h * h)
    s = 0.0
    for v in out:
        s += v * v
    return s + out[-1] * out[0]


def stacky(x):
    out = []
    for i in range(len(x)):
        out.append(x * x[i])
    return np.sum(np.stack(out) ** 2 * 0.5)


def dictp(p, x):
    h = x
    for k in range(3):
        h = np.tanh(h @ p["W"] + p["b"])
    return np.mean(h**2)


def layers(ps, x):
    h = x
    for W, b in ps:
        h = np.tanh(h @ W + b)
    return np.sum(h)


def zippy(x, y):
    s = 0.0
    for i, (a, b) in enumerate(zip(x, y)):
        s += a * b * i
    return s


def rows(A):
    s = 0.0
    for r in A:
        s += np.sum(r * r) * r[0]
    return s


def cond(x):
    y = np.where(x > 0, x * x, -x)
    z = y if np.sum(y) > 1 else y * 2
    return np.sum(z)


def bcast(x, w, b):
    return np.sum(np.maximum(x / w, b) ** 2)


def fancy(x, idx):
    return np.sum(x[idx] ** 2) + np.sum(x[x > 0])


def lin(A, b):
    z = np.linalg.solve(A @ A.T + np.eye(3), b)
    s, ld = np.linalg.slogdet(A @ A.T + np.eye(3))
    return np.dot(z, b) + ld + np.linalg.norm(np.linalg.inv(A @ A.T + np.eye(3)))


def doublebuf(x, n):
    a = x
    b = x * 2
    for i in range(n):
        a, b = b, a * b * 0.5
    return np.sum(a + b)


def closure(x):
    k = x[0]

    def f(z, p=2.0):
        return z * k**p

    g = lambda u: f(u, p=3.0)
    return np.sum(f(x) + g(x))


def mathy(a, b):
    return math.exp(a) * math.sin(b) + math.sqrt(a * b) + a**b + abs(-b)


def elsey(x):
    for i in range(len(x)):
        if x[i] > 10:
            r = x[i]
            break
    else:
        r = np.sum(x)
    return r * r


def negrange(x):
    s = 1.0
    for i in range(len(x) - 1, -1, -2):
        s = s * x[i]
    for i in range(0, 11, 3):
        s = s + x[i % len(x)] * i
    return s


def whileif(x):
    i = 0
    s = x[0]
    while i < len(x):
        if x[i] > 0:
            s = s * x[i]
        elif x[i] < -1:
            s = s + np.exp(x[i])
        else:
            i += 2
            continue
        i += 1
    return s


def special_(x):
    return (
        np.sum(special.expit(x))
        + special.logsumexp(x)
        + np.sum(special.erf(x) * special.softmax(x))
    )


def stdvar(x):
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    return np.sum(z**3) + x.var() + np.prod(x[0]) + np.max(x) + x.min(axis=1).sum()


def shapes(x):
    y = x.reshape(-1, 2).T
    z = np.concatenate([y, y * 2], axis=1)
    a, b = np.split(z, 2)
    return (
        np.sum(a * b)
        + np.sum(np.stack([x, x * x]).swapaxes(0, 1)[..., None] ** 2)
        + np.sum(np.pad(x, 1)[1:] * 2)
    )


def elemchain(x, w, b):
    return np.sum(np.tanh(x * w + b) ** 2 * np.exp(-x * x))


def sumgrad(x, y):
    return np.sum(x * y)


def sumab(a, b):
    return np.sum(a + b)


def twod(A):
    n, m = A.shape
    s = 0.0
    for i in range(n):
        for j in range(m):
            if i == j:
                continue
            s += A[i, j] ** 2 * A[j % n, i % m]
    return s


def heavy_nest(A):
    s = 0.0
    for i in range(A.shape[0]):
        row = A[i]
        k = 0
        while k < len(row):
            if row[k] < 0:
                k += 1
                continue
            for v in row:
                s += np.tanh(v * row[k])
                if s > 3.0:
                    break
            else:
                s = s * 0.5
            k += 2
    return s


def with_effects(x):
    assert len(x) > 0, "empty"
    with np.errstate(divide="ignore"):
        y = np.log(np.abs(x)) + 1.0 / x
    if np.sum(x) > 1e9:
        raise ValueError("too large")
    return np.sum(y)


def starred(p, *rest, scale=2.0, **more):
    first, *others = p
    s = np.sum(first) * scale
    for v in others:
        s = s + np.sum(v * v)
    for v in rest:
        s = s * np.mean(v)
    return s + more["bias"]


def polynomial(c, x):
    y = 0.0 * x
    for a in reversed(c):
        y = y * x + a
    return np.sum(y * y)


def matrix_chain(A, n):
    P = np.eye(A.shape[0])
    for _ in range(n):
        P = P @ A
    return np.trace(P)


def helper_in_loop(x):
    def step(h, v, gain=0.5):
        return np.tanh(h * gain + v)

    h = 0.1
    for v in x:
        h = step(h, v)
        if h > 0.9:
            return h
    return h * x[0]


def nan_safe(x):
    return np.sum(np.where(x > 0, np.sqrt(np.maximum(x, 1e-12)), 0.0))


def return_from_inner(x):
    s = x[0]
    for i in range(3):
        for j in range(3):
            if i == 3:
                return np.mean(np.sin(x))
            if j < 2:
                s = s + x[2] / (2.0 + np.sin(x[1]))
        rows = []
        for k in range(3):
            rows.append(s * x[k])
        s = s + rows[-1]
    return s * s


def caught(x, singular):
    try:
        inverse = np.linalg.inv(singular * x[0])
        y = np.sum(inverse) * x[1]
    except np.linalg.LinAlgError:
        y = x[0] * x[1]
    return y * y


def caught_in_loop(x):
    total = 0.0
    for v in x:
        try:
            if v < 0:
                raise ValueError
            y = np.sum(np.tanh(v * x) ** 2)
        except ValueError:
            y = v * v
        total += y * y
    return total * x[0]


CASES = {
    nested: (np.array([0.3, 0.7, 1.2]), 3),
    early: (np.array([-1.0, -2.0, 0.5]),),
    loopreturn: (np.array([1.0, 0.9, 0.8, 0.7]),),
    whilebreak: arrays(3),
    recur: (np.array([0.5, 0.7]),),
    recur2: (np.array([0.5, 0.7, 0.2]),),
    appendy: arrays(4),
    stacky: arrays(3),
    dictp: ({"W": arrays((3, 3))[0], "b": arrays(3)[0]}, arrays((2, 3), seed=1)[0]),
    layers: ([arrays((3, 4), 4), arrays((4, 2), 2, seed=1)], arrays((5, 3), seed=2)[0]),
    zippy: arrays(4, 4),
    rows: arrays((3, 2)),
    cond: arrays(5),
    bcast: (*arrays((4, 3)), *arrays(3, shift=4.0), *arrays((4, 1), seed=3)),
    fancy: (*arrays(5), np.array([0, 2, 2, 4])),
    lin: arrays((3, 3), 3),
    doublebuf: (*arrays(3), 3),
    closure: arrays(3, shift=4.0),
    mathy: (1.3, 0.7),
    elsey: arrays(4),
    negrange: arrays(5),
    whileif: (np.array([1.0, -2.0, 0.5, -0.5, 2.0, 3.0]),),
    special_: arrays(4),
    stdvar: arrays((5, 3)),
    shapes: arrays(6),
    elemchain: arrays(5, 5, 5),
    sumgrad: arrays(3, 3),
    sumab: arrays(3, 3),
    twod: arrays((3, 4)),
    heavy_nest: arrays((3, 4), seed=5),
    with_effects: arrays(4),
    polynomial: arrays(4, 3),
    matrix_chain: (*arrays((3, 3)), 4),
    helper_in_loop: arrays(4),
    nan_safe: arrays(5),
    return_from_inner: arrays(3),
    caught: (*arrays(2), np.zeros((2, 2), int)),
    caught_in_loop: (np.array([0.5, -1.2, 0.7]),),
}

CASES |= everyday_lists.CASES | everyday_branches.CASES
