"""What it costs to find and call a specialisation, over calling the generated function itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from bench.timing import difference, side_by_side

import adcompile


def bare(a, b, c, d):
    return np.sum(a * b + c * d)


def tree(params):
    (a, b), (c, d) = params
    return np.sum(a * b + c * d)


def overheads(rounds: int) -> dict[str, float]:
    """Seconds, for four arrays as arguments and for four in a small tree."""
    a, b, c, d = (np.ones(3) for _ in range(4))
    return {
        "four arrays": _overhead(adcompile.grad(bare, wrt=(0, 1, 2, 3)), (a, b, c, d), rounds),
        "four arrays in a tree": _overhead(adcompile.grad(tree), (((a, b), (c, d)),), rounds),
    }


def _overhead(gradient: Any, args: tuple[Any, ...], rounds: int) -> float:
    generated: Callable[..., Any] = gradient.lower(*args).function
    times = side_by_side(
        {"found": lambda: gradient(*args), "generated": lambda: generated(*args)}, rounds
    )
    return difference(times["found"], times["generated"])
