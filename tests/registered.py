"""Rules that a test or a page registers are forgotten afterwards."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from adcompile.ir.infer.table import ENTRIES
from adcompile.rules import registry


@contextmanager
def forgotten() -> Iterator[None]:
    registry.all_rules()  # reads the files with rules
    tables = (registry._rules, registry.ALIASES, ENTRIES)
    before = [dict(table) for table in tables]
    before[0] = {fn: _copied(rules) for fn, rules in registry._rules.items()}
    try:
        yield
    finally:
        for table, known in zip(tables, before, strict=True):
            table.clear()
            table.update(known)


def _copied(rules: registry.Rules) -> registry.Rules:
    made = copy.copy(rules)
    made.linear, made.tangent, made.adjoint = map(
        dict, (rules.linear, rules.tangent, rules.adjoint)
    )
    return made
