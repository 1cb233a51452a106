"""Trees come apart and together again; what does not fit is named."""

from __future__ import annotations

import dataclasses
import logging
import re
import threading
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest

from adcompile.trees import flatten, leaves, leaves_like, map_leaves, paths, unflatten


class Layer(NamedTuple):
    W: Any
    b: Any


@dataclasses.dataclass
class Cell:
    h: Any
    gates: Any = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Positive:
    scale: Any

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError("scale must be positive")


class Triple(tuple):
    """A tuple subclass that is not a named tuple: nothing says how to make one."""


TREES = [
    ((), []),
    ([], []),
    ({}, []),
    (None, []),
    ((1, 2), [1, 2]),
    ([1, (2, [3])], [1, 2, 3]),
    ({"b": 1, "a": 2}, [1, 2]),
    (Layer(1, 2), [1, 2]),
    (Cell(1, {"i": 2, "f": [3]}), [1, 2, 3]),
    (Positive(1.5), [1.5]),
    ({"layers": [Layer(1, None), Layer(2, 3)], 7: Cell(4)}, [1, 2, 3, 4]),
]


@pytest.mark.parametrize(("tree", "expected"), TREES, ids=repr)
def test_flatten_and_unflatten(tree: Any, expected: list[Any]) -> None:
    found, structure = flatten(tree)
    assert found == expected == leaves(tree)
    assert structure.size == len(expected)
    again = unflatten(structure, found)
    assert again == tree
    assert type(again) is type(tree)
    assert flatten(again)[1] == structure
    assert hash(flatten(again)[1]) == hash(structure)


@pytest.mark.parametrize(
    "leaf",
    [1.0, 2, True, "relu", np.float32(1), np.ones(3), len, Cell, OrderedDict(a=1), Triple((1, 2))],
    ids=repr,
)
def test_everything_else_is_a_leaf(leaf: Any) -> None:
    found, structure = flatten(leaf)
    assert len(found) == 1
    assert found[0] is leaf
    assert unflatten(structure, found) is leaf


def test_structures_differ_in_kind_length_and_keys() -> None:
    trees = [1, None, (), [], {}, (1,), [1], {"a": 1}, {"b": 1}, Cell(1), Layer(1, 2), (1, 2)]
    assert len({flatten(tree)[1] for tree in trees}) == len(trees)


def test_unflatten_runs_no_check_of_the_dataclass() -> None:
    assert map_leaves(lambda x: -x, Positive(2.0)).scale == -2.0


@pytest.mark.parametrize("values", [[1], [1, 2, 3]])
def test_unflatten_counts_leaves(values: list[int]) -> None:
    with pytest.raises(ValueError, match=f"expected 2 leaves, got {len(values)}"):
        unflatten(flatten((0, 0))[1], values)


def test_map_leaves() -> None:
    a = {"x": (1, None), "y": [2, Cell(3)]}
    b = {"y": [20, Cell(30)], "x": (10, None)}
    assert map_leaves(lambda p, q: p + q, a, b) == {"x": (11, None), "y": [22, Cell(33)]}
    assert list(map_leaves(lambda p, q: p + q, a, b)) == ["x", "y"]  # the order of the first tree
    assert map_leaves(str, a) == {"x": ("1", None), "y": ["2", Cell("3")]}
    with pytest.raises(TypeError, match="at least one tree"):
        map_leaves(str)


def test_paths() -> None:
    tree = {"W1": 0, 'a "b"': [0, Layer(0, None)], 3: Cell(0, (0,)), ("x", 1): 0}
    assert paths(tree) == [
        'params["W1"]',
        'params["a \\"b\\""][0]',
        'params["a \\"b\\""][1].W',
        "params[3].h",
        "params[3].gates[0]",
        "params[('x', 1)]",
    ]
    assert paths(1.0) == ["params"]
    assert paths((1.0,), root="grads") == ["grads[0]"]
    assert paths(None) == []


@pytest.mark.parametrize(
    ("tree", "other", "message"),
    [
        ((1, 2), [1, 2], "tree: expected a tuple of length 2, got a list of length 2"),
        ((1, 2), (1,), "tree: expected a tuple of length 2, got a tuple of length 1"),
        ({"a": [1]}, {"a": 1.0}, 'tree["a"]: expected a list of length 1, got a leaf (float)'),
        ({"a": [1]}, {"a": [(1,)]}, 'tree["a"][0]: expected a leaf, got a tuple of length 1'),
        (
            [{"a": 1}],
            [{"b": 1}],
            "tree[0]: expected a dict with keys 'a', got a dict with keys 'b'",
        ),
        ([Layer(1, None)], [Layer(1, 2)], "tree[0].b: expected None, got a leaf (int)"),
        ([1], [None], "tree[0]: expected a leaf, got None"),
        (
            Cell(1),
            Layer(1, ()),
            "tree: expected a Cell with fields 'h', 'gates', got a Layer with ",
        ),
        ({}, [], "tree: expected a dict with keys (none), got a list of length 0"),
    ],
)
def test_wrong_structure_names_the_place(tree: Any, other: Any, message: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        leaves_like(flatten(tree)[1], other)
    with pytest.raises(ValueError, match=r"trees\[2\]"):
        map_leaves(lambda *_: 0, tree, tree, other)


# --- objects ------------------------------------------------------------------------------------


class Dense:
    def __init__(self, weight: Any, **more: Any) -> None:
        self.weight = weight
        self.__dict__.update(more)


class Slots:
    __slots__ = ("a", "unset")

    def __init__(self, a: Any) -> None:
        self.a = a


def test_objects_are_nodes() -> None:
    tree = [Dense(1, parts=(2, Slots(3)), bias=None)]
    found, structure = flatten(tree)
    assert found == [1, 2, 3]
    assert paths(tree) == ["params[0].weight", "params[0].parts[0]", "params[0].parts[1].a"]
    again = unflatten(structure, [4, 5, 6])
    assert type(again[0]) is Dense and again[0].weight == 4 and again[0].bias is None
    assert again[0].parts[1].a == 6 and not hasattr(again[0].parts[1], "unset")
    assert map_leaves(lambda x: -x, tree)[0].weight == -1


def test_an_object_may_have_got_further_attributes() -> None:
    structure = flatten(Dense(1))[1]
    assert leaves_like(structure, Dense(2, seen=3)) == [2]
    with pytest.raises(ValueError, match="tree: expected a Dense with fields 'weight'"):
        leaves_like(structure, object.__new__(Dense))


def test_constants_of_objects() -> None:
    tree = {"n": 1, "layer": Dense(2.0, name="x", sizes=[3, 4.0])}
    found, structure = flatten(tree, lambda x: not isinstance(x, float))
    assert found == [1, 2.0, 4.0] and leaves(tree) == [1, 2.0, "x", 3, 4.0]
    again = unflatten(structure, found)
    assert again["layer"].name is None and again["layer"].sizes == [None, 4.0]
    assert leaves_like(structure, tree) == found


def test_cycles() -> None:
    tree = Dense(1)
    tree.parent = [tree]
    with pytest.raises(ValueError, match="a Dense is inside itself"):
        flatten(tree)


def test_objects_of_libraries_are_leaves() -> None:
    class Named(logging.Logger):
        pass

    class Rows(list):
        pass

    objects = [
        logging.getLogger("x"),
        Named("x"),
        threading.Lock(),
        np.random.default_rng(0),
        OrderedDict(a=1),
        Rows(),
        ValueError("x"),
        pytest.approx(1.0),
        np.float64,
        len,
    ]
    for x in objects:
        assert leaves(x) == [x]
