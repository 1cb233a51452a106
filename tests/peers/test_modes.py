"""Forward mode, Jacobians, second and third order agree with autograd and JAX, to 1e-9.

What has the structure of the arguments is compared as one vector of all elements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy
import jax
import jax.flatten_util
import jax.numpy
import numpy as np
import pytest
from autograd.misc.flatten import flatten
from bench.programs import rosenbrock, rosenbrock_loop

import adcompile
from adcompile.trees import map_leaves
from tests.peers.programs import ARRAYS, LAYERS, PROGRAMS, N, diagonal_gmm, gmm, mlp, rnn
from tests.peers.test_peers import leaves, under

TOLERANCE = 1e-9
LARGE = N(1000)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def close(got: Any, want: Any) -> None:
    """One array: in the same shape, and equal up to what is small beside its largest element."""
    got, want = np.asarray(got), np.asarray(want)
    assert (got.shape, got.dtype) == (want.shape, np.float64)
    scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
    np.testing.assert_allclose(got, want, rtol=TOLERANCE, atol=TOLERANCE * scale)


def close_trees(got: Any, want: Any, like: Any) -> None:
    """`got`, in the structure and shapes of `like`; `want` has the elements in the same order."""
    for x, d in zip(leaves(like), leaves(got), strict=True):
        assert (np.shape(d), np.asarray(d).dtype) == (np.shape(x), np.float64)
    close(flatten(got)[0], flatten(want)[0])


def direction(wanted: Any) -> Any:
    """A tangent of these arguments."""
    normal = np.random.default_rng(3).standard_normal
    return map_leaves(lambda x: normal(np.shape(x)) if np.shape(x) else float(normal()), wanted)


def partly(fn: Callable[..., Any], args: tuple[Any, ...], wrt: tuple[int, ...]) -> Any:
    """`fn` as a function of the tuple of those arguments."""

    def of(wanted: Any) -> Any:
        given = dict(zip(wrt, wanted))
        return fn(*[given.get(k, x) for k, x in enumerate(args)])

    return of


# --- the peers: `transform(of, wanted, …)` with the program as a function of one tree ----------


def by_autograd(run: Callable[..., Any], fn: Any, args: Any, wrt: Any, *rest: Any) -> Any:
    """`run(f, x, …)` for `f`, a function of one vector: what autograd has derivatives of."""
    x, unflatten = flatten(tuple(args[k] for k in wrt))
    of = partly(under(fn, autograd.numpy), args, wrt)
    return run(lambda x: of(unflatten(x)), x, *(flatten(tree)[0] for tree in rest))


def by_jax(run: Callable[..., Any], fn: Any, args: Any, wrt: Any, *rest: Any) -> Any:
    with jax.enable_x64(True):
        args, rest = jax.tree.map(jax.numpy.asarray, (args, rest))
        wanted = tuple(args[k] for k in wrt)
        of = partly(under(fn, jax.numpy), args, wrt)
        result = jax.jit(lambda *given: run(of, *given))(wanted, *rest)
        return jax.tree.map(np.asarray, result)


def hvp_by_autograd(fn: Any, args: Any, wrt: Any, v: Any) -> Any:
    return by_autograd(lambda f, x, v: autograd.hessian_vector_product(f)(x, v), fn, args, wrt, v)


def hvp_by_jax(fn: Any, args: Any, wrt: Any, v: Any) -> Any:
    return by_jax(lambda f, x, v: jax.jvp(jax.grad(f), (x,), (v,))[1], fn, args, wrt, v)


def hessian_by_autograd(fn: Any, args: Any, wrt: Any) -> Any:
    return by_autograd(lambda f, x: autograd.hessian(f)(x), fn, args, wrt)


def hessian_by_jax(fn: Any, args: Any, wrt: Any) -> Any:
    """As a matrix."""

    def run(f: Any, x: Any) -> Any:
        flat, unravel = jax.flatten_util.ravel_pytree(x)
        return jax.hessian(lambda flat: f(unravel(flat)))(flat)

    return by_jax(run, fn, args, wrt)


def jvp_by_autograd(fn: Any, args: Any, wrt: Any, v: Any) -> Any:
    """The Jacobian times `v`."""

    def run(f: Any, x: Any, v: Any) -> Any:
        return f(x), autograd.jacobian(f)(x) @ v

    return by_autograd(run, fn, args, wrt, v)


def jvp_by_jax(fn: Any, args: Any, wrt: Any, v: Any) -> Any:
    return by_jax(lambda f, x, v: jax.jvp(f, (x,), (v,)), fn, args, wrt, v)


def vjp_by_autograd(fn: Any, args: Any, wrt: Any, d: Any) -> Any:
    return by_autograd(lambda f, x, d: autograd.make_vjp(f)(x)[0](d), fn, args, wrt, d)


def vjp_by_jax(fn: Any, args: Any, wrt: Any, d: Any) -> Any:
    return by_jax(lambda f, x, d: jax.vjp(f, x)[1](d)[0], fn, args, wrt, d)


# --- second order -------------------------------------------------------------------------------

EACH = pytest.mark.parametrize(
    ("fn", "args", "wrt"), PROGRAMS, ids=[fn.__name__ for fn, _, _ in PROGRAMS]
)
SECOND_ORDER: list[tuple[Any, tuple[Any, ...], tuple[int, ...]]] = [
    (mlp, (LAYERS, N((7, 3)), N((7, 2))), (0,)),
    (rnn, ((N((3, 4)), N((4, 4)), N(4)), N((6, 2, 3)), N((2, 4))), (0,)),
    next(p for p in PROGRAMS if p[0] is diagonal_gmm),
    next(p for p in PROGRAMS if p[0] is gmm),
    (rosenbrock, (LARGE,), (0,)),
]


@EACH
@pytest.mark.parametrize("peer", [hvp_by_autograd, hvp_by_jax])
def test_hessian_vector_products(fn: Any, args: Any, wrt: Any, peer: Any) -> None:
    wanted = tuple(args[k] for k in wrt)
    v = direction(wanted)
    close_trees(adcompile.hvp(fn, wrt=wrt)(args, v), peer(fn, args, wrt, v), wanted)


@pytest.mark.parametrize("peer", [hvp_by_autograd, hvp_by_jax])
@pytest.mark.parametrize("program", [rosenbrock, rosenbrock_loop])
def test_hessian_vector_products_in_a_thousand_dimensions(program: Any, peer: Any) -> None:
    """The peers take minutes for the loop; without it, it is the same function."""
    v = direction(LARGE)
    got = adcompile.hvp(program)((LARGE,), v)
    close_trees(got, peer(rosenbrock, (LARGE,), (0,), (v,)), LARGE)


@pytest.mark.parametrize("peer", [hessian_by_autograd, hessian_by_jax])
@pytest.mark.parametrize(
    ("fn", "args", "wrt"), SECOND_ORDER, ids=[fn.__name__ for fn, _, _ in SECOND_ORDER]
)
def test_hessians(fn: Any, args: Any, wrt: Any, peer: Any) -> None:
    wanted = tuple(args[k] for k in wrt)
    found = adcompile.hessian(fn, wrt=wrt)(*args)
    rows, sizes = list(leaves(wanted)), [np.size(x) for x in leaves(wanted)]
    blocks = list(leaves(found))
    shapes = [(np.shape(x), np.shape(y)) for x in rows for y in rows]
    for block, (x, y) in zip(blocks, shapes, strict=True):
        assert (np.shape(block), np.asarray(block).dtype) == (x + y, np.float64)
    table = [[blocks.pop(0).reshape(m, n) for n in sizes] for m in sizes]
    close(np.block(table), peer(fn, args, wrt))


# --- forward mode, and values that are arrays ---------------------------------------------------

ALL = [*PROGRAMS, *ARRAYS]


@pytest.mark.parametrize("peer", [jvp_by_autograd, jvp_by_jax])
@pytest.mark.parametrize(("fn", "args", "wrt"), ALL, ids=[fn.__name__ for fn, _, _ in ALL])
def test_jvps(fn: Any, args: Any, wrt: Any, peer: Any) -> None:
    v = direction(tuple(args[k] for k in wrt))
    for got, want in zip(adcompile.jvp(fn, wrt=wrt)(args, v), peer(fn, args, wrt, v), strict=True):
        close(got, want)


OF_ARRAYS = pytest.mark.parametrize(
    ("fn", "args", "wrt"), ARRAYS, ids=[fn.__name__ for fn, _, _ in ARRAYS]
)


@OF_ARRAYS
@pytest.mark.parametrize("peer", [vjp_by_autograd, vjp_by_jax])
def test_vjps(fn: Any, args: Any, wrt: Any, peer: Any) -> None:
    value, pullback = adcompile.vjp(fn, wrt=wrt)(*args)
    np.testing.assert_array_equal(value, fn(*args))
    d = direction(value)
    wanted = tuple(args[k] for k in wrt)
    close_trees(pullback(d), peer(fn, args, wrt, d), wanted)


@OF_ARRAYS
@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_jacobians(fn: Any, args: Any, wrt: Any, mode: str) -> None:
    ours = adcompile.jacobian(fn, mode, wrt=wrt)(*args)
    theirs = by_jax(lambda f, x: jax.jacobian(f)(x), fn, args, wrt)
    for k, got, want in zip(wrt, ours, theirs, strict=True):
        close(got, want)
        close(got, autograd.jacobian(under(fn, autograd.numpy), k)(*args))


# --- third order --------------------------------------------------------------------------------


def wave(x):
    t = np.sin(x[0] * x[1]) + np.exp(-(x[2] ** 2))
    return np.sum(x**3) * t + np.sum(np.tanh(x) * x)


def iterated(a):
    for _ in range(4):
        a = a * np.cos(a) + 0.3 * a**2
    return a


def test_third_derivatives_as_an_array() -> None:
    x = np.array([0.3, -1.2, 0.8])
    found = adcompile.jacobian(adcompile.hessian(wave))(x)
    g = autograd.grad(under(wave, autograd.numpy))
    close(found, autograd.jacobian(autograd.jacobian(g))(x))
    third = lambda f, x: jax.jacfwd(jax.hessian(f))(x)
    with jax.enable_x64(True):
        close(found, third(under(wave, jax.numpy), jax.numpy.asarray(x)))


@pytest.mark.parametrize("outer", [adcompile.grad, adcompile.elementwise_grad])
def test_third_derivatives_of_a_number(outer: Any) -> None:
    found = outer(adcompile.grad(adcompile.grad(iterated)))(0.7)
    g = autograd.grad(autograd.grad(autograd.grad(under(iterated, autograd.numpy))))
    close(found, g(0.7))
    with jax.enable_x64(True):
        close(found, jax.grad(jax.grad(jax.grad(under(iterated, jax.numpy))))(0.7))
