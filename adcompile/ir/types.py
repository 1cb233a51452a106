"""The types of IR values.

A program is compiled for one signature, so every value has a type that is known ahead of the
call: the kind of a Python number, the dtype, rank and symbolic shape of an array, the layout of a
tree. NumPy 2's promotion rules (NEP 50) hold: Python numbers are weak, arrays are not; a NumPy
scalar has the type of an array of rank 0.

Shapes are symbolic. A dimension is an `int` where its size is known (1 above all) and a `Dim`
otherwise; two equal `Dim`s are the same size at run time. `Dim.many` says that it is known not to
be 1, which is what un-broadcasting wants to know.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_fresh = itertools.count()


@dataclass(frozen=True, slots=True)
class Dim:
    """A size that is known at run time only. Equal keys mean equal sizes."""

    key: Hashable
    many: bool = False  # known to be other than 1

    @staticmethod
    def fresh(many: bool = False) -> Dim:
        return Dim(next(_fresh), many)

    def __repr__(self) -> str:
        return f"n{self.key}" if isinstance(self.key, int) else "n?"


Size = int | Dim

KINDS = ("bool", "int", "float", "complex")  # of Python numbers, in order of promotion


@dataclass(frozen=True, slots=True)
class Scalar:
    """A Python number. `size` remembers that it is the size of a dimension (`x.shape[0]`)."""

    kind: str
    size: Size | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        return self.kind


@dataclass(frozen=True, slots=True)
class Array:
    """An `ndarray`, or a NumPy scalar where `shape` is empty."""

    dtype: np.dtype
    shape: tuple[Size, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(repr, self.shape))}]"


@dataclass(frozen=True, slots=True)
class Tree:
    """A container of known layout: tuple, list, dict, named tuple or dataclass.

    `node` is the Python class. `keys` are positions (tuple, list), keys (dict) or field names
    (named tuple, dataclass).
    """

    node: type
    keys: tuple[Hashable, ...]
    items: tuple[Type, ...]

    def child(self, key: Hashable) -> Type:
        return self.items[self.keys.index(key)]

    def __repr__(self) -> str:
        inner = ", ".join(map(repr, self.items))
        return f"{self.node.__name__}({inner})"


@dataclass(frozen=True, slots=True)
class Seq:
    """A list of unknown length whose items all have one type."""

    item: Type

    def __repr__(self) -> str:
        return f"seq({self.item!r})"


@dataclass(frozen=True, slots=True, eq=False)
class Static:
    """A Python object known at compile time: None, a string, a dtype, a function, a module."""

    value: Any

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Static):
            return NotImplemented
        if self.value is other.value:
            return True
        return type(self.value) is type(other.value) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(type(self.value))

    def __repr__(self) -> str:
        return f"static({self.value!r})"


@dataclass(frozen=True, slots=True)
class Opaque:
    """An object that the compiler only hands on: a random generator, a logger."""

    cls: type

    def __repr__(self) -> str:
        return self.cls.__name__


@dataclass(frozen=True, slots=True)
class Undefined:
    """The type of what has no value (yet): it joins with every other type."""

    def __repr__(self) -> str:
        return "undefined"


Type = Scalar | Array | Tree | Seq | Static | Opaque | Undefined

PULLBACK = Opaque(functools.partial)
SAVED = Opaque(tuple)  # what one half of a split callee hands to the other (ad/invoke.py)

BOOL, INT, FLOAT, COMPLEX = (Scalar(kind) for kind in KINDS)
NONE = Static(None)
UNDEFINED = Undefined()


class TypeClash(Exception):
    """Two types that no value can have both of; `reason` is for the user."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def join_sizes(a: Size, b: Size) -> Size:
    """The size of what has size `a` on one path and `b` on another."""
    return a if a == b else Dim.fresh(is_many(a) and is_many(b))


def is_many(size: Size) -> bool:
    """Whether `size` is known to be other than 1."""
    return size != 1 if isinstance(size, int) else size.many


def join(a: Type, b: Type) -> Type:
    """The type of what is an `a` on one path and a `b` on another (raises TypeClash)."""
    if a == b:
        return (
            a if not isinstance(a, Scalar) or a.size == getattr(b, "size", None) else Scalar(a.kind)
        )
    if isinstance(a, Undefined) or isinstance(b, Undefined):
        return b if isinstance(a, Undefined) else a
    if isinstance(a, Scalar) and isinstance(b, Scalar):
        return Scalar(KINDS[max(KINDS.index(a.kind), KINDS.index(b.kind))])
    if isinstance(a, Scalar) and isinstance(b, Array):
        a, b = b, a
    if isinstance(a, Array) and isinstance(b, Scalar) and a.rank == 0:
        return Array(np.result_type(a.dtype, _PYTHON[b.kind]), ())
    if isinstance(a, Array) and isinstance(b, Array):
        return _join_arrays(a, b)
    if isinstance(a, Tree) and isinstance(b, Tree) and (a.node, a.keys) == (b.node, b.keys):
        return Tree(a.node, a.keys, tuple(map(join, a.items, b.items)))
    if isinstance(a, Seq) and isinstance(b, Seq):
        return Seq(join(a.item, b.item))
    if isinstance(a, Tree) and isinstance(b, Opaque):
        a, b = b, a
    if isinstance(a, Opaque) and isinstance(b, Tree) and issubclass(b.node, a.cls):
        return a
    raise TypeClash(f"{describe(a)} on one path and {describe(b)} on another")


_PYTHON = {"bool": False, "int": 0, "float": 0.0, "complex": 0j}


def _join_arrays(a: Array, b: Array) -> Array:
    if a.rank != b.rank:
        raise TypeClash(f"{describe(a)} on one path and {describe(b)} on another")
    dtype = np.promote_types(a.dtype, b.dtype)
    return Array(dtype, tuple(map(join_sizes, a.shape, b.shape)))


def describe(t: Type) -> str:
    """`t` in the words of a user: `a float64 array of rank 2`."""
    match t:
        case Scalar(kind):
            return f"a Python {kind}"
        case Array(dtype, ()):
            return with_article(f"{dtype.name} scalar")
        case Array(dtype, shape):
            return with_article(f"{dtype.name} array of rank {len(shape)}")
        case Tree(node, keys):
            sized = issubclass(node, tuple | list | dict)
            return with_article(f"{node.__name__} of {len(keys)}" if sized else node.__name__)
        case Seq(item):
            return f"a list of {describe(item).removeprefix('a ').removeprefix('an ')} items"
        case Static(value):
            return "None" if value is None else f"{value!r}"
        case Opaque(cls):
            return "an object of unknown type" if cls is object else with_article(cls.__name__)
        case _:
            return "undefined"


def with_article(noun: str) -> str:
    """`noun` after `a` or `an`: by its first letter, where `u` mostly sounds as in `uint8`."""
    return f"{'an' if noun[0] in 'aeioAEIO' else 'a'} {noun}"


def is_numeric(t: Type) -> bool:
    return isinstance(t, Scalar | Array)


def is_inexact(t: Type) -> bool:
    """Whether a derivative with respect to a value of type `t` makes sense (real numbers)."""
    if isinstance(t, Scalar):
        return t.kind == "float"
    return isinstance(t, Array) and t.dtype.kind == "f"


def carries_derivative(t: Type) -> bool:
    """Whether a value of type `t` can hold a derivative: real numbers, or containers of them."""
    match t:
        case Scalar(kind):
            return kind in ("float", "complex")
        case Array(dtype):
            return dtype.kind in "fc"
        case Tree():
            return any(carries_derivative(item) for item in t.items)
        case Seq(item):
            return carries_derivative(item)
        case Opaque(cls):  # what an unknown function gave; not an object of a library
            return cls is object or t == SAVED
        case _:
            return False


def scalar_kind(value: object) -> str | None:
    """The kind of a Python number, or None (NumPy scalars are arrays of rank 0)."""
    return next(
        (k for k in KINDS if type(value).__name__ == k and type(value) is _CLASSES[k]), None
    )


_CLASSES = {"bool": bool, "int": int, "float": float, "complex": complex}
