"""Progress bars over a loop: `for x in tqdm(xs)`.

The loop runs over what is wrapped, and the bar stays where it is: made before the forward loop,
moved on by each iteration, closed after it. These are effects like any other: in order, once. The
backward sweep has no bar.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import gast

from adcompile.frontend import builtin_calls, calls, expressions
from adcompile.frontend.context import Context
from adcompile.frontend.iterators import progress_handler
from adcompile.frontend.operands import Generator, Iterable, Known, Obj, Operand, Tup
from adcompile.ir.core import Value
from adcompile.ir.types import NONE, Opaque

_POSITIONAL = ("iterable", "desc", "total", "leave")


@dataclass(eq=False, slots=True)
class Bar:
    """What a loop runs over, and the bar that shows how far it is."""

    over: Operand
    value: Value
    cls: Any
    node: gast.AST

    def act(self, cx: Context, name: str) -> None:
        """Call the method `name` of the bar."""
        method = getattr(self.cls, name)
        cx.emit(self.node, method, [self.value], {}, member=f"{name}()", effect=True, types=[NONE])


def opened(cx: Context, node: Any) -> Bar | None:
    """The bar of a loop over `node`; None where it has none."""
    if not isinstance(node, gast.Call) or not isinstance(node.func, gast.Name | gast.Attribute):
        return None
    fn = cx.known(expressions.evaluate(cx, node.func))
    handler = progress_handler(fn)
    if handler is None:
        return None
    cls = fn if isinstance(fn, type) else getattr(sys.modules.get(fn.__module__), "tqdm", None)
    if cls is None or not hasattr(cls, "update"):
        return None
    args, kwargs = calls.arguments(cx, node)
    options = dict(kwargs)
    if cls is fn:
        options |= dict(zip(_POSITIONAL[1:], args[1:], strict=False))
    over = handler(cx, node, args, kwargs)
    options.pop("iterable", None)
    if "total" not in options and _has_length(over):
        options["total"] = builtin_calls.handlers()[len](cx, node, [over], {})
    made = cx.emit(node, cls, [], options, effect=True, types=[Opaque(cls)])
    assert isinstance(made, Value)
    made.name = "bar"
    return Bar(over, made, cls, node)


def _has_length(x: Operand) -> bool:
    if isinstance(x, Iterable):
        return x.kind == "range"
    return not isinstance(x, Generator) and isinstance(x, Value | Obj | Tup | Known)
