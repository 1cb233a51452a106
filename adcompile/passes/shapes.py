"""Asking a shape of a value that lives anyway, so that none is computed for its shape alone.

`np.shape(x)`, `np.size(x)`, `len(x)`, `np.zeros_like(x)` and kin, where differentiation made them,
read no element of `x`. If `x` is needed for nothing else, the same is asked of a value in scope of
equal shape, of the user's named ones if possible; failing that, the sizes are gathered one by one.
Runs before dead code elimination, which then removes `x`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Op, Value, is_quoted
from adcompile.ir.types import FLOAT, Array, Dim
from adcompile.passes.liveness import Liveness
from adcompile.passes.rename import Renaming

_LIKE: dict[Callable[..., Any], Callable[..., Any]] = {
    np.zeros_like: np.zeros,
    np.ones_like: np.ones,
    np.empty_like: np.empty,
    np.full_like: np.full,
}
_QUERIES = (np.shape, np.size, len, *_LIKE)

_Key = tuple[Any, ...]  # ("named" or "any", a shape, a dtype or None), or ("size", a Dim)


def run(fn: Function) -> None:
    queries = {op for op in core.walk(fn.block) if is_query(op)}
    if queries:
        _Search(fn, queries).run()


def is_query(op: Op) -> bool:
    """Whether `op`, not the user's own, reads nothing but the shape (and dtype) of its operand."""
    if not isinstance(op, core.Call) or op.order == 0 or op.fn not in _QUERIES or is_quoted(op):
        return False
    x = op.operands[0].type
    return isinstance(x, Array) and x.rank > 0 and (op.fn in _LIKE or len(op.operands) == 1)


@dataclass(eq=False, slots=True)
class _Scope:
    block: Block
    rest: Iterator[Op]
    done: list[Op] = field(default_factory=list)
    last: Op | None = None  # its results come into scope after its blocks
    undo: list[tuple[_Key, Any]] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)


class _Search:
    def __init__(self, fn: Function, queries: set[Op]):
        self.fn = fn
        self.queries = queries
        self.live = Liveness(fn, queries)
        self.live.demand(fn.block.params)  # they are there in any case
        for op in core.walk(fn.block):
            if isinstance(op, core.For | core.While):  # what is carried is there after the loop
                pairs = zip(op.carried, op.results)
                self.live.values.update(r for p, r in pairs if p in self.live.values)
        self.known: dict[_Key, Any] = {}  # the latest live value in scope for each key
        self.visible: set[Value] = set()
        self.undefined: set[Value] = set()  # what has no value on some way to it
        self.later: dict[Value, Value] = {}  # what was written into → what it is afterwards
        self.rename = Renaming()

    def run(self) -> None:
        stack = [self.enter(self.fn.block, 0)]
        while stack:
            scope = stack[-1]
            if scope.last:
                self.define(scope.last.results, scope, scope.last.order)
                self.replaced(scope.last)
                scope.last = None
            op = next(scope.rest, None)
            if op is None:
                self.leave(stack.pop())
                continue
            op.operands[:] = map(self.rename, op.operands)
            if op not in self.queries or op not in self.live.ops or self.ask(op, scope):
                scope.done.append(op)
                scope.last = op
            stack.extend(self.enter(block, op.order) for block in reversed(op.blocks))

    def enter(self, block: Block, order: int) -> _Scope:
        scope = _Scope(block, iter(block.ops))
        self.define(block.params, scope, order)
        return scope

    def leave(self, scope: _Scope) -> None:
        scope.block.ops[:] = scope.done
        for key, old in reversed(scope.undo):
            self.known[key] = old
        self.visible.difference_update(scope.values)

    def define(self, values: list[Value], scope: _Scope, order: int) -> None:
        self.visible.update(values)
        scope.values.extend(values)
        for v in values:
            lost = isinstance(v.owner, core.Unpack) and v.owner.is_lost(v)
            if (
                lost
                or isinstance(v.owner, core.Undef)
                or not self.undefined.isdisjoint(_sources(v))
            ):
                self.undefined.add(v)
            if v in self.live.values:
                self.remember(v, scope, order)

    def replaced(self, op: Op) -> None:
        """Writes, and loops that write: the array before them need not be kept for its shape."""
        pairs = [(op.operands[0], op.results[0])] if isinstance(op, core.Update) else []
        if isinstance(op, core.For | core.While):
            pairs += zip(op.inits, op.results)
        self.later.update(
            (v, r)
            for v, r in pairs
            if v.type == r.type and r in self.live.values and v.name == r.name
        )

    def latest(self, v: Value) -> Value:
        while self.later.get(v) in self.visible:
            v = self.later[v]
        return v

    def remember(self, v: Value, scope: _Scope, order: int = 0) -> None:
        """`v` is there to be asked for its shape, until its scope ends."""
        if not isinstance(v.type, Array) or not v.type.shape or v in self.undefined:
            return
        named = v.name is not None and order == 0
        for dtype in (None, v.type.dtype):
            for kind in ("named", "any") if named else ("any",):
                self.set((kind, v.type.shape, dtype), v, scope)
        for axis, size in enumerate(v.type.shape):
            if isinstance(size, Dim) and (named or self.known.get(("size", size)) is None):
                self.set(("size", size), (v, axis), scope)

    def set(self, key: _Key, found: object, scope: _Scope) -> None:
        scope.undo.append((key, self.known.get(key)))
        self.known[key] = found

    def ask(self, query: Op, scope: _Scope) -> bool:
        """Find the best value to ask; whether the query stays (if not, something stands for it)."""
        assert isinstance(query, core.Call)
        x = query.operands[0] = self.latest(query.operands[0])
        assert isinstance(x.type, Array)
        there = x in self.visible and x in self.live.values
        if there and x.name is not None:
            return True
        dtype = x.type.dtype if query.fn in _LIKE and "dtype" not in query.keywords else None
        for kind in ("named",) if there else ("named", "any"):
            if (found := self.known.get((kind, x.type.shape, dtype))) is not None:
                query.operands[0] = found
                return True
        if there:
            return True
        if self.gather(query, x.type, scope):
            return False
        self.live.demand([x])
        if x in self.visible:
            self.remember(x, scope)
        return True

    def gather(self, query: core.Call, t: Array, scope: _Scope) -> bool:
        """Answer the query from sizes of several values, if each is known somewhere."""
        sources = [s if isinstance(s, int) else self.known.get(("size", s)) for s in t.shape]
        if None in sources or query.keywords:
            return False
        b = Builder(Block(), query.loc, query.order)
        sizes = [b.const(s) if isinstance(s, int) else b.size(*s) for s in sources]  # type: ignore[misc]
        answer = _answer(b, query, sizes)
        answer.name = query.result.name
        scope.done += b.block.ops
        self.rename.new[query.result] = answer
        self.live.values.add(answer)
        self.define([answer], scope, query.order)
        return True


def _sources(v: Value) -> list[Value]:
    """What the result `v` of control flow may be."""
    op = v.owner
    if isinstance(op, core.If | core.Try):
        return [block.yields[op.results.index(v)] for block in op.blocks]
    if isinstance(op, core.For | core.While):
        k = op.results.index(v)
        return [op.inits[k], op.body.yields[k]]
    return []


def _answer(b: Builder, query: core.Call, sizes: list[Value]) -> Value:
    if query.fn is len:
        return sizes[0]
    if query.fn is np.shape:
        return b.tuple(*sizes)
    if query.fn is np.size:
        product = sizes[0]
        for size in sizes[1:]:
            product = b.mul(product, size)
        return product
    t = query.result.type
    assert isinstance(t, Array)
    shape = sizes[0] if len(sizes) == 1 else b.tuple(*sizes)
    fill = query.operands[1:]
    default = t.dtype == np.float64 and all(v.type == FLOAT for v in fill)
    dtype = {} if default else {"dtype": t.dtype.type}
    return b.call_op(_LIKE[query.fn], [shape, *fill], dtype, types=[t]).result
