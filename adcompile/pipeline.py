"""The stages in order: what happens between a user's function and the text of its gradient."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from adcompile import errors
from adcompile.ad.reverse import reverse
from adcompile.ad.saved import settle
from adcompile.ad.sweep import Sweep
from adcompile.ad.update import append_update
from adcompile.codegen.python import Generated, generate
from adcompile.frontend.fixed import keep_fixed_parameters
from adcompile.frontend.lower import lower_function
from adcompile.ir.core import Function
from adcompile.ir.types import Type
from adcompile.passes import (
    checks,
    cse,
    dce,
    delay,
    fits,
    fuse,
    hoist,
    latest,
    results,
    shapes,
    simplify,
    sink,
)

if TYPE_CHECKING:
    from adcompile.optim.base import Optimizer

# Each pass is `run(fn) -> None`. The first row works on a backward sweep that still reads primal
# values wherever they are; `settle` decides which of them are saved; the second row tidies up.
CLEAN = (simplify, shapes, sink, cse, dce)
POLISH = (cse, simplify, fuse, hoist, dce, latest, delay, results)
# For a callee that is split between its sweeps, which must not grow together.
SPLIT = tuple(p for p in POLISH if p not in (fuse, results))


class _CollectorPaused:
    """No garbage collection while compiling.

    SSA is one large web of cycles, all of it alive until the text is made: to go over it again and
    again took a third of the time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0  # threads
        self._was_on = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._was_on = gc.isenabled()
                gc.disable()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and self._was_on:
                gc.enable()


_collector_paused = _CollectorPaused()


def compile_gradient(
    fn: Callable[..., Any],
    types: Sequence[Type],
    wrt: Sequence[str],
    *,
    kwarg_types: Mapping[str, Type] | None = None,
    as_tuple: bool = False,
    with_value: bool = False,
    has_aux: bool = False,
) -> tuple[Generated, Function]:
    """The generated gradient of `fn` for arguments of these types.

    `wrt` are names of parameters; with `as_tuple` there is a tuple of gradients even for one.
    Returns the text and the SSA that it was made from.
    """
    with _collector_paused:
        primal = lower_function(fn, types, kwarg_types or {})
        keep_fixed_parameters(primal, fn, types, kwarg_types or {})
        fits.run(primal)
        name = primal.name.strip("<>") + ("_value_and_grad" if with_value else "_grad")
        gradient, sweep = reverse(
            primal,
            _positions(primal, wrt),
            name=name,
            as_tuple=as_tuple,
            with_value=with_value,
            has_aux=has_aux,
        )
        finish(gradient, sweep)
        gradient.writes = primal.writes
        return generate(gradient), gradient


def compile_step(
    loss: Callable[..., Any],
    types: Sequence[Type],
    kwarg_types: Mapping[str, Type],
    optimizer: Optimizer,
    *,
    has_aux: bool = False,
) -> tuple[Generated, Function, list[str]]:
    """A training step of `optimizer` for `loss`: forward, backward and update in one function.

    The first of `types` is that of the tree of parameters. Also returns the names of the keywords
    that take the optimizer's state trees and the numbers of the step.
    """
    with _collector_paused:
        primal = lower_function(loss, types, kwarg_types)
        keep_fixed_parameters(primal, loss, types, kwarg_types)
        fits.run(primal)
        name = primal.name.strip("<>") + "_step"
        step, sweep = reverse(primal, [0], name=name, with_value=True, has_aux=has_aux)
        names = append_update(step, optimizer)
        finish(step, sweep)
        step.writes = primal.writes
        return generate(step), step, names


def finish(fn: Function, sweep: Sweep) -> None:
    """Make good code of what reverse mode built, in `fn` and in the callees it has split."""
    known = checks.sources(fn)
    demands = checks.collect(fn, sweep.order)
    _clean_up(fn, sweep, POLISH)
    checks.restore(fn, demands, known)
    for pair in sweep.pairs.values():
        _clean_up(pair.joint, pair.sweep, SPLIT)
        pair.split()


def _clean_up(fn: Function, sweep: Sweep, polish: Sequence[ModuleType]) -> None:
    for p in CLEAN:
        p.run(fn)
    settle(fn, sweep.links)
    for p in polish:
        p.run(fn)
    fn.settled = None  # it has served


def _positions(fn: Function, names: Sequence[str]) -> list[int]:
    """Where parameters stand (one whose value is known at compile time is none)."""
    have = [p.name for p in fn.params]
    for name in names:
        if name not in have:
            raise errors.NotDifferentiable(
                f"the gradient with respect to `{name}` is not defined: it is no number or array",
                fn.loc,
            )
    return [have.index(name) for name in names]
