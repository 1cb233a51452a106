"""Forward mode: Jacobian-vector products, and with them Hessian-vector products."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from adcompile import wrt as wrt_
from adcompile.errors import NotDifferentiable, SignatureError
from adcompile.ir.core import Function, Loc, Value
from adcompile.ir.types import Type
from adcompile.modes.base import Given, Mode, split_aux
from adcompile.modes.packed import Names
from adcompile.signature import Path
from adcompile.wrt import Wrt

if TYPE_CHECKING:
    from adcompile.ad.sweep import Sweep
    from adcompile.ir.builder import Builder
    from adcompile.modes.unpacking import Packed


@dataclass(frozen=True, slots=True)
class Jvp(Mode):
    """The value and its tangent, at `primals` in the direction of `tangents`.

    Without `wrt` there is a tangent for each of the primals, or None for one that is constant.
    """

    wrt: Wrt | None = None  # type: ignore[assignment]

    suffix: ClassVar[str] = "jvp"
    noun: ClassVar[str] = "JVP"
    names_kept: ClassVar[bool] = False
    packing: ClassVar[Names] = Names("primals", "tangents", "jvp(f)((x, y), (x_dot, y_dot))")

    def bound(self, inner: inspect.Signature, function: str) -> Self:
        if self.wrt is None:
            return self
        return replace(self, names=tuple(wrt_.names(self.wrt, inner, function)))

    def signature(self, inner: inspect.Signature) -> inspect.Signature:
        return self.packing.signature()

    def unpacked(self, t: Type) -> tuple[Type, ...]:
        return self.packing.items(t)

    def inner_types(self, given: Given) -> tuple[Sequence[Type], Mapping[str, Type]]:
        return self.unpacked(given.positional[0]), given.named

    def of_method(
        self, receiver: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        own = (self.packing.primals, self.packing.tangents)
        given = kwargs | dict(zip(own, args, strict=False))
        added = {own[0]: receiver} | ({own[1]: None} if self.wrt is None else {})
        for name, x in added.items():
            if isinstance(given.get(name), tuple | list):
                given[name] = (x, *given[name])
        return tuple(given.pop(name) for name in own[: len(args)]) + args[2:], given

    def alike(self, types: Mapping[str, Type], inner: inspect.Signature) -> list[tuple[Path, Path]]:
        return self.packing.alike(types, self.names, self.wrt, inner)

    def inner_arguments(
        self, args: list[Any], kwargs: dict[str, Any], unpack: Callable[[Any], list[Any]]
    ) -> tuple[list[Any], dict[str, Any]]:
        own = (self.packing.primals, self.packing.tangents)
        primals = args[0] if args else kwargs.get(own[0])
        return unpack(primals), {k: x for k, x in kwargs.items() if k not in own}

    def inner_path(self, path: Path, given: Given) -> Path | None:
        return self.packing.inner_path(path, given)

    def outer_path(self, path: Path, given: Given) -> Path:
        return self.packing.outer_path(path, given)

    def check(self, arguments: Mapping[str, Any], inner: Any, loc: Loc | None) -> None:
        primals = arguments[self.packing.primals]
        tangents, named = arguments[self.packing.tangents], arguments[self.packing.keywords]
        if not isinstance(primals, tuple | list):
            return  # refused where the types are looked at
        of = inspect.signature(inner).parameters
        given = dict(zip(of, primals, strict=False)) | named
        names = self.names
        one = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        lost = next((n for n in names if n not in given and of[n].kind in one), None)
        if lost is not None:
            raise SignatureError(
                f"`{lost}` has a tangent, but no value: it is not among the arguments",
                hint=f"pass it in `{self.packing.primals}`, or by its name",
            )
        if self.wrt is None and isinstance(tangents, tuple | list):
            names = tuple(n for n, t in zip(given, tangents, strict=False) if t is not None)
        known = {name: given[name] for name in names if name in given}
        try:
            replace(self, names=tuple(known)).check_named(known, inner, loc)
        except NotDifferentiable as e:
            if self.wrt is None:
                instead = e.hint if e.hint and e.hint.startswith("write") else ""
                e.hint = f"{instead}{instead and '; '}the tangent of what is constant is None"
            raise

    def derive(self, fn: Function, given: Given) -> tuple[Function, Sweep | None]:
        packed, values, dots, b = self._results(fn, given)
        value, dot = (_one(b, vs) for vs in (values, dots))
        aux = []
        if self.has_aux:
            value, rest = split_aux(value, b.loc)
            dot, _ = split_aux(dot, b.loc)
            aux = [rest]
        return self._made(fn, packed, b, [value, dot, *aux]), None

    def _results(
        self, fn: Function, given: Given
    ) -> tuple[Packed, list[Value], list[Value], Builder]:
        """What `fn` returns and its tangents, laid down behind the head that unpacks arguments."""
        from adcompile.ad.forward import jvp
        from adcompile.ir.clone import inline
        from adcompile.modes.unpacking import Packed

        packed = Packed.of(fn, self.packing, given)
        wrt = self._tangents_of(fn, packed)
        positions = [[p.name for p in fn.params].index(name) for name in wrt]
        made = jvp(fn, positions)
        args = [packed.arguments[p.name] for p in fn.params]
        results = inline(packed.b, made, [*args, *wrt.values()], relocate=False)
        last, packed.beside = made.block.ops[-1], made.beside
        count = len(results) // 2
        return packed, results[:count], results[count:], packed.b.at(last.loc, last.order)

    def _tangents_of(self, fn: Function, packed: Packed) -> dict[str, Value]:
        """The tangents that are passed, by the names of what they belong to."""
        if self.wrt is not None:
            self.positions(fn)
            return packed.tangents(list(self.names), isinstance(self.wrt, int | str))
        found = packed.all_tangents()
        have = {p.name for p in fn.params}
        lost = next((n for n in found if n not in have), None)
        if lost is not None:
            raise NotDifferentiable(f"`{lost}` is no number or array: it has no tangent", fn.loc)
        return found

    def _made(self, fn: Function, packed: Packed, b: Builder, results: list[Value]) -> Function:
        b.return_(*results)
        made = Function(self.name_of(fn), packed.b.block, packed.params, fn.doc, fn.loc)
        made.beside, made.writes = packed.beside, fn.writes
        return made


def _one(b: Builder, values: list[Value]) -> Value:
    return values[0] if len(values) == 1 else b.tuple(*values)


@dataclass(frozen=True, slots=True)
class Hvp(Jvp):
    """The tangent alone: of a gradient, the product of the Hessian with a vector."""

    wrt: Wrt = 0

    suffix: ClassVar[str] = "hvp"
    noun: ClassVar[str] = "Hessian-vector product"
    of_gradient: ClassVar[bool] = True
    packing: ClassVar[Names] = Names("args", "v", "hvp(f)((x,), v)")

    def derive(self, fn: Function, given: Given) -> tuple[Function, Sweep | None]:
        packed, values, dots, b = self._results(fn, given)
        aux = values[1:] if self.has_aux else []
        return self._made(fn, packed, b, [dots[0], *aux]), None

    def name_of(self, fn: Function) -> str:
        return f"{fn.name.removesuffix('_grad')}_{self.suffix}"
