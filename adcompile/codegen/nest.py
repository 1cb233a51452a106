"""Which values are printed inside the expression that uses them, and which get a line.

A value nests into its only use where both belong to one statement of the user's and nothing
between them could tell: no effect is moved past another, no read past a write. What the user named
keeps its own line; what the user wrote in one line stays in one line; what differentiation made is
nested as deep as a reader wants. Cheap and stable reads (`i + 1`, `len(x)`, `params["W"]`) are
written out at each use.

One pass over each block, inner blocks first, that keeps the expressions still waiting for their
use.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from adcompile.codegen.kinds import Loop, Writer
from adcompile.codegen.nesting import Nesting, idle_arm, survey, written_classes
from adcompile.codegen.nodes import BINARY
from adcompile.codegen.tails import Break, end_of
from adcompile.codegen.targets import absorb_items, joins, rotated
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value, is_quoted
from adcompile.ir.identities import Alias
from adcompile.ir.types import Array, Scalar

MAX_OPERATORS = 6  # in one expression that differentiation made
MAX_DEPTH = 4
MAX_WIDTH = 84

_INTEGER_STEPS = frozenset(
    [operator.add, operator.sub, operator.mul, operator.floordiv, operator.neg]
)
_SIZES = frozenset([len, np.size, np.shape])
_NOTHING: frozenset[int] = frozenset()

# What is never part of an expression.
_NOWHERE = (*Writer, *Loop, Alias, core.Scope, core.Try, core.Unpack)
_ENDS = (Break, core.Return)
_CONTAINERS = (core.Make, core.Append)
_HANDS_ON = (core.Return, core.Partial, *_CONTAINERS)


class Size(NamedTuple):
    """How an expression looks to a reader, and what it reads and does."""

    operators: int
    depth: int
    width: int
    written: frozenset[int]  # classes of values that are written in place and that it reads
    effect: bool


def nest(fn: Function) -> Nesting:
    """Decide for every op of `fn` (which comes from `tails.prepare`) where it is printed."""
    plan = survey(fn)
    work = _Nester(plan, fn, written_classes(plan))
    for block in reversed(list(core.walk_blocks(fn.block))):
        work.block(block)
    return plan


@dataclass(eq=False, slots=True)
class _Nester:
    plan: Nesting
    fn: Function
    classes: dict[Value, int]
    sizes: dict[Any, Size] = field(default_factory=dict)  # of the ops that are inlined
    pending: dict[Op, None] = field(default_factory=dict)  # inlined, not yet used
    effects: list[Op] = field(default_factory=list)  # those of `pending` with effects
    rotated: set[Value] = field(default_factory=set)
    tops: set[Value] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tops = set(self.fn.block.params)

    def block(self, block: Block) -> None:
        self.pending.clear()
        self.effects.clear()
        absorb_items(self.plan, block)
        self.rotated = rotated(self.plan, block)
        previous: Op | None = None
        for op in block.ops:
            if op in self.plan.absorbed:
                continue
            if self._is_dead(op):
                self.plan.dead.add(op)
            elif self._is_free(op, block):
                self._take(op, self._size(op))
            elif isinstance(op, core.Unpack) and joins(self.plan, op, previous):
                self.plan.absorbed.add(op)
            else:
                self._place(op, block)
                if op not in self.plan.inlined:
                    previous = op
        if block in self.plan.around and any(map(self.plan.has_effect, block.ops)):
            self.plan.acting.add(block)

    # --- one op ----------------------------------------------------------------------------------

    def _place(self, op: Op, block: Block) -> None:
        children = self._children(op)
        if self.effects:
            children = self._in_order_of_effects(op, children)
        size = self._size(op)
        if self._is_made(op) and not isinstance(op, _ENDS):
            children, size = self._legible(op, children, size)
        for c in children:
            self.pending.pop(c, None)
        if self.effects:
            self.effects = [e for e in self.effects if e not in children]
        if isinstance(op, core.If) and self._is_expression(op):
            self.plan.expressions.add(op)
        if self._nests(op, block):
            self._take(op, size)
            self.pending[op] = None
            if size.effect:
                self.effects.append(op)
        else:
            self._flush(op, size)

    def _take(self, op: Op, size: Size) -> None:
        self.plan.inlined.add(op)
        self.sizes[op] = size

    def _drop(self, op: Op) -> None:
        """Give `op`, which was to be nested, a line of its own."""
        self.plan.inlined.discard(op)
        del self.sizes[op]
        self.pending.pop(op, None)
        if op in self.effects:
            self.effects.remove(op)

    def _children(self, op: Op) -> list[Op]:
        sizes = self.sizes
        return [v.owner for v in op.operands if v.owner in sizes]  # type: ignore[misc]

    def _size(self, op: Op) -> Size:
        if isinstance(op, core.Const):
            return Size(0, 0, min(len(repr(op.value)), 40), _NOTHING, False)
        if isinstance(op, core.Global):
            return Size(0, 0, min(len(op.source.name), 40), _NOTHING, False)
        sizes, classes, parts = self.sizes, self.classes, []
        operators, deepest, width, written = 1, 0, _own_width(op), _NOTHING
        effect = self.plan.has_effect(op)
        for v in op.operands:
            if v.owner in sizes:
                parts.append(sizes[v.owner])
            else:
                width += len(v.name or "d_t")
                if v in classes:
                    written |= {classes[v]}
        if isinstance(op, core.If):
            ends = [v.owner for block in op.blocks for v in end_of(block).operands]
            parts += [sizes[end] for end in ends if end in sizes]
        for part in parts:
            operators += part.operators
            deepest = max(deepest, part.depth)
            width += part.width
            written |= part.written
            effect = effect or part.effect
        return Size(operators, deepest + 1, width, written, effect)

    def _legible(self, op: Op, children: list[Op], size: Size) -> tuple[list[Op], Size]:
        """Take the largest children out as long as the expression is more than one can read."""
        while (
            size.operators > MAX_OPERATORS or size.depth > MAX_DEPTH or size.width > MAX_WIDTH
        ) and not isinstance(op, _CONTAINERS):
            movable = [c for c in children if c in self.pending and self.sizes[c].operators > 0]
            movable = [c for c in movable if not isinstance(c, core.Make)]
            if not movable:
                break
            largest = max(movable, key=lambda c: (self.sizes[c].operators, self.sizes[c].width))
            self._drop(largest)
            children = [c for c in children if c is not largest]
            size = self._size(op)
        return children, size

    def _is_made(self, op: Op) -> bool:
        """Whether `op` is what differentiation made, or stands in it: it is no line as written."""
        return self.plan.order[op] > 0 and not is_quoted(op)

    # --- what may not be moved -------------------------------------------------------------------

    def _in_order_of_effects(self, op: Op, children: list[Op]) -> list[Op]:
        """Children whose effects would come in another order than before get lines."""
        acting = [c for c in children if self.sizes[c].effect]
        if not acting:
            return children
        if isinstance(op, core.Call) and op.fn is operator.contains:
            acting.reverse()
        if acting == self.effects[-len(acting) :] and not (
            len(acting) > 1 and isinstance(op, Writer)
        ):
            return children
        for c in list(self.effects):
            self._drop(c)
        return [c for c in children if c in self.plan.inlined]

    def _flush(self, op: Op, size: Size) -> None:
        """`op` gets a line: what waits may have to be printed before it."""
        if not self.pending:
            return
        if size.effect or op.blocks:
            for c in list(self.pending):
                self._drop(c)
        elif isinstance(op, Writer):
            written = self.classes.get(op.operands[0])
            for c in list(self.pending):
                if written in self.sizes[c].written:
                    self._drop(c)

    # --- what nests ------------------------------------------------------------------------------

    def _nests(self, op: Op, block: Block) -> bool:
        if len(op.results) != 1 or isinstance(op, _NOWHERE):
            return False
        (v,) = op.results
        users = self.plan.users.get(v, ())
        if len(users) != 1 or self.plan.home[users[0]] is not block:
            return False
        (user,) = users
        if isinstance(op, core.If) and op not in self.plan.expressions:
            return False
        if isinstance(op, core.NewSeq) and (v.name or not op.operands):
            return False
        if isinstance(user, core.If) and user.form != "if" and user not in self.plan.expressions:
            return self._is_expression(user) and self._same_statement(op, user) and v.name is None
        if v in self.rotated and isinstance(user, core.Yield):
            return True
        return (
            _takes(user, v)
            and (not isinstance(user, core.Yield) or self._yields_expression(block))
            and self._may_be_unnamed(op, v, user)
            and self._same_statement(op, user)
        )

    def _may_be_unnamed(self, op: Op, v: Value, user: Op) -> bool:
        if v.name is None:
            return True
        return self._is_made(op) and any(r.name == v.name for r in user.results)

    def _same_statement(self, op: Op, user: Op) -> bool:
        same, orders = op.loc.stmt is user.loc.stmt, {self.plan.order[op], self.plan.order[user]}
        if same and (len(orders) == 1 or 0 not in orders):
            return True
        if isinstance(op, core.Make) and isinstance(user, _HANDS_ON):
            return True
        if isinstance(user, (Break, core.Yield)):
            return True
        return same and isinstance(user, core.For) and isinstance(op.results[0].type, Scalar)

    def _yields_expression(self, block: Block) -> bool:
        """Whether what `block` yields is printed in place: a condition, an arm of an expression."""
        op = self.plan.around[block][0] if block in self.plan.around else None
        if isinstance(op, core.While):
            return block is op.cond
        return isinstance(op, core.If) and op.form != "if" and len(op.results) == 1

    def _is_expression(self, op: core.If) -> bool:
        """Whether an `if` can be printed as an expression (its arms are done)."""
        if op.form == "if" or len(op.results) != 1:
            return False
        idle = idle_arm(op)
        if idle is not None:
            (v,) = end_of(idle).operands
            absorbing = op.form == "or"
            bool_test = (
                isinstance(op.operands[0].type, Scalar) and op.operands[0].type.kind == "bool"
            )
            if v is not op.operands[0] and not (bool_test and core.constant(v, None) is absorbing):
                return False
        plan = self.plan
        return all(
            isinstance(inner, core.Yield) or inner in plan.inlined or inner in plan.dead
            for block in op.blocks
            for inner in block.ops
        )

    def _is_dead(self, op: Op) -> bool:
        for r in op.results:
            if self.plan.users.get(r):
                return False
        if not op.results or op.blocks or self.plan.has_effect(op) or isinstance(op, core.Unpack):
            return False
        if op in self.plan.guarded:
            return False
        return op.order > 0 or isinstance(op, core.Const) or all(r.name is None for r in op.results)

    # --- what is written out at each use ---------------------------------------------------------

    def _is_free(self, op: Op, block: Block) -> bool:
        match op:
            case core.Call():
                return self._is_free_number(op)
            case core.Const():
                return op.result.name is None or (op.order > 0 and not is_quoted(op))
            case core.Global() | core.Undef():
                return True
            case core.Item():
                return self._is_free_item(op)
            case core.Index():
                return self._is_free_element(op, block)
        return False

    def _stable(self, v: Value) -> bool:
        """Whether `v` costs nothing to read wherever it is read."""
        if not isinstance(v.owner, Op):
            return True
        return v.owner in self.plan.inlined and v.owner not in self.pending

    def _is_free_number(self, op: core.Call) -> bool:
        if op.fn not in _SIZES and op.fn not in _INTEGER_STEPS:
            return False
        if len(op.results) != 1 or op.effect or op.results[0].name:
            return False
        (v,) = op.results
        if op.fn in _SIZES:
            root = op.operands[0]
            while isinstance(root.owner, core.Item | core.Unpack):
                root = root.owner.operands[0]
            users = self.plan.users.get(v, [])
            return root in self.tops and root not in self.classes and 1 < len(users) <= 3
        integer = isinstance(v.type, Scalar) and v.type.kind == "int"
        if not integer or not all(map(self._stable, op.operands)):
            return False
        return sum(self.sizes[c].operators for c in self._children(op)) <= 1

    def _is_free_item(self, op: core.Item) -> bool:
        (tree,) = op.operands
        if isinstance(tree.owner, core.Call) and tree.owner.fn is np.shape:
            return tree.owner in self.plan.inlined and tree.owner not in self.pending
        users = self.plan.users.get(op.result, [])
        written = any(isinstance(u, core.Write) for u in users)
        return (op.result.name is None and not written and tree in self.tops) or (
            op.result.name is None
            and not written
            and isinstance(tree.owner, core.Item)
            and tree.owner in self.plan.inlined
            and self._stable(tree)
        )

    def _is_free_element(self, op: core.Index, block: Block) -> bool:
        """`x[i]` in a backward loop, read twice: as legible twice as once."""
        (v,), (x, *at) = op.results, op.operands
        users = self.plan.users.get(v, [])
        return (
            v.name is None
            and self.plan.sweep[block] > 0
            and isinstance(x.type, Array)
            and isinstance(v.type, Array)
            and v.type.rank == 0
            and x not in self.classes
            and self.plan.is_outer(x, block)
            and len(users) == 2
            and all(self.plan.home[u] is block and not u.blocks for u in users)
            and all(u.loc.stmt is op.loc.stmt for u in users)
            and all(map(self._stable, at))
        )


def _takes(user: Op, v: Value) -> bool:
    """Whether `user` prints its operand `v` as an expression (and not as a variable)."""
    match user:
        case core.Call():
            return True
        case core.Update() | core.Append() | core.Pop() | core.Write():
            return user.operands[0] is not v
        case core.For():
            return v in user.operands[: user.heads]
        case core.While():
            return False
    return True


def _own_width(op: Op) -> int:
    match op:
        case core.Call() if op.fn in BINARY:
            return 3
        case core.Call():
            return len(getattr(op.fn, "__name__", "fn")) + 5 + sum(len(k) + 2 for k in op.keywords)
        case core.Index() | core.Update():
            return 2 + 2 * len(op.spec)
    return 3
