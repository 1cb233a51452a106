"""Making ops: the one place where every stage gets its ops, types included, from.

A `Builder` appends to one block. It knows a location and an order that each op inherits.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.core import Block, Loc, Op, Spec, Step, Value
from adcompile.ir.identities import Alias
from adcompile.ir.infer import infer_call, infer_constant, infer_index
from adcompile.ir.types import UNDEFINED, Opaque, Seq, Tree, Type


@dataclass(slots=True)
class Builder:
    block: Block
    loc: Loc = core.NOWHERE
    order: int = 0

    def at(self, loc: Loc, order: int | None = None) -> Builder:
        """A builder for the same block with another location."""
        return Builder(self.block, loc, self.order if order is None else order)

    def into(self, block: Block) -> Builder:
        """A builder for another block with the same location."""
        return Builder(block, self.loc, self.order)

    def add(
        self, cls: type[Op], operands: Sequence[Value], types: Sequence[Type], **fields: Any
    ) -> Op:
        """Append an op of class `cls` with one new result for each of `types`."""
        results = [Value(t) for t in types]
        op = cls(list(operands), results, self.loc, self.order, **fields)
        self.block.ops.append(op)
        return op

    # --- leaves ---------------------------------------------------------------------------------

    def const(self, value: Any, name: str | None = None) -> Value:
        return self._one(core.Const, (), infer_constant(value), name, value=value)

    def undef(self, type: Type = UNDEFINED) -> Value:
        return self._one(core.Undef, (), type)

    def _one(
        self,
        cls: type[Op],
        operands: Sequence[Value],
        type: Type,
        name: str | None = None,
        **fields: Any,
    ) -> Value:
        result = self.add(cls, operands, (type,), **fields).result
        result.name = name
        return result

    def value(self, x: Any) -> Value:
        """`x` itself where it is a Value, else a constant."""
        return x if isinstance(x, Value) else self.const(x)

    # --- computing ------------------------------------------------------------------------------

    def call_op(
        self,
        fn: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        member: str | None = None,
        effect: bool = False,
        types: Sequence[Type] | None = None,
    ) -> core.Call:
        """A call whose result types are inferred unless given. Non-Values become constants."""
        operands = [self.value(a) for a in args]
        named = {k: self.value(v) for k, v in kwargs.items()} if kwargs else {}
        if types is None:
            inferred = infer_call(fn, operands, named)
            types = inferred if isinstance(inferred, tuple) else (inferred,)
        op = self.add(
            core.Call,
            [*operands, *named.values()],
            types,
            fn=fn,
            keywords=tuple(named),
            member=member,
            effect=effect,
        )
        assert isinstance(op, core.Call)
        return op

    def call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Value:
        """The one result of a pure call: `b.call(np.sum, x, axis=0)`, `b.call(add, x, 1)`."""
        return self.call_op(fn, args, kwargs).result

    def member(self, fn: Callable[..., Any], member: str, *args: Any, **kwargs: Any) -> Value:
        """Like `call`, but written as a member: `b.member(np.sum, "sum()", x)`."""
        return self.call_op(fn, args, kwargs, member=member).result

    def add_values(self, x: Any, y: Any) -> Value:
        return self.call(operator.add, x, y)

    def mul(self, x: Any, y: Any) -> Value:
        return self.call(operator.mul, x, y)

    def size(self, x: Value, axis: int) -> Value:
        """`x.shape[axis]`."""
        return self.item(self.member(np.shape, "shape", x), axis)

    def index(
        self, x: Value, spec: Spec, values: Sequence[Any] = (), *, item: bool = False
    ) -> Value:
        operands = [self.value(v) for v in values]
        t = infer_index(x, spec, operands)
        return self._one(core.Index, (x, *operands), t, spec=spec, item=item)

    def view(self, x: Value, step: Step, operands: Sequence[Value]) -> Value:
        """The view of `x` that `step` describes."""
        if not isinstance(step, core.ViewCall):
            return self.index(x, step, operands)
        plain = len(operands) - len(step.keywords)
        named = dict(zip(step.keywords, operands[plain:], strict=True))
        return self.call_op(step.fn, [x, *operands[:plain]], named, member=step.member).result

    def update(
        self,
        x: Value,
        v: Value,
        spec: Spec,
        values: Sequence[Any] = (),
        mode: str = "=",
        views: Sequence[tuple[Step, Sequence[Value]]] = (),
        *,
        taken: bool = False,
    ) -> Value:
        """`x` after `x[…] = v`, or after that write through a chain of views of it."""
        operands = [*(o for _, taken in views for o in taken), *map(self.value, values)]
        steps = tuple([step for step, _ in views])
        fields = {"spec": spec, "mode": mode, "views": steps, "taken": taken}
        return self._one(core.Update, (x, v, *operands), x.type, x.name, **fields)

    def alias(self, x: Value, name: str | None, *, shown: bool = True) -> Value:
        """`x` under another name."""
        return self._one(Alias, (x,), x.type, name, shown=shown)

    # --- trees and sequences --------------------------------------------------------------------

    def make(self, node: type, keys: Sequence[Hashable], items: Sequence[Value]) -> Value:
        t = Tree(node, tuple(keys), tuple(v.type for v in items))
        return self._one(core.Make, items, t)

    def tuple(self, *items: Value) -> Value:
        return self.make(tuple, range(len(items)), items)

    def item(self, tree: Value, key: Hashable) -> Value:
        assert isinstance(tree.type, Tree)
        return self._one(core.Item, (tree,), tree.type.child(key), key=key)

    def unpack(self, tree: Value) -> list[Value]:
        assert isinstance(tree.type, Tree)
        return self.add(core.Unpack, (tree,), tree.type.items).results

    def new_seq(self, item: Type, items: Sequence[Value] = ()) -> Value:
        return self._one(core.NewSeq, items, Seq(item))

    def append(self, seq: Value, item: Value, purpose: str | None = None) -> Value:
        return self._one(core.Append, (seq, item), seq.type, seq.name, purpose=purpose)

    # --- control flow ---------------------------------------------------------------------------

    def if_(
        self, cond: Value, then: Block, orelse: Block, types: Sequence[Type], form: str = "if"
    ) -> core.If:
        op = self.add(core.If, (cond,), types, then=then, orelse=orelse, form=form)
        assert isinstance(op, core.If)
        return op

    def raise_if(self, test: Value, message: str) -> None:
        """A ValueError where `test` is true, when the function is called."""
        fails, passes = self.into(Block()), self.into(Block())
        error = fails.call_op(ValueError, [message], types=[Opaque(ValueError)]).result
        fails.add(core.Raise, [error], ())
        fails.yield_()
        passes.yield_()
        self.if_(test, fails.block, passes.block, ())

    def yield_(self, *values: Value) -> None:
        self.add(core.Yield, values, ())

    def return_(self, *values: Value) -> None:
        self.add(core.Return, values, ())
