"""`with gradient_of(x) as g:` where it is lowered: what it becomes."""

from __future__ import annotations

import io
import linecache
import pdb
import sys
from typing import Any

import numpy as np
import pytest

from adcompile import grad, gradient_of, stop_gradient
from adcompile.ir import core, interpreter
from adcompile.ir.identities import Alias, Hook
from adcompile.ir.printer import to_text
from adcompile.ir.verifier import verify
from tests.frontend.lowered import agree, lower, same

x = np.arange(1.0, 4.0)
V = np.ones(3)


def looked_at(x, n):
    h = x * 2.0
    for i in range(n):
        with gradient_of(h) as g:
            print(i, g)
        h = h * x
    return np.sum(h)


def test_the_op():
    (hook,) = [op for op in core.walk(lower(looked_at, x, 2).block) if isinstance(op, Hook)]
    assert [v.name for v in hook.operands] == ["h", "i"]
    assert hook.result.name == "h" and hook.result.type == hook.operands[0].type
    assert isinstance(hook.body.block.ops[0], Alias) and hook.body.block.ops[0].shown
    verify(hook.body)


def test_its_text():
    def f(x):
        h = x * 2.0
        with gradient_of(h) as g:
            g = g * h
        return np.sum(h * x)

    line = f.__code__.co_firstlineno
    expected = f"""\
func @f(%x: float64[n0]) {{
  %h = %x * 2.0 : float64[n0]  // line {line + 1}
  %h_1 = hook %h, %h as (%0, %h_2) : float64[n0] {{  // line {line + 2}
    %g = alias %0 : float64[n0]
    %g_1 = %g * %h_2 : float64[n0]  // line {line + 3}
    return %g_1  // line {line + 2}
  }}
  %1 = %h_1 * %x : float64[n0]  // line {line + 4}
  %2 = np.sum(%1) : float64[]
  return %2
}}
"""
    assert to_text(lower(f, x)) == expected


def test_the_program_itself_does_not_run_the_block(capsys):
    fn = lower(looked_at, x, 2)
    assert same(interpreter.run(fn, x, 2), np.float64(72.0))
    assert capsys.readouterr().out == ""


def test_run_as_it_is_the_block_runs_on_zeros(capsys):
    assert looked_at(x, 2) == 72.0
    assert capsys.readouterr().out == "0 [0. 0. 0.]\n1 [0. 0. 0.]\n"


@pytest.mark.parametrize(
    ("value", "zero"),
    [
        (2.0, 0.0),
        (np.float32(2.0), np.float32(0.0)),
        (np.float64(2.0), np.float64(0.0)),
        (np.array(2.0), np.array(0.0)),
        (np.ones((2, 1), np.float32), np.zeros((2, 1), np.float32)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_zeros_of_the_shape_and_dtype(value, zero):
    with gradient_of(value) as g:
        assert same(g, zero)


@pytest.mark.parametrize("value", [1, True, np.arange(3), "x", {"x": 1.0}, 1j])
def test_what_has_no_gradient_is_refused_at_run_time(value):
    with pytest.raises(TypeError, match="gradient_of takes a float or an array of floats"):
        gradient_of(value)


def test_exceptions_pass():
    with pytest.raises(ZeroDivisionError), gradient_of(1.0):
        raise ZeroDivisionError


# --- programs -----------------------------------------------------------------------------------


def in_a_branch_of_an_array(x):
    y = x * 2.0
    if x[0] > 0:
        with gradient_of(y) as g:
            g = g * 3.0
    else:
        y = y * 0.5
    return np.sum(y)


def a_leaf_of_a_tree(p):
    W = p["W"]
    with gradient_of(W) as g:
        g = g * 3.0
    return np.sum(p["W"] * W)


def in_a_closure(x):
    k = 2.0

    def scaled(v):
        with gradient_of(v) as d:
            d = d * k
        return v * x

    return np.sum(scaled(x * x))


def names_of_its_own(x):
    y = x * x
    for i in range(2):
        with gradient_of(y) as g:
            total = 0.0
            for j in range(3):
                if j == 2:
                    break
                total = total + g[j] * i
            g = g + total
        y = y * x
    return np.sum(y)


def no_name(x):
    y = x * x
    with gradient_of(y):
        print("here")
    return np.sum(y)


def with_another_manager(x):
    y = x * x
    with np.errstate(divide="ignore"), gradient_of(y) as g:
        g = np.where(np.isinf(1.0 / (g - 1.0)), 5.0, g)
    return np.sum(y)


class Model:
    def __init__(self, w):
        self.w = w

    def __call__(self, x):
        h = self.w * x
        with gradient_of(h) as g:
            g = np.sign(g)
        return h * h


def a_method(w, x):
    return np.sum(Model(w)(x))


def twice(x):
    y = x * x
    with gradient_of(y) as g:
        g = g * 2.0
    with gradient_of(y) as g:
        g = g + 1.0
    return np.sum(y)


def a_helper_of_the_block(x):
    y = x * x
    with gradient_of(y) as g:
        g = _scaled(g, 3.0)
    return np.sum(y)


def _scaled(g, by):
    return g if by == 1.0 else _scaled(g * 2.0, by - 1.0)


GRADIENTS = {
    in_a_branch_of_an_array: ((x,), 6.0 * V),
    a_leaf_of_a_tree: (({"W": x},), {"W": 6.0 * x}),
    in_a_closure: ((x,), x * x + 2 * x * (2 * x)),
    names_of_its_own: ((x,), None),
    no_name: ((x,), 2 * x),
    with_another_manager: ((x,), 5.0 * 2 * x),
    a_method: ((-x, x), -x),
    twice: ((x,), 2.0 * (1.0 + 1.0) * 2 * x),
    a_helper_of_the_block: ((x,), 4.0 * 2 * x),
}


@pytest.mark.parametrize("f", GRADIENTS, ids=lambda f: f.__name__)
def test_gradients(f, capsys):
    args, expected = GRADIENTS[f]
    agree(f, *args)
    if f is names_of_its_own:  # y1 = x², y2 = y1 x, y3 = y2 x
        d = x + (x[0] + x[1])  # of y2, which the block has added to
        expected = x**3 + x**2 * d + x * d * 2 * x
    found: Any = grad(f)(*args)
    if isinstance(expected, dict):
        found, expected = found["W"], expected["W"]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_a_hook_is_no_write():
    """Of two arguments that overlap, one may be looked at."""

    def f(x, y):
        with gradient_of(x) as g:
            g = g * 2.0
        return np.sum(x * y)

    z = np.arange(5.0)
    np.testing.assert_array_equal(grad(f)(z[1:], z[:-1]), 2.0 * z[:-1])
    np.testing.assert_array_equal(grad(f)(z, z), 2.0 * z)
    assert lower(f, x, x).writes == ()


def test_a_breakpoint(monkeypatch):
    """The debugger stops in the generated function, where the gradient has its name."""

    def f(x):
        y = np.sin(x)
        with gradient_of(y) as g:  # noqa: F841
            breakpoint()
        return np.sum(y * y)

    seen, out = [], io.StringIO()

    def stop():
        frame = sys._getframe(1)
        seen.append((frame.f_code.co_name, linecache.getline(*_place(frame)).strip()))
        seen.append(frame.f_locals["g"])

    monkeypatch.setattr(sys, "breakpointhook", stop)
    gradient = grad(f)
    expected = gradient(x)
    name, g = seen
    assert name == ("f_grad", "breakpoint()")
    np.testing.assert_allclose(g, 2 * np.sin(x), rtol=1e-15)
    commands = io.StringIO("p g[0]\n!g = 10.0 * g\ncontinue\n")
    debugger = pdb.Pdb(stdin=commands, stdout=out, nosigint=True, readrc=False)
    monkeypatch.setattr(sys, "breakpointhook", lambda: debugger.set_trace(sys._getframe(1)))
    np.testing.assert_allclose(gradient(x), 10.0 * expected, rtol=1e-15)
    assert f"{2 * np.sin(x[0])!r}" in out.getvalue()


def _place(frame):
    return frame.f_code.co_filename, frame.f_lineno


# --- stop_gradient of trees ------------------------------------------------------------------


def test_stop_gradient_of_trees():
    def f(p, n):
        (a, b), d = stop_gradient((p["a"], p["b"])), stop_gradient(p)
        return np.sum(a * d["a"] * p["a"]) * b * stop_gradient(n)

    d = grad(f)({"a": x, "b": 2.0}, 3)
    np.testing.assert_array_equal(d["a"], 6.0 * x * x)
    assert d["b"] == 0.0


def test_lists_of_unknown_length():
    def f(x):
        squares = []
        for v in x:
            squares.append(v * v)
        squares = stop_gradient(squares)
        s = 0.0
        for i in range(len(squares)):
            s += squares[i] * x[i]
        return s

    np.testing.assert_array_equal(grad(f)(x), x * x)
