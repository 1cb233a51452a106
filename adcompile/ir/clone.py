"""Copies of ops, blocks and functions, and the replay of a function's ops inside another one.

A copy shares types, locations and attributes with its original and has its own values, ops and
blocks. What an op is made of is read off its class once, so that a copy costs microseconds an op:
every use of a differentiation rule is one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache

from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Loc, Op, Value

_COMMON = ("operands", "results", "loc", "order")


def clone_block(block: Block, mapping: dict[Value, Value]) -> Block:
    """A copy of `block`.

    `mapping` tells what stands for values from outside (those it lacks stay as they are); it is
    extended by the copy of every value that the block defines.
    """
    copy = Block([_value(p, mapping) for p in block.params])
    _copy_ops(block.ops, copy, mapping)
    return copy


def clone_function(fn: Function) -> Function:
    """A copy of `fn`; functions that it invokes are shared."""
    params = [dataclasses.replace(p) for p in fn.params]
    return Function(fn.name, clone_block(fn.block, {}), params, fn.doc, fn.loc, beside=fn.beside)


def inline(
    builder: Builder, fn: Function, args: Sequence[Value], *, relocate: bool = True
) -> list[Value]:
    """Replay the ops of `fn` on `args` at the end of the builder's block; returns its results.

    With `relocate` the ops get the builder's location and order (the body of a rule stands where
    the rule is used); without, they keep their own (a user's function stays its own text).
    """
    mapping = dict(zip(fn.block.params, args, strict=True))
    place = (builder.loc, builder.order) if relocate else None
    _copy_ops(fn.block.ops[:-1], builder.block, mapping, place)
    return [mapping.get(v, v) for v in fn.returns]


def _value(v: Value, mapping: dict[Value, Value]) -> Value:
    mapping[v] = copy = Value(v.type, v.name)
    return copy


def _copy_ops(
    ops: Sequence[Op],
    into: Block,
    mapping: dict[Value, Value],
    place: tuple[Loc, int] | None = None,
) -> None:
    # Nested blocks may wait: all that they see from outside is in `mapping` by then.
    work: list[tuple[Sequence[Op], Block]] = [(ops, into)]
    while work:
        ops, into = work.pop()
        append = into.ops.append
        for op in ops:
            cls = type(op)
            copy = object.__new__(cls)
            copy.operands = [mapping.get(v, v) for v in op.operands]
            copy.loc, copy.order = place or (op.loc, op.order)
            copy.results = results = []
            for r in op.results:
                new = Value(r.type, r.name, copy)
                mapping[r] = new
                results.append(new)
            attributes, blocks = _fields(cls)
            for name in attributes:
                setattr(copy, name, getattr(op, name))
            for name in blocks:
                inner: Block = getattr(op, name)
                block = Block([_value(p, mapping) for p in inner.params])
                setattr(copy, name, block)
                work.append((inner.ops, block))
            append(copy)


@cache
def _fields(cls: type[Op]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a class's own attributes, and of those that are blocks."""
    own = [f for f in dataclasses.fields(cls) if f.name not in _COMMON]
    blocks = tuple(f.name for f in own if f.type in ("Block", Block))
    return tuple(f.name for f in own if f.name not in blocks), blocks
