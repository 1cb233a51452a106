"""What the handlers of known functions have in common: `handler(cx, node, args, kwargs)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gast

from adcompile.frontend.context import Context
from adcompile.frontend.operands import Operand

Args = list[Operand]
Kwargs = dict[str, Operand]
Handler = Callable[[Context, gast.AST, Args, Kwargs], Operand]

# What functions of adcompile's own are in a program; filled where these functions are at home.
INTRINSICS: dict[Any, Handler] = {}


def arity(
    cx: Context, node: gast.AST, name: str, args: Args, kwargs: Kwargs, least: int, most: int
) -> None:
    """Refuse keywords, and too few or too many arguments."""
    if not least <= len(args) <= most or kwargs:
        wanted = str(least) if least == most else f"{least} to {most}"
        cx.mismatch(f"{name} takes {wanted} arguments here", node)


def bound(
    cx: Context,
    node: gast.AST,
    name: str,
    params: tuple[str, ...],
    args: Args,
    kwargs: Kwargs,
    required: int = 1,
) -> list[Operand | None]:
    """The arguments for `params`, None for those that are not given."""
    given: dict[str, Any] = dict(zip(params, args, strict=False))
    wrong = [k for k in kwargs if k not in params or k in given]
    given.update(kwargs)
    if wrong or len(args) > len(params) or any(p not in given for p in params[:required]):
        cx.mismatch(f"{name} takes {', '.join(params)}", node)
    return [given.get(p) for p in params]


def refused(message: str, hint: str) -> Handler:
    """The handler of a function that is not supported."""

    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        cx.unsupported(message, node, hint)

    return handler
