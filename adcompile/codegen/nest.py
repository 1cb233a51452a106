"""Which values are printed inside the expression that uses them, and which get a line.

A value nests into its only use where both belong to one statement of the user's and nothing between
them could tell: no effect is moved past another, no read past a write. What the user named keeps its
own line; what the user wrote in one line stays in one line; what differentiation made is nested as
deep as a reader wants. Cheap and stable reads (`i + 1`, `len(x)`, `params["W"]`) are written out at
each use.

One pass over each block, inner blocks first, that keeps the expressions still waiting for their use.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from adcompile.codegen.aliasing import sharers
from adcompile.codegen.nodes import BINARY
from adcompile.codegen.tails import Break, end_of
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.types import Array, Scalar

MAX_OPERATORS = 6  # in one expression that differentiation made
MAX_DEPTH = 4
MAX_WIDTH = 84

Writer = core.Update | core.Append | core.Pop
Loop = core.For | core.While
_INTEGER_STEPS = frozenset([operator.add, operator.sub, operator.mul, operator.floordiv, operator.neg])
_SIZES = (len, np.size, np.shape)


class Size(NamedTuple):
    """How an expression looks to a reader, and what it reads and does."""

    operators: int
    depth: int
    width: int
    written: frozenset[int]  # classes of values that are written in place and that it reads
    effect: bool


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
        return core.has_effect(op)

    def is_line(self, op: Op) -> bool:
        return op not in self.inlined and op not in self.absorbed and op not in self.dead

    def order(self, op: Op) -> int:
        return max(op.order, self.sweep[self.home[op]])

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


def nest(fn: Function) -> Nesting:
    """Decide for every op of `fn` (which comes from `tails.prepare`) where it is printed."""
    plan = Nesting()
    _survey(fn, plan)
    work = _Nester(plan, fn, _written_classes(fn))
    for block in reversed(list(core.walk_blocks(fn.block))):
        work.block(block)
    return plan


def _survey(fn: Function, plan: Nesting) -> None:
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


def _is_short_circuit(plan: Nesting, block: Block, v: Value) -> bool:
    """Whether `block` is the arm of `v and …` or `v or …` that yields `v` itself."""
    if block not in plan.around or len(block.ops) != 1:
        return False
    op = plan.around[block][0]
    return isinstance(op, core.If) and v is op.operands[0] and block is _idle_arm(op)


def _idle_arm(op: core.If) -> Block | None:
    return {"and": op.orelse, "or": op.then}.get(op.form)


def _written_classes(fn: Function) -> dict[Value, int]:
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
            groups += [list(g) for g in zip(op.inits, op.carried, end_of(op.body).operands, op.results)]
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


@dataclass(eq=False, slots=True)
class _Nester:
    plan: Nesting
    fn: Function
    classes: dict[Value, int]
    sizes: dict[Op, Size] = field(default_factory=dict)  # of what is inlined
    pending: dict[Op, None] = field(default_factory=dict)  # inlined, not yet used
    effects: list[Op] = field(default_factory=list)  # those of `pending` with effects
    rotated: set[Value] = field(default_factory=set)
    tops: set[Value] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tops = set(self.fn.block.params)

    def block(self, block: Block) -> None:
        self.pending.clear()
        self.effects.clear()
        self._header(block)
        self.rotated = self._rotated(block)
        previous: Op | None = None
        for op in block.ops:
            if op in self.plan.absorbed:
                continue
            if self._is_dead(op):
                self.plan.dead.add(op)
            elif self._is_free(op, block):
                self._take(op, self._size(op, self._children(op)))
            elif isinstance(op, core.Unpack) and self._joins(op, previous):
                self.plan.absorbed.add(op)
            else:
                self._place(op, block)
                if op not in self.plan.inlined:
                    previous = op
        if any(map(self.plan.has_effect, block.ops)):
            self.plan.acting.add(block)

    # --- one op ----------------------------------------------------------------------------------

    def _place(self, op: Op, block: Block) -> None:
        children = self._children(op)
        children = self._in_order_of_effects(op, children)
        size = self._size(op, children)
        if self.plan.order(op) > 0 and not isinstance(op, core.Return | Break):
            children, size = self._legible(op, children, size)
        for c in children:
            self.pending.pop(c, None)
        if any(self.sizes[c].effect for c in children):
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
        self.pending.pop(op, None)
        if op in self.effects:
            self.effects.remove(op)

    def _children(self, op: Op) -> list[Op]:
        found = [v.owner for v in op.operands]
        return [c for c in found if isinstance(c, Op) and c in self.plan.inlined]

    def _size(self, op: Op, children: list[Op]) -> Size:
        sizes = [self.sizes[c] for c in children]
        for block in op.blocks if isinstance(op, core.If) else ():
            ends = [v.owner for v in end_of(block).operands]
            sizes += [self.sizes[e] for e in ends if isinstance(e, Op) and e in self.plan.inlined]
        if isinstance(op, core.Const | core.Global):
            text = repr(op.value) if isinstance(op, core.Const) else op.source.name
            return Size(0, 0, min(len(text), 40), frozenset(), False)
        leaf = [v for v in op.operands if not (isinstance(v.owner, Op) and v.owner in self.plan.inlined)]
        written = frozenset(self.classes[v] for v in leaf if v in self.classes)
        written = written.union(*(s.written for s in sizes)) if sizes else written
        return Size(
            1 + sum(s.operators for s in sizes),
            1 + max((s.depth for s in sizes), default=0),
            _own_width(op) + sum(s.width for s in sizes) + sum(len(v.name or "d_t") for v in leaf),
            written,
            self.plan.has_effect(op) or any(s.effect for s in sizes),
        )

    def _legible(self, op: Op, children: list[Op], size: Size) -> tuple[list[Op], Size]:
        """Take the largest children out as long as the expression is more than one can read."""
        while not isinstance(op, core.Make | core.Append) and (
            size.operators > MAX_OPERATORS or size.depth > MAX_DEPTH or size.width > MAX_WIDTH
        ):
            movable = [c for c in children if c in self.pending and self.sizes[c].operators > 0]
            movable = [c for c in movable if not isinstance(c, core.Make)]
            if not movable:
                break
            largest = max(movable, key=lambda c: (self.sizes[c].operators, self.sizes[c].width))
            self._drop(largest)
            children = [c for c in children if c is not largest]
            size = self._size(op, children)
        return children, size

    # --- what may not be moved -------------------------------------------------------------------

    def _in_order_of_effects(self, op: Op, children: list[Op]) -> list[Op]:
        """Children whose effects would come in another order than before get lines."""
        acting = [c for c in children if self.sizes[c].effect]
        if not acting:
            return children
        if isinstance(op, core.Call) and op.fn is operator.contains:
            acting.reverse()
        if acting == self.effects[-len(acting) :] and not (len(acting) > 1 and isinstance(op, Writer)):
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
        if len(op.results) != 1 or isinstance(op, Writer | Loop | core.Scope | core.Invoke | core.Unpack):
            return False
        if isinstance(op, core.If) and op not in self.plan.expressions:
            return False
        if isinstance(op, core.NewSeq) and (op.results[0].name or not op.operands):
            return False
        (v,) = op.results
        users = self.plan.users.get(v, [])
        if len(users) != 1 or self.plan.home[users[0]] is not block:
            return False
        (user,) = users
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
        return self.plan.order(op) > 0 and any(r.name == v.name for r in user.results)

    def _same_statement(self, op: Op, user: Op) -> bool:
        if isinstance(op, core.Make) and isinstance(user, core.Return | core.Make | core.Append):
            return True
        if isinstance(user, Break | core.Yield):
            return True
        if isinstance(user, core.For) and isinstance(op.results[0].type, Scalar):
            return op.loc.stmt is user.loc.stmt
        return op.loc.stmt is user.loc.stmt and self.plan.order(op) == self.plan.order(user)

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
        idle = _idle_arm(op)
        if idle is not None:
            (v,) = end_of(idle).operands
            absorbing = op.form == "or"
            bool_test = isinstance(op.operands[0].type, Scalar) and op.operands[0].type.kind == "bool"
            if v is not op.operands[0] and not (bool_test and core.constant(v, None) is absorbing):
                return False
        plan = self.plan
        return all(
            isinstance(inner, core.Yield) or inner in plan.inlined or inner in plan.dead
            for block in op.blocks
            for inner in block.ops
        )

    def _is_dead(self, op: Op) -> bool:
        if not op.results or op.blocks or core.has_effect(op) or isinstance(op, core.Invoke | core.Unpack):
            return False
        if any(self.plan.users.get(r) for r in op.results):
            return False
        return op.order > 0 or isinstance(op, core.Const) or all(r.name is None for r in op.results)

    # --- what is written out at each use ---------------------------------------------------------

    def _is_free(self, op: Op, block: Block) -> bool:
        match op:
            case core.Const():
                return op.result.name is None or op.order > 0
            case core.Global() | core.Undef():
                return True
            case core.Call():
                return self._is_free_number(op)
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
        if len(op.results) != 1 or op.effect or op.result.name:
            return False
        (v,) = op.results
        if op.fn in _SIZES:
            root = op.operands[0]
            while isinstance(root.owner, core.Item | core.Unpack):
                root = root.owner.operands[0]
            users = self.plan.users.get(v, [])
            return root in self.tops and root not in self.classes and 1 < len(users) <= 3
        integer = isinstance(v.type, Scalar) and v.type.kind == "int"
        if not integer or op.fn not in _INTEGER_STEPS or not all(map(self._stable, op.operands)):
            return False
        return sum(self.sizes[c].operators for c in self._children(op)) <= 1

    def _is_free_item(self, op: core.Item) -> bool:
        (tree,) = op.operands
        if isinstance(tree.owner, core.Call) and tree.owner.fn is np.shape:
            return tree.owner in self.plan.inlined and tree.owner not in self.pending
        users = self.plan.users.get(op.result, [])
        written = any(isinstance(u, core.Write) for u in users)
        return op.result.name is None and not written and tree in self.tops or (
            op.result.name is None and not written and isinstance(tree.owner, core.Item)
            and tree.owner in self.plan.inlined and self._stable(tree)
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
            and self._is_outer(x, block)
            and len(users) == 2
            and all(self.plan.home[u] is block and not u.blocks for u in users)
            and all(u.loc.stmt is op.loc.stmt for u in users)
            and all(map(self._stable, at))
        )

    def _is_outer(self, v: Value, block: Block) -> bool:
        home = v.owner if isinstance(v.owner, Block) else self.plan.home.get(v.owner)  # type: ignore[arg-type]
        return home is not block

    # --- what a target takes over ----------------------------------------------------------------

    def _joins(self, op: core.Unpack, previous: Op | None) -> bool:
        """Whether `op` unpacks a part of what the previous line unpacks: `(a, b), c = t`."""
        (v,) = op.operands
        owner = v.owner
        while isinstance(owner, core.Unpack) and owner in self.plan.absorbed:
            owner = owner.operands[0].owner
        return (
            owner is previous and isinstance(owner, core.Unpack) and len(self.plan.users[v]) == 1
        )

    def _header(self, body: Block) -> None:
        """Let the header of the loop around `body` take over the reads of its items."""
        loop = self.plan.around[body][0] if body in self.plan.around else None
        if not isinstance(loop, core.For):
            return
        item = body.params[0]
        first = [op for op in body.ops if not isinstance(op, core.Const)]
        if loop.over == "seq":
            known = {item}
            for op in first:
                if not (isinstance(op, core.Unpack) and op.operands[0] in known):
                    break
                if len(self.plan.users[op.operands[0]]) != 1:
                    break
                self.plan.absorbed.add(op)
                known.update(op.results)
            return
        header = self.plan.headers[loop] = Header(counted=bool(self.plan.users.get(item)))
        reads: list[core.Index] = []
        for op in first:
            if not (isinstance(op, core.Index) and op.item and op.operands[1] is item):
                break
            reads.append(op)
        if reads and self._walks_items(loop, reads, body):
            header.items = [(op.operands[0], op.result) for op in reads]
            header.counted = len(self.plan.users[item]) > len(reads)
            if loop.reverse and (header.counted or len(reads) > 1):
                header.items, header.counted = [], True
                return
            self.plan.absorbed.update(reads)

    def _walks_items(self, loop: core.For, reads: list[core.Index], body: Block) -> bool:
        """Whether `loop` counts through the arrays that `reads` take items of."""
        start, stop, step = loop.operands[:3]
        if core.constant(start, None) != 0 or core.constant(step, None) != 1:
            return False
        arrays = [op.operands[0] for op in reads]
        if any(not self._is_outer(a, body) or a in loop.carried for a in arrays):
            return False
        if len(set(arrays)) != len(arrays):
            return False
        length = stop.owner
        if not isinstance(length, core.Call):
            return False
        if length.fn is len and length.operands[0] in arrays:
            return len({_first_size(a) for a in arrays}) == 1
        parts = [v.owner for v in length.operands]
        lens = [p.operands[0] for p in parts if isinstance(p, core.Call) and p.fn is len]
        return length.fn is min and len(lens) == len(parts) and set(lens) == set(arrays)

    def _rotated(self, body: Block) -> set[Value]:
        """Yields that are computed where values change places: `a, b = b, a + b`.

        They are those that would overwrite a carried value which others of them still read.
        """
        loop = self.plan.around[body][0] if body in self.plan.around else None
        if not isinstance(loop, Loop) or body is not loop.body:
            return set()
        end = end_of(body)
        slots = list(zip(end.operands, loop.carried, loop.results))
        movable = {
            y.owner: y
            for y, p, r in slots
            if isinstance(y.owner, core.Call | core.Index)
            and self.plan.home[y.owner] is body
            and self.plan.users[y] == [end]
            and not core.has_effect(y.owner)
            and y.name in (None, p.name, r.name)
        }
        if not movable:
            return set()
        at = {op: k for k, op in enumerate(body.ops)}
        rotated: set[Value] = set()
        for y, p, _ in slots:
            if y.owner not in movable:
                continue
            later = [u for u in self.plan.users.get(p, ()) if at.get(u, len(at)) > at[y.owner]]
            heads = {self._reader(u, movable, end) for u in later}
            if later and None not in heads and len(heads) < MAX_DEPTH:
                rotated.update((y, *(movable[h] for h in heads if h in movable)))
        return rotated

    def _reader(self, op: Op, movable: dict[Op, Value], end: Op) -> Op | None:
        """The movable op (or `end`) that `op` would be nested in."""
        while op is not end and op not in movable:
            if len(op.results) != 1 or op.results[0].name or self.plan.home[op] is not self.plan.home[end]:
                return None
            users = self.plan.users.get(op.results[0], ())
            if len(users) != 1:
                return None
            (op,) = users
        return op


def _first_size(v: Value) -> object:
    return v.type.shape[0] if isinstance(v.type, Array) and v.type.shape else v


def _takes(user: Op, v: Value) -> bool:
    """Whether `user` prints its operand `v` as an expression (and not as a variable)."""
    at = next(k for k, x in enumerate(user.operands) if x is v)
    match user:
        case core.Update() | core.Append() | core.Pop() | core.Write():
            return at > 0
        case core.For():
            return at < user.heads
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

