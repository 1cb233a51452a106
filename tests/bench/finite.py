"""Central differences, element by element: the reference for gradients of small programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.trees import leaves, map_leaves, paths

STEP = 1e-5  # the error of a difference is about STEP**2 and 1e-16 / STEP


def assert_gradients(
    f: Callable[..., Any], args: tuple[Any, ...], wrt: tuple[int, ...], got: Any
) -> None:
    """Compare `got` (one tree for each of `wrt`, or the one) with differences of the scalar `f`.

    Each leaf must have the shape and dtype of what it belongs to; float64 is expected.
    """
    wanted = tuple(args[i] for i in wrt)
    gradients = got if len(wrt) > 1 else (got,)
    for place, leaf, gradient in zip(
        paths(wanted, "wrt"), leaves(wanted), leaves(gradients), strict=True
    ):
        assert np.shape(gradient) == np.shape(leaf), place
        assert np.asarray(gradient).dtype == np.float64, place
        expected = differences(f, args, leaf)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8, err_msg=place)


def differences(f: Callable[..., Any], args: tuple[Any, ...], leaf: Any) -> np.ndarray:
    """The derivative of `f(*args)` with respect to each element of `leaf`, found by identity."""
    result = np.zeros(np.shape(leaf))
    for index in np.ndindex(result.shape):
        low, high = (f(*map_leaves(_moved(leaf, index, by), args)) for by in (-STEP, STEP))
        result[index] = (high - low) / (2 * STEP)
    return result


def _moved(leaf: Any, index: tuple[int, ...], by: float) -> Callable[[Any], Any]:
    def move(other: Any) -> Any:
        if other is not leaf:
            return other
        moved = np.array(other, dtype=np.float64)
        moved[index] += by
        return moved if moved.shape else float(moved)

    return move
