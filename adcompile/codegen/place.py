"""Which results are made in place, in the buffer of an operand that nobody looks at any more.

A *web* is a set of values that hold one buffer in turn, on its way to being written: an update and
its base, what a loop carries, the results of a branch. Ownership is linear: every value of a web
with writes is the only holder of its buffer, because

- what enters the web is new (`aliasing.is_fresh`): no parameter, view, constant, item of a tape;
- handing on to the next value of the web is the last use of the one before;
- what shares the buffer from outside the web (a view, a tuple, a list) is dead at every write.

`Update`, `Append` and `Pop` are always done in place: where one of these fails, a copy is inserted
and the analysis starts again. Arithmetic (`d_b + t` → `d_b += t`) is done in place only where all
of them hold. After Hudak and Bloss, "The aggregate update problem" (1985).
"""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from adcompile import errors
from adcompile.codegen.aliasing import is_fresh, sharers
from adcompile.codegen.flow import Edge, Flow, Union, is_number
from adcompile.codegen.kinds import Writer
from adcompile.codegen.live import Live, liveness
from adcompile.codegen.nest import nest
from adcompile.codegen.nesting import Nesting
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value, is_quoted
from adcompile.ir.infer import infer_call
from adcompile.ir.types import Array, Seq

MAX_ROUNDS = 10

# Operators that have an augmented form which computes the same.
AUGMENTED = frozenset([operator.add, operator.sub, operator.mul, operator.truediv])


_COMMUTATIVE = (operator.add, operator.mul)


def written(op: Op) -> Value:
    """The operand that `op` is done in place of: an array with the name of the result."""
    (r,) = op.results
    for x in op.operands if isinstance(op, core.Call) and op.fn in _COMMUTATIVE else ():
        if x.type == r.type and x.name == r.name:
            return x
    return op.operands[0]


@dataclass(eq=False, slots=True)
class Placement:
    plan: Nesting
    live: Live
    in_place: set[Op] = field(default_factory=set)  # arithmetic that is done in place
    numbers: set[Value] = field(default_factory=set)  # values that surely nothing can change
    flow: Flow = field(init=False)

    def __post_init__(self) -> None:
        self.flow = Flow(self.plan)

    def sharing(self, v: Value) -> set[Value]:
        """`v` and all that may share memory with it from then on."""
        return set(self.flow.closure(v, self.in_place))


def place(fn: Function) -> Placement:
    """Decide nesting and places for `fn`; copies are inserted into it where need be."""
    for _ in range(MAX_ROUNDS):
        plan = nest(fn)
        placement = Placement(plan, liveness(fn, plan))
        copies = _Placer(placement).settle()
        if not copies:
            return placement
        for edge in copies:
            _insert_copy(edge, plan)
    raise errors.InternalError("writing in place does not settle", fn.loc)


@dataclass(eq=False, slots=True)
class _Webs:
    """The webs of these writes, and when they are written."""

    union: Union
    edges: list[Edge]  # within webs
    leaving: list[Edge]  # out of a web, to what is not written any more
    handed: dict[tuple[Op, Value], int]  # how often an op hands a value on within webs
    points: dict[Value, list[int]]  # for each web the (sorted) points of its writes
    made: set[Value]  # results of steps that are taken to be done in place
    birthplace: dict[Value, Block]  # the loop body in which a web's buffer is always made


@dataclass(eq=False, slots=True)
class _Placer:
    placement: Placement
    flow: Flow = field(init=False)
    live: Live = field(init=False)
    numbers: set[Value] = field(init=False)

    def __post_init__(self) -> None:
        self.flow = self.placement.flow = Flow.of(self.placement.plan)
        self.live = self.placement.live

    def settle(self) -> list[Edge]:
        """Fill in what is done in place; returns the edges that need a copy first."""
        plan, writes = self.placement.plan, self.flow.writes
        steps = [
            op
            for op in plan.ops
            if isinstance(op, core.Call) and op.fn in AUGMENTED and op not in plan.dead
        ]
        self.numbers = self.placement.numbers = self.flow.numbers(steps)
        chosen = [op for op in steps if self._may_be_in_place(op)]
        must = self._webs(writes, [])
        copies = [e for e in must.edges if self._breaks(e, must)]
        known = set(copies)
        if not copies:  # a copy of the first may do for all
            escapes = self._escapes(must, set())
            known = set(escapes)
            copies = [self._narrowed(e, must) for e in escapes]
        while chosen:
            webs = self._webs(writes, chosen)
            broken = [e for e in webs.edges if self._breaks(e, webs)]
            broken += self._escapes(webs, set(chosen))
            bad = {webs.union.find(e.source) for e in broken if e not in known}
            kept = [op for op in chosen if webs.union.find(op.results[0]) not in bad]
            if len(kept) == len(chosen):
                break
            chosen = kept
        self.placement.in_place.update(chosen)
        self.flow.closures.clear()
        return list(dict.fromkeys(copies))

    def _may_be_in_place(self, op: core.Call) -> bool:
        """Whether arithmetic of differentiation may be meant to write into its first operand."""
        x, result = written(op), op.results[0]
        if self.placement.plan.order[op] == 0 or is_quoted(op):
            return False
        if not self.placement.plan.is_line(op):
            return False
        if not isinstance(x.type, Array) or x not in self.live.ranges:
            return False
        if is_number(x) or x in self.numbers:
            return False
        return x.type == result.type and x.name == result.name and x.name is not None

    def _webs(self, writes: list[Op], steps: list[core.Call]) -> _Webs:
        """The webs of `writes` and of `steps` if they were done in place."""
        flow = self.flow
        new = [Edge(written(op), op.results[0], op, op.operands.index(written(op))) for op in steps]
        flow.edges += new
        writing = {*writes, *steps}
        reaching = flow.reaching([*(op.operands[0] for op in writes), *map(written, steps)])
        union, edges, leaving = Union(), [], []
        for e in flow.edges:
            if e.target in reaching or e.op in writing:
                edges.append(e)
                union.join(e.source, e.target)
            elif e.source in reaching:
                leaving.append(e)
        for r, p in flow.slots:
            if r in reaching:
                union.join(r, p)
        handed: dict[tuple[Op, Value], int] = {}
        for e in edges:
            handed[e.op, e.source] = handed.get((e.op, e.source), 0) + 1
        points: dict[Value, list[int]] = {}
        for op in writing:
            points.setdefault(union.find(op.results[0]), []).append(self.live.at[op] + 1)
        for at in points.values():
            at.sort()
        made = {op.results[0] for op in steps}
        webs = _Webs(union, edges, leaving, handed, points, made, {})
        webs.birthplace = self._birthplaces(webs)
        del flow.edges[len(flow.edges) - len(new) :]
        return webs

    def _birthplaces(self, webs: _Webs) -> dict[Value, Block]:
        """The loop body in which each web's buffer is made, if it is one and stays in it."""
        places: dict[Value, set[Block | None]] = {}
        for v in {v: None for e in webs.edges for v in (e.source, e.target)}:
            inside = v in self.flow.targets or v in webs.made
            if not inside and not isinstance(v.owner, core.Undef):
                places.setdefault(webs.union.find(v), set()).add(self.flow.round(v.owner))
        for _, p in self.flow.slots:  # carried from one iteration to the next
            if isinstance(p.owner, Block) and p.owner in places.get(webs.union.find(p), ()):
                places[webs.union.find(p)].add(None)
        return {web: b for web, (b, *rest) in places.items() if b is not None and not rest}

    # --- what must hold --------------------------------------------------------------------------

    def _breaks(self, edge: Edge, webs: _Webs) -> bool:
        """Whether the source may not hand its buffer on."""
        v = edge.source
        if is_number(v) or v in self.numbers:
            return False
        inside = v in self.flow.targets or v in webs.made
        if not inside and not (isinstance(v.owner, Op) and is_fresh(v.owner, v)):
            return True
        if webs.handed.get((edge.op, v), 0) > 1:
            return True
        return self.live.covers(v, self.live.handed(edge.op) + 1)

    def _escapes(self, webs: _Webs, steps: set[Op]) -> list[Edge]:
        """Where something outside a web gets hold of its buffer and looks at it after a write."""
        self.flow.closures.clear()
        found: list[Edge] = []
        for edge in [*webs.leaving, *self.flow.asides, *self._shared(webs)]:
            v, web = edge.source, webs.union.find(edge.source)
            if web not in webs.points or is_number(v) or v in self.numbers:
                continue
            points = self._after(edge.op, web, webs)
            if points and self._is_seen(edge.target, points, steps):
                found.append(edge)
        return found

    def _narrowed(self, edge: Edge, webs: _Webs) -> Edge:
        """Of a chain of views, the last one that is looked at: a copy of it is the smallest."""
        points = self._after(edge.op, webs.union.find(edge.source), webs)
        while isinstance(edge.op, core.Index | core.Call):
            z = edge.target
            if self._is_live(z, points) or z in self.flow.shares:
                break
            further = [
                Edge(z, y, op, op.operands.index(z))
                for op in self.placement.plan.users.get(z, ())
                for y in sharers(op, z)
                if self._is_seen(y, points, set())
            ]
            if len(further) != 1:
                break
            (edge,) = further
        return edge

    def _shared(self, webs: _Webs) -> Iterator[Edge]:
        """What takes a view of a value of a web, or puts it into a container."""
        for v in {v: None for e in webs.edges for v in (e.source, e.target)}:
            for op in self.placement.plan.users.get(v, ()):
                if isinstance(v.type, Seq) and isinstance(op, core.Index | core.Pop):
                    continue  # an item of a list is not the list
                if isinstance(op, Writer) and op.operands[0] is v:
                    continue
                for z in sharers(op, v):
                    yield Edge(v, z, op, op.operands.index(v))

    def _after(self, op: Op, web: Value, webs: _Webs) -> list[int]:
        """Those of the web's writes that may follow `op` before the buffer is made anew.

        A buffer made in a loop's body is another one in the next iteration.
        """
        plan, points = self.placement.plan, webs.points[web]
        home = webs.birthplace.get(web)
        if home is None or home not in self.live.spans:
            return points
        while op not in self.live.at and op.results:  # printed inside another line
            users = plan.users.get(op.results[0])
            if not users:
                return points
            op = users[0]
        block, first = plan.home[op], op
        while block is not home:
            if block not in plan.around:
                return points
            outer, block = plan.around[block]
            if isinstance(outer, core.For | core.While):
                first = outer
        low, high = self.live.at.get(first, 0), self.live.spans[home][1]
        return points[bisect_left(points, low) : bisect_left(points, high + 1)]

    def _is_seen(self, z: Value, points: list[int], steps: set[Op]) -> bool:
        """Whether `z`, or what shares memory with it, is live at one of these (sorted) points."""
        return any(self._is_live(v, points) for v in self.flow.closure(z, steps))

    def _is_live(self, v: Value, points: list[int]) -> bool:
        for a, b in self.live.ranges.get(v, ()):
            k = bisect_left(points, a)
            if k < len(points) and points[k] <= b:
                return True
        return False


def _insert_copy(edge: Edge, plan: Nesting) -> None:
    """Let `edge` hand on, or give away, a copy."""
    op = edge.op
    block = plan.home[op]
    if isinstance(op, core.Update) and _remake(op, plan):
        return
    if isinstance(op, core.Index | core.Call) and isinstance(op.results[0].type, Array):
        seen = op.results[0]
        copy = _copy_of(seen, op)
        for user in plan.users.get(seen, ()):
            user.operands = [copy.results[0] if v is seen else v for v in user.operands]
        seen.name = None
        block.ops.insert(block.ops.index(op) + 1, copy)
        return
    copy = _copy_of(edge.source, op)
    if isinstance(op, core.Update):
        copy.results[0].name = edge.target.name
    kept = isinstance(op, core.Make | core.NewSeq) or (isinstance(op, core.Append) and edge.at)
    if kept or _is_in_expression(block, plan):
        copy.results[0].name = None
    elif copy.results[0].name is None or isinstance(op, core.For | core.While | core.Yield):
        copy.results[0].name = edge.target.name
    op.operands[edge.at] = copy.results[0]
    block.ops.insert(block.ops.index(op), copy)


def _remake(op: core.Update, plan: Nesting) -> bool:
    """Turn a write to all of an array into an operation that makes another array, if it can be."""
    if op.spec != (Ellipsis,) or op.views:
        return False
    (x, v), block = op.operands, plan.home[op]
    new = core.Call([x, v], op.results, op.loc, op.order, fn=np.full_like)
    if op.mode != "=":
        fn = {"+": operator.add, "-": operator.sub}.get(op.mode)
        made = infer_call(fn, [x, v], {}) if fn else None
        if not (fn and isinstance(made, Array) and isinstance(x.type, Array)):
            return False
        if made.dtype != x.type.dtype or made.rank != x.type.rank:
            return False
        new.fn = fn
    elif v.type == x.type:
        maker = v.owner
        only = plan.users[v] == [op] and v.name is None
        if (
            only
            and isinstance(maker, core.Call)
            and plan.home[maker] is block
            and is_fresh(maker, v)
        ):
            maker.results = op.results
            op.results[0].owner = maker
            block.ops.remove(op)
            return True
        new = core.Call([v], op.results, op.loc, op.order, fn=np.copy, member="copy()")
    block.ops[block.ops.index(op)] = new
    return True


def _is_in_expression(block: Block, plan: Nesting) -> bool:
    """Whether `block` is an arm of a conditional expression."""
    outer = plan.around[block][0] if block in plan.around else None
    return isinstance(outer, core.If) and (outer in plan.expressions or outer in plan.inlined)


def _copy_of(v: Value, near: Op) -> core.Call:
    """An op that copies `v`."""
    result = Value(v.type, v.name)
    if isinstance(v.type, Seq):
        return core.Call([v], [result], near.loc, near.order, fn=list)
    if not isinstance(v.type, Array):
        raise errors.InternalError(f"cannot copy a {v.type!r}", near.loc)
    return core.Call([v], [result], near.loc, near.order, fn=np.copy, member="copy()")
