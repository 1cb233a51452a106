"""float32 programs stay float32: no array of a backward sweep is wider than it has to be."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest

from adcompile.frontend.lower import lower_function
from adcompile.ir import core
from adcompile.ir.types import Array
from adcompile.rules.registry import name_of
from adcompile.signature import classify
from adcompile.testing.examples import call_of
from adcompile.testing.rules import Check
from tests.rules.harness import Example, has_array, in_dtype
from tests.rules.samples import CASES

NARROW = [
    (fn, in_dtype(sample, np.float32))
    for fn, samples in CASES.items()
    for sample in samples
    if has_array(sample)
]
IDS = [f"{name_of(fn)}({sample})" for fn, sample in NARROW]


def is_wide(t: Any) -> bool:
    return isinstance(t, Array) and t.rank > 0 and t.dtype.kind == "f" and t.dtype.itemsize > 4


def wide(fn: core.Function) -> list[core.Op]:
    return [op for op in core.walk(fn.block) if any(is_wide(r.type) for r in op.results)]


@pytest.mark.parametrize("seed", ["array", "number"])
@pytest.mark.parametrize(("fn", "sample"), NARROW, ids=IDS)
def test_no_float64_arrays_in_a_float32_program(fn: Any, sample: Example, seed: str) -> None:
    """With a cotangent that is an array, and with one that is a (Python) number."""
    check = Check(call_of(fn, sample))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not check.is_real:
            return
        weights = check.weights if seed == "array" else [1.5 for _ in check.weights]
    gradient = check.gradient(check.call.wrt, check.parts)
    inputs = [*check.call.inputs, *weights]
    names = inspect.signature(gradient.primal).parameters
    types = [classify(x, (name,))[0] for name, x in zip(names, inputs, strict=True)]
    if wide(lower_function(gradient.primal, types)):
        return  # NumPy itself computes this one in float64
    assert not wide(gradient.lower(*inputs).program)
