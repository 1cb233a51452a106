"""What rules become in the text of a gradient: as by hand, with nothing filled out needlessly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from adcompile import grad

N = np.random.default_rng(5).standard_normal
X, V, W = N((3, 4)), N(4), N(3)


def cross_entropy(s, y):
    return np.mean(logsumexp(s, axis=1) - np.sum(y * s, axis=1))


def relu(x):
    return np.sum(np.maximum(x, 0) * x)


def larger(x, y):
    return np.sum(np.maximum(x, y) * x)


def vector_matrix(w, x):
    return np.sum(np.sin(x @ w))


def matrix_vector(w, x):
    return np.sum(np.sin(w @ x))


def strided(x):
    return np.sum(x[::2] * x[::-2])


def rows(x):
    return np.mean(np.sum(x * x, axis=1))


def means_of_means(x):
    return np.mean(np.mean(x, axis=1))


def columns(x):
    return np.sum(np.sin(np.mean(x, axis=0)))


def spread_out(x):
    return np.sum(np.sin(np.var(x, axis=0)))


def chosen(x):
    return np.sum(np.where(x > 0, x, 0.0))


def joined(x):
    return np.mean(np.concatenate([x, x]))


def solved(a, b):
    return np.sum(np.sin(np.linalg.solve(a, b)))


def inverse(a):
    return np.sum(np.sin(np.linalg.inv(a)))


def contracted(a, b):
    return np.sum(np.sin(np.tensordot(a, b, 1)))


def softplus(x):
    return np.sum(np.logaddexp(0, x))


def summed_products(x, y):
    return np.sum(np.einsum("i,i->", x, y))


def product(x):
    return np.prod(x)


def twice_as_many(x):
    return np.sum(np.sin(np.repeat(x, 2)))


# (program, arguments, lines that are to be in the text)
TEXTS: list[tuple[Callable[..., Any], tuple[Any, ...], list[str]]] = [
    (cross_entropy, (X, X), ["share = np.exp(s - z[:, None])", "d_s = (share - y) / z.size"]),
    (relu, (V.astype("f"),), ["(x > 0)"]),
    (larger, (V.astype("f"), V.astype("f")), ["np.float32(0.5) * (x == y)"]),
    (vector_matrix, (N((3, 4)), W), ["np.outer(x, "]),
    (matrix_vector, (X, V), ["np.outer("]),
    (strided, (N(7),), ["d_x[::2] += runtime.unbroadcast("]),
    (rows, (X,), ["d_x = 2.0 / x.shape[0] * x"]),
    (means_of_means, (X,), ["np.full_like(x, "]),
    (columns, (X,), ["np.full_like(x, "]),
    (spread_out, (X,), ["(x - np.mean(x, axis=0, keepdims=True))"]),
    (chosen, (X,), ["np.where(mask, 1.0, 0)"]),
    (joined, (V,), ["np.full_like(x, "]),
    (solved, (N((4, 4)), V), ["np.linalg.solve(a.T, ", "np.outer(-d_b, "]),
    (inverse, (N((3, 3)),), ["d_a = -("]),
    (contracted, (N((2, 3)), X), [" @ b.T"]),
    (softplus, (V,), ["d_x = np.exp(x - z)"]),
    (summed_products, (V, V), ["y.copy()"]),
    (product, (V,), ["np.cumprod("]),
    (twice_as_many, (V,), ["axis=1)"]),
]

# What no one would write by hand, in none of these programs.
NEVER = (
    "astype(np.float32).", "-1 *", "-1.0 *", "1.0 * (", "expand_dims", "keepdims=False", ", None)",
    "- -", "-(-", "0.0 +", "tensordot", "np.maximum(z",
)  # fmt: skip


@pytest.mark.parametrize(("fn", "args", "lines"), TEXTS, ids=[fn.__name__ for fn, _, _ in TEXTS])
def test_text(fn: Any, args: Any, lines: list[str]) -> None:
    every = grad(fn, wrt=tuple(range(len(args))) if fn is not cross_entropy else 0)
    every(*args)
    text = every.source
    for line in lines:
        assert line in text, text
    backward = text.partition("    # return")[2].partition("\n")[2]
    assert not [bad for bad in NEVER if bad in backward], text
    assert text.count("full") <= 1, text


def test_one_solution_serves_both_gradients_of_solve() -> None:
    both = grad(solved, wrt=(0, 1))
    both(N((4, 4)), V)
    assert both.source.partition("# return")[2].partition("d_b")[2].count("solve(") == 1


def test_what_simplifying_makes_equal_is_solved_once() -> None:
    def likelihood(L, y):
        alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
        return 0.5 * y @ alpha

    text = grad(likelihood).lower(np.eye(2), np.ones(2)).source
    assert text.count("solve(") - text.count("# alpha") * 2 == 3, text


def test_a_sum_seed_is_filled_out_once() -> None:
    def total(a, b):
        return np.sum(a @ b)

    both = grad(total, wrt=(0, 1))
    both(N((2, 3)), N((3, 4)))
    assert both.source.count("np.full") == 1
