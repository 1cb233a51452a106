"""Comprehensions, generator expressions, and what makes iterables or runs through them."""

from __future__ import annotations

import functools
import math
import operator
import sys
import types
from functools import partial, reduce
from itertools import (
    accumulate,
    chain,
    combinations,
    count,
    islice,
    pairwise,
    permutations,
    product,
    repeat,
    starmap,
    zip_longest,
)

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


# --- comprehensions -----------------------------------------------------------------------------


@case(X)
def a_list(x):
    ys = [np.sin(v) * v for v in x]
    s = 0.0
    for y in ys:
        s = s + y * y
    return s


@case(X)
def with_conditions(x):
    return sum([v * v for v in x if v > 1.5 if v < 2.5]) + len([v for v in x if v > 1.5])


@case(A)
def nested(a):
    return np.sum(np.array([[v * w for v in r] for w, r in zip(a[:, 0], a)]))


@case(A)
def several_fors(a):
    return sum([v * i for i, r in enumerate(a) for v in r if v > 1.0])


@case(X)
def its_own_scope(x):
    v = 5.0
    ys = [v * 2 for v in x]
    return v * sum(ys)


@case(X)
def the_first_iterable_is_evaluated_outside(x):
    return sum([x * x for x in x])


@case(X)
def walrus(x):
    return sum([(y := v * v) * y for v in x]) + 0.5 * y


@case(X)
def closures(x):
    return sum([(lambda q: q * k)(v) for k, v in enumerate(x)])


@case(X)
def unrolled_where_types_need_it(x):
    t = tuple(x[i] * i for i in range(3))
    a, b, c = t
    q, *r = [x[i] + 1 for i in range(3)]
    return a * b + c + q * r[0] + np.hypot(*[x[i] for i in range(2)])


@case(P)
def of_a_dict(p):
    d = {k: v * 2 for k, v in p.items()}
    return sum(np.sum(v) for v in d.values())


@case(X)
def keys_from_a_range(x):
    d = {i: x[i] * i for i in range(3)}
    s = {i % 2 for i in range(3)}
    return d[2] * d[1] * len(s) + sum(x[i] for i in s) + (x[1] if 1 in s else 0.0)


@case(X)
def in_a_loop(x):
    s = 0.0
    for k in range(3):
        s = s + sum([v**k for v in x]) * s + x[k]
    return s


@case([X, W])
def of_parameters(ws):
    return sum(np.sum(w**2) for w in ws) + sum(np.sum(w) for w in ws if w.size > 1)


# --- arrays of them -----------------------------------------------------------------------------


@case(X)
def an_array(x):
    return np.sum(np.array([v**2 for v in x]))


@case(A)
def stacked(a):
    return np.sum(np.stack([np.tanh(r) for r in a]) ** 2)


@case(A)
def concatenated(a):
    return np.sum(np.concatenate([r * r for r in a])) + np.sum(np.vstack([r for r in a]))


@case(A)
def lists_as_arrays(a):
    rows = [r * r for r in a]
    return np.sum(rows) + np.mean([np.sum(r) for r in rows]) + np.sum(a * rows)


@case(X)
def mapped_and_filtered_arrays(x):
    small = np.array(list(filter(lambda v: v > 1.5, x)))
    return np.linalg.norm(np.array(list(map(np.sin, x)))) + np.sum(small)


# --- generators that are used up ----------------------------------------------------------------


@case(X, W)
def dot(x, w):
    return sum(a * b for a, b in zip(x, w))


@case(A)
def conditional_sum(a):
    return sum(a[i, j] ** 2 for i in range(a.shape[0]) for j in range(a.shape[1]) if i != j)


@case(X)
def sums_in_sums(x):
    return sum(sum(v * w for w in x) for v in x) + sum(
        x[i] * x[j] for i in range(len(x)) for j in range(i)
    )


@case(A)
def sum_of_arrays(a):
    return np.sum(sum(r * r for r in a)) + np.sum(sum((r for r in a), np.zeros(3)))


@case(X)
def products(x):
    return math.prod(v for v in x) + math.fsum(v * v for v in x) + math.prod([x[0], x[1]])


@case(X)
def extremes(x):
    return max(abs(v) for v in x) * min(v * v for v in x) + max((v for v in x), default=1.0)


@case(X)
def extremes_by_key(x):
    a = min(x, key=lambda v: (v - 2.2) ** 2)
    b = max([v * v for v in x], key=lambda v: -v)
    return a * 3.0 + b + max([x[0], x[1] * 2.0], key=abs) + min(x[0], x[1], key=lambda v: -v)


@case(X)
def questions(x):
    if all(v > 0.5 for v in x) and not any(v > 100 for v in x):
        return np.prod(x)
    return np.sum(x)


@case(X)
def question_of_a_loop(x):
    total = 0.0
    while any(v * total < 10.0 for v in x):
        total = total + x[2]
    return total


@case(X)
def sorted_values(x):
    ys = sorted(x, reverse=True)
    zs = sorted([v * v for v in x], key=lambda v: -v)
    return ys[0] * 3.0 + ys[1] * 2.0 + zs[0] * 3.0 + zs[1]


@case(X)
def sorted_known(x):
    return sum(x[k] * i for i, k in enumerate(sorted([2, 0, 1], key=lambda k: -k)))


@case(X)
def passed_on(x):
    def total(values):
        s = 0.0
        for v in values:
            s = s + v
        return s

    return total(v * v for v in x) + total(map(np.sin, x))


@case(X)
def in_the_header_of_a_loop(x):
    s = 0.0
    for y in (v * v for v in x if v > 1.5):
        if y > 8.0:
            break
        s = s + y
    for i, y in enumerate(v * v for v in x):
        s = s + i * y
    return s


@case(X)
def evaluated_when_its_turn_comes(x):
    scale = 1.0
    s = 0.0
    for y in (v * scale for v in (x[0], x[1], x[2])):
        scale = scale + y
        s = s + y
    for y in filter(lambda v: v > scale, [3.0, 4.0, 50.0]):
        scale = scale + y * x[0]
    return s + scale


@case(X)
def texts(x):
    if ",".join(str(k) for k in range(3)) == "0,1,2":
        return np.sum(x * x)
    return np.sum(x)


# --- iterables ----------------------------------------------------------------------------------


@case(X, W)
def zipped(x, w):
    strict = sum(a * b for a, b in zip(x, w, strict=True))
    return strict + sum(a * b for a, b in zip(x, x[1:])) + sum(a for (a,) in zip(x))


@case(X)
def enumerated(x):
    s = 0.0
    for i, (p, q) in enumerate(pairwise(x), start=1):
        s = s + i * p * q
    for i, v in reversed(list(enumerate(x))):
        s = s * 0.5 + v * i
    return s


@case(X, W)
def maps(x, w):
    s = sum(map(lambda v: v * v * v, x)) + sum(map(operator.mul, x, w))
    for y in filter(lambda v: v > 1.5, x):
        if y > 2.5:
            break
        s = s + y * y
    return s + sum(starmap(lambda u, v: u * v * v, zip(x, w)))


@case(X)
def reductions(x):
    a = reduce(lambda p, q: p * q, x, 1.0) + reduce(operator.mul, x)
    return a + reduce(operator.add, [x[0], x[1] * x[2]]) + functools.reduce(max, [x[0], x[1]])


@case(A)
def positions(a):
    s = sum(a[i] ** 2 * (i[0] + 1) for i in np.ndindex(a.shape))
    s = s + sum(v**2 * (i[1] + 1) for i, v in np.ndenumerate(a))
    for i, j in product(range(a.shape[0]), range(a.shape[1])):
        s = s + a[i, j] ** 2 * (i + j)
    return s


@case(X)
def running_totals(x):
    return sum(accumulate(x)) * sum(accumulate([v * v for v in x], lambda p, q: p * q))


@case(X)
def chained(x):
    s = sum(v * v for v in chain([x[0]], [x[1], x[2]]))
    s = s + sum(chain.from_iterable([[x[0], x[1]], [x[2]]]))
    return s + sum(p * q for p, q in combinations([x[0], x[1], x[2]], 2))


@case(X)
def pieces(x):
    s = sum(islice(x, 2)) + sum(u * v for u, v in zip(x, repeat(3.0)))
    s = s + sum(i * v for i, v in zip(count(1), x))
    s = s + sum(i * x[i] for i in islice(count(), 2))
    return s + sum(p * (q or 0.0) for p, q in zip_longest([x[0], x[1]], [x[2]]))


@case(X)
def orders(x):
    return sum(p[0] * p[1] ** 2 for p in permutations((x[0], x[1], x[2]), 2))


# --- functions ----------------------------------------------------------------------------------

OUTSIDE = partial(lambda p, q, r=1.0: p * q * r, 2.0, r=3.0)
GETTER = operator.itemgetter(1)


@case(X)
def partials(x):
    g = partial(lambda p, q, r=1.0: p * q * r, x[0], r=x[1])
    return g(x[2]) + g(2.0, r=3.0) + OUTSIDE(x[1])


@case((X, A))
def operators(p):
    s = np.sum(operator.itemgetter(1)(p)) + np.sum(GETTER(p) ** 2)
    pairs = [(p[0][0], 1.0), (p[0][1], 2.0)]
    s = s + sum(map(operator.itemgetter(0), pairs)) + operator.add(p[0][1], p[0][2]) * s
    return s + np.sum(operator.attrgetter("T")(p[1]) ** 2) + operator.methodcaller("sum")(p[0])


# --- progress bars ------------------------------------------------------------------------------


def test_a_progress_bar_is_left_in_place(monkeypatch):
    seen = []

    class tqdm:
        __module__ = "tqdm.std"

        def __init__(self, iterable=None, desc=None, total=None):
            self.iterable = iterable
            seen.append([desc, total, 0])

        def __iter__(self):
            for x in self.iterable:
                self.update()
                yield x
            self.close()

        def update(self, n=1):
            seen[-1][2] += n

        def close(self):
            seen[-1].append("closed")

    def trange(n, **options):
        return tqdm(range(n), total=n, **options)

    trange.__module__ = "tqdm.std"
    made = types.ModuleType("tqdm")
    made.tqdm, made.trange = tqdm, trange
    made.std = made
    monkeypatch.setitem(sys.modules, "tqdm.std", made)
    monkeypatch.setitem(sys.modules, "tqdm", made)

    def f(x):
        s = 0.0
        for v in made.tqdm(x, desc="training"):
            s = s + v * v
        for i in made.trange(2):
            s = s * x[i]
        return s

    text = holds(f, X)
    assert text.count("bar = tqdm(") == text.count("bar.close()") == 2
    assert all(bar[3:] == ["closed"] for bar in seen)
    seen.clear()
    grad(f)(X)  # one bar for each loop of the forward sweep, none for the backward sweep
    assert seen == [["training", len(X), len(X), "closed"], [None, 2, 2, "closed"]]


# --- the text, and other modes ------------------------------------------------------------------


def test_a_sum_over_pairs_is_a_plain_loop():
    text = holds(dot, X, W)
    assert "append" not in text and "d_x[i] += b" in text


def test_a_comprehension_is_named_after_its_variable():
    text = holds(a_list, X)
    assert "ys.append(np.sin(v) * v)" in text
    assert "# ys = [np.sin(v) * v for v in x]" in text


def test_any_stops_early():
    def f(x):
        if any(v > 1.5 for v in x):
            return x[0] * x[1]
        return x[0]

    text = holds(f, X)
    assert text.count("break") == 1


def test_any_does_not_look_further():
    def f(x):
        if all(v > 0.0 and 1.0 / v > 0.1 for v in x):
            return np.sum(x)
        return x[0] * 2.0

    with np.errstate(divide="raise"):
        assert np.array_equal(grad(f)(np.array([1.0, -1.0, 0.0])), [2.0, 0.0, 0.0])


def test_the_gradient_of_a_gradient():
    def f(x):
        return sum(v * w * w for v, w in zip(x, x[1:])) + sum([v**3 for v in x])

    inner = grad(f)

    def g(x):
        return np.sum(inner(x) * W)

    h = np.diag(6 * X) + np.array([[0, 4, 0], [4, 2, 6], [0, 6, 4.0]])
    assert np.allclose(inner(X), [4 + 3, 4 + 9 + 12, 12 + 27])
    assert h.shape == (3, 3) and g(X) == np.sum(inner(X) * W)


# --- what is refused ----------------------------------------------------------------------------

REFUSED = {
    "twice": ("g = (v for v in x)\n    return sum(g) + sum(g)", "iterated over before"),
    "zip twice": ("z = zip(x, x)\n    return len(list(z)) + sum(a for a, b in z)", "before"),
    "in a loop": (
        "g = (v for v in x)\n    s = 0.0\n    for u in x:\n        s += sum(g)\n    return s",
        "outside of this loop",
    ),
    "returned": ("return (v for v in x)", "cannot be a value here"),
    "given to NumPy": ("return np.sum(v for v in x)", "cannot be a value here"),
    "its length": ("return len(v for v in x) * x[0]", "has no length"),
    "reversed": ("return sum(reversed(v for v in x))", "backwards"),
    "zip of a filter": (
        "return sum(a * b for a, b in zip(filter(None, x), x))",
        "that a condition leaves",
    ),
    "a set of values": ("return x.sum() * len({v for v in x})", "known at compile time"),
    "keys of values": ("return sum({v: v for v in x})", "known at compile time"),
    "a tuple of unknown length": ("return tuple(v for v in x)[0]", "how many items"),
    "next": ("return next(iter(x))", "advanced by hand"),
    "endless": ("for i in itertools.count():\n        x = x * 2\n    return x", "never ends"),
    "combinations": ("return sum(p * q for p, q in itertools.combinations(x, 2))", "run time only"),
    "nditer": ("return sum(v for v in np.nditer(x))", "np.ndindex"),
    "strings": ("return sum(sorted(str(v) for v in x))", "is no number"),
    "empty": ("return max(v for v in [])", "empty sequence"),
    "header of several fors": (
        "for a in (p * q for p in x for q in x):\n        x = x * a\n    return x.sum()",
        "several `for`s",
    ),
    "strict zip": ("return sum(a * b for a, b in zip((1, 2), (3,), strict=True))", "differ"),
    "leaks": ("y = [v for v in x]\n    return v", "`v` is not defined"),
}


@pytest.mark.parametrize("body, reason", REFUSED.values(), ids=REFUSED)
def test_it_is_refused(body, reason, tmp_path):
    path = tmp_path / "refused.py"
    path.write_text(f"import itertools\nimport numpy as np\n\n\ndef f(x):\n    {body}\n")
    space: dict = {"__name__": "refused"}
    exec(compile(path.read_text(), str(path), "exec"), space)
    with pytest.raises(AdcompileError) as e:
        grad(space["f"])(X)
    assert reason in str(e.value)
