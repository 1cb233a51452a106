"""Adjoints of the ops that move values about: constants and containers."""

from __future__ import annotations

from adcompile.ad.sweep import Frame, Path, handles, leaf_paths
from adcompile.ir import core
from adcompile.ir.core import Op, Value
from adcompile.ir.types import SAVED, Tree


@handles(core.Const, core.Global, core.Undef)
def _stop(frame: Frame, op: Op) -> None:
    """Constants and globals: nothing goes further back."""
    for r in op.results:
        frame.pop(r)


@handles(core.Item)
def _item(frame: Frame, op: core.Item) -> None:
    (tree,) = op.operands
    _hand_up(frame, op.result, tree, (op.key,))


@handles(core.Unpack)
def _unpack(frame: Frame, op: core.Unpack) -> None:
    (tree,) = op.operands
    if tree.type == SAVED:
        ds = [frame.full(r, path) for r in op.results for path in leaf_paths(r.type)]
        for r in op.results:
            frame.pop(r)
        frame.add(tree, frame.builder.tuple(*ds))
        return
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
