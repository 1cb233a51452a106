"""Operators and builtins on objects of classes written in Python: their special methods.

`a + b` asks `type(a).__add__`, then `type(b).__radd__`, each of which may decline with
`NotImplemented`; a subclass that overrides the reflected method is asked first.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import gast

from adcompile.frontend import calls, expressions, joins, objects
from adcompile.frontend.context import Context
from adcompile.frontend.operands import Known, Obj, Operand, is_bottom
from adcompile.ir.core import MISSING, Value
from adcompile.ir.types import Array

# The method, and the one of the other operand.
BINARY: dict[Callable[..., Any], tuple[str, str]] = {
    fn: (f"__{name}__", f"__r{name}__")
    for fn, name in {
        operator.add: "add",
        operator.sub: "sub",
        operator.mul: "mul",
        operator.truediv: "truediv",
        operator.floordiv: "floordiv",
        operator.mod: "mod",
        operator.pow: "pow",
        operator.matmul: "matmul",
        operator.and_: "and",
        operator.or_: "or",
        operator.xor: "xor",
        operator.lshift: "lshift",
        operator.rshift: "rshift",
    }.items()
}
BINARY |= {
    operator.lt: ("__lt__", "__gt__"),
    operator.le: ("__le__", "__ge__"),
    operator.gt: ("__gt__", "__lt__"),
    operator.ge: ("__ge__", "__le__"),
    operator.eq: ("__eq__", "__eq__"),
    operator.ne: ("__ne__", "__ne__"),
}
UNARY = {operator.neg: "__neg__", operator.pos: "__pos__", operator.invert: "__invert__"}
BUILTINS = {len: "__len__", abs: "__abs__", float: "__float__", int: "__int__", bool: "__bool__"}


def binary(
    cx: Context, fn: Callable[..., Any], a: Operand, b: Operand, node: gast.AST
) -> Operand | None:
    """`a fn b` where one of them is an object; None where neither is."""
    left, right = objects.class_of(cx, a), objects.class_of(cx, b)
    if left is None and right is None:
        return None
    name, reflected = BINARY[fn]
    asked = [(a, name, b), (b, reflected, a)]
    if left is right:
        asked = asked[: 1 if name != reflected and fn not in _ORDER else 2]
    elif _overrides(right, left, reflected):
        asked.reverse()
    _refuse_array(cx, a, right, node)
    for x, method, other in asked:
        found = _ask(cx, x, method, other, node)
        if found is not None:
            return found
    if fn in (operator.eq, operator.ne):
        return _equal(cx, fn, a, b, node)
    what = " and ".join([joins.describe_operand(cx.held(x)) for x in (a, b)])
    return cx.mismatch(f"`{name.strip('_')}` is not defined for {what}", node)


def _overrides(cls: type | None, base: type | None, name: str) -> bool:
    """Whether `cls` is a subclass of `base` with another method `name`."""
    if cls is None or base is None or not issubclass(cls, base):
        return False
    return objects.member(cls, name) is not objects.member(base, name)


_ORDER = {operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne}


def _ask(cx: Context, x: Operand, method: str, other: Operand, node: gast.AST) -> Operand | None:
    """What a special method gives, or None where there is none or it declines."""
    bound = objects.special(cx, x, method, node)
    if bound is None and method == "__ne__":  # Python's own is `not ==`
        equal = _ask(cx, x, "__eq__", other, node)
        return None if equal is None else expressions.negated(cx, equal, node)
    if bound is None:
        return None
    result = calls.call(cx, node, bound, [other], {})
    return None if isinstance(result, Known) and result.value is NotImplemented else result


def _refuse_array(cx: Context, a: Operand, right: type | None, node: gast.AST) -> None:
    """`array + obj`: NumPy asks the object only if its class says so."""
    if isinstance(a, Value) and isinstance(a.type, Array) and right is not None:
        hook = objects.member(right, "__array_ufunc__")
        if hook is not None:
            cx.unsupported(
                f"NumPy would take this {right.__name__} for an element of an array",
                node,
                "write the object on the left, or `__array_ufunc__ = None` in its class",
            )


def _equal(
    cx: Context, fn: Callable[..., Any], a: Operand, b: Operand, node: gast.AST
) -> Operand | None:
    """`==` of dataclasses compares their fields; that of other objects asks for identity."""
    left, right = objects.class_of(cx, a), objects.class_of(cx, b)
    same = left is right
    if (
        same
        and left is not None
        and "__eq__" in vars(left)
        and objects.member(left, "__eq__") is not object.__eq__
    ):
        return None  # of a dataclass: as containers are compared
    if a is b or not same or (isinstance(a, Obj) and isinstance(b, Obj)):
        return Known((a is b) is (fn is operator.eq))
    return cx.mismatch("whether these are the same object is not known at compile time", node)


def unary(cx: Context, fn: Callable[..., Any], x: Operand, node: gast.AST) -> Operand | None:
    """`-x` and the like of an object; None where it is none."""
    if fn not in UNARY or (cls := objects.class_of(cx, x)) is None:
        return None
    bound = objects.special(cx, x, UNARY[fn], node)
    if bound is None:
        cx.mismatch(f"a {cls.__name__} has no `{UNARY[fn]}`", node)
    return calls.call(cx, node, bound, [], {})


def augmented(
    cx: Context, fn: Callable[..., Any], x: Operand, value: Operand, node: gast.AST
) -> Operand | None:
    """`x += value` of an object: `__iadd__` if its class has one; None for all else."""
    if objects.class_of(cx, x) is None:
        return None
    return _ask(cx, x, "__i" + BINARY[fn][0][2:], value, node) or binary(cx, fn, x, value, node)


def call(cx: Context, x: Operand, name: str, node: gast.AST, *args: Operand) -> Operand | None:
    """`x.name(*args)` for a special method, or None where `x` is no object that has it."""
    bound = None if is_bottom(x) else objects.special(cx, x, name, node)
    return None if bound is None else calls.call(cx, node, bound, list(args), {})


def iterated(cx: Context, x: Operand, node: gast.AST) -> Operand:
    """What a loop over `x` runs over: for an object, what `__iter__` gives."""
    cls = objects.class_of(cx, x)
    if cls is None:
        return x
    found = call(cx, x, "__iter__", node)
    if found is None:
        cx.mismatch(f"a {cls.__name__} is not iterable", node, "give it an `__iter__` method")
    return found


def truth(cx: Context, x: Operand, node: gast.AST) -> Operand:
    """What is tested when `x` is: for an object, what `__bool__` or `__len__` gives."""
    if objects.class_of(cx, x) is None:
        return x
    found = call(cx, x, "__bool__", node)
    if found is None:
        found = call(cx, x, "__len__", node)
    return Known(True) if found is None else found


def builtin(
    cx: Context, fn: Any, args: list[Operand], kwargs: dict[str, Operand], node: gast.AST
) -> Operand | None:
    """`len(x)`, `abs(x)`, … of an object; None for all else."""
    if len(args) != 1 or kwargs or fn not in BUILTINS:
        return None
    if objects.class_of(cx, args[0]) is None:
        return None
    if fn is bool:
        x = truth(cx, args[0], node)
        known = cx.known(x)
        return Known(bool(known)) if known is not MISSING else cx.emit(node, bool, [x])
    return call(cx, args[0], BUILTINS[fn], node)
