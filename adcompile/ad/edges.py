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
from adcompile.ad.finite import canonical, keeps_finite
from adcompile.ad.lost import is_lost
from adcompile.ad.selections import is_mask
from adcompile.ir import core
from adcompile.ir.core import Block, Op, Value
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
        self.active = active
        self.zero = zero
        self.masked_arguments = masked_arguments
        self.home: dict[Value, Block] = {}
        self.around: dict[Block, tuple[Op, Block]] = {}
        self.edges: list[Edge] = []
        self.sources: list[Value] = []  # what may be infinite whatever it is made of
        self.read: dict[Block, set[Value]] = {}
        for block in core.walk_blocks(root):
            self.home.update(dict.fromkeys(block.params, block))
            for op in block.ops:
                self.home.update(dict.fromkeys(op.results, block))
                self.around.update((inner, (op, block)) for inner in op.blocks)
        for block in core.walk_blocks(root):
            for op in block.ops:
                if not keeps_finite(op):
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
        if block is not self.root:
            back = self._crossing(x, block, back)
        for r in op.results:
            self.edges.append(Edge(x, r, op, back, ahead))

    def _crossing(self, x: Value, block: Block, kind: str) -> str:
        """`kind`, for a value from outside of the branch that `block` is, or is in."""
        home = self.home.get(x, self.root)
        while block is not home and block in self.around:
            op, block = self.around[block]
            if isinstance(op, core.For) and op.narrowed:
                kind = MASK
            elif isinstance(op, core.If | core.Try) and kind != MASK:
                kind = MASK if self._is_one_sided(x, op) or self._chooses(op) else PART
        return kind

    def _is_one_sided(self, x: Value, op: Op) -> bool:
        """Whether a side of a branch does not read `x`, which is there all the same."""
        return isinstance(op, core.If) and any(
            x not in self._reads(side) and not is_lost(x, op.operands[0], k)
            for k, side in enumerate(op.blocks)
        )

    def _reads(self, block: Block) -> set[Value]:
        """The values that are read in a branch."""
        if block not in self.read:
            self.read[block] = {v for op in core.walk(block) for v in op.operands}
        return self.read[block]

    def _chooses(self, op: Op) -> bool:
        """Whether a branch gives a constant in place of a result: `y if c else 0.0`."""
        return any(
            r in self.active and any(isinstance(b.yields[k].owner, core.Const) for b in op.blocks)
            for k, r in enumerate(op.results)
        )

    def _branches(self, op: Op) -> None:
        for block in op.blocks:
            for k, (r, y) in enumerate(zip(op.results, block.yields)):
                others = [b.yields[k] for b in op.blocks if b is not block]
                chosen = any(isinstance(v.owner, core.Const) for v in others)
                back = MASK if chosen else self._crossing(y, block, PASS)
                self.edges.append(Edge(y, r, op, back, MASK if chosen else PASS))

    def _loop(self, op: core.For | core.While, block: Block) -> None:
        for init, p, y, r in zip(op.inits, op.carried, op.body.yields, op.results):
            for x, to in ((init, p), (init, r), (y, p), (y, r)):
                inside = op.body if x is y else block
                self.edges.append(Edge(x, to, op, self._crossing(x, inside, PASS), PASS))
        if isinstance(op, core.For):
            x, item = op.operands[0], op.body.params[0]
            self.edges.append(Edge(x, item, op, self._crossing(x, block, PART), PASS))

    def _update(self, op: core.Update, block: Block) -> None:
        x, v = op.operands[:2]
        back = ahead = PASS
        masked = any(map(_is_mask_index, op.at))
        if op.mode == "=":
            back = MASK if masked or isinstance(v.owner, core.Const) else PART
            ahead = PASS if v in self.active else back
        self._link(op, x, block, back, ahead)
        chosen = op.mode == "=" and may_repeat(op.at)  # of several writes, the last one
        ahead = MASK if masked and x not in self.active else PASS
        self._link(op, v, block, MASK if chosen else PASS, ahead)


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
    return PASS if all(e is None or e is Ellipsis or e == core.Slice() for e in op.spec) else PART


def _is_mask_index(v: Value) -> bool:
    """Whether the index `v` is a mask, or the positions where one is true."""
    if isinstance(v.type, Array) and v.type.dtype.kind == "b":
        return True
    op = v.owner
    while isinstance(op, core.Item | core.Unpack | core.Index | core.Make) and op.operands:
        op = op.operands[0].owner
    return isinstance(op, core.Call) and op.fn in _POSITIONS and len(op.operands) == 1
