"""No NaN through a mask: products of derivatives in which a masked zero stays zero.

Where a mask has made a cotangent zero, the derivative that it is multiplied by may well be infinite
or NaN: that of the square root at what the mask is there to keep away. Zero wins. While the mask is
in sight, `where(c, v, 0) * p` is kept as `where(c, v * p, 0)`. Where it has gone out of sight, in a
sum, a reshape or a loop, the product is `masked_times(d, p)`, printed as
`np.where(d != 0, d * p, 0)`. The other way round, a partial derivative that is a mask itself
selects rather than multiplies where the cotangent may be infinite.

Products of what is surely finite stay plain products; `marks.py` and `finite.py` say what that is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from adcompile import runtime
from adcompile.ad import cotangents as cot
from adcompile.ad.finite import canonical, finite
from adcompile.ad.marks import DEEPEST, Marks
from adcompile.ad.selections import Selection, is_mask, selection
from adcompile.ad.zeros import may_be_zero
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Value, constant
from adcompile.ir.types import Array, Scalar, Type


def times(
    b: Builder,
    d: Value,
    p: Value,
    t: Type,
    marks: Marks | None,
    of: Value,
    same: Mapping[Value, Value] | None = None,
) -> Value:
    """`cotangents.times`: the cotangent (or tangent) `d` of `of` times a partial derivative `p`.

    `t` is the type of the result of the function that `p` is the derivative of. `same` tells which
    values of the program stand for copies of them that `p` is made of.
    """
    if marks is None:
        return cot.times(b, d, p, t)
    mark = marks.of(of)
    if constant(p) is not core.MISSING or constant(d, 0):
        return cot.times(b, d, p, t)
    old = (lambda v: v) if same is None else (lambda v: same.get(v, v))
    steep = mark.depth and not finite(p, lambda v: marks.finite(old(v)))
    if mark.infinite and is_mask(p):
        return _select(b, p, d, t)
    if mark.infinite and may_be_zero(p, lambda v: marks.masked(old(v))):
        if steep:  # where `d` is zero, `p` may not be finite
            p = b.call(np.where, b.call(np.not_equal, d, 0), p, 0)
        return b.call(runtime.masked_times, p, d)
    return _zero_first(b, d, p, t, mark.depth) if steep else cot.times(b, d, p, t)


def _zero_first(b: Builder, d: Value, p: Value, t: Type, masks: int) -> Value:
    """`d * p`, zero where `d` is zero by one of so many masks."""
    shown = selection(b, d) if masks and _rank(d.type) else None
    if shown is None:
        return b.call(runtime.masked_times, d, p) if masks else cot.times(b, d, p, t)
    left = masks if masks == DEEPEST else masks - 1
    product = _in_dtype(b, _zero_first(b, shown.value, p, t, left), t)
    return shown.holding(b, product)


def _select(b: Builder, mask: Value, d: Value, t: Type) -> Value:
    """`d` where a mask is true, else zero: also where `d` is infinite."""
    if not _rank(mask.type) and not _rank(d.type):
        return b.call(runtime.masked_times, mask, d)
    while isinstance(mask.owner, core.Call) and mask.owner.fn is np.astype:
        mask = mask.owner.operands[0]
    return Selection(mask, False, d).holding(b, _in_dtype(b, d, t))


def select_within(b: Builder, start: int, d: Value) -> None:
    """In the ops of `b`'s block from `start` on: products of masks with what `d` goes into select.

    (In the body of a rule, which is written for a finite tangent.)
    """
    ops = b.block.ops[start:]
    del b.block.ops[start:]
    linear = {d}
    for op in ops:
        if linear.isdisjoint(op.operands):
            b.block.ops.append(op)
            continue
        linear.update(op.results)
        product = isinstance(op, core.Call) and canonical(op.fn) is np.multiply
        mask = next((v for v in op.operands if product and is_mask(v)), None)
        if mask is None:
            b.block.ops.append(op)
            continue
        (other,) = [v for v in op.operands if v is not mask]
        made = _select(b, mask, other, op.result.type).owner
        assert isinstance(made, core.Op)
        made.results[0], op.result.owner = op.result, made


# --- what values are ----------------------------------------------------------------------------


def _rank(t: Type) -> int:
    return t.rank if isinstance(t, Array) else 0


def _in_dtype(b: Builder, d: Value, t: Type) -> Value:
    """A Python number in the dtype of the arrays of type `t`: a mask would make it float64."""
    if isinstance(d.type, Scalar) and isinstance(t, Array) and t.rank and t.dtype != np.float64:
        return b.call(t.dtype.type, d)
    return d
