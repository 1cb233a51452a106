"""Algebraic simplification of what differentiation made (order ≥ 1); the user's text stays.

A peephole optimiser over SSA: ops are visited in program order, so their operands are simplified
already, and the first pattern of the table (see `patterns`; filled by `algebra`, `sums`,
`containers` and `writes`) that applies replaces the op; what it makes is visited next. A
replacement must have the type of what it replaces. The pass is repeated until nothing changes (a
pattern may wait for another use to vanish); each round is linear. Where the pass has run before, it
looks again only near what other passes have changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Op, Value, is_quoted
from adcompile.ir.types import Array, Dim, Scalar, TypeClash, Undefined, is_inexact
from adcompile.passes import (  # noqa: F401  (they fill the table)
    algebra,
    containers,
    linear,
    sums,
    writes,
)
from adcompile.passes.patterns import ARITHMETIC, Match, fitting
from adcompile.passes.rename import Renaming
from adcompile.passes.structure import STRUCTURED, is_pure

MOST_ROUNDS = 8


def run(fn: Function) -> None:
    uses = core.use_counts(fn.block)
    near = fn.settled.changed(fn, uses) if isinstance(fn.settled, _Settled) else None
    for _ in range(MOST_ROUNDS):
        if near is not None and not near:
            fn.settled = _Settled(uses, {op: tuple(op.operands) for op in core.walk(fn.block)})
            return
        work = _Round(fn, uses, near)
        work.run()
        near = _near(fn, work.touched)
    fn.settled = None


@dataclass(frozen=True, slots=True)
class _Settled:
    """How a function was when no pattern fitted any more."""

    uses: dict[Value, int]
    operands: dict[Op, tuple[Value, ...]]

    def changed(self, fn: Function, uses: dict[Value, int]) -> set[Op]:
        """The ops near those that are new, read other values, or alone read a value."""
        before = self.operands
        new = [op for op in core.walk(fn.block) if before.get(op) != tuple(op.operands)]
        touched = {v for v, n in uses.items() if n == 1 and self.uses.get(v) != 1}
        touched.update(r for op in new for r in op.results)
        return _near(fn, touched).union(new)


def _near(fn: Function, touched: set[Value]) -> set[Op]:
    """The ops that read `touched` values or what is made of them: where a pattern may fit now."""
    found: set[Op] = set()
    if not touched:
        return found
    reach = {r for v in touched if isinstance(v.owner, Op) for r in v.owner.results} | touched
    for op in core.walk(fn.block):
        if not reach.isdisjoint(op.operands):
            found.add(op)
            if not touched.isdisjoint(op.operands):
                reach.update(op.results)
        elif not reach.isdisjoint(op.results):
            found.add(op)
    return found


@dataclass(eq=False, slots=True)
class _Frame:
    """A block on its way: ops still to be visited (last first) and those done."""

    block: Block
    todo: list[Op]
    done: list[Op] = field(default_factory=list)


class _Round:
    """One walk over `fn`; with `near`, only these ops are looked at."""

    def __init__(self, fn: Function, uses: dict[Value, int], near: set[Op] | None = None):
        self.fn = fn
        self.uses = uses
        self.near = near
        self.touched: set[Value] = set()  # down to one use, by an op that may be behind us
        self.rename = Renaming()
        self.dead: set[Op] = set()  # ops that nobody reads any more
        self.made: set[Op] = set()
        self.guards = False  # a `try` has come, whose body must stay as it is
        self.match = Match(Builder(Block()), uses)  # for one op after the other

    def run(self) -> None:
        stack = [_frame(self.fn.block)]
        finished: list[_Frame] = []
        near, renamed = self.near, self.rename.new
        while stack:
            frame = stack[-1]
            if not frame.todo:
                finished.append(stack.pop())
                continue
            op = frame.todo.pop()
            if op.operands:
                changed = bool(renamed) and self.renamed(op)
                looked_at = near is None or changed or op in near or op in self.made
                if looked_at and op.order and not is_quoted(op) and self.rewrite(op, frame):
                    continue
            frame.done.append(op)
            if type(op) in STRUCTURED:
                self.guards = self.guards or type(op) is core.Try
                stack.extend(_frame(block) for block in reversed(op.blocks))
        for frame in finished:
            frame.block.ops[:] = [op for op in frame.done if op not in self.dead]
        core.discard(self.dead)

    def renamed(self, op: Op) -> bool:
        """Whether `op` reads another value than before this round; it does so from now on."""
        new = list(map(self.rename, op.operands))
        if new == op.operands:
            return False
        op.operands[:] = new
        return True

    def is_read(self, op: Op) -> bool:
        return any(self.uses.get(r) for r in op.results)

    def rewrite(self, op: Op, frame: _Frame) -> bool:
        """Try the patterns for `op`; what replaces it is put in front of what is still to do."""
        if isinstance(op, core.If) and isinstance(core.constant(op.operands[0]), bool):
            self.take_branch(op, frame)
            return True
        patterns = fitting(op)
        if not patterns or not self.is_read(op):
            return False
        match, made = self.match, self.match.builder.block.ops
        match.builder.loc, match.builder.order = op.loc, op.order
        for pattern in patterns:
            try:
                found = pattern(match, op)
            except TypeClash:  # NumPy has no `-` for booleans
                found = None
            if found is not None:
                values = [found] if isinstance(found, Value) else found
                fits = all(_fits(r, v, made) for r, v in zip(op.results, values, strict=True))
                if fits and _is_as_precise(op, made):
                    self.replace(op, values, made)
                    frame.todo.extend(reversed(made))
                    made.clear()
                    return True
            made.clear()
        return False

    def take_branch(self, op: core.If, frame: _Frame) -> None:
        """An `if` whose condition is known: the ops of the branch stand in its place."""
        taken, other = op.blocks if core.constant(op.operands[0]) else reversed(op.blocks)
        for gone in core.walk(other):
            self.count(map(self.rename, gone.operands), -1)
        yields = list(map(self.rename, taken.yields))
        self.touched.update(yields)
        self.count(op.operands, -1)
        self.count(yields, -1)
        self.substitute(op.results, yields)
        frame.todo.extend(reversed(taken.ops[:-1]))

    def replace(self, op: Op, values: Sequence[Value], new: Sequence[Op]) -> None:
        self.made.update(new)
        alone: set[Value] = set()  # already; to be read by a new op instead is no change
        for made in new:
            alone.update(v for v in made.operands if self.uses.get(v) == 1)
            self.count(made.operands, 1)
        for r, v in zip(op.results, values, strict=True):
            fresh = isinstance(v.owner, Op) and v.owner.order > 0
            if v.name is None and fresh and not isinstance(v.owner, core.Const):
                v.name = r.name
            if v.owner in new:
                v.type = r.type  # what the op it replaces was known to be, sizes included
        self.substitute(op.results, values)
        self.release(op)
        self.touched -= alone
        if self.near is not None:  # what reads these may have been passed over
            self.touched.update(values)

    def substitute(self, old: Sequence[Value], new: Sequence[Value]) -> None:
        for r, v in zip(old, new, strict=True):
            self.rename.new[r] = v
            self.uses[v] = self.uses.get(v, 0) + self.uses.pop(r, 0)

    def count(self, values: Iterable[Value], by: int) -> None:
        for v in values:
            self.uses[v] = self.uses.get(v, 0) + by

    def release(self, op: Op) -> None:
        """Forget the uses that `op` made, and those of what is dead without it."""
        work = [op]
        while work:
            op = work.pop()
            self.dead.add(op)
            operands = list(map(self.rename, op.operands))
            self.count(operands, -1)
            self.touched.update(v for v in operands if self.uses.get(v) == 1)
            for v in dict.fromkeys(operands):
                owner = v.owner
                if not isinstance(owner, Op) or self.is_read(owner):
                    continue
                if is_pure(owner) and (owner.order or not self.guards):
                    work.append(owner)


def _frame(block: Block) -> _Frame:
    return _Frame(block, block.ops[::-1])


def _is_as_precise(op: Op, made: Sequence[Op]) -> bool:
    """Whether nothing that was computed in real numbers of a precision is in less, or in integers.

    `(d * i) * j` is not `d * (i * j)` where `i` and `j` are integers of NumPy, which overflow.
    """
    t = op.results[0].type if op.results else None
    if not isinstance(t, Array | Scalar) or not is_inexact(t):
        return True
    for new in made:
        if isinstance(new, core.Call) and new.fn in ARITHMETIC:
            of = new.result.type
            if isinstance(of, Array) and (not isinstance(t, Array) or of.dtype != t.dtype):
                return False
    return True


def _fits(old: Value, new: Value, made: Sequence[Op]) -> bool:
    """Whether `new`, made by one of `made` or there before, has a type that may stand for `old`'s.

    A new op may not know all sizes that `old` knows to be equal: it will get them.
    """
    a, b = old.type, new.type
    if isinstance(a, Undefined) or a == b:
        return a == b
    if not isinstance(a, Array) or not isinstance(b, Array) or new.owner not in made:
        return False
    if a.dtype != b.dtype or a.rank != b.rank:
        return False
    sizes = zip(a.shape, b.shape, strict=True)
    return all(s == t or (isinstance(s, Dim) and isinstance(t, Dim)) for s, t in sizes)
