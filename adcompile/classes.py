"""Which objects are trees: instances of classes written in Python, and what they hold.

A model written as a class is data: its attributes. So are dataclasses and named tuples. A logger, a
lock, a random generator or a progress bar is not: objects of the standard library, of NumPy and of
other libraries stay whole, and are handed on as they are.
"""

from __future__ import annotations

import abc
import dataclasses
import sys
import types
import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

__all__ = [
    "is_generated",
    "is_hashable",
    "is_mutable",
    "is_object_class",
    "keys_of",
    "makes_by_fields",
    "of_programs",
    "slots_of",
    "stays_whole",
]

_ROOTS = {object, abc.ABC, typing.Generic, typing.Protocol}
_METACLASSES = {type, abc.ABCMeta, type(typing.Protocol)}
# Packages whose objects are never taken apart, wherever they are installed.
_WHOLE = {
    *("adcompile", "numpy", "scipy", "torch", "jax", "jaxlib", "tensorflow", "autograd", "numba"),
    *("cupy", "pandas", "polars", "xarray", "sklearn", "matplotlib", "tqdm", "rich", "loguru"),
}
_HEAP_TYPE = 1 << 9  # of a class made by a `class` statement
_OWN = {"__orig_class__"}  # what `typing` leaves in objects
_OF_PROGRAMS: set[type] = set()


def of_programs(cls: type) -> type:
    """A decorator for classes of adcompile's own that are compiled like a user's.

    A program may make objects of such a class, and of classes derived from it. Objects that come
    from outside stay whole: what they hold is a state that outlasts the call.
    """
    _OF_PROGRAMS.add(cls)
    return cls


def stays_whole(cls: type) -> bool:
    """Whether objects of `cls` are taken apart only where the program made them."""
    return not _OF_PROGRAMS.isdisjoint(cls.__mro__)


@lru_cache(maxsize=4096)
def is_object_class(cls: type) -> bool:
    """Whether objects of `cls` are nothing but their attributes: a class written in Python."""
    if dataclasses.is_dataclass(cls):
        return not issubclass(cls, tuple | list | dict | np.ndarray)
    if cls in _ROOTS or type(cls) not in _METACLASSES or hasattr(cls, "__array__"):
        return False
    return all(base in _ROOTS or stays_whole(base) or _is_written(base) for base in cls.__mro__)


def _is_written(cls: type) -> bool:
    top = cls.__module__.partition(".")[0]
    if top in _WHOLE or (top in sys.stdlib_module_names and top not in ("builtins", "__main__")):
        return False
    return bool(cls.__flags__ & _HEAP_TYPE)


@lru_cache(maxsize=4096)
def _is_installed(cls: type) -> bool:
    """Whether `cls` comes from an installed package."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


@lru_cache(maxsize=4096)
def is_mutable(cls: type) -> bool:
    """Whether attributes of objects of `cls` can be assigned."""
    params = getattr(cls, "__dataclass_params__", None)
    return is_object_class(cls) and not (params is not None and params.frozen)


@lru_cache(maxsize=4096)
def slots_of(cls: type) -> tuple[str, ...]:
    """The names in the `__slots__` of `cls` and its bases."""
    found: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name in ("__dict__", "__weakref__"):
                continue
            private = name.startswith("__") and not name.endswith("__")
            found[f"_{base.__name__.lstrip('_')}{name}" if private else name] = None
    return tuple(found)


@lru_cache(maxsize=4096)
def _fields(cls: type) -> tuple[str, ...]:
    """What every object of `cls` has, in the order of its definition."""
    if dataclasses.is_dataclass(cls):
        return tuple(f.name for f in dataclasses.fields(cls))
    return slots_of(cls)


def keys_of(value: Any) -> tuple[Any, ...] | None:
    """The keys of a node: positions, keys of a dict, names of attributes; None for a leaf."""
    cls = value.__class__
    if cls is tuple or cls is list:
        return tuple(range(len(value)))
    if cls is dict:
        return tuple(value)
    if isinstance(value, tuple):
        return getattr(cls, "_fields", None)
    if not is_object_class(cls) or stays_whole(cls):
        return None
    if _is_installed(cls) and not dataclasses.is_dataclass(cls) and not _holds_array(value):
        return None
    return _attributes(value, cls)


def _attributes(value: Any, cls: Any) -> tuple[str, ...]:
    fields, own = _fields(cls), getattr(value, "__dict__", None)
    if own is None:
        return tuple([name for name in fields if hasattr(value, name)])
    if not fields and own.keys().isdisjoint(_OWN):
        return tuple(own)
    first = [name for name in fields if hasattr(value, name)]
    return (*first, *(name for name in own if name not in fields and name not in _OWN))


def _holds_array(value: Any) -> bool:
    """Whether an array is among the attributes of an object, at any depth."""
    work, seen = [value], {id(value)}
    while work:
        x = work.pop()
        if isinstance(x, np.ndarray):
            return True
        if isinstance(x, tuple | list):
            inner = list(x)
        elif isinstance(x, dict):
            inner = list(x.values())
        elif is_object_class(x.__class__):
            inner = [getattr(x, name) for name in _attributes(x, x.__class__)]
        else:
            continue
        work += [i for i in inner if id(i) not in seen]
        seen.update(map(id, inner))
    return False


def makes_by_fields(cls: type, keys: tuple[Any, ...]) -> bool:
    """Whether `cls(**attributes)` makes a dataclass object of these attributes, and no more."""
    return _plain_fields(cls) == keys


@lru_cache(maxsize=4096)
def _plain_fields(cls: Any) -> tuple[str, ...] | None:
    if not dataclasses.is_dataclass(cls) or hasattr(cls, "__post_init__"):
        return None
    found = dataclasses.fields(cls)
    plain = is_generated(cls.__init__) and all(f.init for f in found)
    return tuple(f.name for f in found) if plain else None


def is_generated(function: Callable[..., Any]) -> bool:
    """Whether the `dataclasses` module wrote a method."""
    return isinstance(function, types.FunctionType) and (
        function.__code__.co_filename == "<string>"
    )


def is_hashable(x: Any) -> bool:
    try:
        hash(x)
    except TypeError:
        return False
    return True
