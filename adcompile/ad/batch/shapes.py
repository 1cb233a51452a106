"""Batching rules of what rearranges arrays and what asks for shapes."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adcompile.ad.batch.axes import (
    again,
    bound,
    items_of,
    known_axis,
    product,
    rank_of,
    shifted,
    total_size,
)
from adcompile.ad.batch.table import batches
from adcompile.ad.batch.values import WHOLE, Dense, Packed, Rep, extents
from adcompile.ad.batch.walk import Batch
from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.infer import known, values
from adcompile.ir.types import Array, Seq, Tree

# --- questions, whose answers are the same in each direction ------------------------------------


@batches(np.shape)
def _shape(s: Batch, op: core.Call) -> Rep:
    return s.b.tuple(*extents(s.b, s.dense(op.operands[0]), 1))


@batches(np.size)
def _size(s: Batch, op: core.Call) -> Rep | None:
    x, *axis = op.operands
    d = s.dense(x)
    return s.b.size(d, shifted(known(axis[0]), rank_of(x))) if axis else total_size(s.b, d)


@batches(np.ndim)
def _ndim(s: Batch, op: core.Call) -> Rep:
    return s.b.const(rank_of(op.operands[0]))


@batches(len)
def _len(s: Batch, op: core.Call) -> Rep:
    (x,) = op.operands
    if isinstance(x.type, Tree):
        return s.b.const(len(x.type.keys))
    rep = s.get(x)
    if isinstance(x.type, Seq) and isinstance(rep, Packed):
        return s.b.call(len, rep.value)
    return s.b.size(s.dense(x), 1)


@batches(np.iscomplexobj, np.isrealobj)
def _kind(s: Batch, op: core.Call) -> Rep:
    return s.b.call(op.fn, s.dense(op.operands[0]))


_NEW = {np.zeros_like: np.zeros, np.ones_like: np.ones, np.empty_like: np.empty}


@batches(*_NEW)
def _like(s: Batch, op: core.Call) -> Rep | None:
    if len(op.args) > 1 or not set(op.keywords) <= {"dtype"}:
        return None
    t = op.result.type
    assert isinstance(t, Array)
    shape = s.b.tuple(*extents(s.b, s.dense(op.operands[0]), 1))
    return s.b.call(_NEW[op.fn], shape, dtype=t.dtype.type)


@batches(np.full_like)
def _full_like(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "a fill_value dtype", "a fill_value")
    if given is None:
        return None
    t, like, fill = op.result.type, given["a"], given["fill_value"]
    assert isinstance(t, Array)
    sizes = extents(s.b, s.dense(like), 1) if s.is_batched(like) else extents(s.b, like)
    if not s.is_batched(fill):
        return s.b.call(np.full, s.b.tuple(*sizes), fill, dtype=t.dtype.type)
    return _stretched(s, op, fill, sizes)


@batches(np.full)
def _full(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "shape fill_value dtype", "fill_value")
    return _stretched(s, op, given["fill_value"], items_of(s.b, given["shape"])) if given else None


@batches(np.broadcast_to)
def _broadcast_to(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "array shape")
    return _stretched(s, op, given["array"], items_of(s.b, given["shape"])) if given else None


def _stretched(s: Batch, op: core.Call, x: Value, sizes: list[Value]) -> Rep:
    d = s.aligned(x, len(sizes))
    if not sizes:
        return Dense(s.fit(d, op.result))
    return again(s, op, [d, s.b.tuple(s.n, *sizes)], fn=np.broadcast_to)


# --- other shapes -------------------------------------------------------------------------------


@batches(np.reshape)
def _reshape(s: Batch, op: core.Call) -> Rep | None:
    x, *dims = op.args
    named = op.kwargs
    if "shape" in named:
        dims.append(named.pop("shape"))
    if named or not dims or any(map(s.is_batched, dims)):
        return None
    sizes = items_of(s.b, dims[0]) if len(dims) == 1 else dims
    return _reshaped(s, op, s.dense(x), sizes)


def _reshaped(s: Batch, op: core.Call, d: Value, sizes: list[Value]) -> Rep:
    """A size of -1 is computed: with no direction at all it could be anything."""
    whole = [v for v in sizes if known(v) == -1]
    if whole:
        rest = [v for v in sizes if v is not whole[0]]
        size = total_size(s.b, d)
        if rest:
            size = s.b.call(operator.floordiv, size, product(s.b, rest))
        sizes = [size if v is whole[0] else v for v in sizes]
    return again(s, op, [d, s.b.tuple(s.n, *sizes)], fn=np.reshape)


@batches(np.ravel, np.ndarray.flatten)
def _ravel(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "a")
    if given is None:
        return None
    d = s.dense(given["a"])
    if rank_of(given["a"]) == 1:
        return Dense(s.b.call(np.copy, d) if op.fn is not np.ravel else d)
    return again(s, op, [d, s.b.tuple(s.n, total_size(s.b, d))], fn=np.reshape)


@batches(np.expand_dims)
def _expand_dims(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "a axis")
    axis = known_axis(given["axis"]) if given else core.MISSING
    if given is None or axis is core.MISSING:
        return None
    return again(s, op, [s.dense(given["a"]), shifted(axis, rank_of(given["a"]))])


@batches(np.squeeze)
def _squeeze(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "a axis")
    axis = known_axis(given.get("axis")) if given else core.MISSING
    if given is None or axis is core.MISSING:
        return None
    shape = values.array_of(given["a"]).shape
    if axis is None:
        axis = tuple([k for k, size in enumerate(shape) if size == 1])
    return again(s, op, [s.dense(given["a"])], {"axis": shifted(axis, len(shape))})


@batches(np.atleast_1d, np.atleast_2d, np.atleast_3d)
def _atleast(s: Batch, op: core.Call) -> Rep | None:
    if len(op.operands) != 1:
        return None
    (x,) = op.operands
    have, want = rank_of(x), rank_of(op.result)
    after = (have == 1 and want == 3) or (have == 2 and want == 3)  # a new last axis
    front = want - have - after
    spec = (WHOLE, *[None] * front, *([WHOLE] * have if after else []), *[None] * after)
    d = s.dense(x)
    return Dense(s.fit(s.b.index(d, spec), op.result) if want > have else d)


# --- axes in another order ----------------------------------------------------------------------


@batches(np.transpose, np.permute_dims)
def _transpose(s: Batch, op: core.Call) -> Rep | None:
    x, *given = op.operands
    rank = rank_of(x)
    axes: Any = [known_axis(v) for v in given]
    if core.MISSING in axes:
        return None
    axes = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else tuple(axes) or None
    order = tuple(range(rank))[::-1] if axes is None else tuple([k % rank for k in axes])
    return _permuted(s, op, s.dense(x), order)


def _permuted(s: Batch, op: core.Call, d: Value, order: tuple[int, ...]) -> Rep:
    if order == tuple(range(len(order))):
        return Dense(d)
    if order == (1, 0):
        return again(s, op, [d, 1, 2], fn=np.swapaxes)
    return again(s, op, [d, (0, *[k + 1 for k in order])], fn=np.transpose)


@batches(np.matrix_transpose, np.linalg.matrix_transpose)
def _matrix_transpose(s: Batch, op: core.Call) -> Rep:
    return again(s, op, [s.dense(op.operands[0])])


@batches(np.swapaxes, np.moveaxis)
def _moved(s: Batch, op: core.Call) -> Rep | None:
    x, *rest = op.args
    axes = [known_axis(v) for v in [*rest, *op.kwargs.values()]]
    if core.MISSING in axes or any(map(s.is_batched, rest)):
        return None
    axes = [shifted(k, rank_of(x)) for k in axes]
    named = dict(zip(op.keywords, axes[len(rest) :], strict=True))
    return again(s, op, [s.dense(x), *axes[: len(rest)]], named)


# --- elements in another order ------------------------------------------------------------------


@batches(np.flip)
def _flip(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "m axis")
    axis = known_axis(given.get("axis")) if given else core.MISSING
    if given is None or axis is core.MISSING or rank_of(given["m"]) == 0:
        return None
    return again(s, op, [s.dense(given["m"]), shifted(axis, rank_of(given["m"]))])


@batches(np.flipud, np.fliplr)
def _flip_one(s: Batch, op: core.Call) -> Rep:
    return again(s, op, [s.dense(op.operands[0]), 1 if op.fn is np.flipud else 2], fn=np.flip)


@batches(np.rot90)
def _rot90(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "m k axes")
    if given is None:
        return None
    axes = known_axis(given.get("axes"), (0, 1))
    if axes is core.MISSING:
        return None
    d = s.dense(given["m"])
    return again(s, op, [d, given.get("k", 1), shifted(axes, rank_of(given["m"]))])


@batches(np.roll)
def _roll(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "a shift axis")
    axis = known_axis(given.get("axis")) if given else core.MISSING
    if given is None or axis is core.MISSING or rank_of(given["a"]) == 0:
        return None
    d, rank = s.dense(given["a"]), rank_of(given["a"])
    if axis is not None or rank == 1:
        return again(s, op, [d, given["shift"]], {"axis": shifted(axis, rank)})
    sizes = extents(s.b, d, 1)
    flat = s.b.call(np.reshape, d, s.b.tuple(s.n, product(s.b, sizes)))
    rolled = s.b.call(np.roll, flat, given["shift"], axis=1)
    return again(s, op, [rolled, s.b.tuple(s.n, *sizes)], fn=np.reshape)


# --- copies and pieces of elements --------------------------------------------------------------


@batches(np.tile)
def _tile(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "A reps")
    if given is None:
        return None
    reps = items_of(s.b, given["reps"])
    rank = max(rank_of(given["A"]), len(reps))
    ones = [s.b.const(1) for _ in range(rank + 1 - len(reps))]
    return again(s, op, [s.aligned(given["A"], rank), s.b.tuple(*ones, *reps)])


@batches(np.pad)
def _pad(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "array pad_width mode constant_values")
    if given is None or not _is_number(given.get("constant_values")):
        return None
    x, width = given.pop("array"), given.pop("pad_width")
    rank, rows = rank_of(x), values.parts(width)
    if rows is None:
        pairs = [s.b.tuple(width, width)] * rank if rank_of(width) == 0 else []
    else:
        rows = items_of(s.b, width)
        inner = values.parts(rows[0]) if rows else None
        pairs = rows * (rank // len(rows)) if inner and len(rows) in (1, rank) else []
        if inner is None and len(rows) == 2:
            pairs = [width] * rank
    if len(pairs) != rank:
        return None
    zero = s.b.tuple(s.b.const(0), s.b.const(0))
    return again(s, op, [s.dense(x), s.b.tuple(zero, *pairs)], given)


@batches(np.tril, np.triu)
def _triangle(s: Batch, op: core.Call) -> Rep | None:
    x, *k = op.args
    if rank_of(x) < 2:
        return None
    return again(s, op, [s.dense(x), *k], op.kwargs)


@batches(np.trace, np.diagonal)
def _trace(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "a offset axis1 axis2")
    if given is None:
        return None
    axes = known_axis(given.get("axis1"), 0), known_axis(given.get("axis2"), 1)
    if core.MISSING in axes:
        return None
    rank = rank_of(given["a"])
    named = {"axis1": shifted(axes[0], rank), "axis2": shifted(axes[1], rank)}
    return again(s, op, [s.dense(given["a"]), given.get("offset", 0)], named)


@batches(np.linalg.trace, np.linalg.diagonal)
def _last_two(s: Batch, op: core.Call) -> Rep:
    return again(s, op, [s.dense(op.args[0])], op.kwargs)


@batches(np.diag)
def _diag(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "v k")
    if given is None:
        return None
    d, k = s.dense(given["v"]), given.get("k")
    if rank_of(given["v"]) == 2:
        named = {"axis1": 1, "axis2": 2}
        return again(s, op, [d, 0 if k is None else k], named, fn=np.diagonal)
    if k is not None and known(k) != 0:
        return None
    t = op.result.type
    assert isinstance(t, Array)
    there = s.b.call(np.eye, s.b.size(d, 1), dtype=bool)  # a product would not keep zeros
    return again(s, op, [there, s.b.index(d, (WHOLE, WHOLE, None)), 0], fn=np.where)


def _is_number(v: Value | None) -> bool:
    return v is None or rank_of(v) == 0
