"""Settings: numbers that an optimizer is made with.

In a program they may be values that a derivative is taken with respect to. What these functions do
with such a value is said in `lowering`.
"""

from __future__ import annotations

import math


def number(name: str, value: float, below: float = math.inf) -> float:
    """Return `value` as a Python float (a NumPy float64 would widen float32 arrays).

    Raises:
        ValueError: unless `0 <= value < below`.
    """
    bound = "" if below == math.inf else f" and less than {below:g}"
    return in_range(name, float(value), below, bound)


def in_range(name: str, value: float, below: float, bound: str) -> float:
    if not 0 <= value < below:
        raise ValueError(f"{name} must be finite and not negative{bound}, got {value}")
    return value


def is_off(setting: float) -> bool:
    """Whether what a setting is the strength of does not happen at all.

    A setting that a program computes is not off even where it is zero: its derivative need not be.
    """
    return setting == 0


def rest(x: float) -> float:
    """1 - x in decimals, as one would write it: 0.1 for 0.9, not 0.09999999999999998."""
    from decimal import Decimal

    return float(1 - Decimal(repr(x)))
