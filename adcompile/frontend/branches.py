"""Branches: two blocks lowered from the same state, and the join of what they did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gast

from adcompile.frontend.context import Arm, Context
from adcompile.frontend.heap import Contents, is_reference
from adcompile.frontend.joins import Joiner, flatten, instantiate, references, slots_in
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
from adcompile.ir.core import Block, Value, defined_in
from adcompile.ir.types import Seq, Tree


def choose(
    cx: Context,
    cond: Value,
    then: Callable[[], Operand],
    orelse: Callable[[], Operand],
    node: gast.AST,
    form: str,
) -> Operand:
    """An expression that evaluates one of two operands."""
    arms, results = [], []
    for side in (then, orelse):
        outer = cx.enter()
        results.append(side())
        arms.append(cx.leave(outer))
    return merge(cx, cond, arms[0], arms[1], node, form, (results[0], results[1]))


def merge(
    cx: Context,
    cond: Value,
    then: Arm,
    orelse: Arm,
    node: gast.AST,
    form: str = "if",
    results: tuple[Operand, Operand] | None = None,
) -> Operand:
    """Make the `If` of two arms; returns the join of `results`, if the branch has some."""
    blocks = [then.block, orelse.block]
    places = relevant_places(cx, {**then.changes, **orelse.changes}, blocks)
    pairs = [(held(cx, p, then.get), held(cx, p, orelse.get)) for p in places]
    if results is not None:
        pairs.append(results)
    if then.dead or orelse.dead:
        pairs = [(UNBOUND if then.dead else a, UNBOUND if orelse.dead else b) for a, b in pairs]
    joiner = cx.joiner(then.get, orelse.get)
    joiner.blocks = blocks
    templates = [
        _joined(joiner, p, a, b) for p, (a, b) in zip([*places, None], pairs, strict=False)
    ]
    arms = ((then, [a for a, _ in pairs]), (orelse, [b for _, b in pairs]))
    for arm, operands in arms:
        values: list[Value] = []
        for x, template in zip(operands, templates, strict=True):
            values += flatten(x, template, arm.builder, arm.get, cx.heap.materialise)
        arm.builder.loc = loc_of(node)
        arm.builder.yield_(*values)
    slots = [s for t in templates for s in slots_in(t)]
    made = iter(())
    if slots or len(then.block.ops) + len(orelse.block.ops) > 2:
        op = cx.here(node).if_(cond, then.block, orelse.block, [s.type for s in slots], form)
        for result, slot in zip(op.results, slots, strict=True):
            result.name = slot.name
        _keep_boxes(cx, op)
        made = iter(op.results)
    old = [
        [references(a, t, then.get), references(b, t, orelse.get)]
        for (a, b), t in zip(pairs, templates, strict=True)
    ]
    new: dict[int, Any] = {}
    joined = [instantiate(t, made, cx.store.set, new) for t in templates]
    share(cx, [*places, None], old, templates, joined, blocks)
    for place, operand in zip(places, joined, strict=False):
        if isinstance(operand, Poison) and not operand.locs:
            operand.locs = [loc_of(node)]
        cx.store.set(place, operand)
    cx.dead = then.dead and orelse.dead
    return joined[-1] if results is not None else UNBOUND


def relevant_places(
    cx: Context, changed: Iterable[Place], blocks: Sequence[Block], heads: Iterable[Value] = ()
) -> list[Place]:
    """The changed places that anybody can still read once `blocks` have ended.

    `heads` are values of the blocks that are not their parameters yet.
    """
    inside: set[Any] | None = None
    found = []
    for place in changed:
        if isinstance(place, Obj):
            keep = place in cx.store.now
        elif isinstance(place, Cell):
            keep = not place.frame.closed
        else:
            inside = {*defined_in(blocks), *heads} if inside is None else inside
            root = place
            while isinstance(root, Leaf) and root not in inside:
                root = root.root
            keep = root not in inside
        if keep:
            found.append(place)
    return found


def held(cx: Context, place: Place, contents: Contents) -> Operand:
    """What `place` holds: an array or tree that nobody has written, its original contents."""
    found = contents(place)
    if not isinstance(found, Unbound) or not isinstance(place, Value | Leaf):
        return found
    return cx.heap.taken_apart(place, place.type) if isinstance(place.type, Tree) else place


def hold(cx: Context, x: Operand, template: Operand, old: list[Operand]) -> None:
    """Lists of unknown length in `x` hold what those before the join hold."""
    rest = iter(old)

    def visit(x: Any, template: Operand) -> None:
        match template:
            case NewObj(contents=Slot(type=Seq())) | Slot(type=Seq()):
                cx.heap.hold(x, next(rest), cx.store.get)
            case NewObj():
                visit(cx.store.get(x), template.contents)
            case Tup(items=items):
                for part, inner in zip(getattr(x, "items", items), items, strict=True):
                    visit(part, inner)
            case Slot():
                next(rest)

    visit(x, template)


def is_array_place(place: Place | None) -> bool:
    """Whether `place` is that of an array, whose contents are a value and no references."""
    return isinstance(place, Value | Leaf) and not isinstance(place.type, Tree)


def share(
    cx: Context,
    places: Sequence[Place | None],
    old: Sequence[list[list[Operand]]],
    templates: Sequence[Operand],
    joined: Sequence[Operand],
    blocks: Sequence[Block],
) -> None:
    """Tell the heap which of several arrays each reference of a join may be.

    `old` has the references that `templates` stand for, of each side.
    """
    found: list[tuple[Value, list[Operand]]] = []
    for place, sides, template, new in zip(places, old, templates, joined, strict=False):
        if is_array_place(place):
            continue  # contents are no references
        holder = place if isinstance(place, Obj) else new
        for side in sides:
            hold(cx, holder, template, side)
        for r, *many in zip(references(new, template, cx.store.get), *sides, strict=True):
            if isinstance(r, Value) and is_reference(r, cx.boxed):
                found.append((r, many))
    cx.heap.join(found, blocks)


def _joined(joiner: Joiner, place: Place | None, a: Operand, b: Operand) -> Operand:
    if isinstance(place, Obj):
        template = joiner.contents(a, b)
        if isinstance(template, Slot):
            template.name = place.name
        return template
    template = joiner.unify(a, b)
    if isinstance(template, Slot):
        template.name = visible(place.name) if isinstance(place, Cell) else None
    return template


def visible(name: str) -> str | None:
    """The user's name, or None for a variable that the compiler made."""
    return None if "$" in name else name


def _keep_boxes(cx: Context, op: core.If) -> None:
    """A result is an array of rank 0 if it is one on either side."""
    if cx.boxed:
        for result, *sides in zip(op.results, op.then.yields, op.orelse.yields, strict=True):
            if not cx.boxed.isdisjoint(sides):
                cx.boxed.add(result)
