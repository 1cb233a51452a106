"""What the program would refuse, its gradient refuses."""

import numpy as np
import pytest

from adcompile import grad


def product(x, y):
    return np.sum(x * y)


def matmul(x, y):
    z = x @ y
    return z.sum()


def tree(p, x):
    return np.sum(p["W"] * x)


WEIGHTS = np.array([1.0, 2.0, 3.0])


def weighted(x):
    return np.sum(WEIGHTS * x)


def branch(x, y, flag):
    if flag:
        return np.sum(x * y)
    return np.sum(x) + np.sum(y)


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (product, (np.ones(3), np.ones(4))),
        (matmul, (np.ones((2, 3)), np.ones((4, 2)))),
        (tree, ({"W": np.ones((3, 2))}, np.ones(3))),
        (weighted, (np.ones(4),)),
    ],
)
def test_sizes_that_do_not_fit(f, args):
    with pytest.raises(ValueError, match="sizes do not fit in `"):
        grad(f)(*args)


def test_sizes_of_a_branch_that_is_not_taken():
    d_x = grad(branch)(np.ones(3), np.ones(4), False)
    np.testing.assert_array_equal(d_x, np.ones(3))


def test_what_fails_anyway_is_not_checked_twice():
    def f(W, x):
        return np.sum(np.tanh(x @ W))

    g = grad(f)
    assert "raise" not in g.lower(np.ones((3, 2)), np.ones((4, 3))).source


def test_a_global_is_the_one_of_the_call(monkeypatch):
    g = grad(weighted)
    np.testing.assert_array_equal(g(np.ones(3)), WEIGHTS)
    monkeypatch.setitem(globals(), "WEIGHTS", np.ones(4))
    np.testing.assert_array_equal(g(np.zeros(4)), np.ones(4))
