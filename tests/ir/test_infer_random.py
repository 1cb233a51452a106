"""Random calls: the inferred type of a result is that of the real result."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adcompile.ir.core import Slice
from tests.ir.reality import Dynamic, World

DTYPES = [np.float64, np.float32, np.int64, np.int32, np.bool_, np.uint8, np.complex128]
FLOATS = [np.float64, np.float32]
UFUNCS = [np.add, np.multiply, np.true_divide, np.maximum, np.power, np.arctan2, np.less, np.hypot]
UNARY = [np.negative, np.exp, np.tanh, np.isnan, np.modf, np.frexp, np.abs, np.sign, np.floor]
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv]
OPERATORS += [operator.pow, operator.mod, operator.lt, operator.eq, operator.and_, divmod]
REDUCTIONS = [np.sum, np.mean, np.max, np.prod, np.any, np.std, np.median, np.ptp]
REDUCTIONS += [np.linalg.norm, np.add.reduce, np.count_nonzero, np.nansum]
RUNNING = [np.cumsum, np.sort, np.argsort, np.cumprod, np.add.accumulate, np.cumulative_sum]


def some(draw, options):
    return draw(st.sampled_from(options))


def shape(draw, low=0, high=3):
    return tuple(draw(st.lists(st.sampled_from([1, 2, 3, 3, 4, 5]), min_size=low, max_size=high)))


def of(draw, shape, dtypes=DTYPES):
    return np.ones(shape, some(draw, dtypes))


def near(draw, base):
    """A shape that mostly broadcasts with `base`."""
    cut = draw(st.integers(0, len(base)))
    return tuple([n if draw(st.booleans()) else 1 for n in base[cut:]])


def axis(draw, rank, none=True):
    options = list(range(-rank, rank)) + ([None] if none else [])
    return some(draw, options or [None])


def number(draw):
    x = some(draw, [0, 2, -1, 1.5, True, 0.5, 3])
    return Dynamic(x) if draw(st.booleans()) else x


def broadcasting(draw, w):
    base = shape(draw)
    x = of(draw, base)
    y = of(draw, near(draw, base)) if draw(st.booleans()) else number(draw)
    if draw(st.booleans()):
        x, y = y, x
    w.call(some(draw, UFUNCS + OPERATORS), x, y)


def unary(draw, w):
    w.call(some(draw, [*UNARY, abs, operator.neg]), of(draw, shape(draw)))


def three(draw, w):
    base = shape(draw)
    args = [of(draw, near(draw, base)) for _ in range(2)]
    fn = some(draw, [np.where, np.clip])
    first = of(draw, base, [np.bool_] if fn is np.where else DTYPES)
    w.call(fn, first, *(a if draw(st.booleans()) else number(draw) for a in args))


def reductions(draw, w):
    base = shape(draw)
    kwargs = {}
    if draw(st.booleans()):
        kwargs["axis"] = axis(draw, len(base))
    if len(base) > 1 and draw(st.booleans()):
        kwargs["axis"] = (0, -1)
    if draw(st.booleans()):
        kwargs["keepdims"] = draw(st.booleans())
    w.call(some(draw, REDUCTIONS), of(draw, base), **kwargs)


def running(draw, w):
    base = shape(draw, 1)
    w.call(some(draw, RUNNING), of(draw, base), axis=axis(draw, len(base)))
    w.call(some(draw, [np.argmax, np.argmin]), of(draw, base), axis(draw, len(base)))
    w.call(np.diff, of(draw, base), draw(st.integers(0, 3)), axis(draw, len(base), none=False))


def matmul(draw, w):
    k, m, n = (draw(st.integers(1, 4)) for _ in range(3))
    batch = shape(draw, 0, 2)
    a = of(draw, some(draw, [(k,), (m, k), (*batch, m, k)]))
    b = of(draw, some(draw, [(k,), (k, n), (*near(draw, batch), k, n)]))
    w.call(some(draw, [np.matmul, operator.matmul, np.dot]), a, b)
    w.call(np.inner, a, of(draw, some(draw, [(k,), (n, k)])))
    w.call(np.outer, a, b)
    w.call(np.kron, a, b)
    w.call(np.tensordot, a, of(draw, (k, n)), 1)
    w.call(np.tensordot, of(draw, (m, k, n)), of(draw, (n, m)), ([0, 2], [1, 0]))
    x, y = of(draw, (m, k), FLOATS), of(draw, (k, n), FLOATS)
    w.call(np.einsum, some(draw, ["ij,jk->ik", "ij,jk", "...j,jk->k...", "ij,jk->"]), x, y)
    w.call(np.einsum, some(draw, ["ii->i", "ii", "...ij->...ji", "i...->..."]), of(draw, (k, k)))


def reshape(draw, w):
    base = shape(draw, 1)
    x = of(draw, base)
    w.call(np.ravel, x)
    total = math.prod(base)
    first = some(draw, [n for n in range(1, total + 1) if total % n == 0])
    second = some(draw, [-1, total // first])
    w.call(np.reshape, x, (first, second))
    w.call(np.reshape, x, second, first)
    w.call(np.reshape, x, -1)
    w.call(np.reshape, x, Dynamic((first, total // first)))
    w.call(np.reshape, x, (Dynamic(first), -1))
    value = w.value(x)
    rows = w.b.size(value, 0)
    w.agree(
        w.b.call(np.reshape, value, w.b.tuple(rows, w.b.const(-1))).type, x.reshape(base[0], -1)
    )
    w.agree(w.b.call(np.reshape, w.b.call(np.ravel, value), rows, -1).type, x.reshape(base[0], -1))


def axes(draw, w):
    base = shape(draw, 1, 4)
    x, r = of(draw, base), len(base)
    i, j = axis(draw, r, none=False), axis(draw, r, none=False)
    order = draw(st.permutations(range(r)))
    w.call(np.transpose, x)
    w.call(np.transpose, x, tuple(order))
    w.call(np.swapaxes, x, i, j)
    w.call(np.moveaxis, x, i, j)
    w.call(np.moveaxis, x, tuple(order[:2]), (0, -1) if r > 1 else (0,))
    w.call(np.rollaxis, x, i, j)
    w.call(np.expand_dims, x, some(draw, [i, (0, 2), (-1,)]))
    w.call(np.flip, x, i)
    w.call(np.roll, x, 2, i)
    w.call(np.rot90, x, draw(st.integers(-2, 3)))
    w.call(np.squeeze, np.ones((1, *base, 1)), some(draw, [0, -1, (0, -1)]))
    w.call(some(draw, [np.atleast_1d, np.atleast_2d, np.atleast_3d]), x)
    w.call(np.broadcast_to, x, (3, *base))


def joining(draw, w):
    base = shape(draw, 1)
    i = axis(draw, len(base), none=False)
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        s = list(base)
        s[i] = some(draw, [1, 2, 3])
        parts.append(of(draw, tuple(s)))
    w.call(np.concatenate, parts, axis=i)
    w.call(np.concatenate, tuple(parts), axis=None)
    same = [of(draw, base) for _ in range(draw(st.integers(1, 3)))]
    w.call(np.stack, same, axis=axis(draw, len(base) + 1, none=False))
    w.call(some(draw, [np.vstack, np.hstack, np.dstack, np.column_stack, np.array]), same)
    w.call(some(draw, [np.vstack, np.hstack, np.concatenate, np.stack]), of(draw, (3, *base)))
    w.call(np.append, same[0], 1.5)
    w.call(np.meshgrid, of(draw, (3,)), of(draw, (2,)), of(draw, (1,)), sparse=draw(st.booleans()))
    w.call(np.array, [[1, 2.0], [number(draw), 3]])


def splitting(draw, w):
    base = shape(draw, 1)
    x, i = of(draw, base), axis(draw, len(base), none=False)
    w.call(np.split, x, draw(st.integers(1, 3)), i)
    w.call(np.array_split, x, draw(st.integers(1, 4)), i)
    w.call(np.split, x, draw(st.lists(st.integers(-3, 6), max_size=3)), axis=i)
    w.call(np.hsplit, x, 1)


def repeating(draw, w):
    base = shape(draw)
    x, n = of(draw, base), draw(st.integers(0, 3))
    w.call(np.repeat, x, some(draw, [n, Dynamic(n)]), axis(draw, len(base)))
    if base:
        w.call(np.repeat, x, np.array([n] * base[0]), 0)
    w.call(np.tile, x, some(draw, [n, (2, n), (Dynamic(n), 1, 1)]))
    w.call(np.pad, x, some(draw, [n, (1, n), ((n, 2),), [(i, n) for i in range(len(base))]]))


def elements(draw, w):
    base = shape(draw, 1)
    x, i = of(draw, base), axis(draw, len(base))
    w.call(np.take, x, np.zeros(shape(draw), int), i)
    w.call(np.take_along_axis, x, np.zeros((2,) * len(base), int), some(draw, [0, -1]))
    w.call(np.diag, x, draw(st.integers(-3, 3)))
    w.call(np.diagonal, x, draw(st.integers(-3, 3)))
    w.call(np.trace, x)
    w.call(some(draw, [np.tril, np.triu]), x)
    w.call(np.nonzero, x)
    w.call(np.where, x)
    w.call(np.unique, x, return_inverse=True, return_counts=True)
    w.call(np.searchsorted, np.arange(4), x)
    w.call(np.interp, x, np.arange(3.0), np.arange(3.0))
    w.call(np.shape, x)
    w.call(np.size, x, i)
    w.call(len, x)
    w.call(np.convolve, of(draw, (3,)), of(draw, (4,)), some(draw, ["full", "same", "valid"]))


def creation(draw, w):
    n, m = draw(st.integers(0, 4)), draw(st.integers(1, 4))
    x = of(draw, shape(draw))
    size = some(draw, [n, Dynamic(n), (n, m), (Dynamic(n), m), ()])
    w.call(some(draw, [np.zeros, np.ones]), size)
    w.call(np.zeros, size, dtype=some(draw, [np.float32, int, "f4", bool]))
    w.call(np.full, size, number(draw))
    w.call(some(draw, [np.zeros_like, np.ones_like, np.copy, np.asarray, np.array]), x)
    w.call(np.full_like, x, 2.5)
    w.call(np.eye, m, some(draw, [n, None]))
    a, b, c = (some(draw, [-2, 0, 3, 7]) for _ in range(3))
    w.call(np.arange, some(draw, [a, Dynamic(a), 2.5]))
    w.call(np.arange, some(draw, [a, Dynamic(a)]), some(draw, [b, Dynamic(b)]), c or 1)
    w.call(np.arange, 0.0, 1.0, 0.3)
    w.call(np.linspace, some(draw, [0, 1.0, x]), 1, some(draw, [n, Dynamic(n)]))
    w.call(np.astype, x, some(draw, [np.float32, np.float64, int]))


def linalg(draw, w):
    n, m = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    batch = shape(draw, 0, 1)
    a = np.broadcast_to(np.eye(n, dtype=some(draw, FLOATS + [int])) * 2, (*batch, n, n)).copy()
    for fn in (np.linalg.inv, np.linalg.cholesky, np.linalg.det, np.linalg.slogdet, np.linalg.eigh):
        w.call(fn, a)
    w.call(np.linalg.solve, a, of(draw, some(draw, [(n,), (n, m), (*batch, n, m)]), FLOATS))
    x = of(draw, (*batch, n, m), FLOATS)
    w.call(np.linalg.qr, x)
    w.call(np.linalg.svd, x, full_matrices=draw(st.booleans()))
    w.call(np.linalg.pinv, x)
    w.call(np.linalg.multi_dot, [of(draw, (n, m)), of(draw, (m, 2)), of(draw, (2,))])
    w.call(np.linalg.norm, x, some(draw, [None, 2, 1, "fro"]), some(draw, [None, -1, (-2, -1)]))


def numbers(draw, w):
    a, b = (some(draw, [0, 1, 2, -1, 0.5, True, 3.0]) for _ in range(2))
    args = [Dynamic(x) if draw(st.booleans()) else x for x in (a, b)]
    w.call(some(draw, [operator.add, operator.sub, operator.mul, operator.lt]), *args)
    w.call(some(draw, [math.sin, math.atanh, math.floor, abs, float, bool, round]), args[0])
    w.call(some(draw, [np.float32, np.sin, np.float64]), args[0])
    n = Dynamic(draw(st.integers(0, 4)))
    for fn, second in ((operator.add, -2), (operator.mul, 3), (operator.floordiv, 2)):
        value = w.value(n)
        rows = w.b.call(operator.add, value, 1)
        w.agree(w.b.call(fn, rows, second).type, fn(n.value + 1, second))
    x = np.ones((3, n.value))
    columns = w.b.size(w.value(x), 1)
    w.agree(w.b.call(operator.sub, columns, 1).type, n.value - 1)


ENTRY = st.one_of(
    st.integers(-1, 1),
    st.builds(slice, *(st.sampled_from([None, None, 0, 1, 2, -1, -2, 5]) for _ in range(2))),
    st.builds(slice, st.none(), st.none(), st.sampled_from([-1, 2, -2])),
    st.sampled_from([None, Ellipsis, Dynamic(0), slice(Dynamic(1), None), slice(None, Dynamic(2))]),
    st.sampled_from([[0, 1], np.zeros((2, 1), int), np.zeros(3, int), np.int64(0), True]),
)


def indexing(draw, w):
    base = shape(draw, 1, 4)
    x = of(draw, base)
    w.index(x, *draw(st.lists(ENTRY, max_size=4)))
    w.index(x, x > 0)
    w.index(x, ..., x.sum(axis=tuple(range(len(base) - 1))) > 0)


def slices(draw, w):
    """Slices of slices, and of what was padded and joined: equal sizes are equal in fact."""
    bound = st.sampled_from([None, 0, 1, 2, 3, -1, -2, -3])
    x = np.ones(draw(st.integers(0, 6)))
    v = w.value(x)
    for _ in range(4):
        match draw(st.integers(0, 3)):
            case 0:
                x = np.pad(x, (n := draw(st.integers(0, 2)), 1))
                v = w.b.call(np.pad, v, (n, 1))
            case 1:
                v = w.b.call(np.concatenate, w.b.tuple(v, cut(w, v, 1, None, None)))
                x = np.concatenate([x, x[1:]])
            case _:
                i, j, k = draw(bound), draw(bound), draw(st.sampled_from([None, None, 1, -1, 2]))
                x = x[i:j:k]
                v = cut(w, v, i, j, k)
        w.agree(v.type, x)


def cut(w, v, *bounds):
    given = [b for b in bounds if b is not None]
    return w.b.index(v, (Slice(*(b is not None for b in bounds)),), given)


FAMILIES = [broadcasting, unary, three, reductions, running, matmul, reshape, axes, joining]
FAMILIES += [splitting, repeating, elements, creation, linalg, numbers, indexing, slices]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_inferred_types_are_those_of_real_results(family, data):
    family(data.draw, World(choose=lambda options: data.draw(st.sampled_from(options))))
