"""Kinks, ties and other places where a derivative is a matter of convention; what has no rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcompile import MissingRule, grad, jvp
from adcompile.rules import registry
from adcompile.testing.examples import call_of
from tests.rules.harness import S, close


def derivative(fn: Any, *args: Any, wrt: int = 0, **kwargs: Any) -> Any:
    """The derivative of one call in the direction of all ones."""
    call = call_of(fn, S(*args, wrt=wrt, **kwargs))
    x = args[wrt]
    ones = np.ones_like(x) if isinstance(x, np.ndarray) else 1.0
    value = call.program("value", [f"return {call.text}"])
    with np.errstate(all="ignore"):
        return jvp(value, call.params[wrt])(tuple(call.inputs), ones)[1]


ZERO = np.zeros(2)

CONVENTIONS: list[tuple[Any, tuple[Any, ...], int, Any]] = [
    (np.absolute, (ZERO,), 0, [0, 0]),
    (np.sqrt, (ZERO,), 0, [np.inf, np.inf]),
    (np.linalg.norm, (ZERO,), 0, 0),
    (np.std, (ZERO,), 0, 0),
    (np.hypot, (ZERO, ZERO), 0, [0, 0]),
    (np.sinc, (ZERO,), 0, [0, 0]),
    (np.maximum, (ZERO, ZERO), 0, [0.5, 0.5]),
    (np.minimum, (ZERO, ZERO), 1, [0.5, 0.5]),
    (np.maximum, (ZERO, 0.0), 0, [0, 0]),  # an array yields to a number
    (np.maximum, (ZERO, 0.0), 1, [1, 1]),
    (np.minimum, (1.0, np.ones(2)), 1, [0, 0]),
    (np.maximum, (np.array([-np.inf]), np.array([-np.inf])), 0, [0.5]),
    (np.fmax, (ZERO, ZERO), 1, [0.5, 0.5]),
    (np.fmax, (np.array([np.nan, 1.0]), np.array([2.0, np.nan])), 0, [0, 1]),
    (max, (1.0, 1.0), 0, 0.5),
    (np.clip, (np.array([0.0, 1.0, 2.0]), 0.0, 1.0), 0, [1, 1, 0]),
    (np.power, (ZERO, np.array([2.0, 3.0])), 1, [0, 0]),
    (np.power, (ZERO, np.array([1.0, 0.0])), 0, [1, 0]),
    (np.power, (ZERO, 2), 0, [0, 0]),
    (np.logaddexp, (np.array([-np.inf]), np.array([-np.inf])), 0, [0]),
    (np.logaddexp, (0.0, np.array([-np.inf])), 1, [0]),
    (np.fmod, (np.array([-7.5, 7.5]), np.array([2.0, -2.0])), 1, [3, 3]),
    (np.remainder, (np.array([-7.5, 7.5]), np.array([2.0, -2.0])), 1, [4, 4]),
    (np.prod, (np.array([0.0, 2.0, 3.0]),), 0, 6),
    (np.prod, (np.array([0.0, 2.0, 0.0]),), 0, 0),
    (np.floor, (np.array([1.0, 1.5]),), 0, [0, 0]),
    (np.where, (np.array([True, False]), np.ones(2), 0.0), 1, [1, 0]),
]


@pytest.mark.parametrize(("fn", "args", "wrt", "want"), CONVENTIONS)
def test_convention(fn: Any, args: Any, wrt: int, want: Any) -> None:
    close(derivative(fn, *args, wrt=wrt), want, 1e-14)


@pytest.mark.parametrize("fn", [np.max, np.min])
def test_ties_share_evenly(fn: Any) -> None:
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    body = registry.lookup(fn)
    assert body is not None
    y = fn(x, axis=1)
    got = [body.tangent[0](np.eye(3)[k] * np.ones((2, 1)), y, x, axis=1) for k in range(3)]
    ties = x == y[:, None]
    close(np.stack(got, 1), ties / ties.sum(axis=1, keepdims=True), 1e-14)


def test_a_form_without_rule_is_refused() -> None:
    for fn, args, kwargs in [
        (np.pad, (np.ones(3), 1), {"mode": "reflect"}),
        (np.linalg.norm, (np.ones((2, 2)),), {"ord": "nuc"}),
        (np.sum, (np.ones(3),), {"initial": 1.0}),
        (np.var, (np.ones(3),), {"correction": 1}),
    ]:
        with pytest.raises(MissingRule):
            derivative(fn, *args, **kwargs)


@pytest.mark.parametrize("fn", [np.nextafter, np.spacing])
def test_what_has_no_sensible_derivative_is_refused(fn: Any) -> None:
    with pytest.raises(MissingRule):
        derivative(fn, *[np.ones(3)] * fn.nin)


def test_second_derivatives_of_running_products_at_zeros() -> None:
    """The sum of the running products is a sum of monomials: its Hessian is known."""
    x = np.array([1.5, 0.0, 2.0, 0.0, 3.0])
    want = np.zeros((5, 5))
    for k in range(5):
        for i in range(k + 1):
            for j in range(k + 1):
                rest = [x[m] for m in range(k + 1) if m not in (i, j)]
                want[i, j] += np.prod(rest) if i != j else 0.0
    total = lambda x: np.sum(np.cumprod(x))
    hessian = np.stack([jvp(grad(total))((x,), (row,))[1] for row in np.eye(5)])
    close(hessian, want, 1e-12)
    hessian = np.stack([jvp(grad(lambda x: np.prod(x)))((x,), (row,))[1] for row in np.eye(5)])
    assert hessian[1][3] == hessian[3][1] == 1.5 * 2.0 * 3.0


def test_scipy_is_not_imported_for_its_rules() -> None:
    import subprocess
    import sys

    code = "import sys, math; from adcompile.rules.registry import lookup; lookup(math.sin); "
    code += "assert 'scipy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_file_is_longer_than_400_lines_and_every_word_is_known() -> None:
    import pathlib

    here = pathlib.Path(registry.__file__).parent
    assert all(len(p.read_text().splitlines()) <= 400 for p in here.glob("*.py"))
    rows = registry.coverage()
    assert len(rows) > 150
    assert all(word in registry.WORDS for _, words, _ in rows for word in words.split(", "))


def test_a_parameter_of_a_body_has_the_name_that_numpy_gives_it() -> None:
    import inspect

    for rules in registry.all_rules():
        try:
            parameters = inspect.signature(rules.fn).parameters
        except (TypeError, ValueError):
            continue
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            continue
        if (
            rules.partials is None
            and not isinstance(rules.fn, np.ufunc)
            and rules.fn is not np.arange
        ):
            for word, _, body in rules.bodies:
                names = registry.parameters(word, body)
                assert set(names) <= {*parameters, "args", "kwargs", "operands", "ary"}, rules.fn
