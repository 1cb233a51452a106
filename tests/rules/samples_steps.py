"""Samples of functions without derivative: steps, questions, counts, and makers of arrays.

Those that take no floats stand beside one that is differentiated, in a program of their own.
"""

from __future__ import annotations

import builtins
import math
import operator
from typing import Any

import numpy as np

from adcompile import clip_gradient, stop_gradient
from tests.rules.harness import Example, M, N, P, S, U, W, distinct

UNARY = [
    *(np.floor, np.ceil, np.trunc, np.rint, np.fix, np.round, np.sign, np.signbit),
    *(np.imag, np.angle, np.isnan, np.isinf, np.isfinite, np.isneginf, np.isposinf),
    *(np.logical_not, np.zeros_like, np.ones_like),
]
BINARY = [
    *(np.less, np.less_equal, np.equal, np.not_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_xor, np.isclose),
]

CASES: dict[Any, list[Example]] = {
    clip_gradient: [S(N(3), -10.0, 10.0, wrt=0), S(0.7, None, None)],
    **{fn: [S(0.7), S(M(2, 3)), S(M(0))] for fn in UNARY},
    **{fn: [S(0.7, 0.4), S(N(2, 3), N(3)), S(0.4, N(3))] for fn in BINARY},
    np.floor_divide: [S(0.7, 0.4), S(M(2, 3), W(3)), S(M(3), 2), S(0.7, W(3)), S(M(0), W(0))],
    operator.not_: [S(0.7)],
    np.allclose: [S(N(3), N(3))],
    np.array_equal: [S(N(3), N(3))],
    np.iscomplexobj: [S(N(3)), S(0.7)],
    np.isrealobj: [S(N(3)), S(0.7)],
    np.shape: [S(N(2, 3))],
    np.size: [S(N(2, 3)), S(N(2, 3), 1)],
    np.ndim: [S(N(2, 3)), S(0.7)],
    len: [S(N(2, 3)), S([0.1, 0.2])],
    isinstance: [S(N(3), np.ndarray), S(0.7, float)],
    int: [S(1.7), S(-1.7)],
    bool: [S(0.7)],
    builtins.round: [S(1.3), S(1.234, 2)],
    operator.is_: [S(N(3), None)],
    operator.is_not: [S(N(3), None)],
    math.floor: [S(1.3)],
    math.ceil: [S(1.3)],
    math.trunc: [S(-1.3)],
    math.isnan: [S(1.3)],
    math.isinf: [S(1.3)],
    math.isfinite: [S(1.3)],
    math.isclose: [S(1.3, 1.4), S(1.3, 1.4, wrt=0, abs_tol=0.2)],
    **{
        fn: [S(distinct(4)), S(distinct(2, 3)), S(distinct(2, 3), axis=0), S(distinct(2, 3), -1)]
        for fn in (np.argmax, np.argmin, np.argsort, np.nanargmax, np.nanargmin)
    },
    **{
        fn: [S(N(4)), S(N(2, 3), axis=0), S(N(2, 3), axis=(0, 1), keepdims=True)]
        for fn in (np.count_nonzero, np.any, np.all)
    },
    builtins.any: [S(N(3)), S([0.1, 0.2])],
    builtins.all: [S(N(3)), S([0.1, 0.2])],
    np.searchsorted: [S(np.arange(4.0), U(3)), S(np.arange(4.0), 0.7, side="right")],
    np.nonzero: [S(N(2, 3))],
    np.flatnonzero: [S(N(2, 3))],
    np.argwhere: [S(N(2, 3))],
}

X, MASK = N(3), np.array([True, False, True])
I, J = np.array([1, 2, 5]), np.array([3, 1, 2])

# (program, arguments): gradients with respect to the first one.
PROGRAMS: dict[Any, tuple[Any, tuple[Any, ...]]] = {
    np.invert: (lambda x, i: np.sum(x * np.invert(i)), (X, I)),
    operator.invert: (lambda x, i: np.sum(x * ~i), (X, I)),
    operator.inv: (lambda x, i: np.sum(x * operator.inv(i)), (X, I)),
    np.bitwise_and: (lambda x, i, j: np.sum(x * np.bitwise_and(i, j)), (X, I, J)),
    operator.and_: (lambda x, i, j: np.sum(x * (i & j)), (X, I, J)),
    np.bitwise_or: (lambda x, i, j: np.sum(x * np.bitwise_or(i, j)), (X, I, J)),
    operator.or_: (lambda x, i, j: np.sum(x * (i | j)), (X, I, J)),
    np.bitwise_xor: (lambda x, i, j: np.sum(x * np.bitwise_xor(i, j)), (X, I, J)),
    operator.xor: (lambda x, i, j: np.sum(x * (i ^ j)), (X, I, J)),
    np.left_shift: (lambda x, i, j: np.sum(x * np.left_shift(i, j)), (X, I, J)),
    operator.lshift: (lambda x, i, j: np.sum(x * (i << j)), (X, I, J)),
    np.right_shift: (lambda x, i, j: np.sum(x * np.right_shift(i, j)), (X, I, J)),
    operator.rshift: (lambda x, i, j: np.sum(x * (i >> j)), (X, I, J)),
    np.gcd: (lambda x, i, j: np.sum(x * np.gcd(i, j)), (X, I, J)),
    np.lcm: (lambda x, i, j: np.sum(x * np.lcm(i, j)), (X, I, J)),
    operator.contains: (lambda x, k: x * 2 if operator.contains([1, 2, 3], k) else x, (0.7, 2)),
    range: (lambda x, n: sum([x**k for k in range(n)]), (0.7, 3)),
    math.gcd: (lambda x, n: x * math.gcd(n, 6), (0.7, 4)),
    math.lcm: (lambda x, n: x * math.lcm(n, 6), (0.7, 4)),
    math.comb: (lambda x, n: x * math.comb(n, 2), (0.7, 4)),
    math.factorial: (lambda x, n: x * math.factorial(n), (0.7, 4)),
    np.zeros: (lambda x: np.sum(np.zeros(3) + x * x), (X,)),
    np.ones: (lambda x: np.sum(np.ones((2, 3)) * x), (X,)),
    np.empty: (lambda x: np.sum(x * np.empty((2, 3)).shape[0]), (X,)),
    np.empty_like: (lambda x: np.sum(x * np.empty_like(x).size), (X,)),
    np.eye: (lambda x: np.sum(np.eye(3, 4, 1) * x[:, None]), (X,)),
    np.identity: (lambda x: np.sum(np.identity(3) @ x), (X,)),
    np.tri: (lambda x: np.sum(np.tri(3, 4) * x[:, None]), (X,)),
    np.indices: (lambda x: np.sum(np.indices((2, 3)) * x), (X,)),
    np.tril_indices: (lambda x: np.sum(x[np.tril_indices(3)] ** 2), (N(3, 3),)),
    np.triu_indices: (lambda x: np.sum(x[np.triu_indices(3, 1)] ** 2), (N(3, 3),)),
    np.diag_indices: (lambda x: np.sum(x[np.diag_indices(3)] ** 2), (N(3, 3),)),
    np.result_type: (lambda x: np.sum(x.astype(np.result_type(x.dtype, np.int8)) ** 2), (X,)),
    np.finfo: (lambda x: np.sum(x / (abs(x) + np.finfo(x.dtype).eps)), (P(3),)),
    np.iinfo: (lambda x: np.sum(x) / np.iinfo(np.int8).max, (X,)),
    np.dtype: (lambda x: np.sum(x.astype(np.dtype(float)) ** 2), (X,)),
    np.broadcast_shapes: (
        lambda x, y: np.sum(np.ones(np.broadcast_shapes(x.shape, y.shape)) * x),
        (X, N(2, 1)),
    ),
    stop_gradient: (lambda x: np.sum(x * stop_gradient(np.ones(3))), (X,)),
}
