"""Which values share a variable, and what it is called.

Values that hand their content on (through a loop, a branch, an update in place) become one variable
where their live ranges allow it: union-find, in an order that matters. Then variables get names, in
the order of their first statement: the user's name if no other variable of that name is alive, else
that name with a number. What nobody named is called after what it is. An adjoint and a primal value
never share a variable; the version of a carried value that a loop body must keep is `h_in`.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np

from adcompile.codegen.live import Ranges
from adcompile.codegen.nest import Writer
from adcompile.codegen.place import Placement
from adcompile.codegen.tails import Prepared, end_of
from adcompile.ir import core
from adcompile.ir.core import Block, Op, Value
from adcompile.ir.types import Array, Scalar, Seq, Tree

COUNTERS = ("i", "j", "k", "l", "m", "n")


@dataclass(eq=False, slots=True)
class Variable:
    """Values under one name."""

    ranges: Ranges
    hint: str | None
    adjoint: bool
    fixed: bool = False  # a parameter: keeps its name
    rank: int = 0  # of the hint: that of a carried value wins
    name: str = ""
    first: Value | None = None


@dataclass(eq=False, slots=True)
class Names:
    variables: dict[Value, Variable] = field(default_factory=dict)

    def of(self, v: Value) -> str:
        return self.variables[v].name

    def same(self, a: Value, b: Value) -> bool:
        """Whether assigning `a` to `b` would do nothing."""
        return a in self.variables and b in self.variables and self.of(a) == self.of(b)


def assign_names(prepared: Prepared, placement: Placement, taken: set[str]) -> Names:
    """Names for all variables of a function; none of them is in `taken`."""
    work = _Coalescer(prepared, placement)
    work.collect()
    work.coalesce()
    _spell(work, taken)
    return Names({v: work.find(v) for v in work.made})


def overlap(a: Ranges, b: Ranges) -> bool:
    """Whether two lists of intervals meet."""
    if len(a) > len(b):
        a, b = b, a
    for low, high in a:
        k = bisect_left(b, (low, low))
        if k < len(b) and b[k][0] <= high:
            return True
        if k and b[k - 1][1] >= low:
            return True
    return False


@dataclass(eq=False, slots=True)
class _Coalescer:
    prepared: Prepared
    placement: Placement
    made: dict[Value, Variable] = field(default_factory=dict)
    parent: dict[int, Variable] = field(default_factory=dict)  # id of a variable → its heir
    adjoint: dict[Value, bool] = field(default_factory=dict)
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
        for p, param in zip(fn.block.params, fn.params):
            self.made[p] = Variable(live.ranges[p], param.name, False, True, 3, param.name, p)
        for v in live.ranges:
            if v not in self.made and not self._is_nameless(v):
                self._add(v)
        for condition, slot in live.slot.items():
            self.made[condition] = self.made[slot]  # one variable, whatever becomes of it

    def _is_nameless(self, v: Value) -> bool:
        """Whether `v` is never written: not read at all, or taken apart where it is made."""
        users = self.placement.plan.users.get(v, ())
        if isinstance(v.owner, Block):
            return all(u in self.placement.plan.absorbed for u in users)
        if isinstance(v.owner, core.Unpack):
            return bool(users) and all(u in self.placement.plan.absorbed for u in users)
        return False

    def _add(self, v: Value) -> None:
        rank = 0 if v.name is None else 2 if isinstance(v.owner, Block) else 1
        ranges = self.placement.live.ranges[v]
        self.made[v] = Variable(list(ranges), v.name, self._is_adjoint(v), rank=rank, first=v)

    def _is_adjoint(self, v: Value) -> bool:
        """Whether `v` is a cotangent, or computed from one."""
        if v not in self.adjoint:
            self.adjoint[v] = False  # until known otherwise
            self.adjoint[v] = self._order(v) > 0 and self._carries_cotangent(v)
        return self.adjoint[v]

    def _carries_cotangent(self, v: Value) -> bool:
        if v.name is not None:
            return v.name.startswith("d_")
        if not isinstance(v.owner, Op):
            return False
        sources = v.owner.operands
        if isinstance(v.owner, core.Call | core.Update):
            sources = self.placement.plan.reads(v.owner)
        return any(self._is_adjoint(x) for x in sources if x.name or isinstance(x.owner, core.Call))

    def _order(self, v: Value) -> int:
        plan = self.placement.plan
        if isinstance(v.owner, Op):
            return plan.order(v.owner)
        return plan.sweep[v.owner] if isinstance(v.owner, Block) else 0

    # --- coalescing ------------------------------------------------------------------------------

    def coalesce(self) -> None:
        plan = self.placement.plan
        ops = [op for op in core.walk(self.prepared.fn.block) if op not in plan.dead]
        for op in ops:
            if isinstance(op, Writer) or op in self.placement.in_place:
                self.unite(op.operands[0], op.results[0], force=True)
        for branch, slots in self.prepared.pushed:
            for r, slot in zip(branch.results, slots):
                self.unite(slot, r, force=True)  # an arm may leave the loop
        for op in ops:
            if isinstance(op, core.For | core.While):
                self._loop(op)
        for op in ops:
            if isinstance(op, core.Append):
                self.saved[id(self.find(op.operands[0]))] = op
            elif isinstance(op, core.For) and op.over == "seq" and op.operands[0] in self.made:
                self._name_items(op)
        for op in ops:
            if isinstance(op, core.For | core.While):
                self._pairs(op.results, op.inits)
                self._pairs(op.results, end_of(op.body).operands)
            elif isinstance(op, core.If | core.Scope) and plan.is_line(op):
                for block in op.blocks:
                    if isinstance(end_of(block), core.Yield):
                        self._pairs(op.results, end_of(block).operands)

    def _pairs(self, results: list[Value], sources: list[Value]) -> None:
        for r, v in zip(results, sources):
            self.unite(r, v)

    def _loop(self, op: core.For | core.While) -> None:
        """Parameters with results; where both are alive the yielded version keeps the name."""
        for p, r, y in zip(op.carried, op.results, end_of(op.body).operands):
            if not self.placement.plan.users.get(p):
                continue  # never read
            if self._is_remade(op.body, y) and self.conflict(p, y) and self.unite(r, y):
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
        if part in self.made and source in self.made:
            self.find(part).hint = self.find(source).hint
            self.find(part).first = source

    def _is_remade(self, body: Block, y: Value) -> bool:
        plan = self.placement.plan
        return isinstance(y.owner, Op) and y in self.made and plan.home.get(y.owner) is body

    def conflict(self, a: Value, b: Value) -> bool:
        x, y = self.find(a), self.find(b)
        return x is not y and overlap(x.ranges, y.ranges)

    def unite(self, a: Value, b: Value, *, force: bool = False, any_name: bool = False) -> bool:
        """Make `a` and `b` one variable if they may be."""
        if a not in self.made or b not in self.made:
            return False
        x, y = self.find(a), self.find(b)
        if x is y:
            return True
        clash = overlap(x.ranges, y.ranges) or (x.fixed and y.fixed)
        if force:
            assert not clash, "two values that are alive at once must be one variable"
        elif clash or not (any_name or _compatible(x, y)):
            return False
        if (y.fixed, len(y.ranges)) > (x.fixed, len(x.ranges)):
            x, y = y, x
        self.parent[id(y)] = x
        x.ranges = _merged(x.ranges, y.ranges)
        if not x.fixed and (y.rank, _start(x)) > (x.rank, _start(x)) and y.hint:
            x.hint, x.rank = y.hint, y.rank
        x.adjoint = x.adjoint or y.adjoint
        return True


def _start(x: Variable) -> int:
    return x.ranges[0][0]


def _compatible(x: Variable, y: Variable) -> bool:
    if x.hint == y.hint:
        return x.adjoint == y.adjoint or x.hint is not None
    if x.adjoint != y.adjoint:
        return False
    return x.hint is None or y.hint is None or x.adjoint


def _merged(a: Ranges, b: Ranges) -> Ranges:
    """The union of two disjoint sorted lists (`a` is the longer one, and changed)."""
    if len(b) > 8:
        return sorted(a + b)
    for interval in b:
        a.insert(bisect_left(a, interval), interval)
    return a


# --- spelling ------------------------------------------------------------------------------------


def _spell(work: _Coalescer, taken: set[str]) -> None:
    """Give every variable its name, in the order of the text."""
    unique = {id(x): x for x in map(work.find, work.made)}
    variables = sorted(unique.values(), key=_start)
    hinted = [x for x in variables if x.hint and not x.fixed]
    taken = taken | {x.name for x in variables if x.fixed}
    reserved = taken | {str(x.hint) for x in hinted}
    pools: dict[str, _Pool] = {}
    for x in variables:
        if x.fixed:
            pools.setdefault(x.name, _Pool(x.name, reserved, free=True)).hold(x)
    for x in hinted:
        hint = str(x.hint)
        if hint not in pools:
            pools[hint] = _Pool(hint, reserved, free=hint not in taken)
        x.name = pools[hint].take(x)
    counters = [n for n in COUNTERS if n not in reserved]
    for x in variables:
        if x.hint or x.fixed:
            continue
        base = _base_name(x, work, counters)
        if base not in pools:
            pools[base] = _Pool(base, reserved, free=base not in reserved)
        x.name = pools[base].take(x)


class _Pool:
    """The variables called `h`, `h2`, `h3`, …, and when each of these names is in use."""

    def __init__(self, base: str, reserved: set[str], *, free: bool) -> None:
        self.base, self.reserved = base, reserved
        self.plain: Ranges | None = [] if free else None  # when the plain name is in use
        self.busy: list[tuple[int, str]] = []  # heap: (last point in use, numbered name)
        self.count = 1

    def hold(self, x: Variable) -> None:
        """`x` has the plain name."""
        self.plain = _merged(self.plain or [], list(x.ranges))

    def take(self, x: Variable) -> str:
        """The plain name where it is free, else a numbered one that is free from now on."""
        if self.plain is not None and not overlap(self.plain, x.ranges):
            self.hold(x)
            return self.base
        if self.busy and self.busy[0][0] < x.ranges[0][0]:
            _, name = heapq.heappop(self.busy)
        else:
            name = self._next()
        heapq.heappush(self.busy, (x.ranges[-1][1], name))
        return name

    def _next(self) -> str:
        while True:
            self.count += 1
            separator = "_" if self.base[-1].isdigit() else ""
            name = f"{self.base}{separator}{self.count}"
            if name not in self.reserved:
                self.reserved.add(name)
                return name


def _base_name(x: Variable, work: _Coalescer, counters: list[str]) -> str:
    """What a value is called that nobody named."""
    v = x.first
    assert v is not None
    if isinstance(v.owner, Block):
        return _param_name(v, work, counters)
    users = work.placement.plan.users.get(v, ())
    if users and all(isinstance(u, core.Return | core.Make) for u in users) and not x.adjoint:
        return "value"
    match v.owner:
        case core.Item(key=str(key)) if key.isidentifier():
            return key
        case core.Call(fn=fn) if fn in (len, np.size):
            return "n"
        case core.Call(fn=fn) if fn is np.shape:
            return "shape"
    match v.type:
        case Array(dtype, shape) if dtype.kind == "b" and shape:
            return "mask"
        case Scalar("bool") | Array(np.dtype(kind="b")):
            return "flag"
        case Array(dtype) if dtype.kind in "iu":
            return "index"
        case Seq():
            return "items"
        case Tree():
            return "parts"
    return ("d_" if x.adjoint else "") + ("z" if isinstance(v.type, Array) and v.type.shape else "t")


def _param_name(v: Value, work: _Coalescer, counters: list[str]) -> str:
    plan = work.placement.plan
    loop, block = plan.around[v.owner] if v.owner in plan.around else (None, None)  # type: ignore[index]
    if not isinstance(loop, core.For) or v is not loop.body.params[0]:
        return "t"
    if loop.over == "seq":
        return "item"
    depth = 0
    while block in plan.around:
        loop, block = plan.around[block]
        depth += isinstance(loop, core.For)
    return counters[min(depth, len(counters) - 1)] if counters else "index"
