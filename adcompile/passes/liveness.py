"""Which values are needed: marking from the roots, through structured control flow.

Roots are the function's results and the ops with effects. The k-th result of an `if` needs the k-th
value of both branches; the k-th carried value of a loop, once it is read anywhere, needs what the
body yields for it. A carried value that only feeds itself is therefore never marked. The mark phase
of Cytron et al., "Efficiently computing static single assignment form" (1991), section 7.1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.passes.structure import STRUCTURED, Nesting, effects


class Liveness:
    """`values` that are read and `ops` that must stay; more can be marked by `demand`.

    `queries` are ops that do not count as reading their first operand (they ask for its shape).
    """

    def __init__(self, fn: Function, queries: Collection[Op] = (), nesting: Nesting | None = None):
        self.nesting = nesting or Nesting.of(fn.block)
        self.queries = queries
        self.values: set[Value] = set()
        self.ops: set[Op] = set()
        self.slot: dict[Value, int] = {}  # which of an op's carried values or results it is
        for op in dict.fromkeys(self.nesting.op_of.values()):
            self._number(op)
        self._work: list[Value] = list(fn.returns)
        for op in effects(fn, self.nesting):
            self._keep(op)
        self._run()

    def demand(self, values: Iterable[Value]) -> None:
        """Mark `values` as read, and all that they need."""
        self._work.extend(values)
        self._run()

    def _number(self, op: Op) -> None:
        self.slot.update((r, k) for k, r in enumerate(op.results))
        if isinstance(op, core.For):
            self.slot.update((p, k) for k, p in enumerate(op.carried))
        elif isinstance(op, core.While):
            for params in (op.cond.params, op.carried):
                self.slot.update((p, k) for k, p in enumerate(params))

    def _run(self) -> None:
        work, values = self._work, self.values
        while work:
            v = work.pop()
            if v in values:
                continue
            values.add(v)
            op = self.nesting.op_of.get(v.owner) if isinstance(v.owner, Block) else v.owner
            if op is None:  # a parameter of the function
                continue
            self._keep(op)
            if v in self.slot:
                work.extend(_sources(op, self.slot[v]))

    def _keep(self, op: Op | None) -> None:
        while op is not None and op not in self.ops:
            self.ops.add(op)
            if type(op) in STRUCTURED:
                self._work.extend(_steering(op))
            else:
                self._work.extend(op.operands[1:] if op in self.queries else op.operands)
            op = self.nesting.parent(op)


def _steering(op: Op) -> list[Value]:
    """What decides which blocks of `op` run, and how often."""
    found: list[Value] = []
    match op:
        case core.For():
            found += op.operands[: op.heads]
        case core.While():
            found += op.cond.yields[:1]
        case _:
            found += op.operands
    if isinstance(op, core.For | core.While) and op.stops:
        found.append(op.body.yields[-1])
    return found


def _sources(op: Op, k: int) -> list[Value]:
    """What the k-th carried value or result of `op` may be."""
    if isinstance(op, core.For | core.While):
        return [op.inits[k], op.body.yields[k]]
    return [block.yields[k] for block in op.blocks]
