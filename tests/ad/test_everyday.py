"""Gradients of everyday programs against finite differences, and their text against their SSA."""

import numpy as np
import pytest

from adcompile import TypeMismatch, check_grads, grad, trees
from adcompile.ir.interpreter import run
from tests.ad import everyday


def floats(args):
    return tuple(
        k
        for k, a in enumerate(args)
        if any(np.asarray(v).dtype.kind == "f" for v in trees.leaves(a))
    )


@pytest.mark.parametrize("f", everyday.CASES, ids=lambda f: f.__name__)
def test_gradient(f):
    check_grads(f, everyday.CASES[f])


@pytest.mark.parametrize("f", everyday.CASES, ids=lambda f: f.__name__)
def test_text_does_what_the_ssa_does(f):
    args = everyday.CASES[f]
    compiled = grad(f, wrt=floats(args)).lower(*args)
    expected = run(compiled.program, *args)
    got = compiled.call(*args)
    for x, y in zip(trees.leaves(got), trees.leaves(expected), strict=True):
        np.testing.assert_array_equal(x, y)


def test_lists_in_pairs_in_a_list():
    def f(x):
        pairs = []
        for i in range(len(x)):
            row = []
            for j in range(i + 1):
                row.append([x[j] * x[i], (x, x[j])])
            pairs.append([row, x[i]])
        s = 0.0
        for row, a in pairs:
            for b, (c, d) in row:
                s = s * 0.5 + a * b * b + np.sum(c * d)
        return s

    check_grads(f, (np.array([0.3, -0.7, 0.5]),), modes=("reverse", "forward"))


def test_integers_come_first_in_a_list():
    """What a list holds is known when all that is appended to it has been seen."""

    def f(x):
        products, cubes = [], []
        for i in range(len(x)):
            if products:
                products.append(x[i] * products[-1])
            else:
                products.append(1)
            if i == 0:
                cubes.append(1)
            if i > 0:
                cubes.append(x[i] ** 3)
        ones = [1 for _ in x]
        ones.append(x[0])
        return sum(products) * sum(cubes) + ones[-1] * ones[0]

    check_grads(f, (np.array([0.7, -0.3, 1.2]),))


def test_what_a_list_cannot_hold():
    def f(x):
        items = []
        for v in x:
            items.append(v)
        items.append(x)
        return items[0]

    with pytest.raises(TypeMismatch, match="array of rank 1 is appended to a list of"):
        grad(f)(np.ones(3))


def test_star_arguments():
    x, y, z = (np.arange(3.0) + k for k in range(3))

    def f(p, u, v, bias):
        return everyday.starred(p, u, v, scale=1.5, bias=bias)

    check_grads(f, ((x, y), y, z, 0.5))


def test_no_gradient_is_the_callers_array():
    x, y = np.ones(3), np.arange(3.0)
    d_x, d_y = grad(everyday.sumgrad, wrt=(0, 1))(x, y)
    assert not np.shares_memory(d_x, y) and not np.shares_memory(d_y, x)
    d_a, d_b = grad(everyday.sumab, wrt=(0, 1))(x, y)
    assert not np.shares_memory(d_a, d_b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["dictp", "layers", "rows", "stacky", "elemchain", "lin"])
def test_dtype_stays(name, dtype):
    f = getattr(everyday, name)
    args = trees.map_leaves(lambda a: a.astype(dtype), everyday.CASES[f])
    for d in trees.leaves(grad(f, wrt=floats(args))(*args)):
        assert d.dtype == dtype
