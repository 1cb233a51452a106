"""What a tape holds when all is simplified: no more than is read, and nothing twice."""

import numpy as np
import pytest

from adcompile import check_grads, hvp
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Param, Value
from adcompile.ir.interpreter import run
from adcompile.ir.printer import to_text
from adcompile.ir.types import FLOAT, INT, Tree
from adcompile.ir.verifier import verify
from adcompile.passes import lean

LOC = core.NOWHERE


def taped(read):
    """A loop that saves (i, x, x, 2 * x), and one that adds up what `read` makes of an item."""
    x = Value(FLOAT, "x")
    b = Builder(Block([x]), LOC)
    types = (INT, FLOAT, FLOAT, FLOAT)
    empty = b.new_seq(Tree(tuple, (0, 1, 2, 3), types))
    empty.name = "saved"
    heads = [b.const(0), b.const(3), b.const(1)]
    i, seq = Value(INT, "i"), Value(empty.type, "saved")
    body = b.into(Block([i, seq]))
    twice = body.mul(x, body.const(2.0))
    body.yield_(body.append(seq, body.tuple(i, x, x, twice)))
    saved = b.add(core.For, [*heads, empty], [empty.type], body=body.block).results[0]
    item, total = Value(empty.type.item), Value(FLOAT, "total")
    body = b.into(Block([item, total]))
    parts = [Value(t) for t in types]
    body.block.ops.append(core.Unpack([item], parts, LOC))
    body.yield_(body.add(core.Call, [total, read(body, parts)], [FLOAT], fn=np.add).result)
    loop = b.add(core.For, [saved, b.const(0.0)], [FLOAT], body=body.block, over="seq")
    b.return_(loop.results[0])
    return Function("f", b.block, [Param("x")])


@pytest.mark.parametrize(
    ("read", "seq"),
    [
        pytest.param(lambda b, parts: parts[3], "seq(float)", id="one"),
        pytest.param(lambda b, parts: b.mul(parts[1], parts[2]), "seq(float)", id="one twice"),
        pytest.param(
            lambda b, parts: b.mul(parts[2], parts[3]), "seq(tuple(float, float))", id="two"
        ),
        pytest.param(lambda b, parts: b.const(1.0), "seq(int)", id="the iterations"),
    ],
)
def test_what_is_kept(read, seq):
    fn = taped(read)
    before = run(fn, 1.5)
    lean.run(fn)
    verify(fn)
    assert run(fn, 1.5) == before
    (line,) = [line for line in to_text(fn).splitlines() if " append " in line]
    assert line.endswith(f": {seq}"), line


def test_inner_tapes_and_branches():
    def f(x):
        s = x[0]
        for i in range(3):
            while abs(s) < 2.0:
                if s > 0.5:
                    s = s * x[1] + np.sin(s * x[2])
                else:
                    s = s + 0.3 * x[i] ** 2
            s = s * 0.1
        return s * x[1]

    x = np.array([0.4, 1.3, 0.9])
    check_grads(f, (x,), modes=("reverse", "forward"), order=2)


def test_a_second_derivative():
    def f(x):
        while len(x) > 1:
            x = np.tanh(x[::2] * x[1::2]) + x[::2]
        return x[0] ** 3

    x = np.linspace(0.3, 1.7, 8)
    text = hvp(f).lower((x,), x).source
    assert "saved.append((x, z, x_dot, z3))" in text and "_ in reversed" not in text
    assert "np.zeros_like(d_" not in text
