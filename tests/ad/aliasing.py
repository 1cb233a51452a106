"""Random programs that write: aliases, views, rows, containers, callees, buffers that are swapped.

Every program is a function `f(x, m, a)` of a vector of length 4, a matrix of 2 by 2 and a number,
and returns a number. What is written stays bounded, so that finite differences mean something.

A name that is bound anew inside a branch or a loop may make sharing depend on the path: only a
program that does so (`Writes.by_path`) may be refused.
"""

from __future__ import annotations

from tests.ad import programs

PRELUDE = """\
def bump(u, i, t):
    u[i] += 0.3 * np.tanh(t)


def relax(u, k):
    u[1:] += k * u[:-1]
    return u


def mix(u, w):
    for i in range(len(u)):
        if i % 2 == 0:
            u[i] = 0.5 * w[len(u) - 1 - i] + 0.3 * np.sin(u[i])
        else:
            u[i] *= 0.8


"""
SLICES = {
    2: ["::2", "1:3", "-2:", "::-2", "1::2"],
    3: ["1:", ":-1", ":0:-1", "-2::-1"],
    4: [":", "...", "::-1", "0:4"],
}


class Writes(programs.Writer):
    """Writes one program with in-place writes, as text."""

    def __init__(self, seed: int, size: int = 12):
        super().__init__(seed, size)
        self.vectors = ["x", "v", "w"]  # of length 4, each a name or an item of a container
        self.matrices = ["m"]  # 2 by 2
        self.rows: list[str] = []  # of length 2
        self.by_rows = {"m"}  # matrices whose elements surely lie in the order of rows
        self.by_path = False

    def text(self) -> str:
        self.lines = [PRELUDE + "def f(x, m, a):"]
        for line in ("s = a * 0.5", "v = x.copy()", "w = np.full(4, 0.2)"):
            self.put(1, line)
        self.scalars.append("s")
        while self.left > 0:
            self.block(1, loop=False)
        parts = [f"{v} @ np.array([1.0, -0.7, 0.4, 0.9])" for v in self.read(self.vectors)]
        parts += [f"np.sum({m} * {m}[::-1, 0])" for m in self.read(self.matrices)]
        parts += [f"{r}[0] - 0.5 * {r}[1]" for r in self.read(self.rows)]
        self.put(1, f"return {' + '.join([self.scalar(), 's', *parts])}")
        return "\n".join(self.lines) + "\n"

    def straight(self) -> str:
        """A program without branches and loops, which asks at its end what shares memory."""
        self.lines = [PRELUDE + "def f(x, m, a):"]
        for line in ("s = a * 0.5", "v = x.copy()", "w = np.full(4, 0.2)"):
            self.put(1, line)
        self.scalars.append("s")
        kinds = [k for k in self.kinds(1, False) if k not in CONTROL]
        while self.left > 0:
            self.left -= 1
            getattr(self, f"make_{self.pick(kinds)}")(1, False)
            if self.chance(0.2):
                self.put(1, f"probe({', '.join([*self.vectors, *self.matrices, *self.rows])})")
        self.put(1, f"probe({', '.join([*self.vectors, *self.matrices, *self.rows])})")
        self.put(1, "return s")
        return "\n".join(self.lines) + "\n"

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def read(self, pool: list[str]) -> list[str]:
        return [x for x in pool if self.chance(0.7)]

    def new(self, prefix: str) -> str:
        return f"{prefix}{next(self.names)}"

    def variables(self, pool: list[str]) -> list[str]:
        return [x for x in pool if x.isidentifier()]

    # --- expressions ----------------------------------------------------------------------------

    def bounded(self) -> str:
        return f"np.{self.pick(['tanh', 'sin'])}({self.scalar(1)})"

    def element(self) -> str:
        if self.rows and self.chance(0.25):
            return f"{self.pick(self.rows)}[{self.index(2)}]"
        if self.chance(0.25):
            return f"{self.pick(self.matrices)}[{self.index(2)}, {self.index(2)}]"
        return f"{self.pick(self.vectors)}[{self.index(4)}]"

    def index(self, size: int) -> str:
        if self.indices and self.chance(0.6):
            i = self.pick(self.indices)
            return (
                f"({i} + {self.rng.randrange(size)}) % {size}"
                if self.chance(0.5)
                else f"{i} % {size}"
            )
        return str(self.rng.randrange(-size, size))

    def part(self, size: int) -> str:
        """An array of this size, or a number."""
        kind = self.rng.randrange(5)
        if kind == 0:
            return self.scalar(1)
        if size == 2 and self.rows and kind < 3:
            return self.pick(self.rows)
        if size == 2 and kind == 3:
            m = self.pick(self.matrices)
            return self.pick(
                [f"{m}[{self.index(2)}]", f"{m}[:, {self.index(2)}]", f"{m}.sum(axis=0)"]
            )
        if size == 4 and kind < 3:
            return self.vector(1)
        return f"{self.pick(self.vectors)}[{self.pick(SLICES[size])}]"

    def write(self, depth: int, target: str, value: str) -> None:
        match self.rng.randrange(6):
            case 0 | 1:
                self.put(depth, f"{target} = 0.8 * {value}")
            case 2 | 3:
                self.put(depth, f"{target} {self.pick(['+', '-'])}= 0.3 * np.tanh({value})")
            case 4:
                self.put(depth, f"{target} *= np.sin({value})")
            case _:
                self.put(depth, f"{target} /= 2.0 + np.sin({value})")

    # --- statements -----------------------------------------------------------------------------

    def kinds(self, depth: int, loop: bool) -> list[str]:
        kinds = ["scalar", "vector", "add", "update", "element", "element", "part", "part"]
        kinds += ["cell", "matrix_row", "fancy", "mask", "whole", "out", "exchange", "call", "call"]
        kinds += ["alias", "view", "view", "flat", "container", "closure"]
        if depth < 4:
            kinds += ["if", "if", "for", "for", "while", "row_loop", "buffers", "history"]
        if depth > 1 and self.chance(0.25):
            kinds += ["rebind", "swap"]
        elif depth == 1:
            kinds += ["rebind", "swap"]
        if loop:
            kinds += ["jump"]
        elif depth > 1:
            kinds += ["return"]
        return kinds

    def statement(self, depth: int, loop: bool) -> None:
        getattr(self, f"make_{self.pick(self.kinds(depth, loop))}")(depth, loop)

    def block(self, depth: int, loop: bool) -> None:
        kept = len(self.matrices), len(self.rows)
        super().block(depth, loop)
        if depth > 1:
            del self.matrices[kept[0] :], self.rows[kept[1] :]

    def make_element(self, depth: int, loop: bool) -> None:
        self.write(depth, f"{self.pick(self.vectors)}[{self.index(4)}]", self.scalar(1))

    def make_part(self, depth: int, loop: bool) -> None:
        size = self.rng.choice([2, 3, 3, 4])
        self.write(depth, f"{self.pick(self.vectors)}[{self.pick(SLICES[size])}]", self.part(size))

    def make_cell(self, depth: int, loop: bool) -> None:
        m, i, j = self.pick(self.matrices), self.index(2), self.index(2)
        self.write(depth, self.pick([f"{m}[{i}, {j}]", f"{m}[{i}][{j}]"]), self.scalar(1))

    def make_matrix_row(self, depth: int, loop: bool) -> None:
        if self.rows and self.chance(0.4):
            self.write(depth, f"{self.pick(self.rows)}[:]", self.part(2))
            return
        m, i = self.pick(self.matrices), self.index(2)
        self.write(depth, self.pick([f"{m}[{i}]", f"{m}[:, {i}]", f"{m}[::-1]"]), self.part(2))

    def make_fancy(self, depth: int, loop: bool) -> None:
        v = self.pick(self.vectors)
        match self.rng.randrange(4):
            case 0:
                self.write(depth, f"{v}[[0, {self.rng.randrange(1, 4)}]]", self.part(2))
            case 1:
                self.write(depth, f"{v}[np.array([1, 3, 1])]", self.part(3))
            case 2:
                self.put(depth, f"np.add.at({v}, [2, 0, 2], 0.3 * np.tanh({self.part(3)}))")
            case _:
                self.put(depth, f"np.put({v}, [3, 1], 0.8 * {self.part(2)})")

    def make_mask(self, depth: int, loop: bool) -> None:
        v = self.pick(self.vectors)
        self.write(depth, f"{v}[{self.pick(self.vectors)} > 0.1]", self.scalar(1))

    def make_whole(self, depth: int, loop: bool) -> None:
        pools = [(self.vectors, 4), (self.matrices, 2), (self.rows, 2)]
        pool, size = self.rng.choice([p for p in pools if self.variables(p[0])])
        name = self.pick(self.variables(pool))
        op = self.pick(["+= 0.3 * np.tanh({})", "-= 0.2 * np.sin({})", "*= np.sin({})"])
        self.put(depth, f"{name} {op.format(self.part(size))}")

    def make_out(self, depth: int, loop: bool) -> None:
        v = self.pick(self.vectors)
        line = self.pick(["np.sin({}, out={})", "np.multiply({}, 0.7, {})"]).format(
            self.vector(1), v
        )
        line = self.pick(
            [line, line, f"np.copyto({v}, {self.vector(1)})", f"{v}.fill({self.bounded()})"]
        )
        self.put(depth, line)

    def make_exchange(self, depth: int, loop: bool) -> None:
        v, m = self.pick(self.vectors), self.pick(self.matrices)
        i, j = self.index(4), self.index(4)
        lines = [f"{v}[{i}], {v}[{j}] = {v}[{j}], {v}[{i}]", f"{m}[0], {m}[1] = {m}[1], {m}[0]"]
        self.put(depth, self.pick(lines))

    def make_call(self, depth: int, loop: bool) -> None:
        u = self.pick([*self.vectors, *self.rows])
        match self.rng.randrange(4):
            case 0:
                self.put(depth, f"bump({u}, {self.index(2)}, {self.scalar(1)})")
            case 1:
                self.put(depth, f"relax({u}, 0.3)")
            case 2:
                v, name = self.pick(self.vectors), self.new("u")
                self.put(depth, f"{name} = relax({v}, 0.2)")
                self.vectors.append(name)
            case _:
                self.put(depth, f"mix({self.pick(self.vectors)}, {self.pick(self.vectors)})")

    def make_alias(self, depth: int, loop: bool) -> None:
        name, v = self.new("y"), self.pick(self.vectors)
        form = self.pick(["{}", "{}", "{}[:]", "np.asarray({})", "{}[...]", "{}.copy()"])
        self.put(depth, f"{name} = {form.format(v)}")
        self.vectors.append(name)

    def make_view(self, depth: int, loop: bool) -> None:
        match self.rng.randrange(5):
            case 0:
                name = self.new("y")
                self.put(depth, f"{name} = {self.pick(self.vectors)}[::-1]")
                self.vectors.append(name)
            case 1:
                name = self.new("r")
                self.put(depth, f"{name} = {self.pick(self.vectors)}[{self.pick(SLICES[2])}]")
                self.rows.append(name)
            case 2:
                name, m = self.new("r"), self.pick(self.matrices)
                i = self.index(2)
                self.put(
                    depth, f"{name} = {self.pick([f'{m}[{i}]', f'{m}[:, {i}]', f'{m}.T[{i}]'])}"
                )
                self.rows.append(name)
            case 3:
                name, m = self.new("m"), self.pick(self.matrices)
                self.put(depth, f"{name} = {m}{self.pick(['.T', '[::-1]', '[:, ::-1]'])}")
                self.matrices.append(name)
            case _:
                name = self.new("m")
                self.put(depth, f"{name} = {self.pick(self.vectors)}.reshape(2, 2)")
                self.matrices.append(name)

    def make_flat(self, depth: int, loop: bool) -> None:
        name, m = self.new("y"), self.pick([m for m in self.matrices if m in self.by_rows])
        form = self.pick([".ravel()", ".reshape(-1)", ".reshape(4)", ".flatten()"])
        self.put(depth, f"{name} = {m}{form}")
        self.vectors.append(name)

    def make_container(self, depth: int, loop: bool) -> None:
        name, u, v = self.new("p"), self.pick(self.vectors), self.pick(self.vectors)
        text, items = self.rng.choice(
            [
                (f"[{u}, {v}]", ["[0]", "[1]"]),
                (f"({u}, {v}[::-1])", ["[0]", "[1]"]),
                (f"{{'k': {u}, 'n': {v}.copy()}}", ["['k']", "['n']"]),
                (f"[[{u}], {v}]", ["[0][0]", "[-1]"]),
            ]
        )
        self.put(depth, f"{name} = {text}")
        self.vectors += [name + item for item in items]

    def make_closure(self, depth: int, loop: bool) -> None:
        name, v = self.new("put"), self.pick(self.variables(self.vectors))
        self.put(depth, f"def {name}(i, t):")
        self.put(depth + 1, f"{v}[i] = 0.5 * {v}[i - 1] + 0.4 * np.sin(t)")
        self.put(depth, f"{name}({self.rng.randrange(4)}, {self.scalar(1)})")

    def make_row_loop(self, depth: int, loop: bool) -> None:
        name, m = self.new("r"), self.pick(self.matrices)
        self.put(depth, f"for {name} in {m}:")
        self.rows.append(name)
        self.put(depth + 1, f"{name} *= {self.bounded()}")
        self.block(depth + 1, loop=True)
        self.rows.remove(name)

    def make_buffers(self, depth: int, loop: bool) -> None:
        """Two buffers, one read and one written, change places."""
        b, v, i = self.new("b"), self.new("c"), self.new("i")
        self.put(depth, f"{v} = {self.vector(1)} * 1.0")
        self.put(depth, f"{b} = np.zeros_like({v})")
        self.put(depth, f"for {i} in range({self.rng.randrange(4)}):")
        self.put(depth + 1, f"{b}[1:] = 0.7 * {v}[:-1] + 0.2 * {v}[1:]")
        self.put(depth + 1, f"{b}[0] = {self.bounded()}")
        if self.chance(0.3):
            self.put(depth + 1, f"if {b}[1] > {self.rng.uniform(-0.5, 0.5):.3f}:")
            self.put(depth + 2, "break")
        self.put(depth + 1, f"{v}, {b} = {b}, {v}")
        self.vectors += [v, b]

    def make_history(self, depth: int, loop: bool) -> None:
        hs, i, v = self.new("h"), self.new("i"), self.pick(self.vectors)
        self.put(depth, f"{hs} = []")
        self.put(depth, f"for {i} in range(3):")
        self.indices.append(i)
        self.make_element(depth + 1, True)
        self.make_part(depth + 1, True)
        self.put(depth + 1, f"{hs}.append({v}.copy())")
        self.indices.remove(i)
        self.put(depth, f"s += 0.2 * np.tanh({hs}[{self.rng.randrange(-3, 3)}] @ {v})")

    def make_rebind(self, depth: int, loop: bool) -> None:
        name, v = self.pick(self.variables(self.vectors)), self.pick(self.vectors)
        value = self.pick([v, f"{v}[::-1]", f"{v}.copy()", f"np.tanh({v})"])
        self.put(depth, f"{name} = {value}")
        self.by_path |= depth > 1

    def make_swap(self, depth: int, loop: bool) -> None:
        names = self.variables(self.vectors)
        v, w = self.pick(names), self.pick(names)
        self.put(depth, f"{v}, {w} = {w}, {v}")
        self.by_path |= depth > 1


CONTROL = {"if", "for", "while", "row_loop", "buffers", "history", "jump", "return"}
