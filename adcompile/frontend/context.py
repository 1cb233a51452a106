"""What lowering knows at each moment, and the ways to make ops of what it evaluates.

`Context` is handed to every function of the frontend: the builder of the current block, the store,
the frame. Its methods turn operands into IR values, calls into ops, and failures into errors at
the place that they are about.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import gast

from adcompile.codegen.aliasing import is_fresh
from adcompile.errors import (
    AdcompileError,
    InternalError,
    MissingRule,
    TypeMismatch,
    UnsupportedSyntax,
)
from adcompile.frontend import joins, members, narrow, sharing, wanted
from adcompile.frontend.heap import Contents, Heap
from adcompile.frontend.joins import Joiner
from adcompile.frontend.operands import (
    Generator,
    Iterable,
    Leaf,
    Obj,
    Operand,
    Poison,
    Tup,
    Unbound,
    literal,
)
from adcompile.frontend.scopes import Frame, Store
from adcompile.frontend.source import loc_of
from adcompile.frontend.wanted import Counter, NeedUnrolled
from adcompile.ir.builder import Builder
from adcompile.ir.core import MISSING, Block, Call, Loc, Make, Value, defined_in
from adcompile.ir.infer import NeedValue, infer_call
from adcompile.ir.types import (
    UNDEFINED,
    Array,
    Dim,
    Opaque,
    Scalar,
    Seq,
    Tree,
    Type,
    TypeClash,
    Undefined,
    describe,
    is_inexact,
)
from adcompile.rules import registry


@dataclass(eq=False)
class Context:
    builder: Builder
    frame: Frame
    evaluate: Callable[[Context, gast.AST], Operand]
    execute: Callable[[Context, list[Any]], None]
    module: Any  # recursion.Module: the functions of this compilation
    store: Store = field(default_factory=Store)
    parameters: dict[Value, Any] = field(default_factory=dict)  # → position in the signature
    folded: dict[Value, Any] = field(default_factory=dict)  # computed from literals alone
    boxed: set[Value] = field(default_factory=set)  # arrays of rank 0, not NumPy scalars
    fixpoints: dict[Any, tuple[dict[Any, Operand], set[Dim]]] = field(
        default_factory=dict
    )  # of loops
    bottoms: list[tuple[Value, str, gast.AST]] = field(default_factory=list)  # read, not assigned
    unrolled: Hashable = None  # the iterations of unrolled loops that are being lowered
    generic: set[Dim] = field(default_factory=set)  # dimensions of any size, made by loops
    counters: dict[Value, Counter] = field(default_factory=dict)  # of loops over ranges
    dead: bool = False  # what follows is never reached
    returned: gast.AST | None = None  # the last `return`
    caught: Value | None = None  # the exception that is being handled
    hook: gast.AST | None = None  # the `with gradient_of(x)` whose block is being lowered

    def __post_init__(self) -> None:
        self.store.holders = self.heap.holders

    # --- places and errors ----------------------------------------------------------------------

    def here(self, node: gast.AST) -> Builder:
        """The builder, with the location of `node`."""
        self.builder.loc = loc_of(node)
        return self.builder

    def mismatch(self, message: str, node: gast.AST, hint: str | None = None) -> NoReturn:
        raise TypeMismatch(message, loc_of(node), hint)

    def unsupported(self, message: str, node: gast.AST, hint: str | None = None) -> NoReturn:
        raise UnsupportedSyntax(message, loc_of(node), hint)

    # --- blocks ---------------------------------------------------------------------------------

    def enter(self) -> Builder:
        """Start a nested block; returns the builder of the outer one for `leave`."""
        outer = self.builder
        self.builder = outer.into(Block())
        self.store.open()
        return outer

    def leave(self, outer: Builder) -> Arm:
        """End a nested block: what it changed is undone, and returned with the block."""
        arm = Arm(self.builder, self.store.close(), self.dead, self.store)
        self.builder = outer
        self.dead = False
        return arm

    # --- values ---------------------------------------------------------------------------------

    @property
    def heap(self) -> Heap:
        return self.module.heap

    def contents(self, place: Any) -> Operand:
        """What a list, dict or object holds, where it is read; of an array, what was written."""
        held = self.store.get(place)
        if isinstance(held, Poison) and isinstance(place, Obj):
            self.refuse(
                held,
                f"what this {place.node.__name__} holds here is not known: {held.reason}",
                self.builder.loc,
                "give it all its keys before the loop or branch"
                if place.node is dict
                else "put numbers or arrays of one type into it, or write it as a tuple",
            )
        return held

    def held(self, x: Operand) -> Operand:
        """What a reference to a container holds now; anything else as it is."""
        if isinstance(x, Obj):
            return self.contents(x)
        if isinstance(x, Leaf):
            return self.heap.fetch(x, self.builder, self.contents)
        if isinstance(x, Value) and isinstance(x.type, Tree) and self.heap.written:
            found = self.store.get(self.heap.place(x))
            if isinstance(found, Poison):
                self.refuse(found, found.reason, self.builder.loc, found.hint)
            return x if isinstance(found, Unbound) else found
        return x

    def rewrite(self, x: Operand, held: Operand, node: gast.AST) -> None:
        """Give a container that is referred to by `x` new contents."""
        t = x.type if isinstance(x, Value | Leaf) else None
        if isinstance(x, Value | Leaf) and isinstance(t, Tree) and not issubclass(t.node, tuple):
            place = self.heap.place(x) if isinstance(x, Value) else x
            reason = self.heap.sealed.get(place)
            if reason is not None:
                self.unsupported(reason, node, "return the new value instead")
            held = self.heap.by_place(place, held)
            self.heap.write(self.store, place, held, loc_of(node))
            return
        if not isinstance(x, Obj):
            self.unsupported(
                f"{joins.describe_operand(x)} cannot be written here", node, "make a copy first"
            )
        if x.frozen:
            self.unsupported(
                f"this {x.node.__name__} cannot be written: {x.frozen}", node, "make a copy first"
            )
        self.store.set(x, held)

    def joiner(self, left: Contents, right: Contents, generic: set[Dim] | None = None) -> Joiner:
        """What unifies two sides of a join here."""
        return Joiner(left, right, lambda obj: obj in self.store.now, generic, self.heap)

    def refuse(self, x: Poison, message: str, loc: Loc, hint: str | None = None) -> NoReturn:
        """What is read has no single type: an error, unless a loop can be unrolled."""
        if x.error is not TypeMismatch:
            raise x.error(x.reason, loc, x.hint)
        error = TypeMismatch(message, loc, hint)
        raise NeedUnrolled(x.loop, error) if x.loop is not None else error

    def known(self, x: Operand) -> Any:
        """The Python object that `x` is known to be, or MISSING."""
        found = literal(x)
        if found is not MISSING or not isinstance(x, Value):
            return found
        if isinstance(x.type, Scalar) and isinstance(x.type.size, int):
            return x.type.size
        return self.folded.get(x, MISSING)

    def value(self, x: Operand, node: gast.AST) -> Value:
        """`x` as one IR value."""
        if isinstance(x, Value) and not self.heap.written:
            return x
        self.here(node)
        try:
            return self.heap.materialise(x, self.builder, self.contents)
        except TypeClash as e:
            hint = "make a list of it: `list(…)`" if isinstance(x, Generator | Iterable) else None
            self.mismatch(e.reason, node, hint)

    def bottom(self, node: gast.AST) -> Value:
        return self.here(node).undef(UNDEFINED)

    def need(self, v: Value, node: gast.AST) -> Value:
        """A constant for `v`, whose value decides a type."""
        found = self.known(v)
        if found is not MISSING:
            return self.here(node).const(found)
        what = f"`{v.name}`" if v.name else "this number"
        if isinstance(v.type, Array) and v.type.rank:
            self.mismatch(
                f"the value of {what} decides a type, but it is an array",
                node,
                "pass a number, or a tuple of numbers",
            )
        error = TypeMismatch(
            f"the value of {what} must be known at compile time: it decides the type of the result",
            loc_of(node),
            "pass it as an argument of the function, or write a constant",
        )
        raise wanted.what(self, v, error) or error

    def static(self, x: Operand, node: gast.AST) -> Any:
        """The Python object that `x` must be known to be here."""
        found = self.known(x)
        if found is MISSING:
            found = literal(self.need(self.value(x, node), node))
        return found

    def check_bottoms(self) -> None:
        """Refuse reads of variables that turned out to be assigned on no path."""
        for value, name, node in self.bottoms:
            if isinstance(value.type, Undefined):
                self.mismatch(f"`{name}` is read before it is assigned", node)

    # --- ops ------------------------------------------------------------------------------------

    def emit(
        self,
        node: gast.AST,
        fn: Callable[..., Any],
        args: Sequence[Operand] = (),
        kwargs: dict[str, Operand] | None = None,
        *,
        member: str | None = None,
        effect: bool = False,
        types: Sequence[Type] | None = None,
    ) -> Operand:
        """A call as an op; the results of a function that returns several come as a `Tup`.

        Of what `infer` knows nothing, the result is opaque and the call an effect: kept, in order,
        once.
        """
        operands = [self.value(a, node) for a in args]
        named = {k: self.value(v, node) for k, v in (kwargs or {}).items()}

        if types is None and not effect:
            op, weak = self._number(node, fn, operands, named, member)
            if op is not None:
                sharing.note(self.heap, self.boxed, op, args, (kwargs or {}).values())
                return self.emit(node, float, op.results) if weak else op.results[0]

        def attempt() -> Operand:
            found = infer_call(fn, operands, named) if types is None else tuple(types)
            several = isinstance(found, tuple) and (types is None or len(found) != 1)
            opaque = effect or (types is None and found == Opaque(object))  # what has no type
            results = found if isinstance(found, tuple) else (found,)
            node_type = members.RESULT_TYPES.get(fn, tuple) if several else tuple
            if several and len(results) == 1:  # one result would stand for itself
                results = (Tree(node_type, (0,), results),)
            op = self.here(node).call_op(
                fn, operands, dict(named), member=member, effect=opaque, types=results
            )
            if len(op.results) == 1:
                sharing.note(self.heap, self.boxed, op, args, (kwargs or {}).values())
                return op.results[0]
            return self._several(op.results, node_type, (*args, *(kwargs or {}).values()))

        def replace(v: Value) -> None:
            new = self.need(v, node)
            operands[:] = [self._replaced(o, v, new) for o in operands]
            for k, o in named.items():
                named[k] = self._replaced(o, v, new)

        return self.inferred(attempt, replace, node, [*operands, *named.values()])

    def _number(
        self,
        node: gast.AST,
        fn: Callable[..., Any],
        operands: list[Value],
        named: dict[str, Value],
        member: str | None,
    ) -> tuple[Call | None, bool]:
        """The call if it gives one number or array, as most do; and whether that is a float."""
        try:
            found = infer_call(fn, operands, named)
        except TypeClash:  # looked into by `inferred`
            return None, False
        weak = False
        if narrow.is_too_wide(found):
            weak = narrow.narrow(self.here(node), fn, operands, named)
            found = infer_call(fn, operands, named)
        if not isinstance(found, Array | Scalar):
            return None, False
        every = [*operands, *named.values()] if named else operands
        op = self.here(node).add(Call, every, (found,), fn=fn, keywords=tuple(named), member=member)
        assert isinstance(op, Call)
        return op, weak

    def _several(self, results: list[Value], node: type, args: Sequence[Operand]) -> Operand:
        """What a function with several results returns."""
        for r in results:
            self._may_share(r, args)
        keys = getattr(node, "_fields", tuple(range(len(results))))
        made = Tup(node, keys, tuple(results))
        if node is not list:
            return made
        fresh = Obj(list)
        self.store.set(fresh, made)
        return fresh

    def _may_share(self, made: Value, args: Sequence[Operand]) -> None:
        """One of several results: `np.split` gives views, `np.linalg.eigh` new arrays."""
        if isinstance(made.owner, Call) and not is_fresh(made.owner, made):
            for x in args:
                if isinstance(x, Value) and isinstance(x.type, Array):
                    self.heap.relate_to(made, x)

    def inferred(
        self,
        attempt: Callable[[], Any],
        replace: Callable[[Value], None],
        node: gast.AST,
        operands: Sequence[Value] = (),
    ) -> Any:
        """`attempt`, whose types are inferred: constants are put in where they are asked for."""
        asked: set[Value] = set()
        while True:
            try:
                return attempt()
            except NeedValue as e:
                if e.operand in asked:
                    raise InternalError(f"asked twice: {e.reason}", loc_of(node)) from e
                asked.add(e.operand)
                replace(e.operand)
            except TypeClash as e:
                raise self._clash(e, node, operands) from None

    def _clash(self, e: TypeClash, node: gast.AST, operands: Sequence[Value]) -> AdcompileError:
        found = (self.unknown(v, node) for v in operands)
        error = next((f for f in found if f is not None), None)
        return error or TypeMismatch(e.reason, loc_of(node))

    def unknown(self, v: Value, node: gast.AST) -> AdcompileError | None:
        """Why nothing is known of `v`: it comes out of a function of which nothing is known."""
        while isinstance(v.owner, Call) and v.type == Opaque(object):
            first = v.owner.operands[0] if v.owner.operands else None
            if first is None or first.type != Opaque(object):
                break
            v = first  # a method or an item of an unknown result
        if v.type != Opaque(object) or not isinstance(v.owner, Call):
            return None
        name = getattr(v.owner.fn, "__name__", str(v.owner.fn))
        if v.owner.fn is operator.getitem:
            name = f"{describe(v.owner.operands[0].type).removeprefix('a ')}[...]"
        if registry.lookup(v.owner.fn) is not None:
            return TypeMismatch(
                f"what `{name}` returns is not known: it has a rule, but no Python source",
                v.owner.loc,
                f"say it: `rules.returns({name}, …)` takes a Python function that returns the like",
            )
        if any(is_inexact(t) for o in v.owner.operands for t in leaf_types(o.type)):
            return MissingRule(
                f"no derivative is known for `{name}`, nor what it returns",
                v.owner.loc,
                f"give a rule for `{name}`; or, if its result is no part of the derivative, "
                f"convert it: `float({name}(stop_gradient(x)))`",
            )
        return TypeMismatch(
            f"what `{name}` returns is not known: it has no rule and no Python source",
            loc_of(node),
            f"convert its result, `float({name}(…))`, or compute it outside and pass it",
        )

    def _replaced(self, x: Value, old: Value, new: Value) -> Value:
        """`x` with `new` for `old`, also inside the containers that `x` is made of."""
        if x is old:
            return new
        if isinstance(x.owner, Make) and isinstance(x.type, Tree):
            items = [self._replaced(i, old, new) for i in x.owner.operands]
            if any(a is not b for a, b in zip(items, x.owner.operands, strict=True)):
                return self.builder.make(x.type.node, x.type.keys, items)
        return x


class Checkpoint:
    """The state before a part of the program is lowered in a way that may have to be given up."""

    def __init__(self, cx: Context):
        self.builder, self.loc, self.count = cx.builder, cx.builder.loc, len(cx.builder.block.ops)
        self.frame, self.dead, self.unrolled = cx.frame, cx.dead, cx.unrolled
        self.bottoms, self.returned = len(cx.bottoms), cx.returned
        self.depth = cx.store.depth
        cx.store.open()

    def restore(self, cx: Context) -> None:
        """Go back: the ops made since are dropped, the changes undone."""
        cx.store.unwind(self.depth)
        cx.builder, cx.builder.loc = self.builder, self.loc
        if cx.heap.written:
            cx.heap.dropped |= defined_in([Block([], cx.builder.block.ops[self.count :])])
        del cx.builder.block.ops[self.count :]
        del cx.bottoms[self.bottoms :]
        cx.frame, cx.dead, cx.unrolled = self.frame, self.dead, self.unrolled
        cx.returned = self.returned


@dataclass(eq=False, slots=True)
class Arm:
    """A lowered block: its ops, and what it changed."""

    builder: Builder
    changes: dict[Any, Operand]
    dead: bool
    store: Store

    @property
    def block(self) -> Block:
        return self.builder.block

    def get(self, place: Any) -> Operand:
        """What `place` holds at the end of the block."""
        found = self.changes.get(place)
        return self.store.get(place) if found is None else found


def leaf_types(t: Type) -> Iterator[Type]:
    """The types of the leaves of a value of type `t`."""
    if isinstance(t, Tree):
        for item in t.items:
            yield from leaf_types(item)
    else:
        yield t.item if isinstance(t, Seq) else t
