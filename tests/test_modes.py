"""The public modes: structure, dtypes and exact shapes of what they take and return.

What they compute is compared with finite differences of the function itself; that all ways to the
same derivative agree is tested elsewhere (`tests/ad/test_higher.py`, `tests/ad/batch`).
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from adcompile import (
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    trees,
    value_and_grad,
    vjp,
)

V = np.array([0.3, -0.5, 0.8])
W = np.array([[1.0, -2.0, 0.5], [0.25, 0.75, -1.0]])


@dataclasses.dataclass
class Params:
    w: Any
    b: Any
    steps: Any = 2
    name: Any = "layer"
    bias: Any = None


class Pair(NamedTuple):
    w: Any
    b: Any


class Layer:
    def __init__(self, w: Any, b: Any):
        self.w, self.b = w, b


# --- functions of arguments of all kinds --------------------------------------------------------


def of_one(x):
    return np.sin(x) * x


def of_number(x):
    return x * x * x


def of_matrix(x):
    return np.tanh(x @ x.T)


def of_dict(p):
    return {"u": np.sin(p["w"]) * p["b"], "v": (p["b"] * p["b"], np.sum(p["w"] ** 2))}


def of_object(p):
    return Params(p.w * p.b, p.b * p.b, 3, "made")


def of_pair(p):
    return Pair(p.w * p.b, p.b * p.b)


def of_layer(p):
    return p.w * p.b


def of_list(xs):
    return [xs[0] * xs[1], xs[1] * xs[1]]


def of_nested(p):
    return p[0]["w"] * p[1][0] + p[1][1]


def loss_of(f: Callable[..., Any]) -> Callable[..., Any]:
    """The sum of the squares of all that `f` returns: a function for the modes of one number."""
    return LOSSES[f]


LOSSES = {
    of_one: lambda x: np.sum((np.sin(x) * x) ** 2),
    of_number: lambda x: x * x * x * x,
    of_matrix: lambda x: np.sum(np.tanh(x @ x.T) ** 2),
    of_dict: lambda p: np.sum(np.sin(p["w"]) * p["b"]) + p["b"] ** 3 + np.sum(p["w"] ** 2) ** 2,
    of_object: lambda p: np.sum((p.w * p.b) ** 2) + p.b**3,
    of_pair: lambda p: np.sum((p.w * p.b) ** 2) + p.b**3,
    of_layer: lambda p: np.sum((p.w * p.b) ** 2),
    of_list: lambda xs: np.sum(xs[0] ** 3 * xs[1]),
    of_nested: lambda p: np.sum((p[0]["w"] * p[1][0] + p[1][1]) ** 3),
}

KINDS = {
    "array": (of_one, V),
    "matrix": (of_matrix, W),
    "row": (of_one, V[None]),
    "one element": (of_one, V[:1]),
    "empty": (of_one, np.zeros(0)),
    "three dimensions": (of_one, W.reshape(1, 2, 3)),
    "0-d": (of_one, np.array(0.7)),
    "NumPy scalar": (of_one, np.float64(0.7)),
    "float": (of_number, 0.7),
    "float, by NumPy": (of_one, 0.7),
    "float32": (of_one, V.astype(np.float32)),
    "float32 matrix": (of_matrix, W.astype(np.float32)),
    "float32 scalar": (of_one, np.float32(0.7)),
    "float32 0-d": (of_one, np.array(0.7, np.float32)),
    "dict": (of_dict, {"w": V, "b": 0.7}),
    "float32 dict": (of_dict, {"w": V.astype(np.float32), "b": np.float32(0.7)}),
    "dataclass": (of_object, Params(V, 0.7)),
    "dataclass of float32": (of_object, Params(V.astype(np.float32), np.float32(0.7))),
    "named tuple": (of_pair, Pair(V, 0.7)),
    "object": (of_layer, Layer(V, 0.7)),
    "list": (of_list, [V, 2.0 * V]),
    "nested": (of_nested, ({"w": V}, [0.7, 2.0 * V])),
    "mixed dtypes": (of_list, [V.astype(np.float32), V]),
}

each_kind = pytest.mark.parametrize("kind", KINDS)


# --- what is expected ---------------------------------------------------------------------------


def is_real(x: Any) -> bool:
    return isinstance(x, float) or getattr(x, "dtype", np.dtype(int)).kind == "f"


def numbers(tree: Any) -> np.ndarray:
    """All real numbers of a tree, one after the other."""
    found = [np.ravel(np.asarray(x, float)) for x in trees.leaves(tree) if is_real(x)]
    return np.concatenate([np.zeros(0), *found])


def refilled(tree: Any, values: np.ndarray) -> Any:
    """A tree with the structure of `tree`, of float64."""
    sizes = [np.size(x) for x in trees.leaves(tree) if is_real(x)]
    places = iter(np.split(values, np.cumsum(sizes)))

    def leaf(x: Any) -> Any:
        if not is_real(x):
            return x
        new = next(places).reshape(np.shape(x))
        return new if np.ndim(x) else (float(new) if type(x) is float else np.float64(new))

    return trees.map_leaves(leaf, tree)


def differences(f: Callable[..., Any], x: Any) -> np.ndarray:
    """The Jacobian of `f` at `x`, as a matrix, by central differences of fourth order."""
    at, h, columns = numbers(x), 1e-3, []

    def moved(k: int, step: float) -> np.ndarray:
        new = at.copy()
        new[k] += step
        return numbers(f(refilled(x, new)))

    for k in range(len(at)):
        near, far = (moved(k, s) - moved(k, -s) for s in (h, 2 * h))
        columns.append((8 * near - far) / (12 * h))
    rows = len(numbers(f(refilled(x, at))))
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0))


def tolerance(*values: Any) -> float:
    single = any(getattr(x, "dtype", None) == np.float32 for x in trees.leaves(values))
    return 2e-5 if single else 1e-9


def close(found: Any, expected: np.ndarray, like: Any) -> None:
    np.testing.assert_allclose(numbers(found), expected, rtol=tolerance(like), atol=tolerance(like))


def check_form(found: Any, like: Any, *, after: tuple[int, ...] = (), dtypes: Any = None) -> None:
    """`found` has the structure of `like`, and leaves of the same dtypes and shapes, or None.

    Each leaf has the further axes `after`, and the dtype of `dtypes` where that is given.
    """
    leaves, structure = trees.flatten(like)
    for d, x in zip(derivatives(structure, found), leaves, strict=True):
        check_leaf(d, x, (), after, dtypes)


def derivatives(structure: trees.Structure, found: Any) -> list[Any]:
    """What stands in a tree of this structure at each leaf, None included."""
    if structure == trees.LEAF:
        return [found]
    if structure.kind is type(None):
        assert found is None
        return []
    assert type(found) is structure.kind
    mapping = found if isinstance(found, dict) else None
    keys = list(mapping) if mapping is not None else list(structure.keys)
    assert keys == list(structure.keys)
    children = [
        found[k] if isinstance(k, int) or mapping is not None else getattr(found, k) for k in keys
    ]
    return [
        d
        for s, child in zip(structure.children, children, strict=True)
        for d in derivatives(s, child)
    ]


def check_leaf(d: Any, x: Any, before: tuple[int, ...], after: tuple[int, ...], by: Any) -> None:
    if not is_real(x):
        assert d is None
        return
    like = x if by is None else by
    shape = (*before, *np.shape(x), *after)
    assert np.shape(d) == shape
    if shape:
        assert type(d) is np.ndarray
    else:
        assert isinstance(d, float | np.floating)
    if hasattr(like, "dtype"):
        assert d.dtype == like.dtype
    else:  # a Python float: a float64 is one, too
        assert np.asarray(d).dtype == np.float64


def check_blocks(found: Any, value: Any, x: Any) -> None:
    """The structure of the value, with that of `x` at each leaf, and blocks of exact shapes."""
    leaves, structure = trees.flatten(value)
    for block, y in zip(derivatives(structure, found), leaves, strict=True):
        if not is_real(y):
            assert block is None
            continue
        inner, of = trees.flatten(x)
        for d, a in zip(derivatives(of, block), inner, strict=True):
            check_leaf(d, a, np.shape(y), (), None)


def blocks_as_matrix(found: Any, value: Any, x: Any) -> np.ndarray:
    """All blocks as one matrix, in the order of `numbers`."""
    leaves, structure = trees.flatten(value)
    rows = []
    for block, y in zip(derivatives(structure, found), leaves, strict=True):
        if not is_real(y):
            continue
        inner, of = trees.flatten(x)
        parts = [
            np.reshape(np.asarray(d, float), (np.size(y), np.size(a)))
            for d, a in zip(derivatives(of, block), inner, strict=True)
            if is_real(a)
        ]
        rows.append(np.concatenate(parts, axis=1))
    return np.concatenate(rows)


def direction(x: Any, seed: int = 0) -> Any:
    """A random tree built like `x`: None where that has no derivative."""
    rng = np.random.default_rng(seed)

    def leaf(v: Any) -> Any:
        if not is_real(v):
            return None
        d = rng.normal(size=np.shape(v))
        if not hasattr(v, "dtype"):
            return float(d)
        d = np.asarray(d, v.dtype)
        return d if isinstance(v, np.ndarray) else d[()]

    return trees.map_leaves(leaf, x)


def unshared(*results: Any) -> None:
    """No array of the results shares memory with another one."""
    arrays = [x for x in trees.leaves(list(results)) if isinstance(x, np.ndarray)]
    for k, a in enumerate(arrays):
        assert not any(np.shares_memory(a, b) for b in arrays[:k])


# --- every mode for every kind of argument ------------------------------------------------------


@each_kind
def test_jvp(kind):
    f, x = KINDS[kind]
    v, before = direction(x), pickle.dumps(x)
    value, tangent = jvp(f)((x,), (v,))
    check_form(tangent, value)
    close(value, numbers(f(refilled(x, numbers(x)))), x)
    close(tangent, differences(f, x) @ numbers(v), x)
    assert pickle.dumps(x) == before
    unshared(x, v, value, tangent)


@each_kind
def test_vjp(kind):
    f, x = KINDS[kind]
    value, pullback = vjp(f)(x)
    close(value, numbers(f(refilled(x, numbers(x)))), x)
    u = direction(value)
    before = pickle.dumps(u)
    d = pullback(u)
    check_form(d, x)
    close(d, numbers(u) @ differences(f, x), x)
    unshared(x, u, value, d)
    again = pullback(u)
    assert np.array_equal(numbers(again), numbers(d))
    unshared(again, d)
    close(pullback(direction(value, 1)), numbers(direction(value, 1)) @ differences(f, x), x)
    assert pickle.dumps(u) == before


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
@each_kind
def test_jacobian(kind, mode):
    f, x = KINDS[kind]
    found = jacobian(f, mode)(x)
    value = f(copy.deepcopy(x))
    check_blocks(found, value, x)
    expected = differences(f, x)
    tol = tolerance(x)
    np.testing.assert_allclose(blocks_as_matrix(found, value, x), expected, rtol=tol, atol=tol)
    unshared(x, found)


@each_kind
def test_hessian(kind):
    f, x = KINDS[kind]
    loss = loss_of(f)
    found = hessian(loss)(x)
    check_blocks(found, grad(loss)(x), x)
    expected = differences(grad(loss), x)
    tol = 10 * tolerance(x)  # numbers up to 30
    np.testing.assert_allclose(
        blocks_as_matrix(found, grad(loss)(x), x), expected, rtol=tol, atol=tol
    )
    unshared(x, found)


@each_kind
def test_hvp(kind):
    f, x = KINDS[kind]
    loss, v = loss_of(f), direction(x)
    found = hvp(loss)((x,), v)
    check_form(found, x)
    tol = 10 * tolerance(x)
    expected = differences(grad(loss), x) @ numbers(v)
    np.testing.assert_allclose(numbers(found), expected, rtol=tol, atol=tol)
    unshared(x, v, found)


@each_kind
def test_grad_and_value_and_grad(kind):
    f, x = KINDS[kind]
    loss = loss_of(f)
    value, d = value_and_grad(loss)(x)
    check_form(d, x)
    check_form(grad(loss)(x), x)
    close(d, differences(loss, x)[0], x)
    close(value, numbers(loss(refilled(x, numbers(x)))), x)


@pytest.mark.parametrize("kind", [k for k, (f, _) in KINDS.items() if f in (of_one, of_number)])
def test_elementwise_grad(kind):
    f, x = KINDS[kind]
    d = elementwise_grad(f)(x)
    check_form(d, x)
    close(d, np.diag(differences(f, x)), x)


@each_kind
def test_second_derivatives_by_nesting(kind):
    """The product of the Hessian and a vector: forward over reverse, and reverse over reverse."""
    f, x = KINDS[kind]
    loss, v = loss_of(f), direction(x)
    product = hvp(loss)((x,), v)
    tol = 10 * tolerance(x)
    for other in (jvp(grad(loss))((x,), (v,))[1], vjp(grad(loss))(x)[1](v)):
        check_form(other, x)
        np.testing.assert_allclose(numbers(other), numbers(product), rtol=tol, atol=tol)
