"""The text of a gast tree, as a person would have typed it.

`astunparse.Unparser` walks the tree: one `_Class` method a node, `fill` to start a line, `write` to
go on with it, `enter` and `leave` round a block. `Printer` keeps that walk and changes what is
written: statements and patterns here, expressions in `expressions`, and comments. A line is
gathered in pieces; when the next one starts, `layout` breaks it if it is wider than `WIDTH`.
"""

from __future__ import annotations

import textwrap
from typing import TypeVar

from gast import AST

from adcompile.codegen.expressions import Expressions, Level, Node, gast
from adcompile.codegen.layout import INDENT, wrap
from adcompile.codegen.literals import docstring

WIDTH = 100

T = TypeVar("T")


def to_text(node: AST, width: int = WIDTH) -> str:
    """The source text of a gast module or statement, which ends in one newline, or expression."""
    printer = Printer(width=width)
    if isinstance(node, gast.expr):
        printer.fill()
        printer.soft(node)
        return printer.text()
    printer.dispatch(node)
    return printer.text().rstrip("\n") + "\n"


class Comment(str):
    """The text of a comment, without the `#`: what a `Constant` holds that is a line of comment."""

    __slots__ = ()


def comment(text: str) -> Node:
    """A statement that prints as a line of comment, or as several if `text` has several lines."""
    return gast.Expr(gast.Constant(Comment(text), None))


def blank() -> Node:
    """A statement that prints as a blank line."""
    return comment("")


def trailing(stmt: T, text: str) -> T:
    """Set the comment at the end of a statement's line, or of a compound statement's first line."""
    vars(stmt)["trailing_comment"] = text
    return stmt


class Printer(Expressions):
    """Prints what it is given by `dispatch`; `text()` has the result."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self._width = width
        self._lines: list[str] = []
        self._note = ""  # the trailing comment of the statement that is about to start
        self._line_note = ""
        self._line_indent = 0
        self._docstring: Node = None

    def text(self) -> str:
        self._flush()
        return "\n".join(self._lines)

    # Lines.

    def fill(self, text: str = "") -> None:
        self._flush()
        self._line_indent = self._indent * INDENT
        self._line_note, self._note = self._note, ""
        super().fill(text)

    def _flush(self) -> None:
        """Lay out the line that is complete."""
        if not self._open:
            return
        (line,) = self._open[0].items
        self._open = []
        lines = wrap(line, self._line_indent, self._width)
        note = self._line_note and " ".join(self._line_note.split())
        if note:
            noted = f"{lines[0]}  # {note}"
            if len(lines) == 1 and len(noted) <= self._width:
                lines = [noted]
            else:
                self._comment(note, self._line_indent)
        self._lines += lines

    def _comment(self, text: str, indent: int) -> None:
        start = " " * indent + "# "
        for line in text.splitlines():
            if len(start) + len(line) > self._width:
                self._lines += textwrap.wrap(
                    line,
                    max(self._width, len(start) + 20),
                    initial_indent=start,
                    subsequent_indent=start,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            else:
                self._lines.append((start + line).rstrip())

    def dispatch(self, tree: Node) -> None:
        for node in tree if isinstance(tree, list) else (tree,):
            self.announce(node)
            getattr(self, "_" + type(node).__name__)(node)

    def announce(self, stmt: Node) -> None:
        """The line that is started next is the first one of `stmt`."""
        self._note = getattr(stmt, "trailing_comment", "")

    def suite(self, body: list[Node], *, documented: bool = False) -> None:
        """The block after a header."""
        self.enter()
        self._body(body, documented)
        if all(map(_is_comment, body)):
            self.fill("pass")
        self.leave()

    def _body(self, body: list[Node], documented: bool) -> None:
        if documented:
            first = next((stmt for stmt in body if not _is_comment(stmt)), None)
            if _is_string(first):
                self._docstring = first
        self.dispatch(body)

    def _orelse(self, body: list[Node], keyword: str = "else") -> None:
        if body:
            self.fill(keyword)
            self.suite(body)

    # Modules and simple statements. (import, pass, break, continue, global, nonlocal: astunparse.)

    def _Module(self, tree: Node) -> None:
        self._body(tree.body, documented=True)

    def _Expression(self, tree: Node) -> None:
        self.fill()
        self.soft(tree.body, Level.TUPLE)

    def _Expr(self, tree: Node) -> None:
        if _is_comment(tree):
            self._flush()
            self._comment(tree.value.value, self._indent * INDENT)
            if not tree.value.value:
                self._lines.append("")
            return
        self.fill()
        if tree is self._docstring:
            self.write((getattr(tree.value, "kind", None) or "") + docstring(tree.value.value))
        else:
            self.soft(tree.value, Level.YIELD)

    def _ImportFrom(self, t: Node) -> None:
        self.fill("from " + "." * (t.level or 0) + (t.module or "") + " import ")
        self.open("(", soft=True)
        self.items(t.names, self._alias)
        self.close()

    def _Assign(self, t: Node) -> None:
        self.fill()
        for target in t.targets:
            self.soft(target, Level.TUPLE)
            self.write(" = ")
        self.soft(t.value, Level.YIELD)

    def _AugAssign(self, t: Node) -> None:
        self.fill()
        self.expr(t.target)
        self.write(f" {self.binop[type(t.op).__name__]}= ")
        self.soft(t.value, Level.YIELD)

    def _AnnAssign(self, t: Node) -> None:
        self.fill()
        if isinstance(t.target, gast.Name) and not t.simple:
            self.bracket("(", [t.target])
        else:
            self.expr(t.target)
        self.write(": ")
        self.expr(t.annotation)
        if t.value is not None:
            self.write(" = ")
            self.soft(t.value, Level.YIELD)

    def _TypeAlias(self, t: Node) -> None:
        self.fill("type ")
        self.expr(t.name)
        self._type_params(t)
        self.write(" = ")
        self.soft(t.value)

    def _Return(self, t: Node) -> None:
        self.fill("return")
        if t.value is not None:
            self.write(" ")
            self.soft(t.value, Level.TUPLE)

    def _Delete(self, t: Node) -> None:
        self.fill("del ")
        self.items(t.targets)

    def _Assert(self, t: Node) -> None:
        self.fill("assert ")
        self.soft(t.test)
        if t.msg is not None:
            self.write(", ")
            self.soft(t.msg)

    def _Raise(self, t: Node) -> None:
        self.fill("raise")
        for keyword, value in ((" ", t.exc), (" from ", t.cause)):
            if value is not None:
                self.write(keyword)
                self.soft(value)

    # Compound statements.

    def _If(self, t: Node) -> None:
        keyword = "if "
        while True:
            self.fill(keyword)
            self.soft_named(t.test)
            self.suite(t.body)
            if len(t.orelse) != 1 or not isinstance(t.orelse[0], gast.If):
                break
            (t,) = t.orelse
            keyword = "elif "
            self.announce(t)
        self._orelse(t.orelse)

    def _While(self, t: Node) -> None:
        self.fill("while ")
        self.soft_named(t.test)
        self.suite(t.body)
        self._orelse(t.orelse)

    def _For(self, t: Node, keyword: str = "for ") -> None:
        self.fill(keyword)
        self.soft(t.target, Level.TUPLE)
        self.write(" in ")
        self.soft(t.iter, Level.TUPLE)
        self.suite(t.body)
        self._orelse(t.orelse)

    def _AsyncFor(self, t: Node) -> None:
        self._For(t, "async for ")

    def _With(self, t: Node, keyword: str = "with ") -> None:
        self.fill(keyword)
        self.open("(", soft=True)
        (first, *more) = t.items
        if not more and first.optional_vars is None and isinstance(first.context_expr, gast.Tuple):
            self.bracket("(", t.items, self._withitem)  # `with (a, b):` has two items, no tuple
        else:
            self.items(t.items, self._withitem)
        self.close()
        self.suite(t.body)

    def _AsyncWith(self, t: Node) -> None:
        self._With(t, "async with ")

    def _withitem(self, t: Node) -> None:
        self.expr(t.context_expr)
        if t.optional_vars is not None:
            self.write(" as ")
            self.expr(t.optional_vars)

    def _Try(self, t: Node, keyword: str = "except") -> None:
        self.fill("try")
        self.suite(t.body)
        for handler in t.handlers:
            self._note = getattr(handler, "trailing_comment", "")
            self._ExceptHandler(handler, keyword)
        self._orelse(t.orelse)
        self._orelse(t.finalbody, "finally")

    def _TryStar(self, t: Node) -> None:
        self._Try(t, "except*")

    def _ExceptHandler(self, t: Node, keyword: str = "except") -> None:
        self.fill(keyword)
        if t.type is not None:
            self.write(" ")
            self.soft(t.type)
        if t.name is not None:
            self.write(f" as {t.name.id}")
        self.suite(t.body)

    def _decorators(self, t: Node) -> None:
        note, self._note = self._note, ""
        for decorator in t.decorator_list:
            self.fill("@")
            self.named(decorator)
        self._note = note  # which belongs to the header, not to the first decorator

    def _FunctionDef(self, t: Node, keyword: str = "def ") -> None:
        self._decorators(t)
        self.fill(keyword + t.name)
        self._type_params(t)
        self.open("(")
        self._arguments(t.args)
        self.close()
        if t.returns is not None:
            self.write(" -> ")
            self.expr(t.returns)
        self.suite(t.body, documented=True)

    def _AsyncFunctionDef(self, t: Node) -> None:
        self._FunctionDef(t, "async def ")

    def _ClassDef(self, t: Node) -> None:
        self._decorators(t)
        self.fill("class " + t.name)
        self._type_params(t)
        if t.bases or t.keywords:
            self.bracket("(", [*t.bases, *t.keywords])
        self.suite(t.body, documented=True)

    def _type_params(self, t: Node) -> None:
        params = getattr(t, "type_params", None)
        if params:
            self.bracket("[", params)

    def _TypeVar(self, t: Node, stars: str = "") -> None:
        self.write(stars + t.name)
        for mark, value in (
            (": ", getattr(t, "bound", None)),
            (" = ", getattr(t, "default_value", None)),
        ):
            if value is not None:
                self.write(mark)
                self.expr(value)

    def _TypeVarTuple(self, t: Node) -> None:
        self._TypeVar(t, "*")

    def _ParamSpec(self, t: Node) -> None:
        self._TypeVar(t, "**")

    # match and its patterns.

    def _Match(self, t: Node) -> None:
        self.fill("match ")
        self.soft_named(t.subject, Level.TUPLE)
        self.enter()
        self.dispatch(t.cases)
        self.leave()

    def _match_case(self, t: Node) -> None:
        self.fill("case ")
        self.soft(t.pattern)
        if t.guard is not None:
            self.write(" if ")
            self.soft_named(t.guard)
        self.suite(t.body)

    def _MatchValue(self, t: Node) -> None:
        self.expr(t.value)

    def _MatchSingleton(self, t: Node) -> None:
        self.write(repr(t.value))

    def _MatchSequence(self, t: Node) -> None:
        self.bracket("[", t.patterns)

    def _MatchStar(self, t: Node) -> None:
        self.write("*" + (t.name or "_"))

    def _MatchMapping(self, t: Node) -> None:
        self.open("{")
        self.items(zip(t.keys, t.patterns, strict=True), self._pair)
        if t.rest is not None:
            if t.keys:
                self.comma()
            self.write("**" + t.rest)
        self.close()

    def _MatchClass(self, t: Node) -> None:
        self.expr(t.cls, Level.ATOM)
        self.open("(")
        self.items(t.patterns)
        for i, (name, pattern) in enumerate(zip(t.kwd_attrs, t.kwd_patterns, strict=True)):
            if i or t.patterns:
                self.comma()
            self.write(name + "=")
            self.expr(pattern)
        self.close()

    def _MatchAs(self, t: Node) -> None:
        if t.pattern is not None:
            self.expr(t.pattern, Level.BIT_OR)
            self.write(" as ")
        self.write(t.name or "_")

    def _MatchOr(self, t: Node) -> None:
        self._chain(t.patterns, " | ", Level.BIT_OR)


def _is_string(stmt: Node) -> bool:
    return (
        isinstance(stmt, gast.Expr)
        and isinstance(stmt.value, gast.Constant)
        and isinstance(stmt.value.value, str)
    )


def _is_comment(stmt: Node) -> bool:
    return _is_string(stmt) and isinstance(stmt.value.value, Comment)
