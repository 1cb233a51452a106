"""Random programs: control flow over numbers, arrays, tuples and lists, always well typed."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

_numbers = itertools.count()

SCALARS = ("a", "b", "c")
ARRAYS = ("v", "w")
SIMPLE = 3  # how deep blocks nest


class Writer:
    """Draws one program, line by line."""

    def __init__(self, draw: Callable[[Any], Any]):
        self.draw = draw
        self.lines: list[str] = []
        self.budget = draw(st.integers(3, 14))
        self.counters: list[str] = []
        self.fresh = itertools.count()

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def emit(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def scalar(self, deep: int = 2) -> str:
        kind = self.draw(st.integers(0, 12 if deep else 3))
        match kind:
            case 0 | 1 | 2:
                return self.pick(*SCALARS)
            case 3:
                return self.pick("0.5", "2", "-1.5", "n", *self.counters)
            case 4 | 5:
                op = self.pick("+", "-", "*")
                return f"({self.scalar(deep - 1)} {op} {self.scalar(deep - 1)})"
            case 6:
                at = self.pick("0", "-1", *(f"{c} % 3" for c in self.counters))
                return f"{self.pick(*ARRAYS)}[{at}]"
            case 7:
                return f"math.tanh({self.scalar(deep - 1)})"
            case 8:
                return f"{self.array(deep - 1)}.{self.pick('sum()', 'mean()', 'max()')}"
            case 9:
                return f"({self.scalar(deep - 1)} if {self.test()} else {self.scalar(deep - 1)})"
            case 10:
                return f"helper({self.scalar(deep - 1)}, {self.pick('k=2.0', 'n', '')})"
            case 11:
                return f"pair[{self.pick(0, 1)}]"
            case _:
                return f"np.tanh({self.scalar(deep - 1)})"

    def array(self, deep: int = 2) -> str:
        kind = self.draw(st.integers(0, 6 if deep else 1))
        match kind:
            case 0 | 1:
                return self.pick(*ARRAYS)
            case 2 | 3:
                return (
                    f"({self.array(deep - 1)} {self.pick('+', '-', '*')} {self.scalar(deep - 1)})"
                )
            case 4:
                return f"np.tanh({self.array(deep - 1)})"
            case 5:
                return f"{self.array(deep - 1)}[::-1]"
            case _:
                return f"helper({self.array(deep - 1)}, {self.scalar(deep - 1)})"

    def test(self) -> str:
        left, op = self.pick(*SCALARS), self.pick("<", ">", "<=")
        simple = f"{left} {op} {self.pick('0.1', '1', 'n', *SCALARS)}"
        if self.counters and self.draw(st.booleans()):
            simple = f"{self.pick(*self.counters)} {self.pick('==', '>', '<')} {self.pick(0, 1, 2)}"
        match self.draw(st.integers(0, 4)):
            case 0:
                return f"{simple} {self.pick('and', 'or')} {self.pick(*SCALARS)} < 0.3"
            case 1:
                return f"not ({simple})"
            case 2:
                return f"-0.5 < {left} < 1.5"
        return simple

    def block(self, depth: int, in_loop: bool) -> None:
        for _ in range(self.draw(st.integers(1, 4))):
            self.statement(depth, in_loop)
            if self.budget <= 0:
                return

    def statement(self, depth: int, in_loop: bool) -> None:
        self.budget -= 1
        kinds = ["set", "set", "aug", "array", "pair", "append", "swap"]
        if depth <= SIMPLE:
            kinds += ["if", "if", "range", "items", "while", "zip", "unroll"]
        if in_loop:
            kinds += ["break", "continue"]
        if depth > 1:
            kinds += ["return"]
        getattr(self, "_" + self.pick(*kinds))(depth, in_loop)

    def _set(self, depth: int, in_loop: bool) -> None:
        self.emit(depth, f"{self.pick(*SCALARS)} = {self.scalar()}")

    def _aug(self, depth: int, in_loop: bool) -> None:
        self.emit(depth, f"{self.pick(*SCALARS)} {self.pick('+', '-', '*')}= {self.scalar()}")

    def _array(self, depth: int, in_loop: bool) -> None:
        self.emit(depth, f"{self.pick(*ARRAYS)} = {self.array()}")

    def _pair(self, depth: int, in_loop: bool) -> None:
        self.emit(depth, f"pair = ({self.scalar()}, pair[0])")

    def _append(self, depth: int, in_loop: bool) -> None:
        self.emit(depth, f"xs.append({self.scalar()})")

    def _swap(self, depth: int, in_loop: bool) -> None:
        self.emit(depth, self.pick("a, b = b, a", "v, w = w, v", "a, *rest = b, c, a"))

    def _break(self, depth: int, in_loop: bool) -> None:
        self.emit(depth, "break")

    def _continue(self, depth: int, in_loop: bool) -> None:
        self.emit(depth, "continue")

    def _return(self, depth: int, in_loop: bool) -> None:
        self.emit(depth, "return a, v * b, xs")

    def _if(self, depth: int, in_loop: bool) -> None:
        self.emit(depth, f"if {self.test()}:")
        self.block(depth + 1, in_loop)
        if self.draw(st.booleans()):
            self.emit(depth, f"elif {self.test()}:")
            self.block(depth + 1, in_loop)
        if self.draw(st.booleans()):
            self.emit(depth, "else:")
            self.block(depth + 1, in_loop)

    def _loop(self, depth: int, header: str, *names: str) -> None:
        self.emit(depth, header)
        self.counters.extend(names)
        self.block(depth + 1, True)
        del self.counters[len(self.counters) - len(names) :]
        if self.draw(st.integers(0, 3)) == 0:
            self.emit(depth, "else:")
            self.block(depth + 1, False)

    def _range(self, depth: int, in_loop: bool) -> None:
        i = f"i{next(self.fresh)}"
        bounds = self.pick("n", "3", "1, n", "n, 0, -1", "0, 5, 2", "0")
        wrap = self.pick("range({})", "range({})", "reversed(range({}))").format(bounds)
        self._loop(depth, f"for {i} in {wrap}:", i)

    def _items(self, depth: int, in_loop: bool) -> None:
        name = self.pick(*SCALARS)
        self._loop(depth, f"for {name} in {self.pick('v', 'w', 'list(xs)', 'reversed(v)')}:")

    def _zip(self, depth: int, in_loop: bool) -> None:
        i = f"i{next(self.fresh)}"
        self._loop(depth, f"for {i}, (a, c) in enumerate(zip(v, w)):", i)

    def _unroll(self, depth: int, in_loop: bool) -> None:
        self._loop(depth, f"for {self.pick(*SCALARS)} in (0.5, b, -1.0):")

    def _while(self, depth: int, in_loop: bool) -> None:
        k = f"k{next(self.fresh)}"
        self.emit(depth, f"{k} = 0")
        self.emit(depth, f"while {k} < {self.pick('n', '3')} and {self.pick(*SCALARS)} < 3:")
        self.emit(depth + 1, f"{k} += 1")
        self.counters.append(k)
        self.block(depth + 1, True)
        self.counters.pop()


def helper(x: Any, k: Any = 1.0) -> Any:
    if isinstance(x, np.ndarray):
        return x * k
    for _ in range(2):
        if x > 5.0:
            return k - x
        x = x * 0.5 + k
    return x


@st.composite
def programs(draw: Any) -> str:
    """The text of a function `f(a, b, v, n)`."""
    writer = Writer(draw)
    while writer.budget > 0:
        writer.statement(1, False)
    header = [
        "def f(a, b, v, n):",
        "    c = 0.25",
        "    w = v * 2.0",
        "    pair = (a, b)",
        "    xs = [a]",
    ]
    return "\n".join([*header, *writer.lines, "    return a, v * b, xs", ""])


def load(text: str) -> Callable[..., Any]:
    """The function that a program defines; its source can be found."""
    file = f"<random program {next(_numbers)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space: dict[str, Any] = {"__name__": "random_program", "np": np, "helper": helper}
    space["math"] = __import__("math")
    exec(compile(text, file, "exec"), space)
    return space["f"]
