"""Hooks: what a program has done to its own gradient.

By an op `Hook` a value is handed on. Where a backward sweep comes past it, the cotangent of what
comes after is complete: the body of the hook is laid down there, each of its lines as the user
wrote it, and what it makes of the cotangent goes on to the value.

A hook serves one sweep, and so does a call of `clip_gradient`: both leave an alias. A further
differentiation, of the gradient and of what the user did to it, then finds the value itself, and
gives the exact derivative of the function that the first one is.

The cotangent of a hooked value is asked for in any case, be the value differentiated or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from adcompile.ad.activity import active_values
from adcompile.ad.sweep import Frame, handles
from adcompile.errors import NotDifferentiable
from adcompile.hooks import clip_gradient
from adcompile.ir import core
from adcompile.ir.clone import inline
from adcompile.ir.core import Block, Function, Op, Stmt, Value
from adcompile.ir.identities import Alias, Hook
from adcompile.ir.types import Array, Scalar


@handles(Alias)
def _alias(frame: Frame, op: Alias) -> None:
    for path, d in frame.pop(op.result).items():
        frame.add(op.operands[0], d, path)


@handles(Hook)
def _hook(frame: Frame, op: Hook) -> None:
    """Run the body on the cotangent of the result: what it returns is that of the value."""
    b, r = frame.builder, op.result
    d = frame.full(r)
    if isinstance(r.type, Array) and isinstance(d.type, Scalar):
        d = b.call(r.type.dtype.type, d)
    frame.pop(r)
    start = len(b.block.ops)
    (new,) = inline(b, op.body, [d, *op.operands[1:]], relocate=False)
    g, *_ = ops = b.block.ops[start:]
    _quote(ops, op.loc.stmt, frame.sweep.order)
    new.name = new.name or g.result.name
    unchanged = new is g.result and not any(map(_stops, ops))
    frame.add(op.operands[0], d if unchanged else new)
    _serve(frame.block, op)


def _stops(op: Op) -> bool:
    """Whether `op` is a `breakpoint()`, where the user may assign the gradient by hand."""
    return isinstance(op, core.Call) and getattr(op.fn, "__name__", "") in _STOPS


_STOPS = ("breakpoint", "set_trace")


def _quote(ops: list[Op], hook: Stmt, order: int) -> None:
    """Say of `ops`, new ones, that the user wrote them for the sweep of this order.

    Not of those that the compiler has added to the body, which belong to the `with` statement,
    except for the first: it gives the cotangent its name.
    """
    found: dict[Stmt, Stmt] = {}
    for op in core.walk(Block([], ops)):
        op.order = order
        stmt = op.loc.stmt
        if stmt is hook and op is not ops[0]:
            continue
        if stmt not in found:
            found[stmt] = replace(stmt, hook=hook, order=order)
        op.loc = replace(op.loc, stmt=found[stmt])


def _serve(block: Block, op: Op) -> None:
    """Leave an alias where `op`, in `block`, has served."""
    k = block.ops.index(op)
    block.ops[k] = Alias(op.operands[:1], op.results, op.loc, op.order)


def asked_for(fn: Function, targets: Iterable[Value]) -> set[Value]:
    """What is active because hooks ask for the cotangents of some values."""
    asked: list[Value] = []
    for op in core.walk(fn.block):
        if isinstance(op, Hook) or (isinstance(op, core.Invoke) and _first_hook(op.callee)):
            asked += op.results
    return active_values(fn, asked, targets) if asked else set()


def _first_hook(fn: Function) -> Hook | None:
    """A hook in `fn`, or in what it invokes, that has not served."""
    ops = (op for f in core.callees(fn) for op in core.walk(f.block))
    return next((op for op in ops if isinstance(op, Hook)), None)


def all_served(fn: Function, order: int) -> None:
    """After a sweep of this order: `clip_gradient` has served, too, and no hook is left.

    Raises NotDifferentiable for a hook that the sweep did not come past.
    """
    for block in core.walk_blocks(fn.block):
        for op in [op for op in block.ops if op.order < order]:
            if isinstance(op, core.Call) and op.fn is clip_gradient:
                _serve(block, op)
            left = _first_hook(op.callee) if isinstance(op, core.Invoke) else op
            if isinstance(left, Hook):
                raise _unreached(left)


def _unreached(op: Hook) -> NotDifferentiable:
    name = op.result.name
    return NotDifferentiable(
        f"no gradient flows through `{name}` here: the result does not depend on what is read of "
        "it after this line",
        op.loc,
        f"write the `with` right after the line that makes `{name}`, before it is read",
    )
