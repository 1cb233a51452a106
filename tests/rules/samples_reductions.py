"""Samples of reductions: axes, tuples of axes, keepdims, empty and 0-d arrays, numbers."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np
from scipy import special

from tests.rules.harness import Example, N, P, S, distinct

FORMS: list[dict[str, Any]] = [
    {},
    {"axis": 1},
    {"axis": -1, "keepdims": True},
    {"axis": (0, 2)},
    {"axis": (-1, 0), "keepdims": True},
]
MORE_FORMS: list[dict[str, Any]] = [
    {"axis": 0},
    {"axis": -1},
    {"keepdims": True},
    {"axis": (0, 1, 2)},
    {"axis": (1, 2)},
]


def over_axes(draw: Any, forms: list[dict[str, Any]] = FORMS, **extra: Any) -> list[Example]:
    return [S(draw(2, 3, 2), **form, **extra) for form in forms]


def small(draw: Any, **extra: Any) -> list[Example]:
    """Vectors, numbers, an axis of length 1."""
    return [S(draw(4), **extra), S(draw(3, 1), axis=1, **extra), S(draw(), **extra)]


def empty(draw: Any) -> list[Example]:
    return [S(draw(0)), S(draw(2, 0), axis=1), S(draw(0, 2), axis=1), S(draw(2, 3), axis=())]


def with_zeros(*shape: int) -> Any:
    x = np.asarray(P(*shape))
    flat = x.ravel()
    flat[1 : min(2, flat.size)] = 0.0
    return x


CASES: dict[Any, list[Example]] = {
    np.sum: [
        *over_axes(N),
        *empty(N),
        S(N(2, 3), where=np.array([True, False, True])),
        S(N(2, 3), axis=0, where=np.array([[True, False, True], [True, True, False]])),
        S(0.7),
        S(N(2, 3), dtype=np.float32),
        S([0.1, 0.2, 0.3]),
        S([N(2), N(2)], axis=0, keepdims=True),
    ],
    np.mean: [*over_axes(N), S(0.7), S(N(2, 3), 0)],
    np.var: [*over_axes(N), S(N(4)), S(N(2, 3), axis=0, ddof=1), S(N(2, 3), ddof=1)],
    np.std: [*over_axes(N), S(N(4)), S(N(2, 3), axis=0, ddof=1), S(N(2, 3), ddof=1)],
    np.max: [*over_axes(distinct), S(distinct(4))],
    np.min: [*over_axes(distinct), S(distinct(4))],
    np.amin: [S(distinct(4))],
    np.ptp: [*over_axes(distinct), S(distinct(4))],
    np.prod: [
        *over_axes(P),
        *over_axes(with_zeros),
        S(P(4)),
        S(with_zeros(4)),
        S(np.array([0.0, 2.0, 0.0])),
        S(N(0)),
        S(N(2, 0), axis=1),
    ],
    np.cumsum: [S(N(4)), S(N(2, 3)), S(N(2, 3), axis=0), S(N(2, 3), axis=-1), S(N(0))],
    np.cumulative_sum: [S(N(4)), S(N(2, 3), axis=0), S(N(2, 3), axis=-1)],
    np.cumprod: [
        *[S(P(4)), S(P(2, 3)), S(P(2, 3), axis=0), S(P(2, 3), axis=-1), S(P(0))],
        *[S(with_zeros(4)), S(with_zeros(2, 3), axis=1), S(with_zeros(2, 3))],
        S(np.array([1.5, 0.0, 2.0, 0.0, 3.0])),
    ],
    np.linalg.norm: [
        *[S(N(4)), S(N(2, 3)), S(N(2, 3, 2)), S(N(2, 3), axis=0)],
        *[S(N(2, 3), axis=-1, keepdims=True), S(N(2, 3), "fro"), S(N(4), 2), S(N(4), 1)],
        *[S(N(4), 3), S(N(4), 2.5, wrt=0), S(N(2, 3), 1, axis=1), S(N(2, 3), 2, axis=0)],
        *[S(distinct(4), np.inf, wrt=0), S(distinct(4) + 0.25, -np.inf, wrt=0)],
        S(distinct(2, 3), np.inf, 1, True, wrt=0),
        *[S(N(2, 3), 3, axis=0, keepdims=True), S(N(2, 3, 2), axis=(0, 2))],
        S(N(2, 3), None, None, True),
    ],
    builtins.sum: [
        *[S(N(3)), S(N(3, 2)), S([N(2), N(2)]), S([0.1, 0.2])],
        *[S(N(3), 0.5), S(N(3, 2), N(2)), S([N(2), N(2)], N(2)), S([N(2), N(2)], 0.5)],
    ],
    builtins.max: [S(0.3, 0.7), S(0.3, 0.7, 0.5), S(N(3)), S([0.1, 0.2])],
    builtins.min: [S(0.3, 0.7), S(0.3, 0.7, 0.5), S(N(3)), S([0.1, 0.2])],
    math.fsum: [S([0.1, 0.2, 0.3]), S(N(3))],
    special.logsumexp: [
        *over_axes(N),
        S(N(3), b=P(3)),
        S(N(2, 3), axis=1, b=P(2, 3)),
        S(N(2, 3), axis=0, b=P(2, 3), keepdims=True),
    ],
    special.softmax: [
        *[S(N(3)), S(N(2, 3)), S(N(2, 3), axis=0)],
        *[S(N(2, 3), axis=-1), S(N(2, 3), axis=(0, 1))],
    ],
    special.log_softmax: [S(N(3)), S(N(2, 3)), S(N(2, 3), axis=0), S(N(2, 3), axis=-1)],
}

MORE: dict[Any, list[Example]] = {
    np.sum: [*over_axes(N, MORE_FORMS), *small(N)],
    np.mean: [*over_axes(N, MORE_FORMS), *small(N)],
    np.var: [*over_axes(N, MORE_FORMS), *over_axes(N, ddof=1)],
    np.std: [*over_axes(N, MORE_FORMS), *over_axes(N, ddof=1)],
    np.max: over_axes(distinct, MORE_FORMS),
    np.min: over_axes(distinct, MORE_FORMS),
    np.ptp: over_axes(distinct, MORE_FORMS),
    np.prod: [*over_axes(P, MORE_FORMS), *over_axes(with_zeros, MORE_FORMS)],
    np.cumsum: [S(N(2, 3, 2), 1)],
    np.cumprod: [S(P(2, 3, 2), 1)],
    special.logsumexp: over_axes(N, MORE_FORMS),
}
