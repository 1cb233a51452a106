"""A program that fails must not have a gradient.

`np.sum(x * y)` fails where the lengths of x and y differ; its gradient, which needs no product,
would not. When an op of the user's program that demands equal sizes of the parameters is gone from
the gradient, and nothing that is left demands the same, a check stands in for it.
"""

from __future__ import annotations

import operator
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Value
from adcompile.ir.types import Array, Dim, Opaque, Size, Tree, Type
from adcompile.rules.registry import lookup

Path = tuple[Hashable, ...]
_ERROR = Opaque(ValueError)


@dataclass(frozen=True, slots=True)
class Place:
    """An axis of an array among the parameters and globals."""

    source: Value
    path: Path
    axis: int


@dataclass(frozen=True, slots=True)
class Demand:
    """Two sizes that an op needs to be equal."""

    op: core.Call
    a: Size
    b: Size


@dataclass(frozen=True, slots=True)
class Demands:
    """What a program as it was written demands, and the globals where sizes can be read."""

    pairs: tuple[Demand, ...] = ()
    globals: tuple[Value, ...] = ()


def collect(fn: Function) -> Demands:
    """What `fn` demands, on every path, of sizes that are not known to be equal.

    Added to that is what it was noted to demand before it became what it is.
    """
    found = [
        Demand(op, a, b)
        for op in fn.block.ops
        if isinstance(op, core.Call) and len(op.operands) > 1
        for a, b in _pairs(op)
        if a != b
    ]
    read = [op.result for op in fn.block.ops if isinstance(op, core.Global)]
    before: Any = fn.demands or Demands()
    return Demands((*before.pairs, *found), (*before.globals, *read))


def restore(fn: Function) -> None:
    """Check at the start of `fn` what was noted, and nothing in it demands any more."""
    noted: Any = fn.demands
    if noted is None or not noted.pairs:
        return
    fn.demands = None
    left = {frozenset((d.a, d.b)) for d in collect(fn).pairs}
    known = [*fn.block.params, *noted.globals]
    places = {size: place for v in known for size, place in _places(v, v.type, ())}
    b = Builder(Block())
    for d in noted.pairs:
        sizes = frozenset((d.a, d.b))
        if sizes in left or not all(isinstance(s, int) or s in places for s in sizes):
            continue
        left.add(sizes)
        _check(b.at(d.op.loc), d, places)
    fn.block.ops[:0] = b.block.ops


def _pairs(op: core.Call) -> Iterator[tuple[Size, Size]]:
    shapes = [v.type.shape for v in op.operands if isinstance(v.type, Array)]
    if op.fn in (operator.matmul, np.matmul, np.dot) and len(shapes) == 2 and all(shapes):
        x, y = shapes
        yield x[-1], y[max(-2, -len(y))]
    elif any(s != shapes[0] for s in shapes[1:]) and _is_elementwise(op):
        for axis in range(max(map(len, shapes), default=0)):
            sizes = [s[-1 - axis] for s in shapes if axis < len(s) and s[-1 - axis] != 1]
            yield from pairwise(sizes)


def _is_elementwise(op: core.Call) -> bool:
    if isinstance(op.fn, np.ufunc):
        return op.fn.signature is None
    rules = lookup(op.fn)
    return rules is not None and rules.partials is not None


def _places(v: Value, t: Type, path: Path) -> Iterator[tuple[Dim, Place]]:
    """The symbolic sizes of the arrays in a parameter or global."""
    if isinstance(t, Tree):
        for key, item in zip(t.keys, t.items, strict=True):
            yield from _places(v, item, (*path, key))
    elif isinstance(t, Array):
        for axis, size in enumerate(t.shape):
            if isinstance(size, Dim):
                yield size, Place(v, path, axis)


def _check(b: Builder, d: Demand, places: dict[Dim, Place]) -> None:
    def size(s: Size) -> Value:
        if isinstance(s, int):
            return b.const(s)
        place = places[s]
        x = place.source
        if isinstance(x.owner, core.Global):
            x = b.add(core.Global, (), [x.type], source=x.owner.source).result
        for key in place.path:
            x = b.item(x, key)
        return b.size(x, place.axis)

    differ = b.call(operator.ne, size(d.a), size(d.b))
    fails, passes = b.into(Block()), b.into(Block())
    message = f"sizes do not fit in `{d.op.loc.stmt.text}`"
    error = fails.call_op(ValueError, [message], types=[_ERROR]).result
    fails.add(core.Raise, [error], ())
    fails.yield_()
    passes.yield_()
    b.if_(differ, fails.block, passes.block, ())
