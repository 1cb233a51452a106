"""`:=`, `del`, imports, decorators, `global` and `with`: lowered, run, differentiated."""

from __future__ import annotations

import contextlib
import functools
import io
import threading

import numpy as np
import pytest

from adcompile import check_grads, grad
from adcompile.errors import TypeMismatch, UnsupportedSyntax
from tests.frontend.lowered import agree, lower

SCALE = 2.5


# --- assignments in expressions -----------------------------------------------------------------


def in_if(x):
    if (y := x * x) > 1.0:
        return y * 3.0
    return y + x


def in_while(x):
    n = 0
    while (y := x * 0.5**n) > 0.1:
        x = x + y * y
        n += 1
    return x * y


def in_while_with_else(x):
    n = 0
    while (y := x * 0.5**n) > 0.1:
        n += 1
        if n > 3:
            break
        if n == 2:
            continue
        x = x * 1.01
    else:
        x = x * y
    return x + y


def in_and(x):
    y = 2.0
    if x > 1.0 and (y := x * x) > 2.0:
        return y
    return y * x


def in_conditional_expression(x):
    a = (t := x * 2.0) if x > 1.0 else (t := x * 3.0)
    return a * t


def in_lambda(x):
    f = lambda v: (w := v * v) + w  # noqa: E731
    return f(x)


def in_comparison(x):
    if 0.0 < (y := x * 2.0) < (z := y + 1.0):
        return y * z
    return y


def in_argument(x):
    return np.sin(y := x * x) * y


# --- del, imports, definitions ------------------------------------------------------------------


def deletes(x):
    y = x * x
    z = y + 1.0
    del y
    y = 3.0
    (a, b) = (x, z)
    del a, b
    return z * y


def deletes_in_a_loop(x):
    s = 0.0
    for k in range(3):
        t = x * k
        s = s + t * t
        del t
    return s


def imports(x):
    import math
    import os.path as p
    from math import pi
    from math import sin as sine

    return math.cos(x) * pi + sine(x) * len(p.join("a", "b"))


def doubled(f):
    @functools.wraps(f)
    def inner(*args, **kwargs):
        return 2.0 * f(*args, **kwargs)

    return inner


def scaled(k):
    def decorate(f):
        return lambda v: f(v) * k

    return decorate


def decorated(x):
    @doubled
    @scaled(x)
    def inner(v):
        return v * v

    @functools.lru_cache(maxsize=None)
    def square(v):
        return v * v

    @functools.cache
    def cube(v):
        return v * v * v

    return inner(x) + square(x) + cube(x)


def declared(x):
    global SCALE

    def inner(y):
        nonlocal x
        return y * x * SCALE

    return inner(x) + inner(2.0)


def global_behind_a_local(x):
    SCALE = x * x  # noqa: N806

    def inner():
        global SCALE
        return SCALE

    return inner() * SCALE


def identity_of_bools(x, flag):
    if flag is True:
        return x * 2.0
    return x if flag is not False else -x


# --- with ---------------------------------------------------------------------------------------

LOCK = threading.Lock()


class Timer:
    entered = 0

    def __init__(self, name="timer"):
        self.name = name

    def __enter__(self):
        Timer.entered += 1
        return self

    def __exit__(self, *error):
        return None


@contextlib.contextmanager
def noted(name):
    try:
        yield name
    finally:
        Timer.entered += 100


def lock_of_its_own(x):
    lock = threading.Lock()
    with lock:
        y = x * x
    return y * 2.0


def lock_from_outside(x):
    s = 0.0
    for k in range(3):
        with LOCK:
            s = s + x * k
    return s * x


def timed(x):
    with Timer("a") as t, LOCK, noted("b") as name:
        print(t, name)
        y = x * x
        if y > 3.0:
            return y * x
    return y


def reads(x):
    with io.StringIO("2.5") as f:
        k = float(f.getvalue())
    return x * x * k


CASES = [
    *[(in_if, x) for x in (2.0, 0.5)],
    (in_while, 1.3),
    *[(in_while_with_else, x) for x in (1.3, 0.3)],
    *[(in_and, x) for x in (0.5, 1.2, 2.2)],
    *[(in_conditional_expression, x) for x in (0.5, 2.5)],
    (in_lambda, 2.5),
    *[(in_comparison, x) for x in (2.5, -2.5)],
    (in_argument, 0.7),
    (deletes, 1.5),
    (deletes_in_a_loop, 1.5),
    (imports, 1.5),
    (decorated, 1.5),
    (declared, 1.5),
    (global_behind_a_local, 1.5),
    *[(identity_of_bools, 1.5, flag) for flag in (True, False)],
    (lock_of_its_own, 1.5),
    (lock_from_outside, 1.5),
    *[(timed, x) for x in (1.5, 2.5)],
    (reads, 1.5),
]
IDS = [f"{f.__name__}-{k}" for k, (f, *_) in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_lowered(case):
    agree(*case)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradient(case):
    f, *args = case
    check_grads(f, args, 0)


def test_a_manager_is_entered_once():
    d = grad(timed)
    d(1.5)
    Timer.entered = 0
    assert d(1.5) == 3.0
    assert Timer.entered == 101


def test_a_manager_sees_exceptions():
    def f(x):
        with noted("a"):
            if x < 0.0:
                raise ValueError("negative")
            y = x * x
        return y

    d = grad(f)
    assert d(1.5) == 3.0
    Timer.entered = 0
    with pytest.raises(ValueError, match="negative"):
        d(-1.5)
    assert Timer.entered == 100


def test_the_text_of_with():
    d = grad(timed)
    d(1.5)
    assert 'with Timer("a") as t, LOCK, noted("b") as name:' in d.source


def test_the_text_of_while():
    d = grad(in_while)
    d(1.3)
    assert "while True:" in d.source and ":=" not in d.source


# --- what is refused ----------------------------------------------------------------------------


def refused(f, *args, kind=TypeMismatch):
    with pytest.raises(kind) as caught:
        lower(f, *args)
    assert caught.value.loc is not None
    return caught.value


def test_reads_of_deleted_variables():
    def f(x):
        y = x
        del y
        return y  # noqa: F821

    def g(x):
        y = x
        if x > 1.0:
            del y
        return y

    def h(x):
        del y  # noqa: F821
        return x

    assert "`y` is deleted" in refused(f, 1.0).message
    assert "`y` is deleted on some path" in refused(g, 1.0).message
    assert "deleted before it is assigned" in refused(h, 1.0).message


def test_writes_to_variables_of_other_scopes():
    def f(x):
        global SCALE
        SCALE = x
        return x

    def g(x):
        n = 0

        def inner():
            nonlocal n
            n += 1
            return x

        return inner() * n

    for one, line in ((f, 2), (g, 5)):
        error = refused(one, 1.0, kind=UnsupportedSyntax)
        assert "another scope" in error.message
        assert error.loc.line == one.__code__.co_firstlineno + line


def test_an_import_that_fails_raises_where_the_program_does():
    def f(x):
        if x > 1.0:
            import nowhere_at_all  # noqa: F401

            x = x * 2.0
        return x * x

    d = grad(f)
    assert d(0.5) == 1.0
    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all"):
        d(1.5)


class Swallows:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return True


def test_managers_that_are_refused():
    def swallows(x):
        with Swallows():
            y = x * x
        return y

    def given_a_number(x):
        with Timer(x):
            y = x * x
        return y

    def no_manager(x):
        with LOCK.locked:
            y = x
        return y

    error = refused(swallows, 1.0, kind=UnsupportedSyntax)
    assert "may swallow exceptions" in error.message and "try" in error.hint
    error = refused(given_a_number, 1.0, kind=UnsupportedSyntax)
    assert "given an array or a float" in error.message
    with pytest.raises((TypeMismatch, UnsupportedSyntax)):
        lower(no_manager, 1.0)


def test_arrays_are_not_touched():
    x = np.arange(3.0)

    def f(x):
        if (n := x.shape[0]) > 2:
            return (x * x).sum() * n
        return x.sum()

    check_grads(f, (x,))
