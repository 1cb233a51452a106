"""`try`: the path that the program takes is the one that is differentiated."""

from __future__ import annotations

import contextlib
import linecache
import math
import traceback
import warnings

import numpy as np
import pytest

from adcompile import check_grads, grad
from adcompile.errors import TypeMismatch, UnsupportedSyntax
from adcompile.frontend.lower import lower_function
from adcompile.ir import core
from adcompile.ir.types import FLOAT
from tests.frontend.lowered import agree, lower


class Trouble(ValueError):
    pass


def division(x, y):
    try:
        z = x / y
    except ZeroDivisionError:
        z = x * 3.0
    return z * x


def two_clauses(x):
    try:
        y = 1.0 / (x - 3.0)
        z = math.log(y)
    except ZeroDivisionError:
        return x * 5.0
    except ValueError as e:
        print(e)
        return x * x
    return y * z


def with_else(x):
    s = x
    try:
        r = math.sqrt(x)
    except ValueError:
        s = s * 2.0
    else:
        s = s + r * r * r
    return s * x


def else_is_not_guarded(x):
    try:
        try:
            y = math.sqrt(x)
        except ValueError:
            y = 1.0
        else:
            y = math.log(y - 1.0)
    except ValueError:
        y = x * 5.0
    return y * x


def bare(x):
    try:
        y = math.log(x)
    except:  # noqa: E722
        y = x
    return y * x


def classes_from_outside(x):
    caught = (ValueError, KeyError)
    try:
        y = math.log(x)
    except caught:
        y = x
    return y * x


def own_class(x):
    try:
        if x > 1.0:
            raise Trouble("too large")
        y = x
    except Trouble as e:
        print(e)
        y = x * x
    return y * x


def goes_on(xs):
    s = 0.0
    for v in xs:
        try:
            a = 1.0 / float(v)
            b = math.log(a)
        except (ZeroDivisionError, ValueError):
            continue
        s = s + a * b
    return s


def breaks(xs):
    s = 0.0
    for v in xs:
        try:
            s = s + math.log(float(v))
        except ValueError:
            break
    else:
        s = s * 3.0
    return s * s


def tries_again(x):
    n = 0
    while n < 4:
        try:
            y = math.log(x)
            break
        except ValueError:
            x = x + 1.5
            n += 1
    else:
        y = x
    return y * x


def nested(x):
    try:
        try:
            y = math.log(x)
        except ValueError:
            y = math.sqrt(x)
    except ValueError:
        y = x * x
    return y * x


def helper(v):
    if v < 0.0:
        raise ValueError("negative")
    return v * v


def called(x):
    try:
        y = helper(x)
    except ValueError:
        y = helper(-x) * 3.0
    return y


def loop_in_the_body(x):
    try:
        s = 0.0
        for k in range(5):
            s = s + math.log(x - k)
    except ValueError:
        s = x * x
    return s


def returns(x):
    try:
        return math.log(x)
    except ValueError:
        return x * x * x


def returns_from_the_body(xs):
    for v in xs:
        try:
            if math.log(float(v)) > -1.0:
                return v * v
        except ValueError:
            pass
    return xs.sum()


def shapes(x):
    try:
        y = x @ np.ones(3)
    except ValueError:
        y = (x * x).sum()
    return y * 2.0


def appends(xs):
    out = []
    for v in xs:
        try:
            out.append(math.log(float(v)))
        except ValueError:
            pass
    s = 0.0
    for o in out:
        s = s + o * o
    return s


def only_the_path_matters(x):
    k = 1.0
    try:
        math.log(x)
    except ValueError:
        k = 2.0
    return k * x * x


def index_only(xs, k):
    try:
        xs[k]
        factor = 2.0
    except IndexError:
        factor = 3.0
    return (xs * xs).sum() * factor


def imported(x):
    try:
        import nowhere_at_all  # noqa: F401

        y = x
    except ImportError:
        y = x * x
    return y


def suppressed(x):
    y = x * 2.0
    with contextlib.suppress(ValueError, KeyError):
        y = math.log(x)
    return y * x


def powers(x, n):
    if n < 0:
        raise ValueError("negative")
    return x * powers(x, n - 1) if n > 0 else 1.0


def recursive(x, n):
    try:
        y = powers(x, n)
    except ValueError:
        y = x
    return y * x


# --- finally ------------------------------------------------------------------------------------

LOG: list[object] = []

NOTE = eval("lambda tag, log=log: log.append(tag)", {"log": LOG})  # has no source: called as it is


def cleans_up(x):
    try:
        y = math.log(x)
    finally:
        NOTE("done")
    return y * y


def cleans_up_after_a_return(x):
    for k in range(3):
        try:
            if x * k > 1.0:
                return x * x * k
            x = x * 1.1
        finally:
            NOTE(k)
    return x


def handles_and_cleans_up(x):
    try:
        y = math.log(x)
    except ValueError:
        y = x * x
    else:
        y = y * 2.0
    finally:
        NOTE("end")
    return y * x


def computes_finally(x):
    k = 1.0
    try:
        y = math.log(x)
    finally:
        k = 2.0
    return y * k


CASES = [
    *[(division, 2.0, y) for y in (3.0, 0.0)],
    *[(two_clauses, x) for x in (3.5, 2.0)],
    *[(with_else, x) for x in (2.0, -2.0)],
    *[(else_is_not_guarded, x) for x in (9.0, 0.5, -2.0)],
    *[(bare, x) for x in (2.0, -2.0)],
    *[(classes_from_outside, x) for x in (2.0, -2.0)],
    *[(own_class, x) for x in (2.0, 0.5)],
    (goes_on, np.linspace(-1.0, 1.0, 6)),
    *[(breaks, xs) for xs in (np.linspace(1.0, -1.0, 6), np.linspace(1.0, 2.0, 4))],
    *[(tries_again, x) for x in (1.5, -2.2, -22.2)],
    *[(nested, x) for x in (2.0, -2.0)],
    *[(called, x) for x in (1.5, -1.5)],
    *[(loop_in_the_body, x) for x in (1.5, 7.5)],
    *[(returns, x) for x in (1.5, -1.5)],
    (returns_from_the_body, np.array([-1.0, 0.1, 0.7, 3.0])),
    (returns_from_the_body, np.array([-1.0, 0.1])),
    *[(shapes, np.ones(n)) for n in (3, 4)],
    (appends, np.linspace(-1.0, 1.0, 6)),
    *[(only_the_path_matters, x) for x in (1.5, -1.5)],
    *[(index_only, np.arange(3.0), k) for k in (2, 3)],
    (imported, 1.5),
    *[(suppressed, x) for x in (1.5, -1.5)],
    *[(recursive, 1.5, n) for n in (3, -1)],
    (cleans_up, 2.0),
    *[(cleans_up_after_a_return, x) for x in (0.7, 0.2)],
    *[(handles_and_cleans_up, x) for x in (2.0, -2.0)],
    (computes_finally, 2.0),
]
IDS = [f"{f.__name__}-{k}" for k, (f, *_) in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_lowered(case):
    agree(*case)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradient(case):
    f, *args = case
    check_grads(f, args, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_stays(dtype):
    for f, n in ((shapes, 3), (shapes, 4), (goes_on, 5)):
        x = np.linspace(-1.0, 1.5, n).astype(dtype)
        assert grad(f)(x).dtype == dtype


def test_at_the_very_point():
    assert grad(two_clauses)(3.0) == 5.0


# --- exceptions that escape ---------------------------------------------------------------------


def raises_again(x):
    try:
        y = math.log(x)
    except ValueError:
        NOTE("seen")
        raise
    return y * y


def raises_another(x):
    try:
        y = math.log(x)
    except ValueError as e:
        raise Trouble("no logarithm") from e
    return y * y


def not_caught(x):
    try:
        y = math.log(x)
    except (KeyError, IndexError):
        y = x
    return y * y


def fails_in_the_handler(x):
    try:
        y = math.log(x)
    except ValueError:
        y = math.sqrt(x)
    return y * y


@pytest.mark.parametrize(
    "f", [raises_again, raises_another, not_caught, fails_in_the_handler, cleans_up]
)
def test_an_exception_escapes_as_from_the_program(f):
    check_grads(f, (2.0,))
    d = grad(f)
    with pytest.raises(ValueError) as expected:
        f(-1.0)
    before = len(LOG)
    with pytest.raises(ValueError) as caught:
        d(-1.0)
    assert len(LOG) - before == (f in (raises_again, cleans_up))
    assert type(caught.value) is type(expected.value)
    assert str(caught.value) == str(expected.value)
    for chain in ("__cause__", "__context__"):
        a, b = getattr(caught.value, chain), getattr(expected.value, chain)
        assert type(a) is type(b) and str(a) == str(b)
    assert f.__name__ in "".join(traceback.format_exception(caught.value))


def test_finally_runs_in_order_and_once():
    d = grad(cleans_up_after_a_return)
    d(0.7)
    LOG.clear()
    d(0.7)
    assert LOG == [0, 1, 2]


# --- the text -----------------------------------------------------------------------------------


def source(f, *args):
    d = grad(f)
    d(*args)
    return d.source


def test_the_text_is_a_try_statement():
    assert source(division, 2.0, 3.0) == (
        "def division_grad(x, y):\n"
        "    try:\n"
        "        z = x / y\n"
        "    except ZeroDivisionError:\n"
        "        # z = x * 3.0\n"
        "        d_x = 6.0 * x\n"
        "    else:\n"
        "        # z = x / y\n"
        "        d_x = z + x / y\n"
        "    return d_x\n"
    )


def test_a_handler_that_leaves_needs_no_else():
    text = source(raises_another, 2.0)
    assert 'except ValueError as e:\n        raise Trouble("no logarithm") from e\n' in text
    assert "else" not in text and "flag" not in text


def test_an_exception_that_is_raised_again_needs_no_name():
    assert "except ValueError:\n" in source(raises_again, 2.0)
    assert "        raise\n" in source(raises_again, 2.0)


def test_a_finally_without_effect_needs_no_try():
    assert "try" not in source(computes_finally, 2.0)


def test_a_list_grows_behind_what_may_fail():
    text = source(appends, np.ones(3))
    assert "list(" not in text
    assert "else:\n            out.append(" in text


# --- what is refused ----------------------------------------------------------------------------


def refused(f, *args, kind=TypeMismatch):
    with pytest.raises(kind) as caught:
        lower(f, *args)
    assert caught.value.loc is not None and caught.value.hint
    return caught.value.message


def test_variables_of_unknown_state():
    def in_the_handler(x):
        y = x
        try:
            y = x * 2.0
            z = math.log(x)
        except ValueError:
            z = y
        return z

    def behind(x):
        try:
            y = x * 2.0
            z = math.log(x)
        except ValueError:
            z = x
        return y * z

    def a_list(x):
        ys = [x]
        try:
            ys.append(x)
            ys.append(math.log(x))
        except ValueError:
            pass
        return ys[0]

    assert "`y` may or may not have been assigned" in refused(in_the_handler, 1.0)
    assert "`y` may or may not have been assigned" in refused(behind, 1.0)
    assert "what this list holds here is not known" in refused(a_list, 1.0)


def test_what_the_body_does_last_is_known():
    def f(x):
        y = x
        try:
            y = math.log(x)
        except ValueError:
            pass
        return y * x

    for x in (2.0, -2.0):
        agree(f, x)
        check_grads(f, (x,))


def test_the_name_of_an_exception_ends_with_its_clause():
    def f(x):
        try:
            y = math.log(x)
        except ValueError as e:
            y = x
        print(e)  # noqa: F821
        return y

    with pytest.raises(TypeMismatch, match="`e` is deleted"):
        lower(f, 1.0)


def test_jumps_out_of_finally():
    text = (
        "def f(x):\n"
        "    for k in range(3):\n"
        "        try:\n"
        "            x = x * 2.0\n"
        "        finally:\n"
        "            break\n"
        "    return x\n"
    )
    linecache.cache["<finally>"] = (len(text), None, text.splitlines(True), "<finally>")
    space: dict = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(text, "<finally>", "exec"), space)
    with pytest.raises(UnsupportedSyntax, match="out of `finally`") as caught:
        lower_function(space["f"], [FLOAT])
    assert caught.value.loc is not None and caught.value.loc.line == 6


def test_classes_that_are_not_known():
    def f(x, kinds):
        try:
            y = math.log(x)
        except kinds:
            y = x
        return y

    assert "not known at compile time" in refused(f, 1.0, 3.0, kind=UnsupportedSyntax)


def test_raise_alone_where_nothing_is_handled():
    def f(x):
        if x < 0.0:
            raise  # noqa: PLE0704
        return x

    with pytest.raises(TypeMismatch, match="no exception is being handled"):
        lower(f, 1.0)


def test_the_ops():
    fn = lower(division, 2.0, 3.0)
    (op,) = [o for o in core.walk(fn.block) if isinstance(o, core.Try)]
    assert "except" in str(fn)
    assert [type(o) for o in op.handler.ops][-1] is core.Yield
