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
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompile.ad import cotangents as cot
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Slice, Spec, Value
from adcompile.ir.infer import known, values
from adcompile.ir.types import FLOAT, Array, Scalar, Type

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

    @property
    def shift(self) -> int | None:
        return start_of(self.spec, self.at)


@dataclass(frozen=True, slots=True)
class Term:
    """`idx` is an array of ints, or an int; it broadcasts to the shape of the value, as `p` does.

    One of them at least has that shape, unless the value knows it otherwise. Equal keys are equal
    indices. `apart` says that no direction occurs twice, `all` that the indices are those of all
    directions, in order, and `shift` that they are consecutive numbers from there on, one for each
    element of the vector, or of the slice of it, that the term tells of.
    """

    idx: Value
    p: Value
    key: Hashable
    apart: bool = False
    all: bool = False
    shift: int | None = None
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
    written: dict[Any, Value] | None = None  # in which form: what it is written out

    @property
    def rank(self) -> int:
        return values.as_array(self.type).rank


def key_of(v: Value) -> Hashable:
    """Equal for equal ints, and for one value."""
    c = known(v)
    return c if isinstance(c, int) else v


def start_of(spec: Spec, at: Sequence[Value]) -> int | None:
    """Where the slice `x[3:]` of a vector starts, if it takes one element after the other."""
    if len(spec) != 1 or not isinstance(spec[0], Slice) or spec[0].step:
        return None
    start = known(at[0], None) if spec[0].start else 0
    return start if isinstance(start, int) and start >= 0 else None


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
        leaf = getattr(term.key, "like", None)  # what the indices number
        if leaf is not None and term.place is None and is_whole(leaf, d.type):
            return leaf
        for v in (term.idx, term.p) if term.place is None else ():
            if is_whole(v, d.type):
                return v
    return None


def scaled(b: Builder, p: Value, factor: Value, t: Type) -> Value:
    """`p * factor`, in the precision of the product, which is of type `t`."""
    have, dtype = factor.type, values.as_array(t).dtype
    if not is_one(p):
        return b.mul(p, factor)
    if have == FLOAT or (isinstance(have, Array) and have.dtype == dtype):
        return factor
    if isinstance(have, Array) and have.dtype.kind == "f":
        wide = b.member(np.astype, "astype()", factor, dtype.type) if have.rank else None
        return wide or b.call(dtype.type, factor)
    return b.mul(p, factor)
