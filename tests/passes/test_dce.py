"""Dead code elimination: golden texts before and after."""

from __future__ import annotations

import operator

import numpy as np

from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.types import BOOL, FLOAT, INT, NONE
from adcompile.passes import dce
from tests.passes.programs import ADD, MUL, VECTOR, arm, for_, golden, if_, make, while_


def after(fn: core.Function, text: str) -> None:
    dce.run(fn)
    golden(fn, text)


def effect(b, *args):
    return b.call_op(print, args, types=[NONE], effect=True)


def test_unread_ops_vanish_and_effects_stay():
    def body(b, x, s):
        b.call(np.sin, x)
        u = b.call(MUL, x, 2.0)
        b.unpack(b.tuple(u, s))
        effect(b, s)
        return s

    after(
        make(body, x=VECTOR, s=FLOAT),
        """
        %0 = print(%s) {effect}
        return %s
        """,
    )


def test_an_unpack_with_one_live_result_stays_whole():
    def body(b, x, s):
        return b.unpack(b.tuple(x, s))[1]

    after(
        make(body, x=VECTOR, s=FLOAT),
        """
        %0 = tuple(%x, %s)
        %1, %2 = unpack %0
        return %2
        """,
    )


def test_a_dead_loop_vanishes_though_it_may_stop():
    def body(b, x, s):
        for_(b, 3, [x], lambda c, i, t: [c.call(ADD, t, x), c.call(operator.gt, i, 1)], stops=True)
        while_(b, [s], lambda c, s: c.call(operator.gt, s, 1.0), lambda c, s: [c.call(MUL, s, 0.5)])
        return s

    after(make(body, x=VECTOR, s=FLOAT), "return %s")


def test_a_value_that_only_feeds_itself_is_not_carried():
    def body(b, x, s):
        def step(c, i, t, u, v):
            u = c.call(ADD, u, v)
            return [c.call(ADD, t, x), u, c.call(MUL, u, v)]

        return for_(b, 3, [x, s, s], step, names=["t", "u", "v"])[0]

    after(
        make(body, x=VECTOR, s=FLOAT),
        """
        %t = for %i in range(0, 3, 1) carry (%t_1 = %x) {
          %0 = %t_1 + %x
          yield %0
        }
        return %t
        """,
    )


def test_what_the_condition_and_the_stop_read_stays():
    def body(b, x, s):
        def step(c, i, t, u):
            u = c.call(MUL, u, 2.0)
            return [c.call(ADD, t, x), u, c.call(operator.gt, u, 9.0)]

        t, _ = for_(b, 3, [x, s], step, stops=True, names=["t", "u"])
        w, _ = while_(
            b,
            [x, s],
            lambda c, w, s: c.call(operator.gt, s, 1.0),
            lambda c, w, s: [c.call(MUL, w, 2.0), c.call(MUL, s, 0.5)],
        )
        return t, w

    after(
        make(body, x=VECTOR, s=FLOAT),
        """
        %t, %u = for %i in range(0, 3, 1) carry (%t_1 = %x, %u_1 = %s) stops {
          %0 = %u_1 * 2.0
          %1 = %t_1 + %x
          %2 = %0 > 9.0
          yield %1, %0, %2
        }
        %3, %4 = while carry (%x_1 = %x, %s_1 = %s) {
          %5 = %s_1 > 1.0
          yield %5
        } do (%x_2, %s_2) {
          %6 = %x_2 * 2.0
          %7 = %s_2 * 0.5
          yield %6, %7
        }
        return %t, %3
        """,
    )


def test_unchanged_values_are_not_carried():
    """In any way: handed on, set to the initial value again, or by way of another."""

    def body(b, x, s):
        def step(c, i, t, u, v, w):
            return [c.call(ADD, t, c.call(MUL, u, c.call(MUL, v, w))), u, x, v]

        return for_(b, 3, [x, s, x, x], step, names="tuvw")[:4]

    fn = make(lambda b, x, s: tuple(body(b, x, s)), x=VECTOR, s=FLOAT)
    after(
        fn,
        """
        %t = for %i in range(0, 3, 1) carry (%t_1 = %x) {
          %0 = %x * %x
          %1 = %s * %0
          %2 = %t_1 + %1
          yield %2
        }
        return %t, %s, %x, %x
        """,
    )


def test_unchanged_through_an_inner_loop_and_a_branch():
    def body(b, x, s, c):
        def step(b, i, t, u):
            (v,) = if_(b, c, lambda b: [u], lambda b: [u])
            (w,) = for_(b, 2, [v], lambda b, j, w: [w])
            return [b.call(ADD, t, w), w]

        return for_(b, 3, [x, s], step, names="tu")[0]

    after(
        make(body, x=VECTOR, s=FLOAT, c=BOOL),
        """
        %t = for %i in range(0, 3, 1) carry (%t_1 = %x) {
          %0 = %t_1 + %s
          yield %0
        }
        return %t
        """,
    )


def test_the_branch_that_raises_gives_no_value():
    def body(b, x, c):
        def stop(b):
            error = b.call_op(ValueError, ["no"], types=[NONE]).result
            b.add(core.Raise, [error], [])
            return [b.undef(VECTOR)]

        return if_(b, c, stop, lambda b: [x])[0]

    after(
        make(body, x=VECTOR, c=BOOL),
        """
        if %c {
          %0 = ValueError('no')
          raise %0
          yield
        } else {
          yield
        }
        return %x
        """,
    )


def test_a_branch_that_leaves_a_variable_unassigned_stays():
    def body(b, x, c):
        return if_(b, c, lambda b: [b.undef(VECTOR)], lambda b: [x])[0]

    after(
        make(body, x=VECTOR, c=BOOL),
        """
        %0 = if %c {
          yield undef
        } else {
          yield %x
        }
        return %0
        """,
    )


def test_unread_results_and_empty_branches():
    def body(b, x, c):
        r, _ = if_(b, c, lambda b: [b.call(MUL, x, 2.0), x], lambda b: [x, b.call(MUL, x, 3.0)])
        b.if_(c, arm(b, lambda b: []), arm(b, lambda b: []), [])
        if_(b, c, lambda b: [b.call(MUL, x, 2.0)], lambda b: [x])
        return r

    after(
        make(body, x=VECTOR, c=BOOL),
        """
        %0 = if %c {
          %1 = %x * 2.0
          yield %1
        } else {
          yield %x
        }
        return %0
        """,
    )


def test_a_tape_that_nobody_reads_vanishes():
    def body(b, x):
        tape = b.new_seq(VECTOR)
        tape.name = "saved"

        def step(c, i, t, saved):
            return [c.call(MUL, t, 2.0), c.append(saved, t)]

        return for_(b, 3, [x, tape], step)[0]

    after(
        make(body, x=VECTOR),
        """
        %x_1 = for %i in range(0, 3, 1) carry (%x_2 = %x) {
          %0 = %x_2 * 2.0
          yield %0
        }
        return %x_1
        """,
    )


def test_an_effect_keeps_what_encloses_it_but_no_values():
    def body(b, x, c, n):
        def step(b, i, t):
            b.if_(c, arm(b, lambda b: effect(b, i) and []), arm(b, lambda b: []), [])
            return [b.call(MUL, t, 2.0)]

        for_(b, n, [x], step)
        return x

    after(
        make(body, x=VECTOR, c=BOOL, n=INT),
        """
        for %i in range(0, %n, 1) {
          if %c {
            %0 = print(%i) {effect}
            yield
          } else {
            yield
          }
          yield
        }
        return %x
        """,
    )


def test_a_call_of_a_function_with_effects_stays():
    quiet = make(lambda b, x: b.call(MUL, x, 2.0), x=VECTOR)
    loud = make(lambda b, x: (effect(b, x), x)[1], x=VECTOR)

    def through(b, x):
        return b.add(core.Invoke, [x], [VECTOR], callee=loud).result

    outer = make(through, x=VECTOR)
    outer.name = "outer"

    def body(b, x):
        for callee in (quiet, outer):
            b.add(core.Invoke, [x], [VECTOR], callee=callee)
        return x

    after(
        make(body, x=VECTOR),
        """
        %0 = invoke @outer(%x)
        return %x
        """,
    )


def test_values_of_another_block_are_kept_for_it():
    """While the saved values are not settled, a backward loop reads the forward loop's body."""

    def body(b, x):
        inner = []

        def step(c, i, t):
            inner.append(c.call(np.tanh, t))
            return [c.call(MUL, inner[0], 2.0)]

        (t,) = for_(b, 3, [x], step)
        return for_(b, 3, [x], lambda c, i, d: [c.call(MUL, d, inner[0])], reverse=True)[0]

    block = core.Block([core.Value(VECTOR, "x")])
    b = Builder(block, core.NOWHERE, 1)
    b.return_(body(b, *block.params))
    fn = core.Function("f", block, [core.Param("x")])
    dce.run(fn)
    forward, backward = (op for op in block.ops if isinstance(op, core.For))
    assert [type(op) for op in forward.body.ops] == [core.Call, core.Const, core.Call, core.Yield]
    assert backward.body.ops[0].operands[1] is forward.body.ops[0].result
