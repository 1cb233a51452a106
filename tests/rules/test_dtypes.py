"""float32 programs stay float32: no array of the backward sweep is wider than it has to be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcompile.ad.reverse import reverse
from adcompile.ir import core
from adcompile.ir.types import Array
from adcompile.passes import dce, simplify
from tests.rules.harness import Sample, as_tuple
from tests.rules.samples import ALL
from tests.rules.test_compiled import IDS, program


def is_wide(t: Any) -> bool:
    return isinstance(t, Array) and t.rank > 0 and t.dtype.kind == "f" and t.dtype.itemsize > 4


def weights_of(results: Any) -> list[Any]:
    parts = map(np.asarray, as_tuple(results))
    return [np.ones(p.shape, p.dtype)[()] if p.dtype.kind == "f" else None for p in parts]


@pytest.mark.parametrize("seed", ["array", "number"])
@pytest.mark.parametrize(("fn", "sample"), ALL, ids=IDS)
def test_no_float64_arrays_in_a_float32_program(fn: Any, sample: Sample, seed: str) -> None:
    """With a cotangent that is an array, and with one that is a (Python) number."""
    sample = sample.as_dtype(np.float32)
    with np.errstate(all="ignore"):
        weights = weights_of(fn(*sample.args, **sample.kwargs))
    if seed == "number":
        weights = [None if w is None else 1.5 for w in weights]
    made, keys = program(fn, sample, weights)
    primal = {v for op in made.block.ops for v in op.results if is_wide(v.type)}
    if any(is_wide(p.type) for p in made.block.params) or primal:
        return  # NumPy itself computes this one in float64
    backward, _ = reverse(made, list(range(len(keys))), name="f_grad")
    simplify.run(backward)
    dce.run(backward)
    for op in core.walk(backward.block):
        assert not any(is_wide(r.type) for r in op.results), op
