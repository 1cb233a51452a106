"""Random programs that write: elements, slices, rows, views of views, masks, aliases, in loops.

Like `programs.py`, with arrays that are changed in place. Every program is a function `f(x, A)` of
a vector of length 4 and a matrix of shape (3, 4), and returns a number.
"""

from __future__ import annotations

import itertools
import linecache
import random
from typing import Any

import numpy as np

_count = itertools.count()


class Writer:
    """Writes one random program, as text."""

    def __init__(self, seed: int, size: int = 12):
        self.rng = random.Random(seed)
        self.left = size
        self.lines: list[str] = []
        self.fresh = itertools.count()
        self.vectors = ["x"]  # of length 4
        self.written = ["y", "z"]  # those of them that are written
        self.matrices = ["M"]
        self.scalars = ["s"]
        self.indices: list[str] = []

    def text(self) -> str:
        self.put(0, "def f(x, A):")
        self.put(1, "y = x * 1.0")
        self.put(1, self.rng.choice(["z = np.sin(x)", "z = np.zeros(4)", "z = x.copy()"]))
        self.put(1, self.rng.choice(["M = A.copy()", "M = np.tanh(A)", "M = A * A"]))
        self.put(1, "s = x[0] * 0.5")
        self.vectors += self.written
        self.block(1)
        tail = self.rng.choice(["", " * x", " * y", " * np.cos(z)"])
        self.put(1, f"return s + np.sum(y{tail}) + np.sum(z * z) + np.sum(M * A)")
        return "\n".join(self.lines) + "\n"

    def put(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def pick(self, *items: str) -> str:
        return self.rng.choice(items)

    # --- expressions ----------------------------------------------------------------------------

    def index(self) -> str:
        if self.indices and self.rng.random() < 0.7:
            i = self.pick(*self.indices)
            return self.pick(i, f"({i} + 1) % 3", f"{i} - 1", f"-{i} - 1")
        return str(self.rng.randrange(-3, 3))

    def element(self) -> str:
        if self.rng.random() < 0.4:
            m = self.pick(*self.matrices)
            return self.pick(
                f"{m}[{self.index()}, {self.index()}]",
                f"{m}[{self.index()}][{self.index()}]",
                f"{m}.T[{self.index()}][{self.index()}]",
            )
        return f"{self.pick(*self.vectors)}[{self.index()}]"

    def scalar(self, depth: int = 2) -> str:
        kind = self.rng.randrange(7) if depth else self.rng.randrange(3)
        match kind:
            case 0:
                return self.pick(*self.scalars)
            case 1 | 2:
                return self.element()
            case 3:
                return f"np.tanh({self.scalar(depth - 1)})"
            case 4:
                return f"({self.scalar(depth - 1)} * {self.scalar(depth - 1)}) * 0.4"
            case 5:
                return f"np.mean({self.vector(depth - 1)})"
            case _:
                return f"({self.scalar(depth - 1)} - {self.scalar(depth - 1)}) * 0.5"

    def vector(self, depth: int = 1) -> str:
        kind = self.rng.randrange(7) if depth else self.rng.randrange(3)
        match kind:
            case 0 | 1:
                return self.pick(*self.vectors)
            case 2:
                return self.pick(f"{self.pick(*self.matrices)}[{self.index()}]", *self.vectors)
            case 3:
                return f"np.sin({self.vector(depth - 1)})"
            case 4:
                return f"{self.vector(depth - 1)} * {self.scalar(depth - 1)}"
            case 5:
                return f"({self.vector(depth - 1)} + {self.pick(*self.vectors)}[::-1]) * 0.4"
            case _:
                return f"np.tanh({self.vector(depth - 1)} * {self.pick(*self.vectors)})"

    def part(self, length: int) -> str:
        """A part of a vector with so many elements, as it is written and read."""
        v = self.pick(*self.vectors)
        if length == 2:
            return self.pick(f"{v}[1:3]", f"{v}[::2]", f"{v}[::-2]", f"{v}[1:][:2]", f"{v}[-2:]")
        return self.pick(f"{v}[1:]", f"{v}[:-1]", f"{v}[:0:-1]")

    # --- statements -----------------------------------------------------------------------------

    def block(self, depth: int) -> None:
        kept = len(self.vectors), len(self.scalars), len(self.written)
        before = len(self.lines)
        for _ in range(self.rng.randint(1, 4)):
            if self.left <= 0:
                break
            self.left -= 1
            self.statement(depth)
        if len(self.lines) == before:
            self.put(depth, f"y[{self.index()}] = {self.scalar(1)}")
        if depth > 1:
            del self.vectors[kept[0] :], self.scalars[kept[1] :], self.written[kept[2] :]

    def statement(self, depth: int) -> None:
        kinds = ["element", "element", "slice", "slice", "whole", "row", "column", "fancy", "read"]
        kinds += ["alias", "swap", "loop_row"]
        if depth < 4:
            kinds += ["if", "for", "for", "for", "while"]
        getattr(self, f"make_{self.pick(*kinds)}")(depth)

    def operator(self) -> str:
        return self.pick("=", "=", "+=", "-=", "*=")

    def make_element(self, depth: int) -> None:
        if self.rng.random() < 0.3:
            i, j = self.index(), self.index()
            target = self.pick(f"M[{i}, {j}]", f"M[{i}][{j}]", f"M.T[{j}][{i}]")
        else:
            target = f"{self.pick(*self.written)}[{self.index()}]"
        self.put(depth, f"{target} {self.operator()} {self.scalar()}")

    def make_slice(self, depth: int) -> None:
        v = self.pick(*self.written)
        length = self.rng.choice([2, 3])
        if length == 2:
            target = self.pick(f"{v}[1:3]", f"{v}[::2]", f"{v}[::-2]", f"{v}[1:][:2]")
        else:
            target = self.pick(f"{v}[1:]", f"{v}[:-1]", f"{v}[::-1][1:]")
        value = self.pick(
            self.part(length),
            f"{self.part(length)} * {self.scalar(1)}",
            f"np.sin({self.part(length)}) * {self.part(length)}",
            self.scalar(1),
        )
        self.put(depth, f"{target} {self.operator()} {value}")

    def make_whole(self, depth: int) -> None:
        v = self.pick(*self.written)
        how = self.pick(f"{v}[:] =", f"{v} +=", f"{v} *=", f"{v}[...] =", f"{v} -=")
        self.put(depth, f"{how} {self.pick(self.vector(), self.scalar(1))}")
        self.put(depth, f"np.tanh({v}, out={v})")

    def make_row(self, depth: int) -> None:
        target = f"M[{self.index()}]"
        if self.rng.random() < 0.3:
            self.put(depth, f"{target}[1:] {self.operator()} {self.part(3)}")
        else:
            self.put(depth, f"{target} {self.operator()} {self.vector()}")

    def make_column(self, depth: int) -> None:
        target = self.pick(f"M[:, {self.index()}]", f"M.T[{self.index()}]")
        value = self.pick(self.part(3), self.scalar(1), f"M[:, {self.index()}]")
        self.put(depth, f"{target} {self.operator()} {value}")

    def make_fancy(self, depth: int) -> None:
        v = self.pick(*self.written)
        at = self.pick("np.array([0, 2, 0, 1])", "np.array([3, 3, 3, 3])", "np.arange(4)[::-1]")
        match self.rng.randrange(4):
            case 0:
                self.put(depth, f"{v}[{at}] {self.operator()} {self.vector()}")
            case 1:
                self.put(depth, f"np.add.at({v}, {at}, {self.vector()})")
            case 2:
                self.put(depth, f"{v}[{self.pick(*self.vectors)} > 0.1] {self.operator()} 0.3")
            case _:
                self.put(depth, f"{v}[{at}] {self.operator()} {self.scalar(1)}")

    def make_read(self, depth: int) -> None:
        name = f"t{next(self.fresh)}"
        if self.rng.random() < 0.5:
            self.put(depth, f"{name} = {self.scalar()}")
            self.scalars.append(name)
        else:
            self.put(depth, f"{name} = {self.vector(2)} * 1.0")
            self.vectors.append(name)
        self.put(depth, f"s += {self.scalar(1)} * 0.5")

    def make_alias(self, depth: int) -> None:
        name, v = f"v{next(self.fresh)}", self.pick(*self.written)
        part = self.pick(f"{v}[::-1]", v, f"M[{self.rng.randrange(3)}]", f"{v}[:]")
        self.put(depth, f"{name} = {part}")
        self.vectors.append(name)
        self.written.append(name)

    def make_swap(self, depth: int) -> None:
        a, b = (f"{self.pick(*self.written)}[{self.index()}]" for _ in range(2))
        self.put(depth, f"{a}, {b} = {b}, {a}")

    def make_loop_row(self, depth: int) -> None:
        name = f"r{next(self.fresh)}"
        self.put(depth, f"for {name} in {self.pick('M', 'M', 'M[::-1]', 'M[1:]')}:")
        self.vectors.append(name)
        self.written.append(name)
        self.put(depth + 1, f"{name}[1:] {self.operator()} {name}[:-1] * {self.scalar(1)}")
        if self.rng.random() < 0.5:
            self.put(depth + 1, f"{name}[{self.index()}] {self.operator()} {self.scalar(1)}")
        self.vectors.remove(name)
        self.written.remove(name)

    def condition(self) -> str:
        if self.indices and self.rng.random() < 0.5:
            return f"{self.pick(*self.indices)} % 2 == {self.rng.randrange(2)}"
        return f"{self.scalar(1)} {self.pick('<', '>')} {self.rng.uniform(-0.5, 0.5):.3f}"

    def make_if(self, depth: int) -> None:
        self.put(depth, f"if {self.condition()}:")
        self.block(depth + 1)
        if self.rng.random() < 0.5:
            self.put(depth, "else:")
            self.block(depth + 1)

    def make_for(self, depth: int) -> None:
        name = f"i{next(self.fresh)}"
        head = self.pick("range(3)", "range(2, -1, -1)", "range(1, 3)", "range(len(y) - 1)")
        self.put(depth, f"for {name} in {head}:")
        self.indices.append(name)
        self.block(depth + 1)
        self.indices.remove(name)
        if self.rng.random() < 0.2:
            self.put(depth + 1, f"if {self.condition()}:")
            self.put(
                depth + 2, self.pick("break", "continue", f"return {self.scalar(1)} + np.sum(y)")
            )
            self.put(depth + 1, f"y[{self.index()}] {self.operator()} {self.scalar(1)}")

    def make_while(self, depth: int) -> None:
        name = f"k{next(self.fresh)}"
        self.put(depth, f"{name} = 0")
        self.put(depth, f"while {name} < 3 and abs(s) < 4.0:")
        self.indices.append(name)
        self.block(depth + 1)
        self.indices.remove(name)
        self.put(depth + 1, f"{name} += 1")


def program(seed: int, size: int = 12):
    """The function that `seed` stands for, with its source where `inspect` finds it."""
    text = Writer(seed, size).text()
    name = f"<writing {seed} {next(_count)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"np": np}
    exec(compile(text, name, "exec"), namespace)
    return namespace["f"], text
