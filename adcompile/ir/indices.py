"""Whether an index of arrays of integers may name one element twice.

If so, `x[i] += v` keeps the last sum, and what is read of an element twice adds up behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.types import Array, Seq, Tree, Type

# Their results name no element twice: one of them alone, and all of them together.
_DISTINCT = (np.arange, np.flatnonzero, np.argsort, np.diag_indices)
_TOGETHER = (np.nonzero, np.tril_indices, np.triu_indices)


def is_integers(t: Type) -> bool:
    return isinstance(t, Tree | Seq) or (
        isinstance(t, Array) and t.rank > 0 and t.dtype.kind in "iu"
    )


def may_repeat(at: Sequence[Value]) -> bool:
    """Whether an index may name one element twice: an array or list of integers does."""
    found = {v for v in at if is_integers(v.type)}
    shapes = {v.type.shape if isinstance(v.type, Array) else () for v in found}
    if not found or len(shapes) > 1 or len(*shapes) != 1:  # vectors of one size are not stretched
        return bool(found)
    if any(map(_is_distinct, found)):
        return False
    ops = {v.owner for v in found if isinstance(v.owner, core.Call) and v.owner.fn in _TOGETHER}
    return not any(found.issuperset(op.results) for op in ops)


def _is_distinct(v: Value) -> bool:
    op = v.owner
    if not isinstance(op, core.Call) or op.fn not in _DISTINCT:
        return False
    return op.fn is not np.arange or len(op.operands) == 1  # or from a negative number, perhaps
