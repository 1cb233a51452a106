"""What targets take over: a loop's header, a nested unpacking, a parallel assignment."""

from __future__ import annotations

from adcompile.codegen.kinds import Loop
from adcompile.codegen.nesting import Header, Nesting
from adcompile.codegen.tails import end_of
from adcompile.ir import core
from adcompile.ir.core import Block, Op, Value
from adcompile.ir.types import Array

MAX_ROTATED = 4  # values in one parallel assignment


def joins(plan: Nesting, op: core.Unpack, previous: Op | None) -> bool:
    """Whether `op` unpacks a part of what the previous line unpacks: `(a, b), c = t`."""
    (v,) = op.operands
    owner = v.owner
    while isinstance(owner, core.Unpack) and owner in plan.absorbed:
        owner = owner.operands[0].owner
    return owner is previous and isinstance(owner, core.Unpack) and len(plan.users[v]) == 1


def absorb_items(plan: Nesting, body: Block) -> None:
    """Let the header of the loop around `body` take over the reads of its items."""
    loop = plan.around[body][0] if body in plan.around else None
    if not isinstance(loop, core.For):
        return
    item = body.params[0]
    first = [op for op in body.ops if not isinstance(op, core.Const)]
    if loop.over == "seq":
        known = {item}
        for op in first:
            if not (isinstance(op, core.Unpack) and op.operands[0] in known):
                break
            if len(plan.users[op.operands[0]]) != 1:
                break
            plan.absorbed.add(op)
            known.update(op.results)
        return
    header = plan.headers[loop] = Header(counted=bool(plan.users.get(item)))
    reads: list[core.Index] = []
    for op in first:
        if not (isinstance(op, core.Index) and op.item and op.operands[1] is item):
            break
        reads.append(op)
    if reads and _walks_items(plan, loop, reads, body):
        header.items = [(op.operands[0], op.result) for op in reads]
        header.counted = len(plan.users[item]) > len(reads)
        if loop.reverse and (header.counted or len(reads) > 1):
            header.items, header.counted = [], True
            return
        plan.absorbed.update(reads)


def _walks_items(plan: Nesting, loop: core.For, reads: list[core.Index], body: Block) -> bool:
    """Whether `loop` counts through the arrays that `reads` take items of."""
    start, stop, step = loop.operands[:3]
    if core.constant(start, None) != 0 or core.constant(step, None) != 1:
        return False
    arrays = [op.operands[0] for op in reads]
    if any(not plan.is_outer(a, body) or a in loop.carried for a in arrays):
        return False
    if len(set(arrays)) != len(arrays):
        return False
    length = stop.owner
    if not isinstance(length, core.Call):
        return False
    if length.fn is len and length.operands[0] in arrays:
        return len({_first_size(a) for a in arrays}) == 1
    parts = [v.owner for v in length.operands]
    lens = [p.operands[0] for p in parts if isinstance(p, core.Call) and p.fn is len]
    return length.fn is min and len(lens) == len(parts) and set(lens) == set(arrays)


def rotated(plan: Nesting, body: Block) -> set[Value]:
    """Yields that are computed where values change places: `a, b = b, a + b`.

    They are those that would overwrite a carried value which others of them still read.
    """
    loop = plan.around[body][0] if body in plan.around else None
    if not isinstance(loop, Loop) or body is not loop.body:
        return set()
    end = end_of(body)
    slots = list(zip(end.operands, loop.carried, loop.results))
    movable: dict[Op, Value] = {
        y.owner: y
        for y, p, r in slots
        if isinstance(y.owner, core.Call | core.Index)
        and plan.home[y.owner] is body
        and plan.users[y] == [end]
        and not plan.has_effect(y.owner)
        and y.name in (None, p.name, r.name)
    }
    if not movable:
        return set()
    at = {op: k for k, op in enumerate(body.ops)}
    found: set[Value] = set()
    for y, p, _ in slots:
        if y.owner not in movable:
            continue
        later = [u for u in plan.users.get(p, ()) if at.get(u, len(at)) > at[y.owner]]
        heads = {_reader(plan, u, movable, end) for u in later}
        if later and None not in heads and len(heads) < MAX_ROTATED:
            found.update((y, *(movable[h] for h in heads if h in movable)))
    return found


def _reader(plan: Nesting, op: Op, movable: dict[Op, Value], end: Op) -> Op | None:
    """The movable op (or `end`) that `op` would be nested in."""
    while op is not end and op not in movable:
        if len(op.results) != 1 or op.results[0].name or plan.home[op] is not plan.home[end]:
            return None
        users = plan.users.get(op.results[0], ())
        if len(users) != 1:
            return None
        (op,) = users
    return op


def _first_size(v: Value) -> object:
    return v.type.shape[0] if isinstance(v.type, Array) and v.type.shape else v
