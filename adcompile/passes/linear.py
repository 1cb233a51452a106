"""Patterns of linear operations: constant factors and signs leave sums and views.

What is scaled after a sum is smaller than what is summed; a factor that has left a view meets those
outside of it. Products of arrays of different sizes take a factor in where it costs least.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.core import Slice, Value
from adcompile.passes.algebra import smaller_factor
from adcompile.passes.patterns import (
    ADD,
    MATMUL,
    MUL,
    NEG,
    SUB,
    Match,
    is_array,
    number,
    pattern,
)
from adcompile.passes.sums import is_of_one_form

_SUMS = (np.sum, np.mean)
_VIEWS = (np.transpose, np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze, np.reshape)
_OPTIONS = {"axis", "keepdims"}


@pattern(*_SUMS, of=(*MUL, *NEG))
def factor_of_terms(m: Match, op: core.Call) -> Value | None:
    """np.sum(c * x) → c * np.sum(x); np.sum(-x) → -np.sum(x)"""
    if not _OPTIONS.issuperset(op.keywords) or len(op.args) > 2:
        return None
    return _outward(m, op, lambda x: _again(m, op, x))


@pattern(*_VIEWS, of=(*MUL, *NEG))
def factor_of_view(m: Match, op: core.Call) -> Value | None:
    """(c * x).T → c * x.T; (-x).T → -x.T"""
    return _outward(m, op, lambda x: _again(m, op, x))


@pattern(core.Index, of=(*MUL, *NEG))
def factor_of_slice(m: Match, op: core.Index) -> Value | None:
    """(c * x)[:, None] → c * x[:, None]; (-x)[1:] → -x[1:]"""
    if not all(e is None or e is Ellipsis or isinstance(e, Slice) for e in op.spec):
        return None
    return _outward(m, op, lambda x: m.builder.index(x, op.spec, op.operands[1:]))


@pattern(np.linalg.solve, of=(*MUL, *NEG))
def factor_of_solution(m: Match, op: core.Call) -> Value | None:
    """np.linalg.solve(a, c * b) → c * np.linalg.solve(a, b)"""
    a, _ = op.operands
    return _outward(m, op, lambda b: m.call(op.fn, a, b), 1)


@pattern(*MATMUL, of=NEG)
def sign_of_factor(m: Match, op: core.Call) -> Value | None:
    """(-a) @ b → -(a @ b); a @ (-b) → -(a @ b)"""
    x, y = op.operands
    a, b = m.only(x, NEG), m.only(y, NEG)
    if not a and not b:
        return None
    product = m.call(op.fn, a[0] if a else x, b[0] if b else y)
    return product if a and b else m.call(operator.neg, product)


@pattern(*ADD, *SUB, of=(np.linalg.solve,))
def solved_at_once(m: Match, op: core.Call) -> Value | None:
    """np.linalg.solve(a, x) + np.linalg.solve(a, y) → np.linalg.solve(a, x + y)"""
    x, y = (m.only(v, (np.linalg.solve,)) for v in op.operands)
    if not x or not y or x[0] is not y[0] or not is_of_one_form(x[1].type, y[1].type):
        return None
    return m.call(np.linalg.solve, x[0], m.call(op.fn, x[1], y[1]))


def _outward(m: Match, op: core.Op, again: Callable[[Value], Value], k: int = 0) -> Value | None:
    """The result of an operation that is linear in operand `k`, without its factor, times that."""
    x = op.operands[k]
    if not is_array(x):
        return None
    if inner := m.only(x, NEG):
        return m.call(operator.neg, again(_of_shape(inner[0], x)))
    inner = m.only(x, MUL)
    c = number(inner[0]) if inner else None
    if not inner or not c or not math.isfinite(c) or inner[1].type.dtype != x.type.dtype:  # type: ignore[union-attr]
        return None
    return m.call(operator.mul, inner[0], again(_of_shape(inner[1], x)))


def _of_shape(v: Value, x: Value) -> Value:
    """`v`, which has the shape of `x`: it is known to have what is known of that."""
    if isinstance(v.owner, core.Op) and v.owner.order:
        v.type = x.type
    return v


def _again(m: Match, op: core.Call, x: Value) -> Value:
    kwargs = dict(zip(op.keywords, op.operands[len(op.args) :], strict=True))
    return m.builder.call_op(op.fn, [x, *op.args[1:]], kwargs, member=op.member).result


@pattern(*MUL, of=MUL)
def factor_inward(m: Match, op: core.Call) -> Value | None:
    """c * (a * b) → (c * a) * b where a has fewer elements than the product, and b has not"""
    c, y = op.operands
    inner = m.only(y, MUL) if number(c) is not None else None
    k = smaller_factor(y.owner) if inner else None
    if not inner or k is None:
        return None
    pair = list(inner)
    pair[k] = m.call(operator.mul, c, pair[k])
    return m.call(operator.mul, *pair)


@pattern(np.reshape, of=(np.sum,))
def kept_for_nobody(m: Match, op: core.Call) -> Value | None:
    """np.sum(x, axis=1, keepdims=True).reshape(…) → np.sum(x, axis=1) where that has the shape"""
    total = op.operands[0].owner
    if op.keywords or not isinstance(total, core.Call) or not m.alone(total.result):
        return None
    kwargs = total.kwargs
    if not total.order or set(kwargs) != _OPTIONS or len(total.args) != 1:
        return None
    axes = core.constant(kwargs["axis"])
    if core.constant(kwargs["keepdims"]) is not True or not isinstance(axes, int | tuple):
        return None
    if not _is_without(op.result.type, total.result.type, np.atleast_1d(axes)):
        return None
    return m.builder.call_op(
        np.sum, total.args, {"axis": kwargs["axis"]}, member=total.member
    ).result


def _is_without(t: Any, of: Any, axes: Any) -> bool:
    """Whether an array of as many elements as one of type `of` has its shape without these axes."""
    kept = [n for k, n in enumerate(of.shape) if k not in axes % of.rank]
    return len(kept) == t.rank and sum(n != s for n, s in zip(kept, t.shape)) <= 1
