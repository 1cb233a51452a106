"""`grad` and `value_and_grad`: what a user calls, and the object that is returned.

A `Gradient` is compiled when it is called, once for each signature. A call tries the entry of the
specialisation that was used last, then those of the others; the slow path makes the signature's
key, looks it up, and compiles (`specialisation`). Calls are re-entrant and may come from several
threads.
"""

from __future__ import annotations

import functools
import inspect
import operator
import types
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, overload

from adcompile import notebook, shipping
from adcompile import wrt as wrt_
from adcompile.codegen.load import explain, load, standalone
from adcompile.codegen.python import Generated
from adcompile.errors import (
    AdcompileError,
    InternalError,
    NotDifferentiable,
    SignatureError,
    shortened,
)
from adcompile.frontend.source import get_source, loc_of, unwrapped
from adcompile.frontend.wanted import ALIASES, LAYOUTS, NeedLayout, NeedStatic
from adcompile.guards import MISSED, make_entry, with_fallback
from adcompile.ir.core import Function, Loc
from adcompile.ir.types import Type
from adcompile.overlap import aliases
from adcompile.pipeline import compile_gradient
from adcompile.signature import Path, look_up
from adcompile.specialisation import Specialisation, Specialisations, globals_of
from adcompile.wrt import Wrt

__all__ = ["Gradient", "Specialisation", "grad", "value_and_grad"]

BACKENDS = {"numpy": compile_gradient}


@overload
def grad(
    f: None = None, wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy"
) -> Callable[[Callable[..., Any]], Gradient]: ...
@overload
def grad(
    f: Callable[..., Any], wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy"
) -> Gradient: ...
def grad(f: Any = None, wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy") -> Any:
    """The gradient of `f` as a function with the parameters of `f`. Also a decorator.

    Args:
        f: a function of NumPy arrays, numbers and trees of them that returns one real number.
        wrt: the parameter to differentiate with respect to: its position, its name, or a tuple of
            these, which gives a tuple of gradients.
        has_aux: `f` returns `(loss, aux)`; then the result is `(gradient, aux)`.
        backend: "numpy".

    Returns:
        A `Gradient`. What it returns has the tree structure, shapes and dtypes of the argument.

    Raises:
        SignatureError: for a `wrt` that `f` does not have, or an unknown back end.
        AdcompileError: at the first call, if `f` cannot be compiled for these arguments.
    """
    return _make(f, wrt, has_aux, backend, with_value=False)


@overload
def value_and_grad(
    f: None = None, wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy"
) -> Callable[[Callable[..., Any]], Gradient]: ...
@overload
def value_and_grad(
    f: Callable[..., Any], wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy"
) -> Gradient: ...
def value_and_grad(
    f: Any = None, wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy"
) -> Any:
    """Like `grad`, but the result is `(value, gradient)`, or `((value, aux), gradient)`."""
    return _make(f, wrt, has_aux, backend, with_value=True)


def _make(f: Any, wrt: Wrt, has_aux: bool, backend: str, with_value: bool) -> Any:
    if f is None:
        return functools.partial(
            _make, wrt=wrt, has_aux=has_aux, backend=backend, with_value=with_value
        )
    if isinstance(f, types.MethodType):  # `wrt` counts what is left to pass
        wrt = wrt_.given_as(wrt, wrt_.names(wrt, inspect.signature(f), f.__qualname__))
        inner = _make(f.__func__, wrt, has_aux, backend, with_value)
        return types.MethodType(inner, f.__self__)
    try:
        return Gradient(f, wrt, has_aux=has_aux, backend=backend, with_value=with_value)
    except AdcompileError as e:
        raise shortened(e) from None


class Gradient:
    """The gradient of a function, compiled for each signature that it is called with.

    Attributes:
        primal: the function as written.
        source: the generated text, of the specialisation that was used last.
        ssa: the SSA it was made from.
        options: (wrt, has_aux, backend, with_value) as they were given.
    """

    __name__: str
    __qualname__: str

    _rest: Callable[[], dict[str, Any]] | None = None  # what a call passes besides the arguments

    def __init__(
        self,
        f: Callable[..., Any],
        wrt: Wrt = 0,
        *,
        has_aux: bool = False,
        backend: str = "numpy",
        with_value: bool = False,
    ):
        if backend not in BACKENDS:
            known = ", ".join(map(repr, sorted(BACKENDS)))
            raise SignatureError(f"there is no back end {backend!r}", hint=f"there is: {known}")
        if isinstance(f, Gradient):
            raise NotDifferentiable(
                "gradients of gradients are not supported yet",
                hint="differentiate a function that is written out",
            )
        functools.update_wrapper(self, f)
        self._function = unwrapped(f)
        self.primal = f
        self.__signature__ = inspect.signature(self._function, follow_wrapped=False)
        self._wrt = wrt_.names(wrt, self.__signature__, getattr(f, "__name__", "the function"))
        self.options = (wrt, has_aux, backend, with_value)
        self._specialisations = Specialisations(self._compile)
        self._check_call = self._make_entry({}, {}, None, None, [])
        self._direct = with_fallback(self._check_call, self._missed)
        self._last: Specialisation | None = None

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
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        kind = "value and gradient" if self.options[3] else "gradient"
        return f"<{kind} of {self.__qualname__} with respect to {', '.join(self._wrt)}>"

    def __reduce__(self) -> Any:
        wrt, has_aux, backend, with_value = self.options
        options = {"has_aux": has_aux, "backend": backend, "with_value": with_value}
        return _rebuild, (shipping.pack(self.primal), wrt, options)

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
        title = f"The gradient of {self.__qualname__}, generated by adcompile."
        FilePath(path).write_text(standalone(spec.generated, title))

    def _repr_html_(self) -> str:
        written = get_source(self._function).text
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
        return self._call(spec, arguments) if result is MISSED else result

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

    def _specialise(self, arguments: dict[str, Any]) -> Specialisation:
        spec = self._specialisations.get(arguments)
        self._use(spec)
        return spec

    def _compile(
        self, found: dict[str, Type], arguments: dict[str, Any], outer: list[Path]
    ) -> Specialisation:
        for name in self._wrt:
            wrt_.check_real(arguments[name], (name,), self._loc())
        try:
            generated, program = self._generate(*_as_passed(self.__signature__, found))
            function = load(generated, program.name)
        except (AdcompileError, NeedStatic, NeedLayout):
            raise
        except Exception as e:
            what = f"compiling {self.__qualname__} failed: {type(e).__name__}: {e}"
            raise InternalError(what, self._loc()) from e
        globals = globals_of(generated, outer)
        entry = self._make_entry(found, arguments, function, program, globals)
        return Specialisation(program.name, generated, function, program, entry, globals)

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
        self, positional: list[Type], named: dict[str, Type]
    ) -> tuple[Generated, Function]:
        """Run the compiler."""
        wrt, has_aux, backend, with_value = self.options
        return BACKENDS[backend](
            self._function,
            positional,
            self._wrt,
            kwarg_types=named,
            as_tuple=not isinstance(wrt, int | str),
            with_value=with_value,
            has_aux=has_aux,
        )

    def _make_entry(
        self, found: Any, arguments: Any, call: Any, program: Function | None, globals: Any
    ) -> Any:
        params = [] if program is None else program.params
        own = [p for p in params if p.name in self.__signature__.parameters]
        also = None if program is None else self._lies_in_memory(program.writes)
        entry = make_entry(
            self.__signature__, found, arguments, call, own, globals, self._rest, also
        )
        entry.__name__ = getattr(self, "__name__", "entry")
        entry.__qualname__ = getattr(self, "__qualname__", "entry")
        return entry

    def _loc(self) -> Loc | None:
        try:
            return loc_of(get_source(self._function).tree)
        except AdcompileError:
            return None


def _rebuild(packed: Any, wrt: Wrt, options: dict[str, Any]) -> Gradient:
    f = shipping.unpack(packed)
    return Gradient(f.primal if isinstance(f, Gradient) else f, wrt, **options)


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
