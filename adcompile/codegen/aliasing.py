"""Which results may share memory with which values: what writing in place has to know.

Unknown functions may hand back anything they were given.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from adcompile import runtime
from adcompile.codegen.nodes import BINARY, COMPARE, UNARY
from adcompile.ir import core
from adcompile.ir.core import Op, Value
from adcompile.ir.types import Array, Scalar, Static, Tree, Type

_OPERATORS = frozenset([*BINARY, *COMPARE, *UNARY])

# Functions whose results are new, whatever they are given. (Ufuncs are, too.)
_NEW = """
all allclose any append arange argmax argmin argpartition argsort argwhere array_equal around
average bincount choose clip compress concatenate convolve copy corrcoef correlate count_nonzero cov
cross cumprod cumsum cumulative_sum cumulative_prod delete diff digitize dot empty empty_like eye
flatnonzero full full_like geomspace gradient histogram histogram2d hstack identity indices inner
insert interp isclose kron lexsort linspace logspace matvec max mean median meshgrid min nanmax
nanmean nanmin nanprod nanstd nansum nanvar nonzero ones ones_like outer pad percentile prod ptp
quantile repeat roll round searchsorted sinc sort stack std sum take take_along_axis tensordot tile
trace trapezoid tri tril triu unique vander var vdot vecdot vecmat vstack where zeros zeros_like
"""
_NEW_LINALG = """
cholesky cond cross det eig eigh eigvals eigvalsh inv lstsq matmul matrix_norm matrix_power
matrix_rank multi_dot norm outer pinv qr slogdet solve svd svdvals tensordot tensorinv tensorsolve
trace vecdot vector_norm
"""
_NEW_OTHER = (
    list,
    runtime.zeros_like,
    runtime.last_writes,
    abs,
    pow,
    round,
    divmod,
    np.fft.fft,
    np.fft.ifft,
    np.fft.rfft,
    np.fft.irfft,
)

# Of these, results of rank 0 are NumPy scalars, which nothing can change; others may be arrays.
_REDUCTIONS = """
all any argmax argmin count_nonzero dot inner max mean median min nanmax nanmean nanmin nanprod
nanstd nansum nanvar prod ptp std sum trace vdot var vecdot
"""


def _functions(module: Any, names: str) -> list[Callable[..., Any]]:
    return [getattr(module, n) for n in names.split() if hasattr(module, n)]


FRESH = frozenset(
    [*_OPERATORS, *_functions(np, _NEW), *_functions(np.linalg, _NEW_LINALG), *_NEW_OTHER]
)
IMMUTABLE = frozenset(
    [*_OPERATORS, *_functions(np, _REDUCTIONS), np.linalg.norm, np.linalg.det, abs, pow, round]
)

# Of these, functions that hand back what they are given for some values of an argument: how it is
# called, where it stands, what it is if it is not given, and what hands back.
HAND_BACK: dict[Callable[..., Any], tuple[str, int, Any, tuple[Any, ...]]] = {
    np.diff: ("n", 1, 1, (0,)),
    np.linalg.matrix_power: ("n", 1, None, (1,)),
    np.meshgrid: ("copy", 1 << 30, True, (False,)),
}

# Views that can be written through, whatever the layout of their argument.
VIEWS = frozenset(
    _functions(
        np,
        "transpose matrix_transpose swapaxes moveaxis rollaxis squeeze expand_dims flip fliplr"
        " flipud rot90 real atleast_1d atleast_2d atleast_3d",
    )
)


def may_hold_memory(t: Type) -> bool:
    """Whether a value of type `t` can share memory or be changed."""
    if isinstance(t, Tree):
        return any(map(may_hold_memory, t.items))
    return not isinstance(t, (Scalar, Static))


def is_fresh(op: Op, result: Value) -> bool:
    """Whether `result` of `op` shares memory with nothing that is known elsewhere."""
    if is_immutable(op, result):
        return True
    match op:
        case core.Call():
            if op.fn is operator.getitem:
                return False
            if op.fn in HAND_BACK and _hands_back(op):
                return False
            product = op.fn is np.einsum and len(op.args) > 2  # of one array it may be a view
            matrix = op.fn is np.diag and getattr(result.type, "rank", 0) == 2
            new = op.fn in FRESH or product or matrix
            return new or isinstance(op.fn, np.ufunc) or _is_copy(op)
        case core.Index():
            return _is_advanced(op)
        case core.NewSeq() | core.Undef():
            return True
        case core.Make():
            return all(not may_hold_memory(v.type) for v in op.operands)
    return False


def is_immutable(op: Op, result: Value) -> bool:
    """Whether `result` is a number that no write can change."""
    if isinstance(op, core.Undef):
        return True
    if not isinstance(result.type, Array):
        return not may_hold_memory(result.type)
    if result.type.shape:
        return False
    match op:
        case core.Call():
            return op.fn in IMMUTABLE or isinstance(op.fn, (np.ufunc, type))
        case core.Index():
            x = op.operands[0]
            whole = all(entry == "value" for entry in op.spec)
            return (
                isinstance(x.type, Array)
                and whole
                and all(isinstance(v.type, Scalar) for v in op.operands[1:])
            )
    return False


def _hands_back(op: core.Call) -> bool:
    name, position, default, values = HAND_BACK[op.fn]
    given = op.kwargs.get(name) or next(iter(op.args[position : position + 1]), None)
    value = default if given is None else core.constant(given, None)
    return value is None or value in values


def _is_copy(op: core.Call) -> bool:
    """A copying call of a function that need not copy."""
    if op.fn not in (np.array, getattr(np, "astype", None)):
        return False
    return "copy" not in op.keywords or core.constant(op.kwargs["copy"], None) is True


def _is_advanced(op: core.Index) -> bool:
    """Whether an array indexes an array: the result is a copy."""
    return isinstance(op.operands[0].type, Array) and any(
        isinstance(v.type, Array) and v.type.rank > 0 for v in op.operands[1:]
    )


def sharers(op: Op, v: Value) -> Iterator[Value]:
    """The values that may share memory with `v` because `op` reads it, outside control flow."""
    match op:
        case core.Append() | core.Pop() | core.Unpack() | core.Item() | core.NewSeq():
            yield from op.results
        case core.Make() | core.Partial():
            yield from op.results
        case core.Update():
            if v is op.operands[0]:
                yield op.results[0]
        case core.Index():
            if v is op.operands[0] and not is_fresh(op, op.results[0]):
                yield op.results[0]
        case core.Call() | core.Invoke():
            yield from (r for r in op.results if may_hold_memory(r.type) and not is_fresh(op, r))
