"""Random draws: made once, in order, with a type that is known beforehand.

What `rng.normal(size=…)` gives has no derivative, but it has a dtype and a rank: the draw is an
effect with a typed result, which both sweeps use. The types are NumPy's: a draw without a size, of
scalar parameters, is a Python number.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gast
import numpy as np

from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Kwargs, bound
from adcompile.frontend.operands import Known, Operand
from adcompile.ir.core import MISSING, Value
from adcompile.ir.infer import infer_call
from adcompile.ir.types import FLOAT, INT, NONE, Array, Dim, Opaque, Scalar, Type

GENERATORS = (np.random.Generator, np.random.RandomState)
INTEGER = np.dtype(np.int64)
REAL = np.dtype(np.float64)


@dataclass(frozen=True, slots=True)
class Law:
    """A distribution: the names of its parameters in order, and the dtype of its draws."""

    parameters: tuple[str, ...]
    dtype: np.dtype = REAL
    required: int = 0


def _laws(dtype: np.dtype, text: str) -> dict[str, Law]:
    """From lines `name: required parameters | optional ones`."""
    found = {}
    for line in text.split("\n"):
        name, _, parameters = line.strip().partition(":")
        needed, _, rest = parameters.partition("|")
        every = (*needed.split(), *rest.split(), "size")
        found[name] = Law(every, dtype, len(needed.split()))
    return found


LAWS = _laws(
    REAL,
    """normal: | loc scale
    standard_normal:
    uniform: | low high
    random:
    exponential: | scale
    standard_exponential:
    gamma: shape | scale
    standard_gamma: shape
    beta: a b
    chisquare: df
    noncentral_chisquare: df nonc
    f: dfnum dfden
    gumbel: | loc scale
    laplace: | loc scale
    logistic: | loc scale
    lognormal: | mean sigma
    pareto: a
    power: a
    rayleigh: | scale
    standard_cauchy:
    standard_t: df
    triangular: left mode right
    vonmises: mu kappa
    wald: mean scale
    weibull: a""",
) | _laws(
    INTEGER,
    """binomial: n p
    geometric: p
    hypergeometric: ngood nbad nsample
    logseries: p
    negative_binomial: n p
    poisson: | lam
    zipf: a""",
)
_NAMES = {"random_sample": "random", "ranf": "random", "sample": "random"}  # of older code
_WITH_DTYPE = {"random", "standard_normal", "standard_exponential", "standard_gamma"}
_WRITERS = {
    "shuffle": "`x = rng.permutation(x)` gives the shuffled array",
    "bytes": "draw integers instead",
}


def draw(
    cx: Context,
    node: gast.AST,
    fn: Callable[..., Any],
    receiver: Operand | None,
    args: Args,
    kwargs: Kwargs,
) -> Operand:
    """`rng.method(*args)`; without a `receiver`, a function of `np.random`."""
    name = fn.__name__
    if name in _WRITERS:
        what = "writes into its argument" if name == "shuffle" else "gives bytes"
        cx.unsupported(f"`{name}` {what}: that is not supported", node, _WRITERS[name])
    t = _type(cx, node, _NAMES.get(name, name), args, kwargs)
    if t is None:
        cx.unsupported(
            f"what the random draw `{name}` gives is not known",
            node,
            "draw outside of the function, and pass the result",
        )
    first = [] if receiver is None else [receiver]
    member = None if receiver is None else f"{name}()"
    return cx.emit(node, fn, [*first, *args], kwargs, member=member, effect=True, types=[t])


def _type(cx: Context, node: gast.AST, name: str, args: Args, kwargs: Kwargs) -> Type | None:
    """The type of a draw, or None where it is not known."""
    if name in ("rand", "randn"):
        return _sized(cx, node, REAL, args) if args else FLOAT
    if name == "seed":
        return NONE
    if name in ("integers", "randint", "random_integers"):
        return _integers(cx, node, name, args, kwargs)
    if name in ("permutation", "permuted"):
        return _permuted(cx, node, args, kwargs)
    if name == "choice":
        return _choice(cx, node, args, kwargs)
    if name in ("multivariate_normal", "dirichlet", "multinomial"):
        return _vectors(cx, node, name, args, kwargs)
    law = LAWS.get(name)
    if law is None:
        return None
    parameters = law.parameters
    if name in _WITH_DTYPE:
        parameters = (*parameters, *(("method",) if name == "standard_exponential" else ()))
        parameters = (*parameters[:1], "dtype", *parameters[1:]) if name != "standard_gamma" else (
            *parameters, "dtype")  # fmt: skip
    given = dict(
        zip(
            (*parameters, "out"),
            bound(cx, node, name, (*parameters, "out"), args, kwargs, law.required),
            strict=True,
        )
    )
    if given.get("out") is not None:
        cx.unsupported("`out=` of a random draw is not supported", node, "assign its result")
    dtype = given.get("dtype")
    of = np.dtype(cx.static(dtype, node)) if dtype is not None else law.dtype
    outer = [given[p] for p in law.parameters if p != "size" and given[p] is not None]
    return _drawn(cx, node, of, [p for p in outer if p is not None], given["size"])


def _is_none(x: Operand | None) -> bool:
    return x is None or (isinstance(x, Known) and x.value is None)


def _drawn(
    cx: Context, node: gast.AST, dtype: np.dtype, parameters: list[Operand], size: Operand | None
) -> Type:
    """The type of draws of a size, or, without one, of parameters that broadcast."""
    if size is not None and not _is_none(size):
        return _sized(cx, node, dtype, [size])
    t: Type = FLOAT
    for p in parameters:
        v = cx.value(p, node)
        t = _broadcast(cx, node, t, v)
    if isinstance(t, Array) and t.rank:
        return Array(dtype, t.shape)
    if dtype == REAL:
        return FLOAT
    return INT if dtype == INTEGER else Array(dtype, ())


def _broadcast(cx: Context, node: gast.AST, t: Type, v: Value) -> Type:
    found = cx.inferred(
        lambda: infer_call(operator.add, [Value(t), v], {}), lambda old: None, node, [v]
    )
    return found


def _sized(cx: Context, node: gast.AST, dtype: np.dtype, sizes: Args) -> Array:
    """An array of a given shape: one size, a tuple of sizes, or several sizes."""
    operands = [cx.value(s, node) for s in sizes]
    if len(operands) > 1:
        shapes = [_shape(cx, node, [v]) for v in operands]
        return Array(dtype, tuple(n for shape in shapes for n in shape))
    return Array(dtype, _shape(cx, node, operands))


def _shape(cx: Context, node: gast.AST, operands: list[Value]) -> tuple[int | Dim, ...]:
    def replace(old: Value) -> None:
        new = cx.need(old, node)
        operands[:] = [new if o is old else o for o in operands]

    found = cx.inferred(lambda: infer_call(np.zeros, operands, {}), replace, node, operands)
    assert isinstance(found, Array)
    return found.shape


def _integers(cx: Context, node: gast.AST, name: str, args: Args, kwargs: Kwargs) -> Type:
    names = ("low", "high", "size", "dtype", "endpoint")
    low, high, size, dtype, _ = bound(cx, node, name, names, args, kwargs)
    of = INTEGER if dtype is None else np.dtype(cx.static(dtype, node))
    parameters = [p for p in (low, high) if p is not None and not _is_none(p)]
    t = _drawn(cx, node, of, parameters, size)
    if isinstance(t, Scalar) and name == "integers":
        return Array(of, ())
    return t


def _permuted(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Type:
    x = cx.value(bound(cx, node, "permutation", ("x", "axis"), args, kwargs)[0] or Known(0), node)
    if isinstance(x.type, Array) and x.type.rank:
        return x.type
    return Array(INTEGER, _shape(cx, node, [x]))


def _choice(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Type | None:
    names = ("a", "size", "replace", "p", "axis", "shuffle")
    given = dict(zip(names, bound(cx, node, "choice", names, args, kwargs), strict=True))
    a = cx.value(given["a"] or Known(0), node)
    axis = given["axis"]
    if axis is not None and cx.static(axis, node) != 0:
        return None
    of, rest = INTEGER, ()
    if isinstance(a.type, Array) and a.type.rank:
        of, rest = a.type.dtype, a.type.shape[1:]
    elif not isinstance(a.type, Scalar | Array):
        found = infer_call(np.asarray, [a], {})
        if not isinstance(found, Array) or found.rank != 1:
            return None
        of = found.dtype
    size = given["size"]
    if size is None or _is_none(size):
        return Array(of, rest)
    return Array(of, (*_sized(cx, node, of, [size]).shape, *rest))


def _vectors(cx: Context, node: gast.AST, name: str, args: Args, kwargs: Kwargs) -> Type | None:
    """Draws that are vectors themselves, as long as a parameter."""
    names = {
        "multivariate_normal": ("mean", "cov", "size", "check_valid", "tol", "method"),
        "dirichlet": ("alpha", "size"),
        "multinomial": ("n", "pvals", "size"),
    }[name]
    given = dict(zip(names, bound(cx, node, name, names, args, kwargs), strict=True))
    like = given["pvals" if name == "multinomial" else names[0]]
    t = infer_call(np.asarray, [cx.value(like or Known(None), node)], {})
    if not isinstance(t, Array) or t.rank != 1:
        return None
    of, size = INTEGER if name == "multinomial" else REAL, given["size"]
    lead = () if size is None or _is_none(size) else _sized(cx, node, of, [size]).shape
    return Array(of, (*lead, *t.shape))


# --- generators ---------------------------------------------------------------------------------


def make(cx: Context, node: gast.AST, fn: Any, cls: type, args: Args, kwargs: Kwargs) -> Operand:
    """`np.random.default_rng(seed)` and the like: a new state each time."""
    return cx.emit(node, fn, args, kwargs, effect=True, types=[Opaque(cls)])


MAKERS: dict[Any, type] = {
    np.random.default_rng: np.random.Generator,
    np.random.Generator: np.random.Generator,
    np.random.RandomState: np.random.RandomState,
    np.random.SeedSequence: np.random.SeedSequence,
    np.random.PCG64: np.random.PCG64,
    np.random.Philox: np.random.Philox,
    np.random.MT19937: np.random.MT19937,
    np.random.SFC64: np.random.SFC64,
}


def is_draw(cx: Context, receiver: Operand, name: str) -> bool:
    """Whether `receiver.name` is a draw of a random generator."""
    t = receiver.type if isinstance(receiver, Value) else None
    known = cx.known(receiver)
    cls = t.cls if isinstance(t, Opaque) else type(known) if known is not MISSING else object
    return issubclass(cls, GENERATORS) and callable(getattr(cls, name, None))
