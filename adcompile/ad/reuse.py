"""What is saved for a backward loop is not computed once more in it.

A second derivative asks for what the first has computed: `np.exp(x)`, `1 - y * y`. Where the
forward body saves such a value anyway, the backward body reads it. Operations are compared as for
common subexpressions (`passes.cse`).
"""

from __future__ import annotations

from collections.abc import Iterable

from adcompile.ir import core
from adcompile.ir.core import Block, Op, Value, is_quoted
from adcompile.ir.types import Array, Type
from adcompile.passes.cse import Numbering
from adcompile.passes.structure import is_pure


def share(backward: Block, primal: Block, saved: Iterable[Value]) -> bool:
    """Let `backward` read what is `saved` of the body `primal`; whether that changes anything."""
    numbering, wanted = Numbering(), set(saved)
    there: dict[int, Value] = {}
    for op in primal.ops:
        numbering.enter(op)
        there.update((numbering.number(r), r) for r in op.results if r in wanted)
    new: dict[Value, Value] = {}
    for op in core.walk(backward) if there else ():
        op.operands[:] = [new.get(v, v) for v in op.operands]
        if numbering.enter(op) is None or isinstance(op, core.Const) or is_quoted(op):
            continue
        for r in op.results:
            found = there.get(numbering.number(r))
            if found is not None and _same_form(found.type, r.type):
                new[r] = found
    if new:
        core.substitute(backward, new)
        _drop(backward, [v.owner for v in new if isinstance(v.owner, Op)])
    return bool(new)


def _same_form(a: Type, b: Type) -> bool:
    if isinstance(a, Array) and isinstance(b, Array):
        return (a.dtype, a.rank) == (b.dtype, b.rank)
    return a == b


def _drop(root: Block, ops: list[Op]) -> None:
    """Remove those of `ops` that nobody reads, and what nobody reads without them."""
    uses, inside = core.use_counts(root), set(core.walk(root))
    gone: set[Op] = set()
    while ops:
        op = ops.pop()
        if op in gone or op not in inside or not is_pure(op) or any(uses[r] for r in op.results):
            continue
        gone.add(op)
        for v in op.operands:
            uses[v] -= 1
            if isinstance(v.owner, Op):
                ops.append(v.owner)
    for block in core.walk_blocks(root):
        block.ops[:] = [op for op in block.ops if op not in gone]
