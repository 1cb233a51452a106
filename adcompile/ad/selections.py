"""Cotangents that a mask selects: `np.where(c, v, 0)`, made by differentiation.

As long as the mask is in sight, sums and products can be taken inside it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from adcompile.ad.finite import canonical
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Value, constant
from adcompile.ir.types import Array, Scalar, Type

_LOOKED_THROUGH = 8  # ops on the way from a cotangent to the mask that it is made by


class Selection(NamedTuple):
    """A cotangent as `where(condition, value, 0)`, or with the arms `swapped`."""

    condition: Value
    swapped: bool
    value: Value

    def holding(self, b: Builder, value: Value) -> Value:
        """The same selection of another value."""
        return b.call(np.where, self.condition, *((0, value) if self.swapped else (value, 0)))


def add(b: Builder, x: Value, y: Value) -> Value:
    """`x + y`; under one mask if both are masked by it."""
    shown, other = _outermost(b, x), _outermost(b, y)
    if shown is None or other is None or not _alike(shown, other):
        return b.add_values(x, y)
    return shown.holding(b, b.add_values(shown.value, other.value))


def _outermost(b: Builder, d: Value) -> Selection | None:
    """`d` as a selection, if differentiation made it as one."""
    op = d.owner
    if not isinstance(op, core.Call) or op.order != b.order or op.fn is not np.where:
        return None
    if len(op.operands) != 3:
        return None
    c, x, y = op.operands
    for swapped, zero, value in ((False, y, x), (True, x, y)):
        if type(constant(zero)) in (int, float) and constant(zero) == 0:
            return Selection(c, swapped, value)
    return None


def _alike(x: Selection, y: Selection) -> bool:
    """Whether two selections have one condition, which the program may have written twice."""
    if x.swapped != y.swapped:
        return False
    a, b = x.condition, y.condition
    if a is b:
        return True
    return (
        isinstance(a.owner, core.Call)
        and isinstance(b.owner, core.Call)
        and (a.owner.fn, a.owner.keywords) == (b.owner.fn, b.owner.keywords)
        and not a.owner.effect
        and len(a.owner.operands) == len(b.owner.operands)
        and all(map(_same_value, a.owner.operands, b.owner.operands))
    )


def _same_value(x: Value, y: Value) -> bool:
    c, other = constant(x), constant(y)
    return x is y or (type(c) is type(other) and c is not core.MISSING and bool(c == other))


def selection(b: Builder, d: Value) -> Selection | None:
    """`d` as a selection: the mask may stand inside products, signs, casts and sums."""
    return _shown(b, d, [_LOOKED_THROUGH])


def _shown(b: Builder, d: Value, budget: list[int]) -> Selection | None:
    found = _outermost(b, d)
    op = d.owner
    if found is not None or not isinstance(op, core.Call) or op.order != b.order:
        return found
    budget[0] -= 1
    if is_mask(d) and isinstance(d.type, Array) and d.type.rank:
        return Selection(op.operands[0], False, _one(b, d.type))
    if budget[0] < 0 or op.effect or len(op.results) != 1:
        return None
    fn = canonical(op.fn)
    if fn in (np.add, np.subtract):
        x, y = (_shown(b, v, budget) for v in op.operands)
        if x is None or y is None or not _alike(x, y):
            return None
        return Selection(x.condition, x.swapped, _again(b, op, [x.value, y.value]))
    if fn is np.multiply:
        for k, v in enumerate(op.operands):
            if is_mask(v) and isinstance(v.type, Array) and v.type.rank:
                return Selection(v, False, op.operands[1 - k])
    if fn in (np.multiply, np.negative, np.astype):
        for k, v in enumerate(op.operands):
            inner = _shown(b, v, budget)
            if inner is not None:
                operands = [*op.operands[:k], inner.value, *op.operands[k + 1 :]]
                return Selection(inner.condition, inner.swapped, _again(b, op, operands))
    return None


def _one(b: Builder, t: Array) -> Value:
    """1 in the dtype of `t`; one of float64 need not be told."""
    return b.const(1.0) if t.dtype == np.float64 else b.call(t.dtype.type, 1.0)


def _again(b: Builder, op: core.Call, operands: list[Value]) -> Value:
    named = dict(zip(op.keywords, operands[len(op.args) :], strict=True))
    plain = operands[: len(op.args)]
    if op.fn is np.astype and isinstance(plain[0].type, Scalar):
        return b.call(plain[1].owner.value, plain[0])  # type: ignore[union-attr]
    return b.call_op(op.fn, plain, named, member=op.member).result


def is_mask(v: Value) -> bool:
    """Whether `v` is made of truth values: `x > 0`, `(x > 0).astype(float)`."""
    op = v.owner
    while isinstance(op, core.Call) and op.fn is np.astype:
        v = op.operands[0]
        op = v.owner
    return _is_bool(v.type)


def _is_bool(t: Type) -> bool:
    return t.dtype.kind == "b" if isinstance(t, Array) else t == Scalar("bool")
