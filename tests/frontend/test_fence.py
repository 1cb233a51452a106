"""The fence has a row for every node of gast, and refuses what it says it refuses."""

from __future__ import annotations

import ast
import sys

import gast
import pytest

from adcompile.errors import UnsupportedSyntax
from adcompile.frontend.fence import TABLE, Row, check, docs_table
from adcompile.frontend.source import Source, at, to_gast


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
    assert {name.partition(" w")[0] for name in TABLE} == nodes_of_gast()


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
    assert row.node.partition(" w")[0] in nodes_in(text)
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


def where(text: str) -> tuple[int, int]:
    with pytest.raises(UnsupportedSyntax) as caught:
        check(source_of(text))
    loc = caught.value.loc
    assert loc is not None
    return loc.line, loc.col


def test_the_first_culprit_is_shown():
    assert where("def f(x):\n    y = 1\n    y = [a for a in x]\n    del y") == (3, 8)
    assert where("def f(x):\n    if x:\n        pass\n    else:\n        x[0] = 1") == (5, 8)
    assert where("def f(x):\n    x[0], y = 1, f'{x}'") == (2, 4)
    assert where("def f(x):\n    x.a += 1") == (2, 4)
    assert where("def f(x):\n    return [g(lambda t: (yield t))]") == (2, 25)


def test_annotations_and_defaults_do_not_matter():
    check(source_of("def f(x: [i for i in y] = [j for j in z], *, k={1}) -> {1, 2}: y: {3} = 1"))


def test_defaults_of_inner_functions_do():
    assert where("def f(x):\n    def g(y={1}): pass") == (2, 12)


def test_long_programs():
    check(source_of("def f(a):\n    return " + " + ".join(["a"] * 2000)))
