"""Targets of assignments: names, items, attributes and patterns of them; augmented assignments.

`x += v` writes into an array, a list, a dict or an object that says so, and rebinds a name
otherwise. What it reads and writes is evaluated once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import gast

from adcompile.errors import InternalError, UnsupportedSyntax
from adcompile.frontend import (
    attributes,
    containers,
    counting,
    expressions,
    joins,
    naming,
    objects,
    overloads,
    subscripts,
    wanted,
    writes,
)
from adcompile.frontend.branches import visible
from adcompile.frontend.context import Context
from adcompile.frontend.operands import Known, Obj, Operand, Tup, is_bottom, is_rank0
from adcompile.frontend.source import loc_of
from adcompile.ir import core
from adcompile.ir.core import Block, Value
from adcompile.ir.types import Array, Seq, Tree


def bind_item(cx: Context, target: Any, x: Operand) -> None:
    """Assign the item of an iteration to the target of a loop."""
    if isinstance(x, Value) and isinstance(target, gast.Name) and x.owner is None:
        x.name = visible(target.id)  # the counter itself
    assign(cx, target, x, 0 if not isinstance(x, Known) else len(cx.builder.block.ops))


def assign(cx: Context, target: Any, x: Operand, mark: int) -> None:
    """`target = x`; values made since `mark` that have no name yet get the target's."""
    work: list[tuple[Any, Operand]] = [(target, x)]
    while work:
        target, x = work.pop()
        if isinstance(target, gast.Name):
            naming.bind(cx, target.id, x, mark)
        elif isinstance(target, gast.Tuple | gast.List):
            work += reversed(_spread(cx, target, x))
        elif isinstance(target, gast.Attribute):
            owner = expressions.evaluate(cx, target.value)
            objects.set_attribute(cx, owner, target.attr, x, target)
        elif isinstance(target, gast.Subscript):
            base = expressions.evaluate(cx, target.value)
            set_item(cx, base, expressions.evaluate(cx, target.slice), x, target)
        else:
            raise InternalError(f"no assignment to a {type(target).__name__}", loc_of(target))


def _spread(cx: Context, target: Any, x: Operand) -> list[tuple[Any, Operand]]:
    """The targets of an unpacking with what goes to each."""
    count = len(target.elts)
    starred = [i for i, t in enumerate(target.elts) if isinstance(t, gast.Starred)]
    if is_bottom(x):
        return [
            (getattr(t, "value", t) if isinstance(t, gast.Starred) else t, x) for t in target.elts
        ]
    items = counting.items_of(cx, x, target)
    if items is None:
        items = _items_at_run_time(cx, target, x, count, bool(starred))
    if not starred:
        if len(items) != count:
            problem = "too many" if len(items) > count else "not enough"
            cx.mismatch(f"{problem} values to unpack: {count} expected, {len(items)} given", target)
        return list(zip(target.elts, items, strict=True))
    at, after = starred[0], count - starred[0] - 1
    if len(items) < count - 1:
        cx.mismatch(
            f"not enough values to unpack: {count - 1} expected, {len(items)} given", target
        )
    middle = expressions.new_list(cx, items[at : len(items) - after])
    parts: list[Operand] = [*items[:at], middle, *items[len(items) - after :]]
    return [
        (t.value if isinstance(t, gast.Starred) else t, p)
        for t, p in zip(target.elts, parts, strict=True)
    ]


def _items_at_run_time(
    cx: Context, target: Any, x: Operand, count: int, starred: bool
) -> list[Operand]:
    """The items of an array, or of a list of unknown length: as many as there are targets."""
    held = cx.contents(x) if isinstance(x, Obj) else x
    array = isinstance(held, Value) and isinstance(held.type, Array | Seq)
    if not (isinstance(held, Value) and array) or getattr(held.type, "rank", 1) == 0:
        cx.mismatch("this cannot be unpacked: it is no sequence", target)
    size = held.type.shape[0] if isinstance(held.type, Array) else None
    if starred and not isinstance(size, int):
        error = UnsupportedSyntax(
            "how many values `*` takes here is not known at compile time",
            loc_of(target),
            "use slices: `x[0], x[1:]`",
        )
        raise wanted.length(cx, held, error) or error
    if isinstance(size, int):
        count = size
    else:
        length = cx.emit(target, len, [held])
        fits = cx.emit(target, expressions.COMPARE[gast.Eq], [length, Known(count)])
        message = cx.value(Known(f"{count} values expected to unpack"), target)
        cx.here(target).add(core.Assert, [cx.value(fits, target), message], ())
    return [subscripts.subscript(cx, held, Known(i), target) for i in range(count)]


def set_item(cx: Context, x: Operand, index: Operand, value: Operand, node: gast.AST) -> None:
    """`x[index] = value`."""
    if is_bottom(x) or is_bottom(index) or is_bottom(value):
        return
    if overloads.call(cx, x, "__setitem__", node, index, value) is not None:
        return
    if isinstance(x, Value) and isinstance(x.type, Array):
        if is_rank0(x) and not _is_boxed(cx, x, node):
            cx.mismatch("a number has no items to assign", node)
        writes.set_item(cx, x, index, value, node)
    elif isinstance(x, Obj) or (isinstance(x, Value) and isinstance(x.type, Tree | Seq)):
        containers.set_item(cx, x, index, value, node)
    else:
        hint = "use a list, or make a new tuple" if isinstance(x, Tup) else None
        cx.mismatch(f"{joins.describe_operand(x)} has no items to assign", node, hint)


# --- augmented assignments ----------------------------------------------------------------------


def augassign(cx: Context, node: gast.AugAssign) -> None:
    fn = expressions.BINARY[type(node.op)]
    if isinstance(node.target, gast.Attribute):
        _augment_attribute(cx, node, node.target, fn)
    elif isinstance(node.target, gast.Subscript):
        _augment_item(cx, node, node.target, fn)
    else:
        mark = len(cx.builder.block.ops)
        load = gast.Name(node.target.id, gast.Load(), None, None)
        gast.copy_location(load, node.target)
        load.stmt = node.target.stmt
        x = expressions.evaluate(cx, load)
        value = expressions.evaluate(cx, node.value)
        assign(cx, node.target, augmented(cx, fn, x, value, node), mark)


def _augment_attribute(
    cx: Context, node: gast.AugAssign, target: gast.Attribute, fn: Callable[..., Any]
) -> None:
    owner = expressions.evaluate(cx, target.value)
    x = attributes.attribute(cx, owner, target.attr, target)
    made = augmented(cx, fn, x, expressions.evaluate(cx, node.value), node)
    objects.set_attribute(cx, owner, target.attr, made, target)


def _augment_item(
    cx: Context, node: gast.AugAssign, target: gast.Subscript, fn: Callable[..., Any]
) -> None:
    base = expressions.evaluate(cx, target.value)
    index = expressions.evaluate(cx, target.slice)
    if isinstance(base, Value) and isinstance(base.type, Array):
        value = expressions.evaluate(cx, node.value)
        if not is_bottom(index) and not is_bottom(value):
            writes.augment_item(cx, base, index, fn, value, node)
        return
    x = subscripts.subscript(cx, base, index, target)
    made = augmented(cx, fn, x, expressions.evaluate(cx, node.value), node)
    set_item(cx, base, index, made, target)


def augmented(
    cx: Context, fn: Callable[..., Any], x: Operand, value: Operand, node: gast.AugAssign
) -> Operand:
    """What is assigned by `x op= value`: `x` itself where that is written into."""
    if is_bottom(x) or is_bottom(value):
        return cx.bottom(node)
    made = overloads.augmented(cx, fn, x, value, node)
    if made is not None:
        return made
    if isinstance(x, Value) and isinstance(x.type, Array):
        if not is_rank0(x) or _is_boxed(cx, x, node):
            writes.augment(cx, x, fn, value, node)
            return x
    elif _is_list(cx, x):
        if fn is operator.add:
            containers.extend_in_place(cx, x, value, node)
            return x
        if fn is operator.mul:
            containers.repeat_in_place(cx, x, value, node)
            return x
    elif _node(cx, x) is dict and fn is operator.or_:
        containers.method(cx, node, x, "update", [value], {})
        return x
    return expressions.binary(cx, fn, x, value, node)


def _node(cx: Context, x: Operand) -> type | None:
    found = subscripts.keys_of(cx, x)
    return None if found is None else found[0]


def _is_list(cx: Context, x: Operand) -> bool:
    held = cx.held(x)
    return isinstance(getattr(held, "type", None), Seq) or _node(cx, x) is list


def _is_boxed(cx: Context, x: Value, node: gast.AST) -> bool:
    """Whether a value of rank 0 is an array, which can be written, and no NumPy scalar."""
    owner = x.owner
    if isinstance(owner, core.Call | core.Index):
        return x in cx.boxed
    while isinstance(owner, core.Item | core.Unpack):
        owner = owner.operands[0].owner
    if x in cx.boxed or isinstance(owner, Block | core.Global):
        cx.unsupported(
            f"whether `{x.name or 'this'}` is a number or an array of rank 0 is not known here",
            node,
            "write `x = x + v`, or pass an array of rank 1",
        )
    return False
