"""Finding a specialisation: one generated function for each, which checks and calls.

It has the parameters of the user's function, so Python itself binds positions, keywords and
defaults. It tests that the arguments have the types that the specialisation was made for, with the
cheapest tests there are, and calls the generated function; or it returns MISSED, or calls a
fallback:

    def enter(params, x):
        if (params.__class__ is tuple
            and len(params) == 2
            and (_1 := params[0]).__class__ is ndarray
            and _1.dtype is float64
            and _1.ndim == 2
            and 1 not in _1.shape
            ...):
            try:
                return call(params, x)
            except Exception as error:
                explain(error)
                raise
        return miss(params, x)

Globals that the program reads are tested in the same way, and handed to the generated function.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompile.bound import BoundDerivative
from adcompile.classes import is_object_class, slots_of
from adcompile.codegen.load import explain
from adcompile.ir.core import GlobalRef, Param
from adcompile.ir.types import Array, Opaque, Scalar, Seq, Static, Tree, Type
from adcompile.signature import LONGEST, Path, child

__all__ = ["MISSED", "make_entry", "with_fallback"]


class _Missed:
    def __repr__(self) -> str:
        return "MISSED"


MISSED: Any = _Missed()  # returned by an entry whose arguments do not fit


@dataclass(slots=True)
class Global:
    """A variable outside of the function.

    `name` is where its value goes in the generated module, if it is read there; `type` has the
    values of the leaves at `fixed`, which the program was compiled for; `key` compares all that.
    """

    name: str | None
    ref: GlobalRef
    type: Type
    fixed: tuple[tuple[Any, ...], ...]
    key: Hashable


def make_entry(
    signature: inspect.Signature,
    types: dict[str, Type],
    arguments: dict[str, Any],
    call: Callable[..., Any] | None,
    params: list[Param],
    globals: list[Global],
    rest: Callable[[], dict[str, Any]] | None = None,
    also: Callable[..., bool] | None = None,
    alike: Sequence[tuple[Path, Path]] = (),
) -> types.FunctionType:
    """An entry for arguments like `arguments`; without `call` it only checks how it is called.

    `call` also gets the keyword arguments that `rest()` returns. `also` is a further test, and
    the arrays at `alike` must have the same shape.
    """
    writer = _Writer(_free_prefix(signature.parameters))
    head = f"def entry({writer.parameters(signature)}):"
    lines = [head]
    if call is not None:
        tests = [t for name in types for t in writer.tests(name, types[name], arguments[name])]
        stores = []
        for g in globals:
            value, read = writer.fresh(), writer.bind(g.ref.read)
            tests.append(f"({value} := {read}()) is {value}")
            tests += writer.tests(value, g.type, g.ref.read())
            if g.name is not None:
                stores.append(f"        {writer.bind(call.__globals__)}[{g.name!r}] = {value}")
        for pair in alike:
            first, second = (writer.place(path, types[path[0]]) for path in pair)
            tests.append(f"{first}.shape == {second}.shape")
        if also is not None:
            tests.append(f"{writer.bind(also)}({_passed(_parameters(signature))})")
        passed = _passed(params) + (f", **{writer.bind(rest)}()" if rest else "")
        lines += [
            "    if (" + ("\n        and ".join(tests) or "True") + "):",
            *stores,
            "        try:",
            f"            return {writer.bind(call)}({passed})",
            f"        except Exception as {writer.prefix}e:",
            f"            {writer.bind(explain)}({writer.prefix}e)",
            "            raise",
        ]
    lines.append(f"    return {writer.bind(_miss)}({_passed(_parameters(signature))})")
    exec(compile("\n".join(lines), "<adcompile entry>", "exec"), writer.namespace)
    return writer.namespace["entry"]


def _parameters(signature: inspect.Signature) -> list[Param]:
    return [Param(p.name, p.kind.name) for p in signature.parameters.values()]


def _miss(*args: Any, **kwargs: Any) -> Any:
    return MISSED


def with_fallback(entry: types.FunctionType, fallback: Callable[..., Any]) -> types.FunctionType:
    """The same entry, which calls `fallback` with its arguments instead of returning MISSED."""
    space = {k: fallback if v is _miss else v for k, v in entry.__globals__.items()}
    other = types.FunctionType(entry.__code__, space, entry.__name__, entry.__defaults__)
    other.__kwdefaults__, other.__qualname__ = entry.__kwdefaults__, entry.__qualname__
    return other


def _free_prefix(names: Iterable[str]) -> str:
    prefix = "_"
    while any(name.startswith(prefix) for name in names):
        prefix += "_"
    return prefix


def _passed(params: list[Param]) -> str:
    """How the generated function is given its parameters."""
    forms = {"VAR_POSITIONAL": "*{0}", "VAR_KEYWORD": "**{0}", "KEYWORD_ONLY": "{0}={0}"}
    return ", ".join(forms.get(p.kind, "{0}").format(p.name) for p in params)


@dataclass(slots=True)
class _Writer:
    """The text of one entry. Its own names start with `prefix`, which no parameter does."""

    prefix: str
    namespace: dict[str, Any] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    count: int = 0

    def bind(self, value: Any) -> str:
        """A name for an object."""
        if id(value) not in self.names:
            name = self.names[id(value)] = self.fresh()
            self.namespace[name] = value
        return self.names[id(value)]

    def fresh(self) -> str:
        self.count += 1
        return f"{self.prefix}{self.count}"

    def parameters(self, signature: inspect.Signature) -> str:
        parts = []
        for p in signature.parameters.values():
            default = f"={self.bind(p.default)}" if p.default is not p.empty else ""
            parts.append(p.replace(annotation=p.empty, default=p.empty))
            parts[-1] = str(parts[-1]) + default
        kinds = [p.kind for p in signature.parameters.values()]
        if kinds.count(inspect.Parameter.POSITIONAL_ONLY):
            parts.insert(kinds.count(inspect.Parameter.POSITIONAL_ONLY), "/")
        keyword_only = inspect.Parameter.KEYWORD_ONLY
        if keyword_only in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
            first = next(p for p in signature.parameters.values() if p.kind is keyword_only)
            parts.insert(next(i for i, t in enumerate(parts) if t.split("=")[0] == first.name), "*")
        return ", ".join(parts)

    def tests(self, place: str, t: Type, sample: Any) -> list[str]:
        """Tests of whether what stands at `place` is of type `t`, as `sample` is."""
        tests: list[str] = []
        stack: list[tuple[str, Type, Any]] = [(place, t, sample)]
        while stack:
            place, t, sample = stack.pop()
            if not place.isidentifier():
                name = self.fresh()
                place, first = name, f"({name} := {place})"
            else:
                first = place
            match t:
                case Static(value):
                    tests += self._is_value(first, place, value)
                case Array(dtype, shape) if sample.__class__ is np.ndarray:
                    tests += self._is_array(first, place, dtype, shape)
                case Tree(node, keys):
                    tests.append(f"{first}.__class__ is {self.bind(node)}")
                    if node is dict:
                        tests.append(f"tuple({place}) == {self.bind(keys)}")
                    elif node is tuple or node is list:
                        tests.append(f"len({place}) == {len(keys)}")
                    elif is_object_class(node):
                        tests += self._has_attributes(place, node, sample)
                    steps = [(self._step(place, node, k), u, k) for k, u in zip(keys, t.items)]
                    stack += [(at, u, child(sample, k)) for at, u, k in reversed(steps)]
                case Seq(Scalar()):
                    item = self.bind(sample[0].__class__)
                    tests.append(f"{first}.__class__ is list and len({place}) > {LONGEST}")
                    tests.append(
                        f"all([{self.prefix}i.__class__ is {item} for {self.prefix}i in {place}])"
                    )
                case _:  # a Python number, a NumPy scalar, an object that is handed on
                    assert isinstance(t, Scalar | Array | Opaque)
                    tests.append(f"{first}.__class__ is {self.bind(sample.__class__)}")
        return tests

    def place(self, path: Path, t: Type) -> str:
        """How what stands at `path` of the arguments is written."""
        text = str(path[0])
        for key in path[1:]:
            assert isinstance(t, Tree)
            text, t = self._step(text, t.node, key), t.child(key)
        return text

    def _step(self, place: str, node: type, key: Any) -> str:
        if node is tuple or node is list:
            return f"{place}[{key}]"
        if node is dict:
            return f"{place}[{key!r}]" if isinstance(key, str) else f"{place}[{self.bind(key)}]"
        return f"{place}.{key}"

    def _has_attributes(self, place: str, cls: type, sample: Any) -> list[str]:
        """Tests of whether an object has the attributes that `sample` has, in the same order."""
        tests = [
            f"{'' if hasattr(sample, name) else 'not '}{self.bind(hasattr)}({place}, {name!r})"
            for name in slots_of(cls)
        ]
        if hasattr(sample, "__dict__"):
            tests.append(f"tuple({place}.__dict__) == {self.bind(tuple(vars(sample)))}")
        return tests

    def _is_array(
        self, first: str, place: str, dtype: np.dtype, shape: tuple[Any, ...]
    ) -> list[str]:
        tests = [
            f"{first}.__class__ is {self.bind(np.ndarray)}",
            f"{place}.dtype is {self.bind(dtype)}",
            f"{place}.ndim == {len(shape)}",
        ]
        if shape and 1 not in shape:
            tests.append(f"1 not in {place}.shape")
        else:
            tests += [
                f"{place}.shape[{k}] {'==' if n == 1 else '!='} 1" for k, n in enumerate(shape)
            ]
        return tests

    def _is_value(self, first: str, place: str, value: Any) -> list[str]:
        cls = value.__class__
        if cls in (int, bool, str, bytes):
            return [f"{first}.__class__ is {self.bind(cls)}", f"{place} == {self.bind(value)}"]
        if isinstance(value, float | complex | np.generic | slice | range | tuple | list | dict):
            return [
                f"{first}.__class__ is {self.bind(cls)}",
                f"{self.bind(repr)}({place}) == {repr(value)!r}",
            ]
        if isinstance(value, np.dtype | types.MethodType | BoundDerivative):
            return [f"{first}.__class__ is {self.bind(cls)}", f"{place} == {self.bind(value)}"]
        return [f"{first} is {self.bind(value)}"]
