"""`try` statements: the form that a person writes, from the branch that the IR has."""

from __future__ import annotations

from adcompile.codegen import nodes
from adcompile.codegen.nodes import Node, gast


def statement(classes: list[Node], name: str | None, body: list[Node], caught: list[Node]) -> Node:
    """`try: body` and `except classes as name: caught`."""
    kind = classes[0] if len(classes) == 1 else nodes.tuple_(classes)
    bound = None if name is None else nodes.name(name, nodes.STORE)
    handler = gast.ExceptHandler(kind, bound, caught or [gast.Pass()])
    return gast.Try(body or [gast.Pass()], [handler], [], [])


def complete(statement: Node, otherwise: list[Node], caught: list[Node]) -> list[Node]:
    """Put what is done about an exception, or without one, into its clauses.

    Returns what follows the statement: where the handler leaves, that needs no `else:`.
    """
    (handler,) = statement.handlers
    body = [*handler.body, *until_raise(caught)]
    handler.body = [s for s in body if not isinstance(s, gast.Pass)] or [gast.Pass()]
    if isinstance(handler.body[-1], gast.Raise | gast.Return | gast.Continue | gast.Break):
        return otherwise
    statement.orelse = otherwise
    return []


def until_raise(body: list[Node]) -> list[Node]:
    """`body` without what follows a `raise`."""
    for k, stmt in enumerate(body):
        if isinstance(stmt, gast.Raise):
            return body[: k + 1]
    return body
