"""Copies: equal text, nothing shared that could change; replays at another place."""

from __future__ import annotations

import operator

from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.clone import clone_block, clone_function, inline
from adcompile.ir.core import Block, Function, Param, Value
from adcompile.ir.printer import to_text
from adcompile.ir.types import FLOAT
from adcompile.ir.verifier import verify
from tests.passes.programs import ADD, MUL, VECTOR, for_, if_, loc, make


def program() -> Function:
    def body(b, x, s):
        c = b.call(operator.gt, s, 0.5)
        (r,) = if_(b, c, lambda c: [c.call(MUL, x, 2.0)], lambda c: [x])
        (t,) = for_(b, 3, [r], lambda c, i, t: [c.call(ADD, t, x)], reverse=True)
        return t, c

    return make(body, order=0, x=VECTOR, s=FLOAT)


def test_a_clone_is_equal_and_shares_no_part():
    fn = program()
    copy = clone_function(fn)
    verify(copy)
    assert to_text(copy) == to_text(fn)
    parts = [set(core.walk(f.block)) | set(core.walk_blocks(f.block)) for f in (fn, copy)]
    assert not parts[0] & parts[1]
    before = to_text(fn)
    copy.block.ops.pop(0)
    copy.params.pop()
    assert to_text(fn) == before


def test_values_from_outside_are_mapped_or_stay():
    x, y, z = (Value(VECTOR, name) for name in "xyz")
    block = Block()
    Builder(block).yield_(Builder(block).call(ADD, x, y))
    mapping = {x: z}
    copy = clone_block(block, mapping)
    assert copy.ops[0].operands == [z, y]
    assert mapping[block.yields[0]] is copy.yields[0]


def test_inline_relocates_or_keeps_places():
    fn = program()
    for relocate, place in ((True, (7, 2)), (False, (1, 0))):
        x, s = Value(VECTOR, "x"), Value(FLOAT, "s")
        block = Block([x, s])
        b = Builder(block, loc(7), 2)
        t, c = inline(b, fn, [x, s], relocate=relocate)
        b.return_(t, c)
        places = {(op.loc.line, op.order) for op in core.walk(block) if op is not block.ops[-1]}
        assert places == {place}
        verify(Function("g", block, [Param("x"), Param("s")], loc=loc(7)))


def test_a_returned_parameter_is_the_argument():
    fn = make(lambda b, x: (x, b.const(1.0)), x=VECTOR)
    x = Value(VECTOR)
    assert inline(Builder(Block([x])), fn, [x])[0] is x
