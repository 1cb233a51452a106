"""Lists and tuples where NumPy takes arrays: they become the arrays that NumPy would make."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import gast
import numpy as np

from adcompile.classes import is_hashable
from adcompile.frontend import subscripts
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Kwargs
from adcompile.frontend.operands import Known, Leaf, Operand, Tup, is_seq
from adcompile.ir.core import Value
from adcompile.ir.types import Array, Scalar, Seq, Static, Tree, Type, scalar_kind

# Functions of a sequence of arrays, and others that take a list as it is.
_JOINING = {np.concatenate, np.concat, np.stack, np.vstack, np.hstack, np.dstack, np.column_stack}
_OF_LISTS = {*_JOINING, np.array, np.asarray, np.shape, np.size, np.ndim}
_OF_LISTS |= {np.block, np.choose, np.linalg.multi_dot, np.piecewise, np.select}
# Parameters that are no arrays even if they are floats, and those that are even if integers.
_NEVER = {"bounds", "constant_values", "end_values", "range"}
_ALWAYS = {"A", "a", "arr", "array", "ary", "b", "m", "v", "x", "x1", "x2", "y"}


def as_array(cx: Context, node: gast.AST, x: Operand) -> Operand:
    """A list or tuple of numbers as an array; anything else as it is."""
    if _kinds(cx, x, inside=False) is None:
        return x
    made = subscripts.layout(cx, x, node)
    if made is not None and any(_is_row(cx, item) for item in made.items):
        x = _with_arrays(cx, node, made)  # types say how long lists are, but not how long rows
    return cx.emit(node, np.array, [x])


def operands(
    cx: Context, node: gast.AST, fn: Callable[..., Any], a: Operand, b: Operand
) -> tuple[Operand, Operand]:
    """The operands of an operator: if one of them is an array, NumPy makes one of the other."""
    least = 1 if fn is operator.mul else 0  # scalars of NumPy let a list repeat itself
    if any(isinstance(x, Value) and _rank(x.type) >= least for x in map(cx.held, (a, b))):
        return as_array(cx, node, a), as_array(cx, node, b)
    return a, b


def arguments(
    cx: Context, node: gast.AST, fn: Callable[..., Any], args: Args, kwargs: Kwargs
) -> tuple[Args, Kwargs]:
    """What a function of NumPy is passed."""
    if is_hashable(fn) and fn in _JOINING:
        return [_parts(cx, node, x) if k == 0 else x for k, x in enumerate(args)], kwargs
    if is_hashable(fn) and fn in _OF_LISTS:
        return args, kwargs
    names = [*_names(fn)[: len(args)], *[""] * (len(args) - len(_names(fn)))]

    def converted(name: str, x: Operand) -> Operand:
        return as_array(cx, node, x) if _is_wanted(cx, fn, name, x) else x

    made = [converted(name, x) for name, x in zip(names, args, strict=True)]
    return made, {name: converted(name, x) for name, x in kwargs.items()}


def _parts(cx: Context, node: gast.AST, x: Operand) -> Operand:
    """A sequence of arrays, each of which may be a list."""
    parts = subscripts.layout(cx, x, node)
    if parts is None or all(_kinds(cx, part, inside=False) is None for part in parts.items):
        return x
    return _with_arrays(cx, node, parts)


def _with_arrays(cx: Context, node: gast.AST, x: Tup) -> Tup:
    return Tup(x.node, x.keys, tuple([as_array(cx, node, item) for item in x.items]))


def _is_wanted(cx: Context, fn: Callable[..., Any], name: str, x: Operand) -> bool:
    """Whether `fn` makes an array of `x`: integers may also be axes, a shape, or indices."""
    kinds = _kinds(cx, x, inside=False)
    if kinds is None or name in _NEVER:
        return False
    return is_seq(cx.held(x)) or isinstance(fn, np.ufunc) or name in _ALWAYS or not kinds <= {"i"}


@lru_cache(maxsize=1024)
def _names(fn: Callable[..., Any]) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(fn).parameters)
    except (TypeError, ValueError):  # of functions in C
        return ()


def _is_row(cx: Context, x: Operand) -> bool:
    x = cx.held(x)
    return isinstance(x, Value) and _rank(x.type) > 0


def _rank(t: Type) -> int:
    return t.rank if isinstance(t, Array) else -1


def _kinds(cx: Context, x: Operand, inside: bool = True) -> set[str] | None:
    """The kinds of the dtypes in a list or tuple of numbers, arrays or such lists, else None.

    `inside` one, of the number or array, too.
    """
    x = cx.held(x)
    match x:
        case Tup(node, _, items) if node in (tuple, list):
            return _union(_kinds(cx, item) for item in items)
        case Known(value):
            return _of_object(value, inside)
        case Value() | Leaf():
            return _of_type(x.type, inside)
    return None


def _of_type(t: Type, inside: bool = True) -> set[str] | None:
    match t:
        case Scalar(kind) if inside:
            return {kind[0]}
        case Array(dtype) if inside:
            return {dtype.kind}
        case Static(value):
            return _of_object(value, inside)
        case Seq(item):
            return _of_type(item)
        case Tree(node, _, items) if node in (tuple, list):
            return _union(map(_of_type, items))
    return None


def _of_object(x: Any, inside: bool = True) -> set[str] | None:
    if isinstance(x, tuple | list):
        return _union(map(_of_object, x))
    if isinstance(x, np.ndarray | np.generic):
        return {x.dtype.kind} if inside else None
    kind = scalar_kind(x)
    return {kind[0]} if kind and inside else None


def _union(found: Iterable[set[str] | None]) -> set[str] | None:
    kinds: set[str] = set()
    for some in found:
        if some is None:
            return None
        kinds |= some
    return kinds
