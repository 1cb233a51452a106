"""Checking derivatives of whole functions against finite differences, in any mode and order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from adcompile import trees
from adcompile.testing.comparisons import NUMERIC, SHARP, bits
from adcompile.testing.differences import STEP
from adcompile.testing.elements import Comparison, Leaf, derivative_tree, evaluation, is_real, pairs
from adcompile.testing.elements import replaced as with_leaf
from adcompile.testing.orders import Along, plain

__all__ = ["check_grads"]

MODES = ("reverse", "forward")


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    wrt: int | str | Sequence[int | str] | None = None,
    *,
    kwargs: dict[str, Any] | None = None,
    gradient: Callable[..., Any] | None = None,
    has_aux: bool = False,
    modes: Sequence[str] = ("reverse",),
    order: int = 1,
    eps: float = STEP,
    rtol: float | None = None,
    atol: float = 1e-8,
    samples: int = 100,
) -> None:
    """Check the derivatives of `f` at `args` against central finite differences.

    Also checked: a gradient has the exact tree structure, shapes and dtypes of the arguments, a
    second call gives the same, the arguments are unchanged, and forward mode agrees with reverse
    mode to rounding (the dot test).

    Args:
        f: a function that returns one real number, or what `grad` or `value_and_grad` made of it.
        args: its positional arguments, trees of arrays and numbers.
        wrt: as in `grad`. Without it: what `f` was made for, or every argument of floats.
        kwargs: its keyword arguments.
        gradient: a function of the same arguments that returns the gradient, to be checked instead
            of the one that adcompile makes.
        has_aux: `f` returns `(loss, aux)`.
        modes: "reverse", "forward" or both.
        order: 2 and 3 check the derivatives of derivatives as well, along fixed random directions:
            for both modes reverse over reverse, forward over reverse, and so on.
        eps: the step, relative to the size of the number that is varied.
        rtol: the relative tolerance; by default 1e-6, and 2e-3 for float32.
        atol: the absolute tolerance, for a function value of order 1.
        samples: of a larger array, this many elements are checked, the same ones every time.

    Raises:
        AssertionError: with the worst element, what was expected and what was got.
    """
    _check_options(modes, order, samples)
    kwargs = kwargs or {}
    subject = _Subject.of(f, gradient, wrt, has_aux, args, kwargs)
    first = plain(
        subject.primal, subject.signature, subject.arguments, subject.names, subject.has_aux
    )
    rtol = NUMERIC[_narrowest(subject.arguments)] if rtol is None else rtol
    for inner in (m for n in range(order) for m in product(modes, repeat=n)):
        along = first
        for mode in inner:
            along = along.step(mode)
        value = evaluation(along.function, along.arguments)
        check = _Check(along, value, {"eps": eps, "rtol": rtol, "atol": atol, "samples": samples})
        grads = None
        if "reverse" in modes:
            call = check.gradient if inner else lambda: subject.gradient(*args, **kwargs)
            grads = check.reverse(call, [list(args), kwargs])
        if "forward" in modes:
            check.forward(grads)


def _check_options(modes: Sequence[str], order: int, samples: int) -> None:
    if not modes or not set(modes) <= set(MODES):
        raise ValueError(f"modes are of {MODES}, not {modes!r}")
    if order < 1 or samples < 1:
        raise ValueError("order and samples are at least 1: there is nothing to check")


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is checked: a function and its gradient."""

    primal: Callable[..., Any]
    made: Callable[..., Any]  # the gradient, as it is given
    signature: inspect.Signature
    arguments: dict[str, Any]
    names: tuple[str, ...]  # of what is differentiated
    one: bool  # the gradient is that of one argument, and no tuple
    has_aux: bool
    with_value: bool

    @staticmethod
    def of(
        f: Any, gradient: Any, wrt: Any, has_aux: bool, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> _Subject:
        from adcompile.api import grad
        from adcompile.derivative import Derivative
        from adcompile.modes import Grad

        primal, with_value = f, False
        if isinstance(f, Derivative) and isinstance(f.mode, Grad):
            primal, gradient, with_value = f.primal, f, f.mode.with_value
            wrt, has_aux = f.mode.wrt, f.mode.has_aux
        signature = inspect.signature(primal)
        bound = signature.bind(*args, **kwargs)
        if wrt is None:
            wrt = tuple([n for n, v in bound.arguments.items() if _holds_floats(v)])
            if not wrt:
                raise ValueError("there is no argument of floats to differentiate with respect to")
        bound.apply_defaults()
        one, every = isinstance(wrt, int | str), list(signature.parameters)
        names = tuple([w if isinstance(w, str) else every[w] for w in ([wrt] if one else wrt)])
        made = grad(f, wrt, has_aux) if gradient is None else gradient
        arguments = dict(bound.arguments)
        return _Subject(primal, made, signature, arguments, names, one, has_aux, with_value)

    def gradient(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The gradients of `names`."""
        found = self.made(*args, **kwargs)
        if self.with_value:
            found = found[1]
        elif self.has_aux:
            found = found[0]
        return (found,) if self.one else tuple(found)


def _holds_floats(value: Any) -> bool:
    leaves = trees.leaves(value)
    return bool(leaves) and all(map(is_real, leaves))


def _narrowest(tree: Any) -> int:
    """The bytes of the narrowest floats that a function computes with."""
    leaves = trees.leaves(tree)
    dtypes = [v.dtype for v in leaves if isinstance(v, np.ndarray | np.generic)]
    return min([8, *[d.itemsize for d in dtypes if d.kind == "f"]])


@dataclass(frozen=True, slots=True)
class _Check:
    """The derivatives of one real function, in both modes."""

    along: Along
    value: Callable[..., float]
    options: dict[str, Any]

    def comparison(self, mode: str) -> Comparison:
        modes = (*self.along.modes, mode)
        label = (
            "gradient" if modes == ("reverse",) else f"derivative ({' over '.join(modes[::-1])})"
        )
        return Comparison(label, self.value, self.along.arguments, **self.options)

    def leaves(self, derivatives: Sequence[Any], label: str) -> list[Leaf]:
        given = zip(self.along.names, derivatives, strict=True)
        return [
            leaf
            for name, d in given
            for leaf in pairs(self.along.arguments[name], d, (name,), label)
        ]

    def gradient(self) -> tuple[Any, ...]:
        from adcompile.api import grad

        return grad(self.along.function, wrt=self.along.names)(*self.along.inputs)

    def reverse(self, call: Callable[[], tuple[Any, ...]], given: Any) -> tuple[Any, ...]:
        compare = self.comparison("reverse")
        given = [given, *self.along.inputs]
        before = [bits(v) for v in trees.leaves(given)]
        got = call()
        _check_unchanged(before, given, f"the first call of the {compare.label}")
        again = call()
        _check_unchanged(before, given, f"the second call of the {compare.label}")
        _check_same(got, again)
        for path, leaf, d in self.leaves(got, compare.label):
            compare.check_form(path, leaf, d)
            compare.check(path, leaf, d)
        return got

    def forward(self, grads: tuple[Any, ...] | None) -> None:
        """Against differences along each element, and against the gradient along all at once."""
        from adcompile.api import jvp

        f = jvp(self.along.function, wrt=self.along.names)
        compare = self.comparison("forward")
        given = [self.along.arguments[name] for name in self.along.names]
        zeros = [derivative_tree(x, lambda leaf: 0 * leaf) for x in given]
        for path, leaf, zero in self.leaves(zeros, compare.label):
            d = np.zeros(np.shape(leaf))
            for index in compare.indices(leaf):
                k = self.along.names.index(path[0])
                unit = with_leaf(zeros[k], path[1:], _unit(zero, index))
                _, dot = f(self.along.inputs, (*zeros[:k], unit, *zeros[k + 1 :]))
                d[index] = _number(dot, compare.label)
            compare.check(path, leaf, d)
        if grads is not None:
            self.dot_test(f, grads, compare.label)

    def dot_test(self, f: Callable[..., Any], grads: tuple[Any, ...], label: str) -> None:
        v = self.along.directions()
        _, ahead = f(self.along.inputs, v)
        back = size = 0.0
        for (_, _, d), (_, _, g) in zip(self.leaves(v, label), self.leaves(grads, label)):
            terms = np.asarray(d, np.float64) * np.asarray(g, np.float64)
            back, size = back + float(np.sum(terms)), size + float(np.sum(abs(terms)))
        allowed = SHARP[_narrowest(self.along.arguments)] * (size + abs(float(ahead)))
        if not abs(back - float(ahead)) <= allowed and not np.isnan(back):
            raise AssertionError(
                f"{label}: along a random direction forward mode gives {float(ahead):.17g}, "
                f"reverse mode {back:.17g}"
            )


def _unit(zero: Any, index: tuple[int, ...]) -> Any:
    """1 at one element of what is zero."""
    if not isinstance(zero, np.ndarray):
        return zero + 1
    unit = zero.copy()
    unit[index] = 1
    return unit


def _number(dot: Any, label: str) -> float:
    if np.shape(dot) != () or not is_real(np.asarray(dot)):
        raise AssertionError(f"the {label} is {dot!r:.60}, expected one real number")
    return float(dot)


def _check_unchanged(before: list[Any], given: Any, when: str) -> None:
    after = [bits(v) for v in trees.leaves(given)]
    if len(before) != len(after) or any(
        a is not b and isinstance(b, tuple) and a != b for a, b in zip(before, after)
    ):
        raise AssertionError(f"{when} has changed its arguments")


def _check_same(first: Any, second: Any) -> None:
    for a, b in zip(trees.leaves(first), trees.leaves(second), strict=True):
        if a is not b and bits(a) != bits(b):
            raise AssertionError("a second call with the same arguments gives another result")
