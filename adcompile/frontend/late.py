"""What one way out of a loop computes, to be read after the loop, is computed after the loop.

Of `for …: if done: return np.sum(x)` the sum leaves the loop, which then hands out `x`, as if
`break` had been written. In the loop, each iteration of the sweep back would have to know `x`, and
whether it was the one that returned.
"""

from __future__ import annotations

import operator
from typing import NamedTuple

from adcompile.frontend.ways import Loop, Wanted, Ways, asked, has_run, through
from adcompile.ir import core
from adcompile.ir.core import Block, If, Op, Value
from adcompile.ir.effects import has_effect
from adcompile.ir.infer.sizes import atoms
from adcompile.ir.types import Array, Scalar, Type
from adcompile.passes.structure import STRUCTURED, is_pure


class _Way(NamedTuple):
    """A way through the branches at the end of a body: the arms, outer ones first.

    The last of them yields the value in question as its `at`-th.
    """

    arms: tuple[tuple[If, Block], ...]
    at: int

    @property
    def arm(self) -> Block:
        return self.arms[-1][1]


def compute(ways: Ways, op: Loop, k: int, want: Wanted) -> None:
    """Move what computes the `k`-th result of `op` to where that is read, if one way out does."""
    if not has_run(op, want):
        return
    way, target = _way_out(ways, op, k, want), _reader(ways, op, k)
    if way is None or target is None or any(map(has_effect, way.arm.ops)):
        return
    y, moved = way.arm.yields[way.at], _only_for(ways, way)
    if y.owner not in moved or y.type != op.results[k].type:
        return
    made = [r for o in moved for r in o.results]
    if any(not _is_before(ways, a, op) for r in made for a in _sizes(r.type)):
        return
    reads = dict.fromkeys(v for o in moved for v in o.operands)
    inside = [v for v in reads if v not in made and _is_inside(ways, v, op)]
    slots = {v: _slot(op, v, way) for v in inside if not isinstance(v.owner, core.Const)}
    if any(j is None and not _is_number(v.type) for v, j in slots.items()):
        return
    new = {v: _carry(ways, op, v, way) if j is None else op.results[j] for v, j in slots.items()}
    for v in inside:
        if isinstance(v.owner, core.Const):
            again = core.Const([], [Value(v.type, v.name)], v.owner.loc, value=v.owner.value)
            moved.insert(0, again)
            new[v] = again.result
    ways.set_yield(way.arm, way.at, ways.undefined(way.arm, len(way.arm.ops) - 1, y.type))
    way.arm.ops[:] = [o for o in way.arm.ops if o not in moved]
    for o in reversed(moved):
        ways.enter(o, target, 0)
        for v in new:
            if v in o.operands:
                ways.read(o, v, new[v])
    ways.replace(op.results[k], y)


def _way_out(ways: Ways, op: Loop, k: int, want: Wanted) -> _Way | None:
    """The way on which the flag is set, if there is one alone, and the loop ends with it."""
    known = ways.flag(op, want.flag)
    found: list[_Way] = []
    work = [(op.body, op.body.yields[want.flag], op.body.yields[-1], _Way((), k))]
    while work:
        block, flag, stop, way = work.pop()
        value, y = known.get(flag, core.constant(flag)), block.yields[way.at]
        if value is (not want.value):
            continue
        if value is want.value and core.constant(stop) is True:
            found.append(way)
            continue
        branch = ways.branch(block, [y])
        if branch is None or len(ways.readers[y]) > 1:
            return None
        for arm in branch.blocks:
            inner = _Way((*way.arms, (branch, arm)), branch.results.index(y))
            work.append((arm, through(branch, arm, flag), through(branch, arm, stop), inner))
    return found[0] if len(found) == 1 and found[0].arms else None


def _reader(ways: Ways, op: Loop, k: int) -> Block | None:
    """The arm of a branch next to `op`, on a result of it, that alone reads the `k`-th one."""
    home = ways.nesting.block_of[op]
    found: set[tuple[Op, Block]] = set()
    for reader in ways.readers[op.results[k]]:
        block = ways.nesting.block_of[reader]
        outer, inner = reader, block
        while block is not home:
            outer, inner = ways.nesting.op_of[block], block
            block = ways.nesting.block_of[outer]
        found.add((outer, inner))
    if len(found) != 1:
        return None
    ((branch, arm),) = found
    if not isinstance(branch, If) or not asked(branch, arm, op):
        return None
    between = home.ops[home.ops.index(op) + 1 : home.ops.index(branch)]
    return arm if all(map(_is_nothing, between)) else None


def _is_nothing(op: Op) -> bool:
    is_not = isinstance(op, core.Call) and op.fn is operator.not_
    return is_not or isinstance(op, core.Const | core.Undef)


def _only_for(ways: Ways, way: _Way) -> list[Op]:
    """The ops in the last arm of `way` that compute its value and nothing else."""
    found: dict[Op, None] = {}
    end = way.arm.terminator
    for op in reversed(way.arm.ops[:-1]):
        if type(op) in STRUCTURED or not is_pure(op):
            continue
        readers = [reader for r in op.results for reader in ways.readers[r]]
        others = [reader for reader in readers if reader not in found]
        if readers and (not others or (others == [end] and end.operands[way.at] in op.results)):
            found[op] = None
    return list(found)[::-1]


def _is_before(ways: Ways, atom: object, op: Loop) -> bool:
    """Whether a size, or a value that one is made of, is known to be there before `op`."""
    if not isinstance(atom, Value):
        return True
    owner = atom.owner
    here = owner is ways.root or owner in ways.nesting.op_of or owner in ways.nesting.block_of
    return here and not _is_inside(ways, atom, op)


def _is_inside(ways: Ways, v: Value, op: Loop) -> bool:
    """Whether the value `v` is made in an iteration of `op`."""
    block = ways.nesting.defining_block(v)
    while (outer := ways.nesting.op_of.get(block)) is not None:
        if outer is op:
            return True
        block = ways.nesting.block_of[outer]
    return False


def _is_number(t: Type) -> bool:
    return isinstance(t, Scalar) or (isinstance(t, Array) and not t.rank)


def _sizes(t: Type) -> list[object]:
    return [a for n in t.shape for a in atoms(n)] if isinstance(t, Array) else []


def _slot(op: Loop, v: Value, way: _Way) -> int | None:
    """Which of the carried values is `v` on this way."""
    for j, (r, y) in enumerate(zip(op.results, op.body.yields, strict=False)):
        for branch, arm in way.arms:
            y = through(branch, arm, y)
        if y is v and r.type == v.type:
            return j
    return None


def _carry(ways: Ways, op: Loop, v: Value, way: _Way) -> Value:
    """A new result of `op` that is `v` on this way."""
    y = v
    for branch, arm in reversed(way.arms):
        if ways.nesting.defining_block(y) in branch.blocks:
            for block in branch.blocks:
                last = len(block.ops) - 1
                ways.hand_out(block, y if block is arm else ways.undefined(block, last, y.type))
            y = Value(v.type, v.name, branch)
            branch.results.append(y)
    home = ways.nesting.block_of[op]
    op.operands.append(ways.undefined(home, home.ops.index(op), v.type))
    for block in op.blocks:
        block.params.append(Value(v.type, v.name, block))
    op.body.yields.insert(len(op.results), y)
    ways.readers[y].append(op.body.terminator)
    op.results.append(Value(v.type, v.name, op))
    return op.results[-1]
