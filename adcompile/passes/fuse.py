"""Fusing two `if`s on the same condition into one.

An `if` of the backward sweep joins the one of the forward sweep that it belongs to, when nothing
between them needs the first and is needed by the second; so a function that returns early prints as
one `if`. The second moves up; pure ops that it reads move up before the first.
"""

from __future__ import annotations

from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value, is_quoted
from adcompile.passes.line import Line
from adcompile.passes.structure import Nesting, effects


def run(fn: Function) -> None:
    if sum(isinstance(op, core.If) for op in core.walk(fn.block)) < 2:
        return
    acting = effects(fn, Nesting.of(fn.block))
    work = [fn.block]
    while work:
        block = work.pop()
        if sum(isinstance(op, core.If) for op in block.ops) > 1:
            _fuse(block, acting)
        work.extend(inner for op in block.ops for inner in op.blocks)


def _fuse(block: Block, acting: set[Op]) -> None:
    line = Line()
    latest: dict[Value, core.If] = {}  # by condition
    acted: Op | None = None  # the last op with an effect
    for op in block.ops:
        if isinstance(op, core.If) and not is_quoted(op):
            first = latest.get(op.operands[0])
            if first and op.order and _may_join(first, op, line, acted if op in acting else None):
                _join(first, op)
                if op in acting:
                    acting.add(first)
                    acted = first
                continue
            latest[op.operands[0]] = op
        if op in acting:
            acted = op
        line.append(op)
    block.ops[:] = line.ops()


def _may_join(first: core.If, second: core.If, line: Line, acted: Op | None) -> bool:
    """Whether `second` may run where `first` does; moves what it reads above, if so."""
    if acted is not None and line.comes_after(acted, first):
        return False
    own: set[Value] = set(first.results)
    read: list[Value] = []
    for branch in second.blocks:
        for block in core.walk_blocks(branch):
            own.update(block.params)
        for op in core.walk(branch):
            own.update(op.results)
            read += op.operands
    return line.raise_above(first, [v for v in dict.fromkeys(read) if v not in own])


def _join(first: core.If, second: core.If) -> None:
    for one, two in zip(first.blocks, second.blocks, strict=True):
        core.substitute(two, dict(zip(first.results, one.yields, strict=True)))
        two.terminator.operands[:0] = one.yields
        one.ops[-1:] = two.ops
    for r in second.results:
        r.owner = first
    first.results += second.results
    first.form = "if"
