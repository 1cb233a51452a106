"""Behind a backward sweep, the optimizer's update: what makes a gradient a training step.

The update of one leaf is a plain Python function (`adcompile.optim.updates`). It is lowered for the
leaf's type, inlined, and its results are written over the parameter and its state.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adcompile.ad.sweep import Path
from adcompile.frontend.lower import lower_function
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.clone import inline
from adcompile.ir.core import Block, Function, Loc, Param, Stmt, Value
from adcompile.ir.types import FLOAT, NONE, Array, Static, Tree, Type


def append_update(
    fn: Function,
    update: Callable[..., Any],
    states: Sequence[str | None],
    scalars: Sequence[str],
    options: Mapping[str, Any],
    kind: str,
) -> None:
    """Turn `fn`, which returns (value, gradients), into a step that returns the value.

    Its first parameter is the tree of parameters. One parameter is added for each of `states`
    (None: a state that the options leave unused) and each of `scalars`.
    """
    ret = fn.block.ops.pop()
    value, grads = ret.operands
    params = fn.block.params[0]
    order = ret.order
    leaves = _known_leaves(fn.block, params)
    b = Builder(fn.block, ret.loc, order)
    trees = [s if s is None else _parameter(fn, s, params.type) for s in states]
    numbers = {s: _parameter(fn, s, FLOAT) for s in scalars}
    names = list(inspect.signature(update).parameters)
    fixed = {k: Static(v) for k, v in options.items()}
    for path, t in _leaf_types(params.type):
        p = leaves.get(path) or _project(b, params, path, leaves)
        b = b.at(_place(ret.loc, f"{kind}: {_path_name(fn.params[0].name, path)}"))
        slots = [None if tree is None else _state_leaf(b, tree, path, p.name) for tree in trees]
        given = dict(zip(names, [p, _gradient_leaf(b, grads, path), *slots])) | numbers
        types = {k: NONE if v is None else v.type for k, v in given.items()} | fixed
        template = lower_function(update, (), types)
        (new,) = inline(b, template, [given[q.name] for q in template.params])
        assert isinstance(new.owner, core.Make)
        for old, result in zip([p, *slots], new.owner.operands, strict=True):
            if old is not None and result is not old:
                b.add(core.Write, [old, result], [])
    b.at(ret.loc).return_(value)


def _parameter(fn: Function, name: str, type: Type) -> Value:
    taken = {p.name for p in fn.params}
    while name in taken:
        name += "_"
    p = Value(type, name, fn.block)
    fn.block.params.append(p)
    fn.params.append(Param(name))
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
    return [(path, t)] if isinstance(t, Array) else []


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


def _state_leaf(b: Builder, tree: Value, path: Path, name: str | None) -> Value:
    v = _project(b, tree, path, {})
    if v is not tree and name:
        v.name = f"{tree.name}_{name}"
    return v


def _gradient_leaf(b: Builder, grads: Value, path: Path) -> Value:
    for key in path:
        if isinstance(grads.owner, core.Make):
            assert isinstance(grads.type, Tree)
            grads = grads.owner.operands[grads.type.keys.index(key)]
        else:
            grads = b.item(grads, key)
    return grads


def _path_name(root: str, path: Path) -> str:
    return root + "".join(f"[{key!r}]" for key in path)
