"""The printer: what parses is printed back, and what is printed parses back."""

from __future__ import annotations

import ast
import math
import sys
import warnings
from typing import Any

import gast as _gast
import numpy as np
import pytest

from adcompile.codegen.printer import blank, comment, to_text, trailing

gast: Any = _gast  # makes its classes when it is imported
Node = Any


def parse(text: str) -> Node:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return gast.parse(text)


def expression(text: str) -> Node:
    return parse(f"({text}\n)").body[0].value


def name(id_: str, ctx: Any = gast.Load) -> Node:
    return gast.Name(id_, ctx(), None, None)


def constant(value: object) -> Node:
    return gast.Constant(value, None)


# --- what comes back as it was --------------------------------------------------------------------

EXPRESSIONS = """
a
a.b.c(d)[e].f
a + b - c
a - (b - c)
a + (b + c)
(a + b) * c
a * b + c
a / (b * c)
a @ b.T @ c
a // b % c
a << b >> c
a | b ^ c & d
(a | b) & c
a ** b ** c
(a ** b) ** c
-a ** 2
(-a) ** 2
a ** -b
(-1) ** 2
2 ** -1
-a * b
-(a * b)
~a
+a
--a
not a
not a == b
(not a) == b
not (a and b)
not a and b
a and b or c
a and (b or c)
(a and b) and c
a < b <= c
(a < b) == c
a is not None
a not in b
a if b else c
(a if b else c) if d else e
a if b else c if d else e
(a if b else c) + d
lambda: 0
lambda x: x + 1
lambda x, /, y=1, *args, z, k=2, **kw: (x, y)
lambda *, k: k
lambda *a: a
(lambda x: x)(1)
a or (lambda: b)
(yield)
(yield a, b)
(yield from a)
await a
await a.b(c)
(await a).b
await a ** b
await (a ** b)
-await a
(a := 1)
f(a := 1)
f(a=(b := 1))
[a := 1, a ** 2]
[(y := f(x)) for x in z]
f(*a, b, k=1, **c)
f(*(a or b))
f(x for x in y)
f((x for x in y), z)
(x for x in y)
[x for x in y if x if z]
[x for x, y in (a if b else c)]
[x for x in (lambda: y)]
{x for x in y}
{x: y for x, y in z}
{**a, "b": 1, **(c or d)}
{}
{a, b}
[]
[*a, b]
()
(a,)
(a, b)
((a, b), c)
x[0]
x[-1]
x[i + 1:]
x[1:-1]
x[:]
x[::2]
x[1:2:3]
x[1:2, ::2]
x[..., None]
x[:, 0]
x[a:b,]
x[()]
x[(a,)]
x[a, b]
x[*a]
x[*a, b]
x[(a, b), c]
x[(y := 1)]
x[lambda: 0]
1
(1).real
1.0.real
1e+300
1e999
-1e999
2j
True
None
...
1e-12
"a"
"it's"
'say "a"'
"it's \\"a\\""
"\\n\\t\\\\"
"é"
"\\x00\\ud800"
b"a"
b'"'
b"\\xff'"
f"{a}"
f"{a!r:>{b}.2f} and {c}"
f"{{{a}}}"
f"{ {a: b}[c]}"
f"{(lambda: a)()}"
f"{d['k']}"
f'say "{a}"'
f"{a if b else c}, {a != b}"
f"{f'{a}'}"
"""

STATEMENTS = """
a = b
a = b = c
a, b = b, a
a, *b = c
(a,) = b
[a, b] = c
() = a
a = yield b
a = yield from b
a = (b := c)
a += b, c
a += yield
a @= b
a **= b
a //= b
x[i] += x[i + 1] * w[i]
a: int
a: int = 1
(a): int = 1
a.b: int = yield
a: tuple = b, c
return
return a
return a, b
return *a, b
return (a,)
return (yield)
return value, ((d_W1, d_b1), (d_W2, d_b2))
yield a, b
await a
(a := b)
del a, b[0]
del (a, b), c
pass
break
continue
assert a
assert a, "b"
assert (a, b)
raise
raise a
raise a from b
global a, b
nonlocal a
import a, b.c as d
from a import b, c as d
from . import a
from ..a import *
"""

BLOCKS = """
for i, v in enumerate(x):
    pass
else:
    pass
---
for x in *a, b:
    pass
---
for x, *y in a, b:
    break
---
while x := f():
    continue
else:
    pass
---
if (n := f()) > 3:
    pass
elif a:
    pass
---
if a:
    pass
elif b:
    pass
elif c:
    pass
else:
    pass
---
with a:
    pass
---
with a as b, c as (d, e), f:
    pass
---
with ((a, b)):
    pass
---
with ((a,)):
    pass
---
with (a, b) as c:
    pass
---
with (a, b), c:
    pass
---
with (yield):
    pass
---
try:
    pass
except:
    pass
---
try:
    pass
except (a, b) as e:
    pass
except c:
    pass
else:
    pass
finally:
    pass
---
try:
    pass
except* a as e:
    pass
---
async def f():
    async for x in y:
        pass
    async with a as b:
        pass
    return [x async for x in y]
---
@a.b(c)
@d
def f(a, b: int, /, c=1, *args: int, d, e: int = 2, **kw: str) -> tuple[int, int]:
    pass
---
def f(*args: *Ts):
    pass
---
def f(*, a):
    pass
---
def f(a, /):
    pass
---
def f():
    \"\"\"Of one line.\"\"\"
---
def f():
    \"\"\"Of several.

    With \\\\ and \\"\"\" and "quotes\\"\"\"\"
    return a
---
class A:
    \"\"\"A class.\"\"\"
    x: int = 1
---
class A(B, *c, metaclass=D, **e):
    def f(self):
        "no docstring".join(x)
---
match a:
    case 1 | -2 | 1 + 2j | "a" | b.c:
        pass
    case None | True:
        pass
    case [a, *_] as b if c:
        pass
    case {"k": v, **rest}:
        pass
    case {}:
        pass
    case A(x, [y, z], k=1 | 2 as w):
        pass
    case (1 as x) | (2 as x):
        pass
    case _:
        pass
---
match a, *b:
    case x:
        pass
---
match -a:
    case []:
        pass
"""
GENERATED = """
def out_grad(a):
    b = a + 3
    d_c = 1.0 / b.size
    d_a = 6.0 * d_c * b
    return d_a
---
def loss_value_and_grad(params, x, y):
    (W1, b1), (W2, b2) = params
    h = np.tanh(x @ W1 + b1)
    err = h @ W2 + b2 - y
    value = np.mean(err * err)
    d_err = 2.0 / err.size * err
    d_b2 = d_err.sum(axis=0)
    d_W2 = h.T @ d_err
    d_h = d_err @ W2.T
    d_z = d_h * (1 - h * h)
    d_b1 = d_z.sum(axis=0)
    d_W1 = x.T @ d_z
    return value, ((d_W1, d_b1), (d_W2, d_b2))
---
def weighted_grad(x, w):
    d_x = np.zeros_like(x)
    d_w = np.zeros_like(w)
    for i in reversed(range(len(x) - 1)):
        d_x[i] += x[i + 1] * w[i]
        d_x[i + 1] += x[i] * w[i]
        d_w[i] += x[i] * x[i + 1]
    return d_x, d_w
---
def newton_sqrt_grad(a):
    x = a
    saved_x = []
    while abs(x * x - a) > 1e-12:
        saved_x.append(x)
        x = 0.5 * (x + a / x)
    d_x = 1.0
    d_a = 0.0
    for x in reversed(saved_x):
        d_t = 0.5 * d_x
        d_a += d_t / x
        d_x = d_t - d_t * a / (x * x)
    d_a += d_x
    return d_a
---
def heat_grad(u0, k, steps):
    u = u0.copy()
    saved_lap = []
    for t in range(steps):
        lap = u[2:] - 2 * u[1:-1] + u[:-2]
        saved_lap.append(lap)
        u[1:-1] += k * lap
    d_u = 2.0 * u
    d_k = 0.0
    for lap in reversed(saved_lap):
        d_k += np.sum(d_u[1:-1] * lap)
        d_lap = k * d_u[1:-1]
        d_u[2:] += d_lap
        d_u[1:-1] -= 2 * d_lap
        d_u[:-2] += d_lap
    return d_u, d_k
---
def ramp_grad(x, limit):
    total = 0.0
    saved_i = []
    for i, v in enumerate(x):
        if v < 0:
            continue
        if total > limit:
            break
        saved_i.append(i)
        if v < 1:
            total += v * v
        else:
            total += np.log(v) + 1.0
    d_x = np.zeros_like(x)
    for i in reversed(saved_i):
        v = x[i]
        if v < 1:
            d_x[i] += 2.0 * v
        else:
            d_x[i] += 1.0 / v
    return d_x
---
def rnn_grad(Wx, Wh, b, xs, y):
    h = np.zeros((xs.shape[1], b.shape[0]))
    saved = []
    for x in xs:
        h_in = h
        h = np.tanh(x @ Wx + h_in @ Wh + b)
        saved.append((x, h_in, h))
    err = h - y
    d_h = 2.0 * err
    for x, h_in, h in reversed(saved):
        d_z = d_h * (1 - h * h)
        d_b += d_z.sum(axis=0)
        d_Wh += h_in.T @ d_z
        d_Wx += x.T @ d_z
        d_h = d_z @ Wh.T
    return d_Wx, d_Wh, d_b
"""


def table(text: str) -> list[str]:
    return text.strip("\n").split("\n---\n")


@pytest.mark.parametrize("text", EXPRESSIONS.strip().split("\n"))
def test_expression(text: str) -> None:
    assert to_text(expression(text)) == text


@pytest.mark.parametrize("text", STATEMENTS.strip().split("\n"))
def test_simple_statement(text: str) -> None:
    (stmt,) = parse(text).body
    assert to_text(stmt) == text + "\n"


@pytest.mark.parametrize("text", table(BLOCKS) + table(GENERATED))
def test_block(text: str) -> None:
    text = text.rstrip("\n") + "\n"
    assert to_text(parse(text)) == text
    assert to_text(parse(text).body[0]) == text


NEW_SYNTAX = [  # since which Python
    ((3, 12), "type A = int"),
    ((3, 12), "type A[T] = list[T]"),
    ((3, 12), "def f[T: int, *Ts, **P](x: T) -> T:\n    pass"),
    ((3, 12), "class A[T: (int, str)](B):\n    pass"),
    ((3, 13), "def f[T = int, *Ts = *a, **P = []]():\n    pass"),
]


def test_type_parameters() -> None:
    for since, text in NEW_SYNTAX:
        if sys.version_info >= since:
            assert to_text(parse(text)) == text + "\n"
        else:
            with pytest.raises(SyntaxError):
                parse(text)


def test_module_docstring_and_empty_module() -> None:
    text = '"""What it is for.\n\nAnd more.\n"""\nimport numpy as np\n'
    assert to_text(parse(text)) == text
    assert to_text(parse("")) == "\n"


def test_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in table(BLOCKS):
            to_text(parse(text))


# --- constants that only a generated tree has ----------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1, "-1"),
        (-0.5, "-0.5"),
        (-math.inf, "-1e999"),
        (math.nan, "1e999 - 1e999"),
        (1 + 2j, "1.0 + 2j"),
        (1 - 2j, "1.0 - 2j"),
        (complex(0.0, -2.0), "0.0 - 2j"),
        (complex(-0.0, -2.0), "-2j"),
        (complex(-0.0, 2.0), "complex(-0.0, 2.0)"),
        ((1, "a"), '(1, "a")'),
        ((1,), "(1,)"),
    ],
)
def test_constant(value: object, text: str) -> None:
    assert to_text(constant(value)) == text
    assert repr(eval(text)) == repr(value)


def test_numpy_scalars_print_as_plain_numbers() -> None:
    assert to_text(constant(np.float64(0.25))) == "0.25"


def test_negative_constants_bind_like_a_minus() -> None:
    x = name("x")
    assert to_text(gast.BinOp(constant(-2), gast.Pow(), x)) == "(-2) ** x"
    assert to_text(gast.BinOp(x, gast.Pow(), constant(-2))) == "x ** -2"
    assert to_text(gast.BinOp(x, gast.Sub(), constant(-2.0))) == "x - -2.0"
    assert to_text(gast.BinOp(x, gast.Mult(), constant(1 + 2j))) == "x * (1.0 + 2j)"
    assert to_text(gast.Attribute(constant(-1), "real", gast.Load())) == "(-1).real"


def test_what_is_no_constant_is_refused() -> None:
    with pytest.raises(TypeError, match="no literal denotes"):
        to_text(constant(np.arange(3)))


def f_string(*values: Node) -> Node:
    return gast.JoinedStr(list(values))


def field(value: Node, spec: Node = None) -> Node:
    return gast.FormattedValue(value, -1, spec)


def test_f_string_takes_the_quotes_that_remain() -> None:
    double = gast.Subscript(name("d"), constant('"'), gast.Load())
    single = gast.Subscript(name("d"), constant("'"), gast.Load())
    assert to_text(f_string(field(double))) == """f\"\"\"{d['"']}\"\"\""""
    assert to_text(f_string(field(single))) == """f\"\"\"{d["'"]}\"\"\""""
    assert to_text(f_string(constant("'"), field(double))) == """f\"\"\"'{d['"']}\"\"\""""


def test_f_string_that_python_311_cannot_read() -> None:
    joined = gast.Call(gast.Attribute(constant("\n"), "join", gast.Load()), [name("x")], [])
    tree = f_string(constant("{a} "), field(joined, f_string(constant(">"), field(name("w")))))
    assert to_text(tree) == '"{{a}} {:>{}}".format("\\n".join(x), w)'


# --- comments and blank lines --------------------------------------------------------------------


def test_comments() -> None:
    (function,) = parse(table(GENERATED)[3]).body
    body = function.body
    loop, back = body[2], body[5]
    trailing(loop.body[0], "for a / x")
    back.body.insert(0, comment("x = 0.5 * (x + a / x)"))
    body.insert(6, comment("x = a"))
    body.insert(3, blank())
    text = """\
def newton_sqrt_grad(a):
    x = a
    saved_x = []
    while abs(x * x - a) > 1e-12:
        saved_x.append(x)  # for a / x
        x = 0.5 * (x + a / x)

    d_x = 1.0
    d_a = 0.0
    for x in reversed(saved_x):
        # x = 0.5 * (x + a / x)
        d_t = 0.5 * d_x
        d_a += d_t / x
        d_x = d_t - d_t * a / (x * x)
    # x = a
    d_a += d_x
    return d_a
"""
    assert to_text(function) == text
    module = gast.Module([*parse("import numpy as np").body, blank(), blank(), function], [])
    assert to_text(module) == "import numpy as np\n\n\n" + text


def test_trailing_comments_of_compound_statements() -> None:
    source = """\
@a
def f():  # the function
    if a:  # first
        pass  # nothing
    elif b:  # second
        for x in y:  # loop
            pass
    with a:  # block
        try:  # it
            pass
        except b:  # or not
            pass
"""
    (f,) = parse(source).body
    trailing(f, "the function")
    choice, block = f.body
    trailing(choice, "first")
    trailing(choice.body[0], "nothing")
    trailing(choice.orelse[0], "second")
    trailing(choice.orelse[0].body[0], "loop")
    trailing(block, "block")
    trailing(block.body[0], "it")
    trailing(block.body[0].handlers[0], "or not")
    assert to_text(f) == source


def test_trailing_comment_that_does_not_fit_goes_above() -> None:
    (stmt,) = parse(f"x = f({'a' * 70})").body
    assert to_text(trailing(stmt, "for " + "b" * 30)) == (f"# for {'b' * 30}\nx = f({'a' * 70})\n")
    (stmt,) = parse(f"x = f({'a' * 60}, {'b' * 60})").body
    assert to_text(trailing(stmt, "why")) == (
        f"# why\nx = f(\n    {'a' * 60},\n    {'b' * 60},\n)\n"
    )


def test_comment_of_several_lines_and_a_long_one() -> None:
    assert to_text(comment("a\nb")) == "# a\n# b\n"
    assert to_text(comment("a  b")) == "# a  b\n"
    lines = to_text(comment("word " * 40)).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("# word") and len(line) <= 100 for line in lines)
    (stmt,) = parse("x = 1").body
    assert to_text(trailing(stmt, "a\nb")) == "x = 1  # a b\n"


def test_body_of_comments_alone() -> None:
    (stmt,) = parse("if a:\n    pass").body
    stmt.body = [comment("nothing to do")]
    assert to_text(stmt) == "if a:\n    # nothing to do\n    pass\n"


def test_docstring_after_comment() -> None:
    (f,) = parse('def f():\n    """Text."""\n').body
    f.body.insert(0, comment("made by a machine"))
    assert to_text(f) == 'def f():\n    # made by a machine\n    """Text."""\n'


# --- long lines -----------------------------------------------------------------------------------

WRAPPED = """
total = (
    np.sum(d_output_of_layer * weights, axis=(0, 1)) + np.mean(d_other_things_to_add, axis=0) + some
)
---
x = (
    first_operand_of_the_sum * second_operand_
    + third_operand_of_the_sum * fourth_operand_
    - fifth_operand_of_it
)
---
x = offset + np.some_function(
    first_argument_value, second_argument_value, third_argument_value, fourth_argument_value
)
---
return some_function_name(
    first_argument_value, second_argument_value, third_argument_value, fourth
)[0]
---
d_x = np.einsum(
    "ijk,jkl,klm->im", first_tensor_operand, second_tensor_operand, third_tensor_operand
).reshape(rows, cols)
---
saved = {
    "a_key_of_the_dict": some_value_of_it,
    "another_key": first_operand_of_a_sum + second_operand_of_a_sum,
    **rest,
}
---
x = np.array(
    [
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
    ]
)
---
result = [
    some_function(element, another)
    for element, another in zip(first_sequence, second_sequence)
    if element > 0
]
---
return (
    value_of_the_loss,
    ((d_W1_of_the_network, d_b1_of_the_network), (d_W2_of_the_network, d_b2_of_the_network)),
)
---
very_long_name_of_a_variable_that_is_assigned_to = (
    some_module.some_submodule.another_submodule.an_attribute_of_it
)
---
x = (
    some_value_that_is_taken
    if some_condition_that_is_long(x)
    else another_value_that_is_taken_if_not
)
---
params[some_index_expression, another_index_expression] = (
    first_operand_of_the_sum + second_operand_of_the_sum
)
---
def loss_value_and_grad(
    params, x, y, *, learning_rate=0.001, regularisation=0.0001, momentum=0.9, nesterov=False
):
    pass
---
def a_function_with_annotations(
    first_parameter: np.ndarray,
    second_parameter: np.ndarray,
    *args: np.ndarray,
    **kwargs: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    pass
---
if (
    first_condition_holds and second_condition_holds
    or third_condition_holds and not fourth_condition_holds
):
    pass
---
for alpha_value, beta_value, gamma_value, delta_value in zip(
    alpha_values, beta_values, gamma_values, delta_values
):
    pass
---
with (
    np.errstate(divide="ignore", invalid="ignore", over="ignore"),
    some_other_context_manager(x) as context_value,
):
    pass
---
from some.module import (
    first_name, second_name, third_name, fourth_name, fifth_name, sixth_name, seventh_name
)
---
f(
    (
        element_of_the_generator_expression * weight_of_the_element_in_the_generator_expression_
        for element_of_the_generator_expression in generator
    ),
    argument,
)
"""


@pytest.mark.parametrize("text", table(WRAPPED))
def test_wrapped(text: str) -> None:
    text = text.rstrip("\n") + "\n"
    tree = parse(text)
    assert all(len(line) <= 100 for line in text.splitlines())
    assert to_text(tree) == text
    assert gast.dump(parse(to_text(tree))) == gast.dump(tree)


@pytest.mark.parametrize(
    "text", ["x = " + "a" * 97, "global " + ", ".join(["a" * 60] * 2), "x[" + "a" * 100 + ":]"]
)
def test_what_cannot_be_wrapped_stays_valid(text: str) -> None:
    assert gast.dump(parse(to_text(parse(text)))) == gast.dump(parse(text))


def test_line_of_exactly_the_width_is_left_alone() -> None:
    text = f"x = f({'a' * 44}, {'b' * 47})\n"
    assert len(text) == 101
    assert to_text(parse(text)) == text


# --- size -----------------------------------------------------------------------------------------


def test_long_chains_need_no_recursion() -> None:
    total = name("x0")
    for i in range(1, 5000):
        total = gast.BinOp(total, gast.Sub() if i % 2 else gast.Add(), name(f"x{i}"))
    lines = to_text(gast.Assign([name("y", gast.Store)], total, None)).splitlines()
    assert lines[:3] == ["y = (", "    x0", "    - x1"]
    assert lines[-1] == ")"
    assert len(lines) == 5002

    call = name("x")
    for _ in range(2000):
        call = gast.Call(gast.Attribute(call, "f", gast.Load()), [], [])
    assert to_text(call).startswith("x.f().f()")


def test_long_elif_chain_needs_no_recursion() -> None:
    chain: list[Node] = []
    for i in reversed(range(5000)):
        chain = [gast.If(name(f"x{i}"), [gast.Pass()], chain)]
    lines = to_text(chain[0]).splitlines()
    assert lines[:4] == ["if x0:", "    pass", "elif x1:", "    pass"]
    assert len(lines) == 10000


def test_brackets_as_deep_as_python_allows() -> None:
    tree = name("x")
    for _ in range(90):
        tree = gast.Call(name("f"), [gast.BinOp(name("a"), gast.Mult(), tree)], [])
    assert ast.parse(to_text(tree, width=10))
