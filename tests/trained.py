"""What the tests of derivatives through training share: a network, optimizers, a comparison."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile import grad, train_step
from adcompile.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSProp
from adcompile.trees import flatten, leaves, paths, unflatten


def make(dtype: Any = np.float64) -> dict[str, Any]:
    """A small network, and data for it."""
    rng = np.random.default_rng(3)
    shapes = {"W1": (3, 4), "b1": (4,), "W2": (4, 2), "b2": (2,)}
    params = {k: rng.normal(size=s).astype(dtype) for k, s in shapes.items()}
    data = {k: rng.normal(size=s).astype(dtype) for k, s in (("x", (6, 3)), ("y", (6, 2)))}
    return {"params": params, **data}


def loss(params, x, y):
    h = np.tanh(x @ params["W1"] + params["b1"])
    return np.mean((h @ params["W2"] + params["b2"] - y) ** 2)


def check(f: Callable[..., Any], args: tuple[Any, ...], wrt: Any, step: float = 1e-6) -> Any:
    """Compare `grad(f, wrt)(*args)` with central differences, leaf by leaf and at random."""
    kept = copy.deepcopy(args)
    derivative = grad(f, wrt)
    found = derivative(*args)
    assert_same(args, kept)
    assert_same(derivative(*args), found)  # again
    assert_same(args, kept)
    rng = np.random.default_rng(0)
    several = (found,) if isinstance(wrt, int) else found
    for k, d in zip((wrt,) if isinstance(wrt, int) else wrt, several, strict=True):
        flat, structure = flatten(args[k])
        places, d_leaves = paths(structure), dict(zip(paths(d), leaves(d), strict=True))
        assert set(d_leaves) == {p for p, leaf in zip(places, flat, strict=True) if is_real(leaf)}
        for path, d_leaf in d_leaves.items():
            i = places.index(path)
            assert np.shape(d_leaf) == np.shape(flat[i])
            assert np.asarray(d_leaf).dtype == np.asarray(flat[i]).dtype
            direction = rng.normal(size=np.shape(flat[i]))

            def moved(by: float) -> Any:
                inner = [np.copy(v) if isinstance(v, np.ndarray) else v for v in flat]
                inner[i] = np.asarray(inner[i] + by * direction)
                if isinstance(flat[i], float):
                    inner[i] = float(inner[i])
                others = copy.deepcopy(args)
                return f(*others[:k], unflatten(structure, inner), *others[k + 1 :])

            expected = (moved(step) - moved(-step)) / (2 * step)
            got = np.sum(d_leaf * direction)
            np.testing.assert_allclose(got, expected, rtol=2e-6, atol=1e-8)
    return derivative


def is_real(leaf: Any) -> bool:
    return isinstance(leaf, float) or (isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f")


def assert_same(got: Any, expected: Any) -> None:
    for a, b in zip(leaves(got), leaves(expected), strict=True):
        assert type(a) is type(b)
        np.testing.assert_array_equal(a, b)


# Each with the numbers it is made with: those that the derivative is taken with respect to.
OPTIMIZERS: dict[str, tuple[Callable[..., Optimizer], tuple[float, ...]]] = {
    "SGD": (lambda p, lr: SGD(p, lr=lr), (0.1,)),
    "SGD, decay": (lambda p, lr, wd: SGD(p, lr=lr, weight_decay=wd), (0.1, 0.02)),
    "SGD, momentum": (lambda p, lr, m: SGD(p, lr, momentum=m), (0.1, 0.8)),
    "SGD, damped": (lambda p, lr, m, d: SGD(p, lr, m, dampening=d), (0.1, 0.8, 0.3)),
    "SGD, nesterov": (
        lambda p, lr, m, wd: SGD(p, lr, momentum=m, weight_decay=wd, nesterov=True),
        (0.1, 0.8, 0.01),
    ),
    "SGD, fixed momentum": (lambda p, lr: SGD(p, lr, momentum=0.9, dampening=0.1), (0.05,)),
    "Adam": (lambda p, lr: Adam(p, lr=lr), (0.05,)),
    "Adam, all": (
        lambda p, lr, b1, b2, eps, wd: Adam(p, lr, (b1, b2), eps, wd),
        (0.05, 0.8, 0.95, 1e-3, 0.02),
    ),
    "AdamW": (lambda p, lr, wd: AdamW(p, lr=lr, weight_decay=wd), (0.05, 0.1)),
    "AdamW, default": (lambda p, lr: AdamW(p, lr=lr), (0.05,)),
    "RMSProp": (lambda p, lr: RMSProp(p, lr=lr), (0.02,)),
    "RMSProp, all": (
        lambda p, lr, a, eps, wd, m: RMSProp(p, lr, a, eps, wd, momentum=m, centered=True),
        (0.01, 0.9, 1e-2, 0.02, 0.5),
    ),
    "Adagrad": (lambda p, lr: Adagrad(p, lr), (0.1,)),
    "Adagrad, all": (
        lambda p, lr, d, wd, i, eps: Adagrad(p, lr, d, wd, i, eps),
        (0.1, 0.05, 0.02, 0.3, 1e-3),
    ),
}


def trained_by(make_optimizer: Callable[..., Optimizer], steps: int) -> Callable[..., Any]:
    def validation_loss(settings, params, x, y):
        step = train_step(loss, make_optimizer(params, *settings))
        for _ in range(steps):
            step(x, y)
        return loss(params, 0.5 * x, y)

    return validation_loss


def loops(text: str) -> int:
    return sum(isinstance(node, ast.For | ast.While) for node in ast.walk(ast.parse(text)))
