"""The walk that carries a batch of directions through a function, op by op.

What does not depend on the directions stays as it is, the very same ops; what does is computed for
all of them at once, with a leading axis (as `vmap` does it: Bradbury et al., "JAX", 2018). An op
that no rule knows is run for one direction after the other (`single.py`), so every function can be
batched. Branches and loops keep their structure; conditions do not depend on directions, or the
whole of the control flow is run for one direction after the other, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompile.ad.batch import single, table
from adcompile.ad.batch.layout import Layout, batched_type
from adcompile.ad.batch.onehot import OneHot
from adcompile.ad.batch.spread import Callees, Spread
from adcompile.ad.batch.values import WHOLE, Dense, Rep, dense, pack, wrapped
from adcompile.errors import InternalError
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.infer import values
from adcompile.ir.types import Array, Size


@dataclass(eq=False, slots=True)
class Family:
    """The functions batched so far, by callee and layouts of its arguments."""

    callees: Callees = field(default_factory=Callees)
    done: dict[tuple[Function, tuple[Layout, ...]], Function] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Batch:
    """The walk over one function: `reps` has what depends on the direction."""

    family: Family
    spread: Spread
    b: Builder
    n: Value  # how many directions there are
    reps: dict[Value, Rep] = field(default_factory=dict)
    new: dict[Value, Value] = field(default_factory=dict)  # plain values that others stand for
    positions: dict[tuple[Size, ...], Value] = field(default_factory=dict)  # of elements, by shape
    touched: set[Op] = field(default_factory=set)  # ops that, or whose blocks, read a batched value

    @property
    def size(self) -> Size:
        return values.size_of(self.n)

    # --- values ---------------------------------------------------------------------------------

    def get(self, v: Value) -> Rep:
        return self.reps.get(v) or self.new.get(v, v)

    def is_batched(self, v: Value) -> bool:
        return self.spread.of(v) is not False

    def put(self, v: Value, rep: Rep | None) -> None:
        """`rep` stands for the value `v` of the function."""
        if rep is None:
            raise InternalError("a result that was not batched", self.b.loc)
        if isinstance(rep, Value) and not self.is_batched(v):
            self.new[v] = rep
        else:
            self.reps[v] = rep

    def dense(self, v: Value) -> Value:
        """The array `v` with a leading axis for the directions."""
        return dense(self, self.get(v), v.type)

    def aligned(self, v: Value, rank: int) -> Value:
        """`v` as it broadcasts, in each direction, with what has this rank there."""
        if not self.is_batched(v):
            return self.pack(v, False)
        have, d = values.array_of(v).rank, self.dense(v)
        return d if have >= rank else self.b.index(d, (WHOLE, *[None] * (rank - have)))

    def is_last(self, v: Value) -> bool:
        """Whether `v` is a vector whose directions are the second axis."""
        rep = self.reps.get(v)
        return isinstance(rep, Dense) and rep.last

    def aligned_last(self, v: Value) -> Value:
        """`v` as it broadcasts with such a vector."""
        rep = self.get(v)
        if isinstance(rep, Dense) and rep.last:
            return rep.value
        rank = values.array_of(v).rank
        if not self.is_batched(v):
            x = self.pack(v, False)
            return self.b.index(x, (WHOLE, None)) if rank else x
        return self.b.member(np.transpose, "T", self.dense(v)) if rank else self.dense(v)

    def pack(self, v: Value, layout: Layout, t: Any = None) -> Value:
        return pack(self, self.get(v), v.type if t is None else t, layout)

    def fit(self, value: Value, like: Value) -> Value:
        """`value` as the batch of `like`: in its dtype, and with its sizes after the first."""
        return self._fitted(value, like, batched_type(like.type, True, self.size))

    def fit_last(self, value: Value, like: Value) -> Value:
        """The same for a vector whose directions are the second axis."""
        t = values.as_array(like.type)
        return self._fitted(value, like, Array(t.dtype, (*t.shape, self.size)))

    def _fitted(self, value: Value, like: Value, want: Any) -> Value:
        t = value.type
        if not isinstance(t, Array) or not isinstance(want, Array):
            return value
        if t.rank != want.rank:
            raise InternalError(f"a batch of rank {t.rank} instead of {want.rank}", self.b.loc)
        if t.dtype != want.dtype:
            value = cast(self.b, value, want)
        elif isinstance(value.owner, Op) and value.owner in self.b.block.ops[-1:]:
            value.type = want
        if value.name is None:
            value.name = like.name
        return value

    # --- blocks ---------------------------------------------------------------------------------

    def block(self, ops: Sequence[Op]) -> None:
        """Put these ops, up to the terminator, at the end of the builder's block."""
        base = self.b
        for op in ops:
            self.b = base.at(op.loc, op.order)
            if op not in self.touched:
                self.b.block.ops.append(op)
            else:
                HANDLERS[type(op)](self, op)
        self.b = base

    def inner(self, block: Block, params: Sequence[Value] = ()) -> Block:
        """A new block with the ops of `block`; its terminator is left to the caller.

        `params` are those that have no counterpart in `block`.
        """
        made = [*params, *[self.parameter(p) for p in block.params]]
        outer, self.b = self.b, self.b.into(Block(made))
        self.block(block.ops[:-1])
        done, self.b = self.b.block, outer
        return done

    def parameter(self, p: Value) -> Value:
        """What a parameter of a block becomes: itself, or a new one that is batched."""
        layout = self.spread.of(p)
        if layout is False:
            return p
        new = Value(batched_type(p.type, layout, self.size), p.name)
        self.reps[p] = wrapped(new, layout)
        return new

    def results(self, op: Op) -> list[Value]:
        """The results of what replaces `op`."""
        return [self.parameter(r) for r in op.results]

    def end(self, block: Block, old: Op, layouts: Sequence[Layout], like: Sequence[Value]) -> None:
        """End `block` as `old` ended its block; what comes after `like` is plain."""
        outer, self.b = self.b, Builder(block, old.loc, old.order)
        out = [
            self.pack(v, layout, t.type)
            for v, layout, t in zip(old.operands, layouts, like, strict=False)
        ]
        self.b.yield_(*out, *[self.pack(v, False) for v in old.operands[len(out) :]])
        self.b = outer

    def finish(self, block: Block) -> None:
        """Put what was made in place of the ops of a function's block."""
        last = block.terminator
        self.b = self.b.at(last.loc, last.order)
        self.b.return_(*[self.pack(v, self.spread.of(v)) for v in last.operands])
        block.ops = self.b.block.ops
        core.substitute(block, self.new)

    def plain(self, op: Op, cls: type[Op], operands: Sequence[Value], **fields: Any) -> Op:
        """Append an op with the results that `op` has, in their layouts."""
        made = cls(list(operands), self.results(op), op.loc, op.order, **fields)
        self.b.block.ops.append(made)
        return made


def cast(b: Builder, x: Value, t: Array) -> Value:
    return b.member(np.astype, "astype()", x, t.dtype.type)


def touching(block: Block, batched: Callable[[Value], bool]) -> set[Op]:
    """The ops that read a batched value, or hold an op that does, or make one."""
    found: set[Op] = set()
    parents: dict[Block, tuple[Op, ...]] = {block: ()}
    for inner in core.walk_blocks(block):
        around = parents[inner]
        for op in inner.ops:
            if any(map(batched, op.operands)) or any(map(batched, op.results)):
                found.update(around, (op,))
            for b in op.blocks:
                parents[b] = (*around, op)
                if any(map(batched, b.params)):
                    found.update(parents[b])
    return found


Handler = Callable[[Batch, Any], None]
HANDLERS: dict[type[Op], Handler] = {}


def handles(*classes: type[Op]) -> Callable[[Handler], Handler]:
    """Register how ops of these classes are batched."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(classes, handler))
        return handler

    return register


@handles(core.Call)
def _call(s: Batch, op: core.Call) -> None:
    found = None
    sparse, rule = table.rule_of(table.SPARSE, op.fn), table.find(op.fn)
    if sparse is not None and any(isinstance(s.get(v), OneHot) for v in op.operands):
        found = sparse(s, op)
    if found is None and rule is not None and not op.effect:
        found = rule(s, op)
    if found is None:
        single.run(s, op)
        return
    reps = found if isinstance(found, list) else [found]
    for r, rep in zip(op.results, reps, strict=True):
        s.put(r, rep)


@handles(core.Assert, core.Raise, core.Write)
def _effect(s: Batch, op: Op) -> None:
    single.run(s, op)
