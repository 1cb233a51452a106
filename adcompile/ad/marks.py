"""Where cotangents and tangents are zero because a mask has made them so, and where infinite.

The cotangent of `s` in `np.where(c, s, 0.0)` is zero where `c` is false. It stays so through
sums, reshapes, slices and loops, and must stay so when it is multiplied by a derivative that is
infinite or NaN there (`masks.py`). Which cotangents those are is a data-flow problem on the primal
function, like activity: marks go from the results of ops to their operands (for tangents: from
operands to results) until nothing changes. A cotangent to which something else adds is no longer
zero by a mask. Products that sum over an axis (matmul) mix all elements, and end the marks.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from adcompile import runtime
from adcompile.ad.activity import active_values
from adcompile.ad.finite import canonical, is_exact, is_nonzero, keeps_finite
from adcompile.ad.lost import is_lost
from adcompile.ad.selections import is_mask
from adcompile.ad.zeros import zeros_of
from adcompile.ir import core
from adcompile.ir.core import STRUCTURED, Block, Function, Op, Value
from adcompile.ir.types import Array
from adcompile.rules.registry import lookup

# What becomes of the marks of a cotangent on its way from a result to an operand.
PASS = "pass"
PART = "part"  # zeros where nothing was read (a slice, one side of an `if`): no mask of its own
MASK = "mask"
MIX = "mix"  # contractions

DEEPEST = 3  # masks on top of each other are counted so far

_CHOICES = {
    *(np.maximum, np.minimum, np.fmax, np.fmin, np.clip, builtins.max, builtins.min),
}
_EXTREMA = {np.max, np.min, np.ptp}
# What functions do to the cotangents of all their operands, and to the tangents of these.
_KINDS: dict[Any, tuple[str, str]] = {
    **dict.fromkeys((np.matmul, np.dot, np.vdot, np.vecdot, np.inner, np.outer), (MIX, MIX)),
    **dict.fromkeys((np.tensordot, np.einsum, np.linalg.solve, np.linalg.inv), (MIX, MIX)),
    **dict.fromkeys((np.linalg.det, np.linalg.slogdet), (MIX, MIX)),
    **dict.fromkeys(_EXTREMA, (MASK, PASS)),
    **dict.fromkeys((np.tril, np.triu, np.nan_to_num), (MASK, MASK)),
    **dict.fromkeys((np.take, np.take_along_axis, np.diag, np.diagonal, np.trace), (PART, PASS)),
    **dict.fromkeys((np.split, np.array_split), (PART, PASS)),
}
_POSITIONS = (np.nonzero, np.flatnonzero, np.argwhere, np.where)


# Of functions that are called: which arguments have cotangents that are zero by a mask.
Summaries = dict[Function, list[bool]]


class Edge(NamedTuple):
    """`x` goes into `op`, which makes `r` of it."""

    x: Value
    r: Value
    op: Op
    back: str
    ahead: str


class Mark(NamedTuple):
    """What is known of one cotangent."""

    depth: int = 0  # how many masks it may be zero by (at most DEEPEST)
    infinite: bool = False  # whether it may be infinite or NaN


PLAIN = Mark()
DOUBTFUL = Mark(1, True)


@dataclass(eq=False, slots=True)
class Marks:
    """What is known of the values of a function, and of their cotangents (or tangents)."""

    wild: set[Value]  # values that may be infinite or NaN
    zero: set[Value]  # values that may be zero by a mask
    known: set[Value]  # all values of the function
    infinite: set[Value]  # values whose cotangents may be infinite or NaN
    depth: dict[Value, int]

    def of(self, v: Value) -> Mark:
        """What is known of the cotangent of `v`."""
        return Mark(self.depth.get(v, 0), v in self.infinite)

    def finite(self, v: Value) -> bool | None:
        """Whether the value `v` itself is finite, None where that is not known."""
        return v not in self.wild if v in self.known else None

    def masked(self, v: Value) -> bool | None:
        """Whether the value `v` itself may be zero by a mask, None where that is not known."""
        return v in self.zero if v in self.known else None


def together(marks: Marks | None, values: Iterable[Value]) -> Mark:
    """What is known of the cotangents (or tangents) of all `values`, for a callee."""
    found = [PLAIN if marks is None else marks.of(v) for v in values]
    return Mark(min(1, max(m.depth for m in found)), any(m.infinite for m in found))


def of_cotangents(
    root: Block,
    active: set[Value],
    targets: Mapping[Value, Mark],
    *,
    outer: Marks | None = None,
    summaries: Summaries | None = None,
) -> Marks | None:
    """The marks for a backward sweep from the cotangents of `targets` on; None without a mask.

    `outer` knows the values from outside of `root`. Where what comes in is doubtful, so are the
    parameters.
    """
    graph = _Graph(root, active, outer, {} if summaries is None else summaries)
    return graph.marks(targets, "back")


def of_tangents(fn: Function, active: set[Value], sources: Mapping[Value, Mark]) -> Marks | None:
    """The marks for a forward sweep from the tangents of `sources` on; None without a mask."""
    return _Graph(fn.block, active, None, {}).marks(sources, "ahead")


class _Graph:
    """The edges of a function, those of loops and branches included."""

    def __init__(self, root: Block, active: set[Value], outer: Marks | None, summaries: Summaries):
        self.root = root
        self.active = active
        self.outer = outer
        self.home: dict[Value, Block] = {}
        self.around: dict[Block, tuple[Op, Block]] = {}
        self.edges: list[Edge] = []
        self.sources: list[Value] = []  # what may be infinite whatever it is made of
        self.summaries = summaries
        self.read: dict[Block, set[Value]] = {}
        self.zero = zeros_of(root, set() if outer is None else outer.zero)
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

    # --- edges ----------------------------------------------------------------------------------

    def _visit(self, op: Op, block: Block) -> None:
        match op:
            case core.If() | core.Try() | core.Scope():
                self._branches(op)
            case core.For() | core.While():
                self._loop(op, block)
            case core.Call():
                for x, kinds in zip(
                    op.operands, _kinds_of_call(op, self.active, self.zero), strict=True
                ):
                    self._link(op, x, block, *kinds)
            case core.Index():
                self._link(op, op.operands[0], block, _kind_of_index(op), PASS)
            case core.Update():
                self._update(op, block)
            case core.Item() | core.Unpack():
                self._link(op, op.operands[0], block, PART, PASS)
            case core.Invoke():
                kinds = self._kinds_of_invoke(op)
                for x, kind in zip(op.operands, kinds, strict=True):
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
        self._link(op, v, block, PASS, MASK if masked and x not in self.active else PASS)

    def _kinds_of_invoke(self, op: core.Invoke) -> list[str]:
        """Whether masks in the callee make the cotangents of its arguments zero."""
        fn = op.callee
        if fn not in self.summaries:
            self.summaries[fn] = [False] * len(fn.block.params)  # while it is looked at
            active = active_values(fn, fn.block.params, fn.returns)
            targets = {v: PLAIN for v in fn.returns if v in active}
            marks = of_cotangents(fn.block, active, targets, summaries=self.summaries)
            if marks is not None:
                self.summaries[fn] = [marks.of(p).depth > 0 for p in fn.block.params]
        return [MASK if masked else PASS for masked in self.summaries[fn]]

    # --- marks ----------------------------------------------------------------------------------

    def marks(self, start: Mapping[Value, Mark], way: str) -> Marks | None:
        moving = [e for e in self.edges if e.x in self.active and e.r in self.active]
        doubtful = any(mark.depth for mark in start.values())
        if not doubtful and all(MASK not in (e.back, self._ahead(e)) for e in moving):
            return None
        wild = self._wild(self.root.params if doubtful else ())
        flow = _Flow()
        for e in moving:
            a, b, kind = (e.r, e.x, e.back) if way == "back" else (e.x, e.r, self._ahead(e))
            flow.add(a, b, kind, e.op, _is_steep(e, wild))
        if way == "ahead":
            for e in self.edges:
                if e.r in self.active and e.x not in self.active and type(e.op) in STRUCTURED:
                    flow.part(e.x, e.r, PART, e.op)  # the tangent that is zero
        known = {*self.home, *(() if self.outer is None else self.outer.known)}
        return Marks(wild, self.zero, known, flow.infinite(start), flow.depths(start))

    def _ahead(self, e: Edge) -> str:
        """Where a value is zero by a mask, so is its tangent."""
        return MASK if e.r in self.zero and e.x not in self.zero else e.ahead

    def _wild(self, doubtful: Iterable[Value]) -> set[Value]:
        """The values that may be infinite or NaN: all that is made of those that may."""
        outside = set() if self.outer is None else self.outer.wild
        steps: dict[Value, list[Value]] = {}
        found = [v for v in [*self.sources, *doubtful] if not is_exact(v.type)]
        if not found and not outside:
            return outside
        for e in self.edges:
            if not is_exact(e.r.type):
                steps.setdefault(e.x, []).append(e.r)
                if e.x in outside:
                    found.append(e.x)
        return outside | _reached(found, steps)


def _reached(start: Iterable[Value], steps: Mapping[Value, list[Value]]) -> set[Value]:
    found = set(start)
    work = list(found)
    while work:
        for v in steps.get(work.pop(), ()):
            if v not in found:
                found.add(v)
                work.append(v)
    return found


# --- the flow of derivatives ----------------------------------------------------------------------


class _Step(NamedTuple):
    to: Value
    kind: str
    steep: bool  # it multiplies by what may be infinite


class _Flow:
    """From where to where derivatives go, and what marks they take along."""

    def __init__(self) -> None:
        self.steps: dict[Value, list[_Step]] = {}
        # What adds up to the derivative of a value. Those of one op that holds blocks are not
        # added: one of them comes, depending on where the program goes.
        self.parts: dict[Value, dict[object, list[tuple[Value, str]]]] = {}

    def add(self, source: Value, to: Value, kind: str, op: Op, steep: bool) -> None:
        self.steps.setdefault(source, []).append(_Step(to, kind, steep))
        self.part(source, to, kind, op)

    def part(self, source: Value, to: Value, kind: str, op: Op) -> None:
        """The derivative of `to` has a part that comes from that of `source`."""
        parts = self.parts.setdefault(to, {})
        key = op if type(op) in STRUCTURED else len(parts)
        parts.setdefault(key, []).append((source, kind))

    def infinite(self, start: Mapping[Value, Mark]) -> set[Value]:
        """The values whose derivatives may be infinite or NaN."""
        steps = {v: [s.to for s in found if s.kind != MIX] for v, found in self.steps.items()}
        steep = [s.to for found in self.steps.values() for s in found if s.steep]
        return _reached([*steep, *(v for v, mark in start.items() if mark.infinite)], steps)

    def depths(self, start: Mapping[Value, Mark]) -> dict[Value, int]:
        """By how many masks derivatives may be zero: those alone to which nothing else adds."""
        full = self._full(start)
        depth = {v: 0 if v in full else mark.depth for v, mark in start.items()}
        reached = {v: [s.to for s in found] for v, found in self.steps.items()}
        work = list(_reached(start, reached))
        while work:
            v = work.pop()
            for to, kind, _ in self.steps.get(v, ()):
                new = 0 if kind == MIX else min(DEEPEST, depth.get(v, 0) + (kind == MASK))
                if to not in full and new > depth.get(to, 0):
                    depth[to] = new
                    work.append(to)
        return depth

    def _full(self, start: Mapping[Value, Mark]) -> set[Value]:
        """The values whose derivatives have, whatever happens, a part without mask."""
        given = {v for v, mark in start.items() if not mark.depth}
        full = {*given, *self.parts}
        work = list(full)
        while work:
            v = work.pop()
            if v not in full or v in given or self._has_full_part(v, full):
                continue
            full.discard(v)
            work.extend(s.to for s in self.steps.get(v, ()))
        return full

    def _has_full_part(self, v: Value, full: set[Value]) -> bool:
        return any(
            all(kind == MIX or (kind == PASS and x in full) for x, kind in part)
            for part in self.parts[v].values()
        )


# --- what single ops do ---------------------------------------------------------------------------


def _kinds_of_call(op: core.Call, active: set[Value], zero: set[Value]) -> list[tuple[str, str]]:
    """What `op` does to the cotangent of each operand, and to that operand's tangent."""
    fn, operands = canonical(op.fn), op.operands
    every = PASS, PASS
    try:
        if fn is np.where or fn in _CHOICES:
            several = sum(x in active for x in operands) > 1
            every = MASK, PASS if several else MASK
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


def _is_steep(e: Edge, wild: set[Value]) -> bool:
    """Whether the partial derivative of `r` in `x` may be infinite or NaN somewhere, not all over.

    A number that divides an array spoils all elements or none.
    """
    op = e.op
    if not isinstance(op, core.Call):
        return isinstance(op, core.Invoke)
    fn = canonical(op.fn)
    if fn is np.multiply or fn in runtime.MASKED:
        other = op.operands[1] if e.x is op.operands[0] else op.operands[0]
        return other in wild
    if fn is np.divide:
        y = op.args[1]
        number = not isinstance(y.type, Array) or not y.type.shape
        if number and isinstance(e.r.type, Array) and e.r.type.shape:
            return False
        return not is_nonzero(y) or y in wild
    rules = lookup(op.fn)
    straight = fn in (np.add, np.subtract, np.negative, np.where) or fn in _CHOICES | _EXTREMA
    if straight or (rules is not None and rules.linear):
        return False
    return e.r in wild
