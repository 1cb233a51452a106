"""Programs that write into attributes, items and views, which have other names."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.ad.cases import cases, some

CASES, case = cases()


@dataclass
class State:
    u: Any
    t: Any


# --- targets -------------------------------------------------------------------------------------


@case(some(4), 0.4)
def attributes(x, k):
    s = State(x.copy(), 0.0)
    s.u[1:-1] = k * s.u[:2]
    s.u[1:] *= 2
    s.u *= k
    s.t += s.u[1]
    v = s.u
    v[0] = s.t
    return (s.u**2).sum()


@case(State(some(4), 0.5))
def attributes_of_the_argument(s):
    s.u[1:] *= s.t
    s.t = s.t * 2
    s.u += s.t
    return (s.u**2).sum() * s.t


@case({"k": [some(3), some(2)], "n": {"w": some(2, 2)}})
def containers_of_the_argument(d):
    xs = d["k"]
    xs[0][1:] *= 2
    d["k"][1][0] = xs[0][2]
    w = d["n"]["w"]
    w[0], w[1] = w[1].copy(), w[0].copy()
    d["n"]["w"][0][1] *= w[1, 1]
    d["k"][0] = d["k"][0] * 3
    xs[0][0] += 1.0
    return (d["n"]["w"] ** 2).sum() + (xs[0] ** 2).sum() * d["k"][1][0]


@case(some(6))
def swaps(x):
    y = x * 1.0
    for i in range(3):
        y[i], y[5 - i] = y[5 - i], y[i] * 2
    i = 0
    i, y[i] = 2, 5.0 * x[0]
    y[i] *= 3
    return (y * np.arange(1.0, 7.0)).sum()


@case(some(4, 3))
def rows_are_views_in_a_swap(x):
    y = x * x
    y[0], y[1] = y[1], y[0]  # both are what row 1 was
    return (y * np.arange(12.0).reshape(4, 3)).sum()


@case(some(5))
def one_value_for_two_targets(x):
    y = z = x.copy()
    y[0] = z[1] = x[3] ** 2
    (w := y)[2] = 2 * x[1]
    return (z * w).sum()


@case(some(5))
def unpacked(x):
    y = x.copy()
    first, *middle, last = [y[:1], y[1:2], y[2:3], y[3:]]
    middle[0][0] = x[0] * x[0]
    last[...] = x[1]
    y[0], (y[1], s) = x[3], (x[4] ** 2, x[2])
    del middle
    return (y * y).sum() * s


# --- names of one array, and views ---------------------------------------------------------------


@case(some(4))
def alias(x):
    y = x
    y[0] = 3.0
    z = x.copy()
    w = z
    w += y
    return (x * z).sum()


@case(some(4))
def alias_written_in_a_loop(x):
    a = x.copy()
    b = a
    for i in range(3):
        a[i] += b[i + 1] ** 2
    return (a * b).sum()


@case(some(6))
def slices_are_views(x):
    y = x.copy()
    even, odd = y[::2], y[1::2]
    for _ in range(2):
        even += 0.1 * odd
        odd *= even
    return (y**2).sum()


@case(some(4, 3))
def views_of_views(x):
    y = x.copy()
    v = y.T[1:]
    v[:, 0] = 3.0 * y[2, 0]
    w = v[0]
    w *= w
    np.swapaxes(y, 0, 1)[0] += w
    y[None][0, 1] *= 2
    np.expand_dims(y, 1)[:, 0, 2] = 7 * x[0, 0]
    y[...].T[::-1][0][1:] -= 1.0
    return (y * y).sum() + w.sum()


@case(some(4, 4))
def quadrants(x):
    y = x.copy()
    a, b, c, d = y[:2, :2], y[:2, 2:], y[2:, :2], y[2:, 2:]
    a += b @ c
    d[...] = a.T
    b[:, ::-1] -= d
    c.T[0] *= 3
    return (y**3).sum()


@case(some(6))
def reshaped(x):
    y = x.copy()
    m = y.reshape(2, 3)
    m[0] = m[1] * 2
    y[5] = x[0]
    z = x.reshape(3, -1)
    z[1] *= x[0]
    return (m * m).sum() + y[0] * x[3]


@case(some(6))
def raveled(x):
    m = np.zeros((2, 3))
    f = m.ravel()
    f[:] = x
    m[1, 1] *= x[0]
    m.ravel()[5] *= 3
    m.flat[3] = 2 * x[2]
    g = m.flatten()
    g[0] = 9.0
    return (m**3).sum() + f[4] * g[3]


@case(some(3))
def as_array(x):
    y = np.asarray(x)
    y[0] = 2 * y[1]
    z = np.atleast_2d(x)
    z[0, 2] = 3.0
    w = np.array(x)
    w[1] = 5.0
    return (x * x).sum()


@case(some(4, 3))
def rows_of_a_loop(x):
    y = x.copy()
    for row in y:
        row *= 2
        row[0] += row[1]
    for i, row in enumerate(y):
        row[i:] *= 0.5
        if row[0] > 0.3:
            continue
        y.T[i % 3] += 1
    return (y * y * y).sum()


@case(some(3, 3))
def rows_and_columns(x):
    for row, column in zip(x, x.T):
        row += 0.1 * column
        for r in x:
            r[1] -= 0.2 * row[0]
    return (x**3).sum()


@case(some(4))
def numbers_of_a_loop_are_read_when_they_come(x):
    y = x.copy()
    s = 0.0
    for i, v in enumerate(y):
        s += v * v
        y[(i + 1) % 4] += v
        y[i] = 7.0
    return s + y[0]


@case(some(6))
def views_in_containers(x):
    y = x.copy()
    parts = [y[:2], y[2:4]]
    t = (y, y[1:], {"last": y[-2:]})
    s = State(y[::2], 0.0)
    parts[0][0] = 5.0 * x[3]
    t[2]["last"] *= 2
    t[1][0] = 2 * x[0]
    s.u[1] -= x[1]
    for p in parts:
        p += 1.0
    return (y**3).sum()


@case(some(5))
def the_view_stays(x):
    y = x.copy()
    z = y[1:]
    del y
    z[0] = 2 * z[1]
    return (z**2).sum()


# --- arrays of rank 0, which are no numbers ------------------------------------------------------


@case(some(4))
def rank_zero(x):
    s = np.zeros(())
    t = s
    for i in range(4):
        s += x[i] ** 2
    s[...] = s * x[0]
    s += 1.0
    return t * 2.0


@case(some(4))
def rank_zero_in_a_while_loop(x):
    s = np.array(2.0)
    t = s

    def add(u):
        u += x[0]

    add(s)
    while s < 5:
        s += x[1]
    add(s)
    return t * 2.0 + s


@case(some(4))
def rank_zero_of_a_number(x):
    s = np.asarray(x[0])
    t = s
    for i in range(2):
        t *= x[i]
        if x[i] > 0.5:
            s -= x[1]
    return t * 1.0


@case(some(4))
def rank_zero_of_where(x):
    s = np.where(x[0] > 0, x[0], x[1])
    t = s
    s += x[2]
    return t * s


@case(some(4))
def rank_zero_views(x):
    y = x.copy()
    s, t = y[1, ...], y[2:3].reshape(())
    s += x[0]
    s *= 2
    t -= 5 * x[0]
    return (y**2).sum()


@case(some(4))
def views_of_rank_zero(x):
    s = np.asarray(x[0] * 2)
    v, w = s.reshape(1), np.atleast_1d(s)
    v[0] += 3 * x[1]
    w *= x[2]
    return s * v[0] * x[2]


@case(some(4))
def rank_zero_in_a_list(x):
    s = [np.zeros(()), np.ones(())]
    t = s[0]
    for q in s:
        q += x[0]
    s[0] += x[1]
    return t * s[1]


@case(some(4))
def numbers_are_not_written(x):
    s = x[0]
    t, u = s, x[1].copy()
    v = np.atleast_1d(s)
    w = u
    s += 1.0
    u *= 2.0
    v[0] = 5.0 * x[1]
    return s * t * u * w * v[0]


@case(some(4))
def turned_views_of_rank_zero(x):
    s = np.array(0.0)
    s += x[0]
    t = s.T
    t[...] = t * x[1]
    u = np.squeeze(s)
    u += 1.0
    return s * 2.0
