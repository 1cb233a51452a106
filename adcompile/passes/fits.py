"""Sizes that a write shows to be equal.

NumPy wants what is written to fit where it is written: in `u[1:-1] += k * v[1:-1]`, where `v` is as
long as `u`, the size that `k` and `v[1:-1]` broadcast to can only be that of `v[1:-1]`. To know so
saves the sum over axes that might have been stretched. It holds wherever the write is done: in its
block, and in what is nested there.
"""

from __future__ import annotations

from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Update
from adcompile.ir.infer.sizes import members
from adcompile.ir.types import Array, Dim, Size, TypeClash

Facts = list[tuple[frozenset[Dim], Dim]]  # what these sizes, or some of them and it, broadcast to


def run(fn: Function) -> None:
    for f in core.callees(fn):
        for block in core.walk_blocks(f.block):
            facts: Facts = []
            for op in block.ops:
                if isinstance(op, Update) and isinstance(op.operands[1].type, Array):
                    _look_at(op, op.operands[1].type, facts)
            if facts:
                _use(block, facts)


def _look_at(op: Update, v: Array, facts: Facts) -> None:
    if not any(len(members(size)) > 1 for size in v.shape):
        return
    b, seen = Builder(Block()), op.operands[0]
    try:
        for step, operands in zip(op.views, op.view_operands, strict=True):
            seen = b.view(seen, step, operands)
        part = b.index(seen, op.spec, op.at).type
    except TypeClash:
        return
    if isinstance(part, Array):
        for size, place in zip(reversed(v.shape), reversed(part.shape), strict=False):
            if isinstance(place, Dim) and place != size and place in members(size):
                facts.append((frozenset(members(size)), place))


def _use(block: Block, facts: Facts) -> None:
    for op in core.walk(block):
        for r in op.results if isinstance(op, core.Call) else ():
            if isinstance(r.type, Array):
                sizes = tuple([_known(size, facts) for size in r.type.shape])
                if sizes != r.type.shape:
                    r.type = Array(r.type.dtype, sizes)


def _known(size: Size, facts: Facts) -> Size:
    meeting = members(size)
    for all_of_them, place in facts if len(meeting) > 1 else ():
        if place in meeting and all_of_them.issuperset(meeting):
            return place
    return size
