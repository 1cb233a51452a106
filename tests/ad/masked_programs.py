"""Random programs that keep away from bad numbers by masks, and the same ones made safe.

A program is a function `f(x)` of a vector of length 4, and returns a number. The safe one gives
the steep functions good numbers where they are masked (the double where).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

from tests.ad.programs import load

STEEP = ("np.log({})", "np.sqrt({})", "1 / {}", "{} ** 0.5", "{} ** -1.5", "np.sqrt({0}) / {0}")
GOOD = "np.where({0} > 0, {0}, 1.5)"


class Writer:
    """Writes one random program; `@v@` is what a steep function is of."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.vectors = ["x"]
        self.lines = ["def f(x):", "    s = 0.25"]
        self.names = (f"v{k}" for k in itertools.count())

    def text(self, size: int) -> str:
        kinds = [self.chosen, self.overwritten, self.looped, self.picked, self.summed, self.filled]
        kinds += [self.sided, self.stopped]
        for _ in range(size):
            self.rng.choice([*kinds, self.mixed, self.mixed])()
        u, v, w = (self.rng.choice(self.vectors) for _ in range(3))
        last = f"np.sum(np.sin({u}) * {v}) + s * np.sum({w})"
        return "\n".join([*self.lines, f"    return {last} + s * s"]) + "\n"

    def put(self, *lines: str) -> None:
        self.lines += ["    " + line for line in lines]

    def steep(self) -> tuple[str, str]:
        """A vector, and a steep function of it."""
        v = self.rng.choice(self.vectors)
        return v, self.rng.choice(STEEP).format(f"@{v}@")

    def new(self) -> str:
        self.vectors.append(next(self.names))
        return self.vectors[-1]

    def chosen(self) -> None:
        v, f = self.steep()
        k, u = self.rng.choice(["0.0", "0.5", "1.0", "x"]), self.rng.choice(self.vectors)
        if self.rng.random() < 0.5:
            self.put(f"{self.new()} = np.where({v} > 0, {f} * {u}, {k})")
        else:
            self.put(f"{self.new()} = np.tanh(np.where({v} <= 0, {k}, {f})) + 0.1 * {u}")

    def overwritten(self) -> None:
        v, f = self.steep()
        new = next(self.names)
        self.put(f"{new} = {f}", f"{new}[{v} <= 0] = 0.5")
        self.vectors.append(new)

    def filled(self) -> None:
        v, f = self.steep()
        new = next(self.names)
        u = self.rng.choice(self.vectors)
        self.put(f"{new} = np.zeros(4)", f"t = {f}")
        self.put("for i in range(4):", f"    if {v}[i] > 0:", f"        {new}[i] = t[i] * {u}[i]")
        self.vectors.append(new)

    def looped(self) -> None:
        v, f = self.steep()
        w = self.rng.choice(self.vectors)
        self.put(f"t = {f}", "for i in range(4):", f"    if {v}[i] > 0:")
        self.put(f"        s = s + 0.3 * np.sin(t[i]) * {w}[i]")

    def sided(self) -> None:
        """Both sides of a branch read what is masked, each in its own way."""
        v, f = self.steep()
        u, new = self.rng.choice(self.vectors), next(self.names)
        ways = [f"np.where({v} > 0, t, 0.0)", f"np.where({v} > 0, t * {u}, 1.0)", f"0.1 * {u}"]
        self.rng.shuffle(ways)
        self.put(f"t = {f}", f"if s > {self.rng.choice(['0.2', 's * s', 'x[0]'])}:")
        self.put(f"    {new} = {ways[0]}", "else:", f"    {new} = np.sin({ways[1]})")
        self.vectors.append(new)

    def stopped(self) -> None:
        """A loop that ends, or goes on, where the mask is."""
        v, f = self.steep()
        w, end = self.rng.choice(self.vectors), self.rng.choice(["break", "continue"])
        self.put(f"t = {f}", "r = 0.7", "for i in range(4):", f"    if {v}[i] <= 0:")
        self.put(f"        {end}", f"    r = np.sin(t[i] * r) + 0.2 * r * {w}[i]", "s = s + r")

    def picked(self) -> None:
        v, f = self.steep()
        self.put(f"s = s + 0.2 * np.sum(({f})[{v} > 0] ** 2)")

    def summed(self) -> None:
        v, f = self.steep()
        self.put(f"s = np.tanh(s) + 0.2 * np.sum({f}, where={v} > 0)")

    def mixed(self) -> None:
        u, v = self.rng.choice(self.vectors), self.rng.choice(self.vectors)
        forms = (
            *(f"np.tanh({u} * {v})", f"{u} - 1.0", f"np.sin({u}) * s", f"0.5 * {u} + {v} * {v}"),
            *(f"np.reshape(np.reshape({u}, (2, 2)).T, 4)", f"np.concatenate(({u}[2:], {v}[:2]))"),
            *(f"np.maximum({u}, 0.0)", f"np.cumsum({u}) * 0.3", f"{u} * (x > 0)"),
        )
        form = self.rng.choice(forms)
        self.put(f"{self.new()} = {form}")


def programs(seed: int, size: int) -> tuple[Callable, Callable, str]:
    """A program, the safe one, and its text."""
    text = Writer(seed).text(size)
    parts = text.split("@")
    safe = "".join(GOOD.format(p) if k % 2 else p for k, p in enumerate(parts))
    text = text.replace("@", "")
    return load(text), load(safe), text
