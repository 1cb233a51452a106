"""The pattern table of `simplify`: which rewrites are tried for which ops, and what they see.

A pattern is a function `(m: Match, op) -> Value | None` that gives the value to be used instead of
the op's result (several values for several results). It makes new ops with `m`, and is registered
for the callables, or kinds of op, that it looks at; `of=` says what must have made one of the
operands, so that a pattern is only tried where it has a chance.
"""

from __future__ import annotations

import cmath
import operator
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Op, Value, is_quoted
from adcompile.ir.types import FLOAT, Array, Scalar, Size

Replacement = Value | Sequence[Value] | None
Pattern = Callable[["Match", Any], Replacement]

# What an operand is of: the callable or the kind of op that made it.
SAME = "the same operand twice"
CONST = core.Const


@dataclass(frozen=True, slots=True)
class _Row:
    pattern: Pattern
    of: frozenset[Hashable] | None  # None: whatever the operands are


TABLE: dict[Hashable, list[_Row]] = {}
_looked_for: set[Hashable] = set()  # the `of` of all rows
_fitting: dict[Hashable, tuple[Pattern, ...]] = {}  # what `fitting` has found before

# What an operator is called; `np.add` and the like do the same on arrays.
ADD = (operator.add, np.add)
SUB = (operator.sub, np.subtract)
MUL = (operator.mul, np.multiply)
DIV = (operator.truediv, np.divide)
NEG = (operator.neg, np.negative)
POW = (operator.pow, np.power)
MATMUL = (operator.matmul, np.matmul)
ARITHMETIC = (*ADD, *SUB, *MUL, *DIV, *NEG, *POW)


def pattern(
    *targets: Hashable, of: Sequence[Hashable] | None = None
) -> Callable[[Pattern], Pattern]:
    """Register a pattern for callables (of a `Call`) or classes of ops.

    With `of` it is tried if any operand was made by one of these, or is `SAME` as the other.
    """

    def register(found: Pattern) -> Pattern:
        row = _Row(found, None if of is None else frozenset(of))
        _looked_for.update(row.of or ())
        for target in targets:
            TABLE.setdefault(target, []).append(row)
        return found

    return register


def fitting(op: Op) -> tuple[Pattern, ...]:
    """The patterns for `op` that its operands give a chance, in the order of the table."""
    key = op.fn if isinstance(op, core.Call) else type(op)
    try:
        rows = TABLE.get(key)
    except TypeError:  # a callable that cannot be hashed
        return ()
    if rows is None:
        return ()
    operands = op.operands
    twice = len(operands) == 2 and operands[0] is operands[1]
    form = (key, twice, *map(_maker, operands))
    found = _fitting.get(form)
    if found is None:
        kinds = {SAME, *form[2:]} if twice else set(form[2:])
        fits = [r.pattern for r in rows if r.of is None or not kinds.isdisjoint(r.of)]
        found = _fitting[form] = tuple(fits)
    return found


def _maker(v: Value) -> Hashable:
    """What made `v`, as far as any pattern asks for it."""
    owner = v.owner
    if isinstance(owner, core.Const):
        return CONST
    try:
        return owner.fn if isinstance(owner, core.Call) and owner.fn in _looked_for else None
    except TypeError:  # a callable that cannot be hashed
        return None


@dataclass(slots=True)
class Match:
    """What a pattern may look at, and where it makes its ops."""

    builder: Builder
    uses: dict[Value, int]

    def alone(self, v: Value) -> bool:
        """Whether the op at hand is the only one that reads `v`."""
        return self.uses.get(v, 0) == 1

    def parts(self, v: Value, names: tuple[Callable[..., Any], ...]) -> list[Value] | None:
        """The operands of `v` where it is such an operation and may be taken apart.

        What the user wrote and still needs stays whole, and so does a scalar with a name: it has a
        line of its own, and taking it apart would save no more than that.
        """
        op = v.owner
        if not isinstance(op, core.Call) or op.fn not in names or not is_plain(op):
            return None
        scalar = is_scalar(v)
        if (scalar or op.order == 0) and not self.alone(v):
            return None
        if is_quoted(op):
            return None
        return None if scalar and v.name else op.operands

    def only(self, v: Value, names: tuple[Callable[..., Any], ...]) -> list[Value] | None:
        """Like `parts`, where nobody else reads `v`: it vanishes when it is taken apart."""
        return self.parts(v, names) if self.uses.get(v) == 1 else None

    def call(self, fn: Callable[..., Any], *args: Any) -> Value:
        return self.builder.call(fn, *args)

    def number(self, value: Any, like: Value) -> Value:
        """A constant to compute with `like`: a float where `like` is one."""
        if type(value) is int and is_float(like) and abs(value) < 2**53:
            value = float(value)
        return self.builder.const(value)


def is_plain(op: core.Call) -> bool:
    """Whether `op` is an operation on its operands, without options."""
    return not op.keywords and not op.effect and len(op.results) == 1 and len(op.operands) <= 2


def is_scalar(v: Value) -> bool:
    """Whether `v` is one number (of Python or NumPy)."""
    return isinstance(v.type, Scalar) or (isinstance(v.type, Array) and not v.type.shape)


def is_array(v: Value) -> bool:
    return isinstance(v.type, Array) and bool(v.type.shape)


def is_stretched(v: Value, shape: tuple[Size, ...]) -> bool:
    """Whether the array `v` is known to be broadcast to this shape: to work on it costs less."""
    own = v.type.shape  # type: ignore[union-attr]
    rest = shape[len(shape) - len(own) :]
    return len(own) < len(shape) or any(n == 1 and s != 1 for n, s in zip(own, rest))


def is_float(v: Value) -> bool:
    t = v.type
    return t.dtype.kind == "f" if isinstance(t, Array) else t == FLOAT


def is_number(v: Value, value: int) -> bool:
    """Whether `v` is this very number, of any Python kind but bool."""
    c = core.constant(v)
    return type(c) in (int, float) and c == value


def number(v: Value) -> Any:
    """The number that `v` is, or None; one that the user named stays a name."""
    c = core.constant(v)
    return c if type(c) in (int, float) and v.name is None else None


def tidy(result: Any, *parts: Any) -> bool:
    """Whether a folded constant reads as well as what it was computed from (`1 / 3` does not)."""
    if isinstance(result, complex | float) and not cmath.isfinite(result):
        return False
    if type(result) is int and result.bit_length() > 62:
        return False
    return len(repr(result)) <= sum(len(repr(p)) for p in parts) + 3
