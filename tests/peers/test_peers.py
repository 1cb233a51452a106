"""Gradients agree with those of autograd and JAX, to 1e-10 relative, in float64."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

import autograd
import autograd.numpy
import jax
import jax.numpy
import numpy as np
import pytest

from adcompile import value_and_grad
from tests.peers.programs import PROGRAMS

TOLERANCE = 1e-10


def under(fn: Callable[..., Any], module: Any) -> Callable[..., Any]:
    """`fn` with another module in the place of NumPy."""
    names = {**fn.__globals__, "np": module}
    return types.FunctionType(fn.__code__, names, fn.__name__, fn.__defaults__, fn.__closure__)


def by_autograd(fn: Any, args: Any, wrt: tuple[int, ...]) -> Any:
    value_and_grads = autograd.value_and_grad(under(fn, autograd.numpy), wrt)
    return value_and_grads(*args)


def by_jax(fn: Any, args: Any, wrt: tuple[int, ...]) -> Any:
    with jax.enable_x64(True):
        given = jax.tree.map(jax.numpy.asarray, args)
        value, grads = jax.value_and_grad(under(fn, jax.numpy), wrt)(*given)
        return np.asarray(value), jax.tree.map(np.asarray, grads)


def leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, dict):
        x = [x[key] for key in sorted(x)]
    if isinstance(x, list | tuple):
        for item in x:
            yield from leaves(item)
    else:
        yield x


@pytest.mark.parametrize("peer", [by_autograd, by_jax])
@pytest.mark.parametrize(
    ("fn", "args", "wrt"), PROGRAMS, ids=[fn.__name__ for fn, _, _ in PROGRAMS]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_gradients_agree(fn: Any, args: Any, wrt: tuple[int, ...], peer: Any) -> None:
    value, grads = value_and_grad(fn, wrt=wrt)(*args)
    their_value, their_grads = peer(fn, args, wrt)
    np.testing.assert_allclose(value, their_value, rtol=TOLERANCE)
    ours, theirs = list(leaves(grads)), list(leaves(their_grads))
    for x, got, want in zip(leaves([args[k] for k in wrt]), ours, theirs, strict=True):
        assert np.shape(got) == np.shape(want) == np.shape(x)
        scale = max(1.0, float(np.max(np.abs(want))))
        np.testing.assert_allclose(got, want, rtol=TOLERANCE, atol=TOLERANCE * scale)
