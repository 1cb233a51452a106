"""Batching rules of reductions, and of what runs along one axis."""

from __future__ import annotations

import builtins

import numpy as np

from adcompile.ad.batch.axes import again, bound, known_axis, rank_of, shifted, total_size
from adcompile.ad.batch.layout import Items
from adcompile.ad.batch.table import batches
from adcompile.ad.batch.values import Dense, Rep, child, dense, repack, wrapped, zeros
from adcompile.ad.batch.walk import Batch
from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.infer import values
from adcompile.ir.types import Array, Seq, Tree

_NAMES = {
    np.sum: "a axis dtype out keepdims initial where",
    np.prod: "a axis dtype out keepdims initial where",
    np.nansum: "a axis dtype out keepdims initial where",
    np.mean: "a axis dtype out keepdims where",
    np.nanmean: "a axis dtype out keepdims where",
    np.max: "a axis out keepdims initial where",
    np.min: "a axis out keepdims initial where",
    np.any: "a axis out keepdims where",
    np.all: "a axis out keepdims where",
    np.std: "a axis dtype out ddof keepdims where mean correction",
    np.var: "a axis dtype out ddof keepdims where mean correction",
}

_OF_ONE = (np.sum, np.prod, np.nansum, np.mean, np.nanmean, np.max, np.min, np.amax, np.amin)


@batches(*_NAMES, np.amax, np.amin)
def _reduction(s: Batch, op: core.Call) -> Rep | None:
    same = {np.amax: np.max, np.amin: np.min}
    given = bound(s, op, _NAMES[same.get(op.fn, op.fn)])
    if given is None:
        return None
    rank, axis = rank_of(given["a"]), known_axis(given.get("axis"))
    if axis is core.MISSING or "mean" in given:
        return None
    if rank == 0:
        keeps = op.fn in _OF_ONE and len(given) == 1
        return Dense(s.fit(s.dense(given["a"]), op.result)) if keeps else None
    if s.is_last(given["a"]) and len(given) == 1:
        return again(s, op, [s.aligned_last(given["a"])], {"axis": 0})
    x, named = s.dense(given.pop("a")), dict(given, axis=shifted(axis, rank))
    return again(s, op, [x], named)


# --- along one axis -----------------------------------------------------------------------------


def _flat(s: Batch, x: Value) -> Value:
    """`x` as a vector in each direction."""
    d, rank = s.dense(x), rank_of(x)
    if rank == 1:
        return d
    return s.b.call(np.reshape, d, s.b.tuple(s.n, total_size(s.b, d)))


def _along(s: Batch, op: core.Call, names: str, default: int | None, flat: bool) -> Rep | None:
    """A function along one axis; None takes the array for a vector, if `flat`."""
    given = bound(s, op, names)
    if given is None:
        return None
    first, second, *_ = names.split()
    x = given.pop(first)
    more = [given.pop(second)] if second != "axis" and second in given else []
    axis = known_axis(given.get("axis"), default)
    if (
        axis is core.MISSING
        or (axis is None and not flat)
        or (rank_of(x) == 0 and axis is not None)
    ):
        return None
    d = _flat(s, x) if axis is None else s.dense(x)
    along = 1 if axis is None else shifted(axis, rank_of(x))
    return again(s, op, [d, *more], dict(given, axis=along))


@batches(np.cumsum, np.cumprod, np.nancumsum, np.nancumprod)
def _running(s: Batch, op: core.Call) -> Rep | None:
    return _along(s, op, "a axis dtype out", None, flat=True)


@batches(np.cumulative_sum, np.cumulative_prod)
def _cumulative(s: Batch, op: core.Call) -> Rep | None:
    return _along(s, op, "x axis dtype out include_initial", 0, flat=False)


@batches(np.sort)
def _sort(s: Batch, op: core.Call) -> Rep | None:
    return _along(s, op, "a axis kind order stable", -1, flat=True)


@batches(np.diff)
def _diff(s: Batch, op: core.Call) -> Rep | None:
    return _along(s, op, "a n axis", -1, flat=False)


@batches(np.repeat)
def _repeat(s: Batch, op: core.Call) -> Rep | None:
    return _along(s, op, "a repeats axis", None, flat=True)


@batches(np.take)
def _take(s: Batch, op: core.Call) -> Rep | None:
    return _along(s, op, "a indices axis out mode", None, flat=True)


@batches(np.take_along_axis)
def _take_along_axis(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "arr indices axis")
    axis = known_axis(given.get("axis"), -1) if given else None
    if given is None or axis is None or axis is core.MISSING:
        return None
    x = s.dense(given["arr"])
    at = s.b.index(s.pack(given["indices"], False), (None,))
    return again(s, op, [x, at], {"axis": shifted(axis, rank_of(given["arr"]))})


# --- Python's sum -------------------------------------------------------------------------------


@batches(builtins.sum)
def _sum(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "iterable start", "iterable start")
    if given is None:
        return None
    x, start = given["iterable"], given.get("start")
    t = x.type
    if isinstance(t, Array) and start is None:
        return again(s, op, [s.dense(x)], {"axis": 1}, fn=np.sum)
    rank = rank_of(op.result)
    if isinstance(t, Tree) and t.items:
        parts = [child(s, s.get(x), t, key) for key in t.keys]
        total = None if start is None else s.aligned(start, rank)
        for part, item in zip(parts, t.items):
            v = _level(s, part, item, rank)
            total = v if total is None else s.b.add_values(total, v)
        assert total is not None
        return Dense(s.fit(total, op.result))
    if isinstance(t, Seq) and values.as_array(t.item).rank == rank and start is None:
        items = repack(s, s.get(x), t, Items(True))
        if rank:
            return again(s, op, [items])
        none = zeros(s.b, [s.n], values.as_array(op.result.type).dtype)
        return again(s, op, [items, none])
    return None


def _level(s: Batch, rep: Rep, t, rank: int) -> Value:
    """One of several values that are added up."""
    if isinstance(rep, Value):
        return rep
    old = Value(t)
    s.spread.mark(old, True)
    s.reps[old] = wrapped(dense(s, rep, t), True)
    return s.aligned(old, rank)
