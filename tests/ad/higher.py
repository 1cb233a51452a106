"""Second and third derivatives in all the ways there are, to be compared with each other.

For a scalar function f and directions u, v, w in its arguments of floats:

- H v by forward over reverse, reverse over reverse, reverse over forward, and `hvp`;
- the third derivative D³f[u, v, w] by forward and by reverse mode over `hvp`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile import grad, hvp, jvp, trees, vjp


def floats(args: tuple[Any, ...]) -> tuple[int, ...]:
    """The positions of the arguments of floats."""
    return tuple(k for k, a in enumerate(args) if any(map(_is_float, trees.leaves(a))))


def _is_float(x: Any) -> bool:
    return np.asarray(x).dtype.kind == "f"


def direction(args: tuple[Any, ...], wrt: tuple[int, ...], seed: int) -> tuple[Any, ...]:
    """A random direction in the arguments `wrt`: trees like them, None where there is no float."""
    rng = np.random.default_rng(seed)

    def leaf(x: Any) -> Any:
        if not _is_float(x):
            return None
        d = np.asarray(rng.normal(size=np.shape(x)), np.asarray(x).dtype)
        return (
            float(d)
            if isinstance(x, float) and not isinstance(x, np.generic)
            else d
            if np.ndim(x)
            else d[()]
        )

    return tuple(trees.map_leaves(leaf, args[k]) for k in wrt)


def dot(a: Any, b: Any) -> float:
    """The inner product of two trees; what is None in one of them does not count."""
    if a is None or b is None:
        return 0.0
    xs, ys = _numbers(a), _numbers(b)
    assert len(xs) == len(ys)
    return sum(float(np.sum(np.asarray(x, float) * np.asarray(y, float))) for x, y in zip(xs, ys))


def _numbers(tree: Any) -> list[Any]:
    return [x for x in trees.leaves(tree) if x is not None]


def products(
    f: Callable[..., Any], args: tuple[Any, ...], wrt: tuple[int, ...], v: tuple[Any, ...]
) -> dict[str, tuple[Any, ...]]:
    """H v in all ways: each a tuple with a tree for each of `wrt`."""
    g = grad(f, wrt=wrt)
    found = {
        "forward over reverse": jvp(g, wrt=wrt)(args, v)[1],
        "hvp": hvp(f, wrt=wrt)(args, v),
        "reverse over reverse": vjp(g, wrt=wrt)(*args)[1](v),
    }
    pulled = vjp(jvp(f, wrt=wrt))(args, v)[1]
    value = f(*copy.deepcopy(args))
    d = pulled((_zero(value), _one(value)))
    found["reverse over forward"] = tuple(d[k] for k in wrt)
    return found


def _zero(value: Any) -> Any:
    return 0.0 if not hasattr(value, "dtype") else value.dtype.type(0)


def _one(value: Any) -> Any:
    return 1.0 if not hasattr(value, "dtype") else value.dtype.type(1)


def third(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    wrt: tuple[int, ...],
    directions: tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]],
) -> dict[str, float]:
    """D³f[u, v, w] in several ways."""
    u, v, w = directions
    h = hvp(f, wrt=wrt)
    full = tuple(u[wrt.index(k)] if k in wrt else None for k in range(len(args)))
    forward = jvp(h)((args, v), (full, None))[1]
    back = vjp(h)(args, v)[1](w)
    return {
        "forward over hvp": dot(forward, w),
        "reverse over hvp": dot(tuple(back[k] for k in wrt), u),
    }


def differences(
    f: Callable[..., Any], args: tuple[Any, ...], wrt: tuple[int, ...], v: tuple[Any, ...]
) -> tuple[Any, ...]:
    """H v by differences of the gradient, of fourth order in the step."""
    g = grad(f, wrt=wrt)

    def at(h: float) -> tuple[Any, ...]:
        moved = list(args)
        for k, d in zip(wrt, v):
            moved[k] = _moved(args[k], d, h)
        return g(*moved)

    h = 1e-4
    sides = [at(2 * h), at(h), at(-h), at(-2 * h)]
    flat = [[np.asarray(x, float) for x in _numbers(s)] for s in sides]
    return tuple((8 * (b - c) - (a - d)) / (12 * h) for a, b, c, d in zip(*flat))


def _moved(x: Any, d: Any, h: float) -> Any:
    if d is None:
        return x
    leaves, structure = trees.flatten(x)
    steps = trees.leaves(d)
    if len(steps) != len(leaves):  # some are None
        steps = trees.leaves_like(structure, trees.map_leaves(lambda s: s, d))
    new = [a if s is None else a + h * s for a, s in zip(leaves, steps)]
    return trees.unflatten(structure, new)


def check(f: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """All ways agree with each other, and with differences of the gradient."""
    wrt = floats(args)
    v = direction(args, wrt, 1)
    single = any(np.asarray(x).dtype == np.float32 for x in trees.leaves(args))
    rtol = 1e-4 if single else 1e-9
    found = products(f, args, wrt, v)
    ways = list(found)
    first = _numbers(found[ways[0]])
    scale = max([1e-3, *[float(np.max(np.abs(x), initial=0.0)) for x in first]])
    for way in ways[1:]:
        other = _numbers(found[way])
        assert len(other) == len(first), way
        for x, y in zip(first, other):
            assert np.shape(x) == np.shape(y), (way, np.shape(x), np.shape(y))
            assert np.asarray(x).dtype == np.asarray(y).dtype, (way, x, y)
            np.testing.assert_allclose(y, x, rtol=rtol, atol=rtol * scale, err_msg=way)
    wide, v_wide = (trees.map_leaves(_widened, t) for t in (args, v))
    rtol = 1e-3 if single else 2e-5
    for x, y in zip(first, differences(f, wide, wrt, v_wide), strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol / 10 * scale, err_msg="differences")


def check_third(f: Callable[..., Any], args: tuple[Any, ...]) -> None:
    wrt = floats(args)
    u, v, w = (direction(args, wrt, seed) for seed in (1, 2, 3))
    one, other = third(f, args, wrt, (u, v, w)).values()
    single = any(np.asarray(x).dtype == np.float32 for x in trees.leaves(args))
    assert abs(one - other) <= (1e-3 if single else 1e-8) * (1 + abs(one))


def _widened(x: Any) -> Any:
    return x.astype(np.float64) if getattr(x, "dtype", None) == np.float32 else x
