"""scipy.special; this file is imported when a program that uses it is compiled."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from adcompile.rules.reductions import spread, total
from adcompile.rules.registry import alias, elementwise, tangent

# --- sigmoids -----------------------------------------------------------------------------------

elementwise(special.expit, lambda y, x: y * (1 - y))
elementwise(special.log_expit, lambda y, x: special.expit(-x))
elementwise(special.logit, lambda y, x: 1 / (x * (1 - x)))

# --- exponentials and logarithms ----------------------------------------------------------------

elementwise(special.exp10, lambda y, x: 2.302585092994046 * y)  # log 10
elementwise(special.xlogy, lambda z, x, y: (np.log(y), x / y))
elementwise(special.xlog1py, lambda z, x, y: (np.log1p(y), x / (1 + y)))
elementwise(special.entr, lambda y, x: -1 - np.log(x))
elementwise(special.rel_entr, lambda z, x, y: (np.log(x / y) + 1, -x / y))
elementwise(special.kl_div, lambda z, x, y: (np.log(x / y), 1 - x / y))
elementwise(special.expi, lambda y, x: np.exp(x) / x)
elementwise(special.exp1, lambda y, x: -np.exp(-x) / x)

# --- error function and normal distribution -----------------------------------------------------

elementwise(special.erfcx, lambda y, x: 2 * x * y - 1.1283791670955126)
elementwise(special.erfinv, lambda y, x: 0.886226925452758 * np.exp(y * y))  # sqrt(pi) / 2
elementwise(special.erfcinv, lambda y, x: -0.886226925452758 * np.exp(y * y))
elementwise(special.dawsn, lambda y, x: 1 - 2 * x * y)
elementwise(special.ndtr, lambda y, x: 0.3989422804014327 * np.exp(-0.5 * x * x))  # 1 / sqrt(2 pi)
elementwise(special.log_ndtr, lambda y, x: 0.3989422804014327 * np.exp(-0.5 * x * x - y))
elementwise(special.ndtri, lambda y, x: 2.5066282746310002 * np.exp(0.5 * y * y))  # sqrt(2 pi)

# --- gamma and beta -----------------------------------------------------------------------------

elementwise(special.gamma, lambda y, x: y * special.digamma(x))
elementwise(special.gammaln, lambda y, x: special.digamma(x))
elementwise(special.rgamma, lambda y, x: -y * special.digamma(x))
elementwise(special.digamma, lambda y, x: special.zeta(2, x))


elementwise(special.polygamma, lambda y, n, x: (NotImplemented, special.polygamma(n + 1, x)))
elementwise(special.zeta, lambda y, x, q: (NotImplemented, -x * special.zeta(x + 1, q)))
elementwise(
    special.beta,
    lambda z, a, b: (
        z * (special.digamma(a) - special.digamma(a + b)),
        z * (special.digamma(b) - special.digamma(a + b)),
    ),
)
elementwise(
    special.betaln,
    lambda z, a, b: (
        special.digamma(a) - special.digamma(a + b),
        special.digamma(b) - special.digamma(a + b),
    ),
)

# --- Bessel functions ---------------------------------------------------------------------------

elementwise(special.j0, lambda y, x: -special.j1(x))
elementwise(special.y0, lambda y, x: -special.y1(x))
elementwise(special.i0, lambda y, x: special.i1(x))
elementwise(special.k0, lambda y, x: -special.k1(x))
elementwise(special.j1, lambda y, x: 0.5 * (special.j0(x) - special.jv(2, x)))
elementwise(special.y1, lambda y, x: 0.5 * (special.y0(x) - special.yv(2, x)))
elementwise(special.i1, lambda y, x: 0.5 * (special.i0(x) + special.iv(2, x)))
elementwise(special.k1, lambda y, x: -0.5 * (special.k0(x) + special.kv(2, x)))


elementwise(special.jv, lambda y, v, z: (NotImplemented, half(special.jv, v, z, -1)))
elementwise(special.yv, lambda y, v, z: (NotImplemented, half(special.yv, v, z, -1)))
elementwise(special.iv, lambda y, v, z: (NotImplemented, half(special.iv, v, z, 1)))
elementwise(special.kv, lambda y, v, z: (NotImplemented, -half(special.kv, v, z, 1)))


def half(f, v, z, sign):
    """Half of the sum or difference of the functions of the orders next to `v`."""
    return 0.5 * (f(v - 1, z) + sign * f(v + 1, z))


# --- reductions ---------------------------------------------------------------------------------


@tangent(special.logsumexp)
def _(d_a, y, a, axis=None, b=None, keepdims=False):
    share = np.exp(a - spread(y, axis, keepdims))
    return total((share if b is None else b * share) * d_a, axis, keepdims)


@tangent(special.logsumexp, arg=2)
def _(d_b, y, a, axis=None, b=None, keepdims=False):
    return total(np.exp(a - spread(y, axis, keepdims)) * d_b, axis, keepdims)


@tangent(special.softmax)
def _(d_x, y, x, axis=None):
    t = y * d_x
    return t - y * total(t, axis, True)


@tangent(special.log_softmax)
def _(d_x, y, x, axis=None):
    return d_x - total(np.exp(y) * d_x, axis, True)


# --- of the same name elsewhere -----------------------------------------------------------------

alias(np.exp2, special.exp2)
alias(np.expm1, special.expm1)
alias(np.log1p, special.log1p)
alias(np.cbrt, special.cbrt)
alias(math.erf, special.erf)
alias(math.erfc, special.erfc)
