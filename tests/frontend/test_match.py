"""`match`: every kind of pattern, folded or at run time; lowered, run, differentiated."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pytest

from adcompile import check_grads, grad
from adcompile.errors import TypeMismatch, UnsupportedSyntax
from tests.frontend.lowered import agree, lower


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclasses.dataclass
class Layer:
    w: Any
    b: Any
    kind: str = "linear"


def values(x, k):
    match k:
        case 0:
            return x
        case 1 | 2:
            return x * x
        case n if n > 5:
            return x * n
        case -1:
            return np.cos(x)
        case _:
            return np.sin(x)


def mapping(x, p):
    match p:
        case {"kind": "linear", "w": w, **rest}:
            return w * x + rest["b"]
        case {"kind": "quadratic", "w": w}:
            return w * x * x
        case {}:
            return x


def sequence(x):
    match (x, x * 2.0):
        case (0.0, _):
            y = 1.0
        case (a, b) if a > 1.0:
            y = a * b
        case [a, *rest]:
            y = a + rest[0] * 3.0
    return y * x


def classes(x, p):
    match p:
        case Pair(a, b=bb):
            return a * x + bb
        case Layer(w=w, b=b, kind="linear"):
            return w * x + b
        case Layer(w):
            return w * x
        case float(v):
            return v * x
        case int() as k:
            return k * x * x
        case [first, *_, last]:
            return first * x + last
        case None:
            return x + 1.0
        case str():
            return x * 4.0
        case _:
            return x


def singletons(x):
    y = x
    match x > 1.0, x > 2.0:
        case True, False:
            y = x * x
        case (True, True) as both:
            y = x * 3.0 if both[0] else x
    return y


def in_a_loop(xs):
    s = 0.0
    for i, x in enumerate(xs):
        match i % 3:
            case 0:
                continue
            case 1 if x > 0.2:
                s = s + x * x
            case 2:
                s = s * 1.5 + x
                if s > 100.0:
                    break
            case _:
                s = s - x
    return s


def growing_list(x):
    out = []
    n = 0
    while n * x < 2.5:
        out.append(x * n)
        n += 1
    match out:
        case []:
            return x
        case [a]:
            return a + x * 7.0
        case [a, b]:
            return a * b + x
        case [a, _, *_, z]:
            return a + z * 2.0
        case _:
            return 0.0 * x


def alternatives(x):
    match (x, 1.0):
        case (1.0, y) | (y, 1.0):
            return y * x
    return 0.0 * x


def bound_by_a_guard_that_fails(x):
    match x * 2.0:
        case y if y > 3.0:
            return y * y
        case _:
            return y + x


def nothing_matches(x):
    y = x
    match "a":
        case "b":
            y = x * x
    return y


def arrays_are_no_sequences(x):
    match x:
        case [a, *_]:
            return a * 100.0
        case np.ndarray(shape=(n,)):
            return x.sum() * n
    return x.sum()


CASES = [
    *[(values, 1.2, k) for k in (0, 1, 2, 3, 6, -1)],
    *[(mapping, 1.5, {"kind": k, "w": 2.0, "b": 3.0}) for k in ("linear", "quadratic", "else")],
    *[(sequence, x) for x in (1.5, 0.5)],
    *[(classes, 1.5, p) for p in (Pair(2.0, 3.0), Layer(2.0, 3.0), Layer(2.0, 3.0, "other"))],
    *[(classes, 1.5, p) for p in (2.5, 3, [2.0, 3.0, 4.0], None, "text", (1.0,))],
    *[(singletons, x) for x in (0.5, 1.5, 2.5)],
    (in_a_loop, np.linspace(-1.0, 1.0, 7)),
    *[(growing_list, x) for x in (2.6, 2.0, 1.3, 1.1, 0.3)],
    (alternatives, 1.5),
    *[(bound_by_a_guard_that_fails, x) for x in (1.2, 2.2)],
    (nothing_matches, 1.5),
    (arrays_are_no_sequences, np.ones(3)),
]
IDS = [f"{f.__name__}-{k}" for k, (f, *_) in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_lowered(case):
    agree(*case)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradient(case):
    f, *args = case
    check_grads(f, args, 0)


def test_the_value_that_is_compared_with():
    agree(sequence, 0.0)
    agree(alternatives, 1.0)


def test_what_is_known_folds():
    d = grad(classes)
    assert d(1.5, Pair(2.0, 3.0)) == 2.0
    assert "isinstance" not in d.source and "if" not in d.source


def test_the_text():
    d = grad(singletons)
    d(1.5)
    assert "match" not in d.source
    d = grad(values)
    assert d(1.2, 2) == 2.4
    assert "k == 0" in d.source


def test_too_many_positional_patterns():
    def f(x):
        match x:
            case float(a, b):
                return a + b
        return x

    with pytest.raises(TypeMismatch, match="accepts 1 positional sub-patterns"):
        lower(f, 1.0)


def test_the_length_of_an_unknown_object():
    unknown = eval("lambda: [1]")  # has no source

    def f(x):
        match unknown():
            case [_]:
                return x
        return x

    with pytest.raises(UnsupportedSyntax, match="known at run time only"):
        lower(f, 1.0)
