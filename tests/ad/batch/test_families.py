"""Jacobians of every family of operations, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adcompile import trees
from tests.ad.batch import programs
from tests.ad.batch.harness import check
from tests.ad.batch.programs import SAMPLES

IDS = [f"{f.__name__}-{k}" for k, (f, _, _) in enumerate(SAMPLES)]
samples = pytest.mark.parametrize(("program", "args", "wrt"), SAMPLES, ids=IDS)
modes = pytest.mark.parametrize("forward", [True, False], ids=["forward", "reverse"])


@modes
@samples
def test_jacobian(
    program: Callable[..., Any], args: tuple[Any, ...], wrt: tuple[int, ...], forward: bool
) -> None:
    check(program, *args, wrt=wrt, modes=[forward])


def single(x: Any) -> Any:
    floats = isinstance(x, np.ndarray | np.generic) and x.dtype.kind == "f"
    return x.astype(np.float32) if floats else x


@modes
@samples
def test_single_precision(
    program: Callable[..., Any], args: tuple[Any, ...], wrt: tuple[int, ...], forward: bool
) -> None:
    args = tuple(trees.map_leaves(single, a) for a in args)
    check(program, *args, wrt=wrt, modes=[forward], tol=1e-3, differences=None)


N = np.random.default_rng(2).standard_normal
P = programs.P

ODD = [
    (programs.arithmetic, (P(1), P(4)), (0, 1)),
    (programs.arithmetic, (P(1), P(1)), (0, 1)),
    (programs.arithmetic, (P(3, 1), P(1, 4)), (0, 1)),
    (programs.arithmetic, (P(0), P(0)), (0, 1)),
    (programs.arithmetic, (P(2, 0), P(0)), (1, 0)),
    (programs.ranks, (P(1), P(3, 1)), (0, 1)),
    (programs.ranks, (P(0), P(3, 0)), (0, 1)),
    (programs.waves, (N((1, 3)),), (0,)),
    (programs.waves, (N((0, 3)),), (0,)),
    (programs.waves, (np.array(0.5),), (0,)),
    (programs.waves, (np.float32(0.5),), (0,)),
    (programs.masked, (N(1),), (0,)),
    (programs.masked, (N(0),), (0,)),
    (programs.sums, (N((1, 4)),), (0,)),
    (programs.sums, (N((0, 4)),), (0,)),
    (programs.running, (N((1, 1)),), (0,)),
    (programs.new_axes, (N(0),), (0,)),
    (programs.orders, (N((1, 4)),), (0,)),
    (programs.transposes, (N((0, 4)),), (0,)),
    (programs.repeated, (N(1),), (0,)),
    (programs.matrix_vector, (N((1, 4)), N(4)), (0, 1)),
    (programs.matrix_vector, (N((4, 1)), N(1)), (0, 1)),
    (programs.matrix_vector, (N((3, 0)), N(0)), (0, 1)),
    (programs.matrix_matrix, (N((1, 1)), N((1, 4))), (0, 1)),
    (programs.joined, (N(1), N(1)), (0, 1)),
    (programs.joined, (N(0), N(0)), (0, 1)),
    (programs.stacks, (N(1), N(1)), (0, 1)),
    (programs.tape, (N(1),), (0,)),
    (programs.elements, (N(0),), (0,)),
    (programs.elements, (N(1),), (0,)),
    (programs.heat, (N(3), 0.1), (0, 1)),
    (programs.recurrent, (N((1, 1)), N(1), N((2, 1))), (0, 1, 2)),
]


@modes
@pytest.mark.parametrize(
    ("program", "args", "wrt"), ODD, ids=[f"{f.__name__}-{k}" for k, (f, _, _) in enumerate(ODD)]
)
def test_odd_sizes(
    program: Callable[..., Any], args: tuple[Any, ...], wrt: tuple[int, ...], forward: bool
) -> None:
    """Sizes of 0 and 1, and single numbers."""
    check(program, *args, wrt=wrt, modes=[forward], tol=1e-6, differences=None)
