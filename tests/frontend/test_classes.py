"""What classes define: properties, class methods, operators, special methods, dataclasses."""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import pytest

from adcompile import AdcompileError, grad
from tests.frontend.objects import Frozen, Point, checked, vector

# --- members of classes ---------------------------------------------------------------------------


class Shape(ABC):
    factor = 2.0

    def __init__(self, size: Any) -> None:
        self.size = size

    @abstractmethod
    def area(self) -> Any: ...

    @classmethod
    def of(cls, size: Any) -> Any:
        return cls(size * cls.factor)

    @staticmethod
    def square(x: Any) -> Any:
        return x * x

    @property
    def side(self) -> Any:
        return self.size

    @side.setter
    def side(self, value: Any) -> None:
        self.size = value * self.factor


class Square(Shape):
    def area(self) -> Any:
        return self.square(self.size)


class Box(Square):
    factor = 3.0

    def __init__(self, size: Any, height: Any) -> None:
        super().__init__(size)
        self.__height = height

    @classmethod
    def of(cls, size: Any) -> Any:
        return cls(size * cls.factor, size)

    def area(self) -> Any:
        return super().area() + 4 * super(Box, self).side * self.__height

    @functools.cached_property
    def volume(self) -> Any:
        return self.area() * self.__height


def test_inheritance_and_properties() -> None:
    def f(x: Any) -> Any:
        box = Box.of(x)
        box.side = box.side + 1
        total = box.area() + Square.of(x).area() + Shape.square(x)
        assert isinstance(box, Shape) and type(box) is Box and not isinstance(x, Shape)
        return np.sum(total + box.volume + box.volume) * box.factor

    checked(f, vector())


def test_class_attributes_are_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x: Any) -> Any:
        return np.sum(Square(x).factor * Square.factor * x)

    g = grad(f)
    assert g(np.ones(2)).tolist() == [4.0, 4.0]
    monkeypatch.setattr(Shape, "factor", 3.0)
    assert g(np.ones(2)).tolist() == [9.0, 9.0]


def test_abstract_classes_are_not_made() -> None:
    with pytest.raises(AdcompileError, match="abstract"):
        grad(lambda x: Shape(x).area())(1.0)


T = TypeVar("T")


class Holder(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value


def test_generic_classes() -> None:
    def f(holder: Any) -> Any:
        return np.sum(Holder(holder.value * 2).value ** 2)

    checked(f, Holder[Any](vector()))


# --- special methods ------------------------------------------------------------------------------


class Dual:
    """A vector with operators."""

    def __init__(self, a: Any, b: Any) -> None:
        self.a, self.b = a, b

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Dual):
            return Dual(self.a + other.a, self.b + other.b)
        return NotImplemented

    def __radd__(self, other: Any) -> Any:
        return Dual(self.a + other, self.b + other)

    def __mul__(self, other: Any) -> Any:
        return Dual(self.a * other, self.b * other)

    __rmul__ = __mul__

    def __matmul__(self, other: Any) -> Any:
        return self.a @ other.a + self.b @ other.b

    def __neg__(self) -> Any:
        return Dual(-self.a, -self.b)

    def __isub__(self, other: Any) -> Any:
        self.a = self.a - other.a
        return self

    def __eq__(self, other: object) -> Any:
        return isinstance(other, Dual) and bool(np.all(self.a == other.a))

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: Any) -> Any:
        return np.sum(self.a) < np.sum(other.a)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, i: int) -> Any:
        return (self.a, self.b)[i]

    def __iter__(self) -> Any:
        return iter([self.a, self.b])

    def __contains__(self, x: Any) -> Any:
        return x == 3

    def __abs__(self) -> Any:
        return np.sum(np.abs(self.a))


def test_operators() -> None:
    def f(x: Any, y: Any) -> Any:
        u = Dual(x, y) + 2.0 * Dual(y, x) * 3.0
        v = 1.0 + (-u)
        w = v
        w += u * 0.5
        v -= u
        total = abs(v) + u @ w + np.sum(w[0] * w[1]) * len(w)
        for part in w:
            total = total + np.sum(part**2)
        if u < v or 3 not in w:
            total = total * 2
        if u == w:
            total = total * 3
        return total

    checked(f, vector(1), vector(2))


def test_an_operator_that_declines() -> None:
    with pytest.raises(AdcompileError, match="`add` is not defined for"):
        grad(lambda x: np.sum((Dual(x, x) + 1.0).a))(vector())


def test_truth_of_objects() -> None:
    class Switch:
        def __init__(self, on: Any) -> None:
            self.on = on

        def __bool__(self) -> bool:
            return bool(self.on > 0)

    def f(x: Any) -> Any:
        switch = Switch(x)
        return x * 2 if switch else (x * 3 if not switch else 0.0)

    assert grad(f)(1.0) == 2.0
    assert grad(f)(-1.0) == 3.0


# --- dataclasses ----------------------------------------------------------------------------------


@dataclass
class Config:
    x: Any
    y: Any = 1.5
    parts: list[Any] = field(default_factory=list)
    total: Any = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.total = self.x * 2
        self.more = self.x + 1


@dataclass(order=True)
class Plain:
    x: Any
    y: Any = 0.0


def test_dataclasses() -> None:
    def f(x: Any, y: Any) -> Any:
        config = Config(x)
        config.parts.append(y)
        config.y += 1
        other = dataclasses.replace(Plain(x, y), y=np.sum(y))
        found = dataclasses.asdict(other)
        first, _ = dataclasses.astuple(other)
        frozen = Frozen(x)
        for f in dataclasses.fields(other):
            config.more = config.more * np.sum(getattr(other, f.name))
        setattr(config, "y", config.y * 2)
        total = np.sum(config.total * config.more * config.parts[0]) * config.y
        return total + np.sum(found["x"] * first) * frozen.y + Point(x).norm()

    checked(f, vector(1), vector(2))
