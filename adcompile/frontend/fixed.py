"""Parameters whose values were built in: still parameters of the generated function.

`act(x, kind="tanh")` is compiled for one `kind`. Its gradient keeps the parameter, so that it is
called like the user's function, and refuses any other value.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Param, Value
from adcompile.ir.types import BOOL, Static, Type

_PLAIN = (bool, int, float, str, bytes, tuple, np.generic, np.dtype)


def keep_fixed_parameters(
    lowered: Function, fn: Callable[..., Any], types: Sequence[Type], named: Mapping[str, Type]
) -> None:
    """Give `lowered` the parameters of `fn` that were built in, each with a check of its value."""
    given = iter(types)
    have = {p.name: (p, v) for p, v in zip(lowered.params, lowered.block.params)}
    params: list[Param] = []
    values: list[Value] = []
    b = Builder(Block(), lowered.loc)
    for p in inspect.signature(fn).parameters.values():
        positional = p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        t = next(given, None) if positional else named.get(p.name)
        if p.name in have:
            param, v = have[p.name]
        elif isinstance(t, Static):
            default = core.MISSING if p.default is p.empty else p.default
            param, v = Param(p.name, p.kind.name, default), Value(t, p.name, lowered.block)
            _check(b, v, t.value, f"{lowered.name} was compiled for {p.name}={t.value!r}")
        else:
            continue
        params.append(param)
        values.append(v)
    lowered.params, lowered.block.params = params, values
    lowered.block.ops[:0] = b.block.ops


def _check(b: Builder, v: Value, value: Any, message: str) -> None:
    differs = operator.ne if isinstance(value, _PLAIN) else operator.is_not
    test = b.call_op(differs, [v, value], types=[BOOL]).result
    b.raise_if(test, message)
