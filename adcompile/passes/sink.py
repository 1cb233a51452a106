"""Sinking: work that only one branch of an `if` needs is done in that branch.

(a) A pure op made by differentiation whose results are read in one branch of a following `if`
moves to the head of that branch (the dual of hoisting; Knoop, Rüthing & Steffen, "Partial dead
code elimination", 1994). (b) `d[i] += r` or `d + r`, where `r` comes from an `if` one side of which
gives zero, moves to the end of both branches, where the zero side has nothing to do.
"""

from __future__ import annotations

from bisect import bisect_right

from adcompile.ir import core
from adcompile.ir.clone import clone_block
from adcompile.ir.core import Block, Function, Op, Value, is_quoted
from adcompile.ir.types import Array, Scalar
from adcompile.passes.line import Line
from adcompile.passes.patterns import ADD, SUB, is_plain
from adcompile.passes.structure import is_pure
from adcompile.passes.sums import is_zero


def run(fn: Function) -> None:
    blocks = list(core.walk_blocks(fn.block))
    if len(blocks) == 1:
        return
    uses = core.use_counts(fn.block)
    for block in blocks:
        _Additions(block, uses).run()
    _Sinking(fn).run()


# --- (a) into the one branch that needs it ------------------------------------------------------


class _Sinking:
    """Blocks are numbered before what they hold, so a block holds an interval of numbers."""

    def __init__(self, fn: Function):
        self.blocks = list(core.walk_blocks(fn.block))  # outer before inner
        self.first = {b: k for k, b in enumerate(self.blocks)}
        self.last: dict[Block, int] = {}
        self.uses: dict[Value, dict[int, int]] = {}  # how often each block reads a value
        for b in reversed(self.blocks):
            inner = [self.last[i] for op in b.ops for i in op.blocks]
            self.last[b] = max(inner, default=self.first[b])
        for b in self.blocks:
            for op in b.ops:
                self.count(op, self.first[b], 1)

    def count(self, op: Op, block: int, by: int) -> None:
        for v in op.operands:
            counts = self.uses.setdefault(v, {})
            counts[block] = counts.get(block, 0) + by
            if not counts[block]:
                del counts[block]

    def run(self) -> None:
        for block in self.blocks:
            self.sink_from(block)

    def sink_from(self, block: Block) -> None:
        branches = [b for op in block.ops if _is_statement(op) for b in op.blocks]
        if not branches:
            return
        starts = [self.first[b] for b in branches]
        kept: list[Op] = []
        moved: dict[Block, list[Op]] = {}
        for op in reversed(block.ops):  # what reads a value is settled before the value
            may_move = op.order and is_pure(op) and not is_quoted(op)
            target = self.target(op, branches, starts) if may_move else None
            if target is None:
                kept.append(op)
                continue
            moved.setdefault(target, []).append(op)
            self.count(op, self.first[block], -1)
            self.count(op, self.first[target], 1)
        block.ops[:] = kept[::-1]
        for target, ops in moved.items():
            target.ops[:0] = ops[::-1]

    def target(self, op: Op, branches: list[Block], starts: list[int]) -> Block | None:
        """The branch that holds all that reads the results of `op`."""
        readers = [k for r in op.results for k in self.uses.get(r, ())]
        if not readers:
            return None
        branch = branches[max(0, bisect_right(starts, min(readers)) - 1)]
        inside = self.first[branch] <= min(readers) and max(readers) <= self.last[branch]
        return branch if inside else None


def _is_statement(op: Op) -> bool:
    return isinstance(op, core.If) and op.form == "if"


# --- (b) additions of what may be zero ----------------------------------------------------------


class _Additions:
    """The additions of one block, in order."""

    def __init__(self, block: Block, uses: dict[Value, int]):
        self.block = block
        self.uses = uses
        self.line = Line()

    def run(self) -> None:
        if not any(isinstance(op, core.If) for op in self.block.ops):
            return
        for op in self.block.ops:
            if not (op.order and not is_quoted(op) and self.absorb(op)):
                self.line.append(op)
        self.block.ops[:] = self.line.ops()

    def absorb(self, op: Op) -> bool:
        """Whether `op` was moved into an `if` that it adds a result of."""
        for k, base in _addends(op):
            r = op.operands[k]
            choice = r.owner
            if not isinstance(choice, core.If) or choice not in self.line or self.uses.get(r) != 1:
                continue
            if is_quoted(choice):
                continue
            slot = choice.results.index(r)
            zero = [is_zero(b.yields[slot]) for b in choice.blocks]
            fits = op.operands[base].type == op.result.type
            others = [v for v in op.operands if v.owner is not choice]
            if any(zero) and fits and self.line.raise_above(choice, others):
                self.move(op, op.operands[base], choice, slot)
                return True
        return False

    def move(self, op: Op, base: Value, choice: core.If, slot: int) -> None:
        for v in op.operands:
            self.uses[v] -= 1
        for block in choice.blocks:
            inside = dict(zip(choice.results, block.yields, strict=True))
            here = inside.get(base, base)
            if not is_zero(block.yields[slot]):
                (copy,) = clone_block(Block([], [op]), inside).ops
                here = copy.result
                block.ops.insert(-1, copy)
                self.count(copy.operands)
            self.uses[block.yields[slot]] -= 1
            block.yields[slot] = here
            self.count([here])
        choice.results[slot] = op.result
        op.result.owner = choice
        choice.form = "if"

    def count(self, values: list[Value]) -> None:
        for v in values:
            self.uses[v] = self.uses.get(v, 0) + 1


def _addends(op: Op) -> list[tuple[int, int]]:
    """Which operands of `op` are added, and to which operand."""
    if isinstance(op, core.Update):
        return [(1, 0)] if op.mode in ("+", "-", "add.at") else []
    if isinstance(op, core.Call) and is_plain(op) and isinstance(op.result.type, Array | Scalar):
        return [(1, 0), (0, 1)] if op.fn in ADD else [(1, 0)] if op.fn in SUB else []
    return []
