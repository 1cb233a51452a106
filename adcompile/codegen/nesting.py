"""Where each op is printed: the plan that `nest` makes and everything after it reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from adcompile.codegen.aliasing import sharers
from adcompile.codegen.tails import end_of
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value

Writer = core.Update | core.Append | core.Pop
Loop = core.For | core.While


@dataclass(eq=False, slots=True)
class Header:
    """What the header of a `for` takes over from its body."""

    items: list[tuple[Value, Value]] = field(default_factory=list)  # (array, its item)
    counted: bool = True  # the counter is used as well


@dataclass(eq=False, slots=True)
class Nesting:
    """The result: where each op of a function is printed."""

    home: dict[Op, Block] = field(default_factory=dict)
    around: dict[Block, tuple[Op, Block]] = field(default_factory=dict)
    users: dict[Value, list[Op]] = field(default_factory=dict)
    sweep: dict[Block, int] = field(default_factory=dict)  # the order of the op around a block
    inlined: set[Op] = field(default_factory=set)
    absorbed: set[Op] = field(default_factory=set)  # printed in a loop's or an unpacking's target
    headers: dict[core.For, Header] = field(default_factory=dict)
    expressions: set[core.If] = field(default_factory=set)  # branches that print as expressions
    dead: set[Op] = field(default_factory=set)
    acting: set[Block] = field(default_factory=set)  # blocks with effects in them

    def has_effect(self, op: Op) -> bool:
        if op.blocks:
            return any(block in self.acting for block in op.blocks)
        return core.has_effect(op) or isinstance(op, core.Invoke)

    def is_line(self, op: Op) -> bool:
        return op not in self.inlined and op not in self.absorbed and op not in self.dead

    def order(self, op: Op) -> int:
        return max(op.order, self.sweep[self.home[op]])

    def is_outer(self, v: Value, block: Block) -> bool:
        """Whether `v` is defined somewhere else than in `block` itself."""
        return (self.home.get(v.owner) if isinstance(v.owner, Op) else v.owner) is not block

    def reads(self, op: Op) -> list[Value]:
        """The variables that a line reads, through what is nested in it."""
        found: list[Value] = []
        stack = list(reversed(op.operands))
        for block in op.blocks if op in self.expressions else ():
            stack.extend(end_of(block).operands)
        while stack:
            v = stack.pop()
            inner = v.owner
            if not isinstance(inner, Op) or inner not in self.inlined:
                found.append(v)
                continue
            stack.extend(reversed(inner.operands))
            for block in inner.blocks:
                stack.extend(end_of(block).operands)
        return found


def survey(fn: Function) -> Nesting:
    """A plan in which nothing is nested yet."""
    plan = Nesting()
    plan.sweep[fn.block] = 0
    for block in core.walk_blocks(fn.block):
        for op in block.ops:
            plan.home[op] = block
            for inner in op.blocks:
                plan.around[inner] = (op, block)
                plan.sweep[inner] = max(plan.sweep[block], op.order)
            for v in op.operands:
                users = plan.users.setdefault(v, [])
                if not (isinstance(op, core.Yield) and _is_short_circuit(plan, block, v)):
                    users.append(op)
    return plan


def _is_short_circuit(plan: Nesting, block: Block, v: Value) -> bool:
    """Whether `block` is the arm of `v and …` or `v or …` that yields `v` itself."""
    if block not in plan.around or len(block.ops) != 1:
        return False
    op = plan.around[block][0]
    return isinstance(op, core.If) and v is op.operands[0] and block is idle_arm(op)


def idle_arm(op: core.If) -> Block | None:
    return {"and": op.orelse, "or": op.then}.get(op.form)


def written_classes(fn: Function) -> dict[Value, int]:
    """For each value that may share memory with what is written in place: its class."""
    parent: dict[Value, Value] = {}

    def find(v: Value) -> Value:
        while v in parent and parent[v] is not v:
            parent[v] = parent.get(parent[v], parent[v])
            v = parent[v]
        return v

    bases: list[Value] = []
    for op in core.walk(fn.block):
        groups: list[list[Value]] = []
        if isinstance(op, Writer):
            bases.append(op.operands[0])
            groups.append([op.operands[0], op.results[0]])
        elif isinstance(op, core.Write):
            bases.append(op.operands[0])
        elif isinstance(op, core.For):
            groups += [
                list(g) for g in zip(op.inits, op.carried, end_of(op.body).operands, op.results)
            ]
        elif isinstance(op, core.While):
            ends = end_of(op.body).operands
            groups += [list(g) for g in zip(op.inits, op.carried, ends, op.results, op.cond.params)]
        elif isinstance(op, core.If | core.Scope):
            ends = [end_of(b).operands for b in op.blocks if isinstance(end_of(b), core.Yield)]
            groups += [list(g) for g in zip(op.results, *ends)]
        else:
            groups += [[v, z] for v in op.operands for z in sharers(op, v)]
        for first, *rest in groups:
            for v in rest:
                parent[find(v)] = find(first)
    classes = {find(b): k for k, b in enumerate(bases)}
    values = list(parent) + bases
    return {v: classes[find(v)] for v in values if find(v) in classes}
