"""Results belong to the caller: each gradient is an array of its own.

`d_x = y` is a correct gradient of `sum(x * y)`, but a caller who scales it in place would change
`y`. A returned array that shares memory with an argument, or with another result, is copied, and so
is a view that cannot be written, such as what `np.broadcast_to` gives. What was written in place is
no one else's already: see `codegen.place`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from adcompile.codegen.aliasing import is_fresh, may_hold_memory
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Value
from adcompile.ir.types import Array, Opaque
from adcompile.passes.structure import Nesting

OUTSIDE = Value(Opaque(object))  # memory that is not this call's own
_FIXED = (np.broadcast_to, np.diagonal, np.linalg.diagonal, np.diag)  # their views are read-only


def run(fn: Function) -> None:
    ret = fn.block.ops[-1]
    if ret.order == 0:  # a primal function returns what it returns
        return
    fn.block.ops.pop()
    b = Builder(fn.block, ret.loc, ret.order)
    roots = Roots(fn)
    taken = {OUTSIDE}
    for v in ret.operands:
        if isinstance(v.owner, core.Partial):  # what a pullback has saved stays as it is
            taken |= roots.of(v)

    def own(v: Value) -> Value:
        if isinstance(v.owner, core.Make):
            items = [own(x) for x in v.owner.operands]
            changed = any(x is not y for x, y in zip(items, v.owner.operands))
            return b.make(v.type.node, v.type.keys, items) if changed else v  # type: ignore[union-attr]
        if not isinstance(v.type, Array) or v.type.rank == 0:
            return v
        mine = roots.of(v)
        if taken.isdisjoint(mine) and not roots.is_fixed(v):
            taken.update(mine)
            return v
        copy = b.member(np.copy, "copy()", v)
        copy.name = v.name if v.name and v.name.startswith("d_") else None
        return copy

    ret.operands = [own(v) for v in ret.operands]
    fn.block.ops.append(ret)


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
            case core.Update():
                yield v
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
