"""`try`: which path a program takes when something raises.

    try: body          →  done, error, …changed… = Try(body)
    except E as e: h      if done: otherwise
    else: otherwise       else: h

The body is a block of its own, which hands on what it changed; what follows is a branch. So
handlers and `else` are lowered like the arms of an `if`, and an exception in them is not caught.

When the body raises, the variables that it assigns may or may not have been assigned: they are
`Lost` where the exception is handled, an error for who reads them. What the body does last is not:
if the last thing that can go wrong is the value of an assignment, its target is what it was before.

`finally` is lowered twice: behind the body, and where an exception passes through.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gast

from adcompile.frontend import expressions, naming
from adcompile.frontend.branches import merge
from adcompile.frontend.context import Arm, Context
from adcompile.frontend.handed import Handed, hand_on, take
from adcompile.frontend.operands import Known, Lost, Operand, Poison, Tup, literal
from adcompile.frontend.scopes import Cell, Place
from adcompile.frontend.source import loc_of
from adcompile.ir import core
from adcompile.ir.core import Block, Op, Value
from adcompile.ir.effects import has_effect, may_raise
from adcompile.ir.types import BOOL, Opaque

Steps = Iterator[Any]
Run = Callable[[Context, list[Any]], Steps]

_ERROR = Opaque(object)  # an exception: which one is known at run time


def try_(cx: Context, node: gast.Try, run: Run) -> Steps:
    """Lower a `try` statement."""
    return _finally(cx, node, run) if node.finalbody else _except(cx, node, run)


# --- except -------------------------------------------------------------------------------------


def _except(cx: Context, node: Any, run: Run) -> Steps:
    clauses = [_classes(cx, h) for h in node.handlers]
    outer = cx.enter()
    watch = _Watch(cx)
    yield watch.run(node.body, run)
    arm = cx.leave(outer)
    handed = hand_on(cx, arm, node)
    classes = [BaseException] if None in clauses else [c for one in clauses for c in one or ()]
    caught = _caught(cx, node, handed, classes, watch.last)
    outer = cx.enter()
    if arm.dead:
        cx.dead = True
    else:
        _go_on(cx, caught, handed)
        yield run(cx, node.orelse)
    then = cx.leave(outer)
    outer = cx.enter()
    _lose(cx, node, handed, watch.kept())
    yield _clauses(cx, node.handlers, clauses, caught.error, run)
    orelse = cx.leave(outer)
    merge(cx, caught.done, then, orelse, node)


def _classes(cx: Context, handler: Any) -> list[type[BaseException]] | None:
    """The classes that a clause names; None where it names none."""
    if handler.type is None:
        return None
    x = cx.held(expressions.evaluate(cx, handler.type))
    found = [literal(i) for i in x.items] if isinstance(x, Tup) else [literal(x)]
    if len(found) == 1 and isinstance(found[0], tuple):
        found = list(found[0])
    if not all(isinstance(c, type) and issubclass(c, BaseException) for c in found):
        cx.unsupported(
            "which exceptions are caught here is not known at compile time",
            handler.type,
            "name classes of exceptions, or a tuple of them",
        )
    return found


@dataclass(slots=True)
class _Caught:
    """A `Try`, and what is done behind its body where that comes to its end."""

    op: core.Try
    rest: list[Op]
    results: list[Value]  # what the places hold then

    @property
    def done(self) -> Value:
        return self.op.results[0]

    @property
    def error(self) -> Value:
        return self.op.results[1]


def _caught(
    cx: Context, node: Any, handed: Handed, classes: list[type[BaseException]], last: int
) -> _Caught:
    """Make the `Try` of a body.

    What cannot raise at its end, from the op `last` on, is done behind it, where only that path
    comes: so the list of `out.append(f(x))` need not be kept as it was.
    """
    body = handed.arm.builder
    ops = body.block.ops
    rest = [] if handed.arm.dead else ops[last:]
    del ops[len(ops) - len(rest) :]
    inside = {r for o in ops for r in o.results}
    wanted = [] if handed.arm.dead else [*handed.values, *(v for o in rest for v in o.operands)]
    given = [v for v in dict.fromkeys(wanted) if v in inside]
    body.yield_(body.const(True), body.undef(_ERROR), *given)
    error = Value(_ERROR)
    handler = body.into(Block([error]))
    handler.yield_(handler.const(False), error, *[handler.undef(v.type) for v in given])
    b = cx.here(node)
    named = [b.const(c) for c in dict.fromkeys(classes)]
    types = [BOOL, _ERROR, *[v.type for v in given]]
    op = b.add(core.Try, named, types, body=body.block, handler=handler.block)
    assert isinstance(op, core.Try)
    new = dict(zip(given, op.results[2:], strict=True))
    for v, result in new.items():
        result.name = v.name
    for o in rest:
        o.operands[:] = [new.get(v, v) for v in o.operands]
    return _Caught(op, rest, [new.get(v, v) for v in handed.values])


def _go_on(cx: Context, caught: _Caught, handed: Handed) -> None:
    """Behind a body that has come to its end, in the branch for that."""
    cx.builder.block.ops += caught.rest
    take(cx, handed, caught.results, caught.op)


def _clauses(cx: Context, handlers: list[Any], clauses: list[Any], error: Value, run: Run) -> Steps:
    """The first clause that takes `error`; the last one does if the others do not."""
    if len(handlers) == 1:
        yield _clause(cx, handlers[0], error, run)
        return
    node = handlers[0]
    classes: Operand = Known(clauses[0][0] if len(clauses[0]) == 1 else tuple(clauses[0]))
    cond = cx.value(cx.emit(node, isinstance, [error, classes], types=[BOOL]), node)
    arms = []
    for steps in (
        _clause(cx, node, error, run),
        _clauses(cx, handlers[1:], clauses[1:], error, run),
    ):
        outer = cx.enter()
        yield steps
        arms.append(cx.leave(outer))
    merge(cx, cond, arms[0], arms[1], node)


def _clause(cx: Context, handler: Any, error: Value, run: Run) -> Steps:
    before, cx.caught = cx.caught, error
    if handler.name is not None:
        error.name = error.name or handler.name.id
        naming.bind(cx, handler.name.id, error, 0)
    try:
        yield run(cx, handler.body)
    finally:
        cx.caught = before
    if handler.name is not None and not cx.dead:
        cell = cx.frame.find(handler.name.id)
        assert cell is not None
        cx.store.set(cell, Lost("is deleted at the end of its `except` clause", [loc_of(handler)]))


# --- what an exception leaves behind ------------------------------------------------------------


class _Watch:
    """Looks on while the body of a `try` is lowered: when is what changed for the first time."""

    def __init__(self, cx: Context):
        self.cx, self.ops = cx, cx.builder.block.ops
        self.first: dict[Place, int] = {}  # how many ops the body had
        self.last = 0  # from which op on nothing can go wrong

    def run(self, body: list[Any], run: Run) -> Steps:
        def look(place: Place) -> None:
            self.first.setdefault(place, len(self.ops))

        watches = self.cx.store.watches
        watches.append(look)
        try:
            yield run(self.cx, body)
        finally:
            watches.remove(look)
        self.last = 1 + max((k for k, op in enumerate(self.ops) if may_raise(op)), default=-1)

    def kept(self) -> set[Place]:
        """The places that hold what they did before the body if that raises."""
        return {place for place, at in self.first.items() if at >= self.last}


def _lose(cx: Context, node: Any, handed: Handed, kept: set[Place]) -> None:
    """Where the body has raised: what it changes is of unknown state."""
    here = [loc_of(node)]
    for place in handed.places:
        if place in kept:
            continue
        if not isinstance(place, Cell):
            reason = (
                "an exception may leave the `try` statement before or after it is written "
                f"(line {here[0].line})"
            )
            cx.store.set(place, Poison(reason, here))
        elif "$" not in place.name:  # flags of jumps: one that jumps does not raise any more
            why = "may or may not have been assigned when the exception was raised"
            hint = "assign it in the `except` clause, or before the `try` under another name"
            cx.store.set(place, Lost(why, here, hint=hint))


# --- finally ------------------------------------------------------------------------------------


def _finally(cx: Context, node: Any, run: Run) -> Steps:
    outer = cx.enter()
    watch = _Watch(cx)
    body = [_without_finally(node)] if node.handlers else node.body
    yield watch.run(body, run)
    arm = cx.leave(outer)
    passing = cx.enter()
    handed = hand_on(cx, arm, node)
    _lose(cx, node, handed, watch.kept())
    unrolled, caught = cx.unrolled, cx.caught
    cx.unrolled = (unrolled, "finally")  # the second copy
    cx.caught = error = Value(_ERROR)
    try:
        yield run(cx, node.finalbody)
    finally:
        cx.unrolled, cx.caught = unrolled, caught
    if not cx.dead and not any(has_effect(op) for op in cx.builder.block.ops):
        cx.leave(passing)  # nothing is to be done where an exception passes through
        _splice(cx, arm)
    else:
        if not cx.dead:
            cx.here(node).add(core.Raise, [error], ())
            cx.dead = True
        orelse = cx.leave(passing)
        passed = _caught(cx, node, handed, [BaseException], watch.last)
        core.substitute(orelse.block, {error: passed.error})
        outer = cx.enter()
        cx.dead = arm.dead
        if not arm.dead:
            _go_on(cx, passed, handed)
        merge(cx, passed.done, cx.leave(outer), orelse, node)
    if not cx.dead:
        yield run(cx, node.finalbody)


def _without_finally(node: Any) -> Any:
    inner = copy.copy(node)
    inner.finalbody = []
    return inner


def _splice(cx: Context, arm: Arm) -> None:
    """The ops of `arm` stand here, and its changes are made."""
    cx.builder.block.ops += arm.block.ops
    for place, operand in arm.changes.items():
        cx.store.set(place, operand)
    cx.dead = arm.dead


def reraised(cx: Context, node: gast.Raise) -> Value:
    """What `raise` alone raises."""
    if cx.caught is None:
        cx.mismatch("`raise` alone: no exception is being handled here", node)
    return cx.caught


__all__ = ["reraised", "try_"]
