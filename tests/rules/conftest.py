"""What tests of rules share."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from adcompile import rules as words
from tests.registered import forgotten


@pytest.fixture
def rules() -> Iterator[ModuleType]:
    """The words for rules; what a test registers with them is forgotten."""
    with forgotten():
        yield words
