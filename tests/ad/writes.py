"""Programs that write in place, each form in at least one of them.

`CASES` gives each its arguments; all are differentiated with respect to every argument of floats.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

CASES: dict[Any, tuple[Any, ...]] = {}


def case(*args):
    def add(f):
        CASES[f] = args
        return f

    return add


def some(*shape):
    return np.sin(np.arange(1.0, 1 + np.prod(shape))).reshape(shape)


@dataclass
class State:
    u: Any
    t: Any


# --- elements, slices, broadcasting ---------------------------------------------------------------


@case(some(5))
def element(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        y[i] = x[i] * x[i]
    return (y * y).sum()


@case(some(5))
def element_of_the_argument(x):
    for i in range(1, len(x)):
        x[i] += 0.5 * x[i - 1] * x[i - 1]
    x[-1] *= x[0]
    return x.sum()


@case(some(3, 2))
def cells(x):
    for i in range(3):
        for j in range(2):
            x[i, j] += x[i - 1, 1 - j] ** 2
            x[i][j] -= 0.5
    return (x * x).sum()


@case(some(5) + 2)
def every_operator(x):
    y = x.copy()
    y **= 2
    y /= x
    y += x * x
    y -= 0.5
    y *= x
    y //= 0.75
    z = x.copy()
    z %= 0.7
    z[1:] **= x[:-1]
    z[0] /= x[1]
    z[2] //= 0.3
    z[3] %= 0.2
    return (y * z).sum() + (z**3).sum()


@case(some(3, 3), some(3, 3))
def matrix_product(x, w):
    y = x.copy()
    y @= w
    y[1:] @= x
    return (y * y).sum()


@case(some(5))
def integers_and_flags(x):
    n = np.zeros(5, dtype=int)
    n[1:] |= 2
    n[2] ^= 1
    n += 3
    n <<= 1
    n >>= 1
    n &= 6
    n //= 2
    n %= 3
    n **= 2
    n[0] -= 4
    positive = np.zeros(5, dtype=bool)
    for i in range(5):
        positive[i] = x[i] > 0
        if positive[i]:
            n[i] += 1
    positive[0] &= False
    positive |= x < -0.9
    return (x * n * x).sum() + (x[positive] ** 3).sum()


@case(some(7))
def slices(x):
    y = x.copy()
    y[1:-1] += y[2:] - 2 * y[1:-1] + y[:-2]
    y[::2] *= x[-1]
    y[-3:] = x[:3]
    y[::-1][0] = 2 * x[1]
    y[5:2:-2] -= x[1:3]
    y[1:] = y[:-1]
    y[::-1] += y
    y[4:4] = 7.0
    return (y * np.arange(7.0)).sum()


@case(some(2, 3, 4), some(3))
def entries_of_all_kinds(x, v):
    y = x.copy()
    y[..., 0] = y[..., 1] * 2
    y[0, :, None, 2] += 3.0
    y[:, 1:, ::2] *= y[:1, 1:, 1::2]
    y[..., -1] = v
    y[1, ...] = v[:, None]
    y[None, 0, 1:] -= v[0]
    return (y * y * y).sum()


@case(some(2, 3), some(3), 0.5)
def broadcasting(x, v, a):
    y = np.zeros((4, 2, 3))
    y[:] = x
    y[1:3, 0] = v
    y[..., 1] = a * v[0]
    y += v
    y *= x[:, :1]
    y[0] = a
    y[2:] /= 2 + v[0]
    return (y**3).sum()


# --- integer arrays and masks --------------------------------------------------------------------


@case(some(5), some(3))
def fancy(x, v):
    y = x.copy()
    y[np.array([0, 2, 4])] = v
    y[[1, 3]] += v[:2]
    y[[-1]] *= v[2]
    return (y**3).sum()


@case(some(5), some(4))
def fancy_with_repeats(x, v):
    y = x.copy()
    y[np.array([0, 2, 0, 0])] = v
    y[[1, 1, 3, 1]] += v * v
    y[[4, 4, 4, 4]] *= v
    return (y**3).sum()


@case(some(3, 4), some(2))
def fancy_in_two_dimensions(x, v):
    y = x.copy()
    y[[0, 2], [1, 3]] = v
    y[np.array([1, 0]), 1:3] *= v[:, None]
    y[:, [0, 3]] -= v
    return (y**3).sum()


@case(some(6))
def masks(x):
    y = x.copy()
    y[y < 0] = 0.0
    y[y > 0.5] *= 2
    y[x > 0.9] -= x[x > 0.9] ** 2
    return (y * y).sum()


@case(some(3, 4))
def masks_of_rows(x):
    y = x.copy()
    y[x[:, 0] > 0] += x[1]
    y[x < -0.5] = x[0, 0]
    y[:, np.array([True, False, False, True])] *= 3
    return (y * y).sum()


# --- functions and methods -----------------------------------------------------------------------


@case(some(5))
def out(x):
    y = np.empty_like(x)
    np.multiply(x, x, out=y)
    np.exp(y, y)
    np.add(y, x, out=(y,))
    np.multiply(y, 2, out=y, where=x > 0)
    np.cumsum(y, out=y)
    z = np.zeros(())
    np.sum(y, out=z)
    np.clip(y, -1, 5, out=y)
    return z * y.sum()


@case(some(3, 3), some(3, 3))
def out_of_products(x, y):
    z = np.zeros((3, 3))
    np.dot(x, y, out=z)
    np.matmul(z, y, out=x)
    return (x * x).sum() + (z * z).sum()


@case(some(3, 4))
def functions_that_write(x):
    y = np.zeros((3, 4))
    np.copyto(y, x)
    np.copyto(y, x[0] ** 2, where=y < 0)
    np.put(y, [1, 5], x[0, :2] ** 2)
    np.put(y.T, [1, 5], x[0, 2:] ** 2)
    y.put([2], 4.0)
    np.put_along_axis(y, np.array([[0], [3], [1]]), x[:, :1] ** 3, axis=1)
    np.putmask(y, y < -0.2, y * 2)
    np.fill_diagonal(y, x[1, :3])
    y[1].fill(x[2, 2])
    return (y**3).sum()


@case(some(5), some(3))
def add_at(x, v):
    y = x.copy()
    np.add.at(y, [0, 2, 0], v * x[:3])
    np.subtract.at(y, np.array([1, 1, 4]), v)
    np.add.at(y[1:], 0, v[0] ** 2)
    return (y**3).sum()


@case(some(3, 4))
def sorting(x):
    y = x.copy()
    y.sort(axis=0)
    y[1].sort()
    y.T[2].sort()
    return (y * np.arange(12.0).reshape(3, 4)).sum()


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


# --- functions -----------------------------------------------------------------------------------


def shift(u, k):
    u[1:] += k * u[:-1]
    return u


def square(u, i):
    u[i] = u[i] ** 2


def tail(u):
    return u[1:]


def early(u, i):
    if u[i] > 0.5:
        u[i] *= 2
        return u
    u[i] -= 1
    if u[i] < -1.5:
        return u
    u[0] += u[i]
    return u


def halves(u, lo, hi):
    if hi - lo < 2:
        u[lo] = np.sin(u[lo])
        return
    middle = (lo + hi) // 2
    halves(u, lo, middle)
    halves(u, middle, hi)
    u[lo] += u[middle] * u[hi - 1]


def peel(u):
    if len(u) < 2:
        return
    u[0] += u[1] ** 2
    peel(u[1:])


@case(some(4), 0.3)
def callee_returns_it(x, k):
    u = x.copy()
    for _ in range(3):
        u = shift(u, k)
    shift(u, k)
    return (u * u).sum()


@case(some(4))
def callee_returns_nothing(x):
    for i in range(len(x)):
        square(x, i)
        square(x[1:], 0)
    return (x * x).sum()


@case(some(5))
def callee_returns_a_view(x):
    y = x.copy()
    t = tail(tail(y))
    t *= 2
    t[0] = y[0] * y[1]
    return (y**2).sum()


@case(some(4))
def callee_returns_early(x):
    y = x.copy()
    early(y, 1)
    for i in range(4):
        early(y, i)
    return (y**2).sum()


@case(some(7))
def callee_calls_itself(x):
    y = x.copy()
    halves(y, 0, 7)
    peel(x)
    return (y**2).sum() + (x**2).sum()


@case(some(4))
def closures(x):
    y = np.zeros(4)

    def put(i, v):
        y[i] = v

    for i in range(4):
        put(i, x[i] ** 2)
    fill = lambda v: y[2:].fill(v)
    fill(x[0] * x[1])
    return (y * y).sum()


class Tank:
    def __init__(self, u):
        self.u = u
        self.n = 0

    def push(self, v):
        self.u[self.n % len(self.u)] += v
        self.n += 1
        return self


@case(some(4))
def methods(x):
    tank = Tank(x * 1.0)
    for i in range(5):
        tank.push(tank.u[(i + 1) % 4] * x[i % 4])
    return (tank.u**3).sum() * tank.n


# --- loops and branches --------------------------------------------------------------------------


@case(some(4))
def two_buffers(x):
    a = x.copy()
    b = np.zeros_like(a)
    for _ in range(4):
        b[1:] = a[:-1] * a[1:]
        b[0] = a[0]
        a, b = b, a
    return (a * a).sum() + (b * b * b).sum()


@case(some(4), 5)
def two_buffers_until(x, n):
    a, b = x, np.zeros_like(x)
    for _ in range(n):
        b[1:] = a[:-1] * a[1:] + 0.5
        if b[1] < 0.4:
            break
        a, b = b, a
    return (a * a).sum() + (b * b * b).sum()


@case(some(4), 4)
def three_buffers(x, n):
    a, b, c = x, np.zeros_like(x), np.ones(4)
    for _ in range(n):
        c[1:] = a[1:] * b[:-1] + a[:-1]
        a, b, c = b, c, a
    return (a**2).sum() + (b**3).sum() + (c**4).sum()


@case(some(4))
def swapped_in_a_branch(x):
    a, b = x * 1.0, x * 2.0
    for i in range(4):
        if x[i] > 0.5:
            a, b = b, a
        a[i] += b[i - 1] ** 2
    return (a * a).sum() + (b**3).sum()


@case(some(4), 3)
def a_new_array_each_time(u, n):
    for _ in range(n):
        new = np.empty_like(u)
        new[0], new[-1] = u[0], u[-1]
        for i in range(1, len(u) - 1):
            new[i] = u[i - 1] * u[i + 1] + u[i]
        u = new
    return (u * u).sum()


@case(some(3, 4))
def rows_by_index(x):
    y = np.zeros((3, 4))
    y[0] = x[0]
    for k in range(1, 3):
        before, now = y[k - 1], y[k]
        now[:] = np.sin(before) * x[k]
        now[0] += before[-1]
    return (y[-1] ** 2).sum()


@case(some(4))
def while_with_break(x):
    y = x.copy()
    n = 0
    while y.sum() < 20 and n < 10:
        y *= 1.5
        y[n % 4] += 1.0
        n += 1
        if n == 7:
            break
        if n % 2:
            continue
        y[3] += 0.1 * y[0]
    return (y * y).sum()


@case(some(4))
def condition_reads_what_is_written(x):
    y = x.copy()
    i = 0
    while y[i] < 3 and i < 3:
        y[i + 1] += y[i] ** 2
        i += 1
    return (y * y).sum()


@case(some(4))
def one_branch(x):
    y = x.copy()
    for i in range(4):
        if i % 2 == 0:
            y[i] = y[i - 1] ** 2
    if x[1] > 5:
        y[1] = 2 * x[2]
    return (y * x).sum()


@case(some(4))
def both_branches(x):
    a, b = x.copy(), x * 2
    for i in range(4):
        if i % 2 == 0:
            a[i] = b[i] ** 2
        else:
            b[i] = a[i - 1] * x[i]
    if x[0] > 0:
        z = a
    else:
        z = a
    z[0] = x[2]
    return (a * b).sum()


@case(some(4))
def early_return(x):
    y = x.copy()
    for i in range(4):
        y[i] *= 2
        if y[i] < -0.5:
            return (y * y).sum()
    return y.sum()


@case(some(5))
def inside_with(x):
    y = x.copy()
    with np.errstate(all="ignore"):
        for i in range(4):
            y[i + 1] += y[i] / (2 + y[i - 1])
        z = y
    z[3] *= 2
    return (y**2).sum()


@case(some(4))
def history_of_copies(x):
    u = x.copy()
    history = []
    for _ in range(4):
        u *= x
        u[0] += 0.5
        history.append(u.copy())
    total = 0.0
    for k in range(4):
        total += (history[k] * history[k - 1]).sum()
    return total


@case(some(4))
def history_of_new_arrays(x):
    history = [x]
    for i in range(3):
        u = history[-1] * x
        u[i] = x[0]
        history.append(u)
    return (history[1] * history[3]).sum()


@case(some(4))
def dictionary(x):
    d = {}
    for k in ("a", "b"):
        d[k] = x * 2
        d[k][0] = 1.0 * x[3]
    d["a"] += d["b"] ** 2
    for k, v in d.items():
        v[1] = 0.5 * v[2]
    return (d["a"] ** 2).sum() * d["b"].sum()


@case(some(4, 4) + 4 * np.eye(4))
def elimination(x):
    n = len(x)
    for k in range(n):
        for i in range(k + 1, n):
            x[i, k] /= x[k, k]
            for j in range(k + 1, n):
                x[i, j] -= x[i, k] * x[k, j]
    logdet = 0.0
    for i in range(n):
        logdet += np.log(abs(x[i, i]))
    return logdet


@case(some(4, 4))
def gauss_seidel(b):
    u = np.zeros_like(b)
    for _ in range(3):
        for i in range(1, b.shape[0] - 1):
            for j in range(1, b.shape[1] - 1):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] + b[i, j])
    return (u * u).sum()


@case(some(6), 0.3, 4)
def heat(u, k, steps):
    for _ in range(steps):
        u[1:-1] += k * (u[2:] - 2 * u[1:-1] + u[:-2])
    return (u * u).sum()


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


# --- dtypes --------------------------------------------------------------------------------------


@case(some(5).astype(np.float32))
def single(x):
    y = x.copy()
    y[0] = 2.5
    y[1:] *= np.float64(1.5)
    y += x
    y[3] = x[1] * y[2]
    return (y * y).sum()


@case(some(5).astype(np.float32), some(5))
def converted(x, w):
    z = np.zeros(5)
    z[:] = x
    z[2] = x[3] * w[4]
    z += x
    return (z * w).sum()
