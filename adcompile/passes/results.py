"""Results belong to the caller: each gradient is an array of its own.

`d_x = y` is a correct gradient of `sum(x * y)`, but a caller who scales it in place would change
`y`. A returned array that shares memory with an argument, with another result, or with what a
pullback has saved, is copied, and so is a view that cannot be written, such as what
`np.broadcast_to` gives. Trees are made anew with such arrays in them, lists of unknown length are
copied whole. What was written in place is no one else's already: see `codegen.place`.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import numpy as np

from adcompile.codegen.aliasing import is_fresh, may_hold_memory
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Value
from adcompile.ir.types import Array, Opaque, Seq, Tree, Type
from adcompile.passes.structure import Nesting

OUTSIDE = Value(Opaque(object))  # memory that is not this call's own
_FIXED = (np.broadcast_to, np.diagonal, np.linalg.diagonal, np.diag)  # their views are read-only


def run(fn: Function) -> None:
    ret = fn.block.ops[-1]
    if ret.order == 0:  # a primal function returns what it returns
        return
    fn.block.ops.pop()
    owner = Owner(fn, Builder(fn.block, ret.loc, ret.order))
    for v in ret.operands:
        if isinstance(v.owner, core.Partial):  # what a pullback has saved stays as it is
            owner.taken |= owner.roots.of(v)
    ret.operands = [owner.own(v) for v in ret.operands]
    fn.block.ops.append(ret)


class Owner:
    """Makes results of `fn` the caller's own, with ops in `b`; `taken` is memory that is not."""

    def __init__(self, fn: Function, b: Builder) -> None:
        self.b = b
        self.roots = Roots(fn)
        self.taken = {OUTSIDE}

    def own(self, v: Value) -> Value:
        """`v`, or a copy of it."""
        if isinstance(v.owner, core.Make):
            items = [self.own(x) for x in v.owner.operands]
            return v if items == v.owner.operands else self._made(v, items)
        t = v.type
        if not isinstance(t, Array | Tree | Seq) or (_rank(t) == 0 and not self._is_passed(v)):
            return v
        mine = self.roots.of(v)
        if self.taken.isdisjoint(mine) and not self.roots.is_fixed(v):
            self.taken.update(mine)
            return v
        if isinstance(t, Tree):
            return self._made(v, [self.own(self.b.item(v, key)) for key in t.keys])
        copied = self.b.call(deepcopy, v) if isinstance(t, Seq) else self._copy(v)
        copied.type = t
        return copied

    def _made(self, v: Value, items: list[Value]) -> Value:
        return self.b.make(v.type.node, v.type.keys, items)  # type: ignore[union-attr]

    def _copy(self, v: Value) -> Value:
        copied = self.b.member(np.copy, "copy()", v)
        copied.name = v.name if v.name and v.name.startswith("d_") else None
        return copied

    def _is_passed(self, v: Value) -> bool:
        """Whether `v` is a parameter or what a parameter holds: of rank 0 it may be an array."""
        while isinstance(v.owner, core.Item | core.Unpack):
            v = v.owner.operands[0]
        return isinstance(v.owner, Block) and v.owner not in self.roots.nesting.op_of


def _rank(t: Type) -> int | None:
    return t.rank if isinstance(t, Array) else None


class Roots:
    """Whose memory a value may share: the values that made it, or OUTSIDE."""

    def __init__(self, fn: Function) -> None:
        self.nesting = Nesting.of(fn.block)

    def of(self, v: Value) -> set[Value]:
        return {x for x, sources in self._chain(v) if sources == [x]}

    def is_fixed(self, v: Value) -> bool:
        """Whether `v` may be a view that cannot be written."""
        views = (x.owner for x, sources in self._chain(v) if sources != [x])
        return any(isinstance(op, core.Call) and op.fn in _FIXED for op in views)

    def _chain(self, v: Value) -> Iterator[tuple[Value, list[Value]]]:
        """`v` and all that it may be or be a view of, each with its sources."""
        seen: set[Value] = set()
        work = [v]
        while work:
            v = work.pop()
            if v in seen or not may_hold_memory(v.type):
                continue
            seen.add(v)
            sources = list(self._sources(v))
            yield v, sources
            if sources != [v]:
                work.extend(sources)

    def _sources(self, v: Value) -> Iterator[Value]:
        """`v` itself if it is new memory, else the values that it may be or be a view of."""
        if v is OUTSIDE:
            yield v
            return
        op = self.nesting.op_of.get(v.owner) if isinstance(v.owner, Block) else v.owner
        match op:
            case None | core.Const() | core.Global() | core.Invoke():
                yield OUTSIDE
            case core.For() | core.While():
                yield from [v] if self._is_written(v) else self._carried(op, v)
            case core.If() | core.Scope() | core.Try():
                yield from [v] if self._is_written(v) else self._joined(op, v)
            case core.Update() if not isinstance(v.type, Seq):
                yield v
            case core.NewSeq() if op.operands:
                yield from op.operands
            case core.Call() if op.fn is list:
                yield from op.operands
            case _ if is_fresh(op, v):
                yield v
            case core.Index():
                yield op.operands[0]
            case _:
                yield from op.operands or [OUTSIDE]

    def _is_written(self, v: Value) -> bool:
        """Whether `v` holds a buffer that was written in place: it is copied first (`place`)."""
        seen: set[Value] = set()
        work = [v]
        while work:
            v = work.pop()
            if v in seen:
                continue
            seen.add(v)
            match self.nesting.op_of.get(v.owner) if isinstance(v.owner, Block) else v.owner:
                case core.Update():
                    return True
                case core.For() | core.While() as op:
                    work.extend(self._carried(op, v))
                case core.If() | core.Scope() | core.Try() as op:
                    work.extend(self._joined(op, v))
        return False

    @staticmethod
    def _joined(op: core.If | core.Scope | core.Try, v: Value) -> Iterator[Value]:
        k = op.results.index(v)
        return (block.yields[k] for block in op.blocks)

    @staticmethod
    def _carried(op: core.For | core.While, v: Value) -> Iterator[Value]:
        conds = op.cond.params if isinstance(op, core.While) else op.carried
        for r, p, q, init, y in zip(op.results, op.carried, conds, op.inits, op.body.yields):
            if v in (r, p, q):
                yield from (init, y)
                return
        yield op.operands[0]
