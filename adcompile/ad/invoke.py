"""Adjoints of calls that are kept as calls: recursion, large callees.

A callee is split in two. `f_forward` returns the result and a tuple of what it saved, `f_backward`
takes the cotangent of the result and that tuple, and returns the cotangents of the active
arguments. The tuple is a value like any other, so a call in a loop is saved by the loop's tape and
recursion needs nothing more. Its own cotangent, where the halves are differentiated again, is the
tuple of the cotangents of all leaves of what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from adcompile.ad import hooks, marks
from adcompile.ad.activity import active_values
from adcompile.ad.lost import lost_among
from adcompile.ad.sweep import Frame, Sweep, gradient_of, handles, leaf_paths, sweep_ops
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.clone import clone_function
from adcompile.ir.core import Block, Function, Param, Value
from adcompile.ir.types import SAVED


def start(fn: Function, sweep: Sweep, seeds: Iterable[tuple[Value, Value]], b: Builder) -> Frame:
    """The backward sweep of `fn`, whose `Return` is gone, from (result, cotangent) pairs on."""
    seeds = list(seeds)
    sweep.adopt(fn.block)
    sweep.active |= hooks.asked_for(fn, [out for out, _ in seeds])
    incoming = {out: sweep.incoming for out, _ in seeds}
    sweep.marks = marks.of_cotangents(fn.block, sweep.active, incoming)
    frame = Frame(sweep, fn.block, b)
    ops = list(fn.block.ops)
    for out, seed in seeds:
        sweep.home.pop(seed, None)  # no part of the program
        sweep.seeds.append(seed)
        frame.add(out, seed)
    sweep_ops(frame, ops)
    hooks.all_served(fn, b.order)
    return frame


@dataclass(eq=False, slots=True)
class Pair:
    """A callee on its way to being split: both sweeps in one function, and the two to be."""

    joint: Function
    sweep: Sweep
    seeds: list[Value]  # the cotangents of results
    count: int  # of results
    forward: Function = field(init=False)
    backward: Function = field(init=False)

    def __post_init__(self) -> None:
        fn = self.joint
        self.forward = Function(f"{fn.name}_forward", Block(), fn.params, fn.doc, fn.loc)
        params = [Param(d.name or "d") for d in self.seeds]
        params.append(Param("saved"))
        self.backward = Function(f"{fn.name}_backward", Block(), params, None, fn.loc)

    def split(self) -> None:
        """Cut the finished joint function between its sweeps."""
        ops = self.joint.block.ops
        ret = ops.pop()
        results, grads = ret.operands[: self.count], ret.operands[self.count :]
        first = [op for op in ops if op.order != self.sweep.order]
        second = [op for op in ops if op.order == self.sweep.order]
        used = self._crossing(second, grads)
        constants = {v: v.owner.value for v in used if isinstance(v.owner, core.Const)}
        crossing = [v for v in used if v not in constants]
        params = [p for p in self.joint.block.params if p not in self.seeds]
        self.forward.block.params, self.forward.block.ops = params, first
        _own(self.forward.block)
        b = Builder(self.forward.block, ret.loc)
        b.return_(*results, b.tuple(*crossing))
        saved = Value(SAVED, "saved")
        body = Block([*self.seeds, saved])
        parts = {v: Value(v.type, v.name) for v in crossing}
        order = self.sweep.order
        if parts:
            lost = lost_among(crossing)
            body.ops.append(core.Unpack([saved], list(parts.values()), ret.loc, order, lost))
        b = b.into(body).at(ret.loc, order)
        parts |= {v: b.const(value) for v, value in constants.items()}
        body.ops += [*second, core.Return(list(grads), [], ret.loc, order)]
        core.substitute(body, parts)
        self.backward.block.params, self.backward.block.ops = body.params, body.ops
        _own(self.backward.block)
        self.forward.pending, self.backward.pending = [], []

    def _crossing(self, second: list[core.Op], grads: list[Value]) -> list[Value]:
        made = set(self.seeds)
        for op in core.walk(Block([], second)):
            made.update(op.results)
            made.update(p for block in op.blocks for p in block.params)
        used = [v for op in core.walk(Block([], second)) for v in op.operands]
        return [v for v in dict.fromkeys([*used, *grads]) if v not in made]


def _own(block: Block) -> None:
    for p in block.params:
        p.owner = block


@handles(core.Invoke)
def _invoke(frame: Frame, op: core.Invoke) -> None:
    """Call the forward half in place of the callee, and the backward half here."""
    outs = [k for k, r in enumerate(op.results) if r in frame.adj]
    ds = [gradient_of(frame, op.results[k], ()) for k in outs]
    for r in op.results:
        frame.pop(r)
    wrt = tuple(k for k, x in enumerate(op.operands) if x in frame.sweep.active)
    saved_outs = [k for k in outs if op.results[k].type == SAVED]
    mark = marks.together(frame.sweep.marks, [op.results[k] for k in outs])
    pair = pair_of(frame.sweep, op.callee, wrt, tuple(outs), saved_outs, mark)
    op.callee = pair.forward
    saved = Value(SAVED, "saved", op)
    op.results.append(saved)
    frame.sweep.home[saved] = frame.sweep.home[op.results[0]]
    types = [op.operands[k].type for k in wrt]
    back = frame.builder.add(core.Invoke, [*ds, saved], types, callee=pair.backward)
    for k, r in zip(wrt, back.results, strict=True):
        frame.add(op.operands[k], r)


def pair_of(
    sweep: Sweep,
    callee: Function,
    wrt: tuple[int, ...],
    outs: tuple[int, ...],
    saved: Sequence[int] = (),
    mark: marks.Mark = marks.PLAIN,
) -> Pair:
    """The two halves of `callee`, made at the first call that needs them.

    They are for the cotangents of the parameters `wrt` from those of the results `outs`, of which
    `saved` are tuples that the callee, a forward half itself, hands to its backward half. `mark`
    is what is known of these cotangents.
    """
    key = (callee, wrt, outs, mark)
    if key in sweep.pairs:
        return sweep.pairs[key]
    fn = clone_function(callee)
    results = fn.block.ops.pop().operands
    sources = [fn.block.params[k] for k in wrt]
    active = active_values(fn, sources, [results[k] for k in outs])
    inner = Sweep(active, {}, sweep.order, pairs=sweep.pairs, incoming=mark)
    names = [f"d_{fn.name}" if k == 0 else f"d_{fn.name}_{k}" for k in outs]
    types = [SAVED if k in saved else results[k].type for k in outs]
    seeds = [Value(t, name, fn.block) for t, name in zip(types, names)]
    pair = sweep.pairs[key] = Pair(fn, inner, seeds, len(results))
    b = Builder(fn.block, fn.loc, sweep.order)
    frame = start(fn, inner, zip([results[k] for k in outs], seeds), b)
    for op in fn.block.ops:  # what the halves do is asked for before they are split
        (pair.backward if op.order == sweep.order else pair.forward).pending.append(op)
    grads = [_zeros_saved(frame, p) or gradient_of(frame, p, ()) for p in sources]
    frame.builder.return_(*results, *grads)
    return pair


def _zeros_saved(frame: Frame, p: Value) -> Value | None:
    """The cotangent of a tuple of what was saved, where nothing has come to it: zeros of all."""
    if p.type != SAVED or frame.get(p) is not None:
        return None
    parts = next(op.results for op in frame.block.ops if p in op.operands)
    return frame.builder.tuple(*[frame.full(v, path) for v in parts for path in leaf_paths(v.type)])
