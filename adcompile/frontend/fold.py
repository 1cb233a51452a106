"""Computing at compile time what is known at compile time.

A number that the compiler found out (a rank, the length of a tuple, a default argument) is `Known`,
and what is computed from it is too. A number that the user wrote stays an op, so that `2 * 3` comes
back as it was written; its value is remembered all the same, for where a type depends on it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.classes import is_hashable
from adcompile.frontend.context import Context
from adcompile.frontend.operands import Known, Operand
from adcompile.frontend.wanted import ARITHMETIC
from adcompile.ir.core import MISSING
from adcompile.ir.types import scalar_kind

BIGGEST = 1 << 16  # bits or characters of a folded result

# Functions of static objects that give static objects and have no effect.
PURE: set[Any] = {
    np.dtype,
    np.finfo,
    np.iinfo,
    np.issubdtype,
    np.promote_types,
    np.result_type,
    chr,
    divmod,
    getattr,
    hasattr,
    id,
    issubclass,
    ord,
    slice,
    type,
}


def numbers(cx: Context, fn: Callable[..., Any], *args: Operand) -> Any:
    """`fn(*args)`: Known where it replaces the op, its bare value where the op is to be kept."""
    found = [cx.known(a) for a in args]
    if MISSING in found:
        return MISSING
    if not all(map(_is_plain, found)):
        return MISSING
    if _too_big(fn, found):
        return MISSING
    try:
        result = fn(*found)
    except Exception:  # the program fails here too, if it comes here
        return MISSING
    if not _is_plain(result):
        return MISSING
    return Known(result) if any(isinstance(a, Known) for a in args) else result


def _is_plain(x: Any) -> bool:
    return scalar_kind(x) is not None or isinstance(x, str | np.integer | np.bool_)


def _too_big(fn: Callable[..., Any], found: list[Any]) -> bool:
    if fn in (operator.pow, pow, operator.lshift):
        base, exponent = found[0], found[1]
        if isinstance(base, int) and isinstance(exponent, int):
            return exponent > BIGGEST or base.bit_length() * max(exponent, 1) > BIGGEST
    if fn is operator.mul and any(isinstance(x, str) for x in found):
        return any(isinstance(x, int) and x > BIGGEST for x in found)
    return False


def integer(cx: Context, fn: Any, args: list[Operand], kwargs: dict[str, Operand]) -> Any:
    """Like `numbers`, for the integers that a function such as `abs` or `math.floor` gives."""
    if kwargs or not is_hashable(fn) or fn not in ARITHMETIC:
        return MISSING
    found = numbers(cx, fn, *args)
    value = found.value if isinstance(found, Known) else found
    return found if isinstance(value, int) else MISSING


def call(cx: Context, fn: Any, args: list[Operand], kwargs: dict[str, Operand]) -> Operand | None:
    """`fn(*args, **kwargs)` where it is pure and everything is known."""
    try:
        pure = fn in PURE
    except TypeError:
        return None
    owner = getattr(fn, "__self__", None)
    if not pure and not isinstance(owner, str | np.dtype | frozenset | type(None)):
        return None
    if not pure and owner is None:
        return None
    found = [cx.known(a) for a in args]
    named = {k: cx.known(v) for k, v in kwargs.items()}
    if any(x is MISSING for x in (*found, *named.values())):
        return None
    try:
        return Known(fn(*found, **named))
    except Exception:  # the program fails here too, if it comes here
        return None
