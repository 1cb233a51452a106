"""Optimizers in a program that is differentiated itself.

The frontend compiles the classes of optimizers as it does those of users. Here is what it cannot
find out by itself: what a setting is that the program computes, what can be checked of parameters
at compile time, and that a training step is a gradient and a call of `optimizer.step`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import gast
import numpy as np

from adcompile.api import value_and_grad
from adcompile.frontend import calls, expressions, joins, subscripts, writes
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import INTRINSICS, Args, Kwargs, bound
from adcompile.frontend.heap import is_reference
from adcompile.frontend.operands import Known, Operand, Tup
from adcompile.ir.core import MISSING, Op, Value
from adcompile.ir.types import FLOAT, Array, scalar_kind
from adcompile.optim import base, settings
from adcompile.optim.training import train_step

# --- settings -----------------------------------------------------------------------------------


def _number(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """One that is known is checked now, another one when the program runs."""
    params = ("name", "value", "below")
    name, value, below = bound(cx, node, "number", params, args, kwargs, required=2)
    assert name is not None and value is not None
    limit = math.inf if below is None else cx.static(below, node)
    known = cx.known(value)
    if scalar_kind(known) is None:
        if not (isinstance(value, Value) and value.type == FLOAT):
            value = cx.emit(node, float, [value])
        text = Known("" if limit == math.inf else f" and less than {limit:g}")
        return _as_written(cx, node, settings.in_range, [name, value, Known(limit), text], {})
    try:
        return Known(settings.number(cx.static(name, node), known, limit))
    except (TypeError, ValueError) as e:
        cx.mismatch(str(e), node)


def _is_off(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """A setting that the program computes may be zero in one call and not in the next."""
    (setting,) = bound(cx, node, "is_off", ("setting",), args, kwargs)
    assert setting is not None
    known = cx.known(setting)
    return Known(known is not MISSING and settings.is_off(known))


def _rest(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    (x,) = bound(cx, node, "rest", ("x",), args, kwargs)
    assert x is not None
    known = cx.known(x)
    if scalar_kind(known) == "float":
        return Known(settings.rest(known))
    return expressions.binary(cx, operator.sub, Known(1), x, node)


def _as_written(cx: Context, node: gast.AST, fn: Any, args: Args, kwargs: Kwargs) -> Operand:
    return calls.inline(cx, node, calls.closure_of(cx, fn, node), args, kwargs)


# --- parameters ---------------------------------------------------------------------------------


def _check_params(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    leaves = subscripts.known_layout(cx, args[0], node).items
    paths = [cx.static(path, node) for path in subscripts.known_layout(cx, args[1], node).items]
    if not leaves:
        cx.mismatch("params holds no arrays", node)
    arrays: list[Value] = []
    for path, p in zip(paths, leaves, strict=True):
        array = _array(cx, p, path, node)
        for other, before in zip(paths, arrays, strict=False):
            if cx.heap.root(array) == cx.heap.root(before):
                cx.mismatch(
                    f"{other} and {path} are the same array, which would be updated twice", node
                )
        arrays.append(array)
    return Known(None)


def _array(cx: Context, p: Operand, path: str, node: gast.AST) -> Value:
    """A parameter, which can be updated in place."""
    if isinstance(p, Value) and isinstance(p.type, Array) and p in cx.heap.places:
        cx.boxed.add(p)  # one of rank 0 that is passed must be an array, too
    if not is_reference(p, cx.boxed):
        number = isinstance(p, Value) and not isinstance(p.type, Array)
        hint = "write `np.array(…)`, of rank 0" if number else None
        what = joins.describe_operand(p)
        cx.mismatch(f"{path} is {what}, which cannot be updated in place", node, hint)
    assert isinstance(p, Value) and isinstance(p.type, Array)
    problem = base.problem(np.empty((0,), p.type.dtype))
    if problem is not None:
        cx.mismatch(f"{path} {problem}", node)
    return p


def _initial_state(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    p, state = args[0], subscripts.known_layout(cx, args[1], node)
    leaf = getattr(p, "name", None)
    made: list[Operand] = []
    for name, fill in zip(state.keys, state.items, strict=True):
        if cx.known(fill) is not None:
            zero = cx.known(fill) == 0
            fill = cx.emit(node, np.zeros_like if zero else np.full_like, [p, fill][: 2 - zero])
            assert isinstance(fill, Value)
            fill.name = f"{name}_{leaf}" if leaf else str(name)
        made.append(fill)
    return Tup(tuple, tuple(range(len(made))), tuple(made))


def _overwrite(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """Of an array that is no view, what is written are its new contents: nothing is copied."""
    array, value = args[0], cx.value(args[1], node)
    assert isinstance(array, Value) and isinstance(array.type, Array)
    made = value.owner
    if value.type == array.type and not array.type.rank and isinstance(made, Op):
        value = cx.builder.at(made.loc).call(np.asarray, value)  # arithmetic gives a number
        cx.boxed.add(value)
    if isinstance(made, Op) and array.name is not None:
        value.name = array.name
    if value.type == array.type:
        writes.replace(cx, array, value, node)
    else:
        writes.write(cx, array, writes.WHOLE, [], value, node)
    return Known(None)


# --- training -----------------------------------------------------------------------------------


def _train_step(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    return _as_written(cx, node, _made_of_its_parts, args, kwargs)


def _made_of_its_parts(loss: Callable[..., Any], optimizer: Any, *, has_aux: bool = False) -> Any:
    loss_and_grad = value_and_grad(loss, has_aux=has_aux)

    def step(*args, **kwargs):
        value, grads = loss_and_grad(optimizer.params, *args, **kwargs)
        optimizer.step(grads)
        return value

    return step


INTRINSICS.update(
    {
        settings.number: _number,
        settings.is_off: _is_off,
        settings.rest: _rest,
        base.check_params: _check_params,
        base.initial_state: _initial_state,
        base.overwrite: _overwrite,
        train_step: _train_step,
    }
)
