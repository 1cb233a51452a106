"""Python's own functions, and the methods of lists and dicts: what they mean at compile time."""

from __future__ import annotations

import dataclasses
import operator
import types
from collections.abc import Callable
from typing import Any

import gast
import numpy as np

from adcompile.frontend import attributes, expressions, joins, subscripts, texts
from adcompile.frontend.context import Context
from adcompile.frontend.operands import (
    Closure,
    Iterable,
    Known,
    Obj,
    Operand,
    Slicer,
    Tup,
    is_bottom,
    is_seq,
    is_tree,
)
from adcompile.ir.core import MISSING, Value
from adcompile.ir.types import NONE, Array, Opaque, Scalar, Seq, Static, Tree

MOST_ITEMS = 4096  # of a range that is taken apart

Args = list[Operand]
Kwargs = dict[str, Operand]
Handler = Callable[[Context, gast.AST, Args, Kwargs], Operand]


# --- iteration ----------------------------------------------------------------------------------


def items_of(cx: Context, x: Operand, node: gast.AST) -> list[Operand] | None:
    """The items of an iterable of known length, or None."""
    match x:
        case Known(value):
            if isinstance(value, str | tuple | list | dict | range) and len(value) <= MOST_ITEMS:
                return [Known(v) for v in value]
            return None
        case Iterable():
            return _items_of_iterable(cx, x, node)
    found = subscripts.keys_of(cx, x)
    if found is not None:
        kind, keys = found
        if kind is dict:
            return [Known(k) for k in keys]
        if not issubclass(kind, tuple | list):
            cx.mismatch(f"a {kind.__name__} is not iterable", node)
        held = subscripts.layout(cx, x, node)
        assert held is not None
        return [subscripts.unwrapped(i) if isinstance(i, Value) else i for i in held.items]
    return None


def _items_of_iterable(cx: Context, x: Iterable, node: gast.AST) -> list[Operand] | None:
    if x.kind == "range":
        bounds = [cx.known(p) for p in x.parts]
        if any(b is MISSING for b in bounds) or len(range(*bounds)) > MOST_ITEMS:
            return None
        return [Known(i) for i in range(*bounds)]
    if x.kind in ("keys", "values", "items"):
        held = subscripts.known_layout(cx, x.parts[0], node)
        keys: list[Operand] = [Known(k) for k in held.keys]
        if x.kind == "keys":
            return keys
        if x.kind == "values":
            return list(held.items)
        return [pair(k, v) for k, v in zip(keys, held.items, strict=True)]
    if x.kind == "enumerate":
        items = items_of(cx, x.parts[0], node)
        start = cx.known(x.parts[1])
        if items is None or start is MISSING:
            return None
        return [pair(Known(i), v) for i, v in enumerate(items, start)]
    parts = []
    for part in x.parts:
        items = items_of(cx, part, node)
        if items is None:
            return None
        parts.append(items)
    if x.kind == "reversed":
        return parts[0][::-1]
    return [Tup(tuple, tuple(range(len(row))), row) for row in zip(*parts, strict=False)]


def pair(a: Operand, b: Operand) -> Tup:
    return Tup(tuple, (0, 1), (a, b))


# --- handlers -----------------------------------------------------------------------------------


def _arity(
    cx: Context, node: gast.AST, name: str, args: Args, kwargs: Kwargs, least: int, most: int
) -> None:
    if not least <= len(args) <= most or kwargs:
        wanted = str(least) if least == most else f"{least} to {most}"
        cx.mismatch(f"{name} takes {wanted} arguments here", node)


def _len(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _arity(cx, node, "len", args, kwargs, 1, 1)
    x = args[0]
    if isinstance(x, Known) and hasattr(x.value, "__len__"):
        return Known(len(x.value))
    found = subscripts.keys_of(cx, x)
    if found is not None:
        return Known(len(found[1]))
    if isinstance(x, Iterable):
        items = items_of(cx, x, node)
        if items is not None:
            return Known(len(items))
    return length(cx, x, node)


def length(cx: Context, x: Operand, node: gast.AST) -> Operand:
    """`len(x)` of an array or a list of unknown length."""
    if isinstance(x, Obj):
        x = cx.contents(x)
    if texts.is_text(x):
        return cx.emit(node, len, [x], types=[Scalar("int")])
    item = x.type.item if isinstance(x, Value) and isinstance(x.type, Seq) else None
    if isinstance(item, Tree | Opaque | Static):  # items that make no array
        return cx.emit(node, len, [x], types=[Scalar("int")])
    return cx.emit(node, len, [x])


def _range(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _arity(cx, node, "range", args, kwargs, 1, 3)
    for a in args:
        known = cx.known(a)
        t = type(known) if known is not MISSING else getattr(a, "type", None)
        integer = t in (int, bool) or isinstance(known, np.integer)
        if isinstance(t, Scalar):
            integer = t.kind in ("int", "bool")
        elif isinstance(t, Array):
            integer = t.rank == 0 and t.dtype.kind in "iub"
        if not integer and not is_bottom(a):
            cx.mismatch(f"range needs integers, not {joins.describe_operand(a)}", node)
    if len(args) == 1:
        args = [Known(0), args[0]]
    if len(args) == 2:
        args = [*args, Known(1)]
    if cx.known(args[2]) == 0:
        cx.mismatch("range: the step must not be zero", node)
    return Iterable("range", tuple(args))


def _enumerate(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    start = kwargs.get("start", args[1] if len(args) > 1 else Known(0))
    if not args or set(kwargs) - {"start"}:
        cx.mismatch("enumerate takes an iterable and a start", node)
    return Iterable("enumerate", (args[0], start))


def _zip(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    if kwargs:
        cx.unsupported("zip(strict=…) is not supported", node, "leave `strict` out")
    return Iterable("zip", tuple(args))


def _reversed(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _arity(cx, node, "reversed", args, kwargs, 1, 1)
    return Iterable("reversed", tuple(args))


def _listed(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _arity(cx, node, "list", args, kwargs, 0, 1)
    if args and isinstance(args[0], Value | Obj):
        held = cx.contents(args[0]) if isinstance(args[0], Obj) else args[0]
        if is_seq(held):
            made = Obj(list)
            cx.store.set(made, held)
            return made
    items = items_of(cx, args[0], node) if args else []
    if items is None:
        cx.unsupported(
            "a list of a number of items that is known at run time only",
            node,
            "append in a `for` loop",
        )
    return expressions.new_list(cx, items)


def _tupled(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _arity(cx, node, "tuple", args, kwargs, 0, 1)
    items = items_of(cx, args[0], node) if args else []
    if items is None:
        cx.unsupported(
            "a tuple of a number of items that is known at run time only", node, "use a list"
        )
    return Tup(tuple, tuple(range(len(items))), tuple(items))


def _dicted(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    made = Tup(dict, (), ())
    if args:
        found = subscripts.keys_of(cx, args[0])
        if found is not None and found[0] is dict:
            made = subscripts.known_layout(cx, args[0], node)
        else:
            for entry in items_of(cx, args[0], node) or []:
                two = items_of(cx, entry, node)
                if two is None or len(two) != 2:
                    cx.mismatch("dict needs pairs of a key and a value", node)
                made = made.replaced(subscripts.static_key(cx, two[0], node), two[1])
    for k, v in kwargs.items():
        made = made.replaced(k, v)
    return expressions.new_object(cx, made)


def _sum(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """The sum of a tuple or list of known length is a chain of additions."""
    start = kwargs.get("start", args[1] if len(args) > 1 else None)
    if not args or len(args) > 2 or set(kwargs) - {"start"}:
        cx.mismatch("sum takes an iterable and a start", node)
    held = cx.contents(args[0]) if isinstance(args[0], Obj) else args[0]
    if isinstance(held, Value) and not is_tree(held):
        return cx.emit(node, sum, [held, *args[1:]], kwargs)
    items = items_of(cx, held, node)
    if items is None:
        cx.unsupported("the sum of this is not supported", node, "add up in a `for` loop")
    x: Operand = start if start is not None else Known(0)
    for item in items:
        if x is not start and isinstance(x, Known) and x.value == 0 and not _is_bool(item):
            x = item
        else:
            x = expressions.binary(cx, operator.add, x, item, node)
    return x


def _is_bool(x: Operand) -> bool:
    if isinstance(x, Known):
        return isinstance(x.value, bool)
    t = getattr(x, "type", None)
    return (isinstance(t, Scalar) and t.kind == "bool") or not isinstance(t, Scalar | Array)


def _extreme(fn: Callable[..., Any]) -> Handler:
    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        if (
            len(args) == 1
            and not kwargs
            and not (isinstance(args[0], Value) and not is_tree(args[0]))
        ):
            held = cx.contents(args[0]) if isinstance(args[0], Obj) else args[0]
            if is_seq(held):
                return cx.emit(node, fn, [held])
            items = items_of(cx, held, node)
            if items is not None:
                if len(items) == 1:
                    return items[0]
                args = items
        known = [cx.known(a) for a in args]
        if not kwargs and MISSING not in known and any(isinstance(a, Known) for a in args):
            return Known(fn(*known))
        return cx.emit(node, fn, args, kwargs)

    return handler


def _isinstance(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _arity(cx, node, "isinstance", args, kwargs, 2, 2)
    classes = _classes(cx, args[1], node)
    x = args[0]
    known = cx.known(x)
    if known is not MISSING:
        return Known(isinstance(known, classes))
    cls = class_of(cx, x)
    if cls is None:
        return cx.emit(node, isinstance, [x, Known(classes)], types=[Scalar("bool")])
    return Known(issubclass(cls, classes))


def _classes(cx: Context, x: Operand, node: gast.AST) -> Any:
    if isinstance(x, Tup):
        return tuple([_classes(cx, i, node) for i in x.items])
    return cx.static(x, node)


def class_of(cx: Context, x: Operand) -> type | None:
    """The Python class of what `x` will be, or None."""
    match x:
        case Known(value):
            return type(value)
        case Tup(node) | Obj(node):
            return node
        case Closure():
            return types.FunctionType
        case Slicer():
            return slice
        case Value(type=Array(dtype, shape)):
            return np.ndarray if shape or x in cx.boxed else dtype.type
        case Value(type=Scalar(kind)):
            return {"bool": bool, "int": int, "float": float, "complex": complex}[kind]
        case Value(type=Tree(node)):
            return node
        case Value(type=Seq()):
            return list
        case Value(type=Static(value)):
            return type(value)
        case Value(type=Opaque(cls)) if cls is not object:
            return cls
    return None


def _type(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _arity(cx, node, "type", args, kwargs, 1, 1)
    found = class_of(cx, args[0])
    if found is None:
        cx.mismatch("the type of this is not known at compile time", node)
    return Known(found)


def _print(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    dtypes = (isinstance(x, Known) and isinstance(x.value, np.dtype) for x in args)
    args = [Known(str(cx.known(x))) if d else x for x, d in zip(args, dtypes, strict=True)]
    return cx.emit(node, print, args, kwargs, effect=True, types=[NONE])


def _errstate(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    return cx.emit(node, np.errstate, args, kwargs, types=[Opaque(np.errstate)])


def _convert(fn: Callable[..., Any]) -> Handler:
    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        if fn is bool and len(args) == 1:
            found = expressions.truth(cx, args[0])
            if found is not None:
                return Known(found)
        if len(args) == 1 and isinstance(args[0], Known) and not kwargs:
            try:
                return Known(fn(args[0].value))
            except (TypeError, ValueError, OverflowError) as e:
                cx.mismatch(f"{type(e).__name__}: {e}", node)
        if len(args) == 1 and isinstance(args[0], Value) and isinstance(args[0].type, Opaque):
            return cx.emit(node, fn, args, kwargs, types=[Scalar(fn.__name__)])
        return cx.emit(node, fn, args, kwargs)

    return handler


def _slice(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _arity(cx, node, "slice", args, kwargs, 1, 3)
    parts = [None, args[0], None] if len(args) == 1 else [*args, None][:3]
    return Slicer(*[None if isinstance(p, Known) and p.value is None else p for p in parts])


def _getattr(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _arity(cx, node, "getattr", args, kwargs, 2, 3)
    name = cx.static(args[1], node)
    if len(args) == 3 and not attributes.has(cx, args[0], name, node):
        return args[2]
    return attributes.attribute(cx, args[0], name, node)


def _hasattr(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _arity(cx, node, "hasattr", args, kwargs, 2, 2)
    return Known(attributes.has(cx, args[0], cx.static(args[1], node), node))


def _sorted(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """Of what is known, such as the keys of a dict."""
    items = items_of(cx, args[0], node) if len(args) == 1 else None
    known = [cx.known(i) for i in items or []]
    if items is None or MISSING in known or set(kwargs) - {"reverse"}:
        cx.unsupported("`sorted` of values is not supported", node, "use `np.sort` on an array")
    reverse = kwargs.get("reverse", Known(False))
    try:
        found = sorted(known, reverse=bool(cx.static(reverse, node)))
    except TypeError as e:
        cx.mismatch(f"TypeError: {e}", node)
    return expressions.new_list(cx, [Known(v) for v in found])


def _replace(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """A named tuple or dataclass with other values in some fields."""
    _arity(cx, node, "replace", args, {}, 1, 1)
    made = subscripts.known_layout(cx, args[0], node)
    if made.node in (tuple, list, dict):
        cx.mismatch(f"a {made.node.__name__} has no fields to replace", node)
    for k, v in kwargs.items():
        if k not in made.keys:
            cx.mismatch(f"{made.node.__name__}: `{k}` is not one of its fields", node)
        made = made.replaced(k, v)
    return made


def _refused(message: str, hint: str) -> Handler:
    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        cx.unsupported(message, node, hint)

    return handler


HANDLERS: dict[Any, Handler] = {
    len: _len,
    range: _range,
    enumerate: _enumerate,
    zip: _zip,
    reversed: _reversed,
    list: _listed,
    tuple: _tupled,
    dict: _dicted,
    sum: _sum,
    min: _extreme(min),
    max: _extreme(max),
    isinstance: _isinstance,
    type: _type,
    print: _print,
    np.errstate: _errstate,
    bool: _convert(bool),
    int: _convert(int),
    float: _convert(float),
    slice: _slice,
    str: texts.conversion(str),
    repr: texts.conversion(repr),
    ascii: texts.conversion(ascii),
    format: texts.conversion(format),
    getattr: _getattr,
    hasattr: _hasattr,
    sorted: _sorted,
    dataclasses.replace: _replace,
    map: _refused("`map` is not supported", "write a `for` loop that appends to a list"),
    filter: _refused("`filter` is not supported", "write a `for` loop with an `if`"),
    iter: _refused("iterators are not supported", "write a `for` loop"),
    next: _refused("iterators are not supported", "write a `for` loop"),
    set: _refused("sets are not supported", "use a tuple or a list"),
    frozenset: _refused("sets are not supported", "use a tuple or a list"),
}


# --- methods of lists and dicts -----------------------------------------------------------------


def method(
    cx: Context, node: gast.AST, x: Operand, name: str, args: Args, kwargs: Kwargs
) -> Operand:
    """`x.name(*args)` of a list or a dict."""
    if name in ("items", "keys", "values"):
        _arity(cx, node, name, args, kwargs, 0, 0)
        return Iterable(name, (x,))
    if name == "get":
        _arity(cx, node, name, args, kwargs, 1, 2)
        found = subscripts.keys_of(cx, x)
        key = subscripts.static_key(cx, args[0], node)
        if found is not None and key in found[1]:
            return subscripts.child(cx, x, key, node)
        return args[1] if len(args) > 1 else Known(None)
    if name == "_asdict":
        _arity(cx, node, name, args, kwargs, 0, 0)
        held = subscripts.known_layout(cx, x, node)
        return expressions.new_object(cx, Tup(dict, held.keys, held.items))
    if name == "_replace":
        return _replace(cx, node, [x, *args], kwargs)
    if name == "append":
        _arity(cx, node, name, args, kwargs, 1, 1)
        append(cx, node, x, args[0])
        return Known(None)
    cx.unsupported(
        f"the method `{name}` of a list or dict is not supported",
        node,
        "build a new one: `xs + [v]`, `{**d, 'k': v}`",
    )


def append(cx: Context, node: gast.AST, x: Operand, item: Operand) -> None:
    """`x.append(item)`."""
    if not isinstance(x, Obj):
        cx.unsupported(
            "only a list that this function made can be appended to",
            node,
            "make a copy first: `xs = list(xs)`",
        )
    if x.frozen:
        cx.unsupported(
            f"this list cannot be appended to: {x.frozen}", node, "make a copy: `list(xs)`"
        )
    held = cx.contents(x)
    if isinstance(held, Tup):
        cx.store.set(x, held.replaced(len(held.keys), item))
        return
    if not (isinstance(held, Value) and isinstance(held.type, Seq)):
        cx.unsupported("this list cannot be appended to here", node, "make a copy: `list(xs)`")
    if isinstance(item, Obj):
        item.frozen = "it is an item of another list"
    cx.store.set(x, cx.here(node).append(held, cx.value(item, node)))
