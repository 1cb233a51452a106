"""What a table ends in, goals met or missed; and that what is compared gives the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from adcompile.trees import leaves

Goal = tuple[bool, str]  # whether it is met, and what it says


def check_agreement(
    candidates: Mapping[str, Callable[[], Any]], reference: str = "by hand"
) -> None:
    """Results of all candidates are the same, else their times mean nothing."""
    expected = leaves(candidates[reference]())
    for name, call in candidates.items():
        # Some give the value too, so start from the end.
        for e, g in zip(reversed(expected), reversed(leaves(call())), strict=False):
            tolerance = 1e-4 if e.dtype == np.float32 else 1e-9
            np.testing.assert_allclose(g, e, rtol=tolerance, atol=tolerance, err_msg=name)
