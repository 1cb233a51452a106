"""Functions that collect items: `list`, `tuple`, `dict`, `set`; and comprehensions."""

from __future__ import annotations

from typing import Any

import gast

from adcompile.errors import TypeMismatch
from adcompile.frontend import (
    counting,
    expressions,
    generators,
    subscripts,
    templates,
    wanted,
)
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Handler, Kwargs, arity
from adcompile.frontend.operands import (
    Generator,
    Iterable,
    Known,
    Obj,
    Operand,
    Tup,
    is_seq,
)
from adcompile.frontend.source import loc_of
from adcompile.ir.core import Value


def is_lazy(x: Operand) -> bool:
    return isinstance(x, Generator | Iterable)


def known_items(cx: Context, x: Operand, node: gast.AST) -> list[Operand] | None:
    """The items, where their number is known whatever conditions there are.

    What counts is run through in a loop, as it is written.
    """
    if isinstance(x, Generator) and (not generators.is_plain(x) or counting.counts(x)):
        return None
    return counting.items_of(cx, x, node)


def listed(cx: Context, node: gast.AST, x: Operand) -> Operand:
    """`list(x)`."""
    held = cx.held(x)
    if is_seq(held):
        assert isinstance(held, Value)
        made = Obj(list)
        cx.store.set(made, held)
        return made
    items = known_items(cx, x, node)
    if items is not None:
        return expressions.new_list(cx, items)
    return generators.consume(cx, node, templates.list_, x)


def _list(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "list", args, kwargs, 0, 1)
    return listed(cx, node, args[0]) if args else expressions.new_list(cx, [])


def is_list(cx: Context, x: Operand) -> bool:
    """Whether `x` is a list, of known length or not."""
    found = subscripts.keys_of(cx, x)
    return is_seq(cx.held(x)) or (found is not None and found[0] is list)


def all_items(cx: Context, x: Operand, node: gast.AST, what: str) -> list[Operand]:
    """The items of something that must have a known number of them."""
    over = x
    while isinstance(over, Generator):
        over = over.first
    if isinstance(over, Iterable) and over.kind == "range":
        for bound_ in over.parts:
            cx.static(bound_, node)
    items = counting.items_of(cx, x, node)
    if items is not None:
        return items
    error = TypeMismatch(
        f"how many items {what} is not known at compile time",
        loc_of(node),
        "use a list, or write out how many there are",
    )
    held = cx.held(x)
    raise (wanted.length(cx, held, error) if isinstance(held, Value) else None) or error


def _tuple(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "tuple", args, kwargs, 0, 1)
    return counting.sequence(all_items(cx, args[0], node, "this tuple has") if args else [])


def _dict(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    made = Tup(dict, (), ())
    if args:
        arity(cx, node, "dict", args, {}, 1, 1)
        found = subscripts.keys_of(cx, args[0])
        if found is not None and found[0] is dict:
            made = subscripts.known_layout(cx, args[0], node)
        else:
            for entry in all_items(cx, args[0], node, "this dict has"):
                made = _with_entry(cx, made, entry, node)
    for k, v in kwargs.items():
        made = made.replaced(k, v)
    return expressions.new_object(cx, made)


def _with_entry(cx: Context, made: Tup, entry: Operand, node: gast.AST) -> Tup:
    two = counting.items_of(cx, entry, node)
    if two is None or len(two) != 2:
        cx.mismatch("dict needs pairs of a key and a value", node)
    return made.replaced(subscripts.static_key(cx, two[0], node), two[1])


def _fromkeys(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "dict.fromkeys", args, kwargs, 1, 2)
    keys = all_items(cx, args[0], node, "this dict has")
    value = args[1] if len(args) > 1 else Known(None)
    made = Tup(dict, (), ())
    for key in keys:
        made = made.replaced(subscripts.static_key(cx, key, node), value)
    return expressions.new_object(cx, made)


def set_of(cx: Context, items: list[Operand], node: gast.AST) -> Operand:
    """A set: what is in it must be known at compile time."""
    made = Obj(set)
    cx.store.set(made, Known({_member(cx, x, node) for x in items}))
    return made


def _member(cx: Context, x: Operand, node: gast.AST) -> Any:
    found = subscripts.static_key(cx, x, node)
    try:
        hash(found)
    except TypeError as e:
        cx.mismatch(f"TypeError: {e}", node)
    return found


def _set(kind: type) -> Handler:
    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        arity(cx, node, kind.__name__, args, kwargs, 0, 1)
        items = all_items(cx, args[0], node, "this set has") if args else []
        if kind is frozenset:
            return Known(frozenset([_member(cx, x, node) for x in items]))
        return set_of(cx, items, node)

    return handler


def _put(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """A step of a dict or set comprehension."""
    made, entry = args
    held = cx.held(made)
    if isinstance(held, Tup):
        cx.rewrite(made, _with_entry(cx, held, entry, node), node)
    else:
        assert isinstance(held, Known)
        cx.rewrite(made, Known(held.value | {_member(cx, entry, node)}), node)
    return Known(None)


def comprehension(cx: Context, node: Any) -> Operand:
    """`[… for …]`, `{… for …}`, `{…: … for …}`."""
    if isinstance(node, gast.ListComp):
        return generators.comprehension(cx, node, templates.list_)
    if isinstance(node, gast.SetComp):
        made = set_of(cx, [], node)
    else:
        made = expressions.new_object(cx, Tup(dict, (), ()))
    return generators.comprehension(cx, node, templates.dict_, made=made)


HANDLERS: dict[Any, Handler] = {
    list: _list,
    tuple: _tuple,
    dict: _dict,
    dict.fromkeys: _fromkeys,
    set: _set(set),
    frozenset: _set(frozenset),
    templates.put: _put,
}
