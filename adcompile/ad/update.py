"""Behind a backward sweep, the optimizer's update: what makes a gradient a training step.

The update of one leaf is a plain Python function (`adcompile.optim.updates`). It is lowered for the
leaf's type, inlined, and its results are written over the parameter and its state.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adcompile.ad.sweep import Path
from adcompile.frontend.lower import lower_function
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.clone import inline
from adcompile.ir.core import Block, Function, Loc, Param, Stmt, Value
from adcompile.ir.types import FLOAT, NONE, Array, Static, Tree, Type, is_inexact
from adcompile.passes.results import Owner

if TYPE_CHECKING:
    from adcompile.optim.base import Optimizer


def append_update(fn: Function, optimizer: Optimizer) -> list[str]:
    """Turn `fn`, which returns (value, gradients), into a step that returns the value.

    Its first parameter is the tree of parameters. It gets keyword parameters for the optimizer's
    state trees (those that its options use) and for the numbers of a step; returns their names.
    """
    ret = fn.block.ops.pop()
    value, grads = ret.operands
    params = fn.block.params[0]
    known = _known_leaves(fn.block, params)
    b = Builder(fn.block, ret.loc, ret.order)
    value = Owner(fn, b).own(value)  # before the parameters are written
    used = [array is not None for array in optimizer.state[0]]
    trees = [
        _parameter(fn, name, params.type) if u else None
        for name, u in zip(optimizer.state_names, used)
    ]
    numbers = {name: _parameter(fn, name, FLOAT) for name in optimizer.scalars()}
    update = _Update(optimizer, numbers)
    weights = {path: _project(b, params, path, known) for path, _ in _leaf_types(params.type)}
    quiet = b.at(_place(ret.loc, ""))
    parts = [tree and _state_leaves(quiet, tree, weights) for tree in trees]
    for path, p in weights.items():
        title = f"{type(optimizer).__name__}: {_path_name(fn.params[0].name, params.type, path)}"
        b = b.at(_place(ret.loc, title))
        slots = [None if leaves is None else leaves[path] for leaves in parts]
        update.inline(b, p, _gradient_leaf(b, grads, path), slots)
    b.at(ret.loc).return_(value)
    return [v.name or "" for v in [*trees, *numbers.values()] if v is not None]


@dataclass(eq=False, slots=True)
class _Update:
    optimizer: Optimizer
    numbers: dict[str, Value]

    def inline(self, b: Builder, p: Value, d_p: Value, slots: list[Value | None]) -> None:
        """The update of one leaf, and the writing of its results."""
        update = self.optimizer.update
        given = dict(zip(inspect.signature(update).parameters, [p, d_p, *slots])) | self.numbers
        types = {k: NONE if v is None else v.type for k, v in given.items()}
        types |= {k: Static(v) for k, v in self.optimizer.options.items()}
        types["d_p"] = p.type
        template = lower_function(update, (), types)
        args = [given[q.name] for q in template.params]
        body = b.into(Block())
        (new,) = inline(body, template, [v for v in args if v is not None])
        assert isinstance(new.owner, core.Make)
        for old, result in zip([p, *slots], new.owner.operands, strict=True):
            if old is not None and result is not old:
                _write(body, old, result)
        b.block.ops += body.block.ops


def _write(b: Builder, old: Value, new: Value) -> None:
    """Write `new` over `old` as soon as nothing reads `old` any more."""
    ops = b.block.ops
    last = max(
        (k for k, op in enumerate(ops) if old in op.operands or new in op.results), default=-1
    )
    made, new.name = Value(old.type, old.name), None
    after = core.Write([old, new], [made], b.loc, b.order)
    core.substitute(Block([], ops[last + 1 :]), {new: made})
    ops.insert(last + 1, after)


def _parameter(fn: Function, name: str, type: Type) -> Value:
    """A new keyword parameter of `fn`."""
    taken = {p.name for p in fn.params}
    while name in taken:
        name += "_"
    at = len(fn.params) - any(p.kind == "VAR_KEYWORD" for p in fn.params)
    p = Value(type, name, fn.block)
    fn.block.params.insert(at, p)
    fn.params.insert(at, Param(name, "KEYWORD_ONLY"))
    return p


def _place(loc: Loc, text: str) -> Loc:
    """A statement of its own for the update of one leaf: its comment in the generated text."""
    stmt = Stmt(loc.stmt.file, loc.stmt.line, text, loc.stmt.function)
    return Loc(stmt, loc.line, loc.col, loc.end_line, loc.end_col)


def _leaf_types(t: Type, path: Path = ()) -> list[tuple[Path, Type]]:
    if isinstance(t, Tree):
        return [
            leaf
            for key, item in zip(t.keys, t.items, strict=True)
            for leaf in _leaf_types(item, (*path, key))
        ]
    return [(path, t)] if isinstance(t, Array) and is_inexact(t) else []


def _known_leaves(block: Block, tree: Value) -> dict[Path, Value]:
    """The parts of `tree` that the function has taken out of it already."""
    paths: dict[Value, Path] = {tree: ()}
    for op in block.ops:
        if isinstance(op, core.Item) and op.operands[0] in paths:
            paths[op.result] = (*paths[op.operands[0]], op.key)
        elif isinstance(op, core.Unpack) and op.operands[0] in paths:
            t = op.operands[0].type
            assert isinstance(t, Tree)
            for key, r in zip(t.keys, op.results, strict=True):
                paths[r] = (*paths[op.operands[0]], key)
    return {path: v for v, path in reversed(paths.items())}


def _project(b: Builder, tree: Value, path: Path, known: dict[Path, Value]) -> Value:
    v = tree
    for k in range(len(path)):
        prefix = path[: k + 1]
        if prefix not in known:
            known[prefix] = b.item(v, path[k])
        v = known[prefix]
    return v


def _state_leaves(b: Builder, state: Value, weights: dict[Path, Value]) -> dict[Path, Value]:
    """The leaves of a state tree, each named after the parameter that it belongs to."""
    found: dict[Path, Value] = {}
    work: list[tuple[Path, Value]] = [((), state)]
    while work:
        path, v = work.pop()
        if path in weights:
            if path:
                name = weights[path].name or "_".join(str(key) for key in path)
                v.name = f"{state.name}_{name}"
            found[path] = v
        elif isinstance(v.type, Tree):
            sequence = v.type.node in (tuple, list)
            parts = b.unpack(v) if sequence else [b.item(v, key) for key in v.type.keys]
            work += [((*path, key), part) for key, part in zip(v.type.keys, parts)]
    return found


def _gradient_leaf(b: Builder, grads: Value, path: Path) -> Value:
    for key in path:
        if isinstance(grads.owner, core.Make):
            assert isinstance(grads.type, Tree)
            grads = grads.owner.operands[grads.type.keys.index(key)]
        else:
            grads = b.item(grads, key)
    return grads


def _path_name(text: str, t: Type, path: Path) -> str:
    for key in path:
        assert isinstance(t, Tree)
        plain = t.node in (tuple, list, dict)
        text += f"[{key!r}]" if plain else f".{key}"
        t = t.child(key)
    return text
