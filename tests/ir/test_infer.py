"""Result types, by example."""

from __future__ import annotations

import math
import operator
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
from scipy import special

from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Slice, Value
from adcompile.ir.infer import (
    NeedValue,
    index_kind,
    infer_call,
    infer_constant,
    infer_index,
    known,
)
from adcompile.ir.types import (
    BOOL,
    FLOAT,
    INT,
    UNDEFINED,
    Array,
    Dim,
    Opaque,
    Seq,
    Static,
    Tree,
    TypeClash,
    is_many,
)

B = Builder(Block())
N, M, K = (Dim.fresh(many=True) for _ in range(3))
ANY = Dim.fresh()


def array(*shape, dtype="f8"):
    return Value(Array(np.dtype(dtype), shape), "x")


def call(fn, *args, **kwargs):
    return B.call(fn, *args, **kwargs).type


def types(fn, *args, **kwargs):
    return [r.type for r in B.call_op(fn, args, kwargs).results]


def cut(x, *bounds):
    given = [b for b in bounds if b is not None]
    return B.index(x, (Slice(*(b is not None for b in bounds)),), given)


X = array(N, M)
X32 = array(N, M, dtype="f4")
V = array(N)


class Pair(NamedTuple):
    a: float
    b: tuple


# --- constants ----------------------------------------------------------------------------------


def test_numbers_are_scalars_and_ints_remember_themselves():
    assert infer_constant(2.0) == FLOAT
    assert infer_constant(True) == BOOL
    assert infer_constant(3) == INT
    assert infer_constant(3).size == 3


def test_numpy_scalars_are_arrays_of_rank_0():
    assert infer_constant(np.float32(2)) == Array(np.dtype("f4"), ())
    assert infer_constant(np.ones((2, 3), np.int8)) == Array(np.dtype("i1"), (2, 3))


def test_containers_are_trees_and_the_rest_is_static():
    assert infer_constant((0, 1.0)) == Tree(tuple, (0, 1), (INT, FLOAT))
    assert infer_constant({"a": [1]}) == Tree(dict, ("a",), (Tree(list, (0,), (INT,)),))
    assert infer_constant(Pair(1.0, (None, "s"))) == Tree(
        Pair, ("a", "b"), (FLOAT, Tree(tuple, (0, 1), (Static(None), Static("s"))))
    )
    for obj in (None, "text", np.float32, math.sin, slice(1, 2), Ellipsis, np.array(["a"])):
        assert infer_constant(obj) == Static(obj)


def test_known_sees_through_containers_and_sizes():
    assert known(B.tuple(B.const(1), B.tuple(B.const("a")))) == (1, ("a",))
    assert known(B.tuple(B.const(1), Value(INT)), None) is None
    assert known(B.call(np.shape, array(2, 3))) == (2, 3)
    assert known(Value(Static("sum"))) == "sum"


# --- dtypes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fn", "args", "dtype"),
    [
        (operator.mul, (X32, 2.0), "f4"),
        (operator.mul, (X32, Value(FLOAT)), "f4"),
        (operator.mul, (X32, np.float64(2)), "f8"),
        (operator.truediv, (array(N, dtype="i4"), 2), "f8"),
        (operator.add, (array(N, dtype="i4"), Value(INT)), "i4"),
        (operator.add, (array(N, dtype="?"), array(N, dtype="?")), "?"),
        (operator.lt, (X, 0), "?"),
        (np.tanh, (X32,), "f4"),
        (np.sin, (array(N, dtype="i8"),), "f8"),
        (np.sin, (Value(FLOAT),), "f8"),
        (np.sum, (array(N, dtype="i4"),), "i8"),
        (np.mean, (X32,), "f4"),
        (np.mean, (array(N, dtype="?"),), "f8"),
        (np.argmax, (X32,), "i8"),
        (np.float32, (Value(FLOAT),), "f4"),
        (np.abs, (array(N, dtype="c8"),), "f4"),
        (np.where, (array(N, dtype="?"), X32, 0.0), "f4"),
        (np.concatenate, ((X32, array(N, M, dtype="i4")),), "f8"),
        (np.array, ([np.float32(1), 2.0],), "f8"),
        (np.linalg.inv, (array(N, N, dtype="i8"),), "f8"),
        (np.arange, (Value(INT),), "i8"),
        (np.arange, (3, Value(FLOAT)), "f8"),
        (np.full, (3, 1), "i8"),
        (np.zeros_like, (X32,), "f4"),
    ],
)
def test_dtypes_are_numpys(fn, args, dtype):
    args = [
        B.make(type(a), range(len(a)), [B.value(i) for i in a]) if type(a) in (tuple, list) else a
        for a in args
    ]
    assert call(fn, *args).dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("fn", "args", "result"),
    [
        (operator.add, (INT, INT), INT),
        (operator.add, (BOOL, BOOL), INT),
        (operator.truediv, (INT, INT), FLOAT),
        (operator.pow, (INT, INT), INT),
        (operator.lt, (FLOAT, INT), BOOL),
        (operator.not_, (FLOAT,), BOOL),
        (math.sin, (INT,), FLOAT),
        (math.atanh, (FLOAT,), FLOAT),
        (math.floor, (FLOAT,), INT),
        (max, (INT, FLOAT), FLOAT),
        (abs, (FLOAT,), FLOAT),
        (round, (FLOAT,), INT),
        (float, (Array(np.dtype("f4"), ()),), FLOAT),
        (math.exp, (Array(np.dtype("f4"), ()),), FLOAT),
        (len, (Seq(FLOAT),), INT),
        (sum, (Seq(FLOAT),), FLOAT),
        (sum, (X.type,), Array(np.dtype("f8"), (M,))),
        (max, (V.type,), Array(np.dtype("f8"), ())),
        (np.ndarray.item, (Array(np.dtype("f4"), ()),), FLOAT),
        (operator.contains, (Tree(list, (0,), (INT,)), INT), BOOL),
    ],
)
def test_numbers_in_numbers_out(fn, args, result):
    assert call(fn, *map(Value, args)) == result


def test_a_negative_constant_exponent_gives_a_float():
    assert call(operator.pow, Value(INT), -1) == FLOAT
    with pytest.raises(TypeClash, match="negative integer powers"):
        call(operator.pow, array(N, dtype="i8"), -1)


def test_constants_outside_of_a_domain_are_no_type_error():
    assert call(operator.truediv, 1, 0) == FLOAT
    assert call(math.log, -1.0) == FLOAT


# --- sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [
        ((N, M), (M,), (N, M)),
        ((N, 1), (1, M), (N, M)),
        ((N, M), (K, 1), (N, M)),
        ((ANY,), (N,), (N,)),
        ((3,), (N,), (3,)),
        ((ANY,), (3,), (3,)),
        ((), (N,), (N,)),
    ],
)
def test_broadcasting(a, b, result):
    assert call(operator.add, array(*a), array(*b)).shape == result


def test_sizes_that_may_each_be_1_broadcast_to_one_size():
    other = Dim.fresh()
    one = call(operator.add, array(ANY), array(other)).shape
    assert one == call(operator.mul, array(other), array(ANY)).shape
    assert not is_many(one[0])


def test_known_sizes_clash():
    with pytest.raises(TypeClash, match=r"could not be broadcast together with shapes \(2, n\) "):
        call(operator.add, array(2, N), array(3, N))


def test_stencils_have_equal_sizes():
    inner, left, right = cut(V, 1, -1), cut(V, 2), cut(V, None, -2)
    assert inner.type == left.type == right.type == cut(cut(V, 1), 1).type
    assert cut(V, 1, -1).type != cut(V, 1).type
    assert cut(V, None, None, -1).type == cut(V).type == V.type
    assert cut(V, None, 3).type == cut(V, 0, 3).type
    assert cut(array(7), 1, -1, 2).type.shape == (3,)


def test_a_padded_slice_is_not_taken_for_the_whole():
    assert call(np.pad, cut(V, 1, -1), 1).shape != (N,)
    assert cut(B.call(np.pad, V, 1), 1, -1).type.shape == (N,)


def test_the_same_dynamic_bound_gives_the_same_size():
    i = Value(INT)
    assert cut(V, i).type == cut(V, i).type != cut(V, Value(INT)).type
    assert call(np.zeros, i) == call(np.ones, i)
    assert cut(V, None, B.size(V, 0)).type == V.type
    short = B.call(operator.sub, B.size(V, 0), 1)
    assert cut(V, None, short).type == cut(V, 1).type
    assert call(np.arange, short).shape == call(np.zeros, short).shape


def test_reshape_and_back():
    flat = B.call(np.ravel, X)
    assert call(np.reshape, flat, B.size(X, 0), -1).shape == (N, M)
    assert call(np.reshape, X, (-1,)) == flat.type
    assert call(np.reshape, B.call(np.reshape, array(N, 6), -1, 3), (-1, 6)).shape == (N, 6)
    assert call(np.reshape, array(4, 6), (3, -1)).shape == (3, 8)
    with pytest.raises(TypeClash, match=r"cannot reshape array of size 6 into shape \(4, -1\)"):
        call(np.reshape, array(6), (4, -1))


def test_concatenated_sizes_add_up():
    x, y = array(N, 2), array(K, 2)
    both = call(np.concatenate, B.tuple(x, y)).shape
    assert both == call(np.concatenate, B.tuple(y, x)).shape
    assert both[0] not in (N, K) and is_many(both[0])
    assert call(np.concatenate, B.tuple(x, x)).shape == call(np.repeat, x, 2, axis=0).shape


def test_what_is_known_to_be_many():
    assert is_many(call(np.ravel, X).shape[0])
    assert is_many(call(np.repeat, array(ANY), 2).shape[0])
    assert not is_many(cut(V, 1).type.shape[0])
    assert not is_many(call(np.append, V, 1.0).shape[0])  # V may be empty


def test_shape_and_len_hold_sizes():
    t = call(np.shape, X)
    assert t == Tree(tuple, (0, 1), (INT, INT)) and [i.size for i in t.items] == [N, M]
    assert call(len, X).size == N
    assert call(np.size, V).size == N
    assert call(np.zeros, B.call(np.shape, X)).shape == (N, M)
    tail = B.call(operator.add, B.tuple(B.size(X, 0)), B.tuple(B.const(1)))
    assert call(np.zeros, tail).shape == (N, 1)


@pytest.mark.parametrize(
    ("fn", "args", "kwargs", "shape"),
    [
        (np.sum, (X,), {"axis": 0}, (M,)),
        (np.sum, (X,), {"axis": -1, "keepdims": True}, (N, 1)),
        (np.mean, (X,), {}, ()),
        (np.max, (array(N, M, K),), {"axis": (0, 2)}, (M,)),
        (np.cumsum, (X,), {"axis": 1}, (N, M)),
        (operator.matmul, (X, array(M, K)), {}, (N, K)),
        (operator.matmul, (array(3, N, M), array(M)), {}, (3, N)),
        (np.dot, (array(3, N, M), array(2, M, K)), {}, (3, N, 2, K)),
        (np.einsum, ("bij,bjk->bik", array(3, N, M), array(3, M, K)), {}, (3, N, K)),
        (np.einsum, ("ji", X), {}, (M, N)),
        (np.einsum, ("...i->...", X), {}, (N,)),
        (np.tensordot, (X, array(M, K)), {"axes": 1}, (N, K)),
        (np.outer, (V, array(M)), {}, (N, M)),
        (np.transpose, (array(N, M, K), 2, 0, 1), {}, (K, N, M)),
        (np.transpose, (array(N, M, K), (2, 0, 1)), {}, (K, N, M)),
        (np.expand_dims, (X, (0, -1)), {}, (1, N, M, 1)),
        (np.squeeze, (array(1, N, 1),), {}, (N,)),
        (np.squeeze, (array(1, N, 1), 0), {}, (N, 1)),
        (np.moveaxis, (array(N, M, K), 0, -1), {}, (M, K, N)),
        (np.broadcast_to, (V, (3, 5)), {}, (3, 5)),
        (np.take, (X, array(4, dtype="i8")), {"axis": 1}, (N, 4)),
        (np.diag, (V,), {}, (N, N)),
        (np.trace, (array(N, N),), {}, ()),
        (np.eye, (3,), {}, (3, 3)),
        (np.arange, (0, 11, 3), {}, (4,)),
        (np.linspace, (0.0, 1.0), {}, (50,)),
        (np.linalg.solve, (array(N, N), array(N, K)), {}, (N, K)),
        (np.linalg.norm, (X,), {"axis": 1}, (N,)),
    ],
)
def test_shapes(fn, args, kwargs, shape):
    assert call(fn, *args, **kwargs).shape == shape


def test_functions_with_several_results():
    assert types(np.linalg.slogdet, array(N, N)) == [Array(np.dtype("f8"), ())] * 2
    assert types(divmod, Value(INT), 2) == [INT, INT]
    assert types(np.modf, X32) == [X32.type] * 2
    assert types(np.frexp, V)[1] == Array(np.dtype("i4"), (N,))
    assert types(np.split, array(6, N), 3) == [Array(np.dtype("f8"), (2, N))] * 3
    assert len(types(np.split, V, [1, 3])) == 3
    assert [t.shape for t in types(np.meshgrid, V, array(M))] == [(M, N)] * 2
    assert [t.shape for t in types(np.linalg.eigh, array(N, N))] == [(N,), (N, N)]
    assert len(types(np.nonzero, X)) == 2


def test_lists_of_unknown_length():
    seq = Value(Seq(V.type))
    length = call(len, seq).size
    assert call(np.stack, seq).shape == call(np.array, seq).shape == (length, N)
    assert infer_index(seq, ("value",), [Value(INT)]) == V.type
    assert infer_index(seq, (Slice(True),), [B.const(1)]) == seq.type


# --- indexing -----------------------------------------------------------------------------------

IDX = array(2, 3, dtype="i8")
MASK = array(N, dtype="?")


@pytest.mark.parametrize(
    ("spec", "values", "shape", "kind"),
    [
        (("value",), [0], (M, K), "basic"),
        (("value", Slice(), "value"), [0, -1], (M,), "basic"),
        ((None, Ellipsis, None), [], (1, N, M, K, 1), "basic"),
        ((Ellipsis, "value"), [Value(INT)], (N, M), "basic"),
        (("value",), [np.int64(1)], (M, K), "basic"),
        (("value",), [IDX], (2, 3, M, K), "advanced"),
        ((Slice(), "value"), [IDX], (N, 2, 3, K), "advanced"),
        (("value", Slice(), "value"), [0, IDX], (2, 3, M), "advanced"),
        ((Slice(), "value", "value"), [0, IDX], (N, 2, 3), "advanced"),
        (("value", "value"), [IDX, array(3, dtype="i8")], (2, 3, K), "advanced"),
    ],
)
def test_index_shapes(spec, values, shape, kind):
    x, operands = array(N, M, K), [B.value(v) for v in values]
    assert infer_index(x, spec, operands).shape == shape
    assert index_kind(x, spec, operands) == kind


def test_masks_select_equal_numbers():
    (n,) = infer_index(V, ("value",), [MASK]).shape
    assert infer_index(array(N, M), ("value",), [MASK]).shape == (n, M)
    assert types(np.nonzero, MASK)[0].shape == (n,)
    assert infer_index(X, ("value",), [array(N, M, dtype="?")]).rank == 1


def test_wrong_indices_are_refused():
    for spec, values, message in [
        (("value", "value", "value"), [0, 0, 0], "too many indices"),
        (("value",), [1.0], "only integers"),
        (("value",), ["a"], "only integers"),
        ((Ellipsis, Ellipsis), [], "single ellipsis"),
        ((Slice(False, False, True),), [0], "step cannot be zero"),
    ]:
        with pytest.raises(TypeClash, match=message):
            infer_index(X, spec, [B.value(v) for v in values])
    with pytest.raises(TypeClash, match="index 5 is out of bounds for axis 0 with size 3"):
        infer_index(array(3), ("value",), [B.const(5)])


# --- what cannot be told ------------------------------------------------------------------------


def test_a_value_that_decides_a_type_is_asked_for():
    axis = Value(INT, "axis")
    for fn, args, kwargs in [
        (np.sum, (X,), {"axis": axis}),
        (np.sum, (X,), {"keepdims": axis, "axis": 0}),
        (np.sum, (X,), {"axis": B.tuple(B.const(0), axis)}),
        (np.split, (V, axis), {}),
    ]:
        with pytest.raises(NeedValue) as e:
            call(fn, *args, **kwargs)
        assert e.value.operand is axis


def test_wrong_calls_are_refused_in_numpys_words():
    for fn, args, message in [
        (operator.add, (X, "a"), "ufunc 'add' did not contain a loop"),
        (np.sum, (X, 2), "axis 2 is out of bounds for array of dimension 2"),
        (operator.matmul, (X, 2.0), "scalar"),
        (operator.matmul, (array(2, 3), array(2, 3)), "size 3 meets one of size 2"),
        (math.sin, (V,), "only 0-dimensional arrays"),
        (operator.not_, (V,), "truth value of an array"),
        (operator.add, ("a", 1), "can only concatenate str"),
        (np.linalg.inv, (array(2, 3),), "must be square"),
        (np.tanh, (V, V), "takes 1 arguments but 2 were given"),
        (np.transpose, (X, (0, 0)), "duplicate value"),
        (np.sum, (X, 0, None, None, None, None, None, None), "too many positional arguments"),
        (operator.add, (X, Value(Opaque(object))), "object"),
    ]:
        with pytest.raises(TypeClash, match=message):
            call(fn, *args)


def test_unknown_functions_and_undefined_operands():
    assert infer_call(print, [X], {}) == Opaque(object)
    assert infer_call(np.random.normal, [], {}) == Opaque(object)
    assert infer_call(np.save, [B.const("f"), X], {}) == Opaque(object)
    assert infer_call(operator.add, [X, Value(UNDEFINED)], {}) == UNDEFINED


def test_scipy_special():
    assert call(special.expit, X32) == X32.type
    assert call(special.logsumexp, X, axis=1, keepdims=True).shape == (N, 1)
    assert call(special.softmax, X, axis=1) == X.type


def test_scipy_is_not_imported():
    code = "import sys, adcompile.ir.builder; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_sizes_of_long_programs():
    x, y = V, V
    for _ in range(2000):
        x = cut(x, None, None, 2)
        y = B.call(np.concatenate, B.tuple(y, cut(V, 1)))
    assert y.type == call(np.concatenate, B.tuple(V, B.call(np.repeat, cut(V, 1), 2000)))
    assert x.type.rank == 1


def test_texts_are_known_only_where_all_that_makes_them_is():
    assert call(operator.add, "a", "b") == Static("ab")
    assert call(operator.mod, "%g", Value(FLOAT)) == Opaque(str)
    assert call(operator.mod, "%g", array()) == Opaque(str)
