"""Shapes are asked of what lives anyway."""

from __future__ import annotations

import operator

import numpy as np

from adcompile.ir import core
from adcompile.ir.types import BOOL, FLOAT, Array, Dim
from adcompile.passes import dce, shapes
from tests.passes.programs import ADD, DIV, F32, F64, MATRIX, MUL, VECTOR, for_, golden, if_, make

OTHER = Array(F64, (Dim("q", many=True),))


def after(fn: core.Function, text: str) -> None:
    shapes.run(fn)
    dce.run(fn)
    golden(fn, text)


def named(v: core.Value, name: str) -> core.Value:
    v.name = name
    return v


def test_the_latest_live_value_of_the_user_is_asked():
    """Gallery 1: `c` is dead, `b` is not."""

    def body(b, a):
        user = b.at(b.loc, 0)
        u = named(user.call(ADD, a, 3), "b")
        c = named(user.call(MUL, user.call(MUL, u, u), 3), "c")
        d = b.call(DIV, 1.0, b.member(np.size, "size", c))
        return b.call(MUL, d, u)

    after(
        make(body, a=VECTOR),
        """
        %b = %a + 3
        %0 = %b.size
        %1 = 1.0 / %0
        %2 = %1 * %b
        return %2
        """,
    )


def test_a_live_named_value_answers_for_itself():
    def body(b, x, y):
        return b.call(np.zeros_like, x), b.member(np.size, "size", x), y

    after(
        make(body, x=VECTOR, y=VECTOR),
        """
        %0 = np.zeros_like(%x)
        %1 = %x.size
        return %0, %1, %y
        """,
    )


def test_the_dtype_matters_where_the_result_has_it():
    single = Array(F32, VECTOR.shape)

    def body(b, x, z):
        dead = b.call(np.sin, x)
        other = b.call(np.sin, z)
        return b.call(np.zeros_like, dead), b.call(np.size, other), b.call(np.full_like, other, 2.0)

    after(
        make(body, x=VECTOR, z=single),
        """
        %0 = np.zeros_like(%x)
        %1 = np.size(%z)
        %2 = np.full_like(%z, 2.0)
        return %0, %1, %2
        """,
    )


def test_sizes_are_gathered_where_no_value_has_the_whole_shape():
    def body(b, m, w):
        outer = b.call(np.outer, b.call(np.sum, m, axis=1), w)
        size = b.call(np.size, outer)
        shape = b.call(np.shape, outer)
        return size, shape, b.size(outer, 1), b.call(len, outer), b.call(np.ones_like, outer)

    after(
        make(body, m=MATRIX, w=OTHER),
        """
        %0 = %m.shape
        %1 = %0[0]
        %2 = %w.shape
        %3 = %2[0]
        %4 = %1 * %3
        %5 = %m.shape
        %6 = %5[0]
        %7 = %w.shape
        %8 = %7[0]
        %9 = tuple(%6, %8)
        %10 = %m.shape
        %11 = %10[0]
        %12 = %w.shape
        %13 = %12[0]
        %14 = tuple(%11, %13)
        %15 = %14[1]
        %16 = %m.shape
        %17 = %16[0]
        %18 = %m.shape
        %19 = %18[0]
        %20 = %w.shape
        %21 = %20[0]
        %22 = tuple(%19, %21)
        %23 = np.ones(%22)
        return %4, %9, %15, %17, %23
        """,
    )


def test_a_size_that_nothing_else_has_keeps_its_value():
    def body(b, x):
        positive = b.index(x, ("value",), [b.call(operator.gt, x, 0.0)])
        return b.call(np.size, positive)

    after(
        make(body, x=VECTOR),
        """
        %0 = %x > 0.0
        %1 = %x[%0]
        %2 = np.size(%1)
        return %2
        """,
    )


def test_only_values_in_scope_are_asked():
    def body(b, x, c):
        def then(b):
            u = named(b.at(b.loc, 0).call(np.sin, x), "u")
            return [b.call(MUL, u, b.call(np.size, b.call(np.cos, x)))]

        (r,) = if_(b, c, then, lambda b: [x])
        (t,) = for_(b, 3, [x], lambda b, i, t: [b.call(MUL, t, b.call(np.size, b.call(np.cos, t)))])
        return r, t, b.call(np.size, b.call(np.cos, x))

    after(
        make(body, x=VECTOR, c=BOOL),
        """
        %0 = if %c {
          %u = np.sin(%x)
          %1 = np.size(%u)
          %2 = %u * %1
          yield %2
        } else {
          yield %x
        }
        %x_1 = for %i in range(0, 3, 1) carry (%x_2 = %x) {
          %3 = np.size(%x)
          %4 = %x_2 * %3
          yield %4
        }
        %5 = np.size(%x)
        return %0, %x_1, %5
        """,
    )


def test_what_the_user_asks_stays():
    def body(b, x, s):
        return b.call(np.size, b.call(np.sin, x))

    after(
        make(body, order=0, x=VECTOR, s=FLOAT),
        """
        %0 = np.sin(%x)
        %1 = np.size(%0)
        return %1
        """,
    )


def test_a_value_that_one_path_leaves_undefined_is_not_asked():
    """`y` is there in one branch alone; the shape of `z` is, whichever was taken."""

    def body(b, flag, x):
        def short(inner):
            return inner.call(MUL, x, x), inner.undef(VECTOR)

        def long(inner):
            y = inner.call(ADD, x, 1.0)
            return inner.call(MUL, y, x), y

        z, y = if_(b.at(b.loc, 0), flag, short, long)
        named(y, "y")
        n = b.member(np.size, "size", z)
        (again,) = if_(b, flag, lambda i: (x,), lambda i: (y,))
        return n, again

    fn = make(body, flag=BOOL, x=VECTOR)
    shapes.run(fn)
    (query,) = [op for op in fn.block.ops if isinstance(op, core.Call) and op.fn is np.size]
    assert query.operands[0].name != "y"
