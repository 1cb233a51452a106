"""How errors read."""

from __future__ import annotations

import linecache
import pickle

import pytest

from adcompile import errors
from adcompile.errors import AdcompileError, InternalError, TypeMismatch
from adcompile.ir.core import Loc, Stmt

TEXT = (
    "def f(x):\n"
    "    y = np.sum(\n"
    "        x,\n"
    "        axis=k,\n"
    "    )\n"
    "\tz = x\t+ y\n"
    "    w = '日本' + é̀ + 'x'\n"
    "    return [\n1,\n2,\n3,\n4,\n5,\n6]\n"
)


@pytest.fixture(autouse=True)
def file():
    linecache.cache["<shown>"] = (len(TEXT), None, TEXT.splitlines(True), "<shown>")
    yield
    del linecache.cache["<shown>"]


def shown(line: int, col: int, end_line: int, end_col: int, hint: str | None = None) -> str:
    stmt = Stmt("<shown>", line, "y = ...", "f")
    return str(TypeMismatch("it is wrong", Loc(stmt, line, col, end_line, end_col), hint))


def test_a_span_in_one_line():
    assert shown(4, 13, 4, 14, "write 0").splitlines() == [
        "<shown>:4: in function f",
        "    axis=k,",
        "         ^",
        "it is wrong",
        "hint: write 0",
    ]


def test_a_span_over_lines():
    assert shown(2, 8, 5, 5).splitlines() == [
        "<shown>:2: in function f",
        "    y = np.sum(",
        "        ^^^^^^^",
        "        x,",
        "        ^^",
        "        axis=k,",
        "        ^^^^^^^",
        "    )",
        "    ^",
        "it is wrong",
    ]


def test_tabs():
    assert shown(6, 7, 6, 8).splitlines()[1:3] == ["    z = x   + y", "            ^"]


def test_wide_and_combining_characters():
    line = TEXT.splitlines()[6]
    at = line.index("é")
    lines = shown(7, at, 7, at + 2).splitlines()
    assert lines[2] == " " * (4 + len("w = '") + 4 + len("' + ")) + "^"


def test_long_spans_are_cut():
    lines = shown(8, 11, 14, 2).splitlines()
    assert lines[-2] == "    ... (2 more lines)"


def test_without_location_or_source():
    assert str(TypeMismatch("it is wrong", hint="do not")) == "it is wrong\nhint: do not"
    stmt = Stmt("<gone>", 3, "y = x", "f")
    assert str(TypeMismatch("it is wrong", Loc(stmt, 3, 0, 3, 5))).splitlines() == [
        "<gone>:3: in function f",
        "    y = x",
        "it is wrong",
    ]


def test_lines_are_read_when_the_error_is_made():
    stmt = Stmt("<shown>", 4, "", "f")
    error = TypeMismatch("it is wrong", Loc(stmt, 4, 13, 4, 14))
    linecache.cache["<shown>"] = (1, None, ["gone\n"] * 9, "<shown>")
    assert "axis=k" in str(error)


def test_internal_errors_say_how_to_report_them():
    text = str(InternalError("no such block"))
    assert text.startswith("no such block\n") and "bug of adcompile" in text and "report" in text


@pytest.mark.parametrize("name", [n for n in errors.__all__ if n != "AdcompileError"])
def test_one_root_and_pickling(name):
    cls = getattr(errors, name)
    assert issubclass(cls, AdcompileError)
    error = cls("it is wrong", Loc(Stmt("<shown>", 4, "", "f"), 4, 13, 4, 14), "a hint")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls and str(again) == str(error)
