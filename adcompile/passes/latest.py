"""Asking the shape of the version of an array that is there anyway.

An array that is written into, or carried by a loop that does so, is not kept for its shape: the
next version of it has the same one. Runs last, when it is settled which loops there are.
"""

from __future__ import annotations

from adcompile.ir import core
from adcompile.ir.core import Function, Op, Value
from adcompile.passes.shapes import is_query
from adcompile.passes.structure import Nesting


def run(fn: Function) -> None:
    later: dict[Value, list[Value]] = {}  # the versions that follow one at once
    queries: list[Op] = []
    at: dict[Op, int] = {}
    uses = core.use_counts(fn.block)
    for k, op in enumerate(core.walk(fn.block)):
        at[op] = k
        pairs = [(op.operands[0], op.results[0])] if isinstance(op, core.Update) else []
        if isinstance(op, core.For | core.While):
            pairs += zip(op.inits, op.results)
        for v, r in pairs:
            if v.type == r.type:
                later.setdefault(v, []).append(r)
        if is_query(op):
            queries.append(op)
            part = op.operands[0].owner  # asked in turn for the shape of what it is a part of
            if isinstance(part, core.Index) and part.order and uses[part.result] == 1:
                queries.append(part)
    if not later or not queries:
        return
    nesting = Nesting.of(fn.block)
    for op in queries:
        around = nesting.with_parents([op])
        x = op.operands[0]
        while True:
            found = (r for r in later.get(x, ()) if _is_visible(r, op, around, nesting, at))
            x, before = next(found, x), x
            if x is before:
                break
        op.operands[0] = x


def _is_visible(r: Value, op: Op, around: set[Op], nesting: Nesting, at: dict[Op, int]) -> bool:
    """Whether `r` is defined before `op`, in its block or in one around it."""
    maker = r.owner
    assert isinstance(maker, Op)
    outer = nesting.parent(maker)
    in_scope = outer is None or outer in around
    if outer is not None and in_scope:  # in the same branch
        in_scope = any(nesting.block_of[o] is nesting.block_of[maker] for o in around)
    return in_scope and maker not in around and at[maker] < at[op]
