"""From the arguments of a call to the types that a program is compiled for.

A *signature* is the tree structure of the arguments and, for every array, its dtype, its rank and
which of its dimensions are 1. Python numbers are known by their kind alone; strings, None,
functions, modules, types and dtypes by their value. A number whose value decides a type (an axis)
is known by its value, too: on demand, and that number alone.

Dimensions are fresh objects each time, so types of equal calls differ; what is compared and looked
up is the *key*, which is made together with them.
"""

from __future__ import annotations

import enum
import functools
import types
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from adcompile import classes
from adcompile.bound import BoundDerivative
from adcompile.errors import TypeMismatch
from adcompile.ir.types import Array, Dim, Opaque, Scalar, Seq, Static, Tree, Type, scalar_kind
from adcompile.trees import quoted

__all__ = ["Path", "classify", "fix_values", "look_up", "path_text", "replaced"]

Path = tuple[Any, ...]  # the name of a parameter, then the keys of nested trees

LONGEST = 16  # a longer list of Python numbers is a sequence of any length

_BY_VALUE = (
    str,
    bytes,
    type(None),
    type(Ellipsis),
    slice,
    range,
    type,
    np.dtype,
    np.ufunc,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    functools.partial,
    enum.Enum,
    BoundDerivative,
)


def classify(value: Any, path: Path, around: tuple[Any, ...] = ()) -> tuple[Type, Hashable]:
    """The type of an argument and its key (raises TypeMismatch).

    `path` is for messages, and `around` holds the containers that `value` is in.
    """
    cls = value.__class__
    if cls is np.ndarray:
        _check_dtype(value.dtype, path)
        ones = tuple([n == 1 for n in value.shape])
        shape = tuple([1 if one else Dim.fresh(many=True) for one in ones])
        return Array(value.dtype, shape), (cls, value.dtype, ones)
    kind = scalar_kind(value)
    if kind is not None:
        return Scalar(kind), cls
    if isinstance(value, np.generic):
        _check_dtype(value.dtype, path)
        return Array(value.dtype, ()), cls
    if isinstance(value, _BY_VALUE):
        return Static(value), _static_key(value)
    keys = classes.keys_of(value)
    if keys is not None:
        return _container(value, keys, path, around)
    if isinstance(value, np.ndarray) or hasattr(cls, "__array__"):
        masked = isinstance(value, np.ma.MaskedArray)
        raise TypeMismatch(
            f"`{path_text(path)}` is a {cls.__module__}.{cls.__qualname__}, "
            "not a plain NumPy array",
            hint="pass x.filled(...)" if masked else "pass np.asarray(x)",
        )
    if _is_callable_object(value):
        return Static(value), ("static", cls, id(value))
    return Opaque(cls), cls


def is_known(value: Any) -> bool:
    """Whether a program is compiled for this very object: a function, a string, None."""
    return isinstance(value, _BY_VALUE) or _is_callable_object(value)


def _is_callable_object(value: Any) -> bool:
    """A function in all but its class: what `jit`, `cache` or `grad` return."""
    return callable(value) and hasattr(value, "__wrapped__")


def _check_dtype(dtype: np.dtype, path: Path) -> None:
    if dtype.kind not in "biufc":
        raise TypeMismatch(
            f"`{path_text(path)}` is an array of dtype {dtype}, which holds no numbers",
            hint="pass an array of floats, integers or booleans",
        )
    if not dtype.isnative:
        raise TypeMismatch(
            f"`{path_text(path)}` has the byte order of another machine ({dtype.str})",
            hint=f"pass x.astype(np.{dtype.name})",
        )


def _static_key(value: Any) -> Hashable:
    if isinstance(value, slice):
        return ("static", slice, repr(value))
    return ("static", type(value), value)


def _container(
    value: Any, keys: tuple[Any, ...], path: Path, around: tuple[Any, ...]
) -> tuple[Type, Hashable]:
    cls = value.__class__
    if any(value is outer for outer in around):
        at = next(k for k, outer in enumerate(around) if outer is value)
        root = {path[0]: around[0]}
        raise TypeMismatch(
            f"`{path_text(path, root)}` is `{path_text(path[: at + 1], root)}` again: "
            "what is passed must not contain itself",
            hint="leave out attributes that refer back (a parent, an owner)",
        )
    if cls is list and len(value) > LONGEST:
        kind = scalar_kind(value[0])
        if kind is not None and all(v.__class__ is value[0].__class__ for v in value):
            return Seq(Scalar(kind)), (Seq, value[0].__class__)
    if cls is not dict and not all(isinstance(k, int) or k.isidentifier() for k in keys):
        raise TypeMismatch(
            f"`{path_text(path)}` has an attribute whose name is no identifier",
            hint="hold it in a dict",
        )
    around = (*around, value)
    parts = [classify(child(value, key), (*path, key), around) for key in keys]
    items = tuple([t for t, _ in parts])
    return Tree(cls, keys, items), (cls, keys, tuple([k for _, k in parts]))


def child(value: Any, key: Any) -> Any:
    """What a tree holds under `key`."""
    if isinstance(value, list | dict):
        return value[key]
    if isinstance(value, tuple):
        return value[key] if isinstance(key, int) else getattr(value, key)
    return getattr(value, key)


def look_up(arguments: dict[str, Any], path: Path) -> Any:
    found = arguments[path[0]]
    for key in path[1:]:
        found = child(found, key)
    return found


# --- values that decide types -------------------------------------------------------------------


def fix_values(
    found: dict[str, Type], arguments: dict[str, Any], paths: Sequence[Path]
) -> tuple[dict[str, Type], Hashable]:
    """The types with the leaves at `paths` known by their values, and a key of these values."""
    result, key = dict(found), []
    for path in paths:
        value = look_up(arguments, path)
        if isinstance(value, np.ndarray):
            if value.ndim:
                raise TypeMismatch(
                    f"the value of `{path_text(path)}` decides a type, but it is an array",
                    hint="pass a number, or a tuple of numbers",
                )
            value = value[()]
        # repr tells -0.0 from 0.0 and makes nan equal to itself
        key.append((path, type(value), repr(value)))
        result[path[0]] = replaced(result[path[0]], path[1:], Static(value))
    return result, tuple(key)


def replaced(t: Type, keys: Path, new: Type) -> Type:
    """`t` with another type for the leaf under `keys`."""
    if not keys:
        return new
    if not isinstance(t, Tree):
        raise TypeMismatch("the value of an item of a long list decides a type")
    items = list(t.items)
    at = t.keys.index(keys[0])
    items[at] = replaced(items[at], keys[1:], new)
    return Tree(t.node, t.keys, tuple(items))


def path_text(path: Path, arguments: dict[str, Any] | None = None) -> str:
    """A path as a user writes it: `params["W"][0].bias`."""
    text, value = str(path[0]), arguments[path[0]] if arguments is not None else None
    for key in path[1:]:
        attribute = isinstance(key, str) and not isinstance(value, dict) and value is not None
        text += f".{key}" if attribute else f"[{quoted(key)}]"
        value = child(value, key) if value is not None else None
    return text
