"""Objects of classes written in Python: attributes, methods, operators, made and changed."""

from __future__ import annotations

import copy
import dataclasses
import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import pytest

from adcompile import AdcompileError, AliasError, check_grads, grad, value_and_grad
from adcompile.optim import Adam, train_step


def vector(seed: int = 0, n: int = 4) -> Any:
    return np.random.default_rng(seed).normal(size=n)


def checked(f: Any, *args: Any, **kwargs: Any) -> str:
    """Finite differences, values and inputs as Python has them, the same a second time."""
    before = copy.deepcopy(args)
    want = f(*copy.deepcopy(args))
    g = value_and_grad(f)
    for _ in range(2):
        got, _ = g(*args)
        np.testing.assert_allclose(got, want, rtol=1e-12)
    same(args, before)
    check_grads(f, args, wrt=0, **kwargs)
    return g.source


def same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, tuple | list):
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b)
    elif hasattr(a, "__dict__") and not callable(a):
        assert list(vars(a)) == list(vars(b))
        same(list(vars(a).values()), list(vars(b).values()))


# --- models ---------------------------------------------------------------------------------------


class Linear:
    def __init__(self, n: int, m: int, rng: Any) -> None:
        self.n = n
        self.weight = rng.normal(size=(n, m)) / np.sqrt(n)
        self.bias = np.zeros(m)

    def __call__(self, x: Any) -> Any:
        return x @ self.weight + self.bias


class MLP:
    decay = 1e-2

    def __init__(self, sizes: Any = (3, 5, 1)) -> None:
        rng = np.random.default_rng(1)
        self.layers = [Linear(n, m, rng) for n, m in zip(sizes, sizes[1:], strict=False)]
        self.act = np.tanh
        self.name = "mlp"
        self.rng = rng
        self.options = {"scale": np.array([1.5]), "twice": True}

    def forward(self, x: Any) -> Any:
        for layer in self.layers[:-1]:
            x = self.act(layer(x))
        return self.layers[-1](x) * self.options["scale"]

    @property
    def penalty(self) -> Any:
        return sum(np.sum(layer.weight**2) for layer in self.layers)

    def loss(self, x: Any, y: Any) -> Any:
        error = np.mean((self.forward(x)[:, 0] - y) ** 2)
        return (2 if self.options["twice"] else 1) * error + self.decay * self.penalty


def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(2)
    return rng.normal(size=(7, 3)), rng.normal(size=7)


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


# --- attributes are written ----------------------------------------------------------------------


class Cell:
    def __init__(self, h: Any) -> None:
        self.h = h
        self.steps = 0
        self.history: list[Any] = []

    def step(self, w: Any) -> Cell:
        self.h = np.tanh(self.h * w)
        self.steps += 1
        return self


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


@dataclass(frozen=True)
class Frozen:
    x: Any
    y: Any = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "y", self.y * 3)


@dataclass(order=True)
class Plain:
    x: Any
    y: Any = 0.0


class Point(NamedTuple):
    x: Any
    y: Any = 1.0

    def norm(self) -> Any:
        return np.sum(self.x**2) * self.y


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


def test_objects_as_aux() -> None:
    def f(x: Any) -> Any:
        cell = Cell(x * 2)
        cell.history.append(x)
        return np.sum(cell.h**2), cell

    (value, cell), d_x = value_and_grad(f, has_aux=True)(np.ones(3))
    assert value == 12.0 and d_x.tolist() == [8.0] * 3
    assert type(cell) is Cell and cell.h.tolist() == [2.0] * 3 and cell.steps == 0
    assert cell.history[0].tolist() == [1.0] * 3


# --- what is refused ------------------------------------------------------------------------------


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


def test_deep_copies_keep_what_is_shared() -> None:
    def f(x: Any) -> Any:
        cell = Cell(x)
        first, second = copy.deepcopy([cell, cell])
        first.h = first.h * x
        return np.sum(second.h) + np.sum(cell.h)

    checked(f, vector())


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
