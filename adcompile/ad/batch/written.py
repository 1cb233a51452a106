"""One-hot values written out: zeros, and an assignment for each term."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adcompile.ad import cotangents as cot
from adcompile.ad.batch.onehot import OneHot, Term, is_one, is_whole, shaped
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Slice, Spec, Value
from adcompile.ir.infer import values
from adcompile.ir.types import Array, Size

if TYPE_CHECKING:
    from adcompile.ad.batch.walk import Batch


def written_out(s: Batch, d: OneHot, last: bool = False) -> Value:
    """`d` as an array with an axis for the directions, in front or `last`."""
    if not is_flat(d):
        return written_flat(s, d, last)
    d.written = d.written or {}
    key = "array", last
    if key not in d.written:
        b, like = d.home.at(s.b.loc, s.b.order), shaped(d)
        assert like is not None
        flat, sizes = written_flat(s, d, last), _sizes(b, like)
        shape = [*sizes, s.n] if last else [s.n, *sizes]
        d.written[key] = out = b.call(np.reshape, flat, b.tuple(*shape))
        out.name = d.name
    return d.written[key]


def is_flat(d: OneHot) -> bool:
    """Whether an array is written out with its elements along one axis."""
    placed = any(t.place is not None for t in d.terms)
    return d.rank > 1 and (placed or all(leading(t, d) == d.rank for t in d.terms))


def written_flat(s: Batch, d: OneHot, last: bool) -> Value:
    """`d` written out, as a matrix if it `is_flat`."""
    d.written = d.written or {}
    key = "flat", last
    if key not in d.written:
        d.written[key] = out = _written(s, d.home.at(s.b.loc, s.b.order), d, last)
        out.name = d.name
    return d.written[key]


def _written(s: Batch, b: Builder, d: OneHot, last: bool) -> Value:
    dtype, (first, *rest) = values.as_array(d.type).dtype, d.terms
    named = _dtype(dtype)
    if first.all and d.rank == 1 and first.place is None and not rest:
        if is_one(first.p):
            return b.call(np.eye, s.n, **named)
        if _is_diagonal(first.p, d):
            return b.call(np.diag, first.p)
    like = shaped(d)
    assert like is not None or d.rank == 0
    sizes = [] if like is None else _sizes(b, like)
    if like is not None and is_flat(d):
        sizes = [b.member(np.size, "size", like)]
    shape = [*sizes, s.n] if last else [s.n, *sizes]
    out = b.call(np.zeros, shape[0] if len(shape) == 1 else b.tuple(*shape), **named)
    for k, term in enumerate(d.terms):
        fresh = not k or (d.rank == 1 and all(_disjoint(term, t) for t in d.terms[:k]))
        spec, at = _place(s, b, d, term, last)
        out = b.update(out, term.p, spec, at, "=" if fresh else "+")
    return out


def _dtype(dtype: np.dtype) -> dict[str, Any]:
    return {} if dtype == np.float64 else {"dtype": dtype.type}


def _is_diagonal(p: Value, d: OneHot) -> bool:
    t = p.type
    return isinstance(t, Array) and is_whole(p, d.type) and t.dtype == values.as_array(d.type).dtype


def _sizes(b: Builder, like: Value) -> list[Value]:
    rank = values.array_of(like).rank
    if rank == 1:
        return [b.member(np.size, "size", like)]
    return [b.size(like, k) for k in range(rank)]


# --- terms ----------------------------------------------------------------------------------------


def _disjoint(a: Term, b: Term) -> bool:
    """Whether two terms of a vector surely tell of different elements: of other diagonals."""
    lines = []
    for t in (a, b):
        begin = 0 if t.place is None else t.place.shift
        if t.shift is None or begin is None:
            return False
        lines.append(t.shift - begin)
    return lines[0] != lines[1]


def _place(s: Batch, b: Builder, d: OneHot, term: Term, last: bool) -> tuple[Spec, list[Value]]:
    """Where a term stands in what is written out."""
    idx, like = term.idx, shaped(d)
    if d.rank == 0:
        return ("value",), [idx]
    assert like is not None
    rank = 1 if is_flat(d) else d.rank
    if is_flat(d) or term.place is not None:
        at, lead = [position(s, b, like, term)], 1
    else:
        lead = leading(term, d)
        idx = _without_tail(b, idx, lead)
        at = [_axis(s, b, like, k, lead) for k in range(lead)]
    tail: Spec = (Slice(),) * (rank - lead)
    if last:
        return (*["value"] * lead, *tail, "value"), [*at, idx]
    return ("value",) * (1 + lead), [idx, *at]


def leading(term: Term, d: OneHot) -> int:
    """After how many axes the indices do not change any more."""
    have, shape = values.array_of(term.idx).shape, values.as_array(d.type).shape
    if not have:
        return 0
    lead = len(shape)
    if len(have) == lead:
        while lead and have[lead - 1] == 1 and shape[lead - 1] != 1:
            lead -= 1
    full = all(map(cot.same_size, have[:lead], shape[:lead]))
    return lead if full else len(shape)


def _without_tail(b: Builder, idx: Value, lead: int) -> Value:
    """Indices without the axes along which they do not change."""
    rank, op = values.array_of(idx).rank, idx.owner
    if lead >= rank:
        return idx
    if isinstance(op, core.Index) and op.spec == (*[Slice()] * lead, *[None] * (rank - lead)):
        return op.operands[0]
    return b.index(idx, (*[Slice()] * lead, *["value"] * (rank - lead)), [0] * (rank - lead))


def _axis(s: Batch, b: Builder, like: Value, k: int, count: int) -> Value:
    """The numbers along one of `count` axes, which broadcast with those along the others."""
    size: Size = values.array_of(like).shape[k]
    found = s.positions.get((size,))
    if found is None:
        whole = values.array_of(like).rank == 1
        found = b.call(np.arange, b.member(np.size, "size", like) if whole else b.size(like, k))
    after = count - 1 - k
    return b.index(found, (Slice(), *[None] * after)) if after else found


def position(s: Batch, b: Builder, like: Value, term: Term) -> Value:
    """The numbers of the elements of `like` that a term tells of, in C order."""
    place, rank = term.place, values.array_of(like).rank
    if place is not None and place.spec == ("value",) and rank == 1:
        return place.at[0]  # an index itself
    found = s.positions.get(values.array_of(like).shape)
    if found is None:
        found = b.call(np.arange, b.member(np.size, "size", like))
        if rank > 1:
            found = b.call(np.reshape, found, b.member(np.shape, "shape", like))
    return found if place is None else b.index(found, place.spec, place.at)


def added_to(s: Batch, d: OneHot, out: Value, mode: str, last: bool) -> Value | None:
    """Add `d`, a number or vector, to what is written out."""
    if d.rank > 1:
        return None
    for term in d.terms:
        spec, at = _place(s, s.b, d, term, last)
        out = s.b.update(out, term.p, spec, at, mode)
    return out


def settled(s: Batch, d: OneHot) -> OneHot | None:
    """`d` with terms that tell of all elements: places are filled up with zero factors."""
    if all(t.place is None for t in d.terms):
        return d
    b, like = s.b, shaped(d)
    if like is None:
        return None
    named = _dtype(values.as_array(d.type).dtype)
    shape = b.member(np.shape, "shape", like)
    terms = []
    for term in d.terms:
        place = term.place
        if place is not None:
            idx = b.update(b.call(np.zeros, shape, int), term.idx, place.spec, place.at)
            p = b.update(b.call(np.zeros, shape, **named), term.p, place.spec, place.at)
            term = Term(idx, p, ("filled up", term.key, place.key))
        terms.append(term)
    return OneHot(terms, d.type, s.b, d.like, d.name)
