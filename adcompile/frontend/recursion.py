"""Functions that call themselves: kept as functions of their own, called by `Invoke`.

A call is inlined until the same function turns up again inside itself with arguments of the same
types. Then lowering goes back to the outermost of these calls, and lowers the callee as a function
of its own. The type of its result is a fixpoint: at first it is undefined, which joins with the
type of the base case. What it reads of enclosing functions becomes parameters (lambda lifting).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import gast

from adcompile.errors import AliasError
from adcompile.frontend import calls, exits, subscripts, writes
from adcompile.frontend.context import Checkpoint, Context
from adcompile.frontend.heap import Heap
from adcompile.frontend.joins import (
    Joiner,
    flatten,
    instantiate,
    parts_of,
    references,
    slots_in,
)
from adcompile.frontend.operands import (
    Closure,
    Known,
    Leaf,
    NewObj,
    Obj,
    Operand,
    Slot,
    Tup,
    Unbound,
)
from adcompile.frontend.scopes import Cell, Frame
from adcompile.frontend.source import loc_of
from adcompile.frontend.wanted import NeedStatic
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import MISSING, Block, Function, Param, Value
from adcompile.ir.types import (
    UNDEFINED,
    Array,
    Dim,
    Scalar,
    Seq,
    Static,
    Tree,
    Type,
    Undefined,
    is_many,
    join,
)

DEEPEST = 25  # calls of one function inside itself, each with arguments of other types


class Recursive(Exception):
    """A call that is being inlined came back to itself."""

    def __init__(self, key: Hashable):
        super().__init__(key)
        self.key = key


@dataclass(eq=False, slots=True)
class Entry:
    """A function that is called by `Invoke`."""

    function: Function
    templates: dict[str, Operand]  # of its parameters
    captures: dict[Cell, Operand]  # of the variables of enclosing functions
    result: Type = UNDEFINED
    written: tuple[int, ...] = ()  # the arrays among its parameters that it writes into


@dataclass(eq=False, slots=True)
class Module:
    """The functions of one compilation."""

    entries: dict[Hashable, Entry] = field(default_factory=dict)
    inlining: list[Hashable] = field(default_factory=list)
    recursive: set[Hashable] = field(default_factory=set)
    statics: dict[Hashable, set[str]] = field(default_factory=dict)  # parameters that decide types
    unroll: set[Hashable] = field(default_factory=set)  # loops that must be
    heap: Heap = field(default_factory=Heap)
    frames: dict[Hashable, list[Frame]] = field(default_factory=dict)  # of calls, by path
    entered: int = 0  # how many calls were lowered so far


def inline_or_invoke(
    cx: Context,
    node: gast.AST,
    fn: Closure,
    bound: dict[str, Operand],
    lower: Callable[[], Operand],
) -> Operand:
    """`lower()`, which inlines the call, or an `Invoke` if the call turns out to be recursive."""
    module = cx.module
    key, templates = _key(cx, fn, bound)
    if key in module.entries or key in module.recursive:
        return _invoke(cx, node, fn, bound, key, templates)
    if key in module.inlining:
        module.recursive.add(key)
        raise Recursive(key)
    if sum(1 for k in module.inlining if _code(k) is fn.code) >= DEEPEST:
        cx.unsupported(
            f"{fn.code.name} calls itself with arguments of ever other types",
            node,
            "write a loop, or keep the structure of the arguments the same",
        )
    saved = Checkpoint(cx)
    module.inlining.append(key)
    try:
        result = lower()
    except Recursive as e:
        if e.key != key:
            raise
        saved.restore(cx)
    else:
        cx.store.commit()
        return result
    finally:
        module.inlining.pop()
    return _invoke(cx, node, fn, bound, key, templates)


# --- what makes two calls the same --------------------------------------------------------------


def _key(
    cx: Context, fn: Closure, bound: dict[str, Operand]
) -> tuple[Hashable, dict[str, Operand]]:
    joiner = Joiner(cx.store.get, cx.store.get, lambda obj: False, None, cx.heap)
    templates = {name: _abstract(joiner.slots(x, cx.store.get)) for name, x in bound.items()}
    key: Hashable = (fn.code, tuple([_template_key(t) for t in templates.values()]))
    values: list[Hashable] = []
    for name in sorted(cx.module.statics.get(key, ())):
        known = cx.known(bound[name])
        if known is not MISSING:
            templates[name] = Known(known)
            values.append((name, type(known), repr(known)))
    return (*key, *values), templates  # type: ignore[misc]


def _code(key: Any) -> Any:
    return key[0]


def _abstract(t: Operand) -> Operand:
    """A template for any arguments of the same types: sizes are symbolic."""
    match t:
        case Slot(type=of):
            return Slot(_unsized(of))
        case Tup(node, keys, items):
            return Tup(node, keys, tuple(map(_abstract, items)))
        case NewObj(node, contents):
            reason = "it belongs to the caller of a function that calls itself"
            return NewObj(node, _abstract(contents), reason)
    return t


def _unsized(t: Type) -> Type:
    match t:
        case Array(dtype, shape):
            return Array(dtype, tuple([1 if n == 1 else Dim.fresh(is_many(n)) for n in shape]))
        case Tree(node, keys, items):
            return Tree(node, keys, tuple(map(_unsized, items)))
        case Seq(item):
            return Seq(_unsized(item))
        case Scalar(kind):
            return Scalar(kind)
    return t


def _template_key(t: Operand) -> Hashable:
    match t:
        case Slot(type=of):
            return _type_key(of)
        case Tup(node, keys, items):
            return (node, keys, tuple(map(_template_key, items)))
        case NewObj(node, contents):
            return (node, _template_key(contents))
        case Known(value):
            return Static(value) if not isinstance(value, Hashable) else (type(value), value)
    return id(t)


def _type_key(t: Type) -> Hashable:
    match t:
        case Array(dtype, shape):
            return (dtype, tuple([n == 1 if isinstance(n, int) else n.many + 2 for n in shape]))
        case Tree(node, keys, items):
            return (node, keys, tuple(map(_type_key, items)))
        case Seq(item):
            return (Seq, _type_key(item))
    return t


# --- functions of their own ---------------------------------------------------------------------


def _invoke(
    cx: Context,
    node: gast.AST,
    fn: Closure,
    bound: dict[str, Operand],
    key: Hashable,
    templates: dict[str, Operand],
) -> Operand:
    entry = cx.module.entries.get(key)
    if entry is None:
        try:
            entry = _compile(cx, fn, key, templates)
        except NeedStatic as e:
            if not isinstance(e.path[0], str):  # not a parameter of the callee
                raise
            return _with_static(cx, node, fn, bound, key, e)
    passed = [(bound[name], template) for name, template in entry.templates.items()]
    passed += [(cx.store.get(cell), template) for cell, template in entry.captures.items()]
    args: list[Value] = []
    given: list[Operand] = []
    b = cx.here(node)
    for x, template in passed:
        args += flatten(x, template, b, cx.store.get, cx.heap.materialise)
        given += references(_apart(cx, x, template, node), template, cx.store.get)
    returned = _with_contents(entry.result, [args[k].type for k in entry.written])
    op = cx.here(node).add(core.Invoke, args, (returned,), callee=entry.function)
    return _take(cx, node, fn, entry, op.result, given)


def _apart(cx: Context, x: Operand, template: Operand, node: gast.AST) -> Operand:
    """A tree from outside by its items, where the template has them one by one."""
    if not isinstance(template, Tup) or isinstance(x, Obj):
        return x
    if isinstance(x, Tup):
        items = list(parts_of(x, template.keys))
    else:
        items = [subscripts.child(cx, x, key, node) for key in template.keys]
    pairs = zip(items, template.items, strict=True)
    apart = [_apart(cx, item, t, node) for item, t in pairs]
    return Tup(template.node, template.keys, tuple(apart))


def _with_contents(result: Type, contents: list[Type]) -> Type:
    """The type of what is returned: the result, and the arrays that were written."""
    if not contents:
        return result
    items = (result, *contents)
    return Tree(tuple, tuple(range(len(items))), items)


def _take(
    cx: Context, node: gast.AST, fn: Closure, entry: Entry, made: Value, given: list[Operand]
) -> Operand:
    """The result of a call; what the callee wrote is seen here, too."""
    if entry.written:
        for k in entry.written:
            x = given[k]
            others = [*given[:k], *given[k + 1 :]]
            if not isinstance(x, Value) or any(may_share(cx, x, y) for y in others):
                raise AliasError(
                    f"{fn.code.name} calls itself and writes into an argument that may share "
                    "memory with another one",
                    loc_of(node),
                    "pass a copy: `x.copy()`",
                )
        result, *contents = cx.here(node).unpack(made)
        for k, new in zip(entry.written, contents, strict=True):
            writes.replace(cx, given[k], new, node)  # type: ignore[arg-type]
        made = result
    passed = [a for x in given for a in _arrays(cx, _place(cx, x), getattr(x, "type", None))]
    for array in _arrays(cx, _place(cx, made), made.type):
        for other in passed:
            cx.heap.relate(array, other)
    return subscripts.unwrapped(made)


def may_share(cx: Context, x: Operand, y: Operand) -> bool:
    """Whether two arguments, arrays or what holds arrays, may have memory in common."""
    p, q = _place(cx, x), _place(cx, y)
    if p is None or q is None:
        return False
    return p == q or q in cx.heap.kin(p) or q in _holding(p) or p in _holding(q)


def _place(cx: Context, x: Operand) -> Any:
    """Where the memory of an argument is: the place of an array or a tree, the list that grows."""
    if isinstance(x, Leaf):
        return cx.heap.same.get(x, x)
    if isinstance(x, Value) and isinstance(x.type, Array | Tree | Seq):
        return cx.heap.holders.get(x) or cx.heap.root(x)
    return None


def _arrays(cx: Context, place: Any, t: Type | None) -> list[Any]:
    """The places of the arrays that are at `place`."""
    match t:
        case Array():
            return [place]
        case Seq():
            return [place, *cx.heap.kin(place)]
        case Tree(_, keys, items):
            leaves = [Leaf(place, k, item) for k, item in zip(keys, items, strict=True)]
            leaves = [cx.heap.same.get(leaf, leaf) for leaf in leaves]
            return [a for leaf in leaves for a in _arrays(cx, leaf, leaf.type)]
    return []


def _holding(place: Any) -> list[Any]:
    """The trees that a place is a part of."""
    found = []
    while isinstance(place, Leaf):
        place = place.root
        found.append(place)
    return found


def _with_static(
    cx: Context,
    node: gast.AST,
    fn: Closure,
    bound: dict[str, Operand],
    key: Any,
    needed: NeedStatic,
) -> Operand:
    """Once more, with the value of a parameter that decides a type as part of the key."""
    name = needed.path[0]
    x = bound.get(name)
    if x is None or len(needed.path) > 1:
        cx.mismatch(f"{fn.code.name}: the value of an argument decides a type here", node)
    cx.static(x, node)
    cx.module.statics.setdefault(key[:2], set()).add(name)
    cx.module.recursive.discard(key)
    again, templates = _key(cx, fn, bound)
    cx.module.recursive.add(again)
    return _invoke(cx, node, fn, bound, again, templates)


def _compile(cx: Context, fn: Closure, key: Hashable, templates: dict[str, Operand]) -> Entry:
    """Lower `fn` as a function of its own, until the type of its result settles."""
    module = cx.module
    name = fn.code.name if fn.code.name.isidentifier() else "inner"  # of a lambda
    function = Function(name, Block(), [], getattr(fn.function, "__doc__", None))
    function.loc = loc_of(fn.code.node)
    captured = {cell: _abstract(t) for cell, t in captures(cx, fn).items()}
    entry = Entry(function, templates, captured)
    before = set(module.entries)
    while True:
        for other in set(module.entries) - before:
            del module.entries[other]
        module.entries[key] = entry
        try:
            inner, result, written = _lower(cx, fn, key, entry)
        except BaseException:
            module.entries.pop(key, None)
            raise
        joined = _unsized(join(entry.result, result))
        if _type_key(joined) == _type_key(entry.result) and written == entry.written:
            break
        entry.result, entry.written = joined, written
    inner.check_bottoms()
    if isinstance(entry.result, Undefined) and not inner.dead:
        cx.mismatch(f"{fn.code.name} calls itself on every path and never returns", fn.code.node)
    return entry


def _lower(
    cx: Context, fn: Closure, key: Hashable, entry: Entry
) -> tuple[Context, Type, tuple[int, ...]]:
    """Lower the body of `fn`: its context, the type of its result, which parameters it writes."""
    block, params = Block(), []
    frame = Frame(fn.code, fn.parent, fn.function, (key,))
    inner = Context(Builder(block, loc_of(fn.code.node)), frame, cx.evaluate, cx.execute, cx.module)

    def pass_in(cell: Cell, template: Operand) -> None:
        values = [Value(s.type, s.name or cell.name, block) for s in slots_in(template)]
        for v in values:
            inner.parameters[v] = cell.name
            if isinstance(v.type, Array) and not v.type.rank:
                inner.boxed.add(v)
        block.params.extend(values)
        taken = {p.name for p in params}
        for v in values:
            params.append(Param(fresh(v.name or cell.name, taken)))
        inner.store.set(cell, instantiate(template, iter(values), inner.store.set, {}))

    for name, template in entry.templates.items():
        pass_in(frame.cell(name), template)
    for cell, template in entry.captures.items():
        pass_in(cell, template)
    result = calls.body(inner, fn.code.body)
    end = inner.returned or fn.code.node
    v = inner.here(end).undef() if inner.dead else inner.value(result, end)
    changed = cx.heap.changed
    written = [k for k, p in enumerate(block.params) if p in inner.store.now and p in changed]
    written = sorted({*written, *entry.written})
    contents = [inner.value(block.params[k], end) for k in written]
    b = inner.here(end)
    b.return_(b.tuple(v, *contents) if contents else v)
    entry.function.block, entry.function.params = block, params
    exits.run(entry.function)
    return inner, v.type, tuple(written)


def fresh(name: str, taken: set[str]) -> str:
    """`name`, or one like it that no other parameter has."""
    found, k = name, 2
    while found in taken:
        found, k = f"{name}{k}", k + 1
    taken.add(found)
    return found


def captures(cx: Context, fn: Closure) -> dict[Cell, Operand]:
    """The variables of enclosing functions that `fn` reads, and what it calls of them."""
    found: dict[Cell, Operand] = {}
    joiner = Joiner(cx.store.get, cx.store.get, lambda obj: False, None, cx.heap)
    work = [fn]
    while work:
        one = work.pop()
        if one.parent is None:
            continue
        for name in sorted(one.code.free_names):
            cell = one.parent.find(name)
            if cell is None or cell in found:
                continue
            x = cx.store.get(cell)
            if isinstance(x, Unbound):
                continue
            found[cell] = joiner.slots(x, cx.store.get)
            if isinstance(x, Closure):
                work.append(x)
    return found
