"""Unit vectors that are not written out: what depends on few of the directions.

In an elementwise or stencil program each element of a derivative depends on a handful of
directions. A `OneHot` is a sum of terms; a term with indices `idx` and factors `p` says of the
element `e` that it is `p[e]` in the direction `idx[e]`, and zero in all others:

    d[k, e] = sum over the terms of (p[e] if idx[e] == k else 0)

Indices and factors are arrays without the axis of directions, so that what is linear, or moves
elements about, costs no more than in one direction (Griewank & Walther, "Evaluating Derivatives",
2008, chapter 7: such vectors are sparse; here it is known ahead of the call where). What is to be
computed with otherwise is written out, by one assignment a term.

A write `y[1:] += d` into zeros leaves its place in the term: the indices and factors are those of
what was written.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from adcompile.ad import cotangents as cot
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Slice, Spec, Value
from adcompile.ir.infer import known, values
from adcompile.ir.types import Array, Scalar, Type

if TYPE_CHECKING:
    from adcompile.ad.batch.walk import Batch

MOST_TERMS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an array what a term tells of was written: `array[spec]`."""

    spec: Spec
    at: tuple[Value, ...]

    @property
    def key(self) -> Hashable:
        return self.spec, *map(key_of, self.at)


@dataclass(frozen=True, slots=True)
class Term:
    """`idx` is an array of ints in the shape of the value, or one int for all of it.

    Equal keys are equal indices. `p` broadcasts to the shape. `apart` says that no direction
    occurs twice, and `all` that the indices are those of all directions, in order.
    """

    idx: Value
    p: Value
    key: Hashable
    apart: bool = False
    all: bool = False
    place: Place | None = None

    @property
    def where(self) -> Hashable:
        return self.key, None if self.place is None else self.place.key


@dataclass(eq=False, slots=True)
class OneHot:
    """`like` has the shape of the value, where no term has; `home` is where all is defined."""

    terms: Sequence[Term]
    type: Type
    home: Builder
    like: Value | None = None
    name: str | None = None
    written: dict[bool, Value] | None = None  # out, with the directions first or last

    @property
    def rank(self) -> int:
        return values.as_array(self.type).rank


def key_of(v: Value) -> Hashable:
    """Equal for equal ints, and for one value."""
    c = known(v)
    return c if isinstance(c, int) else v


def made(s: Batch, terms: Sequence[Term], like: Value, template: OneHot | None = None) -> OneHot:
    """The sum of `terms` as what stands for `like`; terms in one place are added up."""
    found: dict[Hashable, Term] = {}
    for t in terms:
        old = found.get(t.where)
        found[t.where] = t if old is None else replace(t, p=s.b.add_values(old.p, t.p))
    kept = None if template is None else template.like
    return OneHot(list(found.values()), like.type, s.b, kept, like.name)


def like_of(zero: Value) -> Value:
    """A value with the shape of these zeros."""
    op = zero.owner
    return op.operands[0] if isinstance(op, core.Call) and op.fn is np.zeros_like else zero


# --- shapes ---------------------------------------------------------------------------------------


def is_one(p: Value) -> bool:
    return core.constant(p) == 1.0


def is_whole(x: Value, t: Type) -> bool:
    """Whether `x` has the full shape of a value of type `t`."""
    return isinstance(x.type, Array | Scalar) and cot.is_full(x.type, t)


def shaped(d: OneHot) -> Value | None:
    """A value with the shape of `d`."""
    if d.like is not None:
        return d.like
    for term in d.terms:
        for v in (term.idx, term.p) if term.place is None else ():
            if is_whole(v, d.type):
                return v
    return None


def scaled(b: Builder, p: Value, factor: Value) -> Value:
    """`p * factor`."""
    t = factor.type
    real = t.dtype.kind == "f" if isinstance(t, Array) else t == Scalar("float")
    return factor if is_one(p) and real else b.mul(p, factor)


# --- writing out ----------------------------------------------------------------------------------


def positions(s: Batch, b: Builder, like: Value) -> Value:
    """The number of each element of `like`, in its shape."""
    t = values.array_of(like)
    found = s.positions.get(t.shape)
    if found is not None:
        return found
    flat = b.call(np.arange, b.member(np.size, "size", like))
    if t.rank == 1:
        return flat
    return b.call(np.reshape, flat, b.member(np.shape, "shape", like))


def position(s: Batch, b: Builder, like: Value, term: Term) -> Value:
    """Which elements of `like` the term tells of."""
    place = term.place
    if place is None:
        return positions(s, b, like)
    if place.spec == ("value",) and values.array_of(like).rank == 1:
        return place.at[0]  # an index itself
    return b.index(positions(s, b, like), place.spec, place.at)


def written_out(s: Batch, d: OneHot, last: bool = False) -> Value:
    """`d` as an array with an axis for the directions, in front or `last`."""
    d.written = d.written or {}
    if last not in d.written:
        b = d.home.at(s.b.loc, s.b.order)
        flat = matrix(s, b, d, last)
        if d.rank > 1:
            like = shaped(d)
            assert like is not None
            sizes = [b.size(like, k) for k in range(d.rank)]
            shape = [*sizes, s.n] if last else [s.n, *sizes]
            flat = b.call(np.reshape, flat, b.tuple(*shape))
        flat.name = d.name
        d.written[last] = flat
    return d.written[last]


def matrix(s: Batch, b: Builder, d: OneHot, last: bool) -> Value:
    """`d` with all of its elements along one axis (none where it is one number)."""
    dtype = values.as_array(d.type).dtype
    named = {} if dtype == np.float64 else {"dtype": dtype.type}
    first, *rest = d.terms
    if first.all and d.rank == 1 and not rest and is_one(first.p):
        return b.call(np.eye, s.n, **named)
    if first.all and d.rank == 1 and is_whole(first.p, d.type) and _has(first.p, dtype):
        out, terms = b.call(np.diag, first.p), rest
    else:
        like = shaped(d)
        sizes = [] if d.rank == 0 or like is None else [b.member(np.size, "size", like)]
        shape = [*sizes, s.n] if last else [s.n, *sizes]
        out = b.call(np.zeros, shape[0] if len(shape) == 1 else b.tuple(*shape), **named)
        terms = d.terms
    for k, term in enumerate(terms):
        mode = "=" if k == 0 and terms is d.terms else "+"
        out = _with_term(s, b, d, out, term, mode, last)
    return out


def _has(p: Value, dtype: np.dtype) -> bool:
    return isinstance(p.type, Array) and p.type.dtype == dtype


def _with_term(
    s: Batch, b: Builder, d: OneHot, out: Value, term: Term, mode: str, last: bool
) -> Value:
    if d.rank == 0:
        return b.update(out, term.p, ("value",), [term.idx], mode)
    if term.place is None and values.array_of(term.idx).rank == 0:
        p = term.p if values.array_of(term.p).rank < 2 else b.call(np.ravel, term.p)
        spec: Spec = (Slice(), "value") if last else ("value",)
        return b.update(out, p, spec, [term.idx], mode)
    like = shaped(d)
    assert like is not None
    pos = position(s, b, like, term)
    at = [pos, term.idx] if last else [term.idx, pos]
    return b.update(out, term.p, ("value", "value"), at, mode)


def settled(s: Batch, d: OneHot) -> OneHot | None:
    """`d` with terms that tell of all elements: places are filled up with zero factors."""
    if all(t.place is None for t in d.terms):
        return d
    b, like = s.b, shaped(d)
    if like is None:
        return None
    t = values.as_array(d.type)
    named = {} if t.dtype == np.float64 else {"dtype": t.dtype.type}
    shape = b.member(np.shape, "shape", like)
    terms = []
    for term in d.terms:
        place = term.place
        if place is not None:
            idx = b.update(b.call(np.zeros, shape, int), term.idx, place.spec, place.at)
            p = b.update(b.call(np.zeros, shape, **named), term.p, place.spec, place.at)
            term = Term(idx, p, ("filled up", *([term.key, place.key])))
        terms.append(term)
    return OneHot(terms, d.type, s.b, d.like, d.name)
