"""Abstract values: what an expression evaluates to while a function is lowered.

An operand is an IR `Value` (a number, an array, a list of unknown length, a tree parameter that is
not taken apart), or something that exists at compile time only: a Python object (`Known`), a
container of known layout (`Tup`), a reference to a mutable object (`Obj`), a function, an iterable.

Mutable things are references with an identity. Their contents are held by the `Store`, under the
reference as key, so that every name that refers to an object sees a change, and a branch or a loop
merges contents as it merges variables. A `Value` of array type is such a reference, too (`heap`).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adcompile.errors import AdcompileError, TypeMismatch
from adcompile.ir.core import MISSING, Block, Const, Loc, Value
from adcompile.ir.types import Array, Scalar, Seq, Tree, Type, Undefined, scalar_kind

if TYPE_CHECKING:
    import gast

    from adcompile.frontend.functions import Code
    from adcompile.frontend.scopes import Frame


@dataclass(eq=False, slots=True)
class Known:
    """A Python object known at compile time: None, a string, a function, a number that folded."""

    value: Any


@dataclass(eq=False, slots=True)
class Tup:
    """A container of known layout with operands in it: a tuple, named tuple or dataclass.

    As the contents of an `Obj` also a list or a dict.
    """

    node: type
    keys: tuple[Hashable, ...]
    items: tuple[Operand, ...]

    def child(self, key: Hashable) -> Operand:
        return self.items[self.keys.index(key)]

    def replaced(self, key: Hashable, item: Operand) -> Tup:
        """The same container with `item` under `key`."""
        if key not in self.keys:
            return Tup(self.node, (*self.keys, key), (*self.items, item))
        at = self.keys.index(key)
        return Tup(self.node, self.keys, (*self.items[:at], item, *self.items[at + 1 :]))


@dataclass(eq=False, slots=True)
class Obj:
    """A reference to a list or dict that the program made; its identity is the object's.

    `frozen` says why it cannot be written any more (its contents are held elsewhere too).
    """

    node: type
    frozen: str | None = None
    name: str | None = None  # of the variable that it was first given to


@dataclass(eq=False, slots=True)
class Closure:
    """A Python function to be inlined where it is called."""

    code: Code
    defaults: dict[str, Operand]
    parent: Frame | None  # whose variables it sees; None for a function of a module
    function: Any = None  # the Python function, where there is one
    receiver: Operand | None = None  # bound as the first argument


@dataclass(eq=False, slots=True)
class Bound:
    """`receiver.name`, looked up but not called yet: a method of an array, a list, an object."""

    receiver: Operand
    name: str
    node: gast.AST


@dataclass(eq=False, slots=True)
class Iterable:
    """range, zip, enumerate, reversed or a view of a dict: something to loop over.

    An iterator can be run through once: `made` is the block where it was made, `taken` whether
    that has happened.
    """

    kind: str
    parts: tuple[Operand, ...]
    made: Block | None = None
    taken: bool = False


@dataclass(eq=False, slots=True)
class Generator:
    """A generator expression (or what `map` and `filter` stand for), evaluated when it is used.

    `node` is a gast GeneratorExp; `first` is what its first clause runs over, evaluated where it
    is written; `bound` are variables of its own, besides those of `parent`.
    """

    node: Any
    first: Operand
    parent: Frame | None
    bound: dict[str, Operand]
    made: Block | None
    taken: bool = False


@dataclass(eq=False, slots=True)
class Slicer:
    """`slice(a, b, c)` with bounds that may be values."""

    start: Operand | None
    stop: Operand | None
    step: Operand | None


@dataclass(eq=False, slots=True)
class Unbound:
    """What a variable holds that is not assigned on this path."""


@dataclass(eq=False, slots=True)
class Poison:
    """What a variable holds whose values do not go together; an error when it is read.

    `loop` is the loop where they meet, if it can be unrolled: then they never do. An array that was
    perhaps written through another name has the `error` AliasError, and a `hint`.
    """

    reason: str
    locs: list[Loc] = field(default_factory=list)
    loop: Hashable = None
    error: type[AdcompileError] = TypeMismatch
    hint: str | None = None


@dataclass(eq=False, slots=True)
class Lost(Poison):
    """What a variable holds whose value is gone on some path; `reason` follows its name."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """The place of what a tree from outside holds under `key`; as an operand: what is there."""

    root: Value | Leaf
    key: Hashable
    type: Type = field(compare=False)


@dataclass(eq=False, slots=True)
class Slot:
    """The place of one Value in a template: what differs between paths or iterations."""

    type: Type
    name: str | None = None


@dataclass(eq=False, slots=True)
class NewObj:
    """The place, in a template, of a list or dict that is another one on each path."""

    node: type
    contents: Operand
    frozen: str | None = None


UNBOUND = Unbound()

Operand = (
    Value
    | Known
    | Tup
    | Obj
    | Closure
    | Bound
    | Iterable
    | Generator
    | Slicer
    | Unbound
    | Poison
    | Leaf
    | Slot
    | NewObj
)


def is_bottom(x: object) -> bool:
    """Whether `x` is a value of a path that is not known yet (a first try of a fixpoint)."""
    return isinstance(x, Value) and isinstance(x.type, Undefined)


def is_rank0(x: Operand) -> bool:
    """Whether `x` is a Python number or a NumPy scalar."""
    if isinstance(x, Known):
        return scalar_kind(x.value) is not None
    return isinstance(x, Value) and (
        isinstance(x.type, Scalar) or (isinstance(x.type, Array) and x.type.rank == 0)
    )


def is_seq(x: object) -> bool:
    return isinstance(x, Value | Slot) and isinstance(x.type, Seq)


def is_tree(x: object) -> bool:
    """Whether `x` is one Value that stands for a whole tree."""
    return isinstance(x, Value | Slot) and isinstance(x.type, Tree)


def literal(x: Operand, default: Any = MISSING) -> Any:
    """The object that `x` was written as, or is known to be."""
    if isinstance(x, Known):
        return x.value
    if isinstance(x, Value) and isinstance(x.owner, Const):
        return x.owner.value
    return default
