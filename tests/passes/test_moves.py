"""Passes that move ops: sinking, fusing, hoisting."""

from __future__ import annotations

import operator

import numpy as np

from adcompile.ir import core
from adcompile.ir.clone import clone_function
from adcompile.ir.printer import to_text
from adcompile.ir.types import BOOL, FLOAT, INT, NONE
from adcompile.passes import dce, fuse, hoist, sink
from tests.passes.programs import ADD, DIV, MUL, SUB, VECTOR, arm, for_, golden, if_, make, while_


def unchanged(p, fn: core.Function) -> None:
    before = to_text(fn)
    p.run(fn)
    assert to_text(fn) == before


# --- sink ---------------------------------------------------------------------------------------


def test_what_one_branch_needs_is_computed_there():
    def body(b, x, c):
        u = b.call(np.sin, x)
        v = b.call(MUL, u, 2.0)
        w = b.call(np.cos, x)
        t = b.call(np.tan, x)
        inner = lambda b: if_(b, c, lambda b: [b.call(ADD, v, w)], lambda b: [x])
        (r,) = if_(b, c, inner, lambda b: [b.call(MUL, w, w)])
        return b.call(ADD, r, t)

    fn = make(body, x=VECTOR, c=BOOL)
    sink.run(fn)
    golden(
        fn,
        """
        %0 = np.cos(%x)
        %1 = np.tan(%x)
        %2 = if %c {
          %3 = if %c {
            %4 = np.sin(%x)
            %5 = %4 * 2.0
            %6 = %5 + %0
            yield %6
          } else {
            yield %x
          }
          yield %3
        } else {
          %7 = %0 * %0
          yield %7
        }
        %8 = %2 + %1
        return %8
        """,
    )


def test_nothing_sinks_into_a_loop_and_the_users_lines_stay():
    def looping(b, x, c):
        u = b.call(np.sin, x)
        return for_(b, 3, [x], lambda b, i, t: [b.call(MUL, t, u)])[0]

    unchanged(sink, make(looping, x=VECTOR, c=BOOL))

    def user(b, x, c):
        u = b.call(np.sin, x)
        return if_(b, c, lambda b: [u], lambda b: [x])[0]

    unchanged(sink, make(user, order=0, x=VECTOR, c=BOOL))


def test_additions_of_what_may_be_zero_move_into_the_branches():
    """Each of them, in order; what else they read moves above the `if`."""

    def body(b, x, s, c, i):
        zero = b.const(0.0)
        p, q = if_(
            b, c, lambda b: [b.call(MUL, s, 2.0), b.call(MUL, s, 3.0)], lambda b: [zero, zero]
        )
        k = b.call(ADD, i, 1)
        d = b.update(x, p, ("value",), [k], "+")
        d = b.update(d, q, ("value",), [i], "-")
        return d

    fn = make(body, x=VECTOR, s=FLOAT, c=BOOL, i=INT)
    sink.run(fn)
    dce.run(fn)
    golden(
        fn,
        """
        %x_1 = if %c {
          %0 = %i + 1
          %1 = %s * 2.0
          %2 = %s * 3.0
          %x_2 = update %x[%0] += %1
          %x_3 = update %x_2[%i] -= %2
          yield %x_3
        } else {
          yield %x
        }
        return %x_1
        """,
    )


def test_dense_additions_too():
    def body(b, x, y, c):
        (r,) = if_(b, c, lambda b: [b.call(np.zeros_like, x)], lambda b: [b.call(np.sin, x)])
        (s,) = if_(b, c, lambda b: [b.call(np.zeros_like, x)], lambda b: [b.call(np.cos, x)])
        return b.call(SUB, b.call(ADD, r, y), s)

    fn = make(body, x=VECTOR, y=VECTOR, c=BOOL)
    sink.run(fn)
    dce.run(fn)
    golden(
        fn,
        """
        %0 = if %c {
          yield %y
        } else {
          %1 = np.sin(%x)
          %2 = %1 + %y
          yield %2
        }
        %3 = if %c {
          yield %0
        } else {
          %4 = np.cos(%x)
          %5 = %0 - %4
          yield %5
        }
        return %3
        """,
    )


def test_additions_that_must_stay():
    def two_readers(b, x, s, c):
        (r,) = if_(b, c, lambda b: [s], lambda b: [b.const(0.0)])
        return b.update(x, r, ("value",), [0], "+"), r

    def no_zero(b, x, s, c):
        (r,) = if_(b, c, lambda b: [s], lambda b: [b.const(1.0)])
        return b.update(x, r, ("value",), [0], "+")

    def overwriting(b, x, s, c):
        (r,) = if_(b, c, lambda b: [s], lambda b: [b.const(0.0)])
        return b.update(x, r, ("value",), [0])

    def zero_minus(b, x, s, c):
        (r,) = if_(b, c, lambda b: [s], lambda b: [b.const(0.0)])
        return b.call(SUB, r, s)

    def wider(b, x, s, c):
        (r,) = if_(b, c, lambda b: [b.call(np.zeros_like, x)], lambda b: [x])
        return b.call(ADD, s, r)

    def after_a_loop(b, x, s, c):
        (r,) = if_(b, c, lambda b: [s], lambda b: [b.const(0.0)])
        (t,) = for_(b, 3, [x], lambda b, i, t: [b.call(MUL, t, t)])
        return b.update(t, r, ("value",), [0], "+")

    for body in (two_readers, no_zero, overwriting, zero_minus, wider, after_a_loop):
        unchanged(sink, make(body, x=VECTOR, s=FLOAT, c=BOOL))


# --- fuse ---------------------------------------------------------------------------------------


def early_return(b, x, s):
    """What reverse mode makes of `if s > 0: return x * s` … `return sin(x)`."""
    c = b.call(operator.gt, s, 0.0)
    user = b.at(b.loc, 0)
    (y,) = if_(user, c, lambda b: [b.call(MUL, x, s)], lambda b: [b.call(np.sin, x)])
    d = b.call(MUL, s, 2.0)
    (d_x,) = if_(b, c, lambda b: [b.call(MUL, d, s)], lambda b: [b.call(MUL, d, s)])
    return y, d_x


def test_two_ifs_on_one_condition_are_one():
    fn = make(early_return, x=VECTOR, s=FLOAT)
    fuse.run(fn)
    golden(
        fn,
        """
        %0 = %s > 0.0
        %1 = %s * 2.0
        %2, %3 = if %0 {
          %4 = %x * %s
          %5 = %1 * %s
          yield %4, %5
        } else {
          %6 = np.sin(%x)
          %7 = %1 * %s
          yield %6, %7
        }
        return %2, %3
        """,
    )


def test_the_second_reads_results_of_the_first_branch_by_branch():
    def body(b, x, c):
        (u,) = if_(b, c, lambda b: [b.call(np.sin, x)], lambda b: [x])
        (v,) = if_(b, c, lambda b: [b.call(MUL, u, u)], lambda b: [u])
        inner = lambda b: if_(b, c, lambda b: [b.call(ADD, v, u)], lambda b: [v])
        (w,) = if_(b, c, inner, lambda b: [b.call(MUL, v, v)])
        return w

    fn = make(body, x=VECTOR, c=BOOL)
    fuse.run(fn)
    dce.run(fn)
    golden(
        fn,
        """
        %0 = if %c {
          %1 = np.sin(%x)
          %2 = %1 * %1
          %3 = if %c {
            %4 = %2 + %1
            yield %4
          } else {
            yield %2
          }
          yield %3
        } else {
          %5 = %x * %x
          yield %5
        }
        return %0
        """,
    )


def test_ifs_that_stay_apart():
    def needs_the_first(b, x, c):
        (u,) = if_(b, c, lambda b: [b.call(np.sin, x)], lambda b: [x])
        v = b.call(MUL, u, u)
        (w,) = if_(b, c, lambda b: [v], lambda b: [x])
        return w

    def other_condition(b, x, c):
        if_(b, c, lambda b: [x], lambda b: [x])
        return if_(b, b.call(operator.not_, c), lambda b: [x], lambda b: [x])[0]

    def effect(b):
        b.call_op(print, [], effect=True, types=[NONE])
        return []

    def effects_between(b, x, c):
        b.if_(c, arm(b, effect), arm(b, lambda b: []), [])
        effect(b)
        b.if_(c, arm(b, effect), arm(b, lambda b: []), [])
        return x

    def loop_between(b, x, c):
        if_(b, c, lambda b: [x], lambda b: [x])
        (t,) = for_(b, 3, [x], lambda b, i, t: [b.call(MUL, t, t)])
        return if_(b, c, lambda b: [t], lambda b: [x])[0]

    for body in (needs_the_first, other_condition, effects_between, loop_between):
        unchanged(fuse, make(body, x=VECTOR, c=BOOL))
    users = make(lambda b, x, s: early_return(b.at(b.loc, 0), x, s), order=0, x=VECTOR, s=FLOAT)
    unchanged(fuse, users)


def test_effects_keep_their_order():
    def effect(k):
        def make_it(b):
            b.call_op(print, [k], effect=True, types=[NONE])
            return []

        return make_it

    def body(b, x, c):
        effect(0)(b)
        for k in (1, 2, 3):
            b.if_(c, arm(b, effect(k)), arm(b, lambda b: []), [])
        effect(4)(b)
        return x

    fn = make(body, x=VECTOR, c=BOOL)
    fuse.run(fn)
    golden(
        fn,
        """
        %0 = print(0) {effect}
        if %c {
          %1 = print(1) {effect}
          %2 = print(2) {effect}
          %3 = print(3) {effect}
          yield
        } else {
          yield
        }
        %4 = print(4) {effect}
        return %x
        """,
    )


# --- hoist --------------------------------------------------------------------------------------


def test_arithmetic_moves_with_the_constants_and_shapes_that_it_reads():
    def body(b, x, s):
        def inner(b, j, t):
            u = b.call(MUL, b.call(MUL, s, b.call(np.size, x)), x)
            return [b.call(ADD, t, b.call(MUL, u, j))]

        return for_(b, 3, [x], lambda b, i, t: for_(b, 2, [t], inner), names=["t"])[0]

    fn = make(body, x=VECTOR, s=FLOAT)
    hoist.run(fn)
    golden(
        fn,
        """
        %0 = np.size(%x)
        %1 = %s * %0
        %2 = %1 * %x
        %t = for %i in range(0, 3, 1) carry (%t_1 = %x) {
          %t_2 = for %i_1 in range(0, 2, 1) carry (%t_3 = %t_1) {
            %3 = %2 * %i_1
            %4 = %t_3 + %3
            yield %4
          }
          yield %t_2
        }
        return %t
        """,
    )


def test_while_loops_too():
    def body(b, x, s, t):
        def step(b, w, s):
            return [b.call(MUL, w, b.call(np.sin, x)), b.call(MUL, s, 0.5)]

        return while_(b, [x, s], lambda b, w, s: b.call(operator.gt, s, b.call(ADD, t, 1.0)), step)[
            0
        ]

    fn = make(body, x=VECTOR, s=FLOAT, t=FLOAT)
    hoist.run(fn)
    golden(
        fn,
        """
        %0 = %t + 1.0
        %1 = np.sin(%x)
        %2, %3 = while carry (%x_1 = %x, %s_1 = %s) {
          %4 = %s_1 > %0
          yield %4
        } do (%x_2, %s_2) {
          %5 = %x_2 * %1
          %6 = %s_2 * 0.5
          yield %5, %6
        }
        return %2
        """,
    )


def test_what_stays_in_its_loop():
    def loops(make_it):
        return lambda b, x, s: for_(b, 3, [x], lambda b, i, t: [b.call(MUL, t, make_it(b, x, s))])[
            0
        ]

    stay = [
        lambda b, x, s: b.call(DIV, 1.0, s),  # may raise
        lambda b, x, s: b.call(operator.pow, s, 0.5),
        lambda b, x, s: b.index(x, ("value",), [7]),
        lambda b, x, s: b.call(np.size, x),  # costs nothing where it is
        lambda b, x, s: b.call(np.transpose, x),
        lambda b, x, s: b.call(np.zeros_like, x),
        lambda b, x, s: b.at(b.loc, 0).call(MUL, x, s),  # the user's
        lambda b, x, s: b.call_op(abs, [x], effect=True).result,
    ]
    for make_it in stay:
        unchanged(hoist, make(loops(make_it), x=VECTOR, s=FLOAT))


def test_a_value_of_another_loop_is_not_invariant():
    """While the saved values are not settled, a backward loop reads the forward loop's body."""
    inner = []

    def body(b, x, s):
        def forward(b, i, t):
            inner.append(b.call(np.sin, t))
            return [inner[0]]

        (t,) = for_(b, 3, [x], forward)
        return for_(b, 3, [t], lambda b, i, d: [b.call(MUL, d, d)], reverse=True)[0]

    fn = make(body, x=VECTOR, s=FLOAT)
    backward = [op for op in fn.block.ops if isinstance(op, core.For)][1]
    square = backward.body.ops[0]
    square.operands[:] = [inner[0], inner[0]]
    hoist.run(fn)
    assert square in backward.body.ops


def test_clones_are_moved_alike():
    fn = make(early_return, x=VECTOR, s=FLOAT)
    copy = clone_function(fn)
    for p in (sink, fuse, hoist):
        p.run(fn)
        p.run(copy)
    assert to_text(fn) == to_text(copy)
