"""What `vjp(f)` returns beside the value: a function that checks what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from adcompile.classes import keys_of
from adcompile.derivative import Derivative
from adcompile.ir.types import with_article
from adcompile.signature import child
from adcompile.trees import LEAF, Structure, flatten, has_keys, step, unflatten

__all__ = ["Pullback", "PullingBack"]


class Pullback:
    """From the cotangent of a value to the cotangents of the arguments that it was computed from.

    It may be called any number of times, and keeps alive what the backward sweep reads.
    """

    __slots__ = ("_back", "_forms", "_of", "_structure")

    def __init__(self, value: Any, back: Callable[[Any], Any], of: str = "f"):
        leaves, self._structure = flatten(value)
        self._forms = [_Form(x) for x in leaves]
        self._back, self._of = back, of

    def __call__(self, cotangent: Any) -> Any:
        """The cotangent of the argument, or a tuple of them, by that of the value.

        `cotangent` is built like the value. None stands for zeros, for a leaf or a whole tree, and
        for what has no derivative.

        Raises:
            ValueError: if `cotangent` has not the structure, shapes and dtypes of the value.
        """
        forms = iter(self._forms)
        fitting = _fitting(self._structure, cotangent, forms, "cotangent")
        return self._back(unflatten(self._structure, fitting))

    def __repr__(self) -> str:
        return f"<pullback of {self._of}>"


class _Form:
    """What the cotangent of a leaf of the value must be."""

    __slots__ = ("dtype", "kind", "shape")

    def __init__(self, x: Any):
        self.kind, self.shape, self.dtype = type(x), np.shape(x), getattr(x, "dtype", None)

    @property
    def real(self) -> bool:
        if self.dtype is None:  # an int may stand for a float: `return x if x > 0.0 else 0`
            return self.kind in (float, int)
        return self.dtype.kind == "f"

    def zero(self) -> Any:
        if not self.real:
            return None
        return 0.0 if self.dtype is None else np.zeros(self.shape, self.dtype)[()]

    def fit(self, d: Any, at: str) -> Any:
        """`d` as the cotangent of the leaf; any real number will do for a number."""
        if d is None:
            return self.zero()
        if not self.real:
            raise ValueError(f"{at}: the value is {self} there, which has no derivative: pass None")
        if self.shape:
            if isinstance(d, np.ndarray) and d.shape == self.shape and d.dtype == self.dtype:
                return d
        elif np.shape(d) == () and np.asarray(d).dtype.kind in "fiub":
            return float(d) if self.dtype is None else self.dtype.type(d)
        raise ValueError(f"{at}: expected {self}, like the value, got {_Form(d)}")

    def __str__(self) -> str:
        if self.dtype is None:
            return with_article(self.kind.__name__)
        if not self.shape:
            return with_article(f"{self.dtype} scalar")
        return with_article(f"{self.dtype} array of shape {self.shape}")


def _fitting(structure: Structure, d: Any, forms: Iterator[_Form], at: str) -> list[Any]:
    """The leaves of a cotangent, in the forms of those of the value."""
    if structure == LEAF:
        return [next(forms).fit(d, at)]
    if d is None:
        return [next(forms).zero() for _ in range(structure.size)]
    keys = keys_of(d)
    if type(d) is not structure.kind or not has_keys(structure.kind, keys or (), structure.keys):
        got = _Form(d) if keys is None else Structure(type(d), keys)
        raise ValueError(f"{at}: expected {structure}, like the value, got {got}")
    found: list[Any] = []
    for key, inner in zip(structure.keys, structure.children, strict=True):
        found += _fitting(inner, child(d, key), forms, at + step(structure.kind, key))
    return found


class PullingBack(Derivative):
    """A `Derivative` that returns `(value, pullback)`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        value, back, *aux = super().__call__(*args, **kwargs)
        return value, Pullback(value, back, self.__qualname__), *aux
