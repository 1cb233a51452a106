"""How `masked_times(d, p)` is written: `np.where(d != 0, d * p, 0)`, for numbers with an `if`.

`masked_product(d, p)` asks whether `p` is zero, too.

Differentiation keeps it whole, because its derivative is not that of the selection.
"""

from __future__ import annotations

import operator

import numpy as np

from adcompile import runtime
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Op, Value
from adcompile.ir.types import Array, Scalar
from adcompile.passes.structure import is_pure

_NEAR = 50  # ops before a product among which the makers of its factor are looked for


def is_masked_product(op: Op) -> bool:
    return isinstance(op, core.Call) and op.fn in runtime.MASKED


def write_out(root: Block) -> None:
    """Replace all such products inside `root`."""
    uses = core.use_counts(root)
    for block in list(core.walk_blocks(root)):
        if any(map(is_masked_product, block.ops)):
            _write_out(block, uses)


def _write_out(block: Block, uses: dict[Value, int]) -> None:
    done = Block()
    for op in block.ops:
        if not is_masked_product(op):
            done.ops.append(op)
            continue
        b = Builder(done, op.loc, op.order)
        t = op.result.type
        made = _of_arrays(b, op) if isinstance(t, Array) and t.rank else _of_numbers(b, op, uses)
        made.results[0] = op.result
        op.result.owner = made
        uses[op.operands[0]] += 1
    block.ops[:] = done.ops


def _is_nonzero(b: Builder, d: Value) -> Value:
    truth = d.type.dtype.kind == "b" if isinstance(d.type, Array) else d.type == Scalar("bool")
    return d if truth else b.call(operator.ne, d, 0)


def _is_two_sided(op: Op) -> bool:
    return isinstance(op, core.Call) and op.fn is runtime.masked_product


def _of_arrays(b: Builder, op: Op) -> Op:
    d, p = op.operands
    condition = _is_nonzero(b, d)
    if _is_two_sided(op):
        condition = b.call(operator.and_, condition, _is_nonzero(b, p))
    return b.call_op(np.where, [condition, b.mul(d, p), 0], types=[op.result.type])


def _of_numbers(b: Builder, op: Op, uses: dict[Value, int]) -> Op:
    """With an `if`, what the product alone reads inside it: Python's `1 / 0.0` is an error."""
    d, p = op.operands
    then = Block()
    _take_along(p, b.block, then, uses)
    condition, inner = _is_nonzero(b, d), b.into(then)
    if _is_two_sided(op):
        other = inner.into(Block())
        product = _choose(inner, _is_nonzero(inner, p), other.block, other.mul(d, p)).result
    else:
        product = p if condition is d else inner.mul(d, p)
    return _choose(b, condition, then, product)


def _choose(b: Builder, condition: Value, then: Block, product: Value) -> Op:
    """`product if condition else 0.0`."""
    orelse = b.into(Block())
    b.into(then).yield_(product)
    t = product.type
    if isinstance(t, Array) and t.dtype != np.float64:
        orelse.yield_(orelse.call(t.dtype.type, 0.0))
    else:
        orelse.yield_(orelse.const(0.0))
    return b.if_(condition, then, orelse.block, [product.type], "ifexp")


def _take_along(p: Value, here: Block, then: Block, uses: dict[Value, int]) -> None:
    """Move what makes `p` into `then`, as far as nothing else reads it."""
    wanted = {p}
    for k in range(len(here.ops) - 1, max(0, len(here.ops) - _NEAR) - 1, -1):
        op = here.ops[k]
        alone = all(uses.get(r, 0) == (r in wanted) for r in op.results)
        if not wanted.isdisjoint(op.results) and op.order and alone and is_pure(op):
            then.ops.insert(0, here.ops.pop(k))
            wanted.update(op.operands)
