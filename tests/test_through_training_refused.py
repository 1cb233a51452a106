"""Derivatives through training that are refused, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adcompile import errors, grad, train_step
from adcompile.optim import SGD, Adam
from tests.trained import loss, make


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
