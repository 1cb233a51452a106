"""Checking the rules of one function: forward against reverse mode, differences, second order.

The dot test ⟨ȳ, J v⟩ = ⟨x̄, v⟩ needs no step size, so that it is sharp; differences tell that both
sides are right. Of second derivatives the same is asked, with the first gradient as the function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adcompile.rules.registry import name_of
from adcompile.testing import differences
from adcompile.testing.comparisons import SHARP, Report, bits, inner
from adcompile.testing.examples import (
    Call,
    Example,
    Key,
    call_of,
    example,
    is_float,
    leaves,
    map_leaves,
)
from adcompile.threads import quiet

__all__ = ["check_rule"]


def check_rule(
    fn: Callable[..., Any],
    *examples: Example | tuple[Any, ...],
    order: int = 2,
    rtol: float | None = None,
    atol: float = 1e-8,
) -> None:
    """Check all that is registered of the derivative of `fn`, at some examples.

    For each example, in each of its arguments that is differentiated:

    - the compiled function returns what `fn` returns, leaves its arguments alone, and a second call
      gives the same;
    - forward mode agrees with finite differences, and tangents have the dtype and shape of results;
    - reverse mode agrees with forward mode for random cotangents of all results, of each alone, and
      for one number as cotangent; cotangents have the dtype and shape of arguments;
    - second order: reverse over reverse, forward over reverse and reverse over forward agree with
      each other and with differences of the first gradient.

    Choose examples where `fn` is smooth, off its kinks and the ends of its domain: one for each
    rank, each way to broadcast, and each axis or keyword that the rule makes a difference for;
    empty arrays and single numbers, if `fn` takes them; and one in float32.

        check_rule(np.hypot, (3.0, 4.0), (x, y), (x[:, None], y.astype(np.float32)))
        check_rule(np.linalg.norm, (x,), example(x, ord=np.inf, wrt=0))

    Args:
        fn: the function.
        examples: tuples of positional arguments, or `example(*args, wrt=…, **kwargs)`.
        order: 1 leaves out the second derivatives.
        rtol: the relative tolerance against differences; by default 1e-6, and 2e-3 for float32.
        atol: the absolute tolerance against differences, for results of order 1.

    Raises:
        AssertionError: with the check that failed, the example, the argument and the worst element.
        MissingRule: if `fn` has no rule that takes an example.
    """
    if not examples:
        raise ValueError("check_rule needs an example: a tuple of arguments")
    for given in examples:
        if not isinstance(given, Example | tuple):
            raise TypeError(f"an example is a tuple of arguments, not {given!r:.100}")
        one = given if isinstance(given, Example) else example(*given)
        if not one.chosen:
            raise ValueError(f"{name_of(fn)}({one}): no argument is a float or an array of floats")
        with quiet(), np.errstate(all="ignore"):
            check = Check(call_of(fn, one), rtol, atol)
            check.first_order()
            if order > 1 and check.is_real:
                check.second_order()


@dataclass(eq=False)
class Check:
    """One example under examination. Programs take the call's inputs, then weights of results."""

    call: Call
    rtol: float | None = None
    atol: float = 1e-8

    # --- what goes in ---------------------------------------------------------------------------

    @cached_property
    def y(self) -> Any:
        """What the function itself returns."""
        return self.call.fn(*self.call.example.args, **self.call.example.kwargs)

    @property
    def several(self) -> bool:
        return isinstance(self.y, list | tuple)

    @cached_property
    def results(self) -> list[Any]:
        return _parts(self.y)

    @cached_property
    def parts(self) -> list[int]:
        """Which results carry a derivative; if none does, those that are numbers at all."""
        kinds = [np.asarray(part).dtype.kind for part in self.results]
        real = [k for k, kind in enumerate(kinds) if kind == "f"]
        return real or [k for k, kind in enumerate(kinds) if kind in "biu"]

    @property
    def is_real(self) -> bool:
        return any(is_float(self.results[k]) for k in self.parts)

    @cached_property
    def weights(self) -> list[Any]:
        """Random cotangents of these, none near zero."""
        return [_weight(self.results[k], k) for k in self.parts]

    @cached_property
    def directions(self) -> dict[Key, Any]:
        """Random tangents of the arguments, in proportion to them."""
        return {key: _direction(self.call.example[key], n) for n, key in enumerate(self.call.wrt)}

    @cached_property
    def report(self) -> Report:
        found = [np.asarray(x).dtype for _, x in leaves([*self.call.inputs, *self.results])]
        narrowest = min([8, *[d.itemsize for d in found if d.kind == "f"]])
        return Report(self.call, narrowest, self.rtol, self.atol)

    def names(self, keys: Sequence[Key]) -> tuple[str, ...]:
        return tuple([self.call.params[key] for key in keys])

    # --- programs -------------------------------------------------------------------------------

    @cached_property
    def value(self) -> Callable[..., Any]:
        return self.call.program("value", [f"return {self.call.text}"])

    @cached_property
    def gradients(self) -> dict[Any, Callable[..., Any]]:
        return {}

    def gradient(self, keys: Sequence[Key], parts: Sequence[int]) -> Callable[..., Any]:
        """From weights, as cotangents of these results, to the cotangents of these arguments."""
        from adcompile.api import grad

        found = self.gradients.get((*keys, None, *parts))
        if found is None:
            found = grad(self.weighted(parts), wrt=self.names(keys))
            self.gradients[*keys, None, *parts] = found
        return found

    def weighted(self, parts: Sequence[int]) -> Callable[..., Any]:
        """The sum of these results times weights."""
        terms = []
        for k in parts:
            term = f"weight{k} * {f'_y[{k}]' if self.several else '_y'}"
            terms.append(f"np.sum({term})" if np.ndim(self.results[k]) else term)
        lines = [f"_y = {self.call.text}", f"return {' + '.join(terms)}"]
        return self.call.program("weighted", lines, [f"weight{k}" for k in parts])

    def run(self, what: str, f: Callable[..., Any], *args: Any) -> Any:
        """`f(*args)`, called twice: to the same result, and without a trace in its arguments."""
        before = [bits(x) for _, x in leaves(args)]
        try:
            first, second = f(*args), f(*args)
        except (ValueError, TypeError, IndexError) as e:
            self.report.fail(what, f"a call raises {type(e).__name__}: {e}")
        if [bits(x) for _, x in leaves(args)] != before:
            self.report.fail(what, "a call has changed its arguments")
        for (_, a), (_, b) in zip(leaves(first), leaves(second), strict=True):
            if bits(a) != bits(b):
                self.report.fail(what, "a second call gives another result")
        return first

    # --- first order ----------------------------------------------------------------------------

    def first_order(self) -> None:
        pushed = {key: self.push((key,)) for key in self.call.wrt}
        for key, tangents in pushed.items():
            self.check_differences(key, tangents)
        if len(pushed) > 1:
            together = [sum(parts) for parts in zip(*pushed.values(), strict=True)]
            got = self.push(self.call.wrt)
            self.report.same("forward mode, all arguments together", got, together)
        if not self.parts:
            return
        pulled = self.pull(self.call.wrt, self.parts, self.weights)
        for key, tangents in pushed.items():
            ahead = inner(tangents, self.weights)
            back = inner(pulled[key], self.directions[key])
            self.report.dot("reverse mode against forward mode (dot test)", back, ahead, key)
        for key in self.call.wrt if len(pushed) > 1 else ():
            alone = self.pull((key,), self.parts, self.weights)
            self.report.same("reverse mode, this argument alone", alone[key], pulled[key], key)
        self.check_results_alone(pulled)
        self.check_number()

    def push(self, keys: Sequence[Key]) -> list[Any]:
        """The tangents of the results that carry one, for the directions of these arguments."""
        from adcompile.api import jvp

        f = jvp(self.value, wrt=self.names(keys))
        tangents = tuple([self.directions[key] for key in keys])
        y, t = self.run("forward mode", f, tuple(self.call.inputs), tangents)
        key = keys[0] if len(keys) == 1 else None
        dots = _parts(t) if self.several else [t]
        for k, (got, dot, want) in enumerate(zip(_parts(y), dots, self.results, strict=True)):
            of = f" of result {k}" if self.several else ""
            self.report.form(f"the value{of}", got, want, key)
            self.report.same(f"the value{of}", got, want, key)
            if is_float(want):
                self.report.form(f"the tangent{of}", dot, want, key)
        return [0.0 if dots[k] is None else dots[k] for k in self.parts]

    def check_differences(self, key: Key, tangents: list[Any]) -> None:
        wide = self.call.example.mapped(differences.widened)

        def at(x: Any) -> list[Any]:
            call = wide.replaced({key: x})
            found = _parts(self.call.fn(*call.args, **call.kwargs))
            return [found[k] for k in self.parts]

        expected = differences.derivative(at, [wide[key]], [self.directions[key]])
        want, slack = map(list, zip(*expected, strict=True)) if expected else ([], [])
        self.report.close("forward mode against differences", tangents, want, slack, key)

    def pull(
        self, keys: Sequence[Key], parts: Sequence[int], weights: Sequence[Any]
    ) -> dict[Key, Any]:
        """The cotangents of these arguments for cotangents (weights) of these results."""
        found = self.run("reverse mode", self.gradient(keys, parts), *self.call.inputs, *weights)
        for key, got in zip(keys, found, strict=True):
            self.report.form("the cotangent", got, self.call.example[key], key)
        return dict(zip(keys, found, strict=True))

    def check_results_alone(self, pulled: dict[Key, Any]) -> None:
        """The cotangents of single results, the others zero, add up to those of all."""
        if len(self.parts) == 1:
            return
        keys = self.call.wrt
        each = [self.pull(keys, [k], [w]) for k, w in zip(self.parts, self.weights, strict=True)]
        for key in keys:
            total = map_leaves(_total, *[alone[key] for alone in each])
            self.report.same("reverse mode, each result alone", total, pulled[key], key)

    def check_number(self) -> None:
        """One number as cotangent gives what an array full of it gives."""
        ones = [1.5 for _ in self.parts]
        full = [w - w + 1.5 for w in self.weights]
        got, want = (self.pull(self.call.wrt, self.parts, w) for w in (ones, full))
        for key in self.call.wrt:
            self.report.same("reverse mode, a number as cotangent", got[key], want[key], key)

    # --- second order: the first gradient x̄(x, ȳ) as a function of both --------------------------

    def second_order(self) -> None:
        from adcompile.api import grad, jvp, vjp

        keys = self.call.wrt
        weights = [f"weight{k}" for k in self.parts]
        names = (*self.names(keys), *weights)
        gradient = self.gradient(keys, self.parts)
        inputs = (*self.call.inputs, *self.weights)
        sources = [*[self.call.example[key] for key in keys], *self.weights]
        along = (*self.directions.values(), *[_direction(w, 30) for w in self.weights])
        back = tuple([_direction(self.call.example[key], 50 + n) for n, key in enumerate(keys)])

        what = "forward over reverse"
        _, ahead = self.run(what, jvp(gradient, wrt=names), inputs, along)
        for key, got in zip(keys, ahead, strict=True):
            self.report.form(what, got, self.call.example[key], key)
        self.check_gradient_differences(gradient, along, ahead)

        what = "reverse over reverse"
        _, pullback = vjp(gradient, wrt=names)(*inputs)
        twice = self.run(what, pullback, back)
        ahead, behind = inner(list(back), list(ahead)), inner(list(twice), list(along))
        self.report.dot(f"{what} against forward over reverse (dot test)", behind, ahead)

        what = "reverse over forward"
        given = [f"along{n}" for n in range(len(keys))]
        primals = [*self.call.params.values(), *weights]
        line = f"return pushed(({', '.join(primals)},), ({', '.join(given)},))[1]"
        pushed = jvp(self.weighted(self.parts), wrt=self.names(keys))
        mixed = grad(self.call.program("along", [line], [*weights, *given], pushed=pushed), names)
        over = self.run(what, mixed, *inputs, *back)
        for key, source, got, want in zip([*keys, *weights], sources, over, twice, strict=True):
            self.report.form(what, got, source, key)
            self.report.form("reverse over reverse", want, source, key)
            tol = 100 * SHARP[self.report.bytes]
            self.report.same(f"{what} against reverse over reverse", got, want, key, tol)

    def check_gradient_differences(
        self, gradient: Callable[..., Any], along: tuple[Any, ...], ahead: Any
    ) -> None:
        """Against differences of the gradient, in float64."""
        keys = self.call.wrt
        wide = self.call.example.mapped(differences.widened)

        def at(*xs: Any) -> list[Any]:
            new = wide.replaced(dict(zip(keys, xs, strict=False)))
            inputs = [new[key] for key in self.call.params]
            return _numbers(gradient(*inputs, *xs[len(keys) :]))

        start = [*[wide[key] for key in keys], *map(differences.widened, self.weights)]
        expected = iter(differences.derivative(at, start, along))
        for key, tangent in zip(keys, ahead, strict=True):
            got = _numbers(tangent)
            pairs = [next(expected) for _ in got]
            want, slack = [w for w, _ in pairs], [s for _, s in pairs]
            what = "the derivative of the gradient against differences"
            self.report.close(what, got, want, slack, key)


def _parts(y: Any) -> list[Any]:
    """The results of a function: those of several come in a tuple or list."""
    return list(y) if isinstance(y, list | tuple) else [y]


def _numbers(x: Any) -> list[Any]:
    return [leaf for _, leaf in leaves(x) if leaf is not None]


def _total(*xs: Any) -> Any:
    return None if xs[0] is None else sum(xs)


def _weight(y: Any, seed: int) -> Any:
    """A cotangent for `y`, a number for a number, with elements away from zero."""
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.5, 1.5, np.shape(y)) * rng.choice([-1.0, 1.0], np.shape(y))
    if isinstance(y, np.ndarray | np.generic):
        return w.astype(y.dtype if is_float(y) else np.float64)[()]
    return float(w)


def _direction(x: Any, seed: int) -> Any:
    """A tangent for `x`, in proportion to it; None where there is no derivative."""
    rng = np.random.default_rng(seed)

    def one(leaf: Any) -> Any:
        if not is_float(leaf):
            return None
        v = rng.standard_normal(np.shape(leaf)) * np.maximum(abs(leaf), differences.SMALLEST)
        if isinstance(leaf, np.ndarray | np.generic):
            return np.asarray(v, leaf.dtype) if isinstance(leaf, np.ndarray) else leaf.dtype.type(v)
        return float(v)

    return map_leaves(one, x)
