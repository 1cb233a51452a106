"""Lists, dicts and sets: their methods, and writes to their items."""

from __future__ import annotations

import numpy as np
import pytest

from adcompile import grad
from adcompile.errors import AdcompileError
from tests.frontend.holds import A, P, W, X, holds

CASES = []


def case(*args):
    def decorate(f):
        CASES.append(pytest.param(f, args, id=f.__name__))
        return f

    return decorate


@pytest.mark.parametrize("f, args", CASES)
def test_it_holds(f, args):
    holds(f, *args)


# --- lists of known layout ----------------------------------------------------------------------


@case(X)
def methods(x):
    xs = [x[0], x[1]]
    xs.extend([x[2], x[0] * x[1]])
    xs.insert(0, x[2] ** 2)
    v = xs.pop()
    w = xs.pop(0)
    xs.reverse()
    return xs[0] * w + v + xs[-1] ** 2


@case(X)
def writes(x):
    xs = [x[0], x[1], x[2]]
    xs[1] = xs[0] * xs[2]
    xs[0:2] = [x[2]]
    del xs[0]
    xs += [x[0]]
    xs *= 2
    return sum(xs) * xs[0]


@case(X)
def aliases(x):
    xs = [x[0], x[1]]
    ys = xs
    ys.append(x[2])
    zs = xs.copy()
    zs[0] = x[1] * 5.0
    zs.clear()
    return sum(xs) * len(xs) + len(zs)


@case(X)
def known_items(x):
    ks = [2, 0, 1]
    ks.sort()
    ks.sort(reverse=True)
    ks.remove(1)
    return x[ks[0]] * ks.index(0) + x[1] * ks.count(2) + x[(0, 1).index(1)]


@case(X)
def at_an_index_of_run_time(x):
    xs = [x[0], x[1], x[2]]
    for i in range(len(x)):
        xs[i] = xs[i] * xs[0]
    return xs[0] + xs[1] * 2.0 + xs[2] * 3.0


@case([X, W])
def parameters(ws):
    ws[0] = ws[0] * 2.0
    ws.append(ws[1] * ws[0])
    return sum(np.sum(w * w) for w in ws)


# --- lists of unknown length --------------------------------------------------------------------


@case(X)
def grown(x):
    xs = []
    for v in x:
        xs.append(v * v)
    t = xs.pop()
    xs.append(t * 2.0)
    xs.reverse()
    return xs[0] * 3.0 + xs[-1] * xs[1] + len(xs)


@case(X)
def extended(x):
    xs = []
    for v in x:
        xs.append(v * v)
    xs.extend(v * 3.0 for v in x)
    xs.extend([x[0], x[1]])
    xs += [v for v in x if v > 1.5]
    ys = xs.copy()
    ys[1] = x[0] * x[2]
    return sum(xs) * ys[1] + ys[3]


@case(X)
def put_together(x):
    xs = [v * v for v in x]
    ys = [v * 3.0 for v in x]
    zs = xs + ys
    ws = [x[0], *xs, x[1]]
    return zs[0] + zs[4] * 2.0 + ws[2] * ws[-1]


@case(X)
def sliced(x):
    xs = [v * v for v in x]
    a, b, c = xs[1:], xs[::-1], xs[:-1]
    return sum(a) + a[0] * b[0] + c[1] * 3.0


@case(X)
def used_twice(x):
    xs = [v * v for v in x]
    xs[0] = xs[1] * xs[2]
    return sum(xs) + max(xs)


@case(A)
def of_arrays(a):
    rows = [r * r for r in a]
    rows[0] = rows[1] * 2.0
    last = rows.pop()
    rows.append(last * a[0])
    return np.sum(rows[0] * last) + sum(np.sum(r) for r in rows)


@case(X)
def of_tuples(x):
    pairs = [(v, v * v) for v in x]
    pairs[0] = (x[1], x[2])
    p, q = pairs.pop()
    return sum(a * b for a, b in pairs) + p * q


@case(X)
def stack(x):
    todo = [x[0]]
    s = 0.0
    for v in x:
        todo.append(v * v)
    while len(todo) > 1:
        s = s * 2.0 + todo.pop()
    return s


# --- dicts and sets -----------------------------------------------------------------------------


@case(P)
def dicts(p):
    d = {}
    for k, v in p.items():
        d[k] = v * 2.0
    d.setdefault("c", np.sum(p["a"]))
    d.update(e=p["b"] * p["b"])
    z = d.pop("a")
    q = d | {"f": z}
    q |= {"g": z * z}
    s = sum(np.sum(v) for v in q.values())
    return s + (0.0 if "a" in q else np.sum(z)) + q.get("none", 3.0) * np.sum(q.get("f"))


@case(P)
def dicts_made(p):
    d = dict(zip(["u", "v"], p.values()))
    e = dict.fromkeys(d.keys(), 2.0)
    k, v = d.copy().popitem()
    return sum(e[k] * np.sum(d[k] ** 2) for k in d) + np.sum(v) * (k in d.keys()) + len(d.items())


@case(P)
def dicts_given(p):
    p["a"] = p["a"] * p["b"][0]
    p["c"] = p["a"] + 1.0
    del p["b"]
    return sum(np.sum(v * v) for v in p.values())


@case(X)
def counted(x):
    groups = {"even": 0.0, "odd": 0.0}
    for i in range(3):
        groups["odd" if i % 2 else "even"] += x[i] * x[0]
    return groups["even"] * groups["odd"]


@case(X)
def sets(x):
    s = {0, 2}
    s.add(1)
    s.discard(0)
    t = s.union({5})
    return sum(x[i] for i in s) * len(t) + (x[0] if s.issubset(t) and 5 not in s else 0.0)


# --- what is refused ----------------------------------------------------------------------------

REFUSED = {
    "item written into": (
        "rows = [x * v for v in x]\n    rows[0][1] = 5.0\n    return np.sum(rows[0])",
        "copy",
    ),
    "slice of known length": ("xs = [x[0]]\n    xs[::2] = []\n    return x[0]", "ValueError"),
    "insert": ("xs = [v for v in x]\n    xs.insert(0, 1.0)\n    return sum(xs)", "`insert`"),
    "pop in the middle": ("xs = [v for v in x]\n    xs.pop(0)\n    return sum(xs)", "last item"),
    "del in the middle": ("xs = [v for v in x]\n    del xs[0]\n    return sum(xs)", "last item"),
    "slice written": ("xs = [v for v in x]\n    xs[1:] = []\n    return sum(xs)", "slice"),
    "a tuple": ("t = (x[0], x[1])\n    t[0] = 3.0\n    return t[0]", "no items to assign"),
    "missing key": ("d = {'a': x}\n    del d['b']\n    return x.sum()", "no key 'b'"),
    "key of a value": ("d = {}\n    d[x[0]] = 1.0\n    return x.sum()", "known at compile time"),
    "pop of nothing": ("xs = []\n    xs.pop()\n    return x.sum()", "pop from empty list"),
    "index of a value": ("return [x[0], x[1]].index(x[2] * 2)", "run time only"),
    "out of range": ("xs = [x[0]]\n    xs[3] = 1.0\n    return xs[0]", "out of range"),
    "no such method": ("xs = [x[0]]\n    xs.foo()\n    return xs[0]", "no attribute `foo`"),
}


@pytest.mark.parametrize("body, reason", REFUSED.values(), ids=REFUSED)
def test_it_is_refused(body, reason, tmp_path):
    path = tmp_path / "refused.py"
    path.write_text(f"import numpy as np\n\n\ndef f(x):\n    {body}\n")
    space: dict = {"__name__": "refused"}
    exec(compile(path.read_text(), str(path), "exec"), space)
    with pytest.raises(AdcompileError) as e:
        grad(space["f"])(X)
    assert reason in str(e.value)
