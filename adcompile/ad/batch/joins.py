"""Batching rules of functions that put several arrays together, or take one apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from adcompile.ad.batch.axes import again, bound, known_axis, rank_of, shifted, total_size
from adcompile.ad.batch.layout import Items, batched_type
from adcompile.ad.batch.table import batches
from adcompile.ad.batch.values import WHOLE, Dense, Rep, child, dense, repack, wrapped
from adcompile.ad.batch.walk import Batch
from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.infer import values
from adcompile.ir.types import Array, Seq, Tree

# --- putting together ---------------------------------------------------------------------------


def _parts(s: Batch, x: Value) -> list[tuple[Value, int]] | None:
    """The arrays of a tuple or list in each direction, with the ranks that they have in one."""
    t = x.type
    if not isinstance(t, Tree) or not issubclass(t.node, tuple | list):
        return None
    found = []
    for key, item in zip(t.keys, t.items, strict=True):
        rep = child(s, s.get(x), t, key)
        found.append((dense(s, rep, item), values.as_array(item).rank))
    return found


def _joined(s: Batch, op: core.Call, parts: list[Value], axis: int, **named: Any) -> Rep:
    made = s.b.make(list, range(len(parts)), parts)
    return again(s, op, [made], {"axis": axis, **named}, fn=np.concatenate)


@batches(np.concatenate, np.concat)
def _concatenate(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "arrays axis dtype casting")
    axis = known_axis(given.get("axis"), 0) if given else core.MISSING
    if given is None or axis is core.MISSING:
        return None
    x, named = given["arrays"], {k: given[k] for k in ("dtype", "casting") if k in given}
    if isinstance(x.type, Seq) and axis is not None:
        items = repack(s, s.get(x), x.type, Items(True))
        rank = values.as_array(x.type.item).rank
        return again(s, op, [items], {"axis": shifted(axis, rank), **named}, fn=np.concatenate)
    parts = _parts(s, x)
    if parts is None:
        return None
    if axis is not None:
        return _joined(s, op, [d for d, _ in parts], shifted(axis, parts[0][1]), **named)
    flat = []
    for d, rank in parts:
        shape = s.b.tuple(s.n, total_size(s.b, d))
        flat.append(d if rank == 1 else s.b.call(np.reshape, d, shape))
    return _joined(s, op, flat, 1, **named)


@batches(np.stack)
def _stack(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "arrays axis dtype casting")
    axis = known_axis(given.get("axis"), 0) if given else core.MISSING
    if given is None or axis is core.MISSING:
        return None
    x, named = given["arrays"], {k: given[k] for k in ("dtype", "casting") if k in given}
    named["axis"] = s.b.const(shifted(axis, 1))
    if isinstance(x.type, Seq):
        return again(s, op, [repack(s, s.get(x), x.type, Items(True))], named)
    parts = _parts(s, x)
    if parts is None:
        return None
    return again(s, op, [s.b.make(list, range(len(parts)), [d for d, _ in parts])], named)


_LEAST = {np.vstack: 2, np.hstack: 1, np.dstack: 3, np.column_stack: 2}


@batches(*_LEAST)
def _named_stack(s: Batch, op: core.Call) -> Rep | None:
    parts = _parts(s, op.args[0])
    if parts is None:
        return None
    least, columns = _LEAST[op.fn], op.fn is np.column_stack
    ready = [_raised(s, d, rank, least, columns) for d, rank in parts]
    first = 1 if op.fn is np.hstack and max(rank for _, rank in parts) <= 1 else None
    axis = first or {np.vstack: 1, np.hstack: 2, np.dstack: 3, np.column_stack: 2}[op.fn]
    return _joined(s, op, ready, axis, **op.kwargs)


def _raised(s: Batch, d: Value, rank: int, least: int, columns: bool) -> Value:
    """`np.atleast_1d`, `2d` or `3d` in each direction; of a vector a column, if `columns`."""
    if rank >= least:
        return d
    if columns:
        return s.b.index(d, (WHOLE, *[WHOLE] * rank, *[None] * (2 - rank)))
    after = least == 3 and rank > 0
    spec = (*[None] * (least - rank - after), *[WHOLE] * rank, *[None] * after)
    return s.b.index(d, (WHOLE, *spec))


@batches(np.append)
def _append(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "arr values axis", "arr values")
    axis = known_axis(given.get("axis")) if given else core.MISSING
    if given is None or axis is core.MISSING:
        return None
    parts = [(s.dense(v), rank_of(v)) for v in (given["arr"], given["values"])]
    if axis is not None:
        return _joined(s, op, [d for d, _ in parts], shifted(axis, parts[0][1]))
    flat = []
    for d, rank in parts:
        shape = s.b.tuple(s.n, total_size(s.b, d))
        flat.append(d if rank == 1 else s.b.call(np.reshape, d, shape))
    return _joined(s, op, flat, 1)


@batches(np.array, np.asarray, np.asanyarray)
def _array(s: Batch, op: core.Call) -> Rep | None:
    x, *rest = op.args
    if len(rest) > 1 or not set(op.keywords) <= {"dtype", "copy", "order"}:
        return None
    d = s.dense(x)
    copies = op.fn is np.array and isinstance(x.type, Array)
    return Dense(s.fit(s.b.call(np.array, d) if copies else d, op.result))


# --- taking apart -------------------------------------------------------------------------------


@batches(np.split, np.array_split, np.vsplit, np.hsplit, np.dsplit)
def _split(s: Batch, op: core.Call) -> list[Rep] | None:
    given = bound(s, op, "ary indices_or_sections axis")
    if given is None:
        return None
    x, rank = given["ary"], rank_of(given["ary"])
    fixed = {np.vsplit: 0, np.hsplit: min(rank, 2) - 1, np.dsplit: 2}
    axis = fixed[op.fn] if op.fn in fixed else known_axis(given.get("axis"), 0)
    if axis is core.MISSING:
        return None
    fn = np.array_split if op.fn is np.array_split else np.split
    layouts = [s.spread.of(r) for r in op.results]
    types = [batched_type(r.type, c, s.size) for r, c in zip(op.results, layouts, strict=True)]
    named = {"axis": shifted(axis, rank)}
    made = s.b.call_op(fn, [s.dense(x), given["indices_or_sections"]], named, types=types)
    return list(map(wrapped, made.results, layouts))
