"""Adjoints of calls that are kept as calls: recursion, large callees.

A callee is split in two. `f_forward` returns the result and a tuple of what it saved, `f_backward`
takes the cotangent of the result and that tuple, and returns the cotangents of the active
arguments. The tuple is a value like any other, so a call in a loop is saved by the loop's tape and
recursion needs nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adcompile.ad.activity import active_values
from adcompile.ad.sweep import Frame, Sweep, gradient_of, handles, sweep_ops
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.clone import clone_function
from adcompile.ir.core import Block, Function, Param, Value
from adcompile.ir.types import Opaque


@dataclass(eq=False, slots=True)
class Pair:
    """A callee on its way to being split: both sweeps in one function, and the two to be."""

    joint: Function
    sweep: Sweep
    seed: Value  # the cotangent of the result
    wrt: tuple[int, ...]  # the active parameters
    forward: Function = field(init=False)
    backward: Function = field(init=False)

    def __post_init__(self) -> None:
        fn = self.joint
        self.forward = Function(f"{fn.name}_forward", Block(), fn.params, fn.doc, fn.loc)
        params = [Param(f"d_{fn.name}"), Param("saved")]
        self.backward = Function(f"{fn.name}_backward", Block(), params, None, fn.loc)

    def split(self) -> None:
        """Cut the finished joint function between its sweeps."""
        ops = self.joint.block.ops
        ret = ops.pop()
        result, *grads = ret.operands
        late = self._backward_ops(ops)
        first = [op for op in ops if op not in late]
        second = [op for op in ops if op in late]
        crossing = self._crossing(second, grads)
        params = [p for p in self.joint.block.params if p is not self.seed]
        self.forward.block.params, self.forward.block.ops = params, first
        _own(self.forward.block)
        b = Builder(self.forward.block, ret.loc)
        b.return_(result, b.tuple(*crossing))
        seed, saved = self.seed, Value(Opaque(tuple), "saved")
        body = Block([seed, saved])
        parts = [Value(v.type, v.name) for v in crossing]
        order = self.sweep.order
        if parts:
            body.ops.append(core.Unpack([saved], parts, ret.loc, order))
        body.ops += [*second, core.Return(list(grads), [], ret.loc, order)]
        core.substitute(body, dict(zip(crossing, parts, strict=True)))
        self.backward.block.params, self.backward.block.ops = body.params, body.ops
        _own(self.backward.block)

    def _backward_ops(self, ops: list[core.Op]) -> set[core.Op]:
        """The ops of the backward sweep: those of its order that the result does not need."""
        return {op for op in ops if op.order == self.sweep.order}

    def _crossing(self, second: list[core.Op], grads: list[Value]) -> list[Value]:
        made = {self.seed}
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
    d = gradient_of(frame, op.results[0], ())
    frame.pop(op.results[0])
    wrt = tuple(k for k, x in enumerate(op.operands) if x in frame.sweep.active)
    pair = _pair(frame.sweep, op.callee, wrt)
    op.callee = pair.forward
    saved = Value(Opaque(tuple), "saved", op)
    op.results.append(saved)
    frame.sweep.home[saved] = frame.sweep.home[op.results[0]]
    types = [op.operands[k].type for k in wrt]
    back = frame.builder.add(core.Invoke, [d, saved], types, callee=pair.backward)
    for k, r in zip(wrt, back.results, strict=True):
        frame.add(op.operands[k], r)


def _pair(sweep: Sweep, callee: Function, wrt: tuple[int, ...]) -> Pair:
    """The two halves of `callee`, made at the first call that needs them."""
    key = (callee, wrt)
    if key in sweep.pairs:
        return sweep.pairs[key]
    fn = clone_function(callee)
    (result,) = fn.block.ops.pop().operands
    sources = [fn.block.params[k] for k in wrt]
    inner = Sweep(active_values(fn, sources, [result]), {}, sweep.order, pairs=sweep.pairs)
    inner.adopt(fn.block)
    seed = Value(result.type, f"d_{fn.name}", fn.block)
    pair = sweep.pairs[key] = Pair(fn, inner, seed, wrt)
    ops = list(fn.block.ops)
    frame = Frame(inner, fn.block, Builder(fn.block, fn.loc, sweep.order))
    frame.add(result, seed)
    sweep_ops(frame, ops)
    grads = [gradient_of(frame, p, ()) for p in sources]
    frame.builder.return_(result, *grads)
    return pair
