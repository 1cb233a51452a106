"""What passes ask of a function: what encloses what, what has effects, what is pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.effects import acts, may_raise

STRUCTURED = core.STRUCTURED

# Functions that give a new buffer, which may be written to later: two calls are two buffers.
_LIKE = ("zeros", "ones", "empty", "full")
_MAKERS = {*_LIKE, *(f"{name}_like" for name in _LIKE), "copy", "array"}

_WRITTEN = {core.NewSeq, core.Append, core.Pop, core.Update}
_PURE = {core.Const, core.Global, core.Undef, core.Index, core.Make, core.Item, core.Unpack}
_PURE |= {*_WRITTEN, core.Partial}


def is_maker(op: Op) -> bool:
    """Whether each run of `op` makes a buffer or list of its own, to be written to."""
    if isinstance(op, core.Call):
        return getattr(op.fn, "__name__", "") in _MAKERS
    if isinstance(op, core.Make):
        return op.result.type.node is not tuple  # type: ignore[union-attr]
    return type(op) in _WRITTEN


def is_pure(op: Op) -> bool:
    """Whether `op` computes its results and does nothing else (an op without blocks)."""
    if isinstance(op, core.Call):
        return not op.effect
    return type(op) in _PURE


@dataclass(eq=False, slots=True)
class Nesting:
    """Which block an op stands in, and which op a block belongs to."""

    block_of: dict[Op, Block] = field(default_factory=dict)
    op_of: dict[Block, Op] = field(default_factory=dict)

    @staticmethod
    def of(root: Block) -> Nesting:
        nesting = Nesting()
        for block in core.walk_blocks(root):
            nesting.block_of.update(dict.fromkeys(block.ops, block))
            for op in block.ops:
                if type(op) in STRUCTURED:
                    nesting.op_of.update((inner, op) for inner in op.blocks)
        return nesting

    def parent(self, op: Op) -> Op | None:
        """The op that `op` stands in."""
        return self.op_of.get(self.block_of[op])

    def with_parents(self, ops: Iterable[Op]) -> set[Op]:
        """`ops` and all that encloses them."""
        found: set[Op] = set()
        for op in ops:
            while op not in found:
                found.add(op)
                outer = self.parent(op)
                if outer is None:
                    break
                op = outer
        return found

    def defining_block(self, v: Value) -> Block:
        return v.owner if isinstance(v.owner, Block) else self.block_of[v.owner]  # type: ignore[index]


def effects(fn: Function, nesting: Nesting) -> set[Op]:
    """The ops of `fn` that have an effect, or hold one that has."""
    found = [op for op in nesting.block_of if acts(op)]
    invokes = [op for op in nesting.block_of if isinstance(op, core.Invoke)]
    if invokes:
        impure = _impure_functions(fn)
        found += [op for op in invokes if op.callee in impure]
    for op in dict.fromkeys(nesting.op_of.values()):
        if isinstance(op, core.Try):
            found += guarded(op)
    return nesting.with_parents(found)


def guarded(op: core.Try) -> list[Op]:
    """What of the program may raise in the body of a `try`: that decides which path is taken."""
    inside = core.walk(op.body)
    return [o for o in inside if o.order <= op.order and type(o) not in STRUCTURED and may_raise(o)]


def _impure_functions(root: Function) -> set[Function]:
    """The functions that `root` may invoke and that, or whose callees, have effects."""
    callers: dict[Function, list[Function]] = {}
    impure: set[Function] = set()
    work: list[Function] = []
    for f in core.callees(root):
        for op in core.all_ops(f):
            if isinstance(op, core.Invoke):
                callers.setdefault(op.callee, []).append(f)
            elif acts(op):
                work.append(f)
    while work:
        f = work.pop()
        if f not in impure:
            impure.add(f)
            work.extend(callers.get(f, ()))
    return impure
