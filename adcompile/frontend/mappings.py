"""The methods of dicts and sets (their keys and members are known at compile time) and records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gast

from adcompile.frontend import (
    collecting,
    counting,
    expressions,
    subscripts,
)
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Kwargs, arity
from adcompile.frontend.operands import (
    Iterable,
    Known,
    Operand,
    Tup,
)

Method = Callable[[Context, gast.AST, Operand, Args, Kwargs], Operand]


# --- dicts --------------------------------------------------------------------------------------


def _view(kind: str) -> Method:
    def made(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
        arity(cx, node, kind, args, kwargs, 0, 0)
        return Iterable(kind, (x,))

    return made


def _get(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "get", args, kwargs, 1, 2)
    key = subscripts.static_key(cx, args[0], node)
    if key in layout_keys(cx, x):
        return subscripts.child(cx, x, key, node)
    return args[1] if len(args) > 1 else Known(None)


def layout_keys(cx: Context, x: Operand) -> tuple[Any, ...]:
    found = subscripts.keys_of(cx, x)
    return () if found is None else found[1]


def _setdefault(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "setdefault", args, kwargs, 1, 2)
    key = subscripts.static_key(cx, args[0], node)
    if key not in layout_keys(cx, x):
        value = args[1] if len(args) > 1 else Known(None)
        cx.rewrite(x, subscripts.known_layout(cx, x, node).replaced(key, value), node)
    return subscripts.child(cx, x, key, node)


def _update(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    other = collecting.HANDLERS[dict](cx, node, args, kwargs)
    made = subscripts.known_layout(cx, x, node)
    added = subscripts.known_layout(cx, other, node)
    for key, item in zip(added.keys, added.items, strict=True):
        made = made.replaced(key, item)
    cx.rewrite(x, made, node)
    return Known(None)


def _pop_key(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "pop", args, kwargs, 1, 2)
    key = subscripts.static_key(cx, args[0], node)
    if key not in layout_keys(cx, x):
        if len(args) > 1:
            return args[1]
        cx.mismatch(f"the dict has no key {key!r}", node)
    item = subscripts.child(cx, x, key, node)
    cx.rewrite(x, without(subscripts.known_layout(cx, x, node), key), node)
    return item


def _pop_last(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "popitem", args, kwargs, 0, 0)
    keys = layout_keys(cx, x)
    if not keys:
        cx.mismatch("popitem(): dictionary is empty", node)
    return counting.pair(Known(keys[-1]), _pop_key(cx, node, x, [Known(keys[-1])], {}))


def without(held: Tup, key: Any) -> Tup:
    kept = [(k, v) for k, v in zip(held.keys, held.items, strict=True) if k != key]
    return Tup(held.node, tuple([k for k, _ in kept]), tuple([v for _, v in kept]))


# --- sets ---------------------------------------------------------------------------------------


def _of_set(name: str, *, changes: bool) -> Method:
    """A method of a set, carried out at compile time."""

    def made(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
        held = cx.held(x)
        assert isinstance(held, Known)
        given = [_members(cx, a, node) for a in args]
        work = set(held.value)
        try:
            result = getattr(work, name)(*given)
        except (TypeError, KeyError) as e:
            cx.mismatch(f"{type(e).__name__}: {e}", node)
        if changes:
            cx.rewrite(x, Known(work), node)
        if isinstance(result, set):
            return collecting.set_of(cx, [Known(v) for v in result], node)
        return Known(result)

    return made


def _members(cx: Context, x: Operand, node: gast.AST) -> Any:
    held = cx.held(x)
    if isinstance(held, Known):
        return held.value
    if isinstance(held, Tup | Iterable):
        return tuple(
            [_members(cx, i, node) for i in collecting.all_items(cx, x, node, "there are")]
        )
    return cx.static(x, node)


# --- named tuples and dataclasses ---------------------------------------------------------------


def _asdict(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "_asdict", args, kwargs, 0, 0)
    held = subscripts.known_layout(cx, x, node)
    return expressions.new_object(cx, Tup(dict, held.keys, held.items))


def replace(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """A named tuple or dataclass with other values in some fields."""
    arity(cx, node, "replace", args, {}, 1, 1)
    made = subscripts.known_layout(cx, args[0], node)
    if made.node in (tuple, list, dict):
        cx.mismatch(f"a {made.node.__name__} has no fields to replace", node)
    for k, v in kwargs.items():
        if k not in made.keys:
            cx.mismatch(f"{made.node.__name__}: `{k}` is not one of its fields", node)
        made = made.replaced(k, v)
    return made


def _replaced(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    return replace(cx, node, [x, *args], kwargs)


OF_DICTS: dict[str, Method] = {
    "items": _view("items"),
    "keys": _view("keys"),
    "values": _view("values"),
    "get": _get,
    "setdefault": _setdefault,
    "update": _update,
    "pop": _pop_key,
    "popitem": _pop_last,
}
OF_SETS: dict[str, Method] = {
    **{name: _of_set(name, changes=True) for name in ("add", "discard", "remove", "update")},
    **{
        name: _of_set(name, changes=False)
        for name in (
            *("union", "intersection", "difference", "symmetric_difference"),
            *("issubset", "issuperset", "isdisjoint"),
        )
    },
}
OF_RECORDS: dict[str, Method] = {"_asdict": _asdict, "_replace": _replaced}
