"""Forward mode: a function and its directional derivative, computed side by side.

Each op is followed by the ops that compute the tangents of its results (Griewank & Walther,
"Evaluating Derivatives", 2008, chapter 3); `tangents` is the walk.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.ad import cotangents as cot
from adcompile.ad import (
    forward_flow,  # noqa: F401  (it registers its handlers)
    marks,
    masks,
)
from adcompile.ad.edges import erases
from adcompile.ad.tangents import (
    Forward,
    Sweep,
    Tangent,
    children,
    dotted,
    handles,
    plus,
    tangent_type,
)
from adcompile.ad.tapes import parts_of
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.identities import Alias, Hook
from adcompile.ir.infer import is_known
from adcompile.ir.types import Array, Seq, Tree, Type, carries_derivative
from adcompile.rules.apply import apply, apply_parts, missing, rules_of
from adcompile.rules.registry import Rules


def jvp(fn: Function, wrt: Sequence[int]) -> Function:
    """The function (*primals, *tangents of the parameters `wrt`) → (value, tangent of the value).

    Raises MissingRule for a function without a rule on a differentiated path.
    """
    return Forward({}).function(fn, tuple(wrt), marks.PLAIN)


# --- calls --------------------------------------------------------------------------------------


@handles(core.Call)
def _call(s: Sweep, op: core.Call) -> None:
    made = s.copy(op)
    if not any(v in s.active for v in op.results) or all(s.dot(v) is None for v in op.operands):
        return
    assert isinstance(made, core.Call)
    rules = rules_of(op)
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
            totals = [plus(s.b, a, c) for a, c in zip(totals, parts, strict=True)]
    for r, t in zip(op.results, totals, strict=True):
        s.put(r, t)


def _position(op: core.Call, k: int, rules: Rules) -> int | None:
    return k if k < len(op.args) else rules.position(op.keywords[k - len(op.args)])


def _elementwise(s: Sweep, op: core.Call, made: core.Call, rules: Rules) -> Tangent:
    assert rules.partials is not None
    places = {_position(op, k, rules): v for k, v in enumerate(op.operands)}
    tangents = {k: s.dot(v) for k, v in places.items()}
    wanted = frozenset([k for k, t in tangents.items() if k is not None and isinstance(t, Value)])
    slopes = apply_parts(s.b, rules.partials, [made.result, *made.args], made.kwargs, wanted)
    same = dict(zip([*made.operands, made.result], [*op.operands, op.result], strict=True))
    total: Tangent = None
    for k, t in tangents.items():
        p = None if k is None else slopes.get(k)
        if k in wanted and (p is None or core.constant(p) is NotImplemented):
            raise missing(op, k)
        if p is not None and isinstance(t, Value) and core.constant(p) is not None:
            c = masks.times(s.b, t, p, op.result.type, s.marks, places[k], same)
            total = plus(s.b, total, c)
    return total


def _by_rule(
    s: Sweep, op: core.Call, rules: Rules, k: int, old: Value, t: Tangent
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
        masks.guard(b, start, [given], found, s.marks, [old])
        if core.constant(found) is None:
            return [None] * len(op.results)
    if found is NotImplemented or core.constant(found) is NotImplemented:
        raise missing(op, k)
    if len(op.results) == 1:
        return [found]
    return [None if core.constant(part) is None else part for part in found.owner.operands]


def _linear(s: Sweep, op: core.Call, rules: Rules, tangents: dict[int, Tangent]) -> list[Tangent]:
    """The function itself, of these tangents in place of the operands."""
    operands = list(op.operands)
    for k, t in tangents.items():
        stays = t is None and rules.shape == "broadcasts"
        operands[k] = s.b.const(0.0) if stays else s.full(operands[k], t, zeros=True)
    args, named = operands[: len(op.args)], operands[len(op.args) :]
    kwargs = dict(zip(op.keywords, named, strict=True))
    # of a function whose own source gives the types, they are those of the results
    told = is_known(op.fn) and not isinstance(op.results[0].type, Tree)
    types = None if told else [r.type for r in op.results]
    return list(s.b.call_op(op.fn, args, kwargs, member=op.member, types=types).results)


def _is_linear(s: Sweep, op: core.Call, rules: Rules, k: int) -> bool:
    """Whether the function is linear in operand `k` in this form: its rule does not refuse it."""
    body = rules.linear.get(_position(op, k, rules))  # type: ignore[arg-type]
    if body is None:
        return False
    y = op.result if len(op.results) == 1 else tuple(op.results)
    back = apply(s.b.into(Block()), body, [y, *op.args], op.kwargs)
    return core.constant(back) is not NotImplemented


def _together(s: Sweep, op: core.Call, rules: Rules) -> dict[int, Tangent]:
    """The tangents of the operands that it is linear in together, if there is any."""
    places = [_position(op, k, rules) for k in range(len(op.operands))]
    found = {k: s.dot(op.operands[k]) for k, p in enumerate(places) if p in rules.joint}
    moving = [k for k, t in found.items() if t is not None]
    return found if moving and _is_linear(s, op, rules, moving[0]) else {}


@handles(core.Invoke)
def _invoke(s: Sweep, op: core.Invoke) -> None:
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
        t = dotted(Value(tangent_type(r.type), None, made), r)
        made.results.append(t)
        s.put(r, t)


# --- values that move about ---------------------------------------------------------------------


@handles(core.Const, core.Global, core.Undef, core.Assert, core.Raise, core.Write, core.Partial)
def _plain(s: Sweep, op: Op) -> None:
    s.copy(op)


@handles(core.Index)
def _index(s: Sweep, op: core.Index) -> None:
    s.copy(op)
    t = s.dot(op.operands[0])
    if isinstance(t, Value) and cot.shape_of(t.type) == () and not isinstance(t.type, Seq):
        shape = cot.shape_of(op.result.type)  # of a number there is no more than new axes
        s.put(op.result, s.b.call(np.reshape, t, shape) if shape else t)
    elif isinstance(t, Value):
        dot = s.b.index(t, op.spec, [s.new[v] for v in op.operands[1:]], item=op.item)
        if isinstance(t.type, Seq):
            dot.type = _item_type(t.type, op.result)
        elif cot.is_full(t.type, op.operands[0].type) and isinstance(dot.type, Array):
            dot.type = Array(dot.type.dtype, cot.shape_of(op.result.type))
        s.put(op.result, dot)


@handles(core.Update)
def _update(s: Sweep, op: core.Update) -> None:
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
    of = x.type.item if isinstance(x.type, Seq) else None
    new = s.full(s.new[v], t_v, of) if t_v is not None or of is not None else s.b.const(0.0)
    views = [
        (step, [s.new[o] for o in operands])
        for step, operands in zip(op.views, op.view_operands, strict=True)
    ]
    at, taken = [s.new[i] for i in op.at], t_v is None and not erases(op)
    s.put(op.result, s.b.update(base, new, op.spec, at, op.mode, views, taken=taken))


def _of_one_element(s: Sweep, op: core.Update, t_x: Tangent, t_v: Tangent) -> Tangent:
    """The tangent of an array of rank 0 after a write: a number, which cannot be written into."""
    if isinstance(t_v, Value) and isinstance(t_v.type, Array) and t_v.type.rank:
        t_v = s.b.call(np.reshape, t_v, ())
    if op.mode == "=":
        return t_v
    if op.mode == "-" and isinstance(t_v, Value):
        t_v = s.b.call(operator.neg, t_v)
    return plus(s.b, t_x, t_v)


@handles(core.Make)
def _make(s: Sweep, op: core.Make) -> None:
    s.copy(op)
    s.put(op.result, children([s.dot(v) for v in op.operands]))


@handles(core.Item)
def _item(s: Sweep, op: core.Item) -> None:
    s.copy(op)
    (tree,) = op.operands
    assert isinstance(tree.type, Tree)
    s.put(op.result, s.child(tree.type, s.dot(tree), op.key))


@handles(core.Unpack)
def _unpack(s: Sweep, op: core.Unpack) -> None:
    s.copy(op)
    (tree,) = op.operands
    t = s.dot(tree)
    if isinstance(tree.type, Tree):
        for r, key in zip(op.results, tree.type.keys, strict=True):
            s.put(r, s.child(tree.type, t, key))
    elif isinstance(t, Value):  # of what was saved
        types = [tangent_type(r.type) for r in op.results]
        dots = s.b.add(core.Unpack, [t], types, lost=op.lost).results
        for r, d in zip(op.results, dots, strict=True):
            s.put(r, d)


@handles(core.NewSeq)
def _new_seq(s: Sweep, op: core.NewSeq) -> None:
    s.copy(op)
    t = op.result.type
    if isinstance(t, Seq) and carries_derivative(t):
        items = [s.full(s.new[v], s.dot(v), t.item) for v in op.operands]
        s.put(op.result, s.b.new_seq(tangent_type(t.item), items))


@handles(core.Append)
def _append(s: Sweep, op: core.Append) -> None:
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
        of = op.result.type
        assert isinstance(of, Seq)
        dots = s.full(s.new[seq], t, of), s.full(s.new[item], t_item, of.item)
        s.put(op.result, s.b.append(*dots, op.purpose))


@handles(core.Pop)
def _pop(s: Sweep, op: core.Pop) -> None:
    s.copy(op)
    t = s.dot(op.operands[0])
    if isinstance(t, Value) and isinstance(t.type, Seq):
        types = [t.type, _item_type(t.type, op.results[1])]
        dots = s.b.add(core.Pop, [t], types).results
        for r, d in zip(op.results, dots, strict=True):
            s.put(r, d)


def _item_type(tangents: Seq, item: Value) -> Type:
    """The type of the tangent of an item of a list: items may have other sizes each."""
    t = tangent_type(item.type)
    return t if carries_derivative(t) else tangents.item  # an integer in a list of floats


@handles(Alias, Hook)
def _handed_on(s: Sweep, op: Alias | Hook) -> None:
    s.copy(op)
    s.put(op.result, s.dot(op.operands[0]))
