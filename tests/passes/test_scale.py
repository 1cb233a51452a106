"""Long and deep programs: every stage is linear and iterative."""

from __future__ import annotations

import gc
import operator
from collections.abc import Callable

import numpy as np
import pytest

from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.clone import clone_function
from adcompile.ir.core import Function, Value
from adcompile.ir.interpreter import run
from adcompile.ir.printer import to_text
from adcompile.ir.types import FLOAT
from adcompile.ir.verifier import verify
from adcompile.passes import cse, dce, fuse, hoist, shapes, simplify, sink
from tests.counted import calls
from tests.passes.programs import ADD, ARGS, MUL, VECTOR, arm, assert_same, for_, if_, make

STAGES = [clone_function, verify, to_text]
PASSES = [simplify, cse, shapes, dce, sink, fuse, hoist]


def straight(n: int) -> Function:
    def body(b: Builder, x: Value, s: Value) -> Value:
        v = x
        for k in range(n // 3):
            v = b.call(ADD, b.call(MUL, 0.5 / (k + 1), b.call(MUL, v, x)), x)
        return v

    return make(body, x=VECTOR, s=FLOAT)


def long_sum(n: int) -> Function:
    def body(b: Builder, x: Value, s: Value) -> Value:
        v = x
        for _ in range(n // 2):
            v = b.call(ADD, v, b.call(MUL, s, x))
        return v

    return make(body, x=VECTOR, s=FLOAT)


def chain_of_elifs(n: int) -> Function:
    def body(b: Builder, x: Value, s: Value) -> Value:
        levels, at = [], b
        for k in range(n // 8):
            y = at.call(MUL, x, s)
            cond = at.call(operator.gt, s, float(k + 2))
            levels.append((at, cond, arm(at, lambda c, y=y, k=k: [c.call(MUL, y, float(k))])))
            at = at.into(core.Block())
        inner = at.block
        at.yield_(x)
        for at, cond, then in reversed(levels):
            r = at.if_(cond, then, inner, [VECTOR]).result
            inner = at.block
            if at is not b:
                at.yield_(r)
        return r

    return make(body, x=VECTOR, s=FLOAT)


def many_ifs(n: int) -> Function:
    def body(b: Builder, x: Value, s: Value) -> Value:
        c, d = b.call(operator.gt, s, 0.5), x
        for k in range(n // 8):
            (r,) = if_(b, c, lambda c: [c.call(MUL, s, 3.0)], lambda c: [c.const(0.0)])
            d = b.update(d, r, ("value",), [k % 3], "+")
        return d

    return make(body, x=VECTOR, s=FLOAT)


def many_loops(n: int) -> Function:
    def body(b: Builder, x: Value, s: Value) -> Value:
        d = x
        for _ in range(n // 8):
            step = lambda c, i, t: [c.call(ADD, t, c.call(MUL, c.call(MUL, s, x), i))]
            (d,) = for_(b, 2, [d], step)
        return d

    return make(body, x=VECTOR, s=FLOAT)


PROGRAMS = [straight, long_sum, chain_of_elifs, many_ifs, many_loops]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_linear(program: Callable[[int], Function]) -> None:
    small, large = program(500), program(1000)
    for stage in STAGES:
        assert calls(lambda: stage(large)) < 2.4 * calls(lambda: stage(small)) + 2000, stage
    for p in PASSES:
        assert calls(lambda: p.run(large)) < 2.4 * calls(lambda: p.run(small)) + 2000, p


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_five_thousand_ops(program: Callable[[int], Function]) -> None:
    fn = program(5000)
    args = ARGS[VECTOR] / 4, 0.75
    before = run(fn, *args)
    for p in PASSES:
        p.run(fn)
        verify(fn)
    assert_same(before, run(fn, *args))


def test_what_passes_remove_is_freed_at_once():
    def body(b: Builder, x: Value) -> Value:
        for _ in range(300):
            x = b.call(np.sin, b.call(MUL, x, 1.0))
            b.call(MUL, x, x)
        return x

    fn = make(body, x=VECTOR)
    gc.collect()
    gc.disable()
    try:
        for p in (simplify, dce):
            p.run(fn)
        assert len(fn.block.ops) == 301
        assert gc.collect() < 100  # what only the collector could free
    finally:
        gc.enable()
