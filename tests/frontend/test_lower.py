"""Lowered programs give what Python gives: value, type, dtype and shape."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adcompile.ir import core
from tests.frontend.given import V, X, ops, rng
from tests.frontend.lowered import agree

# --- expressions --------------------------------------------------------------------------------


def operators(x, v):
    a = x + v - 1.5 * x / (2 + v * v) ** 2
    b = x @ v
    c = -a + (+x) // 2 % 3
    return a, b, c, (x > 0) & (x < 1) | ~(x == v)


def integers(n, m):
    return n // m, n % m, n << 2, n >> 1, n & m, n | m, n ^ m, ~n, n**2, n / m, -n, divmod(n, m)[0]


def comparisons(a, b):
    return a < b, a <= b <= 3.0, a == b != 4, not a > b, 1 < a < b < 100, a is None, a is not None


def booleans(a, b):
    return a and b, a or b, (a > 1 and b > 1) or a > 0, not a, (a or b) and a


def conditional(a, b):
    return (a if a > b else b) * 2.0, 1.0 if b > a else a


def literals():
    return 1, 2.0, 3j, True, None, "text", -4, (), [], {}, (1, (2.0, [3])), {"a": 1, "b": (2,)}


def attributes(x):
    return x.T, x.shape, x.size, x.ndim, x.shape[0], x.T.shape[-1], x.real


def methods(x):
    a = x.sum(), x.sum(axis=0), x.mean(axis=1, keepdims=True), x.max(), x.min(axis=-1), x.std()
    b = (
        x.reshape(4, 3),
        x.reshape((2, -1)),
        x.reshape(-1),
        x.transpose(),
        x.transpose(1, 0),
        x.ravel(),
    )
    c = x.copy(), x.astype(np.float32), x.clip(-1.0, 1.0), x.dot(x.T), x.cumsum(axis=1), x.argmax()
    return a, b, c, x.T.swapaxes(0, 1), x.flatten(), x.round(2), x.any(), x.squeeze(), x.var(axis=0)


def reads(x, i):
    m = x > 0
    idx = np.array([0, 2, 0])
    s = slice(1, None)
    at = (0, i)
    a = x[i], x[-1], x[1, 2], x[i, :], x[:, i], x[1:, ::2], x[::-1], x[..., 0], x[..., None].shape
    b = x[m], x[idx], x[idx, 1], x[:, idx], x[[0, 1]], x[s], x[:, s], x[at], x[None].shape
    return a, b, x[i : i + 2], x[x[:, 0] > 0], x[:, np.newaxis, 1], x[i][i]


def numpy_calls(x, v):
    a = np.sum(x, axis=(0, 1)), np.concatenate([v, v]), np.stack((v, v), axis=1)
    b = np.array([1.0, v[0], 2]), np.array([[v[0], 1.0], [2.0, v[1]]]), np.zeros((2, x.shape[1]))
    c = np.where(x > 0, x, 0.0), np.maximum(x, v), np.einsum("ij,j->i", x, v), np.linalg.norm(v)
    return a, b, c, np.float32(2.0), np.arange(3), np.zeros_like(x), np.split(v, 2), np.pi


def builtins_(n, x):
    a = abs(n), min(n, 2.0), max(n, 1.0, 3.0), float(3), int(n), bool(n), pow(n, 2), round(n, 1)
    b = sum([n, 2.0, n]), sum((1, 2)), len(x), max([n, 4.0]), min(n, 7), isinstance(n, float)
    c = isinstance(x, np.ndarray), isinstance(n, (int, str)), type(n) is float, len([1, n]), sum(x)
    return a, b, c, math.sin(n), math.sqrt(abs(n)), math.pi, list(range(3)), tuple([n, 2])


@pytest.mark.parametrize(
    "f, args",
    [
        (operators, (X, V)),
        (integers, (7, 3)),
        (integers, (-7, 3)),
        (comparisons, (2.0, 3.0)),
        (comparisons, (3.5, 1.0)),
        (booleans, (2.0, 0.0)),
        (booleans, (0.0, 3.0)),
        (conditional, (1.0, 2.0)),
        (conditional, (2.5, 1.5)),
        (literals, ()),
        (attributes, (X,)),
        (methods, (X,)),
        (reads, (X, 1)),
        (numpy_calls, (X, V)),
        (builtins_, (1.25, X)),
    ],
)
def test_expressions(f, args):
    agree(f, *args)


def test_float32_stays_float32():
    def f(x, n):
        s = 0.0
        for v in x:
            s += v * n
        return s, x * n + 1, x.mean() * 2.0, np.tanh(x) ** 2

    agree(f, V.astype(np.float32), 1.5)


# --- statements ---------------------------------------------------------------------------------


def unpacking(t, d):
    (a, b), c = t
    first, *rest = a, b, c
    *init, last = [a, b, c]
    x = y = a + 1
    x, y = y, x + b
    p, q = d["p"], d["q"][0]
    n, m = d["p"].shape
    return x, y, first, rest, init, last, p, q, n, m


def augmented(x, n):
    s = 0
    s += n
    s *= 2.0
    t = x[0, 0]
    t += 1
    m = x.mean()
    m -= 2
    u = ()
    u += (1, s)
    return s, t, m, u


def branches(x, n):
    if n > 2:
        y = x * 2
        z = 1.0
    elif n > 1:
        y = x + 1
        z = n
    else:
        y = x
        z = 3.0
    if n > 100:
        w = 1.0
    else:
        w = y.sum()
    return y, z, w


def early(x, n):
    if n < 0:
        return x, "negative"
    for i in range(10):
        if i * n > 5:
            return x * i, "positive"
        for j in range(3):
            if j == n:
                return x + j, "positive"
    return x, "negative"


def loops_(x, n):
    s = 0.0
    for i in range(1, n, 2):
        s += i * x[i % 3, 0]
    for i in range(n, 0, -1):
        if i == 2:
            continue
        s -= i
    for i, row in enumerate(x):
        s += row.sum() * i
    for i, row in enumerate(x, 1):
        s += row[0] * i
    for a, b in zip(x, x.T):
        s += a[0] * b[1]
    for row in reversed(x):
        s = s * 0.5 + row[-1]
    for i in reversed(range(n)):
        s = s * 0.5 + i
    for (i, a), b in zip(enumerate(x), x):
        s = s + (a * b).sum() + i
    k = 0
    while k < n:
        k += 1
        if k == 3:
            break
    else:
        s = s + 100.0
    for i in range(n):
        if i == 50:
            break
    else:
        s = s - 7
    return s, k, i


def known_length(params, pairs, d):
    s = 0.0
    for w in params:
        s = s + w.sum()
    for a, b in pairs:
        s = s + a * b
    for i, (a, b) in enumerate(pairs):
        s = s + a * b * i
    for key, value in d.items():
        if key == "skip":
            continue
        s = s + value * len(key)
    for key in d:
        s = s + d[key]
    for v in d.values():
        s = s - v
    for a, w in zip((1.0, 2.0, 3.0), params):
        if a > 1.5:
            break
        s = s * a + w.mean()
    for w in params:
        if s > 5:
            break
        s = s + 1
    for w in reversed(params):
        s = s / 2 + w[0, 0]
    return s, w


def lists(x, n):
    empty = []
    xs = []
    for i in range(n):
        xs.append(x * i)
    ys = [x, x + 1]
    ys.append(x * 3)
    zs = [0.0]
    for v in x:
        zs.append(zs[-1] * 0.5 + v)
    total = 0.0
    for y in xs:
        total = total + y.sum()
    return (
        np.stack(ys),
        np.array(zs),
        len(xs),
        total,
        ys[1],
        ys[-1],
        ys[:2],
        zs,
        sum(zs),
        empty,
        zs[1:],
    )


def nested_lists(x, n):
    rows = []
    for i in range(n):
        row = []
        for j in range(n):
            row.append(x[i] * x[j])
        rows.append(row)
    return np.array(rows), rows, len(rows)


def aliased(x):
    a = [x]
    b = a
    b.append(x + 1)
    return a, len(a), a[1] is b[1], a is b


def joined_lists(x, n):
    ys = [x]
    if n > 1:
        ys.append(x + n)
    zs = [x] if n > 1 else [x * 2]
    s = 0.0
    for y in ys:
        s = s + y.sum()
    return len(ys), s, ys[-1], zs[0]


def dicts(x, p):
    d = {"a": x, "b": 2.0}
    e = {**d, "c": p["w"]}
    f = dict(q=1.0, r=x)
    return (
        d,
        e["c"],
        e["a"] * f["q"],
        d.get("a"),
        d.get("z", 5.0),
        "a" in d,
        "z" in p,
        len(e),
        p["b"][1],
    )


def by_position(ws, x):
    for i in range(len(ws)):
        x = np.tanh(x @ ws[i])
    return x


def trees_in_loops(x, n):
    state = (x, 0.0)
    d = {"s": x * 0}
    for i in range(n):
        h, c = state
        state = (np.tanh(h + c), c + i)
        d = {"s": d["s"] + h}
    return state, d


def swapped(a, b, n):
    for i in range(n):
        a, b = b, a + b
    return a, b


def late(x, n):
    for i in range(n):
        if i > 0:
            s = s + prev  # noqa: F821
        else:
            s = x
        prev = x * i
        t = i
    return s, t


def scoped(x):
    with np.errstate(all="ignore"):
        y = x / 0.0
        z = y * 2
    return y, z


def checks(x):
    """Documented."""
    assert x.ndim == 2, "a matrix"
    assert x.shape == (3, 4)
    assert x[0, 0] < 100.0
    if x[0, 0] > 1000:
        raise ValueError("too big")
    n: int = 3
    pass
    return x * n


@pytest.mark.parametrize(
    "f, args",
    [
        (unpacking, (((1.0, 2.0), V), {"p": X, "q": [3.0, 4.0]})),
        (augmented, (X, 3)),
        (branches, (X, 3.0)),
        (branches, (X, 1.5)),
        (branches, (X, 0.5)),
        (early, (X, -1)),
        (early, (X, 0)),
        (early, (X, 1)),
        (early, (X, 2)),
        (loops_, (X, 4)),
        (loops_, (X, 1)),
        (
            known_length,
            ([X, X + 1, X * 2], ((1.0, 2.0), (4.0, 3.0)), {"a": 1.0, "skip": 2.0, "bb": 3.0}),
        ),
        (known_length, ([X], (), {})),
        (lists, (V, 3)),
        (lists, (V, 0)),
        (nested_lists, (V, 3)),
        (joined_lists, (V, 1)),
        (joined_lists, (V, 2)),
        (dicts, (V, {"w": X, "b": (1, 2)})),
        (by_position, ([rng.normal(size=(4, 4)), rng.normal(size=(4, 4))], V)),
        (trees_in_loops, (V, 3)),
        (swapped, (V, V + 1, 3)),
        (swapped, (1.0, 2, 3)),
        (late, (V, 3)),
        (checks, (X,)),
    ],
)
def test_statements(f, args):
    agree(f, *args)


def test_aliased_lists():
    agree(aliased, V)


def test_scope():
    with np.errstate(all="ignore"):
        fn = agree(scoped, V)
    assert len(ops(fn, core.Scope)) == 1
