"""The text of one statement, on one line: what comments and messages quote."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import Any

__all__ = ["case_text", "characters", "header_end", "is_compound", "statement_text"]

_COMMENT = re.compile(r"#.*")


def characters(line: str, offset: int) -> int:
    """The column in characters of a byte offset, which is what ast counts in."""
    return offset if line.isascii() else len(line.encode()[:offset].decode(errors="replace"))


def statement_text(node: Any, lines: list[str]) -> str:
    """A simple statement (or lambda) as written, a compound one up to its colon.

    One that spans lines is joined to one, its comments left out.
    """
    if is_compound(node):
        first = characters(lines[node.lineno - 1], node.col_offset)
        return _joined(_between(lines, (node.lineno, first), header_end(node, lines)))
    if node.lineno == node.end_lineno:
        line = lines[node.lineno - 1]
        if line.isascii():
            return line[node.col_offset : node.end_col_offset]
    start = node.lineno, characters(lines[node.lineno - 1], node.col_offset)
    end = node.end_lineno, characters(lines[node.end_lineno - 1], node.end_col_offset)
    return _joined(_between(lines, start, end))


def case_text(node: Any, lines: list[str]) -> str:
    """The `case …:` of a `match` statement."""
    line = node.pattern.lineno
    first = len(lines[line - 1]) - len(lines[line - 1].lstrip())
    return _joined(_between(lines, (line, first), header_end(node, lines)))


def is_compound(node: Any) -> bool:
    """Whether `node` is a statement that holds statements."""
    return isinstance(getattr(node, "body", None) or getattr(node, "cases", None), list)


def header_end(node: Any, lines: list[str]) -> tuple[int, int]:
    """Line and column (in characters) after the colon of a compound statement."""
    ends = [(c.end_lineno, c.end_col_offset) for c in _head_children(node)]
    line, offset = max(ends) if ends else _start(node)
    # Only closing brackets, commas, comments and line ends stand between there and the colon.
    column = characters(lines[line - 1], offset)
    while ":" not in (rest := _COMMENT.sub("", lines[line - 1][column:])):
        line, column = line + 1, 0
    return line, column + rest.index(":") + 1


def _head_children(node: Any) -> list[Any]:
    """What stands in the header of a compound statement, and has a position."""
    found = []
    stack = [node]
    while stack:
        for field, value in ast.iter_fields(stack.pop()):
            if field in ("body", "orelse", "finalbody", "handlers", "cases", "decorator_list"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    (found if hasattr(child, "end_lineno") else stack).append(child)
    return found


def _start(node: Any) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The text from `start` to `end`, columns in characters."""
    (first, left), (last, right) = start, end
    if first == last:
        return lines[first - 1][left:right]
    return "".join([lines[first - 1][left:], *lines[first : last - 1], lines[last - 1][:right]])


def _joined(text: str) -> str:
    """`text` on one line: a bracket at a line's end gets no blank, a comma before it goes."""
    if "\n" not in text:
        return text.rstrip()
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(f"({text}\n)").readline))[1:]
    except (tokenize.TokenError, SyntaxError):
        return " ".join(_COMMENT.sub("", line).strip() for line in text.splitlines())
    tokens = [t for t in tokens if t.type not in _LAYOUT][:-1]
    joined, row, column = "", 1, 1
    for token in tokens:
        if token.start[0] == row:
            joined += " " * (token.start[1] - column)
        elif token.string in ")]}":
            joined = joined.removesuffix(",") if joined.count(",") > 1 else joined
        elif not joined.endswith(("(", "[", "{")):
            joined += " "
        joined += token.string.replace("\n", "\\n")
        row, column = token.end
    return joined.strip()


_LAYOUT = (
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.COMMENT,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)
