"""Zeros are written where they are wanted, not before: `d_x[i] = 0.0` as late as its line allows.

What the backward sweep takes out of `d_x[i]` is a view. As long as nothing is written there, it
can be computed with as it is; after that it would have to be a copy.
"""

from __future__ import annotations

from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Update, is_quoted
from adcompile.passes.sums import is_zero


def run(fn: Function) -> None:
    for block in core.walk_blocks(fn.block):
        if any(map(_is_zeroing, block.ops)):
            block.ops[:] = _delayed(block)


def _is_zeroing(op: Op) -> bool:
    if not isinstance(op, Update) or op.order == 0 or is_quoted(op):
        return False
    return op.mode == "=" and is_zero(op.operands[1])


def _delayed(block: Block) -> list[Op]:
    """The ops of `block`, each zeroing right before what wants its result or its line ends."""
    done: list[Op] = []
    waiting: list[Op] = []
    for op in block.ops:
        for k, zeroing in enumerate(waiting):
            wanted = op.blocks or zeroing.result in op.operands or op is block.terminator
            if wanted or op.loc.stmt is not zeroing.loc.stmt:
                done += waiting[k:]  # those before it go to other arrays, or other elements
                del waiting[k:]
                break
        (waiting if _is_zeroing(op) else done).append(op)
    return done
