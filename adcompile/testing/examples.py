"""Examples of calls, and the small programs that make them: what the compiler is given to check.

A constant of a call (an axis, a mode) stands in the text of its program as it would in a user's,
and everything else is a parameter.
"""

from __future__ import annotations

import inspect
import itertools
import keyword
import linecache
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Key = int | str  # of an argument: its position, or its name
Path = tuple[int, ...]  # into nested lists and tuples


@dataclass(frozen=True, slots=True, repr=False)
class Example:
    """One call of a function, and the arguments that it is differentiated with respect to."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    wrt: tuple[Key, ...] | None = None

    def __repr__(self) -> str:
        named = [f"{k}={brief(v)}" for k, v in self.kwargs.items()]
        return ", ".join([*map(brief, self.args), *named])

    def __getitem__(self, key: Key) -> Any:
        return self.args[key] if isinstance(key, int) else self.kwargs[key]

    @property
    def keys(self) -> list[Key]:
        return [*range(len(self.args)), *self.kwargs]

    @property
    def chosen(self) -> tuple[Key, ...]:
        """The arguments to differentiate: without `wrt`, all that hold floating point numbers."""
        if self.wrt is not None:
            return self.wrt
        return tuple([k for k in self.keys if _holds_floats(self[k])])

    def mapped(self, f: Callable[[Any], Any]) -> Example:
        """The same call with `f` of each argument."""
        named = {k: f(x) for k, x in self.kwargs.items()}
        return Example(tuple(map(f, self.args)), named, self.wrt)

    def replaced(self, new: dict[Key, Any]) -> Example:
        args = tuple([new.get(k, x) for k, x in enumerate(self.args)])
        return Example(args, {k: new.get(k, x) for k, x in self.kwargs.items()}, self.wrt)


def example(*args: Any, wrt: Key | tuple[Key, ...] | None = None, **kwargs: Any) -> Example:
    """A call `fn(*args, **kwargs)` for `check_rule`.

    Args:
        args: positional arguments of the function.
        wrt: the arguments to differentiate, by position or keyword: one, or a tuple of them.
            Without it: every argument that is, or is a list or tuple with, an array of floats or
            a float.
        kwargs: its keyword arguments.
    """
    return Example(args, kwargs, (wrt,) if isinstance(wrt, int | str) else wrt)


# --- leaves -------------------------------------------------------------------------------------


def is_float(x: Any) -> bool:
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.kind == "f"
    return isinstance(x, float)


def _holds_floats(x: Any) -> bool:
    found = [leaf for _, leaf in leaves(x)]
    return bool(found) and all(map(is_float, found))


def leaves(x: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What stands in nested lists and tuples, and where."""
    if isinstance(x, list | tuple):
        for k, item in enumerate(x):
            yield from leaves(item, (*path, k))
    else:
        yield path, x


def map_leaves(f: Callable[..., Any], x: Any, *others: Any) -> Any:
    """`f` of corresponding leaves, in lists and tuples like those of `x`."""
    if isinstance(x, list | tuple):
        items = [map_leaves(f, *parts) for parts in zip(x, *others, strict=True)]
        return items if isinstance(x, list) else tuple(items)
    return f(x, *others)


def brief(x: Any) -> str:
    """A value as messages show it: arrays by dtype and shape."""
    if isinstance(x, np.ndarray):
        return f"{x.dtype.name}{list(x.shape)}"
    if isinstance(x, list | tuple):
        inner = ", ".join(map(brief, x))
        return f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"
    if isinstance(x, float):
        return f"{x:.3g}"
    return getattr(x, "__name__", None) or repr(x)


# --- programs -----------------------------------------------------------------------------------

_numbers = itertools.count(1)


def load(text: str, namespace: dict[str, Any], name: str) -> Callable[..., Any]:
    """The function `name` of a text, whose source can be had as if it stood in a file."""
    file = f"<adcompile check {name} {next(_numbers)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    exec(compile(text, file, "exec"), namespace)
    function = namespace[name]
    weakref.finalize(function, linecache.cache.pop, file, None).atexit = False
    return function


@dataclass(eq=False, slots=True)
class Call:
    """The call of an example as a text, with parameters for what is no constant."""

    fn: Callable[..., Any]
    example: Example
    params: dict[Key, str]  # names of the program's parameters, by argument
    text: str
    namespace: dict[str, Any]

    @property
    def wrt(self) -> tuple[Key, ...]:
        return self.example.chosen

    @property
    def inputs(self) -> list[Any]:
        """The arguments of its programs."""
        return [self.example[key] for key in self.params]

    def program(
        self, name: str, lines: Sequence[str], more: Sequence[str] = (), **names: Any
    ) -> Callable[..., Any]:
        """A program with parameters for the call and `more`; `names` are its globals."""
        head = ", ".join([*self.params.values(), *more])
        body = "".join(f"    {line}\n" for line in lines)
        return load(f"def {name}({head}):\n{body}", self.namespace | names, name)


def call_of(fn: Callable[..., Any], example: Example) -> Call:
    name = getattr(fn, "__name__", "")
    name = name if name.isidentifier() and not keyword.iskeyword(name) and name != "np" else "fn"
    taken = {"np", name, "_y"}
    params: dict[Key, str] = {}
    pieces: list[str] = []
    for key, wanted in zip(example.keys, _names(fn, example), strict=True):
        piece = None if key in example.chosen else _literal(example[key])
        if piece is None:
            piece = wanted
            while piece in taken or keyword.iskeyword(piece):
                piece += "_"
            taken.add(piece)
            params[key] = piece
        pieces.append(piece if isinstance(key, int) else f"{key}={piece}")
    return Call(fn, example, params, f"{name}({', '.join(pieces)})", {"np": np, name: fn})


def _names(fn: Callable[..., Any], example: Example) -> list[str]:
    """The function's own names of its parameters, as far as they are known."""
    try:
        given = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):  # builtins, and ufuncs of older NumPys
        given = []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in given if p.kind in plain]
    count = len(example.args)
    positional = [names[k] if k < len(names) else f"x{k}" for k in range(count)]
    return [*positional, *example.kwargs]


def _literal(value: Any) -> str | None:
    """How a program would write this argument as a constant, or None."""
    if isinstance(value, list | tuple):
        items = [_literal(x) for x in value]
        if type(value) not in (list, tuple) or None in items:
            return None
        inner = ", ".join(map(str, items))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(items) == 1)})"
    if isinstance(value, float) and type(value) is float:
        return repr(value) if np.isfinite(value) else f"float('{value}')"
    return repr(value) if value is None or type(value) in (bool, int, str) else None
