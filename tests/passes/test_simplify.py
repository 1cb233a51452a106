"""Simplification: one line a rewrite, and what must not be rewritten."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adcompile.ir import core
from adcompile.ir.clone import clone_function
from adcompile.ir.types import BOOL, COMPLEX, FLOAT, INT, Array, Dim
from adcompile.passes import dce, simplify
from adcompile.passes.patterns import fitting
from tests.passes.programs import (
    ADD,
    ARGS,
    DIV,
    F32,
    MATRIX,
    MUL,
    NEG,
    SINGLE,
    SUB,
    VECTOR,
    assert_same,
    golden,
    if_,
    make,
    outcome,
    result_text,
)

POW = operator.pow
FIXED = Array(np.dtype(np.float64), (2, Dim("q", many=True), 1))
PARAMS = {
    "x": VECTOR,
    "y": VECTOR,
    "m": MATRIX,
    "s": FLOAT,
    "t": FLOAT,
    "i": INT,
    "c": BOOL,
    "f": SINGLE,
    "h": Array(F32, ()),
    "q": FIXED,
}
VALUES = (
    ARGS[VECTOR],
    np.array([1.0, 0.25, -0.5]),
    ARGS[MATRIX],
    3.0,
    -0.5,
    4,
    True,
    ARGS[SINGLE],
    np.float32(0.5),
    np.ones((2, 5, 1)),
)


class Args:
    """The parameters by name, with operators that make ops."""

    def __init__(self, b: Any, values: tuple[core.Value, ...]):
        self.b = b
        self.__dict__.update(zip(PARAMS, (Term(b, v) for v in values)))


class Term:
    """A value that can be computed with."""

    def __init__(self, b: Any, value: core.Value):
        self.b, self.value = b, value

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self(getattr(np, name), *args, **kwargs)

    def __call__(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Term:
        plain = [a.value if isinstance(a, Term) else a for a in args]
        return Term(self.b, self.b.call(fn, self.value, *plain, **kwargs))

    def __neg__(self) -> Term:
        return self(NEG)

    def _binary(fn: Any) -> Any:  # noqa: N805
        def forward(self: Term, other: Any) -> Term:
            return self(fn, other)

        def backward(self: Term, other: Any) -> Term:
            return Term(self.b, self.b.call(fn, other, self.value))

        return forward, backward

    __add__, __radd__ = _binary(ADD)
    __sub__, __rsub__ = _binary(SUB)
    __mul__, __rmul__ = _binary(MUL)
    __truediv__, __rtruediv__ = _binary(DIV)
    __pow__, __rpow__ = _binary(POW)
    __matmul__, _ = _binary(operator.matmul)


def named(t: Term, name: str) -> Term:
    t.value.name = name
    return t


def program(body: Callable[[Args], Term], order: int = 1) -> core.Function:
    def build(b: Any, *values: core.Value) -> core.Value:
        return body(Args(b, values)).value

    return make(build, order, **PARAMS)


REWRITES: list[tuple[Callable[[Any], Any], str]] = [
    # constants
    (lambda a: a.s * Term(a.b, a.b.call(SUB, 2, 1)), "s"),
    (lambda a: a.x * Term(a.b, a.b.call(DIV, 1.0, 4)), "0.25 * x"),
    # products
    (lambda a: a.x * 1, "x"),
    (lambda a: 1.0 * a.x, "x"),
    (lambda a: a.f * 1.0, "f"),
    (lambda a: a.i * 0, "0"),
    (lambda a: a.x * 3, "3 * x"),
    (lambda a: a.x * a.s, "s * x"),
    (lambda a: 2.0 * (3.0 * a.x), "6.0 * x"),
    (lambda a: 2 * (a.x * 3), "6.0 * x"),
    (lambda a: 2 * (a.i * 3), "6 * i"),
    (lambda a: 2.0 * (a.f * 3), "6.0 * f"),
    (lambda a: a.s * (a.t * a.x), "(s * t) * x"),
    (lambda a: a.s * (2.0 * a.x), "(2.0 * s) * x"),
    (lambda a: a.x * (2.0 * a.y), "2.0 * (x * y)"),
    (lambda a: (2.0 * a.x) * (3.0 * a.y), "6.0 * (x * y)"),
    (lambda a: (a.s * a.x) * a.y, "s * (x * y)"),
    (lambda a: a.x * (1 / a.y), "x / y"),
    (lambda a: (1.0 / a.s) * a.x, "x / s"),
    (lambda a: a.x * (2.0 / a.s), "(2.0 / s) * x"),
    (lambda a: 2.0 * (3.0 / a.x), "6.0 / x"),
    (lambda a: 2.0 * (a.x / 4.0), "0.5 * x"),
    (lambda a: a.s * (a.t / a.x), "(s * t) / x"),
    (lambda a: a.x * (2.0 / a.y), "2.0 * (x / y)"),
    (lambda a: a.x / 1, "x"),
    (lambda a: (3.0 * a.x) / 2, "1.5 * x"),
    (lambda a: a.x**1, "x"),
    (lambda a: a.x**2, "x * x"),
    (lambda a: 2 * a.x ** Term(a.b, a.b.call(SUB, 2, 1)), "2 * x"),
    (lambda a: a.s**0, "1.0"),
    (lambda a: a.i**0, "1"),
    # signs
    (lambda a: -(-a.x), "x"),
    (lambda a: (-a.x) * a.y, "-(x * y)"),
    (lambda a: a.x * -a.y, "-(x * y)"),
    (lambda a: -a.x * -a.y, "x * y"),
    (lambda a: a.s * -a.x, "(-s) * x"),
    (lambda a: -(a.s * a.x), "(-s) * x"),
    (lambda a: -(2.0 * a.x), "-2.0 * x"),
    (lambda a: -1 * a.x * 2, "-2 * x"),
    (lambda a: -(a.x - a.y), "y - x"),
    (lambda a: -a.x / a.y, "-(x / y)"),
    (lambda a: a.x / -a.y, "-(x / y)"),
    (lambda a: -(2.0 / a.x), "-2.0 / x"),
    # sums
    (lambda a: a.x + 0, "x"),
    (lambda a: 0.0 + a.x, "x"),
    (lambda a: a.x - 0, "x"),
    (lambda a: 0 - a.x, "-x"),
    (lambda a: a.x.zeros_like() + a.y, "y"),
    (lambda a: a.x + -a.y, "x - y"),
    (lambda a: -a.x + a.y, "y - x"),
    (lambda a: a.x - -a.y, "x + y"),
    (lambda a: a.x * a.y + -2.0 * a.x, "(x * y) - (2.0 * x)"),
    (lambda a: a.x - (-a.s) * a.y, "x + (s * y)"),
    (lambda a: a.y + (-a.x) @ a.x * a.y, "y - ((x @ x) * y)"),
    (lambda a: a.x * a.y + (-a.y) / a.x, "(x * y) - (y / x)"),
    (lambda a: (a.i + 1) - 1, "i"),
    (lambda a: (a.i - 1) - 2, "i - 3"),
    (lambda a: (a.i - 1) + 4, "i + 3"),
    (lambda a: a.x + a.x, "2.0 * x"),
    (lambda a: a.f + a.f, "2.0 * f"),
    (lambda a: a.i + a.i, "2 * i"),
    (lambda a: 2.0 * a.x + 3.0 * a.x, "5.0 * x"),
    (lambda a: -3 * a.x - a.x, "-4.0 * x"),
    (lambda a: a.x * a.y + a.y * a.x, "2.0 * (x * y)"),
    (lambda a: (a.s * 2) * a.x + (3 * a.s) * a.x, "(5.0 * s) * x"),
    (lambda a: (a.y + a.x) + a.x, "y + (2.0 * x)"),
    # truth
    (lambda a: a.c(operator.and_, True), "c"),
    (lambda a: a.c(operator.or_, False), "c"),
    (lambda a: a.c(operator.and_, False), "False"),
    (lambda a: a.c(operator.not_)(operator.not_), "c"),
    (lambda a: Term(a.b, a.b.call(np.where, True, a.x.value, a.y.value)), "x"),
    (lambda a: Term(a.b, a.b.call(np.where, (a.x).value, a.y.value, a.y.value)), "y"),
    (lambda a: a.x.where(a.x.where(a.y, a.x), 0), "np.where(x, y, 0)"),
    (lambda a: a.x.where(a.y, a.x.where(a.x, 0)), "np.where(x, y, 0)"),
    # layout
    (lambda a: a.m.transpose().transpose(), "m"),
    (lambda a: a.m.transpose((1, 0)).swapaxes(0, 1), "m"),
    (lambda a: a.q.transpose((1, 2, 0)).transpose((0, 2, 1)), "np.transpose(q, (1, 0, 2))"),
    (lambda a: a.q.moveaxis(0, 2).moveaxis(2, 0), "q"),
    (lambda a: a.q.moveaxis(0, 2).swapaxes(0, 1), "q.T"),
    (lambda a: a.x.transpose(), "x"),
    (lambda a: (a.m.transpose() @ (2.0 * a.m)).transpose(), "(2.0 * (m.T)) @ m"),
    (lambda a: ((2.0 * a.m) @ a.m.transpose()).transpose(), "m @ (2.0 * (m.T))"),
    (lambda a: (a.m.transpose() @ a.m.transpose((1, 0)).transpose()).transpose(), "(m.T) @ m"),
    (lambda a: (-a.m).sum(axis=0), "-(np.sum(m, axis=0))"),
    (lambda a: a.m.sum(axis=0, keepdims=True).reshape(-1), "np.sum(m, axis=0)"),
    (lambda a: a.m.reshape(a.m.shape()), "m"),
    (lambda a: a.x.broadcast_to(a.x.shape()), "x"),
    (lambda a: a.m.sum(axis=()), "m"),
    (lambda a: a.q.sum(axis=2, keepdims=True), "q"),
    (lambda a: a.x.real(), "x"),
    (lambda a: a.s(float), "s"),
    (lambda a: Term(a.b, a.b.size(a.q.value, 0)), "2"),
    (lambda a: Term(a.b, a.b.item(a.b.tuple(a.x.value, a.s.value), 1)), "s"),
    (lambda a: Term(a.b, a.b.unpack(a.b.tuple(a.x.value, a.s.value))[0]), "x"),
]


@pytest.mark.parametrize(("body", "text"), REWRITES, ids=[text for _, text in REWRITES])
def test_rewrite(body, text):
    fn = program(body)
    old = outcome(fn, *VALUES)
    simplify.run(fn)
    dce.run(fn)
    assert result_text(fn) == text
    assert_same(old, outcome(fn, *VALUES))


SPECIAL = np.array([np.inf, -np.inf, np.nan, 0.0, 1.0])


@pytest.mark.parametrize(("body", "text"), REWRITES, ids=[text for _, text in REWRITES])
@pytest.mark.parametrize("other", SPECIAL)
def test_infinities_and_nans_stay(body, text, other):
    old = program(body)
    new = clone_function(old)
    simplify.run(new)
    args = list(VALUES)
    args[0], args[1], args[7] = SPECIAL, np.full(5, other), SPECIAL.astype(np.float32)
    args[3] = float(other)
    before, after = outcome(old, *args), outcome(new, *args)
    if before is not ZeroDivisionError:
        np.testing.assert_array_equal(np.isnan(after), np.isnan(before))
        np.testing.assert_array_equal(np.abs(after), np.abs(before))  # zeros have either sign


KEPT: list[tuple[Callable[[Any], Any], str]] = [
    (lambda a: a.x * 0, "0 * x"),  # NaN and infinity
    (lambda a: a.s * 0, "0 * s"),
    (lambda a: a.x - a.x, "x - x"),
    (lambda a: 3 * a.x - a.x, "(3 * x) - x"),
    (lambda a: a.s * a.x + a.t * a.x, "(s * x) + (t * x)"),
    (lambda a: a.x / a.x, "x / x"),
    (lambda a: a.x**0, "x ** 0"),
    (lambda a: a.i / 1, "i / 1"),  # a float
    (lambda a: a.i * 1.0, "1.0 * i"),
    (lambda a: a.c * 1, "1 * c"),
    (lambda a: a.s / 3, "s / 3"),
    (lambda a: 1e200 * (1e200 * a.x), "1e+200 * (1e+200 * x)"),  # would be infinite
    (lambda a: 0.1 * (3 * a.x), "(0.1 * 3) * x"),  # 0.30000000000000004 is no better to read
    (lambda a: a.x * Term(a.b, a.b.call(DIV, 1, 3)), "x / 3"),
    (lambda a: a.m.transpose(), "np.transpose(m)"),
    (lambda a: a.m.sum(axis=0), "np.sum(m, axis=0)"),
    (lambda a: a.m.sum(axis=0, keepdims=True), "np.sum(m, axis=0, keepdims=True)"),
    (lambda a: a.f + a.x, "f + x"),
    (lambda a: a.x.zeros_like() + a.f, "(np.zeros_like(x)) + f"),  # the result is float64
    (lambda a: a.s + a.x.zeros_like(), "s + (np.zeros_like(x))"),  # the result is an array
    (lambda a: named(2.0 * a.s, "d_u") * a.x * 3, "(3 * (2.0 * s)) * x"),
    (lambda a: a.x * named(Term(a.b, a.b.const(2.0)), "k") * 3.0, "(3.0 * 2.0) * x"),
]


@pytest.mark.parametrize(("body", "text"), KEPT, ids=[text for _, text in KEPT])
def test_what_stays(body, text):
    fn = program(body)
    simplify.run(fn)
    dce.run(fn)
    assert result_text(fn) == text


@pytest.mark.parametrize(("body", "text"), REWRITES[:60], ids=[text for _, text in REWRITES[:60]])
def test_the_users_text_stays(body, text):
    fn = program(body, order=0)
    before = result_text(fn)
    simplify.run(fn)
    assert result_text(fn) == before


def test_float32_stays_float32():
    fn = program(lambda a: 2.0 * (a.h * (a.f * 3)) + a.h * a.f)
    old = outcome(fn, *VALUES)
    simplify.run(fn)
    dce.run(fn)
    assert result_text(fn) == "(7.0 * h) * f"
    assert_same(old, outcome(fn, *VALUES))


def test_a_value_that_others_read_is_not_taken_apart():
    def body(b, x, s):
        u = b.call(MUL, s, x)
        return b.call(MUL, s, u), b.call(np.sin, u)

    fn = make(body, x=VECTOR, s=FLOAT)
    simplify.run(fn)
    golden(
        fn,
        """
        %0 = %s * %x
        %1 = %s * %0
        %2 = np.sin(%0)
        return %1, %2
        """,
    )


def test_names_pass_on_to_what_takes_their_place():
    def body(b, x, s):
        d = b.call(ADD, b.call(MUL, s, x), b.call(MUL, s, x))
        d.name = "d_x"
        return d

    fn = make(body, x=VECTOR, s=FLOAT)
    simplify.run(fn)
    golden(
        fn,
        """
        %0 = 2.0 * %s
        %d_x = %0 * %x
        return %d_x
        """,
    )


def test_an_if_whose_condition_is_known_is_its_branch():
    def body(b, x, s):
        def inner(b):
            return if_(b, b.const(False), lambda b: [x], lambda b: [b.call(MUL, x, b.const(1))])

        (r,) = if_(b, b.const(True), inner, lambda b: [b.call(np.sin, x)])
        return b.call(ADD, r, s)

    fn = make(body, x=VECTOR, s=FLOAT)
    simplify.run(fn)
    dce.run(fn)
    golden(
        fn,
        """
        %0 = %x + %s
        return %0
        """,
    )


def test_a_rewrite_inside_blocks_sees_outer_ones():
    def body(b, x, c):
        u = b.call(MUL, x, 1.0)
        return if_(b, c, lambda b: [b.call(ADD, u, u)], lambda b: [u])[0]

    fn = make(body, x=VECTOR, c=BOOL)
    simplify.run(fn)
    dce.run(fn)
    golden(
        fn,
        """
        %0 = if %c {
          %1 = 2.0 * %x
          yield %1
        } else {
          yield %x
        }
        return %0
        """,
    )


def test_gallery_mean():
    """d_c * 3 * b + d_c * 3 * b, for the mean of b * b * 3."""

    def body(b, x, s):
        d = b.call(DIV, 1.0, b.member(np.size, "size", x))
        d.name = "d_c"
        d = b.call(MUL, d, 3)
        return b.call(ADD, b.call(MUL, d, x), b.call(MUL, d, x))

    fn = make(body, x=VECTOR, s=FLOAT)
    simplify.run(fn)
    golden(
        fn,
        """
        %0 = %x.size
        %d_c = 1.0 / %0
        %1 = 6.0 * %d_c
        %2 = %1 * %x
        return %2
        """,
    )


def test_running_twice_changes_nothing():
    fn = program(lambda a: 2.0 * (a.x * (3.0 * a.y)) + (-a.x) * a.y)
    simplify.run(fn)
    once = clone_function(fn)
    simplify.run(fn)
    assert result_text(once) == result_text(fn)


def test_complex_numbers_are_left_to_numpy():
    fn = make(lambda b, z: b.call(MUL, b.call(ADD, z, 0), 1), z=COMPLEX)
    simplify.run(fn)
    golden(fn, "return %z")


def test_a_second_run_looks_only_near_what_has_changed(monkeypatch):
    def body(b, x, y):
        v = y
        for _ in range(50):
            v = b.call(ADD, b.call(np.sin, b.call(MUL, x, v)), y)
        return v

    looked_at = []
    monkeypatch.setattr(simplify, "fitting", lambda op: looked_at.append(op) or fitting(op))
    fn = make(body, x=VECTOR, y=VECTOR)
    simplify.run(fn)
    assert len(looked_at) >= 150
    looked_at.clear()
    simplify.run(fn)
    assert looked_at == []
    product = next(op for op in fn.block.ops[60:] if isinstance(op, core.Call) and op.fn is MUL)
    one = make(lambda b: b.const(1.0)).block.ops[0]
    fn.block.ops.insert(0, one)
    product.operands[0] = one.result
    simplify.run(fn)
    assert 0 < len(looked_at) < 10
    assert product not in fn.block.ops
