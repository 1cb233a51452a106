"""Random programs of the IR: generated code gives what the interpreter gives.

The interpreter knows no memory: every update is a new value. So equality here is what shows that
nesting, writing in place and sharing of variables are right.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adcompile.codegen.python import generate
from adcompile.ir import core, interpreter
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Loc, Param, Slice, Stmt, Value
from adcompile.ir.types import BOOL, FLOAT, INT, Array, Dim, Seq

N = 5
VEC = Array(np.dtype("float64"), (Dim("n", many=True),))
CELL = Array(np.dtype("float64"), ())
NAMES = ["a", "b", "d_a", "d_b", "h", None, None, None]
ARITHMETIC = [operator.add, operator.sub, operator.mul]


class Programs:
    """Draws programs: blocks of random ops on what is there."""

    def __init__(self, rng: random.Random, size: int):
        self.rng = rng
        self.budget = size
        self.stmts = 0
        self.stmt = self.new_stmt()

    def new_stmt(self) -> Stmt:
        self.stmts += 1
        return Stmt("prog.py", self.stmts, f"line {self.stmts}", "f")

    def function(self) -> Function:
        block = Block([Value(VEC, "x"), Value(VEC, "y"), Value(FLOAT, "s"), Value(FLOAT, "t")])
        env = {VEC: block.params[:2], FLOAT: block.params[2:], CELL: [], Seq(VEC): []}
        self.ops(block, env, 0)
        b = self.builder(block)
        results = [v for values in env.values() for v in values[-4:]]
        self.rng.shuffle(results)
        results = [b.call(list, v) if isinstance(v.type, Seq) else v for v in results[:5]]
        b.return_(b.tuple(*results))
        return Function("f", block, [Param(p.name or "") for p in block.params])

    def builder(self, block: Block) -> Builder:
        if self.rng.random() < 0.5:
            self.stmt = self.new_stmt()
        line = self.stmt.line
        return Builder(block, Loc(self.stmt, line, 0, line, 1), int(self.rng.random() < 0.6))

    def ops(self, block: Block, env: dict, depth: int) -> None:
        for _ in range(self.rng.randint(1, 9)):
            if self.budget <= 0:
                return
            self.budget -= 1
            b = self.builder(block)
            kinds: list[Callable] = [
                self.arithmetic, self.arithmetic, self.numbers, self.update, self.update, self.view,
                self.element, self.fresh, self.tape, self.pair, self.shared,
            ]  # fmt: skip
            if depth < 3:
                kinds += [self.branch, self.loop, self.loop, self.expression, self.while_loop]
            self.rng.choice(kinds)(b, env, depth)

    def pick(self, env: dict, t: object) -> Value:
        values = env[t]
        return self.rng.choice(values[-5:] if self.rng.random() < 0.8 else values)

    def name(self, v: Value, like: Value | None = None) -> Value:
        v.name = (
            like.name if like is not None and self.rng.random() < 0.6 else self.rng.choice(NAMES)
        )
        return v

    def call(self, b: Builder, fn: Callable, args: list, t: object, **more) -> Value:
        return b.call_op(fn, args, types=[t], **more).result

    # --- ops -------------------------------------------------------------------------------------

    def arithmetic(self, b: Builder, env: dict, depth: int) -> None:
        x, fn = self.pick(env, VEC), self.rng.choice(ARITHMETIC)
        self.forget(env, x)
        other = self.pick(env, self.rng.choice([VEC, VEC, FLOAT]))
        v = self.call(b, fn, [x, other], VEC)
        if self.rng.random() < 0.3:
            v = self.call(b, np.tanh, [v], VEC)
        env[VEC].append(self.name(v, x))

    def numbers(self, b: Builder, env: dict, depth: int) -> None:
        s, fn = self.pick(env, FLOAT), self.rng.choice(ARITHMETIC)
        v = self.call(b, fn, [s, self.rng.choice([0.5, self.pick(env, FLOAT)])], FLOAT)
        env[FLOAT].append(self.name(v, s))

    def fresh(self, b: Builder, env: dict, depth: int) -> None:
        x = self.pick(env, VEC)
        fn = self.rng.choice([np.zeros_like, np.copy, np.cumsum])
        env[VEC].append(self.name(self.call(b, fn, [x], VEC), x))

    def view(self, b: Builder, env: dict, depth: int) -> None:
        x = self.pick(env, VEC)
        spec, at = self.rng.choice([((Slice(step=True),), [-1]), ((Slice(),), []), ((...,), [])])
        v = b.index(x, spec, at)
        v.type = VEC
        env[VEC].append(self.name(v, x))

    def element(self, b: Builder, env: dict, depth: int) -> None:
        x = self.pick(env, VEC)
        v = b.index(x, ("value",), [self.rng.randrange(N)])
        v.type = CELL
        env[CELL].append(self.name(v, x))
        env[FLOAT].append(self.name(self.call(b, float, [v], FLOAT)))

    def forget(self, env: dict, v: Value) -> None:
        """Mostly let `v` not be used again, so that it can be overwritten."""
        if self.rng.random() < 0.8 and len(env[v.type]) > 1:
            env[v.type].remove(v)

    def shared(self, b: Builder, env: dict, depth: int) -> None:
        """Something new, shared with a view, a tuple or a list, and written."""
        x = self.name(self.call(b, np.copy, [self.pick(env, VEC)], VEC))
        kind = self.rng.randrange(4)
        if kind == 0 and env[Seq(VEC)]:
            env[Seq(VEC)].append(self.name(b.append(self.pick(env, Seq(VEC)), x)))
        elif kind == 1:
            env[VEC].append(self.name(b.item(b.tuple(x, x), 0)))
        else:
            z = self.name(b.index(x, (Slice(step=True),), [-1]))
            z.type = VEC
            env[VEC].append(z)
        v = b.update(x, self.pick(env, FLOAT), ("value",), [self.rng.randrange(N)], "+")
        env[VEC].append(self.name(v, x))

    def update(self, b: Builder, env: dict, depth: int) -> None:
        x, mode = self.pick(env, VEC), self.rng.choice(["=", "+", "-", "*"])
        self.forget(env, x)
        kind = self.rng.randrange(4)
        if kind == 0:
            v = b.update(x, self.pick(env, FLOAT), ("value",), [self.rng.randrange(N)], mode)
        elif kind == 1:
            v = b.update(x, self.pick(env, VEC), (Slice(step=True),), [-1], mode)
        elif kind == 2:
            part = b.index(self.pick(env, VEC), (Slice(stop=True),), [-1])
            v = b.update(x, part, (Slice(start=True),), [1], mode)
        else:
            v = b.update(x, self.pick(env, FLOAT), ("value",), [[0, 1, 0]], "add.at")
        env[VEC].append(self.name(v, x))

    def tape(self, b: Builder, env: dict, depth: int) -> None:
        seqs = env[Seq(VEC)]
        if not seqs or self.rng.random() < 0.2:
            v = b.new_seq(VEC)
        elif self.rng.random() < 0.7:
            seq = self.pick(env, Seq(VEC))
            self.forget(env, seq)
            v = b.append(seq, self.pick(env, VEC), "for d_a")
        else:
            seq = b.append(self.pick(env, Seq(VEC)), self.pick(env, VEC))
            rest, item = b.add(core.Pop, [seq], [seq.type, VEC]).results
            env[VEC].append(self.name(item))
            v = rest
        v.name = self.rng.choice(["saved", "saved_h", None])
        seqs.append(v)

    def pair(self, b: Builder, env: dict, depth: int) -> None:
        x, y = self.pick(env, VEC), self.pick(env, VEC)
        pair = b.tuple(x, y)
        if self.rng.random() < 0.5:
            pair.name = "pair"
        if self.rng.random() < 0.5:
            env[VEC] += [self.name(v) for v in b.unpack(pair)]
        else:
            env[VEC].append(self.name(b.item(pair, self.rng.randrange(2))))

    # --- control flow ----------------------------------------------------------------------------

    def condition(self, b: Builder, env: dict) -> Value:
        fn = self.rng.choice([operator.lt, operator.gt])
        return self.call(b, fn, [self.pick(env, FLOAT), self.rng.choice([0.0, 0.3])], BOOL)

    def types(self) -> list:
        return [self.rng.choice([VEC, VEC, FLOAT]) for _ in range(self.rng.randint(1, 3))]

    def inner(self, env: dict, block: Block, depth: int, extra: list[Value] = []) -> dict:
        env = {t: list(values) for t, values in env.items()}
        for v in extra:
            if v.type in env:
                env[v.type].append(v)
        self.ops(block, env, depth + 1)
        return env

    def branch(self, b: Builder, env: dict, depth: int) -> None:
        cond, types = self.condition(b, env), self.types()
        if env[Seq(VEC)]:
            types.append(Seq(VEC))
        arms = []
        for _ in range(2):
            block = Block()
            inner = self.inner(env, block, depth) if self.rng.random() < 0.8 else env
            self.builder(block).yield_(*[self.pick(inner, t) for t in types])
            arms.append(block)
        op = b.if_(cond, arms[0], arms[1], types)
        self.publish(op.results, types, env)

    def publish(self, results: list[Value], types: list, env: dict) -> None:
        for r, t in zip(results, types):
            env[t].append(self.name(r))

    def expression(self, b: Builder, env: dict, depth: int) -> None:
        cond, t = self.condition(b, env), self.rng.choice([VEC, FLOAT])
        arms = [Block(), Block()]
        for arm in arms:
            v = self.pick(env, t)
            at = b.into(arm)
            if self.rng.random() < 0.6:
                v = self.call(at, operator.mul, [v, self.pick(env, FLOAT)], t)
            at.yield_(v)
        env[t].append(self.name(b.if_(cond, arms[0], arms[1], [t], form="ifexp").result))

    def carried(self, env: dict) -> tuple[list, list[Value], list[Value]]:
        types = self.types()
        if env[Seq(VEC)] and self.rng.random() < 0.5:
            types.append(Seq(VEC))
        inits = [self.pick(env, t) for t in types]
        params = [self.name(Value(t), v) for t, v in zip(types, inits)]
        return types, inits, params

    def finish_body(self, env: dict, body: Block, params: list[Value], depth: int) -> bool:
        inner = self.inner(env, body, depth, params)
        b = self.builder(body)
        yields = [
            self.rng.choice(params[:1] + [self.pick(inner, p.type)]) if p.type == params[0].type
            else self.pick(inner, p.type) for p in params
        ]  # fmt: skip
        stops = self.rng.random() < 0.4
        if stops:
            yields.append(self.stop(b, inner))
        b.yield_(*yields)
        return stops

    def stop(self, b: Builder, env: dict) -> Value:
        cond = self.condition(b, env)
        if self.rng.random() < 0.4:
            return cond
        arms = [Block(), Block()]
        for arm, value in zip(arms, self.rng.choice([(True, False), (False, True)])):
            at = b.into(arm)
            at.yield_(at.const(value))
        return b.if_(cond, arms[0], arms[1], [BOOL]).result

    def loop(self, b: Builder, env: dict, depth: int) -> None:
        types, inits, params = self.carried(env)
        body = Block()
        over_tape = bool(env[Seq(VEC)]) and self.rng.random() < 0.4
        if over_tape:
            heads, item = [self.pick(env, Seq(VEC))], self.name(Value(VEC))
        else:
            bounds = self.rng.choice([(0, 3, 1), (0, 3, 1), (4, 0, -2), (0, 0, 1)])
            heads, item = [b.const(k) for k in bounds], Value(INT, self.rng.choice(["i", None]))
        body.params = [item, *params]
        for p in body.params:
            p.owner = body
        stops = self.finish_body(
            {**env, VEC: env[VEC] + [item] if over_tape else env[VEC]}, body, params, depth
        )
        op = b.add(
            core.For, [*heads, *inits], types, body=body, over="seq" if over_tape else "range",
            reverse=self.rng.random() < 0.5, stops=stops,
        )  # fmt: skip
        self.publish(op.results, types, env)

    def while_loop(self, b: Builder, env: dict, depth: int) -> None:
        types, inits, params = self.carried(env)
        count = Value(INT, self.rng.choice(["k", None]))
        cond, body = Block([Value(INT), *[Value(t) for t in types]]), Block([count, *params])
        at = self.builder(cond)
        at.yield_(self.call(at, operator.lt, [cond.params[0], 3], BOOL))
        inner = self.inner(env, body, depth, params)
        at = self.builder(body)
        more = self.call(at, operator.add, [count, 1], INT)
        at.yield_(more, *[self.pick(inner, t) for t in types])
        op = b.add(core.While, [b.const(0), *inits], [INT, *types], cond=cond, body=body)
        self.publish(op.results[1:], types, env)


def run_both(fn: Function) -> tuple[object, object, str]:
    rng = np.random.default_rng(0)
    args = [rng.normal(size=N), rng.normal(size=N), 0.4, -0.7]
    text = ""
    expected = interpreter.run(fn, *[np.copy(a) if isinstance(a, np.ndarray) else a for a in args])
    generated = generate(fn)
    text = generated.text
    scope: dict = dict(generated.namespace)
    exec(text, scope)
    given = [np.copy(a) if isinstance(a, np.ndarray) else a for a in args]
    got = scope[fn.name](*given)
    for a, b in zip(args, given):
        assert np.array_equal(a, b), f"an input was changed by\n{text}"
    return expected, got, text


def assert_same(expected: object, got: object, text: str) -> None:
    assert len(expected) == len(got)
    for e, g in zip(expected, got):
        if isinstance(e, list):
            assert_same(e, g, text)
        else:
            same = np.shape(e) == np.shape(g) and np.array_equal(e, g, equal_nan=True)
            assert same, f"{e} != {g} in\n{text}"


@given(st.integers(0, 2**32), st.integers(3, 40))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore")
def test_generated_code_computes_what_the_interpreter_computes(seed: int, size: int):
    fn = Programs(random.Random(seed), size).function()
    assert_same(*run_both(fn))


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_text_is_deterministic_and_the_function_is_left_alone(seed: int):
    fn = Programs(random.Random(seed), 20).function()
    first, again = generate(fn).text, generate(fn).text
    assert first == again
