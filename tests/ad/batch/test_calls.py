"""Every batching rule against one call after the other, whatever the function and its operand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adcompile import pipeline, runtime
from adcompile.ad.batch import table
from adcompile.ir import core
from tests.ad.batch.calls import CALLS
from tests.ad.batch.harness import both_ways, equal, types_of
from tests.ad.batch.over import batched, one_by_one

pytestmark = pytest.mark.filterwarnings("ignore:numpy.fix is deprecated:DeprecationWarning")

ROWS = [(call, shape) for call, shapes in CALLS for shape in shapes]
IDS = [f"{k}-{shape}" for k, (_, shapes) in enumerate(CALLS) for shape in shapes]
rows = pytest.mark.parametrize(("call", "shape"), ROWS, ids=IDS)

W, C = (np.random.default_rng(3).standard_normal((2, 2, 3, 3, 4)) for _ in range(2))


def part(a: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Some of the numbers in `a`, in this shape."""
    found = a.ravel()[: int(np.prod(shape))].reshape(shape)
    return found if shape else float(found)


def mixed(call: Callable[..., Any], shape: tuple[int, ...]) -> Callable[..., Any]:
    """`call` of something else than a unit vector."""
    w, c = part(W, shape), part(C, shape)

    def program(d):
        return call(d * w + c)

    return program


def zero(shape: tuple[int, ...]) -> Any:
    return np.zeros(shape) if shape else 0.0


@pytest.mark.filterwarnings("ignore:divide by zero|invalid value:RuntimeWarning")
@rows
def test_unit_vectors(call: Callable[..., Any], shape: tuple[int, ...]) -> None:
    got, _ = both_ways(batched(call, zero(shape)), [zero(shape)])
    equal(got, one_by_one(call, zero(shape)), 1e-13)


@rows
def test_other_vectors(call: Callable[..., Any], shape: tuple[int, ...]) -> None:
    program = mixed(call, shape)
    got, _ = both_ways(batched(program, zero(shape)), [zero(shape)])
    equal(got, one_by_one(program, zero(shape)), 1e-12)


def called(fn: core.Function) -> set[Any]:
    return {op.fn for op in core.walk(fn.block) if isinstance(op, core.Call)}


def test_every_rule_is_called() -> None:
    found: set[Any] = set()
    for call, shape in ROWS:
        found |= called(pipeline.build(call, types_of([zero(shape)]), {}))
    elsewhere = {list, runtime.zeros_like, runtime.add_saved}  # see test_programs.py
    folded = {np.ndim}  # at compile time
    assert set(table.RULES) - found == elsewhere | folded
