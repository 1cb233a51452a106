"""New gast nodes, each at the place of the node that it comes from."""

from __future__ import annotations

from typing import Any

import gast

from adcompile.frontend.source import at


def copied(node: Any) -> Any:
    """`node` once more, its children shared."""
    cls: Any = type(node)
    new = cls.__new__(cls)
    vars(new).update(vars(node))
    return new


def name(id: str, where: Any, ctx: type = gast.Load) -> Any:
    return at(gast.Name(id, ctx(), None, None), where)


def constant(value: object, where: Any) -> Any:
    return at(gast.Constant(value, None), where)


def assign(id: str, value: Any, where: Any) -> Any:
    return at(gast.Assign([name(id, where, gast.Store)], value, None), where)
