"""How much work a generated text does, and how much it keeps: read from its syntax tree."""

from __future__ import annotations

import ast

# What costs no arithmetic: loop headers, and the list that a loop keeps.
FREE = {"range", "len", "reversed", "enumerate", "zip", "append"}


def operations(text: str) -> int:
    """Operators, comparisons and calls that make something; each counts once wherever it stands."""
    return sum(_is_operation(node) for node in ast.walk(ast.parse(text)))


def saved(text: str) -> int:
    """Values that loops append to lists; a tuple counts as many as it has items."""
    items = [
        node.args[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and _called(node) == "append"
    ]
    return sum(len(item.elts) if isinstance(item, ast.Tuple) else 1 for item in items)


def _is_operation(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return _called(node) not in FREE
    if isinstance(node, ast.UnaryOp):
        return not isinstance(node.operand, ast.Constant)  # -1.0 is a number
    return isinstance(node, ast.BinOp | ast.AugAssign | ast.Compare)


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
