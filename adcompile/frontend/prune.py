"""Dropping what branches and loops hand on and nobody needs.

While a body is lowered it is not known what will be read after it, so every variable that it
assigns is carried. Here, with the whole function at hand, a carried value is kept only if it is
read: in a later iteration or after the loop. One that comes back unchanged is what it was before.
"""

from __future__ import annotations

from adcompile.ir import core
from adcompile.ir.core import (
    Block,
    For,
    Function,
    If,
    Op,
    Scope,
    Try,
    Value,
    While,
    substitute,
    walk,
)


def run(fn: Function) -> None:
    """Remove dead results of branches, dead or unchanged carried values of loops, dead arms."""
    _drop_unchanged(fn)
    _take_known(fn)
    needed = _needed(fn)
    for op in walk(fn.block):
        if isinstance(op, If | Scope | Try):
            _prune_results(op, needed)
        elif isinstance(op, For | While):
            _prune_carried(op, needed)


def _drop_unchanged(fn: Function) -> None:
    """Loop-carried values that every iteration hands back as they are, innermost loops first."""
    new: dict[Value, Value] = {}

    def final(v: Value) -> Value:
        while v in new:
            v = new[v]
        return v

    for op in reversed(list(walk(fn.block))):
        if not isinstance(op, For | While):
            continue
        heads = op.heads if isinstance(op, For) else 0
        for k, result in enumerate(op.results):
            init, param = op.operands[heads + k], op.carried[k]
            if final(op.body.yields[k]) is param:
                new[param] = init
                new[result] = init
                if isinstance(op, While):
                    new[op.cond.params[k]] = init
    substitute(fn.block, new)


def _take_known(fn: Function) -> None:
    """The arm that is taken in place of a branch whose condition has turned out to be known."""
    new: dict[Value, Value] = {}
    for block in reversed(list(core.walk_blocks(fn.block))):  # inner ones first
        ops: list[Op] = []
        for op in block.ops:
            known = core.constant(op.operands[0]) if isinstance(op, If) else None
            if isinstance(known, bool):
                taken = op.blocks[0 if known else 1]
                new.update(zip(op.results, taken.yields, strict=True))
                ops += taken.ops[:-1]
            else:
                ops.append(op)
        block.ops[:] = ops
    substitute(fn.block, new)


def _needed(fn: Function) -> set[Value]:
    """Every value that some op needs; results and yields count only if they are needed in turn."""
    follows: dict[Value, list[Value]] = {}  # if the key is needed, so are these
    work: list[Value] = []
    for op in walk(fn.block):
        if isinstance(op, core.Yield):
            continue
        if isinstance(op, If | Scope | Try):
            work += op.operands
            for k, result in enumerate(op.results):
                follows[result] = [b.yields[k] for b in op.blocks]
        elif isinstance(op, For | While):
            heads = op.heads if isinstance(op, For) else 0
            work += op.operands[:heads]
            for k, result in enumerate(op.results):
                group = [op.operands[heads + k], op.body.yields[k]]
                for v in (result, *_params(op, k)):
                    follows[v] = group
            work += op.body.yields[len(op.results) :]
            if isinstance(op, While):
                work += op.cond.yields
        else:
            work += op.operands
    needed: set[Value] = set()
    while work:
        v = work.pop()
        if v not in needed:
            needed.add(v)
            work += follows.get(v, ())
    return needed


def _params(op: For | While, k: int) -> list[Value]:
    if isinstance(op, For):
        return [op.carried[k]]
    return [op.body.params[k], op.cond.params[k]]


def _prune_results(op: Op, needed: set[Value]) -> None:
    keep = [k for k, r in enumerate(op.results) if r in needed]
    if len(keep) == len(op.results):
        return
    for block in op.blocks:
        _keep(block.terminator.operands, keep)
    _keep(op.results, keep)


def _prune_carried(op: For | While, needed: set[Value]) -> None:
    count = len(op.results)
    keep = [
        k for k in range(count) if op.results[k] in needed or not needed.isdisjoint(_params(op, k))
    ]
    if len(keep) == count:
        return
    heads = op.heads if isinstance(op, For) else 0
    op.operands[heads:] = [op.operands[heads + k] for k in keep]
    outs = op.body.terminator.operands
    outs[:count] = [outs[k] for k in keep]
    first = len(op.body.params) - count
    blocks: list[Block] = [op.body] if isinstance(op, For) else [op.body, op.cond]
    for block in blocks:
        block.params[first:] = [block.params[first + k] for k in keep]
    _keep(op.results, keep)


def _keep(values: list[Value], keep: list[int]) -> None:
    values[:] = [values[k] for k in keep]
