"""Derivatives through training in many ways: schedules, clipping, batches, one's own optimizer."""

from __future__ import annotations

import numpy as np
import pytest

from adcompile import grad, train_step, value_and_grad
from adcompile.optim import (
    SGD,
    Adam,
    AdamW,
    Optimizer,
    clip_by_global_norm,
    constant,
    cosine,
    step_decay,
)
from adcompile.trees import leaves
from tests.trained import check, loops, loss, make


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
