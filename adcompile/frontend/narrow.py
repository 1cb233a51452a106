"""Keeping the bodies of rules in the precision of the program that they are used in.

Rules are written without dtypes. In a program of float32 a call may come to float64 though nothing
that goes in is: a Python number times a mask, a function of NumPy's of a Python number, a count
that divides, an array that is made. While the body of a rule is lowered for such a program, these
are put right where they are emitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import numpy as np

from adcompile.ir.builder import Builder
from adcompile.ir.core import Const, Value
from adcompile.ir.types import Array, Scalar, Seq, Tree, Type

# The dtype of the rule that is lowered now, if it is narrower than float64.
DTYPE: ContextVar[np.dtype | None] = ContextVar("DTYPE", default=None)

_MAKERS = {np.ones, np.zeros, np.empty, np.eye, np.identity, np.tri, np.linspace, np.full}


def dtype_of(types: Iterable[Type]) -> np.dtype | None:
    """The dtype of a rule whose arguments have these types: None where float64 goes in."""
    found = [t.dtype for t in _leaves(types) if isinstance(t, Array) and t.dtype.kind == "f"]
    widest = max(found, key=lambda d: d.itemsize, default=None)
    return widest if widest is not None and widest.itemsize < 8 else None


def _leaves(types: Iterable[Type]) -> Iterable[Type]:
    for t in types:
        if isinstance(t, Tree):
            yield from _leaves(t.items)
        elif isinstance(t, Seq):
            yield from _leaves([t.item])
        else:
            yield t


def is_too_wide(t: object) -> bool:
    """Whether this is the type of a float that should be narrower in the rule at hand."""
    if not isinstance(t, Array) or t.dtype.kind != "f":
        return False
    dtype = DTYPE.get()
    return dtype is not None and t.dtype.itemsize > dtype.itemsize


def narrow(
    b: Builder, fn: Callable[..., Any], operands: list[Value], named: dict[str, Value]
) -> bool:
    """Change the operands so that the call of `fn` keeps the precision of the rule.

    Returns whether it is a function of Python numbers alone: its result is to be one, too.
    """
    dtype = DTYPE.get()
    assert dtype is not None
    if fn in _MAKERS:
        named.setdefault("dtype", b.const(dtype.type))
        return False
    every = [*operands, *named.values()]
    if all(isinstance(v.type, Scalar) for v in every):
        return True
    floats = [v for v in every if isinstance(v.type, Scalar) and v.type.kind == "float"]
    counts = [v for v in every if isinstance(v.type, Array) and v.type.dtype.kind in "iu"]
    new = {v: _as(b, v, dtype) for v in floats or counts}
    operands[:] = [new.get(v, v) for v in operands]
    named.update({k: new[v] for k, v in named.items() if v in new})
    return False


def _as(b: Builder, v: Value, dtype: np.dtype) -> Value:
    if isinstance(v.owner, Const):
        return b.const(dtype.type(v.owner.value))
    if isinstance(v.type, Array) and v.type.rank:
        return b.member(np.astype, "astype()", v, dtype.type)
    return b.call(dtype.type, v)
