"""The ways through the body of a loop that can stop early, and where its results are read.

A body ends in branches that decide whether the loop goes on and what it carries: each path through
them is a way. A `return` in the loop is a flag that is set on one of them, and is asked for after
the loop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adcompile.ir import core
from adcompile.ir.conditions import condition, in_arm
from adcompile.ir.core import Block, For, Function, If, Op, Value, While
from adcompile.ir.types import BOOL, Type
from adcompile.passes.structure import Nesting

Loop = For | While


@dataclass(frozen=True, slots=True)
class Wanted:
    """The result of a loop is read only where another one, the `flag`-th, is `value`.

    The flag -1 is whether the loop has been stopped.
    """

    flag: int
    value: bool


STOPPED = Wanted(-1, True)
NOWHERE = Wanted(-1, False)


def params(op: Loop, k: int) -> list[Value]:
    """What an iteration, and the condition of a `while`, start with."""
    return [op.carried[k]] if isinstance(op, For) else [op.body.params[k], op.cond.params[k]]


_KNOWN = {b: core.Const([], [Value(BOOL)], core.NOWHERE, value=b).result for b in (True, False)}


def through(branch: If, arm: Block, v: Value) -> Value:
    """What `v` is on the way through an arm of `branch`."""
    if v.owner is branch:
        return arm.yields[branch.results.index(v)]
    return _KNOWN[in_arm(branch, arm)] if v is condition(branch) else v


def asked(branch: If, arm: Block, loop: Loop) -> list[Wanted]:
    """What a result of `loop` has to be for an arm of `branch` to be taken, if it is one."""
    flag = condition(branch)
    if flag.owner is not loop:
        return []
    return [Wanted(loop.results.index(flag), in_arm(branch, arm))]


def has_run(op: Loop, want: Wanted) -> bool:
    """Whether `op` has gone through an iteration where its flag is as `want` has it."""
    return want is STOPPED or core.constant(op.inits[want.flag]) is (not want.value)


def is_endless(op: Loop) -> bool:
    """Whether `op` can only be left by stopping it."""
    return isinstance(op, While) and core.constant(op.cond.yields[0]) is True


class Ways:
    """A function whose loops are simplified: what stands where, and who reads what."""

    def __init__(self, fn: Function):
        self.root = fn.block
        self.nesting = Nesting.of(fn.block)
        self.readers: dict[Value, list[Op]] = defaultdict(list)  # an op for each of its operands
        for op in core.walk(fn.block):
            for v in op.operands:
                self.readers[v].append(op)

    # --- through the body -------------------------------------------------------------------------

    def branch(self, block: Block, values: list[Value]) -> If | None:
        """The branch in `block` that decides what one of `values` is."""
        for v in values:
            if isinstance(v.owner, If) and self.nesting.block_of[v.owner] is block:
                return v.owner
        return None

    def ends(self, op: Loop, *yields: Value) -> Iterator[list[Value]]:
        """What `yields` of the body are on each way."""
        work = [(op.body, [*yields])]
        while work:
            block, values = work.pop()
            branch = self.branch(block, values)
            if branch is None:
                yield values
                continue
            for arm in branch.blocks:
                work.append((arm, [through(branch, arm, v) for v in values]))

    def comes_back(self, op: Loop, k: int) -> bool:
        """Whether each iteration that goes on hands on what there was before the loop."""
        same = (op.inits[k], *params(op, k))
        ends = self.ends(op, op.body.yields[-1], op.body.yields[k])
        return all(core.constant(stop) is True or v in same for stop, v in ends)

    def flag(self, op: Loop, k: int) -> dict[Value, Any]:
        """What the flag that is carried as the `k`-th value is known to be on some ways."""
        if k < 0 or not self.comes_back(op, k):
            return {}
        return dict.fromkeys(params(op, k), core.constant(op.inits[k]))

    # --- after the loop ---------------------------------------------------------------------------

    def wanted(self, op: Loop) -> list[tuple[int, Wanted]]:
        """The results of `op` that are not read everywhere, by what flags say."""
        found: list[tuple[int, Wanted]] = []
        for k, r in enumerate(op.results):
            arms = [self.arms(reader, op) for reader in self.readers[r]]
            common = arms[0].intersection(*arms[1:]) if arms else {NOWHERE}
            if is_endless(op):
                common = common or {STOPPED}
            found += [(k, want) for want in common if want.flag != k][:1]
        return found

    def arms(self, op: Op, loop: Loop) -> set[Wanted]:
        """The arms that `op` stands in, of branches on results of `loop`."""
        found: set[Wanted] = set()
        block = self.nesting.block_of[op]
        while (outer := self.nesting.op_of.get(block)) is not None:
            if isinstance(outer, If):
                found.update(asked(outer, block, loop))
            block = self.nesting.block_of[outer]
        return found

    # --- rewriting --------------------------------------------------------------------------------

    def set_yield(self, block: Block, k: int, v: Value) -> None:
        self.readers[block.yields[k]].remove(block.terminator)
        self.readers[v].append(block.terminator)
        block.yields[k] = v

    def replace(self, old: Value, new: Value) -> None:
        """Let all that reads `old` read `new`."""
        for op in self.readers.pop(old, ()):
            op.operands[:] = [new if v is old else v for v in op.operands]
            self.readers[new].append(op)

    def read(self, op: Op, old: Value, new: Value) -> None:
        """Let `op` read `new` where it reads `old`."""
        count = op.operands.count(old)
        op.operands[:] = [new if v is old else v for v in op.operands]
        for _ in range(count):
            self.readers[old].remove(op)
            self.readers[new].append(op)

    def enter(self, op: Op, block: Block, place: int) -> None:
        """Put a new op, or one from elsewhere, into a block."""
        block.ops.insert(place, op)
        self.nesting.block_of[op] = block

    def undefined(self, block: Block, place: int, t: Type) -> Value:
        """A new value for `block` that nobody looks at."""
        op = core.Undef([], [Value(t)], block.ops[place].loc)
        self.enter(op, block, place)
        return op.result

    def hand_out(self, block: Block, v: Value) -> None:
        """Let `block` yield `v` as well."""
        block.yields.append(v)
        self.readers[v].append(block.terminator)
