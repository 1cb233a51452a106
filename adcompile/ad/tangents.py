"""The walk of forward mode: a function copied op by op, with the tangents of its values.

Structured control flow keeps its structure: branches yield, and loops carry, the tangents of their
values too. A tangent has its value's dtype and shape; zero is the absence of a tangent. The tangent
of a tree is a tuple of its children's tangents, or a value with the tree's layout whose leaves
without derivative are None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from adcompile import errors
from adcompile.ad import cotangents as cot
from adcompile.ad import marks
from adcompile.ad.activity import active_values
from adcompile.ad.tapes import Tapes, tapes
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Op, Param, Value
from adcompile.ir.steps import Steps, run
from adcompile.ir.types import (
    NONE,
    SAVED,
    Array,
    Scalar,
    Seq,
    Tree,
    Type,
    Undefined,
    carries_derivative,
)

Tangent = Value | tuple | None  # None is zero; a tuple has one entry for each child of a tree


def tangent_type(t: Type) -> Type:
    """The type of the tangent of a value of type `t`: None where there is no derivative."""
    match t:
        case Tree(node, keys, items):
            return Tree(node, keys, tuple(map(tangent_type, items)))
        case Seq(item) if carries_derivative(item):
            return Seq(tangent_type(item))
        case Undefined():
            return t
    return t if carries_derivative(t) else NONE


@dataclass(eq=False, slots=True)
class Forward:
    """The functions differentiated so far: by callee, active parameters and their tangents."""

    done: dict[tuple[Function, tuple[int, ...], marks.Mark], Function]

    def function(self, fn: Function, wrt: tuple[int, ...], mark: marks.Mark) -> Function:
        key = fn, wrt, mark
        if key in self.done:
            return self.done[key]
        sources = [fn.block.params[k] for k in wrt]
        block = Block([Value(p.type, p.name) for p in fn.block.params])
        tangents = [dotted(Value(tangent_type(p.type), None, block), p) for p in sources]
        block.params += tangents
        params = list(fn.params)
        for k in wrt:
            params.append(Param(_fresh(f"{fn.params[k].name}_dot", {p.name for p in params})))
        made = self.done[key] = Function(f"{fn.name}_jvp", block, params, fn.doc, fn.loc)
        order = 1 + max((op.order for op in core.walk(fn.block)), default=0)
        made.beside = fn.beside | {order}
        active = active_values(fn, sources, fn.returns)
        new = dict(zip(fn.block.params, block.params, strict=False))
        dots: dict[Value, Tangent] = dict(zip([new[p] for p in sources], tangents, strict=True))
        found = marks.of_tangents(fn, active, dict.fromkeys(sources, mark))
        held = tapes(fn, active)
        active -= {v for v in held.found if held.get(v) is not None}  # their tangents are in them
        sweep = Sweep(self, Builder(block, fn.loc, order), active, found, held, new, dots)
        run(sweep.block(fn.block))
        return made


def _fresh(name: str, taken: set[str]) -> str:
    """`name`, or one like it that is not taken."""
    count = 2
    while name in taken:
        name, count = f"{name.rstrip('0123456789')}{count}", count + 1
    return name


def dotted(dot: Value, v: Value) -> Value:
    """`dot`, named as the tangent of `v` unless it has a name."""
    if dot.name is None and v.name and not isinstance(dot.owner, core.Const):
        dot.name = f"{v.name}_dot"
    return dot


@dataclass(eq=False, slots=True)
class Sweep:
    """The walk over one function: `new` maps its values to copies, `dots` these to tangents."""

    forward: Forward
    b: Builder
    active: set[Value]
    marks: marks.Marks | None
    tapes: Tapes
    new: dict[Value, Value]
    dots: dict[Value, Tangent] = field(default_factory=dict)

    # --- tangents -------------------------------------------------------------------------------

    def dot(self, old: Value) -> Tangent:
        return self.dots.get(self.new[old])

    def put(self, old: Value, t: Tangent) -> None:
        """Record the tangent of a value, in its dtype and shape."""
        v = self.new[old]
        if t is None or not carries_derivative(v.type):
            return
        if isinstance(t, Value) and isinstance(v.type, Array | Scalar):
            t = cot.materialize(self.b, cot.cast(self.b, t, v.type), v)
        self.dots[v] = dotted(t, old) if isinstance(t, Value) and t not in self.new else t

    def full(self, v: Value, t: Tangent, of: Type | None = None, zeros: bool = False) -> Value:
        """A tangent as one value, zeros filled in; None, or with `zeros` 0, without derivative.

        `of` is the type that `v` has together with others: there the integer 0 may be a float.
        """
        b, of = self.b, v.type if of is None else of
        if isinstance(v.type, Undefined) or (v.type == SAVED and t is None):
            return b.undef(v.type)
        if t is None and isinstance(v.owner, core.Undef):
            return b.undef(tangent_type(v.type))
        if isinstance(v.type, Tree):
            types = of.items if isinstance(of, Tree) else v.type.items
            children = [
                self.full(b.item(v, key), self.child(v.type, t, key), item, zeros)
                for key, item in zip(v.type.keys, types, strict=True)
            ]
            return b.make(v.type.node, v.type.keys, children)
        if isinstance(t, Value):
            number = isinstance(v.type, Scalar) and isinstance(t.type, Array)
            return b.call(float, t) if number else t
        if carries_derivative(v.type):
            return cot.zeros(b, v)
        if carries_derivative(of):
            zero = cot.cast(b, cot.zeros(b, v), of)
            zero.type = tangent_type(of) if isinstance(of, Seq) else zero.type
            return zero
        return cot.zeros(b, v) if zeros and isinstance(v.type, Array | Scalar) else b.const(None)

    def child(self, tree: Tree, t: Tangent, key: Any) -> Tangent:
        if isinstance(t, tuple):
            return t[tree.keys.index(key)]
        if t is None or not carries_derivative(tree.child(key)):
            return None
        return self.b.item(t, key)

    def type_of(self, old: Value) -> Type:
        """The type of the copy of `old`: a tape has its tangents in it."""
        tape = self.tapes.get(old)
        return old.type if tape is None else self.tapes.joined(tape, tangent_type)

    # --- blocks ---------------------------------------------------------------------------------

    def block(self, block: Block) -> Steps:
        """Copy the ops of `block` to the end of the builder's, with their tangents."""
        base = self.b
        for op in block.ops:
            self.b = base.at(op.loc)
            if isinstance(op, core.Return):
                values = [self.new[v] for v in op.operands]
                dots = [self.full(self.new[v], self.dot(v)) for v in op.operands]
                dots = [cot.exact(self.b, t, v.type) for t, v in zip(dots, values, strict=True)]
                self.b.return_(*values, *dots)
            elif not isinstance(op, core.Yield):
                handler = TANGENTS.get(type(op))
                if handler is None:
                    name = type(op).__name__
                    raise errors.MissingRule(
                        f"{name} cannot be differentiated in forward mode", op.loc
                    )
                steps = handler(self, op)
                if steps is not None:
                    yield steps
        self.b = base

    def inner(
        self, old: Block, new: Block, params: Sequence[Value] = (), moving: Sequence[bool] = ()
    ) -> Steps:
        """Copy the ops of a nested block into `new`, up to its terminator.

        `moving` tells which of the parameters have a tangent: those follow after all of them.
        """
        outer, self.b = self.b, self.b.into(new)
        for p in params:
            self.new[p] = Value(self.type_of(p), p.name, new)
            new.params.append(self.new[p])
        for p, moves in zip(params, moving):
            if moves:
                t = dotted(Value(tangent_type(p.type), None, new), p)
                new.params.append(t)
                self.dots[self.new[p]] = t
        yield self.block(old)
        self.b = outer

    def finish(
        self, old: Block, new: Block, results: Sequence[Value], moving: Sequence[bool]
    ) -> None:
        """End `new`: yield one value for each of `results`, their tangents, and what comes after.

        `moving` tells which of the results have a tangent.
        """
        outer, self.b = self.b, self.b.into(new)
        ys, end = old.yields, old.terminator
        dots = [
            self.full(self.new[y], self.dot(y), r.type)
            for y, r, moves in zip(ys, results, moving)
            if moves
        ]
        values = [self.new[y] for y in ys]
        self.b.at(end.loc, end.order).yield_(*values[: len(moving)], *dots, *values[len(moving) :])
        self.b = outer

    def copy(self, op: Op, operands: Sequence[Value] | None = None, **fields: Any) -> Op:
        """A copy of `op` in the new block; `fields` replace its blocks."""
        inputs = [self.new[v] for v in op.operands] if operands is None else list(operands)
        made = object.__new__(type(op))
        for name in _slots(type(op)):
            setattr(made, name, fields[name] if name in fields else getattr(op, name))
        made.operands, made.results = inputs, []
        for r in op.results:
            self.new[r] = Value(self.type_of(r), r.name, made)
            made.results.append(self.new[r])
        self.b.block.ops.append(made)
        return made

    def adopt(self, made: Op, results: Sequence[Value], moving: Sequence[bool]) -> None:
        """Add the tangents of these results to those of `made`."""
        for r, moves in zip(results, moving, strict=True):
            if moves:
                t = dotted(Value(tangent_type(r.type), None, made), r)
                made.results.append(t)
                self.dots[self.new[r]] = t


def _slots(cls: type[Op]) -> list[str]:
    return [name for c in cls.__mro__ for name in getattr(c, "__slots__", ())]


def plus(b: Builder, x: Tangent, y: Tangent) -> Tangent:
    if x is None or y is None:
        return x if y is None else y
    assert isinstance(x, Value) and isinstance(y, Value)
    return cot.add(b, x, y)


def children(dots: Sequence[Tangent]) -> Tangent:
    return tuple(dots) if any(t is not None for t in dots) else None


# --- what handles each kind of op ---------------------------------------------------------------

Handler = Callable[[Sweep, Any], Steps | None]
TANGENTS: dict[type[Op], Handler] = {}


def handles(*classes: type[Op]) -> Callable[[Handler], Handler]:
    """Register how ops of these classes are copied, with the tangents of their results."""

    def register(handler: Handler) -> Handler:
        TANGENTS.update(dict.fromkeys(classes, handler))
        return handler

    return register
