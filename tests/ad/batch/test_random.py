"""Random programs, in a batch: Jacobians of both modes and Hessians against single directions."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest

from tests.ad import programs, writing
from tests.ad.batch.harness import check, check_fanned, check_hessian


def arguments(seed: int, writes: bool) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=4), rng.normal(size=(3, 4)) if writes else float(rng.normal())


def small(f: Any, args: tuple[Any, ...]) -> bool:
    """Whether the result has not grown too fast."""
    with np.errstate(all="ignore"):
        return abs(f(*copy.deepcopy(args))) < 1e6


def batches(seed: int, writes: bool, size: int) -> None:
    f, _ = (writing if writes else programs).program(seed, size)
    args = arguments(seed, writes)
    if not small(f, args):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        check(f, *args, wrt=(0, 1), modes=[True], tol=1e-8, differences=None)
        check_fanned(f, args, (0, 1))
        check_hessian(f, args, (0, 1), tol=1e-7)


@pytest.mark.parametrize("writes", [False, True], ids=["control flow", "writes"])
@pytest.mark.parametrize("seed", range(10))
def test_random_programs(seed: int, writes: bool) -> None:
    batches(seed, writes, 10)


@pytest.mark.nightly
@pytest.mark.parametrize("writes", [False, True], ids=["control flow", "writes"])
@pytest.mark.parametrize("seed", range(100, 500))
def test_many_random_programs(seed: int, writes: bool) -> None:
    batches(seed, writes, 14)
