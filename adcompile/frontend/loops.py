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
from collections.abc import Callable, Iterator
from typing import Any

import gast

from adcompile.frontend import counting, expressions, progress
from adcompile.frontend.branches import merge, relevant_places
from adcompile.frontend.carry import Carry, key_of
from adcompile.frontend.context import Checkpoint, Context
from adcompile.frontend.counting import Counted, Item
from adcompile.frontend.operands import (
    Generator,
    Iterable,
    Known,
    Obj,
    Operand,
    is_bottom,
)
from adcompile.frontend.wanted import Counter, NeedUnrolled
from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.types import INT

MOST_UNROLLED = 64  # steps of a range whose counter decides types

Steps = Iterator[Any]  # of a statement that has statements in it: yields what is to be run next
Run = Callable[[Context, list[Any]], Steps]
Bind = Callable[[Context, gast.AST, Operand], None]


# --- for ----------------------------------------------------------------------------------------


def for_(cx: Context, node: Any, run: Run, bind: Bind) -> Steps:
    """Lower a `for` statement; yields its body each time that it is to be lowered."""
    bar = progress.opened(cx, node.iter)
    if bar is not None:
        x, bind = bar.over, _moving_on(bar, bind)
    else:
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
    if bar is not None and not cx.dead:
        bar.act(cx, "close")


def _moving_on(bar: progress.Bar, bind: Bind) -> Bind:
    """`bind`, which moves `bar` on as well."""

    def moving(cx: Context, target: gast.AST, x: Operand) -> None:
        bar.act(cx, "update")
        bind(cx, target, x)

    return moving


def _objects(x: Operand) -> list[Obj]:
    """The lists and dicts that an iteration runs over."""
    if isinstance(x, Obj):
        return [x]
    if isinstance(x, Generator):
        return _objects(x.first)
    return [obj for part in x.parts for obj in _objects(part)] if isinstance(x, Iterable) else []


def _for_each(cx: Context, node: Any, x: Operand, run: Run, bind: Bind) -> Steps:
    inner = x.parts[0] if isinstance(x, Iterable) and x.kind == "reversed" else None
    if not counting.counts(x):
        items = counting.steps_of(cx, x, node.iter)
        if items is not None:
            yield from _unrolled(cx, node, items, run, bind)
            return
    reverse = inner is not None
    over = counting.counted(cx, inner if inner is not None else x, node.iter)
    if over.bounds is not None:
        bounds = [cx.value(b, node.iter) for b in over.bounds]
    else:
        size = cx.value(over.length(), node.iter)
        b = cx.here(node.iter)
        bounds = [b.const(0), size, b.const(1)]
    steps = None if over.bounds is None else _few(cx, over, reverse)
    if steps is not None and key_of(cx, node) in cx.module.unroll:
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
            item = over.step(i) if over.step is not None else over.item(i)
            yield from _iteration(cx, node, item, run, bind)
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
    carry.define(op, arm)


def _few(cx: Context, over: Counted, reverse: bool) -> list[Item] | None:
    """The steps of a range that is short and known, so that its loop can be unrolled."""
    known = [cx.known(b) for b in over.bounds or ()]
    if any(type(k) is not int for k in known) or len(range(*known)) > MOST_UNROLLED:
        return None
    numbers = range(*known)
    return [
        over.step(Known(k)) if over.step is not None else Item(lambda k=k: Known(k))
        for k in (reversed(numbers) if reverse else numbers)
    ]


def _iteration(cx: Context, node: Any, item: Item, run: Run, bind: Bind) -> Steps:
    """The body for one item, where its guards hold."""
    opened = []
    for guard in item.guards:
        going = guard()
        if going is False:
            _keep_going(cx, node)
            break
        if going is not True:
            opened.append((going, cx.enter()))
    else:
        bind(cx, node.target, item.value())
        yield run(cx, node.body)
    for going, outer in reversed(opened):
        arm = cx.leave(outer)
        outer = cx.enter()
        _keep_going(cx, node)
        merge(cx, going, arm, cx.leave(outer), node)


def _keep_going(cx: Context, node: Any) -> None:
    if node.stop is not None:
        cx.store.set(cx.frame.cell(node.stop), Known(False))


def _unrolled(cx: Context, node: Any, items: list[Item], run: Run, bind: Bind) -> Steps:
    """One copy of the body for each item; after a possible stop the rest stands in an `if`."""
    context, opened = cx.unrolled, []
    for k, item in enumerate(items):
        cx.unrolled = (context, k)
        cx.here(node)
        yield from _iteration(cx, node, item, run, bind)
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
        if any(p not in carry.templates for p in relevant_places(cx, cond.changes, [cond.block])):
            cx.unsupported("the condition of this `while` changes a variable or a list", node.test)
        outer = cx.enter()
        heads = carry.heads()
        yield run(cx, node.body)
        arm = cx.leave(outer)
        if carry.settled(arm, [arm.block, cond.block], heads, cond_heads):
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
    carry.define(op, arm)
