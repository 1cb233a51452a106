"""Where a long line breaks.

The printer hands over one logical line as a list of pieces: plain text, operators (`Op`) and
bracketed lists of items (`Group`). A line that fits stays as it is. One that does not is broken as
a person would break it, after the manner of black: inside the bracket that holds most of it, with a
hanging indent; the items stay together on one line if they fit there, and otherwise get a line
each (many names fill lines). Where an expression hangs on its operators rather than on a bracket, a
*soft* group (parentheses that are written only when broken) is opened round it, and the line breaks
before the operators that bind least. Only white space, soft parentheses and trailing commas are
ever added.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TypeAlias

INDENT = 4
MANY = 8  # names, such as those of a tape


@dataclass(slots=True)
class Op:
    """An operator (or the `for`, `if`, `else` of an expression): a line may break before it."""

    flat: str  # with its spaces, as it stands within a line
    rank: int  # how tightly it binds: the lowest rank breaks first


@dataclass(slots=True)
class Group:
    """Items between brackets, separated by commas."""

    open: str
    close: str
    soft: bool = False  # the brackets are written only where the group is broken
    comma: bool = False  # the last item keeps its comma even on one line: `(a,)`
    items: list[list[Piece]] = field(default_factory=lambda: [[]])
    flat: str = ""  # the group on one line, known once it is sealed

    def seal(self) -> None:
        text = self.inner()
        self.flat = text if self.soft else self.open + text + self.close

    def inner(self) -> str:
        return ", ".join([flat(item) for item in self.items]) + ("," if self.comma else "")

    @property
    def empty(self) -> bool:
        return not self.items[0]


Piece: TypeAlias = "str | Op | Group"


def flat(pieces: list[Piece]) -> str:
    """The pieces on one line."""
    return "".join([piece if isinstance(piece, str) else piece.flat for piece in pieces])


def wrap(pieces: list[Piece], indent: int, width: int) -> list[str]:
    """The lines, indented, of a statement (or its header) that starts at column `indent`."""
    return _wrap(pieces, indent, width, inside=False, hang=0)


def _wrap(pieces: list[Piece], indent: int, width: int, *, inside: bool, hang: int) -> list[str]:
    """As `wrap`. Only `inside` a bracket may an operator start a line, which `hang` indents."""
    lines: list[str] = []
    while True:  # a turn breaks one bracket, and goes on with what follows that bracket
        text = flat(pieces)
        if indent + len(text) <= width:
            return [*lines, " " * indent + text]
        ranks = [piece.rank for piece in pieces[1:] if isinstance(piece, Op)] if inside else []
        if ranks:
            return lines + _at_operators(pieces, min(ranks), indent, width, hang)
        pieces = _without_needless(pieces, indent, width)
        at = _bracket(pieces, indent, width)
        if at is None:
            return [*lines, " " * indent + text]
        group = pieces[at]
        assert isinstance(group, Group)
        inner = _names(group.items[0][0]) if len(group.items) == len(group.items[0]) == 1 else None
        opening, closing = group.open, group.close
        if inner is not None and not inner.soft:  # `saved.append((`
            opening, closing, group = opening + inner.open, inner.close + closing, inner
        lines.append(" " * indent + flat(pieces[:at]) + opening)
        lines += _body(group, indent + INDENT, width)
        pieces = [closing, *pieces[at + 1 :]]


def _at_operators(pieces: list[Piece], rank: int, indent: int, width: int, hang: int) -> list[str]:
    """A line for each operand of the operators of this rank."""
    operands: list[list[Piece]] = [[]]
    for piece in pieces:
        if isinstance(piece, Op) and piece.rank == rank and operands[-1]:
            operands.append([piece.flat.lstrip()])
        else:
            operands[-1].append(piece)
    lines = _wrap(operands[0], indent, width, inside=True, hang=INDENT)
    for operand in operands[1:]:
        lines += _wrap(operand, indent + hang, width, inside=True, hang=INDENT)
    return lines


def _body(group: Group, indent: int, width: int) -> list[str]:
    """What stands between the brackets of a broken group: on one line if that suffices."""
    text = group.inner()
    if indent + len(text) <= width:
        return [" " * indent + text]
    if len(group.items) == 1:
        item = [*group.items[0], ","] if group.comma else group.items[0]
        return _wrap(item, indent, width, inside=True, hang=0)
    if _names(group) is not None:
        lines = textwrap.wrap(text, width - indent, break_long_words=False, break_on_hyphens=False)
        return [" " * indent + line for line in lines]
    lines: list[str] = []
    for item in group.items:
        lines += _wrap([*item, ","], indent, width, inside=True, hang=INDENT)
    return lines


def _names(piece: Piece) -> Group | None:
    """`piece`, if it is a bracket with so many names in it that a line for each reads badly."""
    if not isinstance(piece, Group) or len(piece.items) < MANY:
        return None
    return piece if all(flat(item).isidentifier() for item in piece.items) else None


def _without_needless(pieces: list[Piece], indent: int, width: int) -> list[Piece]:
    """The pieces, with soft groups replaced by their contents where parentheses would not help."""
    result: list[Piece] = []
    for piece in pieces:
        column = indent + len(flat(result))
        if (
            isinstance(piece, Group)
            and piece.soft
            and len(piece.items) == 1
            and not _needs_parentheses(piece, column, indent, width)
        ):
            result += piece.items[0]
        else:
            result.append(piece)
    return result


def _needs_parentheses(group: Group, column: int, indent: int, width: int) -> bool:
    """Whether the contents of a soft group, which start at `column`, read better in parentheses."""
    content = group.items[0]
    ranks = [piece.rank for piece in content if isinstance(piece, Op)]
    last = content[-1] if content else ""
    if ranks:
        # One operator before a bracket that holds most of the expression: `y = a + f(`.
        hugs = ranks.count(min(ranks)) == 1 and isinstance(last, Group) and not last.empty
        head = column + len(group.flat) - len(last.flat) if isinstance(last, Group) else width
        return not (hugs and head < width and 2 * len(flat([last])) > len(group.flat))
    first = next(
        (i for i, piece in enumerate(content) if isinstance(piece, Group) and not piece.empty), None
    )
    if first is not None and column + len(flat(content[:first])) < width:
        return False
    return column > indent and indent + INDENT + len(group.flat) <= width


def _bracket(pieces: list[Piece], indent: int, width: int) -> int | None:
    """Which bracket to break: the widest of those that the line reaches, or else the first."""
    best = first = None
    column, most = indent, 0
    for i, piece in enumerate(pieces):
        size = len(flat([piece]))
        if isinstance(piece, Group) and not piece.empty:
            first = i if first is None else first
            if size >= most and column < width:
                best, most = i, size
        column += size
    return first if best is None else best
