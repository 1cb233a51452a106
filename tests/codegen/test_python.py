"""The parts of a generated text besides statements: imports, names from outside, lines."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from adcompile.codegen.python import generate
from adcompile.codegen.symbols import Symbols
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, GlobalRef, Loc, Param, Stmt, Value
from adcompile.ir.types import FLOAT, INT, Array


def at(block: Block, line: int = 1, text: str = "", order: int = 0) -> Builder:
    return Builder(block, Loc(Stmt("f.py", line, text, "f"), line, 0, line, 1), order)


def function(*names: str) -> tuple[Block, Builder]:
    block = Block([Value(FLOAT, n) for n in names])
    return block, at(block)


def finish(block: Block, result: Value, name: str = "f") -> Function:
    last = block.ops[-1]
    Builder(block, last.loc, last.order).return_(result)
    return Function(name, block, [Param(str(p.name)) for p in block.params])


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -3, 2.5, -0.0, 1e300, "a'b", b"x", ..., 2j, complex(1, -2), (1, (2.0, "x")),
        [1, -2], {"a": 1, 2: (3,)}, slice(1, None, 2), range(3), np.float32(1.5), np.int64(-2),
        np.dtype(">f8"), float("inf"), -float("inf"), np, np.linalg.inv, len,
    ],
)  # fmt: skip
def test_constants_come_out_as_they_are(value):
    block, b = function("x")
    generated = generate(finish(block, b.add(core.Const, [], [FLOAT], value=value).result))
    scope: dict = dict(generated.namespace)
    exec(generated.text, scope)
    result = scope["f"](1.0)
    assert type(result) is type(value)
    assert repr(result) == repr(value)
    assert not generated.namespace


def test_nan_is_a_constant_too():
    block, b = function("x")
    assert "return np.nan" in generate(finish(block, b.const(float("nan")))).text


def test_an_object_that_cannot_be_written_is_handed_over():
    thing = object()
    block, b = function("x")
    generated = generate(finish(block, b.add(core.Const, [], [FLOAT], value=thing).result))
    assert generated.namespace == {"const": thing}


def test_callees_with_one_name_stay_two():
    def first(x):
        return x + 1.0

    def second(x):
        return x * 10.0

    first.__name__ = second.__name__ = "helper"
    block, b = function("x")
    y = b.call_op(first, [block.params[0]], types=[FLOAT], effect=True).result
    z = b.call_op(second, [y], types=[FLOAT], effect=True).result
    generated = generate(finish(block, z))
    scope: dict = dict(generated.namespace)
    exec(generated.text, scope)
    assert set(generated.namespace) == {"helper", "helper_2"}
    assert scope["f"](1.0) == 20.0


def test_a_global_is_told_apart_from_a_local_of_its_name():
    block, b = function("x")
    ref = GlobalRef("scale", lambda: 3.0, ("module", "scale"))
    scale = b.add(core.Global, [], [FLOAT], source=ref).result
    local = b.mul(block.params[0], 2.0)
    local.name = "scale"
    generated = generate(finish(block, b.mul(local, scale)))
    scope: dict = dict(generated.namespace)
    exec(generated.text, scope)
    assert generated.globals == {"scale": ref}
    assert scope["f"](1.0) == 6.0


def test_a_parameter_keeps_its_name_whatever_else_has_it():
    block, b = function("abs", "np")
    y = b.call(np.exp, b.call_op(abs, [block.params[0]], types=[FLOAT]).result)
    generated = generate(finish(block, y))
    scope: dict = dict(generated.namespace)
    exec(generated.text, scope)
    assert "import numpy as np_2" in generated.text
    assert scope["f"](-2.0, None) == np.exp(2.0)


def test_functions_that_are_invoked_stand_above():
    inner, b = function("x")
    callee = finish(inner, b.mul(inner.params[0], 2.0), "double")
    block, b = function("x")
    y = b.add(core.Invoke, [block.params[0]], [FLOAT], callee=callee).result
    generated = generate(finish(block, y))
    assert (
        generated.text
        == "def double(x):\n    return x * 2.0\n\n\ndef f(x):\n    return double(x)\n"
    )


def test_signatures_have_kinds_and_defaults():
    block, b = function("a", "b", "c", "d")
    b.return_(b.add_values(block.params[0], block.params[3]))
    params = [
        Param("a", "POSITIONAL_ONLY"),
        Param("b", default=2.0),
        Param("c", "VAR_POSITIONAL"),
        Param("d", "KEYWORD_ONLY", None),
    ]
    text = generate(Function("f", block, params, doc="Adds.\n\nAt length.")).text
    assert text == 'def f(a, /, b=2.0, *c, d=None):\n    """Adds."""\n    return a + d\n'


def test_each_line_knows_where_it_comes_from():
    block, _ = function("x")
    (x,) = block.params
    y = at(block, 10, "y = x * 2.0").mul(x, 2.0)
    y.name = "y"
    d = at(block, 11, "z = y + 1.0", order=1).call(operator.add, y, 1.0)
    d.name = "d_y"
    generated = generate(finish(block, d))
    lines = generated.text.splitlines()
    assert lines[1:] == [
        "    y = x * 2.0", "", "    # z = y + 1.0", "    d_y = y + 1.0", "    return d_y"
    ]  # fmt: skip
    assert {k: loc.line for k, loc in generated.lines.items() if k > 1} == {2: 10, 5: 11, 6: 11}


def test_old_versions_get_numbers_and_dead_ones_lend_their_name():
    block, _ = function("x")
    (x,) = block.params
    versions = [x]
    for k in range(4):
        v = at(block, k).call(np.sin, versions[-1])
        v.name = "x"
        versions.append(v)
    total = at(block, 9).add_values(versions[1], versions[4])
    assert generate(finish(block, total)).text.partition("\n\n\n")[2] == (
        "def f(x):\n"
        "    x = np.sin(x)\n"
        "    x2 = np.sin(x)\n"
        "    x2 = np.sin(x2)\n"
        "    x2 = np.sin(x2)\n"
        "    return x + x2\n"
    )


def test_an_adjoint_never_takes_the_name_of_a_primal_value():
    block, _ = function("x")
    (x,) = block.params
    h = at(block, 1).mul(x, 2.0)
    h.name = "h"
    d = at(block, 2, order=1).mul(h, 3.0)
    d.name = "d_h"
    assert "    h = x * 2.0\n\n    d_h = h * 3.0\n" in generate(finish(block, d)).text


def test_effects_keep_their_order():
    order: list[str] = []

    def first():
        order.append("first")
        return 1.0

    def second():
        order.append("second")
        return 2.0

    block, b = function("x")
    a = b.call_op(first, [], types=[FLOAT], effect=True).result
    c = b.call_op(second, [], types=[FLOAT], effect=True).result
    generated = generate(finish(block, b.call(operator.sub, c, a)))  # read in the other order
    scope: dict = dict(generated.namespace)
    exec(generated.text, scope)
    assert scope["f"](0.0) == 1.0 and order == ["first", "second"]


def test_symbols_are_imported_by_their_best_way():
    symbols = Symbols()
    shown = [symbols.function(f) for f in (np.abs, np.linalg.norm, len, np.float64)]
    paths = []
    for node in shown:
        path = []
        while hasattr(node, "attr"):
            path.append(node.attr)
            node = node.value
        paths.append(".".join([node.id, *reversed(path)]))
    assert paths == ["np.abs", "np.linalg.norm", "len", "np.float64"]
    assert symbols.imports == {"np": "import numpy as np"}


def test_an_index_that_is_not_used_is_not_named():
    block, b = function("x")
    body = Block([Value(INT, "i"), Value(FLOAT, "s")])
    inner = at(body)
    inner.yield_(inner.mul(body.params[1], 2.0))
    heads = [b.const(k) for k in (0, 3, 1)]
    op = b.add(core.For, [*heads, block.params[0]], [FLOAT], body=body)
    assert "for _ in range(3):" in generate(finish(block, op.result)).text


def test_arrays_as_constants_are_handed_over():
    table = np.arange(3.0)
    block, b = function("x")
    v = b.add(core.Const, [], [Array(table.dtype, (3,))], value=table).result
    generated = generate(finish(block, v))
    assert next(iter(generated.namespace.values())) is table
