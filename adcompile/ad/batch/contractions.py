"""Sums and products with one-hot values: rows of a matrix are moved, not multiplied.

Where each direction occurs once, a product with a unit vector is a row (or column) of the other
factor, and a sum over elements just moves them.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence

import numpy as np

from adcompile.ad.batch.axes import bound, known_axis, rank_of
from adcompile.ad.batch.onehot import OneHot, Term, is_whole, made, scaled, shaped
from adcompile.ad.batch.sparse import one_hot
from adcompile.ad.batch.table import batches
from adcompile.ad.batch.values import WHOLE, Dense, Rep, zeros
from adcompile.ad.batch.walk import Batch
from adcompile.ir import core
from adcompile.ir.core import Spec, Value
from adcompile.ir.infer import values

_PRODUCTS = (operator.matmul, np.matmul, np.linalg.matmul, np.dot, np.inner, np.vdot)


def _each_once(d: OneHot) -> bool:
    return all(t.apart and t.place is None and is_whole(t.idx, d.type) for t in d.terms)


def _gathered(
    s: Batch,
    op: core.Op,
    d: OneHot,
    spec: Spec,
    at: Sequence[Value],
    sizes: Sequence[Value],
    factors: Sequence[Value],
    last: bool = False,
) -> Rep:
    """Zeros of these sizes, into which each term is written at its indices and `at`."""
    dtype = values.as_array(op.results[0].type).dtype
    out = zeros(s.b, [*sizes, s.n] if last else [s.n, *sizes], dtype)
    for k, (term, p) in enumerate(zip(d.terms, factors, strict=True)):
        out = s.b.update(
            out,
            p,
            spec,
            [*([] if last else [term.idx]), *at, *([term.idx] if last else [])],
            "+" if k else "=",
        )
    out.name = op.results[0].name
    return Dense(out, last)


# --- sums -----------------------------------------------------------------------------------------


@batches(np.sum, np.mean, builtins.sum, sparse=True)
def _sum(s: Batch, op: core.Call) -> Rep | None:
    names = "iterable" if op.fn is builtins.sum else "a axis"
    given = bound(s, op, names)
    d = one_hot(s, op.operands[0])
    if given is None or d is None or not _each_once(d) or d.rank == 0:
        return None
    axis = known_axis(given.get("axis"))
    if not (axis is None or d.rank == 1) or (op.fn is builtins.sum and d.rank != 1):
        return None
    factors = [t.p for t in d.terms]
    if op.fn is np.mean:
        like = shaped(d)
        if like is None:
            return None
        count = s.b.member(np.size, "size", like)
        factors = [s.b.call(operator.truediv, p, count) for p in factors]
    (first, *more) = d.terms
    if first.all and not more and d.rank == 1 and is_whole(factors[0], d.type):
        return Dense(s.fit(factors[0], op.result))
    return _gathered(s, op, d, ("value",), [], [], factors)


# --- products -------------------------------------------------------------------------------------


@batches(*_PRODUCTS, sparse=True)
def _product(s: Batch, op: core.Call) -> Rep | None:
    if op.keywords or len(op.args) != 2:
        return None
    x, y = op.args
    if s.is_batched(x) and s.is_batched(y):
        return None
    d = one_hot(s, x) or one_hot(s, y)
    p, q = rank_of(x), rank_of(y)
    if d is None or not _each_once(d) or p not in (1, 2) or q not in (1, 2):
        return None
    if op.fn in (np.inner, np.vdot) and (p, q) != (1, 1):
        return None
    other = s.pack(y if s.is_batched(x) else x, False)
    if p == q == 1:
        return _dot(s, op, d, other)
    if s.is_batched(x):
        return _rows(s, op, d, other) if p == 1 else _left(s, op, d, other, q)
    return _columns(s, op, d, other) if q == 1 else _right(s, op, d, other, p)


def _alone(d: OneHot) -> Term | None:
    """The only term, if its indices are those of all directions."""
    (first, *more) = d.terms
    return first if first.all and not more else None


def _dot(s: Batch, op: core.Call, d: OneHot, other: Value) -> Rep:
    factors = [scaled(s.b, t.p, other, op.result.type) for t in d.terms]
    if _alone(d):
        return Dense(s.fit(factors[0], op.result))
    return _gathered(s, op, d, ("value",), [], [], factors)


def _columns(s: Batch, op: core.Call, d: OneHot, a: Value) -> Rep:
    """`a @ d` for a matrix `a`: its columns, each times a factor."""
    factors = [scaled(s.b, t.p, a, op.result.type) for t in d.terms]
    if _alone(d):
        return Dense(s.fit_last(factors[0], op.result), last=True)
    rows = s.b.size(a, 0)
    return _gathered(s, op, d, (WHOLE, "value"), [], [rows], factors, last=True)


def _rows(s: Batch, op: core.Call, d: OneHot, a: Value) -> Rep:
    """`d @ a` for a matrix `a`: its rows, each times a factor."""
    factors = [scaled(s.b, _column(s, t.p), a, op.result.type) for t in d.terms]
    if _alone(d):
        return Dense(s.fit(factors[0], op.result))
    return _gathered(s, op, d, ("value",), [], [s.b.size(a, 1)], factors)


def _column(s: Batch, p: Value) -> Value:
    spec = {0: None, 1: (WHOLE, None)}.get(rank_of(p), (Ellipsis, None))
    return p if spec is None else s.b.index(p, spec)


def _left(s: Batch, op: core.Call, d: OneHot, a: Value, q: int) -> Rep | None:
    """`d @ a` for a matrix `d`: row by row."""
    like = shaped(d)
    if like is None:
        return None
    rows = s.b.call(np.arange, s.b.size(like, 0))
    at, sizes = [s.b.index(rows, (WHOLE, None))], [s.b.size(like, 0)]
    factors = [scaled(s.b, t.p if q == 1 else _column(s, t.p), a, op.result.type) for t in d.terms]
    sizes += [s.b.size(a, 1)] if q == 2 else []
    return _gathered(s, op, d, ("value", "value"), at, sizes, factors)


def _right(s: Batch, op: core.Call, d: OneHot, a: Value, p: int) -> Rep | None:
    """`a @ d` for a matrix `d`: column by column."""
    like = shaped(d)
    if like is None:
        return None
    columns = s.b.call(np.arange, s.b.size(like, 1))
    if p == 1:
        tall = s.b.index(a, (WHOLE, None))
        factors = [scaled(s.b, t.p, tall, op.result.type) for t in d.terms]
        return _gathered(s, op, d, ("value", "value"), [columns], [s.b.size(like, 1)], factors)
    tall = s.b.index(s.b.member(np.transpose, "T", a), (WHOLE, None))
    factors = [scaled(s.b, _column(s, t.p), tall, op.result.type) for t in d.terms]
    sizes = [s.b.size(a, 0), s.b.size(like, 1)]
    return _gathered(s, op, d, ("value", WHOLE, "value"), [columns], sizes, factors)


@batches(np.outer, np.linalg.outer, sparse=True)
def _outer(s: Batch, op: core.Call) -> Rep | None:
    """Each row (or column) of the product is of the direction of one element."""
    x, y = op.args
    d = one_hot(s, x) or one_hot(s, y)
    if (s.is_batched(x) and s.is_batched(y)) or d is None or rank_of(x) != 1 or rank_of(y) != 1:
        return None
    other = s.pack(y if s.is_batched(x) else x, False)
    terms = []
    for t in d.terms:
        if t.place is not None or not is_whole(t.p, d.type):
            return None
        p = s.b.mul(_column(s, t.p), other) if s.is_batched(x) else s.b.mul(_column(s, other), t.p)
        idx = _column(s, t.idx) if s.is_batched(x) else t.idx
        terms.append(Term(idx, p, ("outer", s.is_batched(x), t.key)))
    return made(s, terms, op.result)
