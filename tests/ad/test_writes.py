"""Programs that write in place: values and gradients, and what must stay as it was."""

import copy

import numpy as np
import pytest

from adcompile import AdcompileError, check_grads, grad, trees, value_and_grad
from adcompile.ir.interpreter import run
from tests.ad import writes
from tests.ad.test_everyday import floats


def form(x):
    return type(x), np.shape(x), getattr(x, "dtype", None)


@pytest.mark.parametrize("f", writes.CASES, ids=lambda f: f.__name__)
def test_gradient(f):
    """Against finite differences; also structure, dtypes, unchanged inputs and a second call."""
    check_grads(f, writes.CASES[f])


@pytest.mark.parametrize("f", writes.CASES, ids=lambda f: f.__name__)
def test_value_and_inputs(f):
    args = writes.CASES[f]
    mine = copy.deepcopy(args)
    expected = f(*copy.deepcopy(args))
    g = value_and_grad(f, wrt=floats(args))
    for _ in range(2):
        value, _ = g(*mine)
        assert form(value) == form(expected)
        np.testing.assert_allclose(value, expected, rtol=3e-7 if f is writes.single else 1e-14)
        for x, y in zip(trees.leaves(mine), trees.leaves(args), strict=True):
            assert form(x) == form(y) and np.array_equal(x, y)


@pytest.mark.parametrize("f", writes.CASES, ids=lambda f: f.__name__)
def test_text_does_what_the_ssa_does(f):
    args = writes.CASES[f]
    compiled = grad(f, wrt=floats(args)).lower(*args)
    expected = run(compiled.program, *copy.deepcopy(args))
    got = compiled.call(*args)
    for x, y in zip(trees.leaves(got), trees.leaves(expected), strict=True):
        np.testing.assert_array_equal(x, y)


def test_containers_keep_their_identity():
    """The caller's containers and what is in them are the same objects after the call."""
    f = writes.containers_of_the_argument
    (d,) = copy.deepcopy(writes.CASES[f])
    inside = [d["k"], d["k"][0], d["k"][1], d["n"], d["n"]["w"]]
    grad(f)(d)
    assert all(a is b for a, b in zip(inside, [d["k"], *d["k"], d["n"], d["n"]["w"]]))


@pytest.mark.parametrize(
    "name", ["element", "element_of_the_argument", "slices", "two_buffers", "rows_of_a_loop"]
)
def test_single_precision_stays(name):
    f = getattr(writes, name)
    args = trees.map_leaves(
        lambda a: a.astype(np.float32) if isinstance(a, np.ndarray) else a, writes.CASES[f]
    )
    check_grads(f, args, rtol=5e-3, atol=1e-5)
    for d in trees.leaves(grad(f, wrt=0)(*args)):
        assert d.dtype == np.float32


def test_an_argument_that_may_not_be_written_to():
    """The program writes into its own copy, so a read-only array will do."""
    x = writes.some(5)
    expected = grad(writes.element_of_the_argument)(x)
    x.flags.writeable = False
    assert np.array_equal(grad(writes.element_of_the_argument)(x), expected)


def test_strided_arguments():
    x = writes.some(10)[::2]
    f = writes.element_of_the_argument
    assert np.array_equal(grad(f)(x), grad(f)(x.copy()))
    y = writes.some(3, 4).T
    f = writes.rows_of_a_loop
    assert np.array_equal(grad(f)(y), grad(f)(y.copy()))


# --- what is refused -----------------------------------------------------------------------------

X = writes.some(4)
G = np.zeros(4)


def shuffled(x):
    np.random.shuffle(x)
    return x.sum()


def into_a_global(x):
    G[0] = x[0]
    return (G * x).sum()


def into_integers(x):
    n = np.zeros(4, dtype=int)
    n[:] = x
    return n.sum() * x[0]


def floats_onto_integers(x):
    n = np.zeros(4, dtype=int)
    n += 0.5
    return (n * x).sum()


def through_a_broadcast(x):
    y = np.broadcast_to(x[0], (3,))
    y[0] = 1.0
    return y.sum()


def through_a_diagonal(x):
    y = np.outer(x, x)
    np.diagonal(y)[0] = 1.0
    return y.sum()


def shapes_that_clash(x):
    y = np.zeros((3, 2))
    y[0] = np.ones(3)
    return (y * x[0]).sum()


def rebound_in_a_loop(x):
    h = x.copy()
    h0 = h
    for i in range(3):
        if x[i] > 0:
            h = h * 2
        h[0] = 1.0
    return (h * h0).sum()


def appended_as_it_is(x):
    u = x.copy()
    history = []
    for i in range(len(x)):
        u[i] *= 2
        history.append(u)
    return history[0].sum()


def one_of_two(x):
    y, z = x.copy(), x * 2
    if x[0] > 0:
        w = y
    else:
        w = z
    w[0] = 3 * x[1]
    return (y * z).sum()


@pytest.mark.parametrize(
    "f, text",
    [
        (shuffled, "shuffle"),
        (into_a_global, "comes from outside"),
        (into_integers, "integers"),
        (floats_onto_integers, "cannot be written into"),
        (through_a_broadcast, "does not let one write"),
        (through_a_diagonal, "does not let one write"),
        (rebound_in_a_loop, "shares memory"),
        (appended_as_it_is, "shares memory"),
        (one_of_two, "shares memory"),
    ],
    ids=lambda p: getattr(p, "__name__", ""),
)
def test_refused(f, text):
    with pytest.raises(AdcompileError, match=text):
        grad(f)(X.copy())
    assert np.array_equal(G, np.zeros(4))


def test_shapes_that_clash():
    with pytest.raises(ValueError, match="could not broadcast"):
        grad(shapes_that_clash)(X)


def test_what_is_refused_may_be_read():
    """Only a write makes sharing matter, and only where both are read."""

    def read(x):
        w = x if x[0] > 0 else x * 2
        return (w * x).sum()

    def not_read(x):
        y, z = x.copy(), x * 2
        w = y if x[0] > 0 else z
        w[0] = 3 * x[1]
        return (w * w).sum()

    check_grads(read, (X,))
    check_grads(not_read, (X,))
