"""Functions that call themselves and write into what they are given: what they share is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from adcompile import AliasError, check_grads, grad

X = np.array([2.0, 3.0])


def doubles(p, n):
    if n == 0:
        return 0.0
    p["w"][0] = p["w"][0] * 2.0
    doubles(p, n - 1)
    return (p["w"] ** 2).sum()


def written_by_the_callee(p, n):
    return doubles(p, n)


def read_after_the_call(p, n):
    doubles(p, n)
    return (p["w"] ** 2).sum()


def read_through_another_name(p, n):
    w = p["w"]
    doubles(p, n)
    return (w**2).sum()


def written_before_the_call(p, n):
    p["w"][0] *= 3.0
    w = p["w"]
    doubles(p, n)
    return (w**2).sum() + p["w"][1]


def dict_made_here(p, n):
    q = {"w": p["w"] * 1.0}
    w = q["w"]
    doubles(q, n)
    return (w**2).sum() + (q["w"] ** 2).sum()


def swaps(x, y, n):
    if n == 0:
        return (x * y).sum()
    x[0] = x[0] * 2.0
    return swaps(y, x, n - 1)


def two_arrays(p, n):
    return swaps(p["w"] * 1.0, p["w"], n)


RIGHT = [
    written_by_the_callee,
    read_after_the_call,
    read_through_another_name,
    written_before_the_call,
    dict_made_here,
    two_arrays,
]


@pytest.mark.parametrize("f", RIGHT, ids=lambda f: f.__name__)
def test_writes_are_seen_by_the_caller(f):
    p = {"w": X.copy()}
    check_grads(f, (p, 3))
    assert np.array_equal(p["w"], X)


def same_array_twice(p, n):
    x = p["w"] * 1.0
    return swaps(x, x, n)


def view_and_base(p, n):
    x = p["w"] * 1.0
    return swaps(x[:], x, n)


def swaps_in_trees(p, q, n):
    if n == 0:
        return (p["w"] * q["w"]).sum()
    p["w"][0] = p["w"][0] * 2.0
    return swaps_in_trees(q, p, n - 1)


def same_parameter_twice(p, n):
    return swaps_in_trees(p, p, n)


def same_array_in_two_dicts(p, n):
    x = p["w"] * 1.0
    return swaps_in_trees({"w": x}, {"w": x}, n)


def writes_a_part(p, w, n):
    if n == 0:
        return (w * p["w"]).sum()
    w[0] = w[0] * 2.0
    return writes_a_part(p, w, n - 1)


def tree_and_its_part(p, n):
    return writes_a_part(p, p["w"], n)


@dataclass
class Box:
    w: Any


def swaps_boxes(p, q, n):
    if n == 0:
        return (p.w * q.w).sum()
    p.w[0] = p.w[0] * 2.0
    return swaps_boxes(q, p, n - 1)


def same_object_twice(p, n):
    box = Box(p["w"] * 1.0)
    return swaps_boxes(box, box, n)


def writes_late(x, xs, n, late):
    if late:
        x[0] = x[0] * 2.0
    if n == 0:
        return (xs[0] * xs[1]).sum()
    return writes_late(x, xs, n - 1, True)


def item_of_a_list(p, n):
    x = p["w"] * 1.0
    xs = []
    for _ in range(n):
        xs.append(x)
    return writes_late(x, xs, n, False)


def part_of(p, n):
    return p["w"] if n == 0 else part_of(p, n - 1)


def result_written(p, n):
    w = part_of(p, n)
    w[0] = 0.0
    return (p["w"] ** 2).sum()


def argument_written(p, n):
    w = part_of(p, n)
    p["w"][0] = 0.0
    return (w**2).sum()


def itself(p, n):
    return p if n == 0 else itself(p, n - 1)


def tree_returned(p, n):
    q = itself(p, n)
    q["w"][0] = 0.0
    return (p["w"] ** 2).sum()


SHARED = [
    same_array_twice,
    view_and_base,
    same_parameter_twice,
    same_array_in_two_dicts,
    tree_and_its_part,
    same_object_twice,
    item_of_a_list,
    result_written,
    argument_written,
    tree_returned,
]


@pytest.mark.parametrize("f", SHARED, ids=lambda f: f.__name__)
def test_what_may_be_shared_is_refused(f: Any):
    gradient: Any = grad(f)
    with pytest.raises(AliasError) as e:
        gradient({"w": X.copy()}, 3)
    assert e.value.loc is not None and e.value.hint
