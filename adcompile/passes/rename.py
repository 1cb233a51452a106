"""Replacing values by others, in the course of a pass."""

from __future__ import annotations

from adcompile.ir import core
from adcompile.ir.core import Block, Value


class Renaming:
    """Replacements of values; chains are followed when asked, and shortened."""

    def __init__(self) -> None:
        self.new: dict[Value, Value] = {}

    def __call__(self, v: Value) -> Value:
        if v not in self.new:
            return v
        chain = []
        while v in self.new:
            chain.append(v)
            v = self.new[v]
        for u in chain:
            self.new[u] = v
        return v

    def apply(self, root: Block) -> None:
        """Rename every operand inside `root`."""
        if self.new:
            for op in core.walk(root):
                op.operands[:] = map(self, op.operands)
