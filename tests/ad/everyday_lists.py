"""Programs with lists, and with numbers and arrays that become others as they go.

`CASES` gives each its arguments, as in `everyday`.
"""

import numpy as np


def arrays(*shapes, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=s) + shift for s in shapes)


def sum_from_zero(x):
    s = 0
    for v in x:
        s += v * v
    return s * sum(v * x[0] for v in x if v > -9)


def integer_on_one_path(x):
    a, b, n = 0, (1, x[1]), 0
    while n < 4:
        t = x[n % 3] ** 2 if n > 1 else 1
        a, b = b[0] * x[n % 3] + t, (b[1], a)
        n += 1
    return a * a + b[0] + b[1]


def integers_in_a_list(x):
    items = [0, x[0]]
    for v in x:
        items.append(items[-1] * v + items[0])
    items.append(1)
    items[2] = 3
    s = 0
    for v in items:
        s = s * 0.5 + v * v
    return s


def integers_that_become_floats(x):
    a = np.zeros(3, dtype=int)
    for v in x:
        a = a + x * v
    return np.sum(a * x)


def sums_from_a_start(x):
    numbers, arrays = [], []
    for v in x:
        numbers.append(v * x[0])
        arrays.append(v * x)
    s = sum(numbers, x[1]) * sum(numbers) + sum(x, 0.5)
    return s * np.sum(sum(arrays, x) * sum(arrays, np.zeros(3)))


def list_of_dicts(x):
    out = []
    for v in x:
        out.append({"v": v, "items": v * 2})
    t = 0.0
    for o in out:
        t = t + o["v"] * o["items"]
    return t


def list_of_lists(x):
    rows = []
    for i in range(len(x)):
        row = []
        for j in range(i + 1):
            row.append(x[j] * x[i] * (j + 1))
        rows.append(row)
    s = 0.0
    for row in rows:
        for v in row:
            s = s * 0.5 + v * v
    return s * rows[2][1] + rows[2][0] * rows[1][1]


def list_of_tuples(x):
    out = []
    for v in x:
        out.append((v, (v * v, x)))
    t = 0.0
    for a, (b, c) in out:
        t = t + a * b + np.sum(c)
    return t + out[-1][0] * out[0][1][0]


def sums_of_items(x):
    items = []
    for v in x:
        items.append(np.outer(x, x) * v)
    s = items[1].sum() * items[0].mean()
    return s + (items[2].sum(axis=0) * items[0].sum(axis=1)).sum()


def recursive_pair(x):
    def r(v, n):
        if n <= 0:
            return v, v * v
        a, b = r(v * 2, n - 1)
        return a * b, a + b

    p, q = r(x, 3)
    return np.sum(p * q)


def list_of_pairs(x):
    pairs = []
    for v in x:
        pairs.append([v, [v * v, x * v]])
    t = 0.0
    for a, (b, c) in pairs:
        t = t + a * b + np.sum(c * c)
    return t + pairs[-1][0] * np.sum(pairs[0][1][1] * pairs[1][1][1])


def recursive_single(x):
    def r(v, n):
        if n <= 0:
            return v.sum(axis=n - n)
        return r(v * 2, n - 1)

    return r(x, 2)


def halving(x):
    while len(x) > 1:
        x = np.tanh(x[::2] * x[1::2]) + x[::2]
    return x[0] ** 3


def growing(r):
    c = np.ones(1)
    for a in r:
        d = np.zeros(len(c) + 1)
        d[:-1] += c
        d[1:] -= a * c
        c = d
    return np.sum(np.sin(c))


def neville(x, y, t):
    p = y
    for k in range(1, len(x)):
        p = ((t - x[k:]) * p[:-1] + (x[:-k] - t) * p[1:]) / (x[:-k] - x[k:])
    return p[0] ** 2


def wavelet(x):
    energies = []
    while x.size > 1:
        energies.append(np.sum((x[::2] - x[1::2]) ** 2))
        x = 0.5 * (x[::2] + x[1::2])
    return np.sum(np.array(energies) ** 1.5) + x[0]


# --- lists of arrays of different lengths ---------------------------------------------------------


def prefixes(x):
    parts = []
    for i in range(1, len(x)):
        parts.append(np.sin(x[:i] * x[i]))
    t = 0.0
    for part in parts:
        t = t + np.sum(part * parts[0]) * np.sum(parts[-1])
    return np.sum(parts[0] * parts[2]) + t


def parts_and_more(x):
    parts = [x[:1], x[:2], x]
    for i in range(2):
        parts.append(np.sin(x[i:] * x[i]))
    t = 0.0
    for part in parts:
        t = t + np.sum(part * parts[0]) * np.sum(parts[-1])
    return t


def halves(x):
    work, s = [x], 0.0
    while work:
        v = work.pop()
        if len(v) == 1:
            s = s * 0.7 + v[0] ** 2
        else:
            h = len(v) // 2
            work.append(v[:h] * v[h])
            work.append(v[h:])
    return s


CASES = {
    sum_from_zero: arrays(3),
    integer_on_one_path: arrays(3),
    integers_in_a_list: arrays(3),
    integers_that_become_floats: arrays(3),
    sums_from_a_start: arrays(3),
    list_of_dicts: arrays(3),
    list_of_lists: arrays(3),
    list_of_tuples: arrays(3),
    sums_of_items: arrays(3),
    recursive_pair: arrays(3),
    list_of_pairs: arrays(3),
    recursive_single: arrays(3),
    halving: arrays(8),
    growing: arrays(4),
    neville: (np.array([0.0, 1.1, 1.9, 3.2]), *arrays(4), 2.3),
    wavelet: arrays(8),
    prefixes: arrays(4),
    parts_and_more: arrays(4),
    halves: arrays(5),
}
