"""Samples of elementwise functions: a domain for each, shapes for all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from tests.rules.harness import F, M, N, P, S, Sample, U, W

UNARY_SHAPES = [(), (3,), (2, 3), (0,), (1, 2, 1)]
BINARY_SHAPES = [
    ((), ()),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (2, 1)),
    ((2, 1), (1, 3)),
    ((), (2, 3)),
    ((4, 1, 3), (2, 1)),
    ((0, 3), (3,)),
]

UNARY: dict[Any, Any] = {
    np.negative: N,
    np.positive: N,
    np.conjugate: N,
    np.real: N,
    np.absolute: N,
    np.fabs: N,
    np.square: N,
    np.sqrt: P,
    np.cbrt: P,
    np.reciprocal: U,
    np.exp: N,
    np.exp2: N,
    np.expm1: N,
    np.log: P,
    np.log2: P,
    np.log10: P,
    np.log1p: P,
    np.sin: N,
    np.cos: N,
    np.tan: U,
    np.arcsin: U,
    np.arccos: U,
    np.arctan: N,
    np.sinh: N,
    np.cosh: N,
    np.tanh: N,
    np.arcsinh: N,
    np.arccosh: lambda *s: 1.2 + P(*s),
    np.arctanh: U,
    np.deg2rad: N,
    np.rad2deg: N,
    np.sinc: N,
    np.nan_to_num: N,
    np.modf: M,
    np.frexp: N,
    special.expit: N,
    special.log_expit: N,
    special.logit: F,
    special.exp2: N,
    special.exp10: N,
    special.expm1: N,
    special.log1p: P,
    special.cbrt: P,
    special.entr: P,
    special.expi: P,
    special.exp1: P,
    special.erf: N,
    special.erfc: N,
    special.erfcx: N,
    special.erfinv: U,
    special.erfcinv: F,
    special.dawsn: N,
    special.ndtr: N,
    special.log_ndtr: N,
    special.ndtri: F,
    special.gamma: P,
    special.gammaln: P,
    special.rgamma: P,
    special.digamma: P,
    special.j0: P,
    special.y0: P,
    special.i0: P,
    special.k0: P,
    special.j1: P,
    special.y1: P,
    special.i1: P,
    special.k1: P,
}

BINARY: dict[Any, Any] = {
    np.add: (N, N),
    np.subtract: (N, N),
    np.multiply: (N, N),
    np.divide: (N, U),
    np.remainder: (M, W),
    np.fmod: (M, W),
    np.hypot: (N, N),
    np.arctan2: (N, P),
    np.copysign: (N, U),
    np.heaviside: (U, N),
    np.power: (P, N),
    np.float_power: (P, N),
    np.logaddexp: (N, N),
    np.logaddexp2: (N, N),
    np.maximum: (N, N),
    np.minimum: (N, N),
    np.fmax: (N, N),
    np.fmin: (N, N),
    np.divmod: (M, W),
    special.xlogy: (P, P),
    special.xlog1py: (P, P),
    special.rel_entr: (P, P),
    special.kl_div: (P, P),
    special.beta: (P, P),
    special.betaln: (P, P),
}

SCALAR: dict[Any, Any] = {math.erf: N, math.erfc: N, math.log: P}

CASES: dict[Any, list[Sample]] = {
    **{
        fn: [S(0.7 if draw is not np.arccosh else 1.7)] + [S(draw(*s)) for s in UNARY_SHAPES]
        for fn, draw in UNARY.items()
    },
    **{
        fn: [S(0.7, 0.4)] + [S(a(*s), b(*t)) for s, t in BINARY_SHAPES]
        for fn, (a, b) in BINARY.items()
    },
    **{fn: [S(float(draw())) for _ in range(3)] for fn, draw in SCALAR.items()},
}

CASES[np.arccosh][0] = S(1.7)
CASES[math.log].append(S(1.3, 2.5))
CASES[np.power] += [
    S(N(3), 2),
    S(N(2, 3), 3),
    S(P(3), 0.5),
    S(U(3), -1),
    S(N(3), np.array([0, 1, 2])),
    S(2.0, N(3)),
    S(P(2, 1), N(3)),
    S(N(3), 0),
    S(P(3), 2.0),
    S(0.7, 2),
]
CASES[np.multiply].append(S(N(3), np.array([1, 2, 3])))  # a constant array as partial
CASES[np.ldexp] = [S(N(3), 2), S(N(2, 3), np.array([1, -1, 0])), S(0.7, 3), S(N(0), 1)]
for _bessel in (special.jv, special.yv, special.iv, special.kv):
    CASES[_bessel] = [S(1, P(3)), S(2, P(2, 3)), S(1, 0.7)]
CASES[special.polygamma] = [S(1, P(3)), S(2, P(2, 3)), S(1, 0.7)]
CASES[special.zeta] = [S(2, P(3)), S(3, P(2, 3)), S(2, 0.7)]
CASES[np.clip] = [
    S(N(3), -0.5, 0.5),
    S(N(2, 3), None, 0.2),
    S(N(2, 3), -0.1, None),
    S(N(3), a_min=-0.5, a_max=0.5),
    S(N(2, 3), -P(3), P(2, 1)),
    S(N(3), min=-0.2),
    S(N(3), max=0.3),
    S(0.7, 0.0, 0.5),
    S(N(0), 0.0, 1.0),
    S(N(4), a_min=-0.5, a_max=P(4)),
]
CASES[np.where] = [
    S(np.array([True, False, True]), N(3), N(3)),
    S(N(2, 3) > 0, N(3), N(2, 1)),
    S(N(3) > 0, N(3), 0.0),
    S(N(3) > 0, 1.0, N(2, 3)),
    S(True, N(3), N(3)),
    S(N(0) > 0, N(0), N(0)),
    S(N(2, 3) > 0, 0, N(2, 3)),
]
