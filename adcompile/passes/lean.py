"""Tapes hold nothing that nobody reads, and nothing twice.

What a loop saves was settled when the sweep behind it had just been built. That has been simplified
since, and in a derivative of a derivative what was saved for two reasons turns out to be the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from adcompile.ad.tapes import Tape, Tapes, parts_of, tapes
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Value
from adcompile.ir.types import Seq, Tree, Type
from adcompile.passes import dce


def run(fn: Function) -> None:
    if not any(isinstance(op, core.Append) for op in core.walk(fn.block)):
        return
    found = tapes(fn, set())
    shelves = {tape: Shelf(tape) for tape in found.found.values() if tape.plain}
    uses = _look_round(fn, found, shelves)
    for shelf in shelves.values():
        shelf.choose(uses)
    if any(shelf.dropped for shelf in shelves.values()):
        for shelf in shelves.values():
            shelf.rewrite(found, shelves)
        core.substitute(
            fn.block, {v: w for shelf in shelves.values() for v, w in shelf.new.items()}
        )
        dce.run(fn)


def _look_round(fn: Function, found: Tapes, shelves: dict[Tape, Shelf]) -> Counter[Value]:
    """Note what is appended to each tape and how it is read; how often all values are used."""
    items: dict[Value, Shelf] = {}
    for block in core.walk_blocks(fn.block):
        for op in block.ops:
            shelf = shelves.get(found.found[op.operands[0]]) if _is_of_tape(op) else None
            if shelf is not None and isinstance(op, core.Append):
                shelf.appends.append((op, block))
            elif shelf is not None and isinstance(op, core.For):
                shelf.loops.append(op)
                items[op.body.params[0]] = shelf
    uses: Counter[Value] = Counter()
    for block in core.walk_blocks(fn.block):
        for op in block.ops:
            uses.update(op.operands)
            if isinstance(op, core.Unpack) and op.operands[0] in items:
                items[op.operands[0]].unpacks.append((op, block))
    for item, shelf in items.items():
        taken_apart = sum(op.operands[0] is item for op, _ in shelf.unpacks)
        shelf.whole |= uses[item] > taken_apart
    return uses


def _is_of_tape(op: core.Op) -> bool:
    return isinstance(op, core.Append) or (isinstance(op, core.For) and op.over == "seq")


@dataclass(eq=False, slots=True)
class Shelf:
    """A tape, and all that is put on it and taken off."""

    tape: Tape
    appends: list[tuple[core.Append, Block]] = field(default_factory=list)
    loops: list[core.For] = field(default_factory=list)
    unpacks: list[tuple[core.Unpack, Block]] = field(default_factory=list)
    whole: bool = False  # whether an item is used as it is
    kept: list[int] = field(default_factory=list)  # places in an item
    new: dict[Value, Value] = field(default_factory=dict)  # what is read in place of what
    done: bool = False

    @property
    def dropped(self) -> bool:
        return len(self.kept) < self.tape.count

    def choose(self, uses: Counter[Value]) -> None:
        """Which places are kept, and which of them stand for others."""
        places = range(self.tape.count)
        if not self.tape.is_tuple or self.whole:
            self.kept = list(places)
            return
        entries = [parts_of(op.operands[1]) for op, _ in self.appends]
        for k in places:
            if not any(uses[op.results[k]] for op, _ in self.unpacks):
                continue
            twin = next((j for j in self.kept if all(e[j] is e[k] for e in entries)), None)
            if twin is None:
                self.kept.append(k)
            else:
                self.new.update((op.results[k], op.results[twin]) for op, _ in self.unpacks)
        self.kept = self.kept or [0]  # the iterations are counted by it

    def rewrite(self, found: Tapes, shelves: dict[Tape, Shelf]) -> None:
        """Put on and take off what is kept; inner tapes first, whose types are part of its own."""
        if self.done:
            return
        self.done = True
        tape, alone = self.tape, self.dropped and len(self.kept) == 1
        types: list[Type] = [tape.item]
        if isinstance(tape.item, Tree):
            types = list(tape.item.items)
        for k, v in tape.inner.items():
            shelves[found.of(v)].rewrite(found, shelves)
            types[k] = v.type
        types = [types[k] for k in self.kept]
        item = types[0] if alone or not tape.is_tuple else _tuple(types)
        for v in tape.values:
            v.type = Seq(item)
        for loop in self.loops:
            loop.body.params[0].type = item
        for op, block in self.appends:
            self._put(op, block, item, alone)
        for op, block in self.unpacks:
            self._take(op, block, alone)

    def _put(self, op: core.Append, block: Block, item: Type, alone: bool) -> None:
        parts = parts_of(op.operands[1])
        if alone:
            op.operands[1] = parts[self.kept[0]]
            self._name(op.operands[1].name)
        elif self.tape.is_tuple:
            kept = [parts[k] for k in self.kept]
            made = core.Make(kept, [Value(item)], op.loc, op.order)
            block.ops.insert(block.ops.index(op), made)
            op.operands[1] = made.result

    def _take(self, op: core.Unpack, block: Block, alone: bool) -> None:
        op.results[:] = [op.results[k] for k in self.kept]
        if alone:
            (part,) = op.results
            self.new[part] = op.operands[0]
            op.operands[0].name = part.name
            block.ops.remove(op)

    def _name(self, part: str | None) -> None:
        for v in self.tape.values:
            if v.name == "saved" and part and not part.startswith("saved"):
                v.name = f"saved_{part}"


def _tuple(types: Sequence[Type]) -> Tree:
    return Tree(tuple, tuple(range(len(types))), tuple(types))
