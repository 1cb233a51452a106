"""Which values that differentiation has made may be zero in places because of a mask.

A cotangent `np.where(c, d, 0)` is zero where `c` is false, and so are its products, sums and
slices. When the derivative is differentiated again, such a value is multiplied by cotangents that
may be infinite or NaN. Zero wins, as it does the other way round (`masks.py`): the product did not
depend on its other factor there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from adcompile import runtime
from adcompile.ad.finite import canonical
from adcompile.ad.selections import is_mask
from adcompile.ir import core
from adcompile.ir.core import Block, Op, Value, constant
from adcompile.rules.registry import lookup

_ZEROS = {np.zeros, np.zeros_like, runtime.zeros_like}
_AT_ZERO = {  # functions of one argument that are zero where it is
    *(np.positive, np.negative, np.absolute, np.fabs, np.square, np.sqrt, np.cbrt, np.sign),
    *(np.sin, np.tan, np.arcsin, np.arctan, np.sinh, np.tanh, np.arcsinh, np.arctanh),
    *(np.expm1, np.log1p, np.power, np.float_power, np.deg2rad, np.rad2deg),
}
Known = Callable[[Value], bool | None]


def zeros_of(root: Block, outside: set[Value]) -> set[Value]:
    """The values inside `root` that may be zero by a mask, and those `outside` that are so."""
    return _settled([op for block in core.walk_blocks(root) for op in block.ops], set(outside))


def may_be_zero(p: Value, known: Known) -> bool:
    """The same of a new value; `known` tells of values of the program, None of all others."""
    ops: list[Op] = []
    found: set[Value] = set()
    seen, work = {p}, [p]
    while work:
        v = work.pop()
        answer = known(v)
        if answer:
            found.add(v)
        elif answer is None and isinstance(v.owner, Op) and not v.owner.blocks:
            ops.append(v.owner)
            new = [x for x in v.owner.operands if x not in seen]
            seen.update(new)
            work += new
    return p in _settled(ops[::-1], found)


def _settled(ops: list[Op], found: set[Value]) -> set[Value]:
    size = -1
    while size != len(found):
        size = len(found)
        for op in ops:
            _visit(op, found)
    return found


def _visit(op: Op, found: set[Value]) -> None:
    match op:
        case Op(order=0):  # the program itself
            pass
        case core.If() | core.Try() | core.Scope():
            for block in op.blocks:
                _hand_on(zip(block.yields, op.results), found)
        case core.For() | core.While():
            for block in op.blocks:
                carried = block.params[-len(op.inits) :] if op.inits else []
                _hand_on(zip(op.inits, carried), found)
                _hand_on(zip(op.body.yields, carried), found)
            _hand_on(zip(op.inits, op.results), found)
            _hand_on(zip(op.body.yields, op.results), found)
            if isinstance(op, core.For):
                _hand_on([(op.operands[0], op.body.params[0])], found, constants=False)
        case core.Call():
            if op.fn in runtime.MASKED:
                found.update(op.operands[: 1 + (op.fn is runtime.masked_product)])
            if _of_call(op, found):
                found.update(op.results)
        case core.Update():
            _hand_on([(v, op.result) for v in op.operands[:2]], found, constants=op.mode == "=")
        case _:
            if any(x in found for x in op.operands):
                found.update(op.results)


def _hand_on(
    pairs: Iterable[tuple[Value, Value]], found: set[Value], *, constants: bool = True
) -> None:
    for x, to in pairs:
        if x in found or (constants and _is_zero(x)):
            found.add(to)


def _is_zero(v: Value) -> bool:
    c = constant(v)
    return type(c) in (int, float) and c == 0


def _of_call(op: core.Call, found: set[Value]) -> bool:
    """Whether the result may be zero by a mask."""
    fn, args = canonical(op.fn), op.args
    zero = [v in found or _is_zero(v) for v in args]
    if fn in _ZEROS or fn in runtime.MASKED or any(map(is_mask, op.results)):
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
