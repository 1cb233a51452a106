"""What the interpreter says that each kind of op means."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

from adcompile.ir import core
from adcompile.ir.core import Block, GlobalRef, Slice
from adcompile.ir.interpreter import UNDEF, run
from adcompile.ir.types import BOOL, FLOAT, INT, NONE, Opaque, Seq, Tree
from tests.passes.programs import ADD, MATRIX, MUL, VECTOR, arm, for_, if_, make, while_

X = np.array([1.0, 2.0, 4.0])


# --- leaves -------------------------------------------------------------------------------------


def test_calls_take_keywords_and_ignore_how_they_were_written():
    def body(b, m):
        return b.member(np.sum, "sum()", m, axis=0), b.member(np.shape, "shape", m)

    m = np.arange(6.0).reshape(3, 2)
    total, shape = run(make(body, m=MATRIX), m)
    assert total.tolist() == [6.0, 9.0]
    assert shape == (3, 2)


def test_a_call_with_several_results():
    def body(b, x):
        return tuple(b.call_op(divmod, [x, 3], types=[INT, INT]).results)

    assert run(make(body, x=INT), 7) == (2, 1)


def test_globals_are_read_at_each_run():
    namespace = {"g": 1.0}
    ref = GlobalRef("g", lambda: namespace["g"], "g")
    fn = make(lambda b: b.add(core.Global, [], [FLOAT], source=ref).result)
    assert run(fn) == 1.0
    namespace["g"] = 2.0
    assert run(fn) == 2.0


@pytest.mark.parametrize(
    ("spec", "values", "expected"),
    [
        (("value",), [1], X[1]),
        ((Slice(True, True),), [1, -1], X[1:-1]),
        ((Slice(step=True),), [-1], X[::-1]),
        ((None, ...), [], X[None]),
        ((..., "value"), [0], X[..., 0]),
    ],
)
def test_index(spec, values, expected):
    got = run(make(lambda b, x: b.index(x, spec, values), x=VECTOR), X)
    np.testing.assert_array_equal(got, expected)
    assert np.shape(got) == np.shape(expected)


@pytest.mark.parametrize("mode", ["=", "+", "-", "*", "/", "//", "%", "**"])
def test_update_leaves_its_input_alone(mode):
    def body(b, x, s):
        return b.update(x, s, (Slice(True, False),), [1], mode)

    x = X.copy()
    expected = X.copy()
    names = {"=": "x[1:] = 2.0"}
    exec(names.get(mode, f"x[1:] {mode}= 2.0"), {"x": expected})
    np.testing.assert_array_equal(run(make(body, x=VECTOR, s=FLOAT), x, 2.0), expected)
    np.testing.assert_array_equal(x, X)


def test_update_adds_up_repeated_indices_only_where_it_says_so():
    def body(mode):
        return lambda b, x, s: b.update(x, s, ("value",), [np.array([0, 0])], mode)

    plain, at = (run(make(body(mode), x=VECTOR, s=FLOAT), X, 1.0) for mode in ("+", "add.at"))
    assert (plain[0], at[0]) == (2.0, 3.0)


class Layer(NamedTuple):
    w: object
    b: object


@dataclass(frozen=True)
class Frozen:
    w: object
    b: object

    def __post_init__(self) -> None:
        raise AssertionError("a container is filled, not initialised")


@pytest.mark.parametrize("node", [tuple, list, dict, Layer])
def test_containers(node):
    keys = {dict: ("w", "b"), Layer: ("w", "b")}.get(node, (0, 1))

    def body(b, x, s):
        tree = b.make(node, keys, [x, s])
        return tree, b.item(tree, keys[1])

    tree, item = run(make(body, x=VECTOR, s=FLOAT), X, 3.0)
    assert type(tree) is node
    assert item == 3.0
    assert (tree["w"] if node is dict else tree[0]) is X


def test_a_dataclass_is_made_without_its_init():
    def body(b, x, s):
        tree = b.make(Frozen, ("w", "b"), [x, s])
        return tree, b.item(tree, "b")

    tree, item = run(make(body, x=VECTOR, s=FLOAT), X, 3.0)
    assert (tree.w is X, tree.b, item) == (True, 3.0, 3.0)


def test_seqs_are_values():
    def body(b, x, s):
        one = b.new_seq(FLOAT, [s])
        two = b.append(one, b.const(5.0))
        rest, last = b.add(core.Pop, [two], [Seq(FLOAT), FLOAT]).results
        return one, two, rest, last, b.call(len, two), b.index(two, ("value",), [1])

    assert run(make(body, x=VECTOR, s=FLOAT), X, 3.0) == ([3.0], [3.0, 5.0], [3.0], 5.0, 2, 5.0)


def test_what_has_no_value_may_be_handed_on_but_not_used():
    def body(b, s):
        (r,) = if_(b, b.call(operator.gt, s, 0.0), lambda c: [s], lambda c: [c.undef(FLOAT)])
        (t,) = for_(b, 1, [r], lambda c, i, t: [t])
        return b.call(MUL, t, 2.0)

    fn = make(body, s=FLOAT)
    assert run(fn, 3.0) == 6.0
    with pytest.raises(UnboundLocalError, match="line 1"):
        run(fn, -3.0)
    assert run(make(lambda b: b.undef(FLOAT))) is UNDEF


# --- control flow -------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("bounds", [(0, 11, 3), (5, 0, -2), (3, 3, 1)])
def test_for_over_a_range(bounds, reverse):
    def body(b, x):
        seq = b.new_seq(INT)
        (r,) = for_(b, 1, [seq], lambda c, i, s: [c.append(s, i)], reverse=reverse)
        r.owner.operands[:3] = [b.const(k) for k in bounds]
        ops = b.block.ops
        ops.append(ops.pop(next(k for k, op in enumerate(ops) if op is r.owner)))
        return r

    expected = list(range(*bounds))
    assert run(make(body, x=VECTOR), X) == (expected[::-1] if reverse else expected)


def test_a_stopped_loop_keeps_what_its_last_iteration_carried():
    def body(b, n):
        return for_(
            b,
            n,
            [b.const(0)],
            lambda c, i, t: [c.call(ADD, t, i), c.call(operator.ge, i, 3)],
            stops=True,
        )[0]

    fn = make(body, n=INT)
    assert [run(fn, n) for n in (0, 3, 100)] == [0, 3, 6]


@pytest.mark.parametrize("reverse", [False, True])
def test_for_over_a_seq(reverse):
    def body(b, s):
        seq = b.append(b.new_seq(FLOAT, [s]), b.const(2.0))
        zero = b.const(0.0)
        step = lambda c, item, t: [c.call(ADD, c.call(MUL, t, 10.0), item)]
        return for_(b, seq, [zero], step, reverse=reverse)[0]

    assert run(make(body, s=FLOAT), 1.0) == (21.0 if reverse else 12.0)


def test_while():
    def body(b, s):
        return while_(
            b,
            [s, b.const(0)],
            lambda c, s, n: c.call(operator.gt, s, 1.0),
            lambda c, s, n: [c.call(MUL, s, 0.5), c.call(ADD, n, 1)],
        )[1]

    fn = make(body, s=FLOAT)
    assert [run(fn, s) for s in (0.5, 8.0)] == [0, 3]


def test_scope_enters_its_manager_and_leaves_it_on_errors():
    events = []

    class Manager:
        def __enter__(self):
            events.append("in")

        def __exit__(self, *error):
            events.append(error[0])

    def body(b, manager, s):
        inner = b.into(Block())
        inner.yield_(inner.call(operator.truediv, 1.0, s))
        return b.add(core.Scope, [manager], [FLOAT], body=inner.block).result

    fn = make(body, manager=Opaque(Manager), s=FLOAT)
    assert run(fn, Manager(), 2.0) == 0.5
    with pytest.raises(ZeroDivisionError):
        run(fn, Manager(), 0.0)
    assert events == ["in", None, "in", ZeroDivisionError]


def test_invoke_may_recur():
    unit = make(lambda b, n: n, n=INT)

    def body(b, n):
        def step(c):
            rest = c.add(core.Invoke, [c.call(operator.sub, n, 1)], [INT], callee=unit).result
            return [c.call(ADD, rest, n)]

        return if_(b, b.call(operator.gt, n, 0), step, lambda c: [n])[0]

    triangle = make(body, n=INT)
    for op in core.walk(triangle.block):
        if isinstance(op, core.Invoke):
            op.callee = triangle
    for n in (0, 4, 3000):  # deeper than Python's own stack
        assert run(triangle, n) == n * (n + 1) // 2


def test_who_observes_runs_each_leaf_and_is_told_the_iteration():
    def body(b, s):
        two = b.const(2.0)
        (r,) = for_(b, 3, [s], lambda c, i, t: [c.call(MUL, t, two)], reverse=True)
        return b.call(ADD, r, 1.0)

    seen = []

    def observe(leaf, op, values, env):
        (result,) = leaf(op, values)
        if not isinstance(op, core.Call):
            return (result,)
        seen.append((op.fn, values[0], [*env.trips.values()]))
        return (-result,)

    assert run(make(body, s=FLOAT), 1.0, observe=observe) == 7.0
    assert seen == [(MUL, 1.0, [2]), (MUL, -2.0, [1]), (MUL, 4.0, [0]), (ADD, -8.0, [])]


# --- effects ------------------------------------------------------------------------------------


def test_effects():
    def failing(b, c):
        b.add(core.Assert, [c, b.const("no")], [])
        return b.const(1)

    fn = make(failing, c=BOOL)
    assert run(fn, True) == 1
    with pytest.raises(AssertionError, match="no"):
        run(fn, False)

    def raising(b, c):
        error = b.call_op(ValueError, ["bad"], types=[Opaque(ValueError)]).result
        cause = b.call_op(KeyError, ["why"], types=[Opaque(KeyError)]).result
        stop = arm(b, lambda c: [c.add(core.Raise, [error, cause], []) and c.const(None)])
        b.if_(c, stop, arm(b, lambda c: [c.const(None)]), [NONE])
        return b.const(1)

    fn = make(raising, c=BOOL)
    assert run(fn, False) == 1
    with pytest.raises(ValueError, match="bad") as caught:
        run(fn, True)
    assert isinstance(caught.value.__cause__, KeyError)

    def writing(b, x, y):
        b.add(core.Write, [x, b.call(MUL, y, 2.0)], [x.type])
        return b.const(None)

    x = X.copy()
    run(make(writing, x=VECTOR, y=VECTOR), x, X)
    assert x.tolist() == [2.0, 4.0, 8.0]


def test_wrong_number_of_arguments():
    with pytest.raises(TypeError, match="takes 1 arguments"):
        run(make(lambda b, x: x, x=VECTOR))


def test_trees_of_parameters():
    pair = Tree(tuple, (0, 1), (VECTOR, FLOAT))
    fn = make(lambda b, p: tuple(b.unpack(p)), p=pair)
    assert run(fn, (X, 2.0)) == (X, 2.0)
