"""Tapes in forward mode: one tape for what is saved and for its tangents.

A tape is a list that one loop appends to and others run through, which nothing else looks at. The
tangents of what a loop saves are saved with it, in the same tuple, those alone that are not zero.
The tape of an inner loop, which is an item of that of the outer one, has its tangents in itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.types import Seq, Tree, Type, carries_derivative


@dataclass(eq=False, slots=True)
class Tape:
    """What all the SSA values that are one tape have in common."""

    item: Type
    values: list[Value] = field(default_factory=list)
    active: set[int] = field(default_factory=set)  # places in an item that have tangents
    inner: dict[int, Value] = field(default_factory=dict)  # places that are tapes: one of them
    plain: bool = True  # whether it is used as a tape is

    @property
    def is_tuple(self) -> bool:
        return isinstance(self.item, Tree)

    @property
    def count(self) -> int:
        """How many values an item has."""
        return len(self.item.keys) if isinstance(self.item, Tree) else 1


@dataclass(eq=False, slots=True)
class Tapes:
    """The lists of a function, and which of them are tapes that hold tangents."""

    active: set[Value]
    found: dict[Value, Tape] = field(default_factory=dict)

    def of(self, v: Value) -> Tape:
        if v not in self.found:
            assert isinstance(v.type, Seq)
            self.found[v] = Tape(v.type.item, [v])
        return self.found[v]

    def merge(self, v: Value, w: Value) -> None:
        """`v` and `w` are one list."""
        work = [(v, w)]
        while work:
            a, b = map(self.of, work.pop())
            if a is b:
                continue
            a.values += b.values
            self.found.update(dict.fromkeys(b.values, a))
            a.active |= b.active
            a.plain &= b.plain
            work += [(a.inner[k], x) for k, x in b.inner.items() if k in a.inner]
            a.inner = b.inner | a.inner

    def put_inside(self, v: Value, outer: Value, k: int) -> None:
        """`v` is at place `k` of the items of `outer`."""
        inner = self.of(outer).inner
        if k in inner:
            self.merge(inner[k], v)
        inner[k] = v

    # --- what they hold -------------------------------------------------------------------------

    def get(self, v: Value) -> Tape | None:
        """The tape that `v` is, if that holds tangents."""
        tape = self.found.get(v)
        return tape if tape is not None and self.holds(tape) else None

    def holds(self, tape: Tape) -> bool:
        return tape.plain and bool(
            self.places(tape) or any(self.get(v) is not None for v in tape.inner.values())
        )

    def places(self, tape: Tape) -> list[int]:
        """The places in an item whose tangents follow after it."""
        own = (k for k in tape.active if k not in tape.inner or self.get(tape.inner[k]) is None)
        return sorted(own)

    def joined(self, tape: Tape, tangent: Callable[[Type], Type]) -> Seq:
        """The type of the tape with tangents in it."""
        items: list[Type] = [tape.item]
        if isinstance(tape.item, Tree):
            items = list(tape.item.items)
        dots = [tangent(items[k]) for k in self.places(tape)]
        for k, v in tape.inner.items():
            inner = self.get(v)
            items[k] = items[k] if inner is None else self.joined(inner, tangent)
        items += dots
        if len(items) == 1 and not tape.is_tuple:
            return Seq(items[0])
        return Seq(Tree(tuple, tuple(range(len(items))), tuple(items)))


def tapes(fn: Function, active: set[Value]) -> Tapes:
    """The tapes of `fn`, of whose values the `active` ones have tangents."""
    made = Tapes(active)
    for op in core.walk(fn.block):
        for same in _same(op):
            lists = [v for v in same if isinstance(v.type, Seq)]
            for v in lists[1:]:
                made.merge(lists[0], v)
    entries = {op.operands[1] for op in core.walk(fn.block) if isinstance(op, core.Append)}
    items = {
        op.body.params[0]: op.operands[0]
        for op in core.walk(fn.block)
        if isinstance(op, core.For) and op.over == "seq"
    }
    for item, seq in items.items():
        if isinstance(item.type, Seq):
            made.put_inside(item, seq, 0)
    for op in core.walk(fn.block):
        _look_at(op, made, entries, items)
    for p in fn.block.params:
        if isinstance(p.type, Seq):
            made.of(p).plain = False
    _spoil(made)
    return made


def _same(op: Op) -> Iterator[Iterable[Value]]:
    """Values that are one list before, in and after `op`."""
    match op:
        case core.Append():
            yield (op.operands[0], op.result)
        case core.For():
            yield from zip(op.inits, op.carried, op.body.yields, op.results, strict=False)
        case core.While():
            conds = op.cond.params
            yield from zip(op.inits, conds, op.carried, op.body.yields, op.results, strict=False)
        case core.If() | core.Scope() | core.Try():
            for k, r in enumerate(op.results):
                yield (r, *(block.yields[k] for block in op.blocks))


def parts_of(item: Value) -> list[Value]:
    """The values that are appended to a tape as one item."""
    return item.owner.operands if isinstance(item.owner, core.Make) else [item]


def _look_at(op: Op, made: Tapes, entries: set[Value], items: dict[Value, Value]) -> None:
    """Note how `op` uses lists."""
    match op:
        case core.Append():
            seq, item = op.operands
            tape = made.of(seq)
            tape.plain &= tape.is_tuple == isinstance(item.owner, core.Make)
            for k, v in enumerate(parts_of(item)):
                if isinstance(v.type, Seq):
                    made.put_inside(v, seq, k)
                if v in made.active and carries_derivative(v.type):
                    tape.active.add(k)
        case core.Unpack() if op.operands[0] in items:
            for k, r in enumerate(op.results):
                if isinstance(r.type, Seq):
                    made.put_inside(r, items[op.operands[0]], k)
        case core.NewSeq() if not op.operands:
            pass
        case core.Make() if op.result in entries:
            pass
        case core.Undef() | core.Yield():
            pass
        case core.For() | core.While() | core.If() | core.Scope() | core.Try():
            pass
        case _:
            for v in (*op.operands, *op.results):
                if isinstance(v.type, Seq):
                    made.of(v).plain = False
                elif v in items:  # an item is looked at in another way than by taking it apart
                    made.of(items[v]).plain &= not isinstance(v.type, Tree)


def _spoil(made: Tapes) -> None:
    """What is inside of a list that is no tape, or around one, is none."""
    again = True
    while again:
        again = False
        for tape in {id(t): t for t in made.found.values()}.values():
            for inner in map(made.of, tape.inner.values()):
                if tape.plain != inner.plain:
                    tape.plain = inner.plain = False
                    again = True


def first_names(item: Value) -> list[str | None]:
    """What the loop that reads an item calls its parts."""
    owner = item.owner
    first = owner.ops[0] if isinstance(owner, Block) and owner.ops else None
    if isinstance(first, core.Unpack) and first.operands[0] is item:
        return [r.name for r in first.results]
    return [item.name]
