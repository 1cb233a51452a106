"""What the tests of rules share: samples, directions, and numerical checks of single rules.

A sample is one call of a function. Its differentiable leaves are the floating-point arrays and
numbers among its arguments, also inside lists and tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

rng = np.random.default_rng(0)


def N(*shape: int) -> Any:
    """Standard normal numbers."""
    return rng.standard_normal(shape)


def P(*shape: int) -> Any:
    """Positive numbers."""
    return rng.uniform(0.5, 2.0, shape)


def U(*shape: int) -> Any:
    """Numbers in (-1, 1), away from 0 and from the ends."""
    return rng.uniform(0.1, 0.9, shape) * rng.choice([-1.0, 1.0], shape)


def F(*shape: int) -> Any:
    """Numbers in (0, 1)."""
    return rng.uniform(0.1, 0.9, shape)


def W(*shape: int) -> Any:
    """1, 2 and their negatives."""
    return rng.choice([-2.0, -1.0, 1.0, 2.0], shape)


def M(*shape: int) -> Any:
    """Numbers that are far from every multiple of those."""
    return rng.integers(-3, 3, shape) + rng.uniform(0.3, 0.7, shape)


def distinct(*shape: int) -> Any:
    """Well separated numbers in random order, without ties."""
    n = int(np.prod(shape))
    return rng.permutation(n).reshape(shape) * 0.7 - 0.3 * n + 0.1


def regular(*shape: int) -> Any:
    """Well-conditioned matrices."""
    return N(*shape) + 3 * np.eye(shape[-1])


@dataclass
class Sample:
    """One call; `skip` are positions of arguments not to differentiate in this form."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        named = [f"{k}={brief(v)}" for k, v in self.kwargs.items()]
        return ", ".join([*map(brief, self.args), *named])

    def as_dtype(self, dtype: Any) -> Sample:
        def cast(x: Any) -> Any:
            return x.astype(dtype) if isinstance(x, np.ndarray | np.generic) and is_float(x) else x

        return Sample(tuple(map_tree(cast, a) for a in self.args), self.kwargs)


def S(*args: Any, **kwargs: Any) -> Sample:
    return Sample(args, kwargs)


def brief(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"{x.dtype.name}{list(x.shape)}"
    if isinstance(x, list | tuple):
        return f"[{', '.join(map(brief, x))}]"
    return f"{x:.3g}" if isinstance(x, float) else str(x)


def is_float(x: Any) -> bool:
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.kind == "f"
    return isinstance(x, float) and np.isfinite(x)  # inf is an option of norm


def map_tree(f: Callable[[Any], Any], x: Any) -> Any:
    return type(x)(map_tree(f, i) for i in x) if isinstance(x, list | tuple) else f(x)


def leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, list | tuple):
        for i in x:
            yield from leaves(i)
    else:
        yield x


def direction(x: Any) -> Any:
    """A random tangent for one argument: zero where nothing can be differentiated."""
    rng = np.random.default_rng(7)

    def one(leaf: Any) -> Any:
        if not is_float(leaf):
            return 0
        v = rng.standard_normal(np.shape(leaf))
        return float(v) if isinstance(leaf, float) and not isinstance(leaf, np.generic) else v

    return map_tree(one, x)


def moved(x: Any, v: Any, h: float) -> Any:
    if isinstance(x, list | tuple):
        return type(x)(moved(a, b, h) for a, b in zip(x, v, strict=True))
    return x + h * v if is_float(x) else x


def differences(fn: Callable[..., Any], sample: Sample, key: int | str, v: Any) -> Any:
    """The directional derivative by central differences (Richardson, fourth order)."""

    def at(h: float) -> list[np.ndarray]:
        args, kwargs = list(sample.args), dict(sample.kwargs)
        if isinstance(key, int):
            args[key] = moved(args[key], v, h)
        else:
            kwargs[key] = moved(kwargs[key], v, h)
        return [np.asarray(y, float) for y in as_tuple(fn(*args, **kwargs))]

    h = 1e-4
    near = [(a - b) / (2 * h) for a, b in zip(at(h), at(-h), strict=True)]
    far = [(a - b) / (4 * h) for a, b in zip(at(2 * h), at(-2 * h), strict=True)]
    return [(4 * n - f) / 3 for n, f in zip(near, far, strict=True)]


def as_tuple(y: Any) -> tuple[Any, ...]:
    return tuple(y) if isinstance(y, list | tuple) else (y,)


def inner(a: Any, b: Any) -> float:
    """⟨a, b⟩ over all leaves; None is zero, and cotangents broadcast to what they belong to."""
    total = 0.0
    for x, y in zip(leaves(a), leaves(b), strict=True):
        if x is not None and y is not None:
            total += float(np.sum(np.asarray(x) * np.asarray(y)))
    return total


def close(got: Any, want: Any, tol: float) -> None:
    got, want = np.asarray(got, float), np.asarray(want, float)
    got = np.broadcast_to(got, want.shape)
    np.testing.assert_allclose(got, want, rtol=tol, atol=tol)
