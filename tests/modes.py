"""What the tests of the public modes share: two functions, and when results are the same."""

from __future__ import annotations

from typing import Any

import numpy as np

V = np.array([0.3, -0.5, 0.8])
ONES = np.ones(3)
Y = np.array([1.0, 2.0, 3.0])


def bilinear(x, y):
    return x * x * y


def loss(x, y):
    return np.sum(x * x * y)


def same(found: Any, expected: Any) -> None:
    """Equal trees of numbers, with equal structures, shapes and dtypes."""
    assert type(found) is type(expected), (found, expected)
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            same(found[key], expected[key])
    elif hasattr(expected, "dtype"):
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    else:
        assert found == expected
