"""Reads and writes of elements, in a batch: all directions come first, then the index as it was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adcompile.ad.batch import single, table
from adcompile.ad.batch.values import WHOLE, Dense
from adcompile.ad.batch.walk import Batch
from adcompile.codegen.aliasing import VIEWS
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Slice, Spec, Step, Value, ViewCall
from adcompile.ir.infer import index_kind, infer_call, infer_index, values
from adcompile.ir.types import Array, Opaque, Type

Views = list[tuple[Step, Sequence[Value]]]


def array_index(s: Batch, op: core.Index) -> None:
    x, *at = op.operands
    if not isinstance(x.type, Array):
        single.run(s, op)
        return
    at = [s.pack(v, False) for v in at]
    if s.is_last(x) and len(op.spec) == 1 and op.spec[0] not in (None, Ellipsis):
        found = s.b.index(s.aligned_last(x), op.spec, at)
        last = values.array_of(op.result).rank == 1
        if last or not values.array_of(op.result).rank:
            fit = s.fit_last if last else s.fit
            s.put(op.result, Dense(fit(found, op.result), last))
            return
    found = indexed(s.b, s.dense(x), op.spec, at)
    s.put(op.result, Dense(s.fit(found, op.result)))


def indexed(b: Builder, d: Value, spec: Spec, at: Sequence[Value]) -> Value:
    """`x[spec]` in each direction."""
    found = b.index(d, (WHOLE, *spec), at)
    apart = _axes_in_front(spec, at)
    return found if apart is None else b.call(np.moveaxis, found, apart, 0)


def _axes_in_front(spec: Spec, at: Sequence[Value]) -> int | None:
    """How many axes of index arrays NumPy moves to the front, because they stand apart."""
    rest = iter(at)
    places: list[int] = []
    ranks: list[int] = []
    for k, entry in enumerate(spec):
        if isinstance(entry, Slice):
            for given in (entry.start, entry.stop, entry.step):
                if given:
                    next(rest)
        elif entry == "value":
            t = values.array_of(next(rest))
            places.append(k)
            ranks.append(1 if t.dtype.kind == "b" else t.rank)
    if not any(ranks) or places == list(range(places[0], places[0] + len(places))):
        return None
    return max(ranks)


# --- writes -------------------------------------------------------------------------------------


def array_update(s: Batch, op: core.Update) -> None:
    x, v = op.operands[:2]
    views = _views(s, op)
    if views is None:
        single.run(s, op)
        return
    steps, seen = views
    b, base = s.b, s.dense(x)
    if any(isinstance(step, ViewCall) and step.fn not in VIEWS for step, _ in steps):
        base = b.call(np.ascontiguousarray, base)  # whose reshape is a view
    target = infer_index(Value(seen), op.spec, op.at)
    assert isinstance(target, Array)
    at = [s.pack(i, False) for i in op.at]
    new = _placed(s, v, target.rank)
    if _axes_in_front(op.spec, op.at) is None:
        made = b.update(base, new, (WHOLE, *op.spec), at, op.mode, steps, taken=op.taken)
    else:  # with the directions last, index arrays that stand apart do not get in their way
        steps.append((ViewCall(np.moveaxis, 2), [b.const(0), b.const(-1)]))
        if s.is_batched(v):
            new = b.call(np.moveaxis, new, 0, -1)
        elif values.array_of(new).rank:
            new = b.index(new, (Ellipsis, None))
        made = b.update(base, new, op.spec, at, op.mode, steps, taken=op.taken)
    made.name = op.result.name
    s.put(op.result, Dense(made))


def _placed(s: Batch, v: Value, rank: int) -> Value:
    """What is written, so that it broadcasts to a place of this rank."""
    have = values.array_of(v).rank
    if not s.is_batched(v) or have <= rank:
        return s.aligned(v, rank)
    return s.b.index(s.dense(v), (WHOLE, *["value"] * (have - rank)), [0] * (have - rank))


def _views(s: Batch, op: core.Update) -> tuple[Views, Type] | None:
    """The views that `op` writes through, in a batch, and the type of the last of them."""
    t: Type = op.operands[0].type
    if isinstance(t, Opaque):
        return None
    t = values.as_array(t)  # of zero as a number
    found: Views = []
    for step, operands in zip(op.views, op.view_operands, strict=True):
        if any(map(s.is_batched, operands)):
            return None
        if isinstance(step, ViewCall):
            inner = _call_steps(s, step, operands, t)
            if inner is None:
                return None
            found += inner
            plain = len(operands) - len(step.keywords)
            named = dict(zip(step.keywords, operands[plain:], strict=True))
            result = infer_call(step.fn, [Value(t), *operands[:plain]], named)
            assert not isinstance(result, tuple)
            t = result
        else:
            if index_kind(Value(t), step, operands) != "basic":
                return None
            found.append(((WHOLE, *step), operands))
            t = infer_index(Value(t), step, operands)
    return found, t


def _call_steps(s: Batch, step: ViewCall, operands: Sequence[Value], t: Type) -> Views | None:
    """The views that the rule of `step.fn` takes."""
    rule = table.find(step.fn)
    if rule is None:
        return None
    x, outer = Value(t), s.b
    s.b = outer.into(Block())
    call = s.b.call_op(step.fn, [x, *operands], types=[t])
    call.keywords, call.member = step.keywords, step.member
    plain = len(operands) - len(step.keywords)
    named = dict(zip(step.keywords, operands[plain:], strict=True))
    result = infer_call(step.fn, [x, *operands[:plain]], named)
    assert not isinstance(result, tuple)
    call.result.type = result
    s.b.block.ops.clear()
    s.spread.mark(x, True)
    s.spread.mark(call.result, True)
    start = s.parameter(x)
    found = rule(s, call)
    ops, s.b = s.b.block.ops, outer
    chain = _between(start, found.value) if isinstance(found, Dense) else None
    if chain is None:
        return None
    outer.block.ops += [op for op in ops if op not in chain]
    return [(_step(op), op.operands[1:]) for op in chain]


def _between(start: Value, end: Value) -> list[core.Op] | None:
    """The ops that make `end` a view of `start`."""
    chain: list[core.Op] = []
    while end is not start:
        op = end.owner
        if not isinstance(op, core.Call | core.Index):
            return None
        chain.insert(0, op)
        end = op.operands[0]
    return chain


def _step(op: core.Op) -> Step:
    if isinstance(op, core.Index):
        return op.spec
    assert isinstance(op, core.Call)
    return ViewCall(op.fn, len(op.operands) - 1, op.keywords, op.member)
