"""Arguments that share memory, for programs that write into an argument.

Two parameters that are the same array at the call are one array for the program: what is written
through one name is seen through the other. That is part of what a program is compiled for. Where
arguments overlap in another way, what a write does cannot be told from the types.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from adcompile.classes import keys_of
from adcompile.errors import AliasError
from adcompile.signature import Path, child, look_up, path_text

__all__ = ["Aliases", "aliases"]

Aliases = tuple[tuple[Path, Path], ...]  # (written leaf, another leaf that is the same array)


def aliases(arguments: dict[str, Any], writes: Sequence[Path]) -> Aliases:
    """Which leaves are the same array, or container, as one of those that are written.

    Raises AliasError where an array that is written overlaps with another argument in part.
    """
    found: list[tuple[Path, Path]] = []
    if not writes:
        return ()
    every = [pair for name in arguments for pair in _objects(arguments[name], (name,))]
    for path in writes:
        written = look_up(arguments, path)
        for other, value in every:
            if other == path or (other, path) in found:
                continue
            if written is value and not isinstance(value, np.ndarray | tuple):
                raise AliasError(
                    f"`{path_text(path, arguments)}` and `{path_text(other, arguments)}` are the "
                    "same object, and the program changes it",
                    hint="pass a copy of one of them",
                )
            if isinstance(written, np.ndarray) and isinstance(value, np.ndarray):
                if _same(written, value):
                    found.append((path, other))
                elif np.may_share_memory(written, value) and np.shares_memory(written, value):
                    raise AliasError(
                        f"`{path_text(path, arguments)}`, which the program writes into, overlaps "
                        f"in memory with `{path_text(other, arguments)}`",
                        hint="pass a copy of one of them: `x.copy()`",
                    )
    return tuple(found)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether both show the same elements of the same memory."""
    if a is b:
        return True
    layouts = [(x.ctypes.data, x.shape, x.strides, x.dtype) for x in (a, b)]
    return layouts[0] == layouts[1] and a.size > 0


def _objects(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """The arrays and containers in an argument."""
    if isinstance(value, np.ndarray):
        yield path, value
        return
    keys = keys_of(value)
    if keys is None:
        return
    yield path, value
    for key in keys:
        yield from _objects(child(value, key), (*path, key))
