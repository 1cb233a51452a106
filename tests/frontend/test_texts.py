"""Strings in programs: they print, and say what went wrong; they decide nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from adcompile import TypeMismatch, grad

X = np.array([0.5, 1.5, 2.0])


def f_strings(x):
    width = 12
    print(f"{x.shape} {x.mean():6.2f} {x!r:>{width}} {{}} {x.ndim} {x.ndim=} {None} {'a'}|")
    print(f"{x[0]:{10}.{3}f} {x.dtype} {(x[0], 1)} {[x.ndim, 'b']}")
    return x.sum()


def other_formats(x):
    print("%.2f %s %d%%" % (x[0], x.shape, 3))
    print("{0:.2f} {a} {0!r}".format(x[0], a=x[1]), str(x) + "!", repr(x[1]), format(x[2], ".1f"))
    print(x.dtype, np.float32, sep="/")
    print(", ".join([str(x[0]), f"{x[1]}"]).upper(), "-" * x.ndim)
    return x.sum()


def chosen(x):
    name = "a"
    if x[0] > 0:
        name = f"b{x[0]}"
    for i in range(x.shape[0]):
        name = f"{name}{i}"
    print(name, len(name), name.startswith("b"), name == "b")
    return x.sum()


def keys(x):
    d = {f"w{x.ndim}": x}
    return d["w%d" % x.ndim].sum()


def messages(x):
    if x.ndim == 1 and x[0] <= 0:
        raise ValueError(f"not positive: {x[0]:.1f}")
    if np.any(x > 100):
        raise ValueError(f"too large: {x.max():.1f} at {np.argmax(x)}")
    if x.ndim > 1:
        raise TypeError("rank %d" % x.ndim)
    if x[1] > 50 or x[0] == 0.5:
        warnings.warn("odd {}".format(x[1]), stacklevel=1)
    return np.log(x).sum()


@pytest.mark.filterwarnings("ignore:odd")
@pytest.mark.parametrize("f", [f_strings, other_formats, chosen, keys, messages])
def test_the_text_is_that_of_the_program(f, capsys):
    f(X)
    expected = capsys.readouterr().out
    grad(f)(X)
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize("x", [np.array([-1.0, 2.0]), np.array([1.0, 200.0]), np.ones((2, 2)) / 2])
def test_messages_of_errors(x):
    with pytest.raises((ValueError, TypeError)) as expected:
        messages(x)
    with pytest.raises(type(expected.value)) as e:
        grad(messages)(x)
    assert e.value.args == expected.value.args


def test_text_is_no_number():
    with pytest.raises(TypeMismatch, match="`add` is not defined"):
        grad(lambda x: x.sum() + f"{x}")(X)
