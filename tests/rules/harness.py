"""What the tests of rules share: samples (calls of a function), and random numbers for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from adcompile.testing import Example, example
from adcompile.testing.examples import is_float, leaves, map_leaves

rng = np.random.default_rng(0)


def N(*shape: int) -> Any:
    """Standard normal numbers."""
    return rng.standard_normal(shape)


def P(*shape: int) -> Any:
    """Positive numbers."""
    return rng.uniform(0.5, 2.0, shape)


def U(*shape: int) -> Any:
    """Numbers in (-1, 1), away from 0 and from the ends."""
    return rng.uniform(0.1, 0.9, shape) * rng.choice([-1.0, 1.0], shape)


def F(*shape: int) -> Any:
    """Numbers in (0, 1)."""
    return rng.uniform(0.1, 0.9, shape)


def W(*shape: int) -> Any:
    """1, 2 and their negatives."""
    return rng.choice([-2.0, -1.0, 1.0, 2.0], shape)


def M(*shape: int) -> Any:
    """Numbers that are far from every multiple of those."""
    return rng.integers(-3, 3, shape) + rng.uniform(0.3, 0.7, shape)


def distinct(*shape: int) -> Any:
    """Well separated numbers in random order, without ties."""
    n = int(np.prod(shape))
    return rng.permutation(n).reshape(shape) * 0.7 - 0.3 * n + 0.1


def regular(*shape: int) -> Any:
    """Well-conditioned matrices."""
    return 0.5 * N(*shape) + 3 * np.eye(shape[-1])


S = example


def in_dtype(sample: Example, dtype: Any) -> Example:
    """The same call with arrays (and NumPy's numbers) of floats in another dtype."""

    def cast(x: Any) -> Any:
        return x.astype(dtype) if isinstance(x, np.ndarray | np.generic) and is_float(x) else x

    return sample.mapped(lambda x: map_leaves(cast, x))


def has_array(sample: Example) -> bool:
    """Whether some of it is in an array of floats that is not empty."""
    found = (x for _, x in leaves([*sample.args, *sample.kwargs.values()]))
    return any(isinstance(x, np.ndarray) and is_float(x) and x.size for x in found)


def close(got: Any, want: Any, tol: float) -> None:
    got, want = np.asarray(got, float), np.asarray(want, float)
    got = np.broadcast_to(got, want.shape)
    np.testing.assert_allclose(got, want, rtol=tol, atol=tol)
