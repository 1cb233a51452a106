"""The text of gradients of programs that write: nothing is copied, zeroed or saved needlessly."""

import numpy as np
import pytest

from adcompile import check_grads, grad

x, A = np.arange(1.0, 5.0), np.arange(1.0, 13.0).reshape(3, 4)


def swapped(x):
    y = x.copy()
    y[0], y[2] = y[2] * 2.0, y[0]
    return np.sum(y)


def scaled(x, s):
    y = x.copy()
    for i in range(len(y)):
        y[i] *= s
    return np.sum(y * y)


def cells(A, s):
    B = A.copy()
    for i in range(1, len(B)):
        for j in range(1, len(B[0])):
            B[i, j] = s * B[i - 1, j] + B[i, j - 1] * B[i, j]
    return B[-1, -1]


def columns(A, s):
    B = A.copy()
    B.T[0] *= s
    B.T[1:][0] = B[:, 2] * s
    return np.sum(B * B)


def whole(x):
    y = np.sin(x)
    y *= y
    y += 1.0
    np.tanh(y, out=y)
    return np.sum(y)


def momentum(w, g):
    v = np.zeros_like(w)
    w = w.copy()
    for _ in range(4):
        v *= 0.9
        v += g * w
        w -= 0.1 * v
    return np.sum(w * w)


def ridge(A, s):
    B = A @ A.T
    B[np.diag_indices(len(B))] += s
    return np.sum(np.tanh(0.01 * B))


def triangle(A):
    L = np.zeros((3, 3))
    L[np.tril_indices(3)] = A[0, 0] * np.arange(6.0)
    return np.sum(L * L) + np.sum(A[np.triu_indices(3)] ** 2)


def likelihood(A, labels):
    return -np.sum(A[np.arange(len(labels)), labels])


def twice(A, labels):
    return np.sum(A[np.array([0, 0, 2]), labels] * A[labels[:1], np.arange(3)])


TEXTS = {
    likelihood: (
        (A, np.array([1, 3, 1])),
        """
    # return -np.sum(A[np.arange(len(labels)), labels])
    d_A = np.zeros_like(A)
    d_A[index, labels] = -1.0
    return d_A
""",
    ),
    swapped: (
        (x,),
        """
    # y[0], y[2] = y[2] * 2.0, y[0]
    d_y = np.full_like(x, 1.0)
    d_t = d_y[2]
    d_y[2] = 0.0
    d_t2 = d_y[0]
    d_y[0] = d_t
    d_y[2] += 2.0 * d_t2
    return d_y
""",
    ),
    scaled: (
        (x, 0.5),
        """
    y = x.copy()
    n = len(y)
    for i in range(n):
        y[i] *= s

    # return np.sum(y * y)
    d_y = 2.0 * y
    for i in reversed(range(n)):
        # y[i] *= s
        d_y[i] *= s
    return d_y
""",
    ),
    columns: (
        (A, 0.5),
        """
    d_B = 2.0 * B
    # B.T[1:][0] = B[:, 2] * s
    d_z = s * d_B.T[1:][0]
    d_B.T[1:][0] = 0.0
    d_B[:, 2] += d_z
    # B.T[0] *= s
    d_B.T[0] *= s
    return d_B
""",
    ),
    momentum: (
        (x, x),
        """
    d_w = 2.0 * w
    d_v = np.zeros_like(v)
    d_g = np.zeros_like(g)
    for w in reversed(saved_w):
        # w -= 0.1 * v
        d_v -= 0.1 * d_w
        # v += g * w
        d_g += d_v * w
        d_w += d_v * g
        # v *= 0.9
        d_v *= 0.9
    return d_w, d_g
""",
    ),
}


@pytest.mark.parametrize("f", TEXTS, ids=lambda f: f.__name__)
def test_text(f):
    args, expected = TEXTS[f]
    text = grad(f, wrt=(0, 1) if f is momentum else 0).lower(*args).source
    assert expected in text, text


@pytest.mark.parametrize("f", [cells, whole, columns, momentum], ids=lambda f: f.__name__)
def test_nothing_is_copied_but_by_the_user(f):
    args = {cells: (A, 0.5), whole: (x,), columns: (A, 0.5), momentum: (x, x)}[f]
    text = grad(f).lower(*args).source
    assert text.count(".copy()") == (f is not whole), text
    assert "unbroadcast" not in text


@pytest.mark.parametrize("f", [ridge, triangle, likelihood], ids=lambda f: f.__name__)
def test_indices_that_name_no_element_twice(f):
    args = {ridge: (A, 0.5), triangle: (A,), likelihood: (A, np.array([1, 3, 1]))}[f]
    text = grad(f).lower(*args).source
    assert "add.at" not in text and "last_writes" not in text, text
    check_grads(f, args, modes=("reverse", "forward"), order=2)


def test_indices_that_are_stretched_may_name_an_element_twice():
    for labels in (np.array([1, 3, 1]), np.array([0, 0, 0])):
        check_grads(twice, (A, labels), order=2)
