"""Common subexpressions: what is shared, and what is not."""

from __future__ import annotations

import operator

import numpy as np

from adcompile.ir import core
from adcompile.ir.core import GlobalRef
from adcompile.ir.types import BOOL, FLOAT, NONE, Opaque, Seq
from adcompile.passes import cse
from tests.passes.programs import ADD, MATRIX, MUL, VECTOR, for_, golden, if_, make


def after(fn: core.Function, text: str) -> None:
    cse.run(fn)
    golden(fn, text)


def test_equal_ops_are_one():
    def body(b, x, y, m):
        u = [b.call(MUL, x, y), b.call(MUL, y, x), b.call(np.multiply, x, y)]
        v = [b.index(x, ("value",), [k]) for k in (0, 0, 1)]
        w = [b.size(m, k) for k in (0, 1, 0)]
        t = [b.call(np.sum, m, axis=k) for k in (0, 0, 1)]
        return (*u, *v, *w, *t)

    after(
        make(body, x=VECTOR, y=VECTOR, m=MATRIX),
        """
        %0 = %x * %y
        %1 = %x[0]
        %2 = %x[1]
        %3 = %m.shape
        %4 = %3[0]
        %5 = %3[1]
        %6 = np.sum(%m, axis=0)
        %7 = np.sum(%m, axis=1)
        return %0, %0, %0, %1, %1, %2, %4, %5, %4, %6, %6, %7
        """,
    )


def test_constants_that_look_equal_are_not():
    def body(b, x):
        return tuple(b.call(ADD, x, c) for c in (1, 1.0, 1, 0.0, -0.0))

    after(
        make(body, x=FLOAT),
        """
        %0 = %x + 1
        %1 = %x + 1.0
        %2 = %x + 0.0
        %3 = %x + -0.0
        return %0, %1, %0, %2, %3
        """,
    )


def test_what_the_user_wrote_twice_stays_twice_and_may_be_used_again():
    def body(b, x, y):
        one, two = b.call(MUL, x, y), b.call(MUL, x, y)
        three = b.at(b.loc, 1).call(MUL, y, x)
        return one, two, three

    after(
        make(body, order=0, x=VECTOR, y=VECTOR),
        """
        %0 = %x * %y
        %1 = %x * %y
        return %0, %1, %0
        """,
    )


def test_buffers_effects_and_objects_are_not_shared():
    def body(b, x, s):
        out = [b.call(np.zeros_like, x) for _ in range(2)]
        out += [b.call(np.copy, x) for _ in range(2)]
        out += [b.update(x, s, ("value",), [0], "+") for _ in range(2)]
        out += [b.append(b.new_seq(VECTOR), x) for _ in range(2)]
        out += [b.make(list, (0,), [x]) for _ in range(2)]
        out += [b.call_op(print, [s], effect=True, types=[NONE]).result for _ in range(2)]
        out += [b.call_op(object, [], types=[Opaque(object)]).result for _ in range(2)]
        return tuple(out)

    fn = make(body, x=VECTOR, s=FLOAT)
    cse.run(fn)
    assert len(set(fn.returns)) == len(fn.returns) == 14


def test_containers_and_globals():
    def body(b, x, s):
        pair = [b.tuple(x, s) for _ in range(2)]
        parts = [b.unpack(p)[0] for p in pair]
        ref = GlobalRef("g", lambda: 1.0, key="g")
        values = [b.add(core.Global, [], [FLOAT], source=ref).result for _ in range(2)]
        return (*parts, *(b.item(p, 1) for p in pair), *values)

    after(
        make(body, x=VECTOR, s=FLOAT),
        """
        %0 = tuple(%x, %s)
        %1, %2 = unpack %0
        %3 = global g
        %4 = %0[1]
        return %1, %1, %4, %4, %3, %3
        """,
    )


def test_only_ops_before_it_in_its_own_and_outer_blocks_stand_for_an_op():
    def body(b, x, y, c):
        def one(b):
            return [b.call(ADD, x, y)]

        p, q = if_(b, c, one, one)[0], if_(b, c, one, one)[0]
        u = b.call(ADD, x, y)
        (r,) = for_(b, 3, [x], lambda b, i, t: [b.call(MUL, t, b.call(ADD, x, y))])
        return p, q, u, r

    after(
        make(body, x=VECTOR, y=VECTOR, c=BOOL),
        """
        %0 = if %c {
          %1 = %x + %y
          yield %1
        } else {
          %2 = %x + %y
          yield %2
        }
        %3 = if %c {
          %4 = %x + %y
          yield %4
        } else {
          %5 = %x + %y
          yield %5
        }
        %6 = %x + %y
        %x_1 = for %i in range(0, 3, 1) carry (%x_2 = %x) {
          %7 = %x_2 * %6
          yield %7
        }
        return %0, %3, %6, %x_1
        """,
    )


def test_lists_do_not_commute():
    def body(b, p, q):
        one, two = (b.call_op(ADD, pair, types=[Seq(FLOAT)]).result for pair in ((p, q), (q, p)))
        return one, two, b.call(operator.mul, b.call(len, one), b.call(len, two))

    fn = make(body, p=Seq(FLOAT), q=Seq(FLOAT))
    cse.run(fn)
    assert fn.returns[0] is not fn.returns[1]


def test_the_name_passes_on():
    def body(b, x, y):
        one, two = b.call(MUL, x, y), b.call(MUL, x, y)
        two.name = "d_x"
        return one, two

    after(
        make(body, x=VECTOR, y=VECTOR),
        """
        %d_x = %x * %y
        return %d_x, %d_x
        """,
    )


def test_what_differentiation_has_computed_before_a_line_of_the_users():
    """In forward mode it stands before; what the user named, or only looks at, stays."""

    def body(b, x, m):
        user = b.at(b.loc, 0)
        made = [b.call(MUL, x, x), b.call(np.sin, x), b.member(np.transpose, "T", m)]
        named = user.call(np.sin, x)
        named.name = "y"
        again = user.call(MUL, x, x), named, user.member(np.transpose, "T", m)
        return (*made, *again)

    after(
        make(body, x=VECTOR, m=MATRIX),
        """
        %0 = %x * %x
        %1 = np.sin(%x)
        %2 = %m.T
        %y = np.sin(%x)
        %3 = %m.T
        return %0, %1, %2, %0, %y, %2
        """,
    )
