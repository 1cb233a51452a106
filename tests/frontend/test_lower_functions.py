"""Lowering: functions, recursion, harder programs."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from adcompile.frontend.lower import NeedStatic, lower_function
from adcompile.ir import core, interpreter
from adcompile.ir.printer import to_text
from adcompile.ir.types import FLOAT, Array, Static
from tests.frontend.given import PAIR, SCALE, Layer, Point, V, W, X, ops
from tests.frontend.lowered import agree, lower

# --- functions ----------------------------------------------------------------------------------


def helper(x, scale=2.0, *rest, shift=1.0, **more):
    y = x * scale + shift
    for r in rest:
        y = y + r
    for k, v in more.items():
        y = y * v if k != "skip" else y
    return y


def callers(x):
    args = (3.0, 4.0)
    a = helper(x), helper(x, 3.0), helper(x, scale=4.0), helper(x, *args), helper(x, 1.0, 2.0, 3.0)
    return a, helper(x, shift=x, q=2.0, skip=3.0), helper(*[x], **{"scale": 5.0})


def closures(x, n):
    def inner(y, k=n):
        return y * x.sum() + k + n

    square = lambda v: v * v  # noqa: E731
    fs = [square, inner]
    for f in fs:
        x = f(x)
    n = 100.0
    return inner(x), square(n), (lambda *a: a[0] + a[1])(1.0, x)


def apply(f, x, times=1):
    for _ in range(times):
        x = f(x)
    return x


def higher(x):
    return apply(np.tanh, x), apply(lambda v: v + 1, x, times=3), apply(helper, x)


def globals_(x):
    a, d = PAIR
    return x * SCALE + a, d["k"], PAIR[0].sum(), PAIR[1]["k"] * math.e


def records(x, p, layer):
    q = Point(x)
    a, b = q
    m = Layer(w=x, bias=b)
    return (
        q.a * q.b,
        p.a + p.b,
        m.twice,
        m.bias,
        layer.apply(layer.w),
        q._replace is None,
        layer.bias,
    )


def by_rank(x, axis=None):
    if axis is None:
        return x.sum()
    if axis < 0:
        axis = axis + x.ndim
    if x.ndim == 2 and x.dtype == np.float64:
        return np.expand_dims(x.sum(axis), axis)
    return x.sum(axis=x.ndim - 1)


def all_axes(x):
    return by_rank(x), by_rank(x, 0), by_rank(x, axis=-1), by_rank(x[0], axis=-1)


def make_adder(k):
    def add(x):
        return x + k

    return add


@pytest.mark.parametrize(
    "f, args",
    [
        (callers, (V,)),
        (closures, (V, 2.0)),
        (higher, (V,)),
        (globals_, (V,)),
        (all_axes, (X,)),
        (make_adder(2.5), (V,)),
        (make_adder(V), (V,)),
        (lambda x: -x * x, (V,)),
    ],
)
def test_functions(f, args):
    agree(f, *args)


def test_records():
    def f(x, p, layer):
        q = Point(x)
        a, b = q
        m = Layer(w=x, bias=b)
        return q.a * q.b, p.a + p.b, m.twice, m.bias, layer.apply(layer.w), layer.bias, m

    agree(f, X, Point(V, 3.0), Layer(np.eye(3), 1.0))


def test_globals_are_read_at_each_call():
    global SCALE
    fn = lower(globals_, V)
    SCALE, before = 10.0, SCALE
    try:
        assert np.array_equal(interpreter.run(fn, V)[0], globals_(V)[0])
    finally:
        SCALE = before


def test_tests_on_what_is_known_fold():
    fn = agree(all_axes, X)
    assert not ops(fn, core.If)


def test_static_parameters_are_baked_in():
    fn = lower_function(by_rank, [Array(X.dtype, (3, 4)), Static(1)])
    assert [p.name for p in fn.params] == ["x"]
    assert np.array_equal(interpreter.run(fn, X), by_rank(X, 1))


def test_the_value_of_a_parameter_may_be_needed():
    def f(x, opts):
        return np.sum(x, axis=opts["axis"][0])

    with pytest.raises(NeedStatic) as e:
        lower(f, X, {"axis": (1,)})
    assert e.value.path == (1, "axis", 0)

    def g(x, n):
        return x + np.zeros((2,) * n).sum()

    with pytest.raises(NeedStatic) as e:
        lower(g, X, 2)
    assert e.value.path == (1,)


def test_names():
    def f(x, n):
        a = x * 2
        b = a
        c, d = (x + 1, x + 2)
        for i in range(n):
            b = b + i
        return a, b, c, d

    fn = agree(f, V, 2)
    loop = ops(fn, core.For)[0]
    assert [p.name for p in loop.body.params] == ["i", "b"]
    assert loop.result.name == "b"
    named = [op.result.name for op in fn.block.ops if isinstance(op, core.Call)]
    assert named == ["a", "c", "d"]


def test_calls_are_kept_as_written():
    def f(x):
        return x.sum(axis=0), np.sum(x, 1), x.T

    sums = ops(lower(f, X), core.Call)
    assert [(c.fn, c.member, c.keywords) for c in sums] == [
        (np.sum, "sum()", ("axis",)),
        (np.sum, None, ()),
        (np.transpose, "T", ()),
    ]


def test_effects_keep_their_order(capsys):
    def f(x):
        print("a", x)
        y = unknown_to_us(x)
        print("b")
        return x + 1

    fn = lower(f, 1.0)
    calls = [op.fn for op in ops(fn, core.Call) if op.effect]
    assert calls[0] is print and calls[-1] is print


def unknown_to_us(x):
    return x


def test_dead_variables_are_not_carried():
    def f(x):
        s = 0.0
        for i in range(3):
            t = x[i] * 2
            u = t + 1
            s = s + u
        return s

    loop = ops(agree(f, V), core.For)[0]
    assert len(loop.results) == 1


def test_long_functions_and_chains(tmp_path):
    lines = ["def f(x):", "    y = x"]
    lines += [f"    y = y + {i}.0" for i in range(2000)]
    lines += ["    if x > 0:", "        z = 1.0"]
    for i in range(400):
        lines += [f"    elif x > {-i}:", f"        z = {i}.0"]
    lines += [
        "    else:",
        "        z = x",
        "    w = " + " + ".join(["x"] * 800),
        "    return y, z, w",
    ]
    path = tmp_path / "long.py"
    path.write_text("\n".join(lines))
    space: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    fn = lower_function(space["f"], [FLOAT])
    assert len(list(core.walk(fn.block))) > 3000


# --- recursion ----------------------------------------------------------------------------------


def factorial(n):
    if n <= 1:
        return 1.0
    return n * factorial(n - 1)


def halves(x):
    if len(x) == 1:
        return x[0]
    m = len(x) // 2
    return halves(x[:m]) + 2 * halves(x[m:])


def is_even(n):
    return True if n == 0 else is_odd(n - 1)


def is_odd(n):
    return False if n == 0 else is_even(n - 1)


def recursive_calls(x, n):
    def power(k):
        if k == 0:
            return x
        y = power(k - 1)
        return x * y

    def pair(k, a, b):
        if k == 0:
            return a, b
        p, q = pair(k - 1, b, a + b)
        return q, p

    return factorial(n), halves(x), is_even(n), power(n), pair(n, x, 1.0 + x)


def test_recursion():
    fn = agree(recursive_calls, V, 5)
    assert len(core.callees(fn)) >= 5


def test_recursion_on_structure_is_unrolled():
    def total(tree):
        s = 0.0
        for t in tree:
            s = s + (total(t) if isinstance(t, tuple) else t.sum())
        return s

    fn = agree(lambda t: total(t), ((V, V), V, ((X,), X)))
    assert len(core.callees(fn)) == 1


def test_static_recursion():
    def nest(x, n):
        if n == 0:
            return x
        return nest(np.expand_dims(x, 0), n - 1)

    agree(lambda x: nest(x, 3), V)


# --- harder programs ----------------------------------------------------------------------------


def shrinking(x, n):
    y = x
    for i in range(n):
        x = x[1:]
        y = np.concatenate([x, y])
    return x, y, x.sum() + y.sum()


def appended_elsewhere(x, n):
    xs = []

    def put(v):
        xs.append(v)

    def grow(ys, v):
        ys.append(v)
        return len(ys)

    for i in range(n):
        put(x * i)
        grow(xs, x + i)
    k = grow(xs, x)
    return xs, k


def nested_unrolled(ws, x, n):
    for w in ws:
        s = 0
        for i in range(n):
            for j in range(i):
                s = s + w * j
        x = x + s
    return x


def by_counter(x, layers):
    s = 0.0
    for axis in range(x.ndim):
        s = s + np.sum(x, axis=axis).max()
    for i in range(len(layers) - 1):
        s = s + layers[i].sum() * layers[i + 1].sum()
    return s


def flags(x):
    found = False
    best = None
    i = 0
    while not found and i < len(x):
        if x[i] > 0.5:
            found = True
        i += 1
    if best is None:
        best = x[0]
    return found, i, best


def dict_items(params, x):
    for name, (w, b) in params.items():
        x = x @ w + b
        if name != "last":
            x = np.tanh(x)
    return x


def list_of_pairs(x, n):
    pairs = []
    for i in range(n):
        pairs.append((x * i, i))
    s = x * 0
    for a, k in pairs:
        s = s + a * k
    first, *_ = pairs[0], 1
    return s, first[0], pairs[-1][1]


def nothing(x):
    for i in range(3):
        pass
    if x > 0:
        pass


def carried_none(x, n):
    h = None
    for i in range(n):
        if h is not None:
            x = x + 1
    return x, h


@pytest.mark.parametrize(
    "f, args",
    [
        (shrinking, (V, 2)),
        (shrinking, (V, 0)),
        (appended_elsewhere, (V, 2)),
        (nested_unrolled, ((1, 2.0, 3.0), 1.0, 3)),
        (nested_unrolled, ((3.0, 2.0, 1), 1, 3)),
        (by_counter, (X, [V, X, V])),
        (flags, (V,)),
        (dict_items, ({"first": (np.eye(4), V), "last": (np.ones((4, 2)), 0.5)}, V)),
        (list_of_pairs, (V, 3)),
        (nothing, (1.0,)),
        (carried_none, (1.0, 2)),
        (Layer(np.eye(4), 2.0).apply, (V,)),
    ],
)
def test_harder_programs(f, args):
    agree(f, *args)


def test_text():
    def f(xs, h, n):
        total = 0.0
        for x in xs:
            if x < 0.0:
                continue
            h = np.tanh(h + x)
            total += h.sum()
        return total * n, (h, None)

    text = to_text(agree(f, W, V, 2.0))
    assert re.sub("  // line .*", "", text).strip() == TEXT.strip()


TEXT = """
func @f(%xs: float64[n0], %h: float64[n1], %n: float) {
  %total = 0.0 : float
  %0 = len(%xs) : int
  %h_1, %total_1 = for %1 in range(0, %0, 1) carry (%h_2 = %h, %total_2 = %total) : float64[n1], float64[] {
    %x = %xs[%1] {item} : float64[]
    %2 = %x < 0.0 : bool[]
    %h_3, %total_3 = if %2 : float64[n1], float64[] {
      yield %h_2, %total_2
    } else {
      %3 = %h_2 + %x : float64[n1]
      %h_4 = np.tanh(%3) : float64[n1]
      %4 = %h_4.sum() : float64[]
      %total_4 = %total_2 + %4 : float64[]
      yield %h_4, %total_4
    }
    yield %h_3, %total_3
  }
  %5 = %total_1 * %n : float64[]
  %6 = tuple(%h_1, None) : tuple(float64[n1], static(None))
  %7 = tuple(%5, %6) : tuple(float64[], tuple(float64[n1], static(None)))
  return %7
}
"""  # noqa: E501


def test_constants_are_kept_as_written():
    def f(x):
        n = 3
        return x * (2 * 3) + n * 1.5

    calls = ops(agree(f, 1.0), core.Call)
    assert len(calls) == 4


def test_one_source_many_closures():
    fns = [make_adder(k) for k in (1.0, 2.0)]
    assert [interpreter.run(lower(f, 1.0), 1.0) for f in fns] == [2.0, 3.0]
