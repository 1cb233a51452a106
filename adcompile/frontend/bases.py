"""`super()`: members of the bases of a class, bound to an object."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any

import gast

from adcompile import classes
from adcompile.frontend import construct, objects
from adcompile.frontend.context import Context
from adcompile.frontend.operands import Known, Operand
from adcompile.frontend.scopes import Frame


@dataclass(eq=False, slots=True)
class Super:
    """`super()`: the members of the bases of `cls`, bound to `receiver`."""

    cls: type
    receiver: Operand


def of_super(cx: Context, x: Super, name: str, node: gast.AST) -> Operand:
    """`super().name`."""
    cls = x.receiver.value if isinstance(x.receiver, Known) else objects.class_of(cx, x.receiver)
    if not isinstance(cls, type) or x.cls not in cls.__mro__:
        cx.mismatch(f"super(): this is no {x.cls.__name__}", node)
    bases = cls.__mro__[cls.__mro__.index(x.cls) + 1 :]
    raw = objects.first_of(bases, name)
    if raw is getattr(object, name, objects.MISSING) and name == "__init__":
        return objects.Action(lambda cx, node, args, kwargs: Known(None))  # type: ignore[return-value]
    if raw is object.__setattr__:
        return objects.Action(  # type: ignore[return-value]
            lambda cx, node, args, kwargs: objects.set_raw(cx, node, [x.receiver, *args], kwargs)
        )
    if name == "__init__" and classes.is_generated(raw):
        owner = next(base for base in bases if name in base.__dict__)
        return objects.Action(  # type: ignore[return-value]
            lambda cx, node, args, kwargs: construct.set_fields(
                cx, node, owner, x.receiver, args, kwargs
            )
        )
    unbound = isinstance(x.receiver, Known) and isinstance(raw, types.FunctionType)
    if raw is objects.MISSING or unbound:
        cx.mismatch(f"super() of a {cls.__name__} has no attribute `{name}` here", node)
    return objects.bound(cx, cls, raw, name, x.receiver, node)


def super_(cx: Context, node: gast.AST, args: list[Operand], kwargs: Any) -> Operand:
    """`super()` and `super(Class, self)`."""
    if len(args) == 2:
        return Super(cx.static(args[0], node), args[1])  # type: ignore[return-value]
    frame: Frame | None = cx.frame
    while frame is not None and frame.function is None:
        frame = frame.parent
    function: Any = None if frame is None else frame.function
    free = () if function is None else function.__code__.co_freevars
    if args or kwargs or frame is None or "__class__" not in free:
        cx.mismatch("super() is called outside of a method", node)
    assert function is not None
    cls = function.__closure__[free.index("__class__")].cell_contents
    first = function.__code__.co_varnames[0]
    return Super(cls, cx.store.get(frame.cell(first)))  # type: ignore[return-value]


HANDLERS: dict[Any, Any] = {super: super_}
