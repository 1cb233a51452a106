"""Patterns of arithmetic: constants, signs, scalar factors, like terms.

The normal form of a product puts a constant first, then scalars, then arrays, so that one product
of an array remains; signs move outward until a sum takes them in. Rounding may change as it would
by hand; what is NaN or infinite stays so (`x * 0` is not folded).
"""

from __future__ import annotations

import operator
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.types import Array, Scalar, scalar_kind
from adcompile.passes.patterns import (
    ADD,
    DIV,
    MATMUL,
    MUL,
    NEG,
    POW,
    SUB,
    Match,
    is_array,
    is_number,
    is_plain,
    is_scalar,
    number,
    pattern,
    tidy,
)

_MOST_FACTORS = 8  # of products that are compared as like terms

# --- constants ----------------------------------------------------------------------------------

_FOLDED = (
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.neg, operator.pos, operator.lt, operator.le, operator.eq, operator.ne,
    operator.gt, operator.ge, operator.not_, operator.and_, operator.or_, operator.xor,
    operator.invert, operator.lshift, operator.rshift, abs, min, max, int, float, bool,
)  # fmt: skip


@pattern(*_FOLDED)
def fold(m: Match, op: core.Call) -> Value | None:
    """Python numbers computed now."""
    values = [core.constant(v) for v in op.operands]
    named = any(v.name is not None for v in op.operands)
    if op.keywords or named or not all(map(scalar_kind, values)):
        return None
    if op.fn in (operator.pow, operator.lshift) and abs(values[1]) > 64:
        return None
    try:
        result = op.fn(*values)
    except (ArithmeticError, ValueError, TypeError):
        return None  # it is raised where the program runs, if it runs
    return m.builder.const(result) if scalar_kind(result) and tidy(result, *values) else None


# --- products -----------------------------------------------------------------------------------


@pattern(*MUL)
def times_one(m: Match, op: core.Call) -> Value | None:
    """x * 1, 1 * x → x"""
    x, y = op.operands
    return y if is_number(x, 1) else x if is_number(y, 1) else None


@pattern(*MUL)
def times_zero(m: Match, op: core.Call) -> Value | None:
    """0 * x → 0 for integers, which are never NaN"""
    integer = isinstance(op.result.type, Scalar) and op.result.type.kind == "int"
    return m.builder.const(0) if integer and any(is_number(v, 0) for v in op.operands) else None


@pattern(*MUL)
def scalars_first(m: Match, op: core.Call) -> Value | None:
    """x * c → c * x"""
    x, y = op.operands
    if number(x) is not None:
        return None
    if number(y) is not None or (is_array(x) and is_scalar(y)):
        return m.call(operator.mul, y, x)
    return None


@pattern(*MUL)
def merge_constants(m: Match, op: core.Call) -> Value | None:
    """c1 * (c2 * x) → (c1 * c2) * x, and the same with quotients"""
    x, y = op.operands
    c = number(x)
    if c is None:
        return None
    if inner := m.parts(y, MUL):
        return _scaled(m, c, number(inner[0]), inner[1])
    if inner := m.only(y, DIV):
        p, q = inner
        if (r := number(p)) is not None and tidy(c * r, c, r):
            return m.call(operator.truediv, m.number(c * r, q), q)
        if (r := _exact(c, number(q))) is not None:
            return m.call(operator.mul, m.number(r, p), p)
    return None


def _scaled(m: Match, c1: Any, c2: Any, x: Value) -> Value | None:
    if c2 is None or not tidy(c1 * c2, c1, c2):
        return None
    return m.call(operator.mul, m.number(c1 * c2, x), x)


def _exact(c1: Any, c2: Any) -> float | None:
    """c1 / c2 where that is a number without rounding."""
    if c2 is None or c2 == 0:
        return None
    r = c1 / c2
    return r if tidy(r, c1, c2) and Fraction(c1) / Fraction(c2) == Fraction(r) else None


@pattern(*MUL)
def scalars_together(m: Match, op: core.Call) -> Value | None:
    """s1 * (s2 * x) → (s1 * s2) * x: one product with an array instead of two"""
    s1, y = op.operands
    inner = m.only(y, MUL)
    if not inner or not is_scalar(s1) or not is_array(y):
        return None
    s2, x = inner
    return m.call(operator.mul, m.call(operator.mul, s1, s2), x) if is_scalar(s2) else None


@pattern(*MUL)
def scalars_outward(m: Match, op: core.Call) -> Value | None:
    """a * (s * x) → s * (a * x) for arrays a and x"""
    for k, v in enumerate(op.operands):
        other = op.operands[1 - k]
        inner = m.only(v, MUL)
        if inner and is_scalar(inner[0]) and is_array(inner[1]) and is_array(other):
            s, x = inner
            if x.type.shape == op.result.type.shape:  # type: ignore[union-attr]
                pair = (x, other) if k == 0 else (other, x)
                return m.call(operator.mul, s, m.call(operator.mul, *pair))
    return None


@pattern(*MUL)
def times_quotient(m: Match, op: core.Call) -> Value | None:
    """d * (1 / x) → d / x; s1 * (s2 / x) → (s1 * s2) / x; a * (c / x) → c * (a / x)"""
    for k, v in enumerate(op.operands):
        other = op.operands[1 - k]
        inner = m.only(v, DIV)
        if not inner or number(other) is not None:
            continue
        p, q = inner
        if is_number(p, 1):
            return m.call(operator.truediv, other, q)
        if is_scalar(p) and is_array(q):
            if is_scalar(other):
                return m.call(operator.truediv, m.call(operator.mul, other, p), q)
            if number(p) is not None and q.type == op.result.type:
                return m.call(operator.mul, p, m.call(operator.truediv, other, q))
    return None


@pattern(*MUL, *DIV)
def sign_outward(m: Match, op: core.Call) -> Value | None:
    """(-a) * b, a * (-b) → -(a * b), but s * (-x) → (-s) * x for a scalar s; so with quotients"""
    x, y = op.operands
    a, b = m.only(x, NEG), m.only(y, NEG)
    if a and b:
        return m.call(op.fn, a[0], b[0])
    if is_scalar(x) and is_array(y):  # a sign costs less on the scalar
        return m.call(op.fn, m.call(operator.neg, x), b[0]) if b else None
    if a or b:
        return m.call(operator.neg, m.call(op.fn, a[0] if a else x, b[0] if b else y))
    return None


@pattern(*DIV)
def quotient(m: Match, op: core.Call) -> Value | None:
    """x / 1 → x; (c1 * x) / c2 → (c1 / c2) * x where that is exact"""
    x, y = op.operands
    if is_number(y, 1):
        return x
    inner = m.only(x, MUL) if number(y) is not None else None
    if inner and (c := number(inner[0])) is not None:
        r = _exact(c, number(y))
        return None if r is None else m.call(operator.mul, m.number(r, inner[1]), inner[1])
    return None


@pattern(*POW)
def power(m: Match, op: core.Call) -> Value | None:
    """x ** 1 → x; x ** 2 → x * x; x ** 0 → 1 for Python numbers"""
    x, y = op.operands
    if is_number(y, 1):
        return x
    if is_number(y, 2):
        return m.call(operator.mul, x, x)
    if is_number(y, 0) and isinstance(x.type, Scalar):
        return m.number(1, op.result)
    return None


# --- signs --------------------------------------------------------------------------------------


def negated(m: Match, v: Value) -> Value | None:
    """-v, where that costs less than v: v is a negation, or starts with one."""
    if inner := m.parts(v, NEG):
        return inner[0]
    for names in (MUL, DIV, MATMUL):
        if inner := m.only(v, names):
            p, q = inner
            c = number(p)
            opposite = negated_constant(m, p) if c is not None and c < 0 else None
            if opposite is None and (inside := m.only(p, NEG)):
                opposite = inside[0]
            if opposite is not None:
                return m.call(names[0], opposite, q)
    return None


def negated_constant(m: Match, v: Value) -> Value:
    return m.builder.const(-number(v))


@pattern(*NEG)
def negation(m: Match, op: core.Call) -> Value | None:
    """-(-x) → x; -(a - b) → b - a; -(c * x) → (-c) * x; -(s * x) → (-s) * x for an array x"""
    (v,) = op.operands
    if (found := negated(m, v)) is not None:
        return found
    if inner := m.only(v, SUB):
        return m.call(operator.sub, inner[1], inner[0])
    for names in (MUL, DIV):
        if inner := m.only(v, names):
            p, q = inner
            if number(p) is not None:
                return m.call(names[0], negated_constant(m, p), q)
            if is_scalar(p) and is_array(q):
                return m.call(names[0], m.call(operator.neg, p), q)
    return None


# --- sums ---------------------------------------------------------------------------------------

_ZEROS = ("zeros", "zeros_like")


def is_zero(v: Value) -> bool:
    """Whether `v` is zero, as a number or as an array of zeros."""
    op = v.owner
    if isinstance(op, core.Call):
        return getattr(op.fn, "__name__", "") in _ZEROS
    return is_number(v, 0)


@pattern(*ADD)
def plus_zero(m: Match, op: core.Call) -> Value | None:
    """x + 0, 0 + x → x"""
    x, y = op.operands
    return y if is_zero(x) else x if is_zero(y) else None


@pattern(*SUB)
def minus_zero(m: Match, op: core.Call) -> Value | None:
    """x - 0 → x; 0 - x → -x"""
    x, y = op.operands
    return x if is_zero(y) else m.call(operator.neg, y) if is_zero(x) else None


@pattern(*ADD)
def plus_negative(m: Match, op: core.Call) -> Value | None:
    """a + (-b) → a - b; (-a) + b → b - a"""
    x, y = op.operands
    if (other := negated(m, y)) is not None:
        return m.call(operator.sub, x, other)
    if (other := negated(m, x)) is not None:
        return m.call(operator.sub, y, other)
    return None


@pattern(*SUB)
def minus_negative(m: Match, op: core.Call) -> Value | None:
    """a - (-b) → a + b"""
    x, y = op.operands
    other = negated(m, y)
    return None if other is None else m.call(operator.add, x, other)


@pattern(*ADD, *SUB)
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


@pattern(*ADD, *SUB)
def like_terms(m: Match, op: core.Call) -> Value | None:
    """c1 * x + c2 * x → (c1 + c2) * x; x + x → 2 * x; also (u + c1 * x) + c2 * x"""
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


def _combined(m: Match, x: Value, y: Value, plus: bool) -> Value | None:
    (c1, u), (c2, v) = _term(x), _term(y)
    k1 = k2 = 1
    if u is not v:
        if not (_product(u) and _product(v)):
            return None
        (k1, factors), (k2, others) = _factors(u), _factors(v)
        if factors != others:
            return None
    c = c1 * k1 + (c2 * k2 if plus else -c2 * k2)
    if c == 0 or core.constant(u) is not core.MISSING:
        return None
    for k, base in ((k1, u), (k2, v)):
        r = c if k == 1 else _exact(c, k)
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


def _factors(v: Value) -> tuple[Any, Counter[Value]]:
    """The constant and the values that `v` is a product of."""
    c: Any = 1
    found: Counter[Value] = Counter()
    work = [v]
    taken_apart = 0
    while work:
        v = work.pop()
        if number(v) is not None:
            c = c * number(v)
        elif taken_apart < _MOST_FACTORS and (pair := _product(v)):
            taken_apart += 1
            work.extend(pair)
        else:
            found[v] += 1
    return c, found


@pattern(*ADD)
def common_factor(m: Match, op: core.Call) -> Value | None:
    """a * x + b * x → (a + b) * x for an array x: two products become one"""
    left, right = (m.only(v, MUL) for v in op.operands)
    if not left or not right:
        return None
    for k, x in enumerate(left):
        for j, other in enumerate(right):
            a, b = left[1 - k], right[1 - j]
            if x is other and is_array(x) and _worth_adding(op, a, b):
                return m.call(operator.mul, m.call(operator.add, a, b), x)
    return None


def _worth_adding(op: core.Call, a: Value, b: Value) -> bool:
    if is_scalar(a) and is_scalar(b):
        return True
    # Contributions of different statements stay apart: each has its own line.
    one_stmt = len({v.owner.loc.stmt for v in op.operands}) == 1  # type: ignore[union-attr]
    return one_stmt and a.type == b.type == op.result.type


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
    """np.where(True, a, b) → a; np.where(c, a, a) → a"""
    if len(op.args) != 3:
        return None
    c, a, b = op.args
    known = core.constant(c)
    if a is b:
        return a
    return (a if known else b) if isinstance(known, bool) else None
