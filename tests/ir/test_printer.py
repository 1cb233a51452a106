"""The text of the IR: one golden text with everything in it; how names and sizes come out."""

from __future__ import annotations

import operator
import textwrap
from typing import NamedTuple

import numpy as np

from adcompile.ir import core
from adcompile.ir.clone import clone_function
from adcompile.ir.core import Slice
from adcompile.ir.printer import constant_text, to_text
from adcompile.ir.types import FLOAT, INT, Array, Dim, Opaque
from tests.passes.programs import ADD, F64, MUL, VECTOR, for_, if_, loc, make, while_


class Pair(NamedTuple):
    first: object
    second: object


def golden(fn: core.Function, text: str) -> None:
    assert to_text(fn) == textwrap.dedent(text).lstrip("\n")


def everything(b, x, s):
    b = b.at(loc(2))
    y = b.call(operator.truediv, b.call(ADD, x, 1), 2.0)
    y.name = "y"
    b = b.at(loc(3))
    (t,) = for_(b, 3, [s], lambda c, i, t: [c.call(MUL, t, i)], reverse=True, names=["t"])
    saved = b.new_seq(VECTOR)
    saved.name = "saved"
    saved = b.append(saved, y, "for d_x")
    b = b.at(loc(5), 1)
    part = b.index(x, (Slice(True, True), None, ...), [1, -1])
    u = b.update(x, s, ("value",), [0], "+")
    u = b.update(u, s, ("value",), [0], "add.at")
    c = b.call(operator.not_, b.call(operator.gt, s, 0.5))
    (r,) = if_(b, c, lambda c: [c.member(np.sum, "sum()", x, axis=0)], lambda c: [c.const(0.0)])
    (w,) = while_(b, [s], lambda c, w: c.call(operator.lt, w, 1), lambda c, w: [c.call(MUL, w, 2)])
    pair = b.make(Pair, ("first", "second"), [u, w])
    manager = b.call_op(
        np.errstate, [], {"all": "ignore"}, types=[Opaque(np.errstate)], effect=True
    ).result
    inner = b.into(core.Block())
    inner.yield_(inner.member(np.transpose, "T", b.item(pair, "first")))
    (turned,) = b.add(core.Scope, [manager], [VECTOR], body=inner.block).results
    b.add(core.Assert, [c, b.const("no")], [])
    return b.make(dict, ("a", "b"), [turned, r]), t, part, saved


def test_everything():
    golden(
        make(everything, order=0, x=VECTOR, s=FLOAT),
        """
        func @f(%x: float64[n0], %s: float) {
          %0 = %x + 1 : float64[n0]  // line 2
          %y = %0 / 2.0 : float64[n0]
          %t = for %i in reversed(range(0, 3, 1)) carry (%t_1 = %s) : float {  // line 3
            %1 = %t_1 * %i : float
            yield %1
          }
          %saved = seq() : seq(float64[n0])
          %saved_1 = append %saved, %y {for d_x} : seq(float64[n0])
          %2 = %x[1:-1, None, ...] : float64[n1?, 1]  // line 5, order 1
          %x_1 = update %x[0] += %s : float64[n0]
          %x_2 = add.at %x_1[0] += %s : float64[n0]
          %3 = %s > 0.5 : bool
          %4 = not %3 : bool
          %5 = if %4 : float64[] {
            %6 = %x.sum(axis=0) : float64[]
            yield %6
          } else {
            yield 0.0
          }
          %7 = while carry (%s_1 = %s) : float {
            %8 = %s_1 < 1 : bool
            yield %8
          } do (%s_2) {
            %9 = %s_2 * 2 : float
            yield %9
          }
          %10 = Pair(first=%x_2, second=%7) : Pair(float64[n0], float)
          %11 = np.errstate(all='ignore') {effect} : errstate
          %12 = %10.first : float64[n0]
          %13 = scope %11 : float64[n0] {
            %14 = %12.T : float64[n0]
            yield %14
          }
          assert %4, 'no'
          %15 = dict('a': %13, 'b': %5) : dict(float64[n0], float64[])
          return %15, %t, %2, %saved_1  // line 1
        }
        """,
    )


def test_the_text_depends_on_the_function_alone():
    one, two = (make(everything, order=0, x=VECTOR, s=FLOAT) for _ in range(2))
    assert to_text(one) == to_text(two) == to_text(clone_function(one))


def test_equal_hints_are_numbered_and_never_clash():
    def body(b, h, h_1):
        u, v = b.call(MUL, h, 2), b.call(MUL, h_1, 3)
        u.name = v.name = "h"
        return u, v

    golden(
        make(body, order=0, h=INT, h_1=INT),
        """
        func @f(%h: int, %h_1: int) {
          %h_2 = %h * 2 : int  // line 1
          %h_3 = %h_1 * 3 : int
          return %h_2, %h_3
        }
        """,
    )


def test_sizes_are_numbered_by_appearance_and_maybe_one_is_marked():
    maybe, many = Dim.fresh(), Dim.fresh(many=True)
    golden(
        make(lambda b, x, y: x, x=Array(F64, (maybe, 3, many)), y=Array(F64, (many,))),
        """
        func @f(%x: float64[n0?, 3, n1], %y: float64[n1]) {
          return %x  // line 1, order 1
        }
        """,
    )


def test_a_constant_that_the_user_named_has_a_line():
    def body(b, x):
        k = b.const(2.5, "k")
        return b.call(MUL, x, k)

    golden(
        make(body, order=0, x=FLOAT),
        """
        func @f(%x: float) {
          %k = 2.5 : float  // line 1
          %0 = %x * %k : float
          return %0
        }
        """,
    )


def test_constants_have_no_addresses():
    objects = [None, True, -0.0, "a", (1,), (1, 2.0), np.dtype("f4"), np.sin, np.linalg.inv, len]
    objects += [np.float32, Pair, slice(1, None), np.zeros(3), object(), ...]
    assert [constant_text(c) for c in objects] == [
        "None",
        "True",
        "-0.0",
        "'a'",
        "(1,)",
        "(1, 2.0)",
        "dtype(float32)",
        "np.sin",
        "np.linalg.inv",
        "len",
        "np.float32",
        f"{__name__}.Pair",
        "slice(1, None, None)",
        "ndarray<float64[3]>",
        "<object>",
        "Ellipsis",
    ]
