"""Functions in pickles: by name where they have one, else by their source.

`pickle` sends functions by name, which lambdas, nested functions and those whose name a decorator
has taken do not have. These are sent as text, with what they need: defaults, closure, and the
globals that they read.
"""

from __future__ import annotations

import importlib
import itertools
import linecache
import sys
import types
from dataclasses import dataclass
from typing import Any

from adcompile.errors import SourceUnavailable
from adcompile.frontend.source import get_source

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class ByName:
    module: str
    qualname: str
    inside: int = 0  # of how many decorators that are there under this name


@dataclass(frozen=True, slots=True)
class BySource:
    text: str
    name: str
    module: str
    defaults: tuple[Any, ...] | None
    kwdefaults: dict[str, Any] | None
    closure: dict[str, Any]
    globals: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Module:
    name: str


def pack(f: Any) -> Any:
    """What stands for `f` in a pickle."""
    found, inside = _by_name(f.__module__, f.__qualname__), 0
    while found is not None and found is not f:
        found, inside = getattr(found, "primal", None), inside + 1
    if found is f:
        return ByName(f.__module__, f.__qualname__, inside)
    if not isinstance(f, types.FunctionType):
        return f
    source = get_source(f)
    free = f.__code__.co_freevars
    cells = {n: c.cell_contents for n, c in zip(free, f.__closure__ or ())}
    names = {n for n in _names(f.__code__) if n in f.__globals__}
    return BySource(
        source.text,
        source.name,
        f.__module__,
        f.__defaults__,
        f.__kwdefaults__,
        {n: _pack_value(v) for n, v in cells.items()},
        {n: _pack_value(f.__globals__[n]) for n in sorted(names)},
    )


def unpack(packed: Any) -> Any:
    """The function that `pack` was given, or a new one like it."""
    if isinstance(packed, ByName):
        importlib.import_module(packed.module)
        found = _by_name(packed.module, packed.qualname)
        if found is None:
            raise SourceUnavailable(f"there is no function {packed.module}.{packed.qualname}")
        for _ in range(packed.inside):
            found = found.primal
        return found
    if not isinstance(packed, BySource):
        return packed
    file = f"<adcompile shipped {packed.name.strip('<>')} {next(_numbers)}>"
    text = _definition(packed)
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    space = {n: _unpack_value(v) for n, v in packed.globals.items()}
    space["__name__"] = packed.module
    exec(compile(text, file, "exec"), space)
    f = space["outer"](*[_unpack_value(v) for v in packed.closure.values()])
    f.__defaults__, f.__kwdefaults__ = packed.defaults, packed.kwdefaults
    return f


def _definition(packed: BySource) -> str:
    """A function that makes the function: its parameters are what it closes over."""
    lines = packed.text.splitlines()
    if packed.name == "<lambda>":
        lines = ["return (", *lines, ")"]
    else:
        lines = [*lines, f"return {packed.name}"]
    body = "\n".join("    " + line for line in lines)
    return f"def outer({', '.join(packed.closure)}):\n{body}\n"


def _by_name(module: str, qualname: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def _names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names |= _names(inner)
    return names


def _pack_value(value: Any) -> Any:
    if isinstance(value, types.ModuleType):
        return _Module(value.__name__)
    return pack(value) if isinstance(value, types.FunctionType) else value


def _unpack_value(value: Any) -> Any:
    if isinstance(value, _Module):
        return importlib.import_module(value.name)
    return unpack(value)
