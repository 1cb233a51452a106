"""Random programs whose loops end in many ways: flags, `break`, `return`, `while True`."""

from __future__ import annotations

from tests.ad.programs import Writer, load


class Flagged(Writer):
    """Its loops set a flag, and perhaps a result with it, for what follows them."""

    def __init__(self, seed: int, size: int = 12):
        super().__init__(seed, size)
        self.flags: list[tuple[str, str, bool]] = []  # with the result, and what they are at first

    def make_for(self, depth: int, loop: bool) -> None:
        if self.rng.random() < 0.4:
            super().make_for(depth, loop)
            return
        k = next(self.names)
        flag, result, first = f"found{k}", f"r{k}", self.rng.choice([False, True])
        self.put(depth, f"{flag} = {first}")
        if self.rng.random() < 0.8:
            self.put(depth, f"{result} = {self.scalar(1)}")
            self.scalars.append(result)
        else:
            self.put(depth, f"{result} = 0.0")
        self.make_header(depth, f"i{k}")
        self.flags.append((flag, result, first))
        self.indices.append(f"i{k}")
        self.block(depth + 1, loop=True)
        if self.rng.random() < 0.5:
            self.make_jump(depth + 1, True)
        if self.rng.random() < 0.5:
            self.block(depth + 1, loop=True)
        self.indices.pop()
        self.flags.pop()
        self.make_use(depth, self.pick(["", "not "]) + flag, flag, result)

    def make_header(self, depth: int, i: str) -> None:
        kind = self.pick(["for", "while", "endless"])
        if kind == "for":
            self.put(depth, f"for {i} in range({self.rng.randrange(5)}):")
            return
        self.put(depth, f"{i} = 0")
        self.put(depth, "while True:" if kind == "endless" else f"while {i} < 3 and abs(s) < 4.0:")
        self.put(depth + 1, f"{i} += 1")
        if kind == "endless":
            self.put(depth + 1, f"if {i} > 4:")
            self.put(depth + 2, self.pick(["break", f"return s * {self.scalar(1)}"]))

    def make_use(self, depth: int, test: str, flag: str, result: str) -> None:
        uses = {
            "return": [f"if {test}:", f"    return {result} + s"],
            "else": [f"if {test}:", f"    s = s * 0.5 + {result}", "else:", "    s = s - 0.1"],
            "add": [f"if {test}:", f"    s += {result} * {result}"],
            "number": [f"s += {result} + {flag}"],
            "and": [f"if {test} and s < 1.0:", f"    s += {result}"],
            "none": [],
        }
        for line in uses[self.pick([*uses])]:
            self.put(depth, line)

    def make_jump(self, depth: int, loop: bool) -> None:
        if not self.flags or self.rng.random() < 0.3:
            super().make_jump(depth, loop)
            return
        flag, result, first = self.rng.choice(self.flags)
        self.put(depth, f"if {self.condition()}:")
        if self.rng.random() < 0.3:
            self.put(depth + 1, f"s = s + {self.scalar(1)} * 0.1")
        if self.rng.random() < 0.8:
            self.put(depth + 1, f"{flag} = {first if self.rng.random() < 0.15 else not first}")
        if self.rng.random() < 0.8:
            self.put(depth + 1, f"{result} = {self.scalar()}")
        self.put(
            depth + 1, self.pick(["break", "break", "continue", "pass", f"return {result} * s"])
        )


def program(seed: int, size: int):
    """The function that `seed` stands for, with its source where `inspect` finds it."""
    text = Flagged(seed, size).text()
    return load(text, seed), text
