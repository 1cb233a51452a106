"""The stages in order: what happens between a user's function and the text of a derivative."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from adcompile.ad.saved import settle
from adcompile.ad.update import append_update
from adcompile.codegen.python import Generated, generate
from adcompile.frontend.fixed import keep_fixed_parameters
from adcompile.frontend.lower import lower_function
from adcompile.frontend.wanted import translated
from adcompile.ir import core
from adcompile.ir.core import Function
from adcompile.ir.types import Type
from adcompile.modes import Derived, Grad, Mode, Vjp
from adcompile.modes.base import Given
from adcompile.optim import lowering  # noqa: F401  (what it says is noted by the frontend)
from adcompile.passes import (
    checks,
    cse,
    dce,
    delay,
    fits,
    forget,
    fuse,
    hoist,
    latest,
    lean,
    results,
    served,
    shapes,
    simplify,
    sink,
)
from adcompile.threads import COMPILING

if TYPE_CHECKING:
    from adcompile.optim.base import Optimizer

# Each pass is `run(fn) -> None`. The first row works on a backward sweep that still reads primal
# values wherever they are; `settle` decides which of them are saved. The second row makes what is
# to be differentiated again lean, and the others tidy up what becomes a text: what has become equal
# when it was simplified is shared, and with more than one backward sweep there is more to share.
CLEAN = (served, simplify, shapes, sink, cse, dce)
AGAIN = (cse, fuse, simplify, dce)
ONCE = (forget, fuse, simplify, cse)
LEAN = (forget, cse, fuse, simplify)
SHARE = (cse, shapes)
POLISH = (hoist, dce, lean, latest, delay, results)
# For callees that are split between their sweeps, which must not grow together.
SPLIT = (cse, simplify, hoist, dce, latest, delay)


@contextmanager
def _alone() -> Iterator[None]:
    """No other thread compiles meanwhile, and no garbage is collected.

    SSA is one large web of cycles, all of it alive until the text is made: to go over it again and
    again took a third of the time.
    """
    with COMPILING:
        was_on = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if was_on:
                gc.enable()


def compile_derivative(
    f: Derived, positional: Sequence[Type], named: Mapping[str, Type]
) -> tuple[Generated, Function]:
    """The generated text of `f` for arguments of these types, and the SSA that it was made from."""
    with _alone():
        fn = build(f, positional, named, checked=True)
        polish(fn, f.mode)
        return generate(fn), fn


def compile_step(
    loss: Callable[..., Any],
    positional: Sequence[Type],
    named: Mapping[str, Type],
    optimizer: Optimizer,
    *,
    has_aux: bool = False,
) -> tuple[Generated, Function, list[str]]:
    """A training step of `optimizer` for `loss`: forward, backward and update in one function.

    The first of the types is that of the tree of parameters. Also returns the names of the keywords
    that take the optimizer's state trees and the numbers of the step.
    """
    with _alone():
        primal = build(loss, positional, named)
        mode = Grad(has_aux=has_aux, names=(primal.params[0].name,), with_value=True)
        step = derive(mode, primal, Given(positional, named, inspect.signature(loss)))
        names = append_update(step, optimizer)
        step.name = primal.name.removesuffix("_value_and_grad") + "_step"
        polish(step, mode)
        return generate(step), step, names


def build(
    f: Any, positional: Sequence[Type], named: Mapping[str, Type], checked: bool = False
) -> Function:
    """The SSA of a Python function or a `Derived` for arguments of these types.

    With `checked`, tangents have the sizes of what they belong to; else that is checked in it.
    """
    if not isinstance(f, Derived):
        fn = lower_function(f, positional, named)
        keep_fixed_parameters(fn, f, positional, named)
        fits.run(fn)
        return fn
    mode, given = f.mode, Given(positional, named, inspect.signature(f.inner), checked)
    with translated(
        lambda path: mode.inner_path(path, given), lambda path: mode.outer_path(path, given)
    ):
        fn = build(f.inner, *mode.inner_types(given))
    if isinstance(f.inner, Derived):
        again(fn)
    writes = tuple([mode.outer_path(path, given) for path in fn.writes])
    made = derive(mode, fn, given)
    made.writes = writes
    return made


def derive(mode: Mode, fn: Function, given: Given) -> Function:
    """The derivative of `fn` in proper SSA: what crosses between its sweeps is settled."""
    demands = checks.collect(fn)
    made, sweep = mode.derive(fn, given)
    made.demands = demands
    if sweep is None:
        for p in CLEAN:
            p.run(made)
        return mode.finish(made, None)
    parts = [(pair.joint, pair.sweep) for pair in sweep.pairs.values()]
    if made.block.ops:
        parts.insert(0, (made, sweep))
    for part, inner in parts:
        for p in CLEAN:
            p.run(part)
        settle(part, inner.links)
    for pair in sweep.pairs.values():
        _run(SPLIT, pair.joint)
        pair.split()
    return mode.finish(made, sweep)


def again(fn: Function) -> None:
    """Make `fn` lean enough to be differentiated once more."""
    _run(AGAIN, fn)


def hand_over(fn: Function) -> None:
    """Make what `fn` returns arrays of their own, for a program that it becomes a part of."""
    again(fn)
    results.run(fn)


def polish(fn: Function, mode: Mode) -> None:
    """Make good code of `fn`, what `mode` has made, and of what it calls."""
    once = isinstance(mode, Grad | Vjp) and all(op.order <= 1 for op in core.walk(fn.block))
    _run((*(ONCE if once else (*LEAN, *SHARE)), *POLISH), fn)
    checks.restore(fn)


def _run(passes: Sequence[ModuleType], fn: Function) -> None:
    for p in passes:
        p.run(fn)
    fn.settled = None  # it has served
