"""What `vjp(f)` returns beside the value: a function that checks what it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.derivative import Derivative
from adcompile.trees import flatten, leaves_like, paths, unflatten

__all__ = ["Pullback", "PullingBack"]


class Pullback:
    """From the cotangent of a value to the cotangents of the arguments that it was computed from.

    It may be called any number of times, and keeps alive what the backward sweep reads.
    """

    __slots__ = ("_back", "_forms", "_structure")

    def __init__(self, value: Any, back: Callable[[Any], Any]):
        leaves, self._structure = flatten(value)
        self._forms = [_form(x) for x in leaves]
        self._back = back

    def __call__(self, cotangent: Any) -> Any:
        """The cotangent of the argument, or a tuple of them, by that of the value.

        Raises:
            ValueError: if `cotangent` has not the structure, shapes and dtypes of the value.
        """
        leaves = leaves_like(self._structure, cotangent, "cotangent")
        places = paths(self._structure, "cotangent")
        fitting = [_fit(d, *form, at) for d, form, at in zip(leaves, self._forms, places)]
        return self._back(unflatten(self._structure, fitting))


def _form(x: Any) -> tuple[type, tuple[int, ...], np.dtype | None]:
    return type(x), np.shape(x), getattr(x, "dtype", None)


def _fit(d: Any, kind: type, shape: tuple[int, ...], dtype: np.dtype | None, at: str) -> Any:
    """`d` as the cotangent of a leaf of this form; any real number will do for a number."""
    if dtype is not None and shape:
        if isinstance(d, np.ndarray) and d.shape == shape and d.dtype == dtype:
            return d
    elif np.shape(d) == () and isinstance(d, float | int | np.ndarray | np.generic):
        return float(d) if dtype is None else dtype.type(d)
    expected = f"{dtype} of shape {shape}" if dtype is not None else f"a {kind.__name__}"
    got = f"{d.dtype} of shape {d.shape}" if isinstance(d, np.ndarray) else f"a {type(d).__name__}"
    raise ValueError(f"{at}: expected {expected}, like the value, got {got}")


class PullingBack(Derivative):
    """A `Derivative` that returns `(value, pullback)`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        value, back, *aux = super().__call__(*args, **kwargs)
        return value, Pullback(value, back), *aux
