"""Short constructors of gast nodes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gast as _gast

gast: Any = _gast  # its classes are made at run time, so that checkers know none of them
Node = Any

LOAD, STORE = gast.Load(), gast.Store()

BINARY: dict[Callable[..., Any], Any] = {
    operator.add: gast.Add,
    operator.sub: gast.Sub,
    operator.mul: gast.Mult,
    operator.truediv: gast.Div,
    operator.floordiv: gast.FloorDiv,
    operator.mod: gast.Mod,
    operator.pow: gast.Pow,
    operator.matmul: gast.MatMult,
    operator.and_: gast.BitAnd,
    operator.or_: gast.BitOr,
    operator.xor: gast.BitXor,
    operator.lshift: gast.LShift,
    operator.rshift: gast.RShift,
}
UNARY: dict[Callable[..., Any], Any] = {
    operator.neg: gast.USub,
    operator.pos: gast.UAdd,
    operator.invert: gast.Invert,
    operator.not_: gast.Not,
}
COMPARE: dict[Callable[..., Any], Any] = {
    operator.lt: gast.Lt,
    operator.le: gast.LtE,
    operator.eq: gast.Eq,
    operator.ne: gast.NotEq,
    operator.gt: gast.Gt,
    operator.ge: gast.GtE,
    operator.is_: gast.Is,
    operator.is_not: gast.IsNot,
    operator.contains: gast.In,
}
# Operators have no parts: one node of each will do.
_SIGNS: dict[Any, Node] = {
    kind: kind() for table in (BINARY, UNARY, COMPARE) for kind in table.values()
}
# How `x[i] op= v` is written in an Update's mode.
MODES: dict[str, Any] = {
    "+": gast.Add,
    "-": gast.Sub,
    "*": gast.Mult,
    "/": gast.Div,
    "//": gast.FloorDiv,
    "%": gast.Mod,
    "**": gast.Pow,
    "@": gast.MatMult,
    "&": gast.BitAnd,
    "|": gast.BitOr,
    "^": gast.BitXor,
    "<<": gast.LShift,
    ">>": gast.RShift,
}
MODE_FUNCTIONS: dict[str, Callable[..., Any]] = {
    mode: next(fn for fn, node in BINARY.items() if node is cls) for mode, cls in MODES.items()
}


def name(id: str, ctx: Any = LOAD) -> Node:
    return gast.Name(id, ctx, None, None)


def target(names: Sequence[str]) -> Node:
    """What stands on the left of an assignment to these names."""
    if len(names) == 1:
        return name(names[0], STORE)
    return gast.Tuple([name(n, STORE) for n in names], STORE)


def dotted(path: str) -> Node:
    first, *rest = path.split(".")
    node = name(first)
    for attr in rest:
        node = gast.Attribute(node, attr, LOAD)
    return node


def literal(value: Any) -> Node:
    return gast.Constant(value, None)


def attribute(node: Node, attr: str) -> Node:
    return gast.Attribute(node, attr, LOAD)


def call(
    fn: Node | str, args: Iterable[Node] = (), keywords: Iterable[tuple[str, Node]] = ()
) -> Node:
    fn = dotted(fn) if isinstance(fn, str) else fn
    return gast.Call(fn, list(args), [gast.keyword(k, v) for k, v in keywords])


def subscript(node: Node, index: Node, ctx: Any = LOAD) -> Node:
    return gast.Subscript(node, index, ctx)


def tuple_(items: Iterable[Node], ctx: Any = LOAD) -> Node:
    return gast.Tuple(list(items), ctx)


def negate(node: Node) -> Node:
    """`not node`, with a double negation undone."""
    if isinstance(node, gast.UnaryOp) and isinstance(node.op, gast.Not):
        return node.operand
    return gast.UnaryOp(gast.Not(), node)


def is_operator(fn: Callable[..., Any]) -> bool:
    return fn in BINARY or fn in UNARY or fn in COMPARE


def operation(fn: Callable[..., Any], args: list[Node]) -> Node | None:
    """The operator expression for `fn(*args)`, or None if `fn` is no operator."""
    if fn in BINARY and len(args) == 2:
        return gast.BinOp(args[0], _SIGNS[BINARY[fn]], args[1])
    if fn in UNARY and len(args) == 1:
        return gast.UnaryOp(_SIGNS[UNARY[fn]], args[0])
    if fn in COMPARE and len(args) == 2:
        left, right = reversed(args) if fn is operator.contains else args
        return gast.Compare(left, [_SIGNS[COMPARE[fn]]], [right])
    return None


def assign(targets: Node, value: Node) -> Node:
    return gast.Assign([targets], value, None)


def augment(target: Node, op: Any, value: Node) -> Node:
    return gast.AugAssign(target, _SIGNS[op], value)
