"""A printer that remembers which place in the user's program each line of text comes from.

Statements (and the conditions of branches) carry their `Loc` as the attribute `loc`.
"""

from __future__ import annotations

from typing import Any

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

    def dispatch(self, tree: Any) -> None:
        for node in tree if isinstance(tree, list) else (tree,):
            self._next = vars(node).get("loc")
            super().dispatch(node)

    def fill(self, text: str = "") -> None:
        super().fill(text)
        self._here = self._next

    def soft_named(self, node: Node, *args: Any) -> None:
        self._here = vars(node).get("loc", self._here)  # an `elif` starts no statement
        super().soft_named(node, *args)

    def _flush(self) -> None:
        start, loc = len(self._lines), self._here if self._open else None
        super()._flush()
        if loc is not None:
            self.locs.update((k, loc) for k in range(start, len(self._lines)))
