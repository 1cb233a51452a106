"""What is written in place, and where a copy is needed first."""

from __future__ import annotations

import operator

import numpy as np

from adcompile.codegen.python import generate
from adcompile.ir import core, interpreter
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Loc, Param, Slice, Stmt, Value
from adcompile.ir.printer import to_text
from adcompile.ir.types import FLOAT, Array, Dim, Seq

VEC = Array(np.dtype("float64"), (Dim("n", many=True),))
X = np.array([1.0, 2.0, 3.0])


class Program:
    """A function of an array `x` and a number `s`, built op by op on lines of its own."""

    def __init__(self) -> None:
        self.block = Block([Value(VEC, "x"), Value(FLOAT, "s")])
        self.x, self.s = self.block.params
        self.lines = 0

    def at(self, block: Block | None = None) -> Builder:
        self.lines += 1
        stmt = Stmt("f.py", self.lines, "", "f")
        return Builder(block or self.block, Loc(stmt, self.lines, 0, self.lines, 1), 1)

    def new(self, name: str = "d", block: Block | None = None) -> Value:
        return named(self.at(block).call(np.zeros_like, self.x), name)

    def body(self, *results: Value) -> str:
        """The generated statements, checked against the interpreter."""
        b = self.at()
        b.return_(b.tuple(*results))
        fn = Function("f", self.block, [Param("x"), Param("s")])
        expected, before = interpreter.run(fn, X.copy(), 0.5), to_text(fn)
        generated = generate(fn)
        assert to_text(fn) == before
        scope: dict = dict(generated.namespace)
        exec(generated.text, scope)
        given = X.copy()
        for e, g in zip(expected, scope["f"](given, 0.5), strict=True):
            np.testing.assert_array_equal(e, g)
        np.testing.assert_array_equal(given, X)
        return generated.text.partition("def f(x, s):\n")[2]


def named(v: Value, name: str | None) -> Value:
    v.name = name
    return v


def test_an_update_of_something_new_is_in_place():
    p = Program()
    d = p.at().update(p.new(), p.s, ("value",), [0], "+")
    assert p.body(d) == "    d = np.zeros_like(x)\n    d[0] += s\n    return (d,)\n"


def test_a_parameter_is_copied_first():
    p = Program()
    d = p.at().update(p.x, p.s, ("value",), [0])
    assert p.body(d) == "    x = x.copy()\n    x[0] = s\n    return (x,)\n"


def test_what_is_used_later_is_copied_first():
    p = Program()
    d = p.new()
    d2 = p.at().update(d, p.s, ("value",), [0])
    text = p.body(d, d2)
    assert text.count(".copy()") == 1


def test_a_view_that_is_looked_at_later_is_copied_and_not_its_base():
    p = Program()
    d = p.new()
    t = named(p.at().index(d, (Slice(start=True),), [1]), "t")
    d = p.at().update(d, p.s, (Slice(start=True),), [1])
    text = p.body(d, t)
    assert "t = d[1:].copy()" in text and text.count(".copy()") == 1


def test_a_view_that_is_dead_is_not_copied():
    p = Program()
    d = p.new()
    t = named(p.at().index(d, (Slice(start=True),), [1]), "t")
    total = named(p.at().call(np.sum, t), "total")
    d = p.at().update(d, p.s, (Slice(start=True),), [1])
    assert ".copy()" not in p.body(d, total)


def test_what_a_list_holds_is_copied_when_it_is_written_later():
    p = Program()
    d = p.new()
    seq = named(p.at().append(named(p.at().new_seq(VEC), "saved"), d), "saved")
    d = p.at().update(d, p.s, ("value",), [0])
    text = p.body(p.at().call(list, seq), d)
    assert "saved.append(d.copy())" in text and text.count(".copy()") == 1


def test_a_conditional_expression_hands_its_arms_on():
    p = Program()
    d = p.new()
    b = p.at()
    arms = [Block(), Block()]
    b.into(arms[0]).yield_(d)
    b.into(arms[1]).yield_(p.x)
    kept = named(b.if_(b.call(operator.lt, p.s, 1.0), *arms, [VEC], form="ifexp").result, "kept")
    d = p.at().update(d, p.s, ("value",), [0])
    assert p.body(d, kept).count(".copy()") == 1


def loop(p: Program, init: Value, step, name: str = "d") -> Value:
    """`for i in range(3): d = step(builder, d, i)`."""
    body = Block([Value(core_int(), "i"), Value(init.type, name)])
    b = p.at(body)
    b.yield_(step(b, body.params[1], body.params[0]))
    at = p.at()
    heads = [at.const(k) for k in (0, 3, 1)]
    op = at.add(core.For, [*heads, init], [init.type], body=body)
    return named(op.result, name)


def core_int():
    from adcompile.ir.types import INT

    return INT


def test_an_accumulator_of_elements_is_in_place():
    p = Program()
    d = loop(p, p.new(), lambda b, d, i: named(b.update(d, p.s, ("value",), [i], "+"), "d"))
    assert p.body(d).splitlines()[1:3] == ["    for i in range(3):", "        d[i] += s"]


def test_a_dense_accumulator_is_in_place_where_it_is_owned():
    p = Program()
    d = loop(p, p.new(), lambda b, d, i: named(b.call(operator.add, d, p.x), "d"))
    assert "        d += x\n" in p.body(d)
    p = Program()
    d = loop(p, p.x, lambda b, d, i: named(b.call(operator.add, d, p.x), "d"))
    assert "        d = d + x\n" in p.body(d)


def test_a_cotangent_held_under_two_names_is_not_written():
    p = Program()
    d = p.new("d_a")
    more = named(p.at().call(operator.add, d, p.x), "d_a")
    text = p.body(d, more)
    assert "+=" not in text


def test_a_dead_cotangent_is_added_to_in_place():
    p = Program()
    d = p.new("d_a")
    more = named(p.at().call(operator.add, d, p.x), "d_a")
    assert "    d_a += x\n" in p.body(more)


def test_two_slots_that_start_from_one_array_do_not_share_it():
    p = Program()
    d = p.new()
    body = Block([Value(core_int(), "i"), Value(VEC, "a"), Value(VEC, "b")])
    b = p.at(body)
    first = named(b.update(body.params[1], p.s, ("value",), [0], "+"), "a")
    second = named(p.at(body).update(body.params[2], p.s, ("value",), [1], "+"), "b")
    p.at(body).yield_(second, first)  # and they change places
    at = p.at()
    heads = [at.const(k) for k in (0, 3, 1)]
    op = at.add(core.For, [*heads, d, d], [VEC, VEC], body=body)
    text = p.body(*op.results)
    assert text.count(".copy()") in (1, 2) and "a, b = b, a" in text


def test_the_list_of_one_iteration_is_another_one_in_the_next():
    p = Program()

    def step(b: Builder, outer: Value, i: Value) -> Value:
        inner = named(b.new_seq(VEC), "inner")
        inner = named(b.append(inner, p.x), "inner")
        return named(b.append(outer, inner), "outer")

    outer = loop(p, named(p.at().new_seq(Seq(VEC)), "outer"), step, "outer")
    text = p.body(p.at().call(list, outer))
    assert "list(inner)" not in text and "inner.copy()" not in text


def test_write_works_step_by_step_on_the_array_itself():
    block = Block([Value(VEC, "W"), Value(VEC, "g")])
    W, g = block.params
    b = Builder(block, Loc(Stmt("f.py", 1, "", "f"), 1, 0, 1, 1))
    value = b.add_values(b.mul(0.9, W), b.mul(0.1, g))
    b.add(core.Write, [W, value], [W.type])
    b.return_(b.const(None))
    generated = generate(Function("f", block, [Param("W"), Param("g")]))
    assert generated.text == "def f(W, g):\n    W *= 0.9\n    W += 0.1 * g\n"
    scope: dict = {}
    exec(generated.text, scope)
    w = np.ones(3)
    scope["f"](w, np.full(3, 10.0))
    np.testing.assert_allclose(w, 1.9)


def test_write_takes_one_assignment_where_the_array_is_read_twice():
    block = Block([Value(VEC, "W"), Value(VEC, "g")])
    W, g = block.params
    b = Builder(block, Loc(Stmt("f.py", 1, "", "f"), 1, 0, 1, 1))
    value = b.call(operator.sub, b.mul(W, 0.9), b.mul(W, g))
    b.add(core.Write, [W, value], [W.type])
    b.return_(b.const(None))
    text = generate(Function("f", block, [Param("W"), Param("g")])).text
    assert text == "def f(W, g):\n    W[...] = W * 0.9 - W * g\n"
