"""Where each op is printed: the plan that `nest` makes and everything after it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeGuard

from adcompile.codegen.aliasing import sharers
from adcompile.codegen.kinds import ACTING, HANDING_ON, Writer
from adcompile.codegen.tails import end_of
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.identities import Alias
from adcompile.passes.structure import guarded


@dataclass(eq=False, slots=True)
class Header:
    """What the header of a `for` takes over from its body."""

    items: list[tuple[Value, Value]] = field(default_factory=list)  # (array, its item)
    counted: bool = True  # the counter is used as well


@dataclass(eq=False, slots=True)
class Nesting:
    """The result: where each op of a function is printed."""

    ops: list[Op] = field(default_factory=list)  # all, in program order
    handing_on: list[Op] = field(default_factory=list)  # of these control flow and writes
    home: dict[Op, Block] = field(default_factory=dict)
    order: dict[Op, int] = field(default_factory=dict)  # that of an op or what it stands in
    around: dict[Block, tuple[Op, Block]] = field(default_factory=dict)
    users: dict[Value, list[Op]] = field(default_factory=dict)
    sweep: dict[Block, int] = field(default_factory=dict)  # the order of the op around a block
    inlined: set[Op] = field(default_factory=set)
    absorbed: set[Op] = field(default_factory=set)  # printed in a loop's or an unpacking's target
    headers: dict[core.For, Header] = field(default_factory=dict)
    expressions: set[core.If] = field(default_factory=set)  # branches that print as expressions
    dead: set[Op] = field(default_factory=set)
    acting: set[Block] = field(default_factory=set)  # nested blocks with effects in them
    guarded: set[Op] = field(default_factory=set)  # what may raise in the body of a `try`
    clauses: dict[core.If, core.Try] = field(default_factory=dict)  # its `else` and `except`

    def has_effect(self, op: Op) -> bool:
        if isinstance(op, core.Call) or (isinstance(op, core.Scope) and op.effect):
            return op.effect
        return isinstance(op, ACTING) or any(block in self.acting for block in op.blocks)

    def handled(self, op: Op) -> core.Try | None:
        """The `try` in whose `except` clause `op` is printed."""
        block = self.home[op]
        while block in self.around:
            outer, around = self.around[block]
            if isinstance(outer, core.If) and outer in self.clauses and block is outer.orelse:
                return self.clauses[outer]
            block = around
        return None

    def is_line(self, op: Op) -> bool:
        return op not in self.inlined and op not in self.absorbed and op not in self.dead

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
            if isinstance(inner, core.If):
                for block in inner.blocks:
                    stack.extend(end_of(block).operands)
        return found


def survey(fn: Function) -> Nesting:
    """A plan in which nothing is nested yet."""
    plan = Nesting(ops=list(core.walk(fn.block)))
    plan.handing_on = [op for op in plan.ops if type(op) in HANDING_ON]
    plan.sweep[fn.block] = 0
    for block in core.walk_blocks(fn.block):
        sweep = plan.sweep[block]
        before: Op | None = None
        for op in block.ops:
            plan.home[op] = block
            plan.order[op] = max(op.order, sweep)
            ends = isinstance(op, core.Yield)
            for v in op.operands:
                users = plan.users.setdefault(v, [])
                if not (ends and _is_short_circuit(plan, block, v)):
                    users.append(op)
            if type(op) in HANDING_ON:
                if isinstance(op, core.Try):
                    plan.guarded.update(guarded(op))
                elif isinstance(op, core.If) and _are_clauses(before, op):
                    plan.clauses[op] = before
                    plan.users[op.operands[0]].remove(op)
                for inner in op.blocks:
                    plan.around[inner] = (op, block)
                    plan.sweep[inner] = plan.order[op]
            if not isinstance(op, core.Const | core.Undef):
                before = op
    return plan


def _are_clauses(before: Op | None, op: core.If) -> TypeGuard[core.Try]:
    """Whether `op` is what follows the `try` before it: what is done about its exceptions."""
    if not isinstance(before, core.Try) or op.order != before.order:
        return False
    (test,) = op.operands
    if test not in before.results:
        return False
    k = before.results.index(test)
    return [core.constant(block.yields[k], None) for block in before.blocks] == [True, False]


def _is_short_circuit(plan: Nesting, block: Block, v: Value) -> bool:
    """Whether `block` is the arm of `v and …` or `v or …` that yields `v` itself."""
    if block not in plan.around or len(block.ops) != 1:
        return False
    op = plan.around[block][0]
    return isinstance(op, core.If) and v is op.operands[0] and block is idle_arm(op)


def idle_arm(op: core.If) -> Block | None:
    return {"and": op.orelse, "or": op.then}.get(op.form)


def written_classes(plan: Nesting) -> dict[Value, int]:
    """For each value that may share memory with what is written in place: its class."""
    bases = [op.operands[0] for op in plan.handing_on if isinstance(op, (*Writer, core.Write))]
    if not bases:
        return {}
    parent: dict[Value, Value] = {}

    def find(v: Value) -> Value:
        while v in parent and parent[v] is not v:
            parent[v] = parent.get(parent[v], parent[v])
            v = parent[v]
        return v

    for op in plan.ops:
        groups: list[list[Value]] = []
        if isinstance(op, Writer):
            groups.append([op.operands[0], op.results[0]])
        elif isinstance(op, core.For):
            groups += [
                list(g) for g in zip(op.inits, op.carried, end_of(op.body).operands, op.results)
            ]
        elif isinstance(op, core.While):
            ends = end_of(op.body).operands
            groups += [list(g) for g in zip(op.inits, op.carried, ends, op.results, op.cond.params)]
        elif isinstance(op, Alias):
            groups.append([op.operands[0], op.result])
        elif isinstance(op, core.If | core.Scope | core.Try):
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
