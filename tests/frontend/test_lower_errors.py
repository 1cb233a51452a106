"""What cannot be lowered is refused, with the place, the reason and what to write instead."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import numpy as np
import pytest

from adcompile.errors import (
    AdcompileError,
    AliasError,
    SignatureError,
    TypeMismatch,
    UnsupportedSyntax,
)
from adcompile.frontend.lower import lower_function
from adcompile.ir.types import FLOAT, INT
from tests.frontend.lowered import lower, type_of

X = np.ones((3, 4))
V = np.ones(4)
WRITTEN = np.zeros(3)


def unknown_name(x):
    total = x.sum()
    return totl + 1  # noqa: F821


def unknown_module_attribute(x):
    return np.tanhh(x)


def unknown_array_attribute(x):
    return x.reshap(2)


def unknown_array_method(x):
    return x.tolist()


def wrong_types(x):
    return x @ x.sum()


def shapes(x):
    return np.concatenate([x, x[0]])


def bad_axis(x):
    return x.sum(axis=2)


def too_many(x):
    a, b, c = (x, x)
    return a


def not_enough(x):
    a, b, *c = (x,)
    return a


def unpack_number(x):
    a, b = x.sum()
    return a


def called(x):
    return helper(x, 1, 2)


def helper(a, b):
    return a + b


def called_unknown_keyword(x):
    return helper(x, c=2)


def called_missing(x):
    return helper(x)


def called_twice(x):
    return helper(x, a=x)


def calls_a_number(x):
    y = 3.0
    return y(x)


def calls_an_array(x):
    return x(0)


def indexes_a_number(x):
    return x.ndim[0] + np.pi[0]


def missing_key(x):
    d = {"weight": x}
    return d["wieght"]


def out_of_range(x):
    t = (x, x)
    return t[2]


def range_of_float(x):
    s = 0.0
    for i in range(2.5):
        s += 1.0
    return s


def iterates_a_number(x):
    s = 0.0
    for v in 3.0:
        s += v
    return s


def clashing_branches(x, n):
    if n > 1:
        y = x.sum()
    else:
        y = x
    return y * 2


def clashing_loop(x, n):
    s = 0.0
    for i in range(n):
        s = s + x
    return s


def never_assigned(x, n):
    for i in range(n):
        x = x + late  # noqa: F821
        if n > 100:
            del_me = 1
    late = 1.0
    return x


def unbound(x):
    if x.ndim == 1:
        y = x
    return y


def writes_global(x):
    WRITTEN[0] = x[0, 0]
    return x


def writes_element_of_number(x, s):
    s[0] = 1.0
    return x


def writes_floats_into_integers(x):
    n = np.zeros(4, int)
    n += x[0]
    return n


def writes_out_of_integers(x):
    n = np.zeros((3, 4), int)
    np.exp(x, out=n)
    return n


def writes_out_of_other_rank(x):
    y = np.zeros((3, 4))
    x.sum(axis=0, out=y)
    return y


def writes_tuple(x):
    t = (x, x)
    t[0] = x
    return t


def writes_broadcast(x):
    y = np.broadcast_to(x, (2, 3, 4))
    y[0] = 1.0
    return y


def writes_one_of_two(x, n):
    y = x * 2.0
    z = y if n > 1 else x
    z[0] = 1.0
    return y


def writes_reshaped(x):
    y = x.T.reshape(-1)
    y[0] = 1.0
    return x


def writes_what_a_list_holds(x):
    row = x[0] * 1.0
    rows = []
    for _ in x:
        rows.append(row)
    row[0] = 1.0
    return rows


def recurs(a, b, n):
    if n == 0:
        return a * b
    a[0] = 1.0
    return recurs(b, a, n - 1)


def recurs_with_the_same(x, n):
    return recurs(x, x, n)


def multiplies_at(x):
    np.multiply.at(x, [0], 1.0)
    return x


def appends_shared(x, n):
    xs = [x]
    if n > 1:
        ys = xs
    else:
        ys = [x]
    ys.append(x)
    return xs


def appends_while_iterating(x):
    xs = [0.0]
    for v in x:
        xs.append(v)
    for v in xs:
        xs.append(v)
    return xs


def executes(x):
    exec("y = x")
    return x


def evaluates(x):
    return eval("x * x")


def reads_its_globals(x):
    return globals()["X"] * x


def other_context(x):
    with contextlib.ExitStack():
        return x


def opaque_result(x):
    return sys.intern("a") + x


def unknown_axis(x, n):
    k = x.shape[0] * n
    return x.sum(axis=k)


def two_functions(x, n):
    f = np.tanh if n > 1 else np.sin
    return f(x)


def returns_two_kinds(x, n):
    if n > 1:
        return x
    return None


def endless(x):
    return endless(x) + 1


def default_list(x, xs=[]):
    return x


class Thing:
    def __new__(cls):
        return object.__new__(cls)


def makes_an_object(x):
    t = Thing()
    return x


CASES: list[tuple[Any, tuple[Any, ...], type, list[str]]] = [
    (unknown_name, (X,), TypeMismatch, ["`totl` is not defined", "did you mean `total`?"]),
    (unknown_module_attribute, (X,), TypeMismatch, ["numpy", "`tanhh`", "did you mean `tanh`?"]),
    (unknown_array_attribute, (X,), TypeMismatch, ["`reshap`", "did you mean `reshape`?"]),
    (unknown_array_method, (X,), UnsupportedSyntax, ["`tolist`"]),
    (wrong_types, (X,), TypeMismatch, ["return x @ x.sum()", "^^^^^^^^^^^"]),
    (shapes, (X,), TypeMismatch, ["dimension"]),
    (bad_axis, (X,), TypeMismatch, ["axis 2 is out of bounds for array of dimension 2"]),
    (too_many, (X,), TypeMismatch, ["not enough values to unpack: 3 expected, 2 given"]),
    (not_enough, (X,), TypeMismatch, ["not enough values to unpack: 2 expected, 1 given"]),
    (unpack_number, (X,), TypeMismatch, ["cannot be unpacked"]),
    (called, (X,), TypeMismatch, ["helper takes 2 positional arguments, 3 are given"]),
    (called_unknown_keyword, (X,), TypeMismatch, ["helper has no parameter `c`"]),
    (called_missing, (X,), TypeMismatch, ["the argument `b` is missing"]),
    (called_twice, (X,), TypeMismatch, ["the argument `a` is given twice"]),
    (calls_a_number, (X,), TypeMismatch, ["cannot be called"]),
    (calls_an_array, (X,), TypeMismatch, ["a float64 array of rank 2 cannot be called"]),
    (indexes_a_number, (X,), TypeMismatch, ["is not subscriptable"]),
    (missing_key, (X,), TypeMismatch, ["no key 'wieght'", "did you mean 'weight'?"]),
    (out_of_range, (X,), TypeMismatch, ["index 2 is out of range"]),
    (range_of_float, (X,), TypeMismatch, ["range needs integers"]),
    (iterates_a_number, (X,), TypeMismatch, ["cannot be iterated over"]),
    (clashing_branches, (X, 2), TypeMismatch, ["`y` has no single type", "scalar", "rank 2"]),
    (clashing_loop, (X, 2), TypeMismatch, ["`s` has no single type"]),
    (never_assigned, (X, 2), TypeMismatch, ["`late` is read before it is assigned"]),
    (unbound, (X,), TypeMismatch, ["`y` is read before it is assigned"]),
    (writes_global, (X,), UnsupportedSyntax, ["`WRITTEN` comes from outside", "WRITTEN.copy()"]),
    (writes_element_of_number, (X, 1.0), TypeMismatch, ["has no items to assign"]),
    (writes_floats_into_integers, (X,), TypeMismatch, ["float64 result", "an int64 array"]),
    (writes_out_of_integers, (X,), TypeMismatch, ["float64 result", "an int64 array"]),
    (writes_out_of_other_rank, (X,), TypeMismatch, ["`out=` has rank 2", "has rank 1"]),
    (writes_tuple, (X,), TypeMismatch, ["a tuple of 2 has no items to assign", "use a list"]),
    (writes_broadcast, (X,), UnsupportedSyntax, ["through this view", "`y.copy()`"]),
    (writes_one_of_two, (X, 2), AliasError, ["`y` shares memory with `z`", "`z = z.copy()`"]),
    (writes_reshaped, (X,), AliasError, ["`x` shares memory with `y`", "`y = y.copy()`"]),
    (writes_what_a_list_holds, (X,), AliasError, ["an item of a list", "`row.copy()`"]),
    (recurs_with_the_same, (X, 3), AliasError, ["recurs calls itself", "pass a copy"]),
    (multiplies_at, (X,), UnsupportedSyntax, ["`np.multiply.at` is not supported"]),
    (appends_shared, (X, 2), UnsupportedSyntax, ["it may be the same list as another one"]),
    (appends_while_iterating, (V,), UnsupportedSyntax, ["while it is iterated over"]),
    (executes, (X,), UnsupportedSyntax, ["`exec` runs a text", "write its statements out"]),
    (evaluates, (X,), UnsupportedSyntax, ["`eval` runs a text", "write the expression out"]),
    (reads_its_globals, (X,), UnsupportedSyntax, ["`globals` is not supported"]),
    (other_context, (X,), UnsupportedSyntax, ["may swallow exceptions"]),
    (opaque_result, (X,), TypeMismatch, ["what `intern` returns is not known"]),
    (unknown_axis, (X, 1), TypeMismatch, ["the value of `k` must be known at compile time"]),
    (two_functions, (X, 1), TypeMismatch, ["on one path and", "on another"]),
    (returns_two_kinds, (X, 1), TypeMismatch, ["returns", "None", "on another"]),
    (endless, (X,), TypeMismatch, ["never returns"]),
    (makes_an_object, (X,), UnsupportedSyntax, ["class Thing has a `__new__`"]),
]


@pytest.mark.parametrize("f, args, kind, texts", CASES, ids=lambda c: getattr(c, "__name__", None))
def test_refusals(f, args, kind, texts):
    with pytest.raises(AdcompileError) as e:
        lower(f, *args)
    message = str(e.value)
    assert type(e.value) is kind, message
    for text in texts:
        assert text in message, message
    assert __file__ in message and "^" in message, message


def test_wrong_signatures():
    def f(x, *, k=1):
        return x

    for args, kwargs in [
        ([FLOAT, FLOAT], {}),
        ([], {}),
        ([FLOAT], {"j": INT}),
        ([FLOAT], {"x": INT}),
    ]:
        with pytest.raises(SignatureError):
            lower_function(f, args, kwargs)


def test_an_error_in_a_callee_shows_the_callee():
    def inner(y):
        return y.foo

    def f(x):
        return inner(x) + 1

    with pytest.raises(TypeMismatch) as e:
        lower(f, X)
    assert "in function inner" in str(e.value) and "return y.foo" in str(e.value)


def test_names_that_are_not_read_may_clash():
    def f(x, n):
        if n > 1:
            t = x.sum()
        else:
            t = x
        for i in range(n):
            u = x if i > 1 else x + 1
            u = u.sum()
        return x

    lower(f, X, 1)
    assert type_of(X)
