"""Which values share a variable.

Values that hand their content on (through a loop, a branch, an update in place) become one variable
where their live ranges allow it: union-find, in an order that matters. Then variables get names, in
the order of their first statement (`spelling`). An adjoint and a primal value never share a
variable; the version of a carried value that a loop body must keep is `h_in`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adcompile import errors
from adcompile.codegen.kinds import Writer
from adcompile.codegen.live import Interval
from adcompile.codegen.place import Placement, written
from adcompile.codegen.spelling import spell
from adcompile.codegen.tails import Prepared, end_of
from adcompile.codegen.variables import Names, Variable, merged, overlap, without
from adcompile.ir import core
from adcompile.ir.core import Block, Op, Value
from adcompile.ir.identities import Alias


def assign_names(prepared: Prepared, placement: Placement, taken: set[str]) -> Names:
    """Names for all variables of a function; none of them is in `taken`."""
    work = _Coalescer(prepared, placement)
    work.collect()
    work.coalesce()
    variables = {v: work.find(v) for v in work.made}
    spell(variables.values(), placement.plan, taken)
    return Names(variables)


@dataclass(eq=False, slots=True)
class _Coalescer:
    prepared: Prepared
    placement: Placement
    made: dict[Value, Variable] = field(default_factory=dict)
    parent: dict[int, Variable] = field(default_factory=dict)  # id of a variable → its heir
    adjoint: set[Value] = field(default_factory=set)  # cotangents and what is computed from them
    saved: dict[int, core.Append] = field(default_factory=dict)  # id of a tape → what it is given

    def find(self, v: Value) -> Variable:
        variable = self.made[v]
        while id(variable) in self.parent:
            heir = self.parent[id(variable)]
            if id(heir) in self.parent:
                self.parent[id(variable)] = self.parent[id(heir)]
            variable = heir
        return variable

    # --- variables -------------------------------------------------------------------------------

    def collect(self) -> None:
        fn, live = self.prepared.fn, self.placement.live
        self._find_adjoints()
        for p, param in zip(fn.block.params, fn.params):
            self.made[p] = Variable(live.ranges[p], param.name, False, True, 3, param.name, p)
        for v in live.ranges:
            if v not in self.made and not self._is_nameless(v):
                self._add(v)
        for condition, slot in live.slot.items():
            self.made[condition] = self.made[slot]  # one variable, whatever becomes of it

    def _is_nameless(self, v: Value) -> bool:
        """Whether `v` is never written: not read at all, or taken apart where it is made."""
        if not isinstance(v.owner, (Block, core.Unpack)):
            return False
        plan = self.placement.plan
        users = plan.users.get(v, ())
        if not users:
            return isinstance(v.owner, Block)
        return all(u in plan.absorbed and isinstance(u, core.Unpack) for u in users)

    def _add(self, v: Value) -> None:
        hint = v.name if v.name and v.name.isidentifier() else None
        rank = 0 if hint is None else 2 if isinstance(v.owner, Block) else 1
        ranges = list(self.placement.live.ranges[v])
        self.made[v] = Variable(ranges, hint, v in self.adjoint, rank=rank, first=v)

    def _find_adjoints(self) -> None:
        plan, adjoint = self.placement.plan, self.adjoint
        carried = [p for block in plan.around if plan.sweep[block] > 0 for p in block.params]
        adjoint.update(p for p in carried if p.name and p.name.startswith("d_"))
        for op in plan.ops:
            if plan.order[op] > 0:
                computed = not adjoint.isdisjoint(op.operands)
                for r in op.results:
                    if r.name.startswith("d_") if r.name is not None else computed:
                        adjoint.add(r)

    # --- coalescing ------------------------------------------------------------------------------

    def coalesce(self) -> None:
        plan = self.placement.plan
        for op in plan.ops:
            if op in self.placement.in_place or (isinstance(op, Writer) and op not in plan.dead):
                self.unite(
                    written(op) if isinstance(op, core.Call) else op.operands[0],
                    op.results[0],
                    force=True,
                )
        ops = [op for op in plan.handing_on if op not in plan.dead]
        for branch, slots in self.prepared.pushed:
            for r, slot in zip(branch.results, slots):
                self.unite(slot, r, force=True)  # an arm may leave the loop
        for op in ops:
            if isinstance(op, core.For):
                self._inits(op, alike=True)
        for op in ops:
            if isinstance(op, core.For | core.While):
                self._loop(op)
        for op in ops:
            if isinstance(op, Alias) and op.result.name == op.operands[0].name:
                self.unite(op.result, op.operands[0])
            elif isinstance(op, core.Append):
                self.saved[id(self.find(op.operands[0]))] = op
            elif isinstance(op, core.For) and op.over == "seq" and op.operands[0] in self.made:
                self._name_items(op)
        for op in ops:
            if isinstance(op, core.For | core.While):
                self._inits(op)
                self._pairs(op.results, end_of(op.body).operands)
            elif isinstance(op, core.If | core.Scope | core.Try) and plan.is_line(op):
                for block in op.blocks:
                    if isinstance(end_of(block), core.Yield):
                        self._pairs(op.results, end_of(block).operands)

    def _pairs(self, results: list[Value], sources: list[Value]) -> None:
        for r, v in zip(results, sources):
            self.unite(r, v)

    def _inits(self, op: core.For | core.While, alike: bool = False) -> None:
        """Initial values with results; the head of a `for` may read either: they are equal then.

        With `alike` only those that have one name and are both alive at the head.
        """
        at = self.placement.live.at[op]
        head = (at + 1, at + 2) if isinstance(op, core.For) else None
        for r, v in zip(op.results, op.inits):
            if not alike or (v.name == r.name and self.conflicting(r, v)):
                self.unite(r, v, equal=head)

    def _loop(self, op: core.For | core.While) -> None:
        """Parameters with results; where both are alive the yielded version keeps the name."""
        yields = end_of(op.body).operands
        handed = {id(self.find(y)): y for y in yields if y in self.made}
        for p, r, y in zip(op.carried, op.results, yields):
            if not self.placement.plan.users.get(p):
                continue  # never read
            rotates = handed.get(id(self.find(p)), y) is not y  # `a, b = b, a`
            remade = self._is_remade(op.body, y) and not rotates
            if remade and self.conflict(p, y) and self.unite(r, y):
                slot = self.find(r)
                if slot.hint:
                    self.find(p).hint = f"{slot.hint}_in"
                continue
            self.unite(r, p, any_name=True)

    def _name_items(self, op: core.For) -> None:
        """What is read off a tape has the name of what was saved, `h_in` say."""
        append = self.saved.get(id(self.find(op.operands[0])))
        if append is None:
            return
        item, saved = op.body.params[0], append.operands[1]
        users = self.placement.plan.users.get(item, ())
        if item in self.made:
            self._name_item(item, saved)
        elif users and isinstance(saved.owner, core.Make):
            for part, source in zip(users[0].results, saved.owner.operands):
                self._name_item(part, source)

    def _name_item(self, part: Value, source: Value) -> None:
        if part in self.made and source in self.made and not self.unite(source, part):
            self.find(part).hint = self.find(source).hint
            self.find(part).first = source

    def _is_remade(self, body: Block, y: Value) -> bool:
        plan = self.placement.plan
        return isinstance(y.owner, Op) and y in self.made and plan.home.get(y.owner) is body

    def conflicting(self, a: Value, b: Value) -> bool:
        return a in self.made and b in self.made and self.conflict(a, b)

    def conflict(self, a: Value, b: Value) -> bool:
        x, y = self.find(a), self.find(b)
        return x is not y and overlap(x.ranges, y.ranges)

    def unite(
        self,
        a: Value,
        b: Value,
        *,
        force: bool = False,
        any_name: bool = False,
        equal: Interval | None = None,
    ) -> bool:
        """Make `a` and `b` one variable if they may be; in the interval `equal` they are."""
        if a not in self.made or b not in self.made:
            return False
        x, y = self.find(a), self.find(b)
        if x is y:
            return True
        ranges = x.ranges if equal is None else without(x.ranges, equal)
        clash = overlap(ranges, y.ranges) or (x.fixed and y.fixed)
        if force:
            if clash:
                raise errors.InternalError("two values that are alive at once must be one variable")
        elif clash or not (any_name or _compatible(x, y)):
            return False
        if (y.fixed, len(y.ranges)) > (x.fixed, len(x.ranges)):
            x, y = y, x
        if y.start < x.start:
            x.first = y.first
        self.parent[id(y)] = x
        x.ranges = merged(x.ranges, y.ranges)
        if not x.fixed and (y.rank, x.start) > (x.rank, x.start) and y.hint:
            x.hint, x.rank = y.hint, y.rank
        x.adjoint = x.adjoint or y.adjoint
        return True


def _compatible(x: Variable, y: Variable) -> bool:
    if x.hint == y.hint:
        return x.adjoint == y.adjoint or x.hint is not None
    if x.adjoint != y.adjoint:
        return False
    return x.hint is None or y.hint is None or x.adjoint
