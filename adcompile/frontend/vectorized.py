"""Functions of NumPy that are given a function of the program: what they do with it.

`np.vectorize(f)(x)` and `np.apply_along_axis(f, axis, x)` are loops over positions (`mapping`),
with `f` inlined.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import gast
import numpy as np

from adcompile.frontend import calls, mapping, objects
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Kwargs, bound
from adcompile.frontend.operands import Known, Operand, Tup
from adcompile.ir.core import Value
from adcompile.ir.infer import infer_call
from adcompile.ir.types import Array, Scalar, Tree


@dataclass(frozen=True, slots=True)
class Vectorized:
    """`np.vectorize(function)`, and the dtype of its results if one is given."""

    function: Operand
    dtype: Any = None
    plain: bool = True  # neither `excluded` nor `signature`


def of_object(fn: Any) -> Vectorized:
    """What an `np.vectorize` object from outside does."""
    plain = not getattr(fn, "excluded", None) and getattr(fn, "signature", None) is None
    return Vectorized(Known(fn.pyfunc), getattr(fn, "otypes", None), plain)


def _vectorize(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    names = ("pyfunc", "otypes", "doc", "excluded", "cache", "signature")
    function, otypes, _, excluded, _, signature = bound(
        cx, node, "np.vectorize", names, args, kwargs
    )
    assert function is not None
    dtype = None
    if otypes is not None:
        dtype = _known(cx, otypes, node)
    made = Vectorized(function, dtype, excluded is None and signature is None)
    return objects.Action(lambda cx, node, args, kwargs: call(cx, node, made, args, kwargs))  # type: ignore[return-value]


def _known(cx: Context, x: Operand, node: gast.AST) -> Any:
    held = cx.held(x)
    if isinstance(held, Tup):
        return [cx.static(i, node) for i in held.items]
    return cx.static(x, node)


def call(cx: Context, node: gast.AST, fn: Vectorized, args: Args, kwargs: Kwargs) -> Operand:
    """`np.vectorize(f)(*args)`."""
    if not args or kwargs or not fn.plain:
        cx.unsupported(
            "np.vectorize is supported for positional arguments, without `excluded` and "
            "`signature`",
            node,
            "write a loop",
        )
    arrays = [cx.value(a, node) for a in args]
    dtype = Known(_dtype(cx, node, fn, arrays))
    if all(not isinstance(v.type, Array) or not v.type.rank for v in arrays):
        return cx.emit(node, np.asarray, [calls.call(cx, node, fn.function, args, {}), dtype])
    if len(args) == 1:
        return _run(cx, node, mapping.elementwise, [fn.function, dtype, *args])
    shape = _common_shape(cx, node, arrays)
    return _run(cx, node, mapping.elementwise_of_several, [fn.function, dtype, shape, *args])


def _common_shape(cx: Context, node: gast.AST, arrays: list[Value]) -> Operand:
    """The shape that arrays and numbers broadcast to."""
    wide = [v for v in arrays if isinstance(v.type, Array) and v.type.rank]
    shapes = [cx.emit(node, np.shape, [v], member="shape") for v in wide]
    if len(wide) == 1:
        return shapes[0]
    t = functools.reduce(
        lambda t, v: cx.inferred(
            lambda: infer_call(np.add, [Value(t), Value(v.type)], {}), lambda old: None, node
        ),
        wide[1:],
        wide[0].type,
    )
    sizes = tuple([Scalar("int", n) for n in t.shape])
    types = [Tree(tuple, tuple(range(len(sizes))), sizes)]
    return cx.emit(node, np.broadcast_shapes, shapes, types=types)


def _dtype(cx: Context, node: gast.AST, fn: Vectorized, arrays: list[Value]) -> Any:
    """The dtype of the results: as given, or what the function gives for one element."""
    if fn.dtype:
        dtypes = list(fn.dtype)
        if len(dtypes) == 1:
            return np.dtype(dtypes[0]).type
        cx.unsupported("np.vectorize of a function with several results", node, "write a loop")
    outer = cx.enter()
    items = [
        Value(Array(v.type.dtype, ())) if isinstance(v.type, Array) and v.type.rank else v
        for v in arrays
    ]
    result = cx.emit(node, np.asarray, [calls.call(cx, node, fn.function, list(items), {})])
    cx.leave(outer)
    t = result.type if isinstance(result, Value) else None
    if not isinstance(t, Array) or t.rank:
        cx.unsupported(
            "np.vectorize of a function that does not give one number", node, "write a loop"
        )
    return t.dtype.type


def _run(cx: Context, node: gast.AST, template: Any, args: Args) -> Operand:
    return calls.inline(cx, node, calls.closure_of(cx, template, node), args, {})


def _with_more(cx: Context, fn: Operand, args: Args, kwargs: Kwargs) -> Operand:
    """`fn` with further arguments behind the first."""
    if not args and not kwargs:
        return fn
    return objects.Action(  # type: ignore[return-value]
        lambda cx, node, first, _: calls.call(cx, node, fn, [*first, *args], kwargs)
    )


def _apply_along_axis(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    if len(args) < 3:
        cx.unsupported(
            "np.apply_along_axis needs the function, the axis and the array in this order", node
        )
    function, axis, x, *more = args
    v = cx.value(x, node)
    if not isinstance(v.type, Array) or not v.type.rank:
        cx.mismatch("np.apply_along_axis needs an array with an axis", node)
    function = _with_more(cx, function, more, kwargs)
    if v.type.rank == 1:
        return _run(cx, node, mapping.along_only_axis, [function, x])
    return _run(cx, node, mapping.along_axis, [function, axis, x])


def _apply_over_axes(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    function, x, axes = bound(
        cx, node, "np.apply_over_axes", ("func", "a", "axes"), args, kwargs, 3
    )
    assert function is not None and x is not None and axes is not None
    if not isinstance(cx.held(axes), Tup):
        axes = Tup(tuple, (0,), (axes,))
    return _run(cx, node, mapping.over_axes, [function, x, axes])


HANDLERS: dict[Any, Any] = {
    np.vectorize: _vectorize,
    np.apply_along_axis: _apply_along_axis,
    np.apply_over_axes: _apply_over_axes,
}
