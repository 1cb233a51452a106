"""Statements: the gast body of a function.

Blocks are written by generators that hand inner blocks to one loop (`run`), so that the depth of a
program is no matter. Comments say which line of the user's a group of derived statements belongs
to.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from adcompile.codegen import nodes
from adcompile.codegen.lines import locate
from adcompile.codegen.moves import Moves
from adcompile.codegen.nesting import Header
from adcompile.codegen.nodes import Node, gast
from adcompile.codegen.place import AUGMENTED, Placement
from adcompile.codegen.printer import blank, comment, trailing
from adcompile.codegen.tails import Break, end_of
from adcompile.codegen.terms import Terms
from adcompile.codegen.variables import Names
from adcompile.ir import core
from adcompile.ir.core import Block, Op, Stmt, Value

Body = list  # of gast statements
Task = Iterator["Task"]

_HEADER = re.compile(r"(for|while|if|elif|else|with|def|try)\b")


@dataclass(eq=False, slots=True)
class Statements:
    """Writes the statements of one function."""

    placement: Placement
    names: Names
    terms: Terms
    moves: Moves
    stmt: Stmt | None = None  # what the last comment says
    order: int = 0  # of the sweep that is being written
    top: Body = field(default_factory=list)

    def function(self, block: Block) -> Body:
        run(self.block(block, self.top))
        return self.top

    def block(self, block: Block, out: Body) -> Task:
        plan = self.placement.plan
        for op in block.ops:
            if op in plan.inlined:
                self.terms.nest(op)
            elif op in plan.expressions:
                self._line(op, out)
            elif op.blocks:
                yield self._compound(op, block, out)
            elif plan.is_line(op):
                self._line(op, out)

    # --- layout ----------------------------------------------------------------------------------

    def _begin(self, op: Op, out: Body) -> None:
        """What stands before a statement: a blank line between sweeps, a comment."""
        order = self.placement.plan.order(op)
        if out is self.top and order > self.order and not isinstance(op, core.Return):
            if out:
                out.append(blank())
            self.order, self.stmt = order, None
        if order == 0 or op.order == 0 or isinstance(op, core.Const):
            return
        stmt = op.loc.stmt
        target = stmt.text.partition("=")[0].split()
        own = any(r.name in target for r in op.results)  # the line comes again as it was written
        if stmt is self.stmt or own or not stmt.text or _HEADER.match(stmt.text):
            return
        out.append(comment(stmt.text))
        self.stmt = stmt

    def _emit(self, op: Op, node: Node, out: Body) -> None:
        out.append(locate(node, op.loc))

    # --- lines -----------------------------------------------------------------------------------

    def _line(self, op: Op, out: Body) -> None:
        if not isinstance(op, core.Yield | Break | core.Return):
            self._begin(op, out)
        match op:
            case core.Yield():
                for source in self.moves.computed(op):
                    self._begin(source, out)
                self.moves.at_end(op, out)
            case Break():
                self._break(op, out)
            case core.Return():
                self._return(op, out)
            case core.Update():
                self._emit(op, self._update(op), out)
            case core.Append():
                self._append(op, out)
            case core.Pop():
                seq, item = self.terms(op.operands[0]), op.results[1]
                self._emit(op, self._define([item], nodes.call(nodes.attribute(seq, "pop"))), out)
            case core.Assert() | core.Raise():
                first, second = [*map(self.terms, op.operands), None][:2]
                node = gast.Assert if isinstance(op, core.Assert) else gast.Raise
                self._emit(op, node(first, second), out)
            case core.Write():
                for node in self._write(op):
                    self._emit(op, node, out)
            case core.Unpack():
                value = self.terms(op.operands[0])
                names = [self._target(r) for r in op.results]  # `(a,) = t` unpacks a single one
                self._emit(op, nodes.assign(nodes.tuple_(names, nodes.STORE), value), out)
            case core.Call() if self._is_augmented(op):
                x, t = op.operands
                if not self.names.same(x, op.result):
                    x, t = t, x
                name = nodes.name(self.names.of(x), nodes.STORE)
                self._emit(op, nodes.augment(name, nodes.BINARY[op.fn], self.terms(t)), out)
            case _:
                self._emit(op, self._define(op.results, self.terms.build(op)), out)

    def _define(self, results: list[Value], value: Node) -> Node:
        users = self.placement.plan.users
        if not any(users.get(r) or r.name for r in results):
            return gast.Expr(value)
        return nodes.assign(self.target(results), value)

    def target(self, results: list[Value]) -> Node:
        """What these values are assigned to, with what is unpacked in turn."""
        names = [self._target(r) for r in results]
        return names[0] if len(names) == 1 else nodes.tuple_(names, nodes.STORE)

    def _target(self, v: Value) -> Node:
        plan = self.placement.plan
        users = plan.users.get(v, ())
        inner = [u for u in users if u in plan.absorbed and isinstance(u, core.Unpack)]
        if inner:
            return nodes.tuple_([self._target(r) for r in inner[0].results], nodes.STORE)
        unused = v not in self.names.variables or (not users and v.name is None)
        return nodes.name("_" if unused else self.names.of(v), nodes.STORE)

    def _is_augmented(self, op: core.Call) -> bool:
        """Whether `x = x + t` is written `x += t`."""
        if op in self.placement.in_place:
            return True
        if op.fn not in AUGMENTED or op.results[0] not in self.placement.numbers:
            return False
        same = [self.names.same(x, op.results[0]) for x in op.operands]
        if self.placement.plan.order(op) > 0:
            return same[0] or (same[1] and op.fn in (operator.add, operator.mul))
        if not same[0]:
            return False
        symbol = next(s for s, fn in nodes.MODE_FUNCTIONS.items() if fn is op.fn)
        return re.match(rf"\w+\s*{re.escape(symbol)}=", op.loc.stmt.text) is not None

    def _update(self, op: core.Update) -> Node:
        x, v, *at = op.operands
        base, value, mode = self.terms(x), self.terms(v), op.mode
        if mode == "add.at":
            add_at = nodes.attribute(self.terms.symbols.function(np.add), "at")
            return gast.Expr(nodes.call(add_at, [base, self.terms.index(op.spec, at), value]))
        place = nodes.subscript(base, self.terms.index(op.spec, at), nodes.STORE)
        if mode == "=":
            return nodes.assign(place, value)
        if mode == "+" and isinstance(value, gast.UnaryOp) and isinstance(value.op, gast.USub):
            mode, value = "-", value.operand
        return nodes.augment(place, nodes.MODES[mode], value)

    def _append(self, op: core.Append, out: Body) -> None:
        seq, item = op.operands
        append = nodes.attribute(self.terms(seq), "append")
        node = gast.Expr(nodes.call(append, [self.terms(item)]))
        if op.purpose:
            trailing(node, op.purpose)
        self._emit(op, node, out)

    def _return(self, op: core.Return, out: Body) -> None:
        nothing = len(op.operands) == 1 and core.constant(op.operands[0]) is None
        if not op.operands or nothing:
            if out is not self.top:
                self._emit(op, gast.Return(None), out)
            return
        values = [self.terms(v) for v in op.operands]
        self._emit(op, gast.Return(values[0] if len(values) == 1 else nodes.tuple_(values)), out)

    def _break(self, op: Break, out: Body) -> None:
        (stop,) = op.operands
        known = core.constant(stop, None)
        if known is True:
            self._emit(op, gast.Break(), out)
        elif known is not False:
            self._emit(op, gast.If(self.terms(stop), [gast.Break()], []), out)

    def _write(self, op: core.Write) -> list[Node]:
        """`W[...] = value`, or step by step where `value` is arithmetic on `W` itself."""
        array, value = op.operands
        place, steps, v = self.terms(array), [], value
        while v is not array:
            owner = v.owner
            if not isinstance(owner, core.Call) or owner not in self.placement.plan.inlined:
                break
            if owner.fn not in AUGMENTED or v.type != array.type:
                break
            x, t = owner.operands
            commutes = nodes.BINARY[owner.fn] in (gast.Add, gast.Mult)
            if commutes and not self._starts_from(x, array):
                x, t = t, x
            if not self._starts_from(x, array) or (x is not array and self._starts_from(t, array)):
                break
            steps.append(nodes.augment(self.terms(array), nodes.BINARY[owner.fn], self.terms(t)))
            v = x
        if v is array and steps:
            return steps[::-1]
        whole = nodes.subscript(place, nodes.literal(...), nodes.STORE)
        return [nodes.assign(whole, self.terms(value))]

    def _starts_from(self, v: Value, array: Value) -> bool:
        """Whether the expression for `v` reads `array`, or what may share memory with it."""
        reads = [v]
        if isinstance(v.owner, Op) and v.owner in self.placement.plan.inlined:
            reads = self.placement.plan.reads(v.owner)
        return not self.placement.sharing(array).isdisjoint(reads)

    # --- control flow ----------------------------------------------------------------------------

    def _compound(self, op: Op, block: Block, out: Body) -> Task:
        before, seen = len(out), (self.stmt, self.order)
        self._begin(op, out)
        outer, start = self.stmt, len(out)
        match op:
            case core.If():
                yield self._if(op, block, out)
            case core.For():
                yield self._for(op, out)
            case core.While():
                yield self._while(op, out)
            case core.Scope():
                body: Body = []
                yield self.block(op.body, body)
                item = gast.withitem(self.terms(op.operands[0]), None)
                self._emit(op, gast.With([item], body, None), out)
        if len(out) > start:
            self.stmt = outer if outer is op.loc.stmt else None
        else:  # nothing came of it
            del out[before:]
            self.stmt, self.order = seen

    def _if(self, op: core.If, block: Block, out: Body) -> Task:
        test, outer = locate(self.terms(op.operands[0]), op.loc), self.stmt
        then: Body = []
        orelse: Body = []
        yield self.block(op.then, then)
        self.stmt = outer
        yield self.block(op.orelse, orelse)
        if not then and not orelse:
            if self.placement.plan.has_effect(op) or isinstance(test, gast.Call):
                self._emit(op, gast.Expr(test), out)
        elif not then:
            if op.order == 0 and self.moves.is_last(op, block):
                self._emit(op, gast.If(test, [gast.Continue()], []), out)
                out.extend(orelse)
            else:
                self._emit(op, gast.If(nodes.negate(test), orelse, []), out)
        elif _leaves(then[-1]):
            self._emit(op, gast.If(test, then, []), out)
            out.extend(orelse)
        else:
            self._emit(op, gast.If(test, then, orelse), out)

    def _for(self, op: core.For, out: Body) -> Task:
        self.moves.into_loop(op, out)
        target, iterable = self._head(op)
        body: Body = []
        self.moves.at_head(op, body)
        yield self.block(op.body, body)
        self._emit(op, gast.For(target, iterable, body or [gast.Pass()], [], None), out)

    def _while(self, op: core.While, out: Body) -> Task:
        self.moves.into_loop(op, out)
        before: Body = []
        yield self.block(op.cond, before)
        test = self.terms(end_of(op.cond).operands[0])
        body: Body = []
        self.moves.at_head(op, body)
        yield self.block(op.body, body)
        if before:
            leave = gast.If(nodes.negate(test), [gast.Break()], [])
            test, body = nodes.literal(True), [*before, leave, *body]
        self._emit(op, gast.While(test, body or [gast.Pass()], []), out)

    def _head(self, op: core.For) -> tuple[Node, Node]:
        """Target and iterable of a `for`."""
        item = op.body.params[0]
        header = self.placement.plan.headers.get(op, Header())
        if op.over == "seq":
            target, iterable = self._target(item), self.terms(op.operands[0])
        elif not header.items:
            target = self._target(item) if header.counted else nodes.name("_", nodes.STORE)
            iterable = self._range(op)
        else:
            values = [v for _, v in header.items]
            target = self.target(values)
            arrays = [self.terms(a) for a, _ in header.items]
            iterable = arrays[0] if len(arrays) == 1 else nodes.call("zip", arrays)
            if header.counted:
                target = nodes.tuple_([self._target(item), target], nodes.STORE)
                iterable = nodes.call("enumerate", [iterable])
        if op.reverse:
            iterable = nodes.call("reversed", [iterable])
        return target, iterable

    def _range(self, op: core.For) -> Node:
        start, stop, step = op.operands[:3]
        bounds = [self.terms(stop)]
        unit = core.constant(step, None) == 1
        if core.constant(start, None) != 0 or not unit:
            bounds.insert(0, self.terms(start))
        if not unit:
            bounds.append(self.terms(step))
        return nodes.call("range", bounds)


def _leaves(stmt: Node) -> bool:
    return isinstance(stmt, gast.Break | gast.Continue | gast.Return | gast.Raise)


def run(task: Task) -> None:
    """Run a generator, and those that it yields before it goes on, on a stack of our own."""
    stack = [task]
    while stack:
        inner = next(stack[-1], None)
        if inner is None:
            stack.pop()
        else:
            stack.append(inner)
