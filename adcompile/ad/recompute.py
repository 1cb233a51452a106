"""What the backward sweep had better compute again than save, and from what.

Scalars, views and sizes cost next to nothing. What is the same in every iteration of a loop is
computed once, however often the loop has made it. An array that is written later is not there any
more: what was read of it, an element or a part, is saved itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Slice, Value
from adcompile.ir.identities import Alias
from adcompile.ir.types import Array, Scalar, Tree, Type, is_many

# Whatever the layout of the array, these are views of it.
_VIEWS = (np.transpose, np.swapaxes, np.moveaxis, np.expand_dims)
SHAPE_QUERIES = (np.shape, np.size, np.ndim, len)
CHEAP_LIMIT = 8  # ops that recomputing one value may take
# One pass over an array at most: cheaper again than kept, if the array itself is kept anyway.
_OFFSETS = (operator.add, operator.sub, operator.neg, np.add, np.subtract, np.negative)
_ARITHMETIC = (*_OFFSETS, operator.mul, operator.truediv, np.multiply, np.divide)


def is_cheap(op: Op) -> bool:
    """Whether recomputing `op` costs next to nothing: scalars, views, sizes."""
    match op:
        case core.Const() | core.Global() | core.Item() | core.Unpack() | Alias():
            return True
        case core.Index(spec=spec):
            views = all(entry != "value" for entry in spec) or is_scalar(op.result.type)
            return views or _rows(op)
        case core.Call(effect=False) if op.fn in _OFFSETS:
            return any(is_scalar(x.type) for x in op.operands) or len(op.operands) == 1
        case core.Call(effect=False) if op.fn in SHAPE_QUERIES or op.fn in _VIEWS:
            return True
        case core.Make() | core.Call(effect=False):
            given = all(is_scalar(x.type) or isinstance(x.owner, core.Const) for x in op.operands)
            return given and all(is_scalar(r.type) for r in op.results)
        case _:
            return False


def is_arithmetic(op: Op) -> bool:
    """Whether `op` is one pass over arrays, worth its memory if it is done once for all."""
    return isinstance(op, core.Call) and op.fn in _ARITHMETIC and not op.keywords


def is_slice(op: core.Index) -> bool:
    """Whether `op` is a part of an array by slices alone, which cannot fail."""
    steps = [e.step for e in op.spec if isinstance(e, Slice)]
    return isinstance(op.operands[0].type, Array) and "value" not in op.spec and not any(steps)


def _rows(op: core.Index) -> bool:
    """A view by integers: `xs[i]`."""
    return all(is_scalar(i.type) for i in op.operands[1:])


def is_scalar(t: Type) -> bool:
    if isinstance(t, Tree):
        return all(map(is_scalar, t.items))
    return isinstance(t, Scalar) or (isinstance(t, Array) and t.rank == 0)


def overwritten(fn: Function) -> set[Value]:
    """The values whose memory a later write goes to, in their block, an inner or an outer one."""
    before: dict[Value, list[Value]] = {}  # whose memory a value may come to have
    found: set[Value] = set()
    for op in core.walk(fn.block):
        if isinstance(op, core.Update):
            found.add(op.operands[0])
        elif isinstance(op, Alias):
            before.setdefault(op.result, []).append(op.operands[0])
        elif isinstance(op, core.For | core.While):
            params = [op.carried, *([op.cond.params] if isinstance(op, core.While) else [])]
            for p, init, y in (t for ps in params for t in zip(ps, op.inits, op.body.yields)):
                before.setdefault(p, []).extend((init, y))
        else:
            for block in op.blocks:
                for r, y in zip(op.results, block.yields):
                    before.setdefault(r, []).append(y)
    work = list(found)
    while work:
        for v in before.get(work.pop(), ()):
            if v not in found:
                found.add(v)
                work.append(v)
    return found


def reads_overwritten(op: Op, written: set[Value]) -> bool:
    """Whether `op` would read an array that is written later."""
    if isinstance(op, core.Index):
        return op.operands[0] in written
    queries = isinstance(op, core.Call) and op.fn in SHAPE_QUERIES
    return isinstance(op, core.Call) and not queries and not written.isdisjoint(op.operands)


# --- shapes -------------------------------------------------------------------------------------

_MOST_STEPS = 16


def alike(v: Value, around: Callable[[Value], Any]) -> tuple[Value, core.Index | None]:
    """An array from before all loops that has the shape of `v`, or whose part by `Index` has it.

    `around` gives the op and block around the block of a value, None for the function's own. The
    first result is `v` itself where there is none.
    """
    work = [v]
    for x in work:  # grows while it is walked
        if len(work) > _MOST_STEPS:
            break
        if not (isinstance(x.type, Array) and isinstance(v.type, Array)):
            break
        first = _at_first(x, around)
        if first is not None:
            return first, None
        op = x.owner
        if isinstance(op, core.Index) and is_slice(op):
            first = _at_first(op.operands[0], around)
            if first is not None and all(isinstance(o.owner, core.Const) for o in op.operands[1:]):
                return first, op
        if isinstance(op, core.Call) and is_arithmetic(op):
            work += [o for o in op.operands if _is_stretched_by_none(o.type, v.type)]
    return v, None


def _is_stretched_by_none(t: Type, result: Type) -> bool:
    """Whether an operand of elementwise arithmetic surely has the shape of the result."""
    if not (isinstance(t, Array) and isinstance(result, Array)) or t.rank != result.rank:
        return False
    return all(a == b or is_many(a) for a, b in zip(t.shape, result.shape, strict=True))


def _at_first(x: Value, around: Callable[[Value], Any]) -> Value | None:
    """What the array `x` was before all loops, if it has kept its shape."""
    for _ in range(_MOST_STEPS):
        outside = around(x)
        if outside is None:
            return x
        op = x.owner
        if isinstance(op, core.Update):
            before = op.operands[0]
        elif isinstance(op, Block) and isinstance(outside[0], core.For | core.While):
            loop = outside[0]
            if x not in loop.carried:
                return None
            before = loop.inits[loop.carried.index(x)]
        elif isinstance(op, core.For | core.While):
            before = op.inits[op.results.index(x)]
        else:
            return None
        if before.type != x.type:
            return None
        x = before
    return None
