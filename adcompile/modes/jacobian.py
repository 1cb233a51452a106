"""Jacobians: all directions at once, by whichever mode has fewer of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from adcompile import errors
from adcompile.ir import core
from adcompile.ir.core import Function, Loc, Param, Value
from adcompile.ir.types import Array, Dim, Scalar, Tree, Type, carries_derivative, describe
from adcompile.modes.base import Given, Mode, open_end, split_aux

if TYPE_CHECKING:
    from adcompile.ad.sweep import Sweep
    from adcompile.ir.builder import Builder

DIRECTIONS = ("auto", "forward", "reverse")

# The sizes of the arguments at hand. They decide which mode is quicker, not what is computed.
SIZES: ContextVar[Mapping[Dim, int] | None] = ContextVar("SIZES", default=None)


@dataclass(frozen=True, slots=True)
class Jacobian(Mode):
    """The derivatives of all elements of the result by all elements of the parameters."""

    direction: str = "auto"

    suffix: ClassVar[str] = "jacobian"
    noun: ClassVar[str] = "Jacobian"

    def __post_init__(self) -> None:
        known = ", ".join(map(repr, DIRECTIONS))
        if not isinstance(self.direction, str):
            raise errors.SignatureError(
                f"the mode is one of {known}", hint="write `jacobian(f, wrt=…)(x)`"
            )
        if self.direction not in DIRECTIONS:
            raise errors.SignatureError(
                f"there is no mode {self.direction!r}", hint=f"the modes are {known}"
            )

    def derive(self, fn: Function, given: Given) -> tuple[Function, Sweep | None]:
        wrt = self.positions(fn)
        out = _one(fn)
        value = split_aux(out, fn.block.ops[-1].loc)[0] if self.has_aux else out
        if not carries_derivative(value.type):
            raise errors.NotDifferentiable(
                f"the Jacobian of {describe(value.type)} is not defined", fn.block.ops[-1].loc
            )
        arguments = [fn.block.params[k].type for k in wrt]
        for t in (value.type, *arguments):
            self._check_sizes(t, fn.block.ops[-1].loc)
        forward = self.direction == "forward"
        if self.direction == "auto":
            forward = _count(arguments) <= _count([value.type])
        name = self.name_of(fn)
        made, sweep = self._forward(fn, wrt) if forward else self._reverse(fn, wrt)
        made.name = name
        return made, sweep

    def _check_sizes(self, t: Type, loc: Loc) -> None:
        """Refuse trees whose number of leaves is not known: what is to be returned has as many."""
        if isinstance(t, Tree):
            for item in t.items:
                self._check_sizes(item, loc)
        elif carries_derivative(t) and not isinstance(t, Array | Scalar):
            raise errors.NotDifferentiable(
                f"the {self.noun} is not defined for {describe(t)}: how many there are is not known"
                " at compile time",
                loc,
                "make an array of it: `np.array(…)`, `np.stack(…)`",
            )

    def _forward(self, fn: Function, wrt: Sequence[int]) -> tuple[Function, Sweep | None]:
        from adcompile.ad.forward import jvp

        made = jvp(fn, wrt)
        ret = made.block.ops[-1]
        value, dot = ret.operands
        if self.has_aux:
            dots = dot.owner.operands if isinstance(dot.owner, core.Make) else []
            ret.operands = [dots[0], split_aux(value, ret.loc)[1]]
        else:
            ret.operands = [dot]
        return made, None

    def _reverse(self, fn: Function, wrt: Sequence[int]) -> tuple[Function, Sweep | None]:
        from adcompile.ad.reverse import backward

        out, b = open_end(fn)
        value, *aux = split_aux(out, b.loc) if self.has_aux else (out,)
        seed = Value(value.type, f"d_{fn.name}", fn.block)
        sweep, grads = backward(fn, wrt, value, seed, b)
        b.return_(value, *grads, *aux)
        return fn, sweep

    def finish(self, fn: Function, sweep: Sweep | None) -> Function:
        """Unit vectors in place of the tangents, or of the cotangent."""
        from adcompile.ad.batch import jacobian_blocks
        from adcompile.ir.builder import Builder

        ret, count = fn.block.ops[-1], len(self.names)
        if sweep is None:
            dots = fn.block.params[-count:]
            primals = [fn.block.params[k] for k in self.positions(fn)]
            seeds, outs = list(zip(dots, primals, strict=True)), ret.operands[:1]
        else:
            (seed,) = sweep.seeds
            fn.block.params.append(seed)
            fn.params.append(Param(seed.name or "d"))
            seeds, outs = [(seed, ret.operands[0])], ret.operands[1 : 1 + count]
        by = _together([fn.block.params[k].type for k in self.positions(fn)], self.as_tuple)
        of = outs[0].type if sweep is None else seeds[0][0].type
        tree = jacobian_blocks(fn, seeds, outs, forward=sweep is None, as_tuple=self.as_tuple)
        if sweep is not None:
            del fn.block.ops[-1].operands[0]  # the value
        ret = fn.block.ops.pop()
        cast = _in_dtypes(Builder(fn.block, ret.loc, ret.order), tree, of, by)
        ret.operands = [cast if v is tree else v for v in ret.operands]
        fn.block.ops.append(ret)
        return fn


@dataclass(frozen=True, slots=True)
class Hessian(Jacobian):
    """The Jacobian of a gradient."""

    direction: str = "forward"

    suffix: ClassVar[str] = "hessian"
    noun: ClassVar[str] = "Hessian"
    of_gradient: ClassVar[bool] = True

    def name_of(self, fn: Function) -> str:
        return f"{fn.name.removesuffix('_grad')}_{self.suffix}"


def _one(fn: Function) -> Value:
    """What `fn` returns, as one value."""
    ret = fn.block.ops[-1]
    if len(ret.operands) > 1:
        out, b = open_end(fn)
        b.at(ret.loc, ret.order).return_(out)
    return fn.block.ops[-1].operands[0]


# --- dtypes -------------------------------------------------------------------------------------


def _together(types: Sequence[Type], as_tuple: bool) -> Type:
    """The type of what stands at each leaf of the value, but for the shapes."""
    many = len(types) > 1 or as_tuple
    return Tree(tuple, tuple(range(len(types))), tuple(types)) if many else types[0]


def _in_dtypes(b: Builder, v: Value, of: Type, by: Type) -> Value:
    """The blocks `v` of a value of type `of`, in the dtypes of what they are derivatives by.

    Each mode has its own: forward mode that of the value, reverse mode that of the argument.
    """
    if isinstance(v.owner, core.Make):
        outer = isinstance(of, Tree)
        trees = of.items if outer else by.items if isinstance(by, Tree) else ()
        inner = [
            _in_dtypes(b, x, t, by) if outer else _in_dtypes(b, x, of, t)
            for x, t in zip(v.owner.operands, trees, strict=True)
        ]
        if all(x is y for x, y in zip(v.owner.operands, inner, strict=True)):
            return v
        assert isinstance(v.type, Tree)
        return b.make(v.type.node, v.type.keys, inner)
    if not isinstance(v.type, Array) or not isinstance(by, Array | Scalar):
        return v
    dtype = by.dtype if isinstance(by, Array) else np.dtype(float)
    if v.type.dtype == dtype:
        return v
    if v.type.rank:
        return b.member(np.astype, "astype()", v, dtype.type)
    return b.call(dtype.type if isinstance(by, Array) else float, v)


# --- which mode ---------------------------------------------------------------------------------


def sizes_of(types: Mapping[str, Type], arguments: Mapping[str, Any]) -> dict[Dim, int]:
    """The sizes that the dimensions of arguments of these types have."""
    from adcompile.signature import child

    found: dict[Dim, int] = {}
    work = [(types[name], arguments[name]) for name in types]
    while work:
        t, x = work.pop()
        if isinstance(t, Array):
            found.update((n, m) for n, m in zip(t.shape, x.shape) if isinstance(n, Dim))
        elif isinstance(t, Tree):
            work += [(item, child(x, key)) for key, item in zip(t.keys, t.items, strict=True)]
    return found


def _count(types: Sequence[Type]) -> tuple[int, int]:
    """How many elements values have, as far as it can be known, and the dimensions of others."""
    from adcompile.ir.infer.sizes import product
    from adcompile.rules.template import evaluated

    known = SIZES.get() or {}
    count, unknown = 0, 0
    work = list(types)
    while work:
        t = work.pop()
        if isinstance(t, Tree):
            work += t.items
        elif isinstance(t, Array) and carries_derivative(t):
            size = product(t.shape)
            n = size if isinstance(size, int) else evaluated(size, known)
            count += n or 0
            unknown += 0 if n is not None else t.rank
        elif isinstance(t, Scalar) and carries_derivative(t):
            count += 1
    return unknown, count
