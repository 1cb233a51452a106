"""Inferred types against what the real functions return.

A `World` makes IR values for real arguments, with sizes turned into `Dim`s, and remembers what each
`Dim` stands for. `agree` then evaluates the inferred sizes, derived ones by their structure, and
compares them with the real result.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Slice, Value
from adcompile.ir.infer import infer_call, infer_index
from adcompile.ir.infer.sizes import Key
from adcompile.ir.types import Array, Dim, Scalar, Size, Static, Tree, Type, TypeClash


@dataclass
class Dynamic:
    """A number (or tuple of numbers) whose value is not known ahead."""

    value: Any


@dataclass
class World:
    """`choose(options)` picks how each size is known: "int", "many", or "any"."""

    choose: Any = staticmethod(lambda options: "many")
    sizes: dict[Dim, int] = field(default_factory=dict)
    pool: dict[tuple[int, str], Dim] = field(default_factory=dict)
    numbers: dict[Any, Any] = field(default_factory=dict)
    b: Builder = field(default_factory=lambda: Builder(Block()))

    def size(self, n: int) -> Size:
        how = self.choose(["int", "any"] if n == 1 else ["int", "many", "any", "other"])
        if how == "int":
            return n
        if how == "other":  # equal, but not known to be
            return self._new(n, many=True)
        if (n, how) not in self.pool:
            self.pool[n, how] = self._new(n, how == "many")
        return self.pool[n, how]

    def _new(self, n: int, many: bool) -> Dim:
        dim = Dim.fresh(many)
        self.sizes[dim] = n
        return dim

    def value(self, x: Any) -> Value:
        if isinstance(x, Dynamic):
            return self._dynamic(x.value)
        if isinstance(x, np.ndarray):
            return Value(Array(x.dtype, tuple(map(self.size, x.shape))))
        if isinstance(x, np.generic):
            return Value(Array(x.dtype, ()))
        if isinstance(x, tuple | list) and not all(isinstance(i, int) for i in x):
            return self.b.make(type(x), range(len(x)), [self.value(i) for i in x])
        return self.b.const(x)

    def _dynamic(self, x: Any) -> Value:
        if isinstance(x, tuple | list):
            return self.b.make(type(x), range(len(x)), [self._dynamic(i) for i in x])
        if isinstance(x, np.generic):
            v = Value(Array(x.dtype, ()))
        else:
            v = Value(Scalar(type(x).__name__))
        self.numbers[v] = x
        return v

    # --- comparing ------------------------------------------------------------------------------

    def agree(self, t: Type | tuple[Type, ...], real: Any) -> None:
        if isinstance(t, tuple):
            assert isinstance(real, tuple | list) and len(real) == len(t), (t, real)
            for part, r in zip(t, real):
                self.agree(part, r)
        elif isinstance(t, Tree):
            assert len(t.items) == len(real)
            self.agree(t.items, tuple(real))
        elif isinstance(t, Scalar):
            assert type(real).__name__ == t.kind, (t, real)
            if t.size is not None:
                self.agree_size(t.size, real)
        elif isinstance(t, Array):
            assert isinstance(real, np.ndarray | np.generic), (t, real)
            assert real.dtype == t.dtype, (t, real.dtype)
            assert real.ndim == t.rank, (t, real.shape)
            for size, n in zip(t.shape, real.shape):
                self.agree_size(size, n)
        else:
            assert isinstance(t, Static) and t.value == real, (t, real)

    def agree_size(self, size: Size, real: int) -> None:
        if isinstance(size, int):
            assert size == real, (size, real)
            return
        assert not (size.many and real == 1), size
        expected = self.evaluate(size)
        if expected is None:
            expected = self.sizes.setdefault(size, real)
        assert expected == real, (size.key, expected, real)

    def evaluate(self, size: Any) -> int | None:
        """What `size` stands for; None where its structure does not tell."""
        if not isinstance(size, Dim):
            return size
        if size in self.sizes:
            return self.sizes[size]
        if not isinstance(size.key, Key):
            return None
        match size.key.parts:
            case ("sum", pairs, constant):
                return constant + sum(c * self.evaluate(d) for d, c in pairs)
            case ("prod", pairs):
                return math.prod(self.evaluate(d) ** c for d, c in pairs)
            case ("number", v):
                return int(self.numbers[v])
            case ("clip", d):
                return max(0, self.evaluate(d))
            case ("floordiv", a, b):
                return self.evaluate(a) // self.evaluate(b)
            case ("quotient", a, b):
                return self.evaluate(a) // self.evaluate(b)
            case ("broadcast", pairs):
                return max((self.evaluate(d) for d, _ in pairs), key=lambda n: n != 1)
            case ("least", pairs):
                return min(self.evaluate(d) for d, _ in pairs)
            case ("slice", n, *bounds):
                return len(range(self.evaluate(n))[slice(*map(self.evaluate, bounds))])
            case ("range", span, step):
                return len(range(0, self.evaluate(span), self.evaluate(step)))
        return None

    # --- checking one call ----------------------------------------------------------------------

    def call(self, fn: Any, *args: Any, **kwargs: Any) -> None:
        """Run `fn` and check its inferred type; what NumPy refuses may be inferred or not."""
        plain = [_plain(a) for a in args]
        named = {k: _plain(v) for k, v in kwargs.items()}
        operands = [self.value(a) for a in args]
        keywords = {k: self.value(v) for k, v in kwargs.items()}
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                real = fn(*plain, **named)
        except Exception:
            try:
                infer_call(fn, operands, keywords)
            except TypeClash:
                pass
            return
        self.agree(infer_call(fn, operands, keywords), real)

    def index(self, x: np.ndarray, *entries: Any) -> None:
        spec: list[Any] = []
        operands: list[Value] = []
        for e in entries:
            if isinstance(e, slice):
                given = [e.start, e.stop, e.step]
                spec.append(Slice(*(g is not None for g in given)))
                operands += [self.value(g) for g in given if g is not None]
            elif e is None or e is Ellipsis:
                spec.append(e)
            else:
                spec.append("value")
                operands.append(self.value(e))
        value = self.value(x)
        try:
            real = x[tuple(map(_plain, entries))]
        except IndexError:
            try:
                infer_index(value, tuple(spec), operands)
            except TypeClash:
                pass
            return
        self.agree(infer_index(value, tuple(spec), operands), real)


def _plain(x: Any) -> Any:
    if isinstance(x, Dynamic):
        return x.value
    if isinstance(x, slice):
        return slice(*map(_plain, (x.start, x.stop, x.step)))
    if isinstance(x, tuple | list):
        return type(x)(_plain(i) for i in x)
    return x
