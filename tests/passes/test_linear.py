"""Factors and signs of sums, views and products; writes that are one: each with its text."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adcompile.ir import core
from adcompile.ir.core import Slice
from adcompile.ir.types import FLOAT
from adcompile.passes import dce, simplify
from tests.passes.programs import (
    ADD,
    ARGS,
    MATRIX,
    MUL,
    NEG,
    SINGLE,
    SUB,
    VECTOR,
    assert_same,
    golden,
    loc,
    make,
    outcome,
    result_text,
)

PARAMS = {"x": VECTOR, "y": VECTOR, "m": MATRIX, "s": FLOAT, "f": SINGLE}
VALUES = (ARGS[VECTOR], np.array([1.0, 0.25, -0.5]), ARGS[MATRIX], 3.0, ARGS[SINGLE])
COLUMN = (Slice(), None)  # x[:, None]


SOLVE, MATMUL = np.linalg.solve, operator.matmul


def square(b: Any, m: core.Value, x: core.Value) -> core.Value:
    """An invertible matrix."""
    return b.call(ADD, b.call(MATMUL, m, b.member(np.transpose, "T", m)), b.call(np.diag, x))


def column(b: Any, x: core.Value) -> core.Value:
    return b.index(x, COLUMN)


def after(body: Callable[..., Any], order: int = 1) -> core.Function:
    """The simplified function, which gives what it gave before."""
    fn = make(body, order, **PARAMS)
    old = outcome(fn, *VALUES)
    simplify.run(fn)
    dce.run(fn)
    assert_same(old, outcome(fn, *VALUES))
    return fn


REWRITES: list[tuple[Callable[..., Any], str]] = [
    # sums
    (lambda b, x, y, m, s, f: b.call(np.sum, b.call(MUL, 2.0, x)), "2.0 * (np.sum(x))"),
    (lambda b, x, y, m, s, f: b.call(np.mean, b.call(MUL, -0.5, x)), "-0.5 * (np.mean(x))"),
    (lambda b, x, y, m, s, f: b.call(np.sum, b.call(MUL, f, 2)), "2 * (np.sum(f))"),
    (lambda b, x, y, m, s, f: b.call(np.sum, b.call(NEG, x)), "-(np.sum(x))"),
    (
        lambda b, x, y, m, s, f: b.call(np.sum, b.call(MUL, 2.0, m), axis=0, keepdims=True),
        "2.0 * (np.sum(m, axis=0, keepdims=True))",
    ),
    (
        lambda b, x, y, m, s, f: b.call(SUB, s, b.call(np.sum, b.call(NEG, x))),
        "s + (np.sum(x))",
    ),
    # views
    (lambda b, x, y, m, s, f: column(b, b.call(MUL, 2.0, x)), "2.0 * (x[:, None])"),
    (lambda b, x, y, m, s, f: column(b, b.call(NEG, x)), "-(x[:, None])"),
    (
        lambda b, x, y, m, s, f: b.index(b.call(MUL, 2.0, x), (Slice(start=True),), [1]),
        "2.0 * (x[1:])",
    ),
    (lambda b, x, y, m, s, f: b.call(np.transpose, b.call(NEG, m)), "-(np.transpose(m))"),
    (
        lambda b, x, y, m, s, f: b.call(np.expand_dims, b.call(MUL, 3.0, x), 0),
        "3.0 * (np.expand_dims(x, 0))",
    ),
    # products of arrays of different sizes
    (
        lambda b, x, y, m, s, f: b.call(MUL, 2.0, b.call(MUL, column(b, x), m)),
        "(2.0 * (x[:, None])) * m",
    ),
    (
        lambda b, x, y, m, s, f: b.call(MUL, 2.0, b.call(MUL, m, column(b, x))),
        "m * (2.0 * (x[:, None]))",
    ),
    (
        lambda b, x, y, m, s, f: b.call(NEG, b.call(MUL, column(b, x), m)),
        "(-(x[:, None])) * m",
    ),
    (
        lambda b, x, y, m, s, f: b.call(MUL, m, column(b, b.call(NEG, x))),
        "m * (-(x[:, None]))",
    ),
    (
        lambda b, x, y, m, s, f: b.call(MUL, column(b, x), b.call(NEG, m)),
        "(-(x[:, None])) * m",
    ),
    (
        lambda b, x, y, m, s, f: b.call(
            NEG, b.call(ADD, b.call(MUL, column(b, x), m), b.call(np.sin, m))
        ),
        "((-(x[:, None])) * m) - (np.sin(m))",
    ),
    (
        lambda b, x, y, m, s, f: b.call(
            NEG, b.call(ADD, b.call(np.sin, m), b.call(MUL, m, column(b, x)))
        ),
        "(m * (-(x[:, None]))) - (np.sin(m))",
    ),
    (
        lambda b, x, y, m, s, f: b.call(SUB, m, b.call(MUL, column(b, b.call(NEG, x)), m)),
        "m + ((x[:, None]) * m)",
    ),
    (lambda b, x, y, m, s, f: b.call(MATMUL, b.call(NEG, x), m), "-(x @ m)"),
    (lambda b, x, y, m, s, f: b.call(MATMUL, x, b.call(NEG, m)), "-(x @ m)"),
    (lambda b, x, y, m, s, f: b.call(MATMUL, b.call(NEG, x), b.call(NEG, m)), "x @ m"),
    # equations
    (
        lambda b, x, y, m, s, f: b.call(SOLVE, square(b, m, x), b.call(MUL, 2.0, x)),
        "2.0 * (np.linalg.solve(((m @ (m.T)) + (np.diag(x))), x))",
    ),
    (
        lambda b, x, y, m, s, f: b.call(
            ADD,
            b.call(SOLVE, k := square(b, m, x), b.call(NEG, x)),
            b.call(SOLVE, k, y),
        ),
        "np.linalg.solve(((m @ (m.T)) + (np.diag(x))), (y - x))",
    ),
    # equal constants
    (
        lambda b, x, y, m, s, f: b.call(ADD, b.call(MUL, 2, x), b.call(MUL, 2.0, y)),
        "2 * (x + y)",
    ),
    (
        lambda b, x, y, m, s, f: b.call(SUB, b.call(MUL, -2.0, x), b.call(MUL, 2.0, y)),
        "-2.0 * (x + y)",
    ),
    # axes
    (
        lambda b, x, y, m, s, f: b.call(
            np.reshape,
            b.member(np.sum, "sum()", m, axis=1, keepdims=True),
            b.member(np.shape, "shape", x),
        ),
        "m.sum(axis=1)",
    ),
    (
        lambda b, x, y, m, s, f: b.call(
            np.reshape,
            b.member(np.sum, "sum()", m, axis=-1, keepdims=True),
            b.member(np.shape, "shape", y),
        ),
        "m.sum(axis=-1)",
    ),
]


@pytest.mark.parametrize(("body", "text"), REWRITES, ids=[text for _, text in REWRITES])
def test_rewrite(body, text):
    assert result_text(after(body)) == text


@pytest.mark.parametrize(("body", "text"), REWRITES, ids=[text for _, text in REWRITES])
def test_the_users_text_stays(body, text):
    fn = make(body, order=0, **PARAMS)
    before = result_text(fn)
    simplify.run(fn)
    assert result_text(fn) == before


KEPT: list[tuple[Callable[..., Any], str]] = [
    # infinite or NaN, otherwise
    (lambda b, x, y, m, s, f: b.call(np.sum, b.call(MUL, 0.0, x)), "np.sum((0.0 * x))"),
    (lambda b, x, y, m, s, f: b.call(np.sum, b.call(MUL, s, x)), "np.sum((s * x))"),
    (
        lambda b, x, y, m, s, f: b.call(np.sum, b.call(MUL, np.inf, x)),
        "np.sum((inf * x))",
    ),
    # in another dtype
    (
        lambda b, x, y, m, s, f: b.call(np.sum, b.call(MUL, 2.0, x), dtype=np.float32),
        "np.sum((2.0 * x), dtype=np.float32)",
    ),
    # of the same size, both
    (
        lambda b, x, y, m, s, f: b.call(
            MUL, 2.0, b.call(MUL, column(b, x), b.index(y, (None, Slice())))
        ),
        "2.0 * ((x[:, None]) * (y[None, :]))",
    ),
    (
        lambda b, x, y, m, s, f: b.call(NEG, b.call(ADD, b.call(MUL, m, m), b.call(np.sin, m))),
        "-((m * m) + (np.sin(m)))",
    ),
    (
        lambda b, x, y, m, s, f: b.call(ADD, b.call(MUL, 2.0, x), b.call(MUL, 3.0, y)),
        "(2.0 * x) + (3.0 * y)",
    ),
    # of another shape
    (
        lambda b, x, y, m, s, f: b.call(
            np.reshape, b.call(np.sum, m, axis=1, keepdims=True), (1, -1)
        ),
        "np.reshape((np.sum(m, axis=1, keepdims=True)), (1, -1))",
    ),
]


@pytest.mark.parametrize(("body", "text"), KEPT, ids=[text for _, text in KEPT])
def test_what_stays(body, text):
    assert result_text(after(body)) == text


def test_a_product_that_others_read_keeps_its_factor():
    def body(b, x, y, m, s, f):
        u = b.call(MUL, 2.0, x)
        return b.call(np.sum, u), b.call(np.sin, u)

    golden(
        after(body),
        """
        %0 = 2.0 * %x
        %1 = np.sum(%0)
        %2 = np.sin(%0)
        return %1, %2
        """,
    )


def test_numbers_of_numpy_that_are_constants():
    """A loop has carried them; they are folded as what they are, numbers of Python."""

    def body(b, x, y, m, s, f):
        one = b.const(1.0)
        one.type = b.call(np.float64, s).type
        return b.call(MUL, b.call(MUL, 100.0, one), x)

    golden(
        after(body),
        """
        %0 = 100.0 * %x
        return %0
        """,
    )


# --- writes -------------------------------------------------------------------------------------

START, FIRST = (Slice(start=True),), (Slice(stop=True),)  # x[1:], x[:1]


def written(*writes: tuple[str, float | str], zeros: bool = True) -> str:
    """The one write that is left of these, each a mode and a value, into x[1:]."""

    def body(b, x, y, m, s, f):
        d = b.call(np.zeros_like, x) if zeros else b.call(np.sin, x)
        named = {"x": x, "y": y, "-x": b.call(NEG, x), "2x": b.call(MUL, 2.0, x)}
        for mode, v in writes:
            part = b.index(named[v], START, [1]) if isinstance(v, str) else v
            d = b.update(d, b.value(part), START, [1], mode)
        return d

    fn = after(body)
    (update,) = [op for op in fn.block.ops if isinstance(op, core.Update)]
    fn.block.terminator.operands[:] = [update.operands[1]]
    return f"{update.mode} {result_text(fn)}"


@pytest.mark.parametrize(
    ("writes", "left"),
    [
        ([("+", "x")], "= x[1:]"),
        ([("+", 2.0)], "= 2.0"),
        ([("-", "x")], "- x[1:]"),
        ([("-", "-x")], "= x[1:]"),
        ([("-", "2x")], "= -2.0 * (x[1:])"),
        ([("+", "x"), ("+", "y")], "= (x[1:]) + (y[1:])"),
        ([("+", "x"), ("-", "y")], "= (x[1:]) - (y[1:])"),
        ([("-", "x"), ("-", "y")], "- (x[1:]) + (y[1:])"),
        ([("-", "x"), ("+", "y")], "= (y[1:]) - (x[1:])"),
        ([("=", "x"), ("+", "y")], "= (x[1:]) + (y[1:])"),
        ([("=", "x"), ("-", 1.0)], "= (x[1:]) - 1.0"),
    ],
    ids=str,
)
def test_writes_into_zeros(writes, left):
    assert written(*writes) == left


@pytest.mark.parametrize(
    ("writes", "left"),
    [
        ([("+", "x")], "+ x[1:]"),
        ([("+", "x"), ("+", "y")], "+ (x[1:]) + (y[1:])"),
        ([("-", "x"), ("+", "y")], "+ (y[1:]) - (x[1:])"),
    ],
    ids=str,
)
def test_writes_into_others(writes, left):
    assert written(*writes, zeros=False) == left


def test_writes_of_other_places_statements_and_dtypes_stay_apart():
    def body(b, x, y, m, s, f):
        d = b.call(np.sin, x)
        d = b.update(d, s, START, [1], "+")
        d = b.update(d, s, FIRST, [1], "+")
        other = b.at(loc(2))
        d = other.update(d, s, FIRST, [1], "+")
        narrow = b.index(f, FIRST, [1])
        return other.update(d, narrow, FIRST, [1], "+")

    assert sum(isinstance(op, core.Update) for op in after(body).block.ops) == 4


def test_zeros_that_others_read_are_added_to():
    def body(b, x, y, m, s, f):
        d = b.call(np.zeros_like, x)
        return d, b.update(d, s, ("value",), [0], "+")

    (update,) = [op for op in after(body).block.ops if isinstance(op, core.Update)]
    assert update.mode == "+"


def test_the_writes_of_the_user_stay():
    def body(b, x, y, m, s, f):
        d = b.call(np.zeros_like, x)
        return b.update(d, s, ("value",), [0], "+")

    fn = make(body, order=0, **PARAMS)
    simplify.run(fn)
    assert [op.mode for op in fn.block.ops if isinstance(op, core.Update)] == ["+"]
