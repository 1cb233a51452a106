"""How buffers travel through a function: from value to value, and to what else may see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from adcompile.codegen.aliasing import is_immutable, sharers
from adcompile.codegen.kinds import Writer
from adcompile.codegen.nesting import Nesting
from adcompile.codegen.tails import end_of
from adcompile.ir import core
from adcompile.ir.core import Block, Op, Value
from adcompile.ir.identities import Alias
from adcompile.ir.types import Scalar


class Edge(NamedTuple):
    """`source` hands its buffer to `target`: operand `at` of `op`."""

    source: Value
    target: Value
    op: Op
    at: int


class Union:
    """Sets of values that grow together."""

    def __init__(self) -> None:
        self.parent: dict[Value, Value] = {}

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


@dataclass(eq=False, slots=True)
class Flow:
    """Who hands a buffer to whom in control flow and updates, and who else may share it."""

    plan: Nesting
    edges: list[Edge] = field(default_factory=list)
    asides: list[Edge] = field(default_factory=list)  # into conditional expressions
    slots: list[tuple[Value, Value]] = field(default_factory=list)  # loop's result, its parameter
    writes: list[Op] = field(default_factory=list)
    targets: set[Value] = field(default_factory=set)  # values that get their buffer from another
    shares: dict[Value, list[Value]] = field(default_factory=dict)  # through control flow
    closures: dict[Value, list[Value]] = field(default_factory=dict)

    @staticmethod
    def of(plan: Nesting) -> Flow:
        flow = Flow(plan)
        for op in plan.handing_on:
            if op not in plan.dead:
                flow._add(op)
        return flow

    def _add(self, op: Op) -> None:
        if isinstance(op, Writer):
            self.writes.append(op)
            self.edges.append(Edge(op.operands[0], op.results[0], op, 0))
            self.targets.add(op.results[0])
        elif op.blocks and (op in self.plan.expressions or not self.plan.is_line(op)):
            for block in op.blocks:  # an expression: its result is one of what its arms yield
                end = end_of(block)
                self._share(end.operands, op.results)
                pairs = zip(end.operands, op.results)
                self.asides += [Edge(v, r, end, k) for k, (v, r) in enumerate(pairs)]
        elif isinstance(op, core.If | core.Scope | core.Try):
            for block in op.blocks:
                if isinstance(end_of(block), core.Yield):
                    self._hand_on(end_of(block), 0, op.results)
        elif isinstance(op, core.For | core.While):
            self._loop(op)
        elif isinstance(op, Alias):
            self._hand_on(op, 0, op.results)

    def _loop(self, op: core.For | core.While) -> None:
        params = [op.carried, *([op.cond.params] if isinstance(op, core.While) else [])]
        for group in params:
            self.slots += zip(op.results, group)
            self._share(op.results, group)
            self.targets.update(group)
        self._hand_on(op, op.heads if isinstance(op, core.For) else 0, op.results)
        self._hand_on(end_of(op.body), 0, op.results)
        if isinstance(op, core.For) and op.over == "seq":
            self._share(op.operands[:1], op.body.params[:1])

    def _hand_on(self, op: Op, first: int, results: list[Value]) -> None:
        for k, r in enumerate(results):
            self.edges.append(Edge(op.operands[first + k], r, op, first + k))
            self.targets.add(r)
        self._share(op.operands[first:], results)

    def _share(self, values: list[Value], results: list[Value]) -> None:
        for v, r in zip(values, results):
            self.shares.setdefault(v, []).append(r)

    # --- what can be asked -----------------------------------------------------------------------

    def reaching(self, bases: Iterable[Value]) -> set[Value]:
        """The values whose buffer may come to be that of one of `bases`."""
        before: dict[Value, list[Value]] = {}
        for e in self.edges:
            before.setdefault(e.target, []).append(e.source)
        for r, p in self.slots:
            before.setdefault(p, []).append(r)
            before.setdefault(r, []).append(p)
        found = set(bases)
        stack = list(found)
        while stack:
            for v in before.get(stack.pop(), ()):
                if v not in found:
                    found.add(v)
                    stack.append(v)
        return found

    def numbers(self, steps: list[core.Call]) -> set[Value]:
        """Values of rank 0 that are numbers, which nothing can change, whatever the path."""
        union = Union()
        pairs = [(e.source, e.target) for e in self.edges] + self.slots
        for a, b in pairs:
            union.join(a, b)
        handed = {v for pair in pairs for v in pair}
        changeable = {union.find(v) for v in handed if v not in self.targets and not is_number(v)}
        others = (v for op in steps for v in (*op.operands, op.results[0]) if v not in handed)
        return {
            *(v for v in handed if union.find(v) not in changeable),
            *(v for v in others if is_number(v)),
        }

    def closure(self, v: Value, steps: set[Op]) -> list[Value]:
        """`v` and all that may share memory with it from then on, also through `steps` in place."""
        if v not in self.closures:
            seen, stack = {v: None}, [v]
            while stack:
                for y in self._sharing(stack.pop(), steps):
                    if y not in seen:
                        seen[y] = None
                        stack.append(y)
            self.closures[v] = list(seen)
        return self.closures[v]

    def _sharing(self, v: Value, steps: set[Op]) -> Iterator[Value]:
        yield from self.shares.get(v, ())
        for op in self.plan.users.get(v, ()):
            yield from sharers(op, v)
            if op in steps:
                yield from op.results

    def round(self, op: Op | Block | None) -> Block | None:
        """The innermost loop body around `op`, or the function's block."""
        block = self.plan.home.get(op) if isinstance(op, Op) else None
        while block is not None and block in self.plan.around:
            outer, outside = self.plan.around[block]
            if isinstance(outer, core.For | core.While):
                break
            block = outside
        return block


def is_number(v: Value) -> bool:
    """Whether `v` itself is made as a number that nothing can change."""
    if isinstance(v.type, Scalar):
        return True
    return isinstance(v.owner, Op) and is_immutable(v.owner, v)
