"""Reading `x[...]`: items of containers, elements and slices of arrays and lists."""

from __future__ import annotations

import difflib
import operator
from typing import Any

import gast

from adcompile.frontend import joins, overloads
from adcompile.frontend.context import Context
from adcompile.frontend.operands import (
    Known,
    Leaf,
    Obj,
    Operand,
    Slicer,
    Tup,
    is_bottom,
    is_seq,
    is_tree,
)
from adcompile.frontend.sharing import note_index
from adcompile.ir.core import MISSING, Slice, Spec, Value
from adcompile.ir.types import (
    Array,
    Opaque,
    Seq,
    Static,
    Tree,
    TypeClash,
    describe,
    is_inexact,
    join,
)


def keys_of(cx: Context, x: Operand) -> tuple[type, tuple[Any, ...]] | None:
    """The class and the keys of a container of known layout."""
    x = cx.held(x)
    if isinstance(x, Tup):
        return x.node, x.keys
    if isinstance(x, Value) and isinstance(x.type, Tree):
        return x.type.node, x.type.keys
    return None


def layout(cx: Context, x: Operand, node: gast.AST) -> Tup | None:
    """A container of known layout, taken apart; None for everything else."""
    x = cx.held(x)
    if isinstance(x, Value) and isinstance(x.type, Tree):
        b = cx.here(node)
        if x.type.node in (tuple, list) and len(x.type.keys) > 1:
            items = b.unpack(x)
        else:
            items = [b.item(x, key) for key in x.type.keys]
        for key, item in zip(x.type.keys, items, strict=True):
            cx.heap.child(x, key, item)
        return Tup(x.type.node, x.type.keys, tuple(map(unwrapped, items)))
    if not isinstance(x, Tup) or not any(isinstance(i, Leaf) for i in x.items):
        return x if isinstance(x, Tup) else None
    return Tup(x.node, x.keys, tuple([_reference(cx, i, node) for i in x.items]))


def known_items(cx: Context, x: Operand) -> list[Any] | None:
    """The items of a container, where all of them are known."""
    x = cx.held(x)
    if isinstance(x, Tup):
        found = [cx.known(i) for i in x.items]
    elif isinstance(x, Value) and isinstance(x.type, Tree):
        found = [cx.known(Value(t)) for t in x.type.items]
    else:
        return None
    return None if any(f is MISSING for f in found) else found


def known_layout(cx: Context, x: Operand, node: gast.AST) -> Tup:
    found = layout(cx, x, node)
    if found is None:
        cx.mismatch(f"{joins.describe_operand(x)} is not a container of known layout", node)
    return found


def static_key(cx: Context, x: Operand, node: gast.AST) -> Any:
    """A key of a dict: a string or a number known at compile time."""
    if isinstance(x, Tup):
        return tuple([static_key(cx, i, node) for i in x.items])
    if cx.known(x) is MISSING and isinstance(x, Value) and is_inexact(x.type):
        cx.unsupported(
            "the keys of a dict and the members of a set must be known at compile time",
            node,
            "use strings or whole numbers as keys, or a list of pairs",
        )
    return cx.static(x, node)


def subscript(cx: Context, x: Operand, index: Operand, node: gast.AST) -> Operand:
    """`x[index]`."""
    if is_bottom(x) or is_bottom(index):
        return cx.bottom(node)
    if is_seq(held := cx.held(x)):
        x = held
    if isinstance(x, Known):
        key = cx.known(index)
        if key is MISSING:
            cx.mismatch(f"{joins.describe_operand(x)} cannot be indexed here", node)
        try:
            return Known(x.value[key])
        except Exception as e:
            cx.mismatch(f"{type(e).__name__}: {e}", node)
    overloaded = overloads.call(cx, x, "__getitem__", node, index)
    if overloaded is not None:
        return overloaded
    if keys_of(cx, x) is not None:
        return _of_container(cx, x, index, node)
    if not isinstance(x, Value):
        cx.mismatch(f"{joins.describe_operand(x)} cannot be indexed", node)
    if isinstance(x.type, Opaque):
        return cx.emit(node, operator.getitem, [x, index], effect=True, types=[Opaque(object)])
    if not isinstance(x.type, Array | Seq):
        cx.mismatch(f"{describe(x.type)} cannot be indexed", node)
    spec, operands = entries(cx, index, node)
    return read(cx, x, spec, operands, node)


def read(
    cx: Context,
    x: Value,
    spec: Spec,
    operands: list[Value],
    node: gast.AST,
    item: bool = False,
) -> Operand:
    """An `Index` op on an array or a list of unknown length."""

    def replace(old: Value) -> None:
        new = cx.need(old, node)
        operands[:] = [new if o is old else o for o in operands]

    if x in cx.heap.holders:
        cx.contents(cx.heap.holders[x])  # which may not be known any more
    held = cx.value(x, node)
    made = cx.inferred(lambda: cx.here(node).index(held, spec, operands, item=item), replace, node)
    if isinstance(x.type, Array):
        note_index(cx.heap, cx.boxed, x, held, made, spec, operands)
    if isinstance(x.type, Seq):
        cx.heap.item_of(x, made)
        if isinstance(made.type, Seq) and isinstance(spec[0], Slice):
            fresh = Obj(list)
            cx.store.set(fresh, made)
            cx.heap.hold(fresh, x, cx.contents)
            return fresh
        made.type = joins.refreshed(made.type, cx.generic)
        if joins.holds_objects(made.type):
            cx.heap.sealed[cx.heap.place(made)] = (
                "this is an item of a list whose length is not known at compile time: what the "
                "list holds after a write into it is not known"
            )
        return unwrapped(made)
    return made


def entries(cx: Context, index: Operand, node: gast.AST) -> tuple[Spec, list[Value]]:
    """An index as the entries of a spec and their values."""
    tup = None
    if isinstance(index, Tup) or (is_tree(index) and isinstance(index, Value)):
        held = keys_of(cx, index)
        if held is not None and issubclass(held[0], tuple):
            tup = layout(cx, index, node)
    parts = list(tup.items) if tup is not None else [index]
    if tup is None and isinstance(index, Known) and isinstance(index.value, tuple):
        parts = [Known(v) for v in index.value]
    spec: list[Any] = []
    operands: list[Value] = []
    for part in parts:
        known = literal_entry(part)
        if isinstance(known, slice):
            part = Slicer(
                *[None if b is None else Known(b) for b in (known.start, known.stop, known.step)]
            )
        if isinstance(part, Slicer):
            bounds = [
                None if b is None else cx.value(b, node) for b in (part.start, part.stop, part.step)
            ]
            spec.append(Slice(*[b is not None for b in bounds]))
            operands += [b for b in bounds if b is not None]
        elif known is None or known is Ellipsis:
            spec.append(known)
        else:
            spec.append("value")
            operands.append(cx.value(part, node))
    return tuple(spec), operands


def literal_entry(x: Operand) -> Any:
    return x.value if isinstance(x, Known) else MISSING


# --- containers ---------------------------------------------------------------------------------


def _of_container(cx: Context, x: Operand, index: Operand, node: gast.AST) -> Operand:
    found = keys_of(cx, x)
    assert found is not None
    kind, keys = found
    if isinstance(index, Slicer) or (isinstance(index, Known) and isinstance(index.value, slice)):
        return _sliced(cx, x, index, node)
    if kind is dict:
        key = static_key(cx, index, node)
        if key not in keys:
            close = difflib.get_close_matches(str(key), [str(k) for k in keys], n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"its keys are {list(keys)}"
            cx.mismatch(f"the dict has no key {key!r}", node, hint)
        return child(cx, x, key, node)
    if not issubclass(kind, tuple | list):
        cx.mismatch(f"a {kind.__name__} cannot be indexed", node)
    key = cx.known(index)
    if key is MISSING:
        return _at_run_time(cx, x, index, node)
    if not isinstance(key, int):
        cx.mismatch(
            f"{kind.__name__} indices must be integers or slices, not {type(key).__name__}", node
        )
    if not -len(keys) <= key < len(keys):
        cx.mismatch(f"{kind.__name__} index {key} is out of range: it has {len(keys)} items", node)
    return child(cx, x, keys[key], node)


def child(cx: Context, x: Operand, key: Any, node: gast.AST) -> Operand:
    """The child of a container under a key that it has."""
    x = cx.held(x)
    if isinstance(x, Tup):
        return _reference(cx, x.child(key), node)
    assert isinstance(x, Value) and isinstance(x.type, Tree)
    found = cx.here(node).item(x, key)
    cx.heap.child(x, key, found)
    return unwrapped(found)


def _reference(cx: Context, x: Operand, node: gast.AST) -> Operand:
    """A child of a container; what a tree from outside still has at its place, as a value."""
    x = unwrapped(x)
    return cx.heap.reference(x, cx.here(node)) if isinstance(x, Leaf) else x


def unwrapped(x: Operand) -> Operand:
    """A child that is static as what it is."""
    static = isinstance(x, Value | Leaf) and isinstance(x.type, Static)
    return Known(x.type.value) if static else x  # type: ignore[union-attr]


def _sliced(cx: Context, x: Operand, index: Operand, node: gast.AST) -> Operand:
    if isinstance(index, Slicer):
        bounds = [
            None if b is None else cx.static(b, node) for b in (index.start, index.stop, index.step)
        ]
        cut = slice(*bounds)
    else:
        assert isinstance(index, Known)
        cut = index.value
    found = known_layout(cx, x, node)
    if found.node is dict:
        cx.mismatch("a dict cannot be sliced", node)
    try:
        items = found.items[cut]
    except (TypeError, ValueError) as e:
        cx.mismatch(str(e), node)
    made = Tup(list if found.node is list else tuple, tuple(range(len(items))), items)
    if made.node is not list:
        return made
    fresh = Obj(list)
    cx.store.set(fresh, made)
    return fresh


def _at_run_time(cx: Context, x: Operand, index: Operand, node: gast.AST) -> Operand:
    """An item of a container whose index is known at run time only: all items have one type."""
    index_value = cx.value(index, node)
    seq = as_seq(cx, x, node)
    if seq is None:
        return subscript(cx, x, Known(cx.static(index, node)), node)
    found = read(cx, seq, ("value",), [index_value], node)
    if isinstance(found, Value) and x is not seq:
        cx.heap.picked[found] = index_value
    return found


def as_seq(cx: Context, x: Operand, node: gast.AST) -> Value | None:
    """A list or tuple as a list of items of one type; None where they have none."""
    x = cx.held(x)
    if isinstance(x, Value) and isinstance(x.type, Seq):
        return x
    found = known_layout(cx, x, node)
    if not found.items:
        cx.mismatch("an item of an empty sequence is read", node)
    try:
        joined = joins.type_of(found.items[0], cx.contents)
        for item in found.items[1:]:
            joined = join(joined, joins.type_of(item, cx.contents))
    except TypeClash:
        return None
    items = [cx.value(i, node) for i in found.items]
    seq = cx.here(node).new_seq(joins.unsized(joined), items)
    cx.heap.hold(seq, found, cx.contents)
    cx.heap.holders[seq] = seq
    return seq
