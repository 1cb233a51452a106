"""Control flow and calls of other functions, in a batch.

Branches yield, and loops carry, what depends on the direction in the layouts that the analysis
found; what does not is added to the batch where the paths meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcompile.ad.batch import single
from adcompile.ad.batch.layout import Layout
from adcompile.ad.batch.spread import spread
from adcompile.ad.batch.walk import Batch, Family, handles, touching
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.clone import clone_function
from adcompile.ir.core import Block, Function, Param, Value
from adcompile.ir.types import Dim, Scalar


def _structured(handler: Callable[[Batch, Any], None]) -> Callable[[Batch, Any], None]:
    """Where the way depends on the direction, each goes its own."""

    def one_way(s: Batch, op: core.Structured) -> None:
        if op in s.spread.single:
            single.run(s, op)
        else:
            handler(s, op)

    return one_way


def _of(s: Batch, values: Sequence[Value]) -> list[Layout]:
    return [s.spread.of(v) for v in values]


def _inner(s: Batch, block: Block, results: Sequence[Value]) -> Block:
    """`block` in the batch: what it ends with is laid out as `results` are."""
    made = s.inner(block)
    s.end(made, block.terminator, _of(s, results), results)
    return made


@handles(core.If)
@_structured
def _if(s: Batch, op: core.If) -> None:
    then, orelse = [_inner(s, block, op.results) for block in op.blocks]
    s.plain(op, core.If, [s.pack(op.operands[0], False)], then=then, orelse=orelse, form=op.form)


@handles(core.Try)
@_structured
def _try(s: Batch, op: core.Try) -> None:
    body, handler = [_inner(s, block, op.results) for block in op.blocks]
    s.plain(op, core.Try, op.operands, body=body, handler=handler)


@handles(core.Scope)
@_structured
def _scope(s: Batch, op: core.Scope) -> None:
    body = _inner(s, op.body, op.results)
    s.plain(op, core.Scope, op.operands, body=body, effect=op.effect)


def _inits(s: Batch, op: core.For | core.While) -> list[Value]:
    found = []
    for v, p, r in zip(op.inits, op.carried, op.results, strict=True):
        layout = s.spread.of(r)
        init = s.pack(v, layout, r.type)
        if init.name is None and layout is not False:
            init.name = p.name
        found.append(init)
    return found


@handles(core.For)
@_structured
def _for(s: Batch, op: core.For) -> None:
    heads = [s.pack(v, s.spread.of(v)) for v in op.operands[: op.heads]]
    inits = _inits(s, op)
    body = _inner(s, op.body, op.results)
    fields = {name: getattr(op, name) for name in ("over", "reverse", "stops", "narrowed")}
    s.plain(op, core.For, [*heads, *inits], body=body, **fields)


@handles(core.While)
@_structured
def _while(s: Batch, op: core.While) -> None:
    inits = _inits(s, op)
    cond = _inner(s, op.cond, [])
    body = _inner(s, op.body, op.results)
    s.plain(op, core.While, inits, cond=cond, body=body, stops=op.stops)


# --- calls of other functions -------------------------------------------------------------------


@handles(core.Invoke)
def _invoke(s: Batch, op: core.Invoke) -> None:
    layouts = tuple(_of(s, op.operands))
    callee = _callee(s, op.callee, layouts)
    operands = [s.pack(v, c) for v, c in zip(op.operands, layouts, strict=True)]
    s.plain(op, core.Invoke, [*operands, s.n], callee=callee)


def _callee(s: Batch, fn: Function, layouts: tuple[Layout, ...]) -> Function:
    """`fn` for a batch of those arguments, and the number of directions as its last one."""
    done = s.family.done
    if (fn, layouts) in done:
        return done[fn, layouts]
    made = done[fn, layouts] = clone_function(fn)
    block = made.block
    name = "n"
    while name in {p.name for p in made.params}:
        name += "_"
    n = Value(Scalar("int", Dim.fresh()), name)
    known = dict(zip(block.params, layouts, strict=True))
    found = spread(made, known, s.family.callees)
    inner = Batch(s.family, found, Builder(Block(), made.loc), n)
    inner.touched = touching(block, inner.is_batched)
    block.params = [*map(inner.parameter, block.params), n]
    made.params.append(Param(name))
    for p in block.params:
        p.owner = block
    inner.block(block.ops[:-1])
    inner.finish(block)
    return made


def drop_counts(main: Function, family: Family) -> None:
    """Functions that never ask how many directions there are need not be told."""
    made = set(family.done.values())
    calls = {f: _calls(f, made) for f in (main, *made)}
    asking = {f for f in made if _asks(f, calls[f])}
    more = True
    while more:
        new = {f for f in made - asking if any(op.callee in asking for op in calls[f])}
        asking |= new
        more = bool(new)
    for ops in calls.values():
        for op in ops:
            if op.callee not in asking:
                op.operands.pop()
    for f in made - asking:
        f.block.params.pop()
        f.params.pop()


def _calls(fn: Function, made: set[Function]) -> list[core.Invoke]:
    ops = [op for op in core.walk(fn.block) if isinstance(op, core.Invoke)]
    return [op for op in ops if op.callee in made]


def _asks(fn: Function, calls: list[core.Invoke]) -> bool:
    """Whether `fn` reads the number of directions for anything else than to hand it on."""
    n, handed_on = fn.block.params[-1], {*calls}
    return any(
        n in (op.operands[:-1] if op in handed_on else op.operands) for op in core.walk(fn.block)
    )
