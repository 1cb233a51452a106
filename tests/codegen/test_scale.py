"""Long and deep programs: linear time, no recursion."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from adcompile.codegen.python import generate
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Loc, Param, Stmt, Value
from adcompile.ir.types import BOOL, FLOAT, Array, Dim
from tests.counted import calls


def at(block: Block, line: int, order: int = 0) -> Builder:
    return Builder(block, Loc(Stmt("f.py", line, f"x = {line}", "f"), line, 0, line, 1), order)


def run(fn: Function, *args):
    generated = generate(fn)
    scope: dict = dict(generated.namespace)
    exec(generated.text, scope)
    return scope[fn.name](*args)


def statements(n: int) -> Function:
    """`x = 0.5 * x + w` over and over; some old versions stay alive."""
    block = Block([Value(FLOAT, "x")])
    x = w = block.params[0]
    kept = []
    for k in range(n):
        b = at(block, k)
        new = b.add_values(b.mul(0.5, x), w)
        new.name = "x" if k % 3 else "y"
        w, x = (x if k % 7 == 0 else w), new
        if k % 10 == 0:
            kept.append(x)
    total = kept[0]
    for k, v in enumerate(kept[1:]):
        total = at(block, n + k, 1).add_values(total, v)
        total.name = "d_x"
    at(block, 2 * n).return_(total)
    return Function("f", block, [Param("x")])


def updates(n: int) -> Function:
    """As many element updates of one array, in place, and views of it."""
    block = Block([Value(Array(np.dtype("float64"), (Dim("n", True),)), "x")])
    (x,) = block.params
    d = at(block, 0, 1).call(np.zeros_like, x)
    d.name = "d_x"
    for k in range(n):
        b = at(block, k + 1, 1)
        d = b.update(d, b.index(x, ("value",), [k % 3]), ("value",), [k % 4], "+")
        if k % 5 == 0:
            t = b.call(np.sum, b.index(d, (...,)))
            t.name = "t"
            d = at(block, k + 1, 1).update(d, t, ("value",), [0])
    at(block, n + 1).return_(d)
    return Function("f", block, [Param("x")])


def chain(n: int) -> Function:
    """`return x + x + … + x`."""
    block = Block([Value(FLOAT, "x")])
    b = at(block, 1)
    v = x = block.params[0]
    for _ in range(n):
        v = b.add_values(v, x)
    b.return_(v)
    return Function("f", block, [Param("x")])


def elifs(n: int, expression: bool) -> Function:
    """`if x < 0: y = 0 elif x < 1: y = 1 …`, or as `and` of conditions."""
    block = Block([Value(FLOAT, "x")])
    (x,) = block.params
    levels = [block]
    for _ in range(n):
        levels.append(Block())
    b = at(block, 1)
    for k in range(n - 1, -1, -1):
        inner, here = b.into(levels[k + 1]), b.into(levels[k])
        if k == n - 1:
            inner.yield_(inner.call(operator.gt, x, -1.0) if expression else inner.const(-1.0))
        if expression:
            cond = here.call(operator.lt, x, float(k + 1))
            short = Block()
            here.into(short).yield_(cond)
            r = here.if_(cond, levels[k + 1], short, [BOOL], form="and").result
        else:
            then = Block()
            here.into(then).yield_(here.into(then).const(float(k)))
            cond = here.call(operator.lt, x, float(k))
            r = here.if_(cond, then, levels[k + 1], [FLOAT]).result
            r.name = "y"
        if k:
            here.yield_(r)
        else:
            here.return_(r)
    return Function("f", block, [Param("x")])


@pytest.mark.parametrize("program", [statements, updates], ids=lambda f: f.__name__)
def test_work_is_linear(program):
    small, large = program(1000), program(4000)
    assert calls(lambda: generate(large)) < 4.4 * calls(lambda: generate(small))


def test_long_chains_need_no_recursion():
    assert run(chain(2000), 1.0) == 2001.0


def test_long_elif_chains_need_no_recursion():
    text = generate(elifs(1500, expression=False)).text
    assert text.count("elif") == 1499


def test_long_conditions_need_no_recursion():
    text = generate(elifs(1000, expression=True)).text
    assert text.count(" and ") == 1000
    assert run(elifs(300, expression=True), 0.0) is True
