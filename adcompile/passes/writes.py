"""Patterns of writes: signs taken in, zeros that are added to at once."""

from __future__ import annotations

import operator

from adcompile.ir import core
from adcompile.ir.core import Update, Value, is_quoted
from adcompile.ir.types import Array, Scalar
from adcompile.passes.algebra import negated
from adcompile.passes.patterns import MUL, Match, number, pattern
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
def first_addition(m: Match, op: Update) -> Value | None:
    """np.zeros_like(x)[i] += v → …[i] = v: what is added to first is zero"""
    x, v = op.operands[:2]
    if op.mode not in ("+", "-") or not isinstance(x.type, Array) or not m.alone(x):
        return None
    if not is_zero(x) or not x.owner.order or not _of_one_dtype(x, v):  # type: ignore[union-attr]
        return None
    if op.mode == "-":
        scaled = m.only(v, MUL)
        if not scaled or number(scaled[0]) is None:
            return None  # to subtract it costs less than to negate it first
        v = m.call(operator.mul, m.builder.const(-number(scaled[0])), scaled[1])
    return _again(m, op, x, v, "=")


_TOGETHER = {  # of two writes one after the other: the operation that makes them one, and its mode
    ("+", "+"): (operator.add, "+"),
    ("+", "-"): (operator.sub, "+"),
    ("-", "-"): (operator.add, "-"),
    ("=", "+"): (operator.add, "="),
    ("=", "-"): (operator.sub, "="),
}


@pattern(Update)
def add_twice(m: Match, op: Update) -> Value | None:
    """x[i] += u; x[i] += v → x[i] += u + v in one statement; x[i] -= u; x[i] += v → … v - u"""
    x, v = op.operands[:2]
    inner = x.owner
    if not m.alone(x) or not isinstance(inner, Update) or not same_place(inner, op):
        return None
    if inner.loc.stmt is not op.loc.stmt or not inner.order or not isinstance(x.type, Array):
        return None
    u = inner.operands[1]
    if not (_of_one_dtype(x, u) and _of_one_dtype(x, v)):
        return None
    if (inner.mode, op.mode) == ("-", "+"):
        return _again(m, op, inner.operands[0], m.call(operator.sub, v, u), "+")
    if (inner.mode, op.mode) not in _TOGETHER:
        return None
    fn, mode = _TOGETHER[inner.mode, op.mode]
    return _again(m, op, inner.operands[0], m.call(fn, u, v), mode)


def _of_one_dtype(x: Value, v: Value) -> bool:
    """Whether `v` is a Python number or has the dtype of the array that it is written into."""
    t = v.type
    return (isinstance(t, Array) and t.dtype == x.type.dtype) or isinstance(t, Scalar)  # type: ignore[union-attr]


def _again(m: Match, op: Update, x: Value, v: Value, mode: str) -> Value:
    """The write of `op` with another array, value and mode."""
    views = list(zip(op.views, op.view_operands, strict=True))
    made = m.builder.at(op.loc).update(x, v, op.spec, op.at, mode, views)
    made.name = op.result.name
    return made
