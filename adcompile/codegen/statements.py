"""Statements: the gast body of a function.

Blocks are written by generators that hand inner blocks to one loop (`run`), so that the depth of a
program is no matter. Comments say which line of the user's a group of derived statements belongs
to.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, field

import numpy as np

from adcompile.codegen import exceptions, nodes
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
from adcompile.ir.core import Block, Op, Stmt, Value, is_quoted
from adcompile.ir.identities import Alias
from adcompile.ir.steps import Steps, run
from adcompile.ir.types import Array, Seq

Body = list  # of gast statements

_HEADER = re.compile(r"(for|while|if|elif|else|with|def|try)\b")
_ENDS = (core.Yield, Break, core.Return)


@dataclass(eq=False, slots=True)
class Statements:
    """Writes the statements of one function."""

    placement: Placement
    names: Names
    terms: Terms
    moves: Moves
    stmt: Stmt | None = None  # what the last comment says
    order: int = 0  # of the sweep that is being written
    last: Stmt | None = None  # where the last line comes from
    beside: frozenset[int] = frozenset()  # orders of lines that stand beside those of lower ones
    top: Body = field(default_factory=list)
    tries: dict[core.Try, Node] = field(default_factory=dict)

    def function(self, block: Block) -> Body:
        run(self.block(block, self.top))
        return self.top

    def block(self, block: Block, out: Body) -> Steps:
        plan = self.placement.plan
        for op in block.ops:
            if op in plan.inlined:
                self.terms.nest(op)
            elif op.blocks and op not in plan.expressions:
                yield self._compound(op, block, out)
            elif plan.is_line(op):
                self._line(op, out)

    # --- layout ----------------------------------------------------------------------------------

    def _begin(self, op: Op, out: Body) -> None:
        """What stands before a statement: a blank line between sweeps, a comment."""
        order = self.placement.plan.order[op]
        stmt, quoted, before = _shown(op), is_quoted(op), self.last
        self.last = stmt
        starts = order > self.order and order not in self.beside
        if out is self.top and starts and not isinstance(op, core.Return):
            if out:
                out.append(blank())
            self.order, self.stmt = order, None
        if order == 0 or op.order == 0 or (isinstance(op, core.Const) and not quoted):
            return
        if stmt is before and order in self.beside and not quoted:
            return  # beside the line that it belongs to
        if stmt is self.stmt or not stmt.text or (_HEADER.match(stmt.text) and not quoted):
            return
        target = stmt.text.partition("=")[0].split()
        if any(r.name in target for r in op.results) and not quoted:
            return  # the line comes again as it was written
        out.append(comment(stmt.text))
        self.stmt = stmt

    def _emit(self, op: Op, node: Node, out: Body) -> None:
        out.append(locate(node, op.loc))

    # --- lines -----------------------------------------------------------------------------------

    def _line(self, op: Op, out: Body) -> None:
        if isinstance(op, Alias) and self.names.same(op.result, op.operands[0]):
            return
        if not isinstance(op, _ENDS):
            self._begin(op, out)
        match op:
            case core.Call():
                self._emit(op, self._called(op), out)
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
                first = None if self._reraises(op) else first
                node = gast.Assert if isinstance(op, core.Assert) else gast.Raise
                self._emit(op, node(first, second), out)
            case core.Write():
                for node in self._write(op):
                    self._emit(op, node, out)
            case Alias():
                self._emit(op, self._define(op.results, self.terms(op.operands[0])), out)
            case core.Unpack():
                value = self.terms(op.operands[0])
                names = [self._target(r) for r in op.results]  # `(a,) = t` unpacks a single one
                self._emit(op, nodes.assign(nodes.tuple_(names, nodes.STORE), value), out)
            case _:
                self._emit(op, self._define(op.results, self.terms.build(op)), out)

    def _called(self, op: core.Call) -> Node:
        if not self._is_augmented(op):
            return self._define(op.results, self.terms.build(op))
        x, t = op.operands
        if not self.names.same(x, op.result):
            x, t = t, x
        name = nodes.name(self.names.of(x), nodes.STORE)
        return nodes.augment(name, nodes.BINARY[op.fn], self.terms(t))

    def _define(self, results: list[Value], value: Node) -> Node:
        users = self.placement.plan.users
        for r in results:
            if users.get(r) or r.name:
                return nodes.assign(self.target(results), value)
        return gast.Expr(value)

    def target(self, results: list[Value]) -> Node:
        """What these values are assigned to, with what is unpacked in turn."""
        names = [self._target(r) for r in results]
        return names[0] if len(names) == 1 else nodes.tuple_(names, nodes.STORE)

    def _target(self, v: Value) -> Node:
        plan = self.placement.plan
        users = plan.users.get(v, ())
        for u in users if plan.absorbed else ():
            if u in plan.absorbed and isinstance(u, core.Unpack):
                return nodes.tuple_([self._target(r) for r in u.results], nodes.STORE)
        unused = v not in self.names.variables or (not users and v.name is None)
        return nodes.name("_" if unused else self.names.of(v), nodes.STORE)

    def _is_augmented(self, op: core.Call) -> bool:
        """Whether `x = x + t` is written `x += t`."""
        if op in self.placement.in_place:
            return True
        r, numbers = op.results[0], self.placement.numbers
        if op.fn not in AUGMENTED or r not in numbers:
            return False
        same = [x in numbers and self.names.same(x, r) for x in op.operands]
        if self.placement.plan.order[op] > 0 and not is_quoted(op):
            return same[0] or (same[1] and op.fn in (operator.add, operator.mul))
        if not same[0]:
            return False
        symbol = next(s for s, fn in nodes.MODE_FUNCTIONS.items() if fn is op.fn)
        return re.match(rf"\w+\s*{re.escape(symbol)}=", op.loc.stmt.text) is not None

    def _update(self, op: core.Update) -> Node:
        base, value, mode = self.terms.viewed(op), self.terms(op.operands[1]), op.mode
        if mode == "add.at":
            add_at = nodes.attribute(self.terms.symbols.function(np.add), "at")
            index = self.terms.index_value(op.spec, op.at)
            return gast.Expr(nodes.call(add_at, [base, index, value]))
        index = self.terms.index(op.spec, op.at)
        place = nodes.subscript(base, index, nodes.STORE)
        if mode == "=":
            mode, v = self._augmented_by(op)
            if mode == "=":
                return nodes.assign(place, value)
            value = self.terms(v)
        if op.spec == (Ellipsis,) and not op.views:
            place = nodes.name(self.names.of(op.operands[0]), nodes.STORE)
        if mode == "+" and isinstance(value, gast.UnaryOp) and isinstance(value.op, gast.USub):
            mode, value = "-", value.operand
        t = op.result.type
        if isinstance(t, Seq) and isinstance(t.item, Array) and t.item.rank and not op.views:
            # the item may be a view of what others hold: it is replaced, not written into
            old = nodes.subscript(base, index)
            total = nodes.operation(nodes.MODE_FUNCTIONS[mode], [old, value])
            assert total is not None
            return nodes.assign(place, total)
        return nodes.augment(place, nodes.MODES[mode], value)

    def _augmented_by(self, op: core.Update) -> tuple[str, Value]:
        """The mode of `op` and the other operand if it may be written `x[i] *= t`."""
        no, made, inlined = ("=", op.operands[1]), op.operands[1].owner, self.placement.plan.inlined
        if not isinstance(made, core.Call) or made not in inlined or len(made.operands) != 2:
            return no
        mode = next((m for m, fn in nodes.MODE_FUNCTIONS.items() if fn is made.fn), "=")
        x, t = made.operands
        made_here = op.order > 0 and not is_quoted(op)
        if made_here and mode in "+*" and not _reads_place(x, op):
            x, t = t, x
        if mode == "=" or not _reads_place(x, op):
            return no
        written = x.owner in inlined
        if not made_here:
            text = op.loc.stmt.text
            written = re.search(rf"[^=<>!]{re.escape(mode)}=", f" {text}") is not None
        return (mode, t) if written else no

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

    def _compound(self, op: Op, block: Block, out: Body) -> Steps:
        before, seen = len(out), (self.stmt, self.order)
        self._begin(op, out)
        outer, start = self.stmt, len(out)
        match op:
            case core.If() if op in self.placement.plan.clauses:
                yield self._clauses(op, out)
            case core.If():
                yield self._if(op, block, out)
            case core.For():
                yield self._for(op, out)
            case core.While():
                yield self._while(op, out)
            case core.Try():
                yield self._try(op, out)
            case core.Scope():
                body: Body = []
                yield self.block(op.body, body)
                entered = [p for p in op.body.params if self.placement.plan.users.get(p)]
                name = self._target(entered[0]) if entered else None
                items = [gast.withitem(self.terms(op.operands[0]), name)]
                if len(body) == 1 and isinstance(body[0], gast.With):
                    items, body = items + body[0].items, body[0].body
                self._emit(op, gast.With(items, body or [gast.Pass()], None), out)
        if len(out) > start:
            self.stmt = outer if outer is _shown(op) else None
        else:  # nothing came of it
            del out[before:]
            self.stmt, self.order = seen

    def _if(self, op: core.If, block: Block, out: Body) -> Steps:
        test, outer = self.terms(op.operands[0]), self.stmt
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

    def _try(self, op: core.Try, out: Body) -> Steps:
        body: Body = []
        caught: Body = []
        yield self.block(op.body, body)
        yield self.block(op.handler, caught)
        node = exceptions.statement(
            [self.terms(c) for c in op.operands],
            self._caught_name(op),
            body,
            caught,
        )
        self.tries[op] = node
        self._emit(op, node, out)

    def _caught_name(self, op: core.Try) -> str | None:
        """What the exception is called, if anybody asks for more than to raise it again."""
        (error,) = op.handler.params
        plan, names = self.placement.plan, self.names
        for r, y in zip(op.results, op.handler.yields):
            users = plan.users.get(r, ())
            if y is error and users and not (names.same(r, y) and all(map(self._reraises, users))):
                return names.of(error)
        return None

    def _reraises(self, op: Op) -> bool:
        """Whether `op` is a `raise` of the exception that is being handled."""
        if not isinstance(op, core.Raise) or len(op.operands) != 1:
            return False
        caught = op.operands[0].owner
        return isinstance(caught, core.Try) and self.placement.plan.handled(op) is caught

    def _clauses(self, op: core.If, out: Body) -> Steps:
        """`except: orelse` and `else: then` of the `try` that was just written."""
        outer = self.stmt
        then: Body = []
        orelse: Body = []
        yield self.block(op.then, then)
        self.stmt = outer
        yield self.block(op.orelse, orelse)
        out += exceptions.complete(self.tries[self.placement.plan.clauses[op]], then, orelse)

    def _for(self, op: core.For, out: Body) -> Steps:
        self.moves.into_loop(op, out)
        target, iterable = self._head(op)
        body: Body = []
        self.moves.at_head(op, body)
        yield self.block(op.body, body)
        self._emit(op, gast.For(target, iterable, body or [gast.Pass()], [], None), out)

    def _while(self, op: core.While, out: Body) -> Steps:
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


def _shown(op: Op) -> Stmt:
    """The statement that a comment above `op` shows: of what stands in a hook, that around it."""
    stmt = op.loc.stmt
    return stmt.hook if stmt.hook is not None and is_quoted(op) else stmt


def _reads_place(v: Value, op: core.Update) -> bool:
    """Whether `v` is what stands where `op` writes, right before it does."""
    base = op.operands[0]
    bases = [base]
    if isinstance(base.owner, core.Call) and base.owner.fn is np.copy:
        bases.append(base.owner.operands[0])
    if op.spec == (Ellipsis,) and not op.views:
        return v in bases
    steps = [*zip(op.views, op.view_operands), (op.spec, op.at)]
    for step, operands in reversed(steps):
        read = v.owner
        if isinstance(read, core.Index):
            same = read.spec == step
        elif isinstance(read, core.Call) and isinstance(step, core.ViewCall):
            same = (read.fn, read.keywords) == (step.fn, step.keywords)
        else:
            return False
        if not same or read.operands[1:] != operands:
            return False
        v = read.operands[0]
    return v in bases


def _leaves(stmt: Node) -> bool:
    return isinstance(stmt, gast.Break | gast.Continue | gast.Return | gast.Raise)
