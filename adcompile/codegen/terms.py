"""Expressions: the gast node for what an op computes.

Nodes are built bottom up, in the order of the ops, so that chains of any length need no recursion.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from adcompile import runtime
from adcompile.classes import makes_by_fields
from adcompile.codegen import nodes
from adcompile.codegen.nesting import Nesting
from adcompile.codegen.nodes import Node, gast
from adcompile.codegen.symbols import Symbols
from adcompile.codegen.tails import end_of
from adcompile.codegen.variables import Names
from adcompile.ir import core
from adcompile.ir.core import Op, Slice, Value
from adcompile.ir.types import Tree


@dataclass(eq=False, slots=True)
class Terms:
    """The expressions of one function."""

    plan: Nesting
    names: Names
    symbols: Symbols
    callees: dict[core.Function, str]
    built: dict[Value, Node] = field(default_factory=dict)

    def __call__(self, v: Value) -> Node:
        """What stands for `v` where it is used: one node, however often that is."""
        node = self.built.get(v)
        if node is None:
            node = self.built[v] = nodes.name(self.names.of(v))
        return node

    def nest(self, op: Op) -> None:
        """Remember the expression of an op that is nested."""
        self.built[op.results[0]] = self.build(op)

    def build(self, op: Op) -> Node:
        """The expression that computes the result (or results) of `op`."""
        match op:
            case core.Const():
                return self.symbols.constant(op.value, op.loc.stmt.text)
            case core.Global():
                return nodes.name(self.symbols.variable(op.source))
            case core.Undef():
                return nodes.literal(None)
            case core.Call():
                return self._call(op)
            case core.Index():
                x, *at = op.operands
                return nodes.subscript(self(x), self.index(op.spec, at))
            case core.Item():
                return self._item(self(op.operands[0]), op.operands[0].type, op.key)
            case core.Make():
                return self._make(op)
            case core.NewSeq():
                return gast.List([self(v) for v in op.operands], nodes.LOAD)
            case core.Invoke():
                return nodes.call(self.callees[op.callee], map(self, op.operands))
            case core.Partial():
                callee, (saved,) = self.callees[op.callee], map(self, op.operands)
                name = op.callee.params[-1].name
                return nodes.call(
                    self.symbols.function(partial), [nodes.name(callee)], [(name, saved)]
                )
            case core.If():
                return self._branch(op)
        raise AssertionError(f"{type(op).__name__} is not an expression")

    def _call(self, op: core.Call) -> Node:
        return self._applied(op, [self(v) for v in op.operands], op.loc.stmt.text)

    def _applied(self, op: core.Call | core.ViewCall, args: list[Node], text: str) -> Node:
        """The call of a function, in the form that `op` has."""
        keywords: list[tuple[str, Node]] = []
        if op.keywords:
            first = len(args) - len(op.keywords)
            keywords, args = list(zip(op.keywords, args[first:])), args[:first]
        if op.member is not None:
            receiver, *args = args
            member = nodes.attribute(receiver, op.member.removesuffix("()"))
            return nodes.call(member, args, keywords) if op.member.endswith("()") else member
        if op.fn is operator.getitem:
            return nodes.subscript(*args)
        node = nodes.operation(op.fn, args)
        if node is not None:
            return node
        return nodes.call(self.symbols.function(op.fn, text), args, keywords)

    def viewed(self, op: core.Update) -> Node:
        """What `op` writes into: its array, or what is seen of it through views."""
        node = self(op.operands[0])
        for step, operands in zip(op.views, op.view_operands):
            if isinstance(step, core.ViewCall):
                node = self._applied(step, [node, *map(self, operands)], op.loc.stmt.text)
            else:
                node = nodes.subscript(node, self.index(step, operands))
        return node

    def index(self, spec: core.Spec, values: list[Value]) -> Node:
        """What stands between the brackets."""
        left = iter(values)
        entries = [self._entry(entry, left) for entry in spec]
        return entries[0] if len(entries) == 1 else nodes.tuple_(entries)

    def index_value(self, spec: core.Spec, values: list[Value]) -> Node:
        """The same where no brackets are: `(slice(None), i)`."""
        node = self.index(spec, values)
        entries = node.elts if len(spec) > 1 else [node]
        made = [_slice(e) if isinstance(e, gast.Slice) else e for e in entries]
        return nodes.tuple_(made) if len(spec) > 1 else made[0]

    def _entry(self, entry: Any, values: Iterator[Value]) -> Node:
        if isinstance(entry, Slice):
            bounds = (entry.start, entry.stop, entry.step)
            return gast.Slice(*[self(next(values)) if given else None for given in bounds])
        if entry is None or entry is Ellipsis:
            return nodes.literal(entry)
        return self(next(values))

    def _item(self, tree: Node, t: object, key: object) -> Node:
        if isinstance(t, Tree) and not _is_plain(t.node) and isinstance(key, str):
            return nodes.attribute(tree, key)
        return nodes.subscript(tree, self.symbols.constant(key))

    def _make(self, op: core.Make) -> Node:
        t = op.result.type
        assert isinstance(t, Tree)
        items = [self(v) for v in op.operands]
        if issubclass(t.node, dict):
            display = gast.Dict([self.symbols.constant(k) for k in t.keys], items)
            if t.node is dict:
                return display
            return nodes.call(self.symbols.function(t.node), [display])
        if t.node in (tuple, list):
            return (gast.Tuple if t.node is tuple else gast.List)(items, nodes.LOAD)
        cls = self.symbols.function(t.node)
        if _is_plain(t.node):
            return nodes.call(cls, [nodes.tuple_(items)])
        if issubclass(t.node, tuple):
            return nodes.call(cls, items)
        named = [(str(k), item) for k, item in zip(t.keys, items)]
        if makes_by_fields(t.node, t.keys):
            return nodes.call(cls, (), named)
        return nodes.call(self.symbols.function(runtime.instance), [cls], named)

    # --- conditional expressions -----------------------------------------------------------------

    def _branch(self, root: core.If) -> Node:
        """The expression of an `if` whose arms are expressions (nested to any depth)."""
        stack: list[tuple[Op, bool]] = [(root, False)]
        while stack:
            op, done = stack.pop()
            if isinstance(op, core.If):
                if done:
                    self.built[op.results[0]] = self._combine(op)
                    continue
                stack.append((op, True))
                for block in reversed(op.blocks):
                    stack.extend((inner, False) for inner in reversed(block.ops[:-1]))
            elif op not in self.plan.dead:
                self.nest(op)
        node = self.built[root.results[0]]
        if root not in self.plan.inlined:
            del self.built[root.results[0]]  # it has a name
        return node

    def _combine(self, op: core.If) -> Node:
        test, (then,), (orelse,) = op.operands[0], *[end_of(b).operands for b in op.blocks]
        if op.form == "ifexp":
            return gast.IfExp(self(test), self(then), self(orelse))
        other = then if op.form == "and" else orelse
        chain = self._comparison_chain(op, test, other) if op.form == "and" else None
        if chain is not None:
            return chain
        left, right = self(test), self(other)
        kind = gast.And if op.form == "and" else gast.Or
        values = [left, *(right.values if _is_bool(right, kind) else [right])]
        return gast.BoolOp(kind(), values)

    def _comparison_chain(self, op: core.If, test: Value, other: Value) -> Node | None:
        """`a < b < c`, which was lowered to `a < b and b < c`."""
        left, right = self(test), self(other)
        if not (isinstance(left, gast.Compare) and isinstance(right, gast.Compare)):
            return None
        first, second = test.owner, other.owner
        while isinstance(second, core.If):  # a longer chain: its first link
            second = second.operands[0].owner
        if not (isinstance(first, core.Call) and isinstance(second, core.Call)):
            return None
        if (
            operator.contains in (first.fn, second.fn)
            or first.operands[1] is not second.operands[0]
        ):
            return None
        if not op.loc == first.loc == second.loc:
            return None  # two comparisons of the user's
        return gast.Compare(left.left, left.ops + right.ops, left.comparators + right.comparators)


def _slice(node: Node) -> Node:
    """`a:b:c` as a call."""
    parts = [node.lower, node.upper, node.step]
    while len(parts) > 2 and parts[-1] is None:
        parts.pop()
    parts = [nodes.literal(None) if p is None else p for p in parts]
    return nodes.call("slice", parts[1:] if len(parts) == 2 and node.lower is None else parts)


def _is_bool(node: Node, kind: Node) -> bool:
    return isinstance(node, gast.BoolOp) and isinstance(node.op, kind)


def _is_plain(node: type) -> bool:
    """Whether items of a container class are read as `t[key]`, not `t.key`."""
    if issubclass(node, dict | list):
        return True
    return issubclass(node, tuple) and not hasattr(node, "_fields")
