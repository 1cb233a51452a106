"""Adjoints of calls: what the rules say, and what the framework adds to it.

A rule is plain mathematics. Un-broadcasting, casts, pending shapes and the transposition of
tangent rules are done here, once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable

from adcompile import errors
from adcompile.ad import cotangents as cot
from adcompile.ad.activity import carries_derivative, differentiable
from adcompile.ad.sweep import Frame, Sweep, handles, sweep_ops
from adcompile.ir import core
from adcompile.ir.core import Block, Value
from adcompile.ir.types import Array, Scalar, Seq, Tree
from adcompile.rules.apply import apply
from adcompile.rules.registry import Rules, lookup


@handles(core.Call)
def _call(frame: Frame, op: core.Call) -> None:
    rules = lookup(op.fn)
    ds = [frame.pop(r).get(()) for r in op.results]
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
        _elementwise(frame, op, ds, rules)
        return
    for k, x in enumerate(op.operands):
        if x in frame.sweep.active:
            d = _by_rule(frame, op, ds, rules, k)
            if d is not None and not isinstance(x.type, Tree | Seq):
                d = _fit(frame, op, cot.reduce_to(frame.builder, d, d, x), x)
            frame.add(x, d)


def _elementwise(frame: Frame, op: core.Call, ds: list[Value | None], rules: Rules) -> None:
    b = frame.builder
    (d,) = ds
    assert d is not None
    slope = apply(b, rules.partials, [op.result, *op.args], op.kwargs)
    slopes = slope.owner.operands if isinstance(slope.owner, core.Make) else [slope]
    for k, x in enumerate(op.operands):
        position = _position(op, k, rules)
        if x not in frame.sweep.active or position is None or position >= len(slopes):
            continue
        p = slopes[position]
        if core.constant(p) is None:
            continue
        c = d if core.constant(p) in (1, 1.0) else b.mul(d, p)
        frame.add(x, _fit(frame, op, cot.reduce_to(b, c, op.result, x), x))


def _fit(frame: Frame, op: core.Call, d: Value, x: Value) -> Value:
    """A Python number that belongs to a NumPy value of lower precision is made one of its kind."""
    weak = isinstance(d.type, Scalar) and isinstance(op.results[0].type, Scalar)
    if weak and isinstance(x.type, Array) and x.type.rank == 0 and x.type.dtype.itemsize < 8:
        return frame.builder.call(x.type.dtype.type, d)
    return d


def _position(op: core.Call, k: int, rules: Rules) -> int | None:
    """Which of the function's parameters operand `k` is for: keywords go by the rule's names."""
    return k if k < len(op.args) else rules.position(op.keywords[k - len(op.args)])


def _by_rule(frame: Frame, op: core.Call, ds: list[Value | None], rules: Rules, k: int) -> Value | None:
    """The cotangent of operand `k` by its linear, adjoint or tangent rule, None for zero."""
    b, position = frame.builder, _position(op, k, rules)
    y = op.result if len(op.results) == 1 else tuple(op.results)
    if position in rules.linear:
        d = _incoming(frame, op, ds, rules)
        if rules.rearranges and isinstance(d, Value) and cot.shape_of(d.type) == ():
            return d  # every element of a rearrangement has the same cotangent
        found = apply(b, rules.linear[position], [d, *op.args], op.kwargs)
    elif position in rules.adjoint:
        found = apply(b, rules.adjoint[position], [_incoming(frame, op, ds, rules), y, *op.args], op.kwargs)
    elif position in rules.tangent:
        return _transpose(frame, op, rules.tangent[position], _incoming(frame, op, ds, rules), y, k)
    else:
        found = NotImplemented
    if found is NotImplemented or core.constant(found) is NotImplemented:
        name = getattr(op.fn, "__name__", repr(op.fn))
        raise errors.MissingRule(f"`{name}` has no derivative in this form with respect to argument {k}", op.loc)
    return None if core.constant(found) is None else found


def _incoming(frame: Frame, op: core.Call, ds: list[Value | None], rules: Rules) -> Value | tuple:
    """The cotangents of the results as a rule gets them: in full shape, None for zero."""
    b = frame.builder
    full = [
        None if d is None else d if _may_stay_pending(rules, d) else cot.materialize(b, d, r)
        for d, r in zip(ds, op.results, strict=True)
    ]
    return full[0] if len(full) == 1 else tuple(full)  # type: ignore[return-value]


def _may_stay_pending(rules: Rules, d: Value) -> bool:
    return rules.rearranges and cot.shape_of(d.type) == ()


def _transpose(
    frame: Frame, op: core.Call, tangent: Callable, d: Value | tuple, y: Value | tuple, k: int
) -> Value | None:
    """The adjoint of operand `k` from the tangent rule: reverse mode over its linear body.

    The body itself is laid down with the operand in place of its tangent. Transposing reads no more
    of its linear values than their shapes, so that most of it is dead.
    """
    b, x = frame.builder, op.operands[k]
    unknown = Value(x.type)
    scratch = Block([unknown])
    out = apply(b.into(scratch), tangent, [unknown, y, *op.args], op.kwargs)
    linear = {unknown}
    moving = []
    for inner in scratch.ops:
        if any(v in linear for v in inner.operands) and differentiable(inner):
            linear.update(r for r in inner.results if carries_derivative(r.type))
            moving.append(inner)
    sweep = Sweep(linear, {}, frame.sweep.order)
    sweep.adopt(scratch)
    start = len(b.block.ops)
    b.block.ops.extend(scratch.ops)
    body = Frame(sweep, scratch, b)
    outs = out.owner.operands if isinstance(d, tuple) else [out]  # type: ignore[union-attr]
    for d_k, out_k in zip(d if isinstance(d, tuple) else (d,), outs, strict=True):
        body.add(out_k, d_k)
    sweep_ops(body, moving)
    core.substitute(Block([], b.block.ops[start:]), {unknown: x})
    return body.get(unknown)
