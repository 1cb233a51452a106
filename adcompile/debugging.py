"""`debug`: what helps to find out why a gradient is not what it should be.

Inside `with debug(numerics=True)` a derivative is not called as the text that was generated, but
its SSA is run by the interpreter, which looks at each number (`numerics`). Outside of it nothing
is slower: a class attribute is another one meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from adcompile import trees
from adcompile.codegen.masked import is_masked_product, write_out
from adcompile.derivative import Derivative
from adcompile.errors import NumericsError, shortened
from adcompile.ir import core, interpreter
from adcompile.ir.clone import clone_function
from adcompile.ir.core import Function, Op
from adcompile.ir.interpreter import Env, Leaf
from adcompile.ir.types import Opaque
from adcompile.modes import Derived, Grad, Jvp, Vjp
from adcompile.numerics import Watch, described, is_number, numbers

__all__ = ["debug"]

_numerics: ContextVar[bool] = ContextVar("numerics", default=False)
_lock = threading.Lock()
_inside = 0  # how many contexts there are, in all threads
_USUAL: Any = vars(Derivative)["__call__"]


@contextmanager
def debug(*, numerics: bool) -> Iterator[None]:
    """Look for the first NaN or infinity in the derivatives that are called in this context.

        with debug(numerics=True):
            grad(loss)(params, x)

    The first op that makes one out of finite numbers, in the forward or the backward sweep, is
    reported with the line, the op, and the values that it had. What `np.where` masks is no error;
    nor is what becomes finite again. Calls give the same numbers as without it, but slowly. The
    context is one of its thread, and of its asynchronous task. A pullback that `vjp` returns in it
    is looked at if it is called in it.

    Args:
        numerics: whether to look.

    Raises:
        NumericsError: by a call of a derivative, where it finds something; before anything is run
            if it is in an argument or a global already. A training step leaves parameters and state
            as they were.
    """
    more = 1 if numerics else 0
    token = _numerics.set(bool(numerics))
    _count(more)
    try:
        yield
    finally:
        _count(-more)
        _numerics.reset(token)


def _count(more: int) -> None:
    """Let all derivatives ask for the context, as long as there is one."""
    global _inside
    with _lock:
        _inside += more
        Derivative.__call__ = _ASKING if _inside else _USUAL


_ASKING: Any = property(lambda d: partial(_run, d) if _numerics.get() else d._direct)


def _run(derivative: Derivative, /, *args: Any, **kwargs: Any) -> Any:
    """A call of a derivative, by the interpreter."""
    spec = Derivative.lower(derivative, *args, **kwargs)
    program, given = spec.program, derivative._bind(args, kwargs)
    derivative._check_sizes(spec, given)
    if derivative._rest is not None:
        given |= derivative._rest()
    run = _Run(derivative)
    run.check(given)
    run.check_globals(program)
    return run(_written_out(program), [given[p.name] for p in program.params])


def _written_out(program: Function) -> Function:
    """`program` with its masked products as the generated text has them."""
    fns = core.callees(program)
    if not any(is_masked_product(op) for fn in fns for op in core.walk(fn.block)):
        return program
    copies = {fn: clone_function(fn) for fn in fns}
    for fn in copies.values():
        write_out(fn.block)
        for op in core.walk(fn.block):
            if isinstance(op, core.Invoke | core.Partial):
                op.callee = copies[op.callee]
    return copies[program]


@dataclass(eq=False)
class _Run:
    """One call, and calls of the pullback that it returns."""

    derivative: Derivative

    def __post_init__(self) -> None:
        self.watch = Watch(self._sweep)

    def __call__(self, fn: Function, args: Sequence[Any]) -> Any:
        writes = any(isinstance(op, core.Write) for op in core.walk(fn.block))
        before = (
            [(x, x.copy()) for x in numbers(args) if isinstance(x, np.ndarray)] if writes else []
        )
        warned = [kind for kind, how in np.geterr().items() if how == "warn"]
        try:
            with np.errstate(**dict.fromkeys(warned, "ignore")):  # type: ignore[arg-type]
                results = interpreter.run(fn, *args, observe=self._observe)
            self.watch.let_out(results)
        except NumericsError as error:
            cause = error.__cause__
            for x, old in before:
                x[...] = old
            raise shortened(error) from cause
        return results

    def _observe(self, leaf: Leaf, op: Op, values: list[Any], env: Env) -> Sequence[Any]:
        if isinstance(op, core.Partial):
            return (partial(self._pull_back, op.callee, values),)
        return self.watch(leaf, op, values, env)

    def _pull_back(self, callee: Function, saved: list[Any], cotangent: Any) -> Any:
        if not _numerics.get():
            return interpreter.run(callee, cotangent, *saved)
        self.check({"cotangent": cotangent})
        return self(callee, [cotangent, *saved])

    # --- what is not finite before it begins ----------------------------------------------------

    def check(self, given: Mapping[str, Any]) -> None:
        for name, value in given.items():
            self._check(value, name, "argument", self.derivative._loc())

    def check_globals(self, program: Function) -> None:
        for fn in core.callees(program):
            for op in core.walk(fn.block):
                if isinstance(op, core.Global) and not isinstance(op.result.type, Opaque):
                    self._check(op.source.read(), op.source.name, "global", op.loc)

    def _check(self, tree: Any, name: str, kind: str, loc: core.Loc | None) -> None:
        leaves, structure = trees.flatten(tree)
        for x, path in zip(leaves, trees.paths(structure, name), strict=True):
            if is_number(x) and not np.isfinite(x).all():
                raise NumericsError(f"the {kind} `{path}` is not finite: {described(x)}", loc)

    # --- words ----------------------------------------------------------------------------------

    def _sweep(self, op: Op) -> tuple[str, core.Loc | None]:
        """Which sweep `op` is in, and the place that it belongs to, if that is the user's."""
        optimizer = type(getattr(self.derivative, "optimizer", None)).__name__
        if op.loc.stmt.text.startswith(f"{optimizer}: "):
            return f"the update ({op.loc.stmt.text})", None
        if op.order == 0:
            return "the forward sweep", op.loc
        if core.is_quoted(op):
            return "the backward sweep", op.loc
        return f"{self._kind(op.order)} of this line", op.loc

    def _kind(self, order: int) -> str:
        innermost = self.derivative
        while isinstance(innermost.inner, Derived):
            innermost = innermost.inner
        if order == 1 and isinstance(innermost.mode, Grad | Vjp):
            return "the backward sweep"
        if order == 1 and isinstance(innermost.mode, Jvp):
            return "the tangent"
        return f"the order-{order} sweep"
