"""What all modes have in common.

A `Derived` is a mode and the function that it is a derivative of, which may be a `Derived` itself.
`pipeline.build` makes the SSA of the inner function first and hands it to `Mode.derive`: the output
of one mode is the input of the next, so modes nest to any order without knowing of each other.

A mode is made when `grad(f)` is called, but differentiates nothing before `f` is compiled: what is
needed for that is imported there, so that importing adcompile takes little time.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from adcompile import errors
from adcompile import wrt as wrt_
from adcompile.ir import core
from adcompile.ir.core import Function, Loc, Value
from adcompile.ir.types import Type
from adcompile.signature import Path
from adcompile.wrt import Wrt

if TYPE_CHECKING:
    from adcompile.ad.sweep import Sweep
    from adcompile.ir.builder import Builder

# What `grad` and its kin make of a function, by their options: one mode on top of the other.
CHAINS: dict[Callable[..., Any], Callable[..., tuple[Mode, ...]]] = {}


class Derived:
    """A function that is a derivative of another one.

    Attributes:
        mode: which derivative.
        inner: the function it is a derivative of: a Python function, or a `Derived`.
        state: what a call changes besides its result, and what to do instead; such a derivative
            cannot be called in a program.
    """

    mode: Mode
    inner: Any
    state: ClassVar[tuple[str, str] | None] = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a Derived says itself how it is called")


@dataclass(frozen=True, slots=True)
class Given:
    """What a derivative is called with, and the parameters of the function that it is of."""

    positional: Sequence[Type]
    named: Mapping[str, Type]
    inner: inspect.Signature
    checked: bool = False  # whether sizes that must be equal are compared before the call


@dataclass(frozen=True, slots=True)
class Mode(ABC):
    """One kind of derivative, with respect to the parameters `wrt` (as the user gave them)."""

    wrt: Wrt = 0
    has_aux: bool = False
    names: tuple[str, ...] = ()  # of the parameters that `wrt` means

    suffix: ClassVar[str]  # of the generated function's name
    noun: ClassVar[str]  # for messages
    names_kept: ClassVar[bool] = True  # whether its parameters are those of the inner function
    of_gradient: ClassVar[bool] = False  # whether it is always put on a gradient, for the user

    def bound(self, inner: inspect.Signature, function: str) -> Self:
        """The same mode for a function with these parameters."""
        return replace(self, names=tuple(wrt_.names(self.wrt, inner, function)))

    def signature(self, inner: inspect.Signature) -> inspect.Signature:
        """The parameters of the derivative of a function with these parameters."""
        return inner

    def inner_types(self, given: Given) -> tuple[Sequence[Type], Mapping[str, Type]]:
        """What the inner function is called with."""
        return given.positional, given.named

    def of_method(
        self, receiver: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the derivative of a method as those of the derivative of the function.

        That has the object as its first parameter.
        """
        return (receiver, *args), kwargs

    def alike(self, types: Mapping[str, Type], inner: inspect.Signature) -> list[tuple[Path, Path]]:
        """The arrays among the arguments that must have the same shape."""
        return []

    def inner_arguments(
        self, args: list[Any], kwargs: dict[str, Any], unpack: Callable[[Any], list[Any]]
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of the inner function, where those of the derivative are operands."""
        return args, kwargs

    def unpacked(self, t: Type) -> tuple[Type, ...]:
        """The types of the inner function's arguments, which are packed in one of type `t`."""
        raise AssertionError(f"{type(self).__name__} takes its arguments as they are")

    def inner_path(self, path: Path, given: Given) -> Path | None:
        """A leaf of the derivative's arguments as one of the inner function's, if it is one."""
        return path

    def outer_path(self, path: Path, given: Given) -> Path:
        """A leaf of the inner function's arguments as one of the derivative's."""
        return path

    def check(self, arguments: Mapping[str, Any], inner: Any, loc: Loc | None) -> None:
        """Refuse arguments that there is no derivative with respect to."""
        self.check_named(arguments, inner, loc)

    def check_named(self, arguments: Mapping[str, Any], inner: Any, loc: Loc | None) -> None:
        """The same for arguments of the inner function.

        Of arguments that are packed, those that are no real numbers are constants.
        """
        packed = isinstance(inner, Derived) and not inner.mode.names_kept
        for name in self.names:
            if not wrt_.check_real(arguments[name], (name,), loc, self.noun, packed) and packed:
                wrt_.check_real(arguments[name], (name,), loc, self.noun)

    @abstractmethod
    def derive(self, fn: Function, given: Given) -> tuple[Function, Sweep | None]:
        """The derivative of `fn`, which may be changed, for arguments of its own that are `given`.

        In reverse mode also what the backward sweep is linked to: it is still to be settled.
        """

    def finish(self, fn: Function, sweep: Sweep | None) -> Function:
        """`fn`, what `derive` made, with what is left to do when its sweeps are settled."""
        return fn

    @property
    def as_tuple(self) -> bool:
        """Whether there is a tuple of results even for one parameter."""
        return not isinstance(self.wrt, int | str)

    def positions(self, fn: Function) -> list[int]:
        """Where the parameters stand (one whose value is known at compile time is none)."""
        have = [p.name for p in fn.params]
        for name in self.names:
            if name not in have:
                raise errors.NotDifferentiable(
                    f"the {self.noun} with respect to `{name}` is not defined: "
                    "it is no number or array",
                    fn.loc,
                )
        return [have.index(name) for name in self.names]

    def name_of(self, fn: Function) -> str:
        return f"{fn.name.strip('<>')}_{self.suffix}"


def open_end(fn: Function) -> tuple[Value, Builder]:
    """Take off the `Return` of `fn`: what it returned, and a builder for a derivative behind it."""
    from adcompile.ir.builder import Builder

    ops = (op for f in core.callees(fn) for op in core.walk(f.block))
    order = 1 + max((op.order for op in ops), default=0)
    ret = fn.block.ops.pop()
    b = Builder(fn.block, ret.loc, order)
    if len(ret.operands) == 1:
        return ret.operands[0], b
    return b.at(ret.loc, ret.order).tuple(*ret.operands), b


def split_aux(out: Value, loc: Loc) -> tuple[Value, Value]:
    if isinstance(out.owner, core.Make) and len(out.owner.operands) == 2:
        value, aux = out.owner.operands
        return value, aux
    raise errors.NotDifferentiable(
        "with has_aux=True the function must return (value, anything)", loc, "return value, aux"
    )


def one_or_tuple(b: Builder, values: Sequence[Value], as_tuple: bool) -> Value:
    return values[0] if len(values) == 1 and not as_tuple else b.tuple(*values)
