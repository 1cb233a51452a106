"""Random draws are made once and used by both sweeps; logging and clocks stay where they are."""

from __future__ import annotations

import logging
import os
import time
import warnings
from typing import Any

import numpy as np
import pytest

from adcompile import AdcompileError, grad, value_and_grad
from adcompile.frontend import draws

GLOBAL = np.random.default_rng(7)
logger = logging.getLogger(__name__)


def vector(n: int = 4) -> Any:
    return np.random.default_rng(3).normal(size=n)


def numeric(f: Any, x: Any, seed: int) -> Any:
    """Central differences with the same draws each time."""
    d = np.zeros_like(x)
    for i in range(len(x)):
        step = np.zeros_like(x)
        step[i] = 1e-6
        high, low = (f(x + s * step, np.random.default_rng(seed)) for s in (1, -1))
        d[i] = (high - low) / 2e-6
    return d


def noisy(x: Any, rng: Any) -> Any:
    for _ in range(3):
        noise = rng.normal(size=(2, len(x)))
        keep = rng.random(x.shape) < 0.7
        x = np.tanh(x + noise[0] * x) * keep / 0.7
        if rng.uniform() < 0.5:
            x = x * 2 + rng.standard_normal()
    batch = rng.permutation(len(x))[: rng.integers(2, 4)]
    return np.sum(x[batch] ** 2) + np.sum(x[rng.choice(4, size=2)])


@pytest.mark.parametrize("seed", range(5))
def test_draws_are_those_of_the_program(seed: int) -> None:
    x, g = vector(), value_and_grad(noisy)
    for _ in range(2):
        value, d_x = g(x, np.random.default_rng(seed))
        assert value == pytest.approx(noisy(x, np.random.default_rng(seed)), rel=1e-12)
        np.testing.assert_allclose(d_x, numeric(noisy, x, seed), atol=1e-7)


def test_a_generator_made_inside() -> None:
    def f(x: Any, seed: int) -> Any:
        rng = np.random.default_rng(seed)
        return np.sum(x * rng.normal(size=len(x)))

    want = np.random.default_rng(5).normal(size=4)
    np.testing.assert_array_equal(grad(f)(vector(), 5), want)


def test_a_global_generator_goes_on() -> None:
    def f(x: Any) -> Any:
        return np.sum(x * GLOBAL.uniform(0.0, 2.0, size=x.shape))

    g = grad(f)
    first, second = g(vector()), g(vector())
    assert not np.allclose(first, second)


def test_the_legacy_functions() -> None:
    def f(x: Any) -> Any:
        np.random.seed(3)
        return np.sum(x * np.random.randn(4)) + np.sum(x * np.random.normal(1.0, 2.0, size=4))

    np.random.seed(3)
    want = np.random.randn(4) + np.random.normal(1.0, 2.0, size=4)
    g = grad(f)
    np.testing.assert_allclose(g(vector()), want)
    assert "np.random.randn(4)" in g.source


def test_a_generator_in_an_object() -> None:
    class Dropout:
        def __init__(self) -> None:
            self.rng = np.random.default_rng(1)
            self.rate = 0.5

        def __call__(self, x: Any) -> Any:
            return np.where(self.rng.random(x.shape) < self.rate, 0.0, x / (1 - self.rate))

    layer = Dropout()
    want = np.where(np.random.default_rng(1).random(4) < 0.5, 0.0, 2.0)
    np.testing.assert_array_equal(grad(lambda x, layer: np.sum(layer(x)))(vector(), layer), want)


SIZES: list[Any] = [None, 3, (2, 3), ()]
_PARAMETERS = {
    "noncentral_chisquare": (2.0, 1.0),
    "f": (2.0, 3.0),
    "beta": (1.0, 2.0),
    "triangular": (0.0, 0.5, 1.0),
    "vonmises": (0.0, 1.0),
    "wald": (1.0, 1.0),
    "binomial": (5, 0.5),
    "negative_binomial": (5, 0.5),
    "hypergeometric": (3, 4, 2),
    "zipf": (2.0,),
    "geometric": (0.5,),
    "logseries": (0.5,),
}


@pytest.mark.parametrize("name", draws.LAWS)
def test_types_are_those_of_numpy(name: str) -> None:
    given = _PARAMETERS.get(name, (1.0,) * draws.LAWS[name].required)

    for size in SIZES:
        _compare_draw(name, given, size)


def _compare_draw(name: str, given: Any, size: Any) -> None:
    def f(x: Any, rng: Any) -> Any:
        bound = getattr(rng, name)
        return x * 2.0, bound(*given, size=size)

    want = f(1.0, np.random.default_rng(0))[1]
    (_, got), d_x = value_and_grad(f, has_aux=True)(1.0, np.random.default_rng(0))
    assert d_x == 2.0
    assert type(got) is type(want)
    np.testing.assert_array_equal(got, want)


def test_more_draws() -> None:
    def f(x: Any, rng: Any) -> Any:
        mean = np.zeros(2)
        a = rng.multivariate_normal(mean, np.eye(2), size=len(x))
        b = rng.normal(mean, 1.0)
        c = rng.integers(4, size=3, dtype=np.int32)
        d = rng.permutation(x.shape[0])
        e = rng.choice([0.1, 0.2], p=[0.5, 0.5])
        g = rng.standard_normal(4, dtype=np.float32)
        return np.sum(x * a[:, 0]) + np.sum(x[c]) * e + np.sum(b) + np.sum(x[d] * g)

    value, _ = value_and_grad(f)(vector(), np.random.default_rng(1))
    assert value == pytest.approx(f(vector(), np.random.default_rng(1)))


REFUSED = {
    "shuffle": (lambda x, rng: rng.shuffle(x) or np.sum(x), "permutation"),
    "active": (lambda x, rng: np.sum(rng.normal(x, 1.0)), "no derivative is known for `normal`"),
    "out": (lambda x, rng: np.sum(x * rng.random(out=x)), "`out=`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    f, message = REFUSED[name]
    with pytest.raises(AdcompileError, match=message):
        grad(f)(vector(), np.random.default_rng(0))


# --- effects --------------------------------------------------------------------------------------


def logged(x: Any, log: Any) -> Any:
    for i in range(2):
        x = np.tanh(x)
        logger.info("step %d: %.3f", i, np.sum(x))
        log.debug(f"x = {x[0]:.2f}")
    logging.warning("sum %s", np.sum(x))
    return np.sum(x)


def test_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logged(vector(), logger)
        want = [r.getMessage() for r in caplog.records]
        caplog.clear()
        g = grad(logged)
        g(vector(), logger)
    assert [r.getMessage() for r in caplog.records] == want
    assert 'logger.info("step %d: %.3f", i, ' in g.source


def test_warnings_and_clocks() -> None:
    def f(x: Any) -> Any:
        start = time.perf_counter()
        if np.sum(x) > 0:
            warnings.warn("positive", stacklevel=2)
        elapsed = time.perf_counter() - start
        return np.sum(x) * (1.0 if elapsed >= 0 else 2.0)

    with pytest.warns(UserWarning, match="positive"):
        assert grad(f)(np.ones(3)).tolist() == [1.0, 1.0, 1.0]


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x: Any) -> Any:
        scale = float(os.environ.get("ADCOMPILE_TEST_SCALE", "1"))
        return np.sum(x) * scale

    g = grad(f)
    assert g(np.ones(2)).tolist() == [1.0, 1.0]
    monkeypatch.setenv("ADCOMPILE_TEST_SCALE", "3")
    assert g(np.ones(2)).tolist() == [3.0, 3.0]
