"""Samples of elementwise functions: a domain for each, shapes for all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from adcompile.runtime import masked_product, masked_times, root
from tests.rules.harness import Example, F, M, N, P, S, U, W

UNARY: dict[Any, Any] = {
    **dict.fromkeys((np.negative, np.positive, np.conjugate, np.real, np.absolute, np.fabs), N),
    **dict.fromkeys((np.square, np.exp, np.exp2, np.expm1, np.sin, np.cos, np.arctan), N),
    **dict.fromkeys((np.sinh, np.cosh, np.tanh, np.arcsinh, np.deg2rad, np.rad2deg), N),
    **dict.fromkeys((np.sqrt, root, np.cbrt, np.log, np.log2, np.log10), P),
    np.log1p: P,
    **dict.fromkeys((np.reciprocal, np.tan, np.arcsin, np.arccos, np.arctanh), U),
    **dict.fromkeys((np.sinc, np.nan_to_num, np.frexp), N),
    np.arccosh: lambda *shape: 1.2 + P(*shape),
    np.modf: M,
    **dict.fromkeys((special.expit, special.log_expit, special.exp2, special.exp10), N),
    **dict.fromkeys((special.expm1, special.erf, special.erfc, special.erfcx, special.dawsn), N),
    **dict.fromkeys((special.ndtr, special.log_ndtr), N),
    **dict.fromkeys((special.logit, special.erfcinv, special.ndtri), F),
    special.erfinv: U,
    **dict.fromkeys((special.log1p, special.cbrt, special.entr, special.expi, special.exp1), P),
    **dict.fromkeys((special.gamma, special.gammaln, special.rgamma, special.digamma), P),
    **dict.fromkeys((special.j0, special.y0, special.i0, special.k0), P),
    **dict.fromkeys((special.j1, special.y1, special.i1, special.k1), P),
}

BINARY: dict[Any, tuple[Any, Any]] = {
    **dict.fromkeys((np.add, np.subtract, np.multiply, np.hypot), (N, N)),
    **dict.fromkeys((np.logaddexp, np.logaddexp2), (N, N)),
    **dict.fromkeys((np.maximum, np.minimum, np.fmax, np.fmin), (N, N)),
    **dict.fromkeys((np.remainder, np.fmod, np.divmod), (M, W)),
    **dict.fromkeys((np.power, np.float_power), (P, N)),
    np.divide: (N, U),
    np.arctan2: (N, P),
    np.copysign: (N, U),
    np.heaviside: (U, N),
    **dict.fromkeys((special.xlogy, special.xlog1py, special.rel_entr, special.kl_div), (P, P)),
    **dict.fromkeys((special.beta, special.betaln), (P, P)),
}

UNARY_SHAPES: list[tuple[int, ...]] = [(2, 3), (0,)]
BINARY_SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((0, 3), (3,)),
]
# For the long run.
MORE_UNARY_SHAPES: list[tuple[int, ...]] = [(), (3,), (1, 2, 1), (1,), (2, 0)]
MORE_BINARY_SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()),
    ((3,), (3,)),
    ((3,), (2, 1)),
    ((), (2, 3)),
    ((4, 1, 3), (2, 1)),
    ((1,), (1, 1)),
    ((0,), (1,)),
]


def number(draw: Any) -> float:
    return float(draw())


CASES: dict[Any, list[Example]] = {
    **{
        fn: [S(number(draw)), *[S(draw(*shape)) for shape in UNARY_SHAPES]]
        for fn, draw in UNARY.items()
    },
    **{
        fn: [
            S(number(a), number(b)),
            *[S(a(*s), b(*t)) for s, t in BINARY_SHAPES],
            S(number(a), b(3)),
            S(a(3), number(b)),
        ]
        for fn, (a, b) in BINARY.items()
    },
    math.erf: [S(0.7), S(-0.2)],
    math.erfc: [S(0.7), S(-0.2)],
    math.log: [S(0.7), S(1.3, 2.5), S(1.3, 2)],
    np.ldexp: [S(N(3), 2), S(N(2, 3), np.array([1, -1, 0])), S(0.7, 3), S(N(0), 1)],
    np.clip: [
        S(N(3), -0.5, 0.5),
        S(N(2, 3), None, 0.2),
        S(N(2, 3), -0.1, None),
        S(N(3), a_min=-0.5, a_max=0.5),
        S(N(2, 3), -P(3), P(2, 1)),
        S(N(3), min=-0.2),
        S(N(3), max=0.3),
        S(N(3), min=-P(3), max=P(1)),
        S(0.7, 0.0, 0.5),
        S(N(0), 0.0, 1.0),
        S(N(4), a_min=-0.5, a_max=P(4)),
        S(2 * N(4), -1, 1),
    ],
    np.where: [
        S(np.array([True, False, True]), N(3), N(3)),
        S(N(2, 3) > 0, N(3), N(2, 1)),
        S(N(3) > 0, N(3), 0.0),
        S(N(3) > 0, 1.0, N(2, 3)),
        S(True, N(3), N(3)),
        S(N(3) > 0, 0.7, 0.4),
        S(N(0) > 0, N(0), N(0)),
        S(N(2, 3) > 0, 0, N(2, 3)),
        S(N(2, 3) > 0, N(), N(2, 3)),
    ],
    masked_times: [
        S(N(3), N(3)),
        S(np.array([[0.0, 2.0, -1.0], [0.0, 0.5, 0.0]]), N(3)),
        S(N(3), N(2, 1)),
        S(0.7, N(2, 3)),
        S(0.4, -0.3),
        S(N(3), 0.7),
        S(N(), N()),
        S(N(0), N(0)),
    ],
    masked_product: [
        S(N(3), N(3)),
        S(np.array([[0.0, 2.0, -1.0], [0.0, 0.5, 0.0]]), N(3)),
        S(N(3), np.array([[0.0], [1.5]])),
        S(0.7, N(2, 3)),
        S(0.4, -0.3),
        S(N(3), 0.7),
        S(N(), N()),
        S(N(0), N(0)),
    ],
    **{
        fn: [S(1, P(3)), S(2, P(2, 3)), S(1, 0.7)]
        for fn in (special.jv, special.yv, special.iv, special.kv, special.polygamma)
    },
    special.zeta: [S(2, P(3)), S(3, P(2, 3)), S(2, 0.7)],
}
CASES[np.power] += [
    S(N(3), 2),
    S(N(2, 3), 3),
    S(P(3), 0.5, wrt=0),
    S(U(3), -1),
    S(N(3), np.array([0, 1, 2])),
    S(2.0, N(3), wrt=1),
    S(2, N(3)),
    S(N(3), 0),
    S(N(3), 1),
    S(P(3), 2.0),
    S(0.7, 2),
    S(0.7, -1),
]
CASES[np.multiply].append(S(N(3), np.array([1, 2, 3])))  # a constant array as partial
CASES[np.nan_to_num].append(S(N(3), nan=1.0, wrt=0))

MORE: dict[Any, list[Example]] = {
    **{fn: [S(draw(*shape)) for shape in MORE_UNARY_SHAPES] for fn, draw in UNARY.items()},
    **{fn: [S(a(*s), b(*t)) for s, t in MORE_BINARY_SHAPES] for fn, (a, b) in BINARY.items()},
}
