"""What variables are called: the user's names, numbered where two would meet, and short ones."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import numpy as np

from adcompile.codegen.live import Ranges
from adcompile.codegen.nesting import Nesting
from adcompile.codegen.variables import Variable, merged, overlap
from adcompile.ir import core
from adcompile.ir.core import Block, Value
from adcompile.ir.types import Array, Scalar, Seq, Tree

COUNTERS = ("i", "j", "k", "l", "m", "n")


def spell(found: Iterable[Variable], plan: Nesting, taken: set[str]) -> None:
    """Give every variable its name, in the order of the text; none of them is in `taken`.

    A variable has the user's name if no other one of that name is alive, else that name with a
    number. What nobody named is called after what it is.
    """
    unique = {id(x): x for x in found}
    variables = sorted(unique.values(), key=lambda x: x.start)
    hinted = [x for x in variables if x.hint and not x.fixed]
    taken = taken | {x.name for x in variables if x.fixed}
    reserved = taken | {str(x.hint) for x in hinted}
    pools: dict[str, _Pool] = {}
    for x in variables:
        if x.fixed:
            pools.setdefault(x.name, _Pool(x.name, reserved, free=True)).hold(x)
    for x in hinted:
        hint = str(x.hint)
        if hint not in pools:
            pools[hint] = _Pool(hint, reserved, free=hint not in taken)
        x.name = pools[hint].take(x)
    counters = [n for n in COUNTERS if n not in reserved]
    for x in variables:
        if x.hint or x.fixed:
            continue
        base = _base_name(x, plan, counters)
        if base not in pools:
            pools[base] = _Pool(base, reserved, free=base not in reserved)
        x.name = pools[base].take(x)


class _Pool:
    """The variables called `h`, `h2`, `h3`, …, and when each of these names is in use."""

    def __init__(self, base: str, reserved: set[str], *, free: bool) -> None:
        self.base, self.reserved = base, reserved
        self.plain: Ranges | None = [] if free else None  # when the plain name is in use
        self.busy: list[tuple[int, str]] = []  # heap: (last point in use, numbered name)
        self.count = 1

    def hold(self, x: Variable) -> None:
        """`x` has the plain name."""
        self.plain = merged(self.plain or [], list(x.ranges))

    def take(self, x: Variable) -> str:
        """The plain name where it is free, else a numbered one that is free from now on."""
        if self.plain is not None and not overlap(self.plain, x.ranges):
            self.hold(x)
            return self.base
        if self.busy and self.busy[0][0] < x.ranges[0][0]:
            _, name = heapq.heappop(self.busy)
        else:
            name = self._next()
        heapq.heappush(self.busy, (x.ranges[-1][1], name))
        return name

    def _next(self) -> str:
        while True:
            self.count += 1
            separator = "_" if self.base[-1].isdigit() else ""
            name = f"{self.base}{separator}{self.count}"
            if name not in self.reserved:
                self.reserved.add(name)
                return name


def _base_name(x: Variable, plan: Nesting, counters: list[str]) -> str:
    """What a value is called that nobody named."""
    v = x.first
    assert v is not None
    if isinstance(v.owner, Block):
        return _param_name(v, v.owner, plan, counters)
    if not x.adjoint and _is_returned(v, plan):
        return "value"
    match v.owner:
        case core.Item(key=str(key)) if key.isidentifier():
            return key
        case core.Call(fn=fn) if fn in (len, np.size):
            return "n"
        case core.Call(fn=fn) if fn is np.shape:
            return "shape"
    match v.type:
        case Array(dtype, shape) if dtype.kind == "b" and shape:
            return "mask"
        case Scalar("bool") | Array(np.dtype(kind="b")):
            return "flag"
        case Array(dtype) if dtype.kind in "iu":
            return "index"
        case Seq():
            return "items"
        case Tree():
            return "parts"
    return ("d_" if x.adjoint else "") + (
        "z" if isinstance(v.type, Array) and v.type.shape else "t"
    )


def _is_returned(v: Value, plan: Nesting) -> bool:
    """Whether all that is done with `v` is to return it, alone or in a container."""
    users = list(plan.users.get(v, ()))
    if not users:
        return False
    for u in users:  # grows
        if isinstance(u, core.Make):
            users += plan.users.get(u.result, ())
        elif not isinstance(u, core.Return):
            return False
    return True


def _param_name(v: Value, block: Block, plan: Nesting, counters: list[str]) -> str:
    loop, outer = plan.around.get(block, (None, block))
    if not isinstance(loop, core.For) or v is not loop.body.params[0]:
        return "t"
    if loop.over == "seq":
        return "item"
    depth = 0
    while outer in plan.around:
        loop, outer = plan.around[outer]
        depth += isinstance(loop, core.For)
    return counters[min(depth, len(counters) - 1)] if counters else "index"
