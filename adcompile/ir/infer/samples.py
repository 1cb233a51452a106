"""Kinds, dtypes and ranks by experiment: run the real function on samples of one element.

Every array becomes an array of its dtype and rank whose dimensions are all 1, every Python number
that is not known becomes 1, 1.0 or True. NumPy itself then says what comes out, so its promotion
rules (NEP 50: weak Python numbers) and its error messages hold by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from adcompile.ir.core import MISSING, Value
from adcompile.ir.infer.values import NUMERIC, known
from adcompile.ir.types import (
    Array,
    Opaque,
    Scalar,
    Seq,
    Static,
    Tree,
    Type,
    TypeClash,
    describe,
    scalar_kind,
)
from adcompile.threads import quiet


@dataclass(frozen=True, slots=True)
class Exact:
    """A sample that is the very object that the program passes."""

    cls: type
    value: Any


Sample = Type | Exact | tuple[Any, ...]  # a tuple stands for a container


def sample(value: Value, as_array: bool = False) -> Sample:
    """What to pass for `value`; containers of numbers become one array with `as_array`."""
    t = value.type
    if isinstance(t, Array | Seq) or (as_array and isinstance(t, Tree)):
        return _sample_type(t)
    found = known(value)
    return _sample_type(t) if found is MISSING else Exact(type(found), found)


@lru_cache(maxsize=256)
def _array(dtype: np.dtype, rank: int) -> Array:
    return Array(dtype, (1,) * rank)


def _sample_type(t: Type) -> Sample:
    match t:
        case Array(dtype, shape):
            return _array(dtype, len(shape))
        case Scalar(kind):
            return Scalar(kind)
        case Static(value):
            return Exact(type(value), value)
        case Seq(item):
            return list, (_sample_type(item),)
        case Tree(node, _, items) if issubclass(node, tuple | list):
            return node, tuple(map(_sample_type, items))
    raise TypeClash(f"{describe(t)} is not a number or an array")


_ONES: dict[str, Any] = {"bool": True, "int": 1, "float": 1.0, "complex": 1j}
_HALVES: dict[str, Any] = {"bool": False, "int": 0, "float": 0.5, "complex": 0j}


def _thaw(s: Sample, units: dict[str, Any] | None) -> Any:
    """The object for a sample; with `units`, constants of Python give way to these too."""
    match s:
        case Exact(_, value):
            kind = None if units is None else scalar_kind(value)
            return value if units is None or kind is None else units[kind]
        case Scalar(kind):
            return (units or _ONES)[kind]
        case Array(dtype, shape):
            return np.ones((1,) * len(shape), dtype)[()]
        case (node, items):
            made = [_thaw(item, units) for item in items]
            return node(made) if node in (tuple, list) else tuple(made)
    raise AssertionError(s)


def run(
    fn: Callable[..., Any],
    args: tuple[Sample, ...],
    kwargs: tuple[tuple[str, Sample], ...] = (),
    scalar: bool = False,
) -> Type | tuple:
    """What `fn` returns for samples: a type, whose dimensions are the samples', or a tuple of such.

    `scalar` is for functions of Python numbers, which have domains: if 1 lies outside, 1/2 may not.
    """
    try:
        return _run_cached(fn, args, kwargs, scalar)
    except TypeError:  # an argument that cannot be hashed
        return _run(fn, args, kwargs, scalar)


def _run(fn: Callable[..., Any], args: Any, kwargs: Any, scalar: bool) -> Type | tuple:
    failures: list[Exception] = []
    for units in (None, _ONES, _HALVES) if scalar else (None,):
        try:
            return _attempt(fn, args, kwargs, units)
        except Exception as e:
            failures.append(e)
            if not isinstance(e, ArithmeticError | ValueError):
                break
    raise TypeClash(str(failures[0])) from failures[0]


_run_cached = lru_cache(maxsize=4096)(_run)


def _attempt(
    fn: Callable[..., Any], args: Any, kwargs: Any, units: dict[str, Any] | None
) -> Type | tuple:
    with np.errstate(all="ignore"), quiet():
        result = fn(*(_thaw(a, units) for a in args), **{k: _thaw(v, units) for k, v in kwargs})
    given = [*args, *(v for _, v in kwargs)]
    return outcome(result, exact=units is None and all(isinstance(s, Exact) for s in given))


def outcome(result: Any, exact: bool = False) -> Type | tuple:
    """The type of a sample's result; `exact` says that it is the program's own result."""
    kind = scalar_kind(result)
    if kind is not None:
        return Scalar(kind)
    if isinstance(result, np.ndarray | np.generic):
        if result.dtype.kind not in NUMERIC:
            raise TypeClash(f"the result is an array of dtype {result.dtype}")
        return Array(result.dtype, result.shape)
    if isinstance(result, tuple | list):
        return tuple([outcome(r, exact) for r in result])
    return Static(result) if exact or result is None else Opaque(type(result))


def dtype_of(t: Type) -> np.dtype:
    """The dtype that NumPy's `asarray` gives a value of type `t`."""
    if isinstance(t, Array):
        return t.dtype
    found = run(np.asarray, (_sample_type(t),))
    assert isinstance(found, Array)
    return found.dtype
