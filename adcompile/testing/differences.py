"""Derivatives along a direction by differences, in float64, and numbers compared one by one.

Differences are central, at two steps, combined as Richardson did (1911): the error is of fourth
order in the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.testing.examples import is_float, map_leaves

STEP = 1e-3  # of the larger of |x| and SMALLEST
SMALLEST = 0.05
ROUNDING = 2e-15  # of a few operations; an error in f of |f| times this is forgiven


def widened(x: Any) -> Any:
    """Arguments with arrays of float64 for those of other floats."""

    def one(leaf: Any) -> Any:
        array = isinstance(leaf, np.ndarray | np.generic) and is_float(leaf)
        return leaf.astype(np.float64) if array else leaf

    return map_leaves(one, x)


def moved(x: Any, v: Any, h: float) -> Any:
    """`x + h v`, where there is a direction."""

    def one(leaf: Any, d: Any) -> Any:
        if d is None:
            return leaf
        return np.asarray(leaf + h * d) if isinstance(leaf, np.ndarray) else leaf + h * d

    return map_leaves(one, x, v)


def derivative(
    f: Callable[..., Sequence[Any]], xs: Sequence[Any], vs: Sequence[Any]
) -> list[tuple[Any, Any]]:
    """(derivative of each result of `f` at `xs` along `vs`, how far rounding may throw it off).

    Directions are in proportion to what they belong to: their elements are about as large as the
    steps that can be made.
    """

    def at(h: float) -> list[Any]:
        return [np.asarray(y) for y in f(*map(moved, xs, vs, [h] * len(xs)))]

    found = []
    for ys in zip(at(STEP / 2), at(-STEP / 2), at(STEP), at(-STEP), strict=True):
        above, below, far_above, far_below = [y.astype(np.float64) for y in ys]
        fine, coarse = (above - below) / STEP, (far_above - far_below) / (2 * STEP)
        size = np.maximum(abs(far_above), abs(far_below))
        found.append(((4 * fine - coarse) / 3, _rounding(ys[0].dtype) * size / STEP))
    return found


def _rounding(dtype: np.dtype) -> float:
    """The error of what is computed in float64, and given in this dtype."""
    return max(ROUNDING, float(np.finfo(dtype).eps)) if dtype.kind == "f" else ROUNDING


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two arrays differ most, in units of what is allowed."""

    wrong: int
    size: int
    index: tuple[int, ...]
    expected: float
    got: float

    def __str__(self) -> str:
        at = f" at [{', '.join(map(str, self.index))}]" if self.index else ""
        count = f" ({self.wrong} of {self.size} elements)" if self.size > 1 else ""
        return f"expected {self.expected:.10g}{at}, got {self.got:.10g}{count}"


def worst(got: Any, expected: Any, allowed: Any) -> Difference | None:
    """The worst of the elements that are further off than `allowed`; nan equals nan."""
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    with np.errstate(all="ignore"):
        off = np.where(got == expected, 0.0, abs(got - expected)) / allowed
    off = np.where(np.isnan(got) & np.isnan(expected), 0.0, off)
    off = np.where(np.isnan(off), np.inf, off)
    if not np.any(off > 1):
        return None
    index = np.unravel_index(int(np.argmax(off)), off.shape)
    return Difference(
        int(np.sum(off > 1)),
        off.size,
        tuple([int(i) for i in index]),
        float(expected[index]),
        float(got[index]),
    )
