"""Functions with places to keep away from, and the ways in which programs keep away from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Program = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Steep:
    """A function, numbers where it is smooth, and others where it or its slope is not finite."""

    fn: Callable[[Any], Any]
    good: tuple[float, ...]
    bad: tuple[float, ...]


FUNCTIONS = {
    "sqrt": Steep(np.sqrt, (0.5, 2.0, 1.0), (0.0, -1.0)),
    "cbrt": Steep(np.cbrt, (0.5, -2.0, 1.0), (0.0,)),
    "log": Steep(np.log, (0.5, 2.0, 1.0), (0.0, -1.0)),
    "log1p": Steep(np.log1p, (0.5, -0.4, 0.0), (-1.0, -2.0)),
    "log10": Steep(np.log10, (0.5, 2.0, 1.0), (0.0, -1.0)),
    "divide": Steep(lambda x: (1 + x) / x, (0.5, -2.0, 1.5), (0.0,)),
    "reciprocal": Steep(np.reciprocal, (0.5, -2.0, 1.0), (0.0,)),
    "power": Steep(lambda x: x**0.5, (0.5, 2.0, 1.0), (0.0, -1.0)),
    "negative power": Steep(lambda x: x**-1.5, (0.5, 2.0, 1.0), (0.0, -1.0)),
    "arcsin": Steep(np.arcsin, (0.5, -0.4, 0.1), (1.0, -1.0, 2.0)),
    "arccos": Steep(np.arccos, (0.5, -0.4, 0.1), (1.0, -1.0, 2.0)),
    "arccosh": Steep(np.arccosh, (1.5, 2.0, 3.0), (1.0, 0.0)),
    "arctanh": Steep(np.arctanh, (0.5, -0.4, 0.1), (1.0, -1.0, 2.0)),
    "arctan2": Steep(lambda x: np.arctan2(x, 2 * x), (0.5, -2.0, 1.0), (0.0,)),
    "exp": Steep(np.exp, (0.5, -2.0, 0.0), (1000.0,)),
    "logit": Steep(lambda x: np.log(x / (1 - x)), (0.5, 0.2, 0.9), (0.0, 1.0, 2.0)),
}


def selections(f: Callable[[Any], Any]) -> dict[str, Program]:
    """For numbers and arrays, and for masks that broadcast: programs of x and of where it is good.

    Each puts a constant where it is not, so its gradient is zero there.
    """

    def where(x, c):
        return np.sum(np.where(c, f(x), 0.0) * 3.0)

    def swapped(x, c):
        return np.sum(np.where(np.logical_not(c), 2.0, f(x) * x))

    def chain(x, c):
        return np.sum(np.where(c, np.sqrt(f(x) * f(x) + 1.0), 0.0))

    def after(x, c):
        return np.sum(np.tanh(np.where(c, f(x), 0.5)) ** 2)

    def nested(x, c):
        inner = np.where(c, f(x), 1.0)
        return np.sum(np.where(c, f(x) * inner, 0.0))

    def twice(x, c):
        y = f(x)
        return np.sum(np.where(c, y, 0.0) + np.sin(np.where(c, x * y, 0.0)))

    def two_masks(x, c):
        y = f(x)
        z = np.where(c, y, 0.0) * np.where(np.logical_and(c, x < 1.2), y, 0.0)
        return np.sum(z * z)

    def inactive(x, c):
        y = np.where(c, f(x), x)
        return np.sum(np.where(c, y * y, 0.0))

    def rebound(x, c):
        h = f(x)
        for k in range(3):
            h = np.where(c, np.sin(h) + k, 0.0)
        return np.sum(h)

    def later(x, c):
        h = x
        for _ in range(2):
            h = np.where(c, x + 0.01 * f(h), 0.0)
        return np.sum(h * h)

    return _by_name(
        where, swapped, chain, after, nested, twice, two_masks, inactive, rebound, later
    )


def for_arrays(f: Callable[[Any], Any]) -> dict[str, Program]:
    """For arrays alone, and masks of the same shape."""

    def picked(x, c):
        return np.sum(f(x)[c] ** 2)

    def picked_by_position(x, c):
        return np.sum(f(x)[np.nonzero(c)] ** 2)

    def picked_before(x, c):
        return np.sum(f(x[c]) ** 2)

    def overwritten(x, c):
        y = f(x)
        y[np.logical_not(c)] = 0.0
        return np.sum(y * y)

    def filled(x, c):
        y = np.zeros_like(x)
        y[c] = f(x[c])
        return np.sum(y * y)

    def filled_before(x, c):
        y = np.full_like(x, 0.25)
        y[c] = x[c]
        return np.sum(np.where(c, f(y), 0.0))

    def copied(x, c):
        y = np.ones_like(x)
        np.copyto(y, f(x), where=c)
        return np.sum(y * y)

    def masked_sum(x, c):
        return np.sum(f(x), where=c)

    def reshaped(x, c):
        y = np.reshape(f(x), (-1, 1))
        return np.sum(np.where(np.reshape(c, (-1, 1)), y * y, 0.0))

    def transposed(x, c):
        return np.sum(np.where(c.T, f(x).T, 0.0).T * 2.0)

    def stretched(x, c):
        y = f(x)[None] * np.ones((2, 1))[(slice(None),) + (None,) * (np.ndim(x) - 1)]
        return np.sum(np.where(c, y * y, 0.0))

    def sliced(x, c):
        y = f(x)
        return np.sum(np.where(c[1:], y[1:], 0.0)) + np.sum(np.where(c, y, 0.0)[:1])

    def branched(x, c):
        y = f(x)
        z = np.where(c, y, 0.0)
        if np.sum(c) > 0:
            z = z * 2.0
        return np.sum(z)

    def counted(x, c):
        y = np.ravel(f(x))
        m = np.ravel(c)
        total = 0.0
        for i in range(y.size):
            total = total + (y[i] * y[i] if m[i] else 0.0)
        return total

    return _by_name(
        *(picked, picked_by_position, picked_before, overwritten, filled, filled_before, copied),
        *(masked_sum, reshaped, transposed, stretched, sliced, branched, counted),
    )


def for_numbers(f: Callable[[Any], Any]) -> dict[str, Program]:
    """For numbers, which programs choose by `if`."""

    def chosen(x, c):
        y = f(x)
        return y if c else 0.0

    def chosen_after(x, c):
        y = f(x)
        z = y * x if c else 1.0
        return z * z

    def statement(x, c):
        y = f(x)
        if c:
            z = y + x
        else:
            z = 0.0
        return np.sin(z)

    def early(x, c):
        y = f(x)
        if not c:
            return 0.0
        return y * y

    return _by_name(chosen, chosen_after, statement, early)


def for_vectors(f: Callable[[Any], Any]) -> dict[str, Program]:
    """For vectors, of which loops take some elements, or leave some out."""

    def conditional(x, c):
        y = f(x)
        s = 0.0
        for i in range(len(x)):
            if c[i]:
                s += y[i] * y[i]
        return s

    def continued(x, c):
        s = 0.0
        for i in range(len(x)):
            y = f(x[i])
            if not c[i]:
                continue
            s += y * x[i]
        return s

    def otherwise(x, c):
        y = f(x)
        s = 0.0
        for i in range(len(x)):
            if c[i]:
                s += np.sin(y[i])
            else:
                s += 1.0
        return s * s

    def written(x, c):
        y, z = f(x), np.zeros_like(x)
        for i in range(len(x)):
            if c[i]:
                z[i] = y[i] * y[i]
        return np.sum(z * z)

    def cleared(x, c):
        y = f(x)
        for i in range(len(x)):
            if not c[i]:
                y[i] = 0.0
        return np.sum(y * y)

    def whiles(x, c):
        y = f(x)
        s, i = 0.0, 0
        while i < len(x):
            if c[i]:
                s += y[i] * y[i]
            i += 1
        return s

    def zipped(x, c):
        s = 0.0
        for v, good in zip(f(x), c):
            if good:
                s += v * v
        return s

    def appended(x, c):
        y, taken = f(x), []
        for i in range(len(x)):
            if c[i]:
                taken.append(y[i] * 2.0)
        return np.sum(np.array(taken) ** 2)

    def multiplied(x, c):
        y, s = f(x), 1.0
        for i in range(len(x)):
            if c[i]:
                s = s * (1 + 0.1 * y[i])
        return s

    def comprehended(x, c):
        y = f(x)
        return sum([y[i] * y[i] for i in range(len(x)) if c[i]])

    def nested(x, c):
        y, s = f(x), 0.0
        for i in range(len(x)):
            for k in range(2):
                if c[i]:
                    if k:
                        s += y[i] * y[i] * x[i]
        return s

    return _by_name(
        *(conditional, continued, otherwise, written, cleared, whiles, zipped, appended),
        *(multiplied, comprehended, nested),
    )


def _by_name(*programs: Program) -> dict[str, Program]:
    return {p.__name__: p for p in programs}
