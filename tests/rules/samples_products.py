"""Samples of products and of linear algebra: ranks 1 to 4, stacks, broadcast stacks."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.rules.harness import Example, N, S, regular

CASES: dict[Any, list[Example]] = {
    np.matmul: [
        S(N(3), N(3)),
        S(N(2, 3), N(3)),
        S(N(3), N(3, 2)),
        S(N(2, 3), N(3, 4)),
        S(N(5, 2, 3), N(3, 4)),
        S(N(2, 3), N(5, 3, 4)),
        S(N(5, 2, 3), N(5, 3, 4)),
        S(N(5, 2, 3), N(1, 3, 4)),
        S(N(5, 1, 2, 3), N(4, 3, 2)),
        S(N(5, 2, 3), N(3)),
        S(N(3), N(5, 3, 4)),
        S(N(0, 3), N(3, 2)),
        S(N(2, 0), N(0, 2)),
        S(N(2, 5, 2, 3), N(3, 1)),
    ],
    np.dot: [
        S(N(3), N(3)),
        S(N(2, 3), N(3)),
        S(N(3), N(3, 2)),
        S(N(2, 3), N(3, 4)),
        S(N(2, 3, 4), N(4)),
        S(N(4), N(2, 4, 3)),
        S(N(2, 3, 4), N(4, 2)),
        S(N(2, 4), N(3, 4, 2)),
        S(N(2, 3, 4), N(3, 4, 2)),
        S(0.7, N(3)),
        S(N(2, 3), 0.7),
    ],
    np.inner: [
        S(N(3), N(3)),
        S(N(2, 3), N(3)),
        S(N(3), N(2, 3)),
        S(N(2, 3), N(4, 3)),
        S(N(2, 2, 3), N(4, 2, 3)),
        S(0.7, N(3)),
    ],
    np.vdot: [S(N(3), N(3)), S(N(2, 3), N(2, 3)), S(N(6), N(6))],
    np.vecdot: [S(N(3), N(3)), S(N(2, 3), N(3)), S(N(4, 1, 3), N(2, 3)), S(N(0, 3), N(3))],
    np.outer: [S(N(3), N(2)), S(N(2, 2), N(3)), S(0.7, N(3)), S(N(0), N(2)), S(N(2), N(3, 1))],
    np.tensordot: [
        S(N(2, 3, 4), N(3, 4, 5)),
        S(N(2, 3), N(3, 4), 1),
        S(N(2, 3), N(4, 5), 0),
        S(N(2, 3, 4), N(4, 2), ((2, 0), (0, 1))),
        S(N(2, 3, 4), N(3, 2, 5), axes=([0, 1], [1, 0])),
        S(N(2, 3), N(5, 3), axes=(1, 1)),
        S(N(3), N(3), 1),
        S(N(2, 3, 4), N(5, 4, 3), axes=((1, -1), (2, 1))),
    ],
    np.einsum: [
        S("ij,jk->ik", N(2, 3), N(3, 4)),
        S("ij,jk", N(2, 3), N(3, 4)),
        S("i,i->", N(3), N(3)),
        S("ij->ji", N(2, 3)),
        S("ij->", N(2, 3)),
        S("ij->j", N(2, 3)),
        S("bij,bjk->bik", N(5, 2, 3), N(5, 3, 4)),
        S("i,j,k->ijk", N(2), N(3), N(4)),
        S("...ij,...jk->...ik", N(5, 2, 3), N(5, 3, 4)),
        S("bi,ij,bj->b", N(5, 2), N(2, 3), N(5, 3)),
        S("ba", N(2, 3)),
        S("ij,k->i", N(2, 3), N(4)),
        S("...i,i", N(2, 3), N(3)),
        S("ij, jk -> ik", N(2, 3), N(3, 4), optimize=True),
    ],
    np.linalg.inv: [S(regular(3, 3)), S(regular(2, 3, 3)), S(regular(1, 1)), S(N(0, 2, 2))],
    np.linalg.solve: [
        S(regular(3, 3), N(3)),
        S(regular(3, 3), N(3, 2)),
        S(regular(2, 3, 3), N(2, 3, 2)),
        S(regular(2, 3, 3), N(3, 2)),
        S(regular(3, 3), N(2, 3, 2)),
        S(regular(2, 3, 3), N(3)),
    ],
    np.linalg.det: [S(regular(3, 3)), S(regular(2, 3, 3)), S(regular(1, 1))],
    np.linalg.slogdet: [S(regular(3, 3)), S(regular(2, 3, 3))],
}
