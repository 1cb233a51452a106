"""Samples of reductions: axes, tuples of axes, keepdims, empty and 0-d arrays."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np
from scipy import special

from tests.rules.harness import N, P, S, Sample, distinct


def over_axes(draw: Any, empty: bool = False, **extra: Any) -> list[Sample]:
    forms: list[dict[str, Any]] = [
        {},
        {"axis": 0},
        {"axis": -1},
        {"axis": 1, "keepdims": True},
        {"keepdims": True},
        {"axis": (0, 2)},
        {"axis": (-1, 0), "keepdims": True},
        {"axis": ()} if empty else {"axis": (0, 1, 2)},
    ]
    cases = [S(draw(2, 3, 2), **form, **extra) for form in forms]
    cases += [S(draw(4), **extra), S(draw(3, 1), axis=1, **extra), S(draw(2, 3), 0, **extra)]
    if empty:
        cases += [
            S(draw(0), **extra),
            S(draw(2, 0), axis=1, **extra),
            S(draw(0, 2), axis=1, **extra),
        ]
    return cases


def with_zeros(*shape: int) -> Any:
    x = np.asarray(P(*shape))
    flat = x.ravel()
    flat[1 : min(2, flat.size)] = 0.0
    return x


CASES: dict[Any, list[Sample]] = {
    np.sum: [
        *over_axes(N, empty=True),
        S(N(2, 3), where=np.array([True, False, True])),
        S(N(2, 3), axis=0, where=np.array([[True, False, True], [True, True, False]])),
        S(0.7),
    ],
    np.mean: over_axes(N),
    np.var: [*over_axes(N), *over_axes(N, ddof=1)[:5]],
    np.std: [*over_axes(N), *over_axes(N, ddof=1)[:4]],
    np.max: over_axes(distinct),
    np.min: over_axes(distinct),
    np.ptp: over_axes(distinct),
    np.prod: [*over_axes(P, empty=True)[:-3], *over_axes(with_zeros), S(N(0)), S(N(2, 0), axis=1)],
    np.cumsum: [
        S(N(4)),
        S(N(2, 3)),
        S(N(2, 3), axis=0),
        S(N(2, 3), axis=-1),
        S(N(0)),
        S(N(2, 3, 2), 1),
    ],
    np.cumulative_sum: [S(N(4)), S(N(2, 3), axis=0), S(N(2, 3), axis=-1)],
    np.cumprod: [
        *[S(P(4)), S(P(2, 3)), S(P(2, 3), axis=0), S(P(2, 3), axis=-1), S(P(0)), S(P(2, 3, 2), 1)],
        *[S(with_zeros(4)), S(with_zeros(2, 3), axis=1), S(np.array([1.5, 0.0, 2.0, 0.0, 3.0]))],
    ],
    np.linalg.norm: [
        *[
            S(N(4)),
            S(N(2, 3)),
            S(N(2, 3, 2)),
            S(N(2, 3), axis=0),
            S(N(2, 3), axis=-1, keepdims=True),
        ],
        *[S(N(2, 3), "fro"), S(N(4), 2), S(N(4), 1), S(N(4), 3), S(N(2, 3), 1, axis=1)],
        *[
            S(distinct(4), np.inf),
            S(distinct(4) + 0.25, -np.inf),
            S(N(2, 3), 3, axis=0, keepdims=True),
        ],
        *[S(N(2, 3, 2), axis=(0, 2)), S(N(2, 3), None, None, True)],
    ],
    builtins.sum: [S(N(3)), S(N(3, 2)), S([N(2), N(2)])],
    builtins.max: [S(0.3, 0.7), S(0.3, 0.7, 0.5), S(N(3))],
    builtins.min: [S(0.3, 0.7), S(0.3, 0.7, 0.5), S(N(3))],
    math.fsum: [S([0.1, 0.2, 0.3]), S(N(3))],
    special.logsumexp: [*over_axes(N)[:9], S(N(3), b=P(3))],
    special.softmax: [
        S(N(3)),
        S(N(2, 3)),
        S(N(2, 3), axis=0),
        S(N(2, 3), axis=-1),
        S(N(2, 3), axis=(0, 1)),
    ],
    special.log_softmax: [S(N(3)), S(N(2, 3)), S(N(2, 3), axis=0), S(N(2, 3), axis=-1)],
}
