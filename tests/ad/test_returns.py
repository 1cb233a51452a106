"""`return` in a loop: its gradient is the one that a `break` would have had."""

from collections.abc import Callable
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adcompile import grad
from adcompile.testing import check_grads
from tests.ad import flagged_programs, test_random
from tests.ad.returning import (
    PROGRAMS,
    endless_root,
    root,
    root_or_nothing,
    written_on_the_way_out,
)

VECTORS = {
    "early": np.array([0.4, 0.7, 1.7, -0.3]),
    "never": np.array([0.1, -0.2, 0.31, 0.05]),
    "first": np.array([-1.4, 2.1, 0.2, 0.6]),
    "second": np.array([1.2, -1.3, 0.35, 0.2]),
    "last": np.array([0.2, -1.3, 0.33, 2.2]),
}


@pytest.mark.parametrize("x", VECTORS.values(), ids=VECTORS)
@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_derivatives(f: Callable, x: np.ndarray) -> None:
    check_grads(f, (x,), modes=("forward", "reverse"), order=2)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(4, 14))
def test_random_programs(seed: int, size: int) -> None:
    test_random.check(seed, size, flagged_programs.program)


@pytest.mark.nightly
@settings(max_examples=2000, deadline=None)
@given(st.integers(0, 10_000_000), st.integers(4, 20))
def test_many_random_programs(seed: int, size: int) -> None:
    test_random.check(seed, size, flagged_programs.program)


# --- texts ----------------------------------------------------------------------------------------


BACK = """\
    d_x = 1.0
    d_a = 0.0
    for x in reversed(saved_x):
        # new = 0.5 * (x + a / x)
        d_x *= 0.5
        d_a += d_x / x
        d_x -= d_x * (a / x / x)
    return d_a
"""


@pytest.mark.parametrize("f", [root, endless_root], ids=lambda f: f.__name__)
def test_both_returns_are_of_the_same_iterate(f: Callable) -> None:
    text = grad(f).lower(2.0).source
    assert "break\n        x = new\n" in text and "flag" not in text and text.endswith(BACK)
    assert grad(f)(2.0) == pytest.approx(0.5 / np.sqrt(2.0), rel=1e-14)


def test_a_way_that_raises_has_no_derivative() -> None:
    text = grad(root_or_nothing).lower(2.0).source
    rest = BACK.removeprefix("    d_x = 1.0\n")
    assert 'd_x = 1.0\n    else:\n        raise ValueError("no convergence")\n' in text
    assert text.endswith(rest) and "!= 0" not in text
    with pytest.raises(ValueError, match="no convergence"):
        grad(root_or_nothing)(-2.0)


def test_what_is_returned_is_computed_after_the_loop() -> None:
    """An array that the loop writes into is not kept for each iteration, in case it returns."""
    assert grad(written_on_the_way_out).lower(np.ones(3)).source == dedent("""\
        import numpy as np


        def written_on_the_way_out_grad(x):
            y = x.copy()
            saved_i = []
            flag = False
            for i in range(len(y)):
                saved_i.append(i)  # for d_y
                y[i] = y[i] * 1.3
                if np.sum(y) > 2.0:
                    flag = True
                    break
            if flag:
                y[0] = y[0] * 2.0
                # return np.sum(y * y)
                d_y = 2.0 * y
                # y[0] = y[0] * 2.0
                d_y[0] = 2.0 * d_y[0]
            else:
                d_y = np.full_like(y, 1.0)

            for i in reversed(saved_i):
                # y[i] = y[i] * 1.3
                d_y[i] *= 1.3
            return d_y
        """)
