"""Reverse mode for a whole function: a backward sweep behind the forward one."""

from __future__ import annotations

from collections.abc import Sequence

from adcompile import errors
from adcompile.ad import (  # noqa: F401  (they register their handlers)
    adjoints,
    calls,
    control,
    elements,
    invoke,
    lists,
)
from adcompile.ad.activity import active_values
from adcompile.ad.sweep import Frame, Path, Sweep, gradient_of, sweep_ops
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Function, Value
from adcompile.ir.types import Array, Scalar, Tree, describe
from adcompile.runtime import stop_gradient


def reverse(
    fn: Function,
    wrt: Sequence[int],
    *,
    name: str,
    as_tuple: bool = False,
    with_value: bool = False,
    has_aux: bool = False,
) -> tuple[Function, Sweep]:
    """Append to `fn` (which is changed) the backward sweep of its result.

    `wrt` are positions in `fn.block.params`. The new function returns the gradients (one operand,
    a tuple for more than one of `wrt` or `as_tuple`), after the value if `with_value`, then `aux`.
    Raises NotDifferentiable for a result that is not a real scalar and MissingRule for a function
    without a rule on an active path.
    """
    ret = fn.block.ops.pop()
    (out,) = ret.operands
    loss, aux = _split_aux(out, ret.loc) if has_aux else (out, None)
    _check_scalar(loss, ret.loc)
    sources = [fn.block.params[k] for k in wrt]
    order = 1 + max((op.order for op in core.walk(fn.block)), default=0)
    sweep = Sweep(active_values(fn, sources, [loss]), {}, order)
    sweep.adopt(fn.block)
    _name_leaves(fn, sweep)
    ops = list(fn.block.ops)
    frame = Frame(sweep, fn.block, Builder(fn.block, ret.loc, order))
    frame.add(loss, frame.builder.const(1.0))
    sweep_ops(frame, ops)
    grads = [gradient_of(frame, p, ()) for p in sources]
    result = grads[0] if len(grads) == 1 and not as_tuple else frame.builder.tuple(*grads)
    value = loss if aux is None else frame.builder.tuple(loss, aux)
    extra = [] if aux is None else [aux]
    frame.builder.return_(*([value, result] if with_value else [result, *extra]))
    _forget_stops(fn)
    fn.name = name
    return fn, sweep


def _name_leaves(fn: Function, sweep: Sweep) -> None:
    """Tell apart the leaves of parameter trees that a loop over layers gave the same name."""
    paths: dict[Value, tuple[Value, Path]] = {p: (p, ()) for p in fn.block.params}
    taken: dict[str, int] = {}
    for op in fn.block.ops:
        if not isinstance(op, core.Unpack | core.Item) or op.operands[0] not in paths:
            continue
        tree, path = paths[op.operands[0]]
        t = op.operands[0].type
        keys = (op.key,) if isinstance(op, core.Item) else t.keys if isinstance(t, Tree) else ()
        for key, child in zip(keys, op.results):
            leaf = tree, (*path, key)
            paths[child] = leaf
            if child.name and leaf not in sweep.names:
                taken[child.name] = taken.get(child.name, 0) + 1
                count = "" if taken[child.name] == 1 else str(taken[child.name])
                sweep.names[leaf] = child.name + count
            if leaf in sweep.names:
                sweep.names[child, ()] = sweep.names[leaf]


def _forget_stops(fn: Function) -> None:
    """`stop_gradient(x)` has done its work: it is `x`."""
    ops = [op for op in core.walk(fn.block) if isinstance(op, core.Call)]
    stops = [op for op in ops if op.fn is stop_gradient]
    core.substitute(fn.block, {op.result: op.operands[0] for op in stops})


def _split_aux(out: Value, loc: core.Loc) -> tuple[Value, Value]:
    if isinstance(out.owner, core.Make) and len(out.owner.operands) == 2:
        loss, aux = out.owner.operands
        return loss, aux
    raise errors.NotDifferentiable(
        "with has_aux=True the function must return (loss, anything)", loc, "return loss, aux"
    )


def _check_scalar(loss: Value, loc: core.Loc) -> None:
    t = loss.type
    complex_number = isinstance(t, Scalar) and t.kind == "complex"
    real = isinstance(t, Scalar | Array) and not complex_number
    if isinstance(t, Array):
        real = t.dtype.kind in "fiub" and t.rank == 0
    if real:
        return
    raise errors.NotDifferentiable(
        f"the gradient of {describe(t)} is not defined: the function must return one real number",
        loc,
        "return a sum or mean of it",
    )
