"""Functions of users that have a rule: they stay calls, and their source is not differentiated."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from typing import Any

import gast

from adcompile.classes import is_hashable
from adcompile.errors import SourceUnavailable
from adcompile.frontend import calls, containers
from adcompile.frontend.context import Context
from adcompile.frontend.operands import Operand
from adcompile.ir.types import Tree
from adcompile.rules import registry


def has_rule(fn: Any) -> bool:
    return (
        calls.package_of(fn) not in calls.LIBRARIES
        and is_hashable(fn)
        and registry.lookup(fn) is not None
    )


def call(
    cx: Context, node: gast.AST, fn: Any, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand:
    """A call that is kept as one; the body, if there is one, gives the type."""
    operands = [cx.value(a, node) for a in args]
    named = {k: cx.value(v, node) for k, v in kwargs.items()}
    if calls.is_typed(fn, operands, named) or not isinstance(fn, types.FunctionType):
        return cx.emit(node, fn, list(operands), dict(named))
    try:
        found = calls.type_of_body(cx, node, fn, operands, named)
    except SourceUnavailable:  # what uses the result says so
        return cx.emit(node, fn, list(operands), dict(named))
    parts = list(found.items) if isinstance(found, Tree) and found.node is tuple else [found]
    return cx.emit(node, fn, list(operands), dict(named), types=parts)


def body(cx: Context, node: gast.AST, fn: Any, passed: Mapping[str, Operand]) -> Operand | None:
    """What stands for the body of `fn`, if it has a rule and is differentiated itself: a call.

    `passed` are its arguments by the names of its parameters; defaults are left to it.
    """
    if not has_rule(fn):
        return None
    args: list[Operand] = []
    kwargs: dict[str, Operand] = {}
    by_position = True
    for p in inspect.signature(fn, follow_wrapped=False).parameters.values():
        by_position &= p.name in passed or p.kind is p.VAR_POSITIONAL
        by_position &= p.kind is not p.KEYWORD_ONLY
        if p.name not in passed:
            continue
        x = passed[p.name]
        if p.kind is p.VAR_POSITIONAL:
            args += containers.layout_of(cx, x, node).items
        elif p.kind is p.VAR_KEYWORD:
            rest = containers.layout_of(cx, x, node)
            kwargs.update(zip(map(str, rest.keys), rest.items, strict=True))
        elif by_position:
            args.append(x)
        else:
            kwargs[p.name] = x
    return call(cx, node, fn, args, kwargs)
