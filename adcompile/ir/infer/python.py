"""Python's own: operators, builtins and the math module, on numbers, arrays and containers."""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from adcompile.ir.core import Value
from adcompile.ir.infer import sizes
from adcompile.ir.infer.elementwise import elementwise
from adcompile.ir.infer.samples import run, sample
from adcompile.ir.infer.table import ENTRIES, Result
from adcompile.ir.infer.values import known, size_of
from adcompile.ir.types import (
    BOOL,
    Array,
    Scalar,
    Seq,
    Size,
    Tree,
    Type,
    TypeClash,
    describe,
    join,
)

Kwargs = dict[str, Value]


def _is_array(v: Value) -> bool:
    return isinstance(v.type, Array) or (isinstance(v.type, Seq | Tree) and _holds_array(v.type))


def _holds_array(t: Type) -> bool:
    if isinstance(t, Seq):
        return _holds_array(t.item)
    return isinstance(t, Array) or (isinstance(t, Tree) and any(map(_holds_array, t.items)))


_OF_SEQUENCES = tuple(
    [getattr(math, name) for name in ("fsum", "prod", "dist", "sumprod") if hasattr(math, name)]
)


def numeric(fn: Callable[..., Any], args: Sequence[Value], kwargs: Kwargs) -> Result:
    """A function of numbers, `math.sin` or `float`: what it makes of samples.

    An array must be a single number; a list is handed over as it is.
    """
    for v in args:
        if isinstance(v.type, Array) and v.type.rank and fn not in _OF_SEQUENCES:
            raise TypeClash(
                f"{fn.__name__}: only 0-dimensional arrays can be converted to Python scalars"
            )
    named = tuple([(k, sample(v)) for k, v in kwargs.items()])
    return run(fn, tuple([sample(v) for v in args]), named, scalar=True)


# --- operators ----------------------------------------------------------------------------------


def operate(fn: Callable[..., Any], args: list[Value], kwargs: Kwargs) -> Result:
    """An operator: elementwise if there is an array, else on numbers or on containers."""
    if any(isinstance(v.type, Array) for v in args):
        return elementwise(fn, args, kwargs)
    if any(isinstance(v.type, Tree | Seq) for v in args):
        return _containers(fn, args)
    found = numeric(fn, args, kwargs)
    if found == Scalar("int") and fn in _SIZES:
        return Scalar("int", _size(_SIZES[fn], args))
    return found


def _size(compute: Callable[..., Size], args: list[Value]) -> Size | None:
    """The number that an operator on ints gives, where one of them is a size."""
    if any(v.type != Scalar("int") for v in args):
        return None
    if all(isinstance(v.type, Scalar) and v.type.size is None for v in args):
        return None
    return compute(*map(size_of, args))


_SIZES: dict[Callable[..., Any], Callable[..., Size]] = {
    operator.add: sizes.add,
    operator.sub: lambda a, b: sizes.add(a, b, -1),
    operator.mul: lambda a, b: sizes.product([a, b]),
    operator.floordiv: sizes.floordiv,
    operator.neg: lambda a: sizes.product([-1, a]),
    operator.pos: lambda a: a,
}


def _containers(fn: Callable[..., Any], args: list[Value]) -> Type:
    left, right = (v.type for v in (*args, *args)[:2])
    if (
        fn is operator.add
        and isinstance(left, Tree)
        and isinstance(right, Tree)
        and left.node is right.node
    ):
        return Tree(
            left.node, tuple(range(len(left.keys) + len(right.keys))), left.items + right.items
        )
    if fn is operator.add and isinstance(left, Seq) and isinstance(right, Seq | Tree):
        return Seq(
            reduce(join, right.items if isinstance(right, Tree) else (right.item,), left.item)
        )
    if fn is operator.mul and isinstance(right, Tree):
        return _containers(fn, args[::-1])
    if fn is operator.mul and isinstance(left, Tree) and isinstance(n := known(args[1]), int):
        return Tree(left.node, tuple(range(n * len(left.keys))), left.items * n)
    if fn in _COMPARISONS:
        return BOOL
    raise TypeClash(f"{fn.__name__} of {describe(left)} and {describe(right)}")


_COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)
_ARITHMETIC = (
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod),
    *(operator.pow, operator.neg, operator.pos, operator.invert, operator.and_, operator.or_),
    *(operator.xor, operator.lshift, operator.rshift, operator.inv, operator.abs),
    *(abs, pow, divmod),
)
ENTRIES.update(dict.fromkeys((*_ARITHMETIC, *_COMPARISONS), operate))


def _truth(fn: Callable[..., Any], args: list[Value], kwargs: Kwargs) -> Result:
    if any(isinstance(v.type, Array) and any(s != 1 for s in v.type.shape) for v in args):
        raise TypeClash(
            "The truth value of an array with more than one element is ambiguous. "
            "Use a.any() or a.all()"
        )
    return BOOL


ENTRIES.update(dict.fromkeys((operator.not_, operator.truth, bool), _truth))


def _bool(fn: Callable[..., Any], args: list[Value], kwargs: Kwargs) -> Result:
    return BOOL


ENTRIES.update(dict.fromkeys((operator.is_, operator.is_not, operator.contains, isinstance), _bool))


# --- builtins -----------------------------------------------------------------------------------


def _of_items(args: list[Value]) -> list[Type] | None:
    """The types of what a single argument is a collection of."""
    (t,) = (v.type for v in args)
    if isinstance(t, Tree):
        return list(t.items) if t.node is not dict else None
    if isinstance(t, Seq):
        return [t.item]
    if isinstance(t, Array) and t.rank:
        return [Array(t.dtype, t.shape[1:])]
    return None


def _extreme(fn: Callable[..., Any], args: list[Value], kwargs: Kwargs) -> Result:
    """`min` and `max`: one of the arguments, or of the items of the only one."""
    if "key" in kwargs:
        raise TypeClash(f"{fn.__name__} with a key")
    items = [v.type for v in args] if len(args) > 1 else _of_items(args)
    if not items or any(isinstance(t, Array) and t.rank for t in items):
        raise TypeClash(f"{fn.__name__} of {describe(args[0].type)} (use np.{fn.__name__})")
    found = reduce(join, [*items, *(v.type for v in kwargs.values())])
    return Scalar(found.kind) if isinstance(found, Scalar) and len(items) > 1 else found


ENTRIES.update({min: _extreme, max: _extreme})


def _sum(fn: Callable[..., Any], args: list[Value], kwargs: Kwargs) -> Result:
    items = _of_items(args[:1])
    if items is None:
        raise TypeClash(f"{describe(args[0].type)} cannot be summed")
    start = args[1].type if len(args) > 1 else kwargs["start"].type if kwargs else Scalar("int")
    result = start if not isinstance(start, Scalar) else Scalar(start.kind)
    for item in items * (2 if isinstance(args[0].type, Seq | Array) else 1):
        added = operate(operator.add, [Value(result), Value(item)], {})
        assert not isinstance(added, tuple)
        result = added
    return Scalar(result.kind) if isinstance(result, Scalar) else result


ENTRIES[builtins.sum] = _sum


def _len(fn: Callable[..., Any], args: list[Value], kwargs: Kwargs) -> Result:
    t = args[0].type
    if isinstance(t, Tree):
        return Scalar("int", len(t.keys))
    if isinstance(t, Array) and not t.rank:
        raise TypeClash("len() of unsized object")
    if isinstance(t, Seq):  # of whatever items
        return Scalar("int", sizes.derived("len", sizes.number(args[0])))
    if isinstance(t, Array):
        return Scalar("int", t.shape[0])
    return numeric(fn, args, kwargs)


ENTRIES[len] = _len


def _number(fn: Callable[..., Any], args: list[Value], kwargs: Kwargs) -> Result:
    """`int`, `float`, `round`, …: of numbers, and of arrays of rank 0."""
    found = numeric(fn, args, kwargs)
    keeps = fn in (int, operator.index) and args and args[0].type == Scalar("int")
    return args[0].type if keeps else found


ENTRIES.update(dict.fromkeys((int, float, complex, round, operator.index), _number))


def _any(fn: Callable[..., Any], args: list[Value], kwargs: Kwargs) -> Result:
    items = _of_items(args)
    if items is None:
        raise TypeClash(f"{describe(args[0].type)} is not iterable")
    return _truth(fn, [Value(t) for t in items], {})


ENTRIES.update({any: _any, all: _any})


def _item(fn: Callable[..., Any], args: list[Value], kwargs: Kwargs) -> Result:
    """`x.item()`: a Python number."""
    t = args[0].type
    if not isinstance(t, Array):
        raise TypeClash(f"{describe(t)} has no method item")
    return run(np.ndarray.item, (Array(t.dtype, (1,) * max(t.rank, 1)),))


ENTRIES[np.ndarray.item] = _item
