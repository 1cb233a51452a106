"""Random programs of control flow: the interpreted SSA gives what Python gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adcompile.ir import interpreter
from tests.frontend.lowered import lower, same
from tests.frontend.programs import load, programs

V = np.array([0.3, -1.2, 0.7])
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def compare(text: str, a: float, b: float, n: int) -> None:
    f = load(text)
    fn = lower(f, a, b, V, n)
    with np.errstate(all="ignore"):
        try:
            want = f(a, b, V, n)
        except OverflowError:
            return
        assert same(want, interpreter.run(fn, a, b, V, n)), text


arguments = (
    st.sampled_from([0.0, 0.4, -1.3, 2.0]),
    st.sampled_from([0.2, -0.7]),
    st.integers(0, 4),
)


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(programs(), *arguments)
def test_random_programs(text, a, b, n):
    compare(text, a, b, n)


@pytest.mark.nightly
@settings(max_examples=3000, deadline=None, suppress_health_check=SLOW)
@given(programs(), *arguments)
def test_random_programs_nightly(text, a, b, n):
    compare(text, a, b, n)
