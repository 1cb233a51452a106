"""The printer, fuzzed: random trees and the standard library come back as they were."""

from __future__ import annotations

import ast
import importlib.util
import itertools
import warnings
from pathlib import Path
from typing import Any

import gast as _gast
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adcompile.codegen.printer import to_text

gast: Any = _gast  # makes its classes when it is imported
Node = Any


def parse(text: str) -> Node:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return gast.parse(text)


def dump(tree: Node) -> str:
    for part in gast.walk(tree):
        if isinstance(part, gast.JoinedStr):  # some Pythons end a nested format in an empty string
            part.values = [value for value in part.values if getattr(value, "value", None) != ""]
    return gast.dump(tree)


def expression(text: str) -> Node:
    return parse(f"({text}\n)").body[0].value


def constant(value: object) -> Node:
    return gast.Constant(value, None)


NAMES = st.sampled_from(["a", "b", "x", "long_name_of_a_variable"])
BINARY = "Add Sub Mult MatMult Div FloorDiv Mod Pow LShift RShift BitOr BitXor BitAnd".split()
COMPARISONS = "Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn".split()


def node(kind: str, *fields: Any) -> st.SearchStrategy[Node]:
    """A node whose fields are drawn from strategies, or given."""
    drawn = [f if isinstance(f, st.SearchStrategy) else st.just(f) for f in fields]
    return st.tuples(*drawn).map(lambda values: getattr(gast, kind)(*values))


def some(items: st.SearchStrategy[Any], least: int = 0, most: int = 3) -> st.SearchStrategy[Any]:
    return st.lists(items, min_size=least, max_size=most)


def maybe(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | item


def operator(kinds: list[str]) -> st.SearchStrategy[Node]:
    return st.sampled_from(kinds).map(lambda kind: getattr(gast, kind)())


def ctx(kind: Any) -> st.SearchStrategy[Node]:
    return st.builds(kind)


LOAD = ctx(gast.Load)
VARIABLES = node("Name", NAMES, LOAD, None, None)
CONSTANTS = node(
    "Constant",
    st.one_of(
        st.integers(0, 10**20),
        st.floats(0.0, allow_nan=False).map(abs),
        st.floats(0.0, 1e30).map(lambda x: complex(0.0, abs(x))),
        st.text(max_size=8),
        st.binary(max_size=8),
        st.sampled_from([True, False, None, ..., "it's", '"', "\\", "'\"", '"""', "{}"]),
    ),
    None,
)


def targets(e: st.SearchStrategy[Node], kind: Any) -> st.SearchStrategy[Node]:
    simple = st.one_of(
        node("Name", NAMES, ctx(kind), None, None),
        node("Attribute", e, NAMES, ctx(kind)),
        node("Subscript", e, e, ctx(kind)),
    )
    starred = node("Starred", simple, ctx(kind)) if kind is gast.Store else simple
    several = some(simple | starred | node("Tuple", some(simple), ctx(kind)))
    return simple | node("Tuple", several, ctx(kind)) | node("List", several, ctx(kind))


def comprehensions(e: st.SearchStrategy[Node]) -> st.SearchStrategy[Any]:
    one = node("comprehension", targets(e, gast.Store), e, some(e, most=2), st.integers(0, 1))
    return some(one, 1, 2)


def parameters(
    e: st.SearchStrategy[Node], annotations: st.SearchStrategy[Any]
) -> st.SearchStrategy[Node]:
    param = node("Name", NAMES, ctx(gast.Param), annotations, None)

    @st.composite
    def draw_all(draw: st.DrawFn) -> Node:
        first, rest, keyword_only = (draw(some(param, most=2)) for _ in range(3))
        defaults = draw(some(e, most=len(first) + len(rest)))
        keyword_defaults = [draw(maybe(e)) for _ in keyword_only]
        vararg, kwarg = draw(maybe(param)), draw(maybe(param))
        return gast.arguments(rest, first, vararg, keyword_only, keyword_defaults, kwarg, defaults)

    return draw_all()


def starred(e: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(e, e, node("Starred", e, LOAD))


def calls(e: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return node("Call", e, some(starred(e)), some(node("keyword", maybe(NAMES), e), most=2))


def compares(e: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    pairs = some(st.tuples(operator(COMPARISONS), e), 1)
    return st.builds(
        lambda left, rest: gast.Compare(left, [op for op, _ in rest], [v for _, v in rest]),
        e,
        pairs,
    )


def dicts(e: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    pairs = some(st.tuples(maybe(e), e))
    return pairs.map(lambda items: gast.Dict([k for k, _ in items], [v for _, v in items]))


def f_strings(
    e: st.SearchStrategy[Node], formats: tuple[str, ...] = (">", ".3", "d")
) -> st.SearchStrategy[Node]:
    """With constants merged and none empty, as a parser leaves them."""

    def joined(texts: list[str], fields: list[Node]) -> Node:
        texts = [*texts[: len(fields)], "".join(texts[len(fields) :])]
        pairs = itertools.zip_longest(map(constant, texts), fields)
        parts = [part for pair in pairs for part in pair if part is not None]
        return gast.JoinedStr([part for part in parts if part.value != ""])

    conversion = st.sampled_from([-1, ord("r"), ord("s"), ord("a")])
    plain = node("FormattedValue", e, conversion, None)
    spec = st.builds(joined, some(st.sampled_from(formats), 1, 1), some(plain, most=1))
    fields = node("FormattedValue", e, conversion, maybe(spec))
    return st.builds(joined, some(st.text("ab{}'\"\\\n", max_size=4), 1, 3), some(fields, 0, 2))


def extend(e: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    bound = maybe(e)
    slices = node("Slice", bound, bound, bound)
    index = st.one_of(e, slices, node("Tuple", some(st.one_of(starred(e), slices)), LOAD))
    store = node("Name", NAMES, ctx(gast.Store), None, None)
    return st.one_of(
        node("BinOp", e, operator(BINARY), e),
        node("UnaryOp", operator(["USub", "UAdd", "Invert", "Not"]), e),
        node("BoolOp", operator(["And", "Or"]), some(e, 2)),
        compares(e),
        node("IfExp", e, e, e),
        node("Lambda", parameters(e, st.none()), e),
        node("NamedExpr", store, e),
        node("Await", e),
        node("Yield", maybe(e)),
        node("YieldFrom", e),
        calls(e),
        node("Attribute", e, NAMES, LOAD),
        node("Subscript", e, index, LOAD),
        node("List", some(starred(e)), LOAD),
        node("Tuple", some(starred(e)), LOAD),
        node("Set", some(starred(e), 1)),
        dicts(e),
        node("ListComp", e, comprehensions(e)),
        node("SetComp", e, comprehensions(e)),
        node("GeneratorExp", e, comprehensions(e)),
        node("DictComp", e, e, comprehensions(e)),
        f_strings(VARIABLES | st.just(expression("d['k']")) | st.just(expression("{a: b}[c]"))),
    )


EXPRESSION_TREES = st.recursive(VARIABLES | CONSTANTS, extend, max_leaves=10)

FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
WIDTHS = st.sampled_from([100, 30, 1])


@FUZZ
@given(EXPRESSION_TREES, WIDTHS)
def test_fuzz_expressions(tree: Node, width: int) -> None:
    text = to_text(tree, width)
    assert not text.endswith("\n")
    back = gast.ast_to_gast(ast.parse(text, mode="eval")).body
    assert dump(back) == dump(tree)


def patterns() -> st.SearchStrategy[Node]:
    dotted = st.sampled_from(["a.b", "a.b.c"]).map(expression)
    literals = st.sampled_from(["1", "-1.5", "1 + 2j", "-1 - 2j", "'a'", "b'a'"]).map(expression)
    leaves = st.one_of(
        node("MatchValue", dotted | literals),
        node("MatchSingleton", st.sampled_from([None, True, False])),
        node("MatchAs", None, maybe(NAMES)),
    )

    def nest(p: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        pairs = some(st.tuples(dotted | literals, p))
        named = some(st.tuples(NAMES, p), most=2)
        return st.one_of(
            node("MatchAs", p, NAMES),
            node("MatchOr", some(p, 2)),
            node("MatchSequence", some(st.one_of(p, node("MatchStar", maybe(NAMES))))),
            st.builds(
                lambda kv, rest: gast.MatchMapping([k for k, _ in kv], [v for _, v in kv], rest),
                pairs,
                maybe(NAMES),
            ),
            st.builds(
                lambda cls, ps, kv: gast.MatchClass(
                    cls, ps, [k for k, _ in kv], [v for _, v in kv]
                ),
                VARIABLES | dotted,
                some(p),
                named,
            ),
        )

    return st.recursive(leaves, nest, max_leaves=5)


def simple_statements(e: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    store = targets(e, gast.Store)
    single = store.filter(lambda t: not isinstance(t, (gast.Tuple, gast.List)))
    alias = node("alias", NAMES, maybe(NAMES))
    value = starred_tuples(e)
    return st.one_of(
        node("Expr", value),
        node("Assign", some(store, 1, 2), value, None),
        node("AugAssign", single, operator(BINARY), value),
        st.builds(
            lambda target, annotation, value, simple: gast.AnnAssign(
                target, annotation, value, int(simple and isinstance(target, gast.Name))
            ),
            single,
            e,
            maybe(value),
            st.booleans(),
        ),
        node("Return", maybe(value)),
        node("Delete", some(targets(e, gast.Del), 1)),
        node("Assert", e, maybe(e)),
        node("Raise", e, maybe(e)),
        node("Import", some(alias, 1)),
        node("ImportFrom", NAMES, some(alias, 1), st.integers(0, 2)),
        node("Global", some(NAMES, 1)),
        st.builds(gast.Pass),
    )


def starred_tuples(e: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(e, node("Tuple", some(starred(e)), LOAD))


def compound_statements(s: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    e = EXPRESSION_TREES
    body, orelse = some(s, 1), some(s, most=2)
    store = targets(e, gast.Store)
    with_target = store.filter(lambda t: not isinstance(t, gast.Starred))
    items = some(node("withitem", e, maybe(with_target)), 1)
    caught = node("Name", NAMES, ctx(gast.Store), None, None)
    handlers = some(node("ExceptHandler", e, maybe(caught), body), 1, 2)
    arguments = parameters(e, maybe(e))
    loop = (store, starred_tuples(e), body, orelse, None)
    function = (NAMES, arguments, body, some(e, most=1), maybe(e), None, [])
    keywords = some(node("keyword", maybe(NAMES), e), most=2)
    return st.one_of(
        node("If", e, body, orelse),
        node("While", e, body, orelse),
        node("For", *loop),
        node("AsyncFor", *loop),
        node("With", items, body, None),
        node("AsyncWith", items, body, None),
        node("Try", body, handlers, orelse, orelse),
        node("TryStar", body, handlers, orelse, orelse),
        node("FunctionDef", *function),
        node("AsyncFunctionDef", *function),
        node("ClassDef", NAMES, some(starred(e)), keywords, body, some(e, most=1), []),
        node(
            "Match",
            starred_tuples(e),
            some(node("match_case", patterns(), maybe(e), body), 1, 2),
        ),
    )


SMALL_TREES = st.recursive(VARIABLES | CONSTANTS, extend, max_leaves=4)
STATEMENT_TREES = st.recursive(simple_statements(SMALL_TREES), compound_statements, max_leaves=4)


@FUZZ
@given(some(STATEMENT_TREES, 1), WIDTHS)
def test_fuzz_statements(body: list[Node], width: int) -> None:
    tree = gast.Module(body, [])
    text = to_text(tree, width)
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert dump(parse(text)) == dump(tree)


WILD = st.recursive(
    st.sampled_from(["a", "{}", "\n", "'", '"', "\\", "#", "!r", "'\"", '"""', "é", "\x00"]).map(
        constant
    )
    | st.sampled_from(["1 != 2", "(lambda: 1)()", "{1: 2}[1]", "[1][-1]"]).map(expression),
    lambda e: f_strings(e, (">9", "\n<9", "'<9")),
    max_leaves=5,
)


@FUZZ
@given(WILD)
def test_fuzz_f_strings(tree: Node) -> None:
    """Whatever is in them, their text (or that of the `str.format` call) has their value."""

    def value(expr: ast.expr) -> object:
        code = compile(ast.fix_missing_locations(ast.Expression(expr)), "<test>", "eval")
        try:
            result = eval(code, {})
        except (ValueError, TypeError) as error:
            return type(error)
        return result if isinstance(result, (str, int)) else None

    text = to_text(tree)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        assert value(ast.parse(text, mode="eval").body) == value(gast.gast_to_ast(tree))


# Without those that put a backslash into an f-string's field, which prints as `str.format`.
STDLIB = """
abc argparse ast bdb bisect calendar cmd codecs collections configparser contextlib copy csv
datetime decimal difflib dis enum fractions functools heapq inspect ipaddress
linecache locale numbers operator optparse pickle pprint random re shlex statistics string
textwrap tokenize traceback types typing uuid warnings weakref zipfile test.test_grammar
test.test_patma test.test_named_expressions test.test_unpack_ex
""".split()


def source_file(module: str) -> Path | None:
    """Where `module` is, if this Python has it (some distributions leave the tests out)."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    found = spec is not None and spec.origin is not None and spec.origin.endswith(".py")
    return Path(spec.origin) if found else None  # type: ignore[union-attr,arg-type]


FILES = {module: path for module in STDLIB if (path := source_file(module))}


@pytest.mark.parametrize("module", FILES)
def test_standard_library(module: str) -> None:
    tree = parse(FILES[module].read_text(encoding="utf-8"))
    assert dump(parse(to_text(tree))) == dump(tree)
