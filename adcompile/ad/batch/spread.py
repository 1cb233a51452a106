"""Which values depend on the direction, and in which of their parts.

A forward data-flow analysis over structured blocks, like that of activity: loops are walked until
what they carry is settled, callees are looked into once for each layout of their arguments, and
recursive ones until their results are settled, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from adcompile.ad.batch import table
from adcompile.ad.batch.layout import Items, Layout, Saved, children, full, item_of, join, normal
from adcompile.errors import InternalError
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.identities import Alias, Hook
from adcompile.ir.types import SAVED, Seq, Tree

Key = tuple[Function, tuple[Layout, ...]]  # a callee and the layouts of its arguments


@dataclass(eq=False, slots=True)
class Callees:
    """The layouts of what callees return, as far as they are known."""

    results: dict[Key, tuple[Layout, ...]] = field(default_factory=dict)
    visited: set[Key] = field(default_factory=set)  # in this round
    changed: bool = False

    def of(self, fn: Function, layouts: tuple[Layout, ...]) -> tuple[Layout, ...]:
        key = fn, layouts
        if key not in self.visited:
            self.visited.add(key)
            self.results.setdefault(key, (False,) * len(fn.returns))
            inner = Spread(self, {})
            for p, layout in zip(fn.block.params, layouts, strict=True):
                inner.mark(p, layout)
            inner.block(fn.block)
            found = tuple([inner.of(v) for v in fn.returns])
            if found != self.results[key]:
                self.results[key] = found
                self.changed = True
        return self.results[key]


def spread(fn: Function, seeds: Mapping[Value, Layout], callees: Callees) -> Spread:
    """The layouts of the values of `fn`, from those of some of its parameters."""
    while True:
        callees.changed = False
        callees.visited.clear()
        found = Spread(callees, {})
        for p, layout in seeds.items():
            found.mark(p, layout)
        found.block(fn.block)
        if not callees.changed:
            return found


@dataclass(eq=False, slots=True)
class Spread:
    callees: Callees
    layouts: dict[Value, Layout]  # of what depends on the direction
    single: set[Op] = field(default_factory=set)  # control flow that itself depends on it

    def of(self, v: Value) -> Layout:
        return self.layouts.get(v, False)

    def mark(self, v: Value, layout: Layout) -> bool:
        """Add to what is known of `v`; whether that is new."""
        new = normal(join(self.of(v), layout))
        if new == self.of(v):
            return False
        self.layouts[v] = new
        return True

    def items(self, v: Value, count: int) -> tuple[Layout, ...]:
        """The layouts of the children of the tree `v`."""
        layout = self.of(v)
        if isinstance(layout, Saved):
            layout = self.callees.results[layout.key][layout.k]
        return children(layout, count)

    # --- ops ------------------------------------------------------------------------------------

    def block(self, block: Block) -> None:
        for op in block.ops:
            if op.blocks:
                self.structured(op)
            elif any(v in self.layouts for v in op.operands):
                for r, layout in zip(op.results, self.leaf(op)):
                    self.mark(r, layout)

    def leaf(self, op: Op) -> Sequence[Layout]:
        """The layouts of the results of an op without blocks."""
        of = self.of
        match op:
            case core.Call():
                if not any(v in self.layouts for v in table.read(op)):
                    return [False] * len(op.results)
                return table.layouts(op, list(map(of, op.operands)))
            case core.Index(operands=[x, *at]):
                if any(v in self.layouts for v in at):
                    return [full(op.result.type)]
                single = isinstance(x.type, Seq) and op.spec == ("value",)
                return [item_of(of(x)) if single else of(x)]
            case core.Update(operands=[x, v, *at]):
                if any(w in self.layouts for w in at):
                    return [full(op.result.type)]
                lists = isinstance(x.type, Seq)
                return [join(of(x), Items(of(v)) if lists and of(v) is not False else of(v))]
            case core.Make():
                return [tuple(map(of, op.operands))]
            case core.Item(operands=[tree]) if isinstance(tree.type, Tree):
                keys = tree.type.keys
                return [self.items(tree, len(keys))[keys.index(op.key)]]
            case core.Unpack(operands=[tree]):
                return self.items(tree, len(op.results))
            case core.NewSeq():
                return [Items(_joined(map(of, op.operands)))]
            case core.Append(operands=[seq, item]):
                return [normal(join(of(seq), normal(Items(of(item)))))]
            case core.Pop(operands=[seq]):
                return [of(seq), item_of(of(seq))]
            case core.Invoke():
                return self.invoke(op)
            case Alias(operands=[x, *_]) | Hook(operands=[x, *_]):
                return [of(x)]
        return [full(r.type) for r in op.results]

    def invoke(self, op: core.Invoke) -> list[Layout]:
        layouts = tuple(map(self.of, op.operands))
        found = self.callees.of(op.callee, layouts)
        key = op.callee, layouts
        pairs = enumerate(zip(op.results, found, strict=True))
        return [Saved(key, k) if r.type == SAVED and known else known for k, (r, known) in pairs]

    # --- control flow ---------------------------------------------------------------------------

    def structured(self, op: Op) -> None:
        match op:
            case core.For() | core.While():
                self.loop(op)
            case core.If() | core.Scope() | core.Try():
                for block in op.blocks:
                    self.block(block)
                    for r, y in zip(op.results, block.yields, strict=True):
                        self.mark(r, self.of(y))
            case _:
                raise InternalError(f"{type(op).__name__} cannot be batched", op.loc)
        if self.is_single(op):
            self.single.add(op)
            for r in op.results:
                self.mark(r, full(r.type))

    def is_single(self, op: Op) -> bool:
        """Whether different directions may take different ways through `op`."""
        match op:
            case core.For():
                heads = [] if op.over == "seq" else op.operands[:3]
                ways = [*heads, *(op.body.yields[-1:] if op.stops else [])]
            case core.While():
                ways = [*op.cond.yields, *(op.body.yields[-1:] if op.stops else [])]
            case _:
                ways = op.operands
        return any(v in self.layouts for v in ways)

    def loop(self, op: core.For | core.While) -> None:
        if isinstance(op, core.For) and op.over == "seq":
            self.mark(op.body.params[0], item_of(self.of(op.operands[0])))
        conds = op.cond.params if isinstance(op, core.While) else op.carried
        slots = list(zip(op.inits, op.carried, conds, op.body.yields, op.results, strict=False))
        for init, *rest in slots:
            for v in rest[:2]:
                self.mark(v, self.of(init))
        again = True
        while again:
            for block in op.blocks:
                self.block(block)
            again = False
            for init, p, cond, y, r in slots:
                layout = join(self.of(y), self.of(init))
                again |= self.mark(p, layout)
                self.mark(cond, layout)
                self.mark(r, layout)


def _joined(layouts: Iterable[Layout]) -> Layout:
    found: Layout = False
    for layout in layouts:
        found = join(found, layout)
    return found
