"""What batching rules share: arguments by name, and axes counted with that of the directions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from adcompile.ad.batch.values import Dense, Rep, extents
from adcompile.ad.batch.walk import Batch
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Value
from adcompile.ir.infer import known, values


def bound(s: Batch, op: core.Call, names: str, batched: str = "") -> dict[str, Value] | None:
    """The operands by the names of the function's parameters.

    None where there are others, or where another than `batched` (the first) depends on directions.
    """
    order = names.split()
    if len(op.args) > len(order) or not set(op.keywords) <= set(order):
        return None
    found = dict(zip(order, op.args)) | op.kwargs
    allowed = batched.split() or order[:1]
    if any(s.is_batched(v) and name not in allowed for name, v in found.items()):
        return None
    return found


def known_axis(v: Value | None, default: Any = None) -> Any:
    """An axis, a tuple of axes or None, as a number (MISSING if it is not known)."""
    found = default if v is None else known(v)
    return tuple(found) if isinstance(found, list) else found


def shifted(axis: Any, rank: int) -> Any:
    """`axis` of an array of this rank, once the directions are in front; None is all axes."""
    if axis is None:
        return 1 if rank == 1 else tuple(range(1, rank + 1))
    if isinstance(axis, tuple):
        return tuple([shifted(k, rank) for k in axis])
    axis = operator.index(axis)
    return axis + 1 if axis >= 0 else axis


def rank_of(v: Value) -> int:
    return values.array_of(v).rank


def product(b: Builder, sizes: Sequence[Value]) -> Value:
    return reduce(b.mul, sizes) if sizes else b.const(1)


def total_size(b: Builder, d: Value) -> Value:
    """How many elements `d` has in each direction."""
    return product(b, extents(b, d, 1))


def items_of(b: Builder, v: Value) -> list[Value]:
    """The numbers in a shape or the like: of a tuple, or one alone."""
    inner = values.parts(v)
    if inner is None:
        return [v]
    return [x if x.owner is not None else b.item(v, k) for k, x in enumerate(inner)]


def again(
    s: Batch,
    op: core.Call,
    args: Sequence[Any],
    named: dict[str, Any] | None = None,
    fn: Callable[..., Any] | None = None,
) -> Rep:
    """The call of `op` with other arguments, as the batch of its result."""
    kept = op.member if fn is None else None
    made = s.b.call_op(fn or op.fn, args, named, member=kept).result
    return Dense(s.fit(made, op.result))
