"""Which values may be infinite or NaN where the arguments of a function are finite numbers.

A function is *tame* if it and its derivatives of all orders are finite at finite arguments, short
of an overflow in sums and products: tanh and sin are, sqrt, log and exp are not. What is made of
the parameters by tame functions alone is finite.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.core import Op, Value
from adcompile.ir.types import SAVED, Array, Scalar, Type
from adcompile.rules.registry import ALIASES, lookup

_TAME = {
    *(np.add, np.subtract, np.multiply, np.negative, np.positive, np.absolute, np.fabs, np.square),
    *(np.sin, np.cos, np.tanh, np.arctan, np.sinc, np.arcsinh, math.erf, math.erfc, np.real),
    *(np.maximum, np.minimum, np.fmax, np.fmin, np.clip, np.logaddexp, np.logaddexp2),
    *(np.deg2rad, np.rad2deg, np.where, np.max, np.min, np.ptp, np.prod, np.var, np.sort),
    *(np.take, np.take_along_axis, np.repeat, np.split, np.array_split, np.pad, np.linspace),
    *(np.arange, np.modf, builtins.max, builtins.min),
}
# Of scipy.special, which may not be there.
_SPECIAL = {"expit", "erf", "erfc", "ndtr", "logsumexp", "softmax", "log_softmax", "sinc"}
_SOLVERS = {np.linalg.solve}  # linear in an argument, but not for any other


def canonical(fn: Any) -> Any:
    """The function whose rule `fn` shares."""
    try:
        return ALIASES.get(fn, fn)
    except TypeError:  # an unhashable callable
        return fn


def is_exact(t: Type) -> bool:
    """Whether a value of type `t` is no float: nothing of it is infinite."""
    return t.dtype.kind in "biu" if isinstance(t, Array) else not _holds_floats(t)


def _holds_floats(t: Type) -> bool:
    return not isinstance(t, Scalar) or t.kind in ("float", "complex")


def keeps_finite(op: Op) -> bool:
    """Whether the results of `op` are finite where its operands are."""
    match op:
        case core.Const(value=value):
            return not isinstance(value, float | np.floating) or bool(np.isfinite(value))
        case core.Invoke():
            return False
        case core.Unpack(operands=[tree]):  # what was saved is as it may be
            return tree.type != SAVED
        case core.Call():
            return all(is_exact(r.type) for r in op.results) or _is_tame(op)
    return True


def raises_instead(op: Op) -> bool:
    """Whether `op` is of Python's own arithmetic, which knows no pole: it raises an error there."""
    if not isinstance(op, core.Call) or not all(isinstance(r.type, Scalar) for r in op.results):
        return False
    return isinstance(canonical(op.fn), np.ufunc)


def _is_tame(op: core.Call) -> bool:
    fn = canonical(op.fn)
    if fn is np.divide:
        return is_nonzero(op.args[1])
    if fn in (np.power, np.float_power):
        n = core.constant(op.args[1])
        return isinstance(n, int | float) and n >= 0 and n == int(n)
    rules = lookup(fn)
    if rules is None or fn in _SOLVERS:
        return False
    special = isinstance(fn, np.ufunc) or (fn.__module__ or "").startswith("scipy.special")
    return fn in _TAME or rules.zero or bool(rules.linear) or (special and fn.__name__ in _SPECIAL)


def is_nonzero(v: Value) -> bool:
    """Whether `v` is surely not 0: a constant, a size, `x + (x == 0)`, a number of ties."""
    c = core.constant(v)
    if isinstance(c, int | float | np.number):
        return bool(c != 0)
    if isinstance(v.type, Scalar) and v.type.size is not None:
        return True
    op = v.owner
    if not isinstance(op, core.Call):
        return False
    fn = canonical(op.fn)
    if fn is np.multiply:
        return all(map(is_nonzero, op.args))
    if fn is np.add:
        x, y = op.args
        pair = _equated(y)
        where_zero = pair is not None and pair[0] is x and core.constant(pair[1]) == 0
        return where_zero or _counts_ties(v)
    return op.fn in (len, np.size) or (fn is np.sum and _counts_ties(v))


def _counts_ties(v: Value) -> bool:
    """Whether `v` counts what is equal to the extremum of all that is compared.

    It is zero for NaN alone, and then nothing is chosen.
    """
    op = v.owner
    if isinstance(op, core.Call) and canonical(op.fn) is np.sum:
        pair = _equated(op.args[0])
        most = None if pair is None else _unspread(pair[1]).owner
        if pair is None or not isinstance(most, core.Call) or canonical(most.fn) is not np.max:
            return False
        axis = _axis(op)
        return most.args[0] is pair[0] and axis is not core.MISSING and axis == _axis(most)
    tied, extrema, work = set(), set(), [v]
    while work:
        v = work.pop()
        pair, op = _equated(v), v.owner
        if pair is not None:
            tied.add(pair[0])
            extrema.add(pair[1])
        elif isinstance(op, core.Call) and canonical(op.fn) is np.add:
            work += op.args
        elif core.constant(v) != 0:
            return False
    most = extrema.pop().owner if len(extrema) == 1 else None
    if not isinstance(most, core.Call) or canonical(most.fn) is not builtins.max:
        return False
    return tied == set(most.args)


def _axis(op: core.Call) -> Any:
    """The axis that a reduction goes over, MISSING if that is no constant."""
    given = op.args[1] if len(op.args) > 1 else op.kwargs.get("axis")
    return None if given is None else core.constant(given)


def _equated(v: Value) -> Sequence[Value] | None:
    """The two values that `v` compares for equality."""
    op = v.owner
    return op.args if isinstance(op, core.Call) and canonical(op.fn) is np.equal else None


def _unspread(v: Value) -> Value:
    """The result of a reduction whose axes `v` has put back."""
    op = v.owner
    if isinstance(op, core.Index) and is_whole(op):
        return op.operands[0]
    return op.args[0] if isinstance(op, core.Call) and op.fn is np.expand_dims else v


def is_whole(op: core.Index) -> bool:
    """Whether all is read, under a shape with more axes, perhaps."""
    return all(e is None or e is Ellipsis or e == core.Slice() for e in op.spec)


def finite(p: Value, known: Callable[[Value], bool | None]) -> bool:
    """Whether `p` is surely finite; `known` tells of values of the program, None of all others."""
    work, seen = [p], {p}
    while work:
        v = work.pop()
        answer = True if is_exact(v.type) else known(v)
        if answer is None:
            op = v.owner
            if not isinstance(op, Op) or op.blocks or not keeps_finite(op):
                return False
            new = [x for x in op.operands if x not in seen]
            seen.update(new)
            work.extend(new)
        elif not answer:
            return False
    return True
