"""The public derivatives: each is a mode put on a function.

All of them take a function of NumPy arrays, numbers and trees of these, compile when they are
called, and return a `Derivative`: with `.source`, `.ssa`, `.lower(*args)` and `.export(path)`, and
itself a function that can be differentiated again.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, overload

from adcompile import wrt as wrt_
from adcompile.bound import BoundDerivative
from adcompile.derivative import Derivative
from adcompile.errors import AdcompileError, SignatureError, shortened
from adcompile.modes import (
    CHAINS,
    ElementwiseGrad,
    Grad,
    Hessian,
    Hvp,
    Jacobian,
    Jvp,
    Mode,
    Vjp,
)
from adcompile.pullback import PullingBack
from adcompile.wrt import Wrt

__all__ = [
    "elementwise_grad",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "value_and_grad",
    "vjp",
]

Function = Callable[..., Any]
Decorator = Callable[[Function], Derivative]


@overload
def grad(
    f: None = None, wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy"
) -> Decorator: ...
@overload
def grad(
    f: Function, wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy"
) -> Derivative: ...
def grad(f: Any = None, wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy") -> Any:
    """The gradient of `f` as a function with the parameters of `f`. Also a decorator.

    Args:
        f: a function that returns one real number.
        wrt: the parameter to differentiate with respect to: its position, its name, or a tuple of
            these, which gives a tuple of gradients.
        has_aux: `f` returns `(loss, aux)`; then the result is `(gradient, aux)`.
        backend: "numpy".

    Returns:
        A `Derivative`. What it returns has the tree structure, shapes and dtypes of the argument.

    Raises:
        SignatureError: for a `wrt` that `f` does not have, or an unknown back end.
        AdcompileError: at the first call, if `f` cannot be compiled for these arguments.
    """
    return _make(f, CHAINS[grad](wrt, has_aux), backend)


@overload
def value_and_grad(
    f: None = None, wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy"
) -> Decorator: ...
@overload
def value_and_grad(
    f: Function, wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy"
) -> Derivative: ...
def value_and_grad(
    f: Any = None, wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy"
) -> Any:
    """Like `grad`, but the result is `(value, gradient)`, or `((value, aux), gradient)`."""
    return _make(f, CHAINS[value_and_grad](wrt, has_aux), backend)


def elementwise_grad(f: Any = None, wrt: Wrt = 0, has_aux: bool = False) -> Any:
    """The derivative of each element of `f(x)` by the element of `x` at its place.

    For a function that works element by element: it is the gradient of the sum of its elements,
    whatever their number. `wrt`, `has_aux` and the result are as for `grad`.

    Raises:
        NotDifferentiable: if `f` does not return an array of real numbers.
    """
    return _make(f, CHAINS[elementwise_grad](wrt, has_aux), "numpy")


def jvp(f: Any = None, wrt: Wrt | None = None, has_aux: bool = False) -> Any:
    """Forward mode: `jvp(f)(primals, tangents, **kwargs)` is `(f(*primals), tangent)`.

    Args:
        f: a function of arrays, numbers and trees of them that returns any tree of these.
        wrt: None for a tangent for each of the primals (None for one that is constant); otherwise
            the parameters that have one, as in `grad`: then `tangents` is that of one parameter, or
            a tuple.
        has_aux: `f` returns `(value, aux)`; then the result is `(value, tangent, aux)`.

    Returns:
        A `Derivative` of `primals`, the tuple of the positional arguments of `f`, and `tangents`,
        which have the tree structure, shapes and dtypes of what they belong to; keyword arguments
        are handed to `f`. The tangent it returns has those of the value; of what has no derivative
        it is None. Cost: about that of two calls of `f`, whatever the number of arguments.

    Raises:
        SignatureError: if a tangent is not built like what it belongs to.
    """
    return _make(f, CHAINS[jvp](wrt, has_aux), "numpy")


def vjp(f: Any = None, wrt: Wrt = 0, has_aux: bool = False) -> Any:
    """Reverse mode: `vjp(f)(*args)` is `(f(*args), pullback)`.

    Args:
        f: a function of arrays, numbers and trees of them that returns any tree of these.
        wrt: the parameters to pull back to, as in `grad`.
        has_aux: `f` returns `(value, aux)`; then the result is `(value, pullback, aux)`.

    Returns:
        A `Derivative` with the parameters of `f`. `pullback(cotangent)` takes a tree with the
        structure, shapes and dtypes of the value, in which None is zero, and returns the cotangent
        of the argument (a tuple for several). It may be called any number of times, and holds what
        the backward sweep needs: the arguments must not be written to in between.

    Raises:
        ValueError: by the pullback, if a cotangent is not built like the value.
    """
    return _make(f, CHAINS[vjp](wrt, has_aux), "numpy")


def hvp(f: Any = None, wrt: Wrt = 0, has_aux: bool = False) -> Any:
    """Hessian times vector: `hvp(f)(args, v, **kwargs)`, forward mode over reverse mode.

    Args:
        f: a function that returns one real number.
        wrt: the parameters of the Hessian, as in `grad`.
        has_aux: `f` returns `(loss, aux)`; then the result is `(product, aux)`.

    Returns:
        A `Derivative` of `args`, the tuple of the positional arguments of `f`, and `v`, which is
        built like the parameter (a tuple for several), as is the product. The Hessian is never
        made: the cost is a small multiple of that of the gradient.
    """
    return _make(f, CHAINS[hvp](wrt, has_aux), "numpy")


def jacobian(f: Any = None, mode: str = "auto", wrt: Wrt = 0, has_aux: bool = False) -> Any:
    """The derivatives of all elements of `f(x)` by all elements of `x`.

    Args:
        f: a function of arrays, numbers and trees of them that returns any tree of these.
        mode: "forward" carries one direction for each element of the argument through the program,
            "reverse" one for each element of the value; "auto" takes what is less, by the sizes at
            hand when it is compiled.
        wrt: the parameters, as in `grad`.
        has_aux: `f` returns `(value, aux)`; then the result is `(jacobian, aux)`.

    Returns:
        A `Derivative` with the parameters of `f`. For an array of shape `s` that is computed from
        one of shape `t` it returns an array of shape `s + t`; for trees, the structure of the value
        with that of the argument (a tuple for several) at each leaf. All directions go through one
        sweep, along a leading axis.
    """
    return _make(f, CHAINS[jacobian](mode, wrt, has_aux), "numpy")


def hessian(f: Any = None, wrt: Wrt = 0, has_aux: bool = False) -> Any:
    """The second derivatives of one real number: the Jacobian of `grad(f)`, by forward mode.

    For a parameter of shape `s` the result has shape `s + s`; for trees and several parameters it
    has the structure of the gradient, with that structure again at each leaf. `wrt` and `has_aux`
    are as in `grad`.
    """
    return _make(f, CHAINS[hessian](wrt, has_aux), "numpy")


def _grad(wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy") -> tuple[Mode, ...]:
    return (Grad(wrt, has_aux),)


def _value_and_grad(
    wrt: Wrt = 0, has_aux: bool = False, backend: str = "numpy"
) -> tuple[Mode, ...]:
    return (Grad(wrt, has_aux, with_value=True),)


def _elementwise_grad(wrt: Wrt = 0, has_aux: bool = False) -> tuple[Mode, ...]:
    return (ElementwiseGrad(wrt, has_aux),)


def _jvp(wrt: Wrt | None = None, has_aux: bool = False) -> tuple[Mode, ...]:
    return (Jvp(wrt, has_aux),)


def _vjp(wrt: Wrt = 0, has_aux: bool = False) -> tuple[Mode, ...]:
    return (Vjp(wrt, has_aux),)


def _hvp(wrt: Wrt = 0, has_aux: bool = False) -> tuple[Mode, ...]:
    return (Grad(wrt, has_aux), Hvp(wrt, has_aux))


def _jacobian(mode: str = "auto", wrt: Wrt = 0, has_aux: bool = False) -> tuple[Mode, ...]:
    return (Jacobian(wrt, has_aux, direction=mode),)


def _hessian(wrt: Wrt = 0, has_aux: bool = False) -> tuple[Mode, ...]:
    return (Grad(wrt, has_aux), Hessian(wrt, has_aux))


CHAINS.update(
    {
        grad: _grad,
        value_and_grad: _value_and_grad,
        elementwise_grad: _elementwise_grad,
        jvp: _jvp,
        vjp: _vjp,
        hvp: _hvp,
        jacobian: _jacobian,
        hessian: _hessian,
    }
)


def _make(f: Any, modes: tuple[Mode, ...], backend: str) -> Any:
    """One mode on top of the other, on `f`; a decorator without `f`."""
    if f is None:
        return partial(_make, modes=modes, backend=backend)
    for mode in modes:
        try:
            if isinstance(f, types.MethodType | BoundDerivative):
                f = _of_method(f, mode, backend)
            else:
                f = _CLASSES.get(type(mode), Derivative)(f, mode, backend=backend)
        except AdcompileError as e:
            raise shortened(e) from None
    return f


_CLASSES: dict[type[Mode], type[Derivative]] = {Vjp: PullingBack}


def _of_method(f: Any, mode: Mode, backend: str) -> Any:
    """The derivative of a bound method: of the function, with the object as first argument."""
    of = f.of if isinstance(f, BoundDerivative) else f.__func__
    if isinstance(of, Derivative) and not of.mode.names_kept:
        raise SignatureError(
            f"{f!r} takes the arguments of a method packed: it cannot be differentiated itself",
            hint="write a function that calls it",
        )
    if mode.wrt is not None:
        names = wrt_.names(mode.wrt, inspect.signature(f), f.__qualname__)
        mode = replace(mode, wrt=wrt_.given_as(mode.wrt, names))
    return BoundDerivative(_make(of, (mode,), backend), f.__self__)
