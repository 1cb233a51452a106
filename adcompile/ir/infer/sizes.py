"""The algebra of symbolic sizes.

A derived size has a structural key, so that equal computations give equal `Dim`s: `u[1:-1]` and
`u[2:]` are as long as each other. Sums of sizes are kept in linear normal form, products as a
coefficient and factors; what does not fit there is a key of its own.

A Python int may be negative, a dimension not: `n - 2` as a number is a plain sum, as a dimension it
is clipped at zero, and clipped sizes are atoms of further sums. (`u[2:]` padded by two is as long
as `u` only if `u` has two elements, so the two sizes must not be equal.)

The parts of a key, after its kind, are sizes and plain constants, but for "number" (an IR value)
and for "sum", "prod", "broadcast" and "least", whose first part is a frozenset of (size, count).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from adcompile.ir.types import Dim, Size, TypeClash, is_many

_DEEPEST = 60  # derived sizes nested further than this are not worth telling apart


class Key:
    """The structure of a derived size; hashing and comparing do not depend on its depth."""

    __slots__ = ("_hash", "depth", "parts")

    def __init__(self, *parts: Hashable):
        self.parts = parts
        self.depth = 1 + max(map(_depth, parts), default=0)
        self._hash = hash(parts)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Key) and self._hash == other._hash and self.parts == other.parts
        )

    def __repr__(self) -> str:
        return f"{self.parts[0]}({', '.join(map(repr, self.parts[1:]))})"


def _depth(part: object) -> int:
    if isinstance(part, Dim):
        return part.key.depth if isinstance(part.key, Key) else 0
    if isinstance(part, frozenset):  # of (size, count) pairs
        return max((_depth(size) for size, _ in part), default=0)
    return 0


def derived(*parts: Hashable, many: bool = False) -> Dim:
    """The size that `parts` describe."""
    key = Key(*parts)
    return Dim(key, many) if key.depth < _DEEPEST else Dim.fresh(many)


def number(value: Hashable) -> Dim:
    """What an IR value holds at run time, an int or what a size depends on.

    No other key holds a Value: who copies ops and their types has to map these alone.
    """
    return derived("number", value)


def _parts(size: Size, kind: str) -> tuple[Any, ...] | None:
    """The parts of a derived size of this kind."""
    if isinstance(size, Dim) and isinstance(size.key, Key) and size.key.parts[0] == kind:
        return size.key.parts[1:]
    return None


def atoms(size: Size) -> Iterator[Hashable]:
    """What a size is made of: fresh sizes, and the IR values that it depends on."""
    work: list[Any] = [size]
    while work:
        part = work.pop()
        if isinstance(part, frozenset):  # of (size, count) pairs
            work += [n for n, _ in part]
        elif isinstance(part, Dim) and isinstance(part.key, Key):
            work += part.key.parts[1:]
        else:
            yield part


# --- sums ---------------------------------------------------------------------------------------


def terms(size: Size) -> tuple[dict[Dim, int], int]:
    """`size` as a linear form: coefficients of its atoms, and a constant."""
    if isinstance(size, int):
        return {}, size
    parts = _parts(size, "sum")
    return ({size: 1}, 0) if parts is None else (dict(parts[0]), parts[1])


def linear(coefficients: dict[Dim, int], constant: int) -> Size:
    kept = {atom: c for atom, c in coefficients.items() if c}
    if not kept:
        return constant
    if constant == 0 and len(kept) == 1:
        (atom, c) = next(iter(kept.items()))
        if c == 1:
            return atom
    return derived("sum", frozenset(kept.items()), constant, many=_sum_is_many(kept, constant))


def _sum_is_many(coefficients: dict[Dim, int], constant: int) -> bool:
    if any(c < 0 or may_be_negative(atom) for atom, c in coefficients.items()):
        return False
    if constant == 0:  # each summand is 0 or at least 2
        return all(c > 1 or atom.many for atom, c in coefficients.items())
    return constant > 1


def may_be_negative(size: Size) -> bool:
    """Whether the number `size` is not known to be a length."""
    if isinstance(size, int):
        return size < 0
    if not isinstance(size.key, Key):
        return False
    key: tuple[Any, ...] = size.key.parts
    match key:
        case ("sum", pairs, constant):
            return constant < 0 or any(c < 0 or may_be_negative(a) for a, c in pairs)
        case ("prod", pairs):
            return any(may_be_negative(a) for a, _ in pairs)
        case ("number" | "floordiv" | "item", *_):
            return True
    return False


def add(a: Size, b: Size, factor: int = 1) -> Size:
    """`a + factor * b` as a number."""
    left, c = terms(a)
    right, d = terms(b)
    total = dict(left)
    for atom, k in right.items():
        total[atom] = total.get(atom, 0) + factor * k
    return linear(total, c + factor * d)


def total(sizes: Iterable[Size]) -> Size:
    result: Size = 0
    for size in sizes:
        result = add(result, size)
    return result


def least(size: Size) -> int:
    """A lower bound of a length."""
    if isinstance(size, int):
        return size
    coefficients, constant = terms(size)
    if any(c < 0 or may_be_negative(atom) for atom, c in coefficients.items()):
        return 0
    return max(constant, 0)


def as_length(number: Size) -> Size:
    """A number as the size of a dimension: what is negative counts as zero."""
    if isinstance(number, int):
        return max(number, 0)
    return derived("clip", number) if may_be_negative(number) else number


def offset(size: Size, by: int) -> Size:
    """The length `max(0, size + by)`."""
    inner = _parts(size, "clip")
    if inner is not None and by <= 0:
        return as_length(add(inner[0], by))
    return as_length(add(size, by))


# --- products -----------------------------------------------------------------------------------


def _factors(sizes: Iterable[Size]) -> tuple[int, Counter[Dim]]:
    coefficient, atoms = 1, Counter[Dim]()
    for size in sizes:
        linear_form, constant = terms(size)
        if not linear_form:
            coefficient *= constant
            continue
        if constant == 0 and len(linear_form) == 1:
            ((size, c),) = linear_form.items()
            coefficient *= c
        assert isinstance(size, Dim)
        inner = _parts(size, "prod")
        atoms.update({size: 1} if inner is None else dict(inner[0]))
    return coefficient, atoms


def _product(coefficient: int, atoms: Counter[Dim]) -> Size:
    if not coefficient or not atoms:
        return coefficient
    if atoms.total() == 1:
        (atom,) = atoms
    else:
        many = any(a.many for a in atoms)
        atom = derived("prod", frozenset(atoms.items()), many=many)
    return linear({atom: coefficient}, 0)


def product(sizes: Iterable[Size]) -> Size:
    return _product(*_factors(sizes))


def quotient(whole: Size, part: Size) -> Size:
    """The size that `part` must be multiplied by to give `whole`."""
    if whole == part:
        return 1
    c, atoms = _factors([whole])
    d, divisors = _factors([part])
    if d and c % d == 0 and divisors <= atoms:
        return _product(c // d, atoms - divisors)
    if not atoms and not divisors:
        raise TypeClash(f"cannot divide an array of size {whole} into parts of size {part}")
    return derived("quotient", whole, part)


def floordiv(a: Size, b: Size) -> Size:
    if isinstance(a, int) and isinstance(b, int) and b:
        return a // b
    return derived("floordiv", a, b)


# --- two sizes that meet ------------------------------------------------------------------------


def broadcast_sizes(a: Size, b: Size) -> Size:
    """The size of a dimension that `a` and `b` broadcast to (raises ValueError)."""
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    if isinstance(a, int) and isinstance(b, int):
        raise ValueError
    if is_many(a) and is_many(b):
        return b if isinstance(b, int) else a
    if is_many(a) or is_many(b):
        return a if is_many(a) else b
    assert isinstance(a, Dim) and isinstance(b, Dim)
    meeting = frozenset((size, 1) for d in (a, b) for size in _meeting(d))
    return derived("broadcast", meeting)


def _meeting(size: Dim) -> list[Dim]:
    inner = _parts(size, "broadcast")
    return [size] if inner is None else [member for member, _ in inner[0]]


def members(size: Size) -> list[Dim]:
    """The sizes that meet in `size`: itself, unless it is what several broadcast to."""
    return _meeting(size) if isinstance(size, Dim) else []


def broadcast(*shapes: tuple[Size, ...]) -> tuple[Size, ...]:
    """The shape that `shapes` broadcast to, in NumPy's way."""
    if len(shapes) == 2 and shapes[0] == shapes[1]:
        return shapes[0]
    result: list[Size] = [1] * max(map(len, shapes), default=0)
    try:
        for shape in shapes:
            for i in range(1, len(shape) + 1):
                result[-i] = broadcast_sizes(result[-i], shape[-i])
    except ValueError:
        shown = " ".join(map(show, shapes))
        raise TypeClash(f"operands could not be broadcast together with shapes {shown}") from None
    return tuple(result)


def same(a: Size, b: Size, what: str) -> Size:
    """The better known of two sizes that must be equal."""
    if isinstance(a, int) and isinstance(b, int) and a != b:
        raise TypeClash(f"{what}: {a} is different from {b}")
    if isinstance(a, int) or isinstance(b, int):
        return a if isinstance(a, int) else b
    return b if b.many and not a.many else a


def smaller(a: Size, b: Size) -> Size:
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return a if a == b else derived("least", frozenset({(a, 1), (b, 1)}))


def show(shape: tuple[Size, ...]) -> str:
    """A shape in the words of a user."""
    inner = ", ".join(str(size) if isinstance(size, int) else "n" for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


# --- slices -------------------------------------------------------------------------------------

Bound = Size | None


def slice_length(n: Size, start: Bound, stop: Bound, step: Bound) -> Size:
    """The length of `x[start:stop:step]` where `x` has length `n`."""
    if step == 0:
        raise TypeClash("slice step cannot be zero")
    step = 1 if step is None else step
    if start is None and stop is None and step in (1, -1):
        return n
    bounds = (start, stop, step)
    if isinstance(n, int) and not any(isinstance(b, Dim) for b in bounds):
        chosen: Any = slice(*bounds)
        return len(range(n)[chosen])
    start = 0 if start is None and isinstance(step, int) and step > 0 else start
    if step == 1:
        known = _plain_slice(n, start, stop)
        known = _inner_slice(n, start, stop) if known is None else known
        if known is not None:
            return known
    return derived("slice", n, start, stop, step)


def _inner_slice(n: Size, start: Bound, stop: Bound) -> Size | None:
    """The length of a slice with step 1 whose bounds are surely inside: `x[n:n + m]` of n + m."""
    end = n if stop is None else stop
    if start is None or any(map(may_be_negative, (start, end, add(n, end, -1)))):
        return None
    return as_length(add(end, start, -1))


def _plain_slice(n: Size, start: Bound, stop: Bound) -> Size | None:
    """The length of a slice with step 1, where it has a form that others can be equal to."""
    if not isinstance(start, int):
        return None
    if isinstance(stop, Dim):
        short = add(stop, n, -1)
        # n - 3 of two elements is -1, which counts from the end; 0, -1 and -2 do no harm
        if isinstance(short, int) and -2 <= short <= 0 <= start:
            return offset(n, short - start)
        return None
    if start >= 0 and (stop is None or stop < 0):
        return offset(n, (stop or 0) - start)
    if start < 0 and stop is None:
        return -start if -start <= least(n) else None
    assert stop is not None
    if (start < 0) == (stop < 0):
        if start >= stop:
            return 0
        if (stop if start >= 0 else -start) <= least(n):
            return stop - start
    return None
