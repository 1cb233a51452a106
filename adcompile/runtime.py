"""The few helpers that generated code may call."""

from __future__ import annotations

from typing import Any

import numpy as np


def stop_gradient(x: Any) -> Any:
    """Return `x` itself; its derivative is taken to be zero."""
    return x


def root(x: Any) -> Any:
    """Return `np.sqrt(x)`; its derivative at zero is taken to be zero.

    For roots of what is zero only where nothing has ever come: there, infinity would become NaN.
    """
    return np.sqrt(x)


def instance(cls: Any, /, **attributes: Any) -> Any:
    """An object of `cls` with these attributes, made without `__init__`."""
    made = object.__new__(cls)
    for name, value in attributes.items():
        object.__setattr__(made, name, value)
    return made


def unbroadcast(d: Any, shape: tuple[int, ...], other: tuple[int, ...] = ()) -> Any:
    """Sum `d` over the axes that broadcasting stretched, down to `shape`.

    `other` is the shape that `shape` was broadcast with, where `d` does not tell: over an axis that
    `d` has no length along, the sum is a product with that of `other`. One number stays one.
    """
    have = np.shape(d)
    rank = max(len(shape), len(have), len(other))
    want, known, beside = ((1,) * (rank - len(s)) + tuple(s) for s in (shape, have, other or have))
    lead = rank - len(shape)
    stretched = [k for k in range(rank) if k < lead or want[k] == 1]
    axes = tuple(k - rank + len(have) for k in stretched if known[k] != 1)
    times = 1
    for k in stretched:
        times *= beside[k] if known[k] == 1 else 1
    d = np.sum(d, axis=axes, keepdims=True) if axes else d
    d = d if times == 1 else d * times
    if not have:
        return d
    d = np.reshape(d, np.shape(d)[max(0, len(have) - len(shape)) :])
    return d if np.shape(d) == shape else np.broadcast_to(d, shape).copy()


def zeros_like(items: list[Any], *keys: Any) -> list[Any]:
    """A list of zeros with the shapes and dtypes of the arrays and numbers in `items`.

    With `keys`, of what stands under them in each item: `item[key]`, or `item.key`, and `...` for
    all items of a list. Zero for a tuple that was saved is None. Without `items`, on a path that
    has not made them, there are none.
    """
    found: list[Any] = []
    for x in items or ():
        left = list(keys)
        while left and left[0] is not ...:
            key = left.pop(0)
            by_name = isinstance(key, str) and not isinstance(x, dict)
            x = getattr(x, key) if by_name else x[key]
        if isinstance(x, list):
            found.append(zeros_like(x, *left[1:]))
        else:
            number = isinstance(x, np.ndarray) and x.ndim
            found.append(np.zeros_like(x) if number else None if isinstance(x, tuple) else 0.0)
    return found


def add_saved(x: Any, y: Any) -> Any:
    """The sum of two cotangents of what one half of a split function handed to the other.

    They are tuples of arrays, numbers, lists and such tuples, or None for zero.
    """
    if x is None or y is None:
        return y if x is None else x
    if isinstance(x, tuple | list):
        return type(x)([add_saved(a, b) for a, b in zip(x, y)])
    return x + y


def last_writes(shape: tuple[int, ...], index: Any) -> Any:
    """Which entries of `v` are still there after `x[index] = v` of an array with this shape.

    Where an index names an element twice, the last of them is kept.
    """
    writer = np.empty(shape, np.intp)  # of each element that is written
    entries = writer[index]
    entries = np.arange(entries.size).reshape(entries.shape)
    writer[index] = entries
    return writer[index] == entries


def masked_times(d: Any, p: Any) -> Any:
    """`d * p`, and zero wherever `d` is zero, whatever `p` is there."""
    if np.ndim(d) or np.ndim(p):
        return np.where(d != 0, d * p, 0)
    zero: Any = p.dtype.type(0) if isinstance(p, np.generic | np.ndarray) else 0.0
    return d * (p if d != 0 else zero)


def masked_product(d: Any, p: Any) -> Any:
    """`d * p`, and zero wherever one of them is zero, whatever the other one is there."""
    if np.ndim(d) or np.ndim(p):
        return np.where((d != 0) & (p != 0), d * p, 0)
    return masked_times(d, p) if p != 0 else masked_times(p, d)


MASKED = masked_times, masked_product
