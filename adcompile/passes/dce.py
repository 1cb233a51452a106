"""Dead code elimination: what nobody reads goes, down to single carried values of loops.

First, values that only pass through control flow are replaced by what they are: carried values that
come back unchanged, results that are the same on both sides of an `if`. Then mark (`liveness`) and
sweep. A loop without live results and effects vanishes, whether or not it would have ended.
"""

from __future__ import annotations

from collections.abc import Iterator

from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.effects import raises
from adcompile.passes.liveness import Liveness
from adcompile.passes.rename import Renaming
from adcompile.passes.structure import STRUCTURED, Nesting


def run(fn: Function) -> None:
    nesting = Nesting.of(fn.block)
    if nesting.op_of:
        _forward_copies(fn, nesting)
    _sweep(fn, Liveness(fn, nesting=nesting))


# --- values that merely pass through ------------------------------------------------------------


def _forward_copies(fn: Function, nesting: Nesting) -> None:
    rename = Renaming()
    inner_first = [op for op in core.walk(fn.block) if type(op) in STRUCTURED]
    for op in reversed(inner_first):
        if isinstance(op, core.For | core.While):
            _unchanged(op, rename)
        else:
            _same_on_all_paths(op, rename, nesting)
    rename.apply(fn.block)


def _unchanged(op: core.For | core.While, rename: Renaming) -> None:
    """Carried values that the body hands on as they came."""
    conds = op.cond.params if isinstance(op, core.While) else op.carried
    slots = list(zip(op.inits, op.carried, conds, op.body.yields, op.results, strict=False))
    changed = True
    while changed:  # one may be found unchanged because another was
        changed, rest = False, []
        for slot in slots:
            init, param, cond, y, result = slot
            init, y = rename(init), rename(y)
            if y is param or y is init:
                rename.new.update(dict.fromkeys((param, cond, result), init))
                changed = True
            else:
                rest.append(slot)
        slots = rest


def _same_on_all_paths(op: Op, rename: Renaming, nesting: Nesting) -> None:
    """Results of an `if` or `with` that are one and the same value from outside."""
    paths = [b for b in op.blocks if not raises(b)] or op.blocks
    for k, result in enumerate(op.results):
        found = {rename(b.yields[k]) for b in paths}
        if len(found) == 1:
            (value,) = found
            if nesting.defining_block(value) not in op.blocks:
                rename.new[result] = value


# --- sweeping -----------------------------------------------------------------------------------


def _sweep(fn: Function, live: Liveness) -> None:
    for block in _live_blocks(fn.block, live):
        dead = [op for op in block.ops[:-1] if op not in live.ops]
        if dead:
            block.ops[:-1] = [op for op in block.ops[:-1] if op in live.ops]
            # what is saved for a loop may be read off it when it is gone itself
            core.discard(op for op in dead if type(op) not in STRUCTURED)
        for op in block.ops:
            if type(op) in STRUCTURED:
                _prune(op, live.values)


def _live_blocks(root: Block, live: Liveness) -> Iterator[Block]:
    work = [root]
    while work:
        block = work.pop()
        yield block
        for op in block.ops:
            if type(op) in STRUCTURED:
                work.extend(op.blocks)


def _prune(op: Op, live: set[Value]) -> None:
    """Drop the results and carried values of `op` that nobody reads."""
    groups = [op.results]
    if isinstance(op, core.For | core.While):
        groups.append(op.carried)
    if isinstance(op, core.While):
        groups.append(op.cond.params)
    dead = {k for k, vs in enumerate(zip(*groups, strict=True)) if live.isdisjoint(vs)}
    if not dead:
        return
    _drop(op.results, dead)
    match op:
        case core.For():
            _drop(op.operands, dead, op.heads)
            _drop(op.body.params, dead, 1)
            _drop(op.body.yields, dead)
        case core.While():
            _drop(op.operands, dead)
            _drop(op.cond.params, dead)
            _drop(op.body.params, dead)
            _drop(op.body.yields, dead)
        case _:
            for block in op.blocks:
                _drop(block.yields, dead)


def _drop(values: list[Value], positions: set[int], offset: int = 0) -> None:
    values[:] = [v for k, v in enumerate(values, -offset) if k not in positions]
