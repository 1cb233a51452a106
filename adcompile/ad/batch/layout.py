"""Layouts: which parts of a value carry the batch axis, and the types of what does.

The layout of a number or array is True where the value has a leading axis for the directions. That
of a tree is a tuple of its children's, that of a list of unknown length `Items` of its items'.
False stands for a value none of whose parts depend on the direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adcompile.errors import InternalError
from adcompile.ir.infer.values import DTYPES
from adcompile.ir.types import Array, Opaque, Scalar, Seq, Size, Tree, Type


@dataclass(frozen=True, slots=True)
class Items:
    """The layout of a list of unknown length: that of each of its items."""

    item: Layout


@dataclass(frozen=True, slots=True)
class Saved:
    """The layout of the k-th result of a callee, which its type does not tell.

    `key` says which callee, and with which of its arguments batched. A recursive function saves
    what it saved: that a layout is looked up by name is what keeps it finite.
    """

    key: Any
    k: int


Layout = bool | tuple["Layout", ...] | Items | Saved


def normal(layout: Layout) -> Layout:
    """False for a layout without any True."""
    if isinstance(layout, tuple):
        return layout if any(item is not False for item in layout) else False
    return False if layout == Items(False) else layout


def full(t: Type) -> Layout:
    """The layout of a value of type `t` all of whose numbers may depend on the direction."""
    match t:
        case Tree(items=items):
            return normal(tuple(map(full, items)))
        case Seq(item):
            return normal(Items(full(item)))
        case Opaque(cls):
            return cls is object  # what an unknown function gave
    return isinstance(t, Scalar | Array)


def join(a: Layout, b: Layout) -> Layout:
    """The layout of what has layout `a` on one path and `b` on another."""
    if a == b or b is False:
        return a
    if a is False:
        return b
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return tuple(map(join, a, b))
    if isinstance(a, Items) and isinstance(b, Items):
        return Items(join(a.item, b.item))
    raise InternalError(f"a value has layout {a} on one path and {b} on another")


def children(layout: Layout, count: int) -> tuple[Layout, ...]:
    """The layouts of the children of a tree."""
    return layout if isinstance(layout, tuple) else (layout,) * count


def item_of(layout: Layout) -> Layout:
    """The layout of the items of a list."""
    return layout.item if isinstance(layout, Items) else layout


def batched_type(t: Type, layout: Layout, n: Size) -> Type:
    """The type of a value of type `t` in this layout, for `n` directions."""
    if layout is False:
        return t
    match t:
        case Array(dtype, shape):
            return Array(dtype, (n, *shape))
        case Scalar(kind):
            return Array(DTYPES[kind], (n,))
        case Tree(node, keys, items):
            inner = zip(items, children(layout, len(keys)), strict=True)
            return Tree(node, keys, tuple([batched_type(i, c, n) for i, c in inner]))
        case Seq(item):
            return Seq(batched_type(item, item_of(layout), n))
    return t
