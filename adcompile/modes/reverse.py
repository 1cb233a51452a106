"""Reverse mode: gradients, and vector-Jacobian products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from adcompile import errors
from adcompile.ir import core
from adcompile.ir.core import Function
from adcompile.ir.types import PULLBACK, Array, Scalar, Type, describe
from adcompile.modes.base import Given, Mode, one_or_tuple, open_end, split_aux

if TYPE_CHECKING:
    from adcompile.ad.sweep import Sweep
    from adcompile.ir.builder import Builder


@dataclass(frozen=True, slots=True)
class Grad(Mode):
    """The gradient of one real number."""

    with_value: bool = False

    suffix: ClassVar[str] = "grad"
    noun: ClassVar[str] = "gradient"

    def derive(self, fn: Function, given: Given) -> tuple[Function, Sweep | None]:
        from adcompile.ad.reverse import backward

        wrt = self.positions(fn)
        out, b = open_end(fn)
        loss, aux = split_aux(out, b.loc) if self.has_aux else (out, None)
        self.check_value(loss.type, b)
        sweep, grads = backward(fn, wrt, loss, b.const(1.0), b)
        result = one_or_tuple(b, grads, self.as_tuple)
        value = loss if aux is None else b.tuple(loss, aux)
        extra = [] if aux is None else [aux]
        b.return_(*([value, result] if self.with_value else [result, *extra]))
        fn.name = self.name_of(fn)
        return fn, sweep

    def name_of(self, fn: Function) -> str:
        return f"{fn.name.strip('<>')}_{'value_and_' if self.with_value else ''}{self.suffix}"

    def check_value(self, t: Type, b: Builder) -> None:
        """Refuse to take the gradient of anything but one real number."""
        if not _is_real(t) or (isinstance(t, Array) and t.rank):
            hint = "return a sum or mean of it, or take its `jacobian`"
            if b.order > 1:  # it is a derivative itself
                hint = (
                    "a gradient has a `jacobian`; of the function itself, take `hessian` or `hvp`"
                )
            raise errors.NotDifferentiable(
                f"the gradient of {describe(t)} is not defined: "
                "the function must return one real number",
                b.loc,
                hint,
            )


@dataclass(frozen=True, slots=True)
class ElementwiseGrad(Grad):
    """The derivative of each element of the result by the element of the argument at its place."""

    suffix: ClassVar[str] = "elementwise_grad"
    noun: ClassVar[str] = "elementwise gradient"

    def check_value(self, t: Type, b: Builder) -> None:
        if not _is_real(t):
            raise errors.NotDifferentiable(
                f"the elementwise gradient of {describe(t)} is not defined: "
                "the function must return an array of real numbers",
                b.loc,
            )


def _is_real(t: Type) -> bool:
    if isinstance(t, Scalar):
        return t.kind != "complex"
    return isinstance(t, Array) and t.dtype.kind in "fiub"


@dataclass(frozen=True, slots=True)
class Vjp(Mode):
    """The value, and the function from its cotangent to the cotangents of the parameters."""

    suffix: ClassVar[str] = "vjp"
    noun: ClassVar[str] = "VJP"

    def derive(self, fn: Function, given: Given) -> tuple[Function, Sweep | None]:
        """The forward half of `fn`, which is empty until the two halves are split."""
        from adcompile.ad.reverse import split

        wrt = self.positions(fn)
        out, b = open_end(fn)
        value, aux = split_aux(out, b.loc) if self.has_aux else (out, None)
        b.at(b.loc, b.order - 1).return_(*([value] if aux is None else [value, aux]))
        fn.name = fn.name.strip("<>")
        sweep, pair = split(fn, wrt, b.order)
        if self.as_tuple:
            ret = pair.joint.block.ops.pop()
            b = b.into(pair.joint.block).at(ret.loc, ret.order)
            made = b.tuple(*ret.operands[pair.count :])
            b.return_(*ret.operands[: pair.count], made)
        pair.forward.name = self.name_of(fn)
        return pair.forward, sweep

    def finish(self, fn: Function, sweep: Sweep | None) -> Function:
        """What was saved becomes part of the function that is returned."""
        from adcompile.ir.builder import Builder
        from adcompile.passes import results

        assert sweep is not None
        pair = next(p for p in sweep.pairs.values() if p.forward is fn)
        ret = fn.block.ops.pop()
        value, *aux, saved = ret.operands
        b = Builder(fn.block, ret.loc, sweep.order)
        results.run(pair.backward)
        op = b.add(core.Partial, [saved], [PULLBACK], callee=pair.backward)
        b.return_(value, op.result, *aux)
        return fn
