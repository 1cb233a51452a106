"""The ops of one block while some of them are moved up."""

from __future__ import annotations

from collections.abc import Iterable

from adcompile.ir.core import Op, Value
from adcompile.passes.structure import is_pure

_MOST_RAISED = 32  # ops moved for the sake of one other; keeps a pass linear


class Line:
    """An op list being built. `raise_above` moves what is needed earlier, if it may be moved."""

    def __init__(self) -> None:
        self._ops: list[Op] = []
        self._place: dict[Op, float] = {}
        self._above: dict[Op, Op] = {}  # raised ops, and what they now stand before

    def __contains__(self, op: Op) -> bool:
        return op in self._place

    def append(self, op: Op) -> None:
        self._place[op] = len(self._ops)
        self._ops.append(op)

    def comes_after(self, op: Op, mark: Op) -> bool:
        return self._place[op] > self._place[mark]

    def raise_above(self, mark: Op, values: Iterable[Value]) -> bool:
        """See to it that `values` are computed before `mark`; False, and no change, if they cannot.

        Only pure ops that do not depend on `mark` are moved.
        """
        place = self._place[mark]
        found: dict[Op, None] = {}
        work = list(values)
        while work:
            op = work.pop().owner
            if not isinstance(op, Op) or op in found or self._place.get(op, -1) < place:
                continue
            if op is mark or not is_pure(op) or len(found) == _MOST_RAISED:
                return False
            found[op] = None
            work.extend(op.operands)
        for op in found:
            self._above[op] = mark
            self._place[op] = place - 0.5
        return True

    def ops(self) -> list[Op]:
        """The ops in their new order: raised ones keep their order among themselves."""
        raised: dict[Op, list[Op]] = {}
        for op in self._ops:
            if op in self._above:
                raised.setdefault(self._above[op], []).append(op)
        done: list[Op] = []
        for op in self._ops:
            if op not in self._above:
                done += raised.get(op, ())
                done.append(op)
        return done
