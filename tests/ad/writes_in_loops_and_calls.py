"""Programs that write in loops, in branches and in the functions that they call."""

import numpy as np

from tests.ad.cases import cases, some

CASES, case = cases()


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
