"""The few helpers that generated code may call."""

from __future__ import annotations

from typing import Any

import numpy as np


def stop_gradient(x: Any) -> Any:
    """Return `x` itself; its derivative is taken to be zero."""
    return x


def unbroadcast(d: Any, shape: tuple[int, ...]) -> Any:
    """Sum `d` over the axes that broadcasting stretched, down to `shape`."""
    d = np.sum(d, axis=tuple(range(np.ndim(d) - len(shape)))) if np.ndim(d) > len(shape) else d
    lead = len(shape) - np.ndim(d)
    axes = tuple(k for k, n in enumerate(np.shape(d)) if n != 1 and shape[k + lead] == 1)
    d = np.sum(d, axis=axes, keepdims=True) if axes else d
    return d if np.shape(d) == shape else np.broadcast_to(d, shape).copy()


def zeros_like(items: list[Any]) -> list[Any]:
    """A list of zeros with the shapes and dtypes of the arrays and numbers in `items`."""
    return [np.zeros_like(x) if np.ndim(x) else 0.0 for x in items]
