"""Loops: what they run over, and what they carry.

A loop over something of known length is unrolled. Every other `for` counts: over a range, or over
the positions of arrays and lists. What a loop carries is found by lowering its body until nothing
changes: each place that the body changes is carried, as a template (see `joins`) that is widened
until one more iteration stays inside it. The first guess, all names that the body assigns with the
types they have before the loop, is right for most loops. What a loop settled on is remembered, so
that a nest of loops is not lowered a number of times that grows exponentially with its depth.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import gast

from adcompile.frontend import builtin_calls, expressions, joins, subscripts
from adcompile.frontend.branches import merge, relevant, visible
from adcompile.frontend.context import Arm, Checkpoint, Context, materialise
from adcompile.frontend.functions import assigned_names
from adcompile.frontend.joins import Joiner, flatten, instantiate, same_template, slots_in
from adcompile.frontend.operands import (
    UNBOUND,
    Iterable,
    Known,
    NewObj,
    Obj,
    Operand,
    Poison,
    Slot,
    Tup,
    Unbound,
    is_bottom,
    is_seq,
)
from adcompile.frontend.scopes import Cell, Place
from adcompile.frontend.source import loc_of
from adcompile.frontend.wanted import Counter, NeedUnrolled
from adcompile.ir import core
from adcompile.ir.core import Block, Value, walk
from adcompile.ir.types import BOOL, INT, UNDEFINED, Array, Dim, Opaque, Undefined

MOST_UNROLLED = 64  # steps of a range whose counter decides types

Steps = Iterator[Any]  # of a statement that has statements in it: yields what is to be run next
Run = Callable[[Context, list[Any]], Steps]
Bind = Callable[[Context, gast.AST, Operand], None]


# --- what a loop runs over ----------------------------------------------------------------------


@dataclass(slots=True)
class Counted:
    """A loop over positions: `length` of them, and what stands at position i."""

    length: Callable[[], Operand]
    item: Callable[[Value], Operand]
    bounds: tuple[Operand, ...] | None = None  # of a range, which is iterated itself


def counted(cx: Context, x: Operand, node: gast.AST) -> Counted:
    """How to iterate over `x` by position."""
    if isinstance(x, Obj):
        held = cx.contents(x)
        x = held if is_seq(held) else x
    match x:
        case Iterable("range", parts):
            return _over_range(cx, parts, node)
        case Iterable("enumerate", (inner, start)):
            over = counted(cx, inner, node)
            if cx.known(start) == 0:
                return Counted(over.length, lambda i: builtin_calls.pair(i, over.item(i)))

            def numbered(i: Value) -> Operand:
                return builtin_calls.pair(cx.emit(node, operator.add, [i, start]), over.item(i))

            return Counted(over.length, numbered)
        case Iterable("zip", parts):
            overs = [counted(cx, p, node) for p in parts]
            return Counted(
                lambda: _shortest(cx, [o.length() for o in overs], node),
                lambda i: Tup(tuple, tuple(range(len(overs))), tuple([o.item(i) for o in overs])),
            )
        case Iterable("reversed", (inner,)):
            over = counted(cx, inner, node)
            size = over.length()
            return Counted(lambda: size, lambda i: over.item(_mirrored(cx, size, i, node)))
        case Value() if is_seq(x) or isinstance(x.type, Array):
            if isinstance(x.type, Array) and not x.type.rank:
                cx.mismatch("an array of rank 0 cannot be iterated over", node)
            return _over_items(cx, x, node)
    if subscripts.keys_of(cx, x) is not None:
        seq = subscripts.as_seq(cx, x, node)
        if seq is not None:
            return _over_items(cx, seq, node)
        cx.mismatch("the items of this differ in type, and their number is not known here", node)
    error = cx.unknown(x, node) if isinstance(x, Value) else None
    if error is not None:
        raise error
    cx.mismatch(f"{joins.describe_operand(x)} cannot be iterated over", node)


def _over_items(cx: Context, x: Value, node: gast.AST) -> Counted:
    return Counted(
        lambda: builtin_calls.length(cx, x, node),
        lambda i: subscripts.read(cx, x, ("value",), [i], node, item=True),
    )


def _over_range(cx: Context, parts: tuple[Operand, ...], node: gast.AST) -> Counted:
    start, _, step = parts

    def length() -> Operand:
        made = cx.emit(node, range, list(parts), types=[Opaque(range)])
        return cx.emit(node, len, [made], types=[INT])

    def item(i: Value) -> Operand:
        x: Operand = i if cx.known(step) == 1 else cx.emit(node, operator.mul, [i, step])
        return x if cx.known(start) == 0 else cx.emit(node, operator.add, [x, start])

    return Counted(length, item, parts)


def _shortest(cx: Context, lengths: list[Operand], node: gast.AST) -> Operand:
    return lengths[0] if len(lengths) == 1 else cx.emit(node, min, lengths)


def _mirrored(cx: Context, size: Operand, i: Value, node: gast.AST) -> Value:
    last = expressions.binary(cx, operator.sub, size, Known(1), node)
    return cx.value(expressions.binary(cx, operator.sub, last, i, node), node)


# --- for ----------------------------------------------------------------------------------------


def for_(cx: Context, node: Any, run: Run, bind: Bind) -> Steps:
    """Lower a `for` statement; yields its body each time that it is to be lowered."""
    x = expressions.evaluate(cx, node.iter)
    if is_bottom(x):
        return
    iterated = [(obj, cx.store.get(obj)) for obj in _objects(x)]
    yield from _for_each(cx, node, x, run, bind)
    for obj, before in iterated:
        if cx.store.get(obj) is not before:
            cx.unsupported(
                f"the {obj.node.__name__} changes while it is iterated over",
                node.iter,
                "iterate over a copy: `list(xs)`",
            )


def _objects(x: Operand) -> list[Obj]:
    """The lists and dicts that an iteration runs over."""
    if isinstance(x, Obj):
        return [x]
    return [obj for part in x.parts for obj in _objects(part)] if isinstance(x, Iterable) else []


def _for_each(cx: Context, node: Any, x: Operand, run: Run, bind: Bind) -> Steps:
    is_range = isinstance(x, Iterable) and x.kind == "range"
    inner = x.parts[0] if isinstance(x, Iterable) and x.kind == "reversed" else None
    if not is_range and not (isinstance(inner, Iterable) and inner.kind == "range"):
        items = builtin_calls.items_of(cx, x, node.iter)
        if items is not None:
            yield from _unrolled(cx, node, items, run, bind)
            return
    reverse = inner is not None
    over = counted(cx, inner if inner is not None else x, node.iter)
    if over.bounds is not None:
        bounds = [cx.value(b, node.iter) for b in over.bounds]
    else:
        size = cx.value(over.length(), node.iter)
        b = cx.here(node.iter)
        bounds = [b.const(0), size, b.const(1)]
    steps = None if over.bounds is None else _few(cx, over.bounds, reverse)
    if steps is not None and _key(cx, node) in cx.module.unroll:
        yield from _unrolled(cx, node, steps, run, bind)
        return
    checkpoint = Checkpoint(cx) if steps is not None else None
    carry = Carry(cx, node, [node.target, *node.body], steps is not None)
    while True:
        outer = cx.enter()
        i = Value(INT)
        cx.counters[i] = Counter(carry.key, tuple(bounds), steps is not None)
        heads = carry.heads()
        try:
            bind(cx, node.target, i if over.bounds is not None else over.item(i))
            yield run(cx, node.body)
        except NeedUnrolled as e:
            if e.loop != carry.key or steps is None or checkpoint is None:
                raise
            checkpoint.restore(cx)
            yield from _unrolled(cx, node, steps, run, bind)
            return
        arm = cx.leave(outer)
        if carry.settled(arm, [arm.block], heads):
            break
    if checkpoint is not None:
        cx.store.commit()
    arm.block.params[:] = [i, *carry.params(heads)]
    for p in arm.block.params:
        p.owner = arm.block
    inits = carry.inits()
    stops = carry.finish(arm)
    op = cx.here(node).add(
        core.For,
        [*bounds, *inits],
        carry.result_types(),
        body=arm.block,
        over="range",
        reverse=reverse,
        stops=stops,
    )
    carry.define(op)


def _key(cx: Context, node: Any) -> Hashable:
    """The same when a loop is lowered again."""
    return (cx.frame.path, cx.unrolled, id(node))


def _few(cx: Context, bounds: tuple[Operand, ...], reverse: bool) -> list[Operand] | None:
    """The steps of a range that is short and known, so that its loop can be unrolled."""
    known = [cx.known(b) for b in bounds]
    if any(type(k) is not int for k in known) or len(range(*known)) > MOST_UNROLLED:
        return None
    steps: list[Operand] = [Known(k) for k in range(*known)]
    return steps[::-1] if reverse else steps


def _unrolled(cx: Context, node: Any, items: list[Operand], run: Run, bind: Bind) -> Steps:
    """One copy of the body for each item; after a possible stop the rest stands in an `if`."""
    context, opened = cx.unrolled, []
    for k, item in enumerate(items):
        cx.unrolled = (context, k)
        cx.here(node)
        bind(cx, node.target, item)
        yield run(cx, node.body)
        if cx.dead:
            break
        if node.stop is None or k + 1 == len(items):
            continue
        stop = cx.store.get(cx.frame.cell(node.stop))
        known = expressions.truth(cx, stop)
        if known:
            break
        if known is None:
            going = cx.value(cx.emit(node, operator.not_, [stop]), node)
            opened.append((going, cx.enter()))
    cx.unrolled = context
    for going, outer in reversed(opened):
        arm = cx.leave(outer)
        outer = cx.enter()
        merge(cx, going, arm, cx.leave(outer), node)


# --- while --------------------------------------------------------------------------------------


def while_(cx: Context, node: Any, run: Run) -> Steps:
    """Lower a `while` statement."""
    carry = Carry(cx, node, node.body)
    while True:
        outer = cx.enter()
        cond_heads = carry.heads()
        test = expressions.test(cx, node.test)
        if test is False and not cx.builder.block.ops and carry.first:
            cx.leave(outer)
            return
        cx.builder.yield_(cx.value(Known(test) if isinstance(test, bool) else test, node.test))
        cond = cx.leave(outer)
        if any(relevant(cx, p) and p not in carry.templates for p in cond.changes):
            cx.unsupported("the condition of this `while` changes a variable or a list", node.test)
        outer = cx.enter()
        heads = carry.heads()
        yield run(cx, node.body)
        arm = cx.leave(outer)
        if carry.settled(arm, [arm.block, cond.block], _merged(heads, cond_heads)):
            break
    for block, made in ((arm.block, heads), (cond.block, cond_heads)):
        block.params[:] = carry.params(made)
        for p in block.params:
            p.owner = block
    inits = carry.inits()
    stops = carry.finish(arm)
    op = cx.here(node).add(
        core.While, inits, carry.result_types(), cond=cond.block, body=arm.block, stops=stops
    )
    carry.define(op)


def _merged(a: dict[Place, list[Value]], b: dict[Place, list[Value]]) -> dict[Place, list[Value]]:
    return {place: [*values, *b[place]] for place, values in a.items()}


# --- what is carried ----------------------------------------------------------------------------


class Carry:
    """The templates of the places that a loop carries, from a guess to the fixpoint."""

    def __init__(self, cx: Context, node: Any, assigning: list[Any], few: bool = False):
        self.cx, self.node = cx, node
        self.key = _key(cx, node)
        self.few = few  # iterations: the loop can be unrolled
        self.bottoms = len(cx.bottoms)
        self.first = True
        known, self.generic = cx.fixpoints.get(self.key, ({}, set()))
        self.generic = set[Dim](self.generic)
        self.before = cx.store.get  # between tries the store is what it was before the loop
        self.templates: dict[Place, Operand] = {}
        joiner = self._joiner(cx.store.get)
        for name in assigned_names(assigning):
            cell = cx.frame.find(name)
            if cell is None:
                continue
            init = cx.store.get(cell)
            if isinstance(init, Unbound):
                template: Operand = Slot(UNDEFINED)
            else:
                template = joiner.slots(init, cx.store.get)
            remembered = known.get((cell.frame.path, cell.name))
            if remembered is not None:
                template = joiner.unify(remembered, init)
            self.templates[cell] = self._named(cell, template)

    def _joiner(self, right: Callable[[Obj], Operand]) -> Joiner:
        store = self.cx.store
        return Joiner(store.get, right, lambda obj: obj in store.now, self.generic)

    def _named(self, place: Place, template: Operand) -> Operand:
        if isinstance(template, Slot) and isinstance(place, Cell):
            template.name = visible(place.name)
        self._mark(template)
        return template

    def _mark(self, template: Operand) -> None:
        """Say of what has no single type where that comes from."""
        match template:
            case Poison(locs=locs, loop=loop):
                template.locs = locs or [loc_of(self.node)]
                template.loop = self.key if self.few and loop is None else loop
            case Tup(items=items):
                for item in items:
                    self._mark(item)
            case NewObj():
                self._mark(template.contents)

    def heads(self) -> dict[Place, list[Value]]:
        """Start an iteration: every carried place holds new values of its template."""
        made: dict[Place, list[Value]] = {}
        for place, template in self.templates.items():
            made[place] = self._values(template)
            self.cx.store.set(place, instantiate(template, iter(made[place]), self.cx.store.set))
        return made

    def _values(self, template: Operand) -> list[Value]:
        return [Value(s.type, s.name) for s in slots_in(template)]

    def settled(self, arm: Arm, blocks: list[Block], heads: dict[Place, list[Value]]) -> bool:
        """Widen the templates by what an iteration gave; whether its ops can stay."""
        cx, again = self.cx, False
        self.first = False
        touched: set[Value] | None = None
        joiner = self._joiner(arm.get)
        for place in [*self.templates, *(p for p in arm.changes if p not in self.templates)]:
            old = self.templates.get(place)
            if old is None:
                if not relevant(cx, place):
                    continue
                new = self._discovered(joiner, place, arm)
                self.templates[place] = self._named(place, new)
                again = True
                continue
            final = old if arm.dead else arm.get(place)
            if isinstance(place, Obj):
                new = joiner.contents(old, final)
            elif isinstance(old, Slot) and isinstance(old.type, Undefined):
                new = joiner.slots(final, arm.get)
            else:
                new = joiner.unify(old, final)
            if same_template(old, new):
                continue
            self.templates[place] = self._named(place, new)
            if isinstance(old, Slot) and isinstance(old.type, Undefined):
                if touched is None:
                    touched = {v for b in blocks for op in walk(b) for v in op.operands}
                    touched.update(v for v, _, _ in cx.bottoms[self.bottoms :])
                if touched.isdisjoint(heads[place]):
                    heads[place][:] = []  # nobody looked: made anew by `params`
                    continue
            again = True
        if again:
            del cx.bottoms[self.bottoms :]
        return not again

    def _discovered(self, joiner: Joiner, place: Place, arm: Arm) -> Operand:
        """The template of a place that the body turned out to change."""
        before, after = self.before(place), arm.get(place)
        if isinstance(place, Obj):
            return joiner.contents(before, after)
        return joiner.unify(joiner.slots(before, self.cx.store.get), after)

    def params(self, heads: dict[Place, list[Value]]) -> list[Value]:
        found: list[Value] = []
        for place, template in self.templates.items():
            values = heads[place]
            if len(values) != len(list(slots_in(template))) or _outdated(values, template):
                values = self._values(template)
            found += values[: len(list(slots_in(template)))]
        return found

    def inits(self) -> list[Value]:
        cx = self.cx
        b = cx.here(self.node)
        found: list[Value] = []
        for place, template in self.templates.items():
            before = self.before(place)
            found += flatten(before, template, b, cx.store.get, materialise)
        return found

    def finish(self, arm: Arm) -> bool:
        """End the body with its yield; whether it yields a stop flag."""
        values: list[Value] = []
        arm.builder.loc = loc_of(self.node)
        for place, template in self.templates.items():
            final = UNBOUND if arm.dead else arm.get(place)
            values += flatten(final, template, arm.builder, arm.get, materialise)
        name = self.node.stop
        if name is not None:
            stop = UNBOUND if arm.dead else arm.get(self.cx.frame.cell(name))
            values += flatten(stop, Slot(BOOL), arm.builder, arm.get, materialise)
        arm.builder.yield_(*values)
        return name is not None

    def result_types(self) -> list[Any]:
        self.cx.generic |= self.generic
        slots = [s for t in self.templates.values() for s in slots_in(t)]
        return [joins.refreshed(s.type, self.generic) for s in slots]

    def define(self, op: core.Op) -> None:
        """What the carried places hold after the loop."""
        cx = self.cx
        results = iter(op.results)
        remembered = {}
        for place, template in self.templates.items():
            if isinstance(place, Cell):
                remembered[place.frame.path, place.name] = template
            mine = [next(results) for _ in slots_in(template)]
            for value, slot in zip(mine, slots_in(template), strict=True):
                value.name = slot.name
                if isinstance(slot.type, Array) and not slot.type.rank:
                    self._keep_box(op, value)
            unset = isinstance(template, Slot) and isinstance(template.type, Undefined)
            after = UNBOUND if unset else instantiate(template, iter(mine), cx.store.set)
            cx.store.set(place, after)
        cx.fixpoints[self.key] = (remembered, self.generic)

    def _keep_box(self, op: core.Op, value: Value) -> None:
        at = op.results.index(value) - len(op.results)
        if op.operands[at] in self.cx.boxed:
            self.cx.boxed.add(value)


def _outdated(values: list[Value], template: Operand) -> bool:
    return any(
        isinstance(v.type, Undefined) and not isinstance(s.type, Undefined)
        for v, s in zip(values, slots_in(template), strict=False)
    )
