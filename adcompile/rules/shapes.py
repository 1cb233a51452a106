"""Functions that move elements about without changing them, one array to one."""

from __future__ import annotations

import numpy as np

from adcompile.rules.registry import adjoint, alias, at_compile_time, linear, tangent

# --- the same elements in another shape ---------------------------------------------------------


def like(d, x):
    """`d` in the shape of the array or number `x`."""
    return np.reshape(d, () if np.ndim(x) == 0 else x.shape)


@linear(np.reshape, shape="rearranges")
def _(d_y, a, shape=None, order="C", *, copy=None):
    return like(d_y, a) if order == "C" else NotImplemented


@linear(np.ravel, shape="rearranges")
def _(d_y, a, order="C"):
    return like(d_y, a) if order == "C" else NotImplemented


@linear(np.squeeze, shape="rearranges")
def _(d_y, a, axis=None):
    return like(d_y, a)


@linear(np.expand_dims, shape="rearranges")
def _(d_y, a, axis):
    return like(d_y, a)


@linear(np.atleast_1d, shape="rearranges")
def _(d_y, ary):
    return like(d_y, ary)


@linear(np.atleast_2d, shape="rearranges")
def _(d_y, ary):
    return like(d_y, ary)


@linear(np.copy, shape="rearranges")
def _(d_y, a, order="K", subok=False):
    return d_y


@linear(np.asarray, shape="rearranges")
def _(d_y, a, *args, **kwargs):
    return split_up(d_y, a) if isinstance(a, (list, tuple)) else d_y


@linear(float, shape="rearranges")
def _(d_y, x):
    return d_y


def split_up(d_y, items):
    """The cotangents of (nested) lists of numbers and arrays that were made into one array."""
    nested = (list, tuple)
    return [split_up(d_y[i], x) if isinstance(x, nested) else d_y[i] for i, x in enumerate(items)]


# --- axes in another order ----------------------------------------------------------------------


@at_compile_time
def inverse(*axes):
    """The permutation that undoes `np.transpose(…, axes)`."""
    places = [k % len(axes) for k in axes]
    return tuple(places.index(k) for k in range(len(axes)))


@linear(np.transpose, shape="rearranges")
def _(d_y, a, axes=None):
    return d_y.T if axes is None else np.transpose(d_y, inverse(*axes))


@linear(np.swapaxes, shape="rearranges")
def _(d_y, a, axis1, axis2):
    return np.swapaxes(d_y, axis1, axis2)


@linear(np.moveaxis, shape="rearranges")
def _(d_y, a, source, destination):
    return np.moveaxis(d_y, destination, source)


@linear(np.matrix_transpose, shape="rearranges")
def _(d_y, x):
    return np.swapaxes(d_y, -1, -2)


# --- elements in another order ------------------------------------------------------------------


@linear(np.flip, shape="rearranges")
def _(d_y, m, axis=None):
    return np.flip(d_y) if axis is None else np.flip(d_y, axis)


@linear(np.fliplr, shape="rearranges")
def _(d_y, m):
    return np.fliplr(d_y)


@linear(np.flipud, shape="rearranges")
def _(d_y, m):
    return np.flipud(d_y)


@linear(np.rot90, shape="rearranges")
def _(d_y, m, k=1, axes=(0, 1)):
    return np.rot90(d_y, -k, axes)


@linear(np.roll, shape="rearranges")
def _(d_y, a, shift, axis=None):
    if not isinstance(shift, (tuple, list)):
        return np.roll(d_y, -shift) if axis is None else np.roll(d_y, -shift, axis)
    return np.roll(d_y, [-s for s in shift], axis)


# --- elements repeated --------------------------------------------------------------------------


@linear(np.broadcast_to, shape="broadcasts")
def _(d_y, array, shape, subok=False):
    return d_y


@linear(np.tile)
def _(d_y, A, reps):
    """Sum over the copies: each axis of the result is a number of copies times an axis of A."""
    reps = tuple(reps) if isinstance(reps, (tuple, list)) else (reps,)
    rank = max(len(reps), np.ndim(A))
    sizes = (1,) * (rank - np.ndim(A)) + np.shape(A)
    reps = (1,) * (rank - len(reps)) + reps
    both = ()
    for r, n in zip(reps, sizes):
        both = (*both, r, n)
    copies = 0 if rank == 1 else tuple(range(0, 2 * rank, 2))
    if rank == np.ndim(A):
        return np.sum(np.reshape(d_y, both), axis=copies)
    return like(np.sum(np.reshape(d_y, both), axis=copies), A)


@tangent(np.repeat)
def _(d_a, y, a, repeats, axis=None):
    if isinstance(repeats, int):
        return np.repeat(d_a, repeats, axis)
    if axis is None:
        a, d_a, axis = np.ravel(a), np.ravel(d_a), 0
    return np.take(d_a, np.repeat(np.arange(a.shape[axis]), repeats), axis)


@adjoint(np.repeat)
def _(d_y, y, a, repeats, axis=None):
    if not isinstance(repeats, int):
        return NotImplemented
    if axis is None:
        copies = np.sum(np.reshape(d_y, (np.size(a), repeats)), axis=1)
        return copies if np.ndim(a) == 1 else like(copies, a)
    k = axis % a.ndim + 1
    return np.sum(np.reshape(d_y, (*a.shape[:k], repeats, *a.shape[k:])), axis=k)


# --- borders ------------------------------------------------------------------------------------


def window(x, axis, start, stop):
    """`x[start:stop]` along an axis."""
    if axis == 0:
        return x[start:stop]
    if axis == 1:
        return x[:, start:stop]
    if axis == -1 or axis == x.ndim - 1:
        return x[..., start:stop]
    return np.moveaxis(np.moveaxis(x, axis, 0)[start:stop], 0, axis)


def margin(pad_width, axis):
    """How much `np.pad` puts before the first element along an axis."""
    if isinstance(pad_width, int):
        return pad_width
    if isinstance(pad_width[0], int):
        return pad_width[0]
    return pad_width[0][0] if len(pad_width) == 1 else pad_width[axis][0]


def middle(padded, array, pad_width):
    """The part of a padded array that is not border."""
    at = []
    for k, n in enumerate(array.shape):
        start = margin(pad_width, k)
        at.append(slice(start, start + n))
    return padded[at[0]] if array.ndim == 1 else padded[tuple(at)]


@linear(np.pad, arg=(0, 3))
def _(d_y, array, pad_width, mode="constant", *, constant_values=0):
    if mode != "constant" or np.ndim(constant_values) > 0:
        return NotImplemented
    inside = middle(d_y, array, pad_width)
    return inside, np.sum(d_y) - np.sum(inside)


# --- parts of matrices --------------------------------------------------------------------------


@linear(np.tril)
def _(d_y, m, k=0):
    return np.tril(d_y) if isinstance(k, int) and k == 0 else np.tril(d_y, k)


@linear(np.triu)
def _(d_y, m, k=0):
    return np.triu(d_y) if isinstance(k, int) and k == 0 else np.triu(d_y, k)


def ones_on_diagonal(rows, columns, offset):
    return np.eye(rows, columns) if offset == 0 else np.eye(rows, columns, offset)


def on_diagonal(d_y, a, offset, axis1, axis2):
    """Matrices of the shape of those in `a` that are zero but for `d_y` on a diagonal."""
    rows, columns = a.shape[axis1], a.shape[axis2]
    if a.ndim == 2:
        return d_y * ones_on_diagonal(rows, columns, offset)
    matrices = d_y * ones_on_diagonal(rows, columns, offset)
    return np.moveaxis(matrices, (-2, -1), (axis1, axis2))


@linear(np.trace)
def _(d_y, a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    if a.ndim > 2:
        d_y = d_y[..., None, None]
    return on_diagonal(d_y, a, offset, axis1, axis2)


def along_diagonal(d_y, a, offset, axis1, axis2):
    """Like `on_diagonal`, with `d_y` along the diagonal."""
    missing = a.shape[axis1 if offset >= 0 else axis2] - d_y.shape[-1]
    filled = np.pad(d_y, [(0, 0)] * (a.ndim - 2) + [(0, missing)])
    along = filled[..., :, None] if offset >= 0 else filled[..., None, :]
    return on_diagonal(along, a, offset, axis1, axis2)


@linear(np.diagonal)
def _(d_y, a, offset=0, axis1=0, axis2=1):
    return along_diagonal(d_y, a, offset, axis1, axis2)


@linear(np.linalg.trace)
def _(d_y, x, *, offset=0, dtype=None):
    return on_diagonal(d_y if x.ndim == 2 else d_y[..., None, None], x, offset, -2, -1)


@linear(np.linalg.diagonal)
def _(d_y, x, *, offset=0):
    return along_diagonal(d_y, x, offset, -2, -1)


@linear(np.diag)
def _(d_y, v, k=0):
    if v.ndim == 1:
        return np.diag(d_y) if isinstance(k, int) and k == 0 else np.diag(d_y, k)
    missing = v.shape[0 if k >= 0 else 1] - d_y.shape[0]
    filled = np.pad(d_y, (0, missing))
    along = filled[:, None] if k >= 0 else filled
    return along * ones_on_diagonal(v.shape[0], v.shape[1], k)


alias(np.ravel, np.ndarray.flatten)
alias(np.copy, np.ndarray.copy)
alias(np.matrix_transpose, np.linalg.matrix_transpose)
alias(np.asarray, np.array, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.astype)
alias(float, np.ndarray.item, np.float16, np.float32, np.float64, np.longdouble)
