"""Jacobians of every family of operations, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.ad.batch.harness import check
from tests.ad.batch.programs import SAMPLES

IDS = [f"{f.__name__}-{k}" for k, (f, _, _) in enumerate(SAMPLES)]


@pytest.mark.parametrize("forward", [True, False], ids=["forward", "reverse"])
@pytest.mark.parametrize(("program", "args", "wrt"), SAMPLES, ids=IDS)
def test_jacobian(
    program: Callable[..., Any], args: tuple[Any, ...], wrt: tuple[int, ...], forward: bool
) -> None:
    check(program, *args, wrt=wrt, modes=[forward])
