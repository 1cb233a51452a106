"""What users give rules for, and with: mistakes that would make a rule be passed over, or misread.

(Words of the library's own rule files are not checked.)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import numpy as np

Function = Callable[..., Any]


def refuse_taken_apart(fn: Function) -> None:
    """Refuse what is no call of its own in a program: its rule would never be asked for."""
    if isinstance(fn, MethodType | classmethod):
        instead = "give the rule to the function in the class, whose first argument is the object"
    elif isinstance(fn, partial | np.vectorize) or "__call__" in _python_methods(type(fn)):
        instead = "give the rule to the function that it calls"
    else:
        return
    kind = type(fn).__name__
    raise TypeError(f"a rule cannot be given for {fn!r:.80}, which is a {kind}: {instead}")


def _python_methods(cls: type) -> set[str]:
    return {k for c in cls.__mro__ for k, v in vars(c).items() if isinstance(v, FunctionType)}


def check_positions(fn: Function, args: set[int]) -> None:
    """Refuse arguments that `fn` does not have, as far as it tells what it has."""
    if not all(isinstance(k, int) for k in args):
        raise TypeError(f"an argument of {_name(fn)} is given by its position, not by {args}")
    found = _parameters(fn)
    if found and max(args) >= len(found) and all(p.kind is not p.VAR_POSITIONAL for p in found):
        raise ValueError(f"{_name(fn)} has no argument {max(args)}: they are counted from 0")


def check_names(fn: Function, body: Callable[..., Any], lead: int) -> None:
    """Refuse a body, whose first `lead` parameters are its own, with names in another order.

    What is passed by keyword goes by the body's names, what is passed by position does not.
    """
    own = [p.name for p in _parameters(fn)]
    params = list(inspect.signature(body).parameters.values())[lead:]
    for k, p in enumerate(params):
        if p.kind is p.POSITIONAL_OR_KEYWORD and p.name in own and own.index(p.name) != k:
            raise ValueError(
                f"the rule calls argument {k} of {_name(fn)} `{p.name}`, which is the name of its "
                f"argument {own.index(p.name)}: leave none out, or put a `*` in front of it"
            )


def _parameters(fn: Function) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):  # many a function of C does not tell
        return []


def _name(fn: Function) -> str:
    return f"{getattr(fn, '__module__', '')}.{getattr(fn, '__name__', fn)}".lstrip(".")
