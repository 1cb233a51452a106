"""Functions about functions: `functools.partial`, the functions of `operator`."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import gast

from adcompile.frontend import (
    attributes,
    calls,
    counting,
    expressions,
    generators,
    subscripts,
    templates,
)
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Handler, Kwargs, arity
from adcompile.frontend.operands import Bound, Known, Operand, Tup


def _partial(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """`functools.partial(fn, *args, **kwargs)` is a lambda that calls `fn`."""
    if not args:
        cx.mismatch("partial takes a function", node)
    named = expressions.new_object(cx, Tup(dict, tuple(kwargs), tuple(kwargs.values())))
    return generators.inline(
        cx,
        node,
        templates.partial_,
        function=args[0],
        first=counting.sequence(args[1:]),
        named=named,
    )


# --- operator -----------------------------------------------------------------------------------


def _binary(fn: Callable[..., Any]) -> Handler:
    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        arity(cx, node, f"operator.{fn.__name__}", args, kwargs, 2, 2)
        return expressions.binary(cx, fn, args[0], args[1], node)

    return handler


def _comparison(kind: type) -> Handler:
    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        arity(cx, node, f"operator.{kind.__name__.lower()}", args, kwargs, 2, 2)
        left, right = args[::-1] if kind is gast.In else args
        return expressions.compare(cx, kind, left, right, node)

    return handler


def _getitem(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "operator.getitem", args, kwargs, 2, 2)
    return subscripts.subscript(cx, args[0], args[1], node)


def _known_getter(fn: Callable[..., Any]) -> Handler:
    """`itemgetter(1)`, `attrgetter('w')`: made at compile time, from what is known."""

    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        arity(cx, node, fn.__name__, args, kwargs, 1, len(args) or 1)
        return Known(fn(*[subscripts.static_key(cx, a, node) for a in args]))

    return handler


def _get_items(cx: Context, node: gast.AST, fn: Any, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "itemgetter", args, kwargs, 1, 1)
    keys = fn.__reduce__()[1]
    found = [subscripts.subscript(cx, args[0], Known(k), node) for k in keys]
    return found[0] if len(found) == 1 else counting.sequence(found)


def _get_attributes(cx: Context, node: gast.AST, fn: Any, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "attrgetter", args, kwargs, 1, 1)
    found = []
    for path in fn.__reduce__()[1]:
        x = args[0]
        for name in path.split("."):
            x = attributes.attribute(cx, x, name, node)
        found.append(x)
    return found[0] if len(found) == 1 else counting.sequence(found)


def _call_partial(cx: Context, node: gast.AST, fn: Any, args: Args, kwargs: Kwargs) -> Operand:
    """A partial that was made outside."""
    first = [calls.default(cx, Known(a), node) for a in fn.args]
    named = {k: calls.default(cx, Known(v), node) for k, v in fn.keywords.items()}
    return calls.call(cx, node, Known(fn.func), [*first, *args], {**named, **kwargs})


def _call_method(cx: Context, node: gast.AST, fn: Any, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "methodcaller", args, kwargs, 1, 1)
    made, given = fn.__reduce__()
    named = made.keywords if isinstance(made, functools.partial) else {}
    name, *rest = [*made.args, *given] if isinstance(made, functools.partial) else given
    method: Operand = Bound(args[0], name, node)
    if not isinstance(args[0], Bound):
        method = attributes.attribute(cx, args[0], name, node)
    return calls.call(
        cx, node, method, [Known(a) for a in rest], {k: Known(v) for k, v in named.items()}
    )


# Objects that are called like functions, by their class.
INSTANCES: dict[type, Callable[[Context, gast.AST, Any, Args, Kwargs], Operand]] = {
    functools.partial: _call_partial,
    operator.itemgetter: _get_items,
    operator.attrgetter: _get_attributes,
    operator.methodcaller: _call_method,
}

HANDLERS: dict[Any, Handler] = {
    functools.partial: _partial,
    operator.getitem: _getitem,
    operator.itemgetter: _known_getter(operator.itemgetter),
    operator.attrgetter: _known_getter(operator.attrgetter),
    operator.methodcaller: _known_getter(operator.methodcaller),
    operator.contains: _comparison(gast.In),
    operator.is_: _comparison(gast.Is),
    operator.is_not: _comparison(gast.IsNot),
    **{
        fn: _binary(fn)
        for fn in (
            *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv),
            *(operator.mod, operator.pow, operator.matmul, operator.and_, operator.or_),
            *(operator.xor, operator.lshift, operator.rshift),
        )
    },
    operator.lt: _comparison(gast.Lt),
    operator.le: _comparison(gast.LtE),
    operator.eq: _comparison(gast.Eq),
    operator.ne: _comparison(gast.NotEq),
    operator.gt: _comparison(gast.Gt),
    operator.ge: _comparison(gast.GtE),
    operator.concat: _binary(operator.add),
}
