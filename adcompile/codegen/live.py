"""When each variable is live: intervals on the line of printed statements.

Statements are numbered in the order of the text. A statement at point p reads at p and defines at
p + 1, so that a variable may be reused by the statement that reads it last. The live range of a
value is a list of intervals: structured code needs no fixpoint. A use inside a loop of a value from
outside it keeps the value live to the end of the loop; one inside a branch does so from the start
of that branch, which leaves holes (the other branch) for others to live in.

A loop's result stands for the *slot* that is carried round: assigned before the loop and at the end
of its body, read at the head of each iteration, where it becomes the body's parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adcompile.codegen.nesting import Header, Nesting
from adcompile.codegen.tails import end_of
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value

Interval = tuple[int, int]
Ranges = list[Interval]


@dataclass(eq=False, slots=True)
class Live:
    ranges: dict[Value, Ranges] = field(default_factory=dict)
    at: dict[Op, int] = field(default_factory=dict)  # where a line reads; loops: their inits
    slot: dict[Value, Value] = field(default_factory=dict)  # parameters of conditions → slots
    spans: dict[Block, tuple[int, int]] = field(default_factory=dict)  # loop bodies

    def handed(self, op: Op) -> int:
        """When what `op` hands on may first be written: after the head of a `for` was read."""
        return self.at[op] + (2 if isinstance(op, core.For) else 0)

    def covers(self, v: Value, point: int) -> bool:
        return any(a <= point <= b for a, b in self.ranges.get(v, ()))


def liveness(fn: Function, plan: Nesting) -> Live:
    """The live ranges of all variables of `fn`: values that are not nested."""
    work = _Numbering(plan)
    work.number(fn.block)
    return work.finish()


@dataclass(eq=False, slots=True)
class _Numbering:
    plan: Nesting
    live: Live = field(default_factory=Live)
    point: int = 0
    start: dict[Block, int] = field(default_factory=dict)
    end: dict[Op, int] = field(default_factory=dict)  # of ops with blocks
    defined: dict[Value, tuple[Block, int]] = field(default_factory=dict)
    uses: dict[Value, dict[Block, int]] = field(default_factory=dict)  # the last in each block
    extra: dict[Value, Ranges] = field(default_factory=dict)

    def step(self) -> int:
        self.point += 2
        return self.point

    def read(self, v: Value, block: Block, point: int) -> None:
        self.uses.setdefault(self.live.slot.get(v, v), {})[block] = point  # points only grow

    def read_line(self, op: Op, block: Block, point: int) -> None:
        for v in self.plan.reads(op):
            self.read(v, block, point)

    def define(self, v: Value, block: Block, point: int) -> None:
        self.defined[v] = (block, point)

    # --- numbering (iterative: an op with blocks leaves its rest on the stack) ------------------

    def number(self, root: Block) -> None:
        self.start[root] = self.point
        for p in root.params:
            self.define(p, root, self.point)
        stack: list[tuple] = [("ops", root, iter(root.ops))]
        while stack:
            task = stack.pop()
            if task[0] != "ops":
                getattr(self, task[0])(*task[1:])
                continue
            _, block, ops = task
            for op in ops:
                if not self.plan.is_line(op):
                    continue
                if op.blocks and op not in self.plan.expressions:
                    stack.append(("ops", block, ops))
                    stack.extend(reversed(self.compound(op, block)))
                    break
                self.line(op, block)

    def line(self, op: Op, block: Block) -> None:
        point = self.step()
        self.live.at[op] = point
        self.read_line(op, block, point)
        for r in op.results:
            self.define(r, block, point + 1)
        if isinstance(op, core.Unpack):
            self.absorbed(op.results, block, point + 1)

    def absorbed(self, parts: list[Value], block: Block, point: int) -> None:
        """The parts of parts that are unpacked by the same target."""
        stack = list(parts)
        while stack:
            for user in self.plan.users.get(stack.pop(), ()):
                if user in self.plan.absorbed:
                    for r in user.results:
                        self.define(r, block, point)
                    stack.extend(user.results)

    def compound(self, op: Op, block: Block) -> list[tuple]:
        point = self.step()
        self.live.at[op] = point
        match op:
            case core.If():
                if op not in self.plan.clauses:
                    self.read_line(op, block, point)
                return [
                    *self.arm(op, op.then, block),
                    *self.arm(op, op.orelse, block),
                    ("close", op),
                ]
            case core.Try():
                self.read_line(op, block, point)
                enter, *handler = self.arm(op, op.handler, block)
                # `as e` ends with the clause: what is done later needs another variable.
                catch = ("define_params", op.handler)
                if op in self.plan.clauses.values():
                    caught = [enter, catch, *handler]
                else:
                    caught = [catch, enter, *handler]
                return [*self.arm(op, op.body, block), *caught, ("close", op)]
            case core.Scope():
                self.read_line(op, block, point)
                enter, *body = self.arm(op, op.body, block)
                return [enter, ("define_params", op.body), *body, ("close", op)]
            case core.For() | core.While():
                return self.loop(op, block, point)
        raise AssertionError(f"{type(op).__name__} has blocks")

    def arm(self, op: Op, inner: Block, outer: Block) -> list[tuple]:
        return [("enter", inner), ("ops", inner, iter(inner.ops)), ("leave", op, inner, outer)]

    def define_params(self, block: Block) -> None:
        for p in block.params:
            self.define(p, block, self.point + 1)

    def loop(self, op: core.For | core.While, block: Block, point: int) -> list[tuple]:
        for v in op.inits:
            self._read_through(v, block, point)
        head = self.step()
        tasks: list[tuple] = []
        if isinstance(op, core.For):
            self._for_head(op, block, head)
        else:
            self.live.slot.update(zip(op.cond.params, op.results))
            self.start[op.cond] = head
            tasks += [("ops", op.cond, iter(op.cond.ops))]
        body = op.body
        tasks += [("carry", op, point), ("ops", body, iter(body.ops)), ("leave_loop", op, block)]
        return tasks

    def _read_through(self, v: Value, block: Block, point: int) -> None:
        """Read `v`, or what the expression that is nested in its place reads."""
        if isinstance(v.owner, Op) and v.owner in self.plan.inlined:
            self.read_line(v.owner, block, point)
        else:
            self.read(v, block, point)

    def _for_head(self, op: core.For, block: Block, head: int) -> None:
        body = op.body
        self.start[body] = head
        header = self.plan.headers.get(op, Header())
        for v in op.operands[: op.heads] if not header.items else [a for a, _ in header.items]:
            self._read_through(v, block, head)
            if header.items or op.over == "seq":
                self._read_through(v, body, head + 1)  # looked at until the loop ends
        self.define(body.params[0], body, head + 1)
        for _, item in header.items:
            self.define(item, body, head + 1)
        if op.over == "seq":
            self.absorbed(body.params[:1], body, head + 1)

    def carry(self, op: core.For | core.While, point: int) -> None:
        """The head of an iteration: slots become the body's parameters."""
        copies = self.step()
        if isinstance(op, core.While):
            self.start[op.body] = copies
        conditions = op.cond.params if isinstance(op, core.While) else []
        asked = {self.live.slot[p] for p in conditions if self.plan.users.get(p)}
        for p, r in zip(op.carried, op.results):
            used = bool(self.plan.users.get(p)) or r in asked
            self.extra.setdefault(r, []).append((point + 1, copies if used else point + 2))
            self.define(p, op.body, copies + 1)

    def enter(self, block: Block) -> None:
        self.start[block] = self.step()

    def leave(self, op: Op, block: Block, outer: Block) -> None:
        """The end of a branch: what it yields becomes the op's results."""
        point = self._ends(block)
        for r in op.results if isinstance(end_of(block), core.Yield) else ():
            self.extra.setdefault(r, []).append((point + 1, point + 1))
            self.define(r, outer, point + 1)  # in the end: that of the last branch
        if isinstance(op, core.Try) and op not in self.plan.clauses.values():
            for p in block.params:
                self._until_here(p, point + 1)

    def leave_loop(self, op: core.For | core.While, outer: Block) -> None:
        point = self._ends(op.body)
        close = self.step()
        self.end[op] = close
        self.live.spans[op.body] = (self.start[op.body], close)
        for r in op.results:
            self.extra.setdefault(r, []).append((point + 1, close))
            self.define(r, outer, point + 1)

    def _ends(self, block: Block) -> int:
        """Number the end of a block, where its `Yield` has just been counted as a line."""
        return self.live.at[end_of(block)]

    def close(self, op: Op) -> None:
        self.end[op] = self.step()
        if isinstance(op, core.If) and op in self.plan.clauses:
            caught = self.plan.clauses[op]
            for r, y in zip(caught.results, end_of(caught.handler).operands):
                if y in caught.handler.params:
                    self._until_here(r, self.point)

    def _until_here(self, v: Value, point: int) -> None:
        """`except … as v` deletes the name at the end of the clause: it is taken so long."""
        self.extra.setdefault(v, []).append((self.defined[v][1], point))

    # --- from uses to ranges ----------------------------------------------------------------------

    def finish(self) -> Live:
        for v, (home, point) in self.defined.items():
            last = self._last_uses(v, home)
            ranges = self.extra.get(v, [])
            ranges.append((point, max(point, last.pop(home, point))))
            ranges += [(self.start[block], q) for block, q in last.items()]
            self.live.ranges[v] = merge(ranges)
        return self.live

    def _last_uses(self, v: Value, home: Block) -> dict[Block, int]:
        """For each block where `v` is live from the start (or its definition): until when."""
        last: dict[Block, int] = {}
        for block, q in self.uses.get(v, {}).items():
            while True:
                known = last.get(block)
                last[block] = q if known is None else max(known, q)
                if block is home or known is not None:
                    break
                op, outer = self.plan.around[block]
                if isinstance(op, core.For | core.While):
                    del last[block]
                    q = self.end[op]
                else:
                    q = self.live.at[op]
                block = outer
        return last


def merge(ranges: Ranges) -> Ranges:
    """Sorted, disjoint intervals that cover the same points."""
    if len(ranges) < 2:
        return ranges
    ranges = sorted(ranges)
    merged = [ranges[0]]
    for a, b in ranges[1:]:
        if a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], b))
        else:
            merged.append((a, b))
    return merged
