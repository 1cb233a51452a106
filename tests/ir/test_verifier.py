"""The verifier: each way of being malformed is found, with the op's location."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest

from adcompile.errors import InternalError
from adcompile.ir import core
from adcompile.ir.core import NOWHERE, Function, Value
from adcompile.ir.types import FLOAT, UNDEFINED, Seq, Tree
from adcompile.ir.verifier import verify
from tests.passes.programs import ADD, MATRIX, MUL, VECTOR, arm, for_, if_, loc, make, while_


def program() -> Function:
    def body(b, x, s):
        c = b.call(operator.gt, s, 0.5)
        (r,) = if_(b, c, lambda c: [c.call(MUL, x, 2.0)], lambda c: [x])
        (t,) = for_(b, 3, [r], lambda c, i, t: [c.call(ADD, t, x)])
        (w, _) = while_(
            b,
            [t, s],
            lambda c, w, s: c.call(operator.gt, s, 1.0),
            lambda c, w, s: [w, c.call(MUL, s, 0.5)],
        )
        pair = b.tuple(w, s)
        return (*b.unpack(pair), b.item(pair, 1), b.index(x, ("value",), [0]))

    return make(body, x=VECTOR, s=FLOAT)


def find(fn: Function, cls: type[core.Op]) -> core.Op:
    return next(op for op in core.walk(fn.block) if isinstance(op, cls))


def test_a_good_function_passes():
    verify(program())


# --- structure ----------------------------------------------------------------------------------


def defined_twice(fn):
    call = find(fn, core.Call)
    call.results.append(fn.block.params[0])


def op_twice(fn):
    fn.block.ops.insert(0, find(fn, core.Const))


def op_in_two_blocks(fn):
    find(fn, core.If).then.ops.insert(0, find(fn, core.Const))


def block_twice(fn):
    choice = find(fn, core.If)
    choice.orelse = choice.then


def used_before_definition(fn):
    ops = fn.block.ops
    ops.insert(0, ops.pop(-2))


def used_outside_its_scope(fn):
    fn.returns[0] = find(fn, core.If).then.yields[0]


def own_result_inside(fn):
    choice = find(fn, core.If)
    choice.then.yields[0] = choice.results[0]


def never_defined(fn):
    fn.returns[0] = Value(FLOAT)


def wrong_owner(fn):
    find(fn, core.For).result.owner = find(fn, core.If)


def wrong_owner_of_parameter(fn):
    find(fn, core.For).body.params[0].owner = None


def no_terminator(fn):
    find(fn, core.For).body.ops.pop()


def empty_block(fn):
    find(fn, core.For).body.ops.clear()


def terminator_in_the_middle(fn):
    fn.block.ops.insert(0, core.Yield([], [], loc(1)))


def return_in_a_nested_block(fn):
    body = find(fn, core.For).body
    body.ops[-1] = core.Return(body.ops[-1].operands, [], loc(1))


def no_location(fn):
    find(fn, core.Call).loc = NOWHERE


def parameter_count(fn):
    fn.params.pop()


# --- each kind of op ----------------------------------------------------------------------------


def if_yields_too_little(fn):
    find(fn, core.If).then.yields.pop()


def if_with_parameter(fn):
    branch = find(fn, core.If).then
    branch.params.append(Value(FLOAT, None, branch))


def if_types_clash(fn):
    find(fn, core.If).result.type = MATRIX


def for_bounds(fn):
    find(fn, core.For).operands[1] = fn.block.params[1]


def for_over_no_seq(fn):
    find(fn, core.For).over = "seq"


def for_missing_init(fn):
    find(fn, core.For).operands.pop()


def for_missing_parameter(fn):
    find(fn, core.For).body.params.pop()


def for_types_clash(fn):
    find(fn, core.For).operands[3] = find(fn, core.Const).result


def for_stop_flag(fn):
    loop = find(fn, core.For)
    loop.stops = True
    loop.body.yields.append(loop.body.params[1])


def while_condition(fn):
    find(fn, core.While).cond.yields.clear()


def while_parameters(fn):
    find(fn, core.While).cond.params.pop()


def make_count(fn):
    find(fn, core.Make).operands.pop()


def item_key(fn):
    find(fn, core.Item).key = 7


def unpack_count(fn):
    unpack = find(fn, core.Unpack)
    fn.returns.remove(unpack.results[1])
    unpack.results.pop()


def index_operands(fn):
    find(fn, core.Index).spec = ("value", "value")


BROKEN = [
    defined_twice,
    op_twice,
    op_in_two_blocks,
    block_twice,
    used_before_definition,
    used_outside_its_scope,
    own_result_inside,
    never_defined,
    wrong_owner,
    wrong_owner_of_parameter,
    no_terminator,
    empty_block,
    terminator_in_the_middle,
    return_in_a_nested_block,
    no_location,
    parameter_count,
    if_yields_too_little,
    if_with_parameter,
    if_types_clash,
    for_bounds,
    for_over_no_seq,
    for_missing_init,
    for_missing_parameter,
    for_types_clash,
    for_stop_flag,
    while_condition,
    while_parameters,
    make_count,
    item_key,
    unpack_count,
    index_operands,
]


@pytest.mark.parametrize("spoil", BROKEN, ids=lambda f: f.__name__)
def test_a_malformed_function_is_refused(spoil: Callable[[Function], None]):
    fn = program()
    spoil(fn)
    with pytest.raises(InternalError):
        verify(fn)


def test_undefined_agrees_with_everything():
    def body(b, x, s):
        (r,) = if_(b, b.call(operator.gt, s, 0.0), lambda c: [c.undef(VECTOR)], lambda c: [x])
        (t,) = for_(b, 2, [r], lambda c, i, t: [x])
        return t

    fn = make(body, x=VECTOR, s=FLOAT)
    for op in core.walk(fn.block):
        if isinstance(op, core.Undef):
            op.result.type = UNDEFINED
    verify(fn)


def test_numbers_join_along_a_loop():
    def body(b, x):
        total = b.const(0.0)
        (r,) = for_(b, 2, [total], lambda c, i, t: [c.call(ADD, t, c.index(x, ("value",), [i]))])
        return r

    fn = make(body, x=VECTOR)
    verify(fn)


def test_seqs():
    def body(b, x):
        saved = b.append(b.new_seq(VECTOR), x)
        (r,) = for_(b, saved, [x], lambda c, item, t: [c.call(ADD, t, item)])
        return r

    fn = make(body, x=VECTOR)
    find(fn, core.Append).operands[0].type = Seq(Tree(tuple, (0,), (VECTOR,)))
    with pytest.raises(InternalError, match="Append"):
        verify(fn)


def test_the_error_says_where():
    fn = program()
    find(fn, core.If).then.yields.pop()
    with pytest.raises(InternalError, match=r"program.py:1[\s\S]*yielded values"):
        verify(fn)


def test_invoke_agrees_with_its_callee():
    callee = make(lambda b, x: b.call(MUL, x, 2.0), x=VECTOR)

    def body(b, x):
        return b.add(core.Invoke, [x], [VECTOR], callee=callee).result

    fn = make(body, x=VECTOR)
    find(fn, core.Invoke).operands.append(fn.block.params[0])
    with pytest.raises(InternalError, match="operands"):
        verify(fn)


def test_deep_nesting_is_no_problem():
    def body(b, x, s):
        blocks = []
        for k in range(3000):
            c = b.call(operator.gt, s, float(k))
            blocks.append((b, c, arm(b, lambda c: [c.call(MUL, x, 2.0)])))
            b = b.into(core.Block())
        b.yield_(x)
        for outer, c, then in reversed(blocks):
            r = outer.if_(c, then, b.block, [VECTOR]).result
            if outer is not blocks[0][0]:
                outer.yield_(r)
            b = outer
        return r

    verify(make(body, x=VECTOR, s=FLOAT))
