"""`stop_gradient(x)` and `clip_gradient(x, lo, hi)`: calls that return what they are given.

Of a tree each leaf that may have a derivative is a call of its own. Containers that can be written
are other ones afterwards, as far as the compiler is concerned: neither may be written any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gast

from adcompile import classes
from adcompile.frontend import expressions, subscripts
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Handler, Kwargs, bound, refused
from adcompile.frontend.joins import describe_operand
from adcompile.frontend.operands import Known, Leaf, Obj, Operand, Tup, is_bottom
from adcompile.hooks import clip_gradient, gradient_of
from adcompile.ir.core import Value
from adcompile.ir.types import Array, Scalar, Seq, describe
from adcompile.runtime import stop_gradient

OnLeaf = Callable[[Value], Operand]


def _stop(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    (x,) = bound(cx, node, "stop_gradient", ("x",), args, kwargs)

    def stop(v: Value) -> Operand:
        return _call(cx, node, stop_gradient, [v])

    return _mapped(cx, node, x, "stop_gradient", stop, stop)


def _clip(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    x, *bounds = bound(cx, node, "clip_gradient", ("x", "lo", "hi"), args, kwargs)
    limits = [Known(None) if b is None else b for b in bounds]

    def clip(v: Value) -> Operand:
        for b in limits:
            _check_bound(cx, node, v, b)
        return _call(cx, node, clip_gradient, [v, *limits])

    def refuse(v: Value) -> Operand:
        cx.unsupported(
            f"`clip_gradient` of {describe(v.type)}", node, "clip each item where it is made"
        )

    return _mapped(cx, node, x, "clip_gradient", clip, refuse)


def _check_bound(cx: Context, node: gast.AST, v: Value, limit: Operand) -> None:
    """Refuse a bound that is no number and does not broadcast to `v`."""
    if cx.known(limit) is None:
        return
    t = cx.value(limit, node).type
    have, want = getattr(t, "shape", ()), getattr(v.type, "shape", ())
    stretched = any(a != 1 and b == 1 for a, b in zip(have[::-1], want[::-1], strict=False))
    if not isinstance(t, Scalar | Array) or len(have) > len(want) or stretched:
        cx.mismatch(
            f"{describe_operand(limit)} is no bound for the gradient of {describe(v.type)}",
            node,
            "give a number, or an array that broadcasts to it",
        )


def _call(cx: Context, node: gast.AST, fn: Callable[..., Any], args: list[Operand]) -> Operand:
    v = args[0]
    assert isinstance(v, Value)
    t = Scalar(v.type.kind) if isinstance(v.type, Scalar) else v.type
    made = cx.emit(node, fn, args, types=[t])
    if v in cx.boxed and isinstance(made, Value):
        cx.boxed.add(made)
    return made


def _mapped(
    cx: Context, node: gast.AST, x: Any, name: str, on_leaf: OnLeaf, on_list: OnLeaf
) -> Operand:
    """`x` with `on_leaf` of each array or number in it, `on_list` of lists of unknown length."""
    if is_bottom(x):
        return x
    if isinstance(x, Leaf):
        x = cx.value(x, node)
    if isinstance(x, Value) and isinstance(x.type, Array | Scalar):
        return on_leaf(x) if _may_vary(x.type) else x
    held = subscripts.layout(cx, x, node)
    if held is None:
        v = cx.held(x)
        return on_list(v) if isinstance(v, Value) and isinstance(v.type, Seq) else x
    items = [_mapped(cx, node, item, name, on_leaf, on_list) for item in held.items]
    made = Tup(held.node, held.keys, tuple(items))
    if held.node not in (list, dict) and not classes.is_mutable(held.node):
        return made
    reason = f"`{name}` was given it, and returned it"
    if isinstance(x, Obj):
        x.frozen = x.frozen or reason
    elif isinstance(x, Value):
        cx.heap.seal(x, f"this {held.node.__name__} cannot be written: {reason}")
    fresh = expressions.new_object(cx, made)
    fresh.frozen = reason
    return fresh


def _may_vary(t: Array | Scalar) -> bool:
    return t.kind in ("float", "complex") if isinstance(t, Scalar) else t.dtype.kind in "fc"


HANDLERS: dict[Any, Handler] = {
    stop_gradient: _stop,
    clip_gradient: _clip,
    gradient_of: refused(
        "`gradient_of` is no function to be called",
        "write it in the header of a `with` statement: `with gradient_of(x) as g:`",
    ),
}
