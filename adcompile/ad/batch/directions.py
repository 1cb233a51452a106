"""The directions of a Jacobian: unit vectors of all leaves of its seeds.

They are numbered leaf by leaf, each in C order.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from adcompile import errors
from adcompile.ad.batch.layout import Layout
from adcompile.ad.batch.onehot import OneHot, Term
from adcompile.ad.batch.values import WHOLE, Rep, extents, pack
from adcompile.ad.batch.walk import Batch
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Op, Slice, Value
from adcompile.ir.infer import values
from adcompile.ir.types import Array, Scalar, Static, Tree, Type, describe, is_inexact

Path = tuple[Hashable, ...]
_Known = dict[tuple[Value, Hashable], Value]  # children that have been taken out of trees


@dataclass(eq=False, slots=True)
class Leaf:
    """A leaf of a seed; its directions are the numbers from `start` up to `stop`."""

    type: Type
    like: Value
    start: Value | None = None  # None: 0
    stop: Value | None = None  # None: that of all

    @property
    def rank(self) -> int:
        return values.as_array(self.type).rank


@dataclass(eq=False, slots=True)
class Directions:
    leaves: dict[tuple[Value, Path], Leaf] = field(default_factory=dict)
    of_numpy: bool = False  # whether the only direction must be a number of NumPy

    @property
    def one(self) -> bool:
        """Whether there is a single direction: a batch is no use."""
        return len(self.leaves) == 1 and all(leaf.rank == 0 for leaf in self.leaves.values())

    def survey(
        self, b: Builder, seed: Value, t: Type, like: Value, path: Path, known: _Known
    ) -> Layout:
        """Note the leaves of a seed; the layout of its unit vectors."""
        if isinstance(t, Tree):
            assert isinstance(like.type, Tree)
            inner = zip(t.keys, t.items, like.type.keys, strict=True)
            parts = [
                self.survey(b, seed, i, _part(b, like, k, known), (*path, key), known)
                for key, i, k in inner
            ]
            return tuple(parts)
        if not isinstance(t, Array | Scalar) or values.as_array(t).dtype.kind not in "fc":
            return False
        if not is_inexact(t):
            raise errors.NotDifferentiable(
                f"the Jacobian with respect to {describe(t)} is not defined", b.loc
            )
        self.leaves[seed, path] = Leaf(t, like)
        return True

    def count(self, b: Builder) -> Value:
        """How many directions there are; each leaf gets its share."""
        total: Value | None = None
        leaves = list(self.leaves.values())
        for leaf in leaves:
            size = b.member(np.size, "size", leaf.like) if leaf.rank else b.const(1)
            leaf.start = total
            total = leaf.stop = size if total is None else _plus(b, total, size)
        if leaves:
            leaves[-1].stop = None
        return b.const(0) if total is None else total

    def unit_vectors(self, s: Batch, seed: Value, t: Type, path: Path = ()) -> Rep:
        """What stands for a seed."""
        b = s.b
        if isinstance(t, Tree):
            inner = zip(t.keys, t.items, strict=True)
            parts = tuple([self.unit_vectors(s, seed, i, (*path, key)) for key, i in inner])
            return pack(s, parts, t, False) if self.one else parts
        leaf = self.leaves.get((seed, path))
        if leaf is None:
            return b.const(None if isinstance(t, Static) else 0)
        if self.one:
            number = isinstance(t, Scalar) or not self.of_numpy
            return b.const(1.0 if number else values.as_array(t).dtype.type(1.0))
        alone = len(self.leaves) == 1
        term = Term(self.numbers(s, leaf), b.const(1.0), leaf, apart=True, all=alone)
        if leaf.rank == 1 and leaf.start is None:
            term = replace(term, shift=0)
        return OneHot([term], t, b, name=seed.name if not path else None)

    def numbers(self, s: Batch, leaf: Leaf) -> Value:
        """The numbers of a leaf's directions, in its shape."""
        b, start = s.b, leaf.start
        if leaf.rank == 0:
            return b.const(0) if start is None else start
        stop = s.n if leaf.stop is None else leaf.stop
        found = b.call(np.arange, stop) if start is None else b.call(np.arange, start, stop)
        found.type = Array(
            np.dtype(np.intp), (values.lengths([b.member(np.size, "size", leaf.like)])[0],)
        )
        found.name = "k"
        if leaf.rank > 1:
            found = b.call(np.reshape, found, b.member(np.shape, "shape", leaf.like))
            found.name = "k"
        shape = values.array_of(leaf.like).shape
        found.type = Array(np.dtype(np.intp), shape)
        if start is None:
            s.positions[shape] = found
        return found

    def share(self, b: Builder, d: Value, leaf: Leaf, axis: int) -> Value:
        """The part of `d` whose places along this axis are those of a leaf's directions."""
        bounds = [v for v in (leaf.start, leaf.stop) if v is not None]
        if not bounds:
            return d
        cut = Slice(leaf.start is not None, leaf.stop is not None)
        if leaf.rank:
            return b.index(d, (*[WHOLE] * axis, cut), bounds)
        place = b.const(0) if leaf.start is None else leaf.start
        return b.index(d, (*[WHOLE] * axis, "value"), [place])

    def block(
        self,
        b: Builder,
        d: Value,
        leaf: Leaf,
        before: Sequence[Value],
        after: Sequence[Value],
        flat: bool = False,
    ) -> Value:
        """The share of a leaf with its own axes in place of that of the directions.

        `before` and `after` are the sizes of the other axes, which are one yet if `flat`.
        """
        part = self.share(b, d, leaf, 1 if flat and before else len(before))
        many = any(v is not None for v in (leaf.start, leaf.stop))
        if not flat and (leaf.rank == 1 or (leaf.rank == 0 and many)):
            return part
        return b.call(np.reshape, part, b.tuple(*before, *extents(b, leaf.like), *after))


def taken_out(before: list[Op], after: list[Op], trees: Sequence[Value]) -> _Known:
    """The children that are taken out of `trees`, all of it done in `before` from now on."""
    inside = set(trees)
    found: _Known = {}
    for ops in (before, list(after)):
        for op in ops:
            if not isinstance(op, core.Item | core.Unpack) or op.operands[0] not in inside:
                continue
            t = op.operands[0].type
            keys = (op.key,) if isinstance(op, core.Item) else t.keys if isinstance(t, Tree) else ()
            for key, r in zip(keys, op.results):
                found.setdefault((op.operands[0], key), r)
            inside.update(op.results)
            if ops is not before:
                after.remove(op)
                before.append(op)
    return found


def _part(b: Builder, tree: Value, key: Hashable, known: _Known) -> Value:
    if isinstance(tree.owner, core.Make) and isinstance(tree.type, Tree):
        return tree.owner.operands[tree.type.keys.index(key)]
    if (tree, key) not in known:
        known[tree, key] = b.item(tree, key)
    return known[tree, key]


def _plus(b: Builder, x: Value, y: Value) -> Value:
    c, d = core.constant(x), core.constant(y)
    return b.const(c + d) if isinstance(c, int) and isinstance(d, int) else b.add_values(x, y)
