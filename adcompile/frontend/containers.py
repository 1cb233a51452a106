"""The methods of containers, those of lists in full, and writes to their items.

What a container holds is read with `cx.held`, and changed with `cx.rewrite`, which refuses what may
not be written. A list has a known layout, or is a list of unknown length; the keys of a dict and
the members of a set are known at compile time.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache
from typing import Any

import gast

from adcompile.errors import TypeMismatch
from adcompile.frontend import (
    collecting,
    counting,
    expressions,
    generators,
    joins,
    mappings,
    ordering,
    subscripts,
    templates,
    wanted,
)
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Kwargs, arity
from adcompile.frontend.operands import (
    Generator,
    Known,
    Obj,
    Operand,
    Slicer,
    Tup,
    is_bottom,
    is_seq,
)
from adcompile.frontend.source import loc_of
from adcompile.ir import core
from adcompile.ir.core import MISSING, Value
from adcompile.ir.types import Seq, TypeClash, describe, join

Method = Callable[[Context, gast.AST, Operand, Args, Kwargs], Operand]


def method(
    cx: Context, node: gast.AST, x: Operand, name: str, args: Args, kwargs: Kwargs
) -> Operand:
    """`x.name(*args)` of a list, a dict, a set, or a named tuple."""
    held = cx.held(x)
    found = subscripts.keys_of(cx, x)
    kind: type = list if is_seq(held) else set if found is None else found[0]
    table = _methods(kind)
    if name not in table:
        cx.unsupported(
            f"the method `{name}` of a {kind.__name__} is not supported", node, _INSTEAD.get(name)
        )
    if any(map(is_bottom, (*args, *kwargs.values()))):
        return cx.bottom(node)
    return table[name](cx, node, x, args, kwargs)


def layout_of(cx: Context, x: Operand, node: gast.AST) -> Tup:
    """What a list or dict of known layout holds, to be changed."""
    return subscripts.known_layout(cx, x, node)


def _list(items: Any) -> Tup:
    items = tuple(items)
    return Tup(list, tuple(range(len(items))), items)


# --- lists --------------------------------------------------------------------------------------


def append(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    """`x.append(item)`."""
    arity(cx, node, "append", args, kwargs, 1, 1)
    (item,) = args
    held = cx.held(x)
    if isinstance(held, Value) and isinstance(held.type, Seq):
        if isinstance(item, Obj):
            item.frozen = "it is an item of another list"
        cx.heap.hold(x, item, cx.contents)
        v = cx.value(item, node)
        longer = cx.here(node).append(held, v)
        try:  # a float among integers makes a list of floats
            longer.type = Seq(join(held.type.item, v.type))
        except TypeClash:
            message = f"{describe(v.type)} is appended to {describe(held.type)}"
            cx.mismatch(message, node, "put numbers or arrays of one type into it")
        cx.rewrite(x, longer, node)
    else:
        cx.rewrite(x, _list([*layout_of(cx, x, node).items, item]), node)
    return Known(None)


def _extend(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "extend", args, kwargs, 1, 1)
    extend_in_place(cx, x, args[0], node)
    return Known(None)


def extend_in_place(cx: Context, x: Operand, other: Operand, node: gast.AST) -> None:
    """`x.extend(other)`, `x += other` of a list."""
    held = cx.held(x)
    filtered = isinstance(other, Generator) and not generators.is_plain(other)
    items = None if filtered or counting.counts(other) else counting.items_of(cx, other, node)
    if items is None:
        generators.consume(cx, node, templates.extend_, other, items=x)
    elif is_seq(held):
        for item in items:
            append(cx, node, x, [item], {})
    else:
        cx.rewrite(x, _list([*layout_of(cx, x, node).items, *items]), node)


def repeat_in_place(cx: Context, x: Operand, times: Operand, node: gast.AST) -> None:
    """`x *= times` of a list."""
    cx.rewrite(x, cx.held(expressions.binary(cx, operator.mul, x, times, node)), node)


def _insert(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "insert", args, kwargs, 2, 2)
    if is_seq(cx.held(x)):
        cx.unsupported(
            "`insert` into a list whose length is known at run time only is not supported",
            node,
            "append, and reverse the list at the end",
        )
    items = list(layout_of(cx, x, node).items)
    items.insert(_index(cx, args[0], node), args[1])
    cx.rewrite(x, _list(items), node)
    return Known(None)


def _pop_item(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "pop", args, kwargs, 0, 1)
    held = cx.held(x)
    at = _index(cx, args[0], node) if args else -1
    if isinstance(held, Value) and isinstance(held.type, Seq):
        if at != -1:
            cx.unsupported(
                "only the last item of a list of unknown length can be popped", node, "`xs.pop()`"
            )
        op = cx.here(node).add(core.Pop, [held], (held.type, held.type.item))
        rest, item = op.results
        cx.rewrite(x, rest, node)
        item.type = joins.refreshed(item.type, cx.generic)
        return subscripts.unwrapped(item)
    items = list(layout_of(cx, x, node).items)
    try:
        item = items.pop(at)
    except IndexError as e:
        cx.mismatch(f"IndexError: {e}", node)
    cx.rewrite(x, _list(items), node)
    return item


def _reverse(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "reverse", args, kwargs, 0, 0)
    held = cx.held(x)
    if isinstance(held, Value) and isinstance(held.type, Seq):
        cut = Slicer(None, None, Known(-1))
        cx.rewrite(x, cx.held(subscripts.subscript(cx, x, cut, node)), node)
    else:
        cx.rewrite(x, _list(layout_of(cx, x, node).items[::-1]), node)
    return Known(None)


def _copy(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "copy", args, kwargs, 0, 0)
    held = cx.held(x)
    if isinstance(held, Known):
        return collecting.set_of(cx, [Known(v) for v in held.value], node)
    if is_seq(held):
        return collecting.listed(cx, node, x)
    return expressions.new_object(cx, layout_of(cx, x, node))


def _clear(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "clear", args, kwargs, 0, 0)
    held, found = cx.held(x), subscripts.keys_of(cx, x)
    empty = Known(set()) if isinstance(held, Known) else Tup(found[0] if found else list, (), ())
    cx.rewrite(x, empty, node)
    return Known(None)


def _known_positions(cx: Context, node: gast.AST, x: Operand, value: Operand) -> list[int]:
    """Where `value` stands in a list; both must be known."""
    items = layout_of(cx, x, node).items
    wanted = cx.known(value)
    found = []
    for k, item in enumerate(items):
        known = cx.known(item)
        if item is value or (known is not MISSING and wanted is not MISSING and known == wanted):
            found.append(k)
        elif known is MISSING or wanted is MISSING:
            cx.unsupported(
                "whether an item equals this is known at run time only", node, "compare in a loop"
            )
    return found


def _first_index(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "index", args, kwargs, 1, 1)
    found = _known_positions(cx, node, x, args[0])
    if not found:
        cx.mismatch("ValueError: this is not in the list", node)
    return Known(found[0])


def _count(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "count", args, kwargs, 1, 1)
    return Known(len(_known_positions(cx, node, x, args[0])))


def _remove(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "remove", args, kwargs, 1, 1)
    _pop_item(cx, node, x, [_first_index(cx, node, x, args, kwargs)], {})
    return Known(None)


def _sort(cx: Context, node: gast.AST, x: Operand, args: Args, kwargs: Kwargs) -> Operand:
    if args or set(kwargs) - {"key", "reverse"}:
        cx.mismatch("sort takes `key` and `reverse`", node)
    made = ordering.sorted_items(cx, node, x, kwargs.get("key"), kwargs.get("reverse"))
    cx.rewrite(x, cx.held(made), node)
    return Known(None)


def _index(cx: Context, x: Operand, node: gast.AST) -> int:
    found = cx.static(x, node)
    try:
        return operator.index(found)
    except TypeError:
        cx.mismatch(f"list indices must be integers, not {type(found).__name__}", node)


@cache
def _methods(kind: type) -> dict[str, Method]:
    """The methods of containers of this class, by name."""
    if kind is list:
        return {
            "append": append,
            "extend": _extend,
            "insert": _insert,
            "pop": _pop_item,
            "reverse": _reverse,
            "copy": _copy,
            "clear": _clear,
            **_SEARCHES,
            "remove": _remove,
            "sort": _sort,
        }
    if kind in (dict, set):
        own = mappings.OF_DICTS if kind is dict else mappings.OF_SETS
        return {**own, "copy": _copy, "clear": _clear}
    return _SEARCHES if kind is tuple else {**mappings.OF_RECORDS, **_SEARCHES}


_SEARCHES: dict[str, Method] = {"index": _first_index, "count": _count}
_INSTEAD: dict[str, str] = {"pop": "rebuild it without the item"}


# --- writes to items ----------------------------------------------------------------------------


def set_item(cx: Context, x: Operand, index: Operand, value: Operand, node: gast.AST) -> None:
    """`x[index] = value` of a list or a dict."""
    held = cx.held(x)
    if is_bottom(held) or is_bottom(index):
        return
    if isinstance(held, Value) and isinstance(held.type, Seq):
        _set_in_seq(cx, x, held, index, value, node)
        return
    made = _writable(cx, x, node, "changed")
    if made.node is dict:
        key = subscripts.static_key(cx, index, node)
        cx.rewrite(x, made.replaced(key, value), node)
        return
    items = list(made.items)
    cut = _slice_of(cx, index, node)
    if cut is not None:
        try:
            items[cut] = collecting.all_items(cx, value, node, "are assigned")
        except ValueError as e:
            cx.mismatch(f"ValueError: {e}", node)
    else:
        at = cx.known(index)
        if at is MISSING:
            _set_at_run_time(cx, x, index, value, node)
            return
        try:
            items[_index(cx, index, node)] = value
        except IndexError:
            cx.mismatch(f"list index {at} is out of range: it has {len(items)} items", node)
    cx.rewrite(x, _list(items), node)


def _set_at_run_time(
    cx: Context, x: Operand, index: Operand, value: Operand, node: gast.AST
) -> None:
    """A write at an index known at run time only: the list has items of one type from then on."""
    message = "which item of this list is written must be known at compile time"
    wanted.unroll(cx, cx.value(index, node), TypeMismatch(message, loc_of(node)))
    seq = subscripts.as_seq(cx, x, node)
    if seq is None:
        set_item(cx, x, Known(cx.static(index, node)), value, node)
        return
    cx.rewrite(x, seq, node)
    _set_in_seq(cx, x, seq, index, value, node)


def _set_in_seq(
    cx: Context, x: Operand, held: Value, index: Operand, value: Operand, node: gast.AST
) -> None:
    if _slice_of(cx, index, node, known=False) is not None:
        cx.unsupported(
            "writes to a slice of a list of unknown length are not supported",
            node,
            "build a new list, or use an array",
        )
    if isinstance(value, Obj):
        value.frozen = "it is an item of another list"
    cx.heap.hold(x, value, cx.contents)
    i, v = cx.value(index, node), cx.value(value, node)
    cx.rewrite(x, cx.here(node).update(held, v, ("value",), [i]), node)


def del_item(cx: Context, x: Operand, index: Operand, node: gast.AST) -> None:
    """`del x[index]` of a list or a dict."""
    held = cx.held(x)
    if is_bottom(held) or is_bottom(index):
        return
    if isinstance(held, Value) and isinstance(held.type, Seq):
        if cx.known(index) != -1:
            cx.unsupported(
                "only the last item of a list of unknown length can be deleted", node, "`xs.pop()`"
            )
        _pop_item(cx, node, x, [], {})
        return
    made = _writable(cx, x, node, "deleted")
    if made.node is dict:
        key = subscripts.static_key(cx, index, node)
        if key not in made.keys:
            cx.mismatch(f"the dict has no key {key!r}", node)
        cx.rewrite(x, mappings.without(made, key), node)
        return
    items = list(made.items)
    cut = _slice_of(cx, index, node)
    try:
        del items[_index(cx, index, node) if cut is None else cut]
    except IndexError:
        cx.mismatch(f"list index out of range: it has {len(items)} items", node)
    cx.rewrite(x, _list(items), node)


def _writable(cx: Context, x: Operand, node: gast.AST, what: str) -> Tup:
    found = subscripts.keys_of(cx, x)
    if found is None or found[0] not in (list, dict):
        name = joins.describe_operand(x) if found is None else f"a {found[0].__name__}"
        cx.mismatch(f"items of {name} cannot be {what}", node)
    return layout_of(cx, x, node)


def _slice_of(cx: Context, index: Operand, node: gast.AST, *, known: bool = True) -> slice | None:
    """The slice that an index is, or None."""
    if isinstance(index, Known) and isinstance(index.value, slice):
        return index.value
    if not isinstance(index, Slicer):
        return None
    if not known:
        return slice(None)
    bounds = (index.start, index.stop, index.step)
    return slice(*[None if b is None else cx.static(b, node) for b in bounds])
