"""Which results are made in place, in the buffer of an operand that nobody looks at any more.

A *web* is a set of values that hold one buffer in turn: an update and its base, what a loop carries,
the results of a branch. Ownership is linear: every value of a web with writes is the only holder of
its buffer, because

- what enters the web is new (`aliasing.is_fresh`): no parameter, view, constant, item of a tape;
- handing on to the next value of the web is the last use of the one before;
- what shares the buffer from outside the web (a view, a tuple, a list) is dead at every write.

`Update`, `Append` and `Pop` are always done in place: where one of these fails, a copy is inserted
and the analysis starts again. Arithmetic (`d_b + t` → `d_b += t`) is done in place only where all of
them hold. After Hudak and Bloss, "The aggregate update problem" (1985).
"""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from adcompile import errors
from adcompile.codegen.aliasing import is_fresh, is_immutable, sharers
from adcompile.codegen.live import Live, liveness
from adcompile.codegen.nest import Nesting, nest
from adcompile.codegen.tails import end_of
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.types import Array, Scalar, Seq

Writer = core.Update | core.Append | core.Pop
MAX_ROUNDS = 10

# Operators that have an augmented form which computes the same.
AUGMENTED = frozenset([operator.add, operator.sub, operator.mul, operator.truediv])


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` hands its buffer to `target`: operand `at` of `op`."""

    source: Value
    target: Value
    op: Op
    at: int


@dataclass(eq=False, slots=True)
class Placement:
    plan: Nesting
    live: Live
    in_place: set[Op] = field(default_factory=set)  # arithmetic that is done in place
    numbers: set[Value] = field(default_factory=set)  # values that surely nothing can change


def place(fn: Function) -> Placement:
    """Decide nesting and places for `fn`; copies are inserted into it where need be."""
    for _ in range(MAX_ROUNDS):
        plan = nest(fn)
        placement = Placement(plan, liveness(fn, plan))
        copies = _Webs(fn, placement).settle()
        if not copies:
            return placement
        for edge in copies:
            _insert_copy(edge, plan)
    raise errors.InternalError("writing in place does not settle", fn.loc)


@dataclass(eq=False, slots=True)
class _Webs:
    fn: Function
    placement: Placement
    plan: Nesting = field(init=False)
    live: Live = field(init=False)
    parent: dict[Value, Value] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    handed: dict[tuple[Op, Value], int] = field(default_factory=dict)  # how often op hands it on
    targets: set[Value] = field(default_factory=set)
    closures: dict[Value, list[Value]] = field(default_factory=dict)
    shares: dict[Value, list[Value]] = field(default_factory=dict)  # through control flow
    birthplace: dict[Value, Block] = field(default_factory=dict)  # of a web's buffer
    chosen: set[Op] = field(default_factory=set)  # arithmetic that may turn out to be in place

    def __post_init__(self) -> None:
        self.plan, self.live = self.placement.plan, self.placement.live

    def find(self, v: Value) -> Value:
        parent = self.parent
        while v in parent:
            if parent[v] in parent:
                parent[v] = parent[parent[v]]
            v = parent[v]
        return v

    def join(self, a: Value, b: Value) -> None:
        a, b = self.find(a), self.find(b)
        if a is not b:
            self.parent[b] = a

    def add(self, source: Value, target: Value, op: Op, at: int) -> None:
        self.edges.append(Edge(source, target, op, at))
        self.handed[op, source] = self.handed.get((op, source), 0) + 1
        self.targets.add(target)
        self.join(source, target)

    # --- the webs --------------------------------------------------------------------------------

    def settle(self) -> list[Edge]:
        """Fill in what is done in place; the edges that need a copy first."""
        writes: list[Op] = []
        steps: list[core.Call] = []
        for op in core.walk(self.fn.block):
            if op in self.plan.dead:
                continue
            self._control_flow(op)
            if isinstance(op, Writer):
                writes.append(op)
                self.add(op.operands[0], op.results[0], op, 0)
            elif isinstance(op, core.Call) and op.fn in AUGMENTED:
                steps.append(op)
        self._find_numbers(steps)
        chosen = [op for op in steps if self._may_be_in_place(op)]
        self.chosen.update(chosen)
        for op in chosen:
            self.add(op.operands[0], op.results[0], op, 0)
        points: dict[Value, list[int]] = {}
        must = {self.find(op.results[0]) for op in writes}
        for op in [*writes, *chosen]:
            points.setdefault(self.find(op.results[0]), []).append(self.live.at[op] + 1)
        for at in points.values():
            at.sort()
        self._find_birthplaces()
        broken = [e for e in self.edges if self.find(e.source) in points and self._breaks(e)]
        broken += self._escapes(points)
        bad = {self.find(e.source) for e in broken}
        self.placement.in_place.update(op for op in chosen if self.find(op.results[0]) not in bad - must)
        return [e for e in broken if self.find(e.source) in must]

    def _control_flow(self, op: Op) -> None:
        if op.blocks and not self.plan.is_line(op) or op in self.plan.expressions:
            for block in op.blocks:
                self._share(end_of(block).operands, op.results)
            return
        match op:
            case core.If() | core.Scope():
                for block in op.blocks:
                    end = end_of(block)
                    if isinstance(end, core.Yield):
                        self._hand_on(end, 0, op.results)
            case core.For() | core.While():
                for k, r in enumerate(op.results):
                    for p in (op.carried[k], *(op.cond.params[k : k + 1] if isinstance(op, core.While) else ())):
                        self.join(r, p)
                        self.targets.add(p)
                        self.shares.setdefault(r, []).append(p)
                self._hand_on(op, op.heads if isinstance(op, core.For) else 0, op.results)
                self._hand_on(end_of(op.body), 0, op.results)
                if isinstance(op, core.For) and op.over == "seq":
                    self._share([op.operands[0]], [op.body.params[0]])

    def _hand_on(self, op: Op, first: int, results: list[Value]) -> None:
        for k, r in enumerate(results):
            self.add(op.operands[first + k], r, op, first + k)
            self.shares.setdefault(op.operands[first + k], []).append(r)

    def _share(self, values: list[Value], results: list[Value]) -> None:
        for v, r in zip(values, results):
            self.shares.setdefault(v, []).append(r)

    def _find_numbers(self, steps: list[core.Call]) -> None:
        """Values of rank 0 whose webs hold nothing but numbers."""
        values = {v for e in self.edges for v in (e.source, e.target)}
        values.update(v for op in steps for v in (op.operands[0], op.results[0]))
        changeable = {
            self.find(v) for v in values if v not in self.targets and not _is_number(v)
        }
        self.placement.numbers = {v for v in values if self.find(v) not in changeable}

    def _may_be_in_place(self, op: core.Call) -> bool:
        """Whether arithmetic of differentiation may write into its first operand."""
        x, result = op.operands[0], op.results[0]
        if self.plan.order(op) == 0 or not self.plan.is_line(op) or not isinstance(x.type, Array):
            return False
        if x in self.placement.numbers or x.type != result.type or x not in self.live.ranges:
            return False
        if x.name != result.name or x.name is None:
            return False
        edge = Edge(x, result, op, 0)
        return not self._breaks(edge)

    def _find_birthplaces(self) -> None:
        """The loop body (or function) in which each web's buffer is made, if it is one."""
        places: dict[Value, set[Block | None]] = {}
        for v in {v: None for e in self.edges for v in (e.source, e.target)}:
            if v not in self.targets and not isinstance(v.owner, core.Undef):
                places.setdefault(self.find(v), set()).add(self._round(v.owner))
        self.birthplace = {web: b for web, (b, *rest) in places.items() if b is not None and not rest}

    def _round(self, op: Op | Block | None) -> Block | None:
        """The innermost loop body around `op`, or the function's block."""
        block = self.plan.home.get(op) if isinstance(op, Op) else None
        while block is not None and block in self.plan.around:
            outer, outside = self.plan.around[block]
            if isinstance(outer, core.For | core.While):
                break
            block = outside
        return block

    # --- what must hold --------------------------------------------------------------------------

    def _breaks(self, edge: Edge) -> bool:
        """Whether the source may not hand its buffer on."""
        v = edge.source
        if _is_number(v) or v in self.placement.numbers:
            return False
        if v not in self.targets and not (isinstance(v.owner, Op) and is_fresh(v.owner, v)):
            return True
        if self.handed.get((edge.op, v), 0) > 1:
            return True
        return self.live.covers(v, self.live.at[edge.op] + 1)

    def _escapes(self, points: dict[Value, list[int]]) -> list[Edge]:
        """Where something outside a web gets hold of its buffer and looks at it after a write."""
        found: list[Edge] = []
        for v in {v: None for e in self.edges for v in (e.source, e.target)}:
            web = self.find(v)
            if web not in points or _is_number(v) or v in self.placement.numbers:
                continue
            for op in self.plan.users.get(v, ()):
                if isinstance(v.type, Seq) and isinstance(op, core.Index | core.Pop):
                    continue  # an item of a list is not the list
                for z in sharers(op, v):
                    if op.operands[0] is v and isinstance(op, Writer):
                        continue
                    if self._is_seen(z, self._after(op, web, points[web])):
                        found.append(Edge(v, z, op, op.operands.index(v)))
        return found

    def _after(self, op: Op, web: Value, points: list[int]) -> list[int]:
        """Those of the web's writes that may follow `op` before the buffer is made anew.

        A buffer made in a loop's body is another one in the next iteration.
        """
        home = self.birthplace.get(web)
        if home is None:
            return points
        block, first = self.plan.home[op], op
        while block is not home:
            if block not in self.plan.around:
                return points
            outer, block = self.plan.around[block]
            if isinstance(outer, core.For | core.While):
                first = outer
        last = max(self.live.at.get(inner, 0) for inner in core.walk(home))
        while first not in self.live.at and first.results:  # printed inside another line
            users = self.plan.users.get(first.results[0])
            if not users:
                return points
            first = users[0]
        start = self.live.at.get(first, 0)
        return [at for at in points if start <= at <= last + 1]

    def _is_seen(self, z: Value, points: list[int]) -> bool:
        """Whether `z`, or what shares memory with it, is live at one of these (sorted) points."""
        for v in self._closure(z):
            for a, b in self.live.ranges.get(v, ()):
                k = bisect_left(points, a)
                if k < len(points) and points[k] <= b:
                    return True
        return False

    def _closure(self, v: Value) -> list[Value]:
        """`v` and all that may share memory with it from then on."""
        if v not in self.closures:
            seen, stack = {v: None}, [v]
            while stack:
                x = stack.pop()
                for y in self._sharing(x):
                    if y not in seen:
                        seen[y] = None
                        stack.append(y)
            self.closures[v] = list(seen)
        return self.closures[v]

    def _sharing(self, v: Value) -> Iterator[Value]:
        yield from self.shares.get(v, ())
        for op in self.plan.users.get(v, ()):
            yield from sharers(op, v)
            if op in self.chosen:
                yield from op.results


def _is_number(v: Value) -> bool:
    if isinstance(v.type, Scalar):
        return True
    return isinstance(v.owner, Op) and is_immutable(v.owner, v)


def _insert_copy(edge: Edge, plan: Nesting) -> None:
    """Let `edge` hand on, or give away, a copy."""
    op = edge.op
    block = plan.home[op]
    if isinstance(op, core.Index):
        copy = _copy_of(op.results[0], op)
        for user in plan.users.get(op.results[0], ()):
            user.operands = [copy.results[0] if v is op.results[0] else v for v in user.operands]
        block.ops.insert(block.ops.index(op) + 1, copy)
        return
    copy = _copy_of(edge.source, op)
    if copy.results[0].name is None or isinstance(edge.op, core.For | core.While | core.Yield):
        copy.results[0].name = edge.target.name
    op.operands[edge.at] = copy.results[0]
    block.ops.insert(block.ops.index(op), copy)


def _copy_of(v: Value, near: Op) -> core.Call:
    """An op that copies `v`."""
    result = Value(v.type, v.name)
    if isinstance(v.type, Seq):
        return core.Call([v], [result], near.loc, near.order, fn=list)
    if not isinstance(v.type, Array):
        raise errors.InternalError(f"cannot copy a {v.type!r}", near.loc)
    return core.Call([v], [result], near.loc, near.order, fn=np.copy, member="copy()")


__all__ = ["Block", "Placement", "place"]
