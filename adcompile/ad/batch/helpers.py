"""Batching rules of the helpers that generated code calls, and of lists that are put together."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from adcompile import runtime
from adcompile.ad.batch.axes import again, bound, items_of, rank_of
from adcompile.ad.batch.elementwise import elementwise
from adcompile.ad.batch.layout import Items, Layout, children, full, item_of, join, normal
from adcompile.ad.batch.table import LAYOUTS, batches
from adcompile.ad.batch.values import Dense, Rep, child, wrapped
from adcompile.ad.batch.walk import Batch
from adcompile.ir import core
from adcompile.ir.types import FLOAT, Array, Seq, Tree, Type


@batches(runtime.stop_gradient)
def _stop_gradient(s: Batch, op: core.Call) -> Rep:
    return s.get(op.operands[0])


@batches(runtime.unbroadcast)
def _unbroadcast(s: Batch, op: core.Call) -> Rep | None:
    """Axes that are summed out are leading ones: while it happens the directions stand last."""
    given = bound(s, op, "d shape other")
    if given is None:
        return None
    b, shapes, d = s.b, [given[k] for k in ("shape", "other") if k in given], s.dense(given["d"])
    if rank_of(given["d"]) == 0:  # it stays one number, times the lengths
        times = b.call_op(runtime.unbroadcast, [1.0, *shapes], types=[FLOAT]).result
        return Dense(s.fit(b.mul(times, d), op.result))
    t = op.result.type
    assert isinstance(t, Array)
    last = [b.call(np.moveaxis, d, 0, -1), *[b.tuple(*items_of(b, v), s.n) for v in shapes]]
    types = [Array(t.dtype, (*t.shape, s.size))]
    made = b.call_op(runtime.unbroadcast, last, types=types).result
    return again(s, op, [made, -1, 0], fn=np.moveaxis) if t.rank else Dense(made)


@batches(runtime.add_saved)
def _add_saved(s: Batch, op: core.Call) -> Rep:
    return _as_it_is(s, op, [s.pack(v, s.spread.of(v)) for v in op.operands])


LAYOUTS[runtime.add_saved] = lambda op, layouts: reduce(join, layouts)


# --- lists --------------------------------------------------------------------------------------


def _zeros_layout(op: core.Call, layouts: Sequence[Layout]) -> Layout:
    """Zeros like what stands under some keys in the items of a list."""
    items, *keys = op.operands
    return _under(items.type, layouts[0], [..., *map(core.constant, keys)])


def _under(t: Type, layout: Layout, keys: Sequence[Any]) -> Layout:
    if not keys:
        return layout
    key, *rest = keys
    if key is ...:
        assert isinstance(t, Seq)
        return normal(Items(_under(t.item, item_of(layout), rest)))
    assert isinstance(t, Tree)
    return _under(t.child(key), children(layout, len(t.keys))[t.keys.index(key)], rest)


LAYOUTS[runtime.zeros_like] = _zeros_layout


@batches(runtime.zeros_like)
def _zeros_like(s: Batch, op: core.Call) -> Rep:
    items, *keys = op.operands
    operands = [s.pack(items, s.spread.of(items)), *keys]
    return _as_it_is(s, op, operands)


def _as_it_is(s: Batch, op: core.Call, operands: Sequence[core.Value]) -> Rep:
    """The same call, whose result is a list in the layout that was found for it."""
    layout = s.spread.of(op.result)
    value = s.parameter(op.result) if layout is not False else core.Value(op.result.type)
    made = core.Call(
        list(operands), [value], op.loc, op.order, fn=op.fn, keywords=op.keywords, member=op.member
    )
    s.b.block.ops.append(made)
    return wrapped(value, layout)


def _list_layout(op: core.Call, layouts: Sequence[Layout]) -> Layout:
    return layouts[0] if isinstance(op.result.type, Seq) else full(op.result.type)


LAYOUTS[list] = _list_layout


@batches(list)
def _list(s: Batch, op: core.Call) -> Rep | None:
    (x,) = op.operands
    if not isinstance(x.type, Seq):
        return None
    return _as_it_is(s, op, [s.pack(x, s.spread.of(x))])


def _sum_layout(op: core.Call, layouts: Sequence[Layout]) -> Layout:
    """Of `xs + ys` for lists or tuples; of numbers and arrays as usual."""
    t = op.result.type
    if isinstance(t, Tree):
        parts = zip(layouts, op.operands, strict=True)
        return normal(
            tuple([c for c0, v in parts for c in children(c0, len(getattr(v.type, "keys", ())))])
        )
    if not isinstance(t, Seq):
        return full(t)
    found: Layout = False
    for layout, v in zip(layouts, op.operands, strict=True):
        inner = (
            children(layout, len(v.type.keys)) if isinstance(v.type, Tree) else (item_of(layout),)
        )
        for c in inner:
            found = join(found, c)
    return normal(Items(found))


LAYOUTS[operator.add] = _sum_layout


@batches(operator.add)
def _add(s: Batch, op: core.Call) -> Rep | None:
    t, layout = op.result.type, s.spread.of(op.result)
    if isinstance(t, Tree):
        parts: list[Rep] = []
        for v in op.operands:
            assert isinstance(v.type, Tree)
            parts += [child(s, s.get(v), v.type, key) for key in v.type.keys]
        return tuple(parts)
    if not isinstance(t, Seq):
        return elementwise(s, op)
    operands = []
    for v in op.operands:
        inner = item_of(layout)
        of_tree = (inner,) * len(v.type.keys) if isinstance(v.type, Tree) else layout
        operands.append(s.pack(v, of_tree))
    return _as_it_is(s, op, operands)
