"""What tests of rules share."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from adcompile import rules as words
from adcompile.ir.infer.table import ENTRIES
from adcompile.rules import registry


@pytest.fixture
def rules() -> Iterator[ModuleType]:
    """The words for rules; what a test registers with them is forgotten."""
    registry.all_rules()
    tables = (registry._rules, registry.ALIASES, ENTRIES)
    before = [dict(table) for table in tables]
    yield words
    for table, known in zip(tables, before, strict=True):
        table.clear()
        table.update(known)
