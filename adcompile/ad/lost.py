"""Values that one arm of a branch alone defines, for whoever takes the same way later on."""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.types import BOOL


def is_lost(v: Value, condition: Value, k: int) -> bool:
    """Whether `v` is undefined in the `k`-th arm of a branch on `condition`.

    Such a value comes out of one arm of a branch, for that of a backward sweep to read. Where the
    branch stands in an arm of another one, so does its condition.
    """
    known = core.constant(condition)
    if isinstance(known, bool) and known == bool(k):
        return True  # a way that is never taken
    op = v.owner
    if isinstance(op, core.Unpack):
        primal = condition.owner  # of the tangents of what was saved, the condition is in another
        if not isinstance(primal, core.Unpack) or primal.lost != op.lost:
            return False
        return (op.results.index(v), primal.results.index(condition), k) in op.lost
    if not isinstance(op, core.If | core.Try):
        return isinstance(op, core.Undef)
    found = [block.yields[op.results.index(v)] for block in op.blocks]
    if condition is op.operands[0] if isinstance(op, core.If) else _is_done(op, condition):
        return isinstance(found[k].owner, core.Undef)
    if condition.owner is not op:
        return False
    conditions = [block.yields[op.results.index(condition)] for block in op.blocks]
    pairs = zip(found, conditions, strict=True)
    return all(is_lost(y, c, k) for y, c in pairs if not isinstance(c.owner, core.Undef))


def lost_among(values: Sequence[Value]) -> frozenset[tuple[int, int, int]]:
    """`Unpack.lost` for `values` that are saved together."""
    conditions = [j for j, c in enumerate(values) if c.type == BOOL]
    return frozenset(
        (i, j, k)
        for i, v in enumerate(values)
        for j in conditions
        for k in (0, 1)
        if v is not values[j] and is_lost(v, values[j], k)
    )


def _is_done(op: core.Try, condition: Value) -> bool:
    """Whether `condition` is the result of `op` that says whether its body came to its end."""
    return condition.owner is op and says_done(op, op.results.index(condition))


def says_done(op: core.Try, k: int) -> bool:
    """Whether the `k`-th result of `op` is whether its body came to its end."""
    return core.constant(op.body.yields[k]) is True and core.constant(op.handler.yields[k]) is False
