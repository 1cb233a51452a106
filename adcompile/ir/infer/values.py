"""What is known about values: constants, sizes held in numbers, containers as arrays."""

from __future__ import annotations

import operator
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from adcompile.ir.core import MISSING, Call, Const, Make, Value
from adcompile.ir.infer import sizes
from adcompile.ir.types import (
    NONE,
    Array,
    Dim,
    Scalar,
    Seq,
    Size,
    Static,
    Tree,
    Type,
    TypeClash,
    Undefined,
    describe,
    scalar_kind,
)
from adcompile.trees import LEAF, Structure, flatten, unflatten

DTYPES = {
    kind: np.asarray(one).dtype
    for kind, one in (("bool", True), ("int", 1), ("float", 1.0), ("complex", 1j))
}
NUMERIC = "biufc"  # the kinds of dtypes that arrays may have


class NeedValue(TypeClash):
    """A type depends on the value of `operand`, which is not known."""

    def __init__(self, operand: Value):
        name = f"`{operand.name}`" if operand.name else describe(operand.type)
        super().__init__(
            f"the value of {name} must be known here: the type of the result depends on it"
        )
        self.operand = operand


# --- constants ----------------------------------------------------------------------------------


def infer_constant(obj: Any) -> Type:
    """The type of a Python object that a program holds as a constant."""
    if scalar_kind(obj) is not None:
        return _leaf(obj)
    found, structure = flatten(obj)
    leaves = iter(found)

    def build(s: Structure) -> Type:
        if s is LEAF:
            return _leaf(next(leaves))
        if s.kind is type(None):
            return NONE
        return Tree(s.kind, s.keys, tuple([build(child) for child in s.children]))

    return build(structure)


def _leaf(obj: Any) -> Type:
    kind = scalar_kind(obj)
    if kind is not None:
        return Scalar(kind, obj if kind == "int" else None)
    if isinstance(obj, np.ndarray | np.generic) and obj.dtype.kind in NUMERIC:
        return Array(obj.dtype, obj.shape)
    return Static(obj)


def known(value: Value, default: Any = MISSING) -> Any:
    """The Python object that `value` is known to be, or `default`."""
    if isinstance(value.owner, Const):
        return value.owner.value
    if isinstance(value.owner, Make):
        assert isinstance(value.type, Tree)
        items = [known(v) for v in value.owner.operands]
        return default if any(i is MISSING for i in items) else _rebuild(value.type, items)
    found = _known_by_type(value.type)
    return default if found is MISSING else found


def _known_by_type(t: Type) -> Any:
    if isinstance(t, Static):
        return t.value
    if isinstance(t, Scalar) and t.kind == "int" and isinstance(t.size, int):
        return t.size
    if isinstance(t, Tree):
        items = [_known_by_type(item) for item in t.items]
        if all(i is not MISSING for i in items):
            return _rebuild(t, items)
    return MISSING


def _rebuild(t: Tree, items: list[Any]) -> Any:
    return unflatten(Structure(t.node, t.keys, (LEAF,) * len(items)), items)


def need(value: Value) -> Any:
    """The Python object that `value` is known to be (raises NeedValue)."""
    found = known(value)
    if found is not MISSING:
        return found
    while isinstance(value.owner, Make):  # ask for the item that is not known
        value = next(v for v in value.owner.operands if known(v) is MISSING)
    raise NeedValue(value)


# --- numbers that hold sizes --------------------------------------------------------------------


def size_of(value: Value) -> Size:
    """The int `value` as a number: a constant, a known size, or itself."""
    t = value.type
    if isinstance(t, Scalar) and t.size is not None:
        return t.size
    found = known(value)
    if isinstance(found, int | np.integer):
        return int(found)
    if isinstance(t, Scalar) and t.kind in ("int", "bool"):
        return sizes.number(value)
    if isinstance(t, Array) and t.dtype.kind in "iu" and not t.rank:
        return sizes.number(value)
    raise TypeClash(f"{describe(t)} cannot be interpreted as an integer")


def identity(value: Value) -> Hashable:
    """What tells `value` from others in the key of a size: its number, or itself."""
    t = value.type
    if isinstance(t, Scalar) and t.kind == "int":
        return size_of(value)
    found = known(value)
    return (
        (type(found), found)
        if isinstance(found, Hashable) and found is not MISSING
        else sizes.number(value)
    )


def parts(value: Value) -> list[Value] | None:
    """The children of a tuple or list, or None for what is none.

    Where they have no Values of their own, stand-ins carry their types.
    """
    if not isinstance(value.type, Tree) or not issubclass(value.type.node, tuple | list):
        return None
    if isinstance(value.owner, Make):
        return value.owner.operands
    return [_child(value, i, item) for i, item in enumerate(value.type.items)]


def _child(value: Value, i: int, item: Type) -> Value:
    if isinstance(item, Scalar) and item.kind == "int" and item.size is None:
        item = Scalar("int", sizes.derived("item", sizes.number(value), i))
    return Value(item)


def shape_of(values: Sequence[Value]) -> list[Size]:
    """The numbers in a shape as written: `(3, n)`, or `3, n`, or `n`."""
    if len(values) == 1:
        inner = parts(values[0])
        if inner is not None:
            return [size_of(v) for v in inner]
        t = values[0].type
        if isinstance(t, Seq) or (isinstance(t, Array) and t.shape != ()):
            raise NeedValue(values[0])
    return [size_of(v) for v in values]


def lengths(values: Sequence[Value]) -> tuple[Size, ...]:
    """A shape as written, as the dimensions of an array."""
    shape = shape_of(values)
    if any(isinstance(s, int) and s < 0 for s in shape):
        raise TypeClash("negative dimensions are not allowed")
    return tuple(map(sizes.as_length, shape))


# --- what NumPy makes of a value ----------------------------------------------------------------


def as_array(t: Type, length: Size | None = None) -> Array:
    """`t` as NumPy's `asarray` has it, but for the dtype of nested lists (see `samples`).

    `length` is that of a list of unknown length.
    """
    if isinstance(t, Array):
        return t
    if isinstance(t, Scalar):
        return Array(DTYPES[t.kind], ())
    if isinstance(t, Seq):
        item = as_array(t.item)
        return Array(item.dtype, (Dim.fresh() if length is None else length, *item.shape))
    if isinstance(t, Tree) and issubclass(t.node, tuple | list):
        items = [as_array(item) for item in t.items]
        shape = items[0].shape if items else ()
        dtype = np.result_type(*(i.dtype for i in items)) if items else DTYPES["float"]
        for item in items[1:]:
            if len(item.shape) != len(shape):
                raise TypeClash("the nested items have an inhomogeneous shape")
            shape = tuple(
                sizes.same(a, b, "the nested items differ in shape")
                for a, b in zip(shape, item.shape)
            )
        return Array(dtype, (len(items), *shape))
    if isinstance(t, Static):
        return Array(np.dtype(object), ())
    raise TypeClash(f"{describe(t)} cannot be an array")


def array_of(value: Value) -> Array:
    """The operand `value` as an array."""
    t = value.type
    return as_array(t, sizes.derived("len", sizes.number(value)) if isinstance(t, Seq) else None)


def is_undefined(t: Type) -> bool:
    return isinstance(t, Undefined) or (isinstance(t, Tree) and any(map(is_undefined, t.items)))


# What masks are made with: written twice, it is the same mask.
_LOGIC = {
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
    *(operator.invert, operator.and_, operator.or_, operator.xor, abs, np.abs, np.isnan),
    *(np.isfinite, np.isinf, np.logical_not, np.logical_and, np.logical_or, np.logical_xor),
}
_DEEPEST = 4  # of such operations on each other


def count_true(mask: Value) -> Dim:
    """How many elements of an array are true."""
    return sizes.derived("mask", _content(mask, _DEEPEST))


def _content(v: Value, depth: int) -> Hashable:
    """The key of what an array holds."""
    op = v.owner
    if not isinstance(op, Call) or not isinstance(op.fn, Hashable) or op.fn not in _LOGIC:
        return identity(v)
    if op.keywords or not depth:
        return identity(v)
    return sizes.derived("of", op.fn.__name__, *[_content(x, depth - 1) for x in op.operands])
