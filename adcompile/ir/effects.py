"""What ops may do besides computing: raise exceptions, have effects."""

from __future__ import annotations

import operator
from types import BuiltinFunctionType

from adcompile.ir.core import (
    Append,
    Assert,
    Block,
    Call,
    Const,
    Global,
    Invoke,
    Item,
    Make,
    NewSeq,
    Op,
    Raise,
    Scope,
    Undef,
    Unpack,
    Write,
    Yield,
    all_ops,
)
from adcompile.ir.types import Scalar

# What computes nothing that could go wrong, and what could not with Python's numbers.
_SAFE = (Const, Global, Undef, Make, Item, Unpack, NewSeq, Append, Yield)
_TOTAL = {
    *(operator.add, operator.sub, operator.mul, operator.neg, operator.pos, operator.not_),
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
}


def may_raise(op: Op) -> bool:
    """Whether `op`, or anything inside it, may raise an exception."""
    if isinstance(op, Call) and isinstance(op.fn, BuiltinFunctionType) and op.fn in _TOTAL:
        return not all(isinstance(v.type, Scalar) and v.type.kind != "complex" for v in op.operands)
    return not isinstance(op, _SAFE)


def raises(block: Block) -> bool:
    """Whether `block` raises an exception of the program's own, so that it has no end."""
    return any(isinstance(op, Raise) for op in block.ops)


_ACTING = {Assert, Raise, Write}


def acts(op: Op) -> bool:
    """Whether `op` itself has an effect."""
    return op.effect if isinstance(op, Call | Scope) else type(op) in _ACTING


def has_effect(op: Op) -> bool:
    """Whether `op`, or anything inside it or that it invokes, must be kept, in order, once."""
    work, invoked = [op], set()
    while work:
        op = work.pop()
        if acts(op):
            return True
        work.extend(inner for block in op.blocks for inner in block.ops)
        if isinstance(op, Invoke) and op.callee not in invoked:
            invoked.add(op.callee)
            work.extend(all_ops(op.callee))
    return False
