"""Every rule through the compiler: forward and reverse mode, run by the interpreter.

Forward mode agrees with finite differences, reverse with forward mode (the dot test), and tangents
and cotangents have the exact dtype and shape of what they belong to.
"""

from __future__ import annotations

import warnings
from functools import reduce
from typing import Any

import numpy as np
import pytest

from adcompile.ad.forward import jvp
from adcompile.ad.reverse import reverse
from adcompile.frontend.scopes import data_type
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Loc, Param, Stmt, Value
from adcompile.ir.interpreter import run
from adcompile.ir.verifier import verify
from adcompile.passes import dce
from adcompile.rules.registry import name_of
from tests.rules.harness import (
    Sample,
    as_tuple,
    close,
    differences,
    direction,
    inner,
    is_float,
    leaves,
    moved,
)
from tests.rules.samples import ALL

IDS = [f"{name_of(fn)}({sample!r})" for fn, sample in ALL]
HERE = Loc(Stmt("<test>", 1, "y = f(x)", "f"), 1, 0, 1, 8)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def program(
    fn: Any, sample: Sample, weights: list[Any] | None = None
) -> tuple[Function, list[int | str]]:
    """A function of the differentiable arguments of one call, and which these are.

    With `weights` it returns the sum of all results times these, which are its last parameters.
    """
    block = Block()
    b = Builder(block, HERE)
    keys: list[int | str] = []

    def operand(key: int | str, x: Any) -> Value:
        if not any(is_float(leaf) for leaf in leaves(x)):
            return b.const(x)
        keys.append(key)
        t = data_type(x)
        assert t is not None
        block.params.append(Value(t, f"x{len(keys)}", block))
        return block.params[-1]

    args = [operand(k, x) for k, x in enumerate(sample.args)]
    kwargs = {k: operand(k, x) for k, x in sample.kwargs.items()}
    op = b.call_op(fn, args, kwargs)
    if weights is None:
        b.return_(op.results[0] if len(op.results) == 1 else b.tuple(*op.results))
    else:
        terms = []
        for w, r in zip(weights, op.results, strict=True):
            if w is not None:
                t = data_type(w)
                assert t is not None
                block.params.append(Value(t, f"w{len(terms)}", block))
                terms.append(b.call(np.sum, b.mul(block.params[-1], r)))
        b.return_(reduce(b.add_values, terms))
    params = [Param(v.name or "") for v in block.params]
    return Function("f", block, params, None, HERE), keys


def given(sample: Sample, keys: list[int | str]) -> list[Any]:
    return [sample.args[k] if isinstance(k, int) else sample.kwargs[k] for k in keys]


def tangent_of(x: Any, v: Any) -> Any:
    """`v` as a tangent: in the dtype of `x`, None where there is no derivative."""
    if isinstance(x, list | tuple):
        return type(x)(map(tangent_of, x, v))
    if not is_float(x):
        return None
    return np.asarray(v).astype(x.dtype)[()] if isinstance(x, np.ndarray | np.generic) else v


def check_like(got: Any, x: Any) -> None:
    """`got` is a cotangent for `x`: the same layout, shapes and dtypes."""
    if isinstance(x, list | tuple):
        assert type(got) is type(x) and len(got) == len(x)
        for g, item in zip(got, x):
            check_like(g, item)
    elif not is_float(x):
        assert got is None
    else:
        assert np.shape(got) == np.shape(x)
        if isinstance(x, np.ndarray | np.generic):
            assert got.dtype == x.dtype
        else:
            assert np.asarray(got).dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("fn", "sample"), ALL, ids=IDS)
def test_forward(fn: Any, sample: Sample, dtype: Any) -> None:
    sample = sample.as_dtype(dtype)
    made, keys = program(fn, sample)
    inputs = given(sample, keys)
    y = fn(*sample.args, **sample.kwargs)
    for k, key in enumerate(keys):
        v = direction(inputs[k])
        derivative = jvp(made, [k])
        verify(derivative)
        value, dot = run(derivative, *inputs, tangent_of(inputs[k], v))
        for part, t in zip(as_tuple(y), as_tuple(dot), strict=True):
            if np.asarray(part).dtype.kind == "f":
                assert np.shape(t) == np.shape(part)
                if isinstance(part, np.ndarray | np.generic) and np.ndim(part):
                    assert t.dtype == part.dtype
        if dtype is np.float64:
            want = differences(fn, sample, key, v)
            for t, w in zip(as_tuple(dot), want, strict=True):
                close(0.0 if t is None else t, w, 1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("fn", "sample"), ALL, ids=IDS)
def test_reverse(fn: Any, sample: Sample, dtype: Any) -> None:
    sample = sample.as_dtype(dtype)
    weights = []
    for part in as_tuple(fn(*sample.args, **sample.kwargs)):
        real = np.asarray(part).dtype.kind == "f"
        w = np.random.default_rng(2).standard_normal(np.shape(part)).astype(np.asarray(part).dtype)
        weights.append(w[()] if real else None)
    made, keys = program(fn, sample, weights)
    inputs = [*given(sample, keys), *[w for w in weights if w is not None]]
    for k in range(len(keys)):
        v = direction(inputs[k])
        _, dot = run(jvp(made, [k]), *inputs, tangent_of(inputs[k], v))
        backward, _ = reverse(program(fn, sample, weights)[0], [k], name="f_grad")
        dce.run(backward)
        verify(backward)
        grad = run(backward, *inputs)
        check_like(grad, inputs[k])
        if dtype is np.float64:
            assert abs(inner(grad, v) - dot) <= 1e-11 * (1 + abs(dot))


@pytest.mark.parametrize(("fn", "sample"), ALL, ids=IDS)
def test_one_number_stands_for_an_array_of_it(fn: Any, sample: Sample) -> None:
    """A pending cotangent gives what the full one gives."""
    results = list(map(np.asarray, as_tuple(fn(*sample.args, **sample.kwargs))))
    real = [part.dtype.kind == "f" for part in results]
    numbers = [1.5 if is_real else None for is_real in real]
    arrays = [np.full(y.shape, 1.5)[()] if is_real else None for y, is_real in zip(results, real)]
    grads = []
    for weights in (numbers, arrays):
        made, keys = program(fn, sample, weights)
        inputs = [*given(sample, keys), *[w for w in weights if w is not None]]
        backward, _ = reverse(made, list(range(len(keys))), name="f_grad", as_tuple=True)
        verify(backward)
        grads.append(run(backward, *inputs))
    for got, x in zip(grads[0], given(sample, keys), strict=True):
        check_like(got, x)
    for got, want in zip(*map(list, map(leaves, grads)), strict=True):
        if want is not None:
            close(got, want, 1e-12)


@pytest.mark.parametrize(("fn", "sample"), ALL, ids=IDS)
def test_second_order(fn: Any, sample: Sample) -> None:
    """Forward over reverse: the derivative of the gradient, against differences of the gradient."""
    weights = []
    for part in as_tuple(fn(*sample.args, **sample.kwargs)):
        real = np.asarray(part).dtype.kind == "f"
        w = np.random.default_rng(2).standard_normal(np.shape(part))
        weights.append(w[()] if real else None)
    made, keys = program(fn, sample, weights)
    inputs = [*given(sample, keys), *[w for w in weights if w is not None]]
    for k in range(len(keys)):
        backward, _ = reverse(program(fn, sample, weights)[0], [k], name="f_grad")
        dce.run(backward)
        for j in range(len(keys)):
            v = direction(inputs[j])
            _, dot = run(jvp(backward, [j]), *inputs, tangent_of(inputs[j], v))
            h = 1e-5
            up, down = (
                run(backward, *[moved(x, v, s * h) if i == j else x for i, x in enumerate(inputs)])
                for s in (1, -1)
            )
            for d, a, b in zip(leaves(dot), leaves(up), leaves(down), strict=True):
                if d is not None and np.all(np.isfinite(a)):
                    close(d, (a - b) / (2 * h), 1e-4)
