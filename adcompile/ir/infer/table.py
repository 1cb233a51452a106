"""The table of functions whose result types are known, and how an entry is called.

An entry is a function with the signature of what it describes. An annotation says what it wants of
an operand: `Arr` its type as an array, `Known` its value (NeedValue where it is not known), and
`Value` the operand itself. It returns

- a shape: a tuple of sizes; the dtype is that of a run of the real function on samples;
- a type, where that run is not possible or says nothing;
- a list of these, for a function with several results.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.ir.core import Value
from adcompile.ir.infer import values
from adcompile.ir.infer.samples import run, sample
from adcompile.ir.types import Array, Size, Static, Type, TypeClash

Arr = Array
Known = Any
Shape = tuple[Size, ...]
Result = Type | tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """`body` with its signature taken apart; `wants` has one of Arr, Known, Value a parameter."""

    body: Callable[..., Any]
    signature: inspect.Signature
    wants: dict[str, str]

    def __call__(
        self, fn: Callable[..., Any], args: list[Value], kwargs: dict[str, Value]
    ) -> Result:
        try:
            bound = self.signature.bind(*args, **kwargs).arguments
        except TypeError as e:
            raise TypeClash(f"{getattr(fn, '__name__', fn)}: {e}") from None
        for name, v in bound.items():
            want = self.wants[name]
            if isinstance(v, tuple):
                bound[name] = tuple([_converted(x, want) for x in v])
            elif isinstance(v, dict):
                bound[name] = {k: _converted(x, want) for k, x in v.items()}
            else:
                bound[name] = _converted(v, want)
        inspected = inspect.BoundArguments(self.signature, bound)
        try:
            found = self.body(*inspected.args, **inspected.kwargs)
        except (
            AttributeError,
            IndexError,
            TypeError,
            ValueError,
        ) as e:  # arguments of a wrong form
            raise TypeClash(f"{fn.__name__} cannot take these arguments ({e})") from e
        if isinstance(found, list):
            if any(isinstance(part, tuple) for part in found):
                outcome = self.sampled(fn, args, kwargs)
                if not isinstance(outcome, tuple):
                    raise AssertionError(fn)
                return tuple([typed(p, o) for p, o in zip(found, outcome, strict=True)])
            return tuple(found)
        return typed(found, self.sampled(fn, args, kwargs)) if isinstance(found, tuple) else found

    def sampled(
        self, fn: Callable[..., Any], args: list[Value], kwargs: dict[str, Value]
    ) -> Type | tuple:
        wants: list[str] = []  # of the positional arguments, the last one for all that follow
        for p in self.signature.parameters.values():
            wants.append(self.wants[p.name])
            if p.kind is inspect.Parameter.VAR_POSITIONAL:
                break
        samples = [sample(v, wants[min(i, len(wants) - 1)] == "Arr") for i, v in enumerate(args)]
        named = tuple([(k, sample(v, self.wants.get(k) == "Arr")) for k, v in kwargs.items()])
        return run(fn, tuple(samples), named)


def _converted(v: Value, want: str) -> Any:
    if want == "Arr":
        return None if isinstance(v.type, Static) and v.type.value is None else values.array_of(v)
    return values.need(v) if want == "Known" else v


def typed(part: Any, outcome: Any) -> Any:
    """A shape with the dtype of its sample (one for all of several results); a type as it is."""
    if not isinstance(part, tuple):
        return part
    if isinstance(outcome, tuple):
        return tuple([typed(part, o) for o in outcome])
    if isinstance(outcome, Array):
        return Array(outcome.dtype, part)
    return outcome  # a number, or what is no array at all: `"%g" % x`


Infer = Callable[[Any, list[Value], dict[str, Value]], Result]

ENTRIES: dict[Any, Infer] = {}


def entry(*fns: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Say what `fns` return: decorates the body of an entry."""

    def register(body: Callable[..., Any]) -> Callable[..., Any]:
        made = make_entry(body)
        for fn in fns:
            ENTRIES[fn] = made
        return body

    return register


def make_entry(body: Callable[..., Any]) -> Entry:
    signature = inspect.signature(body)
    wants = {p.name: str(p.annotation).split(" ")[0] for p in signature.parameters.values()}
    return Entry(body, signature, wants)


def normal_axis(axis: Any, rank: int) -> int:
    """`axis` counted from the front (raises TypeClash in NumPy's words)."""
    axis = _int(axis)
    if not -rank <= axis < rank:
        raise TypeClash(f"axis {axis} is out of bounds for array of dimension {rank}")
    return axis % rank


def normal_axes(axis: Any, rank: int) -> tuple[int, ...]:
    """One axis, several or (None) all of them, counted from the front."""
    if axis is None:
        return tuple(range(rank))
    given = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    axes = tuple([normal_axis(a, rank) for a in given])
    if len(set(axes)) < len(axes):
        raise TypeClash("duplicate value in 'axis'")
    return axes


def _int(axis: Any) -> int:
    if not isinstance(axis, int | np.integer):
        raise TypeClash(f"'{type(axis).__name__}' object cannot be interpreted as an integer")
    return int(axis)
