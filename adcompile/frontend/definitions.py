"""Names that are defined inside a function: imports, and decorated functions."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import gast

from adcompile.frontend import attributes, calls, expressions, naming
from adcompile.frontend.context import Context
from adcompile.frontend.operands import Known, Operand, Unbound
from adcompile.ir import core
from adcompile.ir.types import Opaque

# Decorators that give a function that computes the same.
_TRANSPARENT = (functools.cache, functools.lru_cache)
_TRANSPARENT_CALLED = (functools.wraps, functools.lru_cache)


def decorator(cx: Context, node: Any) -> Callable[[Operand], Operand]:
    """Evaluate the expression of a decorator; what it makes of a function."""
    if isinstance(node, gast.Call) and _is_one_of(cx, node.func, _TRANSPARENT_CALLED):
        for part in (*node.args, *(k.value for k in node.keywords)):
            expressions.evaluate(cx, part)
        return lambda function: function
    if _is_one_of(cx, node, _TRANSPARENT):
        return lambda function: function
    made = expressions.evaluate(cx, node)
    return lambda function: calls.call(cx, node, made, [function], {})


def _is_one_of(cx: Context, node: Any, functions: tuple[Any, ...]) -> bool:
    """Whether a name, dotted or not, means one of `functions`."""
    inner = node
    while isinstance(inner, gast.Attribute):
        inner = inner.value
    if not isinstance(inner, gast.Name):
        return False
    cell = cx.frame.find(inner.id)
    if cell is not None and isinstance(cx.store.get(cell), Unbound):
        return False
    found = cx.known(expressions.evaluate(cx, node))
    return any(found is f for f in functions)


def import_(cx: Context, node: Any) -> None:
    """`import a.b as c`, `from a import b`: done once, when the function is compiled.

    What cannot be imported raises where the program does.
    """
    for alias in node.names:
        try:
            x = _from(cx, node, alias) if isinstance(node, gast.ImportFrom) else _module(alias)
        except ImportError as e:
            b = cx.here(node)
            made = b.call_op(type(e), [str(e)], types=[Opaque(type(e))])
            b.add(core.Raise, made.results, ())
            cx.dead = True
            return
        name = (alias.asname or alias.name).partition(".")[0]
        naming.bind(cx, name, x, len(cx.builder.block.ops))


def _module(alias: Any) -> Operand:
    module = importlib.import_module(alias.name)
    if alias.asname is None:
        module = importlib.import_module(alias.name.partition(".")[0])
    return Known(module)


def _from(cx: Context, node: Any, alias: Any) -> Operand:
    root = cx.frame.root
    package = root.__globals__.get("__package__") if root is not None else None
    module = importlib.import_module("." * (node.level or 0) + (node.module or ""), package)
    if not hasattr(module, alias.name):
        try:
            return Known(importlib.import_module(f"{module.__name__}.{alias.name}"))
        except ModuleNotFoundError:
            where = getattr(module, "__file__", None) or "unknown location"
            message = f"cannot import name {alias.name!r} from {module.__name__!r} ({where})"
            raise ImportError(message) from None
    return attributes.attribute(cx, Known(module), alias.name, node)
