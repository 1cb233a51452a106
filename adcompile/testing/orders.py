"""Derivatives of a function as functions of the same arguments, one mode upon another.

If φ is a real function of x, so is the derivative of φ along a fixed direction v: ⟨v, ∇φ(x)⟩ in
reverse mode, the tangent of φ at x in forward mode. Each step is the text of a program that takes
the arguments of the function and one direction more.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.signature import path_text
from adcompile.testing.elements import derivative_tree, pairs
from adcompile.testing.examples import load

_KINDS = {
    inspect.Parameter.VAR_POSITIONAL: "*{0}",
    inspect.Parameter.VAR_KEYWORD: "**{0}",
    inspect.Parameter.KEYWORD_ONLY: "{0}={0}",
}


@dataclass(frozen=True, slots=True)
class Along:
    """A real function: its arguments are those of what it began with, then the directions."""

    function: Callable[..., Any]
    arguments: dict[str, Any]
    names: tuple[str, ...]  # of the arguments that are differentiated
    modes: tuple[str, ...] = ()  # innermost first

    @property
    def inputs(self) -> tuple[Any, ...]:
        return tuple(self.arguments.values())

    def directions(self) -> tuple[Any, ...]:
        """A random tangent for each of the arguments that are differentiated."""
        rng = np.random.default_rng(len(self.modes))

        def draw(leaf: Any) -> Any:
            v = rng.standard_normal(np.shape(leaf))
            if isinstance(leaf, np.ndarray | np.generic):
                return np.asarray(v, leaf.dtype) if np.ndim(leaf) else leaf.dtype.type(v)
            return float(v)

        return tuple([derivative_tree(self.arguments[name], draw) for name in self.names])

    def step(self, mode: str) -> Along:
        """The derivative along random directions, by this mode."""
        from adcompile.api import grad, jvp

        directions = self.directions()
        new = [f"along{len(self.modes)}_{name}" for name in self.names]
        primals, tangents = ", ".join(self.arguments), ", ".join(new)
        if mode == "reverse":
            names = {"derived": grad(self.function, wrt=self.names)}
            lines = [f"g = derived({primals})", f"return {self._inner(directions, new)}"]
        else:
            names = {"derived": jvp(self.function, wrt=self.names)}
            lines = [f"return derived(({primals},), ({tangents},))[1]"]
        text = "".join(f"    {line}\n" for line in lines)
        head = f"def along_{mode}({primals}, {tangents}):\n"
        function = load(head + text, {"np": np, **names}, f"along_{mode}")
        arguments = {**self.arguments, **dict(zip(new, directions, strict=True))}
        return Along(function, arguments, self.names, (*self.modes, mode))

    def _inner(self, directions: Sequence[Any], new: Sequence[str]) -> str:
        """The text of the sum of the directions times the gradient `g`."""
        terms = []
        for k, (name, v) in enumerate(zip(self.names, directions, strict=True)):
            for path, leaf, d in pairs(self.arguments[name], v, (name,), "direction"):
                if d is not None:
                    inside = path_text(path, self.arguments).removeprefix(name)
                    term = f"{new[k]}{inside} * g[{k}]{inside}"
                    terms.append(f"np.sum({term})" if np.ndim(leaf) else term)
        return " + ".join(terms)


def plain(
    f: Callable[..., Any],
    signature: inspect.Signature,
    arguments: dict[str, Any],
    names: Sequence[str],
    has_aux: bool,
) -> Along:
    """`f` itself as a function of positional arguments that returns the one real number."""
    given = [_KINDS.get(signature.parameters[name].kind, "{0}").format(name) for name in arguments]
    own = "f"
    while own in arguments:
        own += "_"
    body = f"    return {own}({', '.join(given)}){'[0]' if has_aux else ''}\n"
    function = load(f"def plain({', '.join(arguments)}):\n{body}", {own: f}, "plain")
    return Along(function, dict(arguments), tuple(names))
