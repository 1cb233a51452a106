"""The types of results, with symbolic shapes.

Dtypes and kinds come from running the real function on samples (`samples`), shapes from a table
with one entry for each function, a file a family (`table`). What is in no table is `Opaque`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.ir.core import Value
from adcompile.ir.infer import creation, elements, joining, layout, linalg, python, reductions
from adcompile.ir.infer.elementwise import conversion, ufunc
from adcompile.ir.infer.index import index_kind, infer_index
from adcompile.ir.infer.table import ENTRIES, Infer
from adcompile.ir.infer.values import NeedValue, infer_constant, is_undefined, known
from adcompile.ir.types import UNDEFINED, Opaque, Type

__all__ = [
    "NeedValue",
    "index_kind",
    "infer_call",
    "infer_constant",
    "infer_index",
    "is_known",
    "known",
]

_FAMILIES = (
    creation,
    elements,
    joining,
    layout,
    linalg,
    python,
    reductions,
)  # importing them fills the table


def infer_call(
    fn: Callable[..., Any], operands: list[Value], kwargs: dict[str, Value]
) -> Type | tuple[Type, ...]:
    """The type of `fn(*operands, **kwargs)`: a tuple for a function with several results.

    An operand of undefined type makes the result undefined. Raises TypeClash where the call would
    fail, NeedValue where the type depends on the value of an operand.
    """
    found = _entry(fn)
    if found is None:
        return Opaque(object)
    given = [*operands, *kwargs.values()]
    if any(is_undefined(v.type) for v in given):
        return UNDEFINED
    return found(fn, operands, kwargs)


def is_known(fn: Callable[..., Any]) -> bool:
    """Whether there is anything to tell of what `fn` returns."""
    return _entry(fn) is not None


def _entry(fn: Callable[..., Any]) -> Infer | None:
    try:
        found = ENTRIES.get(fn)
    except TypeError:  # a callable that cannot be hashed
        return None
    if found is not None:
        return found
    if isinstance(fn, np.ufunc):
        return ufunc if fn.signature is None else None
    if isinstance(fn, type) and issubclass(fn, np.number | np.bool):
        return conversion
    if isinstance(getattr(fn, "__self__", None), np.ufunc):
        return reductions.UFUNC_METHODS.get(fn.__name__)
    module = getattr(fn, "__module__", None) or ""
    if module.startswith("scipy.special"):
        return reductions.SPECIAL.get(getattr(fn, "__name__", ""))
    if module == "math":
        return python.numeric
    return None
