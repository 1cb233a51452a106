"""What a traceback of an error of ours shows: the user's call, and not the compiler's insides."""

from __future__ import annotations

import traceback

import numpy as np
import pytest

from adcompile import InternalError, UnsupportedSyntax, grad
from adcompile.frontend import lower

X = np.ones(3)


def writes(x):
    X[0] = 1.0
    return x.sum()


def frames(call):
    with pytest.raises(Exception) as e:  # noqa: B017
        call()
    chain = e.value.__cause__, e.value.__context__
    return e.value, [f.name for f in traceback.extract_tb(e.value.__traceback__)], chain


def test_it_is_short(monkeypatch):
    monkeypatch.delenv("ADCOMPILE_DEBUG", raising=False)
    for call in (lambda: grad(writes)(X), lambda: grad(writes).lower(X)):
        error, names, chain = frames(call)
        assert isinstance(error, UnsupportedSyntax)
        assert names[2:] in (["entry", "_missed"], ["lower"])  # behind the user's own frames
        assert chain == (None, None)


def test_wrong_use_is_short():
    _, names, _ = frames(lambda: grad(writes, wrt="z"))
    assert names[2:] in (["grad", "_make"], ["grad"])


def test_all_of_it_on_demand(monkeypatch):
    monkeypatch.setenv("ADCOMPILE_DEBUG", "1")
    _, names, _ = frames(lambda: grad(writes)(X))
    assert len(names) > 6


def test_a_bug_of_ours_says_so(monkeypatch):
    def fails(*args):
        raise KeyError("lost")

    monkeypatch.setitem(lower.STATEMENTS, lower.gast.Return, fails)
    error, names, chain = frames(lambda: grad(lambda_free)(X))
    assert isinstance(error, InternalError) and isinstance(chain[0], KeyError)
    assert "lambda_free" in str(error) and "KeyError: 'lost'" in str(error)
    assert "Please report it" in str(error) and "in function lambda_free" in str(error)
    assert len(names) > 3


def lambda_free(x):
    return x.sum()


def test_an_error_of_the_program_is_its_own():
    def f(x):
        if x.ndim == 1:
            raise ValueError(f"rank {x.ndim}")
        return x.sum()

    error, _, _ = frames(lambda: grad(f)(X))
    assert type(error) is ValueError and error.args == ("rank 1",)
