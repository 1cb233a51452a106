"""Sources are found by position, compared with the running code, and keep exact locations."""

from __future__ import annotations

import ast
import dis
import doctest
import functools
import glob
import linecache
import types

import gast
import numpy as np
import pytest

from adcompile.errors import SourceUnavailable
from adcompile.frontend import source as module
from adcompile.frontend.source import get_source, loc_of, stmt_of, to_gast
from tests.counted import calls


def plain(x, y: float = 1.0):
    """A docstring."""
    z = x * y  # a comment
    for i in range(3):
        z = z + i
    return z


def test_function():
    got = get_source(plain)
    assert got.name == "plain"
    assert got.file == __file__
    assert got.first_line == plain.__code__.co_firstlineno
    assert got.text.startswith("def plain(") and got.text.endswith("    return z")
    assert isinstance(got.tree, gast.FunctionDef)
    assert get_source(plain) is got


def text_at(node) -> str:
    loc = loc_of(node)
    lines = [linecache.getline(loc.stmt.file, n) for n in range(loc.line, loc.end_line + 1)]
    lines[-1] = lines[-1][: loc.end_col]
    lines[0] = lines[0][loc.col :]
    return "".join(lines)


def test_locations_are_those_of_the_file():
    def inner(x):
        ü = "ä"; y = x + 1  # noqa: E702, F841  # fmt: skip
        return (ü,
                y)  # fmt: skip

    umlaut, add, ret = get_source(inner).tree.body
    assert text_at(umlaut.value) == '"ä"'
    assert text_at(add) == "y = x + 1"
    assert text_at(add.value.right) == "1"
    assert text_at(ret.value.elts[1]) == "y"


def test_one_statement_object_for_each_statement():
    got = get_source(plain).tree
    loop = got.body[2]
    assert stmt_of(loop.target) is stmt_of(loop.iter.args[0]) is stmt_of(loop)
    assert stmt_of(loop.body[0]) is not stmt_of(loop)
    assert stmt_of(loop.body[0]).function == "plain"
    assert loc_of(loop).end_line == loc_of(loop).line  # the header alone


def statements(text: str) -> list[str]:
    lines = text.splitlines(True)
    tree = to_gast(ast.parse(text).body[0], "<test>", lines, "f")
    return [stmt_of(n).text for n in gast.walk(tree) if isinstance(n, gast.stmt)]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("y = x  # why", "y = x"),
        ("y = f(\n    a,  # one\n    [1,\n     2],\n)", "y = f(a, [1, 2])"),
        ("y = (\n    a +\n    b\n)", "y = (a + b)"),
        ("y = (\n    a,\n)", "y = (a,)"),
        ("y = a + \\\n    b", "y = a + b"),
        ('y = """a\n  b"""', 'y = """a\\n  b"""'),
        ("if x > 0 :  # why\n    pass", "if x > 0 :"),
        ("if (x and\n    y): pass", "if (x and y):"),
        ("for i in (range(3)  # c: d\n    ):  # e\n    pass", "for i in (range(3)):"),
        ("while x['a:b']: pass", "while x['a:b']:"),
        ("with f(), g() as h:\n    pass", "with f(), g() as h:"),
        ("def f(x: int = 1, *a, k={1: 2}) -> int:\n    pass", None),
        ("def f():  # nothing\n    pass", "def f():"),
        ("try:\n    pass\nfinally:\n    pass", "try:"),
        ("match x:\n    case 1: pass", "match x:"),
        ("class A(B, metaclass=C): pass", "class A(B, metaclass=C):"),
        ("é = 'ü'; y = é", "é = 'ü'"),
    ],
)
def test_statement_texts(text, expected):
    assert statements(text)[0] == (expected or text.partition("\n")[0])


def test_elif_has_its_own_header():
    assert "elif b:" in statements("if a:\n    x = 1\nelif b:\n    x = 2")


# --- lambdas ------------------------------------------------------------------------------------

twins = [lambda x: x + 1, lambda x: x - 1]
same = (lambda x: x, lambda x: (x), lambda y: y)  # fmt: skip
ones = [lambda: 1, lambda: 1.0, lambda k=lambda: 3: 1]
nested = lambda a, k=lambda: 1: (lambda b: a + b)  # noqa: E731  # fmt: skip
across = functools.partial(
    lambda x,
    y: x
    * y,
    2,
).func  # fmt: skip


def default(x, f=lambda t: t * 2):
    return f(x)


@pytest.mark.parametrize(
    "fn, text",
    [
        (twins[0], "lambda x: x + 1"),
        (twins[1], "lambda x: x - 1"),
        (same[1], "lambda x: (x)"),
        (same[2], "lambda y: y"),
        (nested, "lambda a, k=lambda: 1: (lambda b: a + b)"),
        (nested(1), "lambda b: a + b"),
        (nested.__defaults__[0], "lambda: 1"),
        (ones[0], "lambda: 1"),
        (ones[1], "lambda: 1.0"),
        (ones[2], "lambda k=lambda: 3: 1"),
        (across, "lambda x,\n    y: x\n    * y"),
        (default.__defaults__[0], "lambda t: t * 2"),
    ],
)
def test_lambdas(fn, text):
    assert get_source(fn).text == text
    assert get_source(fn).name == "<lambda>"


def test_lambda_deep_in_expressions():
    table = {"a": [(lambda v: v, 1), (lambda v: -v, 2)], "b": max([3, 1], key=lambda v: -v)}
    assert get_source(table["a"][1][0]).text == "lambda v: -v"  # type: ignore[index]


# --- methods, nested and decorated functions ----------------------------------------------------


class Model:
    def __init__(self):
        self.__w = 2.0

    def method(self, x):
        return self.__w * x

    def parent(self):
        return super().__repr__()

    @staticmethod
    def static(x):
        return x

    @classmethod
    def of_class(cls, x):
        return x

    @functools.lru_cache  # noqa: B019
    def cached(self, x):
        return x


@pytest.mark.parametrize("name", ["method", "parent", "static", "of_class", "cached"])
def test_methods(name):
    assert get_source(getattr(Model(), name)).name == name
    assert get_source(Model.__dict__[name]).tree.decorator_list == []


def doubled(f):
    @functools.wraps(f)
    def wrapper(*args):
        return 2 * f(*args)

    return wrapper


@doubled
def wrapped(x):
    return x


def test_a_wrapper_is_compiled_as_written():
    assert get_source(wrapped).name == "wrapper"
    assert get_source(wrapped.__wrapped__).name == "wrapped"
    assert get_source(wrapped.__wrapped__).text == "def wrapped(x):\n    return x"


def test_closures():
    w, b = 2.0, 1.0

    def inner(x):
        def innermost(y):
            return y + b

        return innermost(x) * w

    assert get_source(inner).name == "inner"


# --- where there is no file ---------------------------------------------------------------------


def remember(name: str, text: str):
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    space: dict[str, object] = {}
    exec(compile(text, name, "exec"), space)
    return space


def test_notebook_cells():
    text = "import numpy as np\ndef f(x):\n    return np.sum(x)\ng = lambda x: x\n"
    cell = remember("<ipython-input-3-abc>", text)
    assert get_source(cell["f"]).first_line == 2  # type: ignore[arg-type]
    assert get_source(cell["g"]).text == "lambda x: x"  # type: ignore[arg-type]


def test_doctests():
    def documented():
        """
        >>> from adcompile.frontend.source import get_source
        >>> def f(x):
        ...     return x
        >>> get_source(f).text
        'def f(x):\\n    return x'
        """

    test = doctest.DocTestFinder().find(documented, "documented", globs={})[0]
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def test_exec_has_no_source():
    space: dict[str, object] = {}
    exec("def f(x): return x", space)
    with pytest.raises(SourceUnavailable, match="function f cannot be read") as caught:
        get_source(space["f"])  # type: ignore[arg-type]
    assert "python -c" in str(caught.value)


@pytest.mark.parametrize(
    "fn, words",
    [
        (np.add, "lambda x: f"),
        (len, "lambda x: f"),
        (functools.partial(plain, 1), "write a lambda"),
        (Model, "not a class"),
        (3, "written in Python"),
    ],
)
def test_what_is_no_python_function(fn, words):
    with pytest.raises(SourceUnavailable, match="has no Python source") as caught:
        get_source(fn)
    assert words in str(caught.value)


# --- files that were edited ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "before, after",
    [
        ("def f(x):\n    return x + 1", "def f(x):\n    return x - 1"),
        ("def f(x):\n    return x + 1", "def f(x):\n    return x + 2"),
        ("def f(x):\n    return x + 1", "def f(x):\n    return x + 1.0"),
        ("def f(x):\n    return x + 1", "\n\ndef f(x):\n    return x + 1"),
        ("def f(x):\n    return x.a", "def f(x):\n    return x.b"),
        ("f = lambda x: x", "f = lambda y: y"),
        ("def f(x):\n    return x", "def f(x:\n    return x"),
    ],
)
def test_edited_since_import(before, after, request):
    name = f"<edited {request.node.name}>"
    fn = remember(name, before)["f"]
    linecache.cache[name] = (1, None, after.splitlines(True), name)
    with pytest.raises(SourceUnavailable, match="changed after it was imported"):
        get_source(fn)  # type: ignore[arg-type]


def test_pytest_rewrites_asserts_and_is_forgiven():
    def inner(x):
        assert x > 0
        return x

    assert get_source(inner).name == "inner"


# --- all at scale -------------------------------------------------------------------------------


def functions_of(module: types.ModuleType):
    for value in vars(module).values():
        for fn in vars(value).values() if isinstance(value, type) else [value]:
            if isinstance(fn, types.FunctionType) and fn.__code__.co_filename == module.__file__:
                yield fn


@pytest.mark.parametrize("library", [ast, dis, np.lib._function_base_impl, functools])
def test_every_function_of_a_library(library):
    found = [get_source(fn).name == fn.__code__.co_name for fn in functions_of(library)]
    assert all(found) and len(found) > 20


def test_trees_are_those_of_gast():
    for file in glob.glob(module.__file__.replace("source.py", "*.py")):
        with open(file) as f:
            text = f.read()
        for stmt in ast.parse(text).body:
            ours = to_gast(stmt, file, text.splitlines(True), "module")
            assert gast.dump(ours) == gast.dump(gast.ast_to_gast(stmt))


@pytest.mark.parametrize("kind", ["sum", "elif", "statements"])
def test_long_programs(kind):
    if kind == "sum":
        text = "def f(a):\n    return " + " + ".join(["a"] * 2000)
    elif kind == "elif":
        arms = "".join(f"    elif a == {i}:\n        b = {i}\n" for i in range(1900))
        text = f"def f(a):\n    if a < 0:\n        b = 0\n{arms}    return b"
    else:
        text = "def f(a):\n" + "    a = a * 2 + 1\n" * 5000 + "    return a"
    fn = remember(f"<long {kind}>", text)["f"]
    work = calls(lambda: get_source(fn))  # type: ignore[arg-type]
    assert work < 200 * len(text.split())  # no more than so much for each word
