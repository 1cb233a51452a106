"""What loops run over: a known number of items, or positions that are counted.

`steps_of` gives the items of what has a known number of them: a loop over it is unrolled. `counted`
gives a number of positions, and what stands at each. Items are evaluated when their turn comes,
since what a generator yields may depend on what the body of the loop did before.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gast
import numpy as np

from adcompile.frontend import builtin_calls, expressions, generators, joins, overloads, subscripts
from adcompile.frontend.context import Context
from adcompile.frontend.operands import (
    Generator,
    Iterable,
    Known,
    Obj,
    Operand,
    Tup,
    is_seq,
)
from adcompile.ir import core
from adcompile.ir.core import MISSING, Value
from adcompile.ir.types import INT, Array, Opaque

MOST_ITEMS = 4096  # of a range that is taken apart
MOST_ROWS = 64  # of a product that is taken apart


@dataclass(slots=True)
class Item:
    """What stands at one place of an iteration.

    It takes part in the loop where all `guards` hold: each is evaluated where those before it do,
    and `value` where all of them do.
    """

    value: Callable[[], Operand]
    guards: tuple[Callable[[], bool | Value], ...] = ()


@dataclass(slots=True)
class Counted:
    """A loop over positions: `length` of them, and what stands at position i.

    With `bounds` a range is iterated itself: `step` is then what stands at one of its numbers.
    """

    length: Callable[[], Operand]
    item: Callable[[Operand], Item]
    bounds: tuple[Operand, ...] | None = None
    step: Callable[[Operand], Item] | None = None


def take(cx: Context, x: Operand, node: gast.AST) -> None:
    """Run through `x`; an iterator is empty afterwards, and must not be run through again."""
    if not isinstance(x, Iterable | Generator) or x.made is None:
        return
    kind = "generator" if isinstance(x, Generator) else x.kind
    if x.taken:
        cx.unsupported(
            f"this {kind} was iterated over before: nothing is left in it",
            node,
            "make a list of it first: `[… for … in …]`, `list(…)`",
        )
    if x.made is not cx.builder.block:
        cx.unsupported(
            f"a {kind} that was made outside of this loop or branch is iterated over in it",
            node,
            "make it where it is used, or make a list of it",
        )
    x.taken = True


def give_back(x: Operand) -> None:
    """Let `x` be run through once more, since it was not to be."""
    work: list[Operand] = [x]
    while work:
        one = work.pop()
        if isinstance(one, Generator):
            one.taken = False
            work.append(one.first)
        elif isinstance(one, Iterable):
            one.taken = False
            work += one.parts


# --- a known number of items --------------------------------------------------------------------


def steps_of(cx: Context, x: Operand, node: gast.AST) -> list[Item] | None:
    """The items of an iterable that has a known number of them, or None."""
    match x:
        case Known(value):
            if isinstance(value, str | bytes | tuple | list | dict | range | set | frozenset):
                return _ready([Known(v) for v in value]) if len(value) <= MOST_ITEMS else None
            return None
        case Generator(node=gast.GeneratorExp(generators=[_])):
            inner = steps_of(cx, x.first, node)
            if inner is None:
                return None
            take(cx, x, node)
            return [generators.item(cx, x, i) for i in inner]
        case Iterable():
            found = _steps_of_iterable(cx, x, node)
            if found is not None:
                take(cx, x, node)
            return found
        case Obj() if isinstance(held := cx.contents(x), Known):  # of a set
            return steps_of(cx, held, node)
    found = subscripts.keys_of(cx, x)
    if found is None:
        return None
    kind, keys = found
    if kind is dict:
        return _ready([Known(k) for k in keys])
    if not issubclass(kind, tuple | list):
        return steps_of(cx, overloads.iterated(cx, x, node), node)
    held = subscripts.layout(cx, x, node)
    assert held is not None
    return _ready([subscripts.unwrapped(i) if isinstance(i, Value) else i for i in held.items])


def counts(x: Operand) -> bool:
    """Whether `x` gives what it makes of the numbers of a range: a loop over it stays a loop."""
    while isinstance(x, Generator) and is_single(x):
        x = x.first
    if isinstance(x, Iterable) and x.kind == "reversed":
        (x,) = x.parts
    return isinstance(x, Iterable) and x.kind == "range"


def is_single(x: Generator) -> bool:
    return len(x.node.generators) == 1


def _ready(items: list[Operand] | list[Known]) -> list[Item]:
    return [Item(lambda x=x: x) for x in items]


def _steps_of_iterable(cx: Context, x: Iterable, node: gast.AST) -> list[Item] | None:
    if x.kind == "range":
        bounds = [cx.known(p) for p in x.parts]
        if any(b is MISSING for b in bounds) or len(range(*bounds)) > MOST_ITEMS:
            return None
        return _ready([Known(i) for i in range(*bounds)])
    if x.kind in ("keys", "values", "items"):
        held = subscripts.known_layout(cx, x.parts[0], node)
        keys = [Known(k) for k in held.keys]
        if x.kind == "keys":
            return _ready(keys)
        if x.kind == "values":
            return _ready(list(held.items))
        return _ready([pair(k, v) for k, v in zip(keys, held.items, strict=True)])
    if x.kind == "enumerate":
        steps = plain_steps(cx, x.parts[0], node)
        start = cx.known(x.parts[1])
        if steps is None or start is MISSING:
            return None
        return [
            Item(lambda k=k, s=s: pair(Known(k), s.value())) for k, s in enumerate(steps, start)
        ]
    if x.kind == "reversed":
        steps = plain_steps(cx, x.parts[0], node)
        return None if steps is None else steps[::-1]
    if x.kind == "chain":
        parts = [steps_of(cx, p, node) for p in x.parts]
        return None if None in parts else [s for p in parts for s in p or ()]
    if x.kind == "iter":
        return steps_of(cx, x.parts[0], node)
    if x.kind not in ("zip", "zip strict", "product"):
        return None
    parts = [None if endless(p) else plain_steps(cx, p, node) for p in x.parts]
    if any(p is None and not endless(of) for p, of in zip(parts, x.parts, strict=True)):
        return None
    columns = [p for p in parts if p is not None]
    if x.kind == "product":
        rows: list[tuple[Item, ...]] = [()]
        if math.prod(map(len, columns)) > MOST_ROWS:
            return None
        for column in columns:
            rows = [(*row, s) for row in rows for s in column]
    else:
        if not columns and parts:
            cx.mismatch("this iteration never ends", node)
        if x.kind == "zip strict" and len({len(c) for c in columns}) > 1:
            cx.mismatch("zip(strict=True) of iterables that differ in length", node)
        least = min(map(len, columns), default=0)
        filled = [
            p if p is not None else [nth(cx, of, Known(k), node) for k in range(least)]
            for p, of in zip(parts, x.parts, strict=True)
        ]
        rows = list(zip(*filled, strict=False))
    return [Item(lambda row=row: sequence([s.value() for s in row])) for row in rows]


def endless(x: Operand) -> bool:
    """Whether `x` is `itertools.count()` or `repeat(v)`."""
    return isinstance(x, Iterable) and x.kind in ("count", "repeat")


def nth(cx: Context, x: Operand, i: Operand, node: gast.AST) -> Item:
    """Item i of something endless."""
    assert isinstance(x, Iterable)
    if x.kind == "repeat":
        return Item(lambda: x.parts[0])
    start, step = x.parts

    def value() -> Operand:
        times = i if cx.known(step) == 1 else expressions.binary(cx, operator.mul, i, step, node)
        if cx.known(start) == 0:
            return times
        return expressions.binary(cx, operator.add, start, times, node)

    return Item(value)


def plain_steps(cx: Context, x: Operand, node: gast.AST) -> list[Item] | None:
    """Like `steps_of`, for where each item has its place whatever it is."""
    if isinstance(x, Generator) and generators.is_filtered(x):
        refuse_filtered(cx, node)
    return steps_of(cx, x, node)


def refuse_filtered(cx: Context, node: gast.AST) -> Any:
    cx.unsupported(
        "the number of items that a condition leaves is not known here",
        node,
        "make a list of them first: `list(…)` or `[… for … if …]`",
    )


def items_of(cx: Context, x: Operand, node: gast.AST) -> list[Operand] | None:
    """The items of an iterable of known length, evaluated now; or None."""
    if isinstance(x, Generator) and not generators.is_plain(x):
        made = cx.held(builtin_calls.handlers()[list](cx, node, [x], {}))
        return list(made.items) if isinstance(made, Tup) else None
    steps = steps_of(cx, x, node)
    return None if steps is None else [s.value() for s in steps]


def pair(a: Operand, b: Operand) -> Tup:
    return Tup(tuple, (0, 1), (a, b))


def sequence(items: list[Operand]) -> Tup:
    """A tuple of these items."""
    return Tup(tuple, tuple(range(len(items))), tuple(items))


# --- positions ----------------------------------------------------------------------------------


def counted(cx: Context, x: Operand, node: gast.AST) -> Counted:
    """How to iterate over `x` by position."""
    x = overloads.iterated(cx, x, node)
    if isinstance(x, Obj):
        held = cx.contents(x)
        x = held if is_seq(held) else x
    take(cx, x, node)
    match x:
        case Iterable("range", parts):
            return _over_range(cx, parts, node)
        case Iterable("enumerate", (inner, start)):
            return _numbered(cx, plainly_counted(cx, inner, node), start, node)
        case Iterable("zip" | "zip strict", parts):
            overs = [plainly_counted(cx, p, node) for p in parts]
            ending = [o for o, p in zip(overs, parts, strict=True) if not endless(p)]
            return Counted(
                lambda: _common(cx, [o.length() for o in ending], x.kind == "zip strict", node),
                lambda i: Item(lambda: sequence([o.item(i).value() for o in overs])),
            )
        case Iterable("iter", (inner,)):
            return counted(cx, inner, node)
        case Iterable("count" | "repeat"):
            return Counted(lambda: _never(cx, node), lambda i: nth(cx, x, i, node))
        case Iterable("positions", (inner, array)):
            return _positioned(cx, counted(cx, inner, node), array, node)
        case Iterable("product", parts):
            return _over_product(cx, [plainly_counted(cx, p, node) for p in parts], node)
        case Iterable("reversed", (inner,)):
            over = plainly_counted(cx, inner, node)
            size = over.length()
            return Counted(lambda: size, lambda i: over.item(_mirrored(cx, size, i, node)))
        case Generator():
            return generators.counted(cx, x, node)
        case Value() if is_seq(x) or isinstance(x.type, Array):
            if isinstance(x.type, Array) and not x.type.rank:
                cx.mismatch("an array of rank 0 cannot be iterated over", node)
            return _over_items(cx, x, node)
    if isinstance(x, Iterable):
        cx.unsupported(
            f"`{x.kind}` of things whose number is known at run time only is not supported here",
            node,
            "write the loops out",
        )
    if subscripts.keys_of(cx, x) is not None:
        seq = subscripts.as_seq(cx, x, node)
        if seq is not None:
            return _over_items(cx, seq, node)
        cx.mismatch("the items of this differ in type, and their number is not known here", node)
    error = cx.unknown(x, node) if isinstance(x, Value) else None
    if error is not None:
        raise error
    cx.mismatch(f"{joins.describe_operand(x)} cannot be iterated over", node)


def _numbered(cx: Context, over: Counted, start: Operand, node: gast.AST) -> Counted:
    """`enumerate`."""

    def item(i: Operand) -> Item:
        def value() -> Operand:
            number = i if cx.known(start) == 0 else cx.emit(node, operator.add, [i, start])
            return pair(number, over.item(i).value())

        return Item(value)

    return Counted(over.length, item)


def _positioned(cx: Context, over: Counted, array: Operand, node: gast.AST) -> Counted:
    """`np.ndenumerate`: each position with the element there."""

    def item(i: Operand) -> Item:
        def value() -> Operand:
            at = over.item(i).value()
            return pair(at, subscripts.subscript(cx, array, at, node))

        return Item(value)

    return Counted(over.length, item)


def plainly_counted(cx: Context, x: Operand, node: gast.AST) -> Counted:
    """Like `counted`, for where each item has its place whatever it is."""
    if isinstance(x, Generator) and generators.is_filtered(x):
        refuse_filtered(cx, node)
    return counted(cx, x, node)


def _over_items(cx: Context, x: Value, node: gast.AST) -> Counted:
    def item(i: Operand) -> Item:
        return Item(
            lambda: subscripts.read(cx, x, ("value",), [cx.value(i, node)], node, item=True)
        )

    return Counted(lambda: builtin_calls.length(cx, x, node), item)


def _over_range(cx: Context, parts: tuple[Operand, ...], node: gast.AST) -> Counted:
    start, _, step = parts

    def length() -> Operand:
        if cx.known(start) == 0 and cx.known(step) == 1:
            stop = parts[1]
            return stop if _is_length(stop) else cx.emit(node, max, [stop, Known(0)])
        made = cx.emit(node, range, list(parts), types=[Opaque(range)])
        return cx.emit(node, len, [made], types=[INT])

    def item(i: Operand) -> Item:
        def value() -> Operand:
            x = i if cx.known(step) == 1 else cx.emit(node, operator.mul, [i, step])
            return x if cx.known(start) == 0 else cx.emit(node, operator.add, [x, start])

        return Item(value)

    return Counted(length, item, parts, lambda i: Item(lambda: i))


def _is_length(x: Operand) -> bool:
    """Whether `x` is a number that is never negative: the length of something."""
    owner = x.owner if isinstance(x, Value) else None
    if isinstance(owner, core.Item | core.Unpack):
        owner = owner.operands[0].owner
    return isinstance(owner, core.Call) and owner.fn in (len, np.shape, np.size)


def _over_product(cx: Context, overs: list[Counted], node: gast.AST) -> Counted:
    """Position k of the pairs of two things stands at k // n and k % n."""
    sizes = [o.length() for o in overs]

    def length() -> Operand:
        made = sizes[0]
        for size in sizes[1:]:
            made = expressions.binary(cx, operator.mul, made, size, node)
        return made

    def item(k: Operand) -> Item:
        def value() -> Operand:
            rest, places = k, []
            for size in sizes[:0:-1]:
                places.append(expressions.binary(cx, operator.mod, rest, size, node))
                rest = expressions.binary(cx, operator.floordiv, rest, size, node)
            places.append(rest)
            places.reverse()
            return sequence([o.item(i).value() for o, i in zip(overs, places, strict=True)])

        return Item(value)

    return Counted(length, item)


def _common(cx: Context, lengths: list[Operand], strict: bool, node: gast.AST) -> Operand:
    """The length of a zip: the shortest, or the only one."""
    if not lengths:
        return _never(cx, node)
    if strict:
        generators.check_equal(cx, lengths, node)
        return lengths[0]
    return lengths[0] if len(lengths) == 1 else cx.emit(node, min, lengths)


def _never(cx: Context, node: gast.AST) -> Operand:
    cx.unsupported("this iteration never ends", node, "write `while True:` with a counter")


def _mirrored(cx: Context, size: Operand, i: Operand, node: gast.AST) -> Value:
    last = expressions.binary(cx, operator.sub, size, Known(1), node)
    return cx.value(expressions.binary(cx, operator.sub, last, i, node), node)
