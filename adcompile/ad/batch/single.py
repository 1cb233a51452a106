"""What no rule knows: an op, blocks and all, that is run for one direction after the other.

The results go into arrays made beforehand, where the sizes in their types can be read off something
at hand; otherwise they are listed and stacked.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from adcompile.ad.batch.layout import Layout, children
from adcompile.ad.batch.values import Dense, Rep, loop, of_direction, zeros
from adcompile.errors import MissingRule
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.clone import clone_block
from adcompile.ir.core import Block, Op, Value
from adcompile.ir.infer import sizes, values
from adcompile.ir.types import Array, Dim, Opaque, Scalar, Size, Static, Tree, Type

if TYPE_CHECKING:
    from adcompile.ad.batch.walk import Batch

Path = tuple[Hashable, ...]


@dataclass(eq=False, slots=True)
class _Leaf:
    """A leaf of a result, and where it is gathered: an array, or a list of unknown length."""

    result: Value
    path: Path
    type: Type
    start: Value


def run(s: Batch, op: Op) -> None:
    """Run `op` for each direction."""
    inside = core.defined_in(op.blocks)
    read = [v for o in core.walk(Block([], [op])) for v in o.operands if v not in inside]
    captured = [v for v in dict.fromkeys(read) if s.is_batched(v)]
    known = _Sizes(s, read)
    leaves = [
        _Leaf(r, path, t, _start(s, t, known, r.name))
        for r in op.results
        for path, t in _leaves(s, r.type, s.spread.of(r))
    ]

    def body(k: Value, carried: list[Value]) -> list[Value]:
        k.name = "k"
        mapping = {v: of_direction(s, s.get(v), v.type, k) for v in captured}
        s.b.block.ops += clone_block(Block([], [op]), mapping).ops
        return [
            _put(s.b, place, _item(s.b, mapping[leaf.result], leaf.path), k)
            for leaf, place in zip(leaves, carried, strict=True)
        ]

    found = loop(s, s.n, [leaf.start for leaf in leaves], body)
    gathered: dict[tuple[Value, Path], Rep] = {}
    gathered |= {(x.result, x.path): _gathered(s, x, v) for x, v in zip(leaves, found, strict=True)}
    for r in op.results:
        s.put(r, _rebuilt(s, r, (), r.type, s.spread.of(r), gathered))


def _leaves(s: Batch, t: Type, layout: Layout, path: Path = ()) -> list[tuple[Path, Type]]:
    """The leaves of a result that depend on the direction."""
    if layout is False:
        return []
    if isinstance(t, Tree):
        inner = zip(t.keys, t.items, children(layout, len(t.keys)), strict=True)
        return [leaf for key, i, c in inner for leaf in _leaves(s, i, c, (*path, key))]
    if isinstance(t, Array | Scalar | Opaque) and layout is True:
        return [(path, t)]
    raise MissingRule(
        "a list that depends on the direction of a Jacobian is made in a way that cannot be done"
        " for all directions at once",
        s.b.loc,
    )


def _rebuilt(
    s: Batch, r: Value, path: Path, t: Type, layout: Layout, gathered: dict[tuple[Value, Path], Rep]
) -> Rep:
    if (r, path) in gathered:
        return gathered[r, path]
    if isinstance(t, Tree):
        inner = zip(t.keys, t.items, children(layout, len(t.keys)), strict=True)
        return tuple([_rebuilt(s, r, (*path, key), i, c, gathered) for key, i, c in inner])
    if isinstance(t, Static):
        return s.b.const(t.value)
    raise MissingRule("a result of unknown kind in a Jacobian", s.b.loc)


def _start(s: Batch, t: Type, known: _Sizes, name: str | None) -> Value:
    """An array for the results of all directions, or an empty list for them."""
    shape = None if isinstance(t, Opaque) else known.shape(values.as_array(t).shape)
    if shape is None:
        return s.b.new_seq(t)
    made = zeros(s.b, [s.n, *shape], values.as_array(t).dtype)
    made.name = name
    return made


def _put(b: Builder, place: Value, v: Value, k: Value) -> Value:
    if isinstance(place.type, Array):
        return b.update(place, v, ("value",), [k])
    return b.append(place, v)


def _item(b: Builder, v: Value, path: Path) -> Value:
    for key in path:
        v = b.item(v, key)
    return v


def _gathered(s: Batch, leaf: _Leaf, found: Value) -> Dense:
    if isinstance(found.type, Array):
        return Dense(found)
    if isinstance(leaf.type, Opaque):
        return Dense(s.b.call_op(np.stack, [found], types=[leaf.type]).result)
    return Dense(s.fit(s.b.call(np.stack, found), leaf.result))


class _Sizes:
    """Where sizes can be read off: arrays that are at hand."""

    def __init__(self, s: Batch, at_hand: list[Value]):
        self.s = s
        self.places: dict[Size, tuple[Value, int]] = {}
        for v in at_hand:
            for axis, size in enumerate(v.type.shape if isinstance(v.type, Array) else ()):
                self.places.setdefault(size, (v, axis))

    def shape(self, shape: tuple[Size, ...]) -> list[Value] | None:
        found = [self.value(size) for size in shape]
        return None if None in found else found  # type: ignore[return-value]

    def value(self, size: Size) -> Value | None:
        b = self.s.b
        if isinstance(size, int):
            return b.const(size)
        if size in self.places:
            v, axis = self.places[size]
            if self.s.is_batched(v):
                return b.size(self.s.dense(v), axis + 1)
            return b.member(np.size, "size", v) if v.type.rank == 1 else b.size(v, axis)  # type: ignore[union-attr]
        linear, constant = sizes.terms(size)
        parts = [(self.atom(size, atom), c) for atom, c in linear.items()]
        if any(part is None for part, _ in parts):
            return None
        total: Value | None = None
        for part, c in parts:
            assert part is not None
            part = part if c == 1 else b.mul(c, part)
            total = part if total is None else b.add_values(total, part)
        return total if constant == 0 or total is None else b.add_values(total, constant)

    def atom(self, whole: Size, size: Dim) -> Value | None:
        if size != whole or size in self.places:
            return self.value(size)
        if not isinstance(size.key, sizes.Key) or size.key.parts[0] != "prod":
            return None
        pairs: frozenset[tuple[Dim, int]] = size.key.parts[1]  # type: ignore[assignment]
        product: Value | None = None
        powers = dict(pairs)
        for factor in [
            f for f in self.places if f in powers
        ]:  # in an order that is always the same
            for _ in range(powers.pop(factor)):  # type: ignore[arg-type]
                v = self.value(factor)
                assert v is not None
                product = v if product is None else self.s.b.mul(product, v)
        return None if powers else product
