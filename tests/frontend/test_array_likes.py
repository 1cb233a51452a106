"""Lists and tuples where NumPy takes arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcompile import TypeMismatch, check_grads, grad
from tests.ad.programs import load

# Expressions of a number x, an array v of two, and a list l of two numbers.
EXPRESSIONS = """
np.exp([x, 2 * x])
np.exp((x, x * x))
np.abs([x, x * x])
np.add([x, x * x], 1.0)
np.maximum(x, [0.5, 2.0])
np.maximum([x, x * x], [1.0, x])
np.logaddexp([x, x * x], 0.0)
np.clip([x, x * x], 0.1, 2.0)
np.where([True, False], [x, x * x], [1.0, x])
np.where(v > [0.5, x], v, [x, 2.0])
np.sum([x, x * x])
np.mean([x, x * x])
np.mean(a=[x, x * x])
np.prod((x, x * x))
np.max([x, x * x])
np.var([x, x * x, 3.0])
np.std([[x, x * x], v], axis=0)
np.cumsum([x, x * x])
np.sort([x, x * x, 0.1])
np.dot([x, x * x], [1.0, 2.0])
np.dot([1, 2], v)
np.dot([[x, 1.0], [1.0, x]], v)
np.matmul([[x, 1.0], [1.0, x]], [1.0, x])
np.inner([x, 1], v)
np.outer([x, 1.0], (x, x))
np.einsum("i,i->", [x, 1.0], v)
np.tensordot([x, 1.0], v, 1)
np.linalg.norm([x, x * x, 1.0])
np.linalg.det([[x, 1.0], [2.0, x * x]])
np.linalg.inv([[x, 1.0], [2.0, 5 * x]])
np.linalg.solve([[x, 1.0], [2.0, 5 * x]], [x, 2.0])
np.reshape([x, x * x], (2, 1))
np.transpose([[x, x * x]], [1, 0])
np.diag([x, x * x])
np.tile([x, x * x], [2, 1])
np.roll([x, x * x], 1)
np.pad([x, x * x], [(1, 1)])
np.take([x, x * x], [0, 0, 1])
np.broadcast_to([x, x * x], (3, 2))
np.full((3, 2), [x, x * x])
np.concatenate([v, [x, 1.0]])
np.concatenate(([x], [x * x, 2.0], l))
np.concatenate([v, []])
np.concatenate([[v, v], [[x, x]]])
np.stack([[x, 1.0], v])
np.vstack([[x, x * x], v])
np.hstack([v, [x]])
np.column_stack([(x, x * x), v])
v * [1.0, 2.0]
[1.0, x] * v
v - (x, x * x)
(x, 1) + v
v @ [x, x * x]
[[x, 1.0], [1.0, x]] @ v
v / l
l * v
np.exp(l)
np.mean(l)
np.dot(l, [x, 1.0])
np.concatenate([l, l])
np.hypot(l, [x, 1.0])
np.sum([l, [x, 1.0], v], axis=0)
np.float64(x) + [1.0, x]
v.dot([x, 1.0])
v.reshape([2, 1]) * x
np.ones([2, 2]) @ v
v[[0, 1, 1]] * [x, 1.0, 2.0]
""".strip().splitlines()

LISTED = {
    "appended": "l = []\n    for k in range(2):\n        l.append(x * k + v[k])",
    "made": "l = [x, 2.0 * x]",
}


def program(expression: str, listed: str) -> Any:
    return load(
        f"def f(x, v):\n    {LISTED[listed]}\n    y = {expression}\n    return np.sum(y * y)"
    )


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_two_orders(expression):
    for listed in LISTED if " l" in f" {expression}".replace("np.l", "") else ["made"]:
        f = program(expression, listed)
        for x, v in ((0.7, np.array([0.9, 1.7])), (np.float64(1.3), np.array([2.0, 0.4]))):
            check_grads(f, (x, v), wrt=(0, 1), modes=("forward", "reverse"), order=2)


TEXT = """
def f_grad(v, x):
    z2 = np.array([1.0, x])
    z = v * z2

    # return np.sum(z * z)
    d_z = 2.0 * z
    # z = v * [1.0, x]
    d_v = d_z * z2
    d_x = (d_z * v)[1]
    return d_v, d_x
"""


def test_text():
    f = load("def f(v, x):\n    z = v * [1.0, x]\n    return np.sum(z * z)")
    assert TEXT in grad(f, wrt=(0, 1)).lower(np.ones(2), 3.0).source


@pytest.mark.parametrize("expression", ["np.int64(2) * [1.0, 2.0]", "[1.0, 2.0] * np.int64(2)"])
def test_scalars_of_numpy_repeat_lists(expression):
    f = load(f"def f(x):\n    y = {expression}\n    return x * len(y) + y[2]")
    with pytest.raises(TypeMismatch, match="must be known at compile time"):
        grad(f)(3.0)
