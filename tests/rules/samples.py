"""All samples of all rules: a table for each family."""

from __future__ import annotations

from typing import Any

from tests.rules import samples_arrays, samples_elementwise, samples_products, samples_reductions
from tests.rules.harness import Sample

TABLES = (
    samples_elementwise.CASES,
    samples_reductions.CASES,
    samples_arrays.CASES,
    samples_products.CASES,
)
ALL: list[tuple[Any, Sample]] = [
    (fn, sample) for table in TABLES for fn, cases in table.items() for sample in cases
]
