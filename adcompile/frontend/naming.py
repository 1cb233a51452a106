"""Binding names: variables of the program, and the names that values get from them."""

from __future__ import annotations

from adcompile.frontend.context import Context
from adcompile.frontend.operands import Obj, Operand
from adcompile.ir.core import Value


def bind(cx: Context, name: str, x: Operand, mark: int) -> None:
    """The variable `name` holds `x`; a value made since `mark` gets its name."""
    name_value(cx, x, name, mark)
    if isinstance(x, Obj) and x.name is None and "$" not in name:
        x.name = name
        name_value(cx, cx.store.get(x), name, mark)
    cell = cx.frame.find(name)
    assert cell is not None
    cx.store.set(cell, x)


def name_value(cx: Context, x: Operand, name: str, mark: int) -> None:
    """Name a value, made since the block had `mark` ops, that has no name yet."""
    if not isinstance(x, Value) or x.name is not None or "$" in name or x.owner is None:
        return
    ops = cx.builder.block.ops
    if any(ops[i] is x.owner for i in range(len(ops) - 1, mark - 1, -1)):
        x.name = name
