"""Strings: formatted from numbers and arrays, for messages.

A string decides no derivative, so all that is known of one that is made at run time is that it is
a string. An f-string becomes the call of `str.format` that gives the same text.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import gast

from adcompile.frontend import builtin_calls, collecting, joins, subscripts
from adcompile.frontend.context import Context
from adcompile.frontend.operands import Known, Operand, is_bottom
from adcompile.ir.core import MISSING, Value
from adcompile.ir.types import BOOL, INT, Opaque, Type

TEXT = Opaque(str)

# What the methods of a string return, where it is no string.
RESULTS: dict[str, Type] = {
    **dict.fromkeys(("count", "find", "index", "rfind", "rindex"), INT),
    **dict.fromkeys(("endswith", "startswith"), BOOL),
    **{name: BOOL for name in dir(str) if name.startswith("is")},
    **dict.fromkeys(("encode", "maketrans", "partition", "rpartition"), Opaque(object)),
    **dict.fromkeys(("rsplit", "split", "splitlines"), Opaque(object)),
}


def is_text(x: Operand) -> bool:
    """Whether `x` is a string, known or not."""
    return (isinstance(x, Known) and isinstance(x.value, str)) or (
        isinstance(x, Value) and x.type == TEXT
    )


def joined(cx: Context, node: gast.JoinedStr) -> Operand:
    """An f-string."""
    form, parts = _form(cx, node)
    known = [cx.known(p) for p in parts]
    if not any(k is MISSING for k in known):
        return Known(_format(cx, node, form, *known))
    return method(cx, node, Known(form), "format", parts, {})


def _form(cx: Context, node: gast.JoinedStr) -> tuple[str, list[Operand]]:
    """The argument of `str.format` that an f-string stands for, and what is formatted."""
    form, parts = "", []
    for part in node.values:
        if isinstance(part, gast.Constant):
            form += _escaped(str(part.value))
            continue
        assert isinstance(part, gast.FormattedValue)
        x = cx.evaluate(cx, part.value)
        conversion = f"!{chr(part.conversion)}" if part.conversion > 0 else ""
        inner, more = ("", []) if part.format_spec is None else _form(cx, part.format_spec)
        field = "{" + conversion + (f":{inner}" if inner else "") + "}"
        if isinstance(x, Known) and not more:
            form += _escaped(_format(cx, node, field, x.value))
            continue
        form += field
        parts += [x, *more]
    return form, parts


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _format(cx: Context, node: gast.AST, form: str, *values: Any) -> str:
    try:
        return form.format(*values)
    except (TypeError, ValueError, AttributeError) as e:
        cx.mismatch(f"{type(e).__name__}: {e}", node)


def method(
    cx: Context,
    node: gast.AST,
    x: Operand,
    name: str,
    args: list[Operand],
    kwargs: dict[str, Operand],
) -> Operand:
    """`x.name(*args)` of a string."""
    fn = getattr(str, name, None)
    if fn is None:
        cx.mismatch(f"a str has no method `{name}`", node)
    if any(map(is_bottom, (*args, *kwargs.values()))):
        return cx.bottom(node)
    if name == "join" and len(args) == 1:
        args = [collecting.listed(cx, node, args[0])]
        known = [cx.known(x), *(subscripts.known_items(cx, args[0]) or [MISSING])]
        if MISSING not in known and all(isinstance(k, str) for k in known):
            return Known(known[0].join(known[1:]))
    types = [RESULTS.get(name, TEXT)]
    return cx.emit(node, fn, [x, *args], kwargs, member=f"{name}()", types=types)


def operator_on(cx: Context, node: gast.AST, fn: Any, a: Operand, b: Operand) -> Operand:
    """`a fn b` where one of them is a string: formatting, concatenation, repetition."""
    joins_texts = fn is operator.add and is_text(a) and is_text(b)
    repeats = fn is operator.mul and any(builtin_calls.class_of(cx, x) is int for x in (a, b))
    if not (joins_texts or repeats or (fn is operator.mod and is_text(a))):
        what = " and ".join(joins.describe_operand(x) for x in (a, b))
        cx.mismatch(f"`{fn.__name__}` is not defined for {what}", node)
    return cx.emit(node, fn, [a, b], types=[TEXT])


def conversion(fn: Callable[..., Any]) -> Callable[..., Operand]:
    """`str`, `repr` and their kin."""

    def handler(
        cx: Context, node: gast.AST, args: list[Operand], kwargs: dict[str, Operand]
    ) -> Operand:
        if not args:
            return Known("")
        if any(map(is_bottom, args)):
            return cx.bottom(node)
        if not kwargs and all(isinstance(a, Known) for a in args):
            try:
                return Known(fn(*[a.value for a in args if isinstance(a, Known)]))
            except Exception as e:
                cx.mismatch(f"{type(e).__name__}: {e}", node)
        return cx.emit(node, fn, args, kwargs, types=[TEXT])

    return handler
