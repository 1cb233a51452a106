"""Where paths meet: what a place holds after a branch, or at the head of a loop.

`unify` finds the template of two operands: what is the same on both stays as it is, what differs
becomes a `Slot` of the joined type, containers are taken apart. `flatten` gives the values that an
operand has in the slots of a template; `instantiate` puts values into the slots. So the results of
an `If` are the slots of a unification, its yields the flattened operands of its two sides, and a
loop carries the slots of a template that no longer changes.

References to objects must agree up to renaming: two lists, one of each path, become a new object
with merged contents. Where such an object may be reached by another name too it is frozen: reads
are right, and a write is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adcompile.classes import is_mutable, is_object_class
from adcompile.errors import AliasError
from adcompile.frontend.operands import (
    UNBOUND,
    Closure,
    Known,
    Leaf,
    NewObj,
    Obj,
    Operand,
    Poison,
    Slot,
    Tup,
    Unbound,
    is_bottom,
    is_tree,
    literal,
)
from adcompile.ir.builder import Builder
from adcompile.ir.core import MISSING, Block, Loc, Op, Value, defined_in
from adcompile.ir.infer import infer_constant
from adcompile.ir.types import (
    UNDEFINED,
    Array,
    Dim,
    Opaque,
    Scalar,
    Seq,
    Static,
    Tree,
    Type,
    TypeClash,
    Undefined,
    describe,
    is_many,
    join,
    scalar_kind,
    with_article,
)

if TYPE_CHECKING:
    from adcompile.frontend.heap import Heap

Contents = Callable[[Any], Operand]  # what a place holds on a path
Materialise = Callable[[Operand, Builder, Contents], Value]


def type_of(x: Operand, contents: Contents) -> Type:
    """The type that `x` has as one value (raises TypeClash where it cannot be one)."""
    match x:
        case Value() | Slot() | Leaf():
            return x.type
        case Known(value):
            return infer_constant(value)
        case Tup(node, keys, items):
            return Tree(node, keys, tuple([type_of(i, contents) for i in items]))
        case Obj():
            return type_of(contents(x), contents)
        case NewObj():
            return type_of(x.contents, contents)
        case Unbound():
            return UNDEFINED
        case Closure():
            raise TypeClash("which function this is must be known at compile time")
    raise TypeClash(f"{describe_operand(x)} cannot be held here")


def describe_operand(x: Operand) -> str:
    match x:
        case Value() | Slot() | Leaf():
            return describe(x.type)
        case Known(value):
            return describe(infer_constant(value))
        case Tup(node, keys):
            sized = issubclass(node, tuple | list | dict)
            return with_article(f"{node.__name__} of {len(keys)}" if sized else node.__name__)
        case Obj(node) | NewObj(node):
            return with_article(node.__name__)
        case Closure(code):
            return f"the function {code.name}"
        case Unbound():
            return "nothing"
    return with_article(getattr(x, "kind", type(x).__name__.lower()))


def refreshed(t: Type, generic: set[Dim]) -> Type:
    """`t` with new dimensions for the generic ones, which may be other sizes each time."""
    match t:
        case Array(dtype, shape) if not generic.isdisjoint(shape):
            return Array(dtype, tuple([Dim.fresh(n.many) if n in generic else n for n in shape]))
        case Seq(item):
            return Seq(refreshed(item, generic))
        case Tree(node, keys, items):
            return Tree(node, keys, tuple([refreshed(i, generic) for i in items]))
        case Scalar(kind):
            return Scalar(kind)
    return t


@dataclass(eq=False, slots=True)
class Joiner:
    """Unifies the two sides of one join.

    `generic` holds the dimensions that stand for any size (of a loop-carried array); `left` and
    `right` tell what objects hold on either side, and `lives` whether an object is older than the
    join, so that others may refer to it.
    """

    left: Contents
    right: Contents
    lives: Callable[[Obj], bool]
    generic: set[Dim] | None
    heap: Heap
    pairs: dict[int, tuple[Obj, Obj | None, NewObj]] = field(default_factory=dict)
    arrays: dict[tuple[int, int], Slot] = field(default_factory=dict)
    blocks: Sequence[Block] = ()  # of the paths: arrays from before them stay what they are
    news: Sequence[Value] = ()  # values of the blocks that are not their parameters yet
    _inside: set[Any] | None = None

    def unify(self, a: Operand, b: Operand) -> Operand:
        """The template of `a` (or a template) on one side and `b` on the other."""
        tainted = self._tainted(a, self.left) or self._tainted(b, self.right)
        if tainted is not None:
            return tainted
        if (a is b and not isinstance(a, Slot)) or (isinstance(a, Leaf) and a == b):
            return a
        if isinstance(a, Poison) or isinstance(b, Poison):
            return a if isinstance(a, Poison) else b
        if isinstance(a, Unbound) or _is_undefined(a):
            return self.slots(b, self.right)
        if isinstance(b, Unbound) or _is_undefined(b):
            return self.slots(a, self.left)
        if _same(a, b):
            return Known(literal(a))
        if isinstance(a, Obj | NewObj) or isinstance(b, Obj | NewObj):
            return self._objects(a, b)
        if self._is_layout(a) and self._is_layout(b):
            return self._layouts(a, b)
        if _is_text(a) and _is_text(b):
            return Slot(Opaque(str))
        try:
            joined = self._types(type_of(a, self.left), type_of(b, self.right))
        except TypeClash as e:
            return Poison(e.reason, [*_origin(a), *_origin(b)])
        if isinstance(joined, Static):
            return Known(joined.value)
        if isinstance(joined, Array) and isinstance(a, Value) and isinstance(b, Value):
            return self.arrays.setdefault((id(a), id(b)), Slot(joined, _name(a) or _name(b)))
        return Slot(joined, _name(a) or _name(b))

    def _tainted(self, x: Operand, contents: Contents) -> Poison | None:
        """Why it is not known what the array `x` holds."""
        if not self.heap.written or not isinstance(x, Value) or not isinstance(x.type, Array):
            return None
        held = contents(self.heap.root(x))
        return held if isinstance(held, Poison) else None

    def slots(self, x: Operand, contents: Contents) -> Operand:
        """`x` with a slot for each value in it (the other side has none)."""
        match x:
            case Slot():
                return x
            case Value() | Leaf() if isinstance(x.type, Tree):
                return slots_of(x.type)
            case Leaf():
                return slot_of(x.type)
            case Value() if isinstance(x.type, Array):
                tainted = self._tainted(x, contents)
                if tainted is None and x.type.rank and self._is_older(x):
                    return x  # this array, or nothing
                if tainted is not None or self.generic is not None:  # iterations share no names
                    return tainted or Slot(x.type, x.name)
                return self.arrays.setdefault((id(x), id(x)), Slot(x.type, x.name))
            case Value():
                return slot_of(x.type, x.name)
            case Known(value):
                return slot_of(infer_constant(value)) if scalar_kind(value) else x
            case Tup(node, keys, items):
                return Tup(node, keys, tuple([self.slots(i, contents) for i in items]))
            case Obj() if self.lives(x):
                return x  # this object, or nothing
            case Obj():
                return self._new(x, None, self.slots(contents(x), contents))
            case NewObj(node, held, frozen):
                return NewObj(node, self.slots(held, contents), frozen)
        return x

    def _is_older(self, x: Value) -> bool:
        """Whether the array `x` was there before the paths."""
        if not self.blocks:
            return False
        if self._inside is None:
            self._inside = {*defined_in(self.blocks), *self.news}
        return x not in self._inside

    # --- containers -----------------------------------------------------------------------------

    def _is_layout(self, x: Operand) -> bool:
        return isinstance(x, Tup) or is_tree(x)

    def _layouts(self, a: Operand, b: Operand) -> Operand:
        a, b = _apart(a), _apart(b)
        if isinstance(a, Tup) and isinstance(b, Tup):
            if a.node is b.node and a.keys == b.keys:
                return Tup(a.node, a.keys, tuple(map(self.unify, a.items, b.items)))
            if a.node is list and b.node is list:
                return self._sequence(a, b)
            if a.node is b.node and is_object_class(a.node):  # attributes that one path alone sets
                keys = (*a.keys, *(k for k in b.keys if k not in a.keys))
                pairs = zip(parts_of(a, keys), parts_of(b, keys), strict=True)
                return Tup(a.node, keys, tuple([self.unify(x, y) for x, y in pairs]))
        return Poison(f"{describe_operand(a)} on one path and {describe_operand(b)} on another")

    def _sequence(self, a: Operand, b: Operand) -> Operand:
        """Two lists that differ in length: a list of unknown length."""
        try:
            items = self._types(
                _item_type(a, self.left, self._types), _item_type(b, self.right, self._types)
            )
        except TypeClash as e:
            return Poison(e.reason)
        return Slot(Seq(items), _name(a) or _name(b))

    def _objects(self, a: Operand, b: Operand) -> Operand:
        ca = self._open(a, self.left)
        cb = self._open(b, self.right)
        if ca is None or cb is None:
            return Poison(f"{describe_operand(a)} on one path and {describe_operand(b)} on another")
        merged = self.contents(ca, cb)
        if isinstance(merged, Poison):
            return merged
        if isinstance(a, NewObj):
            return NewObj(a.node, merged, a.frozen or self._shared(b))
        return self._new(a if isinstance(a, Obj) else b, b if isinstance(a, Obj) else None, merged)

    def contents(self, a: Operand, b: Operand) -> Operand:
        """Like `unify`, for what an object holds on either side."""
        lists = [x for x in (a, b) if isinstance(x, Tup) and x.node is list]
        seqs = [x for x in (a, b) if isinstance(x, Value | Slot) and isinstance(x.type, Seq)]
        if len(lists) + len(seqs) == 2 and seqs:
            return self._sequence(a, b)
        return self.unify(a, b)

    def _open(self, x: Operand, contents: Contents) -> Operand | None:
        if isinstance(x, Obj):
            return contents(x)
        if isinstance(x, NewObj):
            return x.contents
        return _apart(x) if self._is_layout(x) else None

    def _new(self, a: Operand, b: Operand | None, contents: Operand) -> NewObj:
        assert isinstance(a, Obj)
        made = NewObj(a.node, contents, self._shared(a) or self._shared(b))
        other = b if isinstance(b, Obj) else None
        for old in (a, other):
            if old is None:
                continue
            known = self.pairs.get(id(old))
            if known is not None and known[:2] == (a, other):
                return known[2]
            if known is not None:
                reason = f"it may be the same {a.node.__name__} as another one"
                known[2].frozen = made.frozen = reason
            self.pairs[id(old)] = (a, other, made)
        return made

    def _shared(self, x: Operand | None) -> str | None:
        if not isinstance(x, Obj):
            return None
        if x.frozen or self.lives(x):
            x.frozen = x.frozen or f"it may be the same {x.node.__name__} as another one"
            return x.frozen
        return None

    # --- types ----------------------------------------------------------------------------------

    def _types(self, a: Type, b: Type) -> Type:
        """The join; dimensions that are generic already stay as they are, so that it settles."""
        if self.generic is None:
            return join(a, b)
        match a, b:
            case Array(), Array() if a.rank == b.rank and a.rank:
                joined = join(a, b)
                assert isinstance(joined, Array)
                shape = tuple(map(self._dim, a.shape, b.shape, joined.shape))
                return (
                    a if (a.dtype, a.shape) == (joined.dtype, shape) else Array(joined.dtype, shape)
                )
            case Tree(), Tree() if (a.node, a.keys) == (b.node, b.keys):
                return Tree(a.node, a.keys, tuple(map(self._types, a.items, b.items)))
            case Seq(), Seq():
                return Seq(self._types(a.item, b.item))
        return join(a, b)

    def _dim(self, a: int | Dim, b: int | Dim, joined: int | Dim) -> int | Dim:
        assert self.generic is not None
        if a == b or (isinstance(a, Dim) and a in self.generic and (is_many(b) or not a.many)):
            return a
        if isinstance(joined, Dim):
            self.generic.add(joined)
        return joined


def _same(a: Operand, b: Operand) -> bool:
    """Whether both are the same constant (0.0 and -0.0 are not)."""
    x, y = literal(a), literal(b)
    if x is MISSING or y is MISSING:
        return False
    if x is y:
        return True
    comparable = scalar_kind(x) is not None or isinstance(x, str | tuple | slice)
    return type(x) is type(y) and comparable and repr(x) == repr(y)


def _is_text(x: Operand) -> bool:
    """Whether `x` is a string, known or not: which one may depend on the path."""
    if isinstance(x, Known):
        return isinstance(x.value, str)
    return isinstance(x, Value | Slot) and x.type == Opaque(str)


def _apart(x: Operand) -> Operand:
    """The template of a value that stands for a whole tree."""
    t = x.type if isinstance(x, Value | Slot | Leaf) else None
    return slots_of(t) if isinstance(t, Tree) else x


def slots_of(t: Tree) -> Tup:
    """A template with a slot for each leaf of a tree."""
    items = [slots_of(i) if isinstance(i, Tree) else slot_of(i) for i in t.items]
    return Tup(t.node, t.keys, tuple(items))


def slot_of(t: Type, name: str | None = None) -> Operand:
    if isinstance(t, Static):
        return Known(t.value)
    return Slot(Scalar(t.kind) if isinstance(t, Scalar) else t, name)


def _item_type(x: Operand, contents: Contents, joined: Callable[[Type, Type], Type]) -> Type:
    """The type of the items of a list, of known length or not."""
    if isinstance(x, Tup):
        found: Type = UNDEFINED
        for item in x.items:
            t = type_of(item, contents)
            found = t if isinstance(found, Undefined) else joined(found, t)
        return unsized(found)
    assert isinstance(x, Value | Slot) and isinstance(x.type, Seq)
    return x.type.item


def holds_objects(t: Type) -> bool:
    """Whether a value of type `t` is or holds an object whose attributes can be assigned."""
    if isinstance(t, Seq):
        return holds_objects(t.item)
    return isinstance(t, Tree) and (is_mutable(t.node) or any(map(holds_objects, t.items)))


def unsized(t: Type) -> Type:
    if isinstance(t, Tree):
        return Tree(t.node, t.keys, tuple(map(unsized, t.items)))
    return Scalar(t.kind) if isinstance(t, Scalar) else t


def _is_undefined(x: Operand) -> bool:
    return isinstance(x, Value | Slot) and isinstance(x.type, Undefined)


def _origin(x: Operand) -> list[Loc]:
    """Where `x` was computed."""
    owner = x.owner if isinstance(x, Value) else None
    return [owner.loc] if isinstance(owner, Op) else []


def _name(x: Operand) -> str | None:
    return x.name if isinstance(x, Value | Slot) else None


# --- slots and values ---------------------------------------------------------------------------


def slots_in(template: Operand) -> Iterator[Slot]:
    """The slots of a template, in the order of `flatten` and `instantiate`."""
    match template:
        case Slot():
            yield template
        case Tup(_, _, items):
            for item in items:
                yield from slots_in(item)
        case NewObj():
            yield from slots_in(template.contents)


def same_template(a: Operand, b: Operand) -> bool:
    """Whether a further iteration would change nothing."""
    match a, b:
        case Slot(), Slot():
            return a.type == b.type
        case Tup(), Tup():
            same = a.node is b.node and a.keys == b.keys
            return same and all(map(same_template, a.items, b.items))
        case NewObj(), NewObj():
            return same_template(a.contents, b.contents) and a.frozen == b.frozen
        case Known(), Known():
            return _same(a, b) or a.value is b.value
        case Poison(), Poison():
            return True
    return a is b


def parts_of(x: Tup, keys: tuple[Any, ...]) -> list[Operand]:
    """What `x` holds under `keys`; nothing under those that it does not have."""
    if x.keys == keys:
        return list(x.items)
    have = dict(zip(x.keys, x.items, strict=True))
    return [have.get(key, UNBOUND) for key in keys]


def flatten(
    x: Operand, template: Operand, b: Builder, contents: Contents, materialise: Materialise
) -> list[Value]:
    """The values that `x` has in the slots of `template`; what must be computed goes to `b`."""
    if is_bottom(x):  # of a try that will be repeated: a use of it shows that
        assert isinstance(x, Value)
        return [x for _ in slots_in(template)]
    match template:
        case Slot():
            return [_value(x, template.type, b, contents, materialise)]
        case Tup(_, keys, items):
            if isinstance(x, Leaf):
                x = materialise(x, b, contents)
            if is_tree(x):
                assert isinstance(x, Value)
                x = materialise(x, b, contents)  # its arrays may have been written
                own = x.type.keys if isinstance(x.type, Tree) else ()
                parts: list[Operand] = [b.item(x, k) if k in own else UNBOUND for k in keys]
            elif isinstance(x, Obj):
                return flatten(contents(x), template, b, contents, materialise)
            elif isinstance(x, Tup):
                parts = parts_of(x, keys)
            else:
                parts = [UNBOUND] * len(keys)
            lists = [
                flatten(p, t, b, contents, materialise) for p, t in zip(parts, items, strict=True)
            ]
            return [v for one in lists for v in one]
        case NewObj():
            inner = contents(x) if isinstance(x, Obj) else x
            return flatten(inner, template.contents, b, contents, materialise)
    return []


def _value(x: Operand, t: Type, b: Builder, contents: Contents, materialise: Materialise) -> Value:
    if isinstance(x, Obj):
        x = contents(x)
    if isinstance(x, Poison) and x.error is AliasError:  # it has a value, but which is not known
        raise AliasError(x.reason, b.loc, x.hint)
    if isinstance(x, Unbound | Poison):
        return b.undef(t)
    if isinstance(t, Seq) and isinstance(x, Tup):
        return b.new_seq(t.item, [_value(i, t.item, b, contents, materialise) for i in x.items])
    if isinstance(t, Seq) and is_tree(x):
        assert isinstance(x, Value) and isinstance(x.type, Tree)
        return b.new_seq(t.item, [b.item(x, key) for key in x.type.keys])
    v = materialise(x, b, contents)
    if isinstance(t, Opaque) and isinstance(v.type, Static):
        v.type = t  # one of several strings
    return v


def references(x: Operand, template: Operand, contents: Contents) -> list[Operand]:
    """The operands that `x` has in the slots of `template`, as `flatten` but not loaded."""
    match template:
        case Slot():
            return [x]
        case Tup(_, keys, items):
            if isinstance(x, Obj):
                return references(contents(x), template, contents)
            parts = parts_of(x, keys) if isinstance(x, Tup) else [x] * len(keys)
            lists = [references(p, t, contents) for p, t in zip(parts, items, strict=True)]
            return [v for one in lists for v in one]
        case NewObj():
            inner = contents(x) if isinstance(x, Obj) else x
            return references(inner, template.contents, contents)
    return []


def instantiate(
    template: Operand,
    values: Iterator[Value],
    define: Callable[[Obj, Operand], None],
    made: dict[int, Any],
) -> Operand:
    """`template` with `values` in its slots; `define` is told what new objects hold.

    What was `made` for the templates of one join is shared by them: names of one object before the
    join are names of one object after it.
    """

    def build(t: Operand) -> Operand:
        match t:
            case Slot():
                return made.setdefault(id(t), next(values))
            case Tup(node, keys, items):
                return Tup(node, keys, tuple([build(i) for i in items]))
            case NewObj():
                contents = build(t.contents)  # also the second time: `flatten` has it twice
                if id(t) not in made:
                    made[id(t)] = Obj(t.node, t.frozen)
                    define(made[id(t)], contents)
                return made[id(t)]
        return t

    return build(template)
