"""Dense Jacobians: unit vectors in place of seeds, blocks in place of derivatives.

The directions are the unit vectors of all leaves of all seeds, one leaf after the other, each in C
order. A derivative has them as its leading axis; what is returned are its parts, one for each pair
of a leaf of a result and a leaf of an argument, in the shape of both.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from adcompile import errors
from adcompile.ad.batch import (  # noqa: F401  (they register their rules)
    containers,
    control,
    elementwise,
    helpers,
    joins,
    products,
    reductions,
    shapes,
)
from adcompile.ad.batch.layout import Layout
from adcompile.ad.batch.spread import spread
from adcompile.ad.batch.values import WHOLE, Dense, Rep, child, dense, extents, zeros
from adcompile.ad.batch.walk import Batch, Family, touching
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Op, Slice, Value
from adcompile.ir.infer import values
from adcompile.ir.types import Array, Scalar, Static, Tree, Type, describe, is_inexact
from adcompile.passes.sums import is_zero

Path = tuple[Hashable, ...]


@dataclass(eq=False, slots=True)
class _Leaf:
    """A leaf of a seed, and which of the directions are its unit vectors."""

    type: Type
    like: Value
    start: Value | None = None  # None: they are all of them
    stop: Value | None = None


def jacobian_blocks(
    fn: Function,
    seeds: Sequence[tuple[Value, Value]],
    outs: Sequence[Value],
    *,
    forward: bool,
    as_tuple: bool = False,
) -> Value:
    """Make of `fn`, which is linear in its seeds, the function of the whole Jacobian.

    `fn` is changed. `seeds` are its parameters for tangents (cotangents unless `forward`), which
    vanish, each with the value that it is a derivative of (or for). `outs` are derivatives that it
    returns: in their place it returns, and this gives, one tree. That has the structure of the
    results, and at each leaf that of the arguments (a tuple of these for several, or `as_tuple`),
    whose leaves are arrays of shape `(*result.shape, *argument.shape)`; None without derivative.
    """
    return _Jacobian(fn, forward, as_tuple).run(seeds, outs)


class _Jacobian:
    def __init__(self, fn: Function, forward: bool, as_tuple: bool):
        self.fn = fn
        self.forward = forward
        self.as_tuple = as_tuple
        self.leaves: dict[tuple[Value, Path], _Leaf] = {}  # of seeds, by path

    def run(self, seeds: Sequence[tuple[Value, Value]], outs: Sequence[Value]) -> Value:
        block, params = self.fn.block, [seed for seed, _ in seeds]
        at = _first_use(block, params)
        before, after = block.ops[:at], block.ops[at:]
        b = Builder(Block([], before), after[0].loc, after[0].order)
        known = _parts(before)
        layouts: dict[Value, Layout] = {}
        for seed, like in seeds:
            layouts[seed] = self.survey(b, seed, seed.type, like, (), known)
        n = self.count(b)
        found = spread(self.fn, layouts, (family := Family()).callees)
        s = Batch(family, found, b, n)
        for seed, _ in seeds:
            s.reps[seed] = self.unit_vectors(s, seed, seed.type, ())
        s.touched = touching(block, s.is_batched)
        s.block(after[:-1])
        return self.close(s, after[-1], seeds, outs)

    # --- directions -----------------------------------------------------------------------------

    def survey(
        self, b: Builder, seed: Value, t: Type, like: Value, path: Path, known: _Known
    ) -> Layout:
        """Note the leaves of a seed; the layout of their unit vectors."""
        if isinstance(t, Tree):
            assert isinstance(like.type, Tree)
            inner = zip(t.keys, t.items, like.type.keys, strict=True)
            return tuple(
                [
                    self.survey(b, seed, i, _part(b, like, k, known), (*path, key), known)
                    for key, i, k in inner
                ]
            )
        if isinstance(t, Static) or (isinstance(t, Array | Scalar) and not _is_float(t)):
            return False
        if not is_inexact(t):
            raise errors.NotDifferentiable(
                f"the Jacobian with respect to {describe(t)} is not defined", b.loc
            )
        self.leaves[seed, path] = _Leaf(t, like)
        return True

    def count(self, b: Builder) -> Value:
        """How many directions there are; each leaf gets its share."""
        leaves = list(self.leaves.values())
        if not leaves:
            return b.const(0)
        total: Value | None = None
        for leaf in leaves:
            size = _size(b, leaf.like)
            leaf.start = (b.const(0) if total is None else total) if len(leaves) > 1 else None
            leaf.stop = total = size if total is None else _plus(b, total, size)
        assert total is not None
        return total

    def unit_vectors(self, s: Batch, seed: Value, t: Type, path: Path) -> Rep:
        if isinstance(t, Tree):
            inner = zip(t.keys, t.items, strict=True)
            return tuple([self.unit_vectors(s, seed, i, (*path, key)) for key, i in inner])
        leaf = self.leaves.get((seed, path))
        if leaf is None:
            return s.b.const(None if isinstance(t, Static) else 0)
        dtype = values.as_array(t).dtype
        named = {} if dtype == np.float64 else {"dtype": dtype.type}
        d = self.share(s.b, s.b.call(np.eye, s.n, **named), leaf, 1)
        sizes = extents(s.b, leaf.like)
        if len(sizes) != 1:
            d = s.b.call(np.reshape, d, s.b.tuple(s.n, *sizes))
        d.name = seed.name if not path else None
        return Dense(d)

    def share(self, b: Builder, d: Value, leaf: _Leaf, axis: int) -> Value:
        """The part of `d` whose places along this axis are those of a leaf's directions."""
        if leaf.start is None:
            return d
        first, last = core.constant(leaf.start) == 0, leaf is next(reversed(self.leaves.values()))
        bounds = [*([] if first else [leaf.start]), *([] if last else [leaf.stop])]
        return b.index(d, (*[WHOLE] * axis, Slice(not first, not last)), bounds)

    # --- blocks ---------------------------------------------------------------------------------

    def close(
        self, s: Batch, last: Op, seeds: Sequence[tuple[Value, Value]], outs: Sequence[Value]
    ) -> Value:
        """Return the blocks in place of the derivatives."""
        s.b = b = s.b.at(last.loc, last.order)
        if self.forward:
            trees = [self.of_results(s, s.get(v), v.type, seeds) for v in outs]
        else:
            trees = [self.of_seed(s, seed, seed.type, (), outs) for seed, _ in seeds]
        tree = trees[0] if len(trees) == 1 else b.tuple(*trees)
        returned = [v for v in last.operands if v not in outs]
        place = next(k for k, v in enumerate(last.operands) if v in outs)
        values_ = [s.pack(v, False) for v in returned]
        b.return_(*values_[:place], tree, *values_[place:])
        block, gone = self.fn.block, {seed for seed, _ in seeds}
        block.ops = b.block.ops
        kept = [k for k, p in enumerate(block.params) if p not in gone]
        self.fn.params = [self.fn.params[k] for k in kept]
        block.params = [block.params[k] for k in kept]
        core.substitute(block, s.new)
        control.drop_counts(self.fn, s.family)
        return tree

    def of_results(
        self, s: Batch, rep: Rep, t: Type, seeds: Sequence[tuple[Value, Value]]
    ) -> Value:
        """Forward mode: for each leaf of a tangent the blocks of all arguments."""
        b = s.b
        if isinstance(t, Tree):
            parts = [
                self.of_results(s, child(s, rep, t, key), t.child(key), seeds) for key in t.keys
            ]
            return b.make(t.node, t.keys, parts)
        if not isinstance(t, Array | Scalar):
            return b.const(None)
        rank = values.as_array(t).rank
        whole = None
        if not isinstance(rep, Value) or not is_zero(rep):
            whole = dense(s, rep, t)
            whole = b.call(np.moveaxis, whole, 0, -1) if rank > 1 else whole
            whole = b.member(np.transpose, "T", whole) if rank == 1 else whole
        parts = [self.of_argument(s, whole, rep, t, seed, seed.type, ()) for seed, _ in seeds]
        return b.tuple(*parts) if len(parts) > 1 or self.as_tuple else parts[0]

    def of_argument(
        self, s: Batch, whole: Value | None, rep: Rep, t: Type, seed: Value, tx: Type, path: Path
    ) -> Value:
        b = s.b
        if isinstance(tx, Tree):
            inner = zip(tx.keys, tx.items, strict=True)
            parts = [self.of_argument(s, whole, rep, t, seed, i, (*path, k)) for k, i in inner]
            return b.make(tx.node, tx.keys, parts)
        leaf = self.leaves.get((seed, path))
        if leaf is None:
            return b.const(None)
        y_sizes = extents(b, rep if whole is None else whole) if isinstance(rep, Value) else []
        rank, sizes = values.as_array(t).rank, extents(b, leaf.like)
        dtype = values.as_array(t).dtype
        if whole is None:
            return zeros(b, [*y_sizes, *sizes], dtype)
        d = self.share(b, whole, leaf, rank)
        if len(sizes) == 1:
            return d
        return b.call(np.reshape, d, b.tuple(*extents(b, whole)[:rank], *sizes))

    def of_seed(self, s: Batch, seed: Value, t: Type, path: Path, outs: Sequence[Value]) -> Value:
        """Reverse mode: for each leaf of a result the blocks of all arguments."""
        b = s.b
        if isinstance(t, Tree):
            inner = zip(t.keys, t.items, strict=True)
            parts = [self.of_seed(s, seed, i, (*path, key), outs) for key, i in inner]
            return b.make(t.node, t.keys, parts)
        leaf = self.leaves.get((seed, path))
        if leaf is None:
            return b.const(None)
        parts = [self.of_gradient(s, s.get(v), v.type, leaf) for v in outs]
        return b.tuple(*parts) if len(parts) > 1 or self.as_tuple else parts[0]

    def of_gradient(self, s: Batch, rep: Rep, t: Type, leaf: _Leaf) -> Value:
        b = s.b
        if isinstance(t, Tree):
            parts = [
                self.of_gradient(s, child(s, rep, t, key), t.child(key), leaf) for key in t.keys
            ]
            return b.make(t.node, t.keys, parts)
        if not isinstance(t, Array | Scalar):
            return b.const(None)
        sizes = extents(b, leaf.like)
        if isinstance(rep, Value) and is_zero(rep):
            return zeros(b, [*sizes, *extents(b, rep)], values.as_array(t).dtype)
        d = dense(s, rep, t)
        share = self.share(b, d, leaf, 0)
        if len(sizes) == 1:
            return share
        return b.call(np.reshape, share, b.tuple(*sizes, *extents(b, d, 1)))


# --- where things are -----------------------------------------------------------------------------


def _first_use(block: Block, seeds: Sequence[Value]) -> int:
    """Where the first op stands that reads a seed, itself or inside its blocks."""
    wanted = set(seeds)
    for k, op in enumerate(block.ops):
        if any(v in wanted for o in core.walk(Block([], [op])) for v in o.operands):
            return k
    return len(block.ops) - 1


_Known = dict[tuple[Value, Hashable], Value]


def _parts(ops: Sequence[Op]) -> _Known:
    """The children of trees that have been taken out of them."""
    found: _Known = {}
    for op in ops:
        if isinstance(op, core.Item):
            found.setdefault((op.operands[0], op.key), op.result)
        elif isinstance(op, core.Unpack) and isinstance(t := op.operands[0].type, Tree):
            for key, r in zip(t.keys, op.results, strict=True):
                found.setdefault((op.operands[0], key), r)
    return found


def _part(b: Builder, tree: Value, key: Hashable, known: _Known) -> Value:
    if isinstance(tree.owner, core.Make) and isinstance(tree.type, Tree):
        return tree.owner.operands[tree.type.keys.index(key)]
    if (tree, key) not in known:
        known[tree, key] = b.item(tree, key)
    return known[tree, key]


def _is_float(t: Type) -> bool:
    kind = t.kind if isinstance(t, Scalar) else t.dtype.kind  # type: ignore[union-attr]
    return kind in ("float", "complex", "f", "c")


def _size(b: Builder, like: Value) -> Value:
    """How many elements a leaf has."""
    return b.member(np.size, "size", like) if values.array_of(like).rank else b.const(1)


def _plus(b: Builder, x: Value, y: Value) -> Value:
    c, d = core.constant(x), core.constant(y)
    if isinstance(c, int) and isinstance(d, int):
        return b.const(c + d)
    return y if c == 0 else b.add_values(x, y)
