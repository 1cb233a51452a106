"""A function in which jumps are jumps again: a private copy, where there is anything to change.

Lowering turned `break` and early `return` into values: a loop body yields whether to stop, a branch
yields what will be returned. Where a branch stands in tail position that is undone here: what
follows it is pushed into its arms, so that each arm ends in its own `Return`, or in a `Yield` and a
`Break` whose condition is then mostly a constant.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adcompile.codegen.kinds import HANDING_ON
from adcompile.codegen.masked import is_masked_product, write_out
from adcompile.ir import core
from adcompile.ir.clone import clone_block, clone_function
from adcompile.ir.core import Block, Function, Op, Value

Loop = core.For | core.While


@dataclass(eq=False, slots=True)
class Break(core.Op):
    """After the `Yield` of a block in tail position of a loop: [stop], leave the loop if true."""


def end_of(block: Block) -> Op:
    """The `Yield` or `Return` of a block."""
    last = block.ops[-1]
    return block.ops[-2] if isinstance(last, Break) else last


@dataclass(eq=False, slots=True)
class Prepared:
    """A function to make a text of.

    `pushed` has, for each branch that now ends the iterations of a loop, what its results are.
    """

    fn: Function
    pushed: list[tuple[core.If, list[Value]]] = field(default_factory=list)


def prepare(fn: Function) -> Prepared:
    products = any(map(is_masked_product, core.walk(fn.block)))
    if not products and not any(type(op) in HANDING_ON for op in fn.block.ops):
        return Prepared(fn)  # no jumps, and no buffer that would have to be copied before a write
    prepared = Prepared(clone_function(fn))
    write_out(prepared.fn.block)
    _join_writes(prepared.fn.block)
    _push_returns(prepared.fn.block)
    stopping = [op for op in core.walk(prepared.fn.block) if isinstance(op, Loop) and op.stops]
    read = core.use_counts(prepared.fn.block) if stopping else {}
    for op in stopping:
        _push_stops(op, prepared, [v in read for v in op.results])
    return prepared


def _join_writes(root: Block) -> None:
    """What was written over is read under its own name: from here on, the order of lines counts."""
    new: dict[Value, Value] = {}
    for op in core.walk(root):
        if isinstance(op, core.Write):
            new[op.result] = op.operands[0]
            op.results = []
    core.substitute(root, new)


def _tail_branch(block: Block, before: Op) -> tuple[core.If, list[Op]] | None:
    """The `if` statement that `block` ends in, and what follows it up to the op `before`."""
    rest: list[Op] = []
    for op in reversed(block.ops[: block.ops.index(before)]):
        if isinstance(op, core.If):
            return (op, rest[::-1]) if op.form == "if" else None
        if not isinstance(op, core.Const | core.Make | core.Undef):
            return None
        rest.append(op)
    return None


def _used_only_by(values: list[Value], users: list[Op], root: Block) -> bool:
    """Whether no op of `root` but `users` reads any of `values` (all stand in `root` itself)."""
    own = set(values)
    inside = set(users)
    return not any(v in own for op in root.ops if op not in inside for v in op.operands)


def _push_returns(block: Block) -> None:
    work = [block]
    while work:
        block = work.pop()
        ret = block.ops[-1]
        found = _tail_branch(block, ret) if isinstance(ret, core.Return) else None
        if found is None:
            continue
        branch, rest = found
        if not branch.results or any(r.name for r in branch.results):
            continue
        if not _used_only_by(branch.results, [*rest, ret], block):
            continue
        for arm in branch.blocks:
            mapping = dict(zip(branch.results, end_of(arm).operands))
            tail = clone_block(Block([], [*rest, ret]), mapping).ops
            for op in tail:  # the user's own `return`, as far as one can see
                op.loc = arm.ops[-2].loc if len(arm.ops) > 1 else op.loc
            arm.ops[-1:] = tail
            work.append(arm)
        branch.results = []
        block.ops[block.ops.index(branch) + 1 :] = [core.Yield([], [], ret.loc, ret.order)]


def _push_stops(loop: Loop, prepared: Prepared, read: list[bool]) -> None:
    """Move the stop flag that the body of `loop` yields last to where it is decided.

    There the results that are not `read` get no value any more.
    """
    work = [loop.body]
    while work:
        block = work.pop()
        end = end_of(block)
        stop = end.operands.pop()
        if core.constant(stop, None) is False:
            continue
        found = _tail_branch(block, end)
        if found is not None and _pushable(*found, stop, end, block):
            branch, rest = found
            others = [op for op in block.ops if op not in rest]
            place = others.index(branch)
            block.ops[:] = [*others[:place], *rest, *others[place:]]  # the arms read it now
            yields = [*end.operands, stop]
            for arm in branch.blocks:
                new = dict(zip(branch.results, end_of(arm).operands))
                end_of(arm).operands = [new.get(v, v) for v in yields]
                work.append(arm)
            branch.results = [Value(v.type, v.name, branch) for v in end.operands]
            end.operands = list(branch.results)
            prepared.pushed.append((branch, loop.results))
        else:
            if core.constant(stop, None) is True:
                _forget(block, end, [k for k, wanted in enumerate(read) if not wanted])
            block.ops.append(Break([stop], [], end.loc, end.order))


def _forget(block: Block, end: Op, slots: list[int]) -> None:
    for k in slots:
        nothing = Value(end.operands[k].type)
        block.ops.insert(block.ops.index(end), core.Undef([], [nothing], end.loc, end.order))
        end.operands[k] = nothing


def _pushable(branch: core.If, rest: list[Op], stop: Value, end: Op, block: Block) -> bool:
    """Whether `branch` decides on `stop` and does nothing else that is used elsewhere."""
    if stop not in branch.results or any(isinstance(op, core.Make) for op in rest):
        return False
    return _used_only_by(branch.results, [end], block)
