"""Times side by side: what is compared runs in turns, so that a busy machine slows all alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

ROUND = 2e-3  # seconds that one candidate runs in one round, at least one call


def side_by_side(
    candidates: Mapping[str, Callable[[], Any]], rounds: int
) -> dict[str, list[float]]:
    """Seconds a call of each candidate, one number a round; in every round each has its turn."""
    settle_allocator()
    numbers = {name: max(1, int(ROUND / _once(call))) for name, call in candidates.items()}
    times: dict[str, list[float]] = {name: [] for name in candidates}
    with no_gc():
        for _ in range(rounds):
            for name, call in candidates.items():
                times[name].append(_per_call(call, numbers[name]))
    return times


def ratio(times: list[float], reference: list[float]) -> float:
    """The median over the rounds of `times` as a multiple of `reference` in the same round."""
    return statistics.median(t / r for t, r in zip(times, reference, strict=True))


def difference(times: list[float], reference: list[float]) -> float:
    """The median over the rounds of the seconds that `times` takes more than `reference`."""
    return statistics.median(t - r for t, r in zip(times, reference, strict=True))


def _once(call: Callable[[], Any]) -> float:
    call()
    return min(_per_call(call, 1) for _ in range(3))


def _per_call(call: Callable[[], Any], number: int) -> float:
    turns = range(number)
    start = time.perf_counter()
    for _ in turns:
        call()
    return (time.perf_counter() - start) / number


def settle_allocator() -> None:
    """Free something large, as any program has after a while.

    Until then glibc gives memory back to the system at every chance and fetches it again, page by
    page: whether it does depends on what ran before, and can be most of the time of a call.
    """
    np.ones(2**22 - 2**10)  # just under the 32 MiB up to which it learns


@contextmanager
def no_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
