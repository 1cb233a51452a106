"""Arguments that share memory, and programs that write into them."""

import numpy as np
import pytest

from adcompile import AliasError, grad, value_and_grad


def writes(x, y):
    s = y[0]
    x[0] = 3.0 * x[1]
    return (x * y).sum() + s


def reads(x, y):
    return (x * y).sum()


def in_trees(p, q):
    p["w"][0] = q["w"][1]
    return (p["w"] * q["w"]).sum()


def in_containers(p, q):
    p["w"] = p["w"] * 2.0
    return (p["w"] * q["w"]).sum()


def through_reshape(x):
    y = x.reshape(2, -1)
    y[0, 0] = 3.0 * x[0, 1]
    return (x * x).sum()


A = np.array([1.0, 2.0, 3.0])


def test_one_array_passed_twice_is_one_array():
    g = value_and_grad(writes, wrt=(0, 1))
    for x, y in ((A, 2 * A), (A, A), (A, A[:]), (A, 2 * A)):
        shared = np.shares_memory(x, y)
        x0 = x.copy()
        expected = writes(x0, x0 if shared else y)
        value, (d_x, d_y) = g(x, y)
        assert value == expected
        # What is read through each name is counted there: the sum is the total derivative.
        if shared:
            assert np.array_equal(d_x + d_y, [1.0, 40.0, 6.0])
        else:
            assert np.array_equal(d_x, [0.0, 10.0, 6.0])
            assert np.array_equal(d_y, [7.0, 2.0, 3.0])
    assert np.array_equal(A, [1.0, 2.0, 3.0])


def test_an_array_in_two_trees():
    g = value_and_grad(in_trees)
    assert g({"w": A}, {"w": A.copy()})[0] == in_trees({"w": A.copy()}, {"w": A.copy()})
    shared = A.copy()
    assert g({"w": A}, {"w": A})[0] == in_trees({"w": shared}, {"w": shared})


def test_arguments_that_overlap_in_part_are_refused():
    with pytest.raises(AliasError, match=r"`x`, which the program writes into, overlaps"):
        grad(writes)(A[1:], A[:-1])


def test_one_container_passed_twice_is_refused_where_it_changes():
    p = {"w": A}
    with pytest.raises(AliasError, match=r"`p` and `q` are the same object"):
        grad(in_containers)(p, p)
    assert list(p) == ["w"]


def test_programs_that_only_read_do_not_care():
    g = grad(reads, wrt=(0, 1))
    for x, y in ((A, A), (A[1:], A[:-1])):
        d_x, d_y = g(x, y)
        assert np.array_equal(d_x, y)
        assert np.array_equal(d_y, x)


def test_the_layout_of_an_argument_decides_what_a_reshape_shares():
    g = grad(through_reshape)
    x = np.arange(4.0).reshape(2, 2) + 1.0
    assert np.array_equal(g(x), [[0.0, 40.0], [6.0, 8.0]])
    with pytest.raises(AliasError, match="shares memory with"):
        g(x.T)
    assert np.array_equal(g(x), [[0.0, 40.0], [6.0, 8.0]])
