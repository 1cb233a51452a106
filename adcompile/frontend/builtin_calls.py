"""What Python's own functions mean at compile time: those about one value, and the table of all."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from functools import cache
from typing import Any

import gast
import numpy as np

from adcompile.frontend import (
    attributes,
    collecting,
    consumers,
    counting,
    expressions,
    functional,
    identities,
    iterators,
    joins,
    mappings,
    objects,
    ordering,
    subscripts,
    texts,
)
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Handler, Kwargs, arity, refused
from adcompile.frontend.operands import (
    Bound,
    Closure,
    Generator,
    Iterable,
    Known,
    Obj,
    Operand,
    Slicer,
    Tup,
)
from adcompile.ir.core import MISSING, Value
from adcompile.ir.types import NONE, Array, Opaque, Scalar, Seq, Static, Tree


def handler_of(fn: Any) -> Handler | None:
    """How a call of `fn` is lowered, where it is not like that of any function."""
    try:
        found = handlers().get(fn)
    except TypeError:  # not hashable
        found = None
    if found is not None:
        return found
    kind = functional.INSTANCES.get(type(fn))
    if kind is not None:
        return lambda cx, node, args, kwargs: kind(cx, node, fn, args, kwargs)
    return iterators.progress_handler(fn)


def _len(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "len", args, kwargs, 1, 1)
    x = args[0]
    if isinstance(x, Known) and hasattr(x.value, "__len__"):
        return Known(len(x.value))
    found = subscripts.keys_of(cx, x)
    if found is not None:
        return Known(len(found[1]))
    if isinstance(x, Iterable | Generator):
        if isinstance(x, Generator) or x.made is not None:
            cx.mismatch(
                f"{joins.describe_operand(x)} has no length", node, "make a list: `list(…)`"
            )
        steps = counting.steps_of(cx, x, node)
        return Known(len(steps)) if steps is not None else counting.counted(cx, x, node).length()
    held = cx.held(x)
    if isinstance(held, Known):  # of a set
        return Known(len(held.value))
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


def _isinstance(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "isinstance", args, kwargs, 2, 2)
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
    arity(cx, node, "type", args, kwargs, 1, 1)
    found = class_of(cx, args[0])
    if found is None:
        cx.mismatch("the type of this is not known at compile time", node)
    return Known(found)


def _callable(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "callable", args, kwargs, 1, 1)
    x = args[0]
    if isinstance(x, Closure | Bound | objects.Action):
        return Known(True)
    known = cx.known(x)
    if known is not MISSING:
        return Known(callable(known))
    cls = objects.class_of(cx, x)
    if cls is None and isinstance(x, Value) and isinstance(x.type, Opaque):
        return cx.emit(node, callable, [x], types=[Scalar("bool")])
    return Known(cls is not None and callable(getattr(cls, "__call__", None)))  # noqa: B004


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
    arity(cx, node, "slice", args, kwargs, 1, 3)
    parts = [None, args[0], None] if len(args) == 1 else [*args, None][:3]
    return Slicer(*[None if isinstance(p, Known) and p.value is None else p for p in parts])


def _getattr(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "getattr", args, kwargs, 2, 3)
    name = cx.static(args[1], node)
    if len(args) == 3 and not attributes.has(cx, args[0], name, node):
        return args[2]
    return attributes.attribute(cx, args[0], name, node)


def _hasattr(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "hasattr", args, kwargs, 2, 2)
    return Known(attributes.has(cx, args[0], cx.static(args[1], node), node))


@cache
def handlers() -> dict[Any, Handler]:
    """All of them; made when all modules have been imported, some of which need each other."""
    return {
        len: _len,
        isinstance: _isinstance,
        type: _type,
        callable: _callable,
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
        exec: refused(
            "`exec` runs a text that is known at run time only", "write its statements out"
        ),
        eval: refused(
            "`eval` runs a text that is known at run time only", "write the expression out"
        ),
        compile: refused("`compile` makes code of a text", "write the code out"),
        globals: refused("`globals` is not supported", "read the variable by its name"),
        locals: refused("`locals` is not supported", "read the variable by its name"),
        getattr: _getattr,
        hasattr: _hasattr,
        dataclasses.replace: mappings.replace,
        **iterators.HANDLERS,
        **collecting.HANDLERS,
        **consumers.HANDLERS,
        **ordering.HANDLERS,
        **functional.HANDLERS,
        **identities.HANDLERS,
    }
