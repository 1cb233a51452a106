"""Functions that work element by element, with their partial derivatives: NumPy's ufuncs and kin.

A partial takes the result first.
"""

from __future__ import annotations

import builtins
import math
import operator

import numpy as np

from adcompile.rules.registry import alias, elementwise, linear, tangent, zero
from adcompile.runtime import masked_product, masked_times, root

# --- one argument -------------------------------------------------------------------------------

elementwise(np.negative, lambda y, x: -1)
elementwise(np.positive, lambda y, x: 1)
elementwise(np.conjugate, lambda y, x: 1)
elementwise(np.real, lambda y, x: 1)
elementwise(np.absolute, lambda y, x: np.sign(x))  # 0 at 0
elementwise(np.square, lambda y, x: 2 * x)
elementwise(np.sqrt, lambda y, x: 0.5 / y)  # inf at 0
elementwise(root, lambda y, x: 0.5 / np.where(y != 0, y, np.inf))  # 0 at 0
elementwise(np.cbrt, lambda y, x: 1 / (3 * y * y))  # inf at 0
elementwise(np.reciprocal, lambda y, x: -y * y)

elementwise(np.exp, lambda y, x: y)
elementwise(np.exp2, lambda y, x: 0.6931471805599453 * y)  # log 2
elementwise(np.expm1, lambda y, x: y + 1)
elementwise(np.log, lambda y, x: 1 / x)
elementwise(np.log2, lambda y, x: 1.4426950408889634 / x)  # 1 / log 2
elementwise(np.log10, lambda y, x: 0.4342944819032518 / x)  # 1 / log 10
elementwise(np.log1p, lambda y, x: 1 / (1 + x))
elementwise(math.erf, lambda y, x: 1.1283791670955126 * np.exp(-x * x))  # 2 / sqrt(pi)
elementwise(math.erfc, lambda y, x: -1.1283791670955126 * np.exp(-x * x))


@elementwise(math.log)
def _(y, x, base=None):
    return (1 / x, None) if base is None else (1 / (x * np.log(base)), -y / (base * np.log(base)))


elementwise(np.sin, lambda y, x: np.cos(x))
elementwise(np.cos, lambda y, x: -np.sin(x))
elementwise(np.tan, lambda y, x: 1 + y * y)
elementwise(np.arcsin, lambda y, x: 1 / np.sqrt(1 - x * x))
elementwise(np.arccos, lambda y, x: -1 / np.sqrt(1 - x * x))
elementwise(np.arctan, lambda y, x: 1 / (1 + x * x))
elementwise(np.sinh, lambda y, x: np.cosh(x))
elementwise(np.cosh, lambda y, x: np.sinh(x))
elementwise(np.tanh, lambda y, x: 1 - y * y)
elementwise(np.arcsinh, lambda y, x: 1 / np.sqrt(x * x + 1))
elementwise(np.arccosh, lambda y, x: 1 / np.sqrt(x * x - 1))
elementwise(np.arctanh, lambda y, x: 1 / (1 - x * x))
elementwise(np.deg2rad, lambda y, x: 0.017453292519943295)  # pi / 180
elementwise(np.rad2deg, lambda y, x: 57.29577951308232)


@elementwise(np.sinc)
def _(y, x):
    """By its series near 0, where the quotient cancels."""
    t = 9.869604401089358 * x * x  # (pi x) ** 2
    series = 9.869604401089358 * x * (t / 30 - 1 / 3 - t * t / 840)
    return np.where(abs(x) < 0.01, series, (np.cos(3.141592653589793 * x) - y) / (x + (x == 0)))


@tangent(np.nan_to_num)
def _(d_x, y, x, copy=True, nan=0.0, posinf=None, neginf=None):
    return np.where(np.isfinite(x), d_x, 0)


# --- two arguments ------------------------------------------------------------------------------

elementwise(np.add, lambda z, x, y: (1, 1))
elementwise(np.subtract, lambda z, x, y: (1, -1))
elementwise(np.multiply, lambda z, x, y: (y, x))
elementwise(np.divide, lambda z, x, y: (1 / y, -z / y))
elementwise(np.remainder, lambda z, x, y: (1, -(x // y)))
elementwise(np.fmod, lambda z, x, y: (1, -np.trunc(x / y)))
elementwise(np.hypot, lambda z, x, y: (x / (z + (z == 0)), y / (z + (z == 0))))  # 0 at the origin
elementwise(np.arctan2, lambda z, y, x: (x / (x * x + y * y), -y / (x * x + y * y)))
elementwise(np.copysign, lambda z, x, s: (np.sign(x) * np.sign(z), None))
elementwise(np.heaviside, lambda z, x, h: (None, x == 0))

# x ** p at x = 0: p * 0 ** (p - 1) in x, but 0 for p = 0; in p it is 0, as 0 ** p is for p > 0.
elementwise(np.power, lambda z, x, p: (p * x ** (p - 1 + (p == 0)), z * np.log(x + (x == 0))))


def bounded(z, x, y):
    """Keeps -inf - -inf (two impossible events) from being nan; a number is no such event."""
    number = isinstance(x, (int, float)) or isinstance(y, (int, float))
    return z if number else np.maximum(z, -3e38)


@elementwise(np.logaddexp)
def _(z, x, y):
    return np.exp(x - bounded(z, x, y)), np.exp(y - bounded(z, x, y))


@elementwise(np.logaddexp2)
def _(z, x, y):
    return np.exp2(x - bounded(z, x, y)), np.exp2(y - bounded(z, x, y))


# At ties two arrays share evenly, and an array yields to a Python number: the derivative of
# np.maximum(x, 0) at 0 is 0. fmax and fmin pass to the other one where one is nan.


@elementwise(np.maximum)
def _(z, x, y):
    if isinstance(y, (int, float)) and not isinstance(x, (int, float)):
        return x > y, x <= y
    if isinstance(x, (int, float)) and not isinstance(y, (int, float)):
        return y <= x, y > x
    return (x > y) + 0.5 * (x == y), (y > x) + 0.5 * (x == y)


@elementwise(np.minimum)
def _(z, x, y):
    if isinstance(y, (int, float)) and not isinstance(x, (int, float)):
        return x < y, x >= y
    if isinstance(x, (int, float)) and not isinstance(y, (int, float)):
        return y >= x, y < x
    return (x < y) + 0.5 * (x == y), (y < x) + 0.5 * (x == y)


@elementwise(np.fmax)
def _(z, x, y):
    return (x == z) - 0.5 * (x == y), (y == z) - 0.5 * (x == y)


@elementwise(np.fmin)
def _(z, x, y):
    return (x == z) - 0.5 * (x == y), (y == z) - 0.5 * (x == y)


@elementwise(np.clip)
def _(y, a, a_min=None, a_max=None, out=None, *, min=None, max=None):
    """Bounds belong to the inside: the derivative in `a` is 1 there."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    below = None if low is None else a < low
    above = None if high is None else a > high
    return y == a, below, above, None, below, above


elementwise(np.ldexp, lambda y, x, k: (np.ldexp(1.0, k), None))

# --- choosing -----------------------------------------------------------------------------------
# Not partials: a mask times a cotangent would be nan where that is infinite and masked.

zero(np.where, arg=0)


@linear(np.where, arg=(1, 2), shape="broadcasts")
def _(d_z, condition, x, y):
    if np.ndim(condition) == np.ndim(x) == np.ndim(y) == 0:  # it would make an array of a number
        return d_z if condition else 0.0, 0.0 if condition else d_z
    return np.where(condition, d_z, 0), np.where(condition, 0, d_z)


for _fn in (masked_times, masked_product):
    elementwise(_fn, lambda z, d, p: (p, d))

# --- several results ----------------------------------------------------------------------------


@tangent(np.modf)
def _(d_x, y, x):
    return d_x, None


@tangent(np.frexp)
def _(d_x, y, x):
    return np.ldexp(d_x, -y[1]), None


@tangent(np.divmod, arg=0)
def _(d_x, z, x, y):
    return None, d_x


@tangent(np.divmod, arg=1)
def _(d_y, z, x, y):
    return None, -z[0] * d_y


# The largest or smallest of several numbers, or of a sequence: ties share.


@tangent(builtins.max, arg=range(32))
def _(k, d_x, z, *xs):
    if len(xs) == 1:
        return sum(d * (x == z) for d, x in zip(d_x, xs[0])) / sum(x == z for x in xs[0])
    return d_x * (xs[k] == z) / sum(x == z for x in xs)


# --- steps and questions ------------------------------------------------------------------------

zero(np.floor, np.ceil, np.trunc, np.rint, np.fix, np.round, np.sign, np.signbit)
zero(np.floor_divide, np.imag, np.angle, np.iscomplexobj, np.isrealobj, np.isclose, np.allclose)
zero(np.isnan, np.isinf, np.isfinite, np.isneginf, np.isposinf, np.array_equal)
zero(np.less, np.less_equal, np.equal, np.not_equal, np.greater, np.greater_equal)
zero(np.logical_and, np.logical_or, np.logical_xor, np.logical_not, np.invert)
zero(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift, np.gcd, np.lcm)
zero(np.shape, np.size, np.ndim, len, isinstance, int, bool, range, builtins.round)
zero(operator.is_, operator.is_not, operator.contains, math.floor, math.ceil, math.trunc)
zero(
    math.isnan,
    math.isinf,
    math.isfinite,
    math.isclose,
    math.gcd,
    math.lcm,
    math.comb,
    math.factorial,
)

# --- other names of the same --------------------------------------------------------------------

alias(np.negative, operator.neg)
alias(np.positive, operator.pos)
alias(np.absolute, operator.abs, builtins.abs, np.fabs, math.fabs)
alias(np.add, operator.add)
alias(np.subtract, operator.sub)
alias(np.multiply, operator.mul)
alias(np.divide, operator.truediv)
alias(np.floor_divide, operator.floordiv)
alias(np.remainder, operator.mod)
alias(np.fmod, math.fmod)
alias(np.divmod, builtins.divmod)
alias(np.power, operator.pow, builtins.pow, np.float_power, math.pow)
alias(builtins.max, builtins.min)
alias(np.deg2rad, np.radians, math.radians)
alias(np.rad2deg, np.degrees, math.degrees)
alias(np.round, np.around)
alias(np.arctan2, math.atan2)
alias(np.copysign, math.copysign)
alias(np.hypot, math.hypot)
alias(np.modf, math.modf)
alias(np.frexp, math.frexp)
alias(np.ldexp, math.ldexp)
alias(np.invert, operator.invert, operator.inv)
alias(np.bitwise_and, operator.and_)
alias(np.bitwise_or, operator.or_)
alias(np.bitwise_xor, operator.xor)
alias(np.left_shift, operator.lshift)
alias(np.right_shift, operator.rshift)
alias(np.logical_not, operator.not_)
alias(np.less, operator.lt)
alias(np.less_equal, operator.le)
alias(np.equal, operator.eq)
alias(np.not_equal, operator.ne)
alias(np.greater, operator.gt)
alias(np.greater_equal, operator.ge)

for _np, _math in {
    np.exp: "exp", np.exp2: "exp2", np.expm1: "expm1", np.log2: "log2", np.log10: "log10",
    np.log1p: "log1p", np.sqrt: "sqrt", np.cbrt: "cbrt", np.sin: "sin", np.cos: "cos",
    np.tan: "tan", np.arcsin: "asin", np.arccos: "acos", np.arctan: "atan", np.sinh: "sinh",
    np.cosh: "cosh", np.tanh: "tanh", np.arcsinh: "asinh", np.arccosh: "acosh", np.arctanh: "atanh",
}.items():  # fmt: skip
    if hasattr(math, _math):  # exp2 and cbrt are younger than Python 3.10
        alias(_np, getattr(math, _math))
