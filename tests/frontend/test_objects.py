"""Objects that are read: models, objects from outside, attributes by name, copies."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from adcompile import check_grads, grad, value_and_grad
from adcompile.optim import Adam, train_step
from tests.frontend.objects import MLP, Cell, Linear, checked, data, vector

# --- models ---------------------------------------------------------------------------------------


def test_a_model_is_differentiated_as_a_tree() -> None:
    model = MLP()
    g = grad(MLP.loss)(model, *data())
    assert type(g) is MLP
    assert list(vars(g)) == list(vars(model))
    assert g.name is None and g.act is None and g.rng is None and g.options["twice"] is None
    assert type(g.layers[0]) is Linear and g.layers[0].n is None
    assert g.layers[0].weight.shape == (3, 5)
    check_grads(MLP.loss, (model, *data()), wrt=0)


def test_a_function_of_a_model() -> None:
    def loss(model: Any, x: Any, y: Any) -> Any:
        return np.mean((model.forward(x)[:, 0] - y) ** 2)

    check_grads(loss, (MLP(), *data()))


def test_a_bound_method_reads_its_receiver_at_each_call() -> None:
    model = MLP()
    g = grad(model.loss, wrt="x")
    x, y = data()
    first = g(x, y)
    model.layers[0].weight[...] *= 2
    second = g(x, y)
    assert not np.allclose(first, second)
    np.testing.assert_allclose(second, grad(MLP.loss, wrt="x")(model, x, y))


def test_a_bound_method_as_an_argument_and_as_a_global() -> None:
    model = MLP()
    x, y = data()

    def outer(f: Any, x: Any) -> Any:
        return f(x, y) * 2

    def inner(x: Any) -> Any:
        return bound(x, y) * 2

    bound = model.loss
    want = 2 * grad(MLP.loss, wrt="x")(model, x, y)
    np.testing.assert_allclose(grad(outer, wrt="x")(bound, x), want)
    g = grad(inner)
    np.testing.assert_allclose(g(x), want)
    model.layers[0].weight[...] *= 2
    np.testing.assert_allclose(g(x), 2 * grad(MLP.loss, wrt="x")(model, x, y))


def test_a_model_trains() -> None:
    model, other = MLP(), MLP()
    x, y = data()
    step = train_step(MLP.loss, Adam(model, lr=0.05))
    optimizer, g = Adam(other, lr=0.05), value_and_grad(MLP.loss)
    values = []
    for _ in range(20):
        values.append(step(x, y))
        value, grads = g(other, x, y)
        optimizer.step(grads)
        np.testing.assert_allclose(values[-1], value, rtol=1e-10)
    assert values[-1] < 0.7 * values[0]
    np.testing.assert_allclose(model.layers[0].weight, other.layers[0].weight)
    assert model.name == "mlp" and model.layers[0].n == 3
    assert "MLP" not in step.source
    assert "# Adam: self.layers[0].weight" in step.source


def test_a_changed_attribute_is_another_signature() -> None:
    model = MLP()
    x, y = data()
    g = value_and_grad(MLP.loss)
    for change in ("act", "layers", "extra"):
        if change == "act":
            model.act = np.sin
        elif change == "layers":
            model.layers.insert(1, Linear(5, 5, np.random.default_rng(3)))
        else:
            model.extra = np.ones(3)
        value, grads = g(model, x, y)
        assert value == pytest.approx(model.loss(x, y))
        assert list(vars(grads)) == list(vars(model))


class Slotted:
    __slots__ = ("_a", "b", "unset")

    def __init__(self, a: Any, b: Any) -> None:
        self._a, self.b = a, b

    def f(self) -> Any:
        return np.sum(self._a * self.b**2)


def test_slots() -> None:
    check_grads(Slotted.f, (Slotted(vector(1), vector(2)),))
    g = grad(Slotted.f)(Slotted(vector(1), vector(2)))
    assert not hasattr(g, "unset")


def test_an_object_from_outside_is_read_at_each_call() -> None:
    model = Linear(3, 3, np.random.default_rng(0))

    def f(x: Any) -> Any:
        return np.sum(model(x) ** 2)

    g, x = grad(f), vector(1, 3)
    first = g(x)
    model.weight = 2 * model.weight
    np.testing.assert_allclose(g(x), 4 * first)
    check_grads(f, (x,))


# --- names of attributes, copies, results --------------------------------------------------------


def test_attributes_by_name() -> None:
    def f(x: Any) -> Any:
        cell = Cell(x)
        setattr(cell, "h", getattr(cell, "h") * 2)
        if hasattr(cell, "nothing") or not hasattr(cell, "step"):
            return np.sum(x)
        return np.sum(vars(cell)["h"] ** 2) * len(cell.__dict__)

    checked(f, vector())


def test_copies() -> None:
    def f(x: Any) -> Any:
        cell = Cell(x)
        other, deep = copy.copy(cell), copy.deepcopy(cell)
        other.h = other.h * 2
        deep.h[0] = 3.0
        return np.sum(cell.h * other.h) + np.sum(deep.h**2)

    checked(f, vector())


def test_deep_copies_keep_what_is_shared() -> None:
    def f(x: Any) -> Any:
        cell = Cell(x)
        first, second = copy.deepcopy([cell, cell])
        first.h = first.h * x
        return np.sum(second.h) + np.sum(cell.h)

    checked(f, vector())


def test_objects_as_aux() -> None:
    def f(x: Any) -> Any:
        cell = Cell(x * 2)
        cell.history.append(x)
        return np.sum(cell.h**2), cell

    (value, cell), d_x = value_and_grad(f, has_aux=True)(np.ones(3))
    assert value == 12.0 and d_x.tolist() == [8.0] * 3
    assert type(cell) is Cell and cell.h.tolist() == [2.0] * 3 and cell.steps == 0
    assert cell.history[0].tolist() == [1.0] * 3
