"""Rules of what keeps a value one-hot: linear elementwise functions, and moving elements about."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adcompile import runtime
from adcompile.ad import cotangents as cot
from adcompile.ad.batch.axes import rank_of
from adcompile.ad.batch.onehot import (
    MOST_TERMS,
    OneHot,
    Place,
    Term,
    is_one,
    is_whole,
    key_of,
    like_of,
    made,
    scaled,
    shaped,
    start_of,
)
from adcompile.ad.batch.table import batches
from adcompile.ad.batch.values import WHOLE, Dense, Rep
from adcompile.ad.batch.walk import Batch
from adcompile.ad.batch.written import added_to, settled
from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.indices import may_repeat
from adcompile.ir.infer import index_kind, infer_index, values
from adcompile.ir.infer.table import Shape
from adcompile.ir.types import INT, Array, Scalar
from adcompile.passes.sums import is_zero

_MUL = (operator.mul, np.multiply)
_DIV = (operator.truediv, np.divide)


def one_hot(s: Batch, v: Value) -> OneHot | None:
    rep = s.get(v)
    return rep if isinstance(rep, OneHot) else None


def _only(s: Batch, op: core.Call) -> tuple[int, OneHot] | None:
    """The one operand that depends on the direction, if it is one-hot."""
    batched = [k for k, v in enumerate(op.operands) if s.is_batched(v)]
    d = one_hot(s, op.operands[batched[0]]) if len(batched) == 1 else None
    return None if d is None else (batched[0], d)


def _same_shape(d: OneHot, like: Value) -> bool:
    return cot.is_full(values.as_array(d.type), values.as_array(like.type))


def _with_factors(
    s: Batch,
    op: core.Call,
    d: OneHot,
    others: Sequence[Value],
    factor: Callable[..., Value],
) -> OneHot | None:
    """`d` with `factor(p, *others)` for each p, in the shape of the result.

    That may be larger than the shape of `d`.
    """
    same = _same_shape(d, op.result)
    fits = all(rank_of(v) == 0 or is_whole(v, op.result.type) for v in others)
    if not (same and fits):
        settled_ = settled(s, d)
        if settled_ is None:
            return None
        d = settled_
    terms = []
    for t in d.terms:
        p = factor(t.p, *[_at(s, v, t.place) for v in others])
        if t.place is not None or (same and rank_of(t.idx)):
            terms.append(replace(t, p=p))
        elif is_whole(p, op.result.type) or (same and rank_of(p) == 0):
            terms.append(Term(t.idx, p, t.key))
        else:
            return None
    return made(s, terms, op.result, d if same else None)


def _at(s: Batch, v: Value, place: Place | None) -> Value:
    """The part of `v` that stands where a term tells of."""
    return v if place is None or not rank_of(v) else s.b.index(v, place.spec, place.at)


# --- elementwise ----------------------------------------------------------------------------------


@batches(*_MUL, sparse=True)
def _mul(s: Batch, op: core.Call) -> Rep | None:
    only = _only(s, op)
    if only is None or op.keywords:
        return None
    other = s.pack(op.operands[1 - only[0]], False)
    if not isinstance(other.type, Array | Scalar):
        return None
    t = op.result.type
    return _with_factors(s, op, only[1], [other], lambda p, x: scaled(s.b, p, x, t))


@batches(*_DIV, sparse=True)
def _div(s: Batch, op: core.Call) -> Rep | None:
    only = _only(s, op)
    if only is None or only[0] != 0 or op.keywords:
        return None
    other = s.pack(op.operands[1], False)
    return _with_factors(s, op, only[1], [other], lambda p, x: s.b.call(operator.truediv, p, x))


@batches(*runtime.MASKED, sparse=True)
def _masked_times(s: Batch, op: core.Call) -> Rep | None:
    """Where the direction is another one the product is zero in any case."""
    only = _only(s, op)
    if only is None:
        return None
    k, d = only
    other = s.pack(op.operands[1 - k], False)

    def factor(p: Value, x: Value) -> Value:
        if is_one(p):
            return scaled(s.b, p, x, op.result.type)
        return s.b.call(op.fn, *((p, x) if k == 0 else (x, p)))

    return _with_factors(s, op, d, [other], factor)


@batches(operator.neg, np.negative, sparse=True)
def _neg(s: Batch, op: core.Call) -> Rep | None:
    d = one_hot(s, op.operands[0])
    return None if d is None else _with_factors(s, op, d, [], lambda p: s.b.call(operator.neg, p))


def _as_it_is(s: Batch, op: core.Call) -> Rep | None:
    only = _only(s, op)
    return None if only is None else made(s, only[1].terms, op.result, only[1])


_COPIES = (operator.pos, np.positive, np.copy, np.ndarray.copy, np.real, np.asarray, np.array)
batches(*_COPIES, np.ascontiguousarray, np.asanyarray, sparse=True)(
    lambda s, op: _as_it_is(s, op) if len(op.operands) == 1 else None
)


@batches(float, np.float64, np.float32, np.astype, np.ndarray.astype, sparse=True)
def _cast(s: Batch, op: core.Call) -> Rep | None:
    only, t = _only(s, op), values.as_array(op.result.type)
    if only is None or t.dtype.kind != "f" or not _same_shape(only[1], op.result):
        return None

    def factor(p: Value) -> Value:
        other = isinstance(p.type, Array) and p.type.dtype != t.dtype
        return s.b.member(np.astype, "astype()", p, t.dtype.type) if other and rank_of(p) else p

    return _with_factors(s, op, only[1], [], factor)


@batches(np.where, sparse=True)
def _where(s: Batch, op: core.Call) -> Rep | None:
    """A choice between one-hot values and zeros."""
    if len(op.args) != 3 or op.keywords or s.is_batched(op.args[0]):
        return None
    condition = s.pack(op.args[0], False)
    terms: list[Term] = []
    template = None
    for k, v in ((1, op.args[1]), (2, op.args[2])):
        d = one_hot(s, v)
        if d is None and not _is_zero(s, v):
            return None
        if d is not None:

            def factor(p: Value, c: Value, k: int = k) -> Value:
                return s.b.call(np.where, c, *(p if j == k else 0.0 for j in (1, 2)))

            part = _with_factors(s, op, d, [condition], factor)
            if part is None:
                return None
            terms += part.terms
            template = template or part
    return made(s, terms, op.result, template)


def _is_zero(s: Batch, v: Value) -> bool:
    rep = s.get(v)
    return isinstance(rep, Value) and is_zero(rep)


# --- sums -----------------------------------------------------------------------------------------


@batches(operator.add, np.add, operator.sub, np.subtract, sparse=True)
def _add(s: Batch, op: core.Call) -> Rep | None:
    if op.keywords:
        return None
    minus = op.fn in (operator.sub, np.subtract)
    reps = [s.get(v) for v in op.operands]
    if not all(isinstance(r, OneHot) or _is_zero(s, v) for r, v in zip(reps, op.operands)):
        return _added(s, op, minus)
    parts = [(k, r) for k, r in enumerate(reps) if isinstance(r, OneHot)]
    if not all(_same_shape(d, op.result) for _, d in parts):
        return None
    terms = []
    for k, d in parts:
        negative = minus and k == 1
        terms += (
            [replace(t, p=s.b.call(operator.neg, t.p)) for t in d.terms] if negative else d.terms
        )
    found = made(s, terms, op.result, next((d for _, d in parts if d.like is not None), None))
    return found if len(found.terms) <= MOST_TERMS else None


def _added(s: Batch, op: core.Call, minus: bool) -> Rep | None:
    """A one-hot value added to one that is written out: at its places alone."""
    x, y = op.operands
    d, base, turned = one_hot(s, y), x, False
    if d is None:
        d, base, turned = one_hot(s, x), y, minus
    rep = s.get(base)
    if d is None or not isinstance(rep, Dense) or not _same_shape(d, op.result):
        return None
    if not cot.is_full(values.as_array(base.type), values.as_array(op.result.type)):
        return None
    out = rep.value
    if turned:  # one-hot minus the other
        out = s.b.call(operator.neg, out)
    mode = "-" if minus and not turned else "+"
    found = added_to(s, d, out, mode, rep.last)
    if found is None:
        return None
    found.name = op.result.name
    return Dense(found, rep.last)


# --- elements moved about -------------------------------------------------------------------------

_DISTINCT = (
    *(np.reshape, np.ravel, np.ndarray.flatten, np.transpose, np.permute_dims, np.swapaxes),
    *(np.moveaxis, np.matrix_transpose, np.linalg.matrix_transpose, np.expand_dims, np.squeeze),
    *(np.flip, np.flipud, np.fliplr, np.rot90, np.roll, np.atleast_1d, np.atleast_2d),
    *(np.atleast_3d, np.diagonal, np.linalg.diagonal),
)
_OTHERS = (np.take, np.repeat, np.tile, np.broadcast_to)


@batches(*_DISTINCT, *_OTHERS, sparse=True)
def _moved(s: Batch, op: core.Call) -> Rep | None:
    """The same call on indices and factors."""
    only = _only(s, op)
    if only is None or only[0] != 0 or len(op.results) != 1:
        return None
    d = settled(s, only[1])
    if d is None:
        return None
    rest, plain = [s.pack(v, False) for v in op.operands[1:]], len(op.args) - 1

    def call(x: Value) -> Value:
        named = dict(zip(op.keywords, rest[plain:], strict=True))
        return s.b.call_op(op.fn, [x, *rest[:plain]], named, member=op.member).result

    key = (op.fn, op.keywords, *map(key_of, rest))
    return _each(s, op, d, call, key, op.fn in _DISTINCT)


def _each(
    s: Batch,
    op: core.Op,
    d: OneHot,
    move: Callable[[Value], Value],
    key: Any,
    distinct: bool,
    start: int | None = None,
) -> OneHot | None:
    """`d` with its elements moved; factors that are one number go with them."""
    shape = values.as_array(op.results[0].type).shape
    if d.rank == 0 and shape:
        return None
    terms = []
    for t in d.terms:
        number, row = not rank_of(t.p), not rank_of(t.idx)
        wholes = [is_whole(x, d.type) for x in (t.p, t.idx)]
        if not (wholes[0] or number) or not (wholes[1] or row) or not any(wholes):
            return None  # what broadcasts cannot be moved alone
        idx = t.idx if row else _retyped(move(t.idx), shape)
        p = t.p if number else _retyped(move(t.p), shape)
        shift = None if t.shift is None or start is None else t.shift + start
        apart = t.apart and distinct
        terms.append(Term(idx, p, t.key if row else (key, t.key), apart=apart, shift=shift))
    return made(s, terms, op.results[0])


def _retyped(v: Value, shape: Shape) -> Value:
    """`v`, just made, with the sizes that are known of its shape."""
    if isinstance(v.type, Array) and v.type.rank == len(shape):
        v.type = Array(v.type.dtype, shape)
    return v


def index(s: Batch, op: core.Index) -> Rep | None:
    """`x[…]` of a one-hot value."""
    x, *at = op.operands
    d = one_hot(s, x)
    d = None if d is None else settled(s, d)
    if d is None:
        return None
    at = [s.pack(v, False) for v in at]
    distinct = index_kind(x, op.spec, at) == "basic" or not may_repeat(at)
    key = ("index", op.spec, *map(key_of, at))
    start = start_of(op.spec, at) if rank_of(x) == 1 else None
    found = _each(s, op, d, lambda v: s.b.index(v, op.spec, at), key, distinct, start)
    if found is not None and d.rank == 1 and op.spec == ("value",) and _are_ints(at[0]):
        terms = zip(found.terms, d.terms)
        found.terms = [replace(new, idx=at[0]) if t.all else new for new, t in terms]
    return found


def _are_ints(v: Value) -> bool:
    """Whether the elements that `v` picks of a vector have the numbers that it says."""
    t = v.type
    return t == INT if isinstance(t, Scalar) else isinstance(t, Array) and t.dtype.kind in "iu"


# --- writes ---------------------------------------------------------------------------------------


def update(s: Batch, op: core.Update) -> Rep | None:
    """A one-hot value written into zeros, or into another one."""
    x, v, *_ = op.operands
    base, d = s.get(x), one_hot(s, v)
    if op.views or op.mode not in ("=", "+", "-") or (d is None and not _is_zero(s, v)):
        return None
    at = tuple([s.pack(i, False) for i in op.at])
    basic = isinstance(x.type, Array) and index_kind(x, op.spec, at) == "basic"
    if isinstance(base, Dense) and d is not None and d.rank == 0 and basic:
        return _element(s, op, base, d, at)
    if not (isinstance(base, OneHot) or _is_zero(s, x)) or not basic or x.type == Scalar("float"):
        return None
    place = Place(op.spec, at)
    old = base if isinstance(base, OneHot) else None
    terms = [] if old is None else list(old.terms)
    like = like_of(s.pack(x, False)) if old is None else shaped(old)
    if op.mode == "=" and terms:
        terms = [t for t in terms if t.place is None or t.place.key != place.key]
        if terms:
            return None
    fills = cot.is_full(v.type, infer_index(x, op.spec, at))
    for t in () if d is None else d.terms:
        if t.place is not None:
            return None
        p = s.b.call(operator.neg, t.p) if op.mode == "-" else t.p
        terms.append(replace(t, p=p, place=place, shift=t.shift if fills else None))
    found = made(s, terms, op.result)
    found.like = like
    return found if like is not None and len(found.terms) <= MOST_TERMS else None


def _element(s: Batch, op: core.Update, base: Dense, d: OneHot, at: Sequence[Value]) -> Rep | None:
    """One number, of few directions, written to one place of an array that is written out."""
    if any(e != "value" for e in op.spec) or len(op.spec) != rank_of(op.operands[0]):
        return None
    if any(rank_of(i) for i in at):
        return None
    out = s.dense(op.operands[0])
    if op.mode == "=":
        out = s.b.update(out, s.b.const(0.0), (WHOLE, *op.spec), at)
    mode = "-" if op.mode == "-" else "+"
    for t in d.terms:
        out = s.b.update(out, t.p, ("value", *op.spec), [t.idx, *at], mode)
    out.name = op.result.name
    return Dense(out)
