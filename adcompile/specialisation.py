"""What is compiled for one signature, and the store of all that was compiled for a function.

A program is compiled for the types of its arguments. Where it turns out that the *value* of an
argument or of a global decides a type, the value becomes part of what the program is compiled for:
on demand, and for that leaf alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adcompile import classes
from adcompile.errors import SignatureError
from adcompile.frontend.wanted import ALIASES, FIXED, LAYOUTS, NeedLayout, NeedStatic
from adcompile.guards import MISSED, Global
from adcompile.ir.core import Function, GlobalRef, Handle
from adcompile.ir.printer import to_text
from adcompile.ir.types import Opaque, Static, Type
from adcompile.overlap import Aliases, aliases
from adcompile.signature import Path, child, classify, fix_values, look_up, replaced
from adcompile.threads import COMPILING

if TYPE_CHECKING:
    from adcompile.codegen.python import Generated

__all__ = ["Specialisation", "Specialisations", "globals_of"]

# (types of the arguments, the arguments, leaves of globals that are known) → what is compiled
Compile = Callable[[dict[str, Type], dict[str, Any], list[Path]], "Specialisation"]


@dataclass(eq=False, slots=True, repr=False)
class Specialisation:
    """A gradient compiled for one signature."""

    name: str
    generated: Generated
    function: Any
    program: Function
    entry: Callable[..., Any]  # returns MISSED for arguments of another signature
    globals: list[Global]  # that it reads, or whose values it was compiled for
    alike: Sequence[tuple[Path, Path]] = ()  # arrays that must have the same shape
    aliases: Aliases = ()  # leaves of the arguments that are the same array, one of them written

    def __repr__(self) -> str:
        return f"<Specialisation {self.name}>"

    @property
    def source(self) -> str:
        """The generated Python text."""
        return self.generated.text

    @property
    def ssa(self) -> str:
        """The program in structured SSA, as the text was made from it."""
        return to_text(self.program)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Run it. Raises SignatureError for arguments of another signature."""
        result = self.entry(*args, **kwargs)
        if result is MISSED:
            raise SignatureError(f"the arguments are not those that {self.name} was compiled for")
        return result

    def fits_globals(self) -> bool:
        """Whether the globals have the types and values that it was compiled for."""
        return all(_key(g.ref, g.fixed) == g.key for g in self.globals)


class Specialisations:
    """All that was compiled for one function. Thread-safe: entries are only ever added."""

    def __init__(self, compile: Compile):
        self.found: list[Specialisation] = []
        self._compile = compile
        self._by_key: dict[Hashable, list[Specialisation]] = {}
        self._fixed: dict[Hashable, list[Path]] = {}  # leaves whose values decide types
        self._laid_out: dict[Hashable, list[Path]] = {}  # whose layout decides

    def get(self, arguments: dict[str, Any]) -> Specialisation:
        """The specialisation for these arguments, compiled if there is none."""
        found: dict[str, Type] = {}
        keys = []
        for name, value in arguments.items():
            found[name], key = classify(value, (name,))
            keys.append(key)
        base = tuple(keys)
        with COMPILING:
            paths = self._fixed.setdefault(base, [])
            same: Aliases = ()
            laid_out = self._laid_out.setdefault(base, [])
            while True:
                own = [p for p in paths if isinstance(p[0], str)]
                outer = [p for p in paths if isinstance(p[0], GlobalRef)]
                fixed, values = fix_values(found, arguments, own)
                layouts = {p: bool(look_up(arguments, p).flags.c_contiguous) for p in laid_out}
                key = (base, values, same, tuple(layouts.items()))
                known = self._by_key.setdefault(key, [])
                spec = next((s for s in known if s.fits_globals()), None)
                if spec is not None:
                    shared = aliases(arguments, spec.program.writes)
                    if shared == same:
                        return spec
                    same = shared
                    continue
                token = FIXED.set(frozenset(outer))
                passed_twice, contiguous = ALIASES.set(same), LAYOUTS.set(layouts)
                try:
                    spec = self._compile(fixed, arguments, outer)
                except NeedLayout as need:
                    laid_out.append(need.path)
                except NeedStatic as need:
                    path = need.path
                    if isinstance(path[0], int):
                        path = (list(arguments)[path[0]], *path[1:])
                    if path in paths:
                        raise
                    paths.append(path)
                else:
                    spec.aliases = same
                    known.append(spec)
                    self.found.append(spec)
                finally:
                    FIXED.reset(token)
                    ALIASES.reset(passed_twice)
                    LAYOUTS.reset(contiguous)


# --- globals ------------------------------------------------------------------------------------


def globals_of(generated: Generated, paths: list[Path], read: Iterable[GlobalRef]) -> list[Global]:
    """The variables from outside that a program depends on.

    It was compiled for the types of those that were `read`, for what has no type but itself (None,
    a string, a function), and for leaves at `paths`; the generated text reads some of them again.
    """
    refs: dict[GlobalRef, str | None] = dict.fromkeys([*(p[0] for p in paths), *read])
    refs.update({ref: name for name, ref in generated.globals.items()})
    made = []
    for ref, name in refs.items():
        fixed = tuple(p[1:] for p in paths if p[0] == ref)
        value = ref.read()
        t = _type(ref, value)
        for keys in fixed:
            t = replaced(t, keys, Static(_leaf(ref.read(), keys)))
        made.append(Global(name, ref, t, fixed, _key(ref, fixed)))
    return made


def _type(ref: GlobalRef, value: Any) -> Type:
    if isinstance(ref, Handle):
        return Opaque(type(value))
    return Static(value) if _is_function(value) else classify(value, (ref.name,))[0]


def _is_function(value: Any) -> bool:
    return callable(value) and classes.keys_of(value) is None


def _key(ref: GlobalRef, fixed: tuple[Path, ...]) -> Hashable:
    """What must be the same of a global: its type, and the values of some leaves."""
    try:
        value = ref.read()
    except (LookupError, AttributeError, ValueError):  # it is gone
        return None
    if isinstance(ref, Handle):
        key: Hashable = type(value)
    else:
        key = id(value) if _is_function(value) else classify(value, (ref.name,))[1]
    if not fixed:
        return key
    try:
        leaves = [_leaf(value, keys) for keys in fixed]
    except (LookupError, AttributeError, TypeError):
        return None
    return (key, *[(type(leaf), repr(leaf)) for leaf in leaves])


def _leaf(value: Any, keys: Path) -> Any:
    for key in keys:
        value = child(value, key)
    return value
