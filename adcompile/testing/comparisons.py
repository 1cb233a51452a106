"""What a check compares, and what it says where two things differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from adcompile.rules.registry import name_of
from adcompile.testing.differences import worst
from adcompile.testing.examples import Call, Key, leaves

# Relative tolerances, by the bytes of the narrowest float:
SHARP = {8: 1e-12, 4: 1e-5, 2: 1e-2}  # of two ways to compute the same derivative
NUMERIC = {8: 1e-6, 4: 2e-3, 2: 0.1}  # against differences
TINY = 1e-300  # what is allowed of zero


@dataclass(eq=False, slots=True)
class Report:
    """Compares for one call; every method raises AssertionError where things differ."""

    call: Call
    bytes: int
    rtol: float | None = None  # against differences
    atol: float = 1e-8

    def fail(self, what: str, detail: str, key: Key | None = None) -> NoReturn:
        of = "" if key is None else f", argument {self.name(key)}"
        shown = f"{name_of(self.call.fn)}({self.call.example})"
        raise AssertionError(f"{shown}\n{what}{of}: {detail}")

    def name(self, key: Key) -> str:
        return f"{key} (`{self.call.params[key]}`)" if isinstance(key, int) else f"`{key}`"

    def form(self, what: str, got: Any, like: Any, key: Key | None = None) -> None:
        """The same structure, shapes and dtypes; what is no float has None, or zeros of floats."""
        if isinstance(like, list | tuple):
            if type(got) is not type(like) or len(got) != len(like):
                kind = f"a {type(like).__name__} of {len(like)}"
                self.fail(what, f"expected {kind}, got {got!r:.100}", key)
            for g, item in zip(got, like, strict=True):
                self.form(what, g, item, key)
            return
        expected, found = _form(like), _form(got)
        if found != expected and not (expected == () and got is None):
            self.fail(what, f"expected {_said(like)}, got {_said(got)}", key)

    def same(
        self, what: str, got: Any, want: Any, key: Key | None = None, tol: float | None = None
    ) -> None:
        """Equal but for rounding, in proportion to the largest element or to one."""
        tol = SHARP[self.bytes] if tol is None else tol
        for (path, g), (_, w) in zip(leaves(got), leaves(want), strict=True):
            if w is not None:
                size = np.max(abs(np.asarray(w, np.float64)), initial=1.0)
                self.compare(what, path, g, w, tol * size, key)

    def close(self, what: str, got: Any, want: Any, slack: Any, key: Key | None = None) -> None:
        """As close as differences can tell."""
        rtol = NUMERIC[self.bytes] if self.rtol is None else self.rtol
        for (path, g), (_, w), (_, s) in zip(leaves(got), leaves(want), leaves(slack), strict=True):
            self.compare(what, path, g, w, self.atol + rtol * abs(w) + s, key)

    def compare(
        self, what: str, path: tuple[int, ...], got: Any, want: Any, allowed: Any, key: Key | None
    ) -> None:
        found = worst(np.broadcast_to(0.0 if got is None else got, np.shape(want)), want, allowed)
        if found is not None:
            inside = "".join(f"[{k}]" for k in path)
            self.fail(what, f"item {inside}, {found}" if inside else str(found), key)

    def dot(
        self, what: str, a: tuple[float, float], b: tuple[float, float], key: Key | None = None
    ) -> None:
        """Two inner products, with the sums of their absolute terms, are equal but for rounding."""
        allowed = SHARP[self.bytes] * (a[1] + b[1]) + TINY
        both_nan = np.isnan(a[0]) and np.isnan(b[0])
        if not abs(a[0] - b[0]) <= allowed and not both_nan:
            self.fail(what, f"{a[0]:.17g} is not {b[0]:.17g}", key)


def inner(a: Any, b: Any) -> tuple[float, float]:
    """⟨a, b⟩ over all leaves and the sum of the absolute values of its terms; None is zero."""
    total = size = 0.0
    for (_, x), (_, y) in zip(leaves(a), leaves(b), strict=True):
        if x is not None and y is not None:
            terms = np.asarray(x, np.float64) * np.asarray(y, np.float64)
            total, size = total + float(np.sum(terms)), size + float(np.sum(abs(terms)))
    return total, size


def bits(x: Any) -> Any:
    """What a number or an array is, bit by bit; anything else is itself."""
    if not isinstance(x, np.ndarray | np.generic | float):
        return x
    a = np.asarray(x)
    padded = a.dtype.char in "gG"  # a long double has bytes that mean nothing
    return a.shape, a.dtype, tuple(map(repr, a.ravel())) if padded else a.tobytes()


def _form(x: Any) -> tuple[Any, ...]:
    """Shape and dtype of a floating point number or array; () of what is none."""
    if isinstance(x, np.ndarray | np.generic | float):
        dtype = np.asarray(x).dtype
        return (np.shape(x), dtype) if dtype.kind == "f" else ()
    return ()


def _said(x: Any) -> str:
    if isinstance(x, np.ndarray | np.generic):
        return f"{x.dtype.name} of shape {x.shape}"
    return f"a {type(x).__name__}" if isinstance(x, float) else f"{x!r:.60}"
