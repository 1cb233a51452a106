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

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from adcompile import runtime
from adcompile.ad import cotangents as cot
from adcompile.ad.activity import active_values
from adcompile.ad.finite import canonical, finite, is_nonzero
from adcompile.ad.marks import DEEPEST, PLAIN, Mark, Marks
from adcompile.ad.selections import Selection, is_mask, selection
from adcompile.ad.zeros import may_be_zero
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Op, Value, constant
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
    if marks is not None:
        known = (lambda v: v) if same is None else (lambda v: same.get(v, v))
        product = _masked(b, d, p, t, marks, marks.of(of), known)
        if product is not None:
            return product
    return cot.times(b, d, p, t)


def _masked(
    b: Builder, d: Value, p: Value, t: Type, marks: Marks, mark: Mark, old: Callable[[Value], Value]
) -> Value | None:
    """`times` where a mask has something to say, else None."""
    if mark == PLAIN or constant(p) is not core.MISSING or constant(d, 0):
        return None
    steep = mark.depth and not finite(p, lambda v: marks.finite(old(v)))
    if mark.infinite and is_mask(p):
        return _select(b, p, d, t)
    if mark.infinite and may_be_zero(p, lambda v: marks.masked(old(v))):
        return b.call(runtime.masked_product if steep else runtime.masked_times, p, d)
    return _zero_first(b, d, p, t, mark.depth) if steep else None


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


# --- the bodies of rules --------------------------------------------------------------------------


def guard(
    b: Builder,
    start: int,
    ds: Iterable[Value],
    out: Value,
    marks: Marks | None,
    of: Sequence[Value],
) -> None:
    """Let the body of a rule, the ops of `b`'s block from `start` on, keep to the masks.

    It gives `out`, and is linear in `ds`, the cotangents or tangents of the values `of`: what is
    made of them is multiplied and divided as by `times`.
    """
    mark = PLAIN if marks is None else max(map(marks.of, of))
    if marks is None or mark == PLAIN:
        return
    body = Block([], b.block.ops[start:])
    outs = out.owner.operands if isinstance(out.owner, core.Make) else [out]
    linear = active_values(Function("rule", body, []), ds, outs)
    for block in list(core.walk_blocks(body)):
        ops, block.ops = block.ops, []
        inner = b.into(block)
        for op in ops:
            factors = _factors(inner, op, linear)
            new = factors and _masked(inner, *factors, op.result.type, marks, mark, lambda v: v)
            if new is None:
                block.ops.append(op)
            elif isinstance(new.owner, Op):
                new.owner.results[0], op.result.owner = op.result, new.owner
    b.block.ops[start:] = body.ops


def _factors(b: Builder, op: Op, linear: set[Value]) -> tuple[Value, Value] | None:
    """What `op` multiplies: a value in `linear` and one that is not."""
    if not isinstance(op, core.Call) or len(op.args) != 2:
        return None
    fn, (x, y) = canonical(op.fn), op.args
    if fn is np.multiply and (x in linear) != (y in linear):
        return (x, y) if x in linear else (y, x)
    if fn is np.divide and x in linear and y not in linear and not is_nonzero(y):
        return x, b.call(operator.truediv, 1, y)
    return None


def _rank(t: Type) -> int:
    return t.rank if isinstance(t, Array) else 0


def _in_dtype(b: Builder, d: Value, t: Type) -> Value:
    """A Python number in the dtype of the arrays of type `t`: a mask would make it float64."""
    if isinstance(d.type, Scalar) and isinstance(t, Array) and t.rank and t.dtype != np.float64:
        return b.call(t.dtype.type, d)
    return d
