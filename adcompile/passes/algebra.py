"""Patterns of products, quotients and powers: constants, signs, scalar factors.

The normal form of a product puts a constant first, then scalars, then arrays, so that one product
of an array remains; signs move outward until a sum takes them in. Rounding may change as it would
by hand; what is NaN or infinite stays so (`x * 0` is not folded).
"""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from typing import Any

from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.types import Array, Scalar, scalar_kind
from adcompile.passes.patterns import (
    ADD,
    CONST,
    DIV,
    MATMUL,
    MUL,
    NEG,
    POW,
    SUB,
    Match,
    is_array,
    is_number,
    is_scalar,
    is_stretched,
    number,
    pattern,
    tidy,
)

# --- constants ----------------------------------------------------------------------------------

_FOLDED = (
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.neg, operator.pos, operator.lt, operator.le, operator.eq, operator.ne,
    operator.gt, operator.ge, operator.not_, operator.and_, operator.or_, operator.xor,
    operator.invert, operator.lshift, operator.rshift, abs, min, max, int, float, bool,
)  # fmt: skip


@pattern(*_FOLDED, of=(CONST,))
def fold(m: Match, op: core.Call) -> Value | None:
    """Python numbers computed now."""
    values: list[Any] = []
    for v in op.operands:
        if not isinstance(v.owner, core.Const) or v.name is not None:
            return None
        values.append(v.owner.value)
    if op.keywords or not all(map(scalar_kind, values)):
        return None
    if op.fn in (operator.pow, operator.lshift) and abs(values[1]) > 64:
        return None
    try:
        result = op.fn(*values)
    except (ArithmeticError, ValueError, TypeError):
        return None  # it is raised where the program runs, if it runs
    if not scalar_kind(result) or not tidy(result, *values):
        return None
    found = m.builder.const(result)
    t = op.result.type
    if isinstance(t, Array) and not t.rank and t.dtype.kind == "f" and type(result) is float:
        found.type = t  # what a loop has carried as a number of NumPy is one of Python after all
    return found


# --- products -----------------------------------------------------------------------------------


@pattern(*MUL, of=(CONST,))
def times_one(m: Match, op: core.Call) -> Value | None:
    """x * 1, 1 * x → x"""
    x, y = op.operands
    return y if is_number(x, 1) else x if is_number(y, 1) else None


@pattern(*MUL, of=(CONST,))
def times_minus_one(m: Match, op: core.Call) -> Value | None:
    """-1 * x, x * -1 → -x"""
    x, y = op.operands
    other = y if is_number(x, -1) else x if is_number(y, -1) else None
    return None if other is None or number(other) is not None else m.call(operator.neg, other)


@pattern(*MUL, of=(CONST,))
def times_zero(m: Match, op: core.Call) -> Value | None:
    """0 * x → 0 for integers, which are never NaN"""
    integer = isinstance(op.result.type, Scalar) and op.result.type.kind == "int"
    return m.builder.const(0) if integer and any(is_number(v, 0) for v in op.operands) else None


@pattern(*MUL)
def scalars_first(m: Match, op: core.Call) -> Value | None:
    """x * c → c * x"""
    x, y = op.operands
    found = (is_scalar(y) and is_array(x)) or number(y) is not None
    return m.call(operator.mul, y, x) if found and number(x) is None else None


@pattern(*MUL, of=(CONST,))
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
        if (r := exact_quotient(c, number(q))) is not None:
            return m.call(operator.mul, m.number(r, p), p)
    return None


def _scaled(m: Match, c1: Any, c2: Any, x: Value) -> Value | None:
    if c2 is None or not tidy(c1 * c2, c1, c2):
        return None
    return m.call(operator.mul, m.number(c1 * c2, x), x)


def exact_quotient(c1: Any, c2: Any) -> float | None:
    """c1 / c2 where that is a number without rounding."""
    if c2 is None or c2 == 0:
        return None
    r = c1 / c2
    return r if tidy(r, c1, c2) and Fraction(c1) / Fraction(c2) == Fraction(r) else None


@pattern(*MUL, of=MUL)
def scalars_together(m: Match, op: core.Call) -> Value | None:
    """s1 * (s2 * x) → (s1 * s2) * x: one product with an array instead of two"""
    s1, y = op.operands
    inner = m.only(y, MUL)
    if not inner or not is_scalar(s1) or not is_array(y):
        return None
    s2, x = inner
    known = number(s1), number(s2)
    if not is_scalar(s2) or (None not in known and not math.isfinite(known[0] * known[1])):
        return None
    return m.call(operator.mul, m.call(operator.mul, s1, s2), x)


@pattern(*MUL, of=MUL)
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


@pattern(*MUL, of=DIV)
def times_quotient(m: Match, op: core.Call) -> Value | None:
    """d * (1 / x) → d / x; s1 * (s2 / x) → (s1 * s2) / x; a * (c / x) → c * (a / x)

    For a scalar s, (c * a) * (1 / s) → (c / s) * a.
    """
    for k, v in enumerate(op.operands):
        other = op.operands[1 - k]
        inner = m.only(v, DIV)
        if not inner or number(other) is not None:
            continue
        p, q = inner
        if is_number(p, 1):
            scaled = m.only(other, MUL) if is_scalar(q) and is_array(other) else None
            if scaled and number(scaled[0]) is not None:  # keeps one product with the array
                return m.call(operator.mul, m.call(operator.truediv, scaled[0], q), scaled[1])
            return m.call(operator.truediv, other, q)
        if is_scalar(p) and is_array(q):
            if is_scalar(other):
                return m.call(operator.truediv, m.call(operator.mul, other, p), q)
            if number(p) is not None and q.type == op.result.type:
                return m.call(operator.mul, p, m.call(operator.truediv, other, q))
    return None


@pattern(*MUL, *DIV, of=NEG)
def sign_outward(m: Match, op: core.Call) -> Value | None:
    """(-a) * b, a * (-b) → -(a * b), but s * (-x) → (-s) * x for a scalar s; so with quotients

    In a product a sign stays on what is smaller than the product.
    """
    x, y = op.operands
    a, b = m.only(x, NEG), m.only(y, NEG)
    if a and b:
        return m.call(op.fn, a[0], b[0])
    if is_scalar(x) and is_array(y):  # a sign costs less on the scalar
        return m.call(op.fn, m.call(operator.neg, x), b[0]) if b else None
    if (a or b) and smaller_factor(op) != (0 if a else 1):
        return m.call(operator.neg, m.call(op.fn, a[0] if a else x, b[0] if b else y))
    return None


def smaller_factor(op: Any) -> int | None:
    """Which operand of a product is smaller than it, if the other one is not."""
    t = op.result.type
    if op.fn not in MUL or not isinstance(t, Array) or not all(map(is_array, op.operands)):
        return None
    a, b = (is_stretched(v, t.shape) for v in op.operands)
    return None if a == b else 0 if a else 1


@pattern(*DIV, of=(CONST,))
def quotient(m: Match, op: core.Call) -> Value | None:
    """x / 1 → x; (c1 * x) / c2 → (c1 / c2) * x where that is exact"""
    x, y = op.operands
    if is_number(y, 1):
        return x
    inner = m.only(x, MUL) if number(y) is not None else None
    if inner and (c := number(inner[0])) is not None:
        r = exact_quotient(c, number(y))
        return None if r is None else m.call(operator.mul, m.number(r, inner[1]), inner[1])
    return None


@pattern(*POW, of=(CONST,))
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


SIGNED = (*NEG, *MUL, *DIV, *MATMUL)  # what `negated` takes apart


def negated(m: Match, v: Value, depth: int = 3) -> Value | None:
    """-v, where that costs less than v: v is a negation, or starts with one."""
    if inner := m.parts(v, NEG):
        return inner[0]
    for names in (MUL, DIV, MATMUL) if depth else ():
        if inner := m.only(v, names):
            p, q = inner
            c = number(p)
            if c is None:
                opposite = negated(m, p, depth - 1) if m.alone(p) else None
            else:
                opposite = negated_constant(m, p) if c < 0 else None
            if opposite is not None:
                return m.call(names[0], opposite, q)
    return None


def negated_constant(m: Match, v: Value) -> Value:
    return m.builder.const(-number(v))


@pattern(*NEG, of=(*SUB, *SIGNED))
def negation(m: Match, op: core.Call) -> Value | None:
    """-(-x) → x; -(a - b) → b - a; -(c * x) → (-c) * x; -(s * x) → (-s) * x for an array x

    What is smaller than the product it is a factor of takes the sign as a scalar does.
    """
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
            k = smaller_factor(v.owner)
            if k == 0 or (is_scalar(p) and is_array(q)):
                return m.call(names[0], m.call(operator.neg, p), q)
            if k == 1:
                return m.call(names[0], p, m.call(operator.neg, q))
    return None


@pattern(*NEG, of=ADD)
def negated_sum(m: Match, op: core.Call) -> Value | None:
    """-(a * x + y) → (-a) * x - y where a is smaller than x"""
    x, y = m.only(op.operands[0], ADD) or (None, None)
    for one, other in ((x, y), (y, x)):
        if one and other and m.only(one, MUL) and smaller_factor(one.owner) is not None:
            return m.call(operator.sub, m.call(operator.neg, one), other)
    return None
