"""What of Python can be compiled: one table with every gast node.

A node that is not in the table is refused like one that is there with a reason: nothing is ever
silently ignored. A few nodes have further rows for the places where they are refused though the
node as such is supported (`x[i]` is read, but not written).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gast

from adcompile.errors import UnsupportedSyntax
from adcompile.frontend.expand import BODIES, names_bound
from adcompile.frontend.source import Source, loc_of

__all__ = ["TABLE", "Row", "check", "docs_table"]


@dataclass(frozen=True, slots=True)
class Row:
    """A node of gast, or one use of it. Without a `reason` it is supported.

    `example` is a line of Python that has the node; nodes of old Pythons have none.
    """

    node: str
    example: str = ""
    reason: str = ""
    instead: str = ""
    note: str = ""  # for the docs

    @property
    def supported(self) -> bool:
        return not self.reason


_WRITE = "writes into arrays, lists, dicts and objects are not supported yet"
_NEW_VALUE = "build a new value instead (`np.where`, `np.concatenate`, `xs + [v]`)"
_ASYNC = "asynchronous code cannot be differentiated"
_PLAIN = "write a plain function that returns its result, and call it from the asynchronous one"
_PRINT = "write an f-string"
_OLD = "not a construct of Python 3"
_TOP = "it is never part of a function"
_GROUPS = "groups of exceptions cannot be caught in differentiated code"
_PLAIN_EXCEPT = "write `except`, or catch the group where the gradient is called"
_GENERATOR = "generators cannot be differentiated"
_COLLECT = "append to a list and return it"
_SCOPE = "a function that assigns variables of another scope has a state outside its arguments"
_RETURN_IT = "pass the value as an argument and return the new one"
_TYPES = "ignored: types come from the arguments"


def _table(*rows: Row) -> dict[str, Row]:
    return {row.node: row for row in rows}


TABLE: dict[str, Row] = _table(
    # --- statements -----------------------------------------------------------------------------
    Row("FunctionDef", "def f(x): ...", note="nested functions, closures, decorators too"),
    Row("Return", "return x", note="anywhere, in loops too"),
    Row("Assign", "x = y = 3", note="with tuple and starred targets"),
    Row("AugAssign", "x += 1", note="of names, items and attributes; arrays change in place"),
    Row("AnnAssign", "x: float = 3.0", note="the annotation is ignored"),
    Row("For", "for i in range(n): ...", note="over all that can be iterated over; with `else`"),
    Row("While", "while x > 0: ...", note="with `else`"),
    Row("If", "if x > 0: ...", note="with `elif` and `else`"),
    Row("With", "with np.errstate(all='ignore'): ...",
        note="managers that let exceptions pass and are given no array; `gradient_of`"),
    Row("Raise", "raise ValueError('negative')"),
    Row("Assert", "assert x > 0, 'negative'"),
    Row("Expr", "print(x)", note="docstrings and calls such as `print`"),
    Row("Pass", "pass"),
    Row("Break", "break"),
    Row("Continue", "continue"),
    Row("Delete", "del x", note="names, and items of lists and dicts"),
    Row("ClassDef", "class A: ...", "classes cannot be defined in differentiated code",
        "define the class at the top level of the module"),
    Row("AsyncFunctionDef", "async def f(x): ...", _ASYNC, _PLAIN),
    Row("AsyncFor", "async for x in xs: ...", _ASYNC, _PLAIN),
    Row("AsyncWith", "async with a: ...", _ASYNC, _PLAIN),
    Row("Match", "match x:\n    case 1: ...", note="with every kind of pattern"),
    Row("Try", "try: ...\nexcept ValueError: ...", note="with `else` and `finally`"),
    Row("TryStar", "try: ...\nexcept* ValueError: ...", _GROUPS, _PLAIN_EXCEPT),
    Row("Import", "import math"),
    Row("ImportFrom", "from math import pi"),
    Row("Global", "global g", note="of names that are read"),
    Row("Global written", "global g\ng = 1", _SCOPE, _RETURN_IT),
    Row("Nonlocal", "def g():\n    nonlocal x", note="of names that are read"),
    Row("Nonlocal written", "def g():\n    nonlocal x\n    x = 1", _SCOPE, _RETURN_IT),
    Row("TypeAlias", "type A = int", "type aliases inside a function are not supported",
        "define the alias at the top level of the module"),
    Row("Print", "", _OLD, "call `print(...)`"),
    Row("Exec", "", _OLD, "call the code as a function"),
    # --- expressions ----------------------------------------------------------------------------
    Row("BoolOp", "a and b"),
    Row("BinOp", "a + b"),
    Row("UnaryOp", "-a"),
    Row("Lambda", "lambda x: x * x"),
    Row("IfExp", "a if c else b"),
    Row("Dict", "{'w': w, 'b': b}"),
    Row("Compare", "0 < x < 1"),
    Row("Call", "f(x, *args, k=3, **kwargs)"),
    Row("Constant", "1.0"),
    Row("Attribute", "x.shape"),
    Row("Attribute written", "x.bias = 3", note="of objects that are not frozen"),
    Row("Attribute deleted", "del x.bias", "attributes cannot be deleted in differentiated code",
        "set it to None"),
    Row("Subscript", "x[1:, 0]", note="reads of every kind"),
    Row("Subscript written", "x[0] = 3", note="of arrays (indices of every kind), lists and dicts"),
    Row("Subscript deleted", "del xs[0]", note="of lists and dicts"),
    Row("Starred", "a, *rest = xs"),
    Row("Name", "x"),
    Row("List", "[a, b]"),
    Row("Tuple", "(a, b)"),
    Row("Slice", "x[1:-1:2]"),
    Row("NamedExpr", "(y := x + 1)"),
    Row("Set", "{1, 2}", note="of what is known at compile time"),
    Row("ListComp", "[x for x in xs]"),
    Row("SetComp", "{x for x in xs}", note="of what is known at compile time"),
    Row("DictComp", "{k: v for k, v in xs}", note="with keys known at compile time"),
    Row("GeneratorExp", "sum(x for x in xs)",
        note="used up once: by `sum`, `any`, `list`, a loop, …"),
    Row("comprehension", "[x for x in xs]"),
    Row("Await", "await x", _ASYNC, _PLAIN),
    Row("Yield", "yield x", _GENERATOR, _COLLECT),
    Row("YieldFrom", "yield from xs", _GENERATOR, _COLLECT),
    Row("JoinedStr", "f'{x:.3f}'", note="for messages: `print`, `raise`, `assert`"),
    Row("FormattedValue", "f'{x:.3f}'"),
    Row("TemplateStr", "", "template strings are not supported", _PRINT),
    Row("Interpolation", "", "template strings are not supported", _PRINT),
    Row("Repr", "", _OLD, "call `repr(x)`"),
    # --- parts of statements and expressions ----------------------------------------------------
    Row("arguments", "def f(x, /, y=1, *args, z, **kwargs): ..."),
    Row("keyword", "f(k=3)"),
    Row("withitem", "with open('f') as g: ..."),
    Row("alias", "import math as m"),
    Row("ExceptHandler", "try: ...\nexcept ValueError as e: ..."),
    Row("match_case", "match x:\n    case 1: ..."),
    Row("MatchValue", "match x:\n    case 1: ..."),
    Row("MatchSingleton", "match x:\n    case None: ..."),
    Row("MatchSequence", "match x:\n    case [1, 2]: ..."),
    Row("MatchMapping", "match x:\n    case {'a': 1}: ..."),
    Row("MatchClass", "match x:\n    case int(): ..."),
    Row("MatchStar", "match x:\n    case [1, *_]: ..."),
    Row("MatchAs", "match x:\n    case y: ..."),
    Row("MatchOr", "match x:\n    case 1 | 2: ..."),
    Row("TypeVar", "def f[T](x): ...", note=_TYPES),
    Row("ParamSpec", "def f[**P](x): ...", note=_TYPES),
    Row("TypeVarTuple", "def f[*T](x): ...", note=_TYPES),
    # --- operators ------------------------------------------------------------------------------
    Row("And", "a and b"),
    Row("Or", "a or b"),
    Row("Add", "a + b"),
    Row("Sub", "a - b"),
    Row("Mult", "a * b"),
    Row("MatMult", "a @ b"),
    Row("Div", "a / b"),
    Row("Mod", "a % b"),
    Row("Pow", "a ** b"),
    Row("LShift", "a << b"),
    Row("RShift", "a >> b"),
    Row("BitOr", "a | b"),
    Row("BitXor", "a ^ b"),
    Row("BitAnd", "a & b"),
    Row("FloorDiv", "a // b"),
    Row("Invert", "~a"),
    Row("Not", "not a"),
    Row("UAdd", "+a"),
    Row("USub", "-a"),
    Row("Eq", "a == b"),
    Row("NotEq", "a != b"),
    Row("Lt", "a < b"),
    Row("LtE", "a <= b"),
    Row("Gt", "a > b"),
    Row("GtE", "a >= b"),
    Row("Is", "a is b"),
    Row("IsNot", "a is not b"),
    Row("In", "a in b"),
    Row("NotIn", "a not in b"),
    # --- the roles of names, and roots of trees -------------------------------------------------
    Row("Load", "x"),
    Row("Store", "x = 1"),
    Row("Param", "def f(x): ..."),
    Row("Del", "del x"),
    Row("AugLoad", "", _OLD, "write `x += 1`"),
    Row("AugStore", "", _OLD, "write `x += 1`"),
    Row("Module", "", _TOP, "pass a function"),
    Row("Interactive", "", _TOP, "pass a function"),
    Row("Expression", "", _TOP, "pass a function"),
    Row("FunctionType", "", _TOP, "pass a function"),
    Row("Suite", "", _TOP, "pass a function"),
    Row("type_ignore", "", _TOP, "leave it out"),
)  # fmt: skip


def docs_table() -> list[Row]:
    """The rows for the documentation: those that a program of today's Python can have."""
    return [row for row in TABLE.values() if row.example]


def check(source: Source) -> None:
    """Raise UnsupportedSyntax for the first node of `source` that cannot be compiled."""
    root = source.tree
    stack: list[tuple[Any, Any, dict[str, str]]] = [(root, root, {})]
    while stack:
        node, where, outer = stack.pop()  # outer: the names declared global or nonlocal
        if hasattr(node, "lineno"):  # otherwise its parent says where it is
            where = node
        name = row_name(node)
        row = TABLE.get(name)
        if row is None:
            refuse(Row(name, "", f"the node {name} is not known to adcompile"), where)
        elif not row.supported:
            refuse(row, where)
        if isinstance(node, gast.Global | gast.Nonlocal):
            outer.update(dict.fromkeys(node.names, f"{name} written"))
        for bound in _bound(node):
            if bound in outer:
                refuse(TABLE[outer[bound]], where)
        inner = {} if isinstance(node, gast.FunctionDef | gast.Lambda) else outer
        target = getattr(node, "target", None) if isinstance(node, gast.comprehension) else None
        parts = reversed([*_parts(node, root)])
        stack.extend((p, where, {} if p is target else inner) for p in parts)


def declared(function: Any, kind: type) -> set[str]:
    """The names that a function (or lambda) declares global or nonlocal for itself."""
    found: set[str] = set()
    work = [function.body] if isinstance(function.body, list) else []
    while work:
        for stmt in work.pop():
            if isinstance(stmt, kind):
                found.update(stmt.names)
            elif not isinstance(stmt, gast.FunctionDef):
                bodies = (getattr(stmt, field, None) for field in BODIES)
                work += [b for b in bodies if isinstance(b, list)]
    return found


def _bound(node: Any) -> list[str]:
    """The names that `node` itself binds or deletes."""
    if isinstance(node, gast.Name):
        return [] if isinstance(node.ctx, gast.Load) else [node.id]
    if isinstance(node, gast.alias):
        return [(node.asname or node.name).partition(".")[0]]
    if isinstance(node, gast.FunctionDef | gast.ClassDef):
        return [node.name]
    return names_bound(node)


def refuse(row: Row, node: Any) -> None:
    raise UnsupportedSyntax(row.reason, loc_of(node), row.instead or None)


def row_name(node: Any) -> str:
    """The name of the row that decides about `node`."""
    name = type(node).__name__
    if name in ("Subscript", "Attribute") and not isinstance(node.ctx, gast.Load):
        return f"{name} {'written' if isinstance(node.ctx, gast.Store) else 'deleted'}"
    return name


def _parts(node: Any, root: Any) -> Iterator[Any]:
    """The children of `node` in the order of the text, without annotations.

    The defaults of the function itself are objects by now, whatever their text is.
    """
    for field in node._fields:
        if field in ("annotation", "returns", "type_params"):
            continue
        if field in ("defaults", "kw_defaults") and node is getattr(root, "args", None):
            continue
        value = getattr(node, field, None)
        if isinstance(value, gast.AST):
            yield value
        elif isinstance(value, list):
            yield from (v for v in value if isinstance(v, gast.AST))
