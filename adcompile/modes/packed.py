"""Functions that take their arguments packed: `jvp(f)(primals, tangents)`, `hvp(f)(args, v)`.

The derivative has a parameter for the tuple of the inner function's positional arguments, and one
for the tangents; keyword arguments are handed to the inner function.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adcompile import errors, trees
from adcompile.ir.types import Array, Tree, Type, describe
from adcompile.modes.base import Given
from adcompile.signature import Path

_KINDS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Names:
    """What the parameters of the derivative are called, and how it is written."""

    primals: str
    tangents: str
    use: str
    keywords: str = "kwargs"

    def signature(self) -> inspect.Signature:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        both = [inspect.Parameter(name, kind) for name in (self.primals, self.tangents)]
        rest = inspect.Parameter(self.keywords, inspect.Parameter.VAR_KEYWORD)
        return inspect.Signature([*both, rest])

    def items(self, t: Type) -> tuple[Type, ...]:
        """The types of the positional arguments, which are packed in a value of type `t`."""
        if isinstance(t, Tree) and t.node in (tuple, list):
            return t.items
        raise errors.SignatureError(
            f"`{self.primals}` is the tuple of the function's arguments, not {describe(t)}",
            hint=f"write `{self.use}`",
        )

    def alike(
        self, types: Mapping[str, Type], wrt: Sequence[str], given_as: Any, inner: inspect.Signature
    ) -> list[tuple[Path, Path]]:
        """The arrays in the primals, each with the one that is its tangent."""
        primals, tangents = types[self.primals], types[self.tangents]
        if not isinstance(primals, Tree):
            return []
        if isinstance(given_as, int | str):
            places = [(_place(wrt[0], inner), (self.tangents,), tangents)]
        elif not isinstance(tangents, Tree):
            return []
        else:
            names = wrt or list(inner.parameters)[: len(primals.items)]
            parts = zip(names, tangents.keys, tangents.items)
            places = [(_place(name, inner), (self.tangents, k), t) for name, k, t in parts]
        found: list[tuple[Path, Path]] = []
        for k, path, t in places:
            if k is not None and k < len(primals.items):
                found += _arrays(primals.items[k], t, (self.primals, k), path)
        return found

    def inner_path(self, path: Path, given: Given) -> Path | None:
        if path[0] == self.keywords:
            return path[1:]
        if path[0] != self.primals or len(path) < 2:
            return None
        k, positional = path[1], positional_names(given.inner)
        if k < len(positional):
            return (positional[k], *path[2:])
        rest = [p.name for p in given.inner.parameters.values() if p.kind is p.VAR_POSITIONAL]
        return (rest[0], k - len(positional), *path[2:]) if rest else None

    def outer_path(self, path: Path, given: Given) -> Path:
        parameters, positional = given.inner.parameters, positional_names(given.inner)
        name = path[0] if isinstance(path[0], str) else list(parameters)[path[0]]
        if name in positional[: len(self.items(given.positional[0]))]:
            return (self.primals, positional.index(name), *path[1:])
        kind = parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            return (self.primals, len(positional) + path[1], *path[2:])
        inside = path[1:] if kind is inspect.Parameter.VAR_KEYWORD else (name, *path[1:])
        return (self.keywords, *inside)


def _place(name: str, inner: inspect.Signature) -> int | None:
    """Where a parameter stands among the positional ones."""
    positional = positional_names(inner)
    return positional.index(name) if name in positional else None


def _arrays(a: Type, b: Type, at: Path, other: Path) -> list[tuple[Path, Path]]:
    """The places of the arrays of `a`, and of what stands there in `b`."""
    if isinstance(a, Tree) and same_structure(a, b):
        parts = [(key, a.child(key), b.child(key)) for key in a.keys]  # type: ignore[union-attr]
        return [p for key, x, y in parts for p in _arrays(x, y, (*at, key), (*other, key))]
    return [(at, other)] if isinstance(a, Array) and isinstance(b, Array) and a.rank else []


def positional_names(inner: inspect.Signature) -> list[str]:
    return [p.name for p in inner.parameters.values() if p.kind in _KINDS]


def same_structure(t: Tree, given: Type) -> bool:
    if not isinstance(given, Tree) or t.node is not given.node:
        return False
    return trees.has_keys(t.node, given.keys, t.keys)
