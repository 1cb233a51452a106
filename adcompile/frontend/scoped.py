"""`with manager: …`: a block under managers that touch no value that carries a derivative.

A manager is entered and left by Python's own `with` in the generated code: once, in order, with
what it yields (`as name`) as an object of which nothing is known. One that may swallow exceptions
is refused, since what follows would go on with values that were never computed;
`contextlib.suppress` is a `try` statement.
"""

from __future__ import annotations

import contextlib
import io
import types
from collections.abc import Callable, Iterator
from typing import Any

import gast
import numpy as np

from adcompile.errors import SourceUnavailable
from adcompile.frontend import builtin_calls, exceptions, expressions, hooks, targets
from adcompile.frontend.context import Context, leaf_types
from adcompile.frontend.handed import hand_on, take
from adcompile.frontend.operands import Known, Operand
from adcompile.frontend.source import at, get_source
from adcompile.hooks import gradient_of
from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.types import Opaque, is_inexact

Run = Callable[[Context, list[Any]], Iterator[Any]]

_PASS_ON = ("_thread", "threading", "_io", "io", "tempfile", "warnings", "numpy")  # exceptions
_ASIDE = "leave this context manager outside of the differentiated function"


def with_(cx: Context, node: Any, run: Run) -> Iterator[Any]:
    """Lower a `with` statement; the managers of one with several are nested."""
    item = node.items[0]
    body = node.body if len(node.items) == 1 else [_nested(node)]
    made = _called(cx, item.context_expr)
    if made is contextlib.suppress:
        yield exceptions.try_(cx, _as_try(item.context_expr, body, node), run)
        return
    if made is gradient_of:
        yield hooks.with_(cx, node, body, run)
        return
    manager, effect = _manager(cx, item.context_expr, made)
    outer = cx.enter()
    if item.optional_vars is not None:
        entered = Value(_entered(made), getattr(item.optional_vars, "id", None))
        cx.builder.block.params.append(entered)
        entered.owner = cx.builder.block
        targets.assign(cx, item.optional_vars, entered, 0)
    yield run(cx, body)
    handed = hand_on(cx, arm := cx.leave(outer), node)
    arm.builder.yield_(*handed.values)
    op = cx.here(node).add(core.Scope, [manager], handed.types, body=arm.block, effect=effect)
    take(cx, handed, op.results, op)
    cx.dead = arm.dead


def _nested(node: Any) -> Any:
    return at(gast.With(node.items[1:], node.body, None), node)


def _as_try(call: Any, body: list[Any], node: Any) -> Any:
    """`with suppress(A, B): body` is `try: body` and `except (A, B): pass`."""
    classes = at(gast.Tuple(call.args, gast.Load()), call)
    handler = at(gast.ExceptHandler(classes, None, [at(gast.Pass(), node)]), call)
    return at(gast.Try(body, [handler], [], []), node)


def _called(cx: Context, node: Any) -> Any:
    """What makes the manager, if that is a call of something known."""
    if not isinstance(node, gast.Call):
        return None
    made = expressions.evaluate(cx, node.func)
    return made.value if isinstance(made, Known) else None


def _manager(cx: Context, node: Any, made: Any) -> tuple[Value, bool]:
    """The manager, and whether entering it is an effect, to be had once."""
    if made is np.errstate:
        return cx.value(expressions.evaluate(cx, node), node), False
    if made is not None:
        if _may_swallow(made):
            _refuse(cx, node)
        return _made_as_it_is(cx, node, made), True
    x = expressions.evaluate(cx, node)
    cls = builtin_calls.class_of(cx, x) or object
    if cls is object and isinstance(x, Value) and isinstance(x.owner, core.Call):
        cls = x.owner.fn  # what has made it: `threading.Lock`
    if not isinstance(x, Known | Value):
        cx.unsupported(
            "an object that the program makes is no context manager here",
            node,
            f"make it in the header, `with {cls.__name__}():`, or outside of the function",
        )
    if cls is np.errstate:
        return cx.value(x, node), False
    if isinstance(cls, type) and not hasattr(cls, "__enter__"):
        cx.mismatch("this is no context manager", node)
    if _may_swallow(cls):
        _refuse(cx, node)
    return cx.value(x, node), True


def _refuse(cx: Context, node: Any) -> None:
    cx.unsupported(
        "this context manager may swallow exceptions, as far as one can see",
        node,
        f"catch them with `try`, or {_ASIDE}",
    )


def _made_as_it_is(cx: Context, node: Any, made: Any) -> Value:
    args = expressions.elements(cx, node.args)
    named: dict[str, Operand] = {}
    for k in node.keywords:
        if k.arg is None:
            cx.unsupported("`**` in the call of a context manager", node, "write its arguments out")
        named[k.arg] = expressions.evaluate(cx, k.value)
    for x in (*args, *named.values()):
        v = cx.value(x, node)
        constant = isinstance(v.owner, core.Const | core.Global)
        if not constant and any(map(is_inexact, leaf_types(v.type))):
            cx.unsupported(
                "a context manager that is given an array or a float cannot be differentiated",
                node,
                _ASIDE,
            )
    found = cx.emit(node, made, args, named, effect=True, types=[Opaque(object)])
    assert isinstance(found, Value)
    return found


def _entered(made: Any) -> Opaque:
    """What `as name` stands for, where that can be seen."""
    if made is open:
        return Opaque(io.TextIOWrapper)
    if isinstance(made, type) and made.__module__ == "_io":
        return Opaque(made)
    enter = getattr(made, "__enter__", None) if isinstance(made, type) else None
    if isinstance(enter, types.FunctionType) and not _has(enter, _gives_another):
        return Opaque(made)
    return Opaque(object)


def _gives_another(node: Any) -> bool:
    return isinstance(node, gast.Return) and getattr(node.value, "id", None) != "self"


# --- does it swallow exceptions? ----------------------------------------------------------------


def _may_swallow(made: Any) -> bool:
    """Whether a class, or what makes a manager, is not known to let exceptions pass."""
    generator = getattr(made, "__wrapped__", None)  # of contextlib.contextmanager
    if isinstance(generator, types.FunctionType) and made.__module__ != "contextlib":
        return _has(generator, lambda n: isinstance(n, gast.ExceptHandler | gast.Return))
    cls = made if isinstance(made, type) else type(getattr(made, "__self__", None))
    if made in (open, contextlib.nullcontext, contextlib.closing):
        return False
    if (getattr(made, "__module__", None) or "").partition(".")[0] in _PASS_ON:
        return False
    leave = getattr(cls, "__exit__", None)
    if not isinstance(made, type) or not isinstance(leave, types.FunctionType):
        return True
    return _has(leave, _gives_something)


def _gives_something(node: Any) -> bool:
    if not isinstance(node, gast.Return) or node.value is None:
        return False
    return not (isinstance(node.value, gast.Constant) and not node.value.value)


def _has(function: types.FunctionType, kind: Callable[[Any], bool]) -> bool:
    try:
        return any(map(kind, gast.walk(get_source(function).tree)))
    except SourceUnavailable:
        return True
