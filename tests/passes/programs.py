"""Functions for tests of the IR and its passes, built through `Builder`: by hand, and at random."""

from __future__ import annotations

import difflib
import operator
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Loc, Param, Stmt, Value
from adcompile.ir.interpreter import run
from adcompile.ir.printer import constant_text, to_text
from adcompile.ir.types import BOOL, FLOAT, INT, Array, Dim, Opaque, Scalar, Seq, Type
from adcompile.ir.verifier import verify

F64, F32 = np.dtype(np.float64), np.dtype(np.float32)
N, P = Dim("n", many=True), Dim("p", many=True)
VECTOR, SINGLE, MATRIX = Array(F64, (N,)), Array(F32, (N,)), Array(F64, (N, P))
ADD, SUB, MUL, DIV, NEG = (
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.neg,
)


def loc(line: int) -> Loc:
    return Loc(Stmt("program.py", line, f"line {line}", "f"), line, 0, line, 1)


def make(body: Callable[..., Any], order: int = 1, **params: Type) -> Function:
    """A function of these parameters; `body(builder, *params)` gives what it returns."""
    values = [Value(t, name) for name, t in params.items()]
    block = Block(values)
    b = Builder(block, loc(1), order)
    out = body(b, *values)
    b.return_(*(out if isinstance(out, tuple) else (out,)))
    fn = Function("f", block, [Param(name) for name in params], loc=loc(1))
    verify(fn)
    return fn


def arm(b: Builder, body: Callable[[Builder], Sequence[Value]]) -> Block:
    """A nested block without parameters."""
    inner = b.into(Block())
    inner.yield_(*body(inner))
    return inner.block


def if_(
    b: Builder,
    cond: Value,
    then: Callable[[Builder], Sequence[Value]],
    orelse: Callable[[Builder], Sequence[Value]],
) -> list[Value]:
    blocks = arm(b, then), arm(b, orelse)
    types = [v.type for v in blocks[0].yields]
    return b.if_(cond, *blocks, types).results


def for_(
    b: Builder,
    head: Value | int,
    inits: Sequence[Value],
    body: Callable[..., Sequence[Value]],
    *,
    reverse: bool = False,
    stops: bool = False,
    names: Sequence[str | None] = (),
) -> list[Value]:
    """`for i in range(head)`, or over the items of a Seq; `body(builder, i, *carried)`."""
    seq = isinstance(head, Value) and isinstance(head.type, Seq)
    item = Value(head.type.item if seq else INT, "item" if seq else "i")
    hints = list(names) or [v.name for v in inits]
    carried = [Value(v.type, name) for v, name in zip(inits, hints)]
    inner = b.into(Block([item, *carried]))
    inner.yield_(*body(inner, item, *carried))
    heads = [head] if seq else [b.const(0), b.value(head), b.const(1)]
    op = b.add(
        core.For,
        [*heads, *inits],
        [v.type for v in inits],
        body=inner.block,
        over="seq" if seq else "range",
        reverse=reverse,
        stops=stops,
    )
    for r, name in zip(op.results, hints):
        r.name = name
    return op.results


def while_(
    b: Builder,
    inits: Sequence[Value],
    cond: Callable[..., Value],
    body: Callable[..., Sequence[Value]],
) -> list[Value]:
    blocks = []
    for part in (lambda c, *vs: [cond(c, *vs)], body):
        params = [Value(v.type, v.name) for v in inits]
        inner = b.into(Block(params))
        inner.yield_(*part(inner, *params))
        blocks.append(inner.block)
    types = [v.type for v in inits]
    return b.add(core.While, inits, types, cond=blocks[0], body=blocks[1]).results


# --- comparing ----------------------------------------------------------------------------------

ARGS = {
    VECTOR: np.array([0.5, -1.0, 2.0]),
    SINGLE: np.array([1.0, 0.5, -2.0], np.float32),
    MATRIX: np.array([[1.0, -0.5], [2.0, 0.25], [-1.0, 0.5]]),
}


def outcome(fn: Function, *args: Any, errors: str = "ignore") -> Any:
    """What `fn` gives, or the exception that it raises; `errors` says what NumPy's become."""
    with np.errstate(all=errors, under="ignore"):  # type: ignore[call-overload]
        try:
            return run(fn, *args)
        except (ArithmeticError, AssertionError, ValueError) as error:
            return type(error)


def assert_same(old: Any, new: Any) -> None:
    """Equal types, shapes and dtypes; numbers up to rounding."""
    assert type(old) is type(new), (old, new)
    if isinstance(old, tuple | list):
        assert len(old) == len(new)
        for a, b in zip(old, new):
            assert_same(a, b)
    elif isinstance(old, np.ndarray | np.generic):
        assert (old.dtype, old.shape) == (new.dtype, new.shape)
        close(old, new, 1e-3 if old.dtype == F32 else 1e-7)
    elif isinstance(old, float):
        close(old, new, 1e-7)
    else:
        assert old == new


def close(old: Any, new: Any, rtol: float) -> None:
    scale = float(np.max(np.abs(old), initial=1.0, where=np.isfinite(old)))
    np.testing.assert_allclose(new, old, rtol=rtol, atol=rtol * scale)


# --- random programs ----------------------------------------------------------------------------


@dataclass
class Random:
    """Draws the body of a block; `values` are those in scope."""

    draw: Any
    depth: int
    length: int
    values: list[Value] = field(default_factory=list)

    def choose(self, options: Sequence[Any]) -> Any:
        return options[self.draw(st.integers(0, len(options) - 1))]

    def pick(self, *types: Type) -> Value:
        """One of these types, new ones rather than old ones."""
        found = [v for v in reversed(self.values) if v.type in types]
        return self.choose(found[: self.draw(st.integers(1, len(found)))])

    def block(self, b: Builder) -> None:
        kinds = [self.arithmetic] * 8 + [self.layout, self.tree, self.query, self.write, self.seq]
        kinds += [self.branch, self.loop, self.while_, self.scope] * (self.depth > 0)
        for _ in range(self.draw(st.integers(1, self.length))):
            line = self.draw(st.integers(1, 9))
            new = self.choose(kinds)(b.at(loc(line), self.choose([0, 1, 1, 1])))
            self.values += new

    def inside(self, b: Builder, *more: Value) -> Random:
        inner = Random(self.draw, self.depth - 1, 4, [*self.values, *more])
        inner.block(b)
        return inner

    # Each of these makes something and gives the new values.

    def number(self, b: Builder) -> Value:
        return b.const(self.choose([0, 1, 2, 3, -1, 0.0, 1.0, 0.5, -2.0, 0.25, 4.0]))

    def arithmetic(self, b: Builder) -> list[Value]:
        t = self.choose([FLOAT, FLOAT, VECTOR, VECTOR, SINGLE, MATRIX, INT])
        x = self.pick(t)
        fn = self.choose([ADD, SUB, MUL, MUL, DIV, NEG, operator.pow, np.multiply, np.where, abs])
        if fn in (NEG, abs):
            return [b.call(fn, x)]
        if fn is np.where:
            return [b.call(fn, self.choose([True, False]), x, self.pick(t))] if t == VECTOR else []
        if fn is operator.pow:
            return [b.call(fn, x, self.choose([0, 1, 2]))]
        y = self.choose([self.number(b), self.pick(t), self.pick(INT if t == INT else FLOAT)])
        if t == INT:
            fn = self.choose([ADD, SUB, MUL])
            y = y if y.type == INT else self.pick(INT)
        x, y = self.choose([(x, y), (y, x)])
        name = self.choose([None, None, "t", "d_u"])
        out = b.call(fn, x, y)
        out.name = name
        return [out]

    def layout(self, b: Builder) -> list[Value]:
        m = self.pick(MATRIX)
        turned = b.member(np.transpose, "T", m)
        scaled = b.call(MUL, self.pick(FLOAT), turned)
        return [b.call(np.transpose, scaled), b.call(np.sum, m, axis=1)]

    def tree(self, b: Builder) -> list[Value]:
        pair = b.tuple(self.pick(VECTOR), self.pick(FLOAT))
        return [*b.unpack(pair), b.item(pair, self.choose([0, 1]))]

    def query(self, b: Builder) -> list[Value]:
        x = self.pick(VECTOR, MATRIX)
        size = b.member(np.size, "size", x)
        return [size, b.size(x, 0), b.call(np.zeros_like, x), b.call(DIV, 1.0, size)]

    def write(self, b: Builder) -> list[Value]:
        x, k = self.pick(VECTOR), self.draw(st.integers(0, 2))
        part = self.pick(FLOAT)
        if self.depth and self.draw(st.booleans()):
            zero = b.const(0.0)
            sides = self.choose([(part, zero), (zero, part)])
            (part,) = if_(b, self.cond(b), lambda c: [sides[0]], lambda c: [sides[1]])
            if self.draw(st.booleans()):
                return [b.call(ADD, x, part)]
        return [b.update(x, part, ("value",), [k], self.choose(["=", "+", "-"]))]

    def seq(self, b: Builder) -> list[Value]:
        saved = b.new_seq(VECTOR, [self.pick(VECTOR)])
        saved = b.append(saved, self.pick(VECTOR))
        more = for_(
            b,
            saved,
            [self.pick(VECTOR)],
            lambda c, item, x: [c.call(ADD, c.call(MUL, 0.5, x), item)],
            reverse=self.draw(st.booleans()),
        )
        return [*more, b.call(len, saved), b.index(saved, ("value",), [0])]

    def cond(self, b: Builder) -> Value:
        known = [v for v in self.values if v.type == BOOL]
        if known and self.draw(st.booleans()):
            return self.choose(known)
        return self.choose(
            [b.call(operator.gt, self.pick(FLOAT), 0.5), b.const(self.draw(st.booleans()))]
        )

    def branch(self, b: Builder) -> list[Value]:
        cond = self.cond(b)
        types = [self.choose([FLOAT, VECTOR, SINGLE]) for _ in range(self.draw(st.integers(0, 3)))]

        def side(c: Builder) -> list[Value]:
            inner = self.inside(c)
            return [inner.pick(t) for t in types]

        return [cond, *if_(b, cond, side, side)]

    def loop(self, b: Builder) -> list[Value]:
        inits = [
            self.pick(self.choose([FLOAT, VECTOR])) for _ in range(self.draw(st.integers(0, 3)))
        ]
        stops = self.draw(st.booleans())

        def body(c: Builder, i: Value, *carried: Value) -> list[Value]:
            inner = self.inside(c, i, *carried)
            out = [inner.pick(v.type) for v in carried]
            return [*out, c.call(operator.gt, i, 1)] if stops else out

        return for_(
            b,
            b.const(self.choose([0, 1, 3])),
            inits,
            body,
            reverse=self.draw(st.booleans()),
            stops=stops,
        )

    def while_(self, b: Builder) -> list[Value]:
        inits = [b.const(0), self.pick(FLOAT), self.pick(VECTOR)]

        def body(c: Builder, i: Value, *carried: Value) -> list[Value]:
            inner = self.inside(c, i, *carried)
            return [c.call(ADD, i, 1), *(inner.pick(v.type) for v in carried)]

        return while_(b, inits, lambda c, i, *rest: c.call(operator.lt, i, 2), body)

    def scope(self, b: Builder) -> list[Value]:
        manager = b.call_op(
            np.errstate, [], {"under": "ignore"}, types=[Opaque(np.errstate)]
        ).result
        inner = self.inside(Builder(body := Block(), b.loc, b.order))
        out = [inner.pick(FLOAT), inner.pick(VECTOR)]
        b.into(body).yield_(*out)
        return b.add(core.Scope, [manager], [v.type for v in out], body=body).results


PARAMS: dict[str, Type] = {"x": VECTOR, "y": VECTOR, "z": SINGLE, "m": MATRIX, "s": FLOAT, "k": INT}
INPUTS = [
    (ARGS[VECTOR], np.array([1.0, 0.25, -0.5]), ARGS[SINGLE], ARGS[MATRIX], s, k)
    for s, k in ((2.0, 2), (-0.5, 3))
]


class Program:
    """A random function; hypothesis shows a failing one as text (not too much of it)."""

    def __init__(self, fn: Function):
        self.fn = fn

    def __repr__(self) -> str:
        return to_text(self.fn)[:20_000]


@st.composite
def programs(draw: Any, depth: int = 2, length: int = 10) -> Program:
    """A random function of PARAMS whose result depends on several of its values."""

    def body(b: Builder, *params: Value) -> Any:
        maker = Random(draw, depth, length, list(params))
        maker.block(b)
        plain = [v for v in maker.values if isinstance(v.type, Array | Scalar)]
        return tuple(plain[-8:])

    return Program(make(body, **PARAMS))


# --- golden texts -------------------------------------------------------------------------------


def body_text(fn: Function) -> str:
    """The lines of `fn` between its braces, without types and locations."""
    lines = []
    for line in to_text(fn).splitlines()[1:-1]:
        line = line.split("  // ")[0].removeprefix("  ")
        head, colon, types = line.rpartition(" : ")
        lines.append(head + " {" * types.endswith("{") if colon else line)
    return "\n".join(lines)


def golden(fn: Function, text: str) -> None:
    """Compare with an indented text; the function must be well-formed."""
    verify(fn)
    got, want = body_text(fn), textwrap.dedent(text).strip("\n").rstrip()
    assert got == want, "\n".join(difflib.ndiff(want.splitlines(), got.splitlines()))


def result_text(fn: Function) -> str:
    """What `fn` returns, as one expression of its parameters; for straight-line functions."""
    texts: dict[Value, str] = {p: p.name or "?" for p in fn.block.params}
    nested = dict(texts)
    for op in fn.block.ops[:-1]:
        if isinstance(op, core.Const):
            text = constant_text(op.value)
            nested[op.result] = text
        else:
            line = to_text(Function("f", Block([], [op]), [])).splitlines()[1]
            text = line.partition(" = ")[2].split("  // ")[0].rpartition(" : ")[0]
            for v in op.operands:
                if not isinstance(v.owner, core.Const) or v.name:
                    text = text.replace("%?", nested[v], 1)
        for r in op.results:
            texts[r] = text
            nested.setdefault(r, f"({text})")
    return ", ".join(texts[v] for v in fn.returns)
