"""Reverse mode: SSA in, SSA with a backward sweep behind it out.

The backward sweep is built block by block, last op first (Griewank & Walther, "Evaluating
Derivatives", 2008, chapter 6; for structured control flow Innes, "Don't unroll adjoint", 2018).
`if` becomes an `if` on the same condition, a loop becomes a loop over the same iterations in
reverse. Everything is built as if every primal value were at hand: what must really cross from the
forward to the backward sweep is decided afterwards (`saved.py`), which `Sweep.links` makes
possible: it tells which primal op each backward control-flow op belongs to.

Zero is the absence of an entry. A block's own adjoints live in its `Frame`; contributions to values
of enclosing blocks are threaded through: an arm of an `if` starts from the adjoint outside it, a
loop carries an accumulator.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from adcompile import errors, runtime
from adcompile.ad import cotangents as cot
from adcompile.ad.marks import PLAIN, Mark, Marks
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.types import SAVED, Scalar, Seq, Tree, Type, carries_derivative

Path = tuple[Hashable, ...]  # to a leaf of a tree value; () for the value itself


@dataclass(eq=False, slots=True)
class Sweep:
    """What one differentiation knows of its function."""

    active: set[Value]
    home: dict[Value, Block]  # the primal block that defines each value
    order: int
    links: dict[Op, Op] = field(default_factory=dict)  # backward control flow → its primal op
    names: dict[tuple[Value, Path], str] = field(default_factory=dict)  # users' names of leaves
    seeds: list[Value] = field(default_factory=list)  # where the sweep starts
    pairs: dict[tuple[Function, tuple[int, ...], tuple[int, ...], Mark], Any] = field(
        default_factory=dict
    )  # see invoke.py
    incoming: Mark = PLAIN  # of the cotangents that it starts from
    marks: Marks | None = None  # of its values, where there is a mask

    def adopt(self, block: Block) -> None:
        """Make the values of `block` known."""
        for inner in core.walk_blocks(block):
            self.home.update((p, inner) for p in inner.params)
            self.home.update((r, inner) for op in inner.ops for r in op.results)


@dataclass(eq=False, slots=True)
class Frame:
    """The adjoints seen from one primal block, and the backward block under construction."""

    sweep: Sweep
    block: Block  # primal
    builder: Builder
    parent: Frame | None = None
    loop: bool = False
    adj: dict[Value, dict[Path, Value]] = field(default_factory=dict)
    accumulators: dict[tuple[Value, Path], Value] = field(default_factory=dict)

    def get(self, v: Value, path: Path = ()) -> Value | None:
        """The adjoint so far of a leaf of `v`, or None for zero."""
        found = self.adj.get(v)
        d = None if found is None else found.get(path)
        if d is not None or self.parent is None or self.sweep.home.get(v) is self.block:
            return d
        if not self.loop:
            return self.parent.get(v, path)
        param = Value(leaf(v, path), self.name(v, path))
        self.accumulators[v, path] = param
        self.put(v, path, param)
        return param

    def put(self, v: Value, path: Path, d: Value) -> None:
        self.adj.setdefault(v, {})[path] = d

    def pop(self, v: Value) -> dict[Path, Value]:
        """All adjoints of `v`, which is defined here: they are complete, and forgotten."""
        return self.adj.pop(v, {})

    def full(self, v: Value, path: Path = ()) -> Value:
        """The adjoint of a leaf of `v` in its full shape, zeros if need be."""
        b, d = self.builder, self.get(v, path)
        if leaf(v, path) == SAVED:
            return b.undef(SAVED) if d is None else d
        if isinstance(leaf(v, path), Seq):
            if d is None:
                like, rest = project(b, v, path)
                d = b.call_op(runtime.zeros_like, [like, *rest], types=[leaf(v, path)]).result
            return self.named(d, v, path)
        like, _ = project(b, v, path)
        d = cot.zeros(b, like) if d is None else cot.materialize(b, d, like)
        if isinstance(like.type, Scalar) and cot.is_narrow(d.type):
            d = b.call(float, d)  # what is carried as a Python number is one
        return self.named(d, v, path)

    def add(self, v: Value, d: Value | None, path: Path = ()) -> None:
        """Add `d` to the adjoint of a leaf of `v`; a tree-typed `d` is added leaf by leaf."""
        if d is None or v not in self.sweep.active:
            return
        t = leaf(v, path)
        if isinstance(t, Tree):
            self._add_tree(v, d, path)
            return
        if isinstance(t, Seq) and isinstance(t.item, Tree):
            raise errors.MissingRule("a list of tuples or dicts is no argument for a derivative")
        if not carries_derivative(t):
            return
        d = cot.cast(self.builder, d, t)
        d = cot.add(self.builder, self.get(v, path), d)
        self.put(v, path, self.named(d, v, path))

    def _add_tree(self, v: Value, d: Value, path: Path) -> None:
        tree = leaf(v, path)
        assert isinstance(tree, Tree)
        if d.type == SAVED:  # the cotangents of all leaves, one after the other
            paths = leaf_paths(tree)
            parts = self.builder.add(core.Unpack, [d], [_leaf_type(tree, p) for p in paths])
            for inner, part in zip(paths, parts.results, strict=True):
                self.add(v, part, (*path, *inner))
            return
        for k, key in enumerate(tree.keys):
            if isinstance(d.owner, core.Make):
                child = d.owner.operands[k]
            elif isinstance(d.type, Tree):
                child = self.builder.item(d, d.type.keys[k])
            else:  # an array stands for the sequence of its rows
                child = self.builder.index(d, ("value",), [k])
            if core.constant(child, core.MISSING) is not None:
                self.add(v, child, (*path, key))

    def name(self, v: Value, path: Path) -> str | None:
        name = self.sweep.names.get((v, path)) or v.name
        if path and (v, path) not in self.sweep.names:
            key = path[-1]
            name = key if isinstance(key, str) and key.isidentifier() else name and f"{name}_{key}"
        return f"d_{name}" if name else None

    def named(self, d: Value, v: Value, path: Path = ()) -> Value:
        """Give `d` the name of the adjoint that it is, unless it has one or is a primal value."""
        if d.name is None and d not in self.sweep.home and not isinstance(d.owner, core.Const):
            d.name = self.name(v, path)
        return d


def leaf(v: Value, path: Path) -> Type:
    """The type of a leaf of `v`.

    A list of trees has one adjoint for each leaf of its items: a list, too.
    """
    return _leaf_type(v.type, path)


def _leaf_type(t: Type, path: Path) -> Type:
    for k, key in enumerate(path):
        if isinstance(t, Seq):
            return Seq(_leaf_type(t.item, path[k:]))
        assert isinstance(t, Tree)
        t = t.child(key)
    return t


def leaf_paths(t: Type) -> list[Path]:
    """The paths to all leaves that may have an adjoint."""
    if isinstance(t, Seq):
        return leaf_paths(t.item)
    if isinstance(t, Tree):
        return [
            (key, *path)
            for key, item in zip(t.keys, t.items, strict=True)
            for path in leaf_paths(item)
        ]
    return [()] if carries_derivative(t) else []


def project(b: Builder, v: Value, path: Path) -> tuple[Value, Path]:
    """What a tree holds at `path`, as far as there is no list, and the rest of the path.

    In that, `...` stands for all items of a list.
    """
    for k, key in enumerate(path):
        if isinstance(v.type, Seq):
            return v, _through_lists(v.type.item, path[k:])
        v = b.item(v, key)
    return v, ()


def _through_lists(t: Type, path: Path) -> Path:
    found: list[Hashable] = []
    for key in path:
        while isinstance(t, Seq):
            found.append(...)
            t = t.item
        assert isinstance(t, Tree)
        found.append(key)
        t = t.child(key)
    return tuple(found)


def gradient_of(frame: Frame, p: Value, path: Path) -> Value:
    """The gradient with the tree structure, shape and dtype of a leaf or subtree of `p`."""
    t, b = leaf(p, path), frame.builder
    if isinstance(t, Tree):
        items = [gradient_of(frame, p, (*path, key)) for key in t.keys]
        return b.make(t.node, t.keys, items)
    if not carries_derivative(t):
        return b.const(None)
    return cot.exact(b, frame.full(p, path), t)


# --- the sweep over a block ---------------------------------------------------------------------

Handler = Callable[[Frame, Any], None]
ADJOINTS: dict[type[Op], Handler] = {}


def handles(*classes: type[Op]) -> Callable[[Handler], Handler]:
    """Register how ops of these classes hand their adjoints on."""

    def register(handler: Handler) -> Handler:
        ADJOINTS.update(dict.fromkeys(classes, handler))
        return handler

    return register


def sweep_ops(frame: Frame, ops: Sequence[Op]) -> None:
    """Add the adjoints of `ops`, last one first."""
    base = frame.builder
    for op in reversed(ops):
        if any(r in frame.adj for r in op.results):
            frame.builder = base.at(op.loc)
            ADJOINTS.get(type(op), _no_adjoint)(frame, op)
    frame.builder = base


def _no_adjoint(frame: Frame, op: Op) -> None:
    raise errors.MissingRule(
        f"{type(op).__name__} cannot be differentiated in reverse mode", op.loc
    )
