"""Lower a function for some arguments, check it, run it, and compare with Python."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from adcompile.frontend.lower import lower_function
from adcompile.ir import interpreter
from adcompile.ir.core import Function
from adcompile.ir.types import Array, Dim, Opaque, Scalar, Static, Tree, Type, scalar_kind
from adcompile.ir.verifier import verify


def type_of(x: Any) -> Type:
    """The type that a signature gives an argument."""
    kind = scalar_kind(x)
    if kind:
        return Scalar(kind)
    if isinstance(x, np.ndarray | np.generic):
        return Array(x.dtype, tuple(1 if n == 1 else Dim.fresh(many=True) for n in x.shape))
    if type(x) in (tuple, list):
        return Tree(type(x), tuple(range(len(x))), tuple(map(type_of, x)))
    if type(x) is dict:
        return Tree(dict, tuple(x), tuple(map(type_of, x.values())))
    fields = getattr(type(x), "_fields", None)
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        fields = tuple(f.name for f in dataclasses.fields(x))
    if fields is not None:
        return Tree(type(x), tuple(fields), tuple(type_of(getattr(x, f)) for f in fields))
    if isinstance(x, np.random.Generator):
        return Opaque(type(x))
    return Static(x)


def lower(f: Any, *args: Any, **kwargs: Any) -> Function:
    """The verified SSA of `f` for the types of these arguments."""
    fn = lower_function(f, [type_of(a) for a in args], {k: type_of(v) for k, v in kwargs.items()})
    verify(fn)
    return fn


def same(a: Any, b: Any) -> bool:
    """Equality with type, dtype and shape."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if dataclasses.is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    return bool(a == b) or (a != a and b != b)


def agree(f: Any, *args: Any) -> Function:
    """Lower `f`, run it with the interpreter, and compare with what Python gives."""
    fn = lower(f, *args)
    passed = [a for a in args if not isinstance(type_of(a), Static)]
    want, got = f(*args), interpreter.run(fn, *passed)
    assert same(want, got), (want, got)
    return fn
