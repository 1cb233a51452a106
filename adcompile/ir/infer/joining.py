"""Functions that put arrays together and take them apart."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from adcompile.ir.core import Value
from adcompile.ir.infer import sizes, values
from adcompile.ir.infer.creation import named
from adcompile.ir.infer.reductions import along
from adcompile.ir.infer.samples import dtype_of
from adcompile.ir.infer.table import Arr, Known, entry, normal_axis
from adcompile.ir.infer.values import array_of
from adcompile.ir.types import Array, Scalar, Seq, Size, Tree, TypeClash

# --- putting together ---------------------------------------------------------------------------


def _items(arrays: Value) -> tuple[list[Array], Size]:
    """The arrays that a function takes as one argument, and how many they are.

    Of a list of unknown length, or an array taken as one of rows, there is one for all.
    """
    t = arrays.type
    inner = values.parts(arrays)
    if inner is not None:
        if not inner:
            raise TypeClash("need at least one array to concatenate")
        return [Array(dtype_of(v.type), values.array_of(v).shape) for v in inner], len(inner)
    if (
        isinstance(t, Tree)
        or not isinstance(t, Seq | Array)
        or (isinstance(t, Array) and not t.rank)
    ):
        raise TypeClash("the arrays to join must be given as a tuple or list")
    whole = values.array_of(arrays)
    if isinstance(t, Array):
        return [Array(t.dtype, t.shape[1:])], whole.shape[0]
    return [values.as_array(t.item)], whole.shape[0]


def _joined(arrays: Value, items: list[Array], count: Size, axis: Any, dtype: Any = None) -> Array:
    """Concatenation along an axis that is there; all other sizes must agree."""
    rank = items[0].rank
    if rank == 0:
        raise TypeClash("zero-dimensional arrays cannot be concatenated")
    if any(item.rank != rank for item in items):
        raise TypeClash(
            "all the input array dimensions except for the concatenation axis must match exactly, "
            f"but the arrays have {' and '.join(str(item.rank) for item in items)} dimensions"
        )
    axis = normal_axis(axis, rank)
    what = "all the input array dimensions except for the concatenation axis must match exactly"
    shape = list(items[0].shape)
    for item in items[1:]:
        shape = [
            a if i == axis else sizes.same(a, b, what)
            for i, (a, b) in enumerate(zip(shape, item.shape))
        ]
    if count == len(items):
        shape[axis] = sizes.total(item.shape[axis] for item in items)
    elif isinstance(arrays.type, Array) or isinstance(shape[axis], int):
        shape[axis] = sizes.product([count, shape[axis]])
    else:  # the items of a list need not be equally long
        shape[axis] = sizes.derived("concatenated", sizes.number(arrays), axis)
    return Array(named(dtype, np.result_type(*(item.dtype for item in items))), tuple(shape))


@entry(np.concatenate, np.concat)
def _(
    arrays: Value,
    /,
    axis: Known = 0,
    out: Known = None,
    *,
    dtype: Known = None,
    casting: Known = None,
) -> Array:
    items, count = _items(arrays)
    if axis is None:
        items, axis = [Array(i.dtype, (sizes.product(i.shape),)) for i in items], 0
    return _joined(arrays, items, count, axis, dtype)


@entry(np.stack)
def _(
    arrays: Value, axis: Known = 0, out: Known = None, *, dtype: Known = None, casting: Known = None
) -> Array:
    items, count = _items(arrays)
    shape = items[0].shape
    for item in items[1:]:
        if item.rank != len(shape):
            raise TypeClash("all input arrays must have the same shape")
        shape = tuple(
            sizes.same(a, b, "all input arrays must have the same shape")
            for a, b in zip(shape, item.shape)
        )
    axis = normal_axis(axis, len(shape) + 1)
    found = named(dtype, np.result_type(*(item.dtype for item in items)))
    return Array(found, (*shape[:axis], count, *shape[axis:]))


@entry(np.vstack)
def _(tup: Value, *, dtype: Known = None, casting: Known = None) -> Array:
    items, count = _items(tup)
    return _joined(tup, [at_least(i, 2) for i in items], count, 0, dtype)


@entry(np.hstack)
def _(tup: Value, *, dtype: Known = None, casting: Known = None) -> Array:
    items, count = _items(tup)
    items = [at_least(i, 1) for i in items]
    return _joined(tup, items, count, 0 if items[0].rank == 1 else 1, dtype)


@entry(np.dstack)
def _(tup: Value) -> Array:
    items, count = _items(tup)
    return _joined(tup, [at_least(i, 3) for i in items], count, 2)


@entry(np.column_stack)
def _(tup: Value) -> Array:
    items, count = _items(tup)
    columns = [Array(i.dtype, (*i.shape, *(1,) * (2 - i.rank))) for i in items]
    return _joined(tup, columns, count, 1)


@entry(np.append)
def _(arr: Value, values: Value, axis: Known = None) -> Array:
    items = [Array(dtype_of(v.type), array_of(v).shape) for v in (arr, values)]
    if axis is None:
        items, axis = [Array(i.dtype, (sizes.product(i.shape),)) for i in items], 0
    return _joined(arr, items, 2, axis)


def at_least(a: Array, rank: int) -> Array:
    """`a` as `np.atleast_1d`, `2d` or `3d` has it."""
    if a.rank >= rank:
        return a
    if rank < 3 or a.rank == 0:
        return Array(a.dtype, (*(1,) * (rank - a.rank), *a.shape))
    return Array(a.dtype, (1, *a.shape, 1) if a.rank == 1 else (*a.shape, 1))


def _at_least(rank: int) -> Any:
    def body(*arys: Arr) -> Any:
        found = [at_least(a, rank) for a in arys]
        return found[0] if len(found) == 1 else found

    return body


for _rank, _fn in enumerate((np.atleast_1d, np.atleast_2d, np.atleast_3d), 1):
    entry(_fn)(_at_least(_rank))


@entry(np.broadcast_arrays)
def _(*args: Arr, subok: Known = False) -> Any:
    shape = sizes.broadcast(*(a.shape for a in args))
    return [Array(a.dtype, shape) for a in args]


# --- taking apart -------------------------------------------------------------------------------


def _pieces(a: Array, where: Value, axis: Any, exact: bool) -> list[Array]:
    axis = normal_axis(axis, a.rank)
    size = a.shape[axis]
    cuts = values.parts(where)
    if cuts is None and isinstance(where.type, Array) and where.type.rank:
        found = values.known(where)
        cuts = None if found is values.MISSING else [Value(Scalar("int", int(c))) for c in found]
    if cuts is not None:
        bounds = [None, *(values.size_of(v) for v in cuts), None]
        pieces = [sizes.slice_length(size, lo, hi, None) for lo, hi in pairwise(bounds)]
    else:
        pieces = _equal_pieces(size, values.need(where), exact)
    return [Array(a.dtype, along(a.shape, axis, piece)) for piece in pieces]


def _equal_pieces(size: Size, count: int, exact: bool) -> list[Size]:
    if count <= 0:
        raise TypeClash("number sections must be larger than 0.")
    if isinstance(size, int):
        each, extra = divmod(size, count)
        if extra and exact:
            raise TypeClash("array split does not result in an equal division")
        return [each + (i < extra) for i in range(count)]
    if exact:
        return [sizes.quotient(size, count)] * count
    return [sizes.derived("piece", size, count, i) for i in range(count)]


@entry(np.split)
def _(ary: Arr, indices_or_sections: Value, axis: Known = 0) -> Any:
    return _pieces(ary, indices_or_sections, axis, exact=True)


@entry(np.array_split)
def _(ary: Arr, indices_or_sections: Value, axis: Known = 0) -> Any:
    return _pieces(ary, indices_or_sections, axis, exact=False)


@entry(np.vsplit)
def _(ary: Arr, indices_or_sections: Value) -> Any:
    return _pieces(ary, indices_or_sections, 0, exact=True)


@entry(np.hsplit)
def _(ary: Arr, indices_or_sections: Value) -> Any:
    return _pieces(ary, indices_or_sections, 0 if ary.rank == 1 else 1, exact=True)


@entry(np.dsplit)
def _(ary: Arr, indices_or_sections: Value) -> Any:
    return _pieces(ary, indices_or_sections, 2, exact=True)


@entry(np.unstack)
def _(x: Arr, /, *, axis: Known = 0) -> Any:
    axis = normal_axis(axis, x.rank)
    count = x.shape[axis]
    if not isinstance(count, int):
        raise TypeClash("cannot tell how many arrays there are: the size of the axis is not known")
    return [Array(x.dtype, (*x.shape[:axis], *x.shape[axis + 1 :]))] * count
