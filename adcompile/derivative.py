"""`Derivative`: what `grad`, `jvp` and their kin return.

A `Derivative` is compiled when it is called, once for each signature. A call tries the entry of the
specialisation that was used last, then those of the others; the slow path makes the signature's
key, looks it up, and compiles (`specialisation`). Calls are re-entrant and may come from several
threads.
"""

from __future__ import annotations

import functools
import inspect
import operator
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adcompile.bound import BoundDerivative
from adcompile.codegen.load import explain, load, standalone
from adcompile.errors import AdcompileError, InternalError, SignatureError, shortened
from adcompile.frontend.source import get_source, loc_of, unwrapped
from adcompile.frontend.wanted import ALIASES, LAYOUTS, READ, NeedLayout, NeedStatic
from adcompile.guards import MISSED, make_entry, with_fallback
from adcompile.ir.core import Function, GlobalRef, Loc
from adcompile.ir.types import Type
from adcompile.modes import Derived, Mode
from adcompile.modes.jacobian import SIZES, sizes_of
from adcompile.overlap import aliases
from adcompile.signature import Path, look_up, path_text
from adcompile.specialisation import Specialisation, Specialisations, globals_of
from adcompile.threads import COMPILING

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from adcompile.codegen.python import Generated

__all__ = ["Derivative"]


def _numpy(f: Derived, *types: Any) -> tuple[Generated, Function]:
    from adcompile.pipeline import compile_derivative  # when something is compiled, and no sooner

    return compile_derivative(f, *types)


BACKENDS: dict[str, Callable[..., tuple[Generated, Function]]] = {"numpy": _numpy}


class Derivative(Derived):
    """A derivative of a function, compiled for each signature that it is called with.

    Attributes:
        primal: the function as written.
        mode: which derivative it is: the gradient, the JVP, …
        source: the generated text, of the specialisation that was used last.
        ssa: the SSA it was made from.
    """

    __name__: str
    __qualname__: str

    _rest: Callable[[], dict[str, Any]] | None = None  # what a call passes besides the arguments

    def __init__(self, f: Callable[..., Any], mode: Mode, *, backend: str = "numpy"):
        if backend not in BACKENDS:
            known = ", ".join(map(repr, sorted(BACKENDS)))
            raise SignatureError(f"there is no back end {backend!r}", hint=f"there is: {known}")
        functools.update_wrapper(self, f)
        self.inner = f if isinstance(f, Derived) else unwrapped(f)
        self.primal = f.primal if isinstance(f, Derivative) and mode.of_gradient else f
        self._of = f
        of = inspect.signature(self.inner, follow_wrapped=False)
        self._given_mode, self._backend = mode, backend
        self.mode = mode.bound(of, getattr(f, "__name__", "the function"))
        self.__signature__ = self.mode.signature(of)
        self._specialisations = Specialisations(self._compile)
        self._check_call = self._make_entry({}, {}, None, None, [])
        self._direct = with_fallback(self._check_call, self._missed)
        self._last: Specialisation | None = None
        _made.add(self)

    if TYPE_CHECKING:

        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    else:  # no Python frame stands between a call and the entry of the last specialisation
        __call__ = property(operator.attrgetter("_direct"))

    def _missed(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._dispatch(args, kwargs)
        except AdcompileError as e:
            raise shortened(e) from e.__cause__

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else BoundDerivative(self, instance)

    def __repr__(self) -> str:
        names = ", ".join(self.mode.names)
        return f"<{self.mode.noun} of {self.__qualname__}{names and f' with respect to {names}'}>"

    def __reduce__(self) -> Any:
        from adcompile import shipping

        return _rebuild, (type(self), shipping.pack(self._of), self._given_mode, self._backend)

    # --- what was compiled ----------------------------------------------------------------------

    @property
    def source(self) -> str:
        return self._latest().source

    @property
    def ssa(self) -> str:
        return self._latest().ssa

    def lower(self, *args: Any, **kwargs: Any) -> Specialisation:
        """Compile for the signature of these arguments, without running it."""
        self._check_call(*args, **kwargs)
        try:
            return self._specialise(self._bind(args, kwargs))
        except AdcompileError as e:
            raise shortened(e) from e.__cause__

    def export(self, path: str | FilePath) -> None:
        """Write the text of the latest specialisation to a file that needs NumPy alone."""
        spec = self._latest()
        title = f"The {self.mode.noun} of {self.__qualname__}, generated by adcompile."
        with open(path, "w", encoding="utf-8") as file:
            file.write(standalone(spec.generated, title))

    def _repr_html_(self) -> str:
        from adcompile import notebook

        written = get_source(_innermost(self)).text
        return notebook.side_by_side(written, self._last.source if self._last else None)

    def _latest(self) -> Specialisation:
        if self._last is None:
            raise SignatureError(
                f"{self.__qualname__} has not been compiled yet: types are known when it is called",
                hint="call it, or compile it with .lower(*args)",
            )
        return self._last

    # --- the slow path --------------------------------------------------------------------------

    def _dispatch(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for spec in self._specialisations.found:
            result = spec.entry(*args, **kwargs)
            if result is not MISSED:
                self._use(spec)
                return result
        arguments = self._bind(args, kwargs)
        spec = self._specialise(arguments)
        result = spec.entry(*args, **kwargs)
        if result is not MISSED:
            return result
        self._check_sizes(spec, arguments)
        return self._call(spec, arguments)

    def _use(self, spec: Specialisation) -> None:
        """Let calls go to `spec` first."""
        self._last, self._direct = spec, with_fallback(spec.entry, self._missed)

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def _call(self, spec: Specialisation, arguments: dict[str, Any]) -> Any:
        """Call where no guard lets it through: an equal dtype may be another object."""
        for name, ref in spec.generated.globals.items():
            spec.function.__globals__[name] = ref.read()
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if self._rest is not None:
            kwargs.update(self._rest())
        for p in spec.program.params:
            if p.name not in arguments:
                continue
            value = arguments[p.name]
            if p.kind == "VAR_POSITIONAL":
                args += value
            elif p.kind == "VAR_KEYWORD":
                kwargs.update(value)
            elif p.kind == "KEYWORD_ONLY":
                kwargs[p.name] = value
            else:
                args.append(value)
        try:
            return spec.function(*args, **kwargs)
        except Exception as e:
            explain(e)
            raise

    def _check_sizes(self, spec: Specialisation, arguments: dict[str, Any]) -> None:
        for pair in spec.alike:
            x, y = (look_up(arguments, path).shape for path in pair)
            if x != y:
                at, other = (path_text(path, arguments) for path in pair)
                raise SignatureError(f"`{other}` has shape {y}, and `{at}` has shape {x}")

    def _specialise(self, arguments: dict[str, Any]) -> Specialisation:
        spec = self._specialisations.get(arguments)
        self._use(spec)
        return spec

    def _compile(
        self, found: dict[str, Type], arguments: dict[str, Any], outer: list[Path]
    ) -> Specialisation:
        self.mode.check(arguments, self.inner, self._loc())
        read: set[GlobalRef] = set()
        token, reading = SIZES.set(sizes_of(found, arguments)), READ.set(read)
        try:
            generated, program = self._generate(*_as_passed(self.__signature__, found))
            function = load(generated, program.name)
        except (AdcompileError, NeedStatic, NeedLayout):
            raise
        except Exception as e:
            what = f"compiling {self.__qualname__} failed: {type(e).__name__}: {e}"
            raise InternalError(what, self._loc()) from e
        finally:
            SIZES.reset(token)
            READ.reset(reading)
        globals = globals_of(generated, outer, read)
        alike = self.mode.alike(found, inspect.signature(self.inner))
        entry = self._make_entry(found, arguments, function, program, globals, alike)
        return Specialisation(
            program.name, generated, function, program, entry, globals, alike=alike
        )

    def _lies_in_memory(self, writes: tuple[Path, ...]) -> Callable[..., bool] | None:
        """For a program that writes into arguments: whether they lie as it was compiled for.

        That is: which of them share memory, and which are contiguous.
        """
        same, layouts = ALIASES.get(), dict(LAYOUTS.get() or {})
        if not writes and not layouts:
            return None

        def test(*args: Any, **kwargs: Any) -> bool:
            arguments = self._bind(args, kwargs)
            laid_out = all(
                look_up(arguments, path).flags.c_contiguous is known
                for path, known in layouts.items()
            )
            return laid_out and aliases(arguments, writes) == same

        return test

    def _generate(
        self, positional: list[Type], named: Mapping[str, Type]
    ) -> tuple[Generated, Function]:
        """Run the compiler."""
        return BACKENDS[self._backend](self, positional, named)

    def _make_entry(
        self,
        found: Any,
        arguments: Any,
        call: Any,
        program: Function | None,
        globals: Any,
        alike: Sequence[tuple[Path, Path]] = (),
    ) -> Any:
        params = [] if program is None else program.params
        own = [p for p in params if p.name in self.__signature__.parameters]
        also = None if program is None else self._lies_in_memory(program.writes)
        entry = make_entry(
            self.__signature__, found, arguments, call, own, globals, self._rest, also, alike
        )
        entry.__name__ = getattr(self, "__name__", "entry")
        entry.__qualname__ = getattr(self, "__qualname__", "entry")
        if not self.mode.names_kept:
            entry.__qualname__ = f"{self.mode.suffix}({entry.__qualname__})"
        return entry

    def _loc(self) -> Loc | None:
        try:
            return loc_of(get_source(_innermost(self)).tree)
        except AdcompileError:
            return None


_made: weakref.WeakSet[Derivative] = weakref.WeakSet()


def forget_compiled() -> None:
    """Let all derivatives be compiled anew at their next call: the rules have changed."""
    with COMPILING:
        for d in list(_made):
            d._specialisations = Specialisations(d._compile)
            d._direct = with_fallback(d._check_call, d._missed)


def _innermost(f: Any) -> Any:
    """The Python function that `f` is a derivative of."""
    while isinstance(f, Derived):
        f = f.inner
    return f


def _rebuild(cls: type[Derivative], packed: Any, mode: Mode, backend: str) -> Derivative:
    from adcompile import shipping

    return cls(shipping.unpack(packed), mode, backend=backend)


def _as_passed(
    signature: inspect.Signature, found: dict[str, Type]
) -> tuple[list[Type], dict[str, Type]]:
    """The types of the parameters as those of positional and of keyword arguments."""
    positional: list[Type] = []
    named: dict[str, Type] = {}
    for p in signature.parameters.values():
        t: Any = found[p.name]
        if p.kind is p.VAR_POSITIONAL:
            positional += t.items
        elif p.kind is p.VAR_KEYWORD:
            named.update(zip(t.keys, t.items))
        elif p.kind is p.KEYWORD_ONLY:
            named[p.name] = t
        else:
            positional.append(t)
    return positional, named
