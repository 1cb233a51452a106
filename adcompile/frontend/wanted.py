"""Values that decide types: what must be known so that a number is known.

A number is traced back through scalar arithmetic and branches to where it comes from: leaves of
parameters, variables from outside, counters of loops. Each of these can be made known: the value
of a leaf joins the signature, that of a global the guard of the specialisation, a loop over a
known range is unrolled. What was asked for is raised, and the program lowered again; then the
arithmetic folds.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adcompile.ir.core import Block, Call, Const, For, Global, GlobalRef, If, Item, Unpack, Value
from adcompile.ir.types import Array, Scalar, Static, Tree, Type
from adcompile.overlap import Aliases
from adcompile.signature import child, replaced

if TYPE_CHECKING:
    from adcompile.frontend.context import Context

Path = tuple[Any, ...]  # to a leaf: the index of a parameter or a GlobalRef, then keys of trees


class NeedStatic(Exception):
    """The value of a leaf decides a type: `path` is (index or GlobalRef, *keys of the tree)."""

    def __init__(self, path: Path):
        super().__init__(f"the value of the leaf {path} is needed at compile time")
        self.path = path


class NeedLayout(Exception):
    """Whether an array argument is contiguous decides what shares memory: `path` is that leaf."""

    def __init__(self, path: Path):
        super().__init__(f"the layout in memory of {path} is needed at compile time")
        self.path = path


class NeedUnrolled(Exception):
    """A loop must be unrolled: its counter decides a type, or a variable changes its type."""

    def __init__(self, loop: Hashable, error: Exception):
        super().__init__(loop)
        self.loop = loop
        self.error = error  # for where the loop cannot be found again


@dataclass(frozen=True, slots=True)
class Counter:
    """Of the counter of a loop: which loop it is, and what its range depends on."""

    loop: Hashable
    bounds: tuple[Value, ...]
    few: bool  # the range is known and short: the loop can be unrolled


# The leaves of variables from outside whose values a compilation takes as known. They are not
# passed from stage to stage, since they belong to the surroundings of the program, not to it.
FIXED: ContextVar[frozenset[Path]] = ContextVar("FIXED", default=frozenset())

# The variables from outside that have been read, which a compilation depends on.
READ: ContextVar[set[GlobalRef] | None] = ContextVar("READ", default=None)

# Which leaves of the arguments are the same array as another one, which the program writes into.
ALIASES: ContextVar[Aliases] = ContextVar("ALIASES", default=())

# Which leaves of the arguments are known to be contiguous in memory, or known not to be.
LAYOUTS: ContextVar[Mapping[Path, bool] | None] = ContextVar("LAYOUTS", default=None)


@contextmanager
def translated(
    inward: Callable[[Path], Path | None], outward: Callable[[Path], Path]
) -> Iterator[None]:
    """For a program whose arguments are parts of those of another one.

    What is known of leaves is handed `inward`, and what is wanted of them raised `outward`.
    """
    pairs = [(inward(a), inward(b)) for a, b in ALIASES.get()]
    layouts = {inward(path): known for path, known in (LAYOUTS.get() or {}).items()}
    same = ALIASES.set(tuple([(a, b) for a, b in pairs if a is not None and b is not None]))
    known = LAYOUTS.set({path: k for path, k in layouts.items() if path is not None})
    try:
        yield
    except NeedStatic as need:
        if isinstance(need.path[0], GlobalRef):
            raise
        raise NeedStatic(outward(need.path)) from None
    except NeedLayout as need:
        raise NeedLayout(outward(need.path)) from None
    finally:
        ALIASES.reset(same)
        LAYOUTS.reset(known)


# What can be computed at compile time from numbers.
ARITHMETIC = {
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv),
    *(operator.mod, operator.pow, operator.neg, operator.pos, operator.abs, operator.index),
    *(operator.invert, operator.and_, operator.or_, operator.xor),
    *(operator.lshift, operator.rshift, operator.not_),
    *(operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge),
    *(abs, min, max, int, float, bool, round, pow, math.floor, math.ceil, math.gcd),
}


def what(cx: Context, v: Value, error: Exception) -> Exception | None:
    """What is to be raised so that `v` is known when the program is lowered again.

    None where it cannot be known: that is then the `error`.
    """
    counters: list[Counter] = []
    work, seen = [v], {v}
    first: Exception | None = None
    while work:
        v = work.pop()
        path = leaf(v, cx.parameters)
        if path is not None:
            first = first or NeedStatic(path)
            continue
        if v in cx.counters:
            counters.append(cx.counters[v])
            continue
        sources = _sources(v)
        if sources is None:
            return None
        work += [s for s in sources if s not in seen]
        seen.update(sources)
    for counter in counters:  # what they run over comes first
        if counter.few:
            first = first or NeedUnrolled(counter.loop, error)
            continue
        bounds = [what(cx, b, error) for b in counter.bounds if not isinstance(b.owner, Const)]
        if not bounds or None in bounds:
            return None
        first = first or bounds[0]
    return first


def length(cx: Context, v: Value, error: Exception) -> Exception | None:
    """What is to be raised so that the length of a list that a loop appended to is known."""
    owner = v.owner
    counter = cx.counters.get(owner.body.params[0]) if isinstance(owner, For) else None
    if counter is None:
        return None
    if counter.few:
        return NeedUnrolled(counter.loop, error)
    bounds = [what(cx, b, error) for b in counter.bounds if not isinstance(b.owner, Const)]
    return bounds[0] if bounds and None not in bounds else None


def unroll(cx: Context, index: Value, error: Exception) -> None:
    """Unroll the short loop whose counter `index` is, if it is one: then the index is known."""
    found = what(cx, index, error)
    if isinstance(found, NeedUnrolled):
        raise found


def _sources(v: Value) -> list[Value] | None:
    """What a number is computed from, or None where that is no arithmetic."""
    match v.owner:
        case Const():
            return []
        case Call(fn=fn, operands=operands) if fn in ARITHMETIC:
            return operands if all(map(_is_number, operands)) else None
        case If(operands=[condition], then=then, orelse=orelse, results=results):
            at = results.index(v)
            if at < len(then.yields) and at < len(orelse.yields):
                return [condition, then.yields[at], orelse.yields[at]]
    return None


def _is_number(v: Value) -> bool:
    return (
        isinstance(v.type, Scalar | Static)
        or isinstance(v.owner, Const)
        or (isinstance(v.type, Array) and not v.type.rank)
    )


def leaf(v: Value, parameters: dict[Value, Any]) -> Path | None:
    """The path of a value that is read from a parameter or from outside."""
    keys: list[Any] = []
    while v not in parameters:
        match v.owner:
            case Item(operands=[tree], key=key):
                keys.append(key)
            case Unpack(operands=[tree], results=results):
                assert isinstance(tree.type, Tree)
                keys.append(tree.type.keys[results.index(v)])
            case Global(source=ref) if _can_be_fixed(v.type) or keys:
                return (ref, *reversed(keys))
            case _:
                return None
        v = tree
    return (parameters[v], *reversed(keys)) if isinstance(v.owner, Block) else None


def _can_be_fixed(t: Type) -> bool:
    match t:
        case Scalar():
            return True
        case Array(_, shape):
            return not shape
        case Tree(items=items):
            return all(map(_can_be_fixed, items))
    return isinstance(t, Static)


def fixed_type(t: Type, ref: GlobalRef) -> Type:
    """`t`, the type of a variable from outside, with the leaves that are known by their values."""
    for path in FIXED.get():
        if path[0] == ref:
            t = replaced(t, path[1:], Static(functools.reduce(child, path[1:], ref.read())))
    return t
