"""Loop-invariant code motion: what is the same in each iteration is computed once, before the loop.

Only what differentiation made is moved (the user's text stays), and only what cannot fail, since a
loop may not run at all: arithmetic on what is known outside, with the constants and shapes that it
reads. Inner loops come first, so that an op may move through several. Aho, Lam, Sethi & Ullman,
"Compilers", section 9.5.
"""

from __future__ import annotations

import numpy as np

from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value, is_quoted
from adcompile.ir.types import INT, Array, is_numeric
from adcompile.passes.patterns import ADD, DIV, MUL, NEG, SUB, is_number, is_plain

_SAFE = (*ADD, *SUB, *MUL, *NEG)
_SHAPES = (np.shape, np.size, len)


def run(fn: Function) -> None:
    blocks = list(core.walk_blocks(fn.block))
    places = _Places(blocks)
    for block in reversed(blocks):  # inner before outer
        if any(isinstance(op, core.For | core.While) for op in block.ops):
            ops: list[Op] = []
            for op in block.ops:
                if isinstance(op, core.For | core.While):
                    ops += _invariants(op, block, places)
                ops.append(op)
            block.ops[:] = ops


class _Places:
    """Where values are defined; blocks are numbered so that each holds an interval of numbers."""

    def __init__(self, blocks: list[Block]):
        self.block_of = {op: b for b in blocks for op in b.ops}
        self.first = {b: k for k, b in enumerate(blocks)}
        self.last: dict[Block, int] = {}
        for b in reversed(blocks):
            self.last[b] = max(
                (self.last[i] for op in b.ops for i in op.blocks), default=self.first[b]
            )

    def encloses(self, v: Value, block: Block) -> bool:
        """Whether `v` is defined in `block` or in one around it."""
        outer = v.owner if isinstance(v.owner, Block) else self.block_of[v.owner]  # type: ignore[index]
        return self.first[outer] <= self.first[block] <= self.last[outer]


def _invariants(loop: Op, around: Block, places: _Places) -> list[Op]:
    """Take out of `loop` the ops that may stand before it, in order."""
    movable: set[Op] = set()
    for block in loop.blocks:
        for op in block.ops:
            if not op.order or is_quoted(op) or not _cannot_fail(op):
                continue
            if all(v.owner in movable or places.encloses(v, around) for v in op.operands):
                movable.add(op)
    moved: set[Op] = set()
    work = [op for op in movable if _is_work(op)]
    while work:
        op = work.pop()
        if op in movable and op not in moved:
            moved.add(op)
            work += [v.owner for v in op.operands if isinstance(v.owner, Op)]
    ops: list[Op] = []
    for block in loop.blocks:
        ops += [op for op in block.ops if op in moved]
        block.ops[:] = [op for op in block.ops if op not in moved]
    places.block_of.update(dict.fromkeys(ops, around))
    return ops


def _is_work(op: Op) -> bool:
    """Whether `op` is worth moving by itself: arithmetic on something that is not constant.

    `i - 1` reads better where it is used.
    """
    if not isinstance(op, core.Call) or op.fn in _SHAPES:
        return False
    others = [v for v in op.operands if not isinstance(v.owner, core.Const)]
    offset = op.fn in (*ADD, *SUB) and len(others) < 2 and op.result.type == INT
    return bool(others) and not offset


def _cannot_fail(op: Op) -> bool:
    match op:
        case core.Const():
            return True
        case core.Item():
            shape = op.operands[0].owner
            return isinstance(shape, core.Call) and shape.fn is np.shape
        case core.Index():
            slices = all(isinstance(e, core.Slice) and not e.step for e in op.spec)
            return slices and isinstance(op.operands[0].type, Array)
        case core.Call() if not op.effect and op.fn in _SHAPES:
            return True
        case core.Call() if is_plain(op) and all(is_numeric(v.type) for v in op.operands):
            return _is_elementwise(op)
    return False


def _is_elementwise(op: core.Call) -> bool:
    """Arithmetic that NumPy does on any numbers, and Python too (it raises on division by zero)."""
    if op.fn in _SAFE:
        return True
    if isinstance(op.result.type, Array):
        return op.fn in DIV or (isinstance(op.fn, np.ufunc) and op.result.type.dtype.kind == "f")
    divisor = op.operands[-1]
    constant = isinstance(divisor.owner, core.Const) and not is_number(divisor, 0)
    return op.fn in DIV and constant
