"""Where cotangents and tangents are zero because a mask has made them so, and where infinite.

The cotangent of `s` in `np.where(c, s, 0.0)` is zero where `c` is false. It stays so through
sums, reshapes, slices and loops, and must stay so when it is multiplied by a derivative that is
infinite or NaN there (`masks.py`). Which cotangents those are is a data-flow problem on the primal
function, like activity: marks go from the results of ops to their operands (for tangents: from
operands to results) until nothing changes. A cotangent to which something else adds is no longer
zero by a mask. Products that sum over an axis (matmul) mix all elements, and end the marks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adcompile import runtime
from adcompile.ad.activity import active_values
from adcompile.ad.edges import CHOICES, EXTREMA, MASK, MIX, PART, PASS, Edge, Graph
from adcompile.ad.finite import canonical, is_exact, is_nonzero, keeps_finite
from adcompile.ad.zeros import zeros_of
from adcompile.ir import core
from adcompile.ir.core import STRUCTURED, Block, Function, Op, Value
from adcompile.ir.types import Array
from adcompile.passes.cse import Numbering
from adcompile.rules.registry import lookup

DEEPEST = 3  # masks on top of each other are counted so far

# Of functions that are called: which arguments have cotangents that are zero by a mask.
Summaries = dict[Function, list[bool]]


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
    summaries = {} if summaries is None else summaries
    return _marks(root, active, targets, False, outer, summaries)


def of_tangents(fn: Function, active: set[Value], sources: Mapping[Value, Mark]) -> Marks | None:
    """The marks for a forward sweep from the tangents of `sources` on; None without a mask."""
    return _marks(fn.block, active, sources, True, None, {})


def _marks(
    root: Block,
    active: set[Value],
    start: Mapping[Value, Mark],
    ahead: bool,
    outer: Marks | None,
    summaries: Summaries,
) -> Marks | None:
    zero = zeros_of(root, set() if outer is None else outer.zero)
    graph = Graph(root, active, zero, lambda op: _masked_arguments(op.callee, summaries))
    active = graph.active
    moving = [e for e in graph.edges if e.x in active and e.r in active]
    doubtful = any(mark.depth for mark in start.values())
    if not doubtful and all(MASK not in (e.back, graph.ahead(e)) for e in moving):
        return None
    wild = _wild(graph, set() if outer is None else outer.wild, root.params if doubtful else ())
    flow, first = _Flow(), _first_reads(root)
    for e in moving:
        if e.r in first:
            e = Edge(first[e.r], e.r, e.op, PASS, PASS)
        a, b, kind = (e.x, e.r, graph.ahead(e)) if ahead else (e.r, e.x, e.back)
        flow.add(a, b, kind, e.op, _is_steep(e, wild))
    for e in graph.edges if ahead else ():
        if e.r in active and e.x not in active and type(e.op) in STRUCTURED:
            flow.part(e.x, e.r, PART, e.op)  # a tangent that is zero
    known = {*graph.home, *(() if outer is None else outer.known)}
    return Marks(wild, zero, known, flow.infinite(start), flow.depths(start))


def _first_reads(root: Block) -> dict[Value, Value]:
    """What is read of a value again in the same block, with what was read first: they are one."""
    numbering, first, again = Numbering(), {}, {}
    for block in core.walk_blocks(root):
        for op in block.ops:
            number = numbering.enter(op)
            if number is not None and isinstance(op, core.Index):
                earlier = first.setdefault((block, op.operands[0], number), op.result)
                if earlier is not op.result:
                    again[op.result] = earlier
    return again


def _masked_arguments(fn: Function, summaries: Summaries) -> list[bool]:
    """Of which parameters of `fn` masks in it make the cotangents zero."""
    if fn not in summaries:
        summaries[fn] = [False] * len(fn.block.params)  # while it is looked at
        active = active_values(fn, fn.block.params, fn.returns)
        targets = {v: PLAIN for v in fn.returns if v in active}
        marks = of_cotangents(fn.block, active, targets, summaries=summaries)
        if marks is not None:
            summaries[fn] = [marks.of(p).depth > 0 for p in fn.block.params]
    return summaries[fn]


# --- values that may be infinite ------------------------------------------------------------------


def _wild(graph: Graph, outside: set[Value], doubtful: Iterable[Value]) -> set[Value]:
    """The values that may be infinite or NaN: all that is made of those that may."""
    steps: dict[Value, list[Value]] = {}
    found = [v for v in [*graph.sources, *doubtful] if not is_exact(v.type)]
    if not found and not outside:
        return outside
    for e in graph.edges:
        if not is_exact(e.r.type):
            steps.setdefault(e.x, []).append(e.r)
            if e.x in outside:
                found.append(e.x)
    return outside | _reached(found, steps)


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
    straight = fn in (np.add, np.subtract, np.negative, np.where) or fn in CHOICES | EXTREMA
    if straight or (rules is not None and rules.linear):
        return False
    return not keeps_finite(op) or e.r in wild


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
