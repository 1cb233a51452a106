"""Adjoints of reads and writes of elements: `x[i]`, `x[i] = v`, `x.T[1:][i] += v`.

A read adds its cotangent into that of the array, in the same place. What is read of a view (a row,
`x[i][j]`, `x.T[i]`, an item of a tree) goes through the view to the array itself, so that no
cotangent of the whole view is made for one element. A write takes its value's cotangent out of the
array's, and leaves zeros there where it has overwritten what was there before.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from adcompile import runtime
from adcompile.ad import cotangents as cot
from adcompile.ad import lists
from adcompile.ad.edges import erases
from adcompile.ad.sweep import Frame, Path, handles, leaf
from adcompile.codegen.aliasing import VIEWS
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Slice, Spec, Step, Value
from adcompile.ir.indices import may_repeat
from adcompile.ir.infer.index import index_kind
from adcompile.ir.types import Array, Seq

Views = list[tuple[Step, Sequence[Value]]]

# --- reads --------------------------------------------------------------------------------------


@handles(core.Index)
def _index(frame: Frame, op: core.Index) -> None:
    x, *at = op.operands
    if isinstance(x.type, Seq) and op.spec != ("value",) and x in frame.sweep.active:
        lists.index(frame, op)
        return
    ds = frame.pop(op.result)
    if x not in frame.sweep.active:
        return
    if _only_new_axes(op.spec) and isinstance(x.type, Array):
        frame.add(x, _in_shape_of(frame.builder, ds[()], op.result, x))
        return
    b = frame.builder
    mode = "add.at" if may_repeat(at) else "+"
    for path, d in ds.items():
        d = cot.cast(b, d, leaf(op.result, path))
        to = _place(frame, x, path)
        base = frame.full(to.root, to.path)
        added = cot.add_item(b, base, d, op.spec, at, mode, to.views)
        new = _unlike_primal(frame, base, added)
        frame.put(to.root, to.path, frame.named(new, to.root, to.path))


def _unlike_primal(frame: Frame, base: Value, new: Value) -> Value:
    """`new`, what was written into `base`: without its name where that is a primal value."""
    if base in frame.sweep.home:
        new.name = None
    return new


def _only_new_axes(spec: Spec) -> bool:
    """Whether `x[spec]` has just the elements of x: `x[:, None]`, `x[...]`."""
    return all(e is None or e is Ellipsis or e == Slice() for e in spec)


def _in_shape_of(b: Builder, d: Value, y: Value, x: Value) -> Value:
    """The cotangent of x from that of y, which is x in another shape."""
    if cot.shape_of(d.type) == ():
        return d
    return b.call(np.reshape, cot.materialize(b, d, y), b.member(np.shape, "shape", x))


@dataclass(slots=True)
class _Place:
    """Where the cotangent of a value goes: into that of a leaf of `root`, through these views."""

    root: Value
    path: Path
    views: Views = field(default_factory=list)


def _place(frame: Frame, x: Value, path: Path) -> _Place:
    """Through the views that `x` is made by; a view that has a cotangent already keeps it."""
    to = _Place(x, path)
    while path not in frame.adj.get(to.root, ()) and _is_near(frame, to.root):
        op = to.root.owner
        if isinstance(op, core.Item) and isinstance(to.root.type, Array):
            tree = op
            keys: Path = (op.key,)
            while isinstance(tree.operands[0].owner, core.Item):
                tree = tree.operands[0].owner
                keys = (tree.key, *keys)
            to = _Place(tree.operands[0], keys, to.views)
            break
        step = _step(op)
        if step is None:
            break
        assert isinstance(op, core.Op)
        to.views.insert(0, (step, op.operands[1:]))
        to.root = op.operands[0]
    return to


def _is_near(frame: Frame, x: Value) -> bool:
    """Whether `x` is made as often as what reads it, and may be made often."""
    home = frame.sweep.home.get(x)
    inside: Frame | None = frame
    while inside is not None and inside.block is not home:
        inside = None if inside.loop else inside.parent
    return inside is not None


def _step(op: object) -> Step | None:
    """The view that `op` takes of its first operand, if it does."""
    if isinstance(op, core.Index):
        x, *at = op.operands
        basic = isinstance(x.type, Array) and index_kind(x, op.spec, at) == "basic"
        return op.spec if basic and isinstance(op.result.type, Array) else None
    if isinstance(op, core.Call) and op.fn in VIEWS and len(op.results) == 1:
        x = op.operands[0].type
        real = isinstance(x, Array) and x.dtype.kind == "f"
        return core.ViewCall(op.fn, len(op.operands) - 1, op.keywords, op.member) if real else None
    return None


# --- writes -------------------------------------------------------------------------------------


def _as_value(b: Builder, spec: Spec, at: Sequence[Value]) -> Value:
    """An index as one value."""
    rest = iter(at)
    entries: list[Value] = []
    for entry in spec:
        if isinstance(entry, Slice):
            given = [entry.start, entry.stop, entry.step]
            bounds = [next(rest) if there else b.const(None) for there in given]
            entries.append(b.call(slice, *bounds))
        else:
            entries.append(next(rest) if entry == "value" else b.const(entry))
    return entries[0] if len(entries) == 1 else b.tuple(*entries)


@handles(core.Update)
def _update(frame: Frame, op: core.Update) -> None:
    if isinstance(op.operands[0].type, Seq):
        lists.update(frame, op)
        return
    x, v = op.operands[:2]
    d = frame.get(op.result)
    if d is None:
        return
    if op.views or not _is_full(op.spec):
        d = frame.full(op.result)
    frame.pop(op.result)
    if v in frame.sweep.active:
        frame.add(v, _of_value(frame.builder, d, op))
    if op.mode != "=":
        frame.add(x, d)
    elif not _is_whole(op):
        views = list(zip(op.views, op.view_operands, strict=True))
        b, zero = frame.builder, frame.builder.const(0.0)
        rest = b.update(d, zero, op.spec, op.at, views=views, taken=not erases(op))
        frame.add(x, _unlike_primal(frame, d, rest))


def _of_value(b: Builder, d: Value, op: core.Update) -> Value:
    """The cotangent of what `op` writes, from that of the array after it."""
    for step, operands in zip(op.views, op.view_operands, strict=True):
        d = b.view(d, step, operands)
    whole = d
    part = d if _is_full(op.spec) else b.index(d, op.spec, op.at)
    if op.mode == "=" and may_repeat(op.at):  # the last of several writes stays
        index = _as_value(b, op.spec, op.at)
        shape = b.member(np.shape, "shape", whole)
        size = part.type.shape if isinstance(part.type, Array) else ()
        last = b.call_op(
            runtime.last_writes, [shape, index], types=[Array(np.dtype(bool), size)]
        ).result
        part = b.call(np.where, last, part, 0.0)
    filled = op.result if part is d and not op.views else part
    d_v = cot.reduce_to(b, part, filled, op.operands[1])
    return b.call(operator.neg, d_v) if op.mode == "-" else d_v


def _is_whole(op: core.Update) -> bool:
    """Whether every element of the array is overwritten."""
    specs = [step for step in op.views if not isinstance(step, core.ViewCall)]
    return all(map(_is_full, [*specs, op.spec]))


def _is_full(spec: Spec) -> bool:
    """Whether `x[spec]` is all of x, in its shape."""
    return all(e is Ellipsis or e == Slice() for e in spec)
