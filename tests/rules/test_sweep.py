"""Every rule of the registry, and every other name of it, to second order.

What is checked of a call is said in `adcompile.testing.rules`. The normal run takes a rule's first
few samples to second order and one of them in float32; the nightly run takes all of them, and more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from adcompile import check_grads, check_rule, runtime
from adcompile.rules import registry
from adcompile.rules.registry import name_of
from tests.rules.harness import Example, has_array, in_dtype
from tests.rules.samples import CASES, MORE, PROGRAMS, shared

# So many samples of a function go to second order in the normal run: of one that works element by
# element they differ in shape alone, which is no business of its rule.
SECOND, ELEMENTWISE = 4, 2

registry.all_rules()  # reads the files, those with aliases, too
ALIASES = [fn for fn in registry.ALIASES if fn not in CASES and fn not in PROGRAMS]


def normal() -> Iterator[tuple[Any, Example, int]]:
    """(function, sample, order)"""
    for fn, samples in CASES.items():
        second = second_order(fn)
        yield from ((fn, sample, 2 if k < second else 1) for k, sample in enumerate(samples))
        arrays = [sample for sample in samples if has_array(sample)]
        yield from ((fn, in_dtype(sample, np.float32), 1) for sample in arrays[:1])
    for fn in ALIASES:
        yield from ((fn, sample, 1) for sample in shared(fn)[:1])


def second_order(fn: Any) -> int:
    rules = registry.lookup(fn)
    assert rules is not None
    return ELEMENTWISE if rules.zero or rules.partials is not None else SECOND


def nightly() -> Iterator[tuple[Any, Example, int]]:
    for fn, samples in CASES.items():
        rest = samples[second_order(fn) :]
        yield from ((fn, sample, 2) for sample in [*rest, *MORE.get(fn, ())])
        yield from ((fn, in_dtype(sample, np.float32), 2) for sample in samples)
    for fn in ALIASES:
        yield from ((fn, sample, 2) for sample in shared(fn))


def names(rows: list[tuple[Any, Example, int]]) -> list[str]:
    return [f"{name_of(fn)}({sample})" for fn, sample, _ in rows]


NORMAL, NIGHTLY = list(normal()), list(nightly())


@pytest.mark.parametrize(("fn", "sample", "order"), NORMAL, ids=names(NORMAL))
def test_rule(fn: Any, sample: Example, order: int) -> None:
    check_rule(fn, sample, order=order)


@pytest.mark.nightly
@pytest.mark.parametrize(("fn", "sample", "order"), NIGHTLY, ids=names(NIGHTLY))
def test_rule_at_length(fn: Any, sample: Example, order: int) -> None:
    check_rule(fn, sample, order=order)


@pytest.mark.parametrize("fn", PROGRAMS, ids=name_of)
def test_function_without_floats(fn: Any) -> None:
    program, args = PROGRAMS[fn]
    check_grads(program, args, 0)


def test_every_rule_has_samples() -> None:
    known = {r.fn for r in registry.all_rules()} | set(registry.ALIASES)
    ours = {fn for fn in vars(runtime).values() if callable(fn)}  # no program calls them
    sampled = {fn for fn, _, _ in NORMAL} | set(PROGRAMS)
    assert not {name_of(fn) for fn in known - ours - sampled}
