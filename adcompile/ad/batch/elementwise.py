"""Batching rules of elementwise functions: lower ranks get axes after that of the directions."""

from __future__ import annotations

import builtins
import operator

import numpy as np

from adcompile.ad.batch.table import RULES, batches
from adcompile.ad.batch.values import Dense, Rep
from adcompile.ad.batch.walk import Batch, cast
from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.infer import values
from adcompile.ir.types import Array, Scalar, Type
from adcompile.runtime import MASKED

_OPERATORS = (
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod),
    *(operator.pow, operator.neg, operator.pos, operator.abs, operator.invert, operator.and_),
    *(operator.or_, operator.xor, operator.lshift, operator.rshift, operator.lt, operator.le),
    *(operator.eq, operator.ne, operator.gt, operator.ge),
)
_OTHERS = (
    *(builtins.abs, builtins.pow, np.where, np.clip, np.real, np.imag, np.real_if_close, np.angle),
    *(np.nan_to_num, np.sinc, np.i0, np.fix, np.round, np.around, np.isclose, np.isposinf),
    *(np.isneginf, np.isreal, np.iscomplex, *MASKED),
)


def elementwise(s: Batch, op: core.Call) -> Rep | None:
    """The same call, on operands that are aligned."""
    t = op.result.type
    fits = isinstance(t, Array | Scalar) and all(map(_is_array, op.operands))
    if len(op.results) != 1 or not fits:
        return None
    ranks = [values.array_of(v).rank for v in op.operands if s.is_batched(v)]
    last = any(s.is_last(v) for v in op.operands) and max(ranks) == values.as_array(t).rank
    operands = [_aligned(s, v, t, last) for v in op.operands]
    plain = len(op.args)
    named = dict(zip(op.keywords, operands[plain:], strict=True))
    made = s.b.call_op(op.fn, operands[:plain], named, member=op.member).result
    return Dense(s.fit_last(made, op.result) if last else s.fit(made, op.result), last)


def _is_array(v: Value) -> bool:
    return isinstance(v.type, Array | Scalar) or core.constant(v) is not core.MISSING


def _aligned(s: Batch, v: Value, result: Type, last: bool) -> Value:
    """An operand; a Python number, which is weak, in the dtype of the result."""
    d = s.aligned_last(v) if last else s.aligned(v, values.as_array(result).rank)
    if s.is_batched(v) and isinstance(v.type, Scalar) and isinstance(result, Array):
        wide = result.dtype.kind == "f" and result.dtype != np.float64
        return cast(s.b, d, result) if wide else d
    return d


RULES.update(dict.fromkeys((*_OPERATORS, *_OTHERS, np.add), elementwise))


@batches(np.float64, np.float32)
def conversion(s: Batch, op: core.Call) -> Rep | None:
    """Of numbers: an array of such numbers."""
    return Dense(s.fit(s.dense(op.operands[0]), op.result)) if len(op.operands) == 1 else None


@batches(float, np.ndarray.item)
def _number(s: Batch, op: core.Call) -> Rep | None:
    """Python floats become elements of an array of float64."""
    (v,) = op.operands
    d = s.dense(v)
    rank = values.array_of(v).rank
    if rank:  # an array of one element
        d = s.b.call(np.reshape, d, -1)
    return Dense(s.fit(d, op.result))


@batches(np.astype, np.ndarray.astype)
def _astype(s: Batch, op: core.Call) -> Rep | None:
    assert isinstance(op.result.type, Array)
    x, *rest = op.args
    kwargs = op.kwargs
    made = s.b.call_op(op.fn, [s.dense(x), *rest], kwargs, member=op.member)
    return Dense(s.fit(made.result, op.result))


@batches(np.copy, np.ndarray.copy, np.ascontiguousarray)
def _copy(s: Batch, op: core.Call) -> Rep | None:
    x, *rest = op.args
    made = s.b.call_op(op.fn, [s.dense(x), *rest], op.kwargs, member=op.member)
    return Dense(s.fit(made.result, op.result))
