"""The fence has a row for every node of gast, and refuses what it says it refuses."""

from __future__ import annotations

import ast
import linecache
import sys
from typing import Any

import gast
import numpy as np
import pytest

from adcompile import check_grads
from adcompile.errors import UnsupportedSyntax
from adcompile.frontend.fence import TABLE, Row, check, docs_table, row_name
from adcompile.frontend.source import Source, at, get_source, to_gast


def source_of(text: str) -> Source:
    lines = text.splitlines(True)
    node = ast.parse(text).body[0]
    return Source("<test>", 1, text, "f", to_gast(node, "<test>", lines, "f"))


def program(example: str) -> str:
    """A function with `example` in it."""
    keyword = "async def" if example.startswith("async ") and "def" not in example else "def"
    body = "".join(f"    {line}\n" for line in example.splitlines())
    return f"{keyword} f(x, a, b, c, xs, w, n, args, kwargs):\n{body}"


def nodes_of_gast() -> set[str]:
    return {
        name
        for name, cls in vars(gast).items()
        if isinstance(cls, type)
        and issubclass(cls, gast.AST)
        and cls.__module__ == "gast.gast"
        and "_fields" in vars(cls)  # without, it is an abstract base
    }


def test_every_node_has_a_row():
    assert nodes_of_gast() <= set(TABLE)


def test_no_row_is_out_of_thin_air():
    assert {name.partition(" ")[0] for name in TABLE} == nodes_of_gast()


def test_every_refusal_says_what_to_write_instead():
    for row in TABLE.values():
        assert bool(row.reason) == bool(row.instead), row


NEWER = (
    {"TypeAlias", "TypeVar", "ParamSpec", "TypeVarTuple"} if sys.version_info < (3, 12) else set()
)
WRITTEN = [row for row in docs_table() if row.node not in NEWER]


def nodes_in(text: str) -> set[str]:
    return {type(n).__name__ for n in gast.walk(source_of(text).tree)}


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row.node)
def test_examples(row: Row):
    text = program(row.example)
    assert row.node.partition(" ")[0] in nodes_in(text)
    if row.supported:
        check(source_of(text))
    else:
        with pytest.raises(UnsupportedSyntax) as caught:
            check(source_of(text))
        assert caught.value.loc is not None
        if "async" not in row.example and row.node != "Await":
            reasons = {r.reason for r in TABLE.values() if r.node in nodes_in(text)}
            assert caught.value.message in reasons | {row.reason}
        assert caught.value.hint


@pytest.mark.parametrize(
    "row", [r for r in TABLE.values() if r not in WRITTEN and not r.supported], ids=lambda r: r.node
)
def test_nodes_that_no_program_of_this_python_has(row: Row):
    source = source_of("def f(x): pass")
    cls = getattr(gast, row.node)
    node = cls(**dict.fromkeys(cls._fields))
    source.tree.body.append(at(node, source.tree.body[0]))
    with pytest.raises(UnsupportedSyntax, match=row.reason):
        check(source)


def test_a_node_that_is_not_in_the_table_is_refused():
    class Surprise(gast.stmt):
        _fields = ()

    source = source_of("def f(x): pass")
    source.tree.body.append(at(Surprise(), source.tree.body[0]))
    with pytest.raises(UnsupportedSyntax, match="Surprise is not known"):
        check(source)


# Programs that have every construct that is supported in them, and are differentiated below.
PROGRAMS = """
def f(x, y=1, /, *args, z=2, **kwargs):
    a = b = x
    a += 1
    c: float = 3.0
    (d, *e), g = (x, x, x), [x]
    pass
    print("x", f"{x:.1f}") if x > 9 else None
    return a * b + c * d * len(e) + g[0] * y * z

def f(x):
    s = 0.0
    for i in range(5):
        if i == 1 or not i != 2:
            continue
        elif i >= 4:
            break
        s = s + x ** i / 2 - x % 3 + x * i // 1
    while s < 1 and 0 <= 1 > 0:
        s *= 2
    assert s > 0, "negative"
    if s < 0:
        raise ValueError("negative")
    return s

def f(x):
    k = (1 << 3 >> 1 | 1 ^ 2) & 7
    return x * k + x * ~k + (lambda v: -v if v > 0 else +v)(x)

def f(x):
    p = {"w": x, "b": 2.0}
    v = np.array([x, 2.0, 3.0])
    v[0] = x * x
    ys = [x, x]
    del ys[0]
    y = None
    return (v @ v) * p["w"] + sum(v[1:][::-1].T) * ys[0] if y is None and y is not p else x

def f(x):
    def g(v, k=3):
        nonlocal x
        global np
        return v * x * k
    t = x
    del t
    return g(x, k=2) if "a" in {"a", "b"} and "c" not in ("a",) else x

def f(x):
    import math
    from math import pi as p
    with np.errstate(all="ignore") as e:
        y = np.sqrt(x)
    try:
        y = math.log(x)
    except ValueError as e:
        y = x
    return y * p if (z := x * 2) > 1 else z

def f(x):
    a = [v * x for v in range(3) if v]
    b = {k: x for k in ("a", "b")}
    return sum(v for v in a) + b["a"] * len({k for k in "ab"})

def f(x):
    y = x
    match {"a": (x, 2, None)}:
        case {"a": (v, 1 | 2 as k, None)}:
            y = v * k
        case float() | [*_]:
            y = v
    return y * x

class Box:
    def __init__(self, v):
        self.v = v
def f(x):
    box = Box(x)
    box.v = box.v * x
    return box.v
"""


def test_programs_with_every_construct(tmp_path):
    seen: set[str] = set()
    space: dict[str, Any] = {"np": np, "__name__": __name__}
    for k, text in enumerate(PROGRAMS.split("\n\n")):
        file = str(tmp_path / f"program{k}.py")
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        exec(compile(text, file, "exec"), space)
        check_grads(space["f"], (1.5,), 0)
        seen |= {row_name(n) for n in gast.walk(get_source(space["f"]).tree)}
    wanted = {row.node for row in WRITTEN if row.supported}
    assert wanted - seen <= {"TypeVar", "ParamSpec", "TypeVarTuple"}


def where(text: str) -> tuple[int, int]:
    with pytest.raises(UnsupportedSyntax) as caught:
        check(source_of(text))
    loc = caught.value.loc
    assert loc is not None
    return loc.line, loc.col


def test_the_first_culprit_is_shown():
    assert where("def f(x):\n    y = 1\n    y = yield x\n    class A: pass") == (3, 8)
    assert where("def f(x):\n    if x:\n        pass\n    else:\n        class A: pass") == (5, 8)
    assert where("def f(x):\n    x[0], y = 1, (yield x)") == (2, 18)
    assert where("def f(x):\n    return [g(lambda t: (yield t))]") == (2, 25)


def test_annotations_and_defaults_do_not_matter():
    check(source_of("def f(x: [i for i in y] = [j for j in z], *, k={1}) -> {1, 2}: y: {3} = 1"))


def test_defaults_of_inner_functions_do():
    assert where("def f(x):\n    def g(y=(yield)): pass") == (2, 13)


def test_long_programs():
    check(source_of("def f(a):\n    return " + " + ".join(["a"] * 2000)))
