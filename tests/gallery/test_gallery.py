"""Generated texts are as good as an expert's: golden texts, work, saved values and numbers.

`python tests/gallery/test_gallery.py` records the golden texts anew; read the difference as you
would read a change of code by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import numpy as np
import pytest
from bench.finite import assert_gradients
from gallery.counting import operations, saved
from gallery.programs import Pair, pairs

import adcompile
from adcompile.trees import leaves, map_leaves

GOLDEN = Path(__file__).parent / "golden"
every_pair = pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.name)


def gradient_of(pair: Pair):
    transform = adcompile.value_and_grad if pair.with_value else adcompile.grad
    return transform(pair.program, wrt=pair.wrt[0] if len(pair.wrt) == 1 else pair.wrt)


def text_of(pair: Pair) -> str:
    return gradient_of(pair).lower(*pair.args).source


@every_pair
def test_text(pair):
    expected = (GOLDEN / f"{pair.name}.txt").read_text(encoding="utf-8")
    assert text_of(pair) == expected


@every_pair
def test_text_is_deterministic(pair):
    assert text_of(pair) == text_of(pair)


@every_pair
def test_no_more_work_than_the_expert(pair):
    assert operations(text_of(pair)) <= pair.operations


@every_pair
def test_nothing_more_saved_than_the_expert(pair):
    assert saved(text_of(pair)) <= pair.saved


@every_pair
def test_gradient(pair):
    before = map_leaves(np.copy, pair.args)
    result = gradient_of(pair)(*pair.args)
    gradient = result
    if pair.with_value:
        value, gradient = result
        assert value == pair.program(*pair.args)
    assert_gradients(pair.program, pair.args, pair.wrt, gradient)
    for was, now in zip(leaves(before), leaves(pair.args), strict=True):
        np.testing.assert_array_equal(was, now, err_msg="an argument was changed")


def record() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for pair in pairs():
        (GOLDEN / f"{pair.name}.txt").write_text(text_of(pair), encoding="utf-8")


if __name__ == "__main__":
    record()
