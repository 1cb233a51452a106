"""Derivatives through training: of what a model has learned, by what it was trained with.

Each is compared with finite differences of the same function, run as it is written.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from adcompile import grad, jvp, train_step
from adcompile.optim import SGD, Adam
from tests.trained import OPTIMIZERS, check, loops, loss, make, trained_by

Array = np.ndarray

# --- the optimizers -----------------------------------------------------------------------------

each_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


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
