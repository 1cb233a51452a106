"""Functions that rearrange one array: reshape, transpose, flip, take, diag and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from adcompile.ir.core import Value
from adcompile.ir.infer import sizes, values
from adcompile.ir.infer.reductions import along
from adcompile.ir.infer.table import Arr, Known, entry, normal_axes, normal_axis
from adcompile.ir.types import Array, Size, TypeClash

# --- reshape ------------------------------------------------------------------------------------


@entry(np.reshape)
def _(
    a: Arr, *dims: Value, shape: Value | None = None, order: Known = "C", copy: Known = None
) -> Array:
    given = dims if shape is None else (shape,)
    return Array(a.dtype, reshaped(a.shape, values.shape_of(given)))


def reshaped(old: tuple[Size, ...], new: list[Size]) -> tuple[Size, ...]:
    if new.count(-1) > 1:
        raise TypeClash("can only specify one unknown dimension")
    whole = sizes.product(old)
    rest = sizes.product([n for n in new if n != -1])
    if -1 not in new:
        if isinstance(whole, int) and isinstance(rest, int) and whole != rest:
            raise TypeClash(
                f"cannot reshape array of size {whole} into shape {sizes.show(tuple(new))}"
            )
        return tuple(map(sizes.as_length, new))
    try:
        return tuple([sizes.quotient(whole, rest) if n == -1 else sizes.as_length(n) for n in new])
    except TypeClash:
        raise TypeClash(
            f"cannot reshape array of size {whole} into shape {sizes.show(tuple(new))}"
        ) from None


@entry(np.ravel, np.ndarray.flatten)
def _(a: Arr, order: Known = "C") -> Array:
    return Array(a.dtype, (sizes.product(a.shape),))


@entry(np.squeeze)
def _(a: Arr, axis: Known = None) -> Array:
    if axis is None:
        unknown = [s for s in a.shape if isinstance(s, sizes.Dim) and not s.many]
        if unknown:
            raise TypeClash("cannot tell which dimensions are 1; say which one with axis=")
        return Array(a.dtype, tuple([s for s in a.shape if s != 1]))
    axes = normal_axes(axis, a.rank)
    if any(sizes.is_many(a.shape[i]) for i in axes):
        raise TypeClash("cannot select an axis to squeeze out which has size not equal to one")
    return Array(a.dtype, tuple([s for i, s in enumerate(a.shape) if i not in axes]))


@entry(np.expand_dims)
def _(a: Arr, axis: Known) -> Array:
    rank = a.rank + (len(axis) if isinstance(axis, tuple | list) else 1)
    axes = normal_axes(axis, rank)
    rest = iter(a.shape)
    return Array(a.dtype, tuple([1 if i in axes else next(rest) for i in range(rank)]))


@entry(np.broadcast_to)
def _(array: Arr, shape: Value, subok: Known = False) -> Array:
    target = values.lengths([shape])
    if len(target) < array.rank:
        raise TypeClash("input operand has more dimensions than allowed by the axis remapping")
    return Array(
        array.dtype,
        (
            *target[: len(target) - array.rank],
            *map(_stretched, array.shape, target[len(target) - array.rank :]),
        ),
    )


def _stretched(size: Size, target: Size) -> Size:
    if isinstance(size, int) and isinstance(target, int) and size not in (1, target):
        raise TypeClash(f"operands could not be broadcast together: size {size} into {target}")
    return target


@entry(np.resize)
def _(a: Arr, new_shape: Value) -> Array:
    return Array(a.dtype, values.lengths([new_shape]))


# --- order of axes ------------------------------------------------------------------------------


@entry(np.transpose, np.permute_dims)
def _(a: Arr, *given: Known, axes: Known = None) -> Array:
    order: Any = (given[0] if len(given) == 1 else given) if given else axes
    if order is None:
        return Array(a.dtype, a.shape[::-1])
    order = normal_axes(order, a.rank)
    if len(order) != a.rank:
        raise TypeClash("axes don't match array")
    return Array(a.dtype, tuple([a.shape[i] for i in order]))


@entry(np.matrix_transpose, np.linalg.matrix_transpose)
def _(x: Arr, /) -> Array:
    if x.rank < 2:
        raise TypeClash(f"Input array must be at least 2-dimensional, but it is {x.rank}")
    return Array(x.dtype, (*x.shape[:-2], x.shape[-1], x.shape[-2]))


@entry(np.swapaxes)
def _(a: Arr, axis1: Known, axis2: Known) -> Array:
    i, j = normal_axis(axis1, a.rank), normal_axis(axis2, a.rank)
    shape = list(a.shape)
    shape[i], shape[j] = shape[j], shape[i]
    return Array(a.dtype, tuple(shape))


@entry(np.moveaxis)
def _(a: Arr, source: Known, destination: Known) -> Array:
    origin, target = normal_axes(source, a.rank), normal_axes(destination, a.rank)
    if len(origin) != len(target):
        raise TypeClash(
            "`source` and `destination` arguments must have the same number of elements"
        )
    order = [i for i in range(a.rank) if i not in origin]
    for to, i in sorted(zip(target, origin)):
        order.insert(to, i)
    return Array(a.dtype, tuple([a.shape[i] for i in order]))


@entry(np.rollaxis)
def _(a: Arr, axis: Known, start: Known = 0) -> Array:
    axis = normal_axis(axis, a.rank)
    start = start if start == a.rank else normal_axis(start, a.rank)
    order = [i for i in range(a.rank) if i != axis]
    order.insert(start - (axis < start), axis)
    return Array(a.dtype, tuple([a.shape[i] for i in order]))


@entry(np.flip)
def _(m: Arr, axis: Known = None) -> Array:
    normal_axes(axis, m.rank)
    return m


@entry(np.flipud, np.fliplr)
def _(m: Arr) -> Array:
    return m


@entry(np.roll)
def _(a: Arr, shift: Value, axis: Known = None) -> Array:
    normal_axes(axis, a.rank)
    return a


@entry(np.rot90)
def _(m: Arr, k: Known = 1, axes: Known = (0, 1)) -> Array:
    i, j = normal_axes(axes, m.rank)
    shape = list(m.shape)
    if k % 2:
        shape[i], shape[j] = shape[j], shape[i]
    return Array(m.dtype, tuple(shape))


# --- elements -----------------------------------------------------------------------------------


@entry(np.take)
def _(a: Arr, indices: Arr, axis: Known = None, out: Known = None, mode: Known = "raise") -> Array:
    if axis is None:
        return Array(a.dtype, indices.shape)
    axis = normal_axis(axis, a.rank)
    return Array(a.dtype, (*a.shape[:axis], *indices.shape, *a.shape[axis + 1 :]))


@entry(np.take_along_axis)
def _(arr: Arr, indices: Arr, axis: Known = -1) -> Array:
    if axis is None:
        return Array(arr.dtype, indices.shape)
    axis = normal_axis(axis, arr.rank)
    if indices.rank != arr.rank:
        raise TypeClash("`indices` and `arr` must have the same number of dimensions")
    rest = sizes.broadcast(along(arr.shape, axis, 1), along(indices.shape, axis, 1))
    return Array(arr.dtype, along(rest, axis, indices.shape[axis]))


@entry(np.repeat)
def _(a: Arr, repeats: Value, axis: Known = None) -> Array:
    shape = (sizes.product(a.shape),) if axis is None else a.shape
    axis = normal_axis(0 if axis is None else axis, len(shape))
    if values.array_of(repeats).rank == 0:
        size = sizes.as_length(sizes.product([shape[axis], values.size_of(repeats)]))
    else:
        size = sizes.derived("repeat", values.identity(repeats), shape[axis])
    return Array(a.dtype, along(shape, axis, size))


@entry(np.tile)
def _(A: Arr, reps: Value) -> Array:
    counts = values.shape_of([reps])
    rank = max(len(counts), A.rank)
    shape = (*(1,) * (rank - A.rank), *A.shape)
    full = (*(1,) * (rank - len(counts)), *counts)
    return Array(A.dtype, tuple([sizes.as_length(sizes.product(p)) for p in zip(shape, full)]))


@entry(np.pad)
def _(array: Arr, pad_width: Value, mode: Value | None = None, **kwargs: Value) -> Array:
    widths = _pad_widths(pad_width, array.rank)
    return Array(
        array.dtype, tuple([sizes.total((size, *w)) for size, w in zip(array.shape, widths)])
    )


def _pad_widths(pad_width: Value, rank: int) -> list[tuple[Size, Size]]:
    outer = values.parts(pad_width)
    if outer is None:
        size = values.size_of(pad_width)
        return [(size, size)] * rank
    rows = [values.parts(v) for v in outer]
    if all(row is None for row in rows):
        numbers = [values.size_of(v) for v in outer]
        return [(numbers[0], numbers[-1])] * rank
    pairs = []
    for row in rows:
        if not row:
            raise TypeClash("pad_width must be an int, a pair or a pair for each axis")
        numbers = [values.size_of(v) for v in row]
        pairs.append((numbers[0], numbers[-1]))
    if len(pairs) not in (1, rank):
        raise TypeClash("operands could not be broadcast together: pad_width and the array's rank")
    return pairs * rank if len(pairs) == 1 else pairs


# --- diagonals ----------------------------------------------------------------------------------


@entry(np.diagonal)
def _(a: Arr, offset: Known = 0, axis1: Known = 0, axis2: Known = 1) -> Array:
    return Array(a.dtype, _without_two(a, axis1, axis2, offset))


@entry(np.linalg.diagonal)
def _(x: Arr, /, *, offset: Known = 0) -> Array:
    return Array(x.dtype, _without_two(x, -2, -1, offset))


def _without_two(a: Array, axis1: Any, axis2: Any, offset: int) -> tuple[Size, ...]:
    if a.rank < 2:
        raise TypeClash("diag requires an array of at least two dimensions")
    i, j = normal_axes((axis1, axis2), a.rank)
    rest = [s for k, s in enumerate(a.shape) if k not in (i, j)]
    return (*rest, diagonal_size(a.shape[i], a.shape[j], offset))


def diagonal_size(rows: Size, columns: Size, offset: int) -> Size:
    rows, columns = (sizes.offset(rows, min(offset, 0)), sizes.offset(columns, -max(offset, 0)))
    return sizes.smaller(rows, columns)


@entry(np.trace)
def _(
    a: Arr,
    offset: Known = 0,
    axis1: Known = 0,
    axis2: Known = 1,
    dtype: Known = None,
    out: Known = None,
):
    return _without_two(a, axis1, axis2, offset)[:-1]


@entry(np.linalg.trace)
def _(x: Arr, /, *, offset: Known = 0, dtype: Known = None):
    return _without_two(x, -2, -1, offset)[:-1]


@entry(np.diagflat)
def _(v: Arr, k: Known = 0) -> Array:
    size = sizes.add(sizes.product(v.shape), abs(k))
    return Array(v.dtype, (size, size))


@entry(np.diag)
def _(v: Arr, k: Known = 0) -> Array:
    if v.rank == 1:
        size = sizes.add(v.shape[0], abs(k))
        return Array(v.dtype, (size, size))
    if v.rank != 2:
        raise TypeClash("Input must be 1- or 2-d.")
    return Array(v.dtype, (diagonal_size(v.shape[0], v.shape[1], k),))


@entry(np.tril, np.triu)
def _(m: Arr, k: Value | None = None) -> Array:
    if m.rank == 0:
        raise TypeClash("tril and triu need an array of at least one dimension")
    return Array(m.dtype, (m.shape * 2) if m.rank == 1 else m.shape)
