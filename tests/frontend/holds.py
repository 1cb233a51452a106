"""What the tests of iteration and containers share: a program against finite differences."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile import check_grads, grad, trees, value_and_grad

X = np.array([1.0, 2.0, 3.0])
W = np.array([0.5, -1.0, 2.0])
A = np.arange(6.0).reshape(2, 3) + 0.5
P = {"a": X, "b": A}


def holds(f: Callable[..., Any], *args: Any) -> str:
    """Check value, gradient, shapes and dtypes; the arguments stay as they are. The text."""
    given = copy.deepcopy(args)
    check_grads(f, args)
    compiled = grad(f)
    first, second = compiled(*args), compiled(*args)
    value, third = value_and_grad(f)(*args)
    expected = f(*copy.deepcopy(args))
    assert np.array_equal(value, expected)
    assert np.shape(value) == np.shape(expected)
    leaves = [trees.flatten(t)[0] for t in (first, second, third, args[0])]
    for a, b, c, x in zip(*leaves, strict=True):
        assert np.array_equal(a, b) and np.array_equal(a, c)
        if isinstance(x, np.ndarray):
            assert a.shape == x.shape and a.dtype == x.dtype
    for before, now in zip(trees.flatten(given)[0], trees.flatten(args)[0], strict=True):
        assert np.array_equal(before, now)
    return compiled.source
