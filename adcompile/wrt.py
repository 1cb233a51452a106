"""`wrt`: the parameters that a gradient is taken with respect to, and whether it exists."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile import trees
from adcompile.classes import keys_of
from adcompile.errors import NotDifferentiable, SignatureError
from adcompile.ir.core import Loc
from adcompile.ir.types import (
    NONE,
    Opaque,
    Seq,
    Tree,
    Type,
    Undefined,
    describe,
    is_inexact,
    with_article,
)
from adcompile.signature import Path, child, path_text

__all__ = ["Wrt", "check_real", "check_real_type", "given_as", "names"]

Wrt = int | str | Sequence[int | str]


def names(wrt: Any, signature: inspect.Signature, function: str) -> list[str]:
    """The names of the parameters that `wrt` means."""
    known = list(signature.parameters)
    listed = ", ".join(known) or "none"
    found = []
    for w in wrt if isinstance(wrt, tuple | list) else [wrt]:
        if not isinstance(w, int | str) or isinstance(w, bool):
            raise SignatureError(
                "`wrt` is the position or the name of a parameter, or a tuple of these, not "
                + with_article("array" if isinstance(w, np.ndarray) else type(w).__name__),
                hint=f"the arguments of {function} are passed to what is returned: `grad(f)(x)`",
            )
        if isinstance(w, str) and w in known:
            found.append(w)
        elif isinstance(w, int) and 0 <= w < len(known):
            found.append(known[w])
        else:
            raise SignatureError(
                f"wrt={wrt!r}: {function} has no parameter {w!r}",
                hint=f"the parameters are: {listed}",
            )
    if not found or len(set(found)) < len(found):
        raise SignatureError(
            f"wrt={wrt!r} must name each parameter once", hint=f"the parameters are: {listed}"
        )
    return found


def given_as(wrt: Wrt, found: list[str]) -> Wrt:
    """Names in the form of `wrt`: one, or several."""
    return found[0] if isinstance(wrt, int | str) else tuple(found)


def check_real(
    value: Any, path: Path, loc: Loc | None, noun: str = "gradient", inside: bool = False
) -> bool:
    """Refuse to differentiate with respect to what is not a tree of real floating point numbers.

    The attributes of an object are more than parameters: what is no such number there (a size, a
    name, a function) has no gradient, which is None. Returns whether there is any number.
    """
    keys = keys_of(value)
    if keys is not None:
        is_object = trees.is_object(type(value))
        parts = [
            check_real(child(value, key), (*path, key), loc, noun, inside or is_object)
            for key in keys
        ]
        if is_object and not inside and not any(parts):
            raise NotDifferentiable(
                f"the {noun} with respect to `{path_text(path)}` is not defined: "
                f"no attribute of this {type(value).__name__} holds floating point numbers",
                loc,
            )
        return any(parts)
    if isinstance(value, float | np.floating) or is_float_array(value):
        return True
    if inside or (value is None and len(path) > 1):
        return False
    array = isinstance(value, np.ndarray | np.generic)
    number = isinstance(value, int | complex)
    what = f"a Python {type(value).__name__}" if number else f"a {type(value).__name__}"
    hint = "take the parameter out of `wrt`"
    if array:
        what = f"an array of dtype {value.dtype}"
        if value.dtype.kind in "iub":
            shown = np.array2string(np.asarray(value, dtype=float), separator=", ", threshold=8)
            given = np.array2string(np.asarray(value), separator=", ", threshold=8)
            hint = f"write np.array({shown}) instead of np.array({given})"
            if value.size > 8 or value.ndim > 1:
                hint = "make it an array of floats: write np.array([2., 3.]) for np.array([2, 3])"
    elif isinstance(value, int):
        hint = f"write {float(value)!r} instead of {value!r}"
    raise NotDifferentiable(
        f"the {noun} with respect to `{path_text(path)}` is not defined: it is {what}, "
        "and derivatives are of real floating point numbers",
        loc,
        hint,
    )


def check_real_type(t: Type, at: str, loc: Loc, noun: str, inside: bool = False) -> bool:
    """The same of what is known by its type alone: an argument inside of a program."""
    if isinstance(t, Tree):
        is_object = trees.is_object(t.node)
        parts = [
            check_real_type(item, at + trees.step(t.node, key), loc, noun, inside or is_object)
            for key, item in zip(t.keys, t.items, strict=True)
        ]
        if any(parts) or inside or not is_object:
            return any(parts)
    elif isinstance(t, Seq):
        return check_real_type(t.item, f"{at}[0]", loc, noun, inside)
    elif is_inexact(t) or isinstance(t, Opaque | Undefined):
        return True
    elif inside or t == NONE:
        return False
    raise NotDifferentiable(
        f"the {noun} with respect to `{at}` is not defined: it is {describe(t)}, "
        "and derivatives are of real floating point numbers",
        loc,
    )


def is_float_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"
