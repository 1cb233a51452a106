"""Products of arrays, and numpy.linalg."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adcompile.ir.core import Value
from adcompile.ir.infer import sizes, values
from adcompile.ir.infer.reductions import reduced
from adcompile.ir.infer.table import Arr, Known, Shape, entry, normal_axes, normal_axis
from adcompile.ir.types import Array, Dim, Size, TypeClash

# --- products -----------------------------------------------------------------------------------


def _contracted(a: Size, b: Size) -> None:
    if isinstance(a, int) and isinstance(b, int) and a != b:
        raise TypeClash(f"shapes do not match: a dimension of size {a} meets one of size {b}")


@entry(np.matmul, np.linalg.matmul, operator.matmul)
def _(x1: Arr, x2: Arr, *, dtype: Known = None, casting: Known = None) -> Shape:
    a, b = x1.shape, x2.shape
    if not a or not b:
        raise TypeClash("matmul: an operand is a scalar; it needs arrays of at least one dimension")
    _contracted(a[-1], b[-2:][0])
    batch = sizes.broadcast(a[:-2], b[:-2])
    return (*batch, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


@entry(np.dot)
def _(a: Arr, b: Arr) -> Shape:
    if not a.shape or not b.shape:
        return a.shape + b.shape
    _contracted(a.shape[-1], b.shape[-2] if b.rank > 1 else b.shape[0])
    return (*a.shape[:-1], *b.shape[:-2], *(b.shape[-1:] if b.rank > 1 else ()))


@entry(np.inner)
def _(a: Arr, b: Arr) -> Shape:
    if not a.shape or not b.shape:
        return a.shape + b.shape
    _contracted(a.shape[-1], b.shape[-1])
    return (*a.shape[:-1], *b.shape[:-1])


@entry(np.outer)
def _(a: Arr, b: Arr) -> Shape:
    return (sizes.product(a.shape), sizes.product(b.shape))


@entry(np.linalg.outer)
def _(x1: Arr, x2: Arr, /) -> Shape:
    return x1.shape + x2.shape


@entry(np.vdot)
def _(a: Arr, b: Arr) -> Shape:
    _contracted(sizes.product(a.shape), sizes.product(b.shape))
    return ()


@entry(np.vecdot, np.linalg.vecdot)
def _(x1: Arr, x2: Arr, /, *, axis: Known = -1) -> Shape:
    return reduced(sizes.broadcast(x1.shape, x2.shape), normal_axis(axis, max(x1.rank, x2.rank)))


if hasattr(np, "matvec"):

    @entry(np.matvec)
    def _(x1: Arr, x2: Arr, /) -> Shape:
        _contracted(x1.shape[-1], x2.shape[-1])
        return (*sizes.broadcast(x1.shape[:-2], x2.shape[:-1]), x1.shape[-2])

    @entry(np.vecmat)
    def _(x1: Arr, x2: Arr, /) -> Shape:
        _contracted(x1.shape[-1], x2.shape[-2])
        return (*sizes.broadcast(x1.shape[:-1], x2.shape[:-2]), x2.shape[-1])


@entry(np.tensordot, np.linalg.tensordot)
def _(a: Arr, b: Arr, axes: Known = 2) -> Shape:
    if isinstance(axes, int | np.integer):
        left, right = range(a.rank - axes, a.rank), range(axes)
    else:
        left, right = axes
    left, right = (
        normal_axes(tuple(np.atleast_1d(left)), a.rank),
        normal_axes(tuple(np.atleast_1d(right)), b.rank),
    )
    for i, j in zip(left, right):
        _contracted(a.shape[i], b.shape[j])
    return (
        *(s for i, s in enumerate(a.shape) if i not in left),
        *(s for i, s in enumerate(b.shape) if i not in right),
    )


@entry(np.kron)
def _(a: Arr, b: Arr) -> Shape:
    rank = max(a.rank, b.rank)
    padded = [(1,) * (rank - x.rank) + x.shape for x in (a, b)]
    return tuple([sizes.product(pair) for pair in zip(*padded)])


@entry(np.einsum)
def _(
    subscripts: Known, *operands: Arr, optimize: Known = False, dtype: Known = None, **kwargs: Known
) -> Shape:
    if not isinstance(subscripts, str):
        raise TypeClash("einsum: write the subscripts as a string")
    return _einsum(subscripts.replace(" ", ""), [x.shape for x in operands])


def _einsum(subscripts: str, shapes: list[Shape]) -> Shape:
    inputs, arrow, output = subscripts.partition("->")
    names = inputs.split(",")
    if len(names) != len(shapes):
        raise TypeClash("einsum: more or fewer operands than subscripts")
    known: dict[str, Size] = {}
    extra: list[Shape] = []
    for labels, shape in zip(names, shapes):
        before, dots, after = labels.partition("...")
        named = len(before) + len(after)
        if len(shape) < named or (not dots and len(shape) != named):
            raise TypeClash(
                f"einsum: operand has {len(shape)} dimensions but the subscripts {labels!r}"
            )
        end = len(shape) - len(after)
        extra.append(shape[len(before) : end])
        for label, size in zip(before + after, shape[: len(before)] + shape[end:]):
            known[label] = _broadcast_label(known[label], size, label) if label in known else size
    dims = sizes.broadcast(*extra)
    if not arrow:
        once = [c for c in sorted(known) if inputs.count(c) == 1]
        return (*(dims if "..." in inputs else ()), *(known[c] for c in once))
    before, _, after = output.partition("...")
    return (
        *(known[c] for c in before),
        *(dims if "..." in output else ()),
        *(known[c] for c in after),
    )


def _broadcast_label(a: Size, b: Size, label: str) -> Size:
    try:
        return sizes.broadcast_sizes(a, b)
    except ValueError:
        raise TypeClash(f"einsum: label {label!r} has size {a} and size {b}") from None


@entry(np.cross, np.linalg.cross)
def _(
    a: Arr, b: Arr, axisa: Known = -1, axisb: Known = -1, axisc: Known = -1, axis: Known = None
) -> Shape:
    if axis is not None:
        axisa = axisb = axisc = axis
    i, j = normal_axis(axisa, a.rank), normal_axis(axisb, b.rank)
    m, n = a.shape[i], b.shape[j]
    rest = sizes.broadcast(reduced(a.shape, i), reduced(b.shape, j))
    if isinstance(m, Dim) or isinstance(n, Dim):
        m = n = 3  # vectors in the plane are no longer supported
    k = normal_axis(axisc, len(rest) + 1)
    return (*rest[:k], 3, *rest[k:])


# --- numpy.linalg -------------------------------------------------------------------------------


def _square(a: Array) -> Shape:
    if a.rank < 2:
        raise TypeClash(f"{a.rank}-dimensional array given. Array must be at least two-dimensional")
    m, n = a.shape[-2:]
    if isinstance(m, int) and isinstance(n, int) and m != n:
        raise TypeClash("Last 2 dimensions of the array must be square")
    size = sizes.same(m, n, "Last 2 dimensions of the array must be square")
    return (*a.shape[:-2], size, size)


@entry(np.linalg.inv)
def _(a: Arr) -> Shape:
    return _square(a)


@entry(np.linalg.cholesky)
def _(a: Arr, /, *, upper: Known = False) -> Shape:
    return _square(a)


@entry(np.linalg.matrix_power)
def _(a: Arr, n: Known) -> Shape:
    return _square(a)


@entry(np.linalg.det)
def _(a: Arr) -> Shape:
    return _square(a)[:-2]


@entry(np.linalg.slogdet)
def _(a: Arr) -> Any:
    batch = _square(a)[:-2]
    return [batch, batch]


@entry(np.linalg.solve)
def _(a: Arr, b: Arr) -> Shape:
    shape = _square(a)
    if b.rank == 1:  # one right-hand side; otherwise each is a matrix
        return (*shape[:-2], sizes.same(shape[-1], b.shape[0], "solve: sizes differ"))
    if b.rank == 0:
        raise TypeClash("solve: the right-hand side needs at least one dimension")
    size = sizes.same(shape[-1], b.shape[-2], "solve: sizes differ")
    return (*sizes.broadcast(shape[:-2], b.shape[:-2]), size, b.shape[-1])


@entry(np.linalg.norm)
def _(x: Arr, ord: Known = None, axis: Known = None, keepdims: Known = False) -> Shape:
    return reduced(x.shape, axis, keepdims)


@entry(np.linalg.vector_norm)
def _(x: Arr, /, *, axis: Known = None, keepdims: Known = False, ord: Value | None = None) -> Shape:
    return reduced(x.shape, axis, keepdims)


@entry(np.linalg.matrix_norm)
def _(x: Arr, /, *, keepdims: Known = False, ord: Known = "fro") -> Shape:
    return reduced(x.shape, (-2, -1), keepdims)


@entry(np.linalg.qr)
def _(a: Arr, mode: Known = "reduced") -> Any:
    *batch, m, n = a.shape
    k = m if mode == "complete" else sizes.smaller(*a.shape[-2:])
    if mode == "r":
        return (*batch, sizes.smaller(*a.shape[-2:]), n)
    if mode == "raw":
        return [(*batch, n, m), (*batch, sizes.smaller(*a.shape[-2:]))]
    return [(*batch, m, k), (*batch, k, n)]


@entry(np.linalg.svd)
def _(
    a: Arr, full_matrices: Known = True, compute_uv: Known = True, hermitian: Known = False
) -> Any:
    *batch, m, n = a.shape
    k = sizes.smaller(*a.shape[-2:])
    if not compute_uv:
        return (*batch, k)
    return [
        (*batch, m, m if full_matrices else k),
        (*batch, k),
        (*batch, n if full_matrices else k, n),
    ]


@entry(np.linalg.svdvals)
def _(x: Arr, /) -> Shape:
    return (*x.shape[:-2], sizes.smaller(*x.shape[-2:]))


@entry(np.linalg.eigh)
def _(a: Arr, UPLO: Known = "L") -> Any:
    shape = _square(a)
    return [shape[:-1], shape]


@entry(np.linalg.eigvalsh)
def _(a: Arr, UPLO: Known = "L") -> Shape:
    return _square(a)[:-1]


@entry(np.linalg.pinv)
def _(
    a: Arr, rcond: Value | None = None, hermitian: Known = False, *, rtol: Value | None = None
) -> Shape:
    return (*a.shape[:-2], a.shape[-1], a.shape[-2])


@entry(np.linalg.matrix_rank)
def _(
    A: Arr, tol: Value | None = None, hermitian: Known = False, *, rtol: Value | None = None
) -> Shape:
    return A.shape[:-2]


@entry(np.linalg.cond)
def _(x: Arr, p: Known = None) -> Shape:
    return x.shape[:-2]


@entry(np.linalg.lstsq)
def _(a: Arr, b: Arr, rcond: Value | None = None) -> Any:
    m, n = a.shape
    (residuals,) = (sizes.derived("residuals", *a.shape),)  # none where the rank is not full
    return [(n, *b.shape[1:]), (residuals,), (), (sizes.smaller(m, n),)]


@entry(np.linalg.multi_dot)
def _(arrays: Value) -> Any:
    inner = values.parts(arrays)
    if inner is None:
        raise TypeClash("multi_dot needs a tuple or list of arrays")
    first, *others = map(values.array_of, inner)
    shape = first.shape
    for other in others:
        _contracted(shape[-1], other.shape[0])
        shape = shape[:-1] + other.shape[1:]
    return shape
