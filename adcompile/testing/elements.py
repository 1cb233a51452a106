"""A derivative of one real number against differences, element by element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile import trees
from adcompile.classes import keys_of
from adcompile.signature import Path, child, path_text
from adcompile.testing.differences import ROUNDING, SMALLEST
from adcompile.wrt import is_float_array

Leaf = tuple[Path, Any, Any]  # the path to a leaf of an argument, the leaf, its derivative


@dataclass(frozen=True, slots=True)
class Comparison:
    """How exact a derivative has to be, and where it is looked at."""

    label: str  # which derivative it is, for messages
    value: Callable[[Path, Any], float]  # of the function, with one leaf replaced
    arguments: dict[str, Any]
    eps: float  # the step, relative to the size of the number that is varied
    rtol: float
    atol: float
    samples: int

    def check(self, path: Path, leaf: Any, d: Any) -> None:
        """Compare the elements that are looked at, and report the worst."""
        worst: tuple[float, str] | None = None
        wrong, indices = 0, self.indices(leaf)
        for index in indices:
            expected, slack = self.difference(path, leaf, index)
            got = float(np.asarray(d)[index])
            if np.isnan(expected) and np.isnan(got):
                continue
            excess = abs(got - expected) / (self.atol + self.rtol * abs(expected) + slack)
            if not excess <= 1:
                wrong += 1
                if worst is None or not excess <= worst[0]:
                    at = f"[{', '.join(map(str, index))}]" if index else ""
                    place = f"{path_text(path, self.arguments)}{at}"
                    worst = excess, f"`{place}`: expected {expected:.10g}, got {got:.10g}"
        if worst is not None:
            raise AssertionError(
                f"wrong {self.label} at {wrong} of {len(indices)} elements; the worst is {worst[1]}"
            )

    def indices(self, leaf: Any) -> list[tuple[int, ...]]:
        """All elements, or so many of them, the same ones every time."""
        shape, size = np.shape(leaf), int(np.size(leaf))
        flat: Any = range(size)
        if size > self.samples:
            flat = np.sort(np.random.default_rng(0).choice(size, self.samples, replace=False))
        return [tuple(int(i) for i in np.unravel_index(k, shape)) for k in flat]

    def difference(self, path: Path, leaf: Any, index: tuple[int, ...]) -> tuple[float, float]:
        """The derivative by one element, and how far rounding may have thrown it off."""
        x = np.array(leaf, dtype=np.float64)
        step = self.eps * max(abs(float(x[index])), SMALLEST)

        def slope(h: float) -> tuple[float, float]:
            sides = []
            for sign in (1, -1):
                moved = x.copy()
                moved[index] += sign * h
                sides.append((float(moved[index]), self.value(path, _like(leaf, moved))))
            (right, above), (left, below) = sides
            return (above - below) / (right - left), max(abs(above), abs(below))

        coarse, _ = slope(step)
        fine, size = slope(step / 2)
        return (4 * fine - coarse) / 3, ROUNDING * size / step

    def check_form(self, path: Path, leaf: Any, d: Any) -> None:
        expected = _form(leaf)
        got = _form(d)
        if isinstance(leaf, float) and not isinstance(leaf, np.floating):  # Python's own
            good = isinstance(d, float)
        elif np.ndim(leaf) == 0:
            good = isinstance(d, np.generic | np.ndarray) and got[1:] == expected[1:]
        else:
            good = got == expected
        if not good:
            place = path_text(path, self.arguments)
            raise AssertionError(
                f"the {self.label} of `{place}` is {_said(d)}, expected {_said(leaf)}"
            )


def _form(x: Any) -> tuple[Any, ...]:
    return type(x), np.shape(x), getattr(x, "dtype", None)


def _said(x: Any) -> str:
    kind, shape, dtype = _form(x)
    return f"{kind.__name__}" if dtype is None else f"{kind.__name__} {dtype} of shape {shape}"


def _like(leaf: Any, x: np.ndarray) -> Any:
    if isinstance(leaf, np.ndarray):
        return x
    return x[()] if isinstance(leaf, np.generic) else float(x)


# --- evaluating ---------------------------------------------------------------------------------


def evaluation(f: Callable[..., Any], arguments: dict[str, Any]) -> Callable[..., float]:
    """`value(path, replacement)`: f in float64, with one leaf replaced.

    Raises AssertionError where f is not finite: differences would compare NaN with NaN.
    """
    wide = {name: trees.map_leaves(_widened, v) for name, v in arguments.items()}

    def at(changed: dict[str, Any]) -> float:
        # The program may write into its arguments: each call gets its own.
        return float(f(*[trees.map_leaves(_copied, v) for v in changed.values()]))

    def value(path: Path, replacement: Any) -> float:
        return at({**wide, path[0]: replaced(wide[path[0]], path[1:], replacement)})

    found = at(wide)
    if not np.isfinite(found):
        raise AssertionError(f"the value is {found}: no difference can be taken there")
    return value


def _copied(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _widened(leaf: Any) -> Any:
    """Floats as float64; arrays are copied, so that a function that writes does no harm."""
    if isinstance(leaf, np.ndarray):
        return leaf.astype(np.float64) if leaf.dtype.kind == "f" else leaf.copy()
    return np.float64(leaf) if isinstance(leaf, np.floating) else leaf


def replaced(tree: Any, keys: Path, new: Any) -> Any:
    """`tree` with another leaf under `keys`; its arrays are copies."""
    leaves, structure = trees.flatten(tree)
    place = _leaf_paths(tree, ()).index(keys)
    copies = [x.copy() if isinstance(x, np.ndarray) else x for x in leaves]
    copies[place] = new
    return trees.unflatten(structure, copies)


def _leaf_paths(tree: Any, path: Path) -> list[Path]:
    keys = None if tree is None else keys_of(tree)
    if keys is None:
        return [] if tree is None else [path]
    return [p for key in keys for p in _leaf_paths(child(tree, key), (*path, key))]


# --- leaves with their derivatives --------------------------------------------------------------


def pairs(value: Any, d: Any, path: Path, label: str, inside: bool = False) -> list[Leaf]:
    """The leaves of an argument with those of its derivative, which must be built alike.

    `inside` an object, what is no floating point number has the derivative None.
    """
    keys = None if value is None else keys_of(value)
    if keys is None:
        constant = inside and not is_real(value)
        return [] if value is None or (constant and d is None) else [(path, value, d)]
    inside = inside or trees.is_object(type(value))
    if type(value) is not type(d) or keys_of(d) != keys:
        raise AssertionError(
            f"the {label} of `{path_text(path)}` has another structure: "
            f"expected a {type(value).__name__} with {list(keys)}, got {d!r:.100}"
        )
    return [
        pair
        for key in keys
        for pair in pairs(child(value, key), child(d, key), (*path, key), label, inside)
    ]


def is_real(leaf: Any) -> bool:
    return isinstance(leaf, float | np.floating) or is_float_array(leaf)


def derivative_tree(tree: Any, f: Callable[[Any], Any]) -> Any:
    """`f` of the floats of `tree`, in a tree that is built like its derivatives."""
    leaves, structure = trees.flatten(tree, lambda leaf: not is_real(leaf))
    return trees.unflatten(structure, [f(leaf) for leaf in leaves])
