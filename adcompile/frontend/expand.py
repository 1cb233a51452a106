"""Statements written out in terms of others: gast to gast, before jumps are taken out.

- `match x: case P if g: …` becomes `$subject = x` and a chain of `if`s. Its tests are nodes of
  their own, `Matches` and `Captures`, which `matching` evaluates.
- `while (y := f(x)) > 0: …` becomes `while True: if not (y := f(x)) > 0: break; …`: the condition
  changes variables, so it is part of the body.

Trees are not changed but copied where they differ. No recursion.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import gast

from adcompile.frontend import nodes
from adcompile.frontend.source import at

__all__ = ["BODIES", "Captures", "Matches", "expand", "has_captures", "names_bound"]


class Matches(gast.expr):
    """Whether `subject` matches `pattern`."""

    _fields = ("pattern", "subject")


class Captures(gast.expr):
    """Bind what `pattern` captures of `subject`, which it matches; then evaluate `value`."""

    _fields = ("pattern", "subject", "value")


BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
_NEVER = gast.FunctionDef | gast.Lambda | gast.ClassDef  # an assignment in there is another scope's


def expand(function: Any) -> Any:
    """`function` (a gast FunctionDef, nested ones included) in simpler statements."""
    if not any(map(_is_sugar, _statements(function))):
        return function
    numbers = itertools.count(1)
    result = nodes.copied(function)
    work = [result]
    while work:
        node = work.pop()
        for field in BODIES:
            body = getattr(node, field, None)
            if isinstance(body, list) and body:
                new = [nodes.copied(s) for old in body for s in _written_out(old, numbers)]
                setattr(node, field, new)
                work += new
    return result


def _statements(function: Any) -> Iterator[Any]:
    work = [function]
    while work:
        node = work.pop()
        yield node
        for field in BODIES:
            body = getattr(node, field, None)
            if isinstance(body, list):
                work += body


def _is_sugar(node: Any) -> bool:
    return isinstance(node, gast.Match) or (isinstance(node, gast.While) and _assigns(node.test))


def _assigns(test: Any) -> bool:
    """Whether an expression assigns a variable."""
    work = [test]
    while work:
        node = work.pop()
        if isinstance(node, gast.NamedExpr):
            return True
        if not isinstance(node, _NEVER):
            work += gast.iter_child_nodes(node)
    return False


def _written_out(stmt: Any, numbers: Iterator[int]) -> list[Any]:
    if not _is_sugar(stmt):
        return [stmt]
    if isinstance(stmt, gast.Match):
        return _match(stmt, f"$subject{next(numbers)}")
    return _while(stmt, f"$over{next(numbers)}")


# --- while --------------------------------------------------------------------------------------


def _while(stmt: Any, flag: str) -> list[Any]:
    """The `else` of the loop, which runs when the test fails and not after a `break`, follows."""
    test = stmt.test
    leave: list[Any] = [at(gast.Break(), test)]
    if stmt.orelse:
        leave.insert(0, nodes.assign(flag, nodes.constant(True, test), test))
    first = at(gast.If(at(gast.UnaryOp(gast.Not(), test), test), leave, []), test)
    loop = at(gast.While(nodes.constant(True, test), [first, *stmt.body], []), stmt)
    if not stmt.orelse:
        return [loop]
    over = at(gast.If(nodes.name(flag, test), stmt.orelse, []), stmt)
    return [nodes.assign(flag, nodes.constant(False, test), test), loop, over]


# --- match --------------------------------------------------------------------------------------


def _match(stmt: Any, subject: str) -> list[Any]:
    rest: list[Any] = []
    for case in reversed(stmt.cases):
        pattern, body = case.pattern, case.body
        read = nodes.name(subject, pattern)
        if _is_irrefutable(pattern) and case.guard is None:
            rest = [*_bound(pattern, read), *body]
            continue
        test = at(Matches(pattern, read), pattern)
        if case.guard is None:
            body = [*_bound(pattern, read), *body]
        else:
            guard = case.guard
            if has_captures(pattern):
                guard = at(Captures(pattern, read, guard), guard)
            test = at(gast.BoolOp(gast.And(), [test, guard]), pattern)
        rest = [at(gast.If(test, body, rest), pattern)]
    return [nodes.assign(subject, stmt.subject, stmt.subject), *rest]


def _is_irrefutable(pattern: Any) -> bool:
    while isinstance(pattern, gast.MatchAs) and pattern.pattern is not None:
        pattern = pattern.pattern
    return isinstance(pattern, gast.MatchAs)


def _bound(pattern: Any, subject: Any) -> list[Any]:
    """The statement that binds what a pattern captures, if it does."""
    if not has_captures(pattern):
        return []
    return [at(gast.Expr(at(Captures(pattern, subject, None), pattern)), pattern)]


def has_captures(pattern: Any) -> bool:
    """Whether a pattern binds names."""
    return any(names_bound(p) for p in gast.walk(pattern))


def names_bound(pattern: Any) -> list[str]:
    """The name that one node of a pattern captures, if any."""
    if not isinstance(pattern, gast.MatchAs | gast.MatchStar | gast.MatchMapping):
        return []
    name = pattern.rest if isinstance(pattern, gast.MatchMapping) else pattern.name
    return [] if name is None else [name]
