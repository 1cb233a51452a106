"""Forward mode: a function and its directional derivative, computed side by side.

Each op is followed by the ops that compute the tangents of its results (Griewank & Walther,
"Evaluating Derivatives", 2008, chapter 3). Structured control flow keeps its structure: branches
yield, and loops carry, the tangents of their values too. A tangent has its value's dtype and shape;
zero is the absence of a tangent. The tangent of a tree is a tuple of its children's tangents, or a
value with the tree's layout whose leaves without derivative are None.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompile import errors
from adcompile.ad import cotangents as cot
from adcompile.ad import marks, masks
from adcompile.ad.activity import active_values, carries_derivative
from adcompile.ad.tapes import Tape, Tapes, first_names, parts_of, tapes
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Op, Param, Value
from adcompile.ir.identities import Alias, Hook
from adcompile.ir.infer import is_known
from adcompile.ir.types import NONE, SAVED, Array, Scalar, Seq, Tree, Type, Undefined
from adcompile.rules.apply import apply, apply_parts
from adcompile.rules.registry import Rules, lookup

Tangent = Value | tuple | None  # None is zero; a tuple has one entry for each child of a tree
Steps = Generator["Steps", None, None]  # hands over inner blocks, so that nesting is not recursion


def jvp(fn: Function, wrt: Sequence[int]) -> Function:
    """The function (*primals, *tangents of the parameters `wrt`) → (value, tangent of the value).

    Raises MissingRule for a function without a rule on a differentiated path.
    """
    return _Forward({}).function(fn, tuple(wrt), marks.PLAIN)


def tangent_type(t: Type) -> Type:
    """The type of the tangent of a value of type `t`: None where there is no derivative."""
    match t:
        case Tree(node, keys, items):
            return Tree(node, keys, tuple(map(tangent_type, items)))
        case Seq(item):
            return Seq(tangent_type(item))
        case Undefined():
            return t
    return t if carries_derivative(t) else NONE


@dataclass(eq=False, slots=True)
class _Forward:
    """The functions differentiated so far: by callee, active parameters and their tangents."""

    done: dict[tuple[Function, tuple[int, ...], marks.Mark], Function]

    def function(self, fn: Function, wrt: tuple[int, ...], mark: marks.Mark) -> Function:
        key = fn, wrt, mark
        if key in self.done:
            return self.done[key]
        sources = [fn.block.params[k] for k in wrt]
        block = Block([Value(p.type, p.name) for p in fn.block.params])
        tangents = [_dotted(Value(tangent_type(p.type), None, block), p) for p in sources]
        block.params += tangents
        params = list(fn.params)
        for k in wrt:
            params.append(Param(_fresh(f"{fn.params[k].name}_dot", {p.name for p in params})))
        made = self.done[key] = Function(f"{fn.name}_jvp", block, params, fn.doc, fn.loc)
        order = 1 + max((op.order for op in core.walk(fn.block)), default=0)
        made.beside = fn.beside | {order}
        active = active_values(fn, sources, fn.returns)
        new = dict(zip(fn.block.params, block.params, strict=False))
        dots: dict[Value, Tangent] = dict(zip([new[p] for p in sources], tangents, strict=True))
        found = marks.of_tangents(fn, active, dict.fromkeys(sources, mark))
        held = tapes(fn, active)
        active -= {v for v in held.found if held.get(v) is not None}  # their tangents are in them
        sweep = _Sweep(self, Builder(block, fn.loc, order), active, found, held, new, dots)
        _drive(sweep.block(fn.block))
        return made


def _fresh(name: str, taken: set[str]) -> str:
    """`name`, or one like it that is not taken."""
    count = 2
    while name in taken:
        name, count = f"{name.rstrip('0123456789')}{count}", count + 1
    return name


def _drive(main: Steps) -> None:
    stack = [main]
    while stack:
        inner = next(stack[-1], None)
        if inner is None:
            stack.pop()
        else:
            stack.append(inner)


def _dotted(dot: Value, v: Value) -> Value:
    """`dot`, named as the tangent of `v` unless it has a name."""
    if dot.name is None and v.name and not isinstance(dot.owner, core.Const):
        dot.name = f"{v.name}_dot"
    return dot


@dataclass(eq=False, slots=True)
class _Sweep:
    """The walk over one function: `new` maps its values to copies, `dots` these to tangents."""

    forward: _Forward
    b: Builder
    active: set[Value]
    marks: marks.Marks | None
    tapes: Tapes
    new: dict[Value, Value]
    dots: dict[Value, Tangent] = field(default_factory=dict)

    # --- tangents -------------------------------------------------------------------------------

    def dot(self, old: Value) -> Tangent:
        return self.dots.get(self.new[old])

    def put(self, old: Value, t: Tangent) -> None:
        """Record the tangent of a value, in its dtype and shape."""
        v = self.new[old]
        if t is None or not carries_derivative(v.type):
            return
        if isinstance(t, Value) and isinstance(v.type, Array | Scalar):
            t = cot.materialize(self.b, cot.cast(self.b, t, v.type), v)
        self.dots[v] = _dotted(t, old) if isinstance(t, Value) and t not in self.new else t

    def full(self, v: Value, t: Tangent, zeros: bool = False) -> Value:
        """A tangent as one value, zeros filled in; None, or with `zeros` 0, without derivative."""
        b = self.b
        if isinstance(v.type, Undefined) or (v.type == SAVED and t is None):
            return b.undef(v.type)
        if t is None and isinstance(v.owner, core.Undef):
            return b.undef(tangent_type(v.type))
        if isinstance(v.type, Tree):
            children = [
                self.full(b.item(v, key), self.child(v.type, t, key), zeros) for key in v.type.keys
            ]
            return b.make(v.type.node, v.type.keys, children)
        if isinstance(t, Value):
            number = isinstance(v.type, Scalar) and isinstance(t.type, Array)
            return b.call(float, t) if number else t
        if not carries_derivative(v.type):
            return (
                cot.zeros(b, v) if zeros and isinstance(v.type, Array | Scalar) else b.const(None)
            )
        return cot.zeros(b, v)

    def child(self, tree: Tree, t: Tangent, key: Any) -> Tangent:
        if isinstance(t, tuple):
            return t[tree.keys.index(key)]
        if t is None or not carries_derivative(tree.child(key)):
            return None
        return self.b.item(t, key)

    def type_of(self, old: Value) -> Type:
        """The type of the copy of `old`: a tape has its tangents in it."""
        tape = self.tapes.get(old)
        return old.type if tape is None else self.tapes.joined(tape, tangent_type)

    # --- blocks ---------------------------------------------------------------------------------

    def block(self, block: Block) -> Steps:
        """Copy the ops of `block` to the end of the builder's, with their tangents."""
        base = self.b
        for op in block.ops:
            self.b = base.at(op.loc)
            if isinstance(op, core.Return):
                values = [self.new[v] for v in op.operands]
                dots = [self.full(self.new[v], self.dot(v)) for v in op.operands]
                dots = [cot.exact(self.b, t, v.type) for t, v in zip(dots, values, strict=True)]
                self.b.return_(*values, *dots)
            elif not isinstance(op, core.Yield):
                handler = _HANDLERS.get(type(op))
                if handler is None:
                    name = type(op).__name__
                    raise errors.MissingRule(
                        f"{name} cannot be differentiated in forward mode", op.loc
                    )
                steps = handler(self, op)
                if steps is not None:
                    yield steps
        self.b = base

    def inner(
        self, old: Block, new: Block, params: Sequence[Value] = (), moving: Sequence[bool] = ()
    ) -> Steps:
        """Copy the ops of a nested block into `new`, up to its terminator.

        `moving` tells which of the parameters have a tangent: those follow after all of them.
        """
        outer, self.b = self.b, self.b.into(new)
        for p in params:
            self.new[p] = Value(self.type_of(p), p.name, new)
            new.params.append(self.new[p])
        for p, moves in zip(params, moving):
            if moves:
                t = _dotted(Value(tangent_type(p.type), None, new), p)
                new.params.append(t)
                self.dots[self.new[p]] = t
        yield self.block(old)
        self.b = outer

    def finish(self, old: Block, new: Block, moving: Sequence[bool]) -> None:
        """End `new`: yield one value each for `moving`, their tangents, and what comes after."""
        outer, self.b = self.b, self.b.into(new)
        ys, end = old.yields, old.terminator
        dots = [self.full(self.new[y], self.dot(y)) for y, moves in zip(ys, moving) if moves]
        values = [self.new[y] for y in ys]
        self.b.at(end.loc, end.order).yield_(*values[: len(moving)], *dots, *values[len(moving) :])
        self.b = outer

    def copy(self, op: Op, operands: Sequence[Value] | None = None, **fields: Any) -> Op:
        """A copy of `op` in the new block; `fields` replace its blocks."""
        inputs = [self.new[v] for v in op.operands] if operands is None else list(operands)
        made = object.__new__(type(op))
        for name in _slots(type(op)):
            setattr(made, name, fields[name] if name in fields else getattr(op, name))
        made.operands, made.results = inputs, []
        for r in op.results:
            self.new[r] = Value(self.type_of(r), r.name, made)
            made.results.append(self.new[r])
        self.b.block.ops.append(made)
        return made

    def adopt(self, made: Op, results: Sequence[Value], moving: Sequence[bool]) -> None:
        """Add the tangents of these results to those of `made`."""
        for r, moves in zip(results, moving, strict=True):
            if moves:
                t = _dotted(Value(tangent_type(r.type), None, made), r)
                made.results.append(t)
                self.dots[self.new[r]] = t


def _slots(cls: type[Op]) -> list[str]:
    return [name for c in cls.__mro__ for name in getattr(c, "__slots__", ())]


# --- calls --------------------------------------------------------------------------------------


def _call(s: _Sweep, op: core.Call) -> None:
    made = s.copy(op)
    if not any(v in s.active for v in op.results) or all(s.dot(v) is None for v in op.operands):
        return
    assert isinstance(made, core.Call)
    rules = lookup(op.fn)
    if rules is None:
        name = getattr(op.fn, "__name__", repr(op.fn))
        raise errors.MissingRule(
            f"no derivative is known for `{name}`, and a differentiated value goes into it",
            op.loc,
            f"give a rule for `{name}`, or use stop_gradient(...) on what goes in",
        )
    if rules.zero:
        return
    if rules.partials is not None:
        s.put(op.result, _elementwise(s, op, made, rules))
        return
    totals: list[Tangent] = [None] * len(op.results)
    joint = _together(s, op, rules)
    if joint:
        totals = _linear(s, made, rules, joint)
    for k, v in enumerate(op.operands):
        t = s.dot(v)
        if t is not None and k not in joint:
            parts = _by_rule(s, made, rules, k, v, t)
            totals = [_plus(s.b, a, c) for a, c in zip(totals, parts, strict=True)]
    for r, t in zip(op.results, totals, strict=True):
        s.put(r, t)


def _plus(b: Builder, x: Tangent, y: Tangent) -> Tangent:
    if x is None or y is None:
        return x if y is None else y
    assert isinstance(x, Value) and isinstance(y, Value)
    return cot.add(b, x, y)


def _position(op: core.Call, k: int, rules: Rules) -> int | None:
    return k if k < len(op.args) else rules.position(op.keywords[k - len(op.args)])


def _elementwise(s: _Sweep, op: core.Call, made: core.Call, rules: Rules) -> Tangent:
    assert rules.partials is not None
    places = {_position(op, k, rules): v for k, v in enumerate(op.operands)}
    tangents = {k: s.dot(v) for k, v in places.items()}
    wanted = frozenset([k for k, t in tangents.items() if k is not None and isinstance(t, Value)])
    slopes = apply_parts(s.b, rules.partials, [made.result, *made.args], made.kwargs, wanted)
    same = dict(zip([*made.operands, made.result], [*op.operands, op.result], strict=True))
    total: Tangent = None
    for k, t in tangents.items():
        p = None if k is None else slopes.get(k)
        if p is not None and core.constant(p) is NotImplemented:
            raise _missing(op, k)
        if p is not None and isinstance(t, Value) and core.constant(p) is not None:
            c = masks.times(s.b, t, p, op.result.type, s.marks, places[k], same)
            total = _plus(s.b, total, c)
    return total


def _by_rule(
    s: _Sweep, op: core.Call, rules: Rules, k: int, old: Value, t: Tangent
) -> Sequence[Tangent]:
    """What the tangent of operand `k`, a copy of `old`, adds to those of the results."""
    b, position = s.b, _position(op, k, rules)
    if _is_linear(s, op, rules, k):
        return _linear(s, op, rules, {k: t})
    found: Any = NotImplemented
    if position in rules.tangent:
        y = op.result if len(op.results) == 1 else tuple(op.results)
        given = s.full(op.operands[k], t, zeros=True)
        start = len(b.block.ops)
        found = apply(b, rules.tangent[position], [given, y, *op.args], op.kwargs)
        if s.marks is not None and s.marks.of(old).infinite:
            masks.select_within(b, start, given)
        if core.constant(found) is None:
            return [None] * len(op.results)
    if found is NotImplemented or core.constant(found) is NotImplemented:
        raise _missing(op, k)
    if len(op.results) == 1:
        return [found]
    return [None if core.constant(part) is None else part for part in found.owner.operands]


def _missing(op: core.Call, k: int | None) -> errors.MissingRule:
    name = getattr(op.fn, "__name__", repr(op.fn))
    return errors.MissingRule(
        f"`{name}` has no derivative in this form with respect to argument {k}", op.loc
    )


def _linear(s: _Sweep, op: core.Call, rules: Rules, tangents: dict[int, Tangent]) -> list[Tangent]:
    """The function itself, of these tangents in place of the operands."""
    operands = list(op.operands)
    for k, t in tangents.items():
        stays = t is None and rules.shape == "broadcasts"
        operands[k] = s.b.const(0.0) if stays else s.full(operands[k], t, zeros=True)
    args, named = operands[: len(op.args)], operands[len(op.args) :]
    kwargs = dict(zip(op.keywords, named, strict=True))
    # of a function whose own source gives the types, they are those of the results
    types = None if is_known(op.fn) else [r.type for r in op.results]
    return list(s.b.call_op(op.fn, args, kwargs, member=op.member, types=types).results)


def _is_linear(s: _Sweep, op: core.Call, rules: Rules, k: int) -> bool:
    """Whether the function is linear in operand `k` in this form: its rule does not refuse it."""
    body = rules.linear.get(_position(op, k, rules))  # type: ignore[arg-type]
    if body is None:
        return False
    y = op.result if len(op.results) == 1 else tuple(op.results)
    back = apply(s.b.into(Block()), body, [y, *op.args], op.kwargs)
    return core.constant(back) is not NotImplemented


def _together(s: _Sweep, op: core.Call, rules: Rules) -> dict[int, Tangent]:
    """The tangents of the operands that it is linear in together, if there is any."""
    places = [_position(op, k, rules) for k in range(len(op.operands))]
    found = {k: s.dot(op.operands[k]) for k, p in enumerate(places) if p in rules.joint}
    moving = [k for k, t in found.items() if t is not None]
    return found if moving and _is_linear(s, op, rules, moving[0]) else {}


def _invoke(s: _Sweep, op: core.Invoke) -> None:
    wrt = tuple(k for k, v in enumerate(op.operands) if s.dot(v) is not None)
    if not wrt:
        s.copy(op)
        return
    operands = [s.new[v] for v in op.operands]
    dots = [s.full(operands[k], s.dot(op.operands[k])) for k in wrt]
    mark = marks.together(s.marks, [op.operands[k] for k in wrt])
    callee = s.forward.function(op.callee, wrt, mark)
    made = s.copy(op, [*operands, *dots], callee=callee)
    for r in op.results:
        t = _dotted(Value(tangent_type(r.type), None, made), r)
        made.results.append(t)
        s.put(r, t)


# --- values that move about ---------------------------------------------------------------------


def _plain(s: _Sweep, op: Op) -> None:
    s.copy(op)


def _index(s: _Sweep, op: core.Index) -> None:
    s.copy(op)
    t = s.dot(op.operands[0])
    if isinstance(t, Value) and cot.shape_of(t.type) == () and not isinstance(t.type, Seq):
        shape = cot.shape_of(op.result.type)  # of a number there is no more than new axes
        s.put(op.result, s.b.call(np.reshape, t, shape) if shape else t)
    elif isinstance(t, Value):
        s.put(op.result, s.b.index(t, op.spec, [s.new[v] for v in op.operands[1:]], item=op.item))


def _update(s: _Sweep, op: core.Update) -> None:
    s.copy(op)
    x, v = op.operands[:2]
    t_x, t_v = s.dot(x), s.dot(v)
    if t_v is None and (t_x is None or op.mode != "="):
        s.put(op.result, t_x)
        return
    if isinstance(x.type, Array) and not x.type.rank:
        s.put(op.result, _of_one_element(s, op, t_x, t_v))
        return
    base = s.full(s.new[x], t_x)
    lists = isinstance(x.type, Seq)
    new = s.full(s.new[v], t_v) if t_v is not None or lists else s.b.const(0.0)
    views = [
        (step, [s.new[o] for o in operands])
        for step, operands in zip(op.views, op.view_operands, strict=True)
    ]
    s.put(op.result, s.b.update(base, new, op.spec, [s.new[i] for i in op.at], op.mode, views))


def _of_one_element(s: _Sweep, op: core.Update, t_x: Tangent, t_v: Tangent) -> Tangent:
    """The tangent of an array of rank 0 after a write: a number, which cannot be written into."""
    if isinstance(t_v, Value) and isinstance(t_v.type, Array) and t_v.type.rank:
        t_v = s.b.call(np.reshape, t_v, ())
    if op.mode == "=":
        return t_v
    if op.mode == "-" and isinstance(t_v, Value):
        t_v = s.b.call(operator.neg, t_v)
    return _plus(s.b, t_x, t_v)


def _make(s: _Sweep, op: core.Make) -> None:
    s.copy(op)
    s.put(op.result, _children([s.dot(v) for v in op.operands]))


def _children(dots: Sequence[Tangent]) -> Tangent:
    return tuple(dots) if any(t is not None for t in dots) else None


def _item(s: _Sweep, op: core.Item) -> None:
    s.copy(op)
    (tree,) = op.operands
    assert isinstance(tree.type, Tree)
    s.put(op.result, s.child(tree.type, s.dot(tree), op.key))


def _unpack(s: _Sweep, op: core.Unpack) -> None:
    s.copy(op)
    (tree,) = op.operands
    t = s.dot(tree)
    if isinstance(tree.type, Tree):
        for r, key in zip(op.results, tree.type.keys, strict=True):
            s.put(r, s.child(tree.type, t, key))
    elif isinstance(t, Value):  # of what was saved
        types = [tangent_type(r.type) for r in op.results]
        for r, d in zip(op.results, s.b.add(core.Unpack, [t], types).results, strict=True):
            s.put(r, d)


def _new_seq(s: _Sweep, op: core.NewSeq) -> None:
    s.copy(op)
    t = op.result.type
    if isinstance(t, Seq) and carries_derivative(t):
        items = [s.full(s.new[v], s.dot(v)) for v in op.operands]
        s.put(op.result, s.b.new_seq(tangent_type(t.item), items))


def _append(s: _Sweep, op: core.Append) -> None:
    seq, item = op.operands
    tape = s.tapes.get(seq)
    if tape is not None:
        parts = parts_of(item)
        dots = [s.full(s.new[parts[k]], s.dot(parts[k])) for k in s.tapes.places(tape)]
        both = [*(s.new[v] for v in parts), *dots]
        s.copy(op, [s.new[seq], s.b.tuple(*both) if tape.is_tuple or dots else both[0]])
        return
    s.copy(op)
    t, t_item = s.dot(seq), s.dot(item)
    if t is not None or t_item is not None:
        dots = s.full(s.new[seq], t), s.full(s.new[item], t_item)
        s.put(op.result, s.b.append(*dots, op.purpose))


def _pop(s: _Sweep, op: core.Pop) -> None:
    s.copy(op)
    t = s.dot(op.operands[0])
    if isinstance(t, Value) and isinstance(t.type, Seq):
        dots = s.b.add(core.Pop, [t], [t.type, t.type.item]).results
        for r, d in zip(op.results, dots, strict=True):
            s.put(r, d)


def _handed_on(s: _Sweep, op: Alias | Hook) -> None:
    s.copy(op)
    s.put(op.result, s.dot(op.operands[0]))


# --- control flow -------------------------------------------------------------------------------


def _if(s: _Sweep, op: core.If) -> Steps:
    moving = [r in s.active for r in op.results]
    then, orelse = Block(), Block()
    for old, new in ((op.then, then), (op.orelse, orelse)):
        yield s.inner(old, new)
        s.finish(old, new, moving)
    s.adopt(s.copy(op, then=then, orelse=orelse), op.results, moving)


def _try(s: _Sweep, op: core.Try) -> Steps:
    moving = [r in s.active for r in op.results]
    body, handler = Block(), Block()
    for old, new in ((op.body, body), (op.handler, handler)):
        yield s.inner(old, new, old.params)
        s.finish(old, new, moving)
    s.adopt(s.copy(op, body=body, handler=handler), op.results, moving)


def _scope(s: _Sweep, op: core.Scope) -> Steps:
    moving = [r in s.active for r in op.results]
    body = Block()
    yield s.inner(op.body, body, op.body.params)
    s.finish(op.body, body, moving)
    s.adopt(s.copy(op, body=body), op.results, moving)


def _carried(s: _Sweep, op: core.For | core.While) -> tuple[list[bool], list[Value]]:
    """Which carried values have tangents; the initial values, then the initial tangents."""
    moving = [r in s.active or p in s.active for r, p in zip(op.results, op.carried, strict=True)]
    inits = [s.new[v] for v in op.inits]
    slots = zip(op.inits, op.carried, moving, strict=True)
    dots = [_dotted(s.full(s.new[v], s.dot(v)), p) for v, p, moves in slots if moves]
    return moving, [*inits, *dots]


def _for(s: _Sweep, op: core.For) -> Steps:
    moving, inits = _carried(s, op)
    body, heads, over = Block(), [s.new[v] for v in op.operands[: op.heads]], op.over
    item = op.body.params[0]
    tape = s.tapes.get(op.operands[0]) if over == "seq" else None
    t_seq = s.dot(op.operands[0]) if over == "seq" else None
    if tape is not None:
        _take_item(s, tape, heads[0], item, body)
    elif isinstance(t_seq, Value):  # over the positions of both the sequence and its tangent
        over, seq = "range", heads[0]
        heads = [s.b.const(0), s.b.call(len, seq), s.b.const(1)]
        i = Value(heads[1].type, "i", body)
        body.params.append(i)
        b = s.b.into(body)
        s.new[item] = b.index(seq, ("value",), [i], item=True)
        s.new[item].name = item.name
        s.dots[s.new[item]] = _dotted(b.index(t_seq, ("value",), [i]), item)
    else:
        s.new[item] = Value(item.type, item.name, body)
        body.params.append(s.new[item])
    yield s.inner(op.body, body, op.carried, moving)
    s.finish(op.body, body, moving)
    s.adopt(s.copy(op, [*heads, *inits], body=body, over=over), op.results, moving)


def _take_item(s: _Sweep, tape: Tape, seq: Value, item: Value, body: Block) -> None:
    """What an item of a tape is, with its tangents."""
    assert isinstance(seq.type, Seq)
    both = Value(seq.type.item, None, body)
    body.params.append(both)
    places = s.tapes.places(tape)
    if not places:  # its tangents are all inside of inner tapes
        s.new[item], both.name = both, item.name
        return
    b = s.b.into(body)
    parts = b.unpack(both)
    names = first_names(item)
    for part, name in zip(parts, names):
        part.name = name
    dots: list[Tangent] = [None] * tape.count
    for k, part in zip(places, parts[tape.count :], strict=True):
        dots[k] = part
        part.name = f"{names[k]}_dot" if k < len(names) and names[k] else None
    if isinstance(item.type, Tree):
        s.new[item] = b.make(item.type.node, item.type.keys, parts[: tape.count])
        s.dots[s.new[item]] = _children(dots)
    else:
        s.new[item] = parts[0]
        s.put(item, dots[0])


def _while(s: _Sweep, op: core.While) -> Steps:
    moving, inits = _carried(s, op)
    cond, body = Block(), Block()
    yield s.inner(op.cond, cond, op.cond.params, moving)
    s.finish(op.cond, cond, [])
    yield s.inner(op.body, body, op.carried, moving)
    s.finish(op.body, body, moving)
    s.adopt(s.copy(op, inits, cond=cond, body=body), op.results, moving)


_HANDLERS: dict[type[Op], Callable[[_Sweep, Any], Steps | None]] = {
    core.Const: _plain,
    core.Global: _plain,
    core.Undef: _plain,
    core.Assert: _plain,
    core.Raise: _plain,
    core.Write: _plain,
    core.Call: _call,
    core.Invoke: _invoke,
    core.Index: _index,
    core.Update: _update,
    core.Make: _make,
    core.Item: _item,
    core.Unpack: _unpack,
    core.NewSeq: _new_seq,
    core.Append: _append,
    core.Pop: _pop,
    Alias: _handed_on,
    Hook: _handed_on,
    core.If: _if,
    core.Scope: _scope,
    core.Try: _try,
    core.For: _for,
    core.While: _while,
}
