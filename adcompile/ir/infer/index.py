"""Types of `x[...]`, by NumPy's rules of indexing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adcompile.ir.core import Slice, Spec, Value
from adcompile.ir.infer import sizes
from adcompile.ir.infer.table import Shape
from adcompile.ir.infer.values import array_of, count_true, known, size_of
from adcompile.ir.types import Array, Scalar, Seq, Size, Tree, Type, TypeClash, describe

_KINDS_TEXT = (
    "only integers, slices (`:`), ellipsis (`...`), None and integer or boolean arrays are valid "
    "indices"
)


def index_kind(x: Value, spec: Spec, operands: Sequence[Value]) -> str:
    """ "basic": a view or one element, without a copy; "advanced": a gather."""
    values = [v for e, v in _pairs(spec, operands) if e == "value"]
    return "basic" if all(_kind(v)[0] == "int" for v in values) else "advanced"


def infer_index(x: Value, spec: Spec, operands: Sequence[Value]) -> Type:
    """The type of `x[spec]`, where `operands` are the index's values (raises TypeClash)."""
    t = x.type
    if isinstance(t, Seq):
        return _of_list(t, x, spec, operands)
    if not isinstance(t, Array):
        raise TypeClash(f"{describe(t)} cannot be indexed with a value that is not known")
    return Array(t.dtype, _shape(t, spec, operands))


def _of_list(t: Seq, x: Value, spec: Spec, operands: Sequence[Value]) -> Type:
    if spec == ("value",):
        if _kind(operands[0])[0] != "int":
            raise TypeClash("list indices must be integers or slices")
        return t.item
    if len(spec) == 1 and isinstance(spec[0], Slice):
        return t
    raise TypeClash("list indices must be integers or slices, not tuple")


def _pairs(spec: Spec, operands: Sequence[Value]) -> list[tuple[object, Value | None]]:
    """Each entry with its operand, slices without theirs."""
    rest = iter(operands)
    pairs: list[tuple[object, Value | None]] = []
    for entry in spec:
        if isinstance(entry, Slice):
            for given in (entry.start, entry.stop, entry.step):
                if given:
                    next(rest)
        pairs.append((entry, next(rest) if entry == "value" else None))
    return pairs


def _kind(v: Value | None) -> tuple[str, int]:
    """What an index value is ("int", "array" or "mask"), and its rank."""
    assert v is not None
    t = v.type
    if isinstance(t, Scalar):
        if t.kind in ("int", "bool"):
            return ("int" if t.kind == "int" else "mask"), 0
        raise TypeClash(f"{_KINDS_TEXT}, not {describe(t)}")
    if isinstance(t, Tree | Seq) and not (isinstance(t, Tree) and issubclass(t.node, tuple | list)):
        raise TypeClash(f"{_KINDS_TEXT}, not {describe(t)}")
    if isinstance(t, Array | Tree | Seq):
        a = array_of(v)
        empty = isinstance(t, Tree) and not t.items
        if a.dtype.kind in "iu" or empty:
            return ("array" if a.rank else "int"), a.rank
        if a.dtype.kind == "b":
            return "mask", a.rank
    raise TypeClash(f"{_KINDS_TEXT}, not {describe(t)}")


def _shape(t: Array, spec: Spec, operands: Sequence[Value]) -> Shape:
    skipped = _ellipsis_rank(t, spec, operands)
    rest = iter(operands)
    before: list[Size] = []  # the dimensions of the result, without those of arrays
    gathered: list[Shape] = []  # the shapes of index arrays, which broadcast together
    place: int | None = None  # where they go: at the first of them, or in front
    last, axis = -1, 0
    advanced = index_kind(Value(t), spec, operands) == "advanced"
    for position, entry in enumerate(spec):
        if entry is None:
            before.append(1)
        elif entry is Ellipsis:
            before.extend(t.shape[axis : axis + skipped])
            axis += skipped
        elif isinstance(entry, Slice):
            bounds = [
                _bound(next(rest)) if given else None
                for given in (entry.start, entry.stop, entry.step)
            ]
            before.append(sizes.slice_length(t.shape[axis], *bounds))
            axis += 1
        else:
            value = next(rest)
            kind, rank = _kind(value)
            if kind == "int":
                _check_bounds(value, t.shape[axis], axis)
            consumed = rank if kind == "mask" else 1
            if advanced:
                gathered.append(_gathered(kind, value, t.shape[axis : axis + consumed], axis))
                place = len(before) if place is None else place if last == position - 1 else 0
                last = position
            axis += consumed
    if gathered:
        assert place is not None
        before[place:place] = _together(gathered)
    return (*before, *t.shape[axis:])


def _ellipsis_rank(t: Array, spec: Spec, operands: Sequence[Value]) -> int:
    """How many dimensions `...` stands for; checks that there are not too many indices."""
    if sum(1 for e in spec if e is Ellipsis) > 1:
        raise TypeClash("an index can only have a single ellipsis ('...')")
    consumed = sum(1 for e in spec if isinstance(e, Slice))
    for _, v in ((e, v) for e, v in _pairs(spec, operands) if e == "value"):
        kind, rank = _kind(v)
        consumed += rank if kind == "mask" else 1
    if consumed > t.rank:
        raise TypeClash(
            f"too many indices for array: array is {t.rank}-dimensional, "
            f"but {consumed} were indexed"
        )
    return t.rank - consumed


def _bound(v: Value) -> Size | None:
    if known(v, 0) is None:
        return None
    return size_of(v)


def _check_bounds(v: Value, size: Size, axis: int) -> None:
    i = known(v, None)
    if isinstance(i, int | np.integer) and isinstance(size, int) and not -size <= i < size:
        raise TypeClash(f"index {i} is out of bounds for axis {axis} with size {size}")


def _gathered(kind: str, v: Value, consumed: Shape, axis: int) -> Shape:
    """The dimensions that an index value brings to those of the index arrays together."""
    if kind == "int":
        return ()
    a = array_of(v)
    if kind == "array":
        return a.shape
    for i, (size, wanted) in enumerate(zip(a.shape, consumed)):
        if isinstance(size, int) and isinstance(wanted, int) and size != wanted:
            raise TypeClash(
                f"boolean index did not match indexed array along axis {axis + i}; size of axis is "
                f"{wanted} but size of corresponding boolean axis is {size}"
            )
    return (count_true(v),)


def _together(shapes: list[Shape]) -> Shape:
    try:
        return sizes.broadcast(*shapes)
    except TypeClash:
        shown = " ".join(map(sizes.show, shapes))
        raise TypeClash(
            f"shape mismatch: indexing arrays could not be broadcast together with shapes {shown}"
        ) from None
