"""The printer: constants, comments, long lines, long programs."""

from __future__ import annotations

import ast
import math

import numpy as np
import pytest

from adcompile.codegen.printer import blank, comment, to_text, trailing
from tests.codegen.trees import GENERATED, Node, constant, gast, name, parse, table

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
for (
    weights_in, bias_in, velocity_in, hidden_values, scores_of_the_layer, share, d_scores, d_hidden,
    count
) in reversed(saved):
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
