"""Checking gradients against finite differences.

Differences are central, in float64, at two steps, combined as Richardson did (1911): the error is
of fourth order in the step, and the two estimates tell how far they can be trusted.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile import trees
from adcompile.classes import keys_of
from adcompile.signature import Path, child, path_text
from adcompile.wrt import is_float_array

__all__ = ["check_grads"]

STEP = 1e-3  # of the larger of |x| and SMALLEST
SMALLEST = 0.05
ROUNDING = 2e-15  # of a few operations; an error in f of |f| times this is forgiven
RTOL = {8: 1e-6, 4: 2e-3, 2: 0.1}  # by the bytes of the narrowest float that goes in


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    wrt: int | str | Sequence[int | str] | None = None,
    *,
    kwargs: dict[str, Any] | None = None,
    gradient: Callable[..., Any] | None = None,
    has_aux: bool = False,
    eps: float = STEP,
    rtol: float | None = None,
    atol: float = 1e-8,
    samples: int = 100,
) -> None:
    """Check the gradient of `f` at `args` against central finite differences.

    Also checked: the gradient has the exact tree structure, shapes and dtypes of the arguments, a
    second call gives the same, and the arguments are unchanged.

    Args:
        f: a function that returns one real number, or what `grad` or `value_and_grad` made of it.
        args: its positional arguments, trees of arrays and numbers.
        wrt: as in `grad`. Without it: what `f` was made for, or every argument of floats.
        kwargs: its keyword arguments.
        gradient: a function of the same arguments that returns the gradient, to be checked instead
            of the one that adcompile makes.
        has_aux: `f` returns `(loss, aux)`.
        eps: the step, relative to the size of the number that is varied.
        rtol: the relative tolerance; by default 1e-6, and 2e-3 for float32.
        atol: the absolute tolerance, for a function value of order 1.
        samples: of a larger array, this many elements are checked, the same ones every time.

    Raises:
        AssertionError: with the worst element, what was expected and what was got.
    """
    kwargs = kwargs or {}
    primal, of, wrt, has_aux, with_value = _sides(f, gradient, wrt, has_aux, args, kwargs)
    signature = inspect.signature(primal)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    names = list(signature.parameters)
    several: Any = [wrt] if _is_one(wrt) else wrt
    chosen = [w if isinstance(w, str) else names[w] for w in several]
    before = [_snapshot(v) for v in trees.leaves([list(args), kwargs])]
    got = of(*args, **kwargs)
    _check_unchanged(before, args, kwargs, "the first call")
    again = of(*args, **kwargs)
    _check_unchanged(before, args, kwargs, "the second call")
    _check_same(got, again)
    grads = _gradients(got, has_aux, with_value)
    value = _evaluation(primal, bound, has_aux)
    rtol = RTOL[_narrowest(trees.leaves(list(bound.arguments.values())))] if rtol is None else rtol
    for name, grad in zip(chosen, [grads] if _is_one(wrt) else grads):
        for path, leaf, d in _pairs(bound.arguments[name], grad, (name,)):
            _check_form(leaf, d, path, bound.arguments)
            _check_numbers(value, path, leaf, d, bound.arguments, eps, rtol, atol, samples)


def _is_one(wrt: Any) -> bool:
    return isinstance(wrt, int | str)


def _sides(
    f: Any, gradient: Any, wrt: Any, has_aux: bool, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], Callable[..., Any], Any, bool, bool]:
    """The function, its gradient, what that is with respect to, and what it returns besides."""
    from adcompile.api import grad
    from adcompile.derivative import Derivative
    from adcompile.modes import Grad

    if isinstance(f, Derivative) and isinstance(f.mode, Grad):
        made_wrt, made_aux, with_value = f.mode.wrt, f.mode.has_aux, f.mode.with_value
        return f.primal, f, made_wrt, made_aux, with_value
    if wrt is None:
        bound = inspect.signature(f).bind(*args, **kwargs)
        wrt = tuple([n for n, v in bound.arguments.items() if _is_real(v)])
        if not wrt:
            raise ValueError("there is no argument of floats to differentiate with respect to")
    if gradient is not None:
        return f, gradient, wrt, has_aux, False
    return f, grad(f, wrt, has_aux), wrt, has_aux, False


def _is_real(value: Any) -> bool:
    leaves = trees.leaves(value)
    return bool(leaves) and all(
        isinstance(v, float) or getattr(getattr(v, "dtype", None), "kind", "") == "f"
        for v in leaves
    )


def _narrowest(leaves: list[Any]) -> int:
    """The bytes of the narrowest floats that a function computes with."""
    dtypes = [np.asarray(v).dtype for v in leaves if isinstance(v, np.ndarray | np.generic)]
    return min([8, *[d.itemsize for d in dtypes if d.kind == "f"]])


def _gradients(got: Any, has_aux: bool, with_value: bool) -> Any:
    if with_value:
        return got[1]
    return got[0] if has_aux else got


def _evaluation(primal: Callable[..., Any], bound: Any, has_aux: bool) -> Callable[..., float]:
    """`value(path, replacement)`: f in float64, with one leaf replaced."""
    wide = {name: trees.map_leaves(_widened, v) for name, v in bound.arguments.items()}

    def value(path: Path, replacement: Any) -> float:
        changed = {**wide, path[0]: _replaced(wide[path[0]], path[1:], replacement)}
        # The program may write into its arguments: each call gets its own.
        changed = {name: trees.map_leaves(_copied, v) for name, v in changed.items()}
        call = inspect.BoundArguments(bound.signature, changed)  # type: ignore[arg-type]
        out = primal(*call.args, **call.kwargs)
        return float(out[0] if has_aux else out)

    return value


def _copied(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _widened(leaf: Any) -> Any:
    """Floats as float64; arrays are copied, so that a function that writes does no harm."""
    if isinstance(leaf, np.ndarray):
        return leaf.astype(np.float64) if leaf.dtype.kind == "f" else leaf.copy()
    return np.float64(leaf) if isinstance(leaf, np.floating) else leaf


def _replaced(tree: Any, keys: Path, new: Any) -> Any:
    leaves, structure = trees.flatten(tree)
    place = _leaf_paths(tree, ()).index(keys)
    copies = [x.copy() if isinstance(x, np.ndarray) else x for x in leaves]
    copies[place] = new
    return trees.unflatten(structure, copies)


def _leaf_paths(tree: Any, path: Path) -> list[Path]:
    keys = None if tree is None else keys_of(tree)
    if keys is None:
        return [] if tree is None else [path]
    return [p for key in keys for p in _leaf_paths(child(tree, key), (*path, key))]


def _pairs(value: Any, grad: Any, path: Path, inside: bool = False) -> list[tuple[Path, Any, Any]]:
    """The leaves of an argument with those of its gradient, which must be built alike.

    `inside` an object, what is no floating point number has the gradient None.
    """
    keys = None if value is None else keys_of(value)
    if keys is None:
        constant = inside and not (isinstance(value, float | np.floating) or is_float_array(value))
        return [] if value is None or (constant and grad is None) else [(path, value, grad)]
    inside = inside or trees.is_object(type(value))
    if type(value) is not type(grad) or keys_of(grad) != keys:
        raise AssertionError(
            f"the gradient of `{path_text(path)}` has another structure: "
            f"expected a {type(value).__name__} with {list(keys)}, got {grad!r:.100}"
        )
    return [
        pair
        for key in keys
        for pair in _pairs(child(value, key), child(grad, key), (*path, key), inside)
    ]


# --- the checks ---------------------------------------------------------------------------------


def _check_form(leaf: Any, d: Any, path: Path, arguments: dict[str, Any]) -> None:
    expected = _form(leaf)
    got = _form(d)
    if isinstance(leaf, float) and not isinstance(leaf, np.floating):  # Python's own
        good = isinstance(d, float)
    elif np.ndim(leaf) == 0:
        good = isinstance(d, np.generic | np.ndarray) and got[1:] == expected[1:]
    else:
        good = got == expected
    if not good:
        place = path_text(path, arguments)
        raise AssertionError(f"the gradient of `{place}` is {_said(d)}, expected {_said(leaf)}")


def _form(x: Any) -> tuple[Any, ...]:
    return type(x), np.shape(x), getattr(x, "dtype", None)


def _said(x: Any) -> str:
    kind, shape, dtype = _form(x)
    return f"{kind.__name__}" if dtype is None else f"{kind.__name__} {dtype} of shape {shape}"


def _check_numbers(
    value: Callable[..., float],
    path: Path,
    leaf: Any,
    d: Any,
    arguments: dict[str, Any],
    eps: float,
    rtol: float,
    atol: float,
    samples: int,
) -> None:
    """Compare elements, and report the worst."""
    worst: tuple[float, str] | None = None
    wrong, indices = 0, _chosen(np.shape(leaf), samples)
    for index in indices:
        expected, slack = _difference(value, path, leaf, index, eps)
        got = float(np.asarray(d)[index])
        if np.isnan(expected) and np.isnan(got):
            continue
        off = abs(got - expected)
        excess = off / (atol + rtol * abs(expected) + slack)
        if not excess <= 1:
            wrong += 1
            if worst is None or not excess <= worst[0]:
                at = f"[{', '.join(map(str, index))}]" if index else ""
                place = f"{path_text(path, arguments)}{at}"
                worst = excess, f"`{place}`: expected {expected:.10g}, got {got:.10g}"
    if worst is not None:
        raise AssertionError(
            f"wrong gradient at {wrong} of {len(indices)} elements; the worst is {worst[1]}"
        )


def _chosen(shape: tuple[int, ...], samples: int) -> list[tuple[int, ...]]:
    size = int(np.prod(shape))
    flat: Any = range(size)
    if size > samples:
        flat = np.sort(np.random.default_rng(0).choice(size, samples, replace=False))
    return [tuple(int(i) for i in np.unravel_index(k, shape)) for k in flat]


def _difference(
    value: Callable[..., float], path: Path, leaf: Any, index: tuple[int, ...], eps: float
) -> tuple[float, float]:
    """The derivative by one element, and how far rounding and kinks may have thrown it off."""
    x = np.array(leaf, dtype=np.float64)
    step = eps * max(abs(float(x[index])), SMALLEST)

    def slope(h: float) -> tuple[float, float]:
        sides = []
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * h
            sides.append((float(moved[index]), value(path, _like(leaf, moved))))
        (right, above), (left, below) = sides
        return (above - below) / (right - left), max(abs(above), abs(below))

    coarse, _ = slope(step)
    fine, size = slope(step / 2)
    return (4 * fine - coarse) / 3, ROUNDING * size / step


def _like(leaf: Any, x: np.ndarray) -> Any:
    if isinstance(leaf, np.ndarray):
        return x
    return x[()] if isinstance(leaf, np.generic) else float(x)


def _snapshot(leaf: Any) -> Any:
    return (leaf.shape, leaf.dtype, leaf.tobytes()) if isinstance(leaf, np.ndarray) else leaf


def _check_unchanged(
    before: list[Any], args: Sequence[Any], kwargs: dict[str, Any], when: str
) -> None:
    after = [_snapshot(v) for v in trees.leaves([list(args), kwargs])]
    if len(before) != len(after) or any(
        a is not b and isinstance(b, tuple) and a != b for a, b in zip(before, after)
    ):
        raise AssertionError(f"{when} of the gradient has changed its arguments")


def _check_same(first: Any, second: Any) -> None:
    for a, b in zip(trees.leaves(first), trees.leaves(second), strict=True):
        same = a is b or (
            np.asarray(a).tobytes() == np.asarray(b).tobytes()
            if isinstance(a, np.ndarray | np.generic | float)
            else bool(np.all(a == b))
        )
        if not same:
            raise AssertionError("a second call with the same arguments gives another result")
