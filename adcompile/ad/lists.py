"""Adjoints of lists of unknown length, which are lists of the same length.

An item that is appended is popped by the backward sweep, and one that was popped is appended.
"""

from __future__ import annotations

import operator

import numpy as np

from adcompile.ad import cotangents as cot
from adcompile.ad.edges import erases
from adcompile.ad.sweep import Frame, handles, leaf
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Value
from adcompile.ir.types import INT, SAVED, Seq


@handles(core.NewSeq)
def _new_seq(frame: Frame, op: core.NewSeq) -> None:
    for path, d in frame.pop(op.result).items():
        for k, item in enumerate(op.operands):
            d_item = frame.builder.index(d, ("value",), [k])
            d_item.type = leaf(item, path)  # items may have other sizes each
            frame.add(item, d_item, path)


@handles(core.Append)
def _append(frame: Frame, op: core.Append) -> None:
    seq, item = op.operands
    for path, d in frame.pop(op.result).items():
        rest, d_item = frame.builder.add(core.Pop, [d], [d.type, leaf(item, path)]).results
        rest.name = frame.name(seq, path)
        if seq in frame.sweep.active:  # not a list of integers so far
            frame.put(seq, path, rest)
        frame.add(item, d_item, path)


@handles(core.Pop)
def _pop(frame: Frame, op: core.Pop) -> None:
    (seq,) = op.operands
    rest, item = op.results
    for path in dict.fromkeys([*frame.adj.get(rest, ()), *frame.adj.get(item, ())]):
        d = frame.builder.append(frame.full(rest, path), frame.full(item, path))
        frame.add(seq, d, path)
    frame.pop(rest)
    frame.pop(item)


def index(frame: Frame, op: core.Index) -> None:
    """A slice of a list: its cotangents belong to the items at some places."""
    x, *bounds = op.operands
    (entry,) = op.spec
    assert isinstance(entry, core.Slice)
    for path, d in frame.pop(op.result).items():
        b = frame.builder
        rest = iter(bounds)
        given = [entry.start, entry.stop, entry.step]
        cut = b.call(slice, *[next(rest) if there else b.const(None) for there in given])
        places = b.call_op(
            slice.indices, [cut, b.call(len, x)], {}, member="indices()", types=[INT] * 3
        ).results

        def item(inner: Builder, i: Value, d: Value = d, at: list[Value] = places) -> Value:
            start, _, step = at
            k = inner.call(operator.floordiv, inner.call(operator.sub, i, start), step)
            return inner.index(d, ("value",), [k])

        new = cot.add_at(b, places, frame.full(x, path), item)
        frame.put(x, path, frame.named(new, x, path))


def update(frame: Frame, op: core.Update) -> None:
    """`xs[i] = v`, `xs[i] += v`."""
    x, v, *at = op.operands
    b = frame.builder
    for path in list(frame.adj.get(op.result, ())):
        d = frame.full(op.result, path)
        if v in frame.sweep.active:
            part = b.index(d, ("value",), at)
            if op.mode != "=":  # what is added to an array may be a number
                part = cot.reduce_to(b, part, part, v)
            frame.add(v, b.call(np.negative, part) if op.mode == "-" else part, path)
        if op.mode == "=":
            d = b.update(d, _zero_item(b, d, at), ("value",), at, taken=not erases(op))
        frame.add(x, d, path)
    frame.pop(op.result)


def _zero_item(b: Builder, d: Value, at: list[Value]) -> Value:
    """Nothing, in place of an item of the list of cotangents `d`."""
    assert isinstance(d.type, Seq)
    if d.type.item == SAVED:
        return b.undef(SAVED)
    return cot.zeros(b, b.index(d, ("value",), at))
