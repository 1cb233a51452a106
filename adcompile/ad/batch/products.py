"""Batching rules of products of arrays, and of linear systems."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adcompile.ad.batch.axes import again, bound, known_axis, rank_of, shifted
from adcompile.ad.batch.elementwise import elementwise
from adcompile.ad.batch.table import batches
from adcompile.ad.batch.values import WHOLE, Dense, Rep, extents
from adcompile.ad.batch.walk import Batch
from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.infer import known
from adcompile.ir.infer.table import normal_axes

_MATMUL = (operator.matmul, np.matmul, np.linalg.matmul)


def _product(s: Batch, op: core.Call, x: Value, y: Value, axis: int | None = None) -> Rep:
    """`x @ y`, or one axis of it."""
    made = s.b.call(op.fn if op.fn in _MATMUL else operator.matmul, x, y)
    if axis is not None:
        entries = [WHOLE] * made.type.rank  # type: ignore[union-attr]
        made = s.b.index(
            made, tuple("value" if k == axis else e for k, e in enumerate(entries)), [0]
        )
    return Dense(s.fit(made, op.result))


@batches(*_MATMUL)
def _matmul(s: Batch, op: core.Call) -> Rep | None:
    if op.keywords:
        return None
    x, y = op.args
    p, q = rank_of(x), rank_of(y)
    if s.is_batched(x) and s.is_batched(y):
        return _einsum_of_matmul(s, op, p, q)
    if (s.is_last(x) or s.is_last(y)) and p <= 2 and q <= 2:
        return _of_last(s, op)
    if s.is_batched(x):
        d, other = s.dense(x), s.pack(y, False)
        if p == 1 and q > 2:  # a row for each direction and matrix
            d = s.b.index(d, (WHOLE, *[None] * (q - 1)))
            return _product(s, op, d, other, axis=q - 1)
        return _product(s, op, s.aligned(x, max(p, q)) if p > 1 else d, other)
    d, other = s.dense(y), s.pack(x, False)
    if q == 1 and p == 1:
        return _product(s, op, d, other)
    if q == 1 and p == 2:
        return _product(s, op, d, s.b.member(np.transpose, "T", other))
    if q == 1:  # a column for each direction and matrix
        d = s.b.index(d, (WHOLE, *[None] * (p - 2), WHOLE, None))
        return _product(s, op, other, d, axis=p)
    return _product(s, op, other, s.aligned(y, max(p, q)))


def _of_last(s: Batch, op: core.Call) -> Rep:
    """A product with a vector whose directions are the second axis."""
    x, y = op.args
    if s.is_last(x):
        other = s.pack(y, False)
        left = s.b.member(np.transpose, "T", other) if rank_of(y) == 2 else other
        made = s.b.call(operator.matmul, left, s.aligned_last(x))
    else:
        made = s.b.call(operator.matmul, s.pack(x, False), s.aligned_last(y))
    last = rank_of(op.result) == 1
    return Dense(s.fit_last(made, op.result) if last else s.fit(made, op.result), last)


def _einsum_of_matmul(s: Batch, op: core.Call, p: int, q: int) -> Rep | None:
    """Both factors have an own value for each direction."""
    if p > 2 or q > 2:
        return None
    left, right = {1: "j", 2: "ij"}[p], {1: "j", 2: "jk"}[q]
    out = ("i" if p == 2 else "") + ("k" if q == 2 else "")
    x, y = map(s.dense, op.args)
    return again(s, op, [f"n{left},n{right}->n{out}", x, y], fn=np.einsum)


@batches(np.dot)
def _dot(s: Batch, op: core.Call) -> Rep | None:
    if op.keywords or len(op.args) != 2:
        return None
    p, q = map(rank_of, op.args)
    if p == 0 or q == 0:
        return _times(s, op)
    return _matmul(s, op) if p <= 2 and q <= 2 else None


def _times(s: Batch, op: core.Call) -> Rep | None:
    again = core.Call(op.operands, [op.result], op.loc, op.order, fn=operator.mul)
    op.result.owner = op
    return elementwise(s, again)


@batches(np.inner)
def _inner(s: Batch, op: core.Call) -> Rep | None:
    x, y = op.args
    p, q = rank_of(x), rank_of(y)
    if p == 0 or q == 0:
        return _times(s, op)
    if p <= 1 and q <= 1:
        return _matmul(s, op)
    if p > 2 or q > 2 or (s.is_batched(x) and s.is_batched(y)):
        return None
    left, right = {1: "j", 2: "ij"}[p], {1: "j", 2: "kj"}[q]
    out = ("i" if p == 2 else "") + ("k" if q == 2 else "")
    return _sum_of_products(s, op, f"{left},{right}->{out}", [x, y])


@batches(np.vdot)
def _vdot(s: Batch, op: core.Call) -> Rep | None:
    x, y = op.args
    p = rank_of(x)
    if p != rank_of(y) or p == 0 or p > 4:
        return None
    labels = "ijkl"[:p]
    return _matmul(s, op) if p == 1 else _sum_of_products(s, op, f"{labels},{labels}->", [x, y])


@batches(np.vecdot, np.linalg.vecdot)
def _vecdot(s: Batch, op: core.Call) -> Rep | None:
    x, y = op.args
    if op.keywords:
        return None
    rank = max(rank_of(x), rank_of(y))
    return again(s, op, [s.aligned(x, rank), s.aligned(y, rank)])


@batches(np.outer)
def _outer(s: Batch, op: core.Call) -> Rep | None:
    x, y = op.args
    if rank_of(x) != 1 or rank_of(y) != 1:
        return None
    left = (WHOLE, WHOLE, None) if s.is_batched(x) else (WHOLE, None)
    x, y = (s.dense(v) if s.is_batched(v) else s.pack(v, False) for v in (x, y))
    right = s.b.index(y, (WHOLE, None)) if s.is_batched(op.args[1]) else y
    return again(s, op, [s.b.index(x, left), right], fn=operator.mul)


@batches(np.linalg.outer)
def _linalg_outer(s: Batch, op: core.Call) -> Rep | None:
    return _outer(s, op)


@batches(np.tensordot, np.linalg.tensordot)
def _tensordot(s: Batch, op: core.Call) -> Rep | None:
    given = bound(s, op, "a b axes", "a b")
    axes: Any = known_axis(given.get("axes"), 2) if given else core.MISSING
    if given is None or axes is core.MISSING:
        return None
    x, y = given["a"], given["b"]
    p, q = rank_of(x), rank_of(y)
    if s.is_batched(x) and s.is_batched(y):
        return None
    if isinstance(axes, int | np.integer):
        axes = tuple(range(p - int(axes), p)), tuple(range(int(axes)))
    left, right = (normal_axes(tuple(np.atleast_1d(a).tolist()), r) for a, r in zip(axes, (p, q)))
    if s.is_batched(x):
        places = [shifted(left, p), right]
        return again(s, op, [s.dense(x), s.pack(y, False)], {"axes": _pair(places)})
    places = [left, shifted(right, q)]
    made = s.b.call(np.tensordot, s.pack(x, False), s.dense(y), axes=_pair(places))
    rest = p - len(left)
    return again(s, op, [made, rest, 0], fn=np.moveaxis) if rest else Dense(s.fit(made, op.result))


def _pair(places: list[tuple[int, ...]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    left, right = places
    return left, right


@batches(np.einsum)
def _einsum(s: Batch, op: core.Call) -> Rep | None:
    subscripts, *operands = op.args
    text = known(subscripts)
    if not isinstance(text, str) or any(map(s.is_batched, op.kwargs.values())):
        return None
    return _sum_of_products(s, op, text.replace(" ", ""), operands, **op.kwargs)


def _sum_of_products(
    s: Batch, op: core.Call, text: str, operands: list[Value], **named: Value
) -> Rep | None:
    """`np.einsum` with one more letter, for the directions."""
    inputs, arrow, out = text.partition("->")
    if not arrow:
        letters = [c for c in inputs if c.isalpha()]
        out = "..." * ("..." in inputs) + "".join(
            c for c in sorted(set(letters)) if letters.count(c) == 1
        )
    free = [c for c in "nbdmpqrstuvwxyzacefghijklo" if c not in text]
    if not free:
        return None
    n = free[0]
    labels = [
        n + part if s.is_batched(v) else part
        for part, v in zip(inputs.split(","), operands, strict=True)
    ]
    arrays = [s.dense(v) if s.is_batched(v) else s.pack(v, False) for v in operands]
    return again(s, op, [f"{','.join(labels)}->{n}{out}", *arrays], dict(named), fn=np.einsum)


# --- linear systems -----------------------------------------------------------------------------


@batches(np.linalg.solve)
def _solve(s: Batch, op: core.Call) -> Rep | None:
    """One factorisation for all right-hand sides."""
    given = bound(s, op, "a b", "b")
    if given is None or rank_of(given["a"]) != 2 or rank_of(given["b"]) not in (1, 2):
        return None
    b, a, d = s.b, s.pack(given["a"], False), s.dense(given["b"])
    if rank_of(given["b"]) == 1:
        columns = b.call(np.linalg.solve, a, b.member(np.transpose, "T", d))
        return Dense(s.fit(b.member(np.transpose, "T", columns), op.result))
    rows, width = extents(b, d, 1)
    columns = b.call(np.reshape, b.call(np.swapaxes, d, 0, 1), b.tuple(rows, b.mul(s.n, width)))
    solved = b.call(np.linalg.solve, a, columns)
    apart = b.call(np.reshape, solved, b.tuple(rows, s.n, width))
    return again(s, op, [apart, 0, 1], fn=np.swapaxes)
