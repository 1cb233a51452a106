"""Cotangents: their shapes, how they are added up, and how they fit what they belong to.

The cotangent of an array may be *pending*: a value whose shape merely broadcasts to the array's
(the cotangent of `x` in `np.mean(x)` is one number). It stays so through arithmetic, and is filled
out (`materialize`) only where the full shape matters: when it is indexed, carried by a loop or
returned. Un-broadcasting (`reduce_to`) sums over the axes that broadcasting stretched; over a
pending axis the sum is a product with the axis's length.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

import numpy as np

from adcompile import runtime
from adcompile.ad import selections
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Spec, Step, Value, constant
from adcompile.ir.infer.sizes import members
from adcompile.ir.types import INT, SAVED, Array, Scalar, Seq, Size, Tree, Type, is_many


def same_size(a: Size, b: Size) -> bool:
    """Whether two sizes that broadcast together are surely equal."""
    return a == b or (is_many(a) and is_many(b))


def shape_of(t: Type) -> tuple[Size, ...]:
    return t.shape if isinstance(t, Array) else ()


def is_full(t: Type, like: Type) -> bool:
    """Whether a cotangent of type `t` has the shape of a primal value of type `like`."""
    a, b = shape_of(t), shape_of(like)
    return len(a) == len(b) and all(map(same_size, a, b))


def is_narrow(t: Type) -> bool:
    """Whether `t` is that of a NumPy number which is no Python float (one of float64 is)."""
    return isinstance(t, Array) and not t.shape and t.dtype != np.float64


_ARITHMETIC = (operator.add, operator.sub, operator.mul, operator.truediv, operator.neg)


def is_of_numpy(d: Value, budget: int = 8) -> bool:
    """Whether the number `d` is surely one of NumPy: where paths meet, it may be Python's 0.0."""
    op = d.owner
    if isinstance(d.type, Scalar) or isinstance(op, core.For) or not budget:
        return False
    if isinstance(op, core.If):
        k = op.results.index(d)
        return all(is_of_numpy(block.yields[k], budget - 1) for block in op.blocks)
    if isinstance(op, core.Call) and op.fn in _ARITHMETIC:
        return any(is_of_numpy(v, budget - 1) for v in reversed(op.operands))
    return not (isinstance(op, core.Call) and op.fn in runtime.MASKED)


def exact(b: Builder, d: Value, t: Type) -> Value:
    """`d` as a result of type `t`: a number of NumPy, not of Python, where that is one."""
    if isinstance(t, Tree) and isinstance(d.owner, core.Make):
        items = [exact(b, x, item) for x, item in zip(d.owner.operands, t.items, strict=True)]
        return b.make(t.node, t.keys, items)
    if not isinstance(t, Array) or t.rank or not isinstance(d.type, Array | Scalar):
        return d
    return d if is_of_numpy(d) else b.call(t.dtype.type, d)


def materialize(b: Builder, d: Value, like: Value) -> Value:
    """`d` with the shape of `like`."""
    return d if is_full(d.type, like.type) else b.call(np.full_like, like, d)


def zeros(b: Builder, like: Value) -> Value:
    """A zero cotangent for `like` that may be added to in place."""
    match like.type:
        case Array(_, shape) if shape:
            return b.call(np.zeros_like, like)
        case Scalar() | Array():
            return b.const(0.0)
        case Seq():
            return b.call_op(runtime.zeros_like, [like], types=[like.type]).result
    raise AssertionError(f"no zero for {like.type!r}")


def cast(b: Builder, d: Value, t: Type) -> Value:
    """`d` in the dtype of `t`; Python numbers are weak and need no cast."""
    if isinstance(d.type, Array) and isinstance(t, Array) and d.type.dtype != t.dtype:
        return b.member(np.astype, "astype()", d, t.dtype.type)
    return d


def times(b: Builder, d: Value, p: Value, t: Type) -> Value:
    """`d` times a partial derivative of a value of type `t`, in the dtype of `t`."""
    c = constant(p)
    if isinstance(c, int | float) and c in (1, -1):
        return d if c == 1 else b.call(operator.neg, d)
    if _is_mask(p.type) and isinstance(d.type, Scalar) and isinstance(t, Array):
        # a Python number times a mask is float64, whatever `t` is
        one = constant(d) == 1.0
        if one or t.dtype != np.float64:
            p = b.member(np.astype, "astype()", p, t.dtype.type)
        return p if one else b.mul(d, p)
    return b.mul(d, p) if c is core.MISSING else b.mul(p, d)


def _is_mask(t: Type) -> bool:
    return isinstance(t, Array) and t.rank > 0 and t.dtype.kind in "biu"


def add(b: Builder, old: Value | None, new: Value) -> Value:
    if old is None:
        return new
    if old.type == SAVED or new.type == SAVED:
        return b.call_op(runtime.add_saved, [old, new], types=[SAVED]).result
    if isinstance(old.type, Seq):
        heads = [b.const(0), b.call(len, old), b.const(1)]
        return add_at(b, heads, old, lambda inner, i: inner.index(new, ("value",), [i]))
    return selections.add(b, old, new)


def add_at(
    b: Builder, heads: Sequence[Value], d: Value, item: Callable[[Builder, Value], Value]
) -> Value:
    """A list of cotangents after `for i in range(*heads): d[i] += item(i)`."""
    i, carried = Value(INT), Value(d.type, d.name)
    body = core.Block([i, carried])
    inner = b.into(body)
    made = add_item(inner, carried, item(inner, i), ("value",), [i])
    inner.yield_(made)
    return b.add(core.For, [*heads, d], [d.type], body=body).results[0]


def add_item(
    b: Builder,
    d: Value,
    item: Value,
    spec: Spec,
    at: Sequence[Value],
    mode: str = "+",
    views: Sequence[tuple[Step, Sequence[Value]]] = (),
) -> Value:
    """`d` after `d[at] += item`, which would make a list longer."""
    if isinstance(item.type, Seq) or item.type == SAVED:
        return b.update(d, add(b, b.index(d, spec, at), item), spec, at)
    return b.update(d, item, spec, at, mode, views)


def reduce_to(b: Builder, d: Value, z: Value, x: Value, other: Value | None = None) -> Value:
    """The cotangent of `x` from `d`, that of the result `z` which `x` was broadcast to.

    `other` is what alone it was broadcast with, if that is known: its shape may be cheaper to have
    than that of `z`.
    """
    _fit(b, d, z)
    have, want, full = shape_of(d.type), shape_of(x.type), shape_of(z.type)
    if have == want == full:
        return d
    full = (1,) * (len(want) - len(full)) + full
    lead = len(full) - len(want)
    stretched = [k for k in range(lead, len(full)) if want[k - lead] == 1 and full[k] != 1]
    unsure = [
        k
        for k, (had, wanted) in enumerate(zip(full[lead:], want), lead)
        if had != 1 and k not in stretched and not same_size(wanted, had) and not is_many(wanted)
    ]
    if unsure:
        shapes = [b.member(np.shape, "shape", x)]
        if not is_full(d.type, z.type):
            shapes.append(b.member(np.shape, "shape", other or z))
        return b.call_op(runtime.unbroadcast, [d, *shapes], types=[_like(d, x)]).result
    pad = len(full) - len(have)  # leading axes that d lacks altogether
    pending = [
        k for k in [*range(lead), *stretched] if full[k] != 1 and (k < pad or have[k - pad] == 1)
    ]
    total = _sum_axes(b, d, pad, [*range(lead)], stretched)
    if total is not d and is_full(total.type, x.type):
        total.type = _like(total, x)
    return _times_sizes(b, total, z, pending, len(full))


def _fit(b: Builder, d: Value, z: Value) -> None:
    """Note that a size which that of `z` went into is that of `z`: a cotangent is no larger."""
    have, full = shape_of(d.type), shape_of(z.type)
    made = isinstance(d.owner, core.Op) and d.owner.order == b.order
    if have == full or len(have) != len(full) or not made:
        return
    sizes = [f if f in members(h) else h for h, f in zip(have, full, strict=True)]
    d.type = Array(d.type.dtype, tuple(sizes))  # type: ignore[union-attr]


def _like(d: Value, x: Value) -> Type:
    """The type of `d` once it is summed down to the shape of `x`; one number stays one."""
    if not isinstance(d.type, Array) or not d.type.shape:
        return d.type
    return Array(d.type.dtype, shape_of(x.type))


def _sum_axes(b: Builder, d: Value, pad: int, lead: list[int], stretched: list[int]) -> Value:
    """Sum out the `lead` axes and sum `stretched` ones down to 1, as far as `d` has them."""
    have = shape_of(d.type)
    out = [k - pad for k in lead if k >= pad]
    down = [k - pad for k in stretched if k >= pad and have[k - pad] != 1]
    if out and len(out) == len(have):
        return b.call(np.sum, d)
    if down:
        d = b.member(np.sum, "sum()", d, axis=_axes(down), keepdims=True)
    if out:
        d = b.member(np.sum, "sum()", d, axis=_axes(out))
    return d


def _axes(axes: list[int]) -> int | tuple[int, ...]:
    return axes[0] if len(axes) == 1 else tuple(axes)


def _times_sizes(b: Builder, d: Value, z: Value, axes: list[int], rank: int) -> Value:
    """`d` times the lengths of these axes of `z`."""
    if axes and len(axes) == rank:
        return b.mul(d, b.member(np.size, "size", z))
    for k in axes:
        d = b.call(operator.mul, d, b.size(z, k))
    return d
