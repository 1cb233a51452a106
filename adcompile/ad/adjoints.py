"""Adjoints of the ops that move values about: reads, writes, containers, lists."""

from __future__ import annotations

import numpy as np

from adcompile import errors
from adcompile.ad import cotangents as cot
from adcompile.ad.sweep import Frame, Path, handles, leaf
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Op, Value
from adcompile.ir.types import Array, Seq, Tree, Type


@handles(core.Const, core.Global, core.Undef)
def _stop(frame: Frame, op: Op) -> None:
    """Constants and globals: nothing goes further back."""
    for r in op.results:
        frame.pop(r)


@handles(core.Index)
def _index(frame: Frame, op: core.Index) -> None:
    x, *at = op.operands
    ds = frame.pop(op.result)
    if x not in frame.sweep.active:
        return
    if _only_new_axes(op.spec) and isinstance(x.type, Array):
        frame.add(x, _in_shape_of(frame.builder, ds[()], op.result, x))
        return
    if isinstance(x.type, Seq) and op.spec != ("value",):
        raise errors.MissingRule(
            "a slice of a list that grows in a loop has no derivative yet", op.loc
        )
    b = frame.builder
    mode = "add.at" if _repeats(op) else "+"
    for path, d in ds.items():
        d = cot.cast(b, d, leaf(op.result, path))
        new = b.update(frame.full(x, path), d, op.spec, at, mode)
        frame.put(x, path, frame.named(new, x, path))


def _only_new_axes(spec: core.Spec) -> bool:
    """Whether `x[spec]` has just the elements of x: `x[:, None]`, `x[...]`."""
    return all(e is None or e is Ellipsis or e == core.Slice() for e in spec)


def _in_shape_of(b: Builder, d: Value, y: Value, x: Value) -> Value:
    """The cotangent of x from that of y, which is x in another shape."""
    if cot.shape_of(d.type) == ():
        return d
    return b.call(np.reshape, cot.materialize(b, d, y), b.member(np.shape, "shape", x))


def _repeats(op: core.Index) -> bool:
    """Whether an index may name one element twice: an array or list of integers does."""
    return any(_is_integers(i.type) for i in op.operands[1:])


def _is_integers(t: Type) -> bool:
    return isinstance(t, Tree) or (isinstance(t, Array) and t.rank > 0 and t.dtype.kind in "iu")


@handles(core.Update)
def _update(frame: Frame, op: core.Update) -> None:
    x, v, *at = op.operands
    if op.mode not in ("=", "+", "-"):
        raise errors.MissingRule(f"a write with `{op.mode}=` has no derivative yet", op.loc)
    if frame.get(op.result) is None:
        return
    b, d = frame.builder, frame.full(op.result)
    frame.pop(op.result)
    if v in frame.sweep.active:
        part = b.index(d, op.spec, at)
        d_v = cot.reduce_to(b, part, part, v)
        frame.add(v, b.call(np.negative, d_v) if op.mode == "-" else d_v)
    frame.add(x, b.update(d, b.const(0.0), op.spec, at) if op.mode == "=" else d)


@handles(core.Item)
def _item(frame: Frame, op: core.Item) -> None:
    (tree,) = op.operands
    _hand_up(frame, op.result, tree, (op.key,))


@handles(core.Unpack)
def _unpack(frame: Frame, op: core.Unpack) -> None:
    (tree,) = op.operands
    assert isinstance(tree.type, Tree)
    for r, key in zip(op.results, tree.type.keys, strict=True):
        _hand_up(frame, r, tree, (key,))


def _hand_up(frame: Frame, child: Value, tree: Value, key: Path) -> None:
    for path, d in frame.pop(child).items():
        if child.name:
            frame.sweep.names.setdefault((tree, key + path), child.name)
        frame.add(tree, d, key + path)


@handles(core.Make)
def _make(frame: Frame, op: core.Make) -> None:
    tree = op.result.type
    assert isinstance(tree, Tree)
    for path, d in frame.pop(op.result).items():
        frame.add(op.operands[tree.keys.index(path[0])], d, path[1:])


@handles(core.NewSeq)
def _new_seq(frame: Frame, op: core.NewSeq) -> None:
    for path, d in frame.pop(op.result).items():
        for k, item in enumerate(op.operands):
            frame.add(item, frame.builder.index(d, ("value",), [k]), path)


@handles(core.Append)
def _append(frame: Frame, op: core.Append) -> None:
    seq, item = op.operands
    for path, d in frame.pop(op.result).items():
        types = [leaf(seq, path), leaf(item, path)]
        rest, d_item = frame.builder.add(core.Pop, [d], types).results
        rest.name = frame.name(seq, path)
        frame.put(seq, path, rest)
        frame.add(item, d_item, path)
