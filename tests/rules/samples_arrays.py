"""Samples of functions that move elements about, pick them, join arrays or make them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.rules.harness import N, S, Sample

CASES: dict[Any, list[Sample]] = {
    # shapes
    np.reshape: [
        S(N(2, 3), (3, 2)), S(N(2, 3), -1), S(N(6), (2, -1)), S(N(1), ()), S(0.7, (1, 1)), S(N(0, 3), (3, 0)),
    ],
    np.ravel: [S(N(2, 3)), S(N(3)), S(N(0)), S(N(2, 3), "C"), S(0.7)],
    np.squeeze: [S(N(1, 3)), S(N(1, 3, 1), axis=0), S(N(1, 3, 1), (0, -1)), S(N(1))],
    np.expand_dims: [S(N(3), 0), S(N(2, 3), -1), S(N(3), (0, 2)), S(0.7, 0)],
    np.copy: [S(N(2, 3)), S(N(0)), S(0.7)],
    np.asarray: [S(N(2, 3)), S([0.1, 0.2]), S([[0.1, 0.2], [0.3, 0.4]]), S([N(2), N(2)]), S([0.1, 1]), S(0.7)],
    np.array: [S([0.1, 0.2, 0.3]), S([[N(2), N(2)], [N(2), N(2)]]), S((0.5, 0.6))],
    np.astype: [S(N(3), np.float64)],
    float: [S(0.7), S(N())],
    np.transpose: [
        S(N(2, 3)), S(N(2, 3, 4)), S(N(2, 3, 4), (1, 2, 0)), S(N(2, 3, 4), (-1, 0, 1)), S(N(3)),
        S(N(2, 3, 4), axes=(2, 0, 1)),
    ],
    np.swapaxes: [S(N(2, 3, 4), 0, 2), S(N(2, 3), -1, -2)],
    np.moveaxis: [S(N(2, 3, 4), 0, -1), S(N(2, 3, 4), (0, 1), (-1, 0)), S(N(2, 3, 4), -1, 1)],
    np.matrix_transpose: [S(N(2, 3)), S(N(4, 2, 3))],
    np.flip: [S(N(3)), S(N(2, 3)), S(N(2, 3), 0), S(N(2, 3), axis=-1), S(N(2, 3, 2), (0, 2))],
    np.fliplr: [S(N(2, 3))],
    np.flipud: [S(N(2, 3)), S(N(3))],
    np.rot90: [S(N(2, 3)), S(N(2, 3), 2), S(N(2, 3, 4), -1, (1, 2)), S(N(2, 3), k=3)],
    np.roll: [S(N(4), 1), S(N(2, 3), 2), S(N(2, 3), -1, axis=1), S(N(2, 3), (1, 2), axis=(0, 1)), S(N(0), 1)],
    np.broadcast_to: [S(N(3), (2, 3)), S(N(2, 1), (2, 3)), S(0.7, (2,)), S(N(3), (3,)), S(N(1), (0,))],
    np.tile: [
        S(N(3), 2), S(N(2, 3), 2), S(N(3), (2, 2)), S(N(2, 3), (2, 1)), S(N(2, 3), (2, 1, 2)), S(N(2), (0,)),
    ],
    np.repeat: [
        S(N(3), 2), S(N(2, 3), 2), S(N(2, 3), 2, axis=0), S(N(2, 3), 3, axis=-1), S(N(2, 3), 2, 1),
        S(N(3), np.array([1, 0, 2])), S(N(2, 3), np.array([2, 1]), axis=0), S(N(0), 2),
    ],
    np.pad: [
        S(N(3), 1), S(N(3), (1, 2)), S(N(2, 3), 1), S(N(2, 3), ((1, 0), (0, 2))), S(N(2, 3), ((1, 2),)),
        S(N(3), 1, "constant"), S(N(3), 2, mode="constant", constant_values=5.0), S(N(2, 3, 2, 2), 1),
        S(N(0), 1),
    ],
    np.tril: [S(N(3, 3)), S(N(2, 3), 1), S(N(2, 3, 3), -1)],
    np.triu: [S(N(3, 3)), S(N(2, 3), k=1), S(N(2, 3, 3), -1)],
    np.trace: [S(N(3, 3)), S(N(2, 3), 1), S(N(3, 2), -1), S(N(2, 3, 4)), S(N(2, 3, 4), 0, 1, 2), S(N(2, 3, 4), 1, 2, 0)],
    np.diagonal: [S(N(3, 3)), S(N(2, 3), 1), S(N(3, 2), -1), S(N(2, 3, 4)), S(N(2, 3, 4), 1, 1, 2), S(N(2, 3, 4), -1, 2, 0)],
    np.diag: [S(N(3)), S(N(3), 1), S(N(3), -2), S(N(3, 3)), S(N(2, 3), 1), S(N(4, 2), -1), S(N(4, 2)), S(N(2, 4), k=-1)],
    # joins
    np.concatenate: [
        S([N(2), N(3)]), S([N(2, 3), N(1, 3)]), S((N(2, 3), N(2, 1)), axis=1), S([N(2, 3), N(2, 2)], -1),
        S([N(2, 3), N(2)], axis=None), S([N(2, 3, 1, 2), N(2, 3, 2, 2)], 2), S([N(0), N(2)]), S([N(2)]),
        S([N(2), np.ones(2)]),
    ],
    np.stack: [S([N(3), N(3)]), S((N(2, 3), N(2, 3)), axis=1), S([N(2, 3), N(2, 3)], -1), S([0.1, 0.2])],
    np.vstack: [S([N(3), N(3)]), S([N(2, 3), N(3)]), S((N(1, 3), N(2, 3)))],
    np.hstack: [S([N(3), N(2)]), S([N(2, 3), N(2, 1)]), S([0.1, 0.2])],
    np.column_stack: [S([N(3), N(3)]), S([N(3, 2), N(3)])],
    np.dstack: [S([N(3), N(3)]), S([N(2, 3), N(2, 3)]), S([N(2, 3, 1), N(2, 3, 2)])],
    np.split: [S(N(6), 3), S(N(6), [2, 5]), S(N(2, 6), 2, axis=1), S(N(2, 6), [1, 4], -1)],
    np.array_split: [S(N(5), 3), S(N(2, 6), [1, 4], 1)],
    np.vsplit: [S(N(4, 2), 2)],
    np.hsplit: [S(N(4), 2), S(N(2, 4), [1])],
    # elements by index arrays
    np.take: [
        S(N(4), 2), S(N(4), np.array([0, 2, 0])), S(N(2, 3), np.array([1, 4])), S(N(3, 2), np.array([2, 0, 2]), axis=0),
        S(N(2, 3), np.array([[0, 2], [1, 1]]), axis=1), S(N(2, 3, 2), np.array([0, 2]), 1), S(N(2, 3), 1, axis=-1),
        S(N(2, 3, 2, 2), np.array([1, 0]), 2), S(N(4), np.array([5, -6]), mode="wrap"),
        S(N(4), np.array([5, -6]), mode="clip"), S(N(4), np.array([], int)), S(N(3), [0, 2]),
    ],
    np.take_along_axis: [
        S(N(4), np.array([3, 0, 3]), 0), S(N(2, 3), np.array([[0, 2], [1, 1]]), 1), S(N(2, 3), np.array([[0, 1, 0]]), axis=0),
        S(N(2, 3), np.array([5, 0]), None), S(N(2, 3, 2), np.array([[[0], [1], [1]]]), -1),
    ],
    # making arrays
    np.full: [S((2, 3), 0.7), S(3, 0.7), S((2, 3), N(3)), S((), 0.7), S((0,), 0.7)],
    np.full_like: [S(N(2, 3), 0.7), S(N(2, 3), N(3))],
    np.linspace: [S(0.1, 0.9), S(0.1, 0.9, 5), S(0.1, 0.9, num=4, endpoint=False), S(N(2), N(2), 3), S(0.1, 0.9, 1)],
    np.arange: [S(0.05, 2.0), S(0.05, 2.0, 0.3), S(2.5)],
}  # fmt: skip
