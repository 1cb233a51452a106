"""Objects whose attributes are written: in loops and branches, nested, in lists, swapped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcompile import AliasError, grad
from tests.frontend.objects import MLP, Cell, checked, vector


def test_an_object_changes_in_a_loop() -> None:
    def f(x: Any, w: Any) -> Any:
        cell = Cell(x)
        for _ in range(3):
            cell.step(w).step(w * 0.5)
        return np.sum(cell.h**2) * cell.steps

    checked(f, vector(1), vector(2))


def test_a_parameter_changes_for_the_program_alone() -> None:
    def f(cell: Any, w: Any) -> Any:
        first = np.sum(cell.h)
        cell.step(w)
        for i in range(len(w)):
            cell.h = cell.h * w[i]
            cell.steps += 1
        cell.extra = w
        return np.sum(cell.h**2) * cell.steps + first + np.sum(cell.extra)

    cell = Cell(vector(1))
    checked(f, cell, vector(2))
    assert list(vars(cell)) == ["h", "steps", "history"] and cell.steps == 0


def test_nested_objects_change() -> None:
    class Pair:
        def __init__(self, a: Any, b: Any) -> None:
            self.a, self.b = a, b

    def f(pair: Any, w: Any) -> Any:
        pair.a.h = pair.a.h * w
        pair.b.h = pair.a.h + pair.b.h
        mine = Pair(Cell(w), pair.b)
        mine.a.h = mine.b.h * mine.a.h
        mine.b.steps += 2
        mine.a = mine.b
        mine.a.h = mine.a.h * 2
        return np.sum(mine.b.h) * pair.b.steps + np.sum(pair.a.h**2)

    checked(f, Pair(Cell(vector(1)), Cell(vector(2))), vector(3))


def test_arrays_keep_their_identity_while_other_attributes_change() -> None:
    def loop(cell: Any, w: Any) -> Any:
        h = cell.h
        for i in range(3):
            h[i] = w[i] * h[i]
            cell.steps += 1
        return np.sum(cell.h**2) * cell.steps

    def branch(cell: Any, w: Any) -> Any:
        h = cell.h
        if w[0] > 0:
            cell.steps += 1
            h[0] = 5.0
        else:
            cell.extra = w
        h[1] = w[1]
        return np.sum(cell.h**2) * (1 + cell.steps) + np.sum(h)

    def nested(model: Any, w: Any) -> Any:
        layer = model.layers[0]
        for i in range(2):
            model.count = i
            layer.weight = layer.weight * w
            layer.weight[0] = 1.0
            model.layers[1].weight[i] = w[0]
        first, second = model.layers
        return np.sum(first.weight**2) * model.count + np.sum(second.weight**2)

    for sign in (1, -1):
        checked(loop, Cell(vector(1)), sign * vector(2))
        checked(branch, Cell(vector(1)), sign * vector(2))
    model = MLP()
    for k, layer in enumerate(model.layers):
        layer.weight = vector(k)
    checked(nested, model, vector(3))


def test_an_array_that_is_perhaps_an_attribute() -> None:
    def f(cell: Any, w: Any) -> Any:
        if w[0] > 0:
            cell.h = w
        cell.h[1] = 3.0
        return np.sum(cell.h * w)

    with pytest.raises(AliasError, match="shares memory"):
        grad(f)(Cell(vector(1)), vector(2))


def test_attributes_swap() -> None:
    class Pair:
        def __init__(self, a: Any, b: Any) -> None:
            self.a, self.b = a, b

    def f(pair: Any, w: Any) -> Any:
        pair.a.h = pair.a.h * w
        pair.b.h[:] = pair.a.h
        first = pair.a
        pair.a, pair.b = pair.b, first
        pair.a.h = pair.a.h * 2
        first.h[0] = 9.0
        return np.sum(pair.a.h * pair.b.h) + np.sum(first.h**3)

    checked(f, Pair(Cell(vector(1)), Cell(vector(2))), vector(3))


def test_objects_go_through_recursion() -> None:
    def f(x: Any) -> Any:
        def inner(n: int, cell: Any) -> Any:
            if n == 0:
                return cell
            return inner(n - 1, Cell(cell.h * x))

        return np.sum(inner(3, Cell(x)).h)

    checked(f, vector())


def test_objects_in_a_list_of_the_caller() -> None:
    def f(model: Any, x: Any) -> Any:
        for _ in range(3):
            for layer in model.layers:
                layer.weight = layer.weight * x
        return np.sum(model.layers[0].weight ** 2) + np.sum(model.layers[1].weight)

    model = MLP()
    for k, layer in enumerate(model.layers):
        layer.weight = vector(k)
    checked(f, model, vector(3))


def test_objects_in_a_list_that_grows() -> None:
    def f(x: Any) -> Any:
        cells = []
        for i in range(3):
            cells.append(Cell(x * (i + 1)))
        for cell in cells:
            cell.step(x)
        return sum(np.sum(cell.h) for cell in cells)

    def g(x: Any, n: int) -> Any:
        cells = []
        for i in range(n):
            cells.append(Cell(x * (i + 1)))
        total = 0.0
        for cell in cells:
            total = total + np.sum(cell.h**2)
        return total

    checked(f, vector())
    checked(g, vector(), 3)


def test_an_attribute_set_on_one_path_only() -> None:
    def f(x: Any, y: Any) -> Any:
        cell = Cell(x)
        if np.sum(x) > 0:
            cell.extra = x * y
        else:
            cell.h = x - y
            cell.extra = y
        for _ in range(3):
            cell.last = cell.h * cell.extra
            cell.h = np.sin(cell.last)
        return np.sum(cell.h * cell.last)

    checked(f, vector(1), vector(2))
    checked(f, -vector(1), vector(2))


def test_two_names_of_one_object() -> None:
    def f(x: Any) -> Any:
        cell = Cell(x)
        cells = [cell, cell]
        cells[0].h = cell.h * 2
        for c in cells:
            c.h = c.h * x
        return np.sum(cell.h)

    checked(f, vector())


def test_arrays_in_objects_are_written() -> None:
    def f(cell: Any, w: Any) -> Any:
        cell.h[1:-1] = w[1:-1] * cell.h[:-2]
        cell.h *= 2
        mine = Cell(np.zeros(4))
        mine.h[:2] = cell.h[2:]
        return np.sum(cell.h**2) + np.sum(mine.h**3)

    checked(f, Cell(vector(1)), vector(2))


def test_lists_in_objects_grow() -> None:
    def f(x: Any) -> Any:
        cell = Cell(x)
        for i in range(3):
            cell.history.append(cell.h)
            cell.h = np.tanh(cell.h + i)
        return np.sum(cell.h) + sum(np.sum(h**2) for h in cell.history)

    checked(f, vector())
