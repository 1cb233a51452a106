"""Patterns of sums and of truth values: signs taken in, like terms."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from adcompile import runtime
from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.types import Array, Scalar, Type, is_many
from adcompile.passes.algebra import SIGNED, exact_quotient, negated
from adcompile.passes.patterns import (
    ADD,
    CONST,
    MUL,
    NEG,
    SAME,
    SUB,
    Match,
    is_number,
    is_plain,
    is_scalar,
    number,
    pattern,
    tidy,
)

_MOST_FACTORS = 8  # of products that are compared as like terms

_ZEROS = (np.zeros, np.zeros_like, runtime.zeros_like)


def is_zero(v: Value) -> bool:
    """Whether `v` is zero, as a number or as an array of zeros."""
    op = v.owner
    return op.fn in _ZEROS if isinstance(op, core.Call) else is_number(v, 0)


@pattern(*ADD, of=(CONST, *_ZEROS))
def plus_zero(m: Match, op: core.Call) -> Value | None:
    """x + 0, 0 + x → x"""
    x, y = op.operands
    return y if is_zero(x) else x if is_zero(y) else None


@pattern(*SUB, of=(CONST, *_ZEROS))
def minus_zero(m: Match, op: core.Call) -> Value | None:
    """x - 0 → x; 0 - x → -x"""
    x, y = op.operands
    return x if is_zero(y) else m.call(operator.neg, y) if is_zero(x) else None


@pattern(*ADD, of=SIGNED)
def plus_negative(m: Match, op: core.Call) -> Value | None:
    """a + (-b) → a - b; (-a) + b → b - a"""
    x, y = op.operands
    if (other := negated(m, y)) is not None:
        return m.call(operator.sub, x, other)
    if (other := negated(m, x)) is not None:
        return m.call(operator.sub, y, other)
    return None


@pattern(*SUB, of=SIGNED)
def minus_negative(m: Match, op: core.Call) -> Value | None:
    """a - (-b) → a + b"""
    x, y = op.operands
    other = negated(m, y)
    return None if other is None else m.call(operator.add, x, other)


@pattern(*ADD, *SUB, of=(CONST,))
def offsets(m: Match, op: core.Call) -> Value | None:
    """(i + c1) + c2 → i + (c1 + c2) for Python integers, which are exact"""
    x, y = op.operands
    if type(c := number(y)) is not int or op.result.type != Scalar("int"):
        return None
    for names, sign in ((ADD, 1), (SUB, -1)):
        inner = m.only(x, names)
        if inner and type(number(inner[1])) is int:
            total = sign * number(inner[1]) + (c if op.fn in ADD else -c)
            fn = operator.add if total >= 0 else operator.sub
            return m.call(fn, inner[0], abs(total))
    return None


@pattern(*ADD, *SUB, of=(SAME, *ADD, *MUL, *NEG))
def like_terms(m: Match, op: core.Call) -> Value | None:
    """c1 * x + c2 * x → (c1 + c2) * x; x + x → 2 * x; also (u + c1 * x) + c2 * x

    Constants of opposite sign stay apart: inf - inf is NaN and must be.
    """
    if not isinstance(op.result.type, Array | Scalar):
        return None
    x, y = op.operands
    plus = op.fn in ADD
    if (both := _combined(m, x, y, plus)) is not None:
        return both
    inner = m.only(x, ADD) or []
    for k, u in enumerate(inner):
        if (both := _combined(m, u, y, plus)) is not None:
            pair = (inner[0], both) if k == 1 else (both, inner[1])
            return m.call(operator.add, *pair)
    return None


@pattern(*ADD, *SUB, of=MUL)
def common_scalar(m: Match, op: core.Call) -> Value | None:
    """s * a + s * b → s * (a + b) for a scalar s and arrays of the same shape

    So with constants of opposite sign: -2 * a - 2 * b → -2 * (a + b).
    """
    x, y = (m.only(v, MUL) for v in op.operands)
    if not x or not y or not is_scalar(x[0]):
        return None
    (s, a), (t, b) = x, y
    fn, c, k = op.fn, number(s), number(t)
    if fn in SUB and c is not None and k is not None and c == -k:
        fn = operator.add
    elif s is not t and (c is None or c != k):
        return None
    if not (is_of_one_form(a.type, b.type) and is_of_one_form(a.type, op.result.type)):
        return None
    return m.call(operator.mul, s, m.call(fn, a, b))


def is_of_one_form(a: Type, b: Type) -> bool:
    """Whether two arrays that go together in a sum have one dtype and one shape."""
    if not isinstance(a, Array) or not isinstance(b, Array) or a.dtype != b.dtype:
        return False
    same = len(a.shape) == len(b.shape)
    return same and all(s == t or (is_many(s) and is_many(t)) for s, t in zip(a.shape, b.shape))


def _combined(m: Match, x: Value, y: Value, plus: bool) -> Value | None:
    (c1, u), (c2, v) = _term(x), _term(y)
    k1 = k2 = 1
    if u is not v:
        if not (_product(u) and _product(v)):
            return None
        (k1, factors), (k2, others) = _factors(u), _factors(v)
        if factors != others:
            return None
    left, right = c1 * k1, (c2 * k2 if plus else -c2 * k2)
    c = left + right
    if left * right <= 0 or core.constant(u) is not core.MISSING:
        return None
    for k, base in ((k1, u), (k2, v)):
        r = c if k == 1 else exact_quotient(c, k)
        if r is not None and tidy(r, c1, c2, k1, k2):
            return base if r == 1 else m.call(operator.mul, m.number(r, base), base)
    return None


def _product(v: Value) -> list[Value] | None:
    """What `v` is the product of, whoever else reads it."""
    op = v.owner
    return op.operands if isinstance(op, core.Call) and op.fn in MUL and is_plain(op) else None


def _term(v: Value) -> tuple[Any, Value]:
    """`v` as a constant times a value."""
    c: Any = 1
    for _ in range(_MOST_FACTORS):
        op = v.owner
        if pair := _product(v):
            k = next((k for k in (0, 1) if number(pair[k]) is not None), None)
            if k is None:
                break
            c, v = c * number(pair[k]), pair[1 - k]
        elif isinstance(op, core.Call) and op.fn in NEG and is_plain(op):
            c, v = -c, op.operands[0]
        else:
            break
    return c, v


def _factors(v: Value) -> tuple[Any, dict[Value, int]]:
    """The constant and the values, each with its power, that `v` is a product of."""
    c: Any = 1
    found: dict[Value, int] = {}
    work = [v]
    taken_apart = 0
    while work:
        v = work.pop()
        if number(v) is not None:
            c = c * number(v)
        elif taken_apart < _MOST_FACTORS and (pair := _product(v)):
            taken_apart += 1
            work.extend(pair)
        elif isinstance(v.owner, core.Call) and v.owner.fn in NEG and is_plain(v.owner):
            c, work = -c, [*work, v.owner.operands[0]]
        else:
            found[v] = found.get(v, 0) + 1
    return c, found


# --- truth --------------------------------------------------------------------------------------


@pattern(operator.and_, operator.or_)
def truth(m: Match, op: core.Call) -> Value | None:
    """True & b → b; False | b → b; and the other way round"""
    if op.result.type != Scalar("bool"):
        return None
    neutral = op.fn is operator.and_
    x, y = op.operands
    for c, other in ((core.constant(x), y), (core.constant(y), x)):
        if isinstance(c, bool):
            return other if c is neutral else m.builder.const(c)
    return None


@pattern(operator.not_)
def twice_not(m: Match, op: core.Call) -> Value | None:
    """not not b → b for a bool"""
    inner = m.parts(op.operands[0], (operator.not_,))
    return inner[0] if inner and inner[0].type == Scalar("bool") else None


@pattern(np.where)
def where(m: Match, op: core.Call) -> Value | None:
    """np.where(True, a, b) → a; np.where(c, a, a) → a; np.where(c, np.where(c, a, x), b) → …"""
    if len(op.args) != 3:
        return None
    c, a, b = op.args
    known = core.constant(c)
    if a is b:
        return a
    if isinstance(known, bool):
        return a if known else b
    inner = [_chosen(v, c, k) for k, v in ((1, a), (2, b))]
    return m.call(np.where, c, *inner) if inner != [a, b] else None


def _chosen(v: Value, c: Value, k: int) -> Value:
    """The k-th operand of `v`, where that is a choice by `c` that differentiation has made."""
    op = v.owner
    if isinstance(op, core.Call) and op.fn is np.where and len(op.args) == 3 and op.order:
        return op.args[k] if op.args[0] is c else v
    return v


@pattern(*runtime.MASKED, of=(CONST,))
def masked_by_a_number(m: Match, op: core.Call) -> Value | None:
    """masked_times(2.0, p) → 2.0 * p: such a number is no mask, nor infinite"""
    constants = [core.constant(v) for v in op.operands]
    plain = any(type(c) in (int, float) and c != 0 and math.isfinite(c) for c in constants)
    return m.call(operator.mul, *op.operands) if plain else None
