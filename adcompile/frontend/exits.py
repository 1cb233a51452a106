"""What a loop that can stop early carries: `return` in it as if `break` had been written.

Of `for …: if done: return new`, lowering makes a flag and a value, which are read after the loop
where the flag is set, and are carried until then. Much of it is carried for nothing: what each
iteration that goes on hands on as it came is what it was before the loop, and what is read after
the loop where a flag is set may be anything on the ways that do not set it. A sweep back would take
derivatives through all of that.
"""

from __future__ import annotations

from adcompile.frontend import late, prune
from adcompile.frontend.ways import Loop, Wanted, Ways, condition, has_run, params, through
from adcompile.ir import core
from adcompile.ir.core import Block, For, Function, If, Op, Value, While
from adcompile.passes.cse import Numbering


def run(fn: Function) -> None:
    """Simplify what the loops of `fn` that can stop early carry, and prune it."""
    if loops := _stopping(fn):
        _simplify(fn, loops)
    prune.run(fn)


def _simplify(fn: Function, loops: list[Loop]) -> None:
    ways = Ways(fn)
    for op in loops:  # outer ones first: what they want says what is read of the inner ones
        _tell_apart(ways, op)
    for op in reversed(loops):
        _take_first(ways, op)
    for op in loops:
        _drop_undefined(ways, op)
        for k, want in ways.wanted(op):
            if not _is_only_handed_out(ways, op, k):
                _relax(ways, op, k, want)
    prune.run(fn)
    loops, ways = _stopping(fn), Ways(fn)
    for op in reversed(loops):
        for k, want in ways.wanted(op):
            late.compute(ways, op, k, want)
    for op in loops:
        for k, want in ways.wanted(op):
            _share(ways, op, k, want)
        _merge_what_follows(ways, op)


def _stopping(fn: Function) -> list[Loop]:
    return [op for op in core.walk(fn.block) if isinstance(op, For | While) and op.stops]


def _tell_apart(ways: Ways, op: Loop) -> None:
    """Where a loop in `op` decides whether `op` stops, let its results depend on that as well."""
    branch = ways.branch(op.body, op.body.yields[-1:])
    inner = None if branch is None else condition(branch).owner
    if branch is None or not isinstance(inner, Loop) or inner not in op.body.ops:
        return
    for k, y in enumerate(op.body.yields[:-1]):
        known = y.owner is not inner or y is condition(branch)
        if not known and ways.comes_back(inner, inner.results.index(y)):
            for arm in branch.blocks:
                ways.hand_out(arm, y)
            branch.results.append(Value(y.type, y.name, branch))
            ways.set_yield(op.body, k, branch.results[-1])


def _take_first(ways: Ways, op: Loop) -> None:
    """Where a flag says that `op` was not stopped, what comes back is what there was before."""
    unstopped = {
        Wanted(j, first)
        for j, first in enumerate(map(core.constant, op.inits))
        if isinstance(first, bool)
        and all(
            core.constant(stop) is False or core.constant(flag) is (not first)
            for stop, flag in ways.ends(op, op.body.yields[-1], op.body.yields[j])
        )
    }
    for k, (r, init) in enumerate(zip(op.results, op.inits, strict=True)):
        if unstopped and ways.comes_back(op, k):
            for reader in set(ways.readers[r]):
                if not unstopped.isdisjoint(ways.arms(reader, op)):
                    ways.read(reader, r, init)


def _drop_undefined(ways: Ways, op: Loop) -> None:
    """What was undefined before the loop is so in each iteration that does not end it."""
    for k, init in enumerate(op.inits):
        if isinstance(init.owner, core.Undef) and ways.comes_back(op, k):
            for p in params(op, k):
                ways.replace(p, init)


def _relax(ways: Ways, op: Loop, k: int, want: Wanted) -> None:
    """Let the `k`-th yield be what is simplest, on the ways on which nobody reads it."""
    unread = not any(ways.readers[p] for p in params(op, k))
    places = [(op.body, k, op.body.yields[-1], op.body.yields[want.flag])]
    for block, at, stop, flag in places:  # grows: the arms of a branch come after it
        y = block.yields[at]
        branch = ways.branch(block, [y])
        if branch is not None and len(ways.readers[y]) == 1:
            i = branch.results.index(y)
            for arm in branch.blocks:
                places.append((arm, i, through(branch, arm, stop), through(branch, arm, flag)))
    known = ways.flag(op, want.flag)
    free: set[tuple[Block, int]] = set()
    for block, at, stop, flag in reversed(places):
        elsewhere = known.get(flag, core.constant(flag)) is (not want.value)
        if elsewhere and (unread or core.constant(stop) is True):
            free.add((block, at))
            continue
        y = block.yields[at]
        branch = ways.branch(block, [y])
        if branch is not None:
            i = branch.results.index(y)
            found = {arm.yields[i] for arm in branch.blocks if (arm, i) not in free}
            v = found.pop() if found else y
            if not found and ways.nesting.defining_block(v) not in branch.blocks:
                ways.set_yield(block, at, v)


def _share(ways: Ways, op: Loop, k: int, want: Wanted) -> None:
    """Read another result that is the same after each iteration, if it is read after any."""
    if not has_run(op, want) or not _is_only_handed_out(ways, op, k):
        return
    found = _the_same(ways, op, k, want)
    if found:
        named = (other for other, v in found if other.name == v.name)
        readers = list(ways.readers[op.results[k]])
        ways.replace(op.results[k], next(named, found[0][0]))
        _join(ways, readers)


def _the_same(ways: Ways, op: Loop, k: int, want: Wanted) -> list[tuple[Value, Value]]:
    """The results that are the `k`-th one wherever that is read, with what they are in the body."""
    known, found = ways.flag(op, want.flag), list[tuple[Value, Value]]()
    flag, y = op.body.yields[want.flag], op.body.yields[k]
    for other, init, v in zip(op.results, op.inits, op.body.yields, strict=False):
        if isinstance(init.owner, core.Undef) or other.type != op.results[k].type:
            continue
        ends = [
            (a, b)
            for f, a, b in ways.ends(op, flag, y, v)
            if known.get(f, core.constant(f)) is not (not want.value)
        ]
        if ends and all(a is b for a, b in ends):
            found.append((other, ends[0][0]))
    return found


def _is_only_handed_out(ways: Ways, op: Loop, k: int) -> bool:
    """Whether a carried value is there for what follows `op` alone."""
    read = any(ways.readers[p] for p in params(op, k))
    return isinstance(op.inits[k].owner, core.Undef) and not read


def _join(ways: Ways, yields: list[Op]) -> None:
    """Results of branches that have become the same value in both arms are that value."""
    for op in yields:  # grows
        branch = ways.nesting.op_of.get(ways.nesting.block_of[op])
        if isinstance(op, core.Yield) and isinstance(branch, If):
            for i, r in enumerate(branch.results):
                a, b = (arm.yields[i] for arm in branch.blocks)
                if a is b:
                    yields += ways.readers[r]
                    ways.replace(r, a)


def _merge_what_follows(ways: Ways, op: Loop) -> None:
    """A branch on how `op` ended, both arms of which do the same, is what they do."""
    for branch in [reader for r in op.results for reader in ways.readers[r]]:
        if not isinstance(branch, If):
            continue
        numbering, home = Numbering(), ways.nesting.block_of[branch]
        inner = [o for arm in branch.blocks for o in arm.ops[:-1]]
        then, orelse = branch.blocks
        pairs = list(zip(then.yields, orelse.yields, strict=True))
        plain = all(numbering.enter(o) is not None for o in inner)
        if plain and pairs and all(numbering.number(a) == numbering.number(b) for a, b in pairs):
            place = home.ops.index(branch)
            for o in reversed(orelse.ops[:-1]):
                ways.enter(o, home, place)
            orelse.ops[:-1] = []
            for r, y in zip(branch.results, list(orelse.yields), strict=True):
                ways.replace(r, y)
