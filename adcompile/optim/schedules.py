"""Learning-rate schedules: functions from the step, counted from 0, to the learning rate.

Any function `step -> lr` may be given to an optimizer as its `lr`; these are the usual ones. They
can be pickled, and so can an optimizer that uses one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """The same learning rate in every step."""
    return partial(_constant, lr=lr)


def step_decay(lr: float, every: int, factor: float) -> Schedule:
    """Start at `lr` and multiply by `factor` after each `every` steps.

    Raises:
        ValueError: if `every` is less than 1.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1 step, got {every}")
    return partial(_step_decay, lr=lr, every=every, factor=factor)


def cosine(lr: float, total: int, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """Rise linearly to `lr` in `warmup` steps, then fall along half a cosine to `floor`.

    Step 0 of a warm-up has `lr / warmup`, step `warmup - 1` and step `warmup` have `lr`; `floor`
    is reached in step `total`, which counts the warm-up, and kept from there on. Loshchilov &
    Hutter, "SGDR", 2017 (arXiv:1608.03983), without restarts; the warm-up is that of Goyal et al.,
    "Accurate, Large Minibatch SGD", 2017 (arXiv:1706.02677).

    Raises:
        ValueError: unless `0 <= warmup < total`.
    """
    if not 0 <= warmup < total:
        raise ValueError(f"expected 0 <= warmup < total, got warmup={warmup}, total={total}")
    return partial(_cosine, lr=lr, total=total, warmup=warmup, floor=floor)


def _constant(step: int, *, lr: float) -> float:
    return lr


def _step_decay(step: int, *, lr: float, every: int, factor: float) -> float:
    return lr * factor ** (step // every)


def _cosine(step: int, *, lr: float, total: int, warmup: int, floor: float) -> float:
    if step < warmup:
        return lr * (step + 1) / warmup
    if step >= total:
        return floor
    progress = (step - warmup) / (total - warmup)
    return floor + (lr - floor) * (1 + math.cos(math.pi * progress)) / 2
