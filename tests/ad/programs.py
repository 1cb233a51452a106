"""Random programs: loops, branches that change from one iteration to the next, jumps, lists.

Every program is a function `f(x, a)` of a vector of length 4 and a number, and returns a number.
All operations are smooth and bounded, so that finite differences mean something.
"""

from __future__ import annotations

import itertools
import linecache
import random

import numpy as np

_count = itertools.count()


class Writer:
    """Writes one random program, as text."""

    def __init__(self, seed: int, size: int = 12):
        self.rng = random.Random(seed)
        self.left = size
        self.scalars = ["a"]
        self.vectors = ["x"]
        self.indices: list[str] = []
        self.lines: list[str] = []
        self.names = itertools.count()

    def text(self) -> str:
        self.lines.append("def f(x, a):")
        self.put(1, "s = a * 0.5")
        self.scalars.append("s")
        self.block(1, loop=False)
        self.put(
            1, f"return {self.scalar()} + s * {self.pick(self.scalars)} + np.sum({self.vector()})"
        )
        return "\n".join(self.lines) + "\n"

    def put(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def pick(self, items: list[str]) -> str:
        return self.rng.choice(items)

    # --- expressions ----------------------------------------------------------------------------

    def scalar(self, depth: int = 2) -> str:
        kind = self.rng.randrange(9) if depth else self.rng.randrange(3)
        match kind:
            case 0 | 1:
                return self.pick(self.scalars)
            case 2:
                return self.element()
            case 3:
                return f"np.tanh({self.scalar(depth - 1)})"
            case 4:
                return f"({self.scalar(depth - 1)} * {self.scalar(depth - 1)}) * 0.3"
            case 5:
                return f"({self.scalar(depth - 1)} - {self.scalar(depth - 1)}) * 0.5"
            case 6:
                return f"{self.scalar(depth - 1)} / (2.0 + np.sin({self.scalar(depth - 1)}))"
            case 7:
                return f"np.mean({self.vector(depth - 1)})"
            case _:
                return f"np.sum({self.vector(depth - 1)} * {self.pick(self.vectors)}) * 0.1"

    def vector(self, depth: int = 1) -> str:
        kind = self.rng.randrange(6) if depth else 0
        match kind:
            case 0 | 1:
                return self.pick(self.vectors)
            case 2:
                return f"np.sin({self.vector(depth - 1)})"
            case 3:
                return f"{self.vector(depth - 1)} * {self.scalar(depth - 1)}"
            case 4:
                return f"({self.vector(depth - 1)} + {self.pick(self.vectors)}[::-1]) * 0.4"
            case _:
                return f"np.where({self.pick(self.vectors)} > 0.1, {self.vector(depth - 1)}, 0.2)"

    def element(self) -> str:
        index = self.pick([*self.indices, *map(str, range(-2, 3))]) if self.indices else "1"
        index = (
            f"({index} + {self.rng.randrange(4)}) % 4"
            if self.rng.random() < 0.3
            else f"{index} % 4"
        )
        return f"{self.pick(self.vectors)}[{index}]"

    def condition(self) -> str:
        op = self.pick([">", "<"])
        test = f"{self.scalar(1)} {op} {self.rng.uniform(-0.5, 0.5):.3f}"
        if self.indices and self.rng.random() < 0.4:
            test = f"{self.pick(self.indices)} % 2 == {self.rng.randrange(2)}"
        if self.rng.random() < 0.2:
            return f"{test} {self.pick(['and', 'or'])} {self.pick(self.scalars)} < 0.4"
        return test

    # --- statements -----------------------------------------------------------------------------

    def block(self, depth: int, loop: bool) -> None:
        """A few statements; names that are new here are forgotten at its end."""
        kept = len(self.scalars), len(self.vectors)
        before = len(self.lines)
        for _ in range(self.rng.randint(1, 3)):
            if self.left <= 0:
                break
            self.left -= 1
            self.statement(depth, loop)
        if len(self.lines) == before:
            self.put(depth, f"s = s * 0.9 + {self.scalar(1)} * 0.1")
        if depth > 1:
            del self.scalars[kept[0] :], self.vectors[kept[1] :]

    def statement(self, depth: int, loop: bool) -> None:
        kinds = ["scalar", "vector", "add", "update"]
        if depth < 4:
            kinds += ["if", "if", "for", "for", "while", "list"]
        if loop:
            kinds += ["jump"]
        elif depth > 1:
            kinds += ["return"]
        getattr(self, f"make_{self.pick(kinds)}")(depth, loop)

    def make_scalar(self, depth: int, loop: bool) -> None:
        value, name = self.scalar(), f"t{next(self.names)}"
        self.put(depth, f"{name} = {value}")
        self.scalars.append(name)

    def make_vector(self, depth: int, loop: bool) -> None:
        value, name = self.vector(2), f"v{next(self.names)}"
        self.put(depth, f"{name} = {value}")
        self.vectors.append(name)

    def make_add(self, depth: int, loop: bool) -> None:
        self.put(depth, f"s {self.pick(['+', '-'])}= {self.scalar()} * 0.5")

    def make_update(self, depth: int, loop: bool) -> None:
        name = self.pick([n for n in self.scalars if n != "a"])
        self.put(depth, f"{name} = np.tanh({name}) + {self.scalar(1)} * 0.5")

    def make_if(self, depth: int, loop: bool) -> None:
        self.put(depth, f"if {self.condition()}:")
        self.block(depth + 1, loop)
        if self.rng.random() < 0.3:
            self.put(depth, f"elif {self.condition()}:")
            self.block(depth + 1, loop)
        if self.rng.random() < 0.6:
            self.put(depth, "else:")
            self.block(depth + 1, loop)

    def make_for(self, depth: int, loop: bool) -> None:
        name = f"i{next(self.names)}"
        header = self.pick(
            [
                f"for {name} in range(3):",
                f"for {name} in range(3, -1, -2):",
                f"for {name} in range(0, 5, 2):",
                f"for {name}, e{name} in enumerate({self.pick(self.vectors)}):",
            ]
        )
        self.put(depth, header)
        self.indices.append(name)
        if "enumerate" in header:
            self.scalars.append(f"e{name}")
        self.block(depth + 1, loop=True)
        if "enumerate" in header:
            self.scalars.remove(f"e{name}")
        self.indices.remove(name)
        if self.rng.random() < 0.2:
            self.put(depth, "else:")
            self.block(depth + 1, loop)

    def make_while(self, depth: int, loop: bool) -> None:
        name = f"k{next(self.names)}"
        self.put(depth, f"{name} = 0")
        self.put(depth, f"while {name} < 4 and abs(s) < 3.0:")
        self.put(depth + 1, f"{name} += 1")
        self.indices.append(name)
        self.block(depth + 1, loop=True)
        self.indices.remove(name)

    def make_list(self, depth: int, loop: bool) -> None:
        items, name = f"l{next(self.names)}", f"j{next(self.names)}"
        self.put(depth, f"{items} = []")
        self.put(depth, f"for {name} in range(3):")
        self.indices.append(name)
        self.put(depth + 1, f"{items}.append({self.scalar(1)})")
        self.indices.remove(name)
        self.put(depth, f"s += {items}[{self.rng.randrange(-3, 3)}] * 0.5")
        if self.rng.random() < 0.5:
            self.put(depth, f"for w in {items}:")
            self.put(depth + 1, "s += w * w * 0.2")

    def make_jump(self, depth: int, loop: bool) -> None:
        self.put(depth, f"if {self.condition()}:")
        if self.rng.random() < 0.4:
            self.put(depth + 1, f"s = s + {self.scalar(1)} * 0.1")
        word = self.pick(["break", "continue", f"return {self.scalar()}"])
        self.put(depth + 1, word)

    def make_return(self, depth: int, loop: bool) -> None:
        self.put(depth, f"if {self.condition()}:")
        self.put(depth + 1, f"return {self.scalar()} + s")


def program(seed: int, size: int = 12):
    """The function that `seed` stands for, with its source where `inspect` finds it."""
    text = Writer(seed, size).text()
    return load(text, seed), text


def load(text: str, seed: int = 0, **names):
    """The function that a program defines, which knows `names`."""
    name = f"<program {seed} {next(_count)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    namespace = {"np": np, **names}
    exec(compile(text, name, "exec"), namespace)
    return namespace["f"]
