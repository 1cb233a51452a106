"""Dense Jacobians: unit vectors in place of seeds, blocks in place of derivatives.

The directions are the unit vectors of the seeds. What a derivative is in each of them makes a
matrix; what is returned are its parts, one for each pair of a leaf of a result and a leaf of an
argument, in the shape of both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adcompile.ad.batch import (  # noqa: F401  (they register their rules)
    containers,
    contractions,
    control,
    elementwise,
    helpers,
    joins,
    products,
    reductions,
    shapes,
    sparse,
)
from adcompile.ad.batch.directions import Directions, Leaf, Path, taken_out
from adcompile.ad.batch.onehot import OneHot, shaped
from adcompile.ad.batch.spread import spread
from adcompile.ad.batch.values import Dense, Rep, child, dense, extents, zeros
from adcompile.ad.batch.walk import Batch, Family, touching
from adcompile.ad.batch.written import is_flat, written_flat
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.infer import values
from adcompile.ir.types import Array, Scalar, Tree, Type
from adcompile.passes.sums import is_zero

Seeds = Sequence[tuple[Value, Value]]


def jacobian_blocks(
    fn: Function,
    seeds: Seeds,
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
    block = fn.block
    at = _first_use(block, [seed for seed, _ in seeds])
    before, after = block.ops[:at], block.ops[at:]
    known = taken_out(before, after, [like for _, like in seeds])
    b = Builder(Block([], before), after[0].loc, after[0].order)
    of_numpy = _has_other_floats(block) or _calls_methods(block, [seed for seed, _ in seeds])
    found = Directions(of_numpy=of_numpy)
    layouts = {seed: found.survey(b, seed, seed.type, x, (), known) for seed, x in seeds}
    family = Family()
    if found.one:
        layouts = {}
    s = Batch(family, spread(fn, layouts, family.callees), b, found.count(b))
    for seed, _ in seeds:
        s.put(seed, found.unit_vectors(s, seed, seed.type))
    s.touched = touching(block, s.is_batched)
    s.block(after[:-1])
    s.b = s.b.at(after[-1].loc, after[-1].order)
    tree = _Blocks(s, found, as_tuple).tree(seeds, outs, forward)
    _close(fn, s, after[-1], [seed for seed, _ in seeds], outs, tree)
    control.drop_counts(fn, family)
    return tree


def _first_use(block: Block, seeds: Sequence[Value]) -> int:
    """Where the first op stands that reads a seed, itself or inside its blocks."""
    wanted = set(seeds)
    for k, op in enumerate(block.ops):
        if any(v in wanted for o in core.walk(Block([], [op])) for v in o.operands):
            return k
    return len(block.ops) - 1


def _has_other_floats(block: Block) -> bool:
    made = [r.type for op in core.walk(block) for r in op.results]
    dtypes = {t.dtype for t in [*made, *(p.type for p in block.params)] if isinstance(t, Array)}
    return any(dtype.kind == "f" and dtype != np.float64 for dtype in dtypes)


def _calls_methods(block: Block, seeds: Sequence[Value]) -> bool:
    """Whether a seed is asked for what a number of Python has not: `x.item()`."""
    calls = (op for op in core.walk(block) if isinstance(op, core.Call) and op.member)
    return any(op.operands[0] in seeds for op in calls)


def _close(
    fn: Function, s: Batch, last: Op, seeds: Sequence[Value], outs: Sequence[Value], tree: Value
) -> None:
    """Return the blocks in place of the derivatives; the seeds vanish."""
    place = next(k for k, v in enumerate(last.operands) if v in outs)
    rest = [s.pack(v, False) for v in last.operands if v not in outs]
    s.b.return_(*rest[:place], tree, *rest[place:])
    block = fn.block
    block.ops = s.b.block.ops
    kept = [k for k, p in enumerate(block.params) if p not in seeds]
    fn.params = [fn.params[k] for k in kept]
    block.params = [block.params[k] for k in kept]
    core.substitute(block, s.new)


class _Blocks:
    """The trees of blocks: results outside, arguments inside."""

    def __init__(self, s: Batch, directions: Directions, as_tuple: bool):
        self.s = s
        self.directions = directions
        self.as_tuple = as_tuple

    def tree(self, seeds: Seeds, outs: Sequence[Value], forward: bool) -> Value:
        if forward:
            found = [self.of_results(self.s.get(v), v.type, seeds) for v in outs]
        else:
            found = [self.of_seed(seed, seed.type, (), outs) for seed, _ in seeds]
        return found[0] if len(found) == 1 else self.s.b.tuple(*found)

    def several(self, found: list[Value]) -> Value:
        """The blocks of one result by all arguments."""
        return self.s.b.tuple(*found) if len(found) > 1 or self.as_tuple else found[0]

    # --- forward mode: a derivative is that of a result -----------------------------------------

    def of_results(self, rep: Rep, t: Type, seeds: Seeds) -> Value:
        s = self.s
        if isinstance(t, Tree):
            inner = [self.of_results(child(s, rep, t, k), t.child(k), seeds) for k in t.keys]
            return s.b.make(t.node, t.keys, inner)
        if not isinstance(t, Array | Scalar):
            return s.b.const(None)
        whole = None if self.is_zero(rep) else self.matrix(rep, t)
        return self.several([self.by(whole, rep, t, x, x.type, ()) for x, _ in seeds])

    def by(self, whole: Value | None, rep: Rep, t: Type, x: Value, tx: Type, path: Path) -> Value:
        """The blocks of a result by the argument that `x` is the tangent of."""
        s = self.s
        if isinstance(tx, Tree):
            inner = zip(tx.keys, tx.items, strict=True)
            found = [self.by(whole, rep, t, x, i, (*path, k)) for k, i in inner]
            return s.b.make(tx.node, tx.keys, found)
        leaf = self.directions.leaves.get((x, path))
        if leaf is None:
            return s.b.const(None)
        if whole is None:
            assert isinstance(rep, Value)
            return self.zeros([*extents(s.b, rep), *extents(s.b, leaf.like)], t)
        if self.directions.one:
            return whole
        sizes = self.sizes(rep, whole, t)
        flat = isinstance(rep, OneHot) and is_flat(rep)
        return self.directions.block(s.b, whole, leaf, sizes, [], flat)

    def sizes(self, rep: Rep, whole: Value, t: Type) -> list[Value]:
        """Those of a result."""
        like = shaped(rep) if isinstance(rep, OneHot) else None
        if like is not None:
            return extents(self.s.b, like)
        return [self.s.b.size(whole, k) for k in range(values.as_array(t).rank)]

    def matrix(self, rep: Rep, t: Type) -> Value:
        """A derivative in all directions, which are the last axis."""
        s, rank = self.s, values.as_array(t).rank
        if self.directions.one:
            assert isinstance(rep, Value)
            return rep
        if isinstance(rep, OneHot):
            return written_flat(s, rep, last=rank > 0)
        if isinstance(rep, Dense) and rep.last:
            return rep.value
        d = dense(s, rep, t)
        if rank < 2:
            return s.b.member(np.transpose, "T", d) if rank else d
        return s.b.call(np.moveaxis, d, 0, -1)

    # --- reverse mode: a derivative is that of an argument --------------------------------------

    def of_seed(self, seed: Value, t: Type, path: Path, outs: Sequence[Value]) -> Value:
        b = self.s.b
        if isinstance(t, Tree):
            inner = zip(t.keys, t.items, strict=True)
            found = [self.of_seed(seed, i, (*path, key), outs) for key, i in inner]
            return b.make(t.node, t.keys, found)
        leaf = self.directions.leaves.get((seed, path))
        if leaf is None:
            return b.const(None)
        return self.several([self.of_gradient(self.s.get(v), v.type, leaf) for v in outs])

    def of_gradient(self, rep: Rep, t: Type, leaf: Leaf) -> Value:
        s = self.s
        if isinstance(t, Tree):
            inner = [self.of_gradient(child(s, rep, t, k), t.child(k), leaf) for k in t.keys]
            return s.b.make(t.node, t.keys, inner)
        if not isinstance(t, Array | Scalar):
            return s.b.const(None)
        if self.is_zero(rep):
            assert isinstance(rep, Value)
            return self.zeros([*extents(s.b, leaf.like), *extents(s.b, rep)], t)
        if self.directions.one:
            assert isinstance(rep, Value)
            return rep
        if isinstance(rep, OneHot) and is_flat(rep):
            like = shaped(rep)
            assert like is not None
            d = written_flat(s, rep, last=False)
            return self.directions.block(s.b, d, leaf, [], extents(s.b, like), flat=True)
        d = dense(s, rep, t)
        after = extents(s.b, d, 1) if leaf.rank > 1 else []
        return self.directions.block(s.b, d, leaf, [], after)

    # --- zeros ----------------------------------------------------------------------------------

    def is_zero(self, rep: Rep) -> bool:
        return isinstance(rep, Value) and is_zero(rep)

    def zeros(self, sizes: list[Value], t: Type) -> Value:
        b, array = self.s.b, values.as_array(t)
        if not sizes:
            return b.const(0.0 if isinstance(t, Scalar) else array.dtype.type(0.0))
        return zeros(b, sizes, array.dtype)
