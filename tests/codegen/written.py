"""Functions as people write them, which come back as they are written."""

# fmt: off
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

SCALE = np.array([1.0, 2.0, 3.0])


class Layer(NamedTuple):
    W: object
    b: object


@dataclass
class Model:
    first: object
    rate: object


def mean(a):
    b = a + 3
    c = b * b * 3
    return c.mean()


def network(params, x, y):
    (W1, b1), (W2, b2) = params
    h = np.tanh(x @ W1 + b1)
    err = h @ W2 + b2 - y
    return np.mean(err * err)


def dictionary(params, x):
    h = np.tanh(x @ params["W1"] + params["b1"])
    return np.sum(h @ params["W2"])


def attributes(model, x):
    y = x @ model.first.W * model.rate + model.first.b
    return y.sum(axis=0)


def make_layer(x, W):
    return Layer(x @ W, -x)


def weighted(x, w):
    s = 0.0
    for i in range(len(x) - 1):
        s += x[i] * x[i + 1] * w[i]
    return s


def ranges(x):
    s = 0.0
    for i in range(1, len(x), 2):
        s += x[i]
    for i in range(len(x) - 1, -1, -1):
        s = s * 0.5 + x[i]
    for i in range(2, 4):
        s -= x[i]
    return s


def newton(a):
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


def fibonacci(n):
    a = 0.0
    b = 1.0
    for _ in range(n):
        a, b = b, a + b
    return a


def pairs(x, w):
    s = 0.0
    for i, v in enumerate(x):
        s += v * i
    for v, u in zip(x, w):
        s += v * u
    for i, (v, u) in enumerate(zip(x, w)):
        s += v * u + i
    return s


def early(x):
    if x > 0:
        return x * 2.0
    if x < -1.0:
        return -x
    return 0.0


def branches(x, y):
    if x > 1.0:
        z = x * y
    elif x > 0.5:
        z = x + y
    elif x > 0.0:
        z = y
    else:
        z = math.exp(x)
    return z * z


def one_sided(x, y):
    if y > 0.0:
        x = x * y
    return x


def conditional(x, y):
    z = x if x > y else -y
    return np.where(x < z, math.sin(z), z ** 2)


def conditions(x, y, z):
    if x < y < z and not z > 10.0 or x == 0.0:
        return x
    return z if y > 0.0 and z > 0.0 else y


def slices(x, m):
    a = x[1:-1] + x[2:] - x[:-2]
    b = m[:, 0] * m[..., -1] + m[::2, None, 1].sum()
    c = m[1, ::-1]
    return a.sum() + b.sum() + c[0]


def masks(x, index):
    y = x[x > 0.0]
    return y.sum() + x[index].mean()


def methods(m):
    n = m.T.reshape(-1).sum() / m.shape[0]
    k = m.sum(axis=0, keepdims=True)
    return (m - k).std() * n + float(m.size)


def keywords(m):
    a = np.linalg.norm(m, axis=1)
    b = np.concatenate([m, m], axis=0)
    return np.sum(a) + np.einsum("ij->", b)


def slog(m):
    sign, logdet = np.linalg.slogdet(m)
    return sign * logdet


def scaled(x):
    return np.sum(x * SCALE)


def special_functions(x):
    return special.expit(x).sum() + special.logsumexp(x)


def quiet(x):
    with np.errstate(divide="ignore"):
        y = np.log(x)
    return y.sum()


def checked(x, n):
    assert n > 0, "n must be positive"
    if n > 100:
        raise ValueError("too large")
    print("n is", n)
    return x * n


def searching(x):
    while True:
        x = x * 0.5
        if x < 1e-3:
            break
    return x


def nested(m):
    s = 0.0
    for row in m:
        t = 1.0
        for v in row:
            if v == 0.0:
                break
            t = t * v
        s += t
    return s


def growing(x, n):
    items = []
    for _ in range(n):
        x = np.sin(x)
        items.append(x)
    return np.stack(items).sum()


def augmented(x, n):
    s = x + 1.0
    k = 0
    while k < n:
        s *= 1.5
        s -= 1.0
        s /= 2.0
        k += 1
    return s


def rebound(x):
    x = x * x
    x = np.sin(x)
    x = x - 1.0
    return x


def powers(x, k):
    return -x ** 2 + (-x) ** k - (x - (1 - x)) / (2.0 * x) // 3 % 5


def lists(x, y):
    z = np.array([x, y, 1.0])
    return np.sum(z) + max(x, y) + abs(min(x, 0.0))


def defaults(x, scale=2.0, *, shift=0):
    return x * scale + shift


def scopes(x, limit):
    total = 0.0
    for v in x:
        if v > limit:
            total += v
            if total > 10.0:
                break
        elif v < 0.0:
            total -= v
    return total
