"""The verifier: is this a well-formed function?

It checks that every value has one definition, which comes before its uses and encloses them; that
each op and block stands in one place; that blocks end in their terminator; that what goes into a
block and comes out of it agrees in number and type; and that every op knows where it comes from.
It is iterative and linear, and runs after every stage in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from adcompile.errors import InternalError
from adcompile.ir import core
from adcompile.ir.core import NOWHERE, Block, Function, Loc, Op, Value
from adcompile.ir.identities import Alias, Hook
from adcompile.ir.types import SAVED, Array, Scalar, Seq, Tree, Type, TypeClash, Undefined, join


def verify(fn: Function) -> None:
    """Raise InternalError, with the op's location, where `fn` is malformed."""
    if len(fn.params) != len(fn.block.params):
        _fail(f"{len(fn.params)} parameters for {len(fn.block.params)} values", fn.loc)
    _Structure(fn).run()


def _fail(message: str, loc: Loc | None) -> NoReturn:
    raise InternalError(message, None if loc is NOWHERE or not isinstance(loc, Loc) else loc)


# --- structure: definitions, uses, places -------------------------------------------------------

_Step = tuple[Callable[..., None], tuple[Any, ...]]


class _Structure:
    """One walk in program order. `work` is what is left to do, last entry first."""

    def __init__(self, fn: Function):
        self.loc = fn.loc
        self.visible: set[Value] = set()
        self.defined: set[Value] = set()
        self.seen: set[Op | Block] = set()
        self.work: list[_Step] = [(self.enter, (fn.block, fn.loc, core.Return))]

    def run(self) -> None:
        while self.work:
            step, args = self.work.pop()
            step(*args)

    def enter(self, block: Block, loc: Loc, end: type[Op]) -> None:
        self.once(block, "a block", loc)
        if not block.ops or not isinstance(block.ops[-1], end):
            _fail(f"a block that does not end in {end.__name__}", loc)
        self.define(block.params, block, loc)
        self.work.append((self.leave, (block,)))
        last = block.ops[-1]
        self.work.extend((self.op, (op, op is last)) for op in reversed(block.ops))

    def leave(self, block: Block) -> None:
        self.visible.difference_update(block.params)
        for op in block.ops:
            self.visible.difference_update(op.results)

    def op(self, op: Op, is_last: bool) -> None:
        kind = type(op).__name__
        self.once(op, f"a {kind}", op.loc)
        if not isinstance(op.loc, Loc) or (op.loc is NOWHERE and self.loc is not NOWHERE):
            _fail(f"a {kind} without location", self.loc)
        if isinstance(op, core.Yield | core.Return) and not is_last:
            _fail(f"a {kind} in the middle of a block", op.loc)
        for v in op.operands:
            if v not in self.visible:
                where = "outside its scope" if v in self.defined else "before its definition"
                _fail(f"a {kind} uses {_show(v)} {where}", op.loc)
        self.work.append((self.close, (op,)))
        for block in reversed(op.blocks):
            self.work.append((self.enter, (block, op.loc, core.Yield)))

    def close(self, op: Op) -> None:
        """After the blocks of `op`, which do not see its results."""
        check = _CHECKS.get(type(op))
        if check is None:
            _fail(f"an op of unknown kind {type(op).__name__}", op.loc)
        if isinstance(op, _ONE_RESULT):
            _count(op, "results", op.results, 1)
        check(op)
        self.define(op.results, op, op.loc)

    def once(self, thing: Op | Block, what: str, loc: Loc) -> None:
        if thing in self.seen:
            _fail(f"{what} stands in two places", loc)
        self.seen.add(thing)

    def define(self, values: Sequence[Value], owner: Op | Block, loc: Loc) -> None:
        for v in values:
            if v in self.defined:
                _fail(f"{_show(v)} is defined twice", loc)
            if v.owner is not owner:
                _fail(f"{_show(v)} does not know what defines it", loc)
            self.defined.add(v)
            self.visible.add(v)


def _show(v: Value) -> str:
    return f"`{v.name}`" if v.name else f"an unnamed value of type {v.type!r}"


# --- each kind of op ----------------------------------------------------------------------------


def _count(op: Op, what: str, have: Sequence[object], want: int) -> None:
    if len(have) != want:
        _fail(f"a {type(op).__name__} with {len(have)} {what} instead of {want}", op.loc)


def _agree(op: Op, what: str, *types: Type) -> None:
    """All these may be the type of one value."""
    joined = types[0]
    try:
        for t in types[1:]:
            joined = join(joined, t)
    except TypeClash as clash:
        _fail(f"a {type(op).__name__} whose {what} disagree: {clash.reason}", op.loc)


def _is_number(t: Type, kinds: str) -> bool:
    """Whether `t` is one number: `kinds` are NumPy's letters."""
    if isinstance(t, Scalar):
        return {"bool": "b", "int": "i", "float": "f", "complex": "c"}[t.kind] in kinds
    if isinstance(t, Array):
        return t.shape == () and t.dtype.kind in kinds
    return isinstance(t, Undefined)


def _slots(op: Op, what: str, results: Sequence[Value], *groups: Sequence[Value]) -> None:
    """The k-th value of each group goes into, through or out of the k-th result."""
    for values in groups:
        _count(op, what, values, len(results))
    for values in zip(results, *groups, strict=True):
        _agree(op, what, *(v.type for v in values))


def _if(op: core.If) -> None:
    _count(op, "operands", op.operands, 1)
    for block in op.blocks:
        _count(op, "block parameters", block.params, 0)
    _slots(op, "yielded values", op.results, op.then.yields, op.orelse.yields)


def _scope(op: core.Scope) -> None:
    _count(op, "operands", op.operands[1:], 0)
    _count(op, "block parameters", op.body.params[1:], 0)
    _slots(op, "yielded values", op.results, op.body.yields)


def _try(op: core.Try) -> None:
    _count(op, "block parameters", op.body.params, 0)
    _count(op, "block parameters", op.handler.params, 1)
    _slots(op, "yielded values", op.results, op.body.yields, op.handler.yields)


def _for(op: core.For) -> None:
    if op.over == "range":
        if not all(_is_number(v.type, "biu") for v in op.operands[:3]):
            _fail("a For over a range whose bounds are not integers", op.loc)
        item: Type = Scalar("int")
    elif op.over == "seq" and op.operands and isinstance(op.operands[0].type, Seq):
        item = op.operands[0].type.item
    else:
        _fail(f"a For over {op.over!r} of something else", op.loc)
    _count(op, "operands", op.operands, op.heads + len(op.results))
    _count(op, "block parameters", op.body.params, 1 + len(op.results))
    _agree(op, "items", item, op.body.params[0].type)
    _slots(op, "carried values", op.results, op.inits, op.carried, _carried_out(op))


def _while(op: core.While) -> None:
    _count(op, "conditions", op.cond.yields, 1)
    _slots(op, "carried values", op.results, op.inits, op.cond.params, op.carried, _carried_out(op))


def _carried_out(op: core.For | core.While) -> Sequence[Value]:
    if not op.stops:
        return op.body.yields
    if not op.body.yields or not _is_number(op.body.yields[-1].type, "b"):
        _fail(f"a {type(op).__name__} whose stop flag is not a bool", op.loc)
    return op.body.yields[:-1]


def _tree(op: Op, v: Value) -> Tree:
    if not isinstance(v.type, Tree):
        _fail(f"a {type(op).__name__} of {_show(v)}, which is not a container", op.loc)
    return v.type


def _make(op: core.Make) -> None:
    tree = _tree(op, op.result)
    _count(op, "operands", op.operands, len(tree.keys))
    for t, v in zip(tree.items, op.operands, strict=True):
        _agree(op, "items", t, v.type)


def _item(op: core.Item) -> None:
    _count(op, "operands", op.operands, 1)
    tree = _tree(op, op.operands[0])
    if op.key not in tree.keys:
        _fail(f"an Item {op.key!r} that the container does not have", op.loc)
    _agree(op, "types", tree.child(op.key), op.result.type)


def _unpack(op: core.Unpack) -> None:
    _count(op, "operands", op.operands, 1)
    if op.operands[0].type == SAVED:
        return
    tree = _tree(op, op.operands[0])
    _count(op, "results", op.results, len(tree.keys))
    for t, r in zip(tree.items, op.results, strict=True):
        _agree(op, "items", t, r.type)


def _index(op: core.Index) -> None:
    _count(op, "operands", op.operands, 1 + core.operand_count(op.spec))


def _update(op: core.Update) -> None:
    steps = (*op.views, op.spec)
    _count(op, "operands", op.operands, 2 + sum(map(core.operand_count, steps)))
    _agree(op, "types", op.operands[0].type, op.result.type)


def _seq(op: Op, v: Value, *items: Value) -> None:
    if not isinstance(v.type, Seq):
        _fail(f"a {type(op).__name__} of {_show(v)}, which is not a list that grows", op.loc)
    for item in items:
        _agree(op, "items", v.type.item, item.type)


def _new_seq(op: core.NewSeq) -> None:
    _seq(op, op.result, *op.operands)


def _append(op: core.Append) -> None:
    _count(op, "operands", op.operands, 2)
    _seq(op, *op.operands)
    _agree(op, "types", op.operands[0].type, op.result.type)


def _pop(op: core.Pop) -> None:
    _count(op, "operands", op.operands, 1)
    _count(op, "results", op.results, 2)
    _seq(op, op.operands[0], op.results[1])
    _agree(op, "types", op.operands[0].type, op.results[0].type)


def _call(op: core.Call) -> None:
    if not callable(op.fn) or len(op.keywords) > len(op.operands):
        _fail("a Call of something else, or with more keywords than operands", op.loc)


def _invoke(op: core.Invoke) -> None:
    _count(op, "operands", op.operands, len(op.callee.block.params))
    for v, p in zip(op.operands, op.callee.block.params, strict=True):
        _agree(op, "arguments", p.type, v.type)
    _slots(op, "returned values", op.results, op.callee.returns)


def _alias(op: Alias) -> None:
    _count(op, "operands", op.operands, 1)
    _agree(op, "types", op.operands[0].type, op.result.type)


def _hook(op: Hook) -> None:
    """The body is a function of its own, of which `op` has one place or many."""
    _count(op, "operands", op.operands, len(op.body.block.params))
    _agree(op, "types", op.operands[0].type, op.result.type)
    for v, p in zip(op.operands, op.body.block.params, strict=True):
        _agree(op, "arguments", p.type, v.type)
    _count(op, "returned values", op.body.returns, 1)
    verify(op.body)


def _shape(least: int, most: int | None, results: int) -> Callable[[Any], None]:
    """A check of the numbers of operands and results alone."""

    def check(op: Op) -> None:
        _count(op, "results", op.results, results)
        if len(op.operands) < least or (most is not None and len(op.operands) > most):
            _fail(f"a {type(op).__name__} with {len(op.operands)} operands", op.loc)

    return check


_ONE_RESULT = (
    core.Index | core.Update | core.Make | core.Item | core.NewSeq | core.Append | Alias | Hook
)  # of the others some have none or many, and the rest are checked by `_shape`

_CHECKS: dict[type[Op], Callable[[Any], None]] = {
    core.Const: _shape(0, 0, 1),
    core.Global: _shape(0, 0, 1),
    core.Undef: _shape(0, 0, 1),
    core.Call: _call,
    core.Index: _index,
    core.Update: _update,
    core.Make: _make,
    core.Item: _item,
    core.Unpack: _unpack,
    core.NewSeq: _new_seq,
    core.Append: _append,
    core.Pop: _pop,
    core.If: _if,
    core.For: _for,
    core.While: _while,
    core.Invoke: _invoke,
    core.Partial: _shape(1, 1, 1),
    core.Scope: _scope,
    core.Try: _try,
    Alias: _alias,
    Hook: _hook,
    core.Assert: _shape(1, 2, 0),
    core.Raise: _shape(1, 2, 0),
    core.Write: _shape(2, 2, 1),
    core.Yield: _shape(0, None, 0),
    core.Return: _shape(0, None, 0),
}
