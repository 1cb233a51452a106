"""Every pass keeps what a random program computes, and leaves a well-formed function."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings

from adcompile.ir.clone import clone_function
from adcompile.ir.core import Function
from adcompile.ir.printer import to_text
from adcompile.ir.verifier import verify
from adcompile.passes import cse, dce, fuse, hoist, shapes, simplify, sink
from tests.passes.programs import INPUTS, Program, assert_same, outcome, programs

ALL = [cse, dce, fuse, hoist, shapes, simplify, sink]
PIPELINE = [dce, simplify, cse, shapes, dce, sink, simplify, cse, dce, fuse, hoist, dce]

few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def check(fn: Function, passes: list[ModuleType]) -> None:
    # Where a number is divided by zero, the sign of that zero may be another afterwards.
    before = [outcome(fn, *args, errors="raise") for args in INPUTS]
    text = to_text(fn)
    new = clone_function(fn)
    assert to_text(new) == text
    for p in passes:
        p.run(new)
        verify(new)
        for args, old in zip(INPUTS, before):
            if not isinstance(old, type):  # what fails may fail otherwise, or no more
                assert_same(old, outcome(new, *args))
    assert to_text(fn) == text


@pytest.mark.parametrize("name", [p.__name__.rpartition(".")[2] for p in ALL])
@few
@given(program=programs())
def test_one_pass(name: str, program: Program) -> None:
    check(program.fn, [p for p in ALL if p.__name__.endswith("." + name)])


@few
@given(program=programs())
def test_pipeline(program: Program) -> None:
    check(program.fn, PIPELINE)


@pytest.mark.nightly
@settings(few, max_examples=5000)
@given(program=programs(depth=3, length=20))
def test_pipeline_long(program: Program) -> None:
    check(program.fn, PIPELINE)
