"""A rule of several arguments gives the partials that are wanted, and computes no others."""

from __future__ import annotations

import operator

import numpy as np

from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Call, Value
from adcompile.ir.types import Array, Dim
from adcompile.rules.apply import apply_parts
from adcompile.rules.registry import lookup

VECTOR = Array(np.dtype(np.float64), (Dim("n", many=True),))


def parts(fn, *wanted):
    """The calls that the partials of `fn` are made by, and the positions that were given."""
    rules = lookup(fn)
    assert rules is not None and rules.partials is not None
    b = Builder(Block())
    found = apply_parts(b, rules.partials, [Value(VECTOR) for _ in "zxy"], {}, frozenset(wanted))
    return [op.fn for op in b.block.ops if isinstance(op, Call)], list(found)


def test_all():
    calls, given = parts(operator.truediv, 0, 1)
    assert calls == [operator.truediv, operator.neg, operator.truediv]
    assert given == [0, 1]


def test_one():
    assert parts(operator.truediv, 0) == ([operator.truediv], [0])
    assert parts(operator.truediv, 1) == ([operator.neg, operator.truediv], [1])


def test_none():
    assert parts(operator.truediv) == ([], [])


def test_no_tuple_is_made():
    assert parts(operator.mul, 0, 1) == ([], [0, 1])


def test_what_the_rule_does_not_give():
    assert parts(operator.truediv, 1, 7) == ([operator.neg, operator.truediv], [1])
