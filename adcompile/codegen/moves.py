"""Assignments between variables where control flow joins: loop heads, ends of blocks.

Most vanish, for what a loop or branch hands on has been made one variable (`names`). Those that
remain happen at once in the IR; here they come in an order in which none overwrites what a later
one reads, and as a parallel assignment (`a, b = b, a`) where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adcompile.codegen import nodes
from adcompile.codegen.lines import locate
from adcompile.codegen.nodes import Node
from adcompile.codegen.place import Placement
from adcompile.codegen.tails import end_of
from adcompile.codegen.terms import Terms
from adcompile.codegen.variables import Names
from adcompile.ir import core
from adcompile.ir.conditions import condition, in_arm
from adcompile.ir.core import Block, Op, Value

Pair = tuple[Value, Value]  # (target, source)

# What passes its operands on, whatever they are.
_PASSING = (core.Make, core.Append, core.NewSeq, core.Return, core.Invoke)


@dataclass(eq=False, slots=True)
class Moves:
    placement: Placement
    names: Names
    terms: Terms
    needed: set[int] = field(default_factory=set)  # variables that are read even where undefined

    def survey(self) -> None:
        """Find the variables that must have a value on every path, if only None."""
        for op in self.placement.plan.ops:
            if isinstance(op, _PASSING):
                self._need(op.operands, self.placement.plan.home[op])
        for op in self.placement.plan.handing_on:
            for block, pairs in self._pairs(op):
                moved = [v for r, v in pairs if not self.names.same(r, v)]
                self._need(moved, block)

    def _need(self, values: list[Value], block: Block) -> None:
        """`block` reads `values`."""
        for v in values:
            if v in self.names.variables and self._may_be_undefined(v, block):
                self.needed.add(id(self.names.variables[v]))

    def _may_be_undefined(self, v: Value, block: Block) -> bool:
        around = self.placement.plan.around
        if isinstance(v.owner, Block):  # what a loop runs over is there
            counted = v.owner in around and isinstance(around[v.owner][0], core.For)
            return not (counted and v is v.owner.params[0])
        while isinstance(v.owner, core.For | core.While) and block in around:
            outer, above = around[block]
            if isinstance(outer, core.If) and (flag := condition(outer)).owner is v.owner:
                first = core.constant(v.owner.inits[v.owner.results.index(flag)])
                if first is (not in_arm(outer, block)):
                    return False  # the loop has set the flag: it has run
            block = above
        return type(v.owner) in core.STRUCTURED

    def _pairs(self, op: Op) -> list[tuple[Block, list[Pair]]]:
        """What is handed on, and in which block."""
        if op in self.placement.plan.expressions or op in self.placement.plan.inlined:
            return []
        match op:
            case core.For() | core.While():
                carried = [(p, r) for p, r in zip(op.carried, op.results) if self._is_read(p)]
                starts = self.placement.plan.home[op], list(zip(op.results, op.inits))
                return [starts, (op.body, [*self._yielded(op, op.body), *carried])]
            case core.If() | core.Scope() | core.Try():
                return [(block, self._yielded(op, block)) for block in op.blocks]
        return []

    def _yielded(self, op: Op, block: Block) -> list[Pair]:
        end = end_of(block)
        return list(zip(op.results, end.operands)) if isinstance(end, core.Yield) else []

    def _is_read(self, v: Value) -> bool:
        return bool(self.placement.plan.users.get(v))

    # --- the four places -------------------------------------------------------------------------

    def into_loop(self, op: core.For | core.While, out: list[Node]) -> None:
        pairs = [(r, v) for r, v in zip(op.results, op.inits) if self._is_carried(op, r)]
        self._emit(op, pairs, out)

    def at_head(self, op: core.For | core.While, out: list[Node]) -> None:
        pairs = [(p, r) for p, r in zip(op.carried, op.results) if self._is_read(p)]
        self._emit(op, pairs, out)

    def at_end(self, op: core.Yield, out: list[Node]) -> None:
        self._emit(op, self._at_end(op), out)

    def computed(self, op: core.Yield) -> list[Op]:
        """The operations that are nested in the assignments at the end of a block."""
        sources = [v.owner for _, v in self._remaining(self._at_end(op))]
        inlined = self.placement.plan.inlined
        return [s for s in sources if isinstance(s, core.Call | core.Index) and s in inlined]

    def _at_end(self, op: core.Yield) -> list[Pair]:
        block = self.placement.plan.home[op]
        if block not in self.placement.plan.around:
            return []
        outer = self.placement.plan.around[block][0]
        if isinstance(outer, core.While) and block is outer.cond:
            return []
        pairs = [(r, v) for r, v in zip(outer.results, op.operands) if self._is_carried(outer, r)]
        return [(r, v) for r, v in pairs if not self._has_one(r, v, block)]

    def _has_one(self, r: Value, v: Value, block: Block) -> bool:
        """Whether `v` is undefined, and `r` has a value, if only None, from before a loop."""
        variable = self.names.variables.get(r)
        if variable is None or not isinstance(v.owner, core.Undef):
            return False
        while block in self.placement.plan.around:
            op, block = self.placement.plan.around[block]
            carried = op.results if isinstance(op, core.For | core.While) else []
            if any(self.names.variables.get(x) is variable for x in carried):
                return True
        return False

    def _is_carried(self, op: Op, r: Value) -> bool:
        """Whether anyone reads what `r` holds, in the loop or after it."""
        if self._is_read(r) or not isinstance(op, core.For | core.While):
            return self._is_read(r)
        k = op.results.index(r)
        conditions = op.cond.params[k : k + 1] if isinstance(op, core.While) else []
        return any(map(self._is_read, [op.carried[k], *conditions]))

    def is_last(self, op: Op, block: Block) -> bool:
        """Whether nothing follows `op` in the body of the loop around it."""
        plan = self.placement.plan
        while True:
            for later in block.ops[block.ops.index(op) + 1 :]:
                if isinstance(later, core.Yield):
                    if self._remaining(self._at_end(later)):
                        return False
                elif plan.is_line(later):
                    return False
            if block not in plan.around:
                return False
            op, outer = plan.around[block]
            if isinstance(op, core.For | core.While):
                return block is op.body
            if not isinstance(op, core.If):
                return False
            block = outer

    # --- the order of moves ----------------------------------------------------------------------

    def _remaining(self, pairs: list[Pair]) -> list[Pair]:
        left: list[Pair] = []
        for target, source in pairs:
            if isinstance(source.owner, core.Undef):
                if id(self.names.variables.get(target)) in self.needed:
                    left.append((target, source))
            elif not (source in self.names.variables and self.names.same(target, source)):
                left.append((target, source))
        return left

    def _emit(self, op: Op, pairs: list[Pair], out: list[Node]) -> None:
        left = self._remaining(pairs)
        reads = {id(pair): self._reads(pair[1]) for pair in left}
        while left:
            ready = next((p for p in left if self._is_free(p, left, reads)), None)
            group = left if ready is None else [ready]
            left = [p for p in left if p not in group]
            target = nodes.target([self.names.of(t) for t, _ in group])
            values = [self.terms(s) for _, s in group]
            node = nodes.assign(target, values[0] if len(values) == 1 else nodes.tuple_(values))
            out.append(locate(node, op.loc))

    def _is_free(self, pair: Pair, left: list[Pair], reads: dict[int, set[str]]) -> bool:
        """Whether no other move that is left reads what `pair` overwrites."""
        name = self.names.of(pair[0])
        return not any(name in reads[id(other)] for other in left if other is not pair)

    def _reads(self, v: Value) -> set[str]:
        owner = v.owner
        if isinstance(owner, Op) and owner in self.placement.plan.inlined:
            values = self.placement.plan.reads(owner)
        else:
            values = [v]
        return {self.names.of(x) for x in values if x in self.names.variables}
