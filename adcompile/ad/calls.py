"""Adjoints of calls: what the rules say, and what the framework adds to it.

A rule is plain mathematics. Un-broadcasting, casts, pending shapes and the transposition of
tangent rules are done here, once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import numpy as np

from adcompile import errors
from adcompile.ad import cotangents as cot
from adcompile.ad import marks, masks
from adcompile.ad.activity import active_values
from adcompile.ad.sweep import Frame, Path, Sweep, handles, sweep_ops
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Value
from adcompile.ir.infer.values import array_of
from adcompile.ir.types import Array, Scalar, Seq, Tree, Type
from adcompile.rules.apply import apply, apply_parts, check_form, missing, rules_of
from adcompile.rules.registry import Body, Part, Rules

# The tangent rules that are being transposed, one inside the other; and how often one may be.
_TRANSPOSED: ContextVar[tuple[Callable, ...]] = ContextVar("TRANSPOSED", default=())
DEEPEST = 16


@handles(core.Call)
def _call(frame: Frame, op: core.Call) -> None:
    rules = rules_of(op)
    ds = [_cotangent(frame, r) for r in op.results]
    if rules.zero:
        return
    if rules.partials is not None:
        _elementwise(frame, op, ds, rules)
        return
    for k, x in enumerate(op.operands):
        if x in frame.sweep.active:
            d = _by_rule(frame, op, ds, rules, k)
            if d is not None and not isinstance(x.type, Tree | Seq):
                z = op.result if rules.shape == "broadcasts" else d
                d = _fit(frame, op, cot.reduce_to(frame.builder, d, z, x), x)
            elif d is not None and isinstance(x.type, Tree):
                d = _by_items(frame.builder, d, x)
            frame.add(x, d)


def _cotangent(frame: Frame, r: Value) -> Value | None:
    """The cotangent of a result, None for zero; of a list of one, a list of one."""
    found, b = frame.pop(r), frame.builder
    if not isinstance(r.type, Tree) or not found:
        return found.get(())
    items = []
    for k in r.type.keys:
        d, item = found.get((k,)), b.item(r, k)
        items.append(cot.zeros(b, item) if d is None else cot.materialize(b, d, item))
    return b.make(r.type.node, r.type.keys, items)


def _elementwise(frame: Frame, op: core.Call, ds: list[Value | None], rules: Rules) -> None:
    b = frame.builder
    (d,) = ds
    assert d is not None and rules.partials is not None
    active, args = frame.sweep.active, op.args
    places = [_position(op, k, rules) if x in active else None for k, x in enumerate(op.operands)]
    wanted = frozenset([p for p in places if p is not None])
    slopes = apply_parts(b, rules.partials, [op.result, *args], op.kwargs, wanted)
    for x, place in zip(op.operands, places, strict=True):
        if place is None:
            continue
        p = slopes.get(place)  # none where the rule gives fewer partials than there are arguments
        if p is None or _refuses(p):
            raise missing(op, place)
        if core.constant(p) is None:
            continue
        c = masks.times(b, d, p, op.result.type, frame.sweep.marks, op.result)
        other = next((v for v in args if v is not x and cot.shape_of(v.type)), None)
        other = other if len(args) == 2 else None
        frame.add(x, _fit(frame, op, cot.reduce_to(b, c, op.result, x, other), x))


def _fit(frame: Frame, op: core.Call, d: Value, x: Value) -> Value:
    """A Python number that belongs to a NumPy value of lower precision is made one of its kind."""
    weak = isinstance(d.type, Scalar) and isinstance(op.results[0].type, Scalar)
    if weak and isinstance(x.type, Array) and x.type.rank == 0 and x.type.dtype.itemsize < 8:
        return frame.builder.call(x.type.dtype.type, d)
    return d


def _position(op: core.Call, k: int, rules: Rules) -> int | None:
    """Which of the function's parameters operand `k` is for: keywords go by the rule's names."""
    return k if k < len(op.args) else rules.position(op.keywords[k - len(op.args)])


def _by_rule(
    frame: Frame, op: core.Call, ds: list[Value | None], rules: Rules, k: int
) -> Value | None:
    """The cotangent of operand `k` by its linear, adjoint or tangent rule, None for zero."""
    b, position = frame.builder, _position(op, k, rules)
    y = op.result if len(op.results) == 1 else tuple(op.results)
    found = NotImplemented
    if position in rules.linear:
        if rules.shape == "rearranges" and ds[0] is not None and _is_one_number(ds[0], op, k):
            check_form(b, rules.linear[position], [ds[0], *op.args], op.kwargs)
            return _everywhere(b, ds[0], op.operands[k].type)
        if len(ds) > 1:  # of several results, a linear rule gets them all
            ds[:] = [cot.zeros(b, r) if d is None else d for d, r in zip(ds, op.results)]
        d = _incoming(frame, op, ds, rules)
        found = _guarded(frame, rules.linear[position], op, d, [*op.args])
    elif position in rules.adjoint:
        d = _incoming(frame, op, ds, rules)
        found = _guarded(frame, rules.adjoint[position], op, d, [y, *op.args])
    if _refuses(found) and position in rules.tangent:
        alone = sum(v in frame.sweep.active for v in op.operands) == 1
        # what several rules read is filled out once, for all of them
        given = _one_or_all(ds) if alone else _incoming(frame, op, ds, rules)
        return _transpose(frame, op, rules.tangent[position], given, y, k)
    if _refuses(found):
        raise missing(op, k)
    return None if core.constant(found) is None else found


def _guarded(
    frame: Frame, body: Body | Part, op: core.Call, d: Value | tuple[Value | None, ...], args: list
) -> Value:
    """The cotangent that the body of a rule makes of `d`, zero where a mask has made `d` zero."""
    b = frame.builder
    start = len(b.block.ops)
    found = apply(b, body, [d, *args], op.kwargs)
    ds = [v for v in (d if isinstance(d, tuple) else (d,)) if v is not None]
    masks.guard(b, start, ds, found, frame.sweep.marks, op.results)
    return found


def _refuses(found: Value | object) -> bool:
    if isinstance(found, Value):
        return core.constant(found) is NotImplemented
    return found is NotImplemented


def _is_one_number(d: Value, op: core.Call, k: int) -> bool:
    return cot.shape_of(d.type) == () and not isinstance(op.operands[k].type, Seq)


def _everywhere(b: Builder, d: Value, t: Type) -> Value:
    """The number `d` as the cotangent of every leaf of a value of type `t`."""
    if not isinstance(t, Tree):
        return d
    return b.make(t.node, t.keys, [_everywhere(b, d, item) for item in t.items])


def _by_items(b: Builder, d: Value, x: Value) -> Value:
    """The cotangent `d` of a list that was taken as an array, as one that has all its items."""
    if isinstance(d.type, Tree):
        return d
    want = array_of(x).shape
    if not cot.shape_of(d.type):
        return _everywhere(b, d, x.type)
    have = cot.shape_of(d.type)
    full = len(have) == len(want) and all(map(cot.same_size, have, want))
    return d if full else b.call(np.broadcast_to, d, b.call(np.shape, x))


def _incoming(
    frame: Frame, op: core.Call, ds: list[Value | None], rules: Rules
) -> Value | tuple[Value | None, ...]:
    """The cotangents of the results as a rule gets them, None for zero.

    They are filled out (in `ds`, once for all operands) unless the rule can do without.
    """
    for k, (d, r) in enumerate(zip(ds, op.results, strict=True)):
        number = d is not None and rules.shape == "reduces" and cot.shape_of(d.type) == ()
        if d is not None and not number and rules.shape != "broadcasts":
            ds[k] = cot.materialize(frame.builder, d, r)
    return _one_or_all(ds)


def _one_or_all(ds: list[Value | None]) -> Value | tuple[Value | None, ...]:
    return tuple(ds) if len(ds) != 1 else ds[0]  # type: ignore[return-value]


def _transpose(
    frame: Frame, op: core.Call, tangent: Callable, d: Value | tuple, y: Value | tuple, k: int
) -> Value | None:
    """The adjoint of operand `k` from the tangent rule: reverse mode over its linear body.

    The body itself is laid down with the operand in place of its tangent. Transposing reads no more
    of its linear values than their shapes, so that most of it is dead.
    """
    outer = _TRANSPOSED.get()
    if outer.count(tangent) > DEEPEST:
        name = getattr(op.fn, "__name__", repr(op.fn))
        raise errors.MissingRule(
            f"the tangent rule of `{name}` is written with `{name}` itself, so that it cannot be "
            "transposed",
            op.loc,
            "say that it is linear, or give an adjoint, too",
        )
    token = _TRANSPOSED.set((*outer, tangent))
    try:
        return _transposed(frame, op, tangent, d, y, k)
    finally:
        _TRANSPOSED.reset(token)


def _transposed(
    frame: Frame, op: core.Call, tangent: Callable, d: Value | tuple, y: Value | tuple, k: int
) -> Value | None:
    b, x = frame.builder, op.operands[k]
    unknown = Value(x.type)
    scratch = Block([unknown])
    out = apply(b.into(scratch), tangent, [unknown, y, *op.args], op.kwargs)
    if _refuses(out):
        raise missing(op, k)
    outs = out.owner.operands if isinstance(d, tuple) else [out]  # type: ignore[union-attr]
    linear = active_values(Function("tangent", scratch, []), [unknown], outs)
    body_ops = list(scratch.ops)
    sweep = Sweep(linear, {}, frame.sweep.order, frame.sweep.links)
    sweep.adopt(scratch)
    sweep.marks = _marks_inside(frame, op, scratch, linear, out)
    start = len(b.block.ops)
    b.block.ops.extend(scratch.ops)
    body = Frame(sweep, scratch, b)
    for d_k, out_k in zip(d if isinstance(d, tuple) else (d,), outs, strict=True):
        body.add(out_k, d_k)
    sweep_ops(body, body_ops)
    core.substitute(Block([], b.block.ops[start:]), {unknown: x})
    return _found(body, unknown, x.type, ())


def _found(body: Frame, v: Value, t: Type, path: Path) -> Value | None:
    """The cotangent of what stands under `path` in `v`, None for zero."""
    if not isinstance(t, Tree):
        return body.get(v, path)
    b = body.builder
    items = [_found(body, v, item, (*path, k)) for k, item in zip(t.keys, t.items, strict=True)]
    return b.make(t.node, t.keys, [b.const(None) if d is None else d for d in items])


def _marks_inside(
    frame: Frame, op: core.Call, body: Block, linear: set[Value], out: Value
) -> marks.Marks | None:
    """The marks for the transposition of a tangent rule: what comes in has those of its result."""
    outside = frame.sweep.marks
    if outside is None:
        return None
    outs = [out] if len(op.results) == 1 else out.owner.operands  # type: ignore[union-attr]
    start = {v: outside.of(r) for v, r in zip(outs, op.results, strict=True) if v in linear}
    return marks.of_cotangents(body, linear, start, outer=outside)
