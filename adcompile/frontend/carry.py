"""What a loop carries: templates of the places that its body changes, from guess to fixpoint.

Names that the body assigns are carried, and arrays that it writes into. An iteration starts with
new values in the slots of the templates; what it ends with widens them, until nothing changes.
Which of the arrays that an iteration starts with may be the same one is part of the fixpoint.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from adcompile.errors import InternalError
from adcompile.frontend import joins
from adcompile.frontend.branches import held, hold, is_array_place, relevant_places, share, visible
from adcompile.frontend.context import Arm, Context
from adcompile.frontend.functions import assigned_names, rebound_names, written_names
from adcompile.frontend.heap import Contents, is_reference
from adcompile.frontend.joins import (
    Joiner,
    flatten,
    holds_objects,
    instantiate,
    references,
    same_template,
    slot_of,
    slots_in,
)
from adcompile.frontend.operands import (
    UNBOUND,
    Leaf,
    NewObj,
    Obj,
    Operand,
    Poison,
    Slot,
    Tup,
    Unbound,
)
from adcompile.frontend.scopes import Cell, Place
from adcompile.frontend.source import loc_of
from adcompile.ir import core
from adcompile.ir.core import Block, Value, defined_in, walk
from adcompile.ir.infer.sizes import atoms
from adcompile.ir.types import BOOL, UNDEFINED, Array, Dim, Seq, Tree, Undefined


def key_of(cx: Context, node: Any) -> Hashable:
    """The same when a loop is lowered again."""
    return (cx.frame.path, cx.unrolled, id(node))


MOST_TRIES = 100

Heads = dict[Place, list[Value]]


class Carry:
    """The templates of the places that a loop carries, from a guess to the fixpoint."""

    def __init__(self, cx: Context, node: Any, assigning: list[Any], few: bool = False):
        self.cx, self.node = cx, node
        self.entered = cx.module.entered
        self.key = key_of(cx, node)
        self.few = few  # iterations: the loop can be unrolled
        self.bottoms = len(cx.bottoms)
        self.first = True
        self.tries = 0
        known, self.generic = cx.fixpoints.get(self.key, ({}, set()))
        self.generic = set[Dim](self.generic)
        self.mark: Any = Dim.fresh().key  # the sizes that the body makes come later
        self.inside: set[Value] = set()  # the values of the iteration that was lowered last
        self.templates: dict[Place, Operand] = {}
        self.same: set[Place] = set()  # names of arrays that turned out not to be rebound
        self.sharing: set[tuple[int, Any]] = set()  # slots that may be another slot, or a place
        self.holding: set[tuple[Place, Any]] = set()  # lists that may hold what is at a place
        joiner = self._joiner(cx.store.get)
        rebound = set(rebound_names(assigning))
        for name in assigned_names(assigning):
            cell = cx.frame.find(name)
            if cell is None:
                continue
            init = cx.store.get(cell)
            if is_reference(init, cx.boxed) and name not in rebound:
                continue  # `x += v` writes into it
            if isinstance(init, Unbound):
                template: Operand = Slot(UNDEFINED)
            else:
                template = joiner.slots(init, cx.store.get)
            remembered = known.get((cell.frame.path, cell.name))
            if isinstance(remembered, Value) and is_reference(init, cx.boxed):
                self.same.add(cell)
                template = init
            elif remembered is not None:
                template = joiner.unify(remembered, init)
            self.templates[cell] = self._named(cell, template)
        self._guess_written(assigning)

    def _guess_written(self, body: list[Any]) -> None:
        """The arrays that the text writes into are carried from the first try on."""
        for name in written_names(body):
            cell = self.cx.frame.find(name)
            x = None if cell is None else self.cx.store.get(cell)
            if (
                isinstance(x, Value)
                and is_reference(x, self.cx.boxed)
                and cell not in self.templates
            ):
                place = self.cx.heap.root(x)
                if isinstance(self.before(place), Poison):
                    continue  # an error where it is read
                self.templates[place] = slot_of(place.type, x.name)
                self.cx.heap.written = True

    def before(self, place: Place) -> Operand:
        """What a place holds before the loop (between tries the store is what it was then)."""
        return held(self.cx, place, self.cx.store.get)

    def _joiner(self, right: Contents) -> Joiner:
        return self.cx.joiner(self.cx.store.get, right, self.generic)

    def _named(self, place: Place, template: Operand) -> Operand:
        self._open_lists(template)
        seq = template.type if isinstance(template, Slot) else None
        if self.few and isinstance(seq, Seq) and holds_objects(seq):
            # Each object keeps its identity where the loop is unrolled.
            template = Poison("a list of objects that grows")
        if isinstance(template, Slot) and isinstance(place, Cell):
            template.name = visible(place.name)
        elif isinstance(template, Slot) and isinstance(place, Obj):
            template.name = place.name
        elif isinstance(template, Slot) and isinstance(place, Leaf):
            template.name = template.name or plain_name(place.key)
        elif isinstance(template, Tup) and isinstance(place, Obj):
            for key, item in zip(template.keys, template.items, strict=True):
                if isinstance(item, Slot):
                    item.name = item.name or plain_name(key)
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

    def heads(self) -> Heads:
        """Start an iteration: every carried place holds new values of its template."""
        made: Heads = {}
        new: dict[int, Any] = {}
        get, define = self.cx.store.get, self.cx.store.set
        old = {p: references(self.before(p), t, get) for p, t in self.templates.items()}
        for place, template in self.templates.items():
            if isinstance(place, Cell) and place.frame.entered > self.entered:
                place.frame.again = True
            made[place] = self._values(template)
            define(place, instantiate(template, iter(made[place]), define, new))
        self._share_heads(made, old)
        return made

    def _share_heads(self, heads: Heads, before: dict[Place, list[Operand]]) -> None:
        """What an iteration starts with may be what was there before, and what was found so far."""
        cx, params = self.cx, [v for values in heads.values() for v in values]
        boxed = cx.boxed
        for place, template in self.templates.items():
            if is_array_place(place):
                continue
            old = before[place]
            hold(cx, place if isinstance(place, Obj) else cx.store.get(place), template, old)
            pairs = list(zip(heads[place], old, strict=True))
            boxed.update(p for p, x in pairs if isinstance(x, Value) and x in boxed)
            cx.heap.join([(p, [x]) for p, x in pairs if _may_share(p, x, boxed)], [])
            for p, x in pairs:
                if isinstance(x, Leaf) and is_reference(p, boxed):
                    cx.heap.relate(p, x)
        if self.sharing:  # which holds for later iterations
            cx.heap.settle()
        for k, other in self.sharing:
            cx.heap.relate(params[k], params[other] if isinstance(other, int) else other)
        for place, other in self.holding:
            cx.heap.relate(place if isinstance(place, Obj) else cx.store.get(place), other)

    def _values(self, template: Operand) -> list[Value]:
        return [Value(s.type, s.name) for s in slots_in(template)]

    def settled(
        self, arm: Arm, blocks: list[Block], heads: Heads, cond: Heads | None = None
    ) -> bool:
        """Widen the templates by what an iteration gave; whether its ops can stay.

        `heads` are what the body started with, `cond` what a condition did.
        """
        cx, again, narrowed, moved = self.cx, False, False, False
        self.first = False
        self.tries += 1
        if self.tries > MOST_TRIES:
            raise InternalError("what this loop carries does not settle", loc_of(self.node))
        touched: set[Value] | None = None
        joiner = self._joiner(arm.get)
        params = [v for h in (heads, cond or {}) for values in h.values() for v in values]
        joiner.blocks, joiner.news, self.inside = blocks, params, {*params, *defined_in(blocks)}
        changed = (p for p in arm.changes if p not in self.templates)
        found = relevant_places(cx, changed, blocks, params)
        shared = self._shared(arm, blocks, heads, params)
        for place in [*self.templates, *found]:
            old = self.templates.get(place)
            if old is None:
                new = self._discovered(joiner, place, arm)
                self.templates[place] = self._named(place, new)
                again = True
                continue
            final = old if arm.dead else arm.get(place)
            if isinstance(place, Obj):
                new = joiner.contents(old, final)
            elif place not in self.same and self._is_same(place, old, final, heads):
                self.same.add(place)
                new = self.before(place)
                narrowed = True
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
                if touched.isdisjoint(heads[place] + (cond or heads)[place]):
                    heads[place][:] = []  # nobody looked: made anew by `params`
                    moved = True  # the numbers of slots
                    continue
            again = True
        if narrowed:
            self._forget_tainted()
        holding = self._holding(blocks, params, arm)
        if again or not (shared <= self.sharing and holding <= self.holding):
            self.sharing = set() if again or moved else self.sharing | shared
            self.holding |= holding
            again = True
            del cx.bottoms[self.bottoms :]
            if cx.heap.written:
                cx.heap.dropped |= {*defined_in(blocks), *params}
        return not again

    def _open_lists(self, template: Operand) -> None:
        """Sizes of items that are others in each iteration are any size."""
        for slot in slots_in(template):
            if isinstance(slot.type, Seq):
                slot.type = self._opened(slot.type)
        self.cx.generic |= self.generic

    def _opened(self, t: Any) -> Any:
        match t:
            case Array(dtype, shape):
                return Array(dtype, tuple(map(self._any_size, shape)))
            case Seq(item):
                return Seq(self._opened(item))
            case Tree(node, keys, items):
                return Tree(node, keys, tuple(map(self._opened, items)))
        return t

    def _any_size(self, n: Any) -> Any:
        if not isinstance(n, Dim) or n in self.generic:
            return n
        if not any(map(self._is_later, atoms(n))):
            return n
        fresh = Dim.fresh(n.many)
        self.generic.add(fresh)
        return fresh

    def _is_later(self, atom: Any) -> bool:
        return atom.key > self.mark if isinstance(atom, Dim) else atom in self.inside

    def _forget_tainted(self) -> None:
        """What was perhaps written by another name is found anew, if it is."""
        tainted = [p for p, t in self.templates.items() if isinstance(t, Poison)]
        for place in filter(is_array_place, tainted):
            del self.templates[place]

    def _is_same(self, place: Place, old: Operand, final: Operand, heads: Heads) -> bool:
        """Whether a variable that was taken to be rebound names one array all the time."""
        if not (isinstance(place, Cell) and isinstance(old, Slot) and heads[place]):
            return False
        return final is heads[place][0] and is_reference(self.before(place), self.cx.boxed)

    def _shared(
        self, arm: Arm, blocks: list[Block], heads: Heads, news: list[Value]
    ) -> set[tuple[int, Any]]:
        """Which slots may be the same array as another slot, or as a place, after an iteration."""
        heap, boxed = self.cx.heap, self.cx.boxed
        if not heap.written:
            return set()
        finals: list[tuple[int, Any]] = []
        k = 0
        for place, template in self.templates.items():
            old = references(arm.get(place), template, arm.get)
            if not is_array_place(place):
                ends = list(enumerate(old, k))
                arrays = [(i, x) for i, x in ends if isinstance(x, Value)]
                finals += [(i, heap.root(x)) for i, x in arrays if is_reference(x, boxed)]
                finals += [(i, x) for i, x in ends if isinstance(x, Leaf)]
            k += len(heads[place])
        inside = {*defined_in(blocks), *news}
        found: set[tuple[int, Any]] = set()
        params = [v for values in heads.values() for v in values]
        for n, (i, p) in enumerate(finals):
            near = {p, *heap.kin(p)}
            found.update((i, q) for q in near if self._is_older(q, inside))
            found.update((i, j) for j, q in finals[:n] if q in near and params[i] is not params[j])
        return found

    def _is_older(self, place: Any, inside: set[Any]) -> bool:
        """Whether `place` was there before the loop."""
        if isinstance(place, Obj):
            return place in self.cx.store.now
        return place not in inside and place not in self.cx.heap.dropped

    def _holding(
        self, blocks: list[Block], params: list[Value], arm: Arm
    ) -> set[tuple[Place, Any]]:
        """Which of the lists that variables name may hold an array from before the loop."""
        heap = self.cx.heap
        if not heap.written:
            return set()
        inside = {*defined_in(blocks), *params}
        found: set[tuple[Place, Any]] = set()
        for place, template in self.templates.items():
            x = place if isinstance(place, Obj) else arm.get(place)
            if isinstance(x, Obj) and (x is place or isinstance(template, NewObj)):
                near = heap.kin(x)
                found.update((place, p) for p in near if p is not x and self._is_older(p, inside))
        return found

    def _discovered(self, joiner: Joiner, place: Place, arm: Arm) -> Operand:
        """The template of a place that the body turned out to change."""
        before, after = self.before(place), arm.get(place)
        if before is after:  # set to what it was: `x += v` of an array
            return before
        is_tree = isinstance(place, Value | Leaf) and isinstance(place.type, Tree)
        if isinstance(place, Obj) or is_tree:
            return joiner.contents(before, after)
        return joiner.unify(joiner.slots(before, self.cx.store.get), after)

    def params(self, heads: Heads) -> list[Value]:
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
            found += flatten(before, template, b, cx.store.get, cx.heap.materialise)
        return found

    def finish(self, arm: Arm) -> bool:
        """End the body with its yield; whether it yields a stop flag."""
        values: list[Value] = []
        arm.builder.loc = loc_of(self.node)
        for place, template in self.templates.items():
            final = UNBOUND if arm.dead else arm.get(place)
            values += flatten(final, template, arm.builder, arm.get, self.cx.heap.materialise)
        name = self.node.stop
        if name is not None:
            stop = UNBOUND if arm.dead else arm.get(self.cx.frame.cell(name))
            values += flatten(stop, Slot(BOOL), arm.builder, arm.get, self.cx.heap.materialise)
        arm.builder.yield_(*values)
        return name is not None

    def result_types(self) -> list[Any]:
        self.cx.generic |= self.generic
        slots = [s for t in self.templates.values() for s in slots_in(t)]
        # of a list, each item that is read gets its own
        return [
            s.type if isinstance(s.type, Seq) else joins.refreshed(s.type, self.generic)
            for s in slots
        ]

    def define(self, op: core.Op, arm: Arm) -> None:
        """What the carried places hold after the loop."""
        cx = self.cx
        results = iter(op.results)
        old = [
            [references(self.before(p), t, cx.store.get), references(arm.get(p), t, arm.get)]
            for p, t in self.templates.items()
        ]
        new: dict[int, Any] = {}
        joined: list[Operand] = []
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
            after = UNBOUND if unset else instantiate(template, iter(mine), cx.store.set, new)
            joined.append(after)
            cx.store.set(place, after)
        share(cx, [*self.templates], old, [*self.templates.values()], joined, op.blocks)
        cx.fixpoints[self.key] = (remembered, self.generic)

    def _keep_box(self, op: core.Op, value: Value) -> None:
        at = op.results.index(value) - len(op.results)
        if op.operands[at] in self.cx.boxed:
            self.cx.boxed.add(value)


def plain_name(key: object) -> str | None:
    """A key of a tree as the name of what is under it."""
    return key if isinstance(key, str) and key.isidentifier() else None


def _outdated(values: list[Value], template: Operand) -> bool:
    return any(
        isinstance(v.type, Undefined) and not isinstance(s.type, Undefined)
        for v, s in zip(values, slots_in(template), strict=False)
    )


def _may_share(p: Operand, x: Operand, boxed: set[Value]) -> bool:
    return isinstance(x, Value) and is_reference(p, boxed)
