"""What stands for a value of the function once it depends on the direction.

`Dense` is an array with a leading axis for the directions, `OneHot` one that is not written out
(`onehot.py`), `Packed` one value for a tree or list
whose layout says which of its leaves have that axis, and a tuple has one entry for each child of a
tree. A plain `Value` stands for itself, whatever the direction.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompile import runtime
from adcompile.ad.batch.layout import Items, Layout, batched_type, children, item_of
from adcompile.ad.batch.onehot import OneHot
from adcompile.ad.batch.written import written_out
from adcompile.errors import InternalError
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Slice, Value
from adcompile.ir.infer import values
from adcompile.ir.types import INT, SAVED, Array, Opaque, Scalar, Seq, Tree, Type, Undefined

if TYPE_CHECKING:
    from adcompile.ad.batch.walk import Batch


@dataclass(eq=False, slots=True)
class Dense:
    value: Value
    last: bool = False  # of a vector: the directions are the second axis


@dataclass(eq=False, slots=True)
class Packed:
    value: Value
    layout: Layout


Rep = Value | Dense | OneHot | Packed | tuple["Rep", ...]


def wrapped(value: Value, layout: Layout) -> Rep:
    """What `value`, which has this layout, is."""
    if layout is False:
        return value
    return Dense(value) if layout is True else Packed(value, layout)


# --- sizes --------------------------------------------------------------------------------------


def extents(b: Builder, x: Value, start: int = 0) -> list[Value]:
    """The sizes of the array `x`, from axis `start` on."""
    rank = values.array_of(x).rank
    if rank == 1 and start == 0 and isinstance(x.type, Array):
        return [b.member(np.size, "size", x)]
    return [b.size(x, k) for k in range(start, rank)]


def made_of(b: Builder, sizes: Sequence[Value]) -> Value:
    """A shape as an argument: one number, or a tuple."""
    return sizes[0] if len(sizes) == 1 else b.tuple(*sizes)


def zeros(b: Builder, sizes: Sequence[Value], dtype: np.dtype) -> Value:
    return _zeros(b, made_of(b, sizes), dtype)


def _zeros(b: Builder, shape: Value, dtype: np.dtype) -> Value:
    named: dict[str, Any] = {} if dtype == np.float64 else {"dtype": dtype.type}
    return b.call(np.zeros, shape, **named)


# --- one array with a leading axis --------------------------------------------------------------


def dense(s: Batch, rep: Rep, t: Type) -> Value:
    """A value of type `t` as an array with a leading axis for the directions."""
    if isinstance(rep, Dense):
        return s.b.member(np.transpose, "T", rep.value) if rep.last else rep.value
    if isinstance(rep, OneHot):
        return written_out(s, rep)
    if isinstance(rep, Value):
        return _stretched(s, rep, t)
    if isinstance(t, Tree):
        parts = [dense(s, child(s, rep, t, key), t.child(key)) for key in t.keys]
        return s.b.call(np.stack, s.b.make(list, range(len(parts)), parts), axis=1)
    if isinstance(rep, Packed) and isinstance(t, Seq):
        return _of_list(s.b, repack(s, rep, t, Items(True)), s.n)
    raise InternalError(f"{rep} is no array of {t!r}", s.b.loc)


def _of_list(b: Builder, items: Value, n: Value) -> Value:
    """The items of a list along the second axis."""
    if values.as_array(items.type).rank > 2:
        return b.call(np.stack, items, axis=1)
    rows = b.call(np.reshape, b.call(np.array, items), b.tuple(b.call(len, items), n))
    return b.member(np.transpose, "T", rows)  # even if there are none


def _stretched(s: Batch, x: Value, t: Type) -> Value:
    """The plain value `x`, of type `t` on all paths, in each direction."""
    b = s.b
    if isinstance(x.type, Opaque | Undefined):
        return x
    have, dtype = values.array_of(x), values.as_array(t).dtype
    owner, c = x.owner, core.constant(x)
    if have.rank == 0:
        if isinstance(c, int | float) and c == 0:
            return zeros(b, [s.n], dtype)
        named: dict[str, Any] = {} if dtype == have.dtype else {"dtype": dtype.type}
        return b.call(np.full, s.n, x, **named)
    if isinstance(owner, core.Call) and owner.fn in (np.zeros, np.zeros_like):
        like = x if owner.fn is np.zeros else owner.operands[0]
        if _may_be_unset(like):
            shape = b.call(operator.add, b.tuple(s.n), b.call(np.shape, like))
            return _zeros(b, shape, have.dtype)
        return zeros(b, [s.n, *extents(b, like)], have.dtype)
    return b.call(np.broadcast_to, x, b.tuple(s.n, *extents(b, x)))


def _may_be_unset(x: Value) -> bool:
    """Whether `x` is what another function saved: None where it went another way."""
    return isinstance(x.owner, core.Unpack) and x.owner.operands[0].type == SAVED


# --- trees and lists ----------------------------------------------------------------------------


def child(s: Batch, rep: Rep, t: Tree, key: Any) -> Rep:
    """One child of a tree of type `t`."""
    k = t.keys.index(key)
    if isinstance(rep, tuple):
        return rep[k]
    if isinstance(rep, Packed):
        layout = children(rep.layout, len(t.keys))[k]
        return wrapped(s.b.item(rep.value, key), layout)
    assert isinstance(rep, Value)
    if isinstance(rep.owner, core.Make):
        return rep.owner.operands[k]
    return s.b.item(rep, key)


def pack(s: Batch, rep: Rep, t: Type, layout: Layout) -> Value:
    """A value of type `t` as one value in this layout."""
    if layout is False:
        return _plain(s, rep, t)
    if isinstance(t, Undefined) or (isinstance(rep, Value) and isinstance(rep.owner, core.Undef)):
        return s.b.undef(batched_type(t, layout, s.size))
    if layout is True:
        return dense(s, rep, t)
    if isinstance(rep, Packed) and rep.layout == layout:
        return rep.value
    if isinstance(t, Tree):
        parts = [
            pack(s, child(s, rep, t, key), item, inner)
            for key, item, inner in zip(t.keys, t.items, children(layout, len(t.keys)))
        ]
        return s.b.make(t.node, t.keys, parts)
    if isinstance(t, Seq):
        return repack(s, rep, t, layout)
    raise InternalError(f"a value of type {t!r} cannot have layout {layout}", s.b.loc)


def _plain(s: Batch, rep: Rep, t: Type) -> Value:
    if isinstance(rep, Value):
        return rep
    if isinstance(rep, tuple) and isinstance(t, Tree):
        parts = [_plain(s, r, item) for r, item in zip(rep, t.items, strict=True)]
        return s.b.make(t.node, t.keys, parts)
    raise InternalError("a value that depends on the direction where none may", s.b.loc)


def repack(s: Batch, rep: Rep, t: Seq, layout: Layout) -> Value:
    """A list in another layout."""
    if isinstance(rep, Packed) and rep.layout == layout:
        return rep.value
    value = rep.value if isinstance(rep, Packed) else rep
    have = item_of(rep.layout) if isinstance(rep, Packed) else False
    assert isinstance(value, Value)
    want = batched_type(t, layout, s.size)
    assert isinstance(want, Seq)
    start = s.b.new_seq(want.item)
    owner = value.owner
    if isinstance(owner, core.NewSeq) and not owner.operands:
        return start
    zero = isinstance(owner, core.Call) and owner.fn is runtime.zeros_like and have is False

    def body(i: Value, carried: list[Value]) -> list[Value]:
        item = wrapped(s.b.index(value, ("value",), [i]), have)
        if zero and item_of(layout) is True:
            assert isinstance(item, Value)
            sizes = extents(s.b, item) if values.array_of(item).rank else []
            new = zeros(s.b, [s.n, *sizes], values.as_array(t.item).dtype)
        else:
            new = pack(s, item, t.item, item_of(layout))
        return [s.b.append(carried[0], new)]

    return loop(s, s.b.call(len, value), [start], body)[0]


def loop(s: Batch, count: Value, inits: Sequence[Value], body: Any) -> list[Value]:
    """The results of `for i in range(count)`: `body(i, carried)` gives the next carried values."""
    outer = s.b
    i = Value(INT)
    params = [Value(v.type, v.name) for v in inits]
    block = Block([i, *params])
    s.b = outer.into(block)
    s.b.yield_(*body(i, params))
    s.b = outer
    heads = [outer.const(0), count, outer.const(1)]
    types = [v.type for v in inits]
    return outer.add(core.For, [*heads, *inits], types, body=block).results


# --- one direction ------------------------------------------------------------------------------


def of_direction(s: Batch, rep: Rep, t: Type, k: Value) -> Value:
    """A value of type `t` for the k-th direction."""
    b = s.b
    if isinstance(rep, Value):
        return rep
    if isinstance(t, Tree):
        parts = [of_direction(s, child(s, rep, t, key), t.child(key), k) for key in t.keys]
        return b.make(t.node, t.keys, parts)
    if isinstance(t, Seq) and isinstance(rep, Packed):
        layout = item_of(rep.layout)

        def body(i: Value, carried: list[Value]) -> list[Value]:
            item = wrapped(s.b.index(rep.value, ("value",), [i]), layout)
            return [s.b.append(carried[0], of_direction(s, item, t.item, k))]

        return loop(s, b.call(len, rep.value), [b.new_seq(t.item)], body)[0]
    whole = dense(s, rep, t)
    if isinstance(t, Opaque):
        return b.add(core.Index, [whole, k], [t], spec=("value",)).result
    one = b.index(whole, ("value",), [k])
    if isinstance(t, Scalar):
        return b.call(_NUMBERS[t.kind], one)
    one.type = t
    return one


_NUMBERS = {"bool": bool, "int": int, "float": float, "complex": complex}


WHOLE = Slice()  # all directions, in an index
