"""Derivatives through training: of what a model has learned, by what it was trained with.

Each is compared with finite differences of the same function, run as it is written.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from adcompile import errors, grad, jvp, train_step, value_and_grad
from adcompile.optim import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Optimizer,
    RMSProp,
    clip_by_global_norm,
    constant,
    cosine,
    step_decay,
)
from adcompile.trees import flatten, leaves, paths, unflatten

Array = np.ndarray


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


# --- the optimizers -----------------------------------------------------------------------------

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
each_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


def trained_by(make_optimizer: Callable[..., Optimizer], steps: int) -> Callable[..., Any]:
    def validation_loss(settings, params, x, y):
        step = train_step(loss, make_optimizer(params, *settings))
        for _ in range(steps):
            step(x, y)
        return loss(params, 0.5 * x, y)

    return validation_loss


def loops(text: str) -> int:
    return sum(isinstance(node, ast.For | ast.While) for node in ast.walk(ast.parse(text)))


@each_optimizer
def test_by_settings_parameters_and_data(name):
    make_optimizer, settings = OPTIMIZERS[name]
    m = make()
    args = (settings, m["params"], m["x"], m["y"])
    check(trained_by(make_optimizer, 7), args, (0, 1, 2, 3))


@each_optimizer
def test_a_loop_stays_a_loop(name):
    make_optimizer, settings = OPTIMIZERS[name]
    m = make()
    text = grad(trained_by(make_optimizer, 50)).lower(settings, m["params"], m["x"], m["y"]).source
    assert loops(text) == 2 and text.count("in reversed(saved)") == 1


# --- trees --------------------------------------------------------------------------------------


@dataclass
class Layer:
    weights: Array
    bias: Array | None
    activation: str = "tanh"


@dataclass(frozen=True)
class Frozen:
    layers: list[Layer]
    scale: Array


class Model:
    """Holds what is no parameter, too."""

    def __init__(self, m):
        self.name = "model"
        self.width = 4
        self.first = {"w": m["W1"], "b": m["b1"]}
        self.order = np.arange(2)
        self.second = (m["W2"], [m["b2"]])

    def __call__(self, x):
        h = np.tanh(x @ self.first["w"] + self.first["b"]) * self.width
        weights, (bias,) = self.second
        return h @ weights[:, self.order] + bias


def loss_of_tuple(params, x, y):
    (W1, b1), (W2, b2) = params
    return loss({"W1": W1, "b1": b1, "W2": W2, "b2": b2}, x, y)


def loss_of_dataclass(model, x, y):
    h = x
    for layer in model.layers:
        h = h @ layer.weights
        if layer.bias is not None:
            h = h + layer.bias
        if layer.activation == "tanh":
            h = np.tanh(h)
    return np.mean((model.scale * h - y) ** 2)


def loss_of_object(model, x, y):
    return np.mean((model(x) - y) ** 2)


def loss_of_array(w, x, y):
    return np.mean((x @ w - y[:, 0]) ** 2)


TREES = {
    "dict": (loss, lambda m: m["params"]),
    "tuples": (
        loss_of_tuple,
        lambda m: tuple((m["params"][f"W{k}"], m["params"][f"b{k}"]) for k in (1, 2)),
    ),
    "dataclasses": (
        loss_of_dataclass,
        lambda m: Frozen(
            [
                Layer(m["params"]["W1"], m["params"]["b1"]),
                Layer(m["params"]["W2"], None, "none"),
            ],
            np.array(0.7),
        ),
    ),
    "array": (loss_of_array, lambda m: m["params"]["b1"][:3].copy()),
}


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize("make_optimizer", [SGD, Adam], ids=lambda cls: cls.__name__)
def test_trees(tree, make_optimizer):
    of, make_params = TREES[tree]

    def validation_loss(lr, params, x, y):
        step = train_step(of, make_optimizer(params, lr=lr))
        for _ in range(5):
            step(x, y)
        return of(params, 0.5 * x, y)

    m = make()
    check(validation_loss, (0.05, make_params(m), m["x"], m["y"]), (0, 1))


def test_object_with_what_is_no_parameter():
    def validation_loss(lr, model, x, y):
        step = train_step(loss_of_object, Adam(model, lr=lr))
        for _ in range(5):
            step(x, y)
        return loss_of_object(model, 0.5 * x, y)

    m = make()
    check(validation_loss, (0.05, Model(m["params"]), m["x"], m["y"]), 0)


def test_parameters_made_by_the_program():
    def validation_loss(lr, scale, x, y):
        params = {"W1": scale * np.ones((3, 4)), "b1": np.zeros(4)}
        params["W2"] = np.linspace(-1, 1, 8).reshape(4, 2)
        params["b2"] = np.zeros(2)
        optimizer = Adam(params, lr=lr)
        step = train_step(loss, optimizer)
        for _ in range(6):
            step(x, y)
        return loss(params, 0.5 * x, y) + 0.0 * optimizer.steps

    m = make()
    check(validation_loss, (0.05, 0.3, m["x"], m["y"]), (0, 1))


# --- ways to train ------------------------------------------------------------------------------


def test_gradient_and_step():
    loss_and_grad = value_and_grad(loss)

    def validation_loss(lr, params, x, y):
        optimizer = SGD(params, lr=lr, momentum=0.9)
        total = 0.0
        for _ in range(6):
            value, grads = loss_and_grad(params, x, y)
            optimizer.step(grads)
            total += value
        return loss(params, 0.5 * x, y) + 0.1 * total

    m = make()
    check(validation_loss, (0.05, m["params"], m["x"], m["y"]), (0, 1))


def test_auxiliary_results_and_keywords():
    def fit(params, x, *, target, scale=1.0):
        h = np.tanh(x @ params["W1"] + params["b1"])
        err = h @ params["W2"] + params["b2"] - target
        return scale * np.mean(err * err), err

    def validation_loss(lr, params, x, y):
        step = train_step(fit, Adam(params, lr=lr), has_aux=True)
        total = 0.0
        for _ in range(5):
            value, err = step(x, target=y, scale=2.0)
            total += value + np.mean(np.abs(err))
        return total + loss(params, 0.5 * x, y)

    m = make()
    check(validation_loss, (0.05, m["params"], m["x"], m["y"]), (0, 1))


def test_clipped_gradients():
    def validation_loss(lr, bound, params, x, y):
        optimizer = SGD(params, lr=lr)
        for _ in range(8):
            grads = grad(loss)(params, x, y)
            grads, norm = clip_by_global_norm(grads, bound)
            optimizer.step(grads)
        return loss(params, 0.5 * x, y)

    m = make()
    args = (0.05, 0.7, m["params"], m["x"], m["y"])
    norms = [np.sqrt(sum(np.sum(d * d) for d in leaves(grad(loss)(*args[2:]))))]
    assert norms[0] > 0.7
    check(validation_loss, args, (0, 1, 2))


SCHEDULES = {
    "constant": lambda lr: constant(lr),
    "decay": lambda lr: step_decay(lr, every=3, factor=0.5),
    "cosine": lambda lr: cosine(lr, total=8, warmup=2, floor=0.01),
    "own": lambda lr: lambda step: lr / (1 + 0.3 * step),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    make_schedule = SCHEDULES[name]

    def validation_loss(lr, params, x, y):
        step = train_step(loss, AdamW(params, lr=make_schedule(lr)))
        for _ in range(10):
            step(x, y)
        return loss(params, 0.5 * x, y)

    m = make()
    derivative = check(validation_loss, (0.05, m["params"], m["x"], m["y"]), 0)
    assert loops(derivative.source) == 2


def test_learned_schedule():
    """One learning rate for each step, and one assigned between steps."""

    def validation_loss(rates, params, x, y):
        optimizer = SGD(params, lr=lambda step: rates[step], momentum=0.5)
        step = train_step(loss, optimizer)
        for _ in range(len(rates)):
            step(x, y)
        optimizer.lr = rates[0]
        for _ in range(3):
            step(x, y)
            optimizer.lr = 0.9 * optimizer.lr
        return loss(params, 0.5 * x, y)

    m = make()
    check(validation_loss, (np.linspace(0.1, 0.02, 6), m["params"], m["x"], m["y"]), (0, 1))


def test_rates_by_layer():
    def validation_loss(rates, params, x, y):
        parts = [{k: params[k]} for k in params]
        optimizers = [Adam(part, lr=rate) for part, rate in zip(parts, rates, strict=True)]
        for _ in range(5):
            value, grads = value_and_grad(loss)(params, x, y)
            for optimizer, part in zip(optimizers, parts, strict=True):
                optimizer.step({k: grads[k] for k in part})
        return loss(params, 0.5 * x, y)

    m = make()
    check(validation_loss, ((0.1, 0.05, 0.02, 0.01), m["params"], m["x"], m["y"]), (0, 1))


def test_batches_and_epochs():
    def validation_loss(lr, params, x, y):
        step = train_step(loss, Adam(params, lr=lr))
        for _ in range(3):
            for start in range(0, len(x), 2):
                step(x[start : start + 2], y[start : start + 2])
        return loss(params, 0.5 * x, y)

    m = make()
    derivative = check(validation_loss, (0.05, m["params"], m["x"], m["y"]), (0, 1, 2, 3))
    assert loops(derivative.source) == 4


def test_until_it_is_good():
    def validation_loss(lr, params, x, y):
        step = train_step(loss, SGD(params, lr=lr, momentum=0.9))
        value = step(x, y)
        while value > 0.7:
            value = step(x, y)
        for _ in range(20):
            if step(x, y) < 0.6:
                break
        return loss(params, 0.5 * x, y)

    m = make()
    check(validation_loss, (0.03, m["params"], m["x"], m["y"]), (0, 1))


def test_float32():
    def validation_loss(lr, params, x, y):
        step = train_step(loss, Adam(params, lr=lr))
        for _ in range(5):
            step(x, y)
        return loss(params, x, y)

    single, double = make(np.float32), make()
    derivative = grad(validation_loss, (0, 1))
    found = derivative(0.05, single["params"], single["x"], single["y"])
    expected = derivative(0.05, double["params"], double["x"], double["y"])
    assert [np.asarray(d).dtype for d in leaves(found[1])] == [np.float32] * 4
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)


class Lion(Optimizer):
    """One of the user's own."""

    update = staticmethod(
        lambda p, d_p, m, *, lr, beta: (p - lr * np.tanh(beta * m + d_p), beta * m + d_p)
    )

    def __init__(self, params, lr, beta=0.5):
        super().__init__(params, lr, state={"m": 0.0}, options={"beta": beta})

    def scalars(self):
        return {"lr": self.rate()}


def test_own_optimizer():
    def validation_loss(lr, beta, params, x, y):
        step = train_step(loss, Lion(params, lr, beta))
        for _ in range(6):
            step(x, y)
        return loss(params, 0.5 * x, y)

    m = make()
    check(validation_loss, (0.05, 0.6, m["params"], m["x"], m["y"]), (0, 1, 2))


# --- zero is a number like any other ------------------------------------------------------------


def test_settings_that_are_zero():
    """What a setting is the strength of is left out only where it is known to be zero."""

    def validation_loss(momentum, decay, params, x, y):
        step = train_step(loss, SGD(params, 0.1, momentum, weight_decay=decay))
        for _ in range(5):
            step(x, y)
        return loss(params, 0.5 * x, y)

    m = make()
    args = (0.0, 0.0, m["params"], m["x"], m["y"])
    found = grad(validation_loss, (0, 1))(*args)
    for k, d in enumerate(found):
        ahead = [validation_loss(*moved(copy.deepcopy(args), k, by)) for by in (1e-6, 2e-6)]
        at = validation_loss(*copy.deepcopy(args))
        np.testing.assert_allclose(d, (4 * ahead[0] - ahead[1] - 3 * at) / 2e-6, rtol=1e-5)


def moved(args: tuple[Any, ...], k: int, by: float) -> list[Any]:
    return [v + by if i == k else v for i, v in enumerate(args)]


def test_what_is_known_to_be_off_is_left_out():
    def validation_loss(lr, params, x, y):
        step = train_step(loss, SGD(params, lr, momentum=0.0, weight_decay=0.0))
        for _ in range(5):
            step(x, y)
        return loss(params, x, y)

    m = make()
    text = grad(validation_loss).lower(0.1, m["params"], m["x"], m["y"]).source
    assert "velocity_W1" not in text and "W1 = W1 - lr * d_W1" in text


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSProp", "RMSProp, all", "Adagrad"])
def test_inputs_that_are_always_zero(name):
    """The mean squares of their gradients are zero: no NaN comes of the roots."""
    make_optimizer, settings = OPTIMIZERS[name]
    m = make()
    m["x"][:, 1] = 0.0
    check(trained_by(make_optimizer, 5), (settings, m["params"], m["x"], m["y"]), (0, 1))


# --- higher orders, and forward mode ------------------------------------------------------------


def test_second_derivative_and_forward_mode():
    def validation_loss(lr, params, x, y):
        step = train_step(loss, SGD(params, lr, momentum=0.5))
        for _ in range(4):
            step(x, y)
        return loss(params, 0.5 * x, y)

    m = make()
    rest = (m["params"], m["x"], m["y"])
    first, second = grad(validation_loss), grad(grad(validation_loss))
    expected = (first(0.1 + 1e-5, *rest) - first(0.1 - 1e-5, *rest)) / 2e-5
    np.testing.assert_allclose(second(0.1, *rest), expected, rtol=1e-6)
    _, tangent = jvp(validation_loss, 0)((0.1, *rest), 1.0)
    np.testing.assert_allclose(tangent, first(0.1, *rest), rtol=1e-12)


# --- what is refused ----------------------------------------------------------------------------


def refused(
    f: Callable[..., Any], message: str, error: type[Exception] = errors.UnsupportedSyntax
) -> None:
    m = make()
    with pytest.raises(error, match=message):
        grad(f)(0.1, m["params"], m["x"], m["y"])


def test_a_step_made_outside():
    m = make()
    step = train_step(loss, SGD(m["params"], lr=0.1))

    def f(lr, params, x, y):
        return lr * step(x, y)

    refused(f, "training step was made outside of the function.*\n.*inside the function")

    def g(lr, params, x, y):
        return lr * grad(step)(x, y)

    refused(g, "training step was made outside of the function")


def test_an_optimizer_made_outside():
    m = make()
    optimizer = Adam(m["params"])
    message = "this Adam was made outside .*\nhint: make the Adam inside the function"

    def step_of_it(lr, params, x, y):
        step = train_step(loss, optimizer)
        return lr * step(x, y)

    def called(lr, params, x, y):
        optimizer.step(grad(loss)(params, x, y))
        return lr * loss(params, x, y)

    def read(lr, params, x, y):
        return lr * optimizer.lr

    for f in (step_of_it, called, read):
        refused(f, message)

    def passed(lr, optimizer, params, x, y):
        optimizer.step(grad(loss)(params, x, y))
        return lr * loss(params, x, y)

    with pytest.raises(errors.UnsupportedSyntax, match=message):
        grad(passed)(0.1, optimizer, m["params"], m["x"], m["y"])
    assert optimizer.steps == 0


def test_parameters_that_do_not_do():
    def of(make_params):
        def f(lr, params, x, y):
            SGD(make_params(params), lr=lr)
            return lr

        return f

    mismatch = errors.TypeMismatch
    refused(of(lambda p: {}), "params holds no arrays", mismatch)
    refused(of(lambda p: {"a": 1.0}), 'params.*"a".* is a Python float', mismatch)
    refused(of(lambda p: {"a": np.arange(3)}), 'params.*"a".* has dtype int64', mismatch)
    refused(of(lambda p: (p["W1"], p["W1"])), "are the same array", mismatch)


def test_parameters_that_were_replaced():
    def f(lr, params, x, y):
        step = train_step(loss, SGD(params, lr=lr))
        params["W1"] = params["W1"] + 1.0
        step(x, y)
        return loss(params, x, y)

    refused(f, 'params."W1".* is another array', ValueError)


def test_gradients_that_do_not_fit():
    def of(make_grads):
        def f(lr, params, x, y):
            optimizer = SGD(params, lr=lr)
            optimizer.step(make_grads(params))
            return loss(params, x, y)

        return f

    mismatch = errors.TypeMismatch
    refused(of(lambda p: {"W1": p["W1"]}), "grads: expected a dict with keys", mismatch)
    refused(of(lambda p: {**p, "b1": None}), 'grads."b1".: expected a leaf, got None', mismatch)
    refused(of(lambda p: {**p, "b1": p["b1"][:1]}), "expected shape", ValueError)
    refused(of(lambda p: {**p, "b1": p["W1"]}), "expected shape", ValueError)
    refused(of(lambda p: {**p, "b1": p["b1"].astype("f4")}), "expected dtype float64", TypeError)


def test_settings_out_of_range():
    """Numbers that are written are checked at compile time, others when the program runs."""

    def of(make_optimizer):
        def f(lr, params, x, y):
            train_step(loss, make_optimizer(params, lr))(x, y)
            return loss(params, x, y)

        return f

    mismatch = errors.TypeMismatch
    refused(of(lambda p, lr: SGD(p, -1.0)), "lr must be finite and not negative", mismatch)
    refused(of(lambda p, lr: Adam(p, betas=(0.9, 1.0))), r"betas\[1\] must be .* less", mismatch)
    for make_optimizer, message in (
        (lambda p, lr: SGD(p, -lr), "lr must be finite and not negative, got -0.1"),
        (lambda p, lr: Adam(p, betas=(0.9, 10 * lr)), r"betas\[1\] must be .* less than 1"),
        (lambda p, lr: SGD(p, lr=lambda step: lr - 0.2), "lr must be finite"),
        (lambda p, lr: SGD(p, lr, nesterov=True), "nesterov needs"),
    ):
        refused(of(make_optimizer), message, ValueError)
