"""Objects that are refused, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcompile import AdcompileError, check_grads, grad
from tests.frontend.objects import Cell, Frozen, Point, checked, vector


class Getter:
    def __init__(self, x: Any) -> None:
        self.x = x

    def __getattr__(self, name: str) -> Any:
        return 1.0


class Described:
    class _Field:
        def __get__(self, instance: Any, owner: Any) -> Any:
            return 1.0

        def __set__(self, instance: Any, value: Any) -> None: ...

    field = _Field()


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    pass


class New:
    def __new__(cls, x: Any) -> Any:
        return object.__new__(cls)


def _set(x: Any, value: Any) -> Any:
    x.attr = value
    return 1.0


def _write_frozen(x: Any) -> Any:
    frozen = Frozen(x)
    frozen.x = x
    return np.sum(x)


def _own(x: Any) -> Any:
    cell = Cell(x)
    cell.owner = cell
    return np.sum(x)


def _write_through_dict(x: Any) -> Any:
    cell = Cell(x)
    names = vars(cell)
    cell.h = x * 2
    return np.sum(names["h"])


def _write_through_dict_of_parameter(cell: Any) -> Any:
    names = vars(cell)
    cell.h = cell.h * 2
    return np.sum(names["h"])


def _perhaps_another(x: Any) -> Any:
    a, b = Cell(x), Cell(x * 2)
    c = a if np.sum(x) > 0 else b
    c.h = c.h * 2
    return np.sum(a.h)


def _in_a_long_list(x: Any) -> Any:
    cells = []
    for v in x:
        cells.append(Cell(v))
    for cell in cells:
        cell.h = cell.h * 2
    return cells[0].h


REFUSED = {
    "perhaps another": (_perhaps_another, "may be the same Cell as another one"),
    "in a long list": (_in_a_long_list, "a list whose length is not known"),
    "getattr": (lambda x: np.sum(Getter(x).y * x), "`__getattr__` method"),
    "descriptor": (lambda x: np.sum(Described().field * x), "_Field of class Described"),
    "metaclass": (lambda x: WithMeta() and np.sum(x), "not a plain class"),
    "new": (lambda x: New(x) and np.sum(x), "`__new__`"),
    "frozen": (_write_frozen, "frozen"),
    "cycle": (_own, "would hold itself"),
    "module": (lambda x: _set(np, x), "outside of the function's arguments"),
    "array": (lambda x: _set(x, 3.0), "of an array cannot be assigned"),
    "named tuple": (lambda x: _set(Point(x), 3.0), "Point"),
    "missing": (lambda x: np.sum(Cell(x).stepz), "did you mean `steps`"),
    "dict": (_write_through_dict, "`__dict__`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    f, message = REFUSED[name]
    with pytest.raises(AdcompileError, match=message):
        grad(f)(vector())


def test_the_dict_of_a_parameter_may_not_become_stale() -> None:
    with pytest.raises(AdcompileError, match="`__dict__` was read"):
        grad(_write_through_dict_of_parameter)(Cell(vector()))


def test_an_object_that_is_passed_twice() -> None:
    class Two:
        def __init__(self, a: Any, b: Any) -> None:
            self.a, self.b = a, b

    def reads(two: Any, x: Any) -> Any:
        return np.sum(two.a.h * x) + np.sum(two.b.h**2)

    def writes(two: Any, x: Any) -> Any:
        two.a.h = two.a.h * x
        return np.sum(two.b.h)

    cell = Cell(vector(1))
    checked(writes, Two(cell, Cell(vector(2))), vector(3))
    check_grads(reads, (Two(cell, cell), vector(3)), wrt=1)
    with pytest.raises(AdcompileError, match="are the same object"):
        grad(writes)(Two(cell, cell), vector(3))


def test_cycles_in_arguments_are_refused() -> None:
    cell = Cell(vector())
    cell.history.append(cell)
    with pytest.raises(AdcompileError, match=r"`cell.history\[0\]` is `cell` again"):
        grad(lambda cell: np.sum(cell.h))(cell)


def test_nothing_to_differentiate() -> None:
    class Empty:
        def __init__(self) -> None:
            self.n = 3

    with pytest.raises(AdcompileError, match="no attribute of this Empty"):
        grad(lambda e: e.n * 2.0)(Empty())
