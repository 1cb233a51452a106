"""A compiled step gives the same numbers as the gradient and the optimizer, one after the other."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest

from adcompile import errors, train_step, value_and_grad
from adcompile.optim import SGD, Adagrad, Adam, AdamW, RMSProp, cosine
from adcompile.trees import leaves, map_leaves

OPTIMIZERS = {
    "sgd": lambda p: SGD(p, lr=0.1),
    "momentum": lambda p: SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "nesterov": lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: Adam(p, lr=cosine(1e-2, total=20, warmup=3)),
    "adamw": lambda p: AdamW(p, lr=1e-2),
    "rmsprop": lambda p: RMSProp(p, momentum=0.5, centered=True),
    "adagrad": lambda p: Adagrad(p, lr_decay=0.1),
}


def loss(params, x, y):
    (W1, b1), (W2, b2) = params
    h = np.tanh(x @ W1 + b1)
    err = h @ W2 + b2 - y
    return np.mean(err * err)


def make(dtype=np.float64):
    rng = np.random.default_rng(0)
    shapes = ((3, 4), (4,)), ((4, 2), (2,))
    params = tuple(tuple(rng.normal(size=s).astype(dtype) for s in pair) for pair in shapes)
    return params, rng.normal(size=(5, 3)).astype(dtype), rng.normal(size=(5, 2)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_same_numbers_as_the_two_calls(name, dtype):
    params, x, y = make(dtype)
    other = copy.deepcopy(params)
    first, second = OPTIMIZERS[name](params), OPTIMIZERS[name](other)
    step, gradient = train_step(loss, first), value_and_grad(loss)
    for _ in range(20):
        value, grads = gradient(other, x, y)
        second.step(grads)
        assert step(x, y) == value
    for p, q in zip(leaves(params), leaves(other), strict=True):
        assert p.dtype == dtype
        np.testing.assert_allclose(p, q, rtol=1e-5 if dtype == np.float32 else 1e-12)


def test_text():
    params, x, y = make()
    step = train_step(loss, Adam(params, lr=1e-3))
    text = step.lower(x, y).source
    assert "def loss_step(params, x, y, *, m, v, lr, correction1, root_correction2):" in text
    assert "\n    (m_W1, m_b1), (m_W2, m_b2) = m\n" in text
    update = text[text.index("# Adam: params[0][0]") : text.index("# Adam: params[0][1]")]
    assert [line.strip() for line in update.splitlines()[1:-1]] == [
        "m_W1 += 0.1 * (d_W1 - m_W1)",
        "v_W1 *= 0.999",
        "v_W1 += 0.001 * (d_W1 * d_W1)",
        "t = lr / correction1",
        "z = t * m_W1 / (np.sqrt(v_W1) / root_correction2 + 1e-08)",
        "W1 -= z",
    ]


def test_lowering_changes_nothing():
    params, x, y = make()
    before = map_leaves(np.copy, params)
    optimizer = Adam(params)
    train_step(loss, optimizer).lower(x, y)
    assert optimizer.steps == 0
    for p, q in zip(leaves(params), leaves(before), strict=True):
        np.testing.assert_array_equal(p, q)


@dataclass
class Line:
    slope: np.ndarray
    offset: np.ndarray


def test_dataclass_keywords_and_aux():
    def fit(line, x, *, target, scale=1.0):
        err = line.slope * x + line.offset - target
        return np.mean(err * err) * scale, err

    line = Line(np.zeros(1), np.zeros(1))
    step = train_step(fit, SGD(line, lr=0.1), has_aux=True)
    x = np.linspace(-1, 1, 20)
    for _ in range(500):
        value, err = step(x, target=3 * x - 1)
    assert value < 1e-8 and err.shape == x.shape
    np.testing.assert_allclose([line.slope[0], line.offset[0]], [3, -1], atol=1e-3)


def test_wrong_uses():
    params, x, y = make()

    def nothing(*, params):
        return 0.0

    with pytest.raises(errors.SignatureError, match="no positional parameter"):
        train_step(nothing, SGD(params, lr=0.1))
    step = train_step(loss, SGD(params, lr=0.1))
    with pytest.raises(TypeError):
        step(x)
    with pytest.raises(ValueError, match="matmul"):
        step(x[:, :2], y)
    assert step.optimizer.steps == 0
