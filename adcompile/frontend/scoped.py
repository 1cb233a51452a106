"""`with np.errstate(…)`: a block under a manager that touches no value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gast
import numpy as np

from adcompile.frontend import builtin_calls, expressions
from adcompile.frontend.branches import relevant, visible
from adcompile.frontend.context import Context, materialise
from adcompile.frontend.joins import Joiner, flatten, instantiate, slots_in
from adcompile.frontend.operands import Slot
from adcompile.frontend.scopes import Cell
from adcompile.frontend.source import loc_of
from adcompile.ir import core
from adcompile.ir.core import Value

MANAGERS = (np.errstate,)


def with_(
    cx: Context, node: gast.With, run: Callable[[Context, list[Any]], Iterator[Any]]
) -> Iterator[Any]:
    """Lower a `with` statement; the managers of one with several are nested."""
    opened = []
    for item in node.items:
        manager = expressions.evaluate(cx, item.context_expr)
        cls = builtin_calls.class_of(cx, manager) or object
        if not issubclass(cls, MANAGERS) or item.optional_vars is not None:
            cx.unsupported(
                "only `with np.errstate(…)` is supported",
                item.context_expr,
                "leave other context managers outside of the differentiated function",
            )
        opened.append((cx.value(manager, node), cx.enter()))
    yield run(cx, node.body)
    for manager, outer in reversed(opened):
        _close(cx, node, manager, outer)


def _close(cx: Context, node: gast.With, manager: Value, outer: Any) -> None:
    arm = cx.leave(outer)
    places = [p for p in arm.changes if relevant(cx, p)]
    joiner = Joiner(arm.get, arm.get, lambda obj: obj in cx.store.now)
    templates = []
    for place in places:
        template = joiner.slots(arm.get(place), arm.get)
        if isinstance(template, Slot) and isinstance(place, Cell):
            template.name = visible(place.name)
        templates.append(template)
    values: list[Value] = []
    for place, template in zip(places, templates, strict=True):
        values += flatten(arm.get(place), template, arm.builder, arm.get, materialise)
    arm.builder.loc = loc_of(node)
    arm.builder.yield_(*values)
    slots = [s for t in templates for s in slots_in(t)]
    op = cx.here(node).add(core.Scope, [manager], [s.type for s in slots], body=arm.block)
    for result, slot in zip(op.results, slots, strict=True):
        result.name = slot.name
    results = iter(op.results)
    for place, template in zip(places, templates, strict=True):
        cx.store.set(place, instantiate(template, results, cx.store.set))
    cx.dead = arm.dead


__all__ = ["MANAGERS", "with_"]
