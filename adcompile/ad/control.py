"""Adjoints of control flow: `if`, `try`, `with`, `for` and `while`."""

from __future__ import annotations

import operator

from adcompile import errors
from adcompile.ad.lost import is_lost, says_done
from adcompile.ad.sweep import Frame, Path, handles, leaf, leaf_paths, sweep_ops
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Op, Value
from adcompile.ir.effects import raises
from adcompile.ir.types import BOOL, INT, Array, Seq, Type


@handles(core.If)
def _if(frame: Frame, op: core.If) -> None:
    _branch(frame, op, op.operands[0])


@handles(core.Try)
def _try(frame: Frame, op: core.Try) -> None:
    """A branch on whether the body came to its end: what it raised before that has no adjoint."""
    _branch(frame, op, _done(frame, op))


def _done(frame: Frame, op: core.Try) -> Value:
    """The result of `op` that says whether its body came to its end."""
    for k, r in enumerate(op.results):
        if says_done(op, k):
            return r
    for block, value in ((op.body, True), (op.handler, False)):
        b = Builder(Block(), op.loc)
        block.yields.append(b.const(value))
        block.ops[-1:-1] = b.block.ops
    op.results.append(Value(BOOL, None, op))
    frame.sweep.adopt(frame.block)
    return op.results[-1]


def _branch(frame: Frame, op: Op, condition: Value) -> None:
    arms = [_arm(frame, op, block) for block in op.blocks]
    keys = [(v, path) for arm in arms for v, paths in arm.adj.items() for path in paths]
    keys = [k for k in dict.fromkeys(keys) if frame.sweep.home.get(k[0]) not in op.blocks]
    for r in op.results:
        frame.pop(r)
    types = [leaf(v, path) for v, path in keys]
    for k, arm in enumerate(arms):
        ended = not raises(op.blocks[k])
        arm.builder.yield_(
            *[
                arm.full(v, path)
                if ended and not is_lost(v, condition, k)
                else arm.builder.undef(t)
                for (v, path), t in zip(keys, types, strict=True)
            ]
        )
    new = frame.builder.if_(condition, arms[0].builder.block, arms[1].builder.block, types)
    frame.sweep.links[new] = op
    for (v, path), r in zip(keys, new.results, strict=True):
        frame.put(v, path, frame.named(r, v, path))


def _arm(frame: Frame, op: Op, block: Block) -> Frame:
    """The adjoint of one block of an `if`, `try` or `with`, from those of the op's results on."""
    arm = Frame(frame.sweep, block, frame.builder.into(Block()), parent=frame)
    for r, y in zip(op.results, block.yields, strict=True):
        for path, d in frame.adj.get(r, {}).items():
            arm.add(y, d, path)
    sweep_ops(arm, block.ops[:-1])
    return arm


@handles(core.Scope)
def _scope(frame: Frame, op: core.Scope) -> None:
    arm = _arm(frame, op, op.body)
    keys = [
        (v, p)
        for v, paths in arm.adj.items()
        for p in paths
        if frame.sweep.home.get(v) is not op.body
    ]
    for r in op.results:
        frame.pop(r)
    arm.builder.yield_(*[arm.full(v, path) for v, path in keys])
    types = [leaf(v, path) for v, path in keys]
    again: list[Value] = []
    manager = op.operands[0].owner if op.operands else None
    if not op.effect and manager is not None:  # an entered one is not entered again: make another
        assert isinstance(manager, core.Call)
        again = frame.builder.call_op(manager.fn, manager.args, manager.kwargs).results
    new = frame.builder.add(core.Scope, again, types, body=arm.builder.block)
    frame.sweep.links[new] = op
    for (v, path), r in zip(keys, new.results, strict=True):
        frame.put(v, path, frame.named(r, v, path))


@handles(core.For, core.While)
def _loop(frame: Frame, op: core.For | core.While) -> None:
    """A loop over the same iterations, last one first.

    It carries the adjoint of each active carried value, and an accumulator for each outside value
    that the body contributes to. Which iterations those are is settled in `saved.py`.
    """
    slots = [
        (k, path)
        for k, r in enumerate(op.results)
        if r in frame.sweep.active
        for path in leaf_paths(r.type)
    ]
    inits = [frame.full(op.results[k], path) for k, path in slots]
    for r in op.results:
        frame.pop(r)
    item = op.body.params[0] if isinstance(op, core.For) else None
    index = Value(item.type, item.name) if item else Value(INT)
    d_slots = [
        Value(_sized(op, k, path, op.body.yields[k]), frame.name(op.results[k], path))
        for k, path in slots
    ]
    inner = Frame(frame.sweep, op.body, frame.builder.into(Block()), parent=frame, loop=True)
    for (k, path), d in zip(slots, d_slots, strict=True):
        inner.add(op.body.yields[k], d, path)
    sweep_ops(inner, op.body.ops[:-1])
    outgoing = [
        inner.builder.undef(d.type) if _stays(op, k) else inner.full(op.carried[k], path)
        for (k, path), d in zip(slots, d_slots, strict=True)
    ]
    lists = _lists_of_items(inner, op)
    accumulators = inner.accumulators
    totals = [inner.full(v, path) for v, path in accumulators]
    inner.builder.yield_(*outgoing, *totals, *(grown for _, _, grown in lists))
    body = inner.builder.block
    body.params = [index, *d_slots, *accumulators.values(), *(d for _, d, _ in lists)]
    for p in body.params:
        p.owner = body
    starts = [frame.full(v, path) for v, path in accumulators]
    ranged = isinstance(op, core.For) and op.over == "range"
    heads = op.operands[:3] if ranged and not op.stops else _trips(frame, op)
    sized = [_sized(op, k, path, op.inits[k]) for k, path in slots]
    types = sized + [p.type for p in body.params[len(slots) + 1 :]]
    nothing = [frame.builder.new_seq(d.type.item) for _, d, _ in lists]  # type: ignore[union-attr]
    for (_, d, _), empty in zip(lists, nothing, strict=True):
        empty.name = d.name
    operands = [*heads, *inits, *starts, *nothing]
    reverse = not (isinstance(op, core.For) and op.over == "range" and op.reverse)
    narrowed = isinstance(op, core.For) and op.narrowed
    fields = {"body": body, "reverse": reverse, "narrowed": narrowed}
    new = frame.builder.add(core.For, operands, types, **fields)
    frame.sweep.links[new] = op
    for (v, path), r in zip(accumulators, new.results[len(slots) :], strict=False):
        frame.put(v, path, frame.named(r, v, path))
    for (path, _, _), r in zip(lists, new.results[len(slots) + len(accumulators) :], strict=True):
        back = None if op.reverse else frame.builder.const(-1)  # type: ignore[union-attr]
        d = r if back is None else frame.builder.index(r, (core.Slice(step=True),), [back])
        frame.add(op.operands[0], d, path)
    for (k, path), d, r in zip(slots, d_slots, new.results, strict=False):
        r.name = d.name
        frame.add(op.inits[k], r, path)


def _stays(op: core.For | core.While, k: int) -> bool:
    """Whether a carried value is only defined by the iteration that `op` stops after.

    Its adjoint is only read in there, the first iteration of the way back.
    """
    unset = isinstance(op.inits[k].owner, core.Undef)
    return op.stops and unset and is_lost(op.body.yields[k], op.body.yields[-1], 1)


def _sized(op: core.For | core.While, k: int, path: Path, v: Value) -> Type:
    """The type of an adjoint that `op` carries, where it is that of `v`.

    What changes its size from one iteration to the next has another one in each place.
    """
    t, at = leaf(op.results[k], path), leaf(v, path)
    if isinstance(t, Array) and isinstance(at, Array) and t.rank == at.rank:
        return Array(t.dtype, at.shape)
    return t


def _trips(frame: Frame, op: core.For | core.While) -> list[Value]:
    """A range over the iterations that `op` turns out to make, which it counts.

    Where a tape is read instead, the count is dead; until that is known it keeps the loop alive.
    """
    start = Value(INT, "trips")
    home = frame.block.ops
    home.insert(home.index(op), core.Const([], [start], op.loc, value=0))
    params = [Value(INT, "trips", block) for block in op.blocks]
    for block, p in zip(op.blocks, params, strict=True):
        block.params.append(p)
    step = Builder(Block(), op.loc)
    more = step.call(operator.add, params[-1], 1)
    op.body.ops[-1:-1] = step.block.ops
    op.body.yields.insert(len(op.body.yields) - op.stops, more)
    op.operands.append(start)
    op.results.append(Value(INT, "trips", op))
    frame.sweep.adopt(frame.block)
    return [start, op.results[-1], frame.builder.const(1)]


def _lists_of_items(inner: Frame, op: core.For | core.While) -> list[tuple[Path, Value, Value]]:
    """For a loop over a list: the lists that the backward loop makes of the items' cotangents.

    (path of a leaf of the items, the list that is carried, the same with one more item.)
    """
    if not isinstance(op, core.For) or op.over != "seq":
        return []
    item = op.body.params[0]
    found = []
    for path in list(inner.adj.get(item, ())):
        d = inner.full(item, path)
        grown = Value(Seq(d.type), inner.name(op.operands[0], path))
        found.append((path, grown, inner.builder.append(grown, d)))
    if found and op.stops:
        raise errors.MissingRule("a loop over a list that stops early has no derivative", op.loc)
    return found
