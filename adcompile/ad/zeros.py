"""Which values that differentiation has made may be zero in places because of a mask.

A cotangent `np.where(c, d, 0)` is zero where `c` is false, and so are its products, sums and
slices. When the derivative is differentiated again, such a value is multiplied by cotangents that
may be infinite or NaN. Zero wins, as it does the other way round (`masks.py`): the product did not
depend on its other factor there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adcompile import runtime
from adcompile.ad.finite import canonical
from adcompile.ad.selections import is_mask
from adcompile.ir import core
from adcompile.ir.core import Block, Op, Value, constant
from adcompile.ir.types import SAVED
from adcompile.rules.registry import lookup

_BLANK = {np.zeros, np.zeros_like, runtime.zeros_like}
_AT_ZERO = {  # functions of one argument that are zero where it is
    *(np.positive, np.negative, np.absolute, np.fabs, np.square, np.sqrt, np.cbrt, np.sign),
    *(np.sin, np.tan, np.arcsin, np.arctan, np.sinh, np.tanh, np.arcsinh, np.arctanh),
    *(np.expm1, np.log1p, np.power, np.float_power, np.deg2rad, np.rad2deg),
}
Known = Callable[[Value], bool | None]


def zeros_of(root: Block, outside: set[Value]) -> set[Value]:
    """The values inside `root` that may be zero by a mask, and those `outside` that are so."""
    found = _Zeros(set(outside))
    found.settle([op for block in core.walk_blocks(root) for op in block.ops])
    return found.zero


def may_be_zero(p: Value, known: Known) -> bool:
    """The same of a new value; `known` tells of values of the program, None of all others."""
    ops: list[Op] = []
    found = _Zeros(set())
    seen, work = {p}, [p]
    while work:
        v = work.pop()
        answer = known(v)
        if answer:
            found.zero.add(v)
        elif answer is None and isinstance(v.owner, Op) and not v.owner.blocks:
            ops.append(v.owner)
            new = [x for x in v.owner.operands if x not in seen]
            seen.update(new)
            work += new
    found.settle(ops[::-1])
    return p in found.zero


class _Zeros:
    """The values found so far that may be `zero` by a mask, and those that started as zero.

    What was `blank` is zero still where a branch was not taken.
    """

    def __init__(self, zero: set[Value]):
        self.zero = zero
        self.blank: set[Value] = set()

    def settle(self, ops: list[Op]) -> None:
        size = -1
        while size != len(self.zero) + len(self.blank):
            size = len(self.zero) + len(self.blank)
            for op in ops:
                if op.order:  # else a part of the program itself
                    self._visit(op)

    def _visit(self, op: Op) -> None:
        match op:
            case core.If() | core.Try() | core.Scope():
                for block in op.blocks:
                    for y, r in zip(block.yields, op.results):
                        self._hand_on(y, r, chosen=not isinstance(op, core.Scope))
            case core.For() | core.While():
                self._loop(op)
            case core.Call():
                self._call(op)
            case core.Update():
                self._hand_on(op.operands[0], op.result)
                if op.operands[1] in self.zero:
                    self.zero.add(op.result)
            case core.Unpack(operands=[tree]) if tree.type == SAVED:
                self.zero.update(op.results)
            case _:
                if any(x in self.zero for x in op.operands):
                    self.zero.update(op.results)

    def _loop(self, op: core.For | core.While) -> None:
        chosen = isinstance(op, core.For) and op.narrowed
        for block in op.blocks:
            for init, y, p, r in zip(
                op.inits, op.body.yields, block.params[-len(op.inits) :], op.results
            ):
                for x in (init, y):
                    self._hand_on(x, p, chosen=chosen)
                    self._hand_on(x, r, chosen=chosen)
        if isinstance(op, core.For) and op.operands[0] in self.zero:
            self.zero.add(op.body.params[0])

    def _hand_on(self, x: Value, to: Value, *, chosen: bool = False) -> None:
        """`to` is `x`, or is so where a branch went one way, if that is `chosen`."""
        blank = x in self.blank or _is_zero(x)
        if blank:
            self.blank.add(to)
        if x in self.zero or (blank and chosen):
            self.zero.add(to)

    def _call(self, op: core.Call) -> None:
        if op.fn in _BLANK:
            self.blank.update(op.results)
        if op.fn in runtime.MASKED:
            self.zero.update(op.operands[: 1 + (op.fn is runtime.masked_product)])
        if _of_call(op, self.zero):
            self.zero.update(op.results)


def _is_zero(v: Value) -> bool:
    c = constant(v)
    return type(c) in (int, float) and c == 0


def _of_call(op: core.Call, found: set[Value]) -> bool:
    """Whether the result may be zero by a mask."""
    fn, args = canonical(op.fn), op.args
    zero = [v in found or _is_zero(v) for v in args]
    if fn in runtime.MASKED or any(map(is_mask, op.results)):
        return True
    if fn is np.where:
        return len(args) == 3 and any(zero[1:])
    if fn in (np.add, np.subtract):  # of masks and constants: a weight
        return any(zero) and all(
            z or constant(v) is not core.MISSING for z, v in zip(zero, args, strict=True)
        )
    if fn is np.multiply:
        return any(zero)
    if fn is np.divide or fn in _AT_ZERO:
        return zero[0]
    rules = lookup(op.fn)
    return rules is not None and any(z for k, z in enumerate(zero) if k in rules.linear)
