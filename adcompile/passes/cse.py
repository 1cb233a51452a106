"""Common subexpressions: dominator-scoped value numbering.

Briggs, Cooper & Simpson, "Value numbering" (1997), section 4, on structured control flow, where the
dominators of an op are the ops before it in its own and in the enclosing blocks. Equal operations
on equal numbers get one number; an op that differentiation made is replaced by the earliest one in
scope with its number, and so is an array of the user's that it has computed before. What the user
wrote twice stays twice. Effects, and buffers that may be written to, are never shared.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value, is_quoted
from adcompile.ir.types import Array, Opaque, is_numeric
from adcompile.passes.patterns import is_number
from adcompile.passes.rename import Renaming
from adcompile.passes.structure import STRUCTURED, is_maker, is_pure

# On arrays these are the same; on Python numbers they differ in the type of the result.
_SAME: dict[Callable[..., Any], Callable[..., Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.negative: operator.neg,
    np.power: operator.pow,
    np.matmul: operator.matmul,
}
_COMMUTATIVE = {
    operator.add, operator.mul, operator.and_, operator.or_, operator.xor, operator.eq, operator.ne,
    np.add, np.multiply, np.logical_and, np.logical_or, np.logical_xor, np.equal, np.not_equal,
}  # fmt: skip


def run(fn: Function) -> None:
    Numbering().run(fn.block)


@dataclass(eq=False, slots=True)
class _Scope:
    block: Block
    rest: Iterator[Op]
    kept: list[Op] = field(default_factory=list)
    leading: list[int] = field(default_factory=list)  # numbers whose leader is defined here


class Numbering:
    """Equal numbers for equal operations on equal operands."""

    def __init__(self) -> None:
        self.numbers: dict[Value, int] = {}
        self.ids: dict[Hashable, int] = {}  # of operations on numbered operands
        self.leaders: dict[int, Op] = {}  # the earliest op in scope with a number
        self.rename = Renaming()
        self.twice: dict[Value, Value] = {}  # of the user's: differentiation reads the first

    def run(self, root: Block) -> None:
        stack = [_Scope(root, iter(root.ops))]
        while stack:
            scope = stack[-1]
            op = next(scope.rest, None)
            if op is None:
                scope.block.ops[:] = scope.kept
                for number in scope.leading:
                    del self.leaders[number]
                stack.pop()
                continue
            if self.rename.new:
                op.operands[:] = map(self.rename, op.operands)
            if self.twice and op.order and not is_quoted(op):
                op.operands[:] = [self.twice.get(v, v) for v in op.operands]
            if not self.replace(op, scope):
                scope.kept.append(op)
            if type(op) in STRUCTURED:
                stack.extend(_Scope(b, iter(b.ops)) for b in reversed(op.blocks))

    def replace(self, op: Op, scope: _Scope) -> bool:
        """Number `op`; whether it was replaced by an earlier one."""
        number = self.enter(op)
        if number is None or isinstance(op, core.Const):
            return False  # constants cost nothing where they are
        leader = self.leaders.setdefault(number, op)
        if leader is op:
            scope.leading.append(number)
            return False
        if is_quoted(op) or (op.order == 0 and not _was_computed(op, leader)):
            pairs = zip(op.results, leader.results, strict=True)
            self.twice.update((v, w) for v, w in pairs if v.name is None or w.name)
            return False
        for old, new in zip(op.results, leader.results, strict=True):
            self.rename.new[old] = new
            if new.name is None and leader.order > 0:
                new.name = old.name
        return True

    def enter(self, op: Op) -> int | None:
        """Number `op` and its results; None where no other op is the same."""
        key = self.key(op)
        if key is None:
            return None
        number = self.ids.setdefault(key, len(self.ids))
        if len(op.results) == 1:
            self.numbers[op.results[0]] = number
        else:
            for k, r in enumerate(op.results):
                self.numbers[r] = self.ids.setdefault((number, k), len(self.ids))
        return number

    def number(self, v: Value) -> int:
        found = self.numbers.get(v)
        if found is None:
            found = self.numbers[v] = self.ids.setdefault(v, len(self.ids))
        return found

    def key(self, op: Op) -> Hashable:
        """What makes two ops the same operation; None if nothing does."""
        if isinstance(op, core.Const):
            return ("const", _constant_key(op.value))
        if not is_pure(op) or is_maker(op) or any(isinstance(r.type, Opaque) for r in op.results):
            return None  # a new object each time, for all we know
        operands = tuple([self.number(v) for v in op.operands])
        match op:
            case core.Call():
                return self.call_key(op, operands)
            case core.Global():
                return None if op.source.key is None else ("global", op.source.key)
            case core.Index():
                return ("index", op.spec, operands)
            case core.Item():
                return ("item", type(op.key), op.key, operands)
            case core.Make():
                return ("make", op.result.type, operands)
            case core.Unpack():
                return ("unpack", operands)
        return None

    def call_key(self, op: core.Call, operands: tuple[int, ...]) -> Hashable:
        fn = op.fn
        on_arrays = all(isinstance(r.type, Array) for r in op.results)
        if not op.keywords and isinstance(fn, Hashable):
            fn = _SAME.get(fn, fn) if on_arrays else fn
            if fn is operator.pow and on_arrays and is_number(op.operands[1], 2):
                fn, operands = operator.mul, (operands[0], operands[0])  # x ** 2 is x * x
            if fn in _COMMUTATIVE and all(is_numeric(v.type) for v in op.operands):
                operands = tuple(sorted(operands))
        return ("call", id(fn), on_arrays, op.keywords, operands)


def _was_computed(op: Op, leader: Op) -> bool:
    """Whether differentiation has computed before what the user writes in passing.

    In forward mode the derivative of a line stands before the next line.
    """
    if not leader.order or is_quoted(leader) or not isinstance(op, core.Call) or op.member:
        return False
    return all(
        v.name is None and isinstance(v.type, Array) and bool(v.type.shape) for v in op.results
    )


def _constant_key(value: Any) -> Hashable:
    """Equal for constants that nobody can tell apart: 1, 1.0 and True, 0.0 and -0.0 differ."""
    if isinstance(value, float | complex | np.generic):
        return (type(value), repr(value))
    if isinstance(value, tuple):
        return (type(value), tuple(map(_constant_key, value)))
    if isinstance(value, bool | int | str | bytes | np.dtype):
        return (type(value), value)
    return (type(value), id(value))
