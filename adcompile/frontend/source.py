"""The source of a function: its text, its gast tree, and where each node stands in its file.

The file (or notebook cell, or doctest example: whatever `linecache` knows) is parsed whole and the
function found in it by the position of its code, so that two lambdas on one line are told apart.
The file is compiled, too, and compared with the function's code: one that was edited since it was
imported is refused rather than differentiated by mistake.

Trees are gast's, made here without recursion. Each node has its true position in the file (columns
in characters) and an attribute `stmt`: the `core.Stmt` that it belongs to.
"""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import linecache
import textwrap
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import gast
import numpy as np

from adcompile.errors import SourceUnavailable, UnsupportedSyntax
from adcompile.frontend.headers import (
    case_text,
    characters,
    header_end,
    is_compound,
    statement_text,
)
from adcompile.ir.core import Loc, Stmt
from adcompile.threads import COMPILING, quiet

__all__ = ["Source", "at", "get_source", "loc_of", "stmt_of", "to_gast"]

Node = TypeVar("Node", bound=ast.AST)


@dataclass(eq=False, slots=True)
class Source:
    """What was written for one function. The tree is shared: never change it."""

    file: str
    first_line: int  # of the `def` or `lambda`, decorators left out
    text: str  # dedented
    name: str  # "<lambda>" for a lambda
    tree: Any  # gast.FunctionDef (decorators stripped), gast.AsyncFunctionDef or gast.Lambda


def get_source(fn: Callable[..., Any]) -> Source:
    """The source of a Python function, method or lambda, or of what a cache holds.

    A function that wraps another one (`functools.wraps`) is compiled as it is written: what it
    does besides calling is part of the program. Raises SourceUnavailable.
    """
    inner = unwrapped(fn)
    with COMPILING:
        return _source_of(inner.__code__, inner.__code__.co_filename)


def unwrapped(fn: Any) -> types.FunctionType:
    """The Python function that `fn` is, or only binds or caches (else SourceUnavailable)."""
    inner: Any = fn
    while isinstance(inner, _TRANSPARENT):
        inner = getattr(inner, "__func__", None) or getattr(inner, "__wrapped__")  # noqa: B009
    if isinstance(inner, types.FunctionType):
        return inner
    raise SourceUnavailable(f"{_title(fn)} has no Python source", hint=_way_round(fn))


_TRANSPARENT = (types.MethodType, staticmethod, classmethod, functools._lru_cache_wrapper)


def loc_of(node: Any) -> Loc:
    """Where `node` stands: its span; of a compound statement that of its header."""
    found = getattr(node, "loc", None)
    if found is None:
        stmt, line = stmt_of(node), getattr(node, "lineno", None)
        if line is None:
            return Loc(stmt, stmt.line, 0, stmt.line, 0)
        last = getattr(node, "header_end", None) or (node.end_lineno, node.end_col_offset)
        found = node.loc = Loc(stmt, line, node.col_offset, *last)
    return found


def stmt_of(node: Any) -> Stmt:
    """The statement that `node` belongs to: one object for each statement of the program."""
    return node.stmt


def at(new: Node, old: ast.AST) -> Node:
    """`new`, said to stand where `old` does (for synthesised nodes; not its children)."""
    for name in ("lineno", "col_offset", "end_lineno", "end_col_offset", "header_end", "stmt"):
        if hasattr(old, name):
            setattr(new, name, getattr(old, name))
    return new


# --- finding ------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def _source_of(code: types.CodeType, file: str) -> Source:
    name = code.co_name
    lines = [] if file in ("<string>", "<stdin>") else linecache.getlines(file)
    if not lines:
        raise SourceUnavailable(
            f"the source of {_called(name)} cannot be read: there is no file {file!r}",
            hint="define the function in a file or a notebook cell, "
            "not at the prompt, in `python -c` or in `exec`",
        )
    parsed = _parse(file, lines, code.co_flags & _FUTURE)
    if any(_same_code(c, code) for c in parsed.codes.get((name, code.co_firstlineno), ())):
        return _make_source(_find(parsed.tree, code), file, lines, name)
    raise SourceUnavailable(
        f"{file}:{code.co_firstlineno} no longer has the {_called(name)} that is running: "
        "the file was changed after it was imported",
        hint="restart Python, or reload the module",
    )


def _make_source(node: ast.AST, file: str, lines: list[str], name: str) -> Source:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node = copy.copy(node)
        node.decorator_list = []
    first, last = node.lineno, node.end_lineno or node.lineno  # type: ignore[attr-defined]
    if isinstance(node, ast.Lambda):
        text = ast.get_source_segment("".join(lines), node) or ""
    else:
        text = textwrap.dedent("".join(lines[first - 1 : last])).rstrip()
    return Source(file, first, text, name, to_gast(node, file, lines, name))


def _title(fn: object) -> str:
    name = getattr(fn, "__qualname__", None) or getattr(fn, "__name__", None)
    kind = type(fn).__name__
    return f"{name} (a {kind})" if name else f"an object of type {kind}"


def _called(name: str) -> str:
    return "lambda" if name == "<lambda>" else f"function {name}"


def _way_round(fn: object) -> str:
    if hasattr(fn, "py_func"):  # of Numba
        return "pass the Python function that it was made of: `f.py_func`"
    if isinstance(fn, functools.partial):
        return "write a lambda or a def that calls the function with the fixed arguments"
    if isinstance(fn, np.ufunc | types.BuiltinFunctionType):
        return "wrap it in a Python function: `lambda x: f(x)`"
    if isinstance(fn, type):
        return "pass a function, not a class"
    return "pass a function that is written in Python"


@dataclass(eq=False, slots=True)
class _Parsed:
    """A whole file: its tree, and its code objects by name and first line."""

    lines: list[str]
    tree: ast.Module
    codes: dict[tuple[str, int], list[types.CodeType]]


_parsed: dict[str, _Parsed] = {}
_FUTURE = functools.reduce(
    int.__or__, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)


def _parse(file: str, lines: list[str], flags: int) -> _Parsed:
    """The tree of a whole file and what it compiles to; kept as long as linecache keeps it."""
    known = _parsed.get(file)
    if known is not None and known.lines is lines:
        return known
    text = "".join(lines)
    flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT  # as in notebooks
    try:
        with quiet():  # Python warned when it compiled the file
            tree = compile(text, file, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
            code = compile(text, file, "exec", flags, dont_inherit=True)
    except SyntaxError as e:
        raise SourceUnavailable(
            f"{file}:{e.lineno} is not valid Python: {e.msg}; "
            "the file was changed after it was imported",
            hint="restart Python, or reload the module",
        ) from e
    except (RecursionError, MemoryError) as e:
        raise UnsupportedSyntax(
            f"an expression or statement in {file} is nested too deeply for Python's own parser",
            hint="split it over several statements",
        ) from e
    if len(_parsed) >= 64:
        _parsed.clear()
    _parsed[file] = _Parsed(lines, tree, _codes(code))
    return _parsed[file]


def _codes(module: types.CodeType) -> dict[tuple[str, int], list[types.CodeType]]:
    found: dict[tuple[str, int], list[types.CodeType]] = {}
    stack = [module]
    while stack:
        code = stack.pop()
        found.setdefault((code.co_name, code.co_firstlineno), []).append(code)
        stack.extend(c for c in code.co_consts if isinstance(c, types.CodeType))
    return found


def _find(module: ast.Module, code: types.CodeType) -> Any:
    """The node that `code` was made of. Lambdas are told apart by the span of their bodies."""
    line, name = code.co_firstlineno, code.co_name
    if name != "<lambda>":
        defs = (ast.FunctionDef, ast.AsyncFunctionDef)
        found = [n for n in _around(module, line) if isinstance(n, defs) and n.name == name]
        return next(n for n in found if _first_line(n) == line)
    spans = [
        (start, start_col, end, end_col)
        for start, end, start_col, end_col in code.co_positions()
        if None not in (start, end, start_col, end_col) and (start, start_col) != (end, end_col)
    ]
    lambdas: list[Any] = [
        n
        for n in _around(module, line)
        if isinstance(n, ast.Lambda) and n.lineno == line and all(_holds(n.body, s) for s in spans)
    ]
    if not spans and len(lambdas) > 1:  # `lambda: 1` has none on Python 3.12
        lambdas = [n for n in lambdas if _resembles(n, code)]
        if len(lambdas) > 1:
            raise SourceUnavailable(
                f"{code.co_filename}:{line} has several lambdas that cannot be told apart",
                hint="put each on a line of its own",
            )
    return max(lambdas, key=_start)


def _resembles(node: ast.Lambda, code: types.CodeType) -> bool:
    """Whether `node` on its own has the variables and constants of `code`."""
    bare = copy.copy(node)
    bare.args = copy.copy(node.args)
    bare.args.defaults, bare.args.kw_defaults = [], [None] * len(node.args.kwonlyargs)
    module = compile(ast.Expression(bare), "<lambda>", "eval", dont_inherit=True)
    found = next(c for c in module.co_consts if isinstance(c, types.CodeType))
    return (
        found.co_varnames == code.co_varnames
        and found.co_argcount == code.co_argcount
        and len(found.co_consts) == len(code.co_consts)
        and all(map(_same_const, found.co_consts, code.co_consts))
    )


def _around(module: ast.Module, line: int) -> Iterator[ast.AST]:
    """The nodes whose text includes `line`."""
    stack: list[ast.AST] = [module]
    while stack:
        node = stack.pop()
        last = getattr(node, "end_lineno", None)
        if last is None or _first_line(node) <= line <= last:
            yield node
            stack.extend(ast.iter_child_nodes(node))


def _first_line(node: Any) -> int:
    decorators = getattr(node, "decorator_list", ())
    return min([node.lineno, *(d.lineno for d in decorators)])


def _start(node: Any) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _holds(node: Any, span: tuple[Any, ...]) -> bool:
    return _start(node) <= span[:2] and span[2:] <= (node.end_lineno, node.end_col_offset)


# --- is it the function that is running? --------------------------------------------------------


def _same_code(a: types.CodeType, b: types.CodeType) -> bool:
    """Whether two code objects do the same, wherever they stand."""
    if any(name.startswith("@py") for name in b.co_varnames):  # pytest has rewritten an assert
        return set(a.co_names) <= {*b.co_names, "AssertionError"} and (
            set(a.co_varnames) <= {*b.co_varnames} and a.co_argcount == b.co_argcount
        )
    if a.co_name == "<lambda>" and a.co_linetable != b.co_linetable:  # another one on that line
        return False
    return (
        (a.co_names, a.co_varnames, a.co_freevars, a.co_cellvars, a.co_argcount)
        == (b.co_names, b.co_varnames, b.co_freevars, b.co_cellvars, b.co_argcount)
        and len(a.co_consts) == len(b.co_consts)
        and all(map(_same_const, a.co_consts, b.co_consts))
        and a.co_code == b.co_code
    )


def _same_const(a: object, b: object) -> bool:
    if isinstance(a, types.CodeType) and isinstance(b, types.CodeType):
        return _same_code(a, b)
    if isinstance(a, frozenset):
        return a == b
    return type(a) is type(b) and repr(a) == repr(b)


# --- ast to gast --------------------------------------------------------------------------------


def to_gast(root: ast.AST, file: str, lines: list[str], function: str) -> Any:
    """What `gast.ast_to_gast` makes of `root`, without recursion, each node with its `stmt`."""
    wide = {n for n, text in enumerate(lines, 1) if not text.isascii()}
    outer = Stmt(file, root.lineno, statement_text(root, lines), function)  # type: ignore[attr-defined]
    found: list[Any] = []
    stack: list[tuple[ast.AST, Stmt, list[Any] | dict[str, Any], Any]] = [(root, outer, found, 0)]
    found.append(root)
    while stack:
        old, stmt, place, key = stack.pop()
        name = type(old).__name__
        fields = _FIELDS[name]
        if not fields and not old._attributes:
            place[key] = _SHARED[name]
            continue
        if isinstance(old, ast.stmt) and old is not root:
            stmt = Stmt(file, old.lineno, statement_text(old, lines), stmt.function)
        elif isinstance(old, ast.match_case):
            stmt = Stmt(file, old.pattern.lineno, case_text(old, lines), stmt.function)
        new = _shell(old, name, stmt, lines, wide)
        place[key] = new
        if isinstance(old, ast.FunctionDef | ast.AsyncFunctionDef):  # what is inside is its own
            stmt = Stmt(file, stmt.line, stmt.text, old.name)
        attributes = vars(new)
        for field in fields:
            value = getattr(old, _RENAMED.get((name, field), field), _absent(field))
            if isinstance(value, ast.AST):
                stack.append((value, stmt, attributes, field))
            elif isinstance(value, list):
                attributes[field] = items = list(value)
                stack.extend(
                    (v, stmt, items, i) for i, v in enumerate(value) if isinstance(v, ast.AST)
                )
            elif name == "ExceptHandler" and field == "name" and value is not None:
                attributes[field] = at(gast.Name(value, gast.Store(), None, None), new)
            else:
                attributes[field] = value
        if name == "arg":
            attributes["ctx"] = _SHARED["Param"]
    return found[0]


_FIELDS: dict[str, tuple[str, ...]] = {
    name: cls._fields
    for name, cls in vars(gast).items()
    if isinstance(cls, type) and issubclass(cls, gast.AST)
}
_FIELDS["arg"] = gast.Name._fields
_RENAMED = {("arg", "id"): "arg"}
_SHARED: dict[str, Any] = {
    name: getattr(gast, name)() for name, fields in _FIELDS.items() if not fields and name != "AST"
}


def _absent(field: str) -> Any:
    """The value of a field that this Python's ast does not have."""
    return [] if field == "type_params" else None


def _shell(old: Any, name: str, stmt: Stmt, lines: list[str], wide: set[int]) -> Any:
    """A gast node without its fields."""
    cls = gast.Name if name == "arg" else getattr(gast, name)
    new = cls.__new__(cls)
    new.stmt = stmt
    if old._attributes:
        new.lineno, new.end_lineno = old.lineno, old.end_lineno
        new.col_offset, new.end_col_offset = old.col_offset, old.end_col_offset
        if new.lineno in wide:
            new.col_offset = characters(lines[new.lineno - 1], new.col_offset)
        if new.end_lineno in wide:
            new.end_col_offset = characters(lines[new.end_lineno - 1], new.end_col_offset)
        if is_compound(old):
            new.header_end = header_end(old, lines)
    return new
