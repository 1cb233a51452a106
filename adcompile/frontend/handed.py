"""What a block without alternative hands on: the body of a `with`, or of a `try`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import gast

from adcompile.frontend.branches import relevant_places, share, visible
from adcompile.frontend.context import Arm, Context
from adcompile.frontend.joins import flatten, instantiate, references, slots_in
from adcompile.frontend.operands import Operand, Slot
from adcompile.frontend.scopes import Cell, Place
from adcompile.frontend.source import loc_of
from adcompile.ir.core import Op, Value
from adcompile.ir.types import Type


@dataclass(eq=False, slots=True)
class Handed:
    """The places that a block changed, and the templates of what they hold after it.

    `values` are what the block is to yield for them.
    """

    arm: Arm
    places: list[Place] = field(default_factory=list)
    templates: list[Operand] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)

    @property
    def slots(self) -> list[Slot]:
        return [s for t in self.templates for s in slots_in(t)]

    @property
    def types(self) -> list[Type]:
        return [s.type for s in self.slots]


def hand_on(cx: Context, arm: Arm, node: gast.AST) -> Handed:
    """What `arm`, which is to be ended by a yield of the values, hands on."""
    made = Handed(arm, relevant_places(cx, arm.changes, [arm.block]))
    joiner = cx.joiner(arm.get, arm.get)
    joiner.blocks = [arm.block]
    arm.builder.loc = loc_of(node)
    for place in made.places:
        template = joiner.slots(arm.get(place), arm.get)
        if isinstance(template, Slot) and isinstance(place, Cell):
            template.name = visible(place.name)
        made.templates.append(template)
        made.values += flatten(arm.get(place), template, arm.builder, arm.get, cx.heap.materialise)
    return made


def take(cx: Context, handed: Handed, results: Sequence[Value], op: Op) -> None:
    """The places hold `results` from now on, of `op` or from elsewhere."""
    for result, slot, value in zip(results, handed.slots, handed.values, strict=True):
        if result.owner is op:
            result.name = slot.name
        if value in cx.boxed:
            cx.boxed.add(result)
    arm, values, new = handed.arm, iter(results), {}
    old = [
        [references(arm.get(p), t, arm.get)]
        for p, t in zip(handed.places, handed.templates, strict=True)
    ]
    joined = [instantiate(t, values, cx.store.set, new) for t in handed.templates]
    share(cx, handed.places, old, handed.templates, joined, [arm.block])
    for place, operand in zip(handed.places, joined, strict=True):
        cx.store.set(place, operand)
