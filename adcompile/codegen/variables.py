"""Variables: values under one name, and when they are alive."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from adcompile.codegen.live import Interval, Ranges
from adcompile.ir.core import Value


@dataclass(eq=False, slots=True)
class Variable:
    """Values under one name."""

    ranges: Ranges
    hint: str | None
    adjoint: bool
    fixed: bool = False  # a parameter: keeps its name
    rank: int = 0  # of the hint: that of a carried value wins
    name: str = ""
    first: Value | None = None

    @property
    def start(self) -> int:
        return self.ranges[0][0]


@dataclass(eq=False, slots=True)
class Names:
    variables: dict[Value, Variable] = field(default_factory=dict)

    def of(self, v: Value) -> str:
        return self.variables[v].name

    def same(self, a: Value, b: Value) -> bool:
        """Whether assigning `a` to `b` would do nothing."""
        return a in self.variables and b in self.variables and self.of(a) == self.of(b)


def overlap(a: Ranges, b: Ranges) -> bool:
    """Whether two lists of intervals meet."""
    if len(a) > len(b):
        a, b = b, a
    for low, high in a:
        k = bisect_left(b, (low, low))
        if k < len(b) and b[k][0] <= high:
            return True
        if k and b[k - 1][1] >= low:
            return True
    return False


def without(ranges: Ranges, gap: Interval) -> Ranges:
    """`ranges` but for the points of `gap`."""
    low, high = gap
    cut = [part for a, b in ranges for part in ((a, min(b, low - 1)), (max(a, high + 1), b))]
    return [(a, b) for a, b in dict.fromkeys(cut) if a <= b]


def merged(a: Ranges, b: Ranges) -> Ranges:
    """The union of two sorted lists, disjoint or nearly (`a` is the longer one, and changed)."""
    if len(b) > 8:
        return sorted(a + b)
    for interval in b:
        a.insert(bisect_left(a, interval), interval)
    return a
