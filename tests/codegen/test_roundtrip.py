"""Lowered and generated again, a function is what its author wrote."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import textwrap
from pathlib import Path

import numpy as np
import pytest

from adcompile.codegen.python import generate
from adcompile.frontend.lower import lower_function
from adcompile.ir.types import FLOAT, INT, Array, Dim, Tree, Type

_spec = importlib.util.spec_from_file_location("written", Path(__file__).with_name("written.py"))
assert _spec and _spec.loader
written = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(written)

F8 = np.dtype("float64")


def size() -> Dim:
    return Dim.fresh(many=True)


def vec(n: Dim | None = None, dtype: np.dtype = F8) -> Array:
    return Array(dtype, (n or size(),))


def mat(n: Dim | None = None, m: Dim | None = None) -> Array:
    return Array(F8, (n or size(), m or size()))


def pair(*items: Type, node: type = tuple, keys: tuple = ()) -> Tree:
    return Tree(node, keys or tuple(range(len(items))), items)


i, j, k, t = (size() for _ in range(4))
LAYERS = pair(pair(mat(i, j), vec(j)), pair(mat(j, k), vec(k)))
LAYER = pair(mat(j, j), vec(j), node=written.Layer, keys=("W", "b"))
PROGRAMS = {
    "mean": [vec()],
    "network": [LAYERS, mat(t, i), mat(t, k)],
    "dictionary": [
        pair(mat(i, j), vec(j), mat(j, k), node=dict, keys=("W1", "b1", "W2")),
        mat(t, i),
    ],
    "attributes": [pair(LAYER, FLOAT, node=written.Model, keys=("first", "rate")), mat(t, j)],
    "make_layer": [mat(i, j), mat(j, k)],
    "weighted": [vec(i), vec(i)],
    "ranges": [vec()],
    "newton": [FLOAT],
    "ramp": [vec(), FLOAT],
    "rnn": [mat(i, j), mat(j, j), vec(j), Array(F8, (t, k, i)), mat(k, j)],
    "fibonacci": [INT],
    "pairs": [vec(i), vec(i)],
    "early": [FLOAT],
    "branches": [FLOAT, FLOAT],
    "one_sided": [vec(), FLOAT],
    "conditional": [FLOAT, FLOAT],
    "conditions": [FLOAT, FLOAT, FLOAT],
    "slices": [vec(), mat()],
    "masks": [vec(), vec(dtype=np.dtype("int64"))],
    "methods": [mat()],
    "keywords": [mat()],
    "slog": [mat(i, i)],
    "scaled": [vec()],
    "special_functions": [vec()],
    "quiet": [vec()],
    "checked": [vec(), INT],
    "searching": [FLOAT],
    "nested": [mat()],
    "growing": [vec(), INT],
    "augmented": [FLOAT, INT],
    "rebound": [vec()],
    "powers": [vec(), INT],
    "lists": [FLOAT, FLOAT],
    "defaults": [vec(), FLOAT],
    "scopes": [vec(), FLOAT],
}


def definition(text: str) -> str:
    """The last definition in `text`, formatted in one way."""
    return ast.unparse(ast.parse(text).body[-1])


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_function_comes_back_as_it_was_written(name: str):
    function = getattr(written, name)
    kwargs = {"shift": INT} if name == "defaults" else {}
    text = generate(lower_function(function, PROGRAMS[name], kwargs)).text
    assert definition(text) == definition(textwrap.dedent(inspect.getsource(function)))
