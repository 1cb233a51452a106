"""Reverse mode: a backward sweep behind the forward one."""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.ad import (  # noqa: F401  (they register their handlers)
    adjoints,
    calls,
    control,
    elements,
    lists,
)
from adcompile.ad.activity import active_values
from adcompile.ad.invoke import Pair, pair_of, start
from adcompile.ad.sweep import Path, Sweep, gradient_of
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Function, Value
from adcompile.ir.types import Tree


def backward(
    fn: Function, wrt: Sequence[int], out: Value, seed: Value, b: Builder
) -> tuple[Sweep, list[Value]]:
    """Append to `fn`, whose `Return` is gone, the backward sweep of `out` from its cotangent on.

    `wrt` are positions in `fn.block.params`; `b` appends to the block of `fn` and has the order of
    the new ops. Returns the cotangents of the parameters. Raises MissingRule for a function without
    a rule on an active path.
    """
    sources = [fn.block.params[k] for k in wrt]
    sweep = Sweep(active_values(fn, sources, [out]), {}, b.order)
    _name_leaves(fn, sweep)
    frame = start(fn, sweep, [(out, seed)], b)
    return sweep, [gradient_of(frame, p, ()) for p in sources]


def split(fn: Function, wrt: Sequence[int], order: int) -> tuple[Sweep, Pair]:
    """Both halves of the derivative of the first result of `fn`, of order `order`.

    They stand in one function, and are parted where `ad.saved` settles the sweep.
    """
    sweep = Sweep(set(), {}, order)
    return sweep, pair_of(sweep, fn, tuple(wrt), (0,))


def _name_leaves(fn: Function, sweep: Sweep) -> None:
    """Tell apart the leaves of parameter trees that a loop over layers gave the same name."""
    paths: dict[Value, tuple[Value, Path]] = {p: (p, ()) for p in fn.block.params}
    taken: dict[str, int] = {}
    for op in fn.block.ops:
        if not isinstance(op, core.Unpack | core.Item) or op.operands[0] not in paths:
            continue
        tree, path = paths[op.operands[0]]
        t = op.operands[0].type
        keys = (op.key,) if isinstance(op, core.Item) else t.keys if isinstance(t, Tree) else ()
        for key, child in zip(keys, op.results):
            leaf = tree, (*path, key)
            paths[child] = leaf
            if child.name and leaf not in sweep.names:
                taken[child.name] = taken.get(child.name, 0) + 1
                count = "" if taken[child.name] == 1 else str(taken[child.name])
                sweep.names[leaf] = child.name + count
            if leaf in sweep.names:
                sweep.names[child, ()] = sweep.names[leaf]
