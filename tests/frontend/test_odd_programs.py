"""Odd programs: each works, or is refused with an error of ours that says where."""

from __future__ import annotations

import collections
import dataclasses
import operator
from typing import NamedTuple

import numpy as np
import pytest

from adcompile import AdcompileError, InternalError, check_grads, grad

X = np.array([0.5, 1.5, 2.25])
S = np.array([[1.0, 0.2], [0.3, 1.5]])


class Pair(NamedTuple):
    w: object
    b: object


@dataclasses.dataclass
class Layer:
    w: object
    scale: float


def functions_in_containers(x):
    fs = (np.sin, lambda v: v * v)
    named = {"a": np.cos, "b": lambda v: v * 2}
    for f in fs:
        x = f(x)
    for f in named.values():
        x = f(x)
    return named["b"](x).sum()


def functions_appended_while_looping(x):
    fs = []
    for _ in x:
        fs.append(np.sin)
    for f in fs:
        x = f(x)
    return x.sum()


def closures_over_counters(x):
    i = 0
    while i < 3:
        f = lambda v: v * (i + 1)  # noqa: B023, E731
        x = f(x)
        i += 1
    return x.sum()


def closures_see_later_values(x):
    k = 2.0

    def g(v):
        return v * k

    if x[0] > 0:
        k = 3.0
    return g(x).sum()


def all_ways_to_pass(x):
    def f(a, /, b, *rest, k=2, **named):
        return a * k + b + sum(rest) + named["z"]

    return f(x.sum(), 1.0, x[0], x[1], k=3, **{"z": x[2]})


def defaults_of_nested_functions(x):
    def outer(a, k=x[0]):
        def inner(b, s=a):
            return b * s * k

        return inner(a)

    return outer(x[1])


def recursion_on_other_shapes(x):
    def product(v):
        if len(v) < 2:
            return v.sum()
        return v[0] * product(v[1:])

    def fold(v):
        return v if v.ndim == 0 else fold(v.sum(axis=0))

    return product(x) + fold(x[:, None] * x)


def recursion_of_lambdas(x):
    return (lambda f: f(f, 3))(lambda f, n: x.sum() if n == 0 else x[0] * f(f, n - 1))


def mutual_recursion(x):
    def even(n, v):
        return v if n <= 0 else odd(n - 1, v * 2)

    def odd(n, v):
        return v if n <= 0 else even(n - 1, v * 3)

    return even(int(x[0]) + 4, x[1])


def other_results_for_other_types(x):
    def f(v, pair):
        if pair:
            return v, v * 2
        return v

    return f(x, False).sum() + f(x, True)[1].sum()


def shadowed_names(x):
    sum, len = np.prod, 3
    np_ = np
    return sum(x) * len * np_.sin(x[0])


def products_with_itself(x):
    for _ in range(3):
        x = x.T @ x
    return x.sum()


def deeply_nested(x):
    for a in range(2):
        for b in range(2):
            for c in range(2):
                for d in range(x.shape[0]):
                    if a == b:
                        if c == d:
                            x = x * 1.1
                        elif c > d:
                            x = x - 0.1
                        else:
                            with np.errstate(all="ignore"):
                                x = x + 0.1
    return x.sum()


def named_tuples(x):
    pair = Pair(x, 2.0)
    other = pair._replace(w=pair.w * 3)
    return other.w.sum() * other._asdict()["b"]


def dataclasses_replaced(x):
    layer = dataclasses.replace(Layer(x, 2.0), scale=3.0)
    return layer.w.sum() * layer.scale * getattr(layer, "missing", 2.0)


def sorted_keys(x):
    params = {"b": x[0], "a": x[1]}
    total = 0.0
    for key in sorted(params):
        total = total * 2.0 + params[key]
    return total


def known_text(x):
    total = 0.0
    for letter in "abc":
        total = total * 2.0 + x[ord(letter) - ord("a")]
    return total


def inner_list_shared(x):
    items = []

    def add(v):
        items.append(v)

    for i in range(3):
        add(x[i])
    return items[0] * items[2]


WORKING = [
    functions_in_containers,
    functions_appended_while_looping,
    closures_over_counters,
    closures_see_later_values,
    all_ways_to_pass,
    defaults_of_nested_functions,
    recursion_on_other_shapes,
    recursion_of_lambdas,
    mutual_recursion,
    other_results_for_other_types,
    shadowed_names,
    products_with_itself,
    deeply_nested,
    named_tuples,
    dataclasses_replaced,
    sorted_keys,
    known_text,
    inner_list_shared,
]


@pytest.mark.parametrize("f", WORKING, ids=lambda f: f.__name__)
def test_it_works(f):
    check_grads(f, (S if f is products_with_itself else X,))


REFUSED = {
    "iterator": "return next(iter(x))",
    "function of unknown elements": "return np.frompyfunc(lambda v: v * 2, 1, 1)(x).sum()",
    "function chosen at run time": "f = np.sin if x[0] > 0 else np.cos\n    return f(x).sum()",
    "endless recursion": "f = lambda v: f(v * 2)\n    return f(x)",
    "functions appended": (
        "fs = []\n    for i in range(len(x)):\n        fs.append(lambda v: v * i)\n"
        "    return fs[0](x).sum()"
    ),
    "mixed list": (
        "out = []\n    for v in x:\n        out.append(v)\n        out.append("
        "'a')\n    return out[0]"
    ),
    "grown tuple": "t = ()\n    for v in x:\n        t = t + (v,)\n    return t[0]",
    "rank in a while loop": "while x.ndim:\n        x = x.sum(axis=0)\n    return x",
    "two results": "f = lambda v: v if v[0] > 0 else (v, v)\n    return f(x)[0]",
    "returns a function": "return lambda: x",
    "returns a module": "return np",
    "returns an iterator": "return zip(x, x)",
    "adds text": "return x + 'a'",
    "adds None": "return x + None",
    "calls a number": "return x[0](1)",
    "calls None": "f = None\n    return f(x)",
    "unpacks a number": "a, b = x[0]\n    return a",
    "indexes by text": "return x['a']",
    "array as a key": "return {x: 1}[x]",
    "unknown library function": "return np.fft.fft(x).sum()",
    "unknown indexer": "return np.c_[x, x].sum()",
    "unknown iterator": "for v in np.nditer(x):\n        y = v\n    return y",
    "generator twice": "g = (v for v in x)\n    return sum(g) + sum(g)",
    "zip twice": "z = zip(x, x)\n    return sum(a * b for a, b in z) + len(list(z))",
    "generator appended": (
        "g = []\n    for v in x:\n        g.append(u for u in x)\n    return x.sum()"
    ),
    "returns a generator": "return (v for v in x)",
    "generator in a loop": (
        "g = (v for v in x)\n    s = 0.0\n    for u in x:\n        s += sum(g)\n    return s"
    ),
    "filter zipped": "return sum(a * b for a, b in zip(filter(None, x), x))",
    "set of values": "return x.sum() * len({v for v in x})",
    "keys of values": "return sum({v: v for v in x})",
    "argument twice": "f = lambda a, b: a * b\n    return f(x.sum(), a=2)",
    "positional only": "def f(a, /): return a\n    return f(a=x.sum())",
    "dynamic star": "l = []\n    for v in x:\n        l.append(v)\n    return max(*l)",
    "attribute of a function": "def g(v): return v\n    g.k = 2\n    return g(x).sum()",
    "class made": "return collections.OrderedDict(a=x)['a'].sum()",
    "bad literal": "return x.sum() * int('abc')",
    "dynamic key": "d = {0: x, 1: (x, x)}\n    return d[int(x[0])].sum()",
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name, tmp_path):
    import linecache

    text = f"def f(x):\n    {REFUSED[name]}\n"
    file = str(tmp_path / "odd.py")
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    space = {"np": np, "operator": operator, "collections": collections}
    space["functools"] = __import__("functools")
    exec(compile(text, file, "exec"), space)
    with pytest.raises(AdcompileError) as e:
        grad(space["f"])(X)
    assert not isinstance(e.value, InternalError)
    assert e.value.loc is not None and e.value.loc.stmt.file == file
