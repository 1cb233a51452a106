"""Trees in a program: what `adcompile.trees` does, on operands.

The structure of a tree is known at compile time, so nothing of these walks is left in the program.
Leaves are references: what is written into one of them is seen in the tree that it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gast

from adcompile import classes, trees
from adcompile.frontend import calls, expressions, joins, subscripts
from adcompile.frontend.carry import plain_name
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Handler, Kwargs, arity, bound
from adcompile.frontend.operands import Known, Operand, Tup, is_seq
from adcompile.ir.core import Value
from adcompile.ir.types import Array
from adcompile.trees import CONSTANT, LEAF, Structure


def node_of(cx: Context, x: Operand, node: gast.AST) -> Tup | None:
    """A node of a tree, taken apart; None for a leaf. `None` is a node without children."""
    if isinstance(x, Known) and isinstance(x.value, tuple):
        x = calls.default(cx, x, node)
    if isinstance(x, Known) and x.value is None:
        return Tup(type(None), (), ())
    if is_seq(cx.held(x)):
        cx.mismatch(
            "a list whose length is not known at compile time is no tree of parameters",
            node,
            "use a tuple, or a dict",
        )
    return subscripts.layout(cx, x, node)


def flattened(
    cx: Context, x: Operand, node: gast.AST, is_constant: Operand | None = None
) -> tuple[list[Operand], Structure]:
    """The leaves of `x`, and the structure that holds them."""
    found: list[Operand] = []

    def visit(x: Operand, key: object, inside: bool) -> Structure:
        held = node_of(cx, x, node)
        if held is None:
            if inside and is_constant is not None:
                constant = calls.call(cx, node, is_constant, [x], {})
                if cx.static(constant, node):
                    return CONSTANT
            if isinstance(x, Value) and isinstance(x.type, Array):
                x.name = x.name or plain_name(key)
                cx.heap.shown[cx.heap.place(x)] = x
            found.append(x)
            return LEAF
        inside = inside or trees.is_object(held.node)
        children = [visit(i, k, inside) for k, i in zip(held.keys, held.items, strict=True)]
        return Structure(held.node, held.keys, tuple(children))

    structure = visit(x, None, False)
    return found, structure


def put_together(cx: Context, structure: Structure, leaves: Iterator[Operand]) -> Operand:
    """A new tree of this structure."""
    if structure == LEAF:
        return next(leaves)
    kind = structure.kind
    if kind is type(None) or structure == CONSTANT:
        return Known(None)
    items = tuple([put_together(cx, child, leaves) for child in structure.children])
    made = Tup(kind, structure.keys, items)
    mutable = kind in (list, dict) or classes.is_mutable(kind)
    return expressions.new_object(cx, made) if mutable else made


def like(cx: Context, structure: Structure, x: Operand, root: str, node: gast.AST) -> list[Operand]:
    """The leaves of `x` in the order of `structure`, which it must have."""
    found: list[Operand] = []

    def visit(expected: Structure, x: Operand, path: str) -> None:
        if expected == CONSTANT:
            return
        held = node_of(cx, x, node)
        kind, keys = (LEAF.kind, ()) if held is None else (held.node, held.keys)
        if kind is not expected.kind or not trees.has_keys(kind, keys, expected.keys):
            leaf = f"a leaf ({joins.describe_operand(x)})"
            got = leaf if held is None else Structure(kind, keys)
            cx.mismatch(f"{path}: expected {expected}, got {got}", node)
        if held is None:
            found.append(x)
        for key, child in zip(expected.keys, expected.children, strict=True):
            assert held is not None
            visit(child, held.child(key), path + trees.step(kind, key))

    visit(structure, x, root)
    return found


# --- the functions of `adcompile.trees` ---------------------------------------------------------


def _flatten(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    tree, is_constant = bound(cx, node, "flatten", ("tree", "is_constant"), args, kwargs)
    assert tree is not None
    leaves, structure = flattened(cx, tree, node, is_constant)
    return Tup(tuple, (0, 1), (expressions.new_list(cx, leaves), Known(structure)))


def _leaves(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "leaves", args, kwargs, 1, 1)
    return expressions.new_list(cx, flattened(cx, args[0], node)[0])


def _unflatten(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "unflatten", args, kwargs, 2, 2)
    structure, leaves = cx.static(args[0], node), subscripts.known_layout(cx, args[1], node)
    if structure.size != len(leaves.items):
        cx.mismatch(f"expected {structure.size} leaves, got {len(leaves.items)}", node)
    return put_together(cx, structure, iter(leaves.items))


def _leaves_like(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    names = ("structure", "tree", "root")
    structure, tree, root = bound(cx, node, "leaves_like", names, args, kwargs, required=2)
    assert structure is not None and tree is not None
    shown = "tree" if root is None else cx.static(root, node)
    return expressions.new_list(cx, like(cx, cx.static(structure, node), tree, shown, node))


def _map_leaves(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    if len(args) < 2 or kwargs:
        cx.mismatch("map_leaves takes a function and one or more trees", node)
    f, first, *others = args
    leaves, structure = flattened(cx, first, node)
    rows = [leaves]
    rows += [like(cx, structure, x, f"trees[{k}]", node) for k, x in enumerate(others, 1)]
    made = [calls.call(cx, node, f, list(row), {}) for row in zip(*rows, strict=True)]
    return put_together(cx, structure, iter(made))


def _paths(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    tree, root = bound(cx, node, "paths", ("tree", "root"), args, kwargs)
    assert tree is not None
    structure = cx.known(tree)
    if not isinstance(structure, Structure):
        structure = flattened(cx, tree, node)[1]
    shown = "params" if root is None else cx.static(root, node)
    return expressions.new_list(cx, [Known(path) for path in trees.paths(structure, shown)])


HANDLERS: dict[Any, Handler] = {
    trees.flatten: _flatten,
    trees.leaves: _leaves,
    trees.leaves_like: _leaves_like,
    trees.map_leaves: _map_leaves,
    trees.paths: _paths,
    trees.unflatten: _unflatten,
}
