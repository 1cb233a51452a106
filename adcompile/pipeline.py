"""The stages in order: what happens between a user's function and the text of its gradient."""

from __future__ import annotations

from collections.abc import Sequence

from adcompile import errors
from adcompile.ad.reverse import reverse
from adcompile.ad.saved import settle
from adcompile.ad.sweep import Sweep
from adcompile.ad.update import append_update
from adcompile.codegen.python import Generated, generate
from adcompile.frontend.lower import lower_function
from adcompile.ir.core import Function
from adcompile.ir.types import Array, Scalar, Static, Type, describe, is_inexact
from adcompile.passes import cse, dce, fuse, hoist, results, shapes, simplify, sink

# Each pass is `run(fn) -> None`. The first row works on a backward sweep that still reads primal
# values wherever they are; `settle` decides which of them are saved; the second row tidies up.
CLEAN = (simplify, shapes, dce, sink, cse, dce)
POLISH = (simplify, shapes, cse, dce, fuse, hoist, dce, results)


def compile_gradient(
    fn,
    types: Sequence[Type],
    wrt: Sequence[int],
    *,
    as_tuple: bool = False,
    with_value: bool = False,
    has_aux: bool = False,
) -> tuple[Generated, Function]:
    """The generated gradient of the Python function `fn` for parameters of these types.

    `wrt` are positions of parameters; with `as_tuple` there is a tuple of gradients even for one.
    Returns the text and the SSA it was made from.
    """
    primal = lower_function(fn, types)
    positions = _value_positions(types, wrt, primal)
    name = primal.name + ("_value_and_grad" if with_value else "_grad")
    gradient, sweep = reverse(
        primal, positions, name=name, as_tuple=as_tuple, with_value=with_value, has_aux=has_aux
    )
    finish(gradient, sweep)
    return generate(gradient), gradient


def compile_step(loss, types: Sequence[Type], optimizer) -> tuple[Generated, Function]:
    """A training step of `optimizer` for `loss`: forward, backward and update in one function.

    `types` are those of the parameters of `loss`, the first of which is the tree of parameters.
    The generated function takes these, the optimizer's state trees and the numbers of the step.
    """
    primal = lower_function(loss, types)
    name = f"{primal.name}_step"
    step, sweep = reverse(primal, _value_positions(types, [0], primal), name=name, with_value=True)
    states = [
        name if array is not None else None
        for name, array in zip(optimizer.state_names, optimizer.state[0], strict=True)
    ]
    scalars, kind = list(optimizer.scalars()), type(optimizer).__name__
    append_update(step, optimizer.update, states, scalars, optimizer.options, kind)
    finish(step, sweep)
    return generate(step), step


def finish(fn: Function, sweep: Sweep) -> None:
    """Make good code of what reverse mode built, in `fn` and in the callees it has split."""
    _clean_up(fn, sweep)
    for pair in sweep.pairs.values():
        _clean_up(pair.joint, pair.sweep)
        pair.split()


def _clean_up(fn: Function, sweep: Sweep) -> None:
    for p in CLEAN:
        p.run(fn)
    settle(fn, sweep.links)
    for p in POLISH:
        p.run(fn)


def _value_positions(types: Sequence[Type], wrt: Sequence[int], fn: Function) -> list[int]:
    """Where the parameters `wrt` stand among the values of `fn` (static ones are no values)."""
    for k in wrt:
        t = types[k]
        if isinstance(t, Static) or (isinstance(t, Scalar | Array) and not is_inexact(t)):
            raise errors.NotDifferentiable(
                f"the gradient with respect to `{fn.params[k].name}` is not defined: "
                f"it is {describe(t)}, and derivatives are of real numbers",
                fn.loc,
                "pass floating point numbers, np.array([2., 3.]) instead of np.array([2, 3])",
            )
    before = [sum(not isinstance(t, Static) for t in types[:k]) for k in range(len(types))]
    return [before[k] for k in wrt]
