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
_LOOP = "write a `for` loop that appends to a list"
_ASYNC = "asynchronous code cannot be differentiated"
_PLAIN = "write a plain function that returns its result, and call it from the asynchronous one"
_MATCH = "`match` statements are not supported"
_ELIF = "write `if`/`elif` tests"
_PRINT = "write an f-string"
_OLD = "not a construct of Python 3"
_TOP = "it is never part of a function"
_TRY = "exceptions cannot be caught in differentiated code"
_TEST_FIRST = (
    "test for the condition with `if`, or catch the exception where the gradient is called"
)
_GENERATOR = "generators cannot be differentiated"
_COLLECT = "append to a list and return it"
_SCOPE = "a function that assigns variables of another scope has a state outside its arguments"
_RETURN_IT = "pass the value as an argument and return the new one"
_TYPES = "ignored: types come from the arguments"


def _table(*rows: Row) -> dict[str, Row]:
    return {row.node: row for row in rows}


TABLE: dict[str, Row] = _table(
    # --- statements -----------------------------------------------------------------------------
    Row("FunctionDef", "def f(x): ...", note="nested functions and closures too"),
    Row(
        "FunctionDef with decorators",
        "@cache\ndef inner(): ...",
        "a decorated function inside a function is not supported",
        "define it at the top level of the module, or call the decorator where it is used",
    ),
    Row("Return", "return x", note="anywhere, in loops too"),
    Row("Assign", "x = y = 3", note="with tuple and starred targets"),
    Row("AugAssign", "x += 1", note="on names"),
    Row("AnnAssign", "x: float = 3.0", note="the annotation is ignored"),
    Row("For", "for i in range(n): ...", note="over ranges, arrays, lists, tuples; with `else`"),
    Row("While", "while x > 0: ...", note="with `else`"),
    Row("If", "if x > 0: ...", note="with `elif` and `else`"),
    Row("With", "with np.errstate(all='ignore'): ...", note="`np.errstate` only"),
    Row("Raise", "raise ValueError('negative')"),
    Row("Assert", "assert x > 0, 'negative'"),
    Row("Expr", "print(x)", note="docstrings and calls such as `print`"),
    Row("Pass", "pass"),
    Row("Break", "break"),
    Row("Continue", "continue"),
    Row("Delete", "del x", "`del` is not supported", "leave it out: unused values are freed"),
    Row("ClassDef", "class A: ...", "classes cannot be defined in differentiated code",
        "define the class at the top level of the module"),
    Row("AsyncFunctionDef", "async def f(x): ...", _ASYNC, _PLAIN),
    Row("AsyncFor", "async for x in xs: ...", _ASYNC, _PLAIN),
    Row("AsyncWith", "async with a: ...", _ASYNC, _PLAIN),
    Row("Match", "match x:\n    case 1: ...", _MATCH, _ELIF),
    Row("Try", "try: ...\nexcept ValueError: ...", _TRY, _TEST_FIRST),
    Row("TryStar", "try: ...\nexcept* ValueError: ...", _TRY, _TEST_FIRST),
    Row("Import", "import math", "imports inside a function are not supported",
        "import at the top of the module"),
    Row("ImportFrom", "from math import pi", "imports inside a function are not supported",
        "import at the top of the module"),
    Row("Global", "global x", _SCOPE, _RETURN_IT),
    Row("Nonlocal", "nonlocal x", _SCOPE, _RETURN_IT),
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
    Row("Attribute written", "x.bias = 3", _WRITE, "make a new object (`dataclasses.replace`)"),
    Row("Subscript", "x[1:, 0]", note="reads of every kind"),
    Row("Subscript written", "x[0] = 3", _WRITE, _NEW_VALUE),
    Row("Starred", "a, *rest = xs"),
    Row("Name", "x"),
    Row("List", "[a, b]"),
    Row("Tuple", "(a, b)"),
    Row("Slice", "x[1:-1:2]"),
    Row("NamedExpr", "(y := x + 1)", "assignments inside expressions are not supported",
        "assign on a line of its own"),
    Row("Set", "{1, 2}", "sets are not supported", "use a tuple or a list"),
    Row("ListComp", "[x for x in xs]", "comprehensions are not supported yet", _LOOP),
    Row("SetComp", "{x for x in xs}", "comprehensions are not supported yet", _LOOP),
    Row("DictComp", "{k: v for k, v in xs}", "comprehensions are not supported yet",
        "write a dict display, or a loop over a tuple"),
    Row("GeneratorExp", "sum(x for x in xs)", _GENERATOR, "write a loop that adds up"),
    Row("comprehension", "[x for x in xs]", "comprehensions are not supported yet", _LOOP),
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
    Row("withitem", "with np.errstate(all='ignore'): ..."),
    Row("withitem with a name", "with open('f') as g: ...",
        "`with ... as name` is not supported", "only `with np.errstate(...)` can be compiled"),
    Row("alias", "import math", "imports inside a function are not supported",
        "import at the top of the module"),
    Row("ExceptHandler", "try: ...\nexcept ValueError: ...", _TRY, _TEST_FIRST),
    Row("match_case", "match x:\n    case 1: ...", _MATCH, _ELIF),
    Row("MatchValue", "match x:\n    case 1: ...", _MATCH, _ELIF),
    Row("MatchSingleton", "match x:\n    case None: ...", _MATCH, _ELIF),
    Row("MatchSequence", "match x:\n    case [1, 2]: ...", _MATCH, _ELIF),
    Row("MatchMapping", "match x:\n    case {'a': 1}: ...", _MATCH, _ELIF),
    Row("MatchClass", "match x:\n    case int(): ...", _MATCH, _ELIF),
    Row("MatchStar", "match x:\n    case [1, *_]: ...", _MATCH, _ELIF),
    Row("MatchAs", "match x:\n    case y: ...", _MATCH, _ELIF),
    Row("MatchOr", "match x:\n    case 1 | 2: ...", _MATCH, _ELIF),
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
    Row("Del", "del x", "`del` is not supported", "leave it out: unused values are freed"),
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
    stack: list[tuple[Any, Any]] = [(root, root)]
    while stack:
        node, where = stack.pop()
        if hasattr(node, "lineno"):  # otherwise its parent says where it is
            where = node
        name = row_name(node)
        row = TABLE.get(name)
        if row is None:
            refuse(Row(name, "", f"the node {name} is not known to adcompile"), where)
        elif not row.supported:
            refuse(row, where)
        stack.extend((child, where) for child in reversed([*_parts(node, root)]))


def refuse(row: Row, node: Any) -> None:
    raise UnsupportedSyntax(row.reason, loc_of(node), row.instead or None)


def row_name(node: Any) -> str:
    """The name of the row that decides about `node`."""
    name = type(node).__name__
    if name in ("Subscript", "Attribute") and isinstance(node.ctx, gast.Store | gast.Del):
        return f"{name} written"
    if name == "withitem" and node.optional_vars is not None:
        return "withitem with a name"
    if name == "FunctionDef" and node.decorator_list:
        return "FunctionDef with decorators"
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
