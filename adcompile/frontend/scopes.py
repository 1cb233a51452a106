"""Variables and objects while a function is lowered: the store, frames, and names from outside.

The store maps places to what they hold: a place is a local variable of a frame (`Cell`) or an
object of the program (`Obj`). It keeps a journal for every open branch or loop body, so that what
a block changed is known afterwards, and undone before the other branch is lowered, at the cost of
the changes alone.
"""

from __future__ import annotations

import builtins
import difflib
import types
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompile import classes
from adcompile.errors import TypeMismatch
from adcompile.frontend.functions import Code
from adcompile.frontend.operands import UNBOUND, Leaf, Obj, Operand
from adcompile.ir.core import GlobalRef, Value
from adcompile.ir.types import Array, Dim, Opaque, Scalar, Static, Tree, Type, scalar_kind
from adcompile.signature import child, is_known


@dataclass(eq=False, slots=True)
class Cell:
    """A local variable of a frame."""

    name: str
    frame: Frame


@dataclass(eq=False, slots=True)
class Frame:
    """One activation of a function: its variables, and where it looks for other names."""

    code: Code
    parent: Frame | None
    function: Any  # the Python function whose closure and globals hold what is not local
    path: Hashable  # of call sites and unrolled iterations: the same when lowered again
    depth: int = 0
    cells: dict[str, Cell] = field(default_factory=dict)
    captured: bool = False  # a closure sees its variables
    closed: bool = False  # returned, and not captured: nobody can read it any more
    entered: int = 0  # when, among the calls that were lowered
    again: bool = False  # a try of a loop around its call starts, for which it is to be taken

    def cell(self, name: str) -> Cell:
        found = self.cells.get(name)
        if found is None:
            found = self.cells[name] = Cell(name, self)
        return found

    def find(self, name: str) -> Cell | None:
        """The variable that `name` means here, or None where it comes from outside."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.code.local_names:
                return frame.cell(name)
            if name in frame.code.global_names:
                return None
            frame = frame.parent
        return None

    def is_global(self, name: str) -> bool:
        """Whether `global name` holds here."""
        frame: Frame | None = self
        while frame is not None and name not in frame.code.local_names:
            if name in frame.code.global_names:
                return True
            frame = frame.parent
        return False

    @property
    def root(self) -> types.FunctionType | None:
        """The function of a module that this frame's function stands in."""
        frame: Frame = self
        while frame.function is None and frame.parent is not None:
            frame = frame.parent
        return frame.function


Place = Cell | Obj | Value | Leaf


class Store:
    """What every place holds now, and what the open blocks changed."""

    def __init__(self) -> None:
        self.now: dict[Place, Operand] = {}
        self.holders: dict[Value, Obj] = {}  # of lists of unknown length: whose contents they were
        self._journals: list[dict[Place, Operand]] = []
        self.watches: list[Callable[[Place], None]] = []  # told of every change

    def get(self, place: Place) -> Operand:
        return self.now.get(place, UNBOUND)

    def set(self, place: Place, operand: Operand) -> None:
        if self._journals:
            self._journals[-1].setdefault(place, self.now.get(place, UNBOUND))
        self.now[place] = operand
        if isinstance(place, Obj) and isinstance(operand, Value):
            self.holders[operand] = place
        for watch in self.watches:
            watch(place)

    @property
    def depth(self) -> int:
        return len(self._journals)

    def open(self) -> None:
        """Start to record changes."""
        self._journals.append({})

    def close(self) -> dict[Place, Operand]:
        """Undo the changes since the matching `open`, and return what the changed places held."""
        changed = {}
        for place, old in self._journals.pop().items():
            changed[place] = self.now[place]
            if old is UNBOUND:
                del self.now[place]
            else:
                self.now[place] = old
        return changed

    def commit(self) -> None:
        """Keep the changes since the matching `open`."""
        changed = self._journals.pop()
        if self._journals:
            for place, old in changed.items():
                self._journals[-1].setdefault(place, old)

    def unwind(self, depth: int) -> None:
        """Undo everything down to `depth` open blocks (a part is lowered again)."""
        while len(self._journals) > depth:
            self.close()


@dataclass(frozen=True, slots=True)
class Outside:
    """A name from outside the function: the object it means now, and how to read it again."""

    value: Any
    ref: GlobalRef


def outside(
    function: types.FunctionType | None, name: str, is_global: bool = False
) -> Outside | None:
    """Look `name` up in the closure, the globals and the builtins of `function`."""
    if function is not None:
        free = () if is_global else function.__code__.co_freevars
        if name in free:
            cell = (function.__closure__ or ())[free.index(name)]
            try:
                return Outside(
                    cell.cell_contents,
                    GlobalRef(name, lambda: cell.cell_contents, (id(cell), name)),
                )
            except ValueError:  # an empty cell: assigned later by the enclosing function
                return None
        space = function.__globals__
        if name in space:
            return Outside(space[name], GlobalRef(name, lambda: space[name], (id(space), name)))
    if hasattr(builtins, name):
        value = getattr(builtins, name)
        return Outside(value, GlobalRef(name, lambda: value, (id(builtins), name)))
    return None


def attribute(module: types.ModuleType, path: str, name: str) -> Outside:
    """`module.name`, read again at each call."""
    read: Callable[[], Any] = lambda: getattr(module, name)  # noqa: E731
    return Outside(read(), GlobalRef(path, read, (id(vars(module)), name)))


def data_type(obj: Any) -> Type | None:
    """The type of plain data that may change between calls; None for what is no plain data."""
    kind = scalar_kind(obj)
    if kind is not None:
        return Scalar(kind)
    if isinstance(obj, np.ndarray | np.generic) and obj.dtype.kind in "biufc":
        return Array(obj.dtype, tuple(1 if n == 1 else Dim.fresh(many=True) for n in obj.shape))
    return None if classes.keys_of(obj) is None else _tree_type(obj, ())


def _tree_type(obj: Any, around: tuple[Any, ...]) -> Type:
    """The type of a container or an object, which is inside those `around` it."""
    keys = classes.keys_of(obj)
    if keys is None:
        return data_type(obj) or leaf_type(obj)
    if any(obj is outer for outer in around):
        raise TypeMismatch(
            f"a {type(obj).__name__} from outside the function holds itself",
            hint="leave out attributes that refer back (a parent, an owner)",
        )
    items = [_tree_type(child(obj, key), (*around, obj)) for key in keys]
    return Tree(type(obj), keys, tuple(items))


def leaf_type(obj: Any) -> Type:
    """The type of an object of a tree that is no plain data."""
    return Static(obj) if is_known(obj) else Opaque(type(obj))


def is_static(obj: Any) -> bool:
    """Whether `obj` counts by its identity: a function, a class, a module, None, a string."""
    return (
        obj is None
        or obj is Ellipsis
        or obj is NotImplemented
        or isinstance(obj, str | bytes | type | types.ModuleType | np.dtype | slice | range)
        or callable(obj)
    )


def suggest(name: str, frame: Frame) -> str | None:
    """A name that `name` may be a misspelling of."""
    names: dict[str, None] = {}  # those in scope; builtins only where they are nearly the same
    f: Frame | None = frame
    while f is not None:
        names.update(dict.fromkeys(n for n in f.code.local_names if "$" not in n))
        f = f.parent
    root = frame.root
    if root is not None:
        names.update(dict.fromkeys(root.__globals__))
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.7)
    close = close or difflib.get_close_matches(name, dir(builtins), n=1, cutoff=0.85)
    return f"did you mean `{close[0]}`?" if close else None
