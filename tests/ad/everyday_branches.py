"""Programs of `everyday` in which branches, loops and calls of derivatives stand in each other."""

import numpy as np

from adcompile import vjp
from tests.ad.everyday_lists import arrays


def write_by_case(x, c):
    v = x * 1.0
    if c > 1:
        v[0] -= x[1]
    elif c > 0:
        v[1] += 2.0
    else:
        v[:2] *= x[1:3]
    return np.sum(v * v * x)


def write_by_inner_case(x, c):
    v = x * 1.0
    if c > 0:
        if c > 1:
            v[0] *= x[1]
        else:
            w = x[1:] * v[:-1]
            v[1:] *= w
    return np.sum(v * v * x)


def products_in_a_loop(x, n):
    y = 0.0
    for i in range(n):
        y = y + np.prod(x * (i + 1))
    return y


def products_by_case(x, n):
    y = 0.0
    for i in range(n):
        if i > 0:
            y = y + np.prod(x * i)
        else:
            y = y + np.sum(np.cumprod(x))
    return y


def products_written(x, n):
    x = x.copy()
    for i in range(n):
        x[i] = np.prod(x)
    return np.sum(x)


def never_returns_early(x, y, n):
    a = x[::-1]
    k = 0
    while k < n:
        k += 1
        if 0.5 > 1.7:
            return 1.0
    np.multiply(x[::-1], y, out=x)
    return np.sum(x * x + a)


def pulled_back(x):
    value, pullback = vjp(lambda y: np.sin(y) * y)(x)
    return np.sum(pullback(value) * x)


def pulled_back_twice(x):
    s = 0.0
    for i in range(2):
        value, pullback = vjp(lambda y, i=i: np.sin(y * (i + 1)) * y)(x)
        s = s + np.sum(pullback(value)[0] * pullback(x)[0])
    return s


def appended_to(x, h):
    for i in range(3):
        h.append(x * i)
    return np.sum(h[-2] * h[-1] * x)


def reduced(w, xs):
    while len(xs) > 1:
        a = xs.pop()
        b = xs.pop()
        xs.append(a * b + w)
    return np.sum(xs[0] * w)


CASES = {
    write_by_case: (*arrays(4), 1),
    write_by_inner_case: (*arrays(4), 1),
    products_in_a_loop: (*arrays(3), 3),
    products_by_case: (*arrays(3), 3),
    products_written: (*arrays(3, shift=2.0), 3),
    never_returns_early: (*arrays(3, 3), 2),
    pulled_back: arrays(3),
    pulled_back_twice: arrays(3),
    appended_to: (*arrays(3), []),
    reduced: (*arrays(3), list(arrays(3, 3, 3))),
}
