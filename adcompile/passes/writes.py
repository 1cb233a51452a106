"""Patterns of writes: signs taken in, zeros that are added to at once."""

from __future__ import annotations

import operator

from adcompile.ir import core
from adcompile.ir.core import Update, Value, is_quoted
from adcompile.ir.types import Array
from adcompile.passes.algebra import negated
from adcompile.passes.patterns import Match, is_scalar, pattern
from adcompile.passes.sums import is_zero

_MOST_STEPS = 8  # additions to other places, between zeros and what is added to them


def same_place(a: Update, b: Update) -> bool:
    """Whether two writes surely go to the same elements."""
    if a.spec != b.spec or a.views != b.views:
        return False
    return all(map(_same, a.operands[2:], b.operands[2:]))


def _same(a: Value, b: Value) -> bool:
    known = core.constant(a)
    return a is b or (
        known is not core.MISSING and type(known) is int and known == core.constant(b)
    )


@pattern(Update)
def add_negative(m: Match, op: Update) -> Value | None:
    """x[i] += -v → x[i] -= v; x[i] -= -v → x[i] += v"""
    modes = {"+": "-", "-": "+"}
    v = negated(m, op.operands[1]) if op.mode in modes else None
    return None if v is None else _again(m, op, op.operands[0], v, modes[op.mode])


@pattern(Update)
def add_to_zero(m: Match, op: Update) -> Value | None:
    """x[i] = 0; x[j] += u; x[i] += v → x[i] = v; x[j] += u"""
    if op.mode not in ("+", "-"):
        return None
    x, v = op.operands[:2]
    between: list[Update] = []
    while isinstance(x.type, Array) and m.alone(x) and isinstance(x.owner, Update):
        inner = x.owner
        if inner.order == 0 or is_quoted(inner):
            return None
        x = inner.operands[0]
        if inner.mode == "=":
            if not (is_zero(inner.operands[1]) and same_place(inner, op)):
                return None
            value = v if op.mode == "+" else m.call(operator.neg, v)
            x = _again(m, op, x, value, "=")
            for other in reversed(between):
                x = _again(m, other, x, other.operands[1], other.mode)
            return x
        between.append(inner)
        if len(between) > _MOST_STEPS:
            return None
    return None


@pattern(Update)
def add_twice(m: Match, op: Update) -> Value | None:
    """x[i] += u; x[i] += v → x[i] += u + v for numbers u and v of one statement"""
    x, v = op.operands[:2]
    inner = x.owner
    if op.mode not in ("+", "-") or not m.alone(x) or not isinstance(inner, Update):
        return None
    u, one = inner.operands[1], inner.loc.stmt is op.loc.stmt and inner.order > 0
    if inner.mode not in ("+", "=") or not one or not (is_scalar(u) and is_scalar(v)):
        return None
    if not same_place(inner, op) or not isinstance(x.type, Array) or not _one_element(inner):
        return None
    total = m.call(operator.add if op.mode == "+" else operator.sub, u, v)
    return _again(m, op, inner.operands[0], total, inner.mode)


def _one_element(op: Update) -> bool:
    return all(e == "value" for e in op.spec) and all(map(is_scalar, op.at))


def _again(m: Match, op: Update, x: Value, v: Value, mode: str) -> Value:
    """The write of `op` with another array, value and mode."""
    views = list(zip(op.views, op.view_operands, strict=True))
    made = m.builder.at(op.loc).update(x, v, op.spec, op.at, mode, views)
    made.name = op.result.name
    return made
