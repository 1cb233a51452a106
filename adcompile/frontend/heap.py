"""Arrays as objects: what a reference holds now, and which references share memory.

A reference to an array is the `Value` that made it; what the array holds now is in the store, under
its *place*: nothing there means that nobody has written yet, and the reference stands for its own
contents. A *view* is a reference with a base and a step (`x[1:]`, `x.T`): it has no place of its
own, is read from its base again once the base has changed, and written through.

Where paths meet, a variable may hold one of two arrays: a new reference, *kin* to both. Kin may be
read freely. A write to one leaves the others *tainted*: what they hold is not known any more, and
whoever reads them gets an `AliasError`.

What belongs to a parameter that is a tree has the place `Leaf`: the same however often it is looked
up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adcompile.errors import AliasError
from adcompile.frontend import joins
from adcompile.frontend.operands import (
    Bound,
    Closure,
    Known,
    Leaf,
    NewObj,
    Obj,
    Operand,
    Poison,
    Slicer,
    Tup,
    Unbound,
    literal,
)
from adcompile.frontend.operands import (
    Iterable as Iteration,
)
from adcompile.frontend.wanted import LAYOUTS, NeedLayout
from adcompile.ir.builder import Builder
from adcompile.ir.core import MISSING, Block, Global, Loc, Op, Step, Value, defined_in
from adcompile.ir.types import Array, Tree, TypeClash

if TYPE_CHECKING:
    from adcompile.frontend.scopes import Store

ArrayPlace = Value | Leaf
Contents = Callable[[Any], Operand]  # what a place holds on a path


@dataclass(eq=False, slots=True)
class View:
    """`value` is what `step` shows of `base`, whose contents were `seen` when it was made.

    `exact`: a write through the step is a write to the base whatever the layout in memory; else
    (`reshape`) the step is undone to give the base's new contents. `fixed`: NumPy does not let one
    write through it. `flat`: it is `x.flat`, whose slices are copies.
    """

    value: Value
    base: Value
    step: Step
    operands: list[Value]
    seen: Value
    exact: bool = True
    fixed: bool = False
    flat: bool = False


@dataclass(eq=False, slots=True)
class Joined:
    """References made where paths meet, with those that each may be; `blocks` are the paths."""

    references: list[tuple[Value, list[Operand]]]  # by path
    blocks: Sequence[Block]


@dataclass(eq=False, slots=True)
class Heap:
    """What one compilation knows of its arrays."""

    views: dict[Value, View] = field(default_factory=dict)
    places: dict[Value, ArrayPlace] = field(default_factory=dict)  # where it is not the value
    sealed: dict[ArrayPlace, str] = field(default_factory=dict)  # why it may not be written
    same: dict[ArrayPlace, ArrayPlace] = field(default_factory=dict)  # passed twice
    touched: set[Any] = field(default_factory=set)  # trees of which some array was written
    holders: dict[Value, Any] = field(default_factory=dict)  # of lists of unknown length
    params: dict[Value, str] = field(default_factory=dict)
    reshaped: dict[Value, tuple[Any, ...]] = field(default_factory=dict)  # which argument's leaf
    picked: dict[Value, Value] = field(default_factory=dict)  # item of a known list → its index
    shown: dict[ArrayPlace, Value] = field(default_factory=dict)  # leaves on lines of their own
    dropped: set[Value] = field(default_factory=set)  # of tries of loops that were given up
    written: bool = False  # anything: until then every reference stands for its contents
    changed: set[Any] = field(default_factory=set)  # what was written, on some path
    _kin: dict[Any, dict[Any, None]] = field(default_factory=dict)
    _joined: list[Joined] = field(default_factory=list)  # not looked into yet

    # --- references ------------------------------------------------------------------------------

    def place(self, x: Value) -> ArrayPlace:
        """The place of `x`, which is no view."""
        found = self.places.get(x, x)
        return self.same.get(found, found)

    def chain(self, x: Value) -> tuple[Value, list[View]]:
        """The array that `x` is a view of, and the views in between, outermost first."""
        found: list[View] = []
        while x in self.views:
            found.append(self.views[x])
            x = found[-1].base
        return x, found[::-1]

    def root(self, x: Value) -> ArrayPlace:
        """The place of the array that `x` is, or is a view of."""
        return self.place(self.chain(x)[0])

    def child(self, tree: Value, key: Any, v: Value) -> None:
        """`v` is what `tree` holds under `key`."""
        if isinstance(v.type, Array | Tree):
            self.places[v] = Leaf(self.place(tree), key, v.type)
            reason = self.sealed.get(self.place(tree))
            if reason is not None:
                self.sealed[self.places[v]] = reason

    def seal(self, x: Value, reason: str) -> None:
        """`x` may not be written."""
        if isinstance(x.type, Array | Tree):
            self.sealed[x] = reason

    # --- contents --------------------------------------------------------------------------------

    def load(self, x: Value, b: Builder, contents: Contents) -> Value:
        """What `x` holds now."""
        if not self.written or not isinstance(x.type, Array | Tree):
            return x
        root, views = self.chain(x)
        held = self._contents(self.place(root), root, b, contents)
        for view in views:
            again = held is not view.seen
            held = b.view(held, view.step, view.operands) if again else view.value
            if again:
                held.name = view.value.name
        return held

    def _contents(self, place: ArrayPlace, x: Value, b: Builder, contents: Contents) -> Value:
        held = contents(place)
        if isinstance(held, Poison):
            raise AliasError(held.reason, b.loc, held.hint)
        tree = place
        while isinstance(tree, Leaf):  # what a tree has in it is tainted with it
            tree = tree.root
            whole = contents(tree)
            if isinstance(whole, Poison) and whole.error is AliasError:
                raise AliasError(whole.reason, b.loc, whole.hint)
        if not isinstance(held, Unbound):
            return held if isinstance(held, Value) else self.materialise(held, b, contents)
        if isinstance(x.type, Tree) and place in self.touched:
            return self.materialise(self.taken_apart(place, x.type), b, contents)
        return x

    def taken_apart(self, place: ArrayPlace, t: Tree) -> Tup:
        """A tree by its leaves, each at its own place."""
        leaves = [Leaf(place, key, item) for key, item in zip(t.keys, t.items, strict=True)]
        return Tup(t.node, t.keys, tuple([self._once(leaf) for leaf in leaves]))

    def _once(self, leaf: Leaf) -> Operand:
        """`leaf`, or the place of the same array if that was passed twice and is written."""
        return self.same.get(leaf, leaf)

    def reference(self, leaf: Leaf, b: Builder) -> Value:
        """A reference to what is at the place `leaf`."""
        found = self._original(leaf, b)
        if isinstance(found.type, Array | Tree):
            self.places[found] = leaf
        return found

    def by_place(self, place: ArrayPlace, held: Operand) -> Operand:
        """New contents of a tree from outside; what still is where it was keeps its place."""
        if not isinstance(held, Tup):
            return held
        items = [
            self.places[x]
            if isinstance(x, Value) and self.places.get(x) == Leaf(place, key, x.type)
            else x
            for key, x in zip(held.keys, held.items, strict=True)
        ]
        return Tup(held.node, held.keys, tuple(items))

    def fetch(self, leaf: Leaf, b: Builder, contents: Contents) -> Value:
        """What the place `leaf` holds now."""
        held = contents(leaf)
        if not isinstance(held, Unbound):
            return self.materialise(held, b, contents)
        if isinstance(leaf.type, Tree) and leaf in self.touched:
            return self.materialise(self.taken_apart(leaf, leaf.type), b, contents)
        return self._original(leaf, b)

    def _original(self, place: ArrayPlace, b: Builder) -> Value:
        """What was passed in at `place`."""
        shown = self.shown.get(place)
        if shown is not None and any(op is shown.owner for op in b.block.ops):
            return shown
        keys: list[Any] = []
        while isinstance(place, Leaf):
            keys.append(place.key)
            place = place.root
        for key in reversed(keys):
            place = b.item(place, key)
        return place

    def materialise(self, x: Operand, b: Builder, contents: Contents) -> Value:
        """`x` as one value, made in `b` (raises TypeClash where there is none)."""
        match x:
            case Value():
                return self.load(x, b, contents)
            case Known(value):
                return b.const(value)
            case Tup(node, keys, items):
                return b.make(node, keys, [self.materialise(i, b, contents) for i in items])
            case Obj():
                return self.materialise(contents(x), b, contents)
            case Leaf():
                return self.fetch(x, b, contents)
            case Iteration("range", parts):
                bounds = [literal(p) for p in parts]
                if MISSING not in bounds:
                    return b.const(range(*bounds))
            case Slicer(start, stop, step):
                bounds = [None if p is None else literal(p) for p in (start, stop, step)]
                if MISSING not in bounds:
                    return b.const(slice(*bounds))
            case Closure(function=function) if function is not None and x.receiver is None:
                return b.const(function)
            case Poison(reason):
                raise TypeClash(reason)
            case Bound(_, name):
                raise TypeClash(f"the method {name} is not called: write `{name}(…)`")
            case Unbound():
                raise TypeClash("a variable is read that was never assigned")
        raise TypeClash(f"{joins.describe_operand(x)} cannot be a value here")

    # --- sharing ---------------------------------------------------------------------------------

    def kin(self, place: Any) -> list[Any]:
        """The places that may be the same array as `place`."""
        self.settle()
        return [p for p in self._kin.get(place, ()) if p not in self.dropped]

    def settle(self) -> None:
        """Look into the joins so far."""
        pending, self._joined = self._joined, []
        for joined in pending:
            self._look_into(joined)

    def relate(self, a: Any, b: Any) -> None:
        """From now on the places `a` and `b` may share memory."""
        if a != b:
            self._kin.setdefault(a, {})[b] = None
            self._kin.setdefault(b, {})[a] = None

    def relate_to(self, place: Any, x: Value) -> None:
        """The place may share memory with whatever `x` may share memory with."""
        root = self.root(x)
        for other in (root, *self.kin(root)):
            self.relate(place, other)

    def hold(self, holder: Any, x: Operand, contents: Contents) -> None:
        """The list `holder`, of unknown length, has the arrays of `x` among its items."""
        match x:
            case Value(type=Array()):
                self.relate_to(holder, x)
            case Value() if x in self.holders:
                for other in self.kin(self.holders[x]):
                    self.relate(holder, other)
            case Tup(items=items):
                for item in items:
                    self.hold(holder, item, contents)
            case Obj():
                self.hold(holder, contents(x), contents)

    def item_of(self, seq: Value, item: Value) -> None:
        """`item` was read from a list of unknown length."""
        holder = self.holders.get(seq)
        if holder is not None and isinstance(item.type, Array | Tree):
            for other in [holder, *self.kin(holder)]:
                self.relate(self.place(item), other)

    def join(self, references: list[tuple[Value, list[Operand]]], blocks: Sequence[Block]) -> None:
        """Paths meet: each new reference is another one on each of them."""
        if references:
            self._joined.append(Joined(references, blocks))

    def share(self, a: Value, b: Value) -> bool:
        """Whether two references may share memory."""
        p, q = self.root(a), self.root(b)
        return p == q or q in self.kin(p)

    def identical(self, a: Value, b: Value) -> bool | None:
        """Whether two references are one array; None where that is not known."""
        if not self.share(a, b) and (_is_made_here(self.root(a)) or _is_made_here(self.root(b))):
            return False
        if a in self.views or b in self.views:  # `np.asarray(x)` may be `x`
            return None
        return True if self.place(a) == self.place(b) else None

    def _look_into(self, joined: Joined) -> None:
        """Two new references may be the same array if what they are on one path may be."""
        inside = defined_in(joined.blocks)
        roots = [[self._root_of(x) for x in old] for _, old in joined.references]
        nears = [[self._near(p) if p else () for p in row] for row in roots]
        for k, (new, _) in enumerate(joined.references):
            for p in {q: None for near in nears[k] for q in near}:
                if p not in inside:
                    self.relate(new, p)
            for other, theirs in zip(joined.references[:k], roots[:k], strict=True):
                if any(p in near for p, near in zip(theirs, nears[k], strict=True)):
                    self.relate(new, other[0])

    def _near(self, place: Any) -> dict[Any, None]:
        return {p: None for p in (place, *self._kin.get(place, ())) if p not in self.dropped}

    def _root_of(self, x: Operand) -> ArrayPlace | None:
        if isinstance(x, Leaf):
            return self.same.get(x, x)
        return self.root(x) if isinstance(x, Value) else None

    def write(self, store: Store, place: Any, held: Operand, loc: Loc) -> None:
        """`place` holds something else; what perhaps shares memory with it is not known now."""
        self.written = True
        self.changed.add(place)
        store.set(place, held)
        inner = place
        while True:
            for other in self.kin(inner):
                if other != place:
                    self._ask_for_layout(other, place)
                    store.set(other, _tainted(other, place, loc))
                    self.changed.add(other)
                    self._touch(other)
            if not isinstance(inner, Leaf):
                return
            inner = inner.root
            self.touched.add(inner)

    def renew(self, store: Store, place: Any, held: Operand) -> None:
        """`place` holds the same contents, by another value: nothing is written."""
        self.written = True
        store.set(place, held)
        self._touch(place)

    def _touch(self, place: Any) -> None:
        """The trees that `place` is a part of do not hold any more what they held."""
        while isinstance(place, Leaf):
            place = place.root
            self.touched.add(place)

    def path(self, place: Any) -> tuple[Any, ...] | None:
        """Which leaf of the arguments a place is."""
        keys: list[Any] = []
        while isinstance(place, Leaf):
            keys.append(place.key)
            place = place.root
        name = self.params.get(place) if isinstance(place, Value) else None
        return None if name is None else (name, *reversed(keys))

    def _ask_for_layout(self, *places: Any) -> None:
        """What is known of a reshaped argument once it is known whether that is contiguous."""
        layouts = LAYOUTS.get()
        for place in places:
            path = self.reshaped.get(place) if isinstance(place, Value) else None
            if path is not None and layouts is not None and path not in layouts:
                raise NeedLayout(path)


def place_at(params: Mapping[str, Value], path: tuple[Any, ...]) -> ArrayPlace:
    """The place of a leaf of the arguments."""
    place: ArrayPlace = params[path[0]]
    for key in path[1:]:
        assert isinstance(place.type, Tree)
        place = Leaf(place, key, place.type.child(key))
    return place


def _is_made_here(place: ArrayPlace) -> bool:
    """Whether an array was made by the program: two from outside may be passed as one."""
    op = place.owner if isinstance(place, Value) else None
    return isinstance(op, Op) and not isinstance(op, Global)


def _tainted(other: Any, written: Any, loc: Loc) -> Poison:
    a, b = _shown(other), _shown(written)
    born = other.owner if a == b and isinstance(other, Value) else None
    which = f"{a} of line {born.loc.line}" if isinstance(born, Op) else a
    what = f"cannot tell whether {which} shares memory with {b}, which line {loc.line} writes"
    name = b.strip("`") if b.startswith("`") else ""
    if isinstance(other, Obj):
        hint = f"put a copy into the {other.node.__name__}: `{name or 'x'}.copy()`"
    else:
        copied = f"write `{name} = {name}.copy()`" if name else "copy the other one (`.copy()`)"
        hint = f"{copied} before line {loc.line} if they are to be two arrays"
        hint += f"; else write into {a}" if a.startswith("`") else ""
    return Poison(what, [loc], None, AliasError, hint)


def _shown(place: Any) -> str:
    if isinstance(place, Leaf):
        return f"`{_path(place)}`"
    if isinstance(place, Obj):
        return f"an item of a {place.node.__name__}"
    return f"`{place.name}`" if getattr(place, "name", None) else "another array"


def _path(place: Any) -> str:
    if not isinstance(place, Leaf):
        return place.name or "…"
    of = getattr(place.root.type, "node", None)
    plain = of is not dict and isinstance(place.key, str) and place.key.isidentifier()
    return _path(place.root) + (f".{place.key}" if plain else f"[{place.key!r}]")


def is_reference(x: object, boxed: set[Value]) -> bool:
    """Whether `x` is an array, which can be written, and no number."""
    return isinstance(x, Value) and isinstance(x.type, Array) and (x.type.rank > 0 or x in boxed)


__all__ = ["ArrayPlace", "Heap", "NewObj", "View", "defined_in", "is_reference"]
