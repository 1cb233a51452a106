"""Every rule by itself: its body is called as the plain Python function that it is.

Partials and tangent rules are compared with finite differences, linear rules with the function
itself, and what goes back with what goes forward: ⟨ȳ, J v⟩ = ⟨x̄, v⟩.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from adcompile.rules import registry
from adcompile.rules.registry import lookup, name_of
from tests.rules.harness import (
    Sample,
    as_tuple,
    close,
    differences,
    direction,
    inner,
    is_float,
    leaves,
)
from tests.rules.samples import ALL

IDS = [f"{name_of(fn)}({sample!r})" for fn, sample in ALL]


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def test_every_rule_has_samples() -> None:
    sampled = {registry.ALIASES.get(fn, fn) for fn, _ in ALL}
    missing = [name_of(r.fn) for r in registry.all_rules() if not r.zero and r.fn not in sampled]
    assert not missing


@pytest.mark.parametrize(("fn", "sample"), ALL, ids=IDS)
def test_rule(fn: Any, sample: Sample) -> None:
    rules = lookup(fn)
    assert rules is not None
    y = fn(*sample.args, **sample.kwargs)
    for key, x in [*enumerate(sample.args), *sample.kwargs.items()]:
        if any(is_float(leaf) for leaf in leaves(x)):
            position = key if isinstance(key, int) else rules.position(key)
            assert position is not None
            check_argument(rules, sample, key, position, x, y)


def check_argument(rules: Any, sample: Sample, key: Any, position: int, x: Any, y: Any) -> None:
    v = direction(x)
    want = differences(rules.fn, sample, key, v)
    seed = [np.random.default_rng(1).standard_normal(np.shape(part)) for part in as_tuple(y)]
    d_y = tuple(seed) if isinstance(y, list | tuple) else seed[0]
    if rules.partials is not None:
        partials = as_tuple(rules.partials(y, *sample.args, **sample.kwargs))
        p = partials[position] if position < len(partials) else None
        close(0.0 if p is None else p * v, want[0], 1e-6)
        return
    got: Any = None
    if position in rules.tangent:
        got = rules.tangent[position](v, y, *sample.args, **sample.kwargs)
        assert got is not NotImplemented
    elif position in rules.linear:
        args, kwargs = list(sample.args), dict(sample.kwargs)
        if isinstance(key, int):
            args[key] = v
        else:
            kwargs[key] = v
        got = rules.fn(*args, **kwargs)
    for g, w in zip(as_tuple(got) if got is not None else [None] * len(want), want, strict=True):
        close(0.0 if g is None else g, w, 1e-6)
    if position in rules.linear:
        back = rules.linear[position](d_y, *sample.args, **sample.kwargs)
    elif position in rules.adjoint:
        back = rules.adjoint[position](d_y, y, *sample.args, **sample.kwargs)
    else:
        return
    if back is NotImplemented and position in rules.tangent:
        return  # the tangent is transposed instead
    assert back is not NotImplemented
    forward = inner(list(as_tuple(got)), seed) if got is not None else 0.0
    assert back is None or abs(inner(back, v) - forward) <= 1e-11 * (1 + abs(forward))
