"""Branches: two blocks lowered from the same state, and the join of what they did."""

from __future__ import annotations

from collections.abc import Callable

import gast

from adcompile.frontend.context import Arm, Context, materialise
from adcompile.frontend.joins import Joiner, flatten, instantiate, slots_in
from adcompile.frontend.operands import UNBOUND, Obj, Operand, Poison, Slot
from adcompile.frontend.scopes import Cell, Place
from adcompile.frontend.source import loc_of
from adcompile.ir import core
from adcompile.ir.core import Value


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
    places = [p for p in {**then.changes, **orelse.changes} if relevant(cx, p)]
    pairs = [(then.get(p), orelse.get(p)) for p in places]
    if results is not None:
        pairs.append(results)
    if then.dead or orelse.dead:
        pairs = [(UNBOUND if then.dead else a, UNBOUND if orelse.dead else b) for a, b in pairs]
    joiner = Joiner(then.get, orelse.get, lambda obj: obj in cx.store.now)
    templates = [
        _joined(joiner, p, a, b) for p, (a, b) in zip([*places, None], pairs, strict=False)
    ]
    arms = ((then, [a for a, _ in pairs]), (orelse, [b for _, b in pairs]))
    for arm, operands in arms:
        values: list[Value] = []
        for x, template in zip(operands, templates, strict=True):
            values += flatten(x, template, arm.builder, arm.get, materialise)
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
    joined = [instantiate(t, made, cx.store.set) for t in templates]
    for place, operand in zip(places, joined, strict=False):
        if isinstance(operand, Poison) and not operand.locs:
            operand.locs = [loc_of(node)]
        cx.store.set(place, operand)
    cx.dead = then.dead and orelse.dead
    return joined[-1] if results is not None else UNBOUND


def relevant(cx: Context, place: Place) -> bool:
    """Whether anybody can still read a place that was changed in a block that has ended."""
    if isinstance(place, Obj):
        return place in cx.store.now
    return not place.frame.closed


def _joined(joiner: Joiner, place: Place | None, a: Operand, b: Operand) -> Operand:
    if isinstance(place, Obj):
        return joiner.contents(a, b)
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
