"""Functions that order the items of an iterable: `min`, `max`, `sorted`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import gast

from adcompile.frontend import (
    branches,
    calls,
    collecting,
    consumers,
    counting,
    expressions,
    generators,
    templates,
)
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Handler, Kwargs, arity
from adcompile.frontend.operands import (
    Known,
    Operand,
    Tup,
    is_bottom,
    is_rank0,
    is_seq,
    is_tree,
)
from adcompile.ir.core import MISSING, Value
from adcompile.ir.types import Array, Scalar, Seq, Tree


def _extreme(fn: Callable[..., Any], better: Callable[..., Any]) -> Handler:
    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        key = kwargs.get("key")
        kwargs = {k: v for k, v in kwargs.items() if k != "key"}
        if isinstance(key, Known) and key.value is None:
            key = None
        if len(args) == 1 and (
            key is not None or "default" in kwargs or collecting.is_lazy(args[0])
        ):
            return _extreme_of(cx, node, fn, better, args[0], key, kwargs)
        if key is not None:
            items = expressions.new_list(cx, args)
            return _extreme_of(cx, node, fn, better, items, key, kwargs)
        if len(args) == 1 and not kwargs:
            held = cx.held(args[0])
            if is_seq(held):
                return cx.emit(node, fn, [held])
            if not (isinstance(held, Value) and not is_tree(held)):
                items = counting.items_of(cx, args[0], node)
                if items is not None:
                    if len(items) == 1:
                        return items[0]
                    args = items
        known = [cx.known(a) for a in args]
        if not kwargs and MISSING not in known and any(isinstance(a, Known) for a in args):
            return Known(fn(*known))
        return cx.emit(node, fn, args, kwargs)

    return handler


def _extreme_of(
    cx: Context,
    node: gast.AST,
    fn: Callable[..., Any],
    better: Callable[..., Any],
    x: Operand,
    key: Operand | None,
    kwargs: Kwargs,
) -> Operand:
    """`min` and `max` of an iterable, perhaps by a key, perhaps with a default."""
    name = fn.__name__
    default = kwargs.get("default")
    if set(kwargs) - {"default"}:
        cx.mismatch(f"{name} takes an iterable, `key` and `default`", node)
    items = collecting.known_items(cx, x, node)
    if items is None:
        whole = collecting.listed(cx, node, x) if collecting.is_lazy(x) else x
        items = collecting.known_items(cx, whole, node)
        x = whole
    if items is not None and not items:
        if default is None:
            cx.mismatch(f"{name}() of an empty sequence", node)
        return default
    if default is not None and items is None:
        some = cx.value(calls.call(cx, node, Known(len), [x], {}), node)

        def best() -> Operand:
            return _extreme_of(cx, node, fn, better, x, key, {})

        return branches.choose(cx, some, best, lambda: default, node, "ifexp")
    if key is None:
        return HANDLERS[fn](cx, node, [x if items is None else counting.sequence(items)], {})
    first, rest = (
        consumers.first_and_rest(cx, node, x)
        if items is None
        else (items[0], counting.sequence(items[1:]))
    )
    return generators.consume(
        cx, node, templates.best_, rest, key=key, better=Known(better), best=first
    )


def sorted_items(
    cx: Context, node: gast.AST, x: Operand, key: Operand | None, reverse: Operand | None
) -> Operand:
    """`sorted(x, key=…, reverse=…)`."""
    backwards = False if reverse is None else bool(cx.static(reverse, node))
    if isinstance(key, Known) and key.value is None:
        key = None
    whole = collecting.listed(cx, node, x) if collecting.is_lazy(x) else x
    items = collecting.known_items(cx, whole, node)
    if items is not None:
        keys = items if key is None else [calls.call(cx, node, key, [i], {}) for i in items]
        known = [_sort_key(cx, k) for k in keys]
        if MISSING not in known:
            try:
                order = sorted(range(len(items)), key=known.__getitem__, reverse=backwards)
            except TypeError as e:
                cx.mismatch(f"TypeError: {e}", node)
            return expressions.new_list(cx, [items[i] for i in order])
    if any(map(is_bottom, [x, *(items or [])])):
        return cx.bottom(node)
    keys = whole
    if key is not None:
        keys = collecting.listed(cx, node, generators.mapped(cx, node, key, whole, spread=False))
    if not _is_numeric(cx, keys):
        cx.unsupported(
            "`sorted` of what is no number is not supported here", node, "sort by a number: `key=…`"
        )
    template = templates.order_reversed_ if backwards else templates.order_
    return generators.inline(cx, node, template, items=whole, keys=keys)


def _is_numeric(cx: Context, x: Operand) -> bool:
    """Whether the items of a list or array are numbers."""
    held = cx.held(x)
    if isinstance(held, Tup):
        return all(is_rank0(i) for i in held.items)
    t = held.type if isinstance(held, Value) else None
    if isinstance(t, Tree):
        return all(isinstance(i, Scalar) or (isinstance(i, Array) and not i.rank) for i in t.items)
    if isinstance(t, Array):
        return t.rank == 1
    item = t.item if isinstance(t, Seq) else None
    return isinstance(item, Scalar) or (isinstance(item, Array) and not item.rank)


def _sort_key(cx: Context, x: Operand) -> Any:
    if isinstance(x, Tup):
        parts = [_sort_key(cx, i) for i in x.items]
        return MISSING if MISSING in parts else tuple(parts)
    return cx.known(x)


def _sorted(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "sorted", args, {}, 1, 1)
    if set(kwargs) - {"key", "reverse"}:
        cx.mismatch("sorted takes an iterable, `key` and `reverse`", node)
    return sorted_items(cx, node, args[0], kwargs.get("key"), kwargs.get("reverse"))


HANDLERS: dict[Any, Handler] = {
    min: _extreme(min, operator.lt),
    max: _extreme(max, operator.gt),
    sorted: _sorted,
}
