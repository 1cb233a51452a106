"""A value that is handed on as it is, under no name that is shown, is that value.

Hooks that have served leave such an alias. They go before it is settled what is saved for a
backward sweep: an array that a loop hands on unchanged is no other one in each iteration.
"""

from __future__ import annotations

from adcompile.ir import core
from adcompile.ir.core import Function, Value
from adcompile.ir.identities import Alias


def run(fn: Function) -> None:
    new: dict[Value, Value] = {}
    for block in core.walk_blocks(fn.block):
        served = [op for op in block.ops if isinstance(op, Alias) and not op.shown]
        if served:
            for op in served:
                new[op.result] = x = op.operands[0]
                x.name = x.name or op.result.name
            gone = set(served)
            block.ops[:] = [op for op in block.ops if op not in gone]
    core.substitute(fn.block, new)
