"""All samples of all rules: a table for each family, and what the functions of aliases share."""

from __future__ import annotations

from typing import Any

import numpy as np

from adcompile.rules import registry
from tests.rules import (
    samples_arrays,
    samples_elementwise,
    samples_products,
    samples_reductions,
    samples_steps,
)
from tests.rules.harness import Example, leaves

_FAMILIES = (
    samples_elementwise,
    samples_reductions,
    samples_arrays,
    samples_products,
    samples_steps,
)
CASES: dict[Any, list[Example]] = {fn: cases for f in _FAMILIES for fn, cases in f.CASES.items()}
MORE: dict[Any, list[Example]] = {
    fn: cases for f in _FAMILIES for fn, cases in getattr(f, "MORE", {}).items()
}
PROGRAMS = samples_steps.PROGRAMS
ALL: list[tuple[Any, Example]] = [(fn, sample) for fn, cases in CASES.items() for sample in cases]


def shared(fn: Any) -> list[Example]:
    """The samples of the function whose rule `fn` shares, as far as `fn` takes them."""
    main = registry.ALIASES[fn]
    return [sample for sample in CASES.get(main, ()) if _same(fn, main, sample)]


def _same(fn: Any, main: Any, sample: Example) -> bool:
    try:
        found = fn(*sample.args, **sample.kwargs)
    except (TypeError, ValueError):
        return False
    pairs = zip(leaves(found), leaves(main(*sample.args, **sample.kwargs)), strict=True)
    return all(np.shape(a) == np.shape(b) and np.allclose(a, b) for (_, a), (_, b) in pairs)
