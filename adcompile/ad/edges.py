"""The ways that derivatives take through a function, and what becomes of masks on them.

An edge goes from an operand of an op to a result, and from what a branch or a loop starts with and
yields to its results. Whether a derivative that goes along is masked there, or goes through a mask
that it has already, or leaves it behind, is said of both directions: backward, of cotangents, and
ahead, of tangents. `marks.py` makes a data-flow problem of it.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from adcompile import runtime
from adcompile.ad.finite import canonical, is_whole, keeps_finite, raises_instead
from adcompile.ad.lost import is_lost
from adcompile.ad.selections import is_mask
from adcompile.ir import core
from adcompile.ir.core import Block, Op, Value
from adcompile.ir.effects import raises
from adcompile.ir.indices import may_repeat
from adcompile.ir.types import Array

# What becomes of the marks of a cotangent on its way from a result to an operand.
PASS = "pass"
PART = "part"  # zeros where nothing was read (a slice, one side of an `if`): no mask of its own
MASK = "mask"
MIX = "mix"  # contractions

CHOICES = {
    *(np.maximum, np.minimum, np.fmax, np.fmin, np.clip, builtins.max, builtins.min),
}
EXTREMA = {np.max, np.min, np.ptp}
# What functions do to the cotangents of all their operands, and to the tangents of these.
_KINDS: dict[Any, tuple[str, str]] = {
    **dict.fromkeys((np.matmul, np.dot, np.vdot, np.vecdot, np.inner, np.outer), (MIX, MIX)),
    **dict.fromkeys((np.tensordot, np.einsum, np.linalg.solve, np.linalg.inv), (MIX, MIX)),
    **dict.fromkeys((np.linalg.det, np.linalg.slogdet), (MIX, MIX)),
    **dict.fromkeys(EXTREMA, (MASK, PASS)),
    **dict.fromkeys((np.tril, np.triu, np.nan_to_num), (MASK, MASK)),
    **dict.fromkeys((np.take, np.take_along_axis, np.diag, np.diagonal, np.trace), (PART, PASS)),
    **dict.fromkeys((np.split, np.array_split), (PART, PASS)),
}
_POSITIONS = (np.nonzero, np.flatnonzero, np.argwhere, np.where)


class Edge(NamedTuple):
    """`x` goes into `op`, which makes `r` of it."""

    x: Value
    r: Value
    op: Op
    back: str
    ahead: str


class Graph:
    """The edges of a function, those of loops and branches included.

    `zero` are the values that may be zero by a mask; `masked_arguments` says of a call of another
    function which cotangents of its arguments masks in it make zero.
    """

    def __init__(
        self,
        root: Block,
        active: set[Value],
        zero: set[Value],
        masked_arguments: Callable[[core.Invoke], list[bool]],
    ):
        self.root = root
        self.active = set(active)  # and what stands for active values inside of branches
        self.zero = zero
        self.masked_arguments = masked_arguments
        self.home: dict[Value, Block] = {}
        self.around: dict[Block, tuple[Op, Block]] = {}
        self.edges: list[Edge] = []
        self.sources: list[Value] = []  # what may be infinite whatever it is made of
        self.entries: dict[tuple[Block, Value], Value] = {}
        self.read: dict[Block, set[Value]] = {}
        for block in core.walk_blocks(root):
            self.home.update(dict.fromkeys(block.params, block))
            for op in block.ops:
                self.home.update(dict.fromkeys(op.results, block))
                self.around.update((inner, (op, block)) for inner in op.blocks)
        for block in core.walk_blocks(root):
            for op in block.ops:
                if not keeps_finite(op) and not raises_instead(op):
                    self.sources += op.results
                self._visit(op, block)

    def ahead(self, e: Edge) -> str:
        """What becomes of a tangent: where a value is zero by a mask, so is its tangent."""
        return MASK if e.r in self.zero and e.x not in self.zero else e.ahead

    def _visit(self, op: Op, block: Block) -> None:
        match op:
            case core.If() | core.Try() | core.Scope():
                self._branches(op)
            case core.For() | core.While():
                self._loop(op, block)
            case core.Call():
                kinds = _kinds_of_call(op, self.active, self.zero)
                for x, (back, ahead) in zip(op.operands, kinds, strict=True):
                    self._link(op, x, block, back, ahead)
            case core.Index():
                self._link(op, op.operands[0], block, _kind_of_index(op), PASS)
            case core.Update():
                self._update(op, block)
            case core.Item() | core.Unpack():
                self._link(op, op.operands[0], block, PART, PASS)
            case core.Invoke():
                for x, masked in zip(op.operands, self.masked_arguments(op), strict=True):
                    kind = MASK if masked else PASS
                    self._link(op, x, block, kind, kind)
            case _:
                for x in op.operands:
                    self._link(op, x, block, PART, PART)

    def _link(self, op: Op, x: Value, block: Block, back: str, ahead: str) -> None:
        for r in op.results:
            self._edge(op, x, block, r, back, ahead)

    def _edge(self, op: Op, x: Value, block: Block, r: Value, back: str, ahead: str = PASS) -> None:
        """Derivatives go between `x`, read in `block`, and `r`."""
        x, narrowed = self._inside(x, block)
        self.edges.append(Edge(x, r, op, MASK if narrowed else back, ahead))

    def _inside(self, x: Value, block: Block) -> tuple[Value, bool]:
        """What stands for `x` in `block`, and whether that is a loop through some iterations only.

        In each arm of a branch another value stands for `x`: one of their derivatives comes.
        """
        home, inner, found = self.home.get(x, self.root), [], x
        while block is not home and block in self.around:
            if (block, x) in self.entries:
                found = self.entries[block, x]
                break
            inner.append(block)
            block = self.around[block][1]
        narrowed = False
        for block in reversed(inner):
            op = self.around[block][0]
            if isinstance(op, core.For):
                narrowed |= op.narrowed
            elif isinstance(op, core.If | core.Try) and x in self.active:
                entry = self.entries[block, x] = Value(x.type)
                self.active.add(entry)
                if x in self.zero:
                    self.zero.add(entry)
                back = MASK if narrowed else self._entering(x, op)
                self.edges.append(Edge(found, entry, op, back, PASS))
                found, narrowed = entry, False
        return found, narrowed

    def _entering(self, x: Value, op: core.If | core.Try) -> str:
        """What becomes of the marks of `x` on the way out of an arm of `op`."""
        unread = [k for k, arm in enumerate(op.blocks) if x not in self._reads(arm)]
        if isinstance(op, core.Try):
            return MASK if self._chooses(op) else PART if unread else PASS
        taken = [k for k in unread if not raises(op.blocks[k])]
        return PASS if all(is_lost(x, op.operands[0], k) for k in taken) else MASK

    def _reads(self, block: Block) -> set[Value]:
        """The values that are read in a branch."""
        if block not in self.read:
            self.read[block] = {v for op in core.walk(block) for v in op.operands}
        return self.read[block]

    def _chooses(self, op: core.Try) -> bool:
        """Whether a constant stands in for what has failed."""
        return any(
            r in self.active and any(isinstance(b.yields[k].owner, core.Const) for b in op.blocks)
            for k, r in enumerate(op.results)
        )

    def _branches(self, op: core.If | core.Try | core.Scope) -> None:
        for block in op.blocks:
            for k, (r, y) in enumerate(zip(op.results, block.yields)):
                others = [b.yields[k] for b in op.blocks if b is not block]
                chosen = any(isinstance(v.owner, core.Const) for v in others)
                self._edge(op, y, block, r, PASS, MASK if chosen else PASS)

    def _loop(self, op: core.For | core.While, block: Block) -> None:
        for init, p, y, r in zip(op.inits, op.carried, op.body.yields, op.results):
            for to in (p, r):
                self._edge(op, init, block, to, PASS)
                self._edge(op, y, op.body, to, PASS)
        if isinstance(op, core.For):
            self._edge(op, op.operands[0], block, op.body.params[0], PART)

    def _update(self, op: core.Update, block: Block) -> None:
        x, v = op.operands[:2]
        back = ahead = PASS
        masked = any(map(_is_mask_index, op.at))
        if op.mode == "=":
            back = MASK if masked or erases(op) else PART
            ahead = PASS if v in self.active else back
        self._link(op, x, block, back, ahead)
        chosen = op.mode == "=" and may_repeat(op.at)  # of several writes, the last one
        ahead = MASK if masked and x not in self.active else PASS
        self._link(op, v, block, MASK if chosen else PASS, ahead)


def erases(op: core.Update) -> bool:
    """Whether a constant of the program overwrites what was there: that is a mask."""
    return not op.taken and isinstance(op.operands[1].owner, core.Const)


# --- what single ops do ---------------------------------------------------------------------------


def _kinds_of_call(op: core.Call, active: set[Value], zero: set[Value]) -> list[tuple[str, str]]:
    """What `op` does to the cotangent of each operand, and to that operand's tangent."""
    fn, operands = canonical(op.fn), op.operands
    every = PASS, PASS
    try:
        if fn is np.where or fn in CHOICES:
            several = sum(x in active for x in operands) > 1
            every = MASK, PASS if several else MASK
        elif fn is np.take and len(operands) > 1 and _is_mask_index(operands[1]):
            every = MASK, PASS
        elif fn in _KINDS:
            every = _KINDS[fn]
        elif "where" in op.keywords:
            every = MASK, PASS
        elif fn is np.multiply and len(operands) == 2:
            x, y = operands
            masked = [is_mask(other) or other in zero for other in (y, x)]
            return [(MASK, MASK) if m else every for m in masked]
        elif fn is runtime.masked_times:
            return [every, (MASK, MASK)]
        elif fn is runtime.masked_product:
            return [(MASK, MASK)] * 2
    except TypeError:  # an unhashable callable
        pass
    return [every] * len(operands)


def _kind_of_index(op: core.Index) -> str:
    if any(map(_is_mask_index, op.operands[1:])):
        return MASK
    return PASS if is_whole(op) else PART


def _is_mask_index(v: Value) -> bool:
    """Whether the index `v` is a mask, or the positions where one is true."""
    if isinstance(v.type, Array) and v.type.dtype.kind == "b":
        return True
    op = v.owner
    while isinstance(op, core.Item | core.Unpack | core.Index | core.Make) and op.operands:
        op = op.operands[0].owner
    return isinstance(op, core.Call) and op.fn in _POSITIONS and len(op.operands) == 1
