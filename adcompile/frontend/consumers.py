"""Functions that run through an iterable at once: `sum`, `reduce`, `any`, …

Over a known number of items they are worked out here. Over any other number they are the loop that
a person would write (`generators.consume`), except over an array or a list, where they stay the
calls that they are.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import gast
import numpy as np

from adcompile.errors import TypeMismatch
from adcompile.frontend import (
    branches,
    calls,
    collecting,
    counting,
    expressions,
    generators,
    subscripts,
    templates,
)
from adcompile.frontend.context import Checkpoint, Context
from adcompile.frontend.handlers import Args, Handler, Kwargs, arity, bound
from adcompile.frontend.operands import (
    Generator,
    Iterable,
    Known,
    Operand,
    is_tree,
)
from adcompile.ir.core import Value
from adcompile.ir.types import BOOL, Array, Scalar

# --- adding up ----------------------------------------------------------------------------------


def _sum(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    x, start = bound(cx, node, "sum", ("iterable", "start"), args, kwargs)
    assert x is not None
    held = cx.held(x)
    more = [] if start is None else [start]
    if isinstance(held, Value) and not is_tree(held):
        return cx.emit(node, sum, [held, *more])
    total = start if start is not None else Known(0)
    items = collecting.known_items(cx, x, node)
    if items is None:
        return _sum_in_a_loop(cx, node, x, total, more)
    for item in items:
        total = _add(cx, total, item, node)
    return total


def _sum_in_a_loop(
    cx: Context, node: gast.AST, x: Operand, total: Operand, more: list[Operand]
) -> Operand:
    """A total that starts as a number and becomes an array is the sum of a list."""
    saved = Checkpoint(cx)
    try:
        made = generators.consume(cx, node, templates.sum_, x, total=total)
    except TypeMismatch:
        saved.restore(cx)
        counting.give_back(x)
        items = generators.consume(cx, node, templates.list_, x)
        return cx.emit(node, sum, [items, *more])
    cx.store.commit()
    return made


def _add(cx: Context, total: Operand, item: Operand, node: gast.AST) -> Operand:
    """`total + item`; to nothing yet, the item alone."""
    nothing = isinstance(total, Known) and type(total.value) is int and total.value == 0
    if nothing and not _is_bool(item):
        return item
    return expressions.binary(cx, operator.add, total, item, node)


def _is_bool(x: Operand) -> bool:
    if isinstance(x, Known):
        return isinstance(x.value, bool)
    t = getattr(x, "type", None)
    if isinstance(t, Array):
        return t.dtype.kind == "b"
    return not isinstance(t, Scalar) or t.kind == "bool"


def _added(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    return _add(cx, args[0], args[1], node)


def _prod(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """`math.prod`."""
    start = kwargs.get("start")
    if len(args) != 1 or set(kwargs) - {"start"}:
        cx.mismatch("math.prod takes an iterable and `start`", node)
    items = collecting.known_items(cx, args[0], node)
    total = Known(1) if start is None else start
    if items is None:
        return generators.consume(cx, node, templates.prod_, args[0], total=total)
    for k, item in enumerate(items):
        first = k == 0 and start is None
        total = item if first else expressions.binary(cx, operator.mul, total, item, node)
    return total


def _through_list(fn: Callable[..., Any]) -> Handler:
    """A function of a sequence, which is given a list of what is no sequence."""

    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        args = [collecting.listed(cx, node, x) if collecting.is_lazy(x) else x for x in args]
        return cx.emit(node, fn, args, kwargs)

    return handler


def _reduce(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """`functools.reduce`."""
    arity(cx, node, "reduce", args, kwargs, 2, 3)
    fn, x, *start = args
    items = collecting.known_items(cx, x, node)
    if items is not None:
        if not start and not items:
            cx.mismatch("reduce() of empty iterable with no initial value", node)
        total, *items = [*start, *items]
        for item in items:
            total = calls.call(cx, node, fn, [total, item], {})
        return total
    total = start[0] if start else None
    if total is None:
        total, x = first_and_rest(cx, node, x)
    return generators.consume(cx, node, templates.reduce_, x, function=fn, total=total)


def first_and_rest(cx: Context, node: gast.AST, x: Operand) -> tuple[Operand, Operand]:
    """The first item of something whose length is not known, and what follows it."""
    if collecting.is_lazy(x):
        x = collecting.listed(cx, node, x)
    length = calls.call(cx, node, Known(len), [x], {})
    places = Iterable("range", (Known(1), length, Known(1)))
    first = subscripts.subscript(cx, x, Known(0), node)
    return first, generators.read(cx, node, x, places)


# --- questions ----------------------------------------------------------------------------------


def _any_or_all(fn: Callable[..., Any], template: Callable[..., Any]) -> Handler:
    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        arity(cx, node, fn.__name__, args, kwargs, 1, 1)
        (x,) = args
        held = cx.held(x)
        if isinstance(held, Value) and not is_tree(held):
            return cx.emit(node, fn, [held])
        if isinstance(x, Generator):
            return generators.consume(cx, node, template, x)
        items = counting.items_of(cx, x, node)
        if items is None:
            return generators.consume(cx, node, template, x)
        return _chained(cx, node, items, fn is any)

    return handler


def _chained(cx: Context, node: gast.AST, items: list[Operand], is_any: bool) -> Operand:
    """`any` or `all` of a known number of values that are there already."""
    result: Operand = Known(not is_any)
    for item in items:
        known = expressions.truth(cx, item)
        if known is is_any:
            return Known(is_any)
        if known is None:
            holds = cx.emit(node, bool, [item], types=[BOOL])
            if isinstance(result, Known):
                result = holds
                continue
            so_far, this = result, holds
            then, orelse = (so_far, this) if is_any else (this, so_far)
            result = branches.choose(
                cx,
                cx.value(so_far, node),
                lambda then=then: then,
                lambda orelse=orelse: orelse,
                node,
                "or" if is_any else "and",
            )
    return result


HANDLERS: dict[Any, Handler] = {
    sum: _sum,
    any: _any_or_all(any, templates.any_),
    all: _any_or_all(all, templates.all_),
    functools.reduce: _reduce,
    math.prod: _prod,
    math.fsum: _through_list(math.fsum),
    math.dist: _through_list(math.dist),
    np.fromiter: _through_list(np.fromiter),
    templates.added: _added,
}
if hasattr(math, "sumprod"):  # since Python 3.12
    HANDLERS[getattr(math, "sumprod")] = _through_list(getattr(math, "sumprod"))  # noqa: B009
