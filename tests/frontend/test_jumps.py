"""Programs with jumps against the same programs without: run side by side, results equal."""

from __future__ import annotations

import ast

import gast
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adcompile.frontend.jumps import ends, remove_jumps
from adcompile.frontend.source import to_gast
from tests.counted import calls

JUMPS = (gast.Break, gast.Continue)


def rewrite(text: str) -> gast.FunctionDef:
    tree = to_gast(ast.parse(text).body[0], "<test>", text.splitlines(True), "f")
    before = gast.dump(tree, include_attributes=True)
    result = remove_jumps(tree)
    assert gast.dump(tree, include_attributes=True) == before  # the source is shared
    return result


def with_breaks(tree: gast.FunctionDef) -> str:
    """The text of a rewritten tree in which each stop flag ends its loop; tests its form too."""
    for node in gast.walk(tree):
        if isinstance(node, gast.FunctionDef):
            assert ends(node.body)
            tails = [node.body]
            returns = [n for n in walk_statements(node.body) if isinstance(n, gast.Return)]
            reached = 0
            while tails:
                last = tails.pop()[-1]
                if isinstance(last, gast.If):
                    tails += [last.body, last.orelse]
                elif isinstance(last, gast.Try):
                    tails += [last.orelse, *(h.body for h in last.handlers)]
                reached += isinstance(last, gast.Return)
            assert reached == len(returns)
        if isinstance(node, gast.For | gast.While):
            assert not node.orelse
            if node.stop is not None:
                flag = gast.Name(node.stop, gast.Load(), None, None)
                node.body = [*node.body, gast.If(flag, [gast.Break()], [])]
        if isinstance(node, gast.expr | gast.stmt) and not isinstance(node, gast.Break):
            assert hasattr(node, "lineno") or "$" in gast.dump(node)
    return gast.unparse(gast.fix_missing_locations(tree)).replace("$", "_S_")


def walk_statements(body):
    stack = list(body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, gast.FunctionDef):
            for field in ("body", "orelse", "handlers", "finalbody"):
                stack += getattr(node, field, [])


def no_jumps(tree: gast.FunctionDef) -> None:
    for node in gast.walk(tree):
        assert not isinstance(node, JUMPS)
        assert hasattr(node, "stmt") or not hasattr(node, "lineno")


class TooLong(Exception):
    pass


def outcome(text: str, choices: list[int]):
    """What a program returns or raises, and everything it did on the way."""
    log: list[object] = []
    supply = iter(choices)

    def step(tag):
        log.append(tag)
        if len(log) > 300:
            raise TooLong

    def cond(tag):
        step(tag)
        choice = next(supply, 1)
        if choice in (7, 8):
            raise (ValueError if choice == 7 else KeyError)(tag)
        return choice % 2 == 0

    def times(tag):
        step(tag)
        return range(next(supply, 0) % 4)

    space = {"step": step, "cond": cond, "times": times}
    exec(text, space)
    try:
        return space["f"](), log
    except (TooLong, ValueError, KeyError) as e:
        return type(e).__name__, log


def same(text: str, choices: list[int]) -> None:
    tree = rewrite(text)
    no_jumps(tree)
    again = with_breaks(tree)
    assert outcome(again, choices) == outcome(text, choices), again


@st.composite
def programs(draw) -> str:
    count = iter(range(10_000))
    budget = [draw(st.integers(3, 25))]

    def body(indent: int, loops: int) -> list[str]:
        lines: list[str] = []
        for _ in range(draw(st.integers(1, 4))):
            lines += statement(indent, loops)
        return lines

    def block(head: str, indent: int, loops: int) -> list[str]:
        return ["    " * indent + head, *body(indent + 1, loops)]

    def statement(indent: int, loops: int) -> list[str]:
        budget[0] -= 1
        tag = next(count)
        pad = "    " * indent
        simple = ["step", "return", "raise", "bare"] + ["break", "continue"] * 2 * bool(loops)
        nested = ["if", "if", "else", "elif", "for", "while", "endless", "with", "def"]
        nested += ["try", "try else", "handlers"]
        kinds = simple + nested * 2 if budget[0] > 0 and indent < 6 else simple
        match draw(st.sampled_from(kinds)):
            case "step":
                return [f"{pad}step({tag})"]
            case "return":
                return [f"{pad}return {tag}"]
            case "bare":
                return [f"{pad}return"]
            case "raise":
                return [f"{pad}raise ValueError({tag})"]
            case "break" | "continue" as jump:
                return [pad + jump]
            case "if":
                return block(f"if cond({tag}):", indent, loops)
            case "else":
                return [
                    *block(f"if cond({tag}):", indent, loops),
                    *block("else:", indent, loops),
                ]
            case "elif":
                return [
                    *block(f"if cond({tag}):", indent, loops),
                    *block(f"elif cond(-{tag}):", indent, loops),
                    *block("else:", indent, loops),
                ]
            case "with":
                return block("with __import__('contextlib').nullcontext():", indent, loops)
            case "try" | "try else" as kind:
                lines = block("try:", indent, loops)
                lines += block("except ValueError:", indent, loops)
                if kind == "try else":
                    lines += block("else:", indent, loops)
                if draw(st.booleans()):
                    lines += [pad + "finally:", f"{pad}    step({tag})"]
                return lines
            case "handlers":
                lines = block("try:", indent, loops)
                lines += block("except KeyError:", indent, loops)
                lines += block("except ValueError:", indent, loops)
                return lines
            case "def":
                inner = block(f"def inner{tag}():", indent, 0)
                return [*inner, f"{pad}step(inner{tag}())"]
            case kind:
                heads = {
                    "for": f"for i{tag} in times({tag}):",
                    "while": f"while cond({tag}):",
                    "endless": "while True:",
                }
                lines = block(heads[kind], indent, loops + 1)
                lines.insert(1, f"{pad}    step({tag})")
                if draw(st.booleans()):
                    lines += block("else:", indent, loops)
                return lines

    return "\n".join(["def f():", *body(1, 0), "    step('end')"]) + "\n"


@settings(max_examples=200, deadline=None)
@given(programs(), st.lists(st.integers(0, 9), max_size=40))
def test_random_programs_do_the_same(text, choices):
    same(text, choices)


def shape(text: str) -> str:
    return gast.unparse(rewrite("def f(x):\n" + text)).strip()


def test_continue_moves_what_follows_into_the_other_arm():
    got = shape(
        "    for v in x:\n"
        "        if v < 0:\n"
        "            continue\n"
        "        if v > 9:\n"
        "            break\n"
        "        use(v)\n"
        "    return 1\n"
    )
    assert got == (
        "def f(x):\n"
        "    for v in x:\n"
        "        $stop1 = False\n"
        "        if v < 0:\n"
        "            pass\n"
        "        elif v > 9:\n"
        "            $stop1 = True\n"
        "        else:\n"
        "            use(v)\n"
        "    return 1"
    )


def test_early_returns_become_the_arms_of_an_if():
    got = shape("    if x < 0:\n        return 1\n    y = x\n    return y\n")
    assert got == (
        "def f(x):\n    if x < 0:\n        return 1\n    else:\n        y = x\n        return y"
    )


def test_return_in_a_loop():
    got = shape("    for v in x:\n        if v:\n            return v\n    return 0\n")
    assert got == (
        "def f(x):\n"
        "    $returned1 = False\n"
        "    for v in x:\n"
        "        $stop1 = False\n"
        "        if v:\n"
        "            $value1 = v\n"
        "            $returned1 = True\n"
        "            $stop1 = True\n"
        "    if $returned1:\n"
        "        return $value1\n"
        "    else:\n"
        "        return 0"
    )


def test_an_endless_loop_that_returns_needs_no_test():
    got = shape("    while True:\n        x = x + 1\n        if x > 9:\n            return x\n")
    assert got.endswith("            $stop1 = True\n    return $value1")


def test_else_of_a_loop():
    got = shape(
        "    for v in x:\n        if v:\n            break\n"
        "    else:\n        x = 0\n    return x\n"
    )
    assert "    if not $stop1:\n        x = 0\n    return x" in got
    plain = shape("    for v in x:\n        use(v)\n    else:\n        x = 0\n    return x\n")
    assert "$" not in plain


def test_an_arm_may_end_in_raise():
    tree = rewrite("def f(x):\n    if x:\n        return 1\n    raise ValueError\n")
    assert isinstance(tree.body[-1].orelse[-1], gast.Raise)
    assert ends(tree.body)


def test_a_function_without_return_returns_none():
    assert shape("    x = 1\n").endswith("return None")
    assert shape("    if x:\n        return\n").count("return None") == 2


def test_lambda_is_left_alone():
    tree = to_gast(ast.parse("lambda x: x").body[0].value, "<test>", ["lambda x: x"], "<lambda>")
    assert remove_jumps(tree) is tree


BLOCKS = {
    "ifs in a loop": ("    for v in x:\n", "        if v == {0}:\n            continue\n"),
    "returns": ("", "    if x == {0}:\n        return {0}\n"),
    "statements": ("", "    x = x + {0}\n"),
    "sometimes": ("", "    if x > {0}:\n        if x:\n            return {0}\n"),
}


@pytest.mark.parametrize("head, piece", BLOCKS.values(), ids=list(BLOCKS))
def test_size_and_work_are_linear_and_nothing_recurses(head, piece):
    def build(n: int):
        text = "def f(x):\n" + head + "".join(piece.format(i) for i in range(n))
        tree = to_gast(ast.parse(text).body[0], "<test>", text.splitlines(True), "f")
        done = []
        work = calls(lambda: done.append(remove_jumps(tree)))
        return sum(1 for _ in gast.walk(done[0])), work

    small, less = build(1000)
    large, more = build(5000)
    assert large <= 5.2 * small
    assert more <= 6 * less


def test_a_long_elif_chain():
    text = "def f(x):\n    if x == 0:\n        return 0\n" + "".join(
        f"    elif x == {i}:\n        return {i}\n" for i in range(1, 2000)
    )
    tree = to_gast(ast.parse(text).body[0], "<test>", text.splitlines(True), "f")
    assert ends(remove_jumps(tree).body)
