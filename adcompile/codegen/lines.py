"""A printer that remembers which place in the user's program each line of text comes from.

Statements carry their `Loc` as the attribute `loc`.
"""

from __future__ import annotations

from adcompile.codegen.nodes import Node
from adcompile.codegen.printer import Printer
from adcompile.ir.core import Loc


def locate(node: Node, loc: Loc) -> Node:
    """Note where `node` comes from."""
    vars(node)["loc"] = loc
    return node


def numbered(node: Node, first: int) -> tuple[str, dict[int, Loc]]:
    """The text of a definition, and the places of its lines, the first of which is line `first`."""
    printer = _Numbered()
    printer.dispatch(node)
    text = printer.text().rstrip("\n") + "\n"
    return text, {first + k: loc for k, loc in printer.locs.items()}


class _Numbered(Printer):
    def __init__(self) -> None:
        super().__init__()
        self.locs: dict[int, Loc] = {}
        self._next: Loc | None = None  # of the statement that is about to start
        self._here: Loc | None = None  # of the line that is open

    def announce(self, stmt: Node) -> None:
        super().announce(stmt)
        self._next = vars(stmt).get("loc")

    def fill(self, text: str = "") -> None:
        super().fill(text)
        self._here = self._next

    def _flush(self) -> None:
        start, loc = len(self._lines), self._here if self._open else None
        super()._flush()
        if loc is not None:
            for k in range(start, len(self._lines)):
                self.locs[k] = loc
